"""Generated tables of the docs about clinics: the week, matching rules, programmes, what a scenario can say."""

from __future__ import annotations

import inspect

from sim.therapy.clinic.matching import meaning, rule_names
from sim.therapy.clinic.plan import Plan
from sim.therapy.clinic.week import CLINIC
from sim.therapy.training import PROGRAMMES
from tools.docs.markdown import table


def week_table() -> str:
    """The verbs of a clinic's week, in order."""
    return table(
        ("#", "verb", "what it does, and what it writes"),
        ((i, f"`{verb.__name__}`", " ".join((inspect.getdoc(verb) or "").split())) for i, verb in enumerate(CLINIC, 1)),
    )


def matching_table() -> str:
    """Every matching rule that is shipped."""
    return table(("rule", "what it does"), ((f"`{name}`", meaning(name)) for name in rule_names()))


def programmes_table() -> str:
    """Supervision and training: what is learned, how fast, and where the amounts come from."""
    rows = []
    for name, programme in PROGRAMMES.items():
        learned = ", ".join(f"`{column}` {amount:+g}" for column, amount in programme.learned.items()) or "-"
        weekly = ", ".join(f"`{column}` {amount:+g}" for column, amount in programme.each_week.items()) or "-"
        rows.append((f"`{name}`", programme.meaning, learned, programme.weeks, weekly, programme.source))
    return table(("programme", "what therapists do", "learned in all", "weeks", "added every week", "source"), rows)


def clinic_keys() -> str:
    """Every key of ``clinic:`` in a scenario."""
    rows = []
    for name, key in Plan.model_fields.items():
        default = "all" if key.default_factory else list(key.default) if isinstance(key.default, tuple) else key.default
        rows.append((f"`{name}`", str(default).lower() if isinstance(default, bool) else default, key.description))
    return table(("key", "default", "meaning"), rows)
