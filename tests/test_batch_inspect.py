"""Looking into results: verify, export, compare, status and replay, of batches and of single runs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray
from scipy import stats

import sim
from sim import measures
from sim.batch.results import open_batch
from sim.batch.resume import tasks_in
from sim.batch.run import run_batch
from sim.cli.main import main
from sim.errors import StateError, StoreError, TableError
from sim.export.tables import export
from sim.folders import status, verify
from sim.folders.compare import compare_folders
from sim.folders.replay import failures_of
from sim.storage import ledger, store
from sim.storage import reading as result_folder
from sim.storage.added import RUN_HERE, run_files, run_once
from sim.storage.schema import manifest_text
from sim.storage.store import values_hash
from sim.therapy.clinic.matching import MATCHING
from sim.therapy.model import Model
from sim.therapy.session import World

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

SPEC: dict[str, Any] = {
    "question": "Can it be looked into?",
    "clients_per_arm": 12,
    "sessions": 8,
    "exchanges": 3,
    "replicates": 3,
    "arms": {"secure": {"therapist": "secure"}, "dismissing": {"therapist": "dismissing"}, "nobody": {"therapist": "none"}},
}
VARIED = {**SPEC, "batch": {"vary": {"trust_rate": [0.1, 0.3], "arms.secure.sessions": [6, 8]}, "keep": ["clients", "sessions"]}}
RULES = '''"""A rule that knows nothing of long lists."""
from sim.therapy.clinic.matching import MATCHING, least_loaded


def short_lists(seen):
    """As the least loaded, while few wait."""
    if seen.client.size > 4:
        raise ValueError(f"{seen.client.size} wait, and this rule knows what to do with 4")
    return least_loaded(seen)


MATCHING["short_lists"] = short_lists
'''
CLINIC: dict[str, Any] = {
    "question": "Does our rule hold?",
    "design": "clinic",
    "sessions": 4,
    "exchanges": 3,
    "replicates": 2,
    "clinic": {"therapists": 2, "capacity": 3, "weeks": 16, "arrivals_per_week": 0.5},
    "arms": {"usual": {}, "ours": {"clinic": {"matching": "short_lists"}}},
    "batch": {"vary": {"clinic.arrivals_per_week": [0.5, 3]}, "keep": ["clients", "clinic"]},
}


def lose_heart(world: World, rows: np.ndarray) -> None:
    """After the third session whoever is in a poor alliance loses heart, below any range."""
    poor = (world.dyads.client_alliance[rows] < 0.45) & (world.dyads.session[rows] > 3)
    world.dyads.client_engagement[rows] -= np.where(poor, 0.4, 0.0)


MINE = Model().insert(lose_heart, after="form_alliance")


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with finished results of every kind; what they add to the registries is taken out again at once."""
    folder, before = tmp_path_factory.mktemp("results"), dict(MATCHING)
    run_batch(sim.from_spec(VARIED, "varied"), 1, folder / "batch", workers=1)
    run_batch(sim.from_spec(VARIED, "varied"), 2, folder / "other", workers=1)
    run_once("rules.py", RULES)
    run_batch(sim.from_spec(CLINIC, "clinic"), 1, folder / "clinic", workers=1, added=[("rules.py", RULES)])
    heart = sim.from_spec({**SPEC, "batch": {"vary": {"trust_rate": [0.1, 0.3]}, "random_numbers": "own"}}, "heart")
    run_batch(heart, 1, folder / "heart", workers=1, model=MINE)
    store.save(sim.run(sim.from_spec(SPEC, "single"), 1), folder / "run")
    usual = {key: value for key, value in CLINIC.items() if key != "batch"} | {"arms": {"usual": {}}}
    store.save(sim.run(sim.from_spec(usual, "usual"), 1), folder / "clinic-run")
    MATCHING.clear()
    MATCHING.update(before)
    RUN_HERE.clear()
    return folder


