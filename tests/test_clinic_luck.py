"""A clinic's luck: the same seed gives the same tables, arms share people and weeks, and a clinic's course is a course."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.people.state import PERSON
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build_clinic
from sim.simulation.tables import Run
from sim.simulation.tasks import Task, simulated_part
from sim.theory.parameters import PARAMETERS
from sim.therapy.clinic.week import hire

PLAN = {"therapists": 4, "capacity": 3, "arrivals_per_week": 3, "weeks": 16, "turnover": True, "vacant_weeks": 3}
HARD = {"quitting_base": -3.5, "dropout_base": -4.0, "good_enough_prob": 0.3, "waiting_loss_base": -3.0}
BY_PERSON = [f"{name}_arrival{kind}" for name in ("distress", "client_anxiety", "client_avoidance") for kind in ("", "_latent")]


def made(clinic: dict[str, Any] | None = None, **spec: Any) -> Scenario:
    whole = {"question": "?", "design": "clinic", "sessions": 6, "exchanges": 2, "parameters": HARD}
    return from_spec({**whole, "clinic": {**PLAN, **(clinic or {})}, **spec}, "small")


def done(clinic: dict[str, Any] | None = None, seed: int = 3, **spec: Any) -> Run:
    return run(made(clinic, **spec), seed)


def same(a: Run, b: Run, but: tuple[str, ...] = ()) -> None:
    """All tables are equal to the last bit, except for the columns ``but``."""
    assert a.tables.keys() == b.tables.keys()
    for name, table in a.tables.items():
        assert len(table)
        drop = [column for column in but if column in table]
        pd.testing.assert_frame_equal(table.drop(columns=drop), b.tables[name].drop(columns=drop), check_exact=True)


def differ(a: Run, b: Run) -> None:
    with pytest.raises(AssertionError):
        same(a, b)


# --------------------------------------------------------------------------------------------------- the same again


def test_the_same_seed_gives_the_same_tables_on_any_number_of_threads() -> None:
    scenario = made({"matching": "random", "leave_prob": 0.1}, replicates=3, arms={"a": {}, "b": {"clinic": {"overbook": 2}}})
    one, two = run(scenario, 3, threads=1), run(scenario, 3, threads=2)
    same(one, two)
    differ(one, run(scenario, 4))
    first, second = (one.clinic[one.clinic["replicate"] == k]["arrivals_total"].tolist() for k in (0, 1))
    assert first != second


def test_the_same_people_come_in_the_same_weeks_in_every_arm() -> None:
    arms = {"usual": {}, "random": {"clinic": {"matching": "random"}}, "more room": {"clinic": {"therapists": 9, "capacity": 5}},
            "every other": {"clinic": {"session_every": 2}, "sessions": 9}, "nobody": {"therapist": "none"},
            "secure": {"therapist": "secure", "parameters": {"plasticity": 0}}}  # fmt: skip
    tables = run(made(arms=arms, parameters={}), 3)
    people = [t.groupby("client")[["arrival_week", *BY_PERSON]].first() for _, t in tables.clients.groupby("arm", observed=True)]
    assert len(people) == 6 and len(people[0]) > 30
    for other in people[1:]:
        pd.testing.assert_frame_equal(people[0], other, check_exact=True)
    therapists = [set(t["therapist"].dropna()) for _, t in tables.clients.groupby("arm", observed=True)]
    assert len({frozenset(t) for t in therapists}) > 1  # and not the same happens


def test_more_weeks_leave_the_earlier_ones_as_they_were() -> None:
    short, long = done({"weeks": 9}), done({"weeks": 16})
    for name in ("clinic", "therapists", "sessions"):
        table = getattr(long, name)
        early = table[table["week"] <= 9].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(short, name), early, check_exact=True)
    ended = short.clients[short.clients["ending"].isin(["planned", "improved", "dropout", "transferred", "lost_waiting"])]
    key = ["client", "course"]
    later = ended[key].merge(long.clients, on=key)[ended.columns]
    assert len(ended) > 5
    pd.testing.assert_frame_equal(ended.reset_index(drop=True), later, check_exact=True)


def test_an_end_of_the_intake_does_not_change_who_came_before() -> None:
    all_weeks, cut = done(), done({"intake_weeks": 7})
    early = [r.clients[r.clients["arrival_week"] <= 7].groupby("client")[BY_PERSON].first() for r in (all_weeks, cut)]
    pd.testing.assert_frame_equal(*early, check_exact=True)
    pd.testing.assert_frame_equal(all_weeks.clinic[:7], cut.clinic[:7], check_exact=True)
    assert cut.clients["arrival_week"].max() <= 7 < all_weeks.clients["arrival_week"].max()


def test_who_is_hired_is_the_same_person_whenever_that_is() -> None:
    scenario = made({"turnover": False})
    early, late = (build_clinic(scenario, scenario.arms[0], 0, 3) for _ in range(2))
    hire(early, 2)
    for _ in range(5):
        late.live_a_week()
    hire(late, 2)
    for name in PERSON:
        assert np.array_equal(early.world.therapists[name][4:], late.world.therapists[name][4:])
    assert np.array_equal(early.world.therapist_code, late.world.therapist_code)
    assert np.array_equal(early.chosen[4:], late.chosen[4:]) and len(late.in_post) == 6
    six = made({"therapists": 6})
    there = build_clinic(six, six.arms[0], 0, 3).world.therapists
    assert np.array_equal(there.data, early.world.therapists.data)


# ------------------------------------------------------------------------------------------ what makes no difference


@pytest.mark.parametrize(("clinic", "but"), [
    ({"training": ["regular_supervision"], "trained_share": 0}, ()),
    ({"feedback": True}, ("sessions_off_track",)),
    ({"overbook": 0, "overbook_after": 0}, ()),
    ({"training": [], "trained_share": 0.5, "training_from": 4}, ()),
    ({"matching": "first_free", "intake_weeks": 16}, ()),
])  # fmt: skip
def test_what_comes_to_nothing_changes_nothing(clinic: dict[str, Any], but: tuple[str, ...]) -> None:
    parameters = {**HARD, "off_track_points": 40}
    same(done(parameters=parameters), done(clinic, parameters=parameters), but)


@pytest.mark.parametrize(("clinic", "parameters"), [
    ({"training": ["regular_supervision"]}, {}), ({"feedback": True}, {"off_track_points": 0}),
    ({"overbook": 2, "overbook_after": 0}, {}),
])  # fmt: skip
def test_what_is_done_does_change_something(clinic: dict[str, Any], parameters: dict[str, float]) -> None:
    differ(done(parameters={**HARD, **parameters}), done(clinic, parameters={**HARD, **parameters}))


def test_where_nobody_wants_to_leave_turnover_changes_nothing() -> None:
    parameters = {**HARD, "quitting_base": PARAMETERS["quitting_base"].low, "quitting_fatigue_gain": 0}
    same(done({"turnover": True}, parameters=parameters), done({"turnover": False}, parameters=parameters))
    differ(done({"turnover": True}), done({"turnover": False}))


def test_the_share_that_is_handed_over_matters_only_where_somebody_is_handed_over() -> None:
    some, other = ({**HARD, "hand_over_share": share} for share in (0.0, 1.0))
    same(done({"turnover": False}, parameters=some), done({"turnover": False}, parameters=other))
    before, after = done(parameters=some).clients, done(parameters=other).clients
    first = [t[t["course"] == 1].set_index("client") for t in (before, after)]
    assert (before["course"] == 2).any()
    handed = before[before["ending"] == "transferred"]["begin_week"].min()
    early = first[0]["end_week"] <= handed
    assert early.any()
    pd.testing.assert_frame_equal(first[0][early], first[1][early], check_exact=True)


# ------------------------------------------------------------------------------------- the parity with single courses


@pytest.mark.parametrize("more", [
    {}, {"policies": ["look_for_ruptures"], "lesions": {"client.vlpfc": 0.5}}, {"client": "fearful", "therapist": "dismissing"},
    pytest.param({"switch_off": ["client.repair"], "force": [{"quantity": "therapist_warmth", "value": 0.2, "session": 2}]},
                 marks=pytest.mark.deep),  # compiles an exchange of its own, which takes longest
], ids=("usual", "policy and lesion", "styles", "intervention"))  # fmt: skip
def test_a_clinic_in_which_nobody_shares_a_therapist_is_the_same_as_single_courses(more: dict[str, Any]) -> None:
    """One client a therapist, all from week 1, nobody tires: sessions and ends are those of ``design: arms``, to the byte."""
    parameters = {"fatigue_load_gain": 0, "fatigue_carried_gain": 0, "fatigue_rupture_gain": 0, "waiting_loss_base": -12,
               "dropout_base": -4.0, "good_enough_prob": 0.2, "good_enough_sessions": 3}  # fmt: skip
    clinic = {"therapists": 60, "capacity": 1, "arrivals_per_week": 25, "intake_weeks": 1, "weeks": 12, "leave_prob": 0}
    spec = {"question": "?", "sessions": 8, "exchanges": 4, "parameters": parameters, **more}
    mine = run(from_spec({**spec, "design": "clinic", "clinic": clinic}, "clinic"), 6)
    n = int(mine.clinic["arrivals_total"].iloc[-1])
    assert 10 < n < 60 and (mine.clients["begin_week"] == 1).all() and (mine.clients["therapist"] == mine.clients["client"]).all()
    single = run(from_spec({**spec, "clients_per_arm": n, "follow_up_months": 1}, "single"), 6)
    pd.testing.assert_frame_equal(mine.sessions, single.sessions, check_exact=True)
    shared = [c for c in single.clients if c not in ("distress_0", *(f"{r}_{a}_0" for r in ("client", "therapist")
                                                                     for a in ("anxiety", "avoidance")))]  # fmt: skip
    pd.testing.assert_frame_equal(mine.clients[shared], single.clients[shared], check_exact=True)
    assert set(single.clients["ending"]) >= {"planned", "dropout"}


def test_one_who_shares_a_therapist_does_not_have_the_same_course() -> None:
    """The control of the test before: with a caseload of three, therapists change between one client and the next."""
    spec = {"question": "?", "sessions": 8, "exchanges": 4}
    clinic = {"therapists": 20, "capacity": 3, "arrivals_per_week": 25, "intake_weeks": 1, "weeks": 8, "leave_prob": 0}
    mine = run(from_spec({**spec, "design": "clinic", "clinic": clinic}, "clinic"), 6)
    n = int(mine.clinic["arrivals_total"].iloc[-1])
    single = run(from_spec({**spec, "clients_per_arm": n, "clients_per_therapist": 3}, "single"), 6)
    key = ["client", "therapist", "session"]
    both = mine.sessions.merge(single.sessions, on=key, suffixes=("", "_single"))
    first = both[both["session"] == 1]
    assert len(first) > 10
    assert (first["alliance_latent"] == first["alliance_latent_single"]).all()  # the first session is the same
    later = both[both["session"] == 4]
    assert (later["alliance_latent"] != later["alliance_latent_single"]).mean() > 0.9


def test_a_pair_has_the_same_lasting_fit_wherever_it_meets() -> None:
    """Luck belongs to the pair: in the course of a clinic and of an arm, whatever else happens."""
    scenario = made({"matching": "random", "turnover": False})
    c = build_clinic(scenario, scenario.arms[0], 0, 3)
    d = build_clinic(scenario.but(clinic={**PLAN, "matching": "similar", "turnover": False}), scenario.arms[0], 0, 3)
    fits: dict[tuple[int, int], float] = {}
    shared = 0
    for clinic in (c, d):
        for _ in range(8):
            clinic.live_a_week()
        w = clinic.world
        for row in range(clinic.courses):
            who = (int(w.client_of[row]), int(w.therapist_of[row]))
            if who in fits:
                shared += 1
                assert fits[who] == w.dyads["client_compatibility"][row]
            fits[who] = float(w.dyads["client_compatibility"][row])
    assert shared > 0 and len(set(fits.values())) == len(fits)


def test_arms_are_read_from_their_own_plan() -> None:
    scenario = made(arms={"a": {}, "b": {"clinic": {"weeks": 5}}})
    tables = [simulated_part(scenario, 3, Task(arm, 0, np.empty(0, np.int64))) for arm in scenario.arms]
    assert [t["clinic"]["week"].size for t in tables] == [16, 5]
    assert np.array_equal(tables[0]["clinic"]["arrivals_total"][:5], tables[1]["clinic"]["arrivals_total"])
