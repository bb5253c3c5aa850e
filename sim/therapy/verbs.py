"""What happens in a session beside its exchanges, verb by verb: like ``EXCHANGE``, these tuples of steps are the model.

A step says whose it is, which equation is computed and what it writes, and how (``theory.steps.Step``); what it reads follows
from the names of the equation's arguments. Engines walk the tuples. Links that can be cut, columns that are tested each week, the
distance between a mechanism and an effect, and the tables of ODD.md are read from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.elementary import inlined, select
from sim.engine.plain import walk
from sim.engine.wiring import read_by
from sim.errors import WiringError
from sim.measurement import instruments as ask
from sim.measurement.asked import Ask, distress_asked
from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.regions import ROLES
from sim.theory.steps import ADD, SUBTRACT, TOWARD, Draw, Step, step
from sim.therapy.endings import DROPOUT, IMPROVED, IN_THERAPY, PLANNED


class Verb:
    """A verb of the session, declared as steps. Called with a world and the rows that meet, it does them.

    >>> sim.therapy.session.heal
    Verb(heal: 3 steps)
    """

    def __init__(self, name: str, meaning: str, steps: tuple[Step | Ask, ...]) -> None:
        """``name``: by which a model finds it; ``meaning``: what happens, in a sentence; ``steps``: a tuple, in order."""
        if not isinstance(steps, tuple) or not all(isinstance(one, (Step, Ask)) for one in steps):
            raise WiringError(f"the verb '{name}' needs a tuple of steps, such as (step(...),)")
        self.__name__, self.__doc__, self.steps = name, meaning, steps

    def __repr__(self) -> str:
        return f"Verb({self.__name__}: {len(self.steps)} steps)"

    def __call__(self, world: Any, rows: Any) -> None:
        walk(self.steps, world.meeting(rows, self))

    def __reduce__(self) -> Any:  # those of this package are one of their kind in every process
        ours = any(self is verb for verb in (*FIRST_MEETING, *VERBS))
        return (_declared, (self.__name__,)) if ours else (Verb, (self.__name__, self.__doc__, self.steps))


def _declared(name: str) -> Verb:
    return next(verb for verb in (*FIRST_MEETING, *VERBS) if verb.__name__ == name)


def _normal(purpose: str, whose: str = "client", *, once: bool = False) -> Draw:
    return Draw(purpose, whose, "normal", once)


def _uniform(purpose: str, whose: str = "client") -> Draw:
    return Draw(purpose, whose, "uniform")


# -------------------------------------------------------------------------------------------------- the first meeting

#: What of a course a client brings along, in part, to the next therapist.
HANDED_OVER = ("client_anxiety", "client_avoidance", "client_trust", "client_task", "client_goal")
#: The same as it stood with the therapist before.
BEFORE = tuple(f"before.{column}" for column in HANDED_OVER)
_DIMENSIONS = ("anxiety", "avoidance")
_HABITS = {"anxiety": eq.habitual_anxiety, "avoidance": eq.habitual_avoidance}


def _begins(role: str, name: str, value: str) -> tuple[Step, ...]:
    """With which value a relation begins, of which a part may carry over from the therapist before [K22]."""
    column = f"{role}_{name}"
    if column not in HANDED_OVER:
        return () if value == column else (step(role, arithmetic.same, column, value=value),)
    return (
        step(role, eq.handed_over, f"{column}_handed_over", fresh=value, before=f"before.{column}"),
        step(role, arithmetic.known, column, value=f"{column}_handed_over", otherwise=value),
    )


def _compatibility(role: str) -> tuple[Step, ...]:
    """How well the two fit, which each feels in their own way, and what of it strikes them at once; the client's place and the
    therapist's in their populations."""
    match, own = (_normal(purpose, "pair", once=True) for purpose in ("match", f"{role}_match"))
    impression, own_impression = (_normal(purpose, "pair", once=True) for purpose in ("impression", f"{role}_impression"))
    means = {f"{prefix}{name}_mean": f"{of}_{name}_mean_share"
             for prefix, of in (("", "client"), ("partner_", "therapist")) for name in _DIMENSIONS}  # fmt: skip
    who = {
        f"{prefix}{name}": f"{of}{name}" for prefix, of in (("", "client."), ("partner_", "therapist.")) for name in _DIMENSIONS
    }
    return (
        step("", eq.partly_shared, f"{role}_fit_luck", common=match, own=own, shared_share="compatibility_shared_share"),
        step("client", eq.dyadic_compatibility, f"{role}_fit", compatibility_luck=f"{role}_fit_luck", **means, **who),
        step(role, arithmetic.within, f"{role}_compatibility", value=f"{role}_fit", low=-8.0, high=8.0),
        step(
            "",
            eq.partly_shared,
            f"{role}_impression_luck",
            common=impression,
            own=own_impression,
            shared_share="impression_shared_share",
        ),
        step(
            role,
            eq.first_impression,
            f"{role}_struck",
            compatibility_luck=f"{role}_fit_luck",
            impression_luck=f"{role}_impression_luck",
        ),
        step(role, arithmetic.within, f"{role}_impression", value=f"{role}_struck", low=-8.0, high=8.0),
    )


