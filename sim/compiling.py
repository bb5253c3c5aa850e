"""Where compiled code is kept, so that an edit of any source file is always noticed.

numba's own disk cache looks only at the file of the function it compiles, not at the files which that function
imports. So everything compiled here lies in a folder named by a hash of all rooms that are compiled, the versions
and the processor: another source, another folder. Set ``ATTUNE_CACHE`` to choose the place; where none can be written to, code is
kept as long as this process lives.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import platform
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

from sim.files import expanded, folder_at, removed, temporary, temporary_until_exit, write_over

_KEPT = 6  # folders of earlier sources that are kept
_NAME = re.compile(r"[0-9a-f]{16}")  # what they are called
_ONE_AT_A_TIME = threading.RLock()  # threads of one process may ask for the same code at once


#: Rooms and files whose code is compiled.
COMPILED = ("elementary.py", "luck.py", "compiling.py", "theory", "people", "measurement", "engine", "therapy")
#: Rooms and files that decide what the tables of a run hold; reports, pages and commands do not.
DECIDE_TABLES = (*COMPILED, "catalogue", "declared", "scenario", "simulation", "measures", "runs", "batch", "storage")
_WRITES_TEXT = "engine/web/"  # for pages; nothing of it is compiled here or decides what a table holds
_HASHED = {".py", ".yaml", ".csv"}


def files_of(places: Iterable[str]) -> Iterator[tuple[str, Path]]:
    """Every source and data file of these rooms and files, each with its name inside the package, in a fixed order."""
    package = Path(str(resources.files("sim")))
    for place in places:
        inside = [package / place] if Path(place).suffix else sorted((package / place).rglob("*"))
        names = ((path.relative_to(package).as_posix(), path) for path in inside if path.suffix in _HASHED)
        yield from ((name, path) for name, path in names if not name.startswith(_WRITES_TEXT))


def _hashes() -> tuple[str, str]:
    """Of what is compiled, and of all that decides the tables, which begins with it: every file is read once."""
    h, found = hashlib.blake2b(digest_size=8), []
    for places in (COMPILED, DECIDE_TABLES[len(COMPILED) :]):
        for name, path in files_of(places):
            h.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
        found.append(h.hexdigest())
    return found[0], found[1]


# Taken when the package is imported: a file that is edited later in this process is not what this process runs, and
# code compiled from the old text must not be kept under the new text's name.
_COMPILED_FROM, _SOURCES = _hashes()


def sources_hash() -> str:
    """Hash (hex, 16 digits) of every file that decides what the tables hold, as they were when the package was imported."""
    return _SOURCES


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """The folder for code compiled from just these rooms, with these versions, for this processor."""
    import llvmlite.binding as llvm
    import numba
    import numpy

    parts = (_COMPILED_FROM, numba.__version__, numpy.__version__, sys.version, platform.machine(), llvm.get_host_cpu_name())
    name = hashlib.blake2b("|".join(parts).encode(), digest_size=8).hexdigest()
    folder = folder_at(cache_place() / name)
    with contextlib.suppress(FileNotFoundError):  # another process is removing the same ones
        earlier = sorted((path for path in cached() if path != folder), key=lambda p: p.stat().st_mtime)
        for path in earlier[:-_KEPT]:
            removed(path)
    return folder


@lru_cache(maxsize=1)
def cache_place() -> Path:
    """The folder that holds all of them: the one that is wanted, or where that cannot be written to one until this process ends.

    Where there is no home to write to, matplotlib, which would complain, keeps its list of fonts there too.
    """
    try:
        place = folder_at(expanded(os.environ.get("ATTUNE_CACHE") or f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/attune"))
        with temporary("try-", place):
            pass
    except OSError:
        place = temporary_until_exit()
        os.environ["ATTUNE_CACHE"] = str(place)  # processes that this one starts look there
    if not os.access(os.path.expanduser("~"), os.W_OK):
        os.environ.setdefault("MPLCONFIGDIR", str(place / "matplotlib"))
    return place


def cached() -> list[Path]:
    """Every folder of compiled code that is kept there, of these sources and of others; nothing else that may lie there."""
    return [path for path in cache_place().iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]


@contextlib.contextmanager
def ctrl_c_held() -> Iterator[None]:
    """Hold Ctrl-C back for a moment, and answer it then: compiling would swallow it; a process that is started never hears it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _numba_cache_in(folder: Path) -> Any:
    import numba

    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


@lru_cache(maxsize=None)
def compiled(function: Callable[..., Any], signature: Any = None) -> Callable[..., Any]:
    """The machine-code form of a plain module-level function (no fastmath, releases the GIL, kept on disk).

    With a ``signature`` it is made for these types now, and can be handed to other compiled functions.
    """
    from numba import njit

    with _ONE_AT_A_TIME, _numba_cache_in(cache_folder()):
        how = njit(cache=True, nogil=True) if signature is None else njit(signature, cache=True, nogil=True, error_model="numpy")
        return how(function)


def generated_module(name: str, text: str) -> ModuleType:
    """Import ``text`` as a real module file in the cache folder, so that what it compiles can be cached on disk."""
    with _ONE_AT_A_TIME:
        digest = hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
        path = cache_folder() / f"{name}_{digest}.py"
        if not path.exists():
            write_over(path, text)  # beside and renamed: another process may be doing the same
        full_name = f"attune_generated_{name}_{digest}"
        if full_name in sys.modules:
            return sys.modules[full_name]
        spec = importlib.util.spec_from_file_location(full_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[full_name] = module
        try:
            with _numba_cache_in(cache_folder()):
                spec.loader.exec_module(module)
        except BaseException:  # half made: the next who asks begins again
            del sys.modules[full_name]
            raise
        return module