@pytest.fixture
def attune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """The command, called in an empty folder: status, what it says, and what goes wrong."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return stop.value.code if isinstance(stop.value.code, int) else 0, said.out, said.err

    return call


#: What a manifest may say of a table.
SAID = {"rows": 1, "columns": [], "values": "abcd"}


def copied(place: Path, name: str, to: Path) -> Path:
    """A copy of a folder, to be spoilt."""
    return Path(shutil.copytree(place / name, to))


def edited(folder: Path, table: str, column: str, row: int, *, vouched: bool) -> None:
    """Change one number of a table a little; ``vouched``: the manifest then vouches for it."""
    path = folder / f"{table}.parquet"
    rows = pq.read_table(path)
    values = rows.column(column).to_pylist()
    values[row] += 1e-9
    field = rows.schema.field(column)
    pq.write_table(rows.set_column(rows.schema.names.index(column), field, pa.array(values, field.type)), path)
    if vouched:
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["tables"][table]["values"] = values_hash(pq.read_table(path).to_pandas())
        (folder / "manifest.json").write_text(manifest_text(manifest))


# -------------------------------------------------------------------------------------------------------------- verify


@pytest.mark.parametrize("name", ["batch", "run", "clinic", "clinic-run"])
def test_what_was_simulated_verifies(place: Path, name: str) -> None:
    """Every hash agrees, and every task simulated again gives the same rows, where the files it was run with are named."""
    if name == "clinic":
        run_files([place / "clinic" / "with" / "rules.py"])
    found = verify.verified(place / name, sample=1000)
    assert found.well and not found.not_sampled
    assert found.hashed == list(result_folder.opened(place / name).tables)
    parts = {"batch": 4 * 3, "run": 3 * 3, "clinic": 2 * 2, "clinic-run": 2}
    assert len(found.sampled) == parts[name]
    rows = {table: said["rows"] for table, said in result_folder.opened(place / name).manifest["tables"].items()}
    assert found.compared_rows == sum(n for table, n in rows.items() if table not in ("points", "failures"))


@pytest.mark.parametrize(
    ("name", "table", "column", "row"),
    [("batch", "clients", "distress_0", 5), ("batch", "summaries", "value", 3), ("run", "sessions", "wai_client", 7)],
)
def test_an_edited_number_is_found_twice(
    attune: Any, place: Path, tmp_path: Path, name: str, table: str, column: str, row: int
) -> None:
    """By the hash; and where the hash was edited too, by simulating again: it says where, what was kept and what it is."""
    folder = copied(place, name, tmp_path / "edited")
    edited(folder, table, column, row, vouched=False)
    code, out, _ = attune("verify", folder, "--sample", 0)
    assert code == 1 and f"DIFFERS: {table}.parquet: its values are not those that the manifest vouches for" in out
    edited(folder, table, column, row, vouched=True)
    assert attune("verify", folder, "--sample", 0)[0] == 0
    code, out, _ = attune("verify", folder, "--sample", 1000, "--seed", 3)
    assert code == 1 and f"DIFFERS: {table}.parquet" in out and f"column {column}" in out and "was kept, and it is" in out


def test_the_sample_is_fresh_and_its_seed_is_said(attune: Any, place: Path) -> None:
    """Without --seed another sample each time, which can be asked for again."""
    said = [attune("verify", place / "batch", "--sample", 2)[1] for _ in range(3)]
    seeds = [text.partition("--seed ")[2].partition(":")[0] for text in said]
    assert len(set(seeds)) == 3
    again = attune("verify", place / "batch", "--sample", 2, "--seed", seeds[0])[1]
    assert again == said[0]


def test_every_task_can_be_chosen_and_none_twice() -> None:
    """All points, replicates and blocks, however many each point has."""
    blocks, replicates = [1, 3, 2], [4, 1, 5]
    every = verify.chosen_tasks(blocks, replicates, 1000, 0)
    assert every == sorted(set(every)) and len(every) == 4 + 3 + 10
    assert {(k.point, k.replicate, k.block) for k in every} == {
        (p, r, b) for p in range(3) for r in range(replicates[p]) for b in range(blocks[p])
    }
    few = [verify.chosen_tasks(blocks, replicates, 3, seed) for seed in range(200)]
    assert all(len(set(keys)) == 3 for keys in few) and {k for keys in few for k in keys} == set(every)


def test_the_first_difference_is_exact() -> None:
    """The last bit counts; missing is like missing; labels are compared as such."""
    a = pd.Series([1.0, np.nan, 3.0])
    assert verify.first_difference(a, a.copy()) is None
    assert verify.first_difference(a, pd.Series([1.0, np.nan, np.nextafter(3.0, 4.0)])) == 2
    assert verify.first_difference(a, pd.Series([1.0, 2.0, 3.0])) == 1
    labels = pd.Series(pd.Categorical(["x", "y"], categories=["x", "y", "z"]))
    assert verify.first_difference(labels, pd.Series(pd.Categorical(["x", "y"]))) is None
    assert verify.first_difference(labels, pd.Series(["x", "z"])) == 1


def test_another_version_is_said_and_not_mistaken_for_a_fault(attune: Any, place: Path, tmp_path: Path) -> None:
    """Hashes are looked at, nothing is simulated again unless asked for."""
    folder = copied(place, "run", tmp_path / "older")
    manifest = json.loads((folder / "manifest.json").read_text())
    older = {**manifest, "sources": "other", "versions": {**manifest["versions"], "numpy": "0.1"}}
    (folder / "manifest.json").write_text(manifest_text(older))
    code, out, _ = attune("verify", folder)
    assert code == 0 and "nothing was simulated again: the program's sources have changed; versions: numpy 0.1 ->" in out
    code, out, _ = attune("verify", folder, "--force", "--seed", 1)
    assert code == 0 and "3 parts were simulated again" in out


def test_a_damaged_folder_is_told_table_by_table(attune: Any, place: Path, tmp_path: Path) -> None:
    """A table cut off, one removed, another scenario: all of it is said, and that is exit 1."""
    folder = copied(place, "batch", tmp_path / "damaged")
    (folder / "clients.parquet").write_bytes((folder / "clients.parquet").read_bytes()[:5000])
    (folder / "sessions.parquet").unlink()
    scenario = (folder / "scenario.yaml").read_text()
    (folder / "scenario.yaml").write_text(scenario.replace("clients_per_arm: 12", "clients_per_arm: 13"))
    code, out, _ = attune("verify", folder)
    assert code == 1 and "2 of 4 tables hold" in out
    assert "clients.parquet: cannot be read" in out and "sessions.parquet: is missing" in out
    assert "scenario.yaml: is not the scenario that was run" in out
    whole = copied(place, "batch", tmp_path / "pointless")
    (whole / "points.parquet").write_bytes(b"PAR1")
    code, out, _ = attune("verify", whole)
    assert code == 1 and "points.parquet: cannot be read" in out and "since the points are not those" in out


def test_a_failure_that_is_gone_or_new_is_a_difference(place: Path, tmp_path: Path) -> None:
    """What failed must fail again, in the same way."""
    folder = copied(place, "clinic", tmp_path / "healed")
    table = pq.read_table(folder / "failures.parquet")
    field = table.schema.field("error")
    others = pa.array(["ValueError: other"] * len(table), field.type)
    pq.write_table(table.set_column(table.schema.names.index("error"), field, others), folder / "failures.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tables"]["failures"]["values"] = values_hash(pq.read_table(folder / "failures.parquet").to_pandas())
    (folder / "manifest.json").write_text(manifest_text(manifest))
    run_files([folder / "with" / "rules.py"])
    said = [one.what for one in verify.verified(folder, sample=1000).differs]
    assert any("failed then (ValueError: other) and does not fail so now" in what for what in said)
    assert any("fails now (MatchingError" in what for what in said)


# -------------------------------------------------------------------------------------------------------------- export


@pytest.mark.parametrize("name", ["batch", "run", "clinic"])
def test_csv_reads_back_as_it_was(place: Path, tmp_path: Path, name: str) -> None:
    """Every number to its last digit, every label, nothing for what is missing; every column is explained."""
    folder = export(place / name, "csv", tmp_path / "out")
    found = result_folder.opened(place / name)
    told = pd.read_csv(folder / "columns.csv", keep_default_na=False)
    for table in found.tables:
        kept = pq.read_table(place / name / f"{table}.parquet").to_pandas()
        text = pd.read_csv(folder / f"{table}.csv", dtype=str, keep_default_na=False)
        again = pd.read_csv(folder / f"{table}.csv", keep_default_na=False, na_values=[""])
        assert list(again.columns) == list(kept.columns) == list(told.loc[told["table"] == table, "column"][: len(kept.columns)])
        for column in kept:
            a, b = kept[column], again[column]
            if a.dtype.kind in "fiu":
                np.testing.assert_array_equal(a.to_numpy(float), b.to_numpy(float), err_msg=f"{table}.{column}")
                assert set(text.loc[a.isna(), column]) <= {""}
            else:
                assert list(a.astype(object).where(a.notna() & (a != ""), None)) == list(b.astype(object).where(b.notna(), None))
    assert (told["meaning"] != "").all() and (told["unit"] != "").all()
    assert "simulated people" in (folder / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["batch", "run", "clinic"])
def test_netcdf_reads_back_as_it_was(place: Path, tmp_path: Path, name: str) -> None:
    """Numbers, labels by their flags, and what is missing."""
    folder = export(place / name, "netcdf", tmp_path / "out")
    found = result_folder.opened(place / name)
    for table in found.tables:
        if table == "summaries":
            continue
        kept = pq.read_table(place / name / f"{table}.parquet").to_pandas()
        with netCDF4.Dataset(folder / f"{table}.nc") as data:
            assert "simulated people" in data.synthetic and data.dimensions["row"].size == len(kept)
            for column, variable in zip(kept, data.variables.values(), strict=True):
                values, a = variable[:], kept[column]
                assert variable.long_name and variable.units
                if "flag_values" in variable.ncattrs():
                    labels = np.array(json.loads(variable.labels), object)
                    assert len(variable.flag_meanings.split(" ")) == len(labels) == len(variable.flag_values)
                    assert list(labels[values]) == list(np.where(a, "yes", "no") if a.dtype == bool else a.astype(str))
                elif variable.dtype is str:
                    assert list(values) == ["" if pd.isna(v) else v for v in a]
                else:
                    np.testing.assert_array_equal(np.ma.filled(values.astype(float), np.nan), a.to_numpy(float), err_msg=column)


def test_a_label_that_is_missing_is_missing(place: Path, tmp_path: Path) -> None:
    """Whoever has no label is not given the first one."""
    folder = copied(place, "run", tmp_path / "unlabelled")
    rows = pq.read_table(folder / "clients.parquet")
    labels = rows.column("ending").to_pylist()
    labels[1] = None
    field = rows.schema.field("ending")
    spoilt = rows.set_column(rows.schema.names.index("ending"), field, pa.array(labels, field.type))
    pq.write_table(spoilt, folder / "clients.parquet")
    with pytest.raises(TableError, match="are not those that the manifest vouches for"):
        export(folder, "csv", tmp_path / "refused", ["clients"])
    assert not (tmp_path / "refused").exists()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["tables"]["clients"]["values"] = values_hash(pq.read_table(folder / "clients.parquet").to_pandas())
    (folder / "manifest.json").write_text(manifest_text(manifest))
    again = pd.read_csv(export(folder, "csv", tmp_path / "c", ["clients"]) / "clients.csv")
    assert again["ending"].isna().to_list()[:3] == [False, True, False]
    with netCDF4.Dataset(export(folder, "netcdf", tmp_path / "n", ["clients"]) / "clients.nc") as data:
        assert np.ma.getmaskarray(data["ending"][:3]).tolist() == [False, True, False]


def test_summaries_are_an_array_over_points(place: Path, tmp_path: Path) -> None:
    """Every row of the table is at its place in the array, with the factors beside the points, and nothing else is there."""
    found = open_batch(place / "batch")
    rows = found.summaries.astype({"arm": str, "measure": str, "minus": str})
    with netCDF4.Dataset(export(place / "batch", "netcdf", tmp_path / "out", ["points", "summaries"]) / "summaries.nc") as data:
        np.testing.assert_array_equal(data["trust_rate"][:], found.points["trust_rate"])
        np.testing.assert_array_equal(data["arms_secure_sessions"][:], found.points["arms.secure.sessions"])
        assert data["alliance"].dimensions == ("point", "arm", "replicate")
        arms, there = list(data["arm"][:]), 0
        for row in rows.itertuples():
            name = f"{row.measure}_difference" if row.minus != "nothing" else row.measure
            at = (row.point, arms.index(row.arm), *([arms.index(row.minus)] if row.minus != "nothing" else []), row.replicate)
            assert data[name][at] == row.value and data[f"{name}_n"][at] == row.n
            assert data[f"{name}_sd"][at] == row.sd or np.isnan(row.sd)
        for name, variable in data.variables.items():
            if name.endswith("_n"):
                there += int(np.ma.count(variable[:]))
                empty = [np.ma.getmaskarray(data[one][:]) for one in (name, name.removesuffix("_n"))]
                np.testing.assert_array_equal(*empty)
        assert there == len(rows)
        assert data["alliance"].units == "WAI, 1-7" and "trust_rate" in data["alliance"].coordinates
    with xarray.open_dataset(tmp_path / "out" / "summaries.nc") as data:
        assert data["point"].dtype.kind == "i" and {"trust_rate", "arms_secure_sessions"} <= set(data["alliance"].coords)


def test_export_is_whole_or_not_and_never_over_something(
    attune: Any, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place that is taken, a table that cannot be read half-way, a library that is missing: one message, nothing is left."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine").write_text("precious")
    for words, said in (
        (("--to", "csv", "--out", "taken"), "already exists and is not empty"),
        (("--to", "xls"), "--to must be one of csv, excel, netcdf"),
        (("--to", "csv", "--table", "client"), "no table 'client' - did you mean 'clients'?"),
    ):
        code, _, err = attune("export", place / "run", *words)
        assert code == 2 and said in err
    assert (tmp_path / "taken" / "mine").read_text() == "precious"
    folder = copied(place, "batch", tmp_path / "cut")
    path = folder / "sessions.parquet"
    path.write_bytes(path.read_bytes()[:3000])
    code, _, err = attune("export", folder, "--to", "csv")
    assert code == 2 and "sessions.parquet: cannot be read" in err.splitlines()[-1] and "could not be written" not in err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut", "taken"]
    monkeypatch.setitem(sys.modules, "netCDF4", None)
    code, _, err = attune("export", place / "run", "--to", "netcdf", "--out", tmp_path / "out")
    assert code == 2 and "attune[netcdf]" in err and not (tmp_path / "out").exists()
    assert attune("export", place / "run", "--to", "csv", "--out", tmp_path / "one", "--table", "clients")[0] == 0
    assert sorted(p.name for p in (tmp_path / "one").iterdir()) == ["README.txt", "clients.csv", "columns.csv"]


def test_long_tables_are_taken_piece_by_piece(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups are put end to end: the same values, hash and exports in many pieces as in one; of points too."""
    folder = copied(place, "batch", tmp_path / "pieces")
    whole = {name: pq.read_table(folder / f"{name}.parquet") for name in ("summaries", "clients")}
    for name, rows in whole.items():
        pq.write_table(rows, folder / f"{name}.parquet", row_group_size=37)
    found = result_folder.opened(folder)
    assert len(list(found.pieces("summaries"))) > 5
    assert found.fault("clients") is None
    for to, file in (("csv", "clients.csv"), ("csv", "summaries.csv")):
        one, many = (export(f, to, tmp_path / f"{f.name}-{file}") / file for f in (place / "batch", folder))
        assert one.read_bytes() == many.read_bytes()
    a, b = (netCDF4.Dataset(export(f, "netcdf", tmp_path / f"{f.name}-nc") / "summaries.nc") for f in (place / "batch", folder))
    with a, b:
        for name in a.variables:
            np.testing.assert_array_equal(np.ma.filled(a[name][:]), np.ma.filled(b[name][:]), err_msg=name)


