"""From the columns that simulations leave behind to tidy tables: labels, types and the order of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.columns import CLINIC_TABLES, TABLES, columns_of
from sim.measurement.instruments import INSTRUMENTS
from sim.measurement.responses import OCCASIONS, RATERS
from sim.theory.styles import STYLES, style_index
from sim.therapy.course import RUPTURE_TYPES
from sim.therapy.session import ENDINGS

#: Columns of whole numbers, by table.
_COUNTS: Mapping[str, frozenset[str]] = {
    "clients": frozenset({"planned_sessions", "sessions_attended", "arrival_week"}),
    "sessions": frozenset({"session", "week", "ruptures", "repairs", "open_rupture", "ruptures_client_reported",
                           "ruptures_observer_reported"}),
    "assessments": frozenset({"month", "life_events"}),
    "exchanges": frozenset({"session", "exchange", "repairs", "open_rupture"}),
    "items": frozenset({"week"}),
    "therapists": frozenset({"therapist", "week", "caseload", "sessions_held"}),
    "clinic": frozenset(columns_of("clinic")) - {"arm", "replicate"},
}  # fmt: skip
#: Columns of whole numbers that may be missing, by table; of all others that of the therapist.
_MAY_BE_MISSING: Mapping[str, frozenset[str]] = {
    "therapists": frozenset(),
    "items": frozenset({"therapist", "session", *(name for name in columns_of("items") if name.startswith("item_"))}),
}
#: Questionnaires of the table of items; those that were added come behind.
_FORMS = tuple(dict.fromkeys(one.form for one in INSTRUMENTS))
#: Parts of a task's tables: arm, then columns.
Part = tuple[str, Mapping[str, Any]]


def styles_of(clients: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Numbers of the styles of both people, from latent scores; without a therapist the position after the last."""
    found = {}
    for role in ("client", "therapist"):
        anxiety, avoidance = clients[f"{role}_anxiety_0_latent"], clients[f"{role}_avoidance_0_latent"]
        if role == "client" and "client_anxiety_arrival_latent" in clients:  # who had no course was only seen at arrival
            seen = np.isnan(anxiety)
            anxiety = np.where(seen, clients["client_anxiety_arrival_latent"], anxiety)
            avoidance = np.where(seen, clients["client_avoidance_arrival_latent"], avoidance)
        known = ~np.isnan(anxiety)
        index = style_index(np.nan_to_num(anxiety), np.nan_to_num(avoidance))
        found[f"{role}_style"] = np.where(known, index, len(STYLES))
    return found


def _labelled(codes: np.ndarray, labels: Iterable[str]) -> pd.Categorical[Any]:
    return pd.Categorical.from_codes(np.asarray(codes, np.int32), categories=pd.Index(list(labels), dtype="str"))


def labels_of(table: str, arms: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The labels of a table's columns that have a fixed list of them."""
    styles = (*STYLES, "none")
    own: dict[str, dict[str, tuple[str, ...]]] = {
        "items": {"when": tuple(OCCASIONS), "rater": tuple(RATERS), "instrument": _FORMS},
        "clients": {"client_style": styles, "therapist_style": styles, "ending": tuple(ENDINGS[1:])},
        "sessions": {"rupture_type": tuple(RUPTURE_TYPES)},
    }
    return {"arm": tuple(arms), **own.get(table, {})}


def may_be_missing(table: str) -> frozenset[str]:
    """Columns of a table that hold whole numbers and may have none."""
    return _MAY_BE_MISSING.get(table, frozenset({"therapist"}))


def frame(parts: list[Part], table: str, arms: Iterable[str], clinic: bool = False) -> pd.DataFrame:
    """One table from the parts of all tasks, in order, with labels and types."""
    arms, described = list(arms), columns_of(table, clinic)
    order, counts, labels = list(described), _COUNTS[table], labels_of(table, arms)
    if not parts:
        return pd.DataFrame({name: pd.Series(dtype="float64") for name in order})
    arm_codes = np.concatenate([np.full(p["replicate"].size, arms.index(arm)) for arm, p in parts])
    data: dict[str, Any] = {"arm": _labelled(arm_codes, arms)}
    # An instrument that is first given late has no column where courses are shorter.
    for name in dict.fromkeys(name for _, p in parts for name in p):
        values = np.concatenate([p.get(name, np.full(p["replicate"].size, np.nan)) for _, p in parts])
        if name in may_be_missing(table):
            data[name] = pd.arrays.IntegerArray(np.where(values < 0, 0, values), values < 0)
        elif name == "instrument" and name in labels:
            data[name] = pd.Categorical(values, categories=list(dict.fromkeys([*_FORMS, *values])))
        elif name in labels:
            data[name] = _labelled(values - 1 if name == "ending" else values, labels[name])
        else:
            data[name] = values.astype(np.int32) if name in counts else values
    more = [name for name in data if name not in described]  # of mechanisms and instruments that were added
    nothing = np.full(arm_codes.size, np.nan)  # in columns of a step or verb that a changed model is without
    return pd.DataFrame({name: data.get(name, nothing) for name in (*order, *more)})


def frames(parts: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]], arms: Iterable[str], clinic: bool) -> dict[str, Any]:
    """All tables of a run by name, from every task's arm and tables."""
    arms = list(arms)
    return {
        name: frame([(arm, tables[name]) for arm, tables in parts if name in tables], name, arms, clinic)
        for name in (*TABLES, *(CLINIC_TABLES if clinic else ()))
    }
