"""Tables of the docs that are read off the code: steps and their wiring, equations, verbs, state, numbers, claims."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from sim.catalogue.columns import BATCH_TABLES, CLINIC_CLIENTS, CLINIC_TABLES, ENSEMBLE_TABLES, TABLES, Described
from sim.catalogue.measures import CATALOGUE
from sim.engine.wiring import draws, wire
from sim.measurement import instruments
from sim.naming import renamed
from sim.people.apply import arguments
from sim.people.state import DYAD, PERSON, Column
from sim.theory import equations
from sim.theory.claims import claims, claims_of, public_equations
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import CONTAINS, REGIONS
from sim.therapy.exchange import EXCHANGE
from sim.therapy.policies import POLICIES
from sim.therapy.session import SESSION
from sim.therapy.verbs import READS, RULES
from tools.docs.markdown import table
from tools.docs.stationary import exchanges_of


def described(equation: Callable[..., Any]) -> tuple[str, str, str, str]:
    """An equation's meaning, closed form, limit and claims, as its docstring says them."""
    text = inspect.getdoc(equation) or ""
    first, _, rest = text.partition("\n\n")
    rest = " ".join(rest.split())
    before, _, after = rest.partition("Limit:")
    if not after:
        before, _, after = rest.partition("Closed form:")
    meaning = " ".join(first.split())
    if re.search(r": .*[*(|]", meaning):  # a short formula may stand in the first line, behind a colon
        meaning, _, before = meaning.partition(": ")
        before, _, after_first = before.partition(" Limit: ")
        after = after or after_first
    formula = re.split(r"(?<=[)\]a-z0-9|])\. (?=[A-Z])|\s\[K|\s\[A", before.strip())[0].rstrip(".")
    limit = re.split(r"\. (?=[A-Z])|\s\[", after.strip())[0].rstrip(".") if after else ""
    return (
        meaning.rstrip("."),
        formula if re.search(r"[*+(]| - ", formula) else "",
        limit,
        ", ".join(claims_of(equation.__name__)),
    )


def _status(equation: Callable[..., Any]) -> str:
    found = [w for w in ("empirical", "derived", "assumption") if re.search(w, inspect.getdoc(equation) or "", re.I)]
    return found[0] if found else ""


@lru_cache(maxsize=1)
def _typical() -> dict[str, float]:
    """Mean of every quantity over the exchanges of sessions 1-10 of typical dyads."""
    return {name: float(np.mean(values)) for name, values in exchanges_of(clients=200, sessions=10).items()}


def exchange_table() -> str:
    """Every step of an exchange, in order."""
    rows = []
    for number, step in enumerate(EXCHANGE, start=1):
        meaning, formula, limit, carried = described(step.equation)
        regions = [
            REGIONS[a.removeprefix("partner_")].name + (" (partner's)" if a.startswith("partner_") else "")
            for a in arguments(step.equation)
            if a.removeprefix("partner_") in REGIONS
        ]
        typical = _typical().get(step.writes[0], float("nan"))
        bounds = "-1..1" if step.equation is equations.surprise else ">= 0" if step.writes[0].endswith("_tension") else "0..1"
        rows.append(
            (
                number,
                step.role,
                f"`{step.equation.__name__}`",
                meaning,
                f"`{formula}`" if formula else "see below",
                ", ".join(regions) or "-",
                bounds,
                f"{typical:.3f}",
                limit or "-",
                carried or "-",
                _status(step.equation),
            )
        )
    return table(
        ("#", "who", "equation", "what", "closed form", "region", "bounds", "typical", "limit", "claims", "status"), rows
    )


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "-"