def _expected(role: str, name: str, general: str) -> tuple[Step, ...]:
    """What anxiety or avoidance a person's general model leads them to expect of a bond: ``client_anxiety_carried``."""
    return (
        step("", arithmetic.proportion, f"{role}_{name}_mean_share", score=f"{role}_{name}_mean"),
        step(role, eq.carried_attachment, f"{role}_{name}_carried", general=general, general_mean=f"{role}_{name}_mean_share"),
    )


def _first_attachment(role: str, name: str) -> tuple[Step, ...]:
    """With which anxiety or avoidance a person meets somebody new."""
    return (
        *_expected(role, name, f"{role}.{name}"),
        step("", arithmetic.proportion_sd, f"{role}_{name}_sd_share", sd=f"{role}_{name}_sd"),
        step(role, eq.first_attachment, f"{role}_{name}", carried=f"{role}_{name}_carried",
             bond_luck=_normal(f"{role}_bond_{name}", "pair", once=True), general_mean=f"{role}_{name}_mean_share",
             general_sd=f"{role}_{name}_sd_share"),
    )  # fmt: skip


come_together = Verb(
    "come_together",
    "Attachment to this partner starts in part from each person's history, and is these two people's for the rest [K13, K22].",
    tuple(each for role in ROLES for name in _DIMENSIONS for each in _first_attachment(role, name)),
)

first_impression = Verb(
    "first_impression",
    """What the two think of each other before their first session [K13].

    Writes every dyad column that does not start at its default.
    """,
    (
        *(step("", arithmetic.proportion, f"{role}_{name}_mean_share", score=f"{role}_{name}_mean")
          for role in ROLES for name in _DIMENSIONS),
        *(each for role in ROLES for each in _compatibility(role)),
        *(
            each
            for role in ROLES
            for each in (
                step(role, eq.first_trust, f"{role}_fresh_trust"),
                *(each for name in _DIMENSIONS for each in _begins(role, name, f"{role}_{name}")),
                step(role, eq.expectation, f"{role}_perceived_mean"),
                step(role, arithmetic.same, f"{role}_perceived", value=f"{role}_perceived_mean"),
                step(role, arithmetic.same, f"{role}_usual", value=f"{role}_perceived_mean"),
                step(role, arithmetic.same, f"{role}_distress_usual", value=f"{role}.distress"),
                step(role, arithmetic.same, f"{role}_inconsistency", value=f"{role}_inconsistency_typical"),
                *_begins(role, "trust", f"{role}_fresh_trust"),
                step(role, eq.first_agreement, f"{role}_agreement"),
                *(each for name in ("task", "goal") for each in _begins(role, name, f"{role}_agreement")),
                step(role, eq.felt_bond, f"{role}_bond"),
                step(role, eq.alliance, f"{role}_alliance"),
                step(role, eq.calm, f"{role}_arousal"),
                *(step(role, habit, f"{role}_{habit.__name__}", **{f"general_{name}": f"{role}.{name}"})
                  for name, habit in _HABITS.items()),
                step(role, eq.expression, f"{role}_expression"),
            )
        ),
        step("client", arithmetic.same, "distress_intake", value="client.distress"),
    ),
)  # fmt: skip

FIRST_MEETING = (come_together, first_impression)

# ------------------------------------------------------------------------------------------------- before the session

rate_distress = Verb(
    "rate_distress",
    "The client fills in the CORE-OM before the session. Writes the rating ``distress``.",
    distress_asked(whose="client", score="rating.distress"),
)

