"""Rules of the house: what may import what, that every number and equation says where it comes from, what stays out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from sim.theory.claims import Claim, claims, sources
from sim.theory.parameters import PARAMETERS
from tools.docs.house import MODULES, MOST_FILES, MOST_LINES, ROOMS, Room, circles, imports, place

ROOT = Path(__file__).resolve().parents[1]
SIM = ROOT / "sim"
FILES = sorted(SIM.rglob("*.py"))
CLAIM_IDS = [f"K{i}" for i in range(1, 28)] + [f"A{i}" for i in range(1, 10)]
STATUSES = {"empirical", "derived", "calibrated", "assumption"}


def short(path: Path) -> str:
    """A file's name as seen from the repository."""
    return path.relative_to(ROOT).as_posix()


@lru_cache(maxsize=None)
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


every_file = pytest.mark.parametrize("path", FILES, ids=short)

# ------------------------------------------------------------------------------------------------------- rooms

every_room = pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name or "sim")


@pytest.mark.parametrize("module", sorted(MODULES))
def test_imports_only_go_up_the_page(module: str) -> None:
    """A module imports from its own room and from earlier ones, at run time or for types alone."""
    later = [other for other in imports(module) if place(other) > place(module)]
    assert not later, f"{module} imports {', '.join(sorted(later))}, which come later on the page (tools/docs/house.py)"


def test_no_circle() -> None:
    """Nobody imports, on any way, type-only imports included, what imports them."""
    assert circles({name: imports(name) for name in MODULES}) == []


def test_a_circle_is_found() -> None:
    """Also one of three, beside what leads into it."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


@every_room
def test_a_room_can_be_surveyed(room: Room) -> None:
    """At most so many files and lines in one folder, without its subfolders."""
    assert room.files <= MOST_FILES, f"{room.name} has {room.files} files"
    assert room.lines <= MOST_LINES, f"{room.name} has {room.lines} lines"


@every_room
def test_no_name_says_what_its_room_or_its_siblings_say(room: Room) -> None:
    """No file begins with the name of its room, and no two in a room begin with the same word."""
    stems = [stem for stem in room.stems if not stem.startswith("__")]
    first = [stem.partition("_")[0] for stem in stems]
    assert not [stem for stem in stems if "_" in stem and stem.startswith(f"{room.name.rpartition('/')[2]}_")]
    assert not [word for word in set(first) if first.count(word) > 1], f"{room.name}: {sorted(stems)}"


def test_every_folder_is_a_room() -> None:
    """A new folder needs its place on the page."""
    folders = {path.parent.relative_to(SIM).as_posix().removeprefix(".") for path in FILES}
    assert folders == {room.name for room in ROOMS}


def test_luck_imports_elementary_functions_only_and_they_nothing_of_ours() -> None:
    assert imports("sim.luck") == {"sim.elementary"}
    assert imports("sim.elementary") == set()


def test_import_sim_is_light() -> None:
    heavy = ("mesa", "matplotlib", "starlette", "uvicorn", "solara")
    code = f"import sim, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_only_the_screen_draws_on_the_terminal() -> None:
    """One module makes tables, progress bars and consoles."""
    makes = re.compile(r"\b(Console|Table|Progress|Bar)\(")
    who = {short(p) for p in FILES if "rich" in p.read_text(encoding="utf-8") and makes.search(p.read_text(encoding="utf-8"))}
    assert who == {"sim/screen.py"}, who


#: What writes a file, but for libraries that are handed a path in a folder that ``files.whole`` or ``files.replacing`` has made.
WRITES = re.compile(
    r"\.write_text\(|\.write_bytes\(|\bopen\([^)]*[\"'][rwxa]b?\+?b?[\"']|mkstemp|mkdtemp|os\.replace|os\.rename|shutil\.|\.mkdir\(|\.unlink\("
)


@every_file
def test_only_files_writes(path: Path) -> None:
    if short(path) == "sim/files.py":
        return
    text = path.read_text(encoding="utf-8")
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if WRITES.search(line) and not re.search(r"\bopen\([^)]*[\"']rb?[\"']", line)]
    found += [line for line in lines if "savefig(" in line and "savefig(buffer" not in line]
    assert found == [], f"{short(path)}: sim/files.py writes"


# ------------------------------------------------------------------------------------------------------- numbers

every_number = pytest.mark.parametrize("name", sorted(PARAMETERS))
#: Wired by name: ``client_x`` is used where a client's step takes ``x``.
PREFIXES = ("client_", "therapist_", "observer_", "task_", "goal_", "anxiety_", "avoidance_")


@lru_cache(maxsize=1)
def names_used() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Arguments, attributes and exact strings in the code, and patterns of f-strings that build names."""
    names, patterns = set(), set()
    for path in FILES:
        if path.name in ("parameters.py", "policies.py"):  # these declare and set numbers, they do not use them
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.arg):
                names.add(node.arg)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [str(v.value) if isinstance(v, ast.Constant) else None for v in node.values]
                if sum(len(p) for p in parts if p) >= 6 and all(re.fullmatch(r"\w+", p) for p in parts if p):
                    patterns.add("".join(re.escape(p) if p else r"\w+" for p in parts))
    return frozenset(names), tuple(map(re.compile, sorted(patterns)))