def wiring_table() -> str:
    """What every step of an exchange reads, which numbers it takes and what it writes, by the rule of ``wiring.resolve``."""
    wired, wiring = wire(EXCHANGE)
    rows = []
    for number, w in enumerate(wired, start=1):
        given = [v.removeprefix("p_") for v in w.variables if v.startswith("p_")]  # numbers and strengths of regions
        parameters = [name for name in given if name in PARAMETERS]
        luck = [v for v in w.variables if v in wiring.draws]
        reads = [v for v in w.variables if not v.startswith("p_") and v not in luck]
        regions = [name for name in given if name not in PARAMETERS]
        rows.append((number, f"`{w.step.name}`", *map(_names, (reads, regions + luck, parameters, w.step.writes))))
    return table(("#", "step", "reads", "region, draw", "parameters", "writes"), rows)


def session_wiring_table() -> str:
    """What every equation of the session's verbs reads, which numbers it takes and what it writes, in the order of applying."""
    rows, names = [], [verb.__name__ for verb in SESSION]
    for verb, rule in ((verb, rule) for verb, rules in RULES.items() for rule in rules):
        reads, parameters, given = [], [], dict(rule.given)
        for argument in arguments(rule.equation):
            named = [name for name in (given.get(argument), f"{rule.role}_{argument}", argument) if name in PARAMETERS]
            if argument in READS[rule]:
                reads.append(READS[rule][argument])
            elif named:
                parameters.append(named[0])
            else:
                reads.append(str(given.get(argument, argument)))  # what people bring, and what it changes
        rows.append((names.index(verb) + 1, f"`{verb}`", f"`{rule.name}`",
                     *map(_names, (reads, parameters, rule.writes, dict.fromkeys(filter(None, rule.rates))))))  # fmt: skip
    return table(("#", "verb", "equation", "reads", "parameters", "writes", "moves by"), rows)


def other_equations() -> str:
    """Equations that are used outside the exchange: session end, leaving, life, questionnaires."""
    used = {step.equation for step in EXCHANGE}
    rows = []
    for function in public_equations():
        if function not in used:
            meaning, formula, limit, carried = described(function)
            rows.append(
                (
                    f"`{function.__name__}`",
                    meaning,
                    f"`{formula}`" if formula else "-",
                    _names(arguments(function)),
                    limit or "-",
                    carried or "-",
                    _status(function),
                )
            )
    return table(("equation", "what", "closed form", "arguments, in order", "limit", "claims", "status"), rows)


def session_verbs() -> str:
    """The verbs of a session, in order."""
    return table(
        ("#", "verb", "what it does, and what it writes"),
        ((i, f"`{verb.__name__}`", " ".join((inspect.getdoc(verb) or "").split())) for i, verb in enumerate(SESSION, 1)),
    )


def regions_table() -> str:
    """The one vocabulary of regions."""
    rows = [(f"`{r.name}`", r.full_title, r.process, r.site, ", ".join(r.claims)) for r in REGIONS.values()]
    rows += [
        (f"`{whole}`", whole.replace("_", " "), "contains " + ", ".join(parts), "", "K24") for whole, parts in CONTAINS.items()
    ]
    return table(("name", "region", "process in the model", "EEG site", "claims"), rows)


def draws_table() -> str:
    """Every draw of an exchange and whose draw it is."""
    return table(
        ("draw", "whose", "kind"),
        ((f"`{name}`", who, "normal" if name.endswith("_luck") else "uniform") for name, who in draws(EXCHANGE).items()),
    )


def _numbers_of(column: Column) -> tuple[str, str, str, str, str]:
    return f"`{column.name}`", f"{column.start:g}", f"{column.low:g}..{column.high:g}", column.unit, column.meaning


def state_tables() -> str:
    """Columns of people and dyads."""
    heads = ("column", "before it is set", "range", "unit", "meaning")
    parts = []
    for title, columns in (("Person", PERSON), ("Dyad", DYAD)):
        rows = [_numbers_of(c) for c in columns.values() if not c.name.startswith("mean_")]
        parts.append(f"**{title}**\n\n" + table(heads, rows))
    kept = ", ".join(f"`{name}`" for name in DYAD if name.startswith("mean_"))
    return "\n\n".join(parts) + f"\n\nSession means of quantities of the exchange: {kept}."


