"""What a scenario left behind, in memory: one tidy table a level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from sim.catalogue.columns import CLINIC_TABLES, ENSEMBLE_TABLES, TABLES
from sim.errors import UnknownTable
from sim.naming import nearest
from sim.scenario.scenario import Scenario
from sim.screen import html_table
from sim.therapy.model import SHIPPED, Model


class Tables(dict[str, pd.DataFrame]):
    """The tables of a run by name; shows how large they are, not what they hold."""

    def __missing__(self, name: str) -> pd.DataFrame:
        raise UnknownTable(f"there is no table '{name}'{nearest(str(name), self)}; there are: {', '.join(self)}")

    def __repr__(self) -> str:
        return f"Tables({', '.join(f'{name}: {len(table):,} x {table.shape[1]}' for name, table in self.items())})"

    def _repr_html_(self) -> str:
        return html_table("tables", ("table", "rows", "columns"), [(name, *table.shape) for name, table in self.items()])


@dataclass(frozen=True, repr=False)
class Run:
    """What a scenario left behind: one table per level. All people in it are simulated.

    ``clients`` one row per course, ``sessions`` one per session held, ``assessments`` one per person and month, ``exchanges`` one
    per exchange of the dyads that the scenario asks to trace, ``items`` one per questionnaire where it asks for every item
    response. A clinic has two more: ``therapists``, one row per therapist in post and week, and ``clinic``, one per week. With
    ``parameters: ensemble`` there is ``ensemble``, one row per arm, parameter set and measure; all other tables are of the
    default parameters. Columns are described in docs/TABLES.md.

    >>> run.clients["arm"].value_counts().to_dict()
    {'secure therapist': 20, 'dismissing therapist': 20, 'no therapy': 20}
    """

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

    def __repr__(self) -> str:
        return f"Run({self.scenario.name!r}, seed {self.seed}: {self.tables!r})"

    def _repr_html_(self) -> str:
        began = self.clients[self.clients["sessions_attended"] > 0] if len(self.clients) else self.clients
        rows = []
        for arm in self.scenario.arms:
            mine = began[began["arm"] == arm.name] if len(began) else began
            left = "–" if not len(mine) else f"{100 * (mine['ending'] == 'dropout').mean():.0f} %"
            attended = "–" if not len(mine) else f"{mine['sessions_attended'].mean():.1f}"
            everybody = int((self.clients["arm"] == arm.name).sum()) if len(self.clients) else 0
            rows.append((arm.name, everybody, len(mine), attended, left))
        heads = ("arm", "clients", "began therapy", "sessions attended, mean", "dropped out")
        return html_table(f"{self.scenario.name}, seed {self.seed}. All people are simulated.", heads, rows)

    @property
    def own_model(self) -> Mapping[str, Any]:
        """What the model had beyond the shipped one, also in a run that was read back (its functions are not kept)."""
        return self.model.own or self.made_with

    @property
    def tables(self) -> Tables:
        """The stored tables by name; ``exchanges``, ``items`` and ``ensemble`` only where asked for, a clinic's only of one."""
        clinic = self.scenario.design == "clinic"
        names = [name for name in TABLES if name not in ("exchanges", "items") or len(getattr(self, name))]
        more = [*(CLINIC_TABLES if clinic else ()), *(ENSEMBLE_TABLES if len(self.ensemble) else ())]
        return Tables((name, getattr(self, name)) for name in (*names, *more))
