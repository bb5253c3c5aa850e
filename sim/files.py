"""The only place that writes: files and folders whole or not at all, never over what is there unless that is meant.

Messages name the path and what would do. Nothing here knows what is in a file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from io import FileIO
from pathlib import Path

from sim.errors import StoreError


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
    for path in data:
        must_be_free(path)
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


def appending(path: Path) -> FileIO:
    """A file to read and to append to, unbuffered, made where it is not there."""
    return path.open("a+b", buffering=0)


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


@contextlib.contextmanager
def temporary(prefix: str = "attune-", folder: Path | None = None) -> Iterator[Path]:
    """A folder for the time of a ``with`` block."""
    with tempfile.TemporaryDirectory(prefix=prefix, dir=folder) as place:
        yield Path(place)


def lasting_temporary(prefix: str = "attune-") -> Path:
    """A folder of this process that nobody removes."""
    return Path(tempfile.mkdtemp(prefix=prefix))


def removed(folder: Path) -> None:
    """A folder and all that is in it, as far as that can be removed."""
    shutil.rmtree(folder, ignore_errors=True)


def leftovers(folder: Path) -> list[Path]:
    """What a process that was killed while it wrote into a folder has left there: half-made files and folders, no results."""
    return sorted(path for left in (".making", ".new-*", ".*.partial", "*/.*.partial") for path in folder.glob(left))


def tidied(folder: Path) -> None:
    """Remove these. Only for who knows that nobody is writing there."""
    for path in leftovers(folder):
        removed(path)
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def moved_aside(folder: Path) -> Path:
    """Rename a folder to the first of ``NAME.before-1``, ``NAME.before-2``, ... that is free; returns its new place."""
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
    folder_at(folder.parent)
    try:
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.parent))
    except OSError as e:
        raise StoreError(f"{folder}: cannot be written ({e.strerror or e})") from e
    try:
        yield partial
        partial.chmod(0o755)
        synced(partial)
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    except OSError as e:
        raise StoreError(f"{folder}: could not be written whole ({e.strerror or e}); nothing was kept") from e
    finally:
        removed(partial)


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
            parent.rmdir()


@contextlib.contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A temporary folder whose files take the place of those of the same name in ``folder`` when the block ends well.

    All of them are there first, so that a full disk leaves what was there whole; what has other names stays.
    """
    with temporary(".new-", folder) as beside:
        yield beside
        places = {made: folder / made.relative_to(beside) for made in sorted(beside.rglob("*")) if made.is_file()}
        for place in places.values():
            folder_at(place.parent)
            if place.is_dir():
                raise StoreError("cannot be written (a folder of that name is there)", where=str(place))
        for made, place in places.items():
            os.replace(made, place)
