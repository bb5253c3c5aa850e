"""Batches: the same bytes whatever the workers, chunks, order and accidents; and nothing wrong that is not noticed."""

from __future__ import annotations

import fcntl
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sim
from sim import measures
from sim.batch import assemble, workers
from sim.batch import chunk as chunks
from sim.batch import plan as batch_plan
from sim.batch import resume as batch_folder
from sim.batch.plan import planned
from sim.batch.progress import Progress
from sim.batch.run import run_batch
from sim.cli.main import main
from sim.errors import BatchChanged, BatchStopped, StateError, StoreError, UsageError
from sim.measures import outcomes
from sim.measures.clinics import by_replicate
from sim.storage import ledger
from sim.storage.names import LEDGER
from sim.storage.store import ValuesHash, values_hash
from sim.therapy.model import Model
from sim.therapy.policies import POLICIES, Policy
from sim.therapy.session import World

ROOT = Path(__file__).parents[1]
SPEC: dict[str, Any] = {
    "question": "Does a batch hold?",
    "clients_per_arm": 7,
    "sessions": 5,
    "exchanges": 3,
    "replicates": 3,
    "arms": {"secure": {"sessions": 4}, "dismissing": {"therapist": "dismissing"}, "nobody": {"therapist": "none"}},
    "batch": {
        "vary": {"therapist": ["secure", "fearful"], "trust_rate": [0.1, 0.3]},
        "keep": ["clients", "sessions", "assessments"],
    },
}
CLINIC: dict[str, Any] = {
    "question": "Does a batch of clinics hold?",
    "design": "clinic",
    "sessions": 6,
    "exchanges": 3,
    "replicates": 2,
    "clinic": {"therapists": 3, "weeks": 30, "intake_weeks": 12, "arrivals_per_week": 1.5},
    "arms": {"usual": {}, "matched": {"clinic": {"matching": "similar"}}},
    "batch": {"vary": {"clinic.capacity": [3, 6]}, "keep": ["clients", "therapists"]},
}


def small(**changes: Any) -> sim.Scenario:
    """The small batch, with changes of its mapping."""
    return sim.from_spec({**SPEC, **changes}, "small")


