"""Where chunks are simulated: processes here, any ``concurrent.futures`` executor, or a Dask cluster. Order never matters.

Threads are not used: the compiled exchange lets others run, but the verbs around it are many short column operations that do not;
two threads were measured at 1.0 to 1.5 times one, two processes at nearly twice.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Protocol, TypeVar

from sim.batch.chunk import worker_identity
from sim.compiling import ctrl_c_held
from sim.errors import WorkersError
from sim.simulation.machine import cores

Given = TypeVar("Given")
Made = TypeVar("Made")

#: Seconds between two looks whether anybody is left to do the work, and looks in vain before it is given up.
LOOK_EVERY, MOST_LOOKS = 10.0, 30
#: How often a piece of work is given out again when the worker that had it is gone.
MOST_LOST = 3


class Workers(Protocol):
    """Something that simulates chunks, a few at a time."""

    def results(self, work: Iterable[Given], do: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
        """What ``do`` makes of each piece of work, as it is finished. Work is taken only as fast as it is done."""
        ...


class InThisProcess:
    """One after the other, here."""

    def __enter__(self) -> InThisProcess:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def results(self, work: Iterable[Given], do: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
        """See ``Workers``."""
        for one in work:
            yield one, do(one)


class OnExecutor:
    """On an executor that somebody else has made and will close, such as ``mpi4py.futures.MPIPoolExecutor()``.

    ``at_once``: how many pieces of work are given out at a time.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from sim.extend import OnExecutor
    >>> OnExecutor(ThreadPoolExecutor(1)).at_once
    64
    """

    def __init__(self, executor: Executor, at_once: int = 64) -> None:
        self.executor, self.at_once = executor, at_once

    def results(self, work: Iterable[Given], do: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
        """See ``Workers``."""
        yield from _flowing(self.executor, iter(work), do, self.at_once)


def _flowing(
    executor: Executor,
    work: Iterator[Given],
    do: Callable[[Given], Made],
    at_once: int,
    look: Callable[[], None] | None = None,
) -> Iterator[tuple[Given, Made]]:
    """Keep ``at_once`` pieces under way; give each out as it is done. ``look`` is called while nothing is finished."""
    waiting: dict[Future[Made], Given] = {}
    try:
        while True:
            for one in itertools.islice(work, at_once - len(waiting)):
                waiting[executor.submit(do, one)] = one
            if not waiting:
                return
            finished, _ = wait(waiting, timeout=LOOK_EVERY, return_when=FIRST_COMPLETED)
            if not finished and look is not None:
                look()
            for future in finished:
                one = waiting.pop(future)
                yield one, future.result()
    finally:
        for future in waiting:
            future.cancel()


def _worker_begins() -> None:
    """Leave Ctrl-C to the parent, and end with it: a batch or search that was killed must not leave any worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


class _Pool(ProcessPoolExecutor):
    """Processes that are started as work is given out, and that Ctrl-C does not reach while they still start."""

    def submit(self, *given: Any, **named: Any) -> Future[Any]:
        with ctrl_c_held(), _nothing_from_here(), _script_not_run_again(given):
            return super().submit(*given, **named)


