"""The parts of ``make evidence`` and ``make deep``: killed, gone on, skipped, made again for another model, chosen by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sim.evidence import stored
from sim.evidence.calibration.simulated import LEDGER
from sim.evidence.stored import NAMES
from tests.test_cli import Attune, attune
from tools import parts
from tools.parts import EVIDENCE, Part, run_all

__all__ = ["attune"]

#: Three tables of one row, then the result; killed after the second where a file says so.
TINY = """
import os, signal, sys
from pathlib import Path
from sim.evidence.calibration.simulated import Simulator, Job
from sim.evidence.stored import keep
folder, kept = map(Path, sys.argv[1:])
with Simulator(folder, 1) as simulator:
    for seed in (1, 2, 3):
        simulator.ask([Job({}, seed, 0.05, ("16.1",))])
        if (kept.parent / "kill").exists() and seed == 2:
            os.kill(os.getpid(), signal.SIGKILL)
    keep(kept, {"simulated": simulator.simulated})
"""


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Part:
    """A part of a moment, kept in a folder of its own."""
    monkeypatch.setattr(stored, "path_of", lambda name: tmp_path / f"{name}.json")
    (tmp_path / "same_model.json").write_text("[]")
    command = (sys.executable, "-c", TINY, str(tmp_path / "simulator"), str(tmp_path / "tiny.json"))
    return Part("tiny", command, "tiny", tmp_path / "simulator")


def simulated(tmp_path: Path) -> int:
    """How many tables the part simulated that ended last."""
    return int(json.loads((tmp_path / "tiny.json").read_text())["simulated"])


def test_killed_gone_on_skipped_and_stale(
    tiny: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "kill").touch()
    assert run_all([tiny, Part("next", ("false",))], on=False) == 1 and not tiny.done
    said = capfd.readouterr().out
    assert "== tiny: failed (-9), " in said and "next" not in said  # it needs the one before
    assert len((tmp_path / "simulator" / LEDGER).read_text().splitlines()) == 3  # its model, and two tables
    (tmp_path / "kill").unlink()
    assert run_all([tiny], on=False) == 0 and tiny.done and simulated(tmp_path) == 1
    assert "== tiny: passed, " in capfd.readouterr().out
    assert run_all([tiny], on=False) == 0 and capfd.readouterr().out.strip() == "== tiny: done before"
    monkeypatch.setattr(stored, "model_hash", lambda: "0" * 16)  # as this process sees it, all is of another model
    assert not tiny.done and run_all([tiny], on=False) == 0
    assert "moved aside" in capfd.readouterr().out and simulated(tmp_path) == 3
    assert (tmp_path / "simulator.before-1" / LEDGER).is_file()
    broken = tmp_path / "simulator" / LEDGER
    broken.write_bytes(b"\xff nonsense")
    assert run_all([tiny], on=False) == 0 and simulated(tmp_path) == 3 and (tmp_path / "simulator.before-2").is_dir()


def test_deep_parts_go_on_after_one_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    assert run_all([Part("one", ("false",)), Part("two", ("true",))], on=True) == 1
    assert capfd.readouterr().out.split("\n\n")[1] == "== one: failed (1), 0 s\n== two: passed, 0 s\n"


def test_two_parts_may_run_beside_each_other(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each of the first two waits for what the other makes; the third, which wants to be alone, comes after both."""
    waits = (
        "import sys, time; from pathlib import Path; mine, other = map(Path, sys.argv[1:]); mine.touch()\n"
        "for _ in range(600):\n    time.sleep(0.1)\n    if other.exists(): print('met'); sys.exit(0)\nsys.exit(1)"
    )
    one, other = str(tmp_path / "one"), str(tmp_path / "other")
    both = [Part(f"part {a[-3:]}", (sys.executable, "-c", waits, a, b), beside=True) for a, b in ((one, other), (other, one))]
    assert run_all([*both, Part("alone", (sys.executable, "-c", "print('alone it is')"))], on=True) == 0
    said = capfd.readouterr().out
    assert said.count("met\n") == 2 and said.index("alone it is") > said.rindex("met\n")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_takes_its_command_along(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """Ctrl-C reaches both; a polite end reaches the command through its part. What was under way is named."""
    code = (
        "import sys; from tools import parts; sleeping = 'import time; print(1, flush=True); time.sleep(60)';"
        "parts.EVIDENCE = (parts.Part('long', (sys.executable, '-c', sleeping)),); sys.exit(parts.main(['evidence']))"
    )
    began = time.monotonic()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line == "1\n":
                break
        else:
            pytest.fail("it ended before the part began")
        if number == signal.SIGINT:
            os.killpg(child.pid, number)
        else:
            child.send_signal(number)
        rest = child.stdout.read()  # ends when the command has let go of it too
    assert child.returncode == status and time.monotonic() - began < 50 and "long: stopped" in rest


def test_every_result_has_a_part_whose_command_is_one(attune: Attune) -> None:
    """What is kept is what the parts make; each command knows its options. Nothing else can be chosen."""
    assert sorted(part.makes for part in EVIDENCE) == sorted(NAMES)
    for part in EVIDENCE:
        assert part.command[1:3] == ("-m", "sim") and attune(*part.command[3:], "--help").status == 0, part.name


def test_parts_are_chosen_by_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []
    monkeypatch.setattr(parts, "run_all", lambda chosen, on: ran.extend(part.name for part in chosen) or 0)
    monkeypatch.setattr(parts, "deep", lambda: (Part("test_deep.py::test_kill_9", ()), Part("benchmark app", ())))
    assert parts.main(["evidence", "claims"]) == 0 and ran == ["claims"]
    assert parts.main(["deep", "kill"]) == 0 and ran[1:] == ["test_deep.py::test_kill_9"]
    assert parts.main(["evidence", "clams"]) == 2 and "parts are: calibration, " in capsys.readouterr().err
    assert parts.main([]) == 2 and parts.main(["all"]) == 2
