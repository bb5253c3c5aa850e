"""Result folders: whole or not at all, readable everywhere, and the same bytes for the same seed."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import sim
from sim.catalogue.columns import TABLES
from sim.errors import PopulationError, StoreError
from sim.storage import store

ROOT = Path(__file__).parents[1]
SPEC = {
    "question": "Does storing work?",
    "clients_per_arm": 12,
    "sessions": 6,
    "exchanges": 4,
    "follow_up_months": 1,
    "arms": {"therapy": {}, "waiting": {"therapist": "none"}},
    "record": {"exchanges": {"clients": [0]}},
}


@pytest.fixture(scope="module")
def run() -> sim.Run:
    """A small run with and without therapy."""
    return sim.run(sim.from_spec(SPEC, "storing"), seed=3)


def test_tables_have_just_the_declared_columns(run: sim.Run) -> None:
    """One declaration orders, describes and lists the columns."""
    for name, table in run.tables.items():
        assert list(table.columns) == list(TABLES[name])


def test_a_folder_reads_back_as_it_was(run: sim.Run, tmp_path: Path) -> None:
    """Saving and opening change nothing."""
    again = sim.open_run(store.save(run, tmp_path / "out"))
    assert again.scenario == run.scenario and again.seed == run.seed
    for name, table in run.tables.items():
        pd.testing.assert_frame_equal(again.tables[name], table)


def test_duckdb_and_pandas_open_the_tables(run: sim.Run, tmp_path: Path) -> None:
    """No reader needs anything of ours, and each file says that it is synthetic and what its columns mean."""
    folder = store.save(run, tmp_path / "out")
    for name, table in run.tables.items():
        path = folder / f"{name}.parquet"
        assert duckdb.sql(f"select count(*) from '{path}'").fetchall() == [(len(table),)]
        assert list(pd.read_parquet(path).columns) == list(table.columns)
        schema = pq.read_schema(path)
        assert b"simulated people" in schema.metadata[b"synthetic"]
        assert all(schema.field(c).metadata[b"meaning"] for c in table.columns)
    endings = {row[0] for row in duckdb.sql(f"select distinct ending from '{folder / 'clients.parquet'}'").fetchall()}
    assert "untreated" in endings


def test_the_same_seed_gives_the_same_files(run: sim.Run, tmp_path: Path) -> None:
    """Every table and the manifest, byte for byte; another seed gives others."""
    a = store.save(run, tmp_path / "a")
    b = store.save(sim.run(run.scenario, seed=3, threads=1, chunk=5), tmp_path / "b")
    other = store.save(sim.run(run.scenario, seed=4), tmp_path / "c")
    for path in sorted(a.glob("*")):
        if path.name != "run.log":
            assert path.read_bytes() == (b / path.name).read_bytes(), path.name
    assert (a / "clients.parquet").read_bytes() != (other / "clients.parquet").read_bytes()


def test_the_manifest_says_what_made_it_and_when_is_only_in_the_log(run: sim.Run, tmp_path: Path) -> None:
    """Scenario, seed, versions, hashes, fingerprint; no times."""
    folder = store.save(run, tmp_path / "out", log=["simulated in 1.0 s"])
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 3 and manifest["scenario"] == "storing" and "simulated people" in manifest["synthetic"]
    assert manifest["arithmetic_fingerprint"] == store.arithmetic_fingerprint()
    assert manifest["versions"]["attune"] == sim.__version__
    assert sim.from_spec(manifest["resolved_scenario"], "storing") == run.scenario
    assert "simulated in" in (folder / "run.log").read_text()


def test_an_edited_table_is_noticed(run: sim.Run, tmp_path: Path) -> None:
    """Values that the manifest does not vouch for are refused; so is half a folder."""
    folder = store.save(run, tmp_path / "out")
    table = pd.read_parquet(folder / "clients.parquet")
    table.loc[0, "distress_end"] += 1.0
    table.to_parquet(folder / "clients.parquet")
    with pytest.raises(StoreError, match="vouches"):
        sim.open_run(folder)
    (folder / "clients.parquet").write_bytes(b"not parquet")
    with pytest.raises(StoreError, match="cannot be read"):
        sim.open_run(folder)
    (folder / "clients.parquet").unlink()
    with pytest.raises(StoreError, match=r"clients\.parquet: is missing"):
        sim.open_run(folder)


def test_a_folder_that_is_there_is_left_alone(run: sim.Run, tmp_path: Path) -> None:
    """Data is never lost."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "precious").write_text("mine")
    with pytest.raises(StoreError, match="not empty"):
        store.save(run, tmp_path / "out")
    assert (tmp_path / "out" / "precious").read_text() == "mine"


