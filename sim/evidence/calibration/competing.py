"""Rival models of the whole: the same code with something else at work, refitted to the same table within the same budget.

A rival is an overlay: numbers that are fixed (mostly at nothing), and numbers that it may move instead. Every model, the shipped
one included, starts at the priors' centres. What a rival cannot reproduce within the budget speaks for the mechanisms that it
lacks; what it can is no evidence for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sim.errors import EvidenceError
from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.free import FREE, Free, centre
from sim.evidence.calibration.search import Fit, Search, mean_of, misses
from sim.evidence.calibration.simulated import Bank, Found, Job
from sim.evidence.patterns.published import patterns
from sim.naming import nearest

#: Everything by which the quality of the relationship does anything to distress or to staying.
_ALLIANCE_WORKS = ("healing_alliance_power", "engagement_alliance_gain", "rupture_distress_step", "dropout_alliance_gain",
                   "dropout_rupture_gain", "alliance_security_rate")  # fmt: skip
ROUNDS, SIZE = 4, 0.4


@dataclass(frozen=True)
class Rival:
    """One rival: what it says, the ``changes`` of the model (keys of a scenario), and what else it may move."""

    name: str
    says: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    also_free: tuple[Free, ...] = ()

    @property
    def free(self) -> tuple[Free, ...]:
        """The numbers that it may move: the shipped ones that it does not fix, and its own."""
        fixed = self.changes.get("parameters", {})
        return (*(one for one in FREE if one.name not in fixed), *self.also_free)


def _nothing(*names: str) -> dict[str, Any]:
    return {"parameters": dict.fromkeys(names, 0.0)}


RIVALS: tuple[Rival, ...] = (
    Rival("shipped", "the model as it is"),
    Rival(
        "halo only",
        "the alliance does nothing: neither it nor a rupture acts on distress, motivation, staying or attachment",
        _nothing(*_ALLIANCE_WORKS),
    ),
    Rival(
        "improvement first",
        "improvement causes the alliance and not the reverse",
        _nothing(*_ALLIANCE_WORKS),
        (
            Free("capability_progress_gain", "log", 0.5, 0.7, "how much progress makes a therapist seem capable"),
            Free("task_agreement_progress_gain", "log", 0.4, 0.7, "how much progress makes for agreement on tasks"),
            Free("goal_agreement_progress_gain", "log", 0.6, 0.7, "how much progress makes for agreement on goals"),
        ),
    ),
    Rival(
        "technique only",
        "what heals is the treatment and who carries it out; the relationship decides who stays, and how attachment changes",
        _nothing("healing_alliance_power", "engagement_alliance_gain", "rupture_distress_step", "healing_labelling_share"),
    ),
    Rival(
        "style is fate",
        "attachment makes one pair's alliance differ from another's: no lasting fit, no spread of skill, warmth or regulation",
        _nothing("compatibility_sd", "client_warmth_trait_sd", "therapist_warmth_trait_sd", "client_skill_sd", "therapist_skill_sd",
                 "regulation_start_sd"),
    ),
    Rival("no plasticity", "nobody's attachment or regulation changes", _nothing("plasticity")),
)  # fmt: skip


@dataclass(frozen=True)
class Refitted:
    """A rival after its refit: where its search ended, and its mean table on luck that no search has used."""

    rival: Rival
    fit: Fit
    table: Found

    @property
    def score(self) -> float:
        """Joint score on that luck."""
        return float(sum(m**2 for m in misses(self.table).values()))


def chosen(names: Iterable[str] = ()) -> tuple[Rival, ...]:
    """Rivals by name, the shipped model always first; without names all. Raises ``EvidenceError`` for one that is not there."""
    wanted = list(names)
    every = {rival.name: rival for rival in RIVALS}
    for name in wanted:
        if name not in every:
            raise EvidenceError(f"no rival '{name}'{nearest(name, every)}; rivals are: {', '.join(every)}")
    return tuple(rival for rival in RIVALS if not wanted or rival.name in wanted or rival.name == "shipped")


def refitted(rival: Rival, bank: Bank, rounds: int = ROUNDS, size: float = SIZE, check_size: float = 1.0,
             say: Callable[[str], None] = print) -> Refitted:  # fmt: skip
    """Refit one rival as every other, the shipped model included: from the priors' centres, at most ``rounds`` steps."""
    search = Search(bank, rival.free, rival.changes, seeds=reserved.RIVAL_SEARCH, size=size,
                    progress=lambda what: say(f"{rival.name}: {what}"))  # fmt: skip
    fit = search.run(centre(rival.free), rounds)
    every = tuple(p.id for p in patterns().values() if p.tier in ("calibrate", "direction"))
    changes = search.jobs(fit.standings)[0].changes
    return Refitted(rival, fit, mean_of(bank.ask([Job(changes, seed, check_size, every) for seed in reserved.RIVAL_CHECK])))