#: What people bring into a session as they are that day.
BROUGHT = ("distress", "skill", "warmth_trait", "regulation", "fatigue", "repair_skill", "adaptation")
meet = Verb(
    "meet",
    """Both people come in as they are today; nothing is said yet, and what was open of ruptures has healed a little.

    Writes what each brings, what is open of ruptures, and clears what counts one session.
    """,
    (
        *(step(role, arithmetic.same, f"{role}_{name}", value=f"{role}.{name}") for role in ROLES for name in BROUGHT),
        *(
            step(role, arithmetic.same, f"{role}_general_{name}", value=f"{role}.{name}")
            for role in ROLES
            for name in _DIMENSIONS
        ),
        *(step(role, eq.calm, f"{role}_arousal") for role in ROLES),
        *(step(role, arithmetic.same, f"{role}_disclosure", value=0.0) for role in ROLES),
        *(step(role, arithmetic.same, f"{role}_said", value=f"{role}_arousal_typical") for role in ROLES),
        *(step(role, arithmetic.same, f"{role}_perceived", value=f"{role}_perceived_mean") for role in ROLES),
        step("", arithmetic.same, "session", ADD, value=1.0),
        step("", arithmetic.same, "open_rupture", TOWARD, "rupture_recovery", value=0.0),
        *(step("", arithmetic.same, each, value=0.0) for each in ("withdrawals", "confrontations", "repairs", "deepest_rupture")),
    ),
)

# -------------------------------------------------------------------------------------------------- after the exchanges


def _agreement(role: str, **capability: str) -> tuple[Step, ...]:
    """Agreement on tasks and goals, and the alliance that it makes with the bond."""
    return (
        *(
            step(part, eq.agreement_target, f"{role}_{part}", TOWARD, "agreement_rate", trust=f"{role}_trust", **capability)
            for part in ("task", "goal")
        ),
        step(role, eq.alliance, f"{role}_alliance"),
    )


def _quality(role: str) -> tuple[Step, ...]:
    """How good the session was, which is partly the same for both, what that adds to the alliance of the day, and what a person
    gets used to."""
    both, own = (_normal(purpose, "pair") for purpose in ("quality", f"{role}_quality"))
    return (
        step("", eq.partly_shared, f"{role}_quality_luck", common=both, own=own, shared_share="quality_shared_share"),
        step(role, eq.session_quality, f"{role}_quality", mean_perceived=f"mean_{role}_perceived",
             quality_luck=f"{role}_quality_luck"),
        step(role, arithmetic.same, f"{role}_usual", TOWARD, "usual_rate", value=f"mean_{role}_perceived"),
        step(role, arithmetic.same, f"{role}_distress_usual", TOWARD, "usual_rate", value=f"{role}_distress"),
        step(role, eq.momentary, f"{role}_moment"),
    )  # fmt: skip


form_alliance = Verb(
    "form_alliance",
    """Bond, task and goal follow what the session was like, for both people [K4, K11, K18]; a good or bad one colours them.

    Writes trust, bond, capability, task, goal and alliance of both, how good the session was and what they are used to, what is
    left of first impressions, and the client's engagement.
    """,
    (
        step("client", arithmetic.difference, "progress", one="distress_intake", other="client_distress"),
        *(
            each
            for role in ROLES
            for each in (
                step(role, eq.trust_target, f"{role}_trust", TOWARD, "trust_rate", mean_perceived=f"mean_{role}_perceived"),
                *_quality(role),
                step(role, eq.felt_bond, f"{role}_bond"),
            )
        ),
        step("client", eq.capability_target, "capability", TOWARD, "capability_rate",
              mean_attunement="mean_therapist_attunement"),
        *_agreement("client"),
        step("therapist", eq.taking_part, "taking_part", mean_perceived="mean_therapist_perceived"),
        *_agreement("therapist", capability="taking_part"),  # who judges the work by how the client takes part
        step("client", eq.engagement_target, "client_engagement", TOWARD, "engagement_rate"),
        *(step(role, arithmetic.same, f"{role}_impression", TOWARD, "impression_fade", value=0.0) for role in ROLES),
    ),
)  # fmt: skip

#: Distress itself, and the part of a change in it that lasts.
_DISTRESS = "client.distress client.distress_own client.distress_set_point"
_LASTING = ",healing_lasting_share,healing_lasting_share"
heal = Verb(
    "heal",
    """Distress falls through alliance, engagement and words [K25, K20]; a rupture left unrepaired adds to it. A good session
    gives relief, which fades.

    Writes the client's distress, set point, own part.
    """,
    (
        step("client", eq.healing, _DISTRESS, SUBTRACT, _LASTING, labelling="mean_client_labelling",
              treatment_gain="client.treatment_gain", partner_treatment_gain="therapist.treatment_gain"),
        step("client", eq.rupture_distress, _DISTRESS, ADD, _LASTING),
        step("client", eq.relief, "client.distress", SUBTRACT),
    ),
)  # fmt: skip


