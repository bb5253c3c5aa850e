"""The generated parts of the docs. ``python -m sim.views.docs`` writes them anew; a test keeps them fresh.

A page holds a block between ``<!-- generated: NAME -->`` and ``<!-- end -->``; everything else in it is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sim.evidence.stationary import dyads, exchanges_of
from sim.experiments.columns import TABLES
from sim.people.state import DYAD, PERSON
from sim.theory import equations
from sim.theory.parameters import NUMBERS
from sim.theory.regions import CONTAINS, REGIONS, lesion_names
from sim.theory.styles import style_name
from sim.therapy.compile import arguments, draws
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import SESSION

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.S)


def _table(heads: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    def cell(value: Any) -> str:
        return str(value).replace("|", "\\|").replace("\n", " ")

    lines = ["| " + " | ".join(heads) + " |"]
    lines.append("|" + "---|" * (lines[0].count(" | ") + 1))
    lines += ["| " + " | ".join(cell(v) for v in row) + " |" for row in rows]
    return "\n".join(lines)


def described(equation: Callable[..., Any]) -> tuple[str, str, str, str]:
    """An equation's meaning, closed form, limit and claims, read off its docstring."""
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
    claims = ", ".join(dict.fromkeys(re.findall(r"\b[KA]\d+\b", text)))
    return meaning.rstrip("."), formula if re.search(r"[*+(]| - ", formula) else "", limit, claims


def _status(equation: Callable[..., Any]) -> str:
    found = [w for w in ("empirical", "derived", "assumption") if re.search(w, inspect.getdoc(equation) or "", re.I)]
    return found[0] if found else ""


@lru_cache(maxsize=1)
def _typical() -> dict[str, float]:
    """Mean of every quantity over the exchanges of sessions 1-10 of typical dyads."""
    table = exchanges_of(clients=200, sessions=10)
    return {name: float(np.mean(values)) for name, values in table.items()}


def exchange_table() -> str:
    """Every step of an exchange, in order."""
    rows = []
    for number, step in enumerate(EXCHANGE, start=1):
        meaning, formula, limit, claims = described(step.equation)
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
                f"`{formula}`" if formula else "see the code",
                ", ".join(regions) or "-",
                bounds,
                f"{typical:.3f}",
                limit or "-",
                claims or "-",
                _status(step.equation),
            )
        )
    return _table(
        ("#", "who", "equation", "what", "closed form", "region", "bounds", "typical", "limit", "claims", "status"), rows
    )


def other_equations() -> str:
    """Equations that are used outside the exchange: session end, leaving, life, questionnaires."""
    used = {step.equation.__name__ for step in EXCHANGE}
    rows = []
    for name, function in vars(equations).items():
        if inspect.isfunction(function) and function.__module__ == equations.__name__ and name not in used and name[0] != "_":
            meaning, formula, limit, claims = described(function)
            rows.append(
                (f"`{name}`", meaning, f"`{formula}`" if formula else "-", limit or "-", claims or "-", _status(function))
            )
    return _table(("equation", "what", "closed form", "limit", "claims", "status"), rows)


def session_verbs() -> str:
    """The verbs of a session, in order."""
    return _table(
        ("#", "verb", "what it does, and what it writes"),
        ((i, f"`{verb.__name__}`", " ".join((inspect.getdoc(verb) or "").split())) for i, verb in enumerate(SESSION, 1)),
    )


def regions_table() -> str:
    """The one vocabulary of regions."""
    rows = [(f"`{r.name}`", r.title, r.process, r.site, ", ".join(r.claims)) for r in REGIONS.values()]
    rows += [
        (f"`{whole}`", whole.replace("_", " "), "contains " + ", ".join(parts), "", "K24") for whole, parts in CONTAINS.items()
    ]
    return _table(("name", "region", "process in the model", "EEG site", "claims"), rows)


def draws_table() -> str:
    """Every draw of an exchange and whose luck it is."""
    return _table(
        ("draw", "whose luck", "kind"),
        ((f"`{name}`", who, "normal" if name.endswith("_luck") else "uniform") for name, who in draws().items()),
    )


def state_tables() -> str:
    """Columns of people and dyads."""
    heads = ("column", "range", "unit", "meaning")
    parts = []
    for title, columns in (("Person", PERSON), ("Dyad", DYAD)):
        rows = [
            (f"`{c.name}`", f"{c.low:g}..{c.high:g}", c.unit, c.meaning)
            for c in columns.values()
            if not c.name.startswith("mean_")
        ]
        parts.append(f"**{title}**\n\n" + _table(heads, rows))
    kept = ", ".join(f"`{name}`" for name in DYAD if name.startswith("mean_"))
    return "\n\n".join(parts) + f"\n\nSession means of quantities of the exchange: {kept}."


def result_tables() -> str:
    """Columns of the result tables."""
    return "\n\n".join(
        f"**{name}.parquet**\n\n" + _table(("column", "unit", "meaning"), ((f"`{c}`", *d) for c, d in columns.items()))
        for name, columns in TABLES.items()
    )


