"""Folders of results that somebody else has made, damaged or edited: nothing in them is run, nothing is written outside them,
and whoever opens one gets what was simulated, or one message."""

from __future__ import annotations

import builtins
import json
import math
import os
import random
import shlex
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import sim
from sim.batch.results import open_batch
from sim.batch.run import run_batch
from sim.cli.main import main
from sim.errors import AttuneError, StoreError
from sim.export.tables import export
from sim.files import leftovers, replacing, whole
from sim.folders.compare import compare_folders
from sim.folders.replay import failures_of
from sim.folders.status import status
from sim.folders.verify import verified
from sim.report.pages.batch import write_batch_report
from sim.storage import store
from sim.storage.added import RUN_HERE, run_files, run_once
from sim.storage.ledger import _chained
from sim.storage.reading import ResultFolder, opened
from sim.storage.schema import manifest_text
from sim.storage.store import ValuesHash, values_hash
from sim.therapy.clinic.matching import MATCHING
from sim.therapy.policies import POLICIES

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

SPEC: dict[str, Any] = {
    "question": "Whose is it?",
    "clients_per_arm": 4,
    "sessions": 3,
    "exchanges": 2,
    "replicates": 2,
    "arms": {"secure": {"therapist": "secure"}, "nobody": {"therapist": "none"}},
}
VARIED = {**SPEC, "batch": {"vary": {"trust_rate": [0.1, 0.3]}, "keep": ["clients"]}}
#: What a batch may be given with ``--with``; it notes every time that it is run.
RULE = """import builtins

from sim.therapy.policies import POLICIES, Policy

builtins.attune_ran = getattr(builtins, "attune_ran", 0) + 1
POLICIES["mine"] = Policy("Listen more.", adds={"skill": 0.05})
"""
OWN = {**VARIED, "arms": {**VARIED["arms"], "secure": {"therapist": "secure", "policies": ["mine"]}}}


CLINIC: dict[str, Any] = {
    "question": "Does our rule hold?",
    "design": "clinic",
    "sessions": 3,
    "exchanges": 2,
    "replicates": 2,
    "clinic": {"therapists": 2, "capacity": 3, "weeks": 10, "arrivals_per_week": 0.5, "matching": "ours"},
    "batch": {"vary": {"clinic.arrivals_per_week": [0.5, 0.7]}},
}
CLINIC_RULE = """import builtins

from sim.therapy.clinic.matching import MATCHING, least_loaded

builtins.attune_ran = getattr(builtins, "attune_ran", 0) + 1


def ours(seen):
    return least_loaded(seen)


MATCHING["ours"] = ours
"""


class Enough(Exception):
    """Raised in the middle of a batch, as if it had been stopped."""


class Hangs(BaseException):
    """Something that should be over is not."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, a batch that was given a file, and a batch that was stopped, beside what they would be if it had not been."""
    folder = tmp_path_factory.mktemp("theirs")
    store.save(sim.run(sim.from_spec(SPEC, "run"), 1), folder / "run", ["started", "simulated"])
    RUN_HERE.clear()
    run_once("mine.py", RULE)
    run_batch(sim.from_spec(OWN, "own"), 1, folder / "batch", workers=1, added=[("mine.py", RULE)])
    run_batch(sim.from_spec(VARIED, "varied"), 1, folder / "whole", workers=1)

    def stop(progress: Any) -> None:
        if progress.done >= 2:
            raise Enough

    with pytest.raises(Enough):
        run_batch(sim.from_spec(VARIED, "varied"), 1, folder / "half", workers=1, chunk=1, progress=stop)
    return folder


# ------------------------------------------------------------------------------------------------- what is done to a folder

#: What stands where something else should, in a file of JSON.
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1.5, 10**30, math.nan, "x", "", "../../x", "\x1b[31m", [], {}, [[]], {"x": 1}, [1, "x"],
    json.loads("[" * 150 + "]" * 150),
)  # fmt: skip
WHOLE_FILE = ("truncated", "emptied", "removed", "a folder", "a broken link", "a link to a device", "a link", "a pipe", "a byte",
              "garbage", "nested")  # fmt: skip