# ------------------------------------------------------------------------------------------------------------- compare


def row_of(table: pd.DataFrame, **where: Any) -> pd.Series:
    """The one row with these values."""
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table.iloc[0]


def values_at(table: pd.DataFrame, **where: Any) -> np.ndarray:
    """The means of the replicates with these values, in order."""
    for name, value in where.items():
        table = table[table[name] == value]
    return table.sort_values("replicate")["value"].to_numpy()


def test_two_runs_of_the_same_people_are_compared_client_by_client(place: Path, tmp_path: Path) -> None:
    """The difference is the mean over clients of their own difference, as the measures of runs take it."""
    run = sim.open_run(place / "run")
    warmer = sim.run(run.scenario.but(parameters={"trust_rate": 0.35}), 1)
    store.save(warmer, tmp_path / "warmer")
    found = sim.compare_folders(place / "run", tmp_path / "warmer")
    mine = row_of(found.table, arm="secure", measure="alliance")
    apart = measures.by_arm(warmer, "alliance")["secure"] - measures.by_arm(run, "alliance")["secure"]
    assert mine["n"] == 36 and mine["over"] == "clients"
    assert mine["difference"] == pytest.approx(apart.mean(), abs=1e-12)
    ends = stats.ttest_1samp(apart, 0.0).confidence_interval(0.95)
    assert (mine["low"], mine["high"]) == pytest.approx(tuple(ends), abs=1e-12)
    change = row_of(found.table, arm="nobody", measure="distress_change")
    assert change["a"] == pytest.approx(measures.by_arm(run, "distress_change")["nobody"].mean()) and change["difference"] == 0
    for measure, column in (("dropout", "dropout"), ("improved", "improved")):
        kept = run.clients[(run.clients["arm"] == "secure") & (run.clients["sessions_attended"] > 0)]
        assert row_of(found.table, arm="secure", measure=measure)["a"] == pytest.approx((kept["ending"] == column).mean())
    assert any("paired by client" in note for note in found.notes)


