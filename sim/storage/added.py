"""What whoever ran a scenario had added to the model's registries: policies, programmes, matching rules.

Policies and programmes are data and are kept with a run; of a matching rule, which is code, a run knows its name and a hash.
"""

from __future__ import annotations

import hashlib
import json
import linecache
import threading
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import AddedError, MatchingError
from sim.files import read_plain
from sim.naming import wrong_names
from sim.scenario.scenario import Scenario
from sim.storage.names import ADDED
from sim.therapy import training
from sim.therapy.clinic import matching
from sim.therapy.model import what_it_does
from sim.therapy.policies import POLICIES, Policy


def in_manifest(scenario: Scenario) -> dict[str, Any]:
    """What a run's manifest says of these; nothing where the scenario uses none."""
    return {key: value for key, value in _of(scenario).items() if value}


def identity(scenario: Scenario) -> str:
    """A text that differs where any of these does."""
    return json.dumps(list(_of(scenario).values()), sort_keys=True)


def _of(scenario: Scenario) -> dict[str, dict[str, Any]]:
    """What the policies and programmes of a scenario do, and a hash of what each matching rule does that is not shipped."""
    policies = dict.fromkeys(name for arm in scenario.arms for name in arm.policies if name in POLICIES)
    clinics = [arm.clinic for arm in scenario.arms if arm.clinic is not None]
    programmes = dict.fromkeys(name for clinic in clinics for name in clinic.training if name in training.PROGRAMMES)
    rules = {clinic.matching: matching.MATCHING.get(clinic.matching) for clinic in clinics}
    own = {name: rule for name, rule in rules.items() if rule is not None and rule is not matching.SHIPPED.get(name)}
    return {
        "policies": {name: asdict(POLICIES[name]) for name in policies},
        "training": {name: asdict(training.PROGRAMMES[name]) for name in programmes},
        "matching": {name: hashlib.blake2b(what_it_does(rule).encode(), digest_size=8).hexdigest() for name, rule in own.items()},
    }


def restore(manifest: Mapping[str, Any]) -> None:
    """Make what a run had added known again, so that it can be read; what is registered already stays as it is.

    Policies and programmes come back whole. In place of a matching rule comes one that says where it would have to come from.
    """
    for name, said in manifest.get("policies", {}).items():
        POLICIES.setdefault(name, Policy(**said))
    for name, said in manifest.get("training", {}).items():
        training.PROGRAMMES.setdefault(name, training.Programme(**said))
    for name in manifest.get("matching", {}):
        matching.MATCHING.setdefault(name, _not_here)


def _not_here(seen: matching.Seen) -> np.ndarray:
    """A rule whose code is not here, only its name in a run that was read back."""
    raise MatchingError("its code is not kept with a run; give the file that adds it (--with FILE)")


def kept_files(folder: Path, known: Mapping[str, str]) -> None:
    """Look whether the files that a batch keeps from ``--with`` are those that it was run with; none of them is run.

    Raises ``AddedError`` for one that is missing or was changed.
    """
    for name, digest in known.items():
        path = folder / ADDED / name
        try:
            data = read_plain(path)
        except (OSError, ValueError) as e:
            raise AddedError(f"{path}: cannot be read ({getattr(e, 'strerror', None) or e}); the batch was run with it") from e
        if hashlib.blake2b(data, digest_size=8).hexdigest() != digest:
            raise AddedError(f"{path}: was changed after the batch was begun; restore it")


#: Name and text of what this process has run.
RUN_HERE: set[tuple[str, str]] = set()
_ONE_AT_A_TIME = threading.RLock()


def run_files(paths: Iterable[Path] | None) -> None:
    """Run files that add to the registries, one after the other. Raises ``AddedError`` that names the line where one fails."""
    for path in paths or ():
        _run(path)


def run_once(name: str, text: str) -> None:
    """Run the text of such a file, unless this process has run it; for processes that simulate parts of a batch."""
    with _ONE_AT_A_TIME:
        if (Path(name).name, text) not in RUN_HERE:
            _execute(Path(name).name, text, _place(name))


def _execute(name: str, text: str, file: str) -> None:
    place = _place(name)
    linecache.cache[place] = (len(text), None, text.splitlines(keepends=True), place)
    exec(compile(text, place, "exec"), {"__name__": "attune_with", "__file__": file})
    RUN_HERE.add((name, text))


def _place(name: str) -> str:
    """What such a file is called in tracebacks: the same in every process."""
    return f"with/{Path(name).name}"


def _run(path: Path) -> None:
    if path.is_dir():
        raise AddedError("is a folder, not a Python file", where=str(path))
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as e:
        raise AddedError(f"cannot be read ({getattr(e, 'strerror', None) or e})", where=str(path)) from e
    try:
        _execute(path.name, text, str(path))
    except KeyboardInterrupt:  # Ctrl-C
        raise
    except BaseException as e:  # SystemExit too: else nothing would be run, without a word
        lines = [entry.lineno for entry in traceback.extract_tb(e.__traceback__) if entry.filename == _place(path.name)]
        where = f"{path}:{lines[-1]}" if lines else str(path)
        raise AddedError(f"{type(e).__name__}: {e}", where=where) from e
    for what, added, wanted in (("policy", POLICIES, Policy), ("programme", training.PROGRAMMES, training.Programme)):
        for name, one in added.items():
            if not isinstance(name, str) or not isinstance(one, wanted):
                raise AddedError(f"{what} '{name}' must be a {wanted.__name__} of sim.extend, not {one!r}", where=str(path))
    for name, rule in matching.MATCHING.items():
        if not isinstance(name, str) or not callable(rule):
            raise AddedError(f"matching rule '{name}' must be a function of what a service sees, not {rule!r}", where=str(path))
    for what, names in (("policy", POLICIES), ("programme", training.PROGRAMMES), ("matching rule", matching.MATCHING)):
        if said := wrong_names(names):
            raise AddedError(f"the name of a {what}: {said}", where=str(path))
