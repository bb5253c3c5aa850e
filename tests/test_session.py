"""Sessions: each verb alone, endings, a week of life, questionnaires, and who comes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from sim import luck as addressed
from sim.engine.asking import core_om, ecr
from sim.engine.living import draw, live_a_week
from sim.engine.native import kernel
from sim.engine.plain import walk
from sim.engine.wiring import wire
from sim.errors import PopulationError, ScenarioError, StateError, WiringError
from sim.luck import Luck
from sim.measurement import instruments as ask
from sim.measurement.asked import Ask, filled_in
from sim.measurement.responses import Respondents
from sim.people.apply import applied
from sim.people.state import DYAD, MEANS, PERSON, Columns
from sim.runs.run import run
from sim.scenario.scenario import Attachment, from_spec
from sim.simulation.build import build
from sim.theory import equations as eq
from sim.theory.arithmetic import same
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.regions import ROLES, lesion_names
from sim.theory.steps import Draw, step
from sim.theory.styles import STYLES, ecr_score, style_name
from sim.therapy import session as verbs
from sim.therapy.course import run_course
from sim.therapy.endings import DROPOUT, IMPROVED, IN_THERAPY, PLANNED
from sim.therapy.exchange import EXCHANGE, repair, rupture
from sim.therapy.session import SESSION, World, begin
from sim.therapy.verbs import rate_alliance


def met(clients: int = 40, sessions: int = 20, seed: int = 5, shared_therapist: bool = False, **parameters: float) -> World:
    """A world whose dyads have just met (week 1), everybody drawn from the population."""
    spec = {
        "question": "?",
        "clients_per_arm": clients,
        "sessions": sessions,
        "client": "population",
        "therapist": "population",
        "parameters": parameters,
    }
    scenario = from_spec(spec, "session")
    world = build(scenario, scenario.arms[0], 0, seed)
    if shared_therapist:
        world.therapist_of = np.zeros(clients, np.int64)
    world.week = 1
    begin(world)
    return world


def held(world: World, upto: str | None = None, weeks: int = 1) -> World:
    """The same world after whole sessions, the last of them only as far as (not including) the verb ``upto``."""
    rows = np.arange(len(world.dyads))
    for week in range(1, weeks + 1):
        world.week = week
        for verb in SESSION:
            if week == weeks and verb.__name__ == upto:
                return world
            verb(world, rows)
    return world


def state(world: World) -> dict[str, np.ndarray]:
    """A copy of everything that a verb could write."""
    out = {
        f"{table}.{name}": columns[name].copy()
        for table, columns in (("dyads", world.dyads), ("clients", world.clients), ("therapists", world.therapists))
        for name in columns.declared
    }
    out |= {f"ratings.{name}": values.copy() for name, values in world.ratings.items()}
    out |= {"ending": world.ending.copy(), "week": np.array([world.week])}
    return out


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    """Names of what differs or is new."""
    return {
        name for name, values in after.items() if name not in before or not np.array_equal(before[name], values, equal_nan=True)
    }


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def _logit(x: float) -> float:
    return math.log(x / (1 - x))


def _of_both(*names: str) -> set[str]:
    return {f"dyads.{role}_{name}" for role in ROLES for name in names}


#: verb -> all that its docstring says it writes.
WRITES: dict[str, set[str]] = {
    "rate_distress": {"ratings.distress"},
    "meet": _of_both("distress", "skill", "warmth_trait", "regulation", "fatigue", "arousal", "perceived", "disclosure", "said")
    | _of_both("general_anxiety", "general_avoidance")
    | {f"dyads.{name}" for name in ("session", "withdrawals", "confrontations", "repairs", "deepest_rupture", "open_rupture")},
    "exchange": {f"dyads.{q}" for step in EXCHANGE for q in step.writes if q in DYAD}
    | {f"dyads.mean_{name}" for name in MEANS}
    | {"dyads.tracking_accuracy", "dyads.accuracy_level", "dyads.directional_bias"},
    "form_alliance": _of_both("trust", "bond", "task", "goal", "alliance", "quality", "usual", "moment", "impression")
    | _of_both("distress_usual")
    | {"dyads.capability", "dyads.client_engagement"},
    "heal": {"clients.distress", "clients.distress_set_point", "clients.distress_own"},
    "consolidate": _of_both("anxiety", "avoidance", "sustained")
    | {
        f"{table}.{name}"
        for table in ("clients", "therapists")
        for name in ("anxiety", "avoidance", "anxiety_anchor", "avoidance_anchor", "regulation")
    },
    "rate_alliance": {
        f"ratings.{name}"
        for name in (
            *(f"wai_{role}{scale}" for role in ROLES for scale in ("", "_bond", "_task", "_goal")),
            *(f"empathy_{rater}" for rater in (*ROLES, "observer")),
            "anxiety_to_therapist",
            "avoidance_to_therapist",
            *(f"cats_{scale}" for scale in ask.CATS),
            *(f"ruptures_{rater}_reported" for rater in (*ROLES, "observer")),
        )
    },
    "leave": {"dyads.dropout_risk", "ending"},
}

# ------------------------------------------------------------------------------------------------ each verb alone


def test_every_verb_of_the_session_is_tested() -> None:
    """The table of what verbs write covers SESSION."""
    assert list(WRITES) == [verb.__name__ for verb in SESSION]


@pytest.mark.parametrize("verb", SESSION, ids=lambda v: v.__name__)
def test_a_verb_writes_what_it_says_and_nothing_else(verb: verbs.Verb) -> None:
    """Exactly the columns that its docstring names change, in the second of two sessions."""
    world = held(met(400, dropout_base=-2.0), verb.__name__, weeks=2)
    rows = np.arange(len(world.dyads))
    world.ratings.clear()
    if verb is verbs.meet:  # life has changed everybody a little since
        for table in (world.clients, world.therapists):
            for name in ("distress", "skill", "warmth_trait", "regulation", "fatigue"):
                table[name] = table[name] + 0.001
    if verb is verbs.form_alliance:  # and therapists come in as life, not therapy, has changed them
        world.dyads["therapist_distress"] += 0.001
    before = state(world)
    verb(world, rows)
    got = changed(before, state(world))
    assert got <= WRITES[verb.__name__], f"writes beyond its docstring: {got - WRITES[verb.__name__]}"
    assert WRITES[verb.__name__] == got, f"does not write: {WRITES[verb.__name__] - got}"


@pytest.mark.parametrize("verb", SESSION, ids=lambda v: v.__name__)
def test_a_verb_leaves_those_alone_who_do_not_meet(verb: verbs.Verb) -> None:
    """Nothing changes for dyads (and their people) who are not among the rows."""
    world = held(met(), verb.__name__, weeks=2)
    rows = np.arange(0, len(world.dyads), 2)
    before = state(world)
    verb(world, rows)
    after = state(world)
    assert {n for n in before if not np.array_equal(before[n][1::2], after[n][1::2], equal_nan=True)} == set()


def test_attachment_to_somebody_new_is_history_in_part() -> None:
    """A share of the general model, seen from the mean of the role; the rest is these two people's, by hand for two dyads."""
    world = met(2)
    d, p, pair = world.dyads, world.parameters, world.pair_code
    for role, people in (("client", world.clients), ("therapist", world.therapists)):
        for name in ("anxiety", "avoidance"):
            mean, sd = (p.of(role, f"{name}_mean") - 1) / 6, p.of(role, f"{name}_sd") / 6
            spread = p.bond_spread * math.sqrt(1 - p.carried_share**2) * sd / (mean * (1 - mean))
            for i, luck in enumerate(world.luck.normal(pair, f"{role}_bond_{name}")):
                carried = mean + p.carried_share * (people[name][i] - mean)
                assert d[f"{role}_{name}"][i] == pytest.approx(_sigmoid(_logit(carried) + spread * luck), abs=1e-12)
    everything = met(2, carried_share=1.0)
    np.testing.assert_allclose(everything.dyads.client_anxiety, everything.clients.anxiety, atol=1e-12)


