"""Work of minutes and hours in parts, each told with its seconds: ``make evidence`` and ``make deep``.

    python -m tools.parts evidence [PART ...]   # all that is kept in sim/evidence/kept; a part that is done is skipped
    python -m tools.parts deep [PART ...]       # slow tests, coverage, speed; a part is chosen by a piece of its name

A part of ``evidence`` is done when its result is kept and of the present model. One that was killed goes on from the ledger in
its folder; a ledger of another model is moved aside. The first part that fails ends ``evidence``, since the others need it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sim.evidence.stored import NAMES, current, same_models
from sim.files import moved_aside

FOLDER = Path("results") / "evidence"


@dataclass(frozen=True)
class Part:
    """One part: its command, and of evidence what it ``makes`` in ``sim/evidence/kept`` and the folder of its ledger.

    ``beside``: another part may run beside it, and what it says is shown when it has ended.
    """

    name: str
    command: tuple[str, ...]
    makes: str = ""
    folder: Path | None = None
    beside: bool = False

    @property
    def done(self) -> bool:
        """Whether its result is there, made with the present model."""
        return bool(self.makes) and current(self.makes) is not None


def _attune(name: str, *words: str) -> Part:
    folder = FOLDER / name
    return Part(name, (sys.executable, "-m", "sim", *(str(folder) if word == "FOLDER" else word for word in words)), name, folder)


#: In the order in which they need each other.
EVIDENCE = (
    _attune("calibration", "calibrate", "--out", "FOLDER", "--rounds", "20", "--keep"),
    _attune("validation", "validate", "--keep"),
    _attune("leave_one_out", "validate", "--leave-one-out", "--folder", "FOLDER", "--keep"),
    _attune("competing", "validate", "--competing", "--folder", "FOLDER", "--keep"),
    _attune("ensemble", "ensemble", "--build", "FOLDER", "--keep"),
    _attune("claims", "claims", "--keep"),
    _attune("claims_over_ensemble", "validate", "--claims-over", "20", "--folder", "FOLDER", "--keep"),
)
assert {part.makes for part in EVIDENCE} == set(NAMES)


def deep() -> tuple[Part, ...]:
    """Every test that is too slow for each commit, how much of the code the usual ones reach, and every check of speed."""
    pytest = (sys.executable, "-m", "pytest", "-q", "-m", "deep")
    listed = subprocess.run([*pytest, "--collect-only"], stdout=subprocess.PIPE, text=True, check=True).stdout
    tests = dict.fromkeys(line.split("[")[0] for line in listed.splitlines() if "::" in line)
    return (
        *(Part(test.removeprefix("tests/"), (*pytest, test), beside=True) for test in tests),
        Part("coverage", (*pytest[:-2], "-n", "2", "--dist", "worksteal", "--cov", "--cov-fail-under=90")),
        *(Part(f"benchmark {name}", (sys.executable, "-m", f"tests.benchmarks.{name}", "--check"))
          for name in ("speed", "against", "clinic", "app", "batch", "web")),
    )  # fmt: skip


@dataclass
class Running:
    """A part under way; ``said``: what it says, where that is shown when it has ended."""

    part: Part
    child: subprocess.Popen[bytes]
    said: IO[bytes] | None
    begun: float

    def ended(self, status: int) -> str:
        """What it said is shown; a line that says how it has ended."""
        if self.said is not None:
            self.said.seek(0)
            print(self.said.read().decode(errors="replace"), end="", flush=True)
            self.said.close()
        how = "passed" if status == 0 else f"failed ({status})"
        return f"== {self.part.name}: {how}, {time.monotonic() - self.begun:.0f} s"


def started(part: Part) -> Running:
    """A part, begun."""
    for ledger in part.folder.glob("*.jsonl") if part.folder else ():
        with ledger.open(encoding="utf-8", errors="replace") as file:
            first = file.readline()
        if not any(model in first for model in same_models()):
            print(f"   made with another model, moved aside: {moved_aside(ledger.parent)}", flush=True)
            break
    print(f"== {part.name}", flush=True)
    said = tempfile.TemporaryFile() if part.beside else None  # noqa: SIM115 - closed when it has ended
    return Running(part, subprocess.Popen(part.command, stdout=said, stderr=said), said, time.monotonic())


def run_all(parts: Sequence[Part], on: bool) -> int:
    """Run the parts that are not done, ``on`` after one has failed or not; 0, or 1 where one failed.

    Two that may run beside each other do so; every other part runs alone.
    """
    said: dict[str, str] = {}
    waiting, running, failed = list(parts), list[Running](), False
    try:
        while waiting or running:
            while waiting and (not running or (len(running) < 2 and waiting[0].beside and running[0].part.beside)):
                part = waiting.pop(0)
                said[part.name] = (
                    f"== {part.name}: done before"
                    if part.done
                    else f"== {part.name}: stopped; the same command goes on from there"
                )
                if not part.done:
                    running.append(started(part))
            time.sleep(0.05)
            for one in list(running):
                status = one.child.poll()
                if status is not None:
                    running.remove(one)
                    said[one.part.name] = one.ended(status)
                    print(said[one.part.name], flush=True)
                    failed = failed or status != 0
            if failed and not on:
                break
    except SystemExit:  # this process is to end, and nobody has told the others
        for one in running:
            one.child.terminate()
        raise
    finally:
        for one in running:
            one.child.wait()
        print("\n".join(["", *said.values()]), flush=True)
    return int(failed)


def main(words: Sequence[str]) -> int:
    """What is asked for on the command line; its exit status."""
    if not words or words[0] not in ("evidence", "deep"):
        print(__doc__, file=sys.stderr)
        return 2
    kind, *wanted = words
    parts = EVIDENCE if kind == "evidence" else deep()
    chosen = [
        part for part in parts
        if not wanted or part.name in wanted or (kind == "deep" and any(word in part.name for word in wanted))
    ]  # fmt: skip
    if not chosen:
        print(f"no part '{' '.join(wanted)}'; parts are: {', '.join(part.name for part in parts)}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run_all(chosen, on=kind == "deep")
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
