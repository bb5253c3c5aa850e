"""Hostile scenario files: shipped ones, broken in thousands of ways, checked and, where they are valid, run small.

Whatever a file holds, ``attune check`` accepts it or says one line with file and line, and ends with status 0 or 2, soon.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import random
import re
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from ruamel.yaml import YAML

from sim.cli.main import main
from sim.errors import ScenarioError
from sim.report.pages import run as page
from sim.scenario.reading import to_text
from sim.scenario.scenario import Scenario, from_spec, load

SHIPPED = sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml"))
#: Seconds that a file may take to be checked, and a small run of one.
LIMIT, RUN_LIMIT = 10, 180

#: What stands where something else was meant.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, -0.5, 10**6, 10**15, 10**16, 10**40, -(10**40), 1e308, -1e308, 5e-324, float("nan"),
    float("inf"), float("-inf"), "", " ", "none", "population", "secure", "fearful", "crossed", "arms", "clinic", "ensemble",
    "true", "1", "5 %", "1,5", "20 weeks", "1e3", "0x10", "2001-13-01", "[]", "x" * 100, "x" * 20_000,
    "caf\u00e9", "cafe\u0301", "\u65e5\u672c", "\U0001f642", "\u202etxet", "a\u200bb", "a\nb", "[/red]", "$x$", "{x}",
    "%s", "../x", "/", "\\", "NaN", [], {},
    [[]], [None], [1, 2], [7, 1], [2, 2, 2], {"": 1}, {"a": {}}, {"mean": 3, "sd": 0}, {"anxiety": 3}, {"from": 1, "to": 0},
    {"from": 0, "to": 1, "steps": 10**9}, {"from": -1e308, "to": 1e308, "steps": 3},
)  # fmt: skip
KEYS = (
    "", " ", "a", "A", "question", "Question", "sesions", "clinic", "arms", "client", "record", "extends", "parameters",
    "batch", "trust_rate", "x" * 100, "a/b", "caf\u00e9", "cafe\u0301", "\u202ea", "a\u200bb", "\u65e5\u672c", "[/red]", "_a",
    "\0", "1", "~", "null",
)  # fmt: skip
#: Ten lists of ten lists of ten ..., each by its name.
LAUGHS = "l0: &l0 [x, x]\n" + "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]\n" for i in range(1, 10))
#: What is put into a text anywhere.
TEXTS = (
    "\t", "\n", "\r", "\n\n", " ", ": ", "- ", "? ", "{", "}", "[", "]", ",", "'", '"', "|", ">", "&a ", "*a", "*b",
    "<<: *a", "#",
    " #", "!!python/object:os.system ", "!!int ", "!!binary ", "!!set ", "!!omap ", "!x ", "%YAML 9.9\n---\n", "---\n",
    "...\n", "@",
    "`", "\\", "\\x00", "\0", "\x07", "\x1b[31m", "\x85", "\u2028", "\u202e", "\u200b", "\ufeff", "\ud800", "\U0010ffff", ".nan",
    "-.inf", "1e999", "0o7", "1_000", "12:30:00", "2001-01-01", "2001-13-45", "null", "~", "yes", "=", "<<", "a: &a [*a]\n",
    "&b {<<: *b}", "x" * 5_000, "[" * 400, "{a: " * 300, "- " * 300, "&a [1]\nb: *a\n", "extends: hello\n", "extends: ../hello\n",
    "question: twice\n", "arms:\n", LAUGHS,
)  # fmt: skip
BYTES = (b"\xff", b"\x80\x81", b"\xc3", b"\xef\xbb\xbf", b"\xfe\xff", bytes(range(256)))
CHUNKS = (*(text.encode("utf-8", "surrogatepass") for text in TEXTS), *BYTES)


@lru_cache(maxsize=None)
def spec_of(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a mapping, at all depths."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*at, key)
        yield from places(value[key], (*at, key))


def inside(spec: Any, at: tuple[Any, ...]) -> Any:
    for key in at:
        spec = spec[key]
    return spec


def restructured(spec: Any, rng: random.Random) -> None:
    """Something is deleted, doubled, exchanged, of another kind, wrapped, or goes by another name."""
    every = list(places(spec))
    if not every:
        return
    *above, key = rng.choice(every)
    holder = inside(spec, tuple(above))
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = deepcopy(rng.choice(VALUES))
        case 3:
            other = rng.choice(every)
            with contextlib.suppress(KeyError, IndexError, TypeError):
                holder[key] = deepcopy(inside(spec, other))
        case 4:
            for _ in range(rng.choice((1, 2, 50))):
                holder[key] = rng.choice(([holder[key]], {"a": holder[key]}))
        case 5 if isinstance(holder, dict):
            holder[rng.choice(KEYS)] = holder.pop(key)
        case 6 if isinstance(holder, dict):
            holder[rng.choice(KEYS)] = deepcopy(rng.choice((holder[key], *VALUES)))
        case 7 if isinstance(holder[key], (int, float)):
            holder[key] *= rng.choice((-1, 0, 1e-9, 10, 10**6, 10**12))
        case _ if isinstance(holder, list):
            holder.insert(rng.randrange(len(holder) + 1), deepcopy(rng.choice((holder[key], *VALUES))))


def rewritten(data: bytes, rng: random.Random) -> bytes:
    """Lines are lost, doubled, exchanged or moved; a number is another; bytes are put in, cut out or cut off."""
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(12):
        case 0:
            del lines[i]
        case 1:
            lines.insert(j, lines[i])
        case 2:
            lines[i], lines[j] = lines[j], lines[i]
        case 3:
            lines[i] = rng.choice((b" ", b"  ", b"\t", b"    ")) + lines[i]
        case 4:
            lines[i] = lines[i].lstrip()
        case 5:
            return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" \n", b"\x85")))
        case 6:
            return (
                rng.choice((b"\xef\xbb\xbf", b"---\n", b"%YAML 1.1\n---\n", b"\n\n", b"# x\n", b""))
                + data
                + rng.choice((b"", data, b"\n...\n"))
            )
        case 7:
            return data[: rng.randrange(len(data) + 1)]
        case 8:
            numbers = list(re.finditer(rb"-?\d[\d.e]*", data))
            if numbers:
                one = rng.choice(numbers)
                new = rng.choice(
                    (b"-1", b"0", b"1e999", b".nan", b"99999999999999999999", b"1e-400", b"3 weeks", b"5%", b"0.1.2", b"'3'")
                )
                return data[: one.start()] + new + data[one.end() :]
        case 9:
            words = list(re.finditer(rb"[a-z_]{3,}", data))
            if words:
                one, other = rng.choice(words), rng.choice(words)
                return data[: one.start()] + other[0] + data[one.end() :]
        case _:
            at = rng.randrange(len(data) + 1)
            return data[:at] + rng.choice(CHUNKS) + data[at + rng.choice((0, 0, 1, 5)) :]
    return b"\n".join(lines)


def in_flow(spec: Any) -> str:
    """The mapping in braces, which is YAML too, with YAML's words for what are no numbers."""
    text = json.dumps(spec, indent=1, ensure_ascii=False)
    return re.sub(r"(?<![\w\"])(-?)(NaN|Infinity)(?![\w\"])", lambda m: m[1] + {"NaN": ".nan", "Infinity": ".inf"}[m[2]], text)