def test_first_impressions_come_from_history_and_from_who_is_met() -> None:
    """Trust, expectation and agreement follow from attachment to this person and from how they strike one, by hand for two."""
    world = met(2)
    d, p, pair = world.dyads, world.parameters, world.pair_code
    drawn = world.luck.normal
    for role in ROLES:
        fit = np.sqrt(p.compatibility_shared_share) * drawn(pair, "match")
        fit += np.sqrt(1 - p.compatibility_shared_share) * drawn(pair, f"{role}_match")
        chance = np.sqrt(p.impression_shared_share) * drawn(pair, "impression")
        chance += np.sqrt(1 - p.impression_shared_share) * drawn(pair, f"{role}_impression")
        struck = p.impression_accuracy * fit + math.sqrt(1 - p.impression_accuracy**2) * chance
        np.testing.assert_allclose(d[f"{role}_compatibility"], p.compatibility_sd * fit, atol=1e-12)
        np.testing.assert_allclose(d[f"{role}_impression"], struck, atol=1e-12)
        for i, z in enumerate(struck):
            a, v = d[f"{role}_anxiety"][i], d[f"{role}_avoidance"][i]
            insecurity = (a - 0.45) + (v - 0.36)
            trust = _sigmoid(_logit(p.trust_start) - p.trust_start_security_gain * insecurity + p.trust_impression_gain * z)
            assert d[f"{role}_trust"][i] == pytest.approx(trust, abs=1e-12)
            lowered = p.expectation_avoidance_cost * (v - 0.36) + p.expectation_anxiety_cost * (a - 0.45)
            expected = _sigmoid(_logit(p.of(role, "perceived_typical")) - lowered + p.expectation_impression_gain * z)
            for name in ("perceived", "perceived_mean", "usual"):
                assert d[f"{role}_{name}"][i] == pytest.approx(expected, abs=1e-12), name
            bond = _sigmoid(_logit(trust) - p.bond_security_gain * insecurity)
            agreed = _sigmoid(_logit(p.agreement_start) + p.agreement_impression_gain * z)
            assert d[f"{role}_task"][i] == d[f"{role}_goal"][i] == pytest.approx(agreed, abs=1e-12)
            assert d[f"{role}_alliance"][i] == pytest.approx((bond + 2 * agreed) / 3, abs=1e-12)
            assert d[f"{role}_inconsistency"][i] == p.of(role, "inconsistency_typical")
    np.testing.assert_array_equal(d.distress_intake, world.clients.distress)
    np.testing.assert_array_equal(d.therapist_distress_usual, world.therapists.distress)
    for sd in (0.0, 1.2):  # how much fit will matter does not change what is seen of it
        fitting = met(2, compatibility_sd=sd).dyads
        for role in ROLES:
            np.testing.assert_array_equal(fitting[f"{role}_impression"], d[f"{role}_impression"])


def test_people_come_in_as_they_are_today() -> None:
    """Meeting brings each person's present state, counts the session and clears what counts one session; what is open of a
    rupture heals in part. What is usual of late stays what it was: today is yet to be compared with it."""
    world = held(met(), weeks=1)
    d, p, rows = world.dyads, world.parameters, np.arange(len(world.dyads))
    world.clients["distress"] += 0.5
    world.clients["avoidance"] = 0.7
    world.therapists["fatigue"] = 0.3
    d["withdrawals"], d["deepest_rupture"], d["open_rupture"] = 2.0, 0.6, 0.5
    used_to = d.client_distress_usual.copy()
    verbs.meet(world, rows)
    np.testing.assert_array_equal(d.client_distress, world.clients.distress)
    np.testing.assert_array_equal(d.client_distress_usual, used_to)
    assert (d.client_general_avoidance == 0.7).all() and not (d.client_avoidance == 0.7).any()
    assert (d.deepest_rupture == 0).all() and d.open_rupture == pytest.approx(0.5 * (1 - p.rupture_recovery), abs=1e-12)
    assert (d.client_disclosure == 0).all() and (d.client_said == p.client_arousal_typical).all()
    assert (d.therapist_fatigue == 0.3).all() and (d.session == 2).all()
    assert (d.withdrawals == 0).all() and (d.confrontations == 0).all() and (d.repairs == 0).all()
    assert (d.client_arousal == world.parameters.client_arousal_typical).all()
    np.testing.assert_array_equal(d.client_perceived, d.client_perceived_mean)


def test_exchange_reports_a_state_that_left_its_range() -> None:
    """A NaN brought into a session is refused, with the dyad and the column by name."""
    world = held(met(3), "exchange")
    world.dyads["client_trust"][1] = np.nan
    with pytest.raises(verbs.StateError, match="dyad 1: client_"):
        verbs.exchange(world, np.arange(3))


def test_habits_are_those_from_before_the_exchange() -> None:
    """Both people's habits are what an exchange begins with, and nothing that is learned in it changes them until the next."""
    habits = [f"{role}_habitual_{name}" for role in ROLES for name in ("anxiety", "avoidance")]
    written = [quantity for step in EXCHANGE for quantity in step.writes]
    assert written[:4] == habits and not set(habits) & set(written[4:])


def test_one_exchange_means_are_the_moment_itself() -> None:
    """With a single exchange the session mean is the value at its end, where nothing changes it later."""
    world = held(met(20), "exchange")
    world.n_exchanges = 1
    verbs.exchange(world, np.arange(20))
    d = world.dyads
    for name in ("client_expression", "client_perceived", "therapist_perceived"):
        np.testing.assert_array_equal(d[f"mean_{name}"], d[name])
    assert (d.tracking_accuracy == 0).all()  # one moment has no correlation
    np.testing.assert_allclose(np.abs(d.directional_bias), 1 - d.accuracy_level, atol=1e-12)
    assert kernel(world.exchange_steps, tuple(world.parameters)) is kernel(EXCHANGE, tuple(world.parameters))