def test_other_people_are_two_groups(place: Path, tmp_path: Path) -> None:
    """Another seed: Welch, and it says so; only the arms of the same name; a difference of replicates is no pairing."""
    run = sim.run(sim.from_spec({**SPEC, "arms": {"secure": SPEC["arms"]["secure"], "mine": {}}}, "b"), 5)
    store.save(run, tmp_path / "b")
    found = compare_folders(place / "run", tmp_path / "b", "alliance")
    assert list(found.table["arm"]) == ["secure"] and found.table["over"].iloc[0] == "36 + 36 clients"
    a, b = (measures.by_arm(r, "alliance")["secure"] for r in (sim.open_run(place / "run"), run))
    ends = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert tuple(found.table[["low", "high"]].iloc[0]) == pytest.approx(tuple(ends))
    said = "; ".join(found.notes)
    assert "not paired: the seeds differ" in said and "only A has them: arms dismissing, nobody" in said and "arms mine" in said


def test_the_same_seed_with_other_people_is_not_paired(place: Path, tmp_path: Path) -> None:
    """What clients brought decides, not their number."""
    arms = {"secure": {"therapist": "secure", "client": "fearful"}, "dismissing": SPEC["arms"]["dismissing"]}
    store.save(sim.run(sim.from_spec({**SPEC, "arms": arms}, "b"), 1), tmp_path / "b")
    found = compare_folders(place / "run", tmp_path / "b", ["alliance"])
    assert list(found.table["over"]) == ["36 + 36 clients", "clients"]
    assert any("not paired in secure: the seed is the same but not the people" in note for note in found.notes)


