"""This state of the engine against an earlier commit: ``python -m tests.benchmarks.against [--million] [--check]``

Both are run in turn, each from its own sources and with its own compiled code, and the ratio of a round is formed before the
median over rounds, since machines are noisy. Processor time, one core.

(a) A batch job: 10,000 clients x 30 sessions in chunks, with the summaries of a batch; seconds per session held. Aim: 3.5 times
    as fast.
(b) Whole weeks with questionnaires and their tables, nothing summed up. Aim: 3.5 times as fast.
(c) One course of 40 sessions as the page asks for it. Aim: 2 ms.
(d) ``--help`` in a fresh process. Aim: a third.
(e) The first session on a machine where nothing is compiled yet, beyond one where everything is. Aim: at most 3 times as long.
(f) With ``--million``: peak memory of 10^6 clients x 30 sessions in a batch of one worker (some minutes each). Aim: 0.6 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
COMMIT = "2de448d"
#: With ``--check``: how many times as fast at least, and compiling at most so many times as long. Machines are noisy.
LEAST, MOST_COMPILE = 2.2, 4.0

#: What both are asked. The earlier commit has other rooms.
_BEGIN = """
import sys, time
import sim
from pathlib import Path
assert Path(sim.__file__).is_relative_to(sys.argv[1]), sim.__file__
old = not (Path(sim.__file__).parent / "simulation").exists()
if old:
    from sim.experiments.scenario import from_spec
    from sim.experiments import run as tasks
    from sim.experiments.design import build
    from sim.experiments.outcomes import block_of, values_of
    from sim.views.app.record import recorded
    tasks_of = tasks._tasks
else:
    from sim.scenario.scenario import from_spec
    from sim.simulation import tasks
    from sim.simulation.build import build
    from sim.measures.outcomes import block_of, values_of
    from sim.classroom.course.record import recorded
    tasks_of = tasks.tasks_of
from sim.therapy.course import run_course
scenario = from_spec({"question": "How fast?", "clients_per_arm": 10000, "sessions": 30}, "fast")
arm = scenario.arms[0]
"""
PROBES = {
    "job": """
def one(task):
    out = tasks.simulated_part(scenario, 1, task)
    values_of(block_of(out, arm))
    return out["sessions"]["client"].size
todo = tasks_of(scenario, 2000)
one(todo[0])
start = time.process_time()
held = sum(one(task) for task in todo[1:])
print((time.process_time() - start) / held)
""",
    "weeks": """
world = build(scenario, arm, 0, 1, tasks_of(scenario, 2000)[0].clients)
run_course(world, 30)
world = build(scenario, arm, 0, 1, tasks_of(scenario, 2000)[1].clients)
start = time.process_time()
held = run_course(world, 30).sessions["row"].size
print((time.process_time() - start) / held)
""",
    "page": """
scenario = from_spec({"question": "How fast?", "clients_per_arm": 1, "sessions": 40,
                      "record": {"exchanges": {"clients": [0]}}}, "page")
arm = scenario.arms[0]
recorded(scenario, arm, 0, 1, traced=True)
start = time.process_time()
for seed in range(1, 41):
    recorded(scenario, arm, seed, 1, traced=True)
print((time.process_time() - start) / 40)
""",
    "first": """
sim.run(from_spec({"question": "How fast?", "clients_per_arm": 2, "sessions": 1}, "first"), seed=1)
print(time.process_time())
""",
}
_MEMORY = """
import resource, sys, tempfile
from pathlib import Path
import sim
old = not (Path(sim.__file__).parent / "simulation").exists()
if old:
    from sim.experiments.batch import run_batch
else:
    from sim.batch.run import run_batch