def test_a_session_is_as_good_as_it_is_against_the_others() -> None:
    """Its quality by hand: responses against the usual ones, distress against that of late, and luck, in part of both alike; what
    it adds to the alliance, less what is open of ruptures; only then have people got used to it and to how they are of late, and
    impressions fade."""
    world = held(met(40, hazard_base=-3.0), "form_alliance", weeks=3)
    d, p, drawn, pair = world.dyads, world.parameters, world.luck.normal, world.pair_code
    d["therapist_distress"] += 0.3  # a bad week: sessions alone do not change how therapists are
    before = {name: d[name].copy() for name in d.declared}
    verbs.form_alliance(world, np.arange(40))
    assert 5 < (before["open_rupture"] > 0).sum() < 40
    for role in ROLES:
        b = {name: before[f"{role}_{name}"] for name in ("usual", "distress", "distress_usual", "impression")}
        m = before[f"mean_{role}_perceived"]
        luck = math.sqrt(p.quality_shared_share) * drawn(pair, "quality", 3)
        luck += math.sqrt(1 - p.quality_shared_share) * drawn(pair, f"{role}_quality", 3)
        better = np.log(m / (1 - m)) - np.log(b["usual"] / (1 - b["usual"]))
        quality = p.quality_response_gain * better + p.quality_luck_sd * luck
        quality -= p.quality_distress_cost * (b["distress"] - b["distress_usual"])
        np.testing.assert_allclose(d[f"{role}_quality"], quality, atol=1e-9)
        moment = p.alliance_quality_gain * quality - p.of(role, "rupture_alliance_cost") * before["open_rupture"]
        np.testing.assert_allclose(d[f"{role}_moment"], moment, atol=1e-9)
        for usual, now in (("usual", m), ("distress_usual", b["distress"])):
            np.testing.assert_allclose(d[f"{role}_{usual}"], b[usual] + p.usual_rate * (now - b[usual]), atol=1e-12)
        np.testing.assert_allclose(d[f"{role}_impression"], (1 - p.impression_fade) * b["impression"], atol=1e-12)
        lasting = (d[f"{role}_bond"] + d[f"{role}_task"] + d[f"{role}_goal"]) / 3
        np.testing.assert_allclose(d[f"{role}_alliance"], eq.lifted(lasting, moment), atol=1e-9)


def test_alliance_forms_by_hand() -> None:
    """Trust, capability, agreement, alliance and engagement of two dyads, computed by hand."""
    world = held(met(2), "form_alliance", weeks=2)
    d, p = world.dyads, world.parameters
    before = {name: d[name].copy() for name in d.declared}
    verbs.form_alliance(world, np.arange(2))
    for i in range(2):
        b = {name: float(values[i]) for name, values in before.items()}
        progress = b["distress_intake"] - b["client_distress"]
        trust = {}
        for role in ROLES:
            m, t = b[f"mean_{role}_perceived"], p.of(role, "perceived_typical")
            security = (b[f"{role}_anxiety"] - p.anxiety_typical) + (b[f"{role}_avoidance"] - p.avoidance_typical)
            target = _sigmoid(
                math.log(p.trust_typical / (1 - p.trust_typical))
                + p.trust_response_gain * (math.log(m / (1 - m)) - math.log(t / (1 - t)))
            )
            trust[role] = b[f"{role}_trust"] + p.trust_rate * (target - b[f"{role}_trust"])
            assert d[f"{role}_trust"][i] == pytest.approx(trust[role], abs=1e-12)
            bond = _sigmoid(math.log(trust[role] / (1 - trust[role])) - p.bond_security_gain * security)
            assert d[f"{role}_bond"][i] == pytest.approx(bond, abs=1e-12)
        seems = _sigmoid(
            math.log(p.capability_typical / (1 - p.capability_typical))
            + p.capability_attunement_gain * (b["mean_therapist_attunement"] - p.attunement_typical)
            + p.capability_progress_gain * progress
            + p.capability_trust_gain * (trust["client"] - p.trust_typical)
        )
        capability = b["capability"] + p.capability_rate * (seems - b["capability"])
        assert d.capability[i] == pytest.approx(capability, abs=1e-12)
        goal = _sigmoid(
            p.agreement_base
            + p.goal_agreement_capability_gain * (capability - p.capability_typical)
            + p.goal_agreement_meaning_gain * (b["shared_meaning"] - p.shared_meaning_typical)
            + p.goal_agreement_trust_gain * (trust["client"] - p.trust_typical)
            + p.goal_agreement_progress_gain * progress
        )
        assert d.client_goal[i] == pytest.approx(b["client_goal"] + p.agreement_rate * (goal - b["client_goal"]), abs=1e-12)
        lasting = (d.client_bond[i] + d.client_task[i] + d.client_goal[i]) / 3
        assert d.client_alliance[i] == pytest.approx(_sigmoid(_logit(lasting) + d.client_moment[i]), abs=1e-12)
        pushed = _sigmoid(
            p.engagement_base
            + p.engagement_alliance_gain * (d.client_alliance[i] - p.alliance_typical)
            + p.engagement_distress_gain * (b["client_distress"] - p.client_distress_typical)
        )
        engagement = b["client_engagement"] + p.engagement_rate * (pushed - b["client_engagement"])
        assert d.client_engagement[i] == pytest.approx(engagement, abs=1e-12)


def test_healing_by_hand() -> None:
    """Distress falls by rate * excess within reach * alliance^k * engagement * words * what both make of it, and rises by what is
    open of ruptures; the lasting share of that moves the set point too. A good session gives relief, which does not last."""
    world = held(met(30, hazard_base=-3.0), "heal", weeks=3)
    d, p = world.dyads, world.parameters
    distress, set_point = world.clients.distress.copy(), world.clients.distress_set_point.copy()
    verbs.heal(world, np.arange(30))
    work = (
        (d.client_alliance / p.alliance_typical) ** p.healing_alliance_power
        * d.client_engagement
        / p.engagement_typical
        * (1 + p.healing_labelling_share * (d.mean_client_labelling / p.labelling_typical - 1))
        * (1 + world.clients.treatment_gain)
        * np.exp(world.therapists.treatment_gain)
    )
    excess = np.maximum(d.client_distress - p.healthy_distress, 0)
    healed = np.minimum(p.healing_rate * work, 1.0) * excess * p.healing_reach / (excess + p.healing_reach)
    lost, relief = healed - p.rupture_distress_step * d.open_rupture, p.relief_gain * d.client_quality
    assert 0 < (d.open_rupture > 0).sum() < 30
    assert np.ptp(world.clients.treatment_gain) > 0.5 < np.ptp(world.therapists.treatment_gain)
    np.testing.assert_allclose(distress - world.clients.distress, lost + relief, atol=1e-12)
    np.testing.assert_allclose(set_point - world.clients.distress_set_point, p.healing_lasting_share * lost, atol=1e-12)