def test_batches_are_paired_by_replicate_point_by_point(place: Path, tmp_path: Path) -> None:
    """Points meet by their levels whatever their order; the interval is over replicates; what has no partner is told."""
    varied = {"vary": {"arms.secure.sessions": [8, 7], "trust_rate": [0.3, 0.1]}}
    spec = {**SPEC, "parameters": {"compatibility_sd": 0.2}, "batch": varied}
    run_batch(sim.from_spec(spec, "b"), 1, tmp_path / "b", workers=1)
    found = compare_folders(place / "batch", tmp_path / "b")
    assert sorted(found.table["point"].unique()) == [0, 1]
    a, b = (open_batch(f).summaries.astype({"arm": str, "measure": str, "minus": str}) for f in (place / "batch", tmp_path / "b"))
    for of_a, of_b in ((3, 0), (1, 1)):  # trust 0.3 and 0.1, with 8 sessions
        where = {"arm": "dismissing", "measure": "alliance", "minus": "secure"}
        one, two = (values_at(t, point=p, **where) for t, p in ((a, of_a), (b, of_b)))
        row = row_of(found.table, point=of_b, **where)
        assert row["difference"] == pytest.approx((two - one).mean(), abs=1e-12) and row["n"] == 3 and row["over"] == "replicates"
        assert (row["low"], row["high"]) == pytest.approx(tuple(stats.ttest_1samp(two - one, 0.0).confidence_interval(0.95)))
        assert row["a"] == pytest.approx(one.mean()) and row["b"] == pytest.approx(two.mean())
    said = "; ".join(found.notes)
    assert "2 points matched" in said and "2 points of A" in said and "2 points of B" in said and "paired by replicate" in said


def test_batches_of_other_luck_are_two_groups(place: Path) -> None:
    """Another seed: Welch over replicates."""
    found = compare_folders(place / "batch", place / "other", "alliance")
    row = row_of(found.table, point=2, arm="secure", minus="nothing")
    a, b = (open_batch(place / name).summaries for name in ("batch", "other"))
    groups = [values_at(t, point=2, arm="secure", measure="alliance", minus="nothing") for t in (a, b)]
    ends = stats.ttest_ind(groups[1], groups[0], equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(tuple(ends)) and row["over"] == "3 + 3 replicates"
    assert any("not paired" in note for note in found.notes)


@pytest.mark.parametrize(("run", "batch", "point"), [("run", "batch", None), ("clinic-run", "clinic", 0)])
def test_a_run_agrees_with_the_point_of_a_batch_that_is_the_same(
    place: Path, tmp_path: Path, run: str, batch: str, point: int | None
) -> None:
    """A second road to every outcome: from the tables of a run, and from a worker's block. The difference is nothing at all."""
    folder = place / run
    if point is None:  # the point of 0.3 and 8 sessions, run by itself
        point, folder = 3, tmp_path / "one"
        store.save(sim.run(sim.from_spec({**SPEC, "parameters": {"trust_rate": 0.3}}, "one"), 1), folder)
    found = compare_folders(folder, place / batch)
    mine = found.table[found.table["point"] == point]
    assert len(mine) >= 10 and (mine["difference"] == 0).all() and (mine["over"] == "replicates").all()
    back = compare_folders(place / batch, folder).table
    assert (back[back["point"] == point]["difference"] == 0).all()
    assert any(found.table.loc[found.table["point"] != point, "difference"].abs() > 0)


def test_a_run_is_to_the_last_digit_what_a_batch_of_several_blocks_is(tmp_path: Path) -> None:
    spec = {"question": "?", "clients_per_arm": 2500, "sessions": 1, "exchanges": 2}
    store.save(sim.run(sim.from_spec(spec, "many"), 3), tmp_path / "run")
    sim.run_batch(sim.from_spec({**spec, "batch": {"vary": {"sessions": [1]}}}, "many"), 3, tmp_path / "batch", workers=1)
    table = sim.compare_folders(tmp_path / "run", tmp_path / "batch").table
    assert len(table) > 3 and set(table["difference"]) == {0.0}


def test_what_cannot_be_compared_is_refused(attune: Any, place: Path, tmp_path: Path) -> None:
    """One message each, exit 2."""
    varied = {**SPEC, "replicates": 1, "batch": {"vary": {"trust_rate": [0.2, 0.25]}}}
    run_batch(sim.from_spec(varied, "b"), 1, tmp_path / "b", workers=1)
    store.save(sim.run(sim.from_spec({**SPEC, "replicates": 1, "arms": {"x": {}}}, "x"), 1), tmp_path / "x")
    for a, b, more, said in (
        (place / "run", place / "clinic", (), "their measures mean different things"),
        (place / "run", tmp_path / "x", (), "no arm has the same name in both"),
        (place / "batch", tmp_path / "b", (), "no point of A and B has the same levels"),
        (place / "run", place / "run", ("--measure", "aliance"), "did you mean 'alliance'?"),
        (place / "run", tmp_path / "gone", (), "there is no such folder"),
    ):
        code, out, err = attune("compare", a, b, *more)
        assert code == 2 and said in err and not out and len(err.strip().splitlines()) == 1


def test_what_has_no_value_in_either_is_said(tmp_path: Path) -> None:
    """Two runs so short that no month of comparison is in them."""
    short = sim.from_spec({"question": "q", "clients_per_arm": 3, "sessions": 2}, "short")
    for name in "ab":
        store.save(sim.run(short, seed=1), tmp_path / name)
    with pytest.raises(StoreError, match="nothing is in both"):
        compare_folders(tmp_path / "a", tmp_path / "b", "distress_change")


def test_what_pandas_noted_of_its_types_is_damaged(tmp_path: Path) -> None:
    """A table whose metadata were spoilt is told as one that cannot be read, by ``verify`` and by ``export``."""
    folder = store.save(
        sim.run(sim.from_spec({"question": "q", "clients_per_arm": 3, "sessions": 2}, "spoilt"), seed=1), tmp_path / "run"
    )
    table = folder / "clients.parquet"
    data = table.read_bytes()
    assert data.count(b'"pandas_type"') >= 1
    table.write_bytes(data.replace(b'"pandas_type"', b'"pandas_typf"'))
    (found,) = [one for one in verify.verified(folder, sample=0).differs if one.table == "clients"]
    assert "cannot be read" in found.what
    with pytest.raises(StoreError, match="cannot be read"):
        list(result_folder.opened(folder).pieces("clients"))


def test_compare_prints_and_writes(attune: Any, place: Path, tmp_path: Path) -> None:
    """The table says how it was matched; the file has every row and is never written over."""
    code, out, _ = attune("compare", place / "batch", place / "other", "--csv", "all.csv")
    assert code == 0 and "not paired" in out and "more rows" in out and "alliance (WAI, 1-7)" in out
    assert "simulated people" in (tmp_path / "all.csv.txt").read_text(encoding="utf-8").splitlines()[0]
    assert len(pd.read_csv(tmp_path / "all.csv")) == len(compare_folders(place / "batch", place / "other").table)
    code, _, err = attune("compare", place / "batch", place / "gone", "--csv", "all.csv")  # told before anything is read
    assert code == 2 and "already exists" in err


# -------------------------------------------------------------------------------------------------------------- status


class Enough(Exception):
    """Stops a batch on its way."""


def stopped(folder: Path, spec: dict[str, Any] = VARIED, after: int = 5) -> Path:
    """A batch that was stopped after so many tasks."""

    def stop(progress: Any) -> None:
        if progress.done >= after:
            raise Enough

    with pytest.raises(Enough):
        run_batch(sim.from_spec(spec, "varied"), 1, folder, workers=1, chunk=1, progress=stop)
    return folder


def traces(folder: Path) -> dict[str, tuple[int, int]]:
    """Names, sizes and times of everything in a folder."""
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns) for p in [folder, *folder.rglob("*")]}


