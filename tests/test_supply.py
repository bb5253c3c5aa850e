"""What is installed: pinned by hash in ``locks/``, each package declared for a reason."""

from __future__ import annotations

import ast
import itertools
import re
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tools.docs import packages

ROOT = Path(__file__).resolve().parents[1]
#: Every lock, and the extras that it holds.
LOCKS = {"run": ("",), "test": ("", "test"), "mesa-page": ("", "test", "mesa-page")}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_what_is_declared_by_hash(name: str) -> None:
    """Names, versions, where they count, and hashes; no addresses. A version is the same in every lock that has the package."""
    lines = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pin = re.compile(r"[a-z0-9-]+(\[[a-z0-9, -]+\])?==[a-z0-9.+!]+( ; [a-z_. <>=!'()0-9A-Z]+)? \\")
    hashed = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    assert [line for line in lines if not (pin.fullmatch(line) or hashed.fullmatch(line))] == []
    bare = [line for line, after in itertools.pairwise(lines) if "==" in line and "--hash" not in after]
    assert bare == [] and lines[-1].startswith("    --hash=")
    pinned = packages.locked(name)
    assert {package for extra in LOCKS[name] for package in packages.declared(extra)} - set(pinned) == set()
    assert {package: version for package, version in packages.locked("run").items() if pinned[package] != version} == {}


def test_what_is_installed_is_what_is_locked() -> None:
    """``make`` promises this; in an environment of one's own other versions may do."""
    if not (Path(sys.prefix) / ".installed").exists():
        pytest.skip("this environment was not made by make")
    here = {package: metadata.version(package) for package in packages.locked("run")}
    assert here == packages.locked("run")


def test_every_package_that_is_imported_is_declared_and_has_its_reason() -> None:
    """In pyproject.toml, and in the table of docs/DESIGN.md: the same packages."""
    table = (ROOT / "docs" / "DESIGN.md").read_text(encoding="utf-8").partition("\n## Packages\n")[2].partition("\n## ")[0]
    reasons = {canonicalize_name(name) for name in re.findall(r"^\| ([\w.-]+) \| \w", table, re.M)} - {"package"}
    assert reasons == set(packages.declared())
    extras = ("cluster", "excel", "netcdf", "mesa-page")
    declared = {*reasons, *(package for extra in extras for package in packages.declared(extra))}
    modules = {"sklearn": "scikit-learn", "ruamel": "ruamel-yaml", "pydantic-core": "pydantic"}
    imported = {
        (node.module or "").partition(".")[0] if isinstance(node, ast.ImportFrom) else name.name.partition(".")[0]
        for path in (ROOT / "sim").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and not getattr(node, "level", 0)
        for name in node.names
    }
    others = {canonicalize_name(name) for name in imported - set(sys.stdlib_module_names) - {"sim"}}
    assert {modules.get(name, name) for name in others} - declared == set()