def test_consolidation_by_hand_and_added_up_over_a_caseload() -> None:
    """The alliance works on the bond; the general model learns from how that differs from what it expected, the early anchor
    keeps a part; the bond fades to what was expected. What several clients teach one therapist adds up."""
    world = held(met(2, shared_therapist=True), "consolidate", weeks=2)
    d, p = world.dyads, world.parameters
    before = {table: getattr(world, table).data.copy() for table in ("dyads", "clients", "therapists")}
    verbs.consolidate(world, np.arange(2))
    was = {name: before["dyads"][d.index[name]] for name in d.declared}
    for role, table, people in (("client", "clients", world.clients), ("therapist", "therapists", world.therapists)):
        trust, alliance, lasted = was[f"{role}_trust"], was[f"{role}_alliance"], was[f"{role}_sustained"]
        counts = 2 / (1 + np.exp(-p.general_trust_gain * (np.log(trust / (1 - trust)) - _logit(p.trust_typical))))
        rate = p.of(role, "prototype_learning_rate") * was[f"mean_{role}_learning_gate"] * counts
        total = (lambda lesson: lesson) if role == "client" else (lambda lesson: lesson.sum())
        for name in ("anxiety", "avoidance"):
            mean = (p.of(role, f"{name}_mean") - 1) / 6
            carried = mean + p.carried_share * (was[f"{role}_general_{name}"] - mean)
            bond = was[f"{role}_{name}"]
            bond = bond - p.alliance_security_rate * (alliance - p.alliance_typical) * 4 * bond * (1 - bond)
            lesson = rate * (bond - carried)
            assert np.abs(bond - was[f"{role}_{name}"]).min() > 0 < np.abs(lesson).min() and lasted.min() > 0
            np.testing.assert_allclose(d[f"{role}_{name}"], bond + p.session_carry_rate * (carried - bond), atol=1e-12)
            for column, learned in ((name, lesson), (f"{name}_anchor", p.anchor_learning_share * lasted * lesson)):
                who = slice(2) if role == "client" else 0
                kept = np.clip(before[table][people.index[column], who] + total(learned), 0, 1)
                np.testing.assert_allclose(people[column][who], kept, atol=1e-12, err_msg=f"{role} {column}")
        np.testing.assert_allclose(d[f"{role}_sustained"], lasted + p.sustained_rate * (trust - lasted), atol=1e-12)
    regulation = before["therapists"][world.therapists.index["regulation"], 0]
    trained = (was["therapist_regulation"] - regulation).sum()
    assert world.therapists.regulation[0] == pytest.approx(regulation + trained, abs=1e-12)
    np.testing.assert_array_equal(world.clients.regulation, d.client_regulation)


def test_without_plasticity_nothing_is_learned_and_a_bond_still_fades() -> None:
    """No plasticity: general model, early anchors and regulation stay exactly; the bond is still pulled to what the general model
    expects of it: plasticity is of learning, not of forgetting."""
    world = held(met(plasticity=0.0), "consolidate", weeks=2)
    d, p = world.dyads, world.parameters
    d["client_anxiety"] = 0.9
    before = state(world)
    verbs.consolidate(world, np.arange(len(d)))
    assert changed(before, state(world)) == _of_both("anxiety", "avoidance", "sustained")
    mean = (p.client_anxiety_mean - 1) / 6
    expected = mean + p.carried_share * (world.clients.anxiety - mean)
    np.testing.assert_allclose(d.client_anxiety, 0.9 + p.session_carry_rate * (expected - 0.9), atol=1e-12)
    still = held(met(plasticity=0.0, session_carry_rate=0.0), "consolidate", weeks=2)
    before = state(still)
    verbs.consolidate(still, np.arange(len(d)))
    assert changed(before, state(still)) == _of_both("sustained")


# ------------------------------------------------------------------------------------------- ruptures and their repair


def _repair(**given: float) -> dict[str, float]:
    """What becomes of a rupture, by name; somewhere amid a later session nothing happens, with something open from before."""
    usual = {
        "ruptured": 0.0, "confronted": 0.0, "rupture_depth": 0.4, "repair_probability": 0.5, "repair_chance": 0.6, "exchange": 3,
        "client_tension": 0.2, "open_rupture": 0.5, "deepest_rupture": 0.3, "withdrawals": 1.0, "confrontations": 1.0,
        "repairs": 0.0, "client_trust": 0.5, "client_anxiety": 0.5, "client_avoidance": 0.5, "repaired_share": 0.75,
        "repair_worth": 0.1, "repair_trust_step": 0.2, "repair_attachment_step": 0.04, "rupture_trust_step": 0.1,
        "rupture_attachment_step": 0.02, "plasticity": 1.5,
    }  # fmt: skip
    (writes,) = (one.writes for one in EXCHANGE if one.equation is repair)
    before = {**usual, **given}
    return {name: float(value) for name, value in zip(writes, repair(**before), strict=True) if value != before[name]}


def test_a_rupture_happens_by_its_hazard_and_is_of_one_kind() -> None:
    """A draw below the hazard, never for 0; of those that happen the share that is stated are confrontations."""
    one, other = (chances.ravel() for chances in np.meshgrid(*(np.arange(1, 101) / 100,) * 2))  # uniform draws reach 1, not 0
    happened, openly = rupture(0.255, one, 0.405, other)
    assert happened.sum() == 25 * 100 and openly.sum() == 25 * 40 and (openly <= happened).all()
    assert rupture(0.0, one, 0.405, other)[0].sum() == 0


def test_a_rupture_that_is_not_repaired_costs_trust_and_security() -> None:
    """By its depth; what is open deepens toward 1, tension is discharged, and the session's deepest is kept."""
    lost = {"client_tension": 0.0, "client_trust": 0.46, "client_anxiety": 0.512, "client_avoidance": 0.512, "open_rupture": 0.7}
    broken = _repair(ruptured=1.0)
    assert broken == pytest.approx({**lost, "deepest_rupture": 0.4, "withdrawals": 2.0}, abs=1e-12)
    openly = _repair(ruptured=1.0, confronted=1.0, deepest_rupture=0.6)
    assert openly == pytest.approx({**lost, "confrontations": 2.0}, abs=1e-12)
    assert {*_repair(ruptured=1.0, plasticity=0.0)} == {*broken} - {"client_anxiety", "client_avoidance"}


def test_a_repair_wins_trust_and_security() -> None:
    """At once, or at the beginning of a later session while enough is open: by what is closed of all that is open."""
    at_once = _repair(ruptured=1.0, repair_chance=0.4)  # of .5 + .4 * .5 = .7 three quarters
    won = {"client_trust": 0.5 + 0.2 * 0.525, "client_anxiety": 0.5 - 1.5 * 0.04 * 0.525,
           "client_avoidance": 0.5 - 1.5 * 0.04 * 0.525}  # fmt: skip
    happened = {"client_tension": 0.0, "deepest_rupture": 0.4, "withdrawals": 2.0}
    assert at_once == pytest.approx({**won, **happened, "open_rupture": 0.175, "repairs": 1.0}, abs=1e-12)
    later = _repair(exchange=0, repair_chance=0.4)
    assert later["open_rupture"] == pytest.approx(0.125) and later["repairs"] == 1.0
    assert later["client_trust"] == pytest.approx(0.5 + 0.2 * 0.375) and later["client_anxiety"] < 0.5
    assert {*later} == {*won, "open_rupture", "repairs"}
    assert _repair() == _repair(repair_chance=0.4) == {}  # amid a session nobody comes back to what was before
    assert _repair(exchange=0) == _repair(exchange=0, repair_chance=0.4, open_rupture=0.1) == {}
    assert "repairs" in _repair(exchange=0, repair_chance=0.4, open_rupture=0.11)


# ---------------------------------------------------------------------------------------------------- endings


