"""Every public name has a docstring with an example, and every example in the product comes out as it is written."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import sim
import sim.extend

SCENARIOS = Path(__file__).parents[1] / "scenarios"
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
PUBLIC = {
    f"{face.__name__}.{name}": getattr(face, name)
    for face in (sim, sim.extend, sim.measures, sim.plots)
    for name in face.__all__
    if callable(getattr(face, name))
}


@lru_cache(maxsize=None)
def small(name: str, **changes: Any) -> sim.Run:
    """A shipped scenario with few people."""
    scenario = sim.load(SCENARIOS / f"{name}.yaml").but(clients_per_arm=40, replicates=1)
    return sim.run(scenario.but(**{key: dict(value) for key, value in changes.items()}), seed=1)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the examples take for granted: a scenario and its run, a clinic's run, a folder of results and a finished batch."""
    from sim.storage import store

    place = tmp_path_factory.mktemp("examples")
    usual = sim.load(SCENARIOS / "hello.yaml")
    sweep = usual.but(batch={"vary": {"trust_rate": [0.1, 0.3]}}, clients_per_arm=10, record={})
    clinic = sim.load(SCENARIOS / "clinic_first_free.yaml").but(
        replicates=1, clinic={"weeks": 40, "intake_weeks": 30, "therapists": 4}
    )
    run = sim.run(usual, seed=1)
    return {
        "sim": sim, "usual": usual, "run": run, "sweep": sweep, "place": place / "batch", "clinic": sim.run(clinic, seed=1),
        "folder": store.save(run, place / "run"), "finished": sim.run_batch(sweep, 1, place / "finished", workers=1),
        "small": lambda name, **changes: small(name, **{k: tuple(v.items()) for k, v in changes.items()}),
    }  # fmt: skip


def modules() -> Iterator[str]:
    """Every module of the product that can be imported everywhere."""
    for found in pkgutil.walk_packages(sim.__path__, "sim."):
        if found.name not in ("sim.__main__", "sim.mesa.solara"):
            yield found.name


WITH_EXAMPLES = [name for name in modules() if re.search(r"^\s*>>> ", inspect.getsource(importlib.import_module(name)), re.M)]


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_names_have_a_docstring_with_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(PUBLIC[name]) or ""), name


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_come_out_as_written(name: str, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCENARIOS.parent)
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs=given, optionflags=FLAGS)
    assert found.attempted and not found.failed
