"""Attune: an agent-based virtual clinic for empathy, attachment and alliance. All people in it are simulated.

import sim
usual = sim.load("scenarios/hello.yaml")
run = sim.run(usual, seed=1)
sim.plots.alliance_by_pairing(run)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sim.version import __version__ as __version__

if TYPE_CHECKING:
    from sim import measures as measures
    from sim import plots as plots
    from sim.batch.results import open_batch as open_batch
    from sim.batch.run import run_batch as run_batch
    from sim.errors import AttuneError as AttuneError
    from sim.errors import ScenarioError as ScenarioError
    from sim.folders.compare import compare_folders as compare_folders
    from sim.runs.compare import compare as compare
    from sim.runs.run import run as run
    from sim.scenario.scenario import Scenario as Scenario
    from sim.scenario.scenario import from_spec as from_spec
    from sim.scenario.scenario import load as load
    from sim.simulation.tables import Run as Run
    from sim.storage.reading import open_run as open_run
    from sim.theory.parameters import Parameters as Parameters
    from sim.therapy.model import Model as Model

# Loaded at first use, so that ``import sim`` is light.
_PLACES = {
    "load": "sim.scenario.scenario",
    "from_spec": "sim.scenario.scenario",
    "Scenario": "sim.scenario.scenario",
    "AttuneError": "sim.errors",
    "ScenarioError": "sim.errors",
    "run": "sim.runs.run",
    "Run": "sim.simulation.tables",
    "open_run": "sim.storage.reading",
    "run_batch": "sim.batch.run",
    "open_batch": "sim.batch.results",
    "compare": "sim.runs.compare",
    "compare_folders": "sim.folders.compare",
    "Parameters": "sim.theory.parameters",
    "Model": "sim.therapy.model",
}
_MODULES = {"plots": "sim.plots", "measures": "sim.measures", "extend": "sim.extend"}

__all__ = ["__version__", *_PLACES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'sim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return list(__all__)
