"""From the columns that simulations leave behind to tidy tables: labels, types and the order of columns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sim.catalogue.columns import CLINIC_TABLES, SOME_WHOLE, TABLES, WHOLE, Column, columns_of
from sim.theory.styles import STYLES, style_index

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
    return {"arm": tuple(arms), **{name: one.labels for name, one in columns_of(table).items() if one.labels}}


def frame(parts: list[Part], table: str, arms: Iterable[str], clinic: bool = False) -> pd.DataFrame:
    """One table from the parts of all tasks, in order, with labels and types."""
    arms, described = list(arms), columns_of(table, clinic)
    if not parts:
        return pd.DataFrame({name: np.empty(0) for name in described})
    arm_codes = np.concatenate([np.full(p["replicate"].size, arms.index(arm)) for arm, p in parts])
    data: dict[str, Any] = {"arm": _labelled(arm_codes, arms)}
    # An instrument that is first given late has no column where courses are shorter.
    for name in dict.fromkeys(name for _, p in parts for name in p):
        values = np.concatenate([p.get(name, np.full(p["replicate"].size, np.nan)) for _, p in parts])
        one = described.get(name, Column("", ""))  # of mechanisms and instruments that were added
        if one.kind == SOME_WHOLE:
            data[name] = pd.arrays.IntegerArray(np.where(values < 0, 0, values), values < 0)
        elif name == "instrument":  # by name; those that were added come behind the shipped ones
            data[name] = pd.Categorical(values, categories=list(dict.fromkeys([*one.labels, *values])))
        elif one.labels:
            data[name] = _labelled(values - 1 if name == "ending" else values, one.labels)
        else:
            data[name] = values.astype(np.int32) if one.kind == WHOLE else values
    more = [name for name in data if name not in described]
    nothing = np.full(arm_codes.size, np.nan)  # in columns of a step or verb that a changed model is without
    return pd.DataFrame({name: data.get(name, nothing) for name in (*described, *more)})


def frames(parts: Sequence[tuple[str, Mapping[str, Mapping[str, Any]]]], arms: Iterable[str], clinic: bool) -> dict[str, Any]:
    """All tables of a run by name, from every task's arm and tables."""
    arms = list(arms)
    return {
        name: frame([(arm, tables[name]) for arm, tables in parts if name in tables], name, arms, clinic)
        for name in (*TABLES, *(CLINIC_TABLES if clinic else ()))
    }
