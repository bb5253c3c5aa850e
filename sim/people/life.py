"""People by themselves: what they have been given when they are drawn, and how life goes on, in therapy or without it.

In life distress returns to its set point, attachment stirs, events happen: every effect of therapy is a difference from this. A
week is the tuple ``LIFE``, in order; what its steps read follows from the names of their arguments (``theory.steps.Step``);
``own_x`` is the parameter ``client_x`` or ``therapist_x``, whoever it is.
"""

from __future__ import annotations

from functools import lru_cache

from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.parameters import OF_ROLE, PARAMETERS
from sim.theory.steps import ADD, Draw, Step, step

_DIMENSIONS = ("anxiety", "avoidance")
#: The numbers that steps of people by themselves may name.
NUMBERS = (*PARAMETERS, *(f"own_{name}" for name in OF_ROLE))


def _normal(purpose: str, *, once: bool = False) -> Draw:
    return Draw(purpose, "person", once=once)


def _uniform(purpose: str) -> Draw:
    return Draw(purpose, "person", "uniform")


#: Defences, and the distress that attachment and they lead one to expect [A8].
EXPECTED: tuple[Step, ...] = (
    step("immature", eq.defence, "immature", own="immature_own"),
    step("neurotic", eq.defence, "neurotic", own="neurotic_own", avoidance_path=0.0),
    step("", eq.expected_distress, "expected"),
)
#: Defences and the set point of distress follow attachment, standardised against the community that clients come from [A8].
FOLLOWING: tuple[Step, ...] = (
    *(step("", arithmetic.proportion, f"{name}_mean", score=f"client_{name}_mean") for name in _DIMENSIONS),
    *(step("", arithmetic.proportion_sd, f"{name}_sd", sd=f"client_{name}_sd") for name in _DIMENSIONS),
    *(step("", arithmetic.standardised, f"{name}_z", value=name, mean=f"{name}_mean", sd=f"{name}_sd") for name in _DIMENSIONS),
    *EXPECTED,
    step("", arithmetic.total, "distress_set_point", one="distress_own", other="expected"),
)


def _population(name: str) -> tuple[Step, ...]:
    """Mean and SD of the person's own population as proportions."""
    return (
        step("", arithmetic.proportion, "population_mean", score=f"own_{name}_mean"),
        step("", arithmetic.proportion_sd, "population_sd", sd=f"own_{name}_sd"),
    )


def _spread(column: str, sd: str, purpose: str, low: float = -6.0, high: float = 6.0, mean: str = "") -> tuple[Step, ...]:
    """A trait that is normally distributed, around 0 where no mean is named, within limits."""
    luck = _normal(purpose, once=True)
    around_0 = step("", arithmetic.product, f"{column}_drawn", one=sd, other=luck)
    return (
        step("", arithmetic.drawn, f"{column}_drawn", mean=mean, sd=sd, luck=luck) if mean else around_0,
        step("", arithmetic.within, column, value=f"{column}_drawn", low=low, high=high),
    )


def _anchor(name: str, elsewhere: bool) -> tuple[Step, ...]:
    """The early anchor of anxiety or avoidance; ``elsewhere``: the person stood elsewhere early in life."""
    column = f"{name}_anchor"
    if elsewhere:
        return (step("", eq.earned_anchor, column, early=f"early_{name}", today=name),)
    return (
        *_population(name),
        step(name, eq.first_anchor, f"{column}_drawn", today=name, distress="distress_set_point", mean="population_mean",
             sd="population_sd", anchor_luck=_normal(column, once=True)),
        step("", arithmetic.within, column, value=f"{column}_drawn", low=0.0, high=1.0),
    )  # fmt: skip


#: Where people stood early in life (0..1), as numbers that their beginning may name.
EARLY = tuple(f"early_{name}" for name in _DIMENSIONS)


@lru_cache(maxsize=2)
def beginning(elsewhere: bool = False) -> tuple[Step, ...]:
    """What people bring whose attachment, defences and distress are known: early anchors, traits, styles of answering.

    ``elsewhere``: they stood elsewhere early in life (``EARLY``) than now.
    """
    return (
        *(each for name in _DIMENSIONS for each in _anchor(name, elsewhere)),
        *_spread("skill", "own_skill_sd", "skill", 0.02, 0.98, "own_skill_mean"),
        *_spread("warmth_trait", "own_warmth_trait_sd", "warmth_trait"),  # addresses of draws keep their names for good
        *_spread("treatment_gain", "own_treatment_gain_sd", "treatment_gain"),
        *_spread("response_style", "own_response_style_sd", "rating_style"),
        *(each for name in _DIMENSIONS
          for each in _spread(f"ecr_response_style_{name}", "ecr_response_style_sd", f"ecr_style_{name}")),
        step("", eq.insecurity, "insecurity"),
        step("", arithmetic.product, "untrained", one="regulation_start_security_gain", other="insecurity"),
        step("", arithmetic.difference, "regulation_mean", one="regulation_start", other="untrained"),
        *_spread("regulation", "regulation_start_sd", "regulation", 0.0, 1.0, "regulation_mean"),
    )  # fmt: skip


def _attachment(name: str) -> tuple[Step, ...]:
    """Anxiety or avoidance, pulled to the early anchor and disturbed; a life event may move it, and the anchor too."""
    anchor, event = f"{name}_anchor", _normal(f"life_event_{name}")
    return (
        *_population(name),
        step(name, eq.prototype_drift, name, prototype=name, anchor=anchor, distress="distress_before",
             prototype_luck=_normal(f"prototype_{name}")),
        step("", eq.shaken, name, attachment=name, moves="moves", event_luck=event),
        step("", eq.shaken, anchor, attachment=anchor, moves="lasts", event_luck=event),
    )  # fmt: skip


#: A week of life, in order. Attachment can change at any age, and distress feeds insecurity [K15, A8].
#: Writes distress and its set point, defences, anxiety, avoidance, both anchors, regulation, life_events.
LIFE: tuple[Step, ...] = (
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
    *(each for name in _DIMENSIONS for each in _attachment(name)),
    *FOLLOWING,
)  # fmt: skip
