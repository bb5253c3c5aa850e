"""What therapists learn, what they are told about clients, and the switches for contested findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.errors import ParameterError, ScenarioError, WiringError
from sim.people.state import PERSON, Columns
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build, build_clinic
from sim.theory import equations as eq
from sim.theory.parameters import PARAMETERS, Parameters
from sim.therapy.clinic import week as verbs
from sim.therapy.clinic.feedback import heed_feedback, with_feedback
from sim.therapy.clinic.week import CLINIC, Clinic
from sim.therapy.course import run_course
from sim.therapy.session import SESSION
from sim.therapy.training import PROGRAMMES, Programme, teach


def made(clinic: dict[str, Any] | None = None, **spec: Any) -> Scenario:
    plan = {"therapists": 6, "capacity": 4, "arrivals_per_week": 5, "weeks": 20, **(clinic or {})}
    return from_spec({"question": "?", "design": "clinic", "sessions": 8, "exchanges": 4, "clinic": plan, **spec}, "small")


def begun(clinic: dict[str, Any] | None = None, weeks: int = 0, upto: str | None = None, **spec: Any) -> Clinic:
    """A clinic after some weeks, and of one week more the verbs before ``upto``."""
    scenario = made(clinic, **spec)
    c = build_clinic(scenario, scenario.arms[0], 0, 3)
    for _ in range(weeks):
        c.live_a_week()
    if upto is not None:
        c.world.week += 1
        for verb in CLINIC[: [verb.__name__ for verb in CLINIC].index(upto)]:
            verb(c)
    return c


# -------------------------------------------------------------------------------------------------- what is learned


@pytest.mark.parametrize("name", PROGRAMMES)
def test_a_programme_reaches_its_amount_after_its_weeks_and_it_stays(name: str) -> None:
    programme = PROGRAMMES[name]
    people, taken = Columns(PERSON, 3), np.zeros(3, np.int64)
    people["fatigue"] = 0.9
    start = people.data.copy()
    for week in range(1, programme.weeks + 11):
        taken[:2] += 1
        teach(people, [name], taken)
        for column in PERSON:
            before = start[people.index[column], 0]
            learned = programme.learned.get(column, 0.0) * min(week, programme.weeks) / programme.weeks
            goes_on = programme.each_week.get(column, 0.0) * week
            assert people[column][:2] == pytest.approx(before + learned + goes_on, abs=1e-9), (column, week)
    assert np.array_equal(people.data[:, 2], start[:, 2])  # who takes no part
    assert programme.learned and programme.source


def test_two_programmes_add_up_and_those_who_began_later_are_behind() -> None:
    people = Columns(PERSON, 2)
    skill = people.skill[0]
    for week in range(1, 9):
        teach(people, ["empathy_training", "rupture_repair_training"], np.array([week, max(week - 4, 0)]))
    assert people.repair_skill == pytest.approx([0.7, 0.35]) and people.skill == pytest.approx([skill + 0.06, skill + 0.03])


def test_what_is_learned_stays_within_its_range() -> None:
    PROGRAMMES["far"] = Programme("Too much of everything.", {"repair_skill": 50.0, "anxiety": -3.0}, 2, {"fatigue": -0.5})
    people = Columns(PERSON, 2)
    for week in range(1, 4):
        teach(people, ["far"], np.full(2, week))
    assert (people.repair_skill == 6).all() and (people.anxiety == 0).all() and (people.fatigue == 0).all()


def test_a_programme_that_cannot_be_is_refused() -> None:
    with pytest.raises(ParameterError, match="there is no column 'repair_skil' of a therapist - did you mean 'repair_skill'"):
        Programme("?", {"repair_skil": 0.1})
    with pytest.raises(ParameterError, match="there is no column 'calm'"):
        Programme("?", each_week={"calm": 0.1})
    with pytest.raises(ParameterError, match="lasts at least a week, not 0"):
        Programme("?", {"skill": 0.1}, 0)


def test_a_programme_of_ones_own_can_be_named_in_a_scenario() -> None:
    with pytest.raises(ScenarioError, match="unknown programme 'peer_group'"):
        made({"training": ["peer_group"]})
    PROGRAMMES["peer_group"] = Programme("Meet as colleagues.", {"warmth_trait": 0.5}, 4)
    usual, mine = run(made(), 1).therapists, run(made({"training": ["peer_group"]}), 1).therapists
    rise = (mine["warmth"] - usual["warmth"]).groupby(mine["week"]).mean()
    assert rise.loc[2] == pytest.approx(0.25) and rise.loc[4] == rise.loc[20] == pytest.approx(0.5)


# --------------------------------------------------------------------------------------------- training in a clinic


@pytest.mark.parametrize("name", PROGRAMMES)
def test_training_moves_only_what_it_names(name: str) -> None:
    """Beside an untrained twin, before any session is held."""
    mine, twin = (begun({"training": names, "training_from": 3}, 2, "train") for names in ([name], []))
    assert np.array_equal(mine.world.therapists.data, twin.world.therapists.data)
    for c in (mine, twin):
        c.world.therapists["fatigue"] = 0.5
        verbs.train(c)
    named = {*PROGRAMMES[name].learned, *PROGRAMMES[name].each_week}
    moved = {column for column in PERSON if not np.array_equal(mine.world.therapists[column], twin.world.therapists[column])}
    assert moved == named
    assert np.array_equal(mine.world.clients.data, twin.world.clients.data)
    assert (mine.taken == 1).all() and (twin.taken == 0).all()


def test_a_share_of_the_therapists_is_drawn_by_lot() -> None:
    clinic = {"training": ["rupture_repair_training"], "trained_share": 0.5, "training_from": 4, "therapists": 9}
    done = run(made(clinic, replicates=6), 1).therapists
    trained = done.groupby(["replicate", "therapist"])["supervised"].max().unstack()
    assert (trained.sum(axis=1) == 5).all()  # half of nine
    assert not trained.eq(trained.iloc[0]).all(axis=None)  # other ones each time
    assert not done[done["week"] < 4]["supervised"].any() and done[done["week"] == 4]["supervised"].sum() == 30
    last = done[done["week"] == 20]
    assert last[last["supervised"]]["repair_skill"].to_numpy() == pytest.approx(0.7)
    assert (last[~last["supervised"]]["repair_skill"] == 0).all()
    third = run(made({**clinic, "trained_share": 1 / 3}, replicates=6), 1).therapists
    fewer = third.groupby(["replicate", "therapist"])["supervised"].max().unstack()
    assert (fewer.sum(axis=1) == 3).all() and (trained | ~fewer).all(axis=None)  # a larger share adds people


def test_who_is_hired_later_takes_part_by_the_same_chance_and_begins_at_the_beginning() -> None:
    clinic = {"training": ["rupture_repair_training"], "trained_share": 0.5, "turnover": True, "vacant_weeks": 1,
              "therapists": 40}  # fmt: skip
    done = run(made(clinic, parameters={"quitting_base": -2.0}), 2).therapists
    first = done.groupby("therapist")["week"].min()
    later = first[(first > 1) & (first < 15)].index
    assert len(later) > 40
    rows = done[done["therapist"].isin(later)]
    assert 0.3 < rows.groupby("therapist")["supervised"].max().mean() < 0.7
    since = rows["week"] - first[rows["therapist"]].to_numpy() + 1
    assert rows["repair_skill"].to_numpy() == pytest.approx((rows["supervised"] * 0.7 * np.minimum(since, 8) / 8).to_numpy())


def test_training_to_mend_ruptures_mends_more_of_them() -> None:
    clinic = {"therapists": 20, "capacity": 6, "arrivals_per_week": 25, "weeks": 16, "leave_prob": 0}
    spec = {"exchanges": 8, "parameters": {"hazard_base": -3.0}}
    shares = []
    for training in ([], ["rupture_repair_training"]):
        held = run(made({**clinic, "training": training}, **spec), 1).sessions
        late = held[held["week"] > 8]
        shares.append(late["repairs"].sum() / late["ruptures"].sum())
    assert shares[1] > shares[0] * 1.1 > 0


def test_fitting_responses_to_attachment_takes_away_what_attachment_costs() -> None:
    """With full adaptation the receiver perceives as with no threat and no cost of closeness; halfway, half of it (in logits)."""
    p = Parameters({})
    given = {"partner_response": 0.6, "expectation": 0.5, "anxiety": 0.8, "avoidance": 0.7, "arousal": 0.6, "mentalising": 0.4,
             "estimate": 0.3, "partner_warmth": 0.8, "compatibility": 0.1}  # fmt: skip
    parameters = {name: p.of("client", name) for name in (
        "perception_pull_base", "perception_pull_gain", "perception_mentalising_gain", "mentalising_typical", "threat_gain",
        "arousal_typical", "closeness_cost", "tension_reading_gain", "estimate_typical", "avoidance_typical", "warmth_typical",
    )}  # fmt: skip

    def logit(adaptation: float, **other: float) -> float:
        x = eq.perceived(**given, **{**parameters, **other}, partner_adaptation=adaptation)
        return float(np.log(x / (1 - x)))

    assert logit(1.0) == pytest.approx(logit(0.0, threat_gain=0.0, closeness_cost=0.0), abs=1e-12)
    assert logit(0.5) == pytest.approx((logit(0.0) + logit(1.0)) / 2, abs=1e-12)
    assert logit(1.0) > logit(0.0) + 0.05


# --------------------------------------------------------------------------------------------------------- feedback


def test_feedback_is_heeded_behind_the_meeting() -> None:
    names = [verb.__name__ for verb in with_feedback(SESSION)]
    assert names.index("heed_feedback") == names.index("meet") + 1 and len(names) == len(SESSION) + 1
    for without in ("meet", "rate_distress"):
        with pytest.raises(WiringError, match="feedback needs the verbs rate_distress and, behind it, meet"):
            with_feedback(tuple(verb for verb in SESSION if verb.__name__ != without))


def test_who_is_off_track_by_hand() -> None:
    c = begun({"feedback": True}, 6, "hold_sessions")
    w, p = c.world, c.world.parameters
    rows = np.arange(4)
    w.ratings["distress"][rows] = [20.0, 18.0, 20.0, 39.0]
    d = w.dyads
    d["session"][rows], d["distress_first_rated"][rows] = [5.0, 5.0, 30.0, 1.0], [17.0, 17.0, 20.0, 3.0]
    d["therapist_skill"][rows], d["therapist_repair_skill"][rows] = [0.5, 0.5, 0.99, 0.5], [0.0, 0.0, 5.9, 0.0]
    heed_feedback(w, rows)
    # expected: 17 - 4 * .35 = 15.6 twice; 20 - 5 (no more than 5 points are expected) = 15; a first session
    assert d.off_track[rows].tolist() == [1.0, 0.0, 1.0, 0.0]
    assert d.therapist_skill[rows] == pytest.approx([0.5 + p.feedback_skill_step, 0.5, 1.0, 0.5])
    assert d.therapist_repair_skill[rows] == pytest.approx([p.feedback_repair_step, 0.0, 6.0, 0.0])
    assert d.distress_first_rated[rows].tolist() == [17.0, 17.0, 20.0, 39.0]


def test_feedback_changes_only_sessions_of_clients_who_are_off_track() -> None:
    told, untold = (begun({"feedback": True}, 7, "hold_sessions") for _ in range(2))
    assert np.array_equal(told.world.dyads.data, untold.world.dyads.data)
    untold.session = tuple(verb for verb in untold.session if verb is not heed_feedback)
    before = untold.world.dyads.off_track.copy()
    verbs.hold_sessions(told), verbs.hold_sessions(untold)
    off = told.met[told.world.dyads.off_track[told.met] == 1]
    on = np.setdiff1d(np.arange(told.courses), off)
    assert 0 < off.size < told.met.size and np.array_equal(before, untold.world.dyads.off_track)
    for name in told.world.dyads.declared:
        if name not in ("off_track", "distress_first_rated"):
            assert np.array_equal(told.world.dyads[name][on], untold.world.dyads[name][on]), name
    more, less = (c.world.dyads.mean_therapist_mentalising[off] for c in (told, untold))
    assert ((more > less) | (less == 1.0)).all() and (more > less).any()
    who = np.setdiff1d(np.arange(told.arrived), told.world.client_of[off])
    assert np.array_equal(told.world.clients.data[:, who], untold.world.clients.data[:, who])


def test_sessions_off_track_are_counted() -> None:
    done = run(made({"feedback": True}), 1).clients
    some = done[done["course"].notna()]
    assert (some["sessions_off_track"].fillna(0) < some["sessions_attended"].clip(lower=1)).all()  # never the first
    assert 0 < some["sessions_off_track"].sum() < 0.6 * some["sessions_attended"].sum()
    assert (run(made(), 1).clients["sessions_off_track"].dropna() == 0).all()
    strict = run(made({"feedback": True}, parameters={"off_track_points": 0}), 1).clients
    strict = strict[strict["sessions_attended"] > 0]
    assert (strict["sessions_off_track"] < strict["sessions_attended"]).all()  # the first has nothing to be compared with


# ---------------------------------------------------------------------------------------------- contested findings


def _interaction(gain: float) -> tuple[float, float, float]:
    """Slope of the alliance on the pair's likeness, beside each one's own attachment; mean and spread of lasting fit."""
    scenario = from_spec({"question": "?", "clients_per_arm": 1500, "sessions": 4, "exchanges": 4,
                          "parameters": {"complementarity_gain": gain}}, "pairs")  # fmt: skip
    world = build(scenario, scenario.arms[0], 0, 5)
    p = world.parameters
    score = {(role, name): people[name].copy() - (p.of(role, f"{name}_mean") - 1) / 6
             for role, people in (("client", world.clients), ("therapist", world.therapists))
             for name in ("anxiety", "avoidance")}  # fmt: skip
    run_course(world, 1)
    alike = sum(score["client", name] * score["therapist", name] for name in ("anxiety", "avoidance"))
    x = np.column_stack([np.ones(alike.size), *score.values(), alike])
    slope = np.linalg.lstsq(x, world.dyads.client_alliance, rcond=None)[0][-1]
    return float(slope), float(world.dyads.client_compatibility.mean()), float(world.dyads.client_compatibility.std())


def test_complementarity_turns_the_interaction_of_the_two_peoples_attachment() -> None:
    differ, alike, neither = _interaction(15.0), _interaction(-15.0), _interaction(0.0)
    assert differ[0] < neither[0] - 0.1 and alike[0] > neither[0] + 0.1
    for _, mean, spread in (differ, alike, neither):
        assert abs(mean) < 0.1
        assert spread >= neither[2]
    assert neither[2] == pytest.approx(PARAMETERS["compatibility_sd"].default, abs=0.03)


def test_without_complementarity_fit_is_luck_alone() -> None:
    means = {"anxiety_mean": 0.4, "avoidance_mean": 0.4, "partner_anxiety_mean": 0.3, "partner_avoidance_mean": 0.3}
    for a, b in ((0.1, 0.9), (0.9, 0.9)):
        people = {"anxiety": a, "avoidance": a, "partner_anxiety": b, "partner_avoidance": b}
        assert (
            eq.dyadic_compatibility(compatibility_luck=1.3, compatibility_sd=0.5, complementarity_gain=0.0, **people, **means)
            == 0.5 * 1.3
        )
    fit = eq.dyadic_compatibility(compatibility_luck=0.0, compatibility_sd=0.5, complementarity_gain=10.0, **people, **means)
    assert fit == pytest.approx(-10 * 2 * 0.5 * 0.6)
    usual, zero = run(made(), 1), run(made(parameters={"complementarity_gain": 0}), 1)
    for name, table in usual.tables.items():
        pd.testing.assert_frame_equal(table, zero.tables[name], check_exact=True)


def test_the_spread_of_therapists_warmth_is_how_much_depends_on_the_therapist() -> None:
    between = {}
    for sd in (0.0, 0.4, 1.2):
        spec = {"question": "?", "clients_per_arm": 600, "clients_per_therapist": 15, "sessions": 4, "exchanges": 4,
                "therapist": "secure", "parameters": {"therapist_warmth_trait_sd": sd}}  # fmt: skip
        held = run(from_spec(spec, "warmth"), 3).sessions
        last = held[held["session"] == 4].groupby("therapist")["alliance_latent"]
        within = last.var().mean()
        between[sd] = (last.mean().var() - within / 15) / within
    assert between[1.2] > 2 * between[0.4] > 0 and between[0.4] > between[0.0]
    clients = {sd: run(from_spec({**spec, "sessions": 1, "parameters": {"therapist_warmth_trait_sd": sd}}, "warmth"), 3).clients
               for sd in (0.0, 1.2)}  # fmt: skip
    assert clients[0.0]["distress_0"].equals(clients[1.2]["distress_0"])  # clients are who they were