def _lessons(role: str, name: str) -> tuple[Step, ...]:
    """What a session teaches about this person, and what that teaches about people in general."""
    bond, lesson = f"{role}_{name}", f"{role}_{name}_lesson"
    return (
        step(role, eq.secured, bond, attachment=bond),
        *_expected(role, name, f"{role}_general_{name}"),
        step(role, eq.generalised, lesson, attachment=bond, carried=f"{bond}_carried",
             mean_learning_gate=f"mean_{role}_learning_gate"),
        step(role, eq.anchored, f"{lesson}_kept", learned=lesson),
        step(role, arithmetic.same, bond, TOWARD, "session_carry_rate", value=f"{bond}_carried"),
        step(role, arithmetic.same, f"{role}.{name}", ADD, value=lesson),
        step(role, arithmetic.same, f"{role}.{name}_anchor", ADD, value=f"{lesson}_kept"),
    )  # fmt: skip


consolidate = Verb(
    "consolidate",
    """Between sessions the alliance works on attachment to this person, the general model learns from how that differs from what
    it expected, a part of it for good, and training stays, and fades [K15, K16, K22, K23].

    Writes both people's general model, early anchors and regulation, their attachment to each other, and how long trust
    has lasted.
    """,
    tuple(
        each
        for role in ROLES
        for each in (
            *(each for name in _DIMENSIONS for each in _lessons(role, name)),
            step(role, arithmetic.same, f"{role}_sustained", TOWARD, "sustained_rate", value=f"{role}_trust"),
            step(role, arithmetic.difference, f"{role}_trained", one=f"{role}_regulation", other=f"{role}.regulation"),
            step(role, arithmetic.same, f"{role}.regulation", ADD, value=f"{role}_trained"),
        )
    ),
)

# ------------------------------------------------------------------------------------------------------- questionnaires

#: Whose draws a rater's are: by others than the client every session's ratings belong to the pair, their style to the person.
_OF_RATER = {"client": ("client", "client"), "therapist": ("pair", "therapist"), "observer": ("pair", "pair")}
_COMMON = {"client": "client.response_style", "therapist": "therapist.response_style", "observer": "observer_common"}


def _style(rater: str, questionnaire: str) -> Step:
    """How favourably a rater answers a questionnaire."""
    own = _normal(f"{questionnaire}_rating_style", _OF_RATER[rater][1], once=True)
    return step(rater, eq.response_style, f"{rater}_{questionnaire}_style", common=_COMMON[rater], own_luck=own)


def _true(rater: str, form: str, what: str, level: str, typical: str) -> Step:
    """What a rater would answer but for the noise of single items, as a proportion of the scale."""
    leniency = "client_leniency" if rater == "client" else "therapist_leniency"
    return step(rater, eq.rated_share, f"{rater}_{what}_share", level=level, level_typical=typical, leniency=leniency,
                noise=f"{rater}_{form}_noise", style=f"{rater}_{form}_style")  # fmt: skip


def _day(rater: str, form: str) -> Step:
    """A good or a bad day of the rater."""
    luck = _normal(f"{rater}_{form}_day", _OF_RATER[rater][0])
    return step(rater, arithmetic.product, f"{rater}_{form}_noise", one="rating_session_sd", other=luck)


def _working_alliance(rater: str) -> tuple[Step | Ask, ...]:
    scales = tuple(ask.WAI_SCALE.scales)
    return (
        _style(rater, "wai"), _day(rater, "wai"),
        *(step(rater, eq.as_felt, f"{rater}_{scale}_felt", level=f"{rater}_{scale}") for scale in scales),
        *(_true(rater, "wai", scale, f"{rater}_{scale}_felt", "alliance_typical") for scale in scales),
        Ask(rater, (ask.WAI_SCALE,) * len(scales),
            tuple((scale, f"{rater}_{scale}_share", f"rating.wai_{rater}_{scale}") for scale in scales),
            f"{rater}_wai", total=f"rating.wai_{rater}"),
    )  # fmt: skip


def _empathy(rater: str, level: str, typical: str) -> tuple[Step | Ask, ...]:
    return (
        _style(rater, "empathy"), _day(rater, "empathy"), _true(rater, "empathy", "empathy", level, typical),
        Ask(rater, (ask.EMPATHY,), (("", f"{rater}_empathy_share", f"rating.empathy_{rater}"),), f"{rater}_empathy"),
    )  # fmt: skip


