"""The only place that writes: files and folders whole or not at all, never over what is there unless that is meant.

Messages name the path and what would do. Nothing here knows what is in a file.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import fcntl
import glob
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import TextIO

from sim.errors import StoreError, TableError

#: Where the tables of a batch are put together, inside its folder.
MAKING = ".making"


def expanded(path: str | Path) -> Path:
    """A path as somebody wrote it, ``~`` being their home folder.

    Raises ``StoreError`` where there is no such home, and for a name that is no text (UTF-8), which tables could not be written
    to.
    """
    found = Path(os.path.expanduser(path))
    try:
        str(found).encode()
    except UnicodeEncodeError:
        raise StoreError(
            "this name is not text in UTF-8", where=str(path), valid="rename it, or name a folder from inside of it (such as .)"
        ) from None
    first = found.parts[0] if found.parts else ""
    if first == "~" or (first.startswith("~") and not Path(first).exists()):
        raise StoreError(f"'{first}' is nobody's home folder here", where=str(path), valid="write the path in full")
    return found


def nowhere() -> TextIO:
    """A stream to write to what nobody will read."""
    return open(os.devnull, "w", encoding="utf-8")


def must_be_free(path: Path, advice: str = "choose another name") -> None:
    """Raise ``StoreError`` where something is already there, before the work rather than after it."""
    if path.exists():
        raise StoreError(f"{path}: already exists{' and is a folder' if path.is_dir() else ''}", valid=advice)


def write_new(path: Path, data: str | bytes, advice: str = "choose another name") -> Path:
    """Write a file that must not be there yet, text as UTF-8; what cannot be written whole is removed. Raises ``StoreError``."""
    encoded = _encoded(data)
    try:
        with path.open("xb") as file:
            try:
                file.write(encoded)
                file.flush()
            except BaseException:
                path.unlink(missing_ok=True)
                raise
    except FileExistsError:
        must_be_free(path, advice)
        raise
    except OSError as e:
        raise StoreError(f"{path}: cannot be written ({e.strerror or e})") from e
    return path


def write_new_together(data: Mapping[Path, str | bytes]) -> None:
    """Write files that must not be there yet, all of them or none. Raises ``StoreError``."""
    with contextlib.ExitStack() as made:
        for path, text in data.items():
            write_new(path, text)
            made.callback(path.unlink)
        made.pop_all()


def write_over(path: Path, data: str | bytes) -> Path:
    """Write a file whole or not at all, in place of what is there: beside its place, to the disk, then renamed.

    Raises ``OSError`` where that fails; what was there is there still.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        with beside.open("xb") as file:
            file.write(_encoded(data))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return path


def write_here(path: Path, data: str | bytes, more: bool = False) -> Path:
    """Write a file, or ``more`` of it, into a folder that is still being made (``whole``, ``replacing``, ``temporary``)."""
    with path.open("ab" if more else "wb") as file:
        file.write(_encoded(data))
    return path


def _encoded(data: str | bytes) -> bytes:
    return data.encode("utf-8") if isinstance(data, str) else data


def folder_at(path: Path) -> Path:
    """The folder, made with its parents where it is not there. Raises ``StoreError``."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as e:
        raise StoreError("cannot be written (a file stands where a folder is needed)", where=str(path)) from e
    except OSError as e:
        raise StoreError(f"{path}: cannot be written ({e.strerror or e})") from e
    return path


def _plain(path: str, flags: int) -> int:
    """Opens (for ``open``) files and folders only: a pipe or a device could be waited for, or read, without end."""
    handle = os.open(path, flags | os.O_NONBLOCK, 0o666)
    kind = os.fstat(handle).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        os.close(handle)
        raise OSError(errno.EINVAL, "is a pipe or a device, not a file", path)
    return handle


def read_plain(path: Path) -> bytes:
    """What is in a file that somebody else may have made. Raises ``OSError``, for a pipe or a device too."""
    with open(path, "rb", opener=_plain) as file:
        return file.read()


def reading_plain(path: Path) -> FileIO:
    """The same file, open and unbuffered. Raises ``OSError``."""
    return open(path, "rb", buffering=0, opener=_plain)


def appending(path: Path) -> FileIO:
    """A file to read and to append to, unbuffered, made where it is not there. Raises ``OSError``, for a link too."""
    if path.is_symlink():
        raise OSError(errno.ELOOP, "is a link; what is written must lie in its folder", str(path))
    return open(path, "a+b", buffering=0, opener=lambda name, flags: _plain(name, flags | os.O_NOFOLLOW))


def append(file: FileIO, text: str) -> None:
    """Write text to the end of an unbuffered file, so that it is on the disk when this returns.

    Where that fails, or is stopped, the file is as it was. Raises ``OSError``.
    """
    rest, end = memoryview(text.encode("utf-8")), file.seek(0, os.SEEK_END)
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            file.truncate(end)
        raise


def disk_at(folder: Path) -> float:
    """Bytes free where a folder lies or would lie. Raises ``StoreError``."""
    at = next((place for place in (folder, *folder.absolute().parents) if place.exists()), Path())
    try:
        return float(shutil.disk_usage(at).free)
    except OSError as e:
        raise StoreError(f"{folder}: cannot be looked at ({e.strerror or e})") from e


@contextlib.contextmanager
def temporary(prefix: str = "attune-", folder: Path | None = None) -> Iterator[Path]:
    """A folder for the time of a ``with`` block."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as place:
        yield Path(place)