@every_number
def test_number_says_where_it_comes_from(name: str) -> None:
    number = PARAMETERS[name]
    assert number.status in STATUSES
    assert number.status != "empirical" or number.source, "an empirical number needs a source"
    assert not number.source or number.source in sources(), f"no source '{number.source}' in sources.yaml"
    assert number.low <= number.default <= number.high
    assert number.unit and number.meaning and number.group


@every_number
def test_number_is_used(name: str) -> None:
    names, patterns = names_used()
    forms = {name} | {name.removeprefix(p) for p in PREFIXES}
    assert forms & names or any(p.fullmatch(name) for p in patterns), f"nothing uses '{name}': remove it"


# ----------------------------------------------------------------------------------------- equations and claims

EQUATIONS = {
    node.name: ast.get_docstring(node) or ""
    for node in tree(SIM / "theory" / "equations.py").body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
}
#: A key of sources.yaml looks like this in a text: a name and a year, or a name known without one.
KEY = re.compile(r"\b[a-z]{2,}(?:19|20)\d\d\b")


@pytest.mark.parametrize("name", sorted(EQUATIONS))
def test_equation_says_where_it_comes_from(name: str) -> None:
    text = EQUATIONS[name]
    assert any(status in text.lower() for status in STATUSES), f"{name}: the docstring gives no status"
    tags = [tag for group in re.findall(r"\[([^\]]*)\]", text) for tag in re.findall(r"\b[KA]\d+\b", group)]
    assert set(tags) <= set(CLAIM_IDS), f"{name} names a claim that does not exist"
    keys = set(KEY.findall(text))
    assert keys <= set(sources()), f"{name} names a source that is not in sources.yaml: {keys - set(sources())}"


def test_every_claim_has_its_row() -> None:
    assert list(claims()) == CLAIM_IDS


@pytest.mark.parametrize("claim", claims().values(), ids=list(claims()))
def test_claim_is_carried(claim: Claim) -> None:
    assert claim.claim and claim.kind in ("mechanism", "readout", "teaching")
    assert claim.source in sources()
    expected = {"K19": "readout", "K21": "readout", "K26": "readout", "K27": "teaching"}.get(claim.id, "mechanism")
    assert claim.kind == expected
    assert set(claim.equations) <= set(EQUATIONS), f"not in equations.py: {set(claim.equations) - set(EQUATIONS)}"
    assert claim.equations or claim.kind != "mechanism", "no equation's docstring names it"
    assert claim.columns or claim.kind == "teaching"
    assert len(set(claim.columns)) == len(claim.columns)


