"""Rules of the house: what may import what, that every number and equation says where it comes from, what stays out."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from sim.theory.claims import KINDS, Claim, claims, sources
from sim.theory.parameters import NUMBERS

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

# ------------------------------------------------------------------------------------------------------- imports

#: Folders read as a sentence; an import goes to the same place or an earlier one.
ORDER = {
    name: level
    for level, names in enumerate(
        (
            ("luck", "compiling"),
            ("theory",),
            ("people",),
            ("therapy",),
            ("experiments",),
            ("evidence",),
            ("views",),
            ("cli",),
        )
    )
    for name in names
}
FACE = ("__init__", "__main__")  # of the package itself: they stand above everything


def own_imports(path: Path) -> set[str]:
    """Modules of ours that a file imports anywhere, as dotted names below ``sim`` ("" is the package's face)."""
    package = path.relative_to(ROOT).parent.parts
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*above, *([node.module] if node.module else [])))
            if base == "sim":
                for alias in node.names:
                    is_module = (SIM / alias.name).is_dir() or (SIM / f"{alias.name}.py").exists()
                    if is_module:
                        found.add(f"sim.{alias.name}")
                    elif alias.name != "__version__":
                        found.add("sim")
            else:
                found.add(base)
    return {name.removeprefix("sim").removeprefix(".") for name in found if name == "sim" or name.startswith("sim.")}


@every_file
def test_imports_only_go_up_the_page(path: Path) -> None:
    place = path.relative_to(SIM).parts[0].removesuffix(".py")
    if place in FACE:
        return
    assert place in ORDER, f"{short(path)}: a new folder needs its place in ORDER"
    for name in own_imports(path):
        top = name.split(".")[0]
        allowed = ORDER[top] <= ORDER[place] if top else place == "cli"
        assert allowed, f"{short(path)} imports sim.{name}, which comes later on the page"


def test_luck_imports_nothing_of_ours() -> None:
    assert own_imports(SIM / "luck.py") == set()


def test_import_sim_is_light() -> None:
    heavy = ("mesa", "matplotlib", "starlette", "uvicorn", "solara")
    code = f"import sim, sys; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


# ------------------------------------------------------------------------------------------------------- numbers

every_number = pytest.mark.parametrize("name", sorted(NUMBERS))
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
    number = NUMBERS[name]
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
    assert claim.claim and claim.kind in KINDS
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


def test_lock_holds_names_and_versions_only() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


@every_file
def test_file_fits_in_the_head(path: Path) -> None:
    if path.name in ("parameters.py", "equations.py") and path.parent.name == "theory":
        return  # one long table, one long list: meant to be looked things up in
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= 450, f"{short(path)} has {lines} lines"


def test_most_files_are_short() -> None:
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in FILES]
    assert sum(n < 300 for n in lengths) > 0.75 * len(lengths)
