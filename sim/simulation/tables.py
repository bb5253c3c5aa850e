"""What a scenario left behind, in memory: one tidy table a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sim.catalogue.columns import CLINIC_TABLES, ENSEMBLE_TABLES, TABLES
from sim.scenario.scenario import Scenario
from sim.therapy.model import SHIPPED, Model


@dataclass(frozen=True)
class Run:
    """What a scenario left behind: one table per level. All people in it are simulated.

    ``clients`` one row per course, ``sessions`` one per session held, ``assessments`` one per person and month, ``exchanges`` one
    per exchange of the dyads that the scenario asks to trace, ``items`` one per questionnaire where it asks for every item
    response. A clinic has two more: ``therapists``, one row per therapist in post and week, and ``clinic``, one per week. With
    ``parameters: ensemble`` there is ``ensemble``, one row per arm, parameter set and measure; all other tables are of the
    default parameters. Columns are described in docs/DESIGN.md."""

    scenario: Scenario
    seed: int
    clients: pd.DataFrame
    sessions: pd.DataFrame
    assessments: pd.DataFrame
    exchanges: pd.DataFrame
    model: Model = SHIPPED
    made_with: Mapping[str, Any] = field(default_factory=dict)  # of a run read back: what its model had of its own
    items: pd.DataFrame = field(default_factory=pd.DataFrame)
    therapists: pd.DataFrame = field(default_factory=pd.DataFrame)
    clinic: pd.DataFrame = field(default_factory=pd.DataFrame)
    ensemble: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def own_model(self) -> Mapping[str, Any]:
        """What the model had beyond the shipped one, also in a run that was read back (its functions are not kept)."""
        return self.model.own or self.made_with

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The stored tables by name; ``exchanges``, ``items`` and ``ensemble`` only where asked for, a clinic's only of one."""
        clinic = self.scenario.design == "clinic"
        names = [name for name in TABLES if name not in ("exchanges", "items") or len(getattr(self, name))]
        more = [*(CLINIC_TABLES if clinic else ()), *(ENSEMBLE_TABLES if len(self.ensemble) else ())]
        return {name: getattr(self, name) for name in (*names, *more)}