def test_status_of_every_state(attune: Any, place: Path, tmp_path: Path) -> None:
    """Not begun, stopped, running, finished; looking changes nothing, and the run is not refused its own ledger."""
    (tmp_path / "empty").mkdir()
    assert status.status(tmp_path / "empty").state == "not begun"
    folder = stopped(tmp_path / "half")
    before = traces(folder)
    found = status.status(folder)
    assert (found.state, found.done, found.total, found.failures) == ("stopped", 5, 12, 0) and found.rate is None
    assert traces(folder) == before
    with ledger.held(folder):
        before = traces(folder)
        found = status.status(folder)
        assert found.state == "running" and found.rate is not None and found.remaining is not None
        assert found.remaining == pytest.approx(7 / found.rate)
        out = attune("status", folder)[1]
        assert "running" in out and "Tasks:    5 of 12 (41 %)" in out and "left" in out
        assert traces(folder) == before
    found = status.status(place / "clinic")
    assert (found.state, found.done, found.total, found.failures) == ("finished", 4, 4, len(failures_of(place / "clinic")))
    assert f"attune replay {place / 'clinic'}" in found.also
    assert found.bytes == sum(p.stat().st_size for p in (place / "clinic").rglob("*") if p.is_file())
    single = json.loads(attune("status", place / "run", "--json")[1])
    assert single["state"] == "finished" and single["kind"] == "run" and single["scenario"] == "single" and single["seed"] == 1


def test_the_command_that_status_gives_goes_on(attune: Any, place: Path, tmp_path: Path) -> None:
    """It finishes the batch, with the tables and the manifest of one that was never stopped."""
    folder = stopped(tmp_path / "half one")
    command = status.status(folder).next_step
    assert command.startswith("attune run ")
    assert attune(*shlex.split(command)[1:], "--workers", 1)[0] == 0
    for path in (place / "batch").glob("*"):
        if path.suffix in (".parquet", ".json"):
            assert path.read_bytes() == (folder / path.name).read_bytes(), path.name
    begun = {"seed": 3, "spec": {"question": "?"}, "keep": ["clients"], "files": {"my rules.py": "x"}}
    assert status.command_of(Path("out"), begun) == (
        "attune run out/scenario.yaml --seed 3 --out out --batch --keep clients --with 'out/with/my rules.py'"
    )


def test_tasks_are_counted_once_each() -> None:
    """What was damaged is simulated again, with others: then a later line names it, and the earlier one no longer stands."""
    lines: list[dict[str, Any]] = [{"begun": {}}, {"tasks": [[0, 0, 0], [0, 1, 0]]}, {"tasks": [[1, 0, 0]]}]
    assert len(tasks_in(lines)) == 3
    assert len(tasks_in([*lines, {"tasks": [[0, 0, 0], [2, 0, 0]]}])) == 3
    assert len(tasks_in([*lines, {"tasks": [[0, 0, 0]]}, {"tasks": [[0, 1, 0]]}])) == 3


def test_with_until_the_total_is_at_least(tmp_path: Path) -> None:
    """How often points will be repeated is not known before."""
    until = {"measure": "alliance", "se": 1e-6, "every": 2, "most": 4}
    spec = {key: value for key, value in SPEC.items() if key != "replicates"}
    spec["batch"] = {"vary": {"trust_rate": [0.1, 0.3]}, "until": until}
    found = status.status(stopped(tmp_path / "until", spec, after=3))
    assert (found.done, found.total, found.at_least) == (3, 4, True)


# -------------------------------------------------------------------------------------------------------------- replay


def test_failures_have_one_number_everywhere(attune: Any, place: Path) -> None:
    """In the table of failures, in the list, and in the command that the table gives."""
    table = open_batch(place / "clinic").failures
    listed = failures_of(place / "clinic")
    assert 1 <= len(listed) == len(table)
    for i, (one, row) in enumerate(zip((found.failure for found in listed), table.itertuples(), strict=True)):
        assert (one.point, one.arm, one.replicate, one.error) == (row.point, row.arm, row.replicate, row.error)
        assert row.replay.endswith(f"--failure {i}")
    code, out, _ = attune("replay", place / "clinic")
    assert code == 0 and f"{len(listed)} failed in" in out and "this rule knows what to do with 4" in out