def parameters_table() -> str:
    """Every number of the model."""
    parts = []
    for group in dict.fromkeys(n.group for n in NUMBERS.values()):
        rows = [
            (f"`{n.name}`", f"{n.default:g}", f"{n.low:g}..{n.high:g}", n.unit, n.status, n.source or "-", n.meaning)
            for n in NUMBERS.values()
            if n.group == group
        ]
        parts.append(f"**{group}**\n\n" + _table(("name", "default", "range", "unit", "status", "source", "meaning"), rows))
    return "\n\n".join(parts)


def stationary_table() -> str:
    """What typical dyads do over twenty sessions, run."""
    t = dyads(1000, 20)
    names = {
        "mean_client_perceived": "perceived response p",
        "mean_therapist_fit": "fit q",
        "mean_client_arousal": "client's arousal L",
        "mean_therapist_arousal": "therapist's arousal",
        "accuracy_correlation": "accuracy (correlation)",
        "client_trust": "client's trust",
        "client_alliance": "alliance, client",
        "client_regulation": "client's regulation W",
        "client_anxiety": "client's anxiety with the therapist (0..1)",
        "client_avoidance": "client's avoidance of the therapist (0..1)",
        "client_general_anxiety": "client's general anxiety (0..1)",
        "client_general_avoidance": "client's general avoidance (0..1)",
        "therapist_anxiety": "therapist's anxiety with the client (0..1)",
        "open_rupture": "share of dyads with an open rupture",
    }
    rows = [(label, *(f"{t[name][s - 1]:.3f}" for s in (1, 5, 10, 20))) for name, label in names.items()]
    return _table(("typical dyads (1,000, nobody leaves)", "session 1", "5", "10", "20"), rows)


def histories_table() -> str:
    """What a history of responses teaches the typical client (K10, K12), run."""
    rows = []
    for label, low, high in (
        ("steady, warm (.8)", 0.8, 0.8),
        ("steady, cold (.25)", 0.25, 0.25),
        ("erratic (.9 or .1)", 0.1, 0.9),
        ("harsh and erratic (.45 or .03)", 0.03, 0.45),
    ):
        t = dyads(300, 60, forced_response_share=1.0, forced_response_low=low, forced_response_high=high, match_sd=0.0)
        ends = [1.0 + 6.0 * float(t[f"client_{name}"][-1]) for name in ("anxiety", "avoidance")]
        change = [float(t[f"client_{name}"][-1] - t[f"client_{name}"][0]) for name in ("anxiety", "avoidance")]
        rows.append((label, f"{change[0]:+.2f}", f"{change[1]:+.2f}", f"{ends[0]:.1f}", f"{ends[1]:.1f}", str(style_name(*ends))))
    return _table(
        ("history, 60 sessions", "anxiety (0..1)", "avoidance (0..1)", "anxiety then, 1-7", "avoidance then, 1-7", "style then"),
        rows,
    )


def lesions_table() -> str:
    """What typical dyads do without each region, as differences from intact dyads, run."""
    names = {
        "accuracy_correlation": "accuracy",
        "mean_therapist_fit": "fit",
        "mean_client_arousal": "client's arousal",
        "client_regulation": "client's W",
        "mean_client_labelling": "labelling",
        "client_trust": "trust",
        "client_anxiety": "client's anxiety",
        "client_avoidance": "client's avoidance",
    }

    def repaired(t: dict[str, np.ndarray]) -> float:
        return float(t["repairs"].sum() / (t["withdrawals"] + t["confrontations"]).sum())

    intact = dyads(500, 20)
    rows = []
    for lesion in lesion_names():
        t = dyads(500, 20, lesions={lesion: 0.0})
        rows.append(
            (lesion, *(f"{float(t[n].mean() - intact[n].mean()):+.3f}" for n in names), f"{repaired(t) - repaired(intact):+.2f}")
        )
    return _table(("removed", *names.values(), "share repaired"), rows)


BLOCKS: dict[str, Callable[[], str]] = {
    "exchange": exchange_table,
    "equations": other_equations,
    "verbs": session_verbs,
    "regions": regions_table,
    "draws": draws_table,
    "state": state_tables,
    "tables": result_tables,
    "parameters": parameters_table,
    "stationary": stationary_table,
    "histories": histories_table,
    "lesions": lesions_table,
}


def refreshed(text: str) -> str:
    """A page with its generated blocks made anew. Raises ``KeyError`` for a block that nobody generates."""
    return _BLOCK.sub(lambda m: f"{m[1]}{BLOCKS[m[2]]()}\n{m[4]}", text)


def main() -> None:
    """Write all generated blocks of all pages anew."""
    for path in sorted(DOCS.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        new = refreshed(text)
        if new != text:
            path.write_text(new, encoding="utf-8")
            sys.stdout.write(f"refreshed {path.name}\n")


if __name__ == "__main__":
    main()