def ends(session: int, planned: int = 20, distress: float = 3.0, clients: int = 400, **parameters: float) -> np.ndarray:
    """How a crowd of identical dyads ends after the session of this number."""
    world = met(clients, **parameters)
    world.planned_sessions[:] = planned
    world.dyads["session"] = float(session)
    world.clients["distress"] = distress
    verbs.leave(world, np.arange(clients))
    return world.ending


def test_the_planned_end_wins_over_everything() -> None:
    """In the last planned session nobody is counted as a dropout or as improved."""
    assert (ends(20, dropout_base=4.0, good_enough_prob=1.0, distress=-1.0) == PLANNED).all()
    assert (ends(19, dropout_base=4.0, dropout_alliance_gain=0.0) == PLANNED).sum() == 0


def test_dropping_out_wins_over_being_well_enough() -> None:
    """Whoever does not come back is a dropout, well or not."""
    got = ends(10, dropout_base=4.0, good_enough_prob=1.0, distress=-1.0)
    assert set(np.unique(got)) == {IMPROVED, DROPOUT} and (got == DROPOUT).mean() > 0.9


@pytest.mark.parametrize(("session", "distress", "expected"), [(5, -1.0, IN_THERAPY), (6, -1.0, IMPROVED), (6, 0.31, IN_THERAPY)])
def test_well_enough_only_after_some_sessions(session: int, distress: float, expected: int) -> None:
    """A course ends as improved only from the sixth session on, and only below the distress that is good enough."""
    nobody_drops_out = {"dropout_base": -12.0, "dropout_outside": 0.0}
    assert (ends(session, distress=distress, good_enough_prob=1.0, **nobody_drops_out) == expected).all()


def test_leaving_happens_as_often_as_its_risk_says() -> None:
    """Dropouts come at the rate of the stated risk, by hand for a typical dyad in session one."""
    world = met(20_000, seed=8)
    d, p = world.dyads, world.parameters
    d["client_alliance"], d["client_engagement"] = p.alliance_typical, p.engagement_typical
    d["client_avoidance"], d["session"], d["open_rupture"] = p.avoidance_typical, 1.0, 1.0
    verbs.leave(world, np.arange(len(d)))
    inside = _sigmoid(p.dropout_base + p.dropout_early_gain + p.dropout_rupture_gain)
    risk = inside + (1 - inside) * p.dropout_outside
    np.testing.assert_allclose(d.dropout_risk, risk, atol=1e-12)
    assert (world.ending == DROPOUT).mean() == pytest.approx(risk, abs=4 * math.sqrt(risk / len(d)))


# ------------------------------------------------------------------------------------------------ a week of life


@lru_cache(maxsize=4)
def _drawn(selected: bool, n: int, seed: int) -> tuple[Columns, np.ndarray]:
    code = addressed.person("client", np.arange(n))
    return draw("client", Attachment(selected=selected), code, Parameters(), Luck(seed, 0)), code


def people(selected: bool = False, n: int = 6000, seed: int = 1) -> tuple[Columns, np.ndarray]:
    """A fresh copy of people from the community (or of those of them who seek help), and their random-number codes."""
    drawn, code = _drawn(selected, n, seed)
    copy = Columns(PERSON, n)
    copy.data[:] = drawn.data
    return copy, code


def test_a_week_of_life_writes_what_it_says() -> None:
    """Distress, its set point, defences, anxiety, avoidance, their anchors, regulation and the count of events; nothing else."""
    who, code = people(n=3000)
    before = {name: who[name].copy() for name in PERSON}
    live_a_week("client", who, code, 3, Parameters(), Luck(1, 0))
    got = {name for name in PERSON if not np.array_equal(before[name], who[name])}
    attachment = {"anxiety", "avoidance", "anxiety_anchor", "avoidance_anchor"}
    assert got == attachment | {"distress", "distress_set_point", "immature", "neurotic", "regulation", "life_events"}


def test_a_week_of_distress_by_hand() -> None:
    """Distress moves to its set point and is disturbed by the counter-based random numbers of that week, in part by events."""
    who, code = people(n=400)
    p, luck = Parameters({"life_event_prob": 0.4}), Luck(1, 0)
    before, set_point = who.distress.copy(), who.distress_set_point.copy()
    live_a_week("client", who, code, 7, p, luck)
    variance = p.distress_state_share * (1 - (1 - p.distress_return_rate) ** 2)
    small, large = (1 - p.life_event_distress_share) * variance, p.life_event_distress_share * variance / 0.4
    event = luck.uniform(code, "life_event", 7) <= 0.4
    by_hand = (before + p.distress_return_rate * (set_point - before) + math.sqrt(small) * luck.normal(code, "distress", 7)
               + event * math.sqrt(large) * luck.normal(code, "life_event_distress", 7))  # fmt: skip
    assert 100 < event.sum() < 300
    np.testing.assert_allclose(who.distress, by_hand, atol=1e-12)


def test_life_events_come_move_and_last_as_often_as_stated() -> None:
    """Events happen with their chance; half move attachment, a quarter the anchor too, none without plasticity."""
    who, code = people(n=6000)
    p = Parameters(
        {
            "life_event_prob": 0.5,
            "prototype_state_share": 0.0,
            "anchor_rate": 0.0,
            "anxiety_distress_gain": 0.0,
            "avoidance_distress_gain": 0.0,
        }
    )
    before = {name: who[name].copy() for name in PERSON}
    live_a_week("client", who, code, 1, p, Luck(1, 0))
    assert who.life_events.mean() == pytest.approx(0.5, abs=0.03)
    moved = who.anxiety != before["anxiety"]
    assert moved.sum() / who.life_events.sum() == pytest.approx(p.life_event_moves_prob, abs=0.05)
    lasting = who.anxiety_anchor != before["anxiety_anchor"]
    assert lasting.sum() / who.life_events.sum() == pytest.approx(p.life_event_lasting_prob, abs=0.05)
    assert not (lasting & ~moved).any()
    still, code = people(n=500)
    live_a_week("client", still, code, 1, p.but(plasticity=0.0), Luck(1, 0))
    for name in ("anxiety", "avoidance", "anxiety_anchor", "avoidance_anchor"):
        np.testing.assert_array_equal(still[name], people(n=500)[0][name])


@pytest.mark.parametrize("role", ROLES)
def test_a_population_stays_what_it_is_without_therapy(role: str) -> None:
    """Mean and spread of attachment and distress hardly change over two years of life alone."""
    who, code = people(n=6000)
    if role == "therapist":
        code = addressed.person("therapist", np.arange(6000))
        who = draw("therapist", Attachment(), code, Parameters(), Luck(1, 0))
    start = {name: (who[name].mean(), who[name].std()) for name in ("anxiety", "avoidance", "distress")}
    for week in range(1, 105):
        live_a_week(role, who, code, week, Parameters(), Luck(1, 0))
    for name, (mean, sd) in start.items():
        assert who[name].mean() == pytest.approx(mean, abs=0.08 * sd), name
        assert who[name].std() == pytest.approx(sd, rel=0.08), name  # those near an end of the scale are disturbed less


# ------------------------------------------------------------------------------------------------ questionnaires


def asked(code: np.ndarray, week: int = 0, rater: str = "client") -> Respondents:
    """These people as they fill in questionnaires."""
    return Respondents(code, week, Parameters(), Luck(1, 0), rater)