def test_a_failed_run_is_told_and_its_command_repeats_it(attune: Any, place: Path, tmp_path: Path) -> None:
    """Point, seed, the line of the file that came with --with; the command fails in the same way and leaves nothing."""
    one = failures_of(place / "clinic")[0]
    code, out, _ = attune("replay", place / "clinic", "--failure", 0)
    assert code == 0 and f"point {one.point.number} ({one.point.name}), arm 'ours', replicate 0; seed 1" in out
    assert 'with/rules.py", line 8, in short_lists' in out and out.strip().endswith(f"To repeat it: {one.command}")
    code, _, err = attune(*shlex.split(one.command)[1:])
    assert code == 2 and err.strip().splitlines()[-1].removeprefix("attune: ") in one.failure.error
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_scenario_without_a_batch_is_repeated_as_it_stands(attune: Any, tmp_path: Path) -> None:
    """It has no points: the command names none."""
    RUN_HERE.clear()
    run_once("rules.py", RULES)
    arms = {"ours": CLINIC["arms"]["ours"]}
    spec = {key: value for key, value in CLINIC.items() if key != "batch"} | {"arms": arms, "replicates": 1}
    spec["clinic"] = {**CLINIC["clinic"], "arrivals_per_week": 3}
    run_batch(sim.from_spec(spec, "plain"), 1, tmp_path / "plain", workers=1, added=[("rules.py", RULES)])
    (one,) = failures_of(tmp_path / "plain")
    assert "--point" not in one.command
    code, _, err = attune(*shlex.split(one.command)[1:])
    assert code == 2 and "this rule knows what to do with 4" in err


def test_replay_works_while_the_batch_is_not_finished(attune: Any, tmp_path: Path) -> None:
    """Failures are in the ledger long before the table of failures."""
    RUN_HERE.clear()
    run_once("rules.py", RULES)

    def stop(progress: Any) -> None:
        if progress.failures:
            raise Enough

    with pytest.raises(Enough):
        added = [("rules.py", RULES)]
        run_batch(sim.from_spec(CLINIC, "clinic"), 1, tmp_path / "half", workers=1, chunk=1, added=added, progress=stop)
    MATCHING.pop("short_lists")  # another terminal has not run the file; the batch keeps it
    code, out, _ = attune("replay", tmp_path / "half")
    assert code == 0 and "1 failed in" in out
    assert "this rule knows what to do with 4" in attune("replay", tmp_path / "half", "--failure", 0)[1]
    kept = tmp_path / "half" / "with" / "rules.py"
    kept.write_text(RULES.replace("> 4", "> 5"))
    code, _, err = attune("replay", tmp_path / "half", "--failure", 0)
    assert code == 2 and "was changed after the batch was begun" in err


def test_a_model_of_ones_own_is_asked_for(attune: Any, place: Path) -> None:
    """A failure says what it would take in Python, on the seed of its point; so does verify, which has looked at the hashes."""
    code, out, _ = attune("replay", place / "heart", "--failure", 0)
    one = failures_of(place / "heart")[0]
    assert code == 0 and out.strip().splitlines()[-1].endswith("model=mine)   # in Python") and str(one.seed) in out
    with pytest.raises(StateError, match="client_engagement"):
        sim.run(open_batch(place / "heart").scenario_at(one.point.number), one.seed, model=MINE)
    assert open_batch(place / "heart").seed_at(one.point.number) == one.seed
    code, out, _ = attune("verify", place / "heart")
    said = " ".join(out.split())
    assert code == 0 and "lose_heart after form_alliance" in said and "nothing was simulated again" in said
    assert verify.verified(place / "heart", sample=2, model=MINE).well


