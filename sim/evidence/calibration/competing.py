"""Competing models of the whole: the same code with something else at work, refitted to the same table within the same budget.

A competing model is an overlay: parameters that are fixed at nothing, and parameters that it may move instead. Every
model, the shipped one included, starts at the priors' centres. What a competing model cannot reproduce within the budget speaks
for the mechanisms that it lacks; what it can is no evidence for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from sim.errors import EvidenceError
from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.free import FREE, Free, centre
from sim.evidence.calibration.search import Fit, Search, joint_score
from sim.evidence.calibration.simulated import Found, Simulator
from sim.evidence.patterns.published import patterns
from sim.naming import nearest

#: Everything by which the quality of the relationship does anything to distress or to staying.
_ALLIANCE_WORKS = ("healing_alliance_power", "engagement_alliance_gain", "rupture_distress_step", "dropout_alliance_gain",
                   "dropout_rupture_gain", "alliance_security_rate")  # fmt: skip
ROUNDS, SIZE = 4, 0.4


@dataclass(frozen=True)
class Competing:
    """One competing model: what it says, the parameters that are nothing in it, and what else it may move."""

    name: str
    says: str
    without: tuple[str, ...] = ()
    also_free: tuple[Free, ...] = ()

    @property
    def changes(self) -> dict[str, Any]:
        """What it changes of the model (keys of a scenario)."""
        return {"parameters": dict.fromkeys(self.without, 0.0)} if self.without else {}

    @property
    def free(self) -> tuple[Free, ...]:
        """The parameters that it may move: the shipped ones that it does not fix, and its own."""
        return (*(one for one in FREE if one.name not in self.without), *self.also_free)


COMPETING: tuple[Competing, ...] = (
    Competing("shipped", "the model as it is"),
    Competing(
        "halo only",
        "the alliance does nothing: neither it nor a rupture acts on distress, motivation, staying or attachment",
        _ALLIANCE_WORKS,
    ),
    Competing(
        "improvement first",
        "improvement causes the alliance and not the reverse",
        _ALLIANCE_WORKS,
        (
            Free("capability_progress_gain", "log", 0.5, 0.7, "how much progress makes a therapist seem capable"),
            Free("task_agreement_progress_gain", "log", 0.4, 0.7, "how much progress makes for agreement on tasks"),
            Free("goal_agreement_progress_gain", "log", 0.6, 0.7, "how much progress makes for agreement on goals"),
        ),
    ),
    Competing(
        "technique only",
        "what heals is the treatment and who carries it out; the relationship decides who stays, and how attachment changes",
        ("healing_alliance_power", "engagement_alliance_gain", "rupture_distress_step", "healing_labelling_share"),
    ),
    Competing(
        "style is fate",
        "attachment makes one pair's alliance differ from another's: no lasting fit, no spread of skill, warmth or regulation",
        ("compatibility_sd", "client_warmth_trait_sd", "therapist_warmth_trait_sd", "client_skill_sd",
                 "therapist_skill_sd", "regulation_start_sd"),
    ),
    Competing("no plasticity", "nobody's attachment or regulation changes", ("plasticity",)),
)  # fmt: skip


@dataclass(frozen=True)
class Refitted:
    """A competing model after its refit: where its search ended, and its mean table on random draws that no search has used."""

    model: Competing
    fit: Fit
    table: Found

    @property
    def score(self) -> float:
        """Joint score on those random draws."""
        return joint_score(self.table)


def chosen(names: Iterable[str] = ()) -> tuple[Competing, ...]:
    """Competing models by name, the shipped model always first; without names all.

    Raises ``EvidenceError`` for one that is not there.
    """
    wanted = list(names)
    every = {one.name: one for one in COMPETING}
    for name in wanted:
        if name not in every:
            raise EvidenceError(f"no competing model '{name}'{nearest(name, every)}; competing models are: {', '.join(every)}")
    return tuple(one for one in COMPETING if not wanted or one.name in wanted or one.name == "shipped")


def refitted(one: Competing, simulator: Simulator, rounds: int = ROUNDS, size: float = SIZE, check_size: float = 1.0,
             say: Callable[[str], None] = print) -> Refitted:  # fmt: skip
    """Refit one competing model as every other, the shipped one included: from the priors' centres, at most ``rounds`` steps."""
    search = Search(simulator, one.free, one.changes, seeds=reserved.COMPETING_SEARCH, size=size,
                    progress=lambda what: say(f"{one.name}: {what}"))  # fmt: skip
    fit = search.run(centre(one.free), rounds)
    every = tuple(p.id for p in patterns().values() if p.tier in ("calibrate", "direction"))
    unused = replace(search, seeds=reserved.COMPETING_CHECK, size=check_size, ids=every)
    return Refitted(one, fit, unused.tables([fit.standings])[0])