def items_of(instrument: ask.Instrument, mark: np.ndarray, who: np.ndarray, purpose: str) -> np.ndarray:
    """Marks of single items: differences of the sums over the first k items, whose luck is the same."""
    sums = [np.zeros(mark.size)]
    for k in range(1, instrument.items + 1):
        sums.append(k * ask.mean_response(replace(instrument, items=k), mark, asked(who), purpose))
    return np.round(np.diff(np.array(sums), axis=0), 9)


def cronbach_alpha(items: np.ndarray) -> float:
    """Cronbach's alpha of items (rows) over people (columns)."""
    k = items.shape[0]
    return float(k / (k - 1) * (1 - items.var(axis=1).sum() / items.sum(axis=0).var()))


@pytest.mark.parametrize("name", ["anxiety", "avoidance"])
def test_the_ecr_is_as_reliable_as_in_the_community(name: str) -> None:
    """Cronbach's alpha of an 18-item dimension near .92; items are whole marks from 1 to 7."""
    who, code = people()
    items = items_of(ask.ECR_SCALE, ecr_score(who[name]) + who[f"ecr_response_style_{name}"], code, f"ecr_{name}_0")
    assert set(np.unique(items)) == set(range(1, 8))
    assert cronbach_alpha(items) == pytest.approx(0.92, abs=0.02)
    score = ecr(name, who[name], who[f"ecr_response_style_{name}"], asked(code), "0")
    np.testing.assert_allclose(score, items.mean(axis=0), atol=1e-9)


def rated(
    instrument: ask.Instrument,
    level: np.ndarray,
    level_typical: float,
    style: np.ndarray,
    whom: Respondents,
    form: str,
    scale: str = "",
) -> np.ndarray:
    """A rating of something about the therapy by one rater, as it comes back; ``level`` is latent, 0..1."""
    p = whom.parameters
    leniency = p.client_leniency if whom.rater == "client" else p.therapist_leniency
    noise = p.rating_session_sd * whom.luck.normal(whom.code, f"{form}_day", whom.week)
    true = applied(eq.rated_share, p, level=level, level_typical=level_typical, leniency=leniency, style=style, noise=noise)
    what = Ask(whom.rater, (instrument,), ((scale, "true", "score"),), form)
    return filled_in(what, {"true": true}.__getitem__, whom)["score"]


def test_every_questionnaire_keeps_to_its_scale() -> None:
    """Means lie between the lowest and highest mark, in steps of one item, however extreme the person."""
    whom = asked(addressed.person("client", np.arange(300)), week=1)
    everybody = {"distress": np.linspace(-6, 8, 300), "avoidance": np.tile([0.0, 0.5, 1.0], 100)}
    core = core_om(everybody, whom)
    assert core.min() >= 0 and core.max() <= 40 and np.corrcoef(core, everybody["distress"])[0, 1] > 0.9
    np.testing.assert_allclose(core * 3.4, np.round(core * 3.4), atol=1e-9)
    level = np.linspace(0, 1, 300)
    wai = rated(ask.WAI_SCALE, level, 0.55, np.zeros(300), whom, "w")
    assert wai.min() >= 1 and wai.max() == 7 and wai.min() < 2
    np.testing.assert_allclose(wai * 4, np.round(wai * 4), atol=1e-9)
    of_ecr = ecr("anxiety", level, np.full(300, 5.0), whom, "e")
    assert of_ecr.min() >= 1 and of_ecr.max() <= 7


def test_avoidant_people_admit_less_distress() -> None:
    """Who is more avoidant in general fills in the CORE-OM as a typical person would who has so much less [A4]."""
    p, whom, n = Parameters(), asked(addressed.person("client", np.arange(300)), week=1), np.ones(300)
    avoidant = core_om({"distress": 1.5 * n, "avoidance": (p.avoidance_typical + 0.4) * n}, whom)
    less = core_om({"distress": (1.5 - 0.4 * p.under_report_gain) * n, "avoidance": p.avoidance_typical * n}, whom)
    np.testing.assert_allclose(avoidant, less, atol=1e-12)
    assert avoidant.mean() < core_om({"distress": 1.5 * n, "avoidance": p.avoidance_typical * n}, whom).mean()


def test_ratings_have_a_ceiling() -> None:
    """Clients use the top of the alliance scale: the same step moves high ratings less, and some mark 7 throughout."""
    p, n = Parameters(), 3000
    code = addressed.person("client", np.arange(n))

    def by(level: float, rater: str) -> np.ndarray:
        return rated(ask.WAI_SCALE, np.full(n, level), p.alliance_typical, np.zeros(n), asked(code, 1, rater), "w")

    means = [by(level, "client") for level in (0.3, 0.5, 0.7, 0.9)]
    low, middle, high, top = (m.mean() for m in means)
    assert middle - low > high - middle > top - high > 0
    assert (means[3] == 7).mean() > 0.2 > 0.05 > (means[1] == 7).mean()
    assert by(0.55, "client").mean() > by(0.55, "therapist").mean()


def test_ratings_of_one_person_share_their_style() -> None:
    """Alliance and empathy as one client rates them go together even where nothing differs; without style they do not."""
    who, code = people()
    level, whom = np.full(code.size, 0.55), asked(code, week=1)

    def correlation(style: np.ndarray) -> float:
        wai = rated(ask.WAI_SCALE, level, 0.55, style, whom, "client_wai")
        empathy = rated(ask.EMPATHY, level, 0.55, style, whom, "client_empathy")
        return float(np.corrcoef(wai, empathy)[0, 1])

    assert correlation(who.response_style) > 0.3
    assert abs(correlation(np.zeros(code.size))) < 0.05


@pytest.mark.parametrize("rater", ["client", "therapist", "observer"])
def test_a_rating_by_hand_is_drawn_of_the_rater(rater: str) -> None:
    """Style is drawn of the person who rates, the day and the items of the client or, by others, of the pair."""
    world = held(met(400), weeks=1)
    d, p, luck, pair = world.dyads, world.parameters, world.luck, world.pair_code
    client, therapist = world.client_code[world.client_of], world.therapist_code[world.therapist_of]
    coloured = eq.lifted(d.mean_client_perceived, p.empathy_moment_share * d.client_moment)
    observed = p.observer_response_style_sd * luck.normal(pair, "observer_rating_style")
    code, person, common, level, typical = {
        "client": (client, client, world.clients.response_style[world.client_of], coloured, p.client_perceived_typical),
        "therapist": (pair, therapist, world.therapists.response_style[world.therapist_of],
                      0.5 * (d.mean_therapist_perceived + d.mean_therapist_warmth),
                      0.5 * (p.therapist_perceived_typical + p.warmth_typical)),
        "observer": (pair, pair, observed, d.mean_therapist_response, p.client_perceived_typical),
    }[rater]  # fmt: skip
    whom = Respondents(code, world.week, p, luck, rater)

    def style(questionnaire: str) -> np.ndarray:
        own = luck.normal(person, f"{questionnaire}_rating_style")
        return applied(eq.response_style, p, rater, common=common, own_luck=own)

    by_hand = rated(ask.EMPATHY, level, typical, style("empathy"), whom, f"{rater}_empathy")
    np.testing.assert_array_equal(world.ratings[f"empathy_{rater}"], by_hand)
    for scale in ask.WAI_SCALE.scales if rater in ROLES else ():
        felt = eq.lifted(d[f"{rater}_{scale}"], d[f"{rater}_moment"])
        by_hand = rated(ask.WAI_SCALE, felt, p.alliance_typical, style("wai"), whom, f"{rater}_wai", scale)
        np.testing.assert_array_equal(world.ratings[f"wai_{rater}_{scale}"], by_hand)


