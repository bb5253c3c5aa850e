"""Attune: an agent-based virtual clinic for empathy, attachment and alliance. All people in it are simulated.

import sim
usual = sim.load("scenarios/hello.yaml")
run = sim.run(usual, seed=1)
sim.plots.alliance_by_pairing(run)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sim.experiments.batch import run_batch as run_batch
    from sim.experiments.batch_results import open_batch as open_batch
    from sim.experiments.compare import compare as compare
    from sim.experiments.compare_folders import compare_folders as compare_folders
    from sim.experiments.replay import replayed as replayed
    from sim.experiments.run import Run as Run
    from sim.experiments.run import run as run
    from sim.experiments.scenario import Scenario as Scenario
    from sim.experiments.scenario import ScenarioError as ScenarioError
    from sim.experiments.scenario import from_spec as from_spec
    from sim.experiments.scenario import load as load
    from sim.experiments.store import open_run as open_run
    from sim.theory.parameters import Parameters as Parameters
    from sim.therapy.model import Model as Model
    from sim.views import plots as plots

# Loaded at first use, so that ``import sim`` is light.
_PLACES = {
    "load": "sim.experiments.scenario",
    "from_spec": "sim.experiments.scenario",
    "Scenario": "sim.experiments.scenario",
    "ScenarioError": "sim.experiments.scenario",
    "run": "sim.experiments.run",
    "Run": "sim.experiments.run",
    "open_run": "sim.experiments.store",
    "run_batch": "sim.experiments.batch",
    "open_batch": "sim.experiments.batch_results",
    "replayed": "sim.experiments.replay",
    "compare": "sim.experiments.compare",
    "compare_folders": "sim.experiments.compare_folders",
    "Parameters": "sim.theory.parameters",
    "Model": "sim.therapy.model",
}
_MODULES = {"plots": "sim.views.plots", "measures": "sim.experiments.measures"}

__all__ = ["__version__", *_PLACES, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(importlib.import_module(_PLACES[name]), name)
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    raise AttributeError(f"module 'sim' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES, *_MODULES])
