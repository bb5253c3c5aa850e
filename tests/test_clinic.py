"""A clinic as a whole: nobody is lost count of, caseloads hold, the edges are possible, and the tables agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build_clinic
from sim.simulation.tasks import run_of
from sim.therapy.clinic.matching import rule_names
from sim.therapy.clinic.states import BETWEEN, ENDED, LOST, NOT_YET, TREATED, WAITING
from sim.therapy.clinic.week import Clinic
from sim.therapy.endings import IN_THERAPY
from sim.therapy.model import Model
from sim.therapy.training import PROGRAMMES


def made(clinic: dict[str, Any] | None = None, arms: dict[str, Any] | None = None, **spec: Any) -> Scenario:
    """A small clinic: three posts of three sessions a week, ten weeks."""
    plan = {"therapists": 3, "capacity": 3, "arrivals_per_week": 2, "weeks": 10, **(clinic or {})}
    whole = {"question": "?", "design": "clinic", "sessions": 4, "exchanges": 2, "clinic": plan, **spec}
    return from_spec({**whole, "arms": arms} if arms else whole, "small")


HARD = {"quitting_base": -3.0, "waiting_loss_base": -2.5, "between_loss_base": -2.0, "dropout_base": -4.0,
        "good_enough_prob": 0.3}  # fmt: skip

# ------------------------------------------------------------------------------------------- nobody is lost count of

#: Clinics in which something happens; what has no room, no weeks or no clients is tested below.
plans = st.fixed_dictionaries({
    "therapists": st.integers(1, 4), "capacity": st.integers(1, 4), "weeks": st.sampled_from([14, 9, 5, 1]),
    "arrivals_per_week": st.sampled_from([5, 2, 9, 0.5]), "matching": st.sampled_from(rule_names()),
    "session_every": st.integers(1, 3), "overbook": st.integers(0, 3), "overbook_after": st.integers(0, 3),
    "leave_prob": st.sampled_from([0.2, 0, 0.6]), "turnover": st.sampled_from([True, True, False]),
    "vacant_weeks": st.integers(1, 5), "training": st.lists(st.sampled_from(list(PROGRAMMES)), unique=True, max_size=2),
    "trained_share": st.sampled_from([0.5, 0, 1]), "feedback": st.booleans(),
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(plan=plans, sessions=st.integers(1, 6), intake=st.sampled_from([14, 4, 0]), hard=st.sampled_from([True, True, False]),
       seed=st.integers(0, 99))  # fmt: skip
def test_everybody_is_counted_once_whatever_the_clinic(
    plan: dict[str, Any], sessions: int, intake: int, hard: bool, seed: int
) -> None:
    plan = {**plan, "intake_weeks": min(intake, plan["weeks"])}
    scenario = made(plan, sessions=sessions, parameters=HARD if hard else {})
    c = build_clinic(scenario, scenario.arms[0], 0, seed)
    for _ in range(plan["weeks"]):
        c.live_a_week()
        _is_in_order(c, plan["therapists"])
    t = run_of(scenario, scenario.arms[0], 0, seed, c).tables
    _tables_agree(t, sessions)
    most = plan["capacity"] + plan["overbook"]
    assert (t["therapists"]["caseload"] <= most * plan["session_every"]).all()
    assert (t["therapists"]["sessions_held"] <= most).all()


def _is_in_order(c: Clinic, posts: int) -> None:
    """What must hold of the state at the end of every week."""
    w = c.world
    states = c.state[: c.arrived]
    assert (c.state[c.arrived :] == NOT_YET).all()
    assert sum((states == s).sum() for s in (WAITING, TREATED, BETWEEN, LOST, ENDED)) == c.arrived
    going = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
    treated = np.flatnonzero(c.state == TREATED)
    assert sorted(w.client_of[going]) == list(treated)  # one course each, and nobody else has one
    assert (c.course[treated] == [going[w.client_of[going] == who][0] for who in treated]).all()
    assert (np.bincount(w.therapist_of[going], minlength=c.load.size) == c.load).all()
    assert (c.turns.sum(axis=1) == c.load).all() and (c.turns >= 0).all()
    assert not c.load[~c.in_post].any() and not c.held[~c.in_post].any() and not c.held[c.away].any()
    assert c.in_post.sum() + len(c.vacant) == posts  # a post is filled or vacant
    assert (c.since[: c.arrived] <= w.week).all()


def _tables_agree(t: dict[str, pd.DataFrame], sessions: int) -> None:
    clinic, clients = t["clinic"], t["clients"]
    parts = ["waiting", "in_therapy", "between_therapists", "lost_waiting", "ended_total"]
    assert (clinic["arrivals_total"] == clinic[parts].sum(axis=1)).all()
    kinds = ["ended_planned", "ended_improved", "ended_dropout", "ended_between"]
    assert (clinic["ended_total"] == clinic[kinds].sum(axis=1)).all()
    for name in ("arrivals_total", "lost_waiting", "ended_total", "transferred_total"):
        assert clinic[name].is_monotonic_increasing
    last, ending = clinic.iloc[-1], clients["ending"].astype(str)
    assert set(clients["client"]) == set(range(last["arrivals_total"]))
    final = clients[ending != "transferred"]
    assert final["client"].is_unique
    found = {"lost_waiting": "lost_waiting", "waiting": "waiting", "in_therapy": "censored", "ended_planned": "planned",
             "ended_improved": "improved", "ended_dropout": "dropout", "transferred_total": "transferred"}  # fmt: skip
    assert {column: last[column] for column in found} == {column: (ending == label).sum() for column, label in found.items()}
    without_an_end = last["arrivals_total"] - len(final)
    assert without_an_end == last["between_therapists"] + last["ended_between"]
    had = clients[clients["course"].notna()]
    assert (clients["therapist"].isna() == clients["course"].isna()).all()
    assert (had["begin_week"] >= had["arrival_week"]).all() and (had["end_week"] >= had["begin_week"]).all()
    first = had[had["course"] == 1]
    assert (first["weeks_waited"] == first["begin_week"] - first["arrival_week"]).all()
    before = had.groupby("client")["end_week"].shift()
    again = before.notna()
    assert (had["begin_week"][again] >= before[again]).all()  # no two at once
    assert (had["weeks_waited"][again] == (had["begin_week"] - before)[again]).all()
    assert (had.groupby("client")["course"].cumcount() + 1 == had["course"]).all()
    assert (had.groupby("client")["sessions_attended"].sum() <= sessions + had.groupby("client").size() - 1).all()
    held = t["sessions"]
    assert len(held) == clinic["sessions_held"].sum() == t["therapists"]["sessions_held"].sum() == had["sessions_attended"].sum()
    if not len(held):
        return
    by_week = held.groupby("week").size()
    assert by_week.to_dict() == {w: n for w, n in clinic.set_index("week")["sessions_held"].items() if n}
    assert not held.duplicated(["client", "week"]).any()
    both = held.merge(had[["client", "therapist", "begin_week", "end_week"]], on=["client", "therapist"])
    inside = both[(both["week"] >= both["begin_week"]) & (both["week"] <= both["end_week"])]
    assert len(inside.drop_duplicates(["client", "week"])) == len(held)


# ------------------------------------------------------------------------------------------------------- the edges


@pytest.mark.parametrize("clinic", [
    {"therapists": 0}, {"capacity": 0}, {"capacity": 0, "overbook": 2, "overbook_after": 99}, {"leave_prob": 1.0},
])  # fmt: skip
@pytest.mark.parametrize("therapist", ["population", "none"])
def test_without_room_everybody_waits(clinic: dict[str, Any], therapist: str) -> None:
    done = run(made(clinic, therapist=therapist, parameters={"waiting_loss_base": -3.0}), 1)
    assert set(done.clients["ending"]) == {"waiting", "lost_waiting"} and not len(done.sessions)
    assert done.clients["therapist"].isna().all() and done.clients["begin_week"].isna().all()
    assert (done.clinic["in_therapy"] == 0).all() and done.clinic["waiting"].iloc[-1] > 0
    assert (done.clients["therapist_style"] == "none").all() and done.clients["distress_arrival"].notna().all()
    _tables_agree(done.tables, 4)
    posts = 0 if therapist == "none" else clinic.get("therapists", 3)
    assert len(done.therapists) == 10 * posts and (done.clinic["in_post"] == posts).all()


@pytest.mark.parametrize("clinic", [{"arrivals_per_week": 0}, {"intake_weeks": 0}])
def test_without_arrivals_there_are_no_clients(clinic: dict[str, Any]) -> None:
    done = run(made({**clinic, "turnover": True}), 1)
    assert not len(done.clients) and not len(done.sessions) and not len(done.assessments)
    assert len(done.clinic) == 10 and (done.clinic["arrivals_total"] == 0).all() and len(done.therapists) == 30
    assert "course" in done.clients and "wai_client" in done.sessions


def test_a_clinic_of_one_week_and_one_of_one_therapist() -> None:
    done = run(made({"weeks": 1, "arrivals_per_week": 7, "leave_prob": 0}, sessions=1), 1)
    assert len(done.clinic) == 1 and set(done.sessions["week"]) == {1}
    assert len(done.sessions) == min(9, done.clinic["arrivals_total"].iloc[0]) > 0
    alone = run(made({"therapists": 1, "leave_prob": 0}), 1)
    assert set(alone.sessions["therapist"]) == {0} and (alone.therapists["sessions_held"].iloc[2:] == 3).all()


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_full_post_holds_as_many_sessions_every_week_as_there_is_room_for(every: int) -> None:
    clinic = {"arrivals_per_week": 20, "session_every": every, "leave_prob": 0, "capacity": 2}
    full = run(made(clinic, sessions=40, parameters={"dropout_base": -12, "good_enough_prob": 0}), 1).therapists
    assert (full["sessions_held"] <= 2).all() and (full["caseload"] <= 2 * every).all()
    assert (full[full["week"] > every]["sessions_held"] == 2).all() and (full[full["week"] > 1]["caseload"] == 2 * every).all()


def test_an_overfull_clinic_has_a_growing_queue_and_losses() -> None:
    done = run(made({"arrivals_per_week": 12, "weeks": 40}), 1)
    waiting, lost = done.clinic["waiting"].to_numpy(), done.clinic["lost_waiting"].to_numpy()
    assert waiting[39] > waiting[19] > waiting[9] > 50 and lost[39] > lost[19] > 0
    treated = done.clients[done.clients["course"] == 1].sort_values("client")
    assert treated["begin_week"].is_monotonic_increasing  # who has waited longest is next
    assert treated["weeks_waited"].iloc[-1] > 10


# ------------------------------------------------------------------------------------------------- what is asked when


def test_questionnaires_are_monthly_from_arrival_and_again_after_the_end() -> None:
    clinic = {"weeks": 70, "intake_weeks": 55, "arrivals_per_week": 5, "therapists": 6, "turnover": True,
              "vacant_weeks": 1}  # fmt: skip
    done = run(made(clinic, parameters={"waiting_loss_base": -2.0, "quitting_base": -3.5}, sessions=7), 2)
    clients, asked = done.clients, done.assessments
    arrival = clients.groupby("client")["arrival_week"].first()
    months = asked.groupby("client")["month"].apply(list)
    assert all(months[c] == list(range((70 - arrival[c] + 1) // 4 + 1)) for c in arrival.index)  # after 4, 8, ... weeks lived
    over = clients["ending"].isin(["planned", "improved", "dropout"])
    assert (clients["ending"] == "transferred").any() and (over & (clients["end_week"] == 70 - 25)).any()
    for when, weeks in (("6_months", 26), ("12_months", 52)):
        there = (over | (clients["gave_up_between"] > 0)) & (clients["end_week"] + weeks - 1 <= 70)
        for name in ("distress", "client_anxiety", "client_avoidance"):
            for kind in ("", "_latent"):
                assert (clients[f"{name}_{when}{kind}"].notna() == there).all()
        assert there.any()
    # Month 0 is the intake questionnaire; later ones say who is in therapy at the end of that week.
    intake = asked[asked["month"] == 0].set_index("client")
    by_client = clients.groupby("client").first()
    assert not intake["in_therapy"].any()
    for name in ("distress", "anxiety", "avoidance"):
        pd.testing.assert_series_equal(
            intake[name], by_client[f"{'' if name == 'distress' else 'client_'}{name}_arrival"], check_names=False
        )
    once = clients[~clients["client"].isin(clients[clients["ending"] == "transferred"]["client"])]
    both = asked[asked["month"] > 0].merge(once, on="client", suffixes=("", "_course"))
    when = both["arrival_week"] + 4 * both["month"] - 1
    until = both["end_week"] + (both["ending"] == "censored")
    assert (both["in_therapy"] == ((when >= both["begin_week"]) & (when < until))).all() and both["in_therapy"].any()


def test_a_course_has_the_means_of_its_sessions() -> None:
    done = run(made({"weeks": 20, "turnover": True}, sessions=6, parameters=HARD), 2)
    held = done.sessions.merge(done.clients[done.clients["course"].notna()], on=["client", "therapist"], suffixes=("", "_course"))
    held = held[held["week"].between(held["begin_week"], held["end_week"])]
    by_course = held.groupby(["client", "course"])
    lines = done.clients[done.clients["sessions_attended"] > 0].set_index(["client", "course"]).sort_index()
    assert len(lines) == len(by_course) > 10 and set(lines["ending"]) >= {"planned", "transferred"}
    for column, of, how in (("wai_client_mean", "wai_client", "mean"), ("wai_client_last", "wai_client", "last"),
                            ("ruptures_total", "ruptures", "sum"), ("repairs_total", "repairs", "sum"),
                            ("sessions_attended", "session", "max")):  # fmt: skip
        np.testing.assert_allclose(lines[column], by_course[of].agg(how), atol=1e-12)
    third = held[held["session"] == 3].set_index(["client", "course"])["wai_client"]
    assert lines["wai_client_3"].dropna().equals(third.reindex(lines["wai_client_3"].dropna().index).rename("wai_client_3"))
    assert lines["wai_client_3"].notna().sum() == len(third) > 5


def test_what_is_not_recorded_changes_nothing_else() -> None:
    full, bare = (run(made(record={"sessions": keep, "assessments": keep}), 1) for keep in (True, False))
    assert len(full.sessions) and len(full.assessments) and not len(bare.sessions) and not len(bare.assessments)
    for name in ("clients", "therapists", "clinic"):
        pd.testing.assert_frame_equal(getattr(full, name), getattr(bare, name))


def test_a_client_is_followed_exchange_by_exchange_from_one_therapist_to_the_next() -> None:
    parameters = {"quitting_base": -2.5, "between_loss_base": -12}
    scenario = made({"weeks": 20, "turnover": True}, sessions=8, parameters=parameters,
                    record={"exchanges": {"clients": [0, 3, 5, 5000]}})  # fmt: skip
    done = run(scenario, 2)
    mine = done.sessions[done.sessions["client"].isin([0, 3, 5])]
    assert len(done.exchanges) == 2 * len(mine) > 20 and set(done.exchanges["client"]) == {0, 3, 5}
    assert (mine.groupby("client")["therapist"].nunique() > 1).any()
    key = ["client", "therapist", "session"]
    means = done.exchanges.groupby(key)["client_arousal"].mean()
    np.testing.assert_allclose(means, mine.set_index(key).sort_index()["client_limbic"], atol=1e-12)
    same = run(scenario.but(record={}), 2)
    pd.testing.assert_frame_equal(done.sessions, same.sessions)


@pytest.mark.parametrize("gone", ["rate_alliance", "rate_distress", "consolidate"])
def test_a_clinic_of_another_model(gone: str) -> None:
    done = run(made({"turnover": True}), 1, model=Model().without(gone))
    assert len(done.sessions) > 10 and (done.clients["ending"] == "planned").any()
    assert done.clients["wai_client_mean"].isna().all() == (gone == "rate_alliance")
    assert done.sessions["distress"].isna().all() == (gone == "rate_distress")