# ----------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "words", [("verify",), ("status",), ("replay",), ("export", "--to", "csv"), ("compare",)], ids=lambda words: words[0]
)
def test_bad_folders_are_one_message_and_exit_2(attune: Any, place: Path, tmp_path: Path, words: tuple[str, ...]) -> None:
    """No such folder, a file, an empty or foreign folder, a manifest that is none, an edited ledger."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "x").write_text("x")
    spoilt = [copied(place, "batch", tmp_path / name) for name in ("torn", "list", "bare", "edited")]
    (spoilt[0] / "manifest.json").write_text("{")
    (spoilt[1] / "manifest.json").write_text("[1]")
    (spoilt[2] / "manifest.json").write_text("{}")
    lines = (spoilt[3] / "ledger.jsonl").read_text()
    (spoilt[3] / "ledger.jsonl").write_text(lines.replace('"seed": 1', '"seed": 2', 1))
    of_ledger = words[0] in ("status", "replay")
    for name in ("gone", "file", "foreign", *(("edited",) if of_ledger else ("torn", "list", "bare"))):
        folders = [tmp_path / name] * (2 if words[0] == "compare" else 1)
        code, out, err = attune(words[0], *folders, *words[1:])
        last = [line for line in err.strip().splitlines() if line.startswith("attune: ")]
        assert code == 2 and len(last) == 1 and not out and "Traceback" not in err, (name, out, err)
        assert name in last[0]


def test_a_batch_that_is_not_finished_is_told_how_it_goes_on(attune: Any, tmp_path: Path) -> None:
    """What needs the tables says so."""
    folder = stopped(tmp_path / "half")
    for words in (("verify", folder), ("export", folder, "--to", "csv"), ("compare", folder, folder)):
        code, _, err = attune(*words)
        assert code == 2 and "not finished" in err and "attune status" in err


def test_replay_refuses_what_is_not_there(attune: Any, place: Path) -> None:
    """A number too high, a single run, a batch without failures."""
    n = len(failures_of(place / "clinic"))
    for words, said in (
        ((place / "clinic", "--failure", n), f"no such failure; failures are numbered 0 to {n - 1}"),
        ((place / "run",), "holds a single run"),
        ((place / "batch", "--failure", 0), "nothing has failed in it"),
    ):
        code, _, err = attune("replay", *words)
        assert code == 2 and said in err
    assert attune("replay", place / "batch")[1].strip().endswith("nothing has failed.")


def test_store_errors_are_what_python_sees(place: Path) -> None:
    """The same messages as exceptions."""
    with pytest.raises(StoreError, match="no such folder"):
        status.status(place / "gone")
    with pytest.raises(StoreError, match="holds a single run"):
        failures_of(place / "run")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "one"}, "seed: must be a whole number, not 'one'"),
        ({"seed": -1}, "seed: must be 0 or more, not -1"),
        ({"replicates": "many"}, "replicates: must be a whole number, not 'many'"),
        ({"tables": {"points": {"rows": 1, "columns": [], "values": 3}}}, "tables.points.values: must be text, not 3"),
        ({"tables": {"points": {"rows": 1, "columns": [5], "values": "a"}}}, "tables.points.columns[0]: must be text, not 5"),
        (
            {"tables": {"points": {"rows": "x", "columns": [], "values": ""}}},
            "tables.points.rows: must be a whole number, not 'x'",
        ),
        (
            {"tables": {"points": {"rows": 1, "columns": [], "values": "../x"}}},
            "tables.points.values: must be a hash, not '../x'",
        ),
        ({"tables": {"../../notes": SAID, "points": SAID, "summaries": SAID}}, "tables: a batch has no table '../../notes'"),
        ({"tables": {"points": SAID}}, "tables.summaries: is missing"),
        ({"tables": []}, "tables: must be a mapping, not []"),
        ({"versions": {"attune": 2}}, "versions.attune: must be text, not 2"),
        ({"files": ["rules.py"]}, "files: must be a mapping, not ['rules.py']"),
        ({"files": {"../rules.py": "abcd"}}, "files.../rules.py: must be the name of a file, not '../rules.py'"),
        ({"kind": "something"}, "kind: must be 'batch', not 'something'"),
        ({"resolved_scenario": 5}, "resolved_scenario: must be a mapping, not 5"),
        ({"policies": {"x": {"meaning": "m", "parameters": [], "adds": {}, "source": ""}}}, "policies.x.parameters: must be a"),
    ],
)
def test_a_manifest_of_wrong_types_is_one_message(
    attune: Any, place: Path, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    """What is wrong and where, status 2, whoever reads it."""
    folder = copied(place, "batch", tmp_path / "odd")
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    for command, *more in (("verify",), ("export", "--to", "csv"), ("compare", folder), ("report",), ("status",), ("replay",)):
        code, out, err = attune(command, folder, *more)
        assert code == 2 and out == "" and err.startswith(f"attune: {path}: is no manifest of results (")
        assert said in err and err.count("\n") == 1


def test_a_batch_without_its_ledger_is_no_single_run(attune: Any, place: Path, tmp_path: Path) -> None:
    """The manifest says what a folder holds."""
    folder = copied(place, "batch", tmp_path / "torn")
    (folder / "ledger.jsonl").unlink()
    code, _, err = attune("replay", folder)
    assert code == 2 and "holds a finished batch, but its ledger.jsonl is missing" in err and "single run" not in err
    code, _, err = attune("run", place / "batch" / "scenario.yaml", "--out", folder)
    assert code == 2 and "holds a finished batch, but its ledger.jsonl is missing" in err and "--restart" in err
    assert "restore its ledger.jsonl" in " ".join(attune("status", folder)[1].split())
    (folder / "ledger.jsonl").touch()
    code, _, err = attune("status", folder)
    assert code == 2 and "its ledger.jsonl is without a whole line; restore it" in err


@pytest.mark.parametrize("name", ["batch", "run"])
def test_what_a_killed_process_left_is_named_and_no_result(attune: Any, place: Path, tmp_path: Path, name: str) -> None:
    """Half-made files and folders: status and verify name them, nothing reads them."""
    folder = copied(place, name, tmp_path / "killed")
    left = {".making": "summaries.parquet", ".new-abc": "report.html"}
    for inside, file in left.items():
        (folder / inside).mkdir()
        (folder / inside / file).write_bytes(b"half")
    (folder / ".manifest.json.0123.partial").write_text("{")
    code, out, _ = attune("status", folder)
    assert code == 0 and ".making, .manifest.json.0123.partial, .new-abc (half-made" in out
    code, out, _ = attune("verify", folder, "--sample", 0)
    assert code == 0 and "no results: .making, .manifest.json.0123.partial, .new-abc" in out
    assert set(result_folder.opened(folder).tables) == set(result_folder.opened(place / name).tables)


def test_the_next_run_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    """Of a batch that goes on, and of a finished one."""
    folder = stopped(tmp_path / "here")
    for _ in range(2):
        (folder / ".new-abc").mkdir()
        (folder / ".new-abc" / "report.html").write_text("half")
        (folder / ".scenario.yaml.01.partial").write_text("half")
        run_batch(sim.from_spec(VARIED, "varied"), 1, folder, workers=1)
        assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_of_threads_one_runs_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "import os, time\nn = os.environ['TIMES']\ntime.sleep(0.05)\nos.environ['TIMES'] = n + 'x'\n# of threads\n"
    monkeypatch.setenv("TIMES", "")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run_once("threads.py", text), range(4)))
    assert os.environ["TIMES"] == "x"


def test_who_waited_for_a_ledger_that_was_moved_is_refused(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--restart`` renames the folder: the lock is then one of another folder."""
    folder = copied(place, "batch", tmp_path / "b")
    usual = ledger.appending

    def moved_meanwhile(path: Path) -> Any:
        file = usual(path)
        folder.rename(tmp_path / "b.before-1")
        shutil.copytree(tmp_path / "b.before-1", folder)
        return file

    monkeypatch.setattr(ledger, "appending", moved_meanwhile)
    with pytest.raises(StoreError, match="moved aside by another run"), ledger.held(folder):
        pass


def test_a_file_that_is_added_runs_once_in_a_process(attune: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it changes is changed once, with one process as with two."""
    (tmp_path / "more.py").write_text("import os\nos.environ['TIMES'] = os.environ.get('TIMES', '') + 'x'\n")
    (tmp_path / "s.yaml").write_text(sim.from_spec({**SPEC, "replicates": 2, "batch": {}}, "s").to_yaml())
    monkeypatch.setenv("TIMES", "")
    code, _, err = attune("run", "s.yaml", "--with", "more.py", "--workers", 1)
    assert code == 0, err
    assert os.environ["TIMES"] == "x"