def test_a_draw_of_one_person_is_drawn_in_one_way() -> None:
    """One purpose may be drawn of several people; of one person it is either normal or uniform, once or every week."""
    draws = [Draw("style", whose) for whose in ("client", "therapist", "pair")]
    _, wiring = wire(tuple(step("", same, f"style_{draw.whose}", value=draw) for draw in (*draws, *draws)))
    assert list(wiring.draws.values()) == draws
    for other in (Draw("style", kind="uniform"), Draw("style", once=True)):
        with pytest.raises(WiringError, match="'style' of the client is drawn in two ways"):
            wire((step("", same, "one", value=draws[0]), step("", same, "two", value=other)))


def test_ruptures_are_reported_with_the_stated_chances() -> None:
    """Reports are 0 or 1, by each rater's own chances: false ones in a smooth session, more the deeper the deepest rupture was;
    therapists notice of it as much as they mentalise."""
    n = 20_000
    world = met(n)
    d, p, rows = world.dyads, world.parameters, np.arange(n)
    behind = [getattr(one, "equation", None) for one in rate_alliance.steps].index(eq.reported_rupture) - 1
    steps = rate_alliance.steps[behind:]  # what a therapist notices, and who reports what
    assert [name for one in steps[1:] for name in one.writes] == [f"rating.ruptures_{by}_reported" for by in (*ROLES, "observer")]
    d["mean_therapist_mentalising"] = 0.5
    for depth in (0.0, 0.1, 0.4):
        d["deepest_rupture"] = depth
        walk(steps, world.meeting(rows, rate_alliance))
        for by, noticed in (("client", depth), ("therapist", depth / 2), ("observer", depth)):
            smooth = (1 - p[f"{by}_false_report_prob"]) * math.exp(-noticed / p[f"{by}_report_depth"])
            got = world.ratings[f"ruptures_{by}_reported"]
            assert set(np.unique(got)) == {0.0, 1.0}, by
            assert got.mean() == pytest.approx(1 - smooth, abs=4 * math.sqrt(smooth * (1 - smooth) / n)), (by, depth)


def test_attachment_to_the_therapist_is_marked_as_it_is() -> None:
    """Each scale of the CATS follows its latent share; style lifts secure, lowers avoidant, leaves preoccupied."""
    world = held(met(3000), weeks=1)
    d, r, luck, p = world.dyads, world.ratings, world.luck, world.parameters
    trust, bids = d.client_trust, d.mean_client_bid
    avoidant = (
        p.cats_avoidant_base
        - p.cats_trust_gain * (np.log(trust / (1 - trust)) - _logit(p.trust_typical))
        + p.cats_insecurity_gain * (d.client_avoidance - p.avoidance_typical)
    )
    own, common = luck.normal(world.client_code, "cats_rating_style"), world.clients.response_style
    style = applied(eq.response_style, p, "client", common=common, own_luck=own)
    whom = world.asked("client", np.arange(3000))
    answer = 1 + 5 / (1 + np.exp(p.cats_style_share * style - avoidant))
    marked = ask.mean_response(ask.CATS["avoidant"], answer, whom, "cats", "avoidant")
    np.testing.assert_array_equal(r["cats_avoidant"], marked)
    closeness = p.cats_closeness_gain * np.log(bids / (1 - bids)) + p.cats_longing_gain * np.log(trust / (1 - trust))
    assert np.corrcoef(r["cats_preoccupied"], closeness)[0, 1] > 0.75
    for scale, low, high in (("secure", 0.1, 0.6), ("avoidant", -0.6, -0.1), ("preoccupied", -0.05, 0.05)):
        assert r[f"cats_{scale}"].min() >= 1 and r[f"cats_{scale}"].max() <= 6
        assert low < np.corrcoef(r[f"cats_{scale}"], style)[0, 1] < high, scale
    assert [(one.items, one.low, one.high) for one in ask.CATS.values()] == [(14, 1, 6), (12, 1, 6), (10, 1, 6)]


def test_the_subscales_of_one_day_share_that_day() -> None:
    """The three WAI scales of a session correlate beyond style, by the rater's day and by how good the session was; WAI total is
    their mean."""

    def scales(**parameters: float) -> np.ndarray:
        r = held(met(3000, client_response_style_sd=0.0, **parameters), weeks=1).ratings
        each = np.array([r[f"wai_client_{scale}"] for scale in ask.WAI_SCALE.scales])
        np.testing.assert_allclose(r["wai_client"], each.mean(axis=0), atol=1e-12)
        return each

    def least(values: np.ndarray) -> float:
        return float(np.corrcoef(values)[np.triu_indices(3, 1)].min())

    assert least(scales(rating_gain=0.0, rating_session_sd=0.24)) > 0.15
    assert np.abs(np.corrcoef(scales(rating_gain=0.0, rating_session_sd=0.0))[np.triu_indices(3, 1)]).max() < 0.06
    coloured = scales(rating_session_sd=0.0) - scales(rating_session_sd=0.0, alliance_quality_gain=0.0)
    assert least(coloured) > 0.5


# -------------------------------------------------------------------------------------------------- who comes


def test_those_who_come_suffer_more() -> None:
    """Selection on distress raises it by more than one SD; the community is standardised."""
    community, _ = people()
    clients, _ = people(selected=True)
    assert community.distress.mean() == pytest.approx(0, abs=0.06) and community.distress.std() == pytest.approx(1, abs=0.05)
    assert clients.distress.mean() > community.distress.mean() + 1.0
    assert clients.anxiety.mean() > community.anxiety.mean()
    assert clients.distress.mean() == pytest.approx(Parameters().client_distress_typical, abs=0.5)


def test_attachment_and_distress_go_together_as_published() -> None:
    """As questionnaires measure them, anxiety correlates about .42 with distress in the community, avoidance about .28."""
    community, code = people()
    distress = core_om(community, asked(code))
    for name, published in (("anxiety", 0.42), ("avoidance", 0.28)):
        score = ecr(name, community[name], community[f"ecr_response_style_{name}"], asked(code), "0")
        assert np.corrcoef(score, distress)[0, 1] == pytest.approx(published, abs=0.04)


@pytest.mark.parametrize(("name", "mean", "sd"), [("anxiety", 3.6, 1.2), ("avoidance", 2.92, 1.19)])
def test_the_community_is_where_it_was_measured(name: str, mean: float, sd: float) -> None:
    """The ECR as the community fills it in has the published mean and spread, and nobody lies outside the scale."""
    community, code = people()
    assert ecr_score(community[name]).min() >= 1 and ecr_score(community[name]).max() <= 7
    score = ecr(name, community[name], community[f"ecr_response_style_{name}"], asked(code), "0")
    assert score.mean() == pytest.approx(mean, abs=0.06)
    assert score.std() == pytest.approx(sd, abs=0.06)