def hostile(number: int) -> tuple[str, bytes]:
    """The file of that number, and of which shipped one it was made; always the same."""
    rng = random.Random(f"hostile {number}")
    path = rng.choice(SHIPPED)
    data = path.read_bytes()
    if rng.random() < 0.5:
        spec = deepcopy(spec_of(path))
        for _ in range(rng.choice((1, 1, 2, 3))):
            restructured(spec, rng)
        data = (to_text if rng.random() < 0.3 else in_flow)(spec).encode("utf-8", "surrogatepass")
        if rng.random() < 0.85:
            return path.stem, data
    for _ in range(rng.choice((1, 1, 2, 4))):
        data = rewritten(data, rng)
    return path.stem, data


class Hang(BaseException):
    """It took longer than it may."""


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """So many seconds of work; ten times as long where it waits, or others work here too."""

    def over(*_: Any) -> None:
        raise Hang

    clocks = {signal.ITIMER_PROF: (signal.SIGPROF, seconds), signal.ITIMER_REAL: (signal.SIGALRM, 10 * seconds)}
    before = {kind: signal.signal(kind, over) for kind, _ in clocks.values()}
    for clock, (_, most) in clocks.items():
        signal.setitimer(clock, most)
    try:
        yield
    finally:
        for clock in clocks:
            signal.setitimer(clock, 0)
        for kind, handler in before.items():
            signal.signal(kind, handler)