def bytes_of(folder: Path) -> dict[str, str]:
    """A hash of every file that a finished batch is known by."""
    return {
        path.name: hashlib.blake2b(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.suffix == ".parquet" or path.name in ("manifest.json", "scenario.yaml")
    }


class Shuffled:
    """Workers that do everything in another order."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)

    def results(self, work: Iterable[Any], do: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
        every = list(work)
        self.rng.shuffle(every)
        for one in every:
            yield one, do(one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small batch, simulated one task after the other in this process."""
    return run_batch(small(), 5, tmp_path_factory.mktemp("batch") / "whole", workers=1, chunk=1)


@pytest.fixture(scope="module")
def pool() -> Iterator[workers.Processes]:
    """Two worker processes for all tests that do not kill theirs: each takes a second to start."""
    with workers.Processes(2) as shared:
        yield shared


@pytest.fixture(scope="module")
def stopped_after_four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small batch, stopped after four chunks of one task each; taken as a copy."""
    folder = tmp_path_factory.mktemp("stopped") / "b"
    interrupted(folder, 4)
    return folder


@pytest.fixture
def stopped(stopped_after_four: Path, tmp_path: Path) -> Path:
    """A copy of the batch that was stopped after four chunks, to be damaged."""
    return Path(shutil.copytree(stopped_after_four, tmp_path / "b"))


# ------------------------------------------------------------------------------------------------------ the same bytes


def test_processes_change_no_byte(whole: Path, tmp_path: Path, pool: workers.Processes) -> None:
    """Two worker processes, and a chunk size that divides nothing."""
    assert bytes_of(run_batch(small(), 5, tmp_path / "b", workers=pool, chunk=5)) == bytes_of(whole)


@pytest.mark.parametrize("chunk", [None, 5])
def test_order_and_chunks_change_no_byte(whole: Path, tmp_path: Path, chunk: int | None) -> None:
    """Chunks of any size, done in any order."""
    assert bytes_of(run_batch(small(), 5, tmp_path / "b", workers=Shuffled(chunk or 0), chunk=chunk)) == bytes_of(whole)


def test_any_executor_will_do(whole: Path, tmp_path: Path) -> None:
    """The plug that takes MPI takes a pool of threads."""
    with ThreadPoolExecutor(3) as pool:
        run_batch(small(), 5, tmp_path / "b", workers=workers.OnExecutor(pool, at_once=2), chunk=1)
    assert bytes_of(tmp_path / "b") == bytes_of(whole)


def test_another_seed_changes_them(whole: Path, tmp_path: Path) -> None:
    """So the comparison above can fail."""
    other = bytes_of(run_batch(small(), 6, tmp_path / "b", workers=1))
    assert other["summaries.parquet"] != bytes_of(whole)["summaries.parquet"]


@pytest.fixture(scope="module")
def clinics(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small batch of clinics, simulated here."""
    return run_batch(sim.from_spec(CLINIC, "clinics"), 3, tmp_path_factory.mktemp("clinics") / "c", workers=1)


def test_a_batch_of_clinics_too(clinics: Path, tmp_path: Path, pool: workers.Processes) -> None:
    """Clinics, in processes and here."""
    scenario = sim.from_spec(CLINIC, "clinics")
    assert bytes_of(run_batch(scenario, 3, tmp_path / "two", workers=pool, chunk=3)) == bytes_of(clinics)


# ----------------------------------------------------------------------------------------------------- the right values


def test_kept_tables_are_those_of_single_runs(whole: Path) -> None:
    """At every point the kept rows are what ``sim.run`` gives for the point's scenario, in the batch's order."""
    found = sim.open_batch(whole)
    for point in found.plan_points:
        run = sim.run(found.scenario_at(point.number), seed=5)
        for name in ("clients", "sessions", "assessments"):
            kept = found.table(name, filters=[("point", "=", point.number)]).drop(columns="point")
            usual = run.tables[name].sort_values(["replicate", "arm"], kind="stable").reset_index(drop=True)
            pd.testing.assert_frame_equal(kept, usual)


def test_summaries_are_the_measures_of_single_runs(whole: Path) -> None:
    """A second road to every outcome that the project measures elsewhere."""
    found = sim.open_batch(whole)
    run = sim.run(found.scenario_at(1), seed=5)
    table = found.summaries.query("point == 1")

    def mean(measure: str, arm: str, replicate: int, minus: str = "nothing") -> Any:
        row = table[
            (table["measure"] == measure) & (table["arm"] == arm) & (table["replicate"] == replicate) & (table["minus"] == minus)
        ]
        return row.iloc[0] if len(row) else None

    late, untreated = measures.by_arm(run, "alliance"), measures.untreated_differences(run)
    for arm in ("secure", "dismissing"):
        for replicate in range(3):
            only = run.clients[(run.clients["arm"] == arm) & (run.clients["replicate"] == replicate)]
            sessions = run.sessions[(run.sessions["arm"] == arm) & (run.sessions["replicate"] == replicate)]
            held = sessions.groupby("client")["session"].transform("max")
            last, first = (
                sessions[which].groupby("client")["wai_client"].mean()
                for which in (sessions["session"] > held - np.ceil(held / 3), sessions["session"] <= np.ceil(held / 3))
            )
            months = run.assessments[(run.assessments["arm"] == arm) & (run.assessments["replicate"] == replicate)]
            wide = months.pivot(index="client", columns="month", values="distress")
            change = wide[sim.measures.comparison_month(run, arm)] - wide[0]
            grown = (last - first)[sessions.groupby("client")["session"].max() >= 3]
            for values, measure in ((last, "alliance"), (grown, "alliance_growth"), (change, "distress_change")):
                here, row = values.dropna(), mean(measure, arm, replicate)
                assert row["n"] == len(here) and row["value"] == pytest.approx(here.mean()), measure
                assert row["sd"] == pytest.approx(here.std(ddof=1)), measure
            assert mean("dropout", arm, replicate)["value"] == pytest.approx((only["ending"] == "dropout").mean())
            assert mean("sessions", arm, replicate)["value"] == pytest.approx(only["sessions_attended"].mean())
            assert mean("empathy", arm, replicate)["value"] == pytest.approx(
                sessions.groupby("client")["empathy_client"].mean().mean()
            )
            sums = sessions.groupby("client")[["repairs", "ruptures"]].sum().query("ruptures > 0")
            share = sums["repairs"] / sums["ruptures"]
            assert (mean("repaired", arm, replicate) is None) == share.empty
            assert share.empty or mean("repaired", arm, replicate)["value"] == pytest.approx(share.mean())
            change = only["client_anxiety_end_latent"] - only["client_anxiety_0_latent"]
            assert mean("anxiety_change", arm, replicate)["value"] == pytest.approx(change.mean())
            apart = untreated[arm][untreated[arm].index.get_level_values("replicate") == replicate]
            assert mean("distress_change", arm, replicate, "nobody")["value"] == pytest.approx(apart.mean())
    apart = (late["dismissing"] - late["secure"]).xs(1, level="replicate")
    row = mean("alliance", "dismissing", 1, "secure")
    assert row["value"] == pytest.approx(apart.mean()) and row["sd"] == pytest.approx(apart.std(ddof=1))


def test_clinics_are_summed_up_as_they_are_elsewhere(clinics: Path) -> None:
    """The measures of each replicate of a clinic, and the differences between arms."""
    found = sim.open_batch(clinics)
    usual = by_replicate(sim.run(found.scenario_at(1), seed=3))
    table = found.summaries.query("point == 1").astype({"arm": "str", "measure": "str", "minus": "str"})
    for arm in ("usual", "matched"):
        for replicate in (0, 1):
            rows = table.query("arm == @arm and replicate == @replicate and minus == 'nothing'").set_index("measure")["value"]
            pd.testing.assert_series_equal(
                rows, usual.loc[arm, replicate].dropna()[rows.index], check_names=False, check_index_type=False
            )
            assert len(rows) == usual.loc[arm, replicate].notna().sum() > 5
    apart = table[(table["minus"] == "usual") & (table["replicate"] == 1)].set_index("measure")["value"]
    expected = usual.loc["matched", 1] - usual.loc["usual", 1]
    assert apart["fatigue"] == pytest.approx(expected["fatigue"])


def test_blocks_put_together_are_the_whole(tmp_path: Path) -> None:
    """Clients beyond one block: number, mean and SD as over all of them at once."""
    n = chunks.BLOCK + 150
    spec = {"question": "q", "clients_per_arm": n, "sessions": 1, "exchanges": 2, "batch": {"keep": ["clients"]}}
    found = sim.open_batch(run_batch(sim.from_spec(spec, "many"), 2, tmp_path / "m", workers=1))
    row = found.summaries.set_index("measure").loc["anxiety_change"]
    clients = found.table("clients")
    change = clients["client_anxiety_end_latent"] - clients["client_anxiety_0_latent"]
    assert (
        row["n"] == n == len(clients)
        and row["value"] == pytest.approx(change.mean())
        and row["sd"] == pytest.approx(change.std())
    )


def test_moments_of_parts() -> None:
    """Any cut of the values gives the moments of all; parts without values change nothing."""
    values = np.random.default_rng(1).normal(3, 2, 100)
    parts = [outcomes.moments(part) for part in (values[:7], values[:0], np.full(3, np.nan), values[7:60], values[60:])]
    n, mean, squares = outcomes.together(parts)
    assert n == 100 and mean == pytest.approx(values.mean()) and outcomes.sd_of(n, squares) == pytest.approx(values.std(ddof=1))
    assert outcomes.together([]) == (0, pytest.approx(float("nan"), nan_ok=True), pytest.approx(float("nan"), nan_ok=True))


def test_common_luck_makes_points_alike_and_own_luck_does_not(tmp_path: Path) -> None:
    """Nobody's course without therapy depends on a trust rate; with random draws of their own the points hold other people."""
    vary = {"trust_rate": [0.1, 0.3]}
    for luck, same in (("common", True), ("own", False)):
        found = sim.open_batch(run_batch(small(batch={"vary": vary, "random_numbers": luck}), 5, tmp_path / luck, workers=1))
        mine = found.summaries[(found.summaries["arm"] == "nobody") & (found.summaries["minus"] == "nothing")]
        a, b = (mine.loc[mine["point"] == p, "value"].to_numpy() for p in (0, 1))
        assert np.array_equal(a, b) == same


def test_effects_have_intervals_over_replicates_or_clients(whole: Path, tmp_path: Path) -> None:
    """Against Student's t by hand; with one replicate over clients; between points pair by pair."""
    found = sim.open_batch(whole)
    values = found.summaries.query("point == 0 and arm == 'secure' and measure == 'alliance' and minus == 'nothing'")["value"]
    row = found.effects().query("point == 0 and arm == 'secure' and measure == 'alliance' and minus == 'nothing'").iloc[0]
    by_hand = sim.measures.intervals.mean_interval(values)
    assert (row["value"], row["low"], row["high"], row["n"]) == pytest.approx((*(by_hand[k] for k in ("mean", "low", "high")), 3))
    assert row["over"] == "replicates"
    once = sim.open_batch(run_batch(small(replicates=1, batch={}), 5, tmp_path / "once", workers=1))
    row = once.effects().query("arm == 'secure' and measure == 'alliance' and minus == 'nothing'").iloc[0]
    assert row["over"] == "clients" and row["n"] == 7 and row["low"] < row["value"] < row["high"]
    apart = found.against(0).query("arm == 'dismissing' and measure == 'alliance' and minus == 'nothing' and point == 2").iloc[0]
    each = [
        found.summaries.query(f"point == {p} and arm == 'dismissing' and measure == 'alliance' and minus == 'nothing'")[
            "value"
        ].to_numpy()
        for p in (2, 0)
    ]
    assert apart["difference"] == pytest.approx((each[0] - each[1]).mean()) and apart["n"] == 3


# --------------------------------------------------------------------------------------------------- until it is enough


def test_until_stops_at_a_checkpoint_that_depends_on_nothing_else(tmp_path: Path) -> None:
    """Points get as many replicates as they need, the same whatever the chunks; at the checkpoint before it was not enough."""
    until = {"measure": "alliance", "se": 0.13, "arm": "secure", "every": 4, "most": 40}
    spec = {**SPEC, "batch": {"vary": {"clients_per_arm": [3, 12]}, "until": until}}
    del spec["replicates"]
    scenario = sim.from_spec(spec, "until")
    one = run_batch(scenario, 5, tmp_path / "one", workers=1, chunk=1)
    assert bytes_of(run_batch(scenario, 5, tmp_path / "two", workers=Shuffled(1), chunk=7)) == bytes_of(one)
    found = sim.open_batch(one)
    counts = found.points["replicates"].tolist()
    assert all(n % 4 == 0 for n in counts) and 4 < max(counts) < 40 and len(set(counts)) == 2, counts
    for point, n in enumerate(counts):
        values = found.summaries.query(f"point == {point} and arm == 'secure' and measure == 'alliance' and minus == 'nothing'")[
            "value"
        ].to_numpy()
        error = [values[:k].std(ddof=1) / k**0.5 for k in range(4, n + 1, 4)]
        assert error[-1] <= 0.13 and all(e > 0.13 for e in error[:-1]), error


def test_until_gives_up_at_the_most(tmp_path: Path) -> None:
    """A precision out of reach ends at ``most``, which need not be a multiple of ``every``."""
    spec = {**SPEC, "batch": {"until": {"measure": "alliance", "se": 1e-6, "every": 3, "most": 5}}}
    del spec["replicates"]
    found = sim.open_batch(run_batch(sim.from_spec(spec, "until"), 5, tmp_path / "b", workers=1))
    assert found.points["replicates"].tolist() == [5]


# ------------------------------------------------------------------------------------------------------------ accidents


def interrupted(folder: Path, after: int, **how: Any) -> None:
    """Run the small batch and stop it after so many chunks."""

    class Enough(Exception):
        pass

    def stop(progress: Progress) -> None:
        nonlocal after
        after -= 1
        if not after:
            raise Enough

    with pytest.raises(Enough):
        run_batch(small(), 5, folder, progress=stop, **{"workers": 1, "chunk": 1, **how})


@pytest.mark.parametrize("after", [1, 11])
def test_a_stopped_batch_goes_on(whole: Path, tmp_path: Path, after: int) -> None:
    """What is finished is not simulated again, and the end is the same."""
    folder = tmp_path / "b"
    interrupted(folder, after)
    assert not (folder / "manifest.json").exists()
    told: list[tuple[int, int]] = []
    run_batch(small(), 5, folder, workers=1, chunk=5, progress=lambda p: told.append((p.done, p.total)))
    assert told[0][0] > after and told[-1] == (12, 12) and len(told) == -(-(12 - after) // 5)
    assert bytes_of(folder) == bytes_of(whole) and not (folder / "chunks").exists()


def killed_and_resumed(folder: Path, scenario: Path, times: int, seed: int, count: int) -> int:
    """Run a batch from the command line, kill -9 it at random moments, and let it end here. How often it was killed."""
    rng, hit = random.Random(seed), 0
    command = [
        sys.executable,
        "-m",
        "sim",
        "run",
        str(scenario),
        "--seed",
        "5",
        "--out",
        str(folder),
        "--workers",
        str(count),
        "--chunk",
        "1",
    ]
    for _ in range(times):
        before = len(lines_of(folder))
        running = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, start_new_session=True
        )
        # Not before it has kept something new, then at any moment.
        while running.poll() is None and len(lines_of(folder)) <= before:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.15))
        if running.poll() is None:
            running.kill()  # -9, the parent alone: the workers must notice
            hit += 1
        running.wait()
        if (folder / "manifest.json").exists():
            break
    assert status_of([*command[3:-3], "1", *command[-2:]]) == 0
    return hit


