"""Life goes on, in therapy or without it: distress returns to its set point, attachment stirs, events happen.

Every effect of therapy is a difference from this. A week is the tuple ``LIFE``, in order; what its steps read follows from the
names of their arguments (``theory.steps.Step``).
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.regions import ROLES
from sim.theory.steps import ADD, Draw, Step, step

_DIMENSIONS = ("anxiety", "avoidance")


def _normal(purpose: str) -> Draw:
    return Draw(purpose, "person")


def _uniform(purpose: str) -> Draw:
    return Draw(purpose, "person", "uniform")


#: Defences and the set point of distress follow attachment, standardised against the community that clients come from [A8].
FOLLOWING: tuple[Step, ...] = (
    *(step("", arithmetic.proportion, f"{name}_mean", score=f"client_{name}_mean") for name in _DIMENSIONS),
    *(step("", arithmetic.proportion_sd, f"{name}_sd", sd=f"client_{name}_sd") for name in _DIMENSIONS),
    *(step("", arithmetic.standardised, f"{name}_z", value=name, mean=f"{name}_mean", sd=f"{name}_sd") for name in _DIMENSIONS),
    step("immature", eq.defence, "immature", own="immature_own"),
    step("neurotic", eq.defence, "neurotic", own="neurotic_own", avoidance_path=0.0),
    step("", eq.expected_distress, "expected"),
    step("", arithmetic.total, "distress_set_point", one="distress_own", other="expected"),
)


def _attachment(role: str, name: str) -> tuple[Step, ...]:
    """Anxiety or avoidance, pulled to the early anchor and disturbed; a life event may move it, and the anchor too."""
    anchor, event = f"{name}_anchor", _normal(f"life_event_{name}")
    return (
        step("", arithmetic.proportion, "population_mean", score=f"{role}_{name}_mean"),
        step("", arithmetic.proportion_sd, "population_sd", sd=f"{role}_{name}_sd"),
        step(name, eq.prototype_drift, name, prototype=name, anchor=anchor, distress="distress_before",
             prototype_luck=_normal(f"prototype_{name}")),
        step("", eq.shaken, name, attachment=name, moves="moves", event_luck=event),
        step("", eq.shaken, anchor, attachment=anchor, moves="lasts", event_luck=event),
    )  # fmt: skip


def _week(role: str) -> tuple[Step, ...]:
    return (
        step("", eq.faded, "regulation"),
        step("", arithmetic.same, "distress_before", value="distress"),
        step("", arithmetic.happens, "event", chance=_uniform("life_event"), prob="life_event_prob"),
        *(
            each for what in ("moves", "lasts")
            for each in (
                step("", arithmetic.happens, f"kind_{what}", chance=_uniform("life_event_kind"),
                     prob=f"life_event_{'moves' if what == 'moves' else 'lasting'}_prob"),
                step("", arithmetic.product, what, one="event", other=f"kind_{what}"),
            )
        ),
        step("", arithmetic.same, "life_events", ADD, value="event"),
        step("", eq.distress_drift, "distress", distress_luck=_normal("distress"), event_luck=_normal("life_event_distress")),
        *(each for name in _DIMENSIONS for each in _attachment(role, name)),
        *FOLLOWING,
    )  # fmt: skip


#: A week of life of a client and of a therapist, whose populations differ. Attachment can change at any age, and distress feeds
#: insecurity [K15, A8]. Writes distress and its set point, defences, anxiety, avoidance, both anchors, regulation, life_events.
LIFE: Mapping[str, tuple[Step, ...]] = {role: _week(role) for role in ROLES}