if __name__ == "__main__":
    spec = {"question": "How much?", "clients_per_arm": 1_000_000, "sessions": 30, "batch": {"replicates": 1}}
    with tempfile.TemporaryDirectory() as place:
        run_batch(sim.from_spec(spec, "memory"), 1, Path(place) / "b", workers=1, keep=[])
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9)
"""


class Tree:
    """The sources of one state, with compiled code of its own."""

    def __init__(self, place: Path, cache: Path) -> None:
        self.place, self.cache = place, cache

    def _run(self, command: list[str], cache: Path | None = None) -> str:
        where = {**os.environ, "PYTHONPATH": str(self.place), "ATTUNE_CACHE": str(cache or self.cache)}
        done = subprocess.run(command, cwd=self.cache, env=where, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)[:60]} failed in {self.place}:\n{done.stderr[-2000:]}")
        return done.stdout

    def asked(self, probe: str, cache: Path | None = None) -> float:
        """What a probe prints."""
        return float(self._run([sys.executable, "-c", _BEGIN + PROBES[probe], str(self.place)], cache).split()[-1])

    def help_seconds(self) -> float:
        """Wall time of ``--help`` in a fresh process."""
        start = time.perf_counter()
        self._run([sys.executable, "-m", "sim", "--help"])
        return time.perf_counter() - start

    def compiling_seconds(self) -> float:
        """Processor time of the first session where nothing is compiled, beyond one where everything is."""
        with tempfile.TemporaryDirectory() as empty:
            cold = self.asked("first", Path(empty))
            return cold - self.asked("first", Path(empty))

    def gigabytes(self) -> float:
        """Peak memory of a million clients in a batch."""
        return float(self._run([sys.executable, "-c", _MEMORY]).split()[-1])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, and with ``--check`` judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.against", description="This state against an earlier one.")
    parser.add_argument("--commit", default=COMMIT, help=f"the earlier commit (default: {COMMIT})")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--million", action="store_true", help="also the memory of a million clients")
    parser.add_argument("--check", action="store_true", help="exit with 1 where (a) or (b) is under 2.2, or (e) over 4")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        there = Path(place) / "earlier"
        there.mkdir()
        packed = subprocess.run(["git", "archive", chosen.commit, "sim"], cwd=ROOT, capture_output=True, check=False)
        if packed.returncode:
            print(f"Nothing to compare with: a full clone has commit {chosen.commit} ({packed.stderr.decode().strip()})")
            return 0
        subprocess.run(["tar", "-x"], cwd=there, input=packed.stdout, check=True)
        caches = [Path(place) / name for name in ("c_earlier", "c_now")]
        for cache in caches:
            cache.mkdir()
        trees = Tree(there, caches[0]), Tree(ROOT, caches[1])
        print(f"This state against {chosen.commit}, {chosen.rounds} rounds, processor time on one core")
        compiling = [tree.compiling_seconds() for tree in trees]
        longer = compiling[1] / compiling[0]
        print(f"  {'(e) first compile':<44}{compiling[0]:8.1f} s  -> {compiling[1]:8.1f} s   {longer:.1f} times as long")
        ratios = {}
        for name, title, unit, scale in (
            ("job", "(a) batch job, per session held", "us", 1e6),
            ("weeks", "(b) whole weeks with questionnaires", "us", 1e6),
            ("page", "(c) one course of 40 sessions for the page", "ms", 1e3),
        ):
            for tree in trees:
                tree.asked(name)  # whatever is compiled or loaded at first use
            taken = [[tree.asked(name) for tree in trees] for _ in range(chosen.rounds)]
            ratios[name] = median(before / now for before, now in taken)
            before, now = (scale * median(each) for each in zip(*taken, strict=True))
            print(f"  {title:<44}{before:8.2f} {unit} -> {now:8.2f} {unit}  {ratios[name]:.2f} times as fast")
        taken = [[tree.help_seconds() for tree in trees] for _ in range(chosen.rounds)]
        before, now = (median(each) for each in zip(*taken, strict=True))
        print(f"  {'(d) --help':<44}{before:8.2f} s  -> {now:8.2f} s   {now / before:.2f} of it")
        if chosen.million:
            before, now = (tree.gigabytes() for tree in trees)
            print(f"  {'(f) a million clients, peak memory':<44}{before:8.2f} GB -> {now:8.2f} GB")
    failed = min(ratios["job"], ratios["weeks"]) < LEAST or compiling[1] > MOST_COMPILE * compiling[0]
    if chosen.check:
        print("check failed: (a) and (b) must be at least 2.2, (e) at most 4" if failed else "check passed")
    return int(chosen.check and failed)


if __name__ == "__main__":
    sys.exit(main())