JSON_FILES = ("manifest.json", "ledger.jsonl", "progress.json")


def places_in(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a value made of lists and mappings."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*at, key)
        yield from places_in(one, (*at, key))


def changed(value: Any, chance: random.Random) -> str:
    """Change one place of a mapping: another value, no such key, or one more; says where and how."""
    at = chance.choice(list(places_in(value)))
    outer = value
    for key in at[:-1]:
        outer = outer[key]
    if chance.random() < 0.15:
        del outer[at[-1]]
        return f"{'.'.join(map(str, at))} removed"
    outer[at[-1]] = new = chance.choice([one for one in VALUES if repr(one) != repr(outer[at[-1]])])
    return f"{'.'.join(map(str, at))} = {repr(new)[:30]}"


def json_spoilt(path: Path, chance: random.Random) -> tuple[str, bool]:
    """Change one value of a manifest, a line of a ledger or a note of progress; what it was, and whether it is vouched for."""
    forged = chance.random() < 0.5
    if path.name == "ledger.jsonl":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        i = chance.randrange(len(lines))
        kept = [dict(line) for line in lines]
        said = changed(lines[i], chance)
        if forged:  # as whoever can read the program would
            check = ""
            for line in lines:
                line.pop("check", None)
                line["check"] = check = _chained(check, line)
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        return f"line {i + 1} {said}", forged and lines != kept
    value = json.loads(path.read_text())
    said = changed(value, chance)
    path.write_text(manifest_text(value) if forged and path.name == "manifest.json" else json.dumps(value))
    return said, forged and path.name == "manifest.json"


def file_spoilt(path: Path, how: str, outside: Path, chance: random.Random) -> None:
    """Do something to a whole file."""
    data = path.read_bytes()
    if how == "a byte":
        i = chance.randrange(max(len(data), 1))
        path.write_bytes(data[:i] + bytes([chance.randrange(256)]) + data[i + 1 :])
        return
    if how in ("truncated", "emptied", "garbage", "nested"):
        path.write_bytes({
            "truncated": data[: chance.randrange(max(len(data), 1))], "emptied": b"", "garbage": chance.randbytes(300),
            "nested": b"[" * 200_000,
        }[how])  # fmt: skip
        return
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "a pipe":
        os.mkfifo(path)
    elif how == "a link":
        (outside / path.name).write_bytes(data)
        path.symlink_to(outside / path.name)
    elif how != "removed":
        path.symlink_to("/dev/zero" if how == "a link to a device" else outside / "nothing")


def spoilt(folder: Path, outside: Path, chance: random.Random) -> tuple[str, bool]:
    """Change a folder in one random way; what was done, and whether it was done so that manifest and ledger vouch for it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    path = chance.choice(files)
    of_json = [path for path in files if path.name in JSON_FILES]
    if chance.random() < 0.6:
        path = chance.choice([path for path in of_json if path.name != "progress.json" or chance.random() < 0.2])
        said, forged = json_spoilt(path, chance)
        return f"{path.name}: {said}", forged
    how = chance.choice(WHOLE_FILE)
    file_spoilt(path, how, outside, chance)
    return f"{path.name}: {how}", False


# --------------------------------------------------------------------------------------------------- what is then looked at


def numbers(folder: Path) -> Any:
    """Everything that is shown of a finished folder. Raises ``StoreError`` where the status says that something is missing."""
    if "is missing" in (next_step := status(folder).next_step):
        raise StoreError(next_step)
    told = {
        key: value for key, value in asdict(status(folder)).items() if key not in ("bytes", "log", "folder", "next_step", "also")
    }
    if told["kind"] == "run":
        run = sim.open_run(folder)
        return told, run.scenario.spec, run.seed, {name: values_hash(table) for name, table in run.tables.items()}
    batch = open_batch(folder)
    tables = {name: values_hash(batch.table(name)) for name in batch.tables}
    return told, batch.scenario.spec, batch.seed, tables, batch.effects().to_csv()


def looked_at(folder: Path, out: Path, number: int) -> dict[str, Callable[[], Any]]:
    """Whatever opens a finished folder, by name; what takes long in one case of four each."""
    return {
        "numbers": lambda: numbers(folder),
        "verify": lambda: verified(folder, int(number % 4 == 0), 0),
        **({"compare": lambda: compare_folders(folder, folder, "alliance")} if number % 4 == 1 else {}),
        **({"export": lambda: export(folder, "csv", out)} if number % 4 == 2 else {}),
        **({"replay": lambda: failures_of(folder)} if folder.name == "batch" else {}),
    }


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise ``Hangs`` in a block that is not over by then."""

    def over(*_: Any) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def told(do: Callable[[], Any]) -> tuple[str, Any]:
    """How something ends: ``fine`` with what it gives, ``said`` (one message), ``traceback`` or ``hang``."""
    try:
        with at_most(20):
            return "fine", do()
    except AttuneError as e:
        assert e.status == 2 and str(e).strip() and "\n" not in str(e).strip(), repr(e)
        return "said", str(e)
    except Hangs:
        return "hang", None
    except Exception as e:
        import traceback

        return "traceback", "".join(traceback.format_exception(e)[-3:])


def one_case(place: Path, there: Path, number: int) -> tuple[str, str, list[str]]:
    """Spoil a folder in the way of this number and look at it: what was done, what came of it, and what must not be."""
    chance = random.Random(number)
    name = chance.choice(["run", "batch", "half"])
    outside, home = there / "outside", there / "home"
    outside.mkdir(parents=True)
    home.mkdir()
    folder = Path(shutil.copytree(place / name, home / name))
    what, forged = spoilt(folder, outside, chance)
    kept = {path: path.read_bytes() for path in outside.iterdir()}
    ran = getattr(builtins, "attune_ran", 0)
    wrong = []
    if name == "half":
        do = {"status": lambda: status(folder), "replay": lambda: failures_of(folder),
              "resume": lambda: run_batch(sim.from_spec(VARIED, "varied"), 1, folder, workers=1)}  # fmt: skip
    else:
        do = looked_at(folder, there / "exported", number)
    ends = {}
    for each, call in do.items():
        ends[each], given = told(call)
        if ends[each] in ("traceback", "hang"):
            wrong.append(f"{each}: {ends[each]} {given}")
        if each == "verify" and ends[each] == "fine" and not given.well:
            ends[each] = "said"
        if each in ("numbers", "resume") and ends[each] == "fine" and not forged:
            same = numbers(folder)[1:] == numbers(place / "whole")[1:] if each == "resume" else given == numbers(place / name)
            if not same:
                wrong.append(f"{each}: something else than what was simulated, and nobody says so")
    if getattr(builtins, "attune_ran", 0) != ran:
        wrong.append("code of the folder was run")
    if {path: path.read_bytes() for path in outside.iterdir()} != kept or sorted(p.name for p in home.iterdir()) != [name]:
        wrong.append("something was written outside the folder")
    came = "forged, " * forged + ("noticed" if "said" in ends.values() else "harmless")
    return f"{name} {what}", came, wrong


def cases(place: Path, there: Path, numbers_of: range) -> tuple[Counter[str], Counter[str], list[str]]:
    """Many cases: how many came to what, what was harmless, and what must not be."""
    counts, harmless, wrong = Counter[str](), Counter[str](), list[str]()
    for number in numbers_of:
        what, came, faults = one_case(place, there / str(number), number)
        shutil.rmtree(there / str(number))
        counts[came] += 1
        if came == "harmless":
            harmless[" ".join(what.split()[:2])] += 1
        counts["tracebacks"] += any("traceback" in fault for fault in faults)
        counts["hangs"] += any("hang" in fault for fault in faults)
        wrong += [f"{number}: {what}: {fault}" for fault in faults]
    return counts, harmless, wrong


def test_a_hundred_damaged_folders(place: Path, tmp_path: Path) -> None:
    """Each noticed by one message, or harmless; no traceback, nothing that waits for ever."""
    counts, harmless, wrong = cases(place, tmp_path, range(100))
    print(dict(counts), dict(harmless))
    assert not wrong, "\n".join(wrong)
    assert counts["noticed"] + counts["forged, noticed"] > 60 and not counts["tracebacks"] and not counts["hangs"]


@pytest.mark.deep
@pytest.mark.parametrize("part", range(5))
def test_five_thousand_damaged_folders(place: Path, tmp_path: Path, part: int) -> None:
    """The same for a thousand each; ``-s`` shows the counts."""
    counts, harmless, wrong = cases(place, tmp_path, range(1000 * (part + 1), 1000 * (part + 2)))
    print(f"\n{dict(counts)}\nharmless: {dict(harmless)}")
    assert not wrong, "\n".join(wrong)
    assert not counts["tracebacks"] and not counts["hangs"]


# ------------------------------------------------------------------------------------------------------------- rule by rule


def ran() -> int:
    """How often the file of the batch has been run."""
    return int(getattr(builtins, "attune_ran", 0))


def copied(place: Path, name: str, to: Path) -> Path:
    """A copy of a folder, to be spoilt."""
    return Path(shutil.copytree(place / name, to))


def test_code_is_run_only_where_its_file_is_named(place: Path, tmp_path: Path) -> None:
    """Reading, comparing, exporting, verifying and replaying run nothing; what would need the code names the file."""
    folder, before = copied(place, "batch", tmp_path / "batch"), ran()
    POLICIES.pop("mine", None)
    assert sim.open_batch(folder).effects().shape[0] > 0
    compare_folders(folder, folder, "alliance")
    export(folder, "csv", tmp_path / "csv")
    write_batch_report(open_batch(folder))
    assert failures_of(folder) == [] and status(folder).state == "finished"
    verified(folder, 2)
    assert ran() == before
    run_files([folder / "with" / "mine.py"])
    assert verified(folder, 2).sampled and ran() == before + 1


def test_what_needs_the_code_names_its_file(place: Path, tmp_path: Path) -> None:
    """A matching rule is code: without it nothing is simulated again, and one line says which file would do."""
    RUN_HERE.clear()
    run_once("rule.py", CLINIC_RULE)
    folder = run_batch(sim.from_spec(CLINIC, "clinic"), 1, tmp_path / "clinic", workers=1, added=[("rule.py", CLINIC_RULE)])
    MATCHING.pop("ours")
    before = ran()
    found = verified(folder, 2)
    assert found.well and not found.sampled and ran() == before
    assert found.not_sampled == [
        "nothing was simulated again: that needs the code it was run with, which is run only when it is named: "
        f"--with {folder / 'with' / 'rule.py'}"
    ]
    assert open_batch(folder).scenario.arms[0].clinic is not None and ran() == before
    run_files([folder / "with" / "rule.py"])
    found = verified(folder, 2)
    assert found.well and len(found.sampled) == 2 and ran() == before + 1
    kept = folder / "with" / "rule.py"
    kept.write_text(kept.read_text() + "\n")
    for look in (open_batch, verified, failures_of, status):
        assert told(lambda look=look: look(folder))[1] == f"{kept}: was changed after the batch was begun; restore it"


def test_an_edited_manifest_is_noticed_by_whoever_shows_its_numbers(place: Path, tmp_path: Path) -> None:
    """What the ledger says too is named; of a single run, and of all else, the check of the manifest does not agree."""
    for name in ("run", "batch"):
        text = (place / name / "manifest.json").read_text()
        said = json.loads(text)
        for key, value in {
            "seed": 5,
            "scenario": "x",
            "question": "Is it?",
            "sources": "ab",
            "lock": "cd",
            "synthetic": "",
        }.items():
            folder = copied(place, name, tmp_path / f"{name}-{key}")
            (folder / "manifest.json").write_text(json.dumps({**said, key: value}, indent=4))
            for look, do in looked_at(folder, tmp_path / "csv", 1).items():
                end, message = told(do)
                assert end == "said" and str(folder / "manifest.json") in message, (key, look, end, message)
                if name == "batch" and key in ("seed", "scenario", "sources", "lock"):
                    assert f"says of {key} {value!r}, and ledger.jsonl {said[key]!r}" in message
                else:
                    assert "was changed after it was written" in message
        same = copied(place, name, tmp_path / f"{name}-same")
        (same / "manifest.json").write_text(json.dumps(said, sort_keys=True))  # the same in other clothes
        assert numbers(same) == numbers(place / name)


def test_a_ledger_that_has_lost_its_last_chunk_is_noticed(place: Path, tmp_path: Path) -> None:
    """Each line vouches for those before it, and the manifest for how many there are."""
    folder = copied(place, "batch", tmp_path / "short")
    lines = (folder / "ledger.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_bytes(b"".join(lines[:-1]))
    for do in looked_at(folder, tmp_path / "csv", 1).values():
        end, message = told(do)
        assert end == "said" and "says of tasks 4, and ledger.jsonl" in message


def test_edited_values_are_noticed_by_whoever_shows_them(place: Path, tmp_path: Path) -> None:
    """Also where only some rows are asked for; each table is read once for it."""
    folder = copied(place, "batch", tmp_path / "batch")
    path = folder / "summaries.parquet"
    rows = pq.read_table(path)
    at, field = rows.schema.names.index("value"), rows.schema.field("value")
    pq.write_table(rows.set_column(at, field, pa.array([x + 1 for x in rows["value"].to_pylist()])), path)
    found = open_batch(folder)
    for do in (
        lambda: found.summaries,
        lambda: open_batch(folder).effects(),
        lambda: open_batch(folder).table("summaries", [("measure", "==", "alliance")]),
        lambda: list(open_batch(folder).row_groups("summaries")),
        lambda: write_batch_report(open_batch(folder)),
        lambda: compare_folders(place / "batch", folder, "alliance"),
        lambda: export(folder, "csv", tmp_path / "csv"),
        lambda: export(folder, "netcdf", tmp_path / "nc"),
    ):
        assert told(do) == ("said", f"{path}: its values are not those that the manifest vouches for")
    assert not (tmp_path / "csv").exists() and not (folder / "report.html").exists()


def test_a_table_is_checked_once_an_opening(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However often it is asked for; exported as CSV while it is checked."""
    reads: list[str] = []
    whole = ResultFolder._row_groups

    def counted(self: ResultFolder, name: str, columns: list[str] | None = None) -> Iterator[Any]:
        reads.append(name)
        return whole(self, name, columns)

    monkeypatch.setattr(ResultFolder, "_row_groups", counted)
    found = open_batch(place / "batch")
    one = found.table("summaries", [("measure", "==", "alliance")])
    assert len(one) == len(found.table("summaries", [("measure", "==", "alliance")])) > 0
    assert found.fault("summaries") is None and reads == ["summaries"]
    reads.clear()
    export(place / "batch", "csv", tmp_path / "csv")
    assert reads == list(found.tables)
    hashed: list[int] = []
    monkeypatch.setattr(ValuesHash, "hexdigest", lambda self, usual=ValuesHash.hexdigest: hashed.append(self.rows) or usual(self))
    for name in ("batch", "run"):
        hashed.clear()
        found = opened(place / name)
        assert verified(place / name, 1).well and len(hashed) == len(found.tables)
        hashed.clear()
        for table in found.tables:
            assert found.fault(table) is None and len(found.table(table)) == sum(map(len, found.row_groups(table)))
        assert len(hashed) == len(found.tables)


def test_nothing_is_written_through_a_link(place: Path, tmp_path: Path) -> None:
    """Folders and files inside that are links to elsewhere: what would write there is refused, what is there stays."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("mine")
    run = copied(place, "run", tmp_path / "run")
    (run / "figures").symlink_to(elsewhere)
    with replaced_in(run) as said:
        assert "figures: is a link, and nothing is written outside" in said[0]
    for name in ("chunks", "with", "ledger.jsonl"):
        half = copied(place, "half", tmp_path / f"half-{name}")
        if (half / name).is_dir():
            shutil.copytree(half / name, elsewhere, dirs_exist_ok=True)
            shutil.rmtree(half / name)
            (half / name).symlink_to(elsewhere)
        elif name == "with":
            (half / name).symlink_to(elsewhere)
        else:
            shutil.move(half / name, elsewhere / name)
            (half / name).symlink_to(elsewhere / name)
        before = {path: path.read_bytes() for path in elsewhere.iterdir()}
        end, message = told(lambda half=half: run_batch(sim.from_spec(VARIED, "varied"), 1, half, workers=1))
        assert end == "said" and "is a link" in message
        assert {path: path.read_bytes() for path in elsewhere.iterdir()} == before
    half = copied(place, "half", tmp_path / "half-log")
    (half / "progress.log").unlink()
    (half / "progress.log").symlink_to(elsewhere / "mine")
    run_batch(sim.from_spec(VARIED, "varied"), 1, half, workers=1)  # the log alone is not written
    assert (elsewhere / "mine").read_text() == "mine"


@contextmanager
def replaced_in(folder: Path) -> Iterator[list[str]]:
    """What is said where a report is written into a folder."""
    with pytest.raises(StoreError) as e, replacing(folder) as beside:
        (beside / "figures").mkdir()
        (beside / "figures" / "one.svg").write_text("x")
    yield [str(e.value)]


def test_the_scenario_of_a_stopped_batch_is_written_anew(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its file gone, the command that status gives simulates only what is missing; the tables are the same."""
    folder = copied(place, "half", tmp_path / "half")
    text, done = (folder / "scenario.yaml").read_bytes(), status(folder).done
    (folder / "scenario.yaml").unlink()
    with pytest.raises(SystemExit) as stop:
        main([*shlex.split(status(folder).next_step)[1:], "--workers", "1"])
    assert stop.value.code == 0 and "was gone and is written anew from the ledger" in capsys.readouterr().err
    assert (folder / "scenario.yaml").read_bytes() == text
    assert f"simulating: {done} of 4 tasks are there" in (folder / "progress.log").read_text()
    assert (folder / "manifest.json").read_bytes() == (place / "whole" / "manifest.json").read_bytes()
    other = copied(place, "half", tmp_path / "other")
    (other / "scenario.yaml").write_text("question: Another?\n")
    with pytest.raises(Enough):
        run_batch(sim.from_spec(VARIED, "varied"), 1, other, workers=1, chunk=1, progress=stop_at_once)
    assert (other / "scenario.yaml").read_bytes() == text


def stop_at_once(progress: Any) -> None:
    """Stop a batch after its first chunk."""
    raise Enough


def test_what_a_killed_run_left_beside_its_place_is_named_and_removed(place: Path, tmp_path: Path) -> None:
    """Half-made folders of dead processes; what another process is making now is left alone."""
    run = copied(place, "run", tmp_path / "run")
    dead = [tmp_path / ".run.partial-0123", run / ".new-0123"]
    for path in dead:
        path.mkdir()
        (path / "clients.parquet").write_text("half")
    (tmp_path / ".runner.partial-0123").mkdir()  # of another folder
    assert status(run).leftovers == ("../.run.partial-0123", ".new-0123")
    with replacing(run) as beside:
        assert not any(path.exists() for path in dead) and status(run).leftovers == () and beside.is_dir()
    dead[0].mkdir()
    shutil.rmtree(run)
    with whole(run) as making:
        assert not dead[0].exists()
        assert leftovers(run) == []
        (making / "x").write_text("x")
        dead[0].mkdir()
        with pytest.raises(Enough), whole(run):
            assert making.is_dir() and not dead[0].exists()
            raise Enough
    assert (run / "x").read_text() == "x" and (tmp_path / ".runner.partial-0123").exists()


@pytest.mark.parametrize(
    "name", ["manifest.json", "ledger.jsonl", "scenario.yaml", "summaries.parquet", "progress.log", "with/mine.py"]
)
def test_a_pipe_is_not_waited_for(place: Path, tmp_path: Path, name: str) -> None:
    """Whatever stands where it should not: one message, or nothing that matters."""
    folder = copied(place, "batch", tmp_path / "batch")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    ends = {each: told(do) for each, do in (looked_at(folder, tmp_path / "csv", 1) | {"status": lambda: status(folder)}).items()}
    assert {end for end, _ in ends.values()} <= {"fine", "said"}, ends
    if name not in ("progress.log", "scenario.yaml"):
        assert (ends["numbers"][0] == "said" and "is a pipe" in ends["numbers"][1]) or name == "summaries.parquet"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda lines: lines[0]["begun"].update(seed="x"), "ledger.jsonl:1: is no line of a ledger (begun.seed: must be a whole"),
        (lambda lines: lines[0]["begun"].update(spec=5), "(begun.spec: must be a mapping, not 5)"),
        (lambda lines: lines[0]["begun"].update(added="[1, 2]"), "cannot be planned again"),
        (lambda lines: lines[0]["begun"].update(added="["), "cannot be planned again"),
        (lambda lines: lines[1].update(tasks=5), "ledger.jsonl:2: is no line of a ledger (tasks: must be a list, not 5)"),
        (lambda lines: lines[1].update(tasks=[[0, 0]]), "(tasks[0]: must have 3 entries"),
        (lambda lines: lines[1].update(tasks=[[77, 0, 0]]), "ledger.jsonl:2: is no ledger of this batch: it has no point 77"),
        (lambda lines: lines[1]["files"].clear(), "ledger.jsonl:2: is no ledger of this batch: a chunk has tasks, and parts of"),
        (lambda lines: lines[1]["files"]["summaries"].update(hash="../../../x"), "must be a hash, not '../../../x'"),
        (lambda lines: lines[1]["files"].update({"../../x": {"bytes": 1, "hash": "abcd"}}), "there is no table '../../x'"),
        (lambda lines: lines[1].update(failures=[{"point": 0}]), "failures[0].replicate: is missing"),
        (lambda lines: lines.reverse(), "ledger.jsonl:1: is no line of a ledger (the first says what was begun"),
    ],
)  # fmt: skip
def test_a_forged_ledger_is_one_message(place: Path, tmp_path: Path, edit: Callable[[Any], Any], said: str) -> None:
    """With the checks made as the program makes them; whoever reads it, and whoever would go on with it."""
    folder = copied(place, "half", tmp_path / "half")
    lines = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    edit(lines)
    check = ""
    for line in lines:
        line.pop("check", None)
        line["check"] = check = _chained(check, line)
    (folder / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    end, message = told(lambda: failures_of(folder))
    assert end == "said" and said in message
    assert told(lambda: status(folder))[0] in ("said", "fine")
    assert told(lambda: run_batch(sim.from_spec(VARIED, "varied"), 1, folder, workers=1))[0] == "said"


def test_how_deep_and_how_long(place: Path, tmp_path: Path) -> None:
    """Lists inside lists, and a number of 5,000 digits, are no manifest, ledger or scenario."""
    for name in ("manifest.json", "ledger.jsonl", "scenario.yaml"):
        for data in ("[" * 200_000, "[" * 500 + "]" * 500, "1" * 5_000, '{"seed": ' + "9" * 400 + "}"):
            folder = copied(place, "batch", tmp_path / "batch")
            (folder / name).write_text(data + "\n")
            ends = {each: told(do)[0] for each, do in looked_at(folder, tmp_path / "csv", 1).items()}
            shutil.rmtree(folder)
            assert ends.pop("verify") in ("said", "fine") and ends.pop("replay") in ("said", "fine")
            assert set(ends.values()) == {"said"}, (name, data[:10], ends)