def questionnaires_table() -> str:
    """Every scale of every questionnaire: items, marks, source, who fills it in and when."""
    return table(
        ("questionnaire or scale", "items", "responses", "after", "filled in by, when"),
        ((i.name, i.items, f"{i.low}..{i.high}", i.source, i.asked) for i in instruments.INSTRUMENTS),
    )


def policies_table() -> str:
    """What therapists can be told to do, and what that sets or adds."""
    rows = [
        (
            f"`{name}`",
            policy.meaning,
            ", ".join(
                [f"`{n}` = {v:g}" for n, v in policy.parameters.items()] + [f"`{n}` {v:+g}" for n, v in policy.adds.items()]
            ),
            policy.source,
        )
        for name, policy in POLICIES.items()
    ]
    return table(("policy", "the instruction", "number it sets, or therapist's column it adds to", "source"), rows)


def claims_table() -> str:
    """Every claim, what carries it, and where it shows."""
    rows = [
        (
            c.id,
            c.kind,
            c.claim,
            _names(c.carriers),
            _names(c.columns),
            c.disputed or "-",
        )
        for c in claims().values()
    ]
    return table(
        ("id", "kind", "claim", "equations, steps and verbs that carry it", "shows in", "to know before believing it"), rows
    )


def result_tables() -> str:
    """Columns of the result tables."""
    of_clinics = {name: one._replace(meaning=f"clinics only: {one.meaning}") for name, one in CLINIC_CLIENTS.items()}
    tables = {**TABLES, **CLINIC_TABLES, **ENSEMBLE_TABLES}
    return _described({**tables, "clients": {**tables["clients"], **of_clinics}})


def batch_tables() -> str:
    """Columns of the tables that only batches have."""
    return _described(BATCH_TABLES)


def _described(tables: Mapping[str, Described]) -> str:
    heads = ("column", "unit", "meaning")
    return "\n\n".join(
        f"**{name}.parquet**\n\n" + table(heads, ((f"`{c}`", one.unit, one.meaning) for c, one in columns.items()))
        for name, columns in tables.items()
    )


def outcomes_tables() -> str:
    """The catalogue of measures: of clients, of clinics, and of whole runs."""
    titles = {
        "client": "Of clients (a mean over the clients who have a value)",
        "clinic": "Of clinics (one value a replicate)",
        "run": "Of whole runs (one number a run, which batches do not keep)",
    }
    parts = []
    for kind, title in titles.items():
        rows = ((f"`{name}`", one.plain_unit, one.title, one.definition) for name, one in CATALOGUE.items() if kind in one.of)
        parts.append(f"**{title}**\n\n" + table(("measure", "unit", "in short", "meaning"), rows))
    return "\n\n".join(parts)


def parameters_table() -> str:
    """Every parameter of the model."""
    parts = []
    for group in dict.fromkeys(n.group for n in PARAMETERS.values()):
        rows = [
            (f"`{n.name}`", f"{n.default:g}", f"{n.low:g}..{n.high:g}", n.unit, n.status, n.source or "-", n.meaning)
            for n in PARAMETERS.values()
            if n.group == group
        ]
        parts.append(f"**{group}**\n\n" + table(("name", "default", "range", "unit", "status", "source", "meaning"), rows))
    return "\n\n".join(parts)


def renamed_table() -> str:
    """What version 0.1 called otherwise: kind of name, then, now, and the factor between the two."""
    rows = []
    for kind, names in renamed().items():
        by_table = names.items() if kind == "columns" else [("", names)]
        rows += [
            (f"{kind}{f' of {place}' if place else ''}", f"`{then}`" if then else "(empty)", f"`{now}`", 1)
            for place, one in by_table
            for now, then in one.items()
        ]
    return table(("kind", "0.1", "0.2", "factor"), rows)