def status_of(words: list[str]) -> Any:
    """The exit status of the command, run in this process."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    return ended.value.code


def lines_of(folder: Path) -> list[str]:
    path = folder / LEDGER
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def test_kill_9_loses_nothing(whole: Path, tmp_path: Path) -> None:
    """Killed at a random moment (twenty times in ``make deep``), with two worker processes; workers do not stay behind."""
    file = tmp_path / "small.yaml"
    file.write_text(small().to_yaml())
    assert killed_and_resumed(tmp_path / "b", file, 1, 1, 2) == 1
    assert bytes_of(tmp_path / "b") == bytes_of(whole)


@pytest.mark.parametrize(("how", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_being_stopped_is_answered_with_one_line(tmp_path: Path, how: signal.Signals, status: int) -> None:
    """By Ctrl-C (which a terminal sends to all of them) or by a queue (to the parent): no traceback, workers gone."""
    file = tmp_path / "small.yaml"
    file.write_text(small(replicates=200).to_yaml())
    command = [sys.executable, "-m", "sim", "run", str(file), "--out", str(tmp_path / "b"), "--workers", "2", "--chunk", "1"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, cwd=ROOT, start_new_session=True, **pipes)
    while running.poll() is None and len(lines_of(tmp_path / "b")) < 4:
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(running.pid, how)
    else:
        running.terminate()
    out, err = running.communicate(timeout=60)
    assert running.returncode == status and "Traceback" not in err and out == "", err
    assert err.strip().splitlines()[-1].startswith("attune: stopped; what is finished is kept")
    with pytest.raises(ProcessLookupError):  # nobody of its group is left
        for _ in range(100):
            os.killpg(running.pid, 0)
            time.sleep(0.1)


def test_a_ledger_line_that_was_cut_off_is_dropped(whole: Path, stopped: Path) -> None:
    """Power lost in the middle of the last line: its chunk is simulated again."""
    path = stopped / LEDGER
    path.write_bytes(path.read_bytes()[:-20])
    assert bytes_of(run_batch(small(), 5, stopped, workers=1)) == bytes_of(whole)


@pytest.mark.parametrize("edit", ["number", "removed", "moved", "garbage"])
def test_an_edited_ledger_is_refused(stopped: Path, edit: str) -> None:
    """Changed, removed or reordered lines: one message with the line, and nothing is written."""
    folder = stopped
    path = folder / LEDGER
    lines = path.read_text().splitlines(keepends=True)
    if edit == "number":
        lines[2] = lines[2].replace('"bytes": ', '"bytes": 1')
    elif edit == "removed":
        del lines[2]
    elif edit == "moved":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines[2] = "what?\n"
    path.write_text("".join(lines))
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    with pytest.raises(StoreError, match=r"ledger\.jsonl:3"):
        run_batch(small(), 5, folder, workers=1)
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("damage", ["one byte", "removed"])
def test_a_damaged_chunk_is_simulated_again(whole: Path, stopped: Path, damage: str) -> None:
    """Noticed by its hash, told in the log, and never a wrong table."""
    folder = stopped
    path = sorted((folder / "chunks").glob("*.clients.parquet"))[1]
    data = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    assert bytes_of(run_batch(small(), 5, folder, workers=1, chunk=2)) == bytes_of(whole)
    assert f"{path.name}: is damaged" in (folder / "progress.log").read_text()


def test_a_chunk_that_is_lost_while_the_batch_runs_is_simulated_again(whole: Path, tmp_path: Path) -> None:
    """Between being written and being put together: a finished batch is never one with holes."""
    folder, lost = tmp_path / "b", []

    def lose(progress: Progress) -> None:
        if progress.done == 5 and not lost:
            lost.extend(sorted((folder / "chunks").glob("*.parquet"))[:4])
            for path in lost:
                path.unlink()

    run_batch(small(), 5, folder, workers=1, chunk=1, progress=lose)
    assert len(lost) == 4 and bytes_of(folder) == bytes_of(whole)
    assert "is damaged" in (folder / "progress.log").read_text()


def test_killed_at_the_very_beginning_or_end(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the first line of the ledger, and between manifest and clearing up: the same command goes on."""
    folder = tmp_path / "b"
    real = batch_folder.write_over

    class Killed(BaseException):
        pass

    def dies(path: Path, data: bytes) -> None:
        raise Killed

    monkeypatch.setattr(batch_folder, "write_over", dies)
    with pytest.raises(Killed):
        run_batch(small(), 5, folder, workers=1)
    monkeypatch.setattr(batch_folder, "write_over", real)
    assert lines_of(folder) == []

    def dies_late(folder: Path) -> None:
        raise Killed

    monkeypatch.setattr(assemble, "remove_chunks", dies_late)
    with pytest.raises(Killed):
        run_batch(small(), 5, folder, workers=1)
    assert (folder / "manifest.json").exists() and (folder / "chunks").exists()
    run_batch(small(), 5, folder, workers=1)
    assert not (folder / "chunks").exists() and bytes_of(folder) == bytes_of(whole)


