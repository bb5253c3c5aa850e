"""A batch on a real Dask cluster: a scheduler and two worker processes on loopback, one of which is lost on the way."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import sim
from sim.batch import workers
from sim.batch.chunk import worker_identity
from sim.batch.progress import Progress
from sim.batch.run import run_batch
from sim.cli.main import main
from sim.errors import StoreError
from tests.test_batch import bytes_of, small

distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
ROOT = Path(__file__).parents[1]


class Cluster:
    """A scheduler and its workers as processes of their own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.running: list[subprocess.Popen[bytes]] = []
        self._start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-jupyter")
        self.address = self._said(0, r"Scheduler at:\s+(tcp://127\.0\.0\.1:\d+)")

    def _start(self, module: str, *words: str) -> None:
        log = (self.place / f"{len(self.running)}.log").open("wb")
        command = [sys.executable, "-m", module, *words]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self.place, env=env, start_new_session=True))

    def _said(self, number: int, pattern: str) -> str:
        for _ in range(600):
            found = re.search(pattern, (self.place / f"{number}.log").read_text(errors="replace"))
            if found:
                return found[1]
            time.sleep(0.05)
        raise AssertionError((self.place / f"{number}.log").read_text())

    def add_worker(self) -> None:
        """One more worker, with one thread and no nanny: killed it stays away."""
        self._start(
            "distributed.cli.dask_worker",
            self.address,
            "--no-nanny",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--death-timeout",
            "60",
        )
        self._said(len(self.running) - 1, r"(Registered to)")

    def kill_worker(self) -> None:
        """The last worker is gone, without a word."""
        os.kill(self.running.pop().pid, signal.SIGKILL)

    def close(self) -> None:
        """End all of them."""
        for process in reversed(self.running):
            process.kill()
            process.wait()


@contextmanager
def cluster(place: Path, count: int) -> Iterator[Cluster]:
    """A cluster with so many workers."""
    place.mkdir()
    started = Cluster(place)
    try:
        for _ in range(count):
            started.add_worker()
        yield started
    finally:
        started.close()


@pytest.fixture(scope="module")
def one_worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with one worker, for tests that kill nobody."""
    with cluster(tmp_path_factory.mktemp("cluster") / "one", 1) as started:
        yield started


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(tmp_path: Path) -> None:
    """The batch with both workers, one killed in the middle, against this process alone."""
    whole = run_batch(small(replicates=4), 5, tmp_path / "whole", workers=1)
    with cluster(tmp_path / "cluster", 2) as started, workers.OnCluster(started.address, worker_identity) as on:
        assert len(on.client.nthreads()) == 2
        killed = []

        def kill(progress: Progress) -> None:
            if progress.done >= 3 and not killed:
                killed.append(progress.done)
                started.kill_worker()

        run_batch(small(replicates=4), 5, tmp_path / "b", workers=on, chunk=1, progress=kill)
        assert killed and killed[0] < 16 and len(on.client.nthreads()) == 1
    assert bytes_of(tmp_path / "b") == bytes_of(whole)


def test_a_cluster_that_is_gone_is_said(tmp_path: Path) -> None:
    """The scheduler dies in the middle: one message, what is finished is kept, and the batch can go on elsewhere."""
    folder = tmp_path / "b"
    with cluster(tmp_path / "cluster", 1) as started, workers.OnCluster(started.address, worker_identity) as on:

        def kill(progress: Progress) -> None:
            started.running[0].kill()

        with pytest.raises(workers.WorkersError, match="what is finished is kept"):
            run_batch(small(), 5, folder, workers=on, chunk=1, progress=kill)
    assert bytes_of(run_batch(small(), 5, folder, workers=1)) == bytes_of(run_batch(small(), 5, tmp_path / "w", workers=1))


def test_workers_that_are_not_like_here_are_refused(one_worker: Cluster) -> None:
    """Before anything is simulated, with the worker's address; so is an address where nobody answers."""
    with pytest.raises(workers.WorkersError, match=r"worker tcp://127\.0\.0\.1:\d+ has another arithmetic"):
        workers.OnCluster(one_worker.address, different_everywhere)
    with socket.socket() as unused:  # bound, and nobody listens
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(workers.WorkersError, match="no Dask scheduler with workers answers"):
            workers.OnCluster(f"tcp://127.0.0.1:{unused.getsockname()[1]}", worker_identity, seconds=1.0)


def different_everywhere() -> dict[str, str]:
    """An identity whose arithmetic is that of one process only."""
    return {**worker_identity(), "arithmetic": str(os.getpid())}


@pytest.mark.usefixtures("pictures_not_drawn")
def test_the_command_takes_an_address(
    tmp_path: Path, one_worker: Cluster, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``attune run --cluster`` makes a batch of any scenario; a bad address ends with one line and exit status 2."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "small.yaml"
    file.write_text(small(replicates=1, batch=None).to_yaml())
    with pytest.raises(SystemExit) as stop:
        main(["run", str(file), "--seed", "5", "--cluster", one_worker.address])
    assert stop.value.code in (0, None)
    assert len(sim.open_batch(tmp_path / "results" / "small" / "batch-seed-5").summaries)
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["run", str(file), "--seed", "6", "--cluster", "nowhere"])
    err = capsys.readouterr().err
    assert stop.value.code == 2 and len(err.strip().splitlines()) == 1 and "--cluster nowhere" in err
    with pytest.raises(StoreError):
        sim.open_batch(tmp_path / "results" / "small" / "batch-seed-6")