def place(client: Any, role: str = "client", n: int = 300, **parameters: float) -> Columns:
    """People of a role drawn as a scenario would describe them."""
    spec = {"question": "?", "clients_per_arm": n, "sessions": 1, role: client, "parameters": parameters}
    arm = from_spec({"client": "population", "therapist": "population"} | spec, "place").arms[0]
    wanted = arm.client if role == "client" else arm.therapist
    return draw(role, wanted, addressed.person(role, np.arange(n)), Parameters(parameters), Luck(1, 0))


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_a_region_that_is_kept(role: str, style: str) -> None:
    """Everybody of a style lies in its region, and they differ among themselves."""
    who = place(style, role, n=100)
    assert set(style_name(ecr_score(who.anxiety), ecr_score(who.avoidance))) == {style}
    assert np.ptp(who.anxiety) > 0.05


@pytest.mark.parametrize("role", ROLES)
def test_a_point_a_spread_and_a_box_are_kept(role: str) -> None:
    """A point is exact, a box holds all, a mean and spread come out as asked."""
    point = place({"anxiety": 5.5, "avoidance": 2.25}, role)
    np.testing.assert_allclose(ecr_score(point.anxiety), 5.5, atol=1e-12)
    np.testing.assert_allclose(ecr_score(point.avoidance), 2.25, atol=1e-12)
    box = place({"anxiety": [3, 3.5], "avoidance": [2, 3]}, role)
    assert ecr_score(box.anxiety).min() >= 3 and ecr_score(box.anxiety).max() <= 3.5 and ecr_score(box.avoidance).max() <= 3
    anyone = {"selected": False} if role == "client" else {}
    spread = place({"anxiety": {"mean": 4, "sd": 0.3}, "avoidance": {"mean": 3, "sd": 0.2}, **anyone}, role, n=2000)
    assert ecr_score(spread.anxiety).mean() == pytest.approx(4, abs=0.03)
    assert ecr_score(spread.avoidance).std() == pytest.approx(0.2, abs=0.02)


def test_early_anchors_and_distress_are_kept() -> None:
    """Somebody who was elsewhere early in life has come most of the way, also in the anchor; a stated distress is everybody's."""
    share = Parameters().earned_share
    who = place({"anxiety": 2.2, "avoidance": 2.0, "early": {"anxiety": 5.2, "avoidance": 5.0}, "distress": 2.5})
    np.testing.assert_allclose(ecr_score(who.anxiety_anchor), 5.2 + share * (2.2 - 5.2), atol=1e-12)
    np.testing.assert_allclose(ecr_score(who.avoidance_anchor), 5.0 + share * (2.0 - 5.0), atol=1e-12)
    assert (who.distress == 2.5).all() and (who.distress_set_point == 2.5).all()


def test_anchors_go_with_the_present() -> None:
    """Without a given history the anchor correlates with today and is regressed toward the mean of the role."""
    who, _ = people()
    expected = math.sqrt(1 - Parameters().prototype_state_share)
    assert np.corrcoef(who.anxiety, who.anxiety_anchor)[0, 1] == pytest.approx(expected, abs=0.04)
    assert who.anxiety_anchor.std() < who.anxiety.std()
    assert who.anxiety_anchor.min() >= 0 and who.anxiety_anchor.max() <= 1


def test_when_nobody_fits_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place where hardly anybody is found is refused with what to change."""
    monkeypatch.setattr("sim.people.population.MOST_ATTEMPTS", 300)
    with pytest.raises(PopulationError, match="widen the region or give a point"):
        place({"anxiety": [6.99, 7.0], "avoidance": [6.99, 7.0]}, n=3)
    assert len(place({"anxiety": 7, "avoidance": 7, "selected": False}, n=3)) == 3


def test_people_who_drop_out_end_with_their_last_rating() -> None:
    """Nothing more is heard of them; the others fill in one more CORE-OM."""
    scenario = from_spec({"question": "?", "clients_per_arm": 400, "sessions": 12, "parameters": {"dropout_base": -3.0}}, "s")
    found = run(scenario, seed=1)
    last = found.sessions.sort_values("session").groupby("client")["distress"].last()
    ends = found.clients.set_index("client")
    dropped = ends["ending"] == "dropout"
    assert dropped.sum() > 50 and (~dropped).sum() > 50
    assert (ends.loc[dropped, "distress_end"] == last[ends.index[dropped]]).all()
    assert (ends.loc[~dropped, "distress_end"] != last[ends.index[~dropped]]).mean() > 0.8


def test_intake_is_one_questionnaire() -> None:
    """The client table and the first assessment report the same marks."""
    found = run(from_spec({"question": "?", "clients_per_arm": 30, "sessions": 4}, "s"), seed=1)
    first = found.assessments[found.assessments["month"] == 0].set_index("client")
    clients = found.clients.set_index("client")
    for name, column in (("distress", "distress_0"), ("anxiety", "client_anxiety_0"), ("avoidance", "client_avoidance_0")):
        assert (first[name] == clients[column]).all(), name


def test_life_events_are_counted_anew_each_month() -> None:
    """With an event every week each assessment after the first counts four, never more."""
    spec = {"question": "?", "clients_per_arm": 10, "sessions": 12, "therapist": "none", "parameters": {"life_event_prob": 1.0}}
    counted = run(from_spec(spec, "s"), seed=1).assessments
    assert (counted.loc[counted["month"] > 0, "life_events"] == 4).all() and len(counted) == 40


def test_people_out_of_range_are_found_in_the_week() -> None:
    """A verb that spoils a person is named, with week and column."""
    world = met(5)

    def spoil(world: World, rows: np.ndarray) -> None:
        world.clients.skill[2] = 1.5

    with pytest.raises(StateError, match=r"week 1, client row 2: skill is 1\.5"):
        run_course(world, 2, (*SESSION, spoil))


@pytest.mark.parametrize("end", ["low", "high"])
@pytest.mark.parametrize("step", [7, pytest.param(1, marks=pytest.mark.deep)], ids=["some", "all"])
def test_every_number_may_take_both_ends_of_its_range(step: int, end: str) -> None:
    """What the format allows runs: no number at an end of its range makes the state leave its own."""
    for name in list(PARAMETERS)[::step]:
        number = PARAMETERS[name]
        spec = {
            "question": "?",
            "clients_per_arm": 6,
            "sessions": 3,
            "client": {"distress": 1.0},
            "parameters": {name: getattr(number, end)},
        }
        try:
            run(from_spec(spec, name), seed=1, threads=1)
        except ScenarioError:
            assert name.endswith(("_sd", "_mean")), name  # no distribution on 1-7 has such a mean and SD


def test_every_lesion_may_be_any_share() -> None:
    """Every region of either person, removed or half there."""
    arms = {f"{name} {strength}": {"lesions": {name: strength}} for name in lesion_names() for strength in (0.0, 0.5)}
    found = run(from_spec({"question": "?", "clients_per_arm": 5, "sessions": 2, "arms": arms}, "s"), seed=1, threads=1)
    assert len(found.clients) == 5 * len(arms)