def temporary_until_exit(prefix: str = "attune-") -> Path:
    """A folder that is removed when this process ends."""
    place = Path(tempfile.mkdtemp(prefix=prefix))
    atexit.register(removed, place)
    return place


def removed(folder: Path) -> None:
    """A folder and all that is in it, as far as that can be removed."""
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(folder: Path) -> list[Path]:
    """What a process that was killed while it wrote into a folder has left there, or beside it: half-made, no results.

    Folders that another process is making now are left out.
    """
    inside = [path for left in (MAKING, ".new-*", ".*.partial", "*/.*.partial") for path in folder.glob(left)]
    inside = [path for path in inside if path.parent == folder or not path.parent.is_symlink()]
    return sorted(path for path in (*inside, *_partials(folder)) if not _in_use(path))


def _partials(folder: Path) -> list[Path]:
    """Half-made siblings of a folder (``whole``)."""
    folder = folder.absolute()
    return list(folder.parent.glob(f".{glob.escape(folder.name)}.partial-*"))


def _in_hand(folder: Path, wait: bool = True) -> int | None:
    """Lock a folder that is being made until the handle is closed, so that nobody takes it for a leftover.

    Missing where it is gone, where another has it (and nobody is to ``wait``), or where there are no locks.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(handle)
        return None
    return handle


def _in_use(path: Path) -> bool:
    """Whether somebody has a half-made folder in hand."""
    if path.is_symlink() or not path.is_dir():
        return False
    handle = _in_hand(path, wait=False)
    if handle is not None:
        os.close(handle)
    return handle is None


def tidied(folder: Path) -> None:
    """Remove these. Only for who knows that nobody is writing there."""
    for path in leftovers(folder):
        _gone(path)


def _gone(path: Path) -> None:
    removed(path)
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def moved_aside(folder: Path) -> Path:
    """Rename a folder to the first of ``NAME.before-1``, ``NAME.before-2``, ... that is free; returns its new place."""
    folder = folder.resolve()
    for i in range(1, 10_000):
        aside = folder.with_name(f"{folder.name}.before-{i}")
        if not aside.exists():
            return folder.rename(aside)
    raise StoreError(f"{folder}: has been moved aside too often; remove some of {folder.name}.before-*")


def put_in_place(path: Path, place: Path) -> None:
    """Rename a finished file or folder to its place; a folder that is there makes room first."""
    if path.is_dir() and place.is_dir():
        removed(place)
    os.replace(path, place)


def synced(folder: Path, *, deep: bool = True) -> None:
    """Have a folder's entries, and (``deep``) everything in it, on the disk when this returns."""
    # What is renamed must already be on the disk.
    for path in [*(folder.rglob("*") if deep else ()), folder]:
        with contextlib.suppress(PermissionError):
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


@contextlib.contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A temporary sibling that becomes ``folder`` when the block ends well, and is removed when it does not."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "already exists and is not empty" if folder.is_dir() else "is a file"
        raise StoreError(f"{folder}: {what}", valid="name another folder")
    for left in (2, 1, 0):
        folder_at(folder.parent)
        for unused in (path for path in _partials(folder) if not _in_use(path)):
            _gone(unused)
        try:
            partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
            break
        except OSError as e:
            if not (left and isinstance(e, FileNotFoundError)):  # else another process has just removed it (``writable``)
                raise StoreError(f"{folder}: cannot be written ({e.strerror or e})") from e
    handle = _in_hand(partial)
    try:
        yield partial
        partial.chmod(0o755)
        synced(partial)
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    except TableError:  # what was to be written could not be read
        raise
    except OSError as e:
        raise StoreError(f"{folder}: could not be written whole ({e.strerror or e}); nothing was kept") from e
    finally:
        removed(partial)
        if handle is not None:
            os.close(handle)


def writable(folder: Path) -> None:
    """Raise ``StoreError`` where a result folder could not be written, before the work rather than after it."""

    # Entering the block checks the place; leaving it by an exception removes what was made.
    class _Enough(Exception):
        pass

    made = [p for p in folder.parents if not p.exists()]
    try:
        with whole(folder):
            raise _Enough
    except _Enough:
        for parent in made:
            with contextlib.suppress(OSError):  # somebody else writes there by now
                parent.rmdir()


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files take the place of those of the same name in ``folder`` when the block ends well.

    All of them are there first, so that a full disk leaves what was there whole; what has other names stays.
    """
    tidied(folder)
    with temporary(".new-", folder) as beside:
        handle = _in_hand(beside)
        try:
            yield beside
        finally:
            if handle is not None:
                os.close(handle)
        places = {made: folder / made.relative_to(beside) for made in sorted(beside.rglob("*")) if made.is_file()}
        for place in places.values():
            must_be_no_link(place.parent, folder)
            folder_at(place.parent)
            if place.is_dir():
                raise StoreError("cannot be written (a folder of that name is there)", where=str(place))
        for made, place in places.items():
            os.replace(made, place)


def must_be_no_link(path: Path, folder: Path) -> None:
    """Raise ``StoreError`` where a folder inside another is a link, so that what is written there would land elsewhere."""
    for part in (path, *path.parents):
        if part == folder:
            return
        if part.is_symlink():
            raise StoreError(f"is a link, and nothing is written outside {folder}", where=str(part), valid="remove the link")