rate_alliance = Verb(
    "rate_alliance",
    """Both fill in the WAI after the session, rate empathy, and report ruptures; an observer does too. The client also says
    how attached to the therapist they are.

    Writes the ratings ``wai_*``, ``empathy_*``, ``*_to_therapist``, ``cats_*`` and ``ruptures_*_reported``.
    """,
    (
        *_working_alliance("client"),
        *_working_alliance("therapist"),
        step("client", arithmetic.product, "empathy_moment", one="empathy_moment_share", other="client_moment"),
        step("client", eq.as_felt, "empathy_felt", level="mean_client_perceived", moment="empathy_moment"),
        *_empathy("client", "empathy_felt", "client_perceived_typical"),
        step("therapist", arithmetic.midway, "empathy_given", one="mean_therapist_perceived", other="mean_therapist_warmth"),
        step("therapist", arithmetic.midway, "empathy_typical", one="therapist_perceived_typical", other="warmth_typical"),
        *_empathy("therapist", "empathy_given", "empathy_typical"),
        step("observer", arithmetic.product, "observer_common", one="observer_response_style_sd",
              other=_normal("observer_rating_style", "pair", once=True)),
        *_empathy("observer", "mean_therapist_response", "client_perceived_typical"),
        Ask("client", (ask.TO_THERAPIST,) * 2,
            tuple((name, f"client_{name}", f"rating.{name}_to_therapist") for name in ("anxiety", "avoidance")), "to_therapist",
            plus=("client.ecr_response_style_anxiety", "client.ecr_response_style_avoidance"),
            purposes=("anxiety_to_therapist", "avoidance_to_therapist")),
        _style("client", "cats"),  # not in preoccupied: longing for contact is neither praise nor complaint
        step("client", eq.cats_secure_share, "cats_secure_share", style="client_cats_style"),
        step("client", eq.cats_avoidant_share, "cats_avoidant_share", style="client_cats_style"),
        step("client", eq.cats_preoccupied_share, "cats_preoccupied_share", bid="mean_client_bid"),
        Ask("client", tuple(ask.CATS.values()),
            tuple((scale, f"cats_{scale}_share", f"rating.cats_{scale}") for scale in ask.CATS), "cats"),
        step("therapist", arithmetic.product, "depth_noticed", one="deepest_rupture", other="mean_therapist_mentalising"),
        *(step(rater, eq.reported_rupture, f"rating.ruptures_{rater}_reported", depth=depth,
               report_chance=_uniform(f"{rater}_rupture_report", _OF_RATER[rater][0]))
          for rater, depth in (("client", "deepest_rupture"), ("therapist", "depth_noticed"), ("observer", "deepest_rupture"))),
    ),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------------------- leaving


@inlined
def ending(dropout_chance, dropout_risk, well_enough, session, planned_sessions):  # type: ignore[no-untyped-def]
    """How a course goes on: the planned end comes first, then dropping out, then being well enough; numbers of ``ENDINGS``."""
    stayed = select(well_enough > 0.0, float(IMPROVED), float(IN_THERAPY))
    return select(session >= planned_sessions, float(PLANNED), select(dropout_chance <= dropout_risk, float(DROPOUT), stayed))


leave = Verb(
    "leave",
    """Some do not come back, some are well enough, some have come to the planned end [K4, K18, A7].

    Writes ``dropout_risk`` and the ending.
    """,
    (
        step("client", eq.dropout_probability, "dropout_risk"),
        step("client", eq.well_enough, "well_enough", distress="client.distress", good_enough_chance=_uniform("good_enough")),
        step("client", ending, "ending", dropout_chance=_uniform("dropout")),
    ),
)

VERBS = (rate_distress, meet, form_alliance, heal, consolidate, rate_alliance, leave)
#: The verbs in which something follows from something else: their links can be cut, and all but ``leave`` be switched off.
MECHANISMS = (form_alliance, heal, consolidate, leave)
#: Steps of them that only prepare what others read, or move what is already there.
_BOOKKEEPING = {eq.taking_part, eq.carried_attachment, eq.partly_shared, eq.well_enough, ending}

#: Equations by verb, in the order of the session.
RULES: Mapping[str, tuple[Step, ...]] = {
    verb.__name__: tuple(
        step for step in verb.steps
        if isinstance(step, Step) and step.equation.__module__ == eq.__name__ and step.equation not in _BOOKKEEPING
    )
    for verb in MECHANISMS
}  # fmt: skip
#: Every equation that a verb of the session applies, after the exchange.
SESSION_RULES: tuple[Step, ...] = tuple(step for steps in RULES.values() for step in steps)
#: What each of them reads: argument -> quantity.
READS: Mapping[Step, Mapping[str, str]] = read_by(
    tuple(step for verb in MECHANISMS for step in verb.steps if isinstance(step, Step)), SESSION_RULES
)
#: Links of the session that can be cut: ``client.felt_bond.trust`` -> the quantity that it carries.
SESSION_LINKS: dict[str, str] = {
    f"{step.name}.{argument}": quantity for step in reversed(SESSION_RULES) for argument, quantity in READS[step].items()
}
