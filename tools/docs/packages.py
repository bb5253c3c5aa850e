"""What is installed, counted: the packages that the project names, and those that these bring with them (``locks``)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
#: The Linux and Python for which the page counts.
_HERE = {"sys_platform": "linux", "platform_system": "Linux", "python_full_version": "3.11.7", "python_version": "3.11",
         "platform_python_implementation": "CPython", "platform_machine": "x86_64"}  # fmt: skip


def declared(extra: str = "") -> list[str]:
    """What ``pyproject.toml`` names: of the package itself, or of an extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["optional-dependencies"][extra] if extra else project["dependencies"]
    return [canonicalize_name(Requirement(one).name) for one in wanted]


def locked(name: str) -> dict[str, str]:
    """What a lock pins where it counts: package -> version."""
    text = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")
    found = [Requirement(line) for line in re.findall(r"^([^\s#].*?) \\$", text, re.M)]
    here = [one for one in found if one.marker is None or one.marker.evaluate(_HERE)]
    return {canonicalize_name(one.name): str(one.specifier).removeprefix("==") for one in here}


def counted() -> str:
    """The sentence of the README."""
    run, test = (set(locked(name)) for name in ("run", "test"))
    direct = len(declared())
    return (
        f"`make run` installs {len(run)} packages: {direct} that Attune names ([docs/DESIGN.md](docs/DESIGN.md) says why), "
        f"{len(run) - direct - 1} that these\nneed, and setuptools; `make test` {len(test - run)} more. "
        "All are pinned in `locks/` with the hash of every file that may come."
    )
