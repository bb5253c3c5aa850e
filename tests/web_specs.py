"""Scenarios drawn at random over everything that the web engine must do, and what each would leave behind, as digests."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from sim.engine.web.program import PLACES
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import lesion_names
from sim.theory.styles import STYLES
from sim.therapy import interventions
from tools.web import said

POLICIES = tuple(said()["policies"])  # those that are shipped


def _person(r: random.Random, role: str) -> Any:
    what = r.randrange(6)
    if what < 2:
        return r.choice(STYLES) if what else "population"
    said: dict[str, Any] = [
        {"anxiety": round(r.uniform(1.5, 6.5), 2), "avoidance": round(r.uniform(1.5, 6.0), 2)},
        {"anxiety": [2.0, 5.0], "avoidance": r.choice([[1.5, 4.5], 3.0])},
        {"anxiety": {"mean": 3.5, "sd": 0.7}, "avoidance": {"mean": 3.0, "sd": 0.5}},
        {"style": r.choice(STYLES)},
    ][what - 2]
    if r.random() < 0.4:
        said["early"] = r.choice([*STYLES, {"anxiety": 2.0, "avoidance": 5.0}])
    if role == "client" and r.random() < 0.3:
        said["selected"] = r.random() < 0.5
    if role == "client" and r.random() < 0.3:
        said["distress"] = round(r.uniform(-1, 4), 2)
    return said


def _parameters(r: random.Random) -> dict[str, float]:
    found = {}
    for name in r.sample(list(PARAMETERS), r.randint(1, 12)):
        p = PARAMETERS[name]
        value = p.default + (r.uniform(max(p.low, -5), min(p.high, 5)) - p.default) * r.choice([0.05, 0.2, 1.0])
        found[name] = float(min(max(value, p.low), p.high))
    return found


def _value(r: random.Random, quantity: str) -> float:
    low, high = interventions.settable(quantity)
    value = r.uniform(max(low, -2), min(high, 2))
    return float(round(value) if interventions.counted(quantity) else value)


def _forced(r: random.Random, sessions: int, exchanges: int) -> list[dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for _ in range(r.randint(1, 4)):
        quantity = r.choice(interventions.quantity_names(PLACES))
        one: dict[str, Any] = {"quantity": quantity, "value": _value(r, quantity)}
        one |= {"session": r.randint(1, sessions)} if r.random() < 0.7 else {}
        one |= {"exchange": r.randint(1, exchanges)} if r.random() < 0.7 else {}
        found[quantity, one.get("session"), one.get("exchange")] = one
    return list(found.values())


def drawn(seed: int) -> dict[str, Any]:
    """A scenario of one arm, as a file would say it; a third of them have each kind of experiment."""
    r = random.Random(seed)
    spec: dict[str, Any] = {
        "question": "The same?", "client": _person(r, "client"),
        "therapist": "none" if r.random() < 0.08 else _person(r, "therapist"), "sessions": r.randint(1, 14),
        "exchanges": r.randint(2, 16), "follow_up_months": r.choice([0, 0, 1, 3]), "clients_per_therapist": r.choice([1, 1, 3]),
        "clients_per_arm": 3,
    }  # fmt: skip
    if r.random() < 0.5:
        spec["policies"] = r.sample(POLICIES, r.randint(1, 3))
    parameters = _parameters(r) if r.random() < 0.6 else {}
    parameters |= {"missing_item_prob": 0.1, "missing_form_prob": 0.15} if r.random() < 0.2 else {}
    if parameters:
        spec["parameters"] = parameters
    if r.random() < 0.3:
        spec["lesions"] = {name: r.choice([0, 0.5, 0.9]) for name in r.sample(lesion_names(), r.randint(1, 3))}
    if r.random() < 0.35:
        spec["switch_off"] = r.sample(interventions.step_names(PLACES), r.randint(1, 3))
    if r.random() < 0.35:
        links = interventions.links(PLACES)
        spec["cut"] = {link: _value(r, links[link]) for link in r.sample(list(links), r.randint(1, 4))}
    if r.random() < 0.35:
        held = r.sample(interventions.can_be_clamped(), r.randint(1, 3))
        most = {name: 0.0 if interventions.counted(name) else interventions.most_added(name) for name in held}
        spec["clamp"] = {name: r.choice([0.0, 0.3 * r.uniform(-most[name], most[name])]) for name in held}
    if r.random() < 0.35:
        spec["force"] = _forced(r, spec["sessions"], spec["exchanges"])
    return spec


def digest(tables: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """A hash of every number of these tables, in their order."""
    h = hashlib.sha256()
    for table in ("clients", "sessions", "assessments", "exchanges"):
        for values in tables[table].values():
            h.update(np.where(np.isnan(values), np.nan, values).astype("<f8").tobytes())
    return h.hexdigest()