@dataclass
class Told:
    """What became of some files: how many of each kind, and what is to be looked at, by number."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    no_line: list[str] = field(default_factory=list)

    def add(self, other: Told) -> None:
        self.counts += other.counts
        self.faults += other.faults
        self.no_line += other.no_line

    def __str__(self) -> str:
        kinds = ("cases", "clean refusals", "accepted", "run", "not made small", "tracebacks", "hangs", "other ends")
        counted = ", ".join(f"{kind} {self.counts[kind]:,}" for kind in kinds)
        return f"{counted}, refusals without file and line {len(self.no_line)}"


def ended(words: list[str], seconds: int) -> tuple[str, int | None, str]:
    """How a command ends: "traceback", "hang" or "", its status, and what it says on stderr."""
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            with limited(seconds):
                main(words)
        except SystemExit as end:
            return "", int(end.code or 0), err.getvalue()
        except Hang:
            return "hangs", None, traceback.format_exc()[-1500:]
        except BaseException:
            return "tracebacks", None, traceback.format_exc()[-1500:]
    return "tracebacks", None, "main came back"


#: Of a file as a whole no line can be named.
WHOLE_FILE = ("is not a text file", "is larger than 1 MB", "is nested too deeply", "need about")


def tried(numbers: range, run_every: int) -> Told:
    """Check files of these numbers in a folder of their own; run one in so many that are valid, without its pictures."""
    told = Told()
    with (
        patch.multiple(page, settle=lambda figure: None, image=lambda *_, **__: b""),
        tempfile.TemporaryDirectory(prefix="attune-hostile-") as folder,
    ):
        for path in SHIPPED:
            shutil.copy(path, folder)
        for number in numbers:
            made_of, data = hostile(number)
            file = Path(folder) / "hostile.yaml"
            file.write_bytes(data)
            told.counts["cases"] += 1
            how, status, said = ended(["check", str(file)], LIMIT)
            lines = [line for line in said.splitlines() if not line.startswith(("Note: ", "Measuring how fast"))]
            if how:
                told.counts[how] += 1
                told.faults.append(f"case {number} (of {made_of}), {how}: {said}")
            elif status == 0 and not lines:
                told.counts["accepted"] += 1
                if told.counts["accepted"] % run_every == 0:
                    told.add(run_small(number, file))
            elif status == 2 and len(lines) == 1 and lines[0].startswith("attune: "):
                told.counts["clean refusals"] += 1
                if not re.match(r"attune: \S+\.ya?ml:\d+: ", lines[0]) and not any(word in lines[0] for word in WHOLE_FILE):
                    told.no_line.append(f"case {number} (of {made_of}): {lines[0]}")
            else:
                told.counts["other ends"] += 1
                told.faults.append(f"case {number} (of {made_of}), status {status}: {said[-1500:]}")
    return told


FEW = {"therapists": 3, "arrivals_per_week": 2, "weeks": 12, "intake_weeks": 8, "training_from": 2, "capacity": 4}


def small(scenario: Scenario) -> Scenario:
    """The same with a few people and weeks, one replicate, and of a batch two factors with two levels."""
    spec = json.loads(json.dumps(scenario.spec))
    for holder in (spec, *(spec.get("arms") or {}).values()):
        if holder and isinstance(holder.get("sessions"), int):
            holder["sessions"] = min(holder["sessions"], 4)
        plan = (holder or {}).get("clinic")
        if plan:
            for key, most in FEW.items():
                if key in plan:
                    plan[key] = min(plan[key], most)
    spec["sessions"] = min(scenario.sessions, 4)
    if scenario.design == "clinic":
        spec["clinic"] = {"therapists": 3, "weeks": 12, "arrivals_per_week": 2, **(spec.get("clinic") or {})}
    else:
        spec["clients_per_arm"] = min(scenario.clients_per_arm, 4)
    batch = spec.get("batch")
    if batch:
        batch.pop("until", None)
        batch["vary"] = dict(list((batch.get("vary") or {}).items())[:2])
        batch |= {"points": 2} if batch.get("points") else {}
        for factor in batch["vary"].values():
            if isinstance(factor, dict) and "steps" in factor:
                factor["steps"] = 2
            elif isinstance(factor, list):
                del factor[2:]
    if isinstance(spec.get("parameters"), dict) and "ensemble" in spec["parameters"]:
        spec["parameters"]["ensemble"] = 2
    elif spec.get("parameters") == "ensemble":
        spec["parameters"] = {"ensemble": 2}
    return from_spec({**spec, "replicates": 1}, scenario.name)


def run_small(number: int, file: Path) -> Told:
    """Run a valid file, made small, to its report."""
    told = Told()
    try:
        text = small(load(file)).to_yaml()
    except ScenarioError:  # what is asked for is not possible with so few
        told.counts["not made small"] += 1
        return told
    with tempfile.TemporaryDirectory(prefix="attune-hostile-") as folder:
        path = Path(folder) / "hostile.yaml"
        path.write_text(text, encoding="utf-8")
        how, status, said = ended(["run", str(path), "--out", str(Path(folder) / "out"), "--workers", "1"], RUN_LIMIT)
    told.counts["run"] += 1
    if how or status or "Traceback" in said:
        told.counts[how or "other ends"] += 1
        told.faults.append(f"run of case {number}, {how or f'status {status}'}: {said[-1500:]}\n{text[:1500]}")
    return told


def test_hostile_files_are_refused_or_run() -> None:
    """A few of them for every commit."""
    told = tried(range(200), run_every=25)
    assert (
        told.counts["cases"] == 200
        and told.counts["clean refusals"] > 100
        and told.counts["accepted"] > 10
        and told.counts["run"]
    )
    assert not told.faults and not told.no_line, "\n\n".join([str(told), *told.faults, *told.no_line])


@pytest.mark.deep
def test_ten_thousand_hostile_files(capsys: pytest.CaptureFixture[str]) -> None:
    """On two processes; every twentieth that is valid is run."""
    told, work = Told(), [range(start, start + 250) for start in range(0, 10_000, 250)]
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        for part in pool.map(tried, work, [20] * len(work)):
            told.add(part)
    with capsys.disabled():
        print(f"\nhostile scenario files: {told}")
    assert told.counts["cases"] == 10_000 and told.counts["run"] > 20
    assert not told.faults and not told.no_line, "\n\n".join([*told.faults[:20], *told.no_line[:20]])


if __name__ == "__main__":  # one file by its number, to look at it
    sys.stdout.buffer.write(hostile(int(sys.argv[1]))[1])
