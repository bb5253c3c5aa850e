"""The house: rooms in their order, what is in them, and who imports whom. Measured from the code; nothing of it is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tools.docs.markdown import table

ROOT = Path(__file__).resolve().parents[2]
SIM = ROOT / "sim"
#: What a room may hold at most: files and lines of Python in one folder, without its subfolders.
MOST_FILES, MOST_LINES = 12, 2700
#: The page: rooms in order. An import goes to the same room or up the page.
ORDER = (
    "declared", "theory", "people", "measurement", "engine", "therapy", "therapy/clinic", "catalogue", "scenario", "engine/web",
    "simulation", "measures", "runs", "storage", "batch", "folders", "export", "evidence", "evidence/claims", "evidence/patterns",
    "evidence/sensitivity", "evidence/calibration", "report", "report/figures/experiments", "report/figures/clinic",
    "report/figures", "report/words", "report/pages", "classroom/course", "classroom", "mesa", "cli/printed", "cli/evidence",
    "cli",
)  # fmt: skip
#: Files of the top folder that everything may import; the others there are faces, above everything.
GROUND = ("version", "errors", "naming", "files", "elementary", "compiling", "luck", "screen")


@dataclass(frozen=True)
class Room:
    """One folder: its name below ``sim``, what its first docstring line says, names of its files, and lines of Python."""

    name: str
    says: str
    stems: tuple[str, ...]
    lines: int
    data: tuple[str, ...]  # files that are no Python, and folders of such files

    @property
    def files(self) -> int:
        """How many files of Python."""
        return len(self.stems)


def _modules() -> Mapping[str, Path]:
    found = {}
    for path in sorted(SIM.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = path
    return found


#: Every module by its dotted name.
MODULES = _modules()


def _room(name: str) -> Room:
    files = sorted((SIM / name).glob("*.py"))
    says = ast.get_docstring(ast.parse((SIM / name / "__init__.py").read_text(encoding="utf-8"))) or ""
    return Room(
        name,
        says.partition("\n")[0],
        tuple(f.stem for f in files),
        sum(len(f.read_text("utf-8").splitlines()) for f in files),
        tuple(_data(SIM / name)),
    )


def _data(folder: Path) -> Iterator[str]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not (path / "__init__.py").exists() and path.name != "__pycache__":
            yield f"{path.name}/"
        elif path.suffix in (".yaml", ".csv", ".j2", ".mplstyle"):
            yield path.name


#: The rooms, the top folder first.
ROOMS = tuple(_room(name) for name in ("", *ORDER))


def room_of(module: str) -> str:
    """The room in which a module lies."""
    path = MODULES[module]
    return path.parent.relative_to(SIM).as_posix().removeprefix(".")


def place(module: str) -> int:
    """How far down the page a module lies."""
    room = room_of(module)
    if room:
        return 1 + ORDER.index(room)
    return 0 if MODULES[module].stem in GROUND else 1 + len(ORDER)


@lru_cache(maxsize=None)
def imports(module: str) -> set[str]:
    """Modules of ours that a module imports anywhere in its text, for types alone or late."""
    package = MODULES[module].relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            found |= {f"{base}.{a.name}" if f"{base}.{a.name}" in MODULES else base for a in node.names}
    return {name for name in found if name in MODULES} - {module}


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of two or more that reach each other, each in the order of the alphabet (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return sorted(found)


def _arrows(room: Room) -> list[str]:
    """The rooms that the modules of a room import, in the order of the page."""
    mine = [m for m in MODULES if room_of(m) == room.name and place(m) <= len(ORDER)]
    others = {room_of(other) for m in mine for other in imports(m)} - {room.name, ""}
    return [name for name in ORDER if name in others]


def rooms_table() -> str:
    """Rooms in their order, with sizes (lines in hundreds, so that the page does not age with every comma) and arrows."""
    return table(("room", "what is in it", "files", "lines, about", "imports from"), _rows())


def _rows() -> Iterator[tuple[object, ...]]:
    top, *rooms = ROOMS
    faces = [name for name in top.stems if name not in GROUND]
    yield (
        "`sim`, ground",
        f"What every room may import. ({', '.join((*GROUND, *top.data))})",
        len(GROUND),
        _about(top, GROUND),
        "-",
    )
    for room in rooms:
        shown = [*(name for name in room.stems if not name.startswith("__")), *room.data]
        yield f"`{room.name}`", f"{room.says} ({', '.join(shown)})", room.files, _hundreds(room.lines), _listed(_arrows(room))
    shown = [name for name in faces if not name.startswith("__")]
    told = f"What `import sim`, an extension, a notebook's figures and `python -m sim` see. ({', '.join(shown)})"
    used = {room_of(other) for name in faces for other in imports(_dotted(name)) if room_of(other)}
    yield "`sim`, faces", told, len(faces), _about(top, faces), _listed(name for name in ORDER if name in used)


def _dotted(stem: str) -> str:
    return "sim" if stem == "__init__" else f"sim.{stem}"


def _listed(rooms: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in rooms) or "-"


def _hundreds(lines: int) -> int:
    return max(100, round(lines, -2))


def _about(top: Room, stems: Iterable[str]) -> int:
    return _hundreds(sum(len((SIM / top.name / f"{stem}.py").read_text("utf-8").splitlines()) for stem in stems))