@contextlib.contextmanager
def _nothing_from_here() -> Iterator[None]:
    """Keep processes that start meanwhile from importing what happens to lie in the working folder."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


@contextlib.contextmanager
def _script_not_run_again(work: Any) -> Iterator[None]:
    """Keep processes that start meanwhile from running the script that starts them, as they would to find what it defines.

    Where the work is made of that they must. Raises ``WorkersError`` where they cannot, since there is no file, as in a notebook.
    """
    script = sys.modules["__main__"]
    if b"__main__" not in pickle.dumps(work):
        sys.modules["__main__"] = types.ModuleType("__main__")
    elif script.__spec__ is None and not os.path.isfile(getattr(script, "__file__", "")):
        raise WorkersError(
            "worker processes cannot see what was defined in a notebook or a console",
            valid="put it into a file and import it, or use one worker",
        )
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def processes(count: int) -> ProcessPoolExecutor:
    """So many processes that share nothing with this one, end with it, and leave Ctrl-C to it."""
    # spawn, whatever the platform's habit: a forked process would share compiled state half-made
    with _nothing_from_here():
        return _Pool(count, mp_context=multiprocessing.get_context("spawn"), initializer=_worker_begins)


def ended(pool: ProcessPoolExecutor, gently: bool) -> None:
    """End these processes: gently when their work is done, or at once."""
    workers = list((pool._processes or {}).values())
    pool.shutdown(wait=gently, cancel_futures=True)
    for worker in () if gently else workers:
        with contextlib.suppress(OSError, ValueError):
            worker.terminate()


def usual(count: int | None, tell: Callable[[str], Any] = lambda line: None) -> InThisProcess | Processes:
    """So many processes (default: as many as there are cores), or none beside this one.

    That is for one, and where processes cannot be had; then ``tell`` is told why.
    """
    count = count or cores()
    if count > 1:
        try:
            with _nothing_from_here():
                multiprocessing.get_context("spawn").Lock()  # what they would share
        except OSError as e:
            tell(f"no worker processes can be had here (/dev/shm: {e.strerror or e}), so one process does all the work")
            count = 1
    return InThisProcess() if count == 1 else Processes(count, tell)


class Processes:
    """Processes on this machine. One that dies is replaced and its work given out again, ``MOST_LOST`` times at most."""

    def __init__(self, count: int, tell: Callable[[str], Any] = lambda line: None) -> None:
        self.count, self.tell = count, tell
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if self._pool is not None:
            ended(self._pool, gently=kind is None)
        self._pool = None

    def results(self, work: Iterable[Given], do: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
        """See ``Workers``. Raises ``WorkersError`` when workers die again and again."""
        coming, again = iter(work), list[Given]()
        lost: dict[int, int] = {}  # by the identity of a piece of work, which is held here as long as it is not done
        while True:
            self._pool = self._pool or processes(self.count)
            under_way: list[Given] = []
            try:
                for one, made in _flowing(self._pool, _given(again, coming, under_way), do, self.count + 1):
                    under_way.remove(one)
                    lost.pop(id(one), None)
                    yield one, made
                return
            except BrokenProcessPool:
                ended(self._pool, gently=False)
                self._pool = None
                self.tell("a worker process was lost; its work is given out again")
                for one in under_way:
                    lost[id(one)] = lost.get(id(one), 0) + 1
                if max(lost.values(), default=0) > MOST_LOST:
                    raise WorkersError(
                        f"a worker process was lost {MOST_LOST + 1} times over the same work (killed, or out of memory); what is "
                        "finished is kept. Run the same command with fewer --workers or a smaller --chunk"
                    ) from None
                again += reversed(under_way)


def _given(again: list[Given], coming: Iterator[Given], under_way: list[Given]) -> Iterator[Given]:
    """Work that was lost before, then new work; each piece is noted as under way."""
    while again:
        under_way.append(again.pop())
        yield under_way[-1]
    for one in coming:
        under_way.append(one)
        yield one


class OnCluster:
    """On the workers of a running Dask scheduler (``pip install 'attune[cluster]'``).

    Every worker must have the same sources, versions and arithmetic as this process: ``identity`` is asked of all of them.
    A worker that is lost is Dask's to replace: it gives the work to another. Raises ``WorkersError``.

    >>> with OnCluster("tcp://the-scheduler:8786") as workers:  # doctest: +SKIP
    ...     sim.run_batch(sweep, 1, place, workers=workers)
    """

    def __init__(self, address: str, identity: Callable[[], dict[str, str]] = worker_identity, seconds: float = 20.0) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise WorkersError("a cluster needs the extra 'cluster': pip install 'attune[cluster]'") from None
        try:
            self.client = Client(address, timeout=seconds, set_as_default=False)
            self.client.wait_for_workers(1, timeout=seconds)
        except (OSError, ValueError, TimeoutError) as e:
            raise WorkersError(f"--cluster {address}: no Dask scheduler with workers answers there ({e})") from e
        try:
            here, there = identity(), self.client.run(identity)
            for worker, said in there.items():
                same_identity(here, said, f"worker {worker}")
        except WorkersError:
            self.client.close()
            raise
        except Exception as e:
            self.client.close()
            raise WorkersError(f"--cluster {address}: a worker cannot run Attune ({type(e).__name__}: {e})") from e

    def __enter__(self) -> OnCluster:
        return self

    def __exit__(self, *_: Any) -> None:
        self.client.close()

    def results(self, work: Iterable[Given], do: Callable[[Given], Made]) -> Iterator[tuple[Given, Made]]:
        """See ``Workers``. Raises ``WorkersError`` when a chunk was lost with its worker too often."""
        from distributed import CancelledError as FutureCancelledError
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        threads, in_vain = sum(self.client.nthreads().values()), 0

        def look() -> None:
            nonlocal in_vain
            there = self.client.status == "running" and self.client.nthreads()
            in_vain = 0 if there else in_vain + 1
            if in_vain >= MOST_LOOKS or self.client.status in ("closed", "closing"):
                raise WorkersError("the cluster has no workers any more; what is finished is kept, and the same command goes on")

        at_once = threads + max(1, threads // 4)
        try:
            yield from _flowing(self.client.get_executor(pure=False), iter(work), do, at_once, look)
        except KilledWorker as e:
            raise WorkersError(f"workers of the cluster were lost again and again ({e}); what is finished is kept") from e
        except (CancelledError, FutureCancelledError, CommClosedError) as e:
            raise WorkersError("the cluster is gone; what is finished is kept, and the same command goes on") from e


def same_identity(here: dict[str, str], there: dict[str, str], who: str) -> None:
    """Raise ``WorkersError`` where a worker would not give the same bytes."""
    what = {
        "sources": "other sources of Attune",
        "lock": "other library versions",
        "arithmetic": "another arithmetic (processor or libraries)",
    }
    differ = [words for name, words in what.items() if here[name] != there.get(name)]
    if differ:
        raise WorkersError(f"{who} has {' and '.join(differ)}; its numbers would not be the same, so it is refused")