def test_a_failure_on_the_way_leaves_nothing(run: sim.Run, tmp_path: Path) -> None:
    """Whole or not at all: also when the report fails."""

    def failing(run: sim.Run, folder: Path) -> None:
        (folder / "half").write_text("half")
        raise RuntimeError("no report today")

    with pytest.raises(RuntimeError):
        store.save(run, tmp_path / "deep" / "out", report=failing)
    assert list((tmp_path / "deep").iterdir()) == []


def test_a_place_under_a_file_is_refused(run: sim.Run, tmp_path: Path) -> None:
    """An unwritable place gives one clear message (permissions would not stop the superuser)."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        store.save(run, tmp_path / "file" / "out")


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for a full disk: exit status 2, one line, nothing half-written."""
    # What is compiled must be kept already: machine code is larger than the limit too, and would be what does not fit.
    warm = "import sim; sim.run(sim.load('scenarios/hello.yaml').but(clients_per_arm=1, sessions=1), seed=1)"
    subprocess.run([sys.executable, "-c", warm], cwd=ROOT, check=True)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))

    code = (
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "import sys; from sim.cli.main import main; main(sys.argv[1:])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(ROOT / "scenarios/hello.yaml"), "--out", str(tmp_path / "out")],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "could not be written whole" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists() and list(tmp_path.iterdir()) == []


def test_nobody_fits_is_one_clear_message() -> None:
    """A corner of the plane where nobody lives is named."""
    spec = {"question": "q", "clients_per_arm": 1, "client": {"anxiety": [6.999, 7.0], "avoidance": [6.999, 7.0]}}
    with pytest.raises(PopulationError, match=r"no client in .* candidates fits"):
        sim.run(sim.from_spec(spec, "corner"), seed=1)


@pytest.mark.parametrize("seed", [-1, 1.5, True, None, 2**63])
def test_seeds_are_whole_numbers(seed: object) -> None:
    """0 is a seed like any other; anything that is no seed is refused."""
    with pytest.raises(ValueError, match="seed"):
        sim.run(sim.from_spec(SPEC, "storing"), seed=seed)  # type: ignore[arg-type]


def test_too_large_a_scenario_is_refused_before_it_starts() -> None:
    """A clear message instead of a machine out of memory."""
    huge = sim.from_spec({**SPEC, "record": {}, "clients_per_arm": 1_000_000, "sessions": 520, "replicates": 100}, "huge")
    with pytest.raises(sim.ScenarioError, match="GiB"):
        sim.run(huge, seed=1)


def test_compare_pairs_by_seed(run: sim.Run) -> None:
    """The same scenario twice differs by exactly nothing; a change is paired."""
    usual = sim.from_spec({**SPEC, "arms": {"therapy": {}}}, "usual")

    def alliance(run: sim.Run) -> float:
        return float(run.sessions["wai_client"].mean())

    same = sim.compare(usual, usual, seeds=[1, 2, 3], measure=alliance)
    assert same.loc[0, ["difference", "low", "high", "sd_paired"]].tolist() == [0.0, 0.0, 0.0, 0.0]
    cold = sim.compare(usual, usual.but(therapist_warmth_base=-2.0), seeds=[1, 2, 3], measure=[alliance])
    assert cold.loc[0, "difference"] < 0 and cold.loc[0, "high"] < 0
    assert list(cold["measure"]) == ["alliance"] and cold.loc[0, "seeds"] == 3
    with pytest.raises(ValueError, match="at least one seed"):
        sim.compare(usual, usual, seeds=[])
    one = sim.compare(usual, usual, seeds=[1])
    assert np.isnan(one["low"]).all()


def test_a_course_alone_is_the_course_in_the_run(run: sim.Run) -> None:
    """Tracing one client simulates them alone, exactly as among the others."""
    from sim.simulation.trace import traced_course

    exchanges, sessions, arm = traced_course(run.scenario, 3, None, 0)
    assert arm == "therapy"
    among = run.exchanges.reset_index(drop=True)
    for name in among.columns.drop("arm"):
        assert (exchanges[name].to_numpy() == among[name].to_numpy()).all(), name
    assert len(sessions) == (run.sessions["client"] == 0).sum()