def test_a_ledger_that_cannot_be_written_stays_as_it_was(stopped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that does not fit is not there in part, and the next one is whole."""
    folder = stopped
    before = (folder / LEDGER).read_bytes()
    with ledger.held(folder) as book:
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space"):
            book.append({"tasks": [[0, 0, 0]], "files": {}, "failures": []})
        monkeypatch.setattr(os, "fsync", real)
        assert (folder / LEDGER).read_bytes() == before
        book.append({"tasks": [[0, 1, 0]], "files": {}, "failures": []})
    assert ledger.read(folder).lines[-1]["tasks"] == [[0, 1, 0]]


def test_a_look_does_not_stop_a_run(stopped: Path) -> None:
    """Somebody who holds the ledger for a moment (``attune status``) is waited for."""
    folder = stopped
    with (folder / LEDGER).open("rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        threading.Timer(0.3, lambda: fcntl.flock(look, fcntl.LOCK_UN)).start()
        with ledger.held(folder) as book:
            assert len(book.lines) == 5
        time.sleep(0.1)


def test_a_full_disk_leaves_what_was_finished(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a chunk, of the ledger, and of the final tables: a clear message, and the same command goes on."""
    folder = tmp_path / "b"
    written, count = batch_folder.write_over, 0

    def full(path: Path, data: bytes) -> None:
        nonlocal count
        count += 1
        if count == 10:
            path.with_suffix(".partial").write_bytes(data[:10])
            raise OSError(28, "No space left on device")
        written(path, data)

    monkeypatch.setattr(batch_folder, "write_over", full)
    with pytest.raises(StoreError, match=r"No space left on device.*the same command goes on"):
        run_batch(small(), 5, folder, workers=1, chunk=1)
    monkeypatch.undo()
    interrupted(folder, 2)
    monkeypatch.setattr(ValuesHash, "update", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match=r"all chunks are kept"):
        run_batch(small(), 5, folder, workers=1, chunk=1)
    assert not (folder / "manifest.json").exists() and not (folder / ".making").exists()
    monkeypatch.undo()
    assert bytes_of(run_batch(small(), 5, folder, workers=1)) == bytes_of(whole)


def test_a_real_limit_on_file_size_is_answered(tmp_path: Path) -> None:
    """The shell's own limit (``ulimit -f``), as a disk would: exit status 2, one line; without it the command goes on."""
    file = tmp_path / "small.yaml"
    file.write_text(small(clients_per_arm=60, batch={"keep": ["sessions"]}).to_yaml())
    command = f"exec {sys.executable} -m sim run {file} --out {tmp_path / 'b'} --workers 1 --chunk 12"
    done = subprocess.run(["bash", "-c", f"ulimit -f 100; {command}"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "could not be written" in done.stderr and "the same command goes on" in done.stderr
    assert status_of(command.split()[4:]) == 0


def test_places_that_cannot_be_used(tmp_path: Path, whole: Path) -> None:
    """A file, a folder of something else, a place under a file, a single run."""
    (tmp_path / "file").write_text("")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing").write_text("")
    for place, said in (("file", "is a file"), ("other", "holds no batch"), ("file/under", "cannot be written")):
        for restart in (False, True):  # which moves batches aside, and nothing else
            with pytest.raises(StoreError, match=said):
                run_batch(small(), 5, tmp_path / place, workers=1, restart=restart)
    assert (tmp_path / "other" / "thing").exists()
    with pytest.raises(StoreError, match="holds no results"):
        sim.open_batch(tmp_path / "other")
    interrupted(tmp_path / "half", 2)
    with pytest.raises(StoreError, match="not finished"):
        sim.open_batch(tmp_path / "half")
    with pytest.raises(StoreError, match="has no table"):
        sim.open_batch(whole).table("exchanges")


@pytest.mark.parametrize("damage", [b"", b"{\n"], ids=["empty", "no ledger"])
def test_a_ledger_that_is_spoilt_is_no_place_for_another_batch(whole: Path, tmp_path: Path, damage: bytes) -> None:
    """Of a finished batch nothing is written over, and ``--restart`` moves it aside all the same."""
    folder = tmp_path / "b"
    shutil.copytree(whole, folder)
    (folder / LEDGER).write_bytes(damage)
    before = bytes_of(folder)
    with pytest.raises(StoreError, match="--restart"):
        run_batch(small(sessions=3), 99, folder, workers=1)
    assert bytes_of(folder) == before
    told: list[str] = []
    run_batch(small(), 5, folder, workers=1, restart=True, tell=told.append)
    assert bytes_of(folder) == before and "what was there is in" in told[0]


def test_a_second_run_into_one_folder_is_refused(stopped: Path) -> None:
    """While the first holds the ledger; afterwards it may."""
    folder = stopped
    with ledger.held(folder):
        assert ledger.is_held(folder)
        with pytest.raises(StoreError, match="another run is writing here"):
            run_batch(small(), 5, folder, workers=1)
    assert not ledger.is_held(folder)
    run_batch(small(), 5, folder, workers=1)


# -------------------------------------------------------------------------------------------------- what has changed


def test_a_changed_batch_is_refused_and_says_what_changed(tmp_path: Path, stopped: Path) -> None:
    """Scenario, seed, tables to keep: another folder, or begin again with what is there moved aside."""
    folder = stopped
    for scenario, seed, keep, said in (
        (small(sessions=6), 5, None, r"scenario: sessions was 5 and is 6"),
        (small(), 6, None, r"seed was 5 and is 6"),
        (small(), 5, ["clients"], r"keep was \['clients', 'sessions', 'assessments'\] and is \['clients'\]"),
    ):
        for force in (False, True):  # these are never gone on with
            with pytest.raises(BatchChanged, match=said):
                run_batch(scenario, seed, folder, workers=1, keep=keep, force=force)
    lines = lines_of(folder)
    told: list[str] = []
    run_batch(small(sessions=6), 5, folder, workers=1, restart=True, tell=told.append)
    assert lines_of(tmp_path / "b.before-1") == lines and told == [f"begun again; what was there is in {tmp_path / 'b.before-1'}"]
    with pytest.raises(BatchChanged, match="finished batch of something else"):
        run_batch(small(), 5, folder, workers=1)


def test_changed_sources_and_versions_are_refused_unless_asked_for(
    whole: Path, stopped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest of one that was gone on with says so."""
    folder = stopped
    monkeypatch.setattr(batch_plan, "sources_hash", lambda: "other")
    monkeypatch.setattr(batch_plan, "versions", lambda: {**sim.storage.store.versions(), "numpy": "9.9"})
    with pytest.raises(BatchChanged, match=r"sources have changed; versions: numpy .* -> 9\.9.*--force"):
        run_batch(small(), 5, folder, workers=1)
    run_batch(small(), 5, folder, workers=1, force=True)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "sources have changed" in manifest["gone_on_although"][0]["changed"][0]
    assert bytes_of(folder)["clients.parquet"] == bytes_of(whole)["clients.parquet"]


# ----------------------------------------------------------------------------------------------------------- failures


def breaks(world: World, rows: np.ndarray) -> None:
    """Goes out of range for some people in the third week."""
    if world.week == 3 and world.parameters.trust_rate > 0.2:
        world.dyads["client_trust"][rows[world.client_code[world.client_of[rows]] % np.uint64(5) == 0]] = 7.0


def failing() -> Model:
    """The shipped model with a verb that breaks it."""
    return Model().insert(breaks, after="heal")


def test_a_failing_run_does_not_lose_the_batch(whole: Path, tmp_path: Path, pool: workers.Processes) -> None:
    """Each failure is a row with all that is needed to find it; the others are as they would be; workers change nothing."""
    one = run_batch(small(), 5, tmp_path / "one", workers=1, model=failing())
    assert bytes_of(run_batch(small(), 5, tmp_path / "two", workers=pool, chunk=5, model=failing())) == bytes_of(one)
    found = sim.open_batch(one)
    failures = found.failures
    assert len(failures) and set(failures["point"]) <= {1, 3} and set(failures["arm"]) <= {"secure", "dismissing"}
    first = failures.iloc[0]
    assert "client_trust" in first["error"] and "StateError" in first["error"] and "check_range" in first["traceback"]
    assert json.loads(first["parameters"])["trust_rate"] == 0.3 and "attune replay" in first["replay"]
    broken = set(zip(failures["point"], failures["arm"], failures["replicate"], strict=True))
    kept = found.table("clients")
    there = set(zip(kept["point"], kept["arm"].astype("str"), kept["replicate"], strict=True))
    assert not broken & there and len(broken) + len(there) == 4 * 3 * 3
    usual = sim.open_batch(whole).summaries
    same = usual.merge(found.summaries, on=["point", "replicate", "arm", "measure", "minus"], suffixes=("", "_now"))
    untouched = same[same["point"].isin([0, 2])]
    assert len(untouched) and np.array_equal(untouched["value"], untouched["value_now"], equal_nan=True)


def test_a_failure_that_was_simulated_anew_is_gone(tmp_path: Path) -> None:
    """Of a task that the ledger names twice the later line counts, for failures as for values."""
    folder = tmp_path / "b"
    with pytest.raises(BatchStopped):
        run_batch(small(), 5, folder, workers=1, chunk=1, on_error="stop", model=failing())
    lines = ledger.read(folder).lines
    (told,) = [line for line in lines if line.get("failures")]
    mended = {**told, "failures": []}
    assert batch_folder.failures_in(lines) and batch_folder.failures_in([*lines, mended]) == []
    assert batch_folder.failures_in([mended, *lines]) == batch_folder.failures_in(lines)


def test_a_model_without_questionnaires_has_fewer_outcomes(tmp_path: Path) -> None:
    """What a changed model does not ask is missing, and does not fail."""
    found = sim.open_batch(run_batch(small(batch={}), 5, tmp_path / "b", workers=1, model=Model().without("rate_alliance")))
    assert not len(found.failures) and "alliance" not in set(found.summaries["measure"])
    assert "ruptures" in set(found.summaries["measure"])


def test_stop_and_raise(tmp_path: Path) -> None:
    """``stop`` keeps what is finished and says what failed; ``raise`` gives the error itself."""
    with pytest.raises(BatchStopped, match=r"arm '(secure|dismissing)', replicate \d.*client_trust"):
        run_batch(small(), 5, tmp_path / "stop", workers=1, chunk=1, on_error="stop", model=failing())
    assert len(lines_of(tmp_path / "stop")) > 1
    with pytest.raises(StateError, match="client_trust"):
        run_batch(small(), 5, tmp_path / "raise", workers=1, chunk=1, on_error="raise", model=failing())
    again = run_batch(small(), 5, tmp_path / "stop", workers=1, on_error="skip", model=failing())
    assert bytes_of(again) == bytes_of(run_batch(small(), 5, tmp_path / "skip", workers=1, model=failing()))


# ------------------------------------------------------------------------------------------------------------- workers


#: What a worker process does: it imports where chunks are simulated, and simulates one.
BEGINS = """
import json, sys
import sim.batch.workers
from sim.batch.chunk import Key, perform
from sim.batch.plan import planned
from sim.scenario.scenario import from_spec
plan = planned(from_spec({"question": "q", "clients_per_arm": 2, "sessions": 1, "exchanges": 2, "batch": {}}, "one"), 5)
perform(next(plan.chunks([Key(0, 0, 0)], 1)))
print(json.dumps(sorted(sys.modules)))
"""


def test_workers_import_neither_mesa_nor_figures() -> None:
    """Importing Mesa would cost a second and change how processes are started, ``scipy.stats`` half a second."""
    done = subprocess.run([sys.executable, "-c", BEGINS], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = json.loads(done.stdout)
    assert "sim.batch.chunk" in loaded
    assert not {"mesa", "matplotlib", "typer", "scipy.stats", "sim.report", "sim.cli"} & set(loaded)


def held_back(_: int) -> set[signal.Signals]:
    """The signals that never reach this process."""
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_workers_never_hear_of_ctrl_c(pool: workers.Processes) -> None:
    """From their first moment on, also while they are still starting; this process does again afterwards."""
    found = [held for _, held in pool.results([0, 1, 2], held_back)]
    assert all(signal.SIGINT in held for held in found) and signal.SIGINT not in held_back(0)


def dies_once(flag: str) -> str:
    """Kills its own process the first time."""
    if not Path(flag).exists():
        Path(flag).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return flag


def dies(_: int) -> int:
    """Kills its own process every time."""
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_worker_that_dies_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its work is given out again; one that always dies ends with what to do."""
    work = [str(tmp_path / name) for name in "abc"]
    for flag in (work[0], work[2]):
        Path(flag).touch()
    with workers.Processes(1) as pool:
        assert sorted(made for _, made in pool.results(work, dies_once)) == work
    monkeypatch.setattr(workers, "MOST_LOST", 1)
    with pytest.raises(workers.WorkersError, match="fewer --workers"), workers.Processes(1) as pool:
        list(pool.results([1], dies))


def test_a_worker_with_other_arithmetic_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes back from it is not kept."""

    class Foreign(Shuffled):
        def results(self, work: Iterable[Any], do: Callable[[Any], Any]) -> Iterator[tuple[Any, Any]]:
            for one, made in super().results(work, do):
                made.worker = {**made.worker, "arithmetic": "other"}
                yield one, made

    with pytest.raises(workers.WorkersError, match="another arithmetic"):
        run_batch(small(), 5, tmp_path / "b", workers=Foreign(1))
    assert len(lines_of(tmp_path / "b")) == 1


# --------------------------------------------------------------------------------------------------- hashes, bad input


def test_the_hash_of_values_does_not_depend_on_the_pieces() -> None:
    """Numbers, labels, text and whole numbers that may be missing; another value or order gives another hash."""
    table = pd.DataFrame({
        "x": [1.0, np.nan, 3.0], "label": pd.Categorical(["a", "b", "a"]), "text": ["ä", "", "b"],
        "therapist": pd.array([1, None, 3], "Int64"),
    })  # fmt: skip
    pieces = ValuesHash()
    for i in range(3):
        pieces.update(table.iloc[i : i + 1])
    assert pieces.hexdigest() == values_hash(table) and pieces.rows == 3
    for column, value in (("x", 2.0), ("label", "b"), ("text", "b"), ("therapist", 2)):
        other = table.copy()
        other.loc[0, column] = value
        assert values_hash(other) != values_hash(table), column
    assert values_hash(table.rename(columns={"x": "y"})) != values_hash(table)


def test_what_is_added_is_part_of_what_a_batch_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy that only a point names, or a measure, that is another when the batch is gone on with: refused."""
    scenario_of = lambda: small(batch={"vary": {"policies": [[], ["mine"]]}})  # noqa: E731
    POLICIES["mine"] = Policy("Mine.", adds={"warmth_trait": 0.3})
    folder = tmp_path / "b"

    class Enough(Exception):
        pass

    def stop(progress: Progress) -> None:
        raise Enough

    with pytest.raises(Enough):
        run_batch(scenario_of(), 5, folder, workers=1, chunk=1, progress=stop)
    POLICIES["mine"] = Policy("Mine.", adds={"warmth_trait": 0.9})
    with pytest.raises(BatchChanged, match="added to the model"):
        run_batch(scenario_of(), 5, folder, workers=1)
    POLICIES["mine"] = Policy("Mine.", adds={"warmth_trait": 0.3})
    monkeypatch.setitem(outcomes.VALUES, "sessions", lambda b: b.held * 2.0)
    with pytest.raises(BatchChanged, match="its measures"):
        run_batch(scenario_of(), 5, folder, workers=1)
    monkeypatch.undo()
    run_batch(scenario_of(), 5, folder, workers=1)
    del POLICIES["mine"]
    assert sim.open_batch(folder).manifest["policies"]["mine"]["adds"] == {"warmth_trait": 0.3}


def test_questionnaires_that_were_added_keep_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Item by item, as in a run in memory."""
    scenario = small(batch={"keep": ["items"]}, replicates=1, record={"items": True})
    found = sim.open_batch(run_batch(scenario, 5, tmp_path / "b", workers=1))
    usual = sim.run(found.scenario_at(0), seed=5).items
    kept = found.table("items").drop(columns="point")
    assert kept["instrument"].notna().all() and set(kept["instrument"]) == set(usual["instrument"])
    monkeypatch.setattr(assemble, "labels_of", lambda table, arms: {"arm": tuple(arms), "instrument": ("WAI",)})
    plan = planned(scenario, 5)
    made = chunks.perform(next(plan.chunks(plan.tasks(0, 0, 1), 1)))
    part = pq.read_table(io.BytesIO(made.tables["items"]))
    schema, pieces = assemble.rows_of(plan, "items", [part.schema], lambda: [part])
    again = pa.concat_tables(pieces).cast(schema).to_pandas()
    assert list(again["instrument"].astype("str")) == list(kept["instrument"].astype("str"))


def test_what_cannot_be_kept_is_refused_before_anything_is_simulated(tmp_path: Path) -> None:
    """Unknown tables, tables of other designs, tables that the scenario does not record; two added files of one name."""
    wrong = {"client": "did you mean 'clients'", "therapists": "clinic' only", "items": "record: {items: true}",
             "exchanges": "record: {exchanges"}  # fmt: skip
    for name, said in wrong.items():
        with pytest.raises(sim.ScenarioError, match=said):
            run_batch(small(), 5, tmp_path / "b", keep=[name])
    with pytest.raises(UsageError, match="skip, stop or raise"):
        run_batch(small(), 5, tmp_path / "b", on_error="stopp")
    with pytest.raises(sim.ScenarioError, match="same name"):
        run_batch(small(), 5, tmp_path / "b", added=[("x/a.py", ""), ("y/a.py", "")])
    assert not (tmp_path / "b").exists()


def test_chunks_are_sized_by_the_largest_point() -> None:
    """Not by the first: a chunk must never become a batch of its own."""
    batch = {"vary": {"clients_per_arm": [1, 2000]}}
    assert planned(small(batch=batch), 5).courses == planned(small(batch=batch, clients_per_arm=2000), 5).courses


def test_chunks_hold_neighbours() -> None:
    """Tasks of one point between which others are finished already are given out apart; points may share a chunk."""
    plan = planned(small(clients_per_arm=4500), 5)
    tasks = [*plan.tasks(0, 0, 3), *plan.tasks(1, 0, 1)]
    assert tasks[4] == chunks.Key(0, 1, 1)
    assert [len(chunk.tasks) for chunk in plan.chunks(tasks, 10)] == [10, 2]
    del tasks[4]
    assert [len(chunk.tasks) for chunk in plan.chunks(tasks, 10)] == [4, 7]


def test_bad_calls_are_refused() -> None:
    """Before anything is written."""
    for how, said in (({"chunk": 0}, "chunk"), ({"workers": 0}, "workers")):
        with pytest.raises(ValueError, match=said):
            run_batch(small(), 5, "nowhere", **how)
    assert not Path("nowhere").exists()
    with pytest.raises(ValueError, match="seed"):
        run_batch(small(), -1, "nowhere")
