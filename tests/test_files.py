"""The place that writes: whole or not at all, and nothing of the user's is lost."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from sim import files
from sim.errors import StoreError


def test_a_file_takes_the_place_of_another_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the rights that any new file has; where writing fails what was there is there, and nothing beside it."""
    place = tmp_path / "x.json"
    files.write_over(place, "old")
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(place.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    plain.unlink()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_over(place, "new")
    assert place.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["x.json"]


class _Short:
    """A file of which the disk takes ``room`` bytes and no more, and never more than three at once."""

    def __init__(self, path: Path, room: int) -> None:
        self.file, self.room = files.appending(path), room

    def write(self, data: memoryview) -> int:
        if self.room == 0:
            raise OSError(27, "File too large")
        n = self.file.write(data[: min(3, self.room)])
        self.room -= n
        return n

    def __getattr__(self, name: str) -> object:
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [1, 7, 100])
def test_a_line_is_appended_whole_or_not_at_all(tmp_path: Path, room: int) -> None:
    """A disk that takes a few bytes at a time, or that is full in the middle of a line."""
    path = tmp_path / "ledger"
    path.write_text("first\n")
    file = _Short(path, room)
    if room < 12:
        with pytest.raises(OSError, match="too large"):
            files.append(file, "second line\n")  # type: ignore[arg-type]
        assert path.read_text() == "first\n"
    else:
        files.append(file, "second line\n")  # type: ignore[arg-type]
        assert path.read_text() == "first\nsecond line\n"


def test_what_has_other_names_stays_where_files_are_replaced(tmp_path: Path) -> None:
    """A report that is written again takes the place of its own files, and of nothing of the user's."""
    (tmp_path / "figures").mkdir()
    for name in ("mine.txt", "alliance.svg"):
        (tmp_path / "figures" / name).write_text("old")
    with files.replacing(tmp_path) as beside:
        (beside / "figures").mkdir()
        (beside / "figures" / "alliance.svg").write_text("new")
        (beside / "report.html").write_text("new")
        assert (tmp_path / "figures" / "alliance.svg").read_text() == "old"
    assert {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*") if p.is_file()} == {
        "figures/mine.txt": "old",
        "figures/alliance.svg": "new",
        "report.html": "new",
    }


def test_a_new_file_is_never_written_over_another(tmp_path: Path) -> None:
    """Neither a file nor a folder of that name."""
    (tmp_path / "there").write_text("mine")
    (tmp_path / "folder").mkdir()
    for name in ("there", "folder"):
        with pytest.raises(StoreError, match=f"{name}: already exists.*choose another name"):
            files.write_new(tmp_path / name, "other")
    assert (tmp_path / "there").read_text() == "mine"


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """Text that is none in UTF-8; a folder where a file belongs."""
    with pytest.raises(UnicodeEncodeError):
        files.write_new(tmp_path / "x", "half a character \ud800")
    (tmp_path / "report.html").mkdir()
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(StoreError, match="report.html: cannot be written"), files.replacing(tmp_path) as beside:  # noqa: RUF043
        (beside / "a.txt").write_text("new")
        (beside / "report.html").write_text("new")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.txt", "report.html"] and (tmp_path / "a.txt").read_text() == "old"


def test_the_rights_of_the_process_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may make files meanwhile."""
    monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("the umask belongs to the whole process"))
    thread = threading.Thread(target=files.write_over, args=(tmp_path / "x", "text"))
    thread.start()
    thread.join()
    assert (tmp_path / "x").read_text() == "text"
