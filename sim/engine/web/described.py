"""What the loader in a page must know of the module, as data: where everything stands, what may be said, what comes out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from sim.catalogue.columns import TABLES
from sim.engine.web.program import ERRORS, PLACES, RATINGS, SETTINGS, Program
from sim.people.population import MOST_ATTEMPTS
from sim.people.state import DYAD, PERSON, Column
from sim.scenario.fields import ArmFile, ScenarioFile, json_schema
from sim.scenario.people import STYLE_POINT, ClientFile, Spread
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import CONTAINS, intact, lesion_names
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX
from sim.theory.triangle import CORNERS
from sim.therapy import interventions
from sim.therapy.clinic.plan import Plan
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.endings import ENDINGS
from sim.therapy.policies import POLICIES
from sim.version import __version__

#: Whole numbers of a scenario.
KEYS = ("clients_per_therapist", "sessions", "exchanges", "follow_up_months", "replicates", "clients_per_arm")


def _ends(column: Column) -> list[float | None]:
    return [end if abs(end) < float("inf") else None for end in (column.low, column.high)]


def _column(table: str, name: str) -> dict[str, Any]:
    one = TABLES[table][name]
    labels = ENDINGS if name == "ending" else one.labels  # what each number stands for, from 0 on
    return {"name": name, "unit": one.unit, **({"labels": list(labels)} if labels else {})}


def described(program: Program) -> dict[str, Any]:
    """All of it, in plain values."""
    assert program.wat, "what is laid out while functions are written is part of the memory"
    keys: Mapping[str, Any] = json_schema()["properties"]
    return {
        "version": __version__,
        "memory": {name: [one.address, one.column.size] for name, one in program.memory.items()},
        "free": program.module.top,
        "settings": SETTINGS,
        "experiment": _first_of_each(program.x),
        "writes": [quantity for _, quantity in PLACES.writes],
        "attempts": MOST_ATTEMPTS,
        "errors": ERRORS,
        "tables": {table: [_column(table, name) for name in columns] for table, columns in program.tables.items()},
        "ratings": [name.removeprefix("rating.") for name in RATINGS],
        "dyad": [[name, *_ends(one), one.unit] for name, one in DYAD.items()],
        "person": [[name, *_ends(one), one.unit] for name, one in PERSON.items()],
        "parameters": {p.name: [p.default, p.low, p.high, p.unit] for p in PARAMETERS.values()},
        "regions": {name: _regions(name) for name in lesion_names()},
        "policies": {name: [dict(one.parameters), dict(one.adds), one.meaning] for name, one in POLICIES.items()},
        "styles": {name: [list(box[:2]), list(box[2:]), STYLE_POINT[name]] for name, box in STYLE_BOX.items()},
        "scores": [LOWEST, HIGHEST],
        "links": {link: _link(quantity) for link, quantity in interventions.links(PLACES).items()},
        "held": {name: _held(name) for name in interventions.can_be_clamped()},
        "forced": {q: [*interventions.settable(q), interventions.counted(q)] for q in interventions.quantity_names(PLACES)},
        "switches": interventions.step_names(PLACES),
        "verbs": interventions.VERBS,
        "keys": {name: [keys[name]["minimum"], keys[name]["maximum"], keys[name]["default"]] for name in KEYS},
        "of_scenario": list(ScenarioFile.model_fields),
        "of_arm": list(ArmFile.model_fields),
        "of_clinic": list(Plan.model_fields),
        "weeks_per_month": WEEKS_PER_MONTH,
        "spread": _limits(Spread, "sd"),
        "distress": _limits(ClientFile, "distress"),
    }


def _limits(of: type[BaseModel], key: str) -> list[float]:
    """The least and the most that a number may be."""
    said = of.model_json_schema()["properties"][key]
    number = next(one for one in said.get("anyOf", [said]) if one.get("type") == "number")
    return [number["minimum"], number["maximum"]]


def _first_of_each(x: Mapping[str, int]) -> dict[str, int]:
    """Where the links (``cut``), the columns of the two (``held``), what can be switched off (``off``) and an exchange's writes
    (``place``, ``shift``) begin in an experiment's column, in the order in which they are told below; and single numbers."""
    return {kind: at for name, at in reversed(list(x.items())) for kind in [name.partition(" ")[0]]}


def _regions(lesion: str) -> list[int]:
    """Which strengths a lesion weakens."""
    (role, _, region), names = lesion.partition("."), list(intact())
    return [names.index(f"{role}_{part}") for part in CONTAINS.get(region, (region,))]


def _link(quantity: str) -> list[Any]:
    """What may be seen in place of a quantity: lowest, highest, whether whole, what is typical; and the quantity."""
    return [*interventions.settable(quantity), interventions.counted(quantity), interventions.typical(quantity), quantity]


def _held(name: str) -> list[Any]:
    """How far something can be pushed, whether by whole numbers, and of a corner what it moves."""
    moves = dict(CORNERS[name].moves) if name in CORNERS else None
    return [interventions.most_added(name), interventions.counted(name), moves]


def as_json(program: Program) -> str:
    """The same as the text that lies in the module."""
    return json.dumps(described(program), separators=(",", ":"))