def test_sources_are_complete() -> None:
    for key, source in sources().items():
        assert source.citation and source.used_for, key
        assert not source.doi or re.fullmatch(r"10\.\d{4,9}/\S+", source.doi), key


# ---------------------------------------------------------------------------------------------- what stays out

#: Types that hold a stream someone else owns; asking the module itself for numbers is what is forbidden.
RANDOM_TYPES = {"Generator", "BitGenerator", "SeedSequence"}


def dotted(node: ast.AST) -> str:
    """``np.random.normal`` of an attribute chain, else nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def unaddressed_randomness(module: ast.Module) -> list[str]:
    """Uses of module-level random numbers in a syntax tree."""
    found = []
    seeded = {id(n.func) for n in ast.walk(module) if isinstance(n, ast.Call) and (n.args or n.keywords)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found += [a.name for a in node.names if re.match(r"(numpy\.)?random\b", a.name)]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [f"from {node.module}"] if re.match(r"(numpy\.)?random\b", node.module or "") else []
            found += ["from numpy import random" for a in node.names if (node.module, a.name) == ("numpy", "random")]
        elif isinstance(node, ast.Attribute) and re.fullmatch(r"(np|numpy)\.random\.\w+", dotted(node)):
            allowed = node.attr in RANDOM_TYPES or (node.attr in ("default_rng", "MT19937") and id(node) in seeded)
            found += [] if allowed else [dotted(node)]
    return found


@every_file
def test_no_unaddressed_randomness(path: Path) -> None:
    assert unaddressed_randomness(tree(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import choice",
        "from numpy import random",
        "import numpy.random as r",
        "np.random.seed(1)",
        "x = numpy.random.normal()",
        "np.random.default_rng()",
    ],
)
def test_the_search_for_randomness_finds(text: str) -> None:
    assert unaddressed_randomness(ast.parse(text))


@pytest.mark.parametrize(
    "text", ["rng = np.random.default_rng(seed)", "def f(rng: np.random.Generator): ...", "import numpy as np"]
)
def test_the_search_for_randomness_lets_pass(text: str) -> None:
    assert not unaddressed_randomness(ast.parse(text))


#: Places of one machine, and hosts of package indexes. Split, so that this file does not find itself.
FORBIDDEN = tuple(
    "".join(parts)
    for parts in (
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/tm", "p/v"),
        ("/opt/", "pypi"),
        ("https://", "pypi"),
        ("http://", "pypi"),
        ("pypi.", "org"),
        ("files.", "pythonhosted"),
        ("/simp", "le/"),
        ("--index", "-url"),
        ("--extra-index", "-url"),
    )
)


def committed() -> list[Path]:
    """Files of the repository: tracked, or new and not ignored."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        return [p for name in done.stdout.split("\0") if name and (p := ROOT / name).is_file()]
    skipped = {
        ".git",
        ".venv",
        "results",
        "build",
        "dist",
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
    }
    return [p for p in ROOT.rglob("*") if p.is_file() and not skipped & set(p.relative_to(ROOT).parts)]


def test_no_machine_paths_or_index_hosts() -> None:
    files = committed()
    assert files
    found = []
    for path in files:
        raw = path.read_bytes()
        if b"\0" in raw:
            continue
        text = raw.decode("utf-8", errors="replace").lower()
        found += [f"{short(path)}: {word}" for word in FORBIDDEN if word in text]
    assert found == []


@every_file
def test_file_fits_in_the_head(path: Path) -> None:
    if path.name in ("parameters.py", "equations.py") and path.parent.name == "theory":
        return  # one long table, one long list: meant to be looked things up in
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 450, f"{short(path)} has {lines} lines"


def test_most_files_are_short() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES]
    assert sum(n < 300 for n in lengths) > 0.75 * len(lengths)
