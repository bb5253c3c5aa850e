"""One week of a clinic, verb by verb: each does what it says and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sim.luck import Luck
from sim.people.state import Columns
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import arrivals, build_clinic
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.therapy.clinic import week as verbs
from sim.therapy.clinic.states import BETWEEN, ENDED, LOST, WAITING
from sim.therapy.clinic.week import CLINIC, Clinic
from sim.therapy.endings import IN_THERAPY, TRANSFERRED
from sim.therapy.session import World, meet_first


def made(clinic: dict[str, Any] | None = None, arms: dict[str, Any] | None = None, **spec: Any) -> Scenario:
    """A small clinic: three posts of three sessions a week, ten weeks."""
    plan = {"therapists": 3, "capacity": 3, "arrivals_per_week": 2, "weeks": 10, **(clinic or {})}
    whole = {"question": "?", "design": "clinic", "sessions": 4, "exchanges": 2, "clinic": plan, **spec}
    return from_spec({**whole, "arms": arms} if arms else whole, "small")


def lived(weeks: int, seed: int = 3, clinic: dict[str, Any] | None = None, upto: str | None = None, **spec: Any) -> Clinic:
    """A small clinic after some weeks, of one week more only the verbs before ``upto``."""
    scenario = made({"weeks": weeks + 1, **(clinic or {})}, **spec)
    c = build_clinic(scenario, scenario.arms[0], 0, seed)
    for _ in range(weeks):
        c.live_a_week()
    if upto is not None:
        c.world.week += 1
        for rating in c.world.ratings.values():
            rating[:] = np.nan
        for verb in CLINIC:
            if verb.__name__ == upto:
                break
            verb(c)
    return c


HARD = {"quitting_base": -3.0, "waiting_loss_base": -2.5, "between_loss_base": -2.0, "dropout_base": -4.0,
        "good_enough_prob": 0.3}  # fmt: skip

# ------------------------------------------------------------------------------------------------- each verb alone


def state(c: Clinic) -> dict[str, np.ndarray]:
    """A copy of everything that a verb of the clinic could write, and how much is in the book."""
    w, n = c.world, c.courses
    out = {f"{table}.{name}": columns[name].copy() for table, columns in (("clients", w.clients), ("therapists", w.therapists))
           for name in columns.declared}  # fmt: skip
    out |= {f"dyads.{name}": w.dyads[name][:n].copy() for name in w.dyads.declared}
    out |= {f"ratings.{name}": values[:n].copy() for name, values in w.ratings.items()}
    own = ("state", "since", "arrival", "course", "turn", "ended", "met",  # of clients and courses
           "in_post", "away", "load", "turns", "held", "chosen", "taken")  # fmt: skip
    out |= {name: getattr(c, name).copy() for name in own}
    out |= {"arrived": np.array(c.arrived), "courses": np.array(n), "vacant": np.array(c.vacant), "ending": w.ending[:n].copy(),
            "client_of": w.client_of[:n].copy(), "therapist_of": w.therapist_of[:n].copy(),
            "pair_code": w.pair_code[:n].copy(), "planned_sessions": w.planned_sessions[:n].copy()}  # fmt: skip
    book = c.book
    out |= {f"book.{name}": np.array(len(getattr(book, name))) for name in ("sessions", "assessments", "therapists", "clinic")}
    out["book.courses"] = book.courses.data[:, :n].copy()
    out |= {f"book.{name}": values.copy() for name, values in book.arrival.items()}
    return out


def changed(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> set[str]:
    def same(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")

    return {name for name, values in after.items() if name not in before or not same(before[name], values)}


_LIFE = {f"{table}.{name}" for table in ("clients", "therapists") for name in (
    "regulation", "distress", "distress_set_point", "immature", "neurotic", "anxiety", "avoidance", "anxiety_anchor",
    "avoidance_anchor")}  # fmt: skip
#: verb -> what may change; sessions may change what the verbs of a session do.
WRITES: dict[str, set[str]] = {
    "arrive": {"state", "since", "arrival", "arrived", "book.assessments",
               *(f"book.{name}_arrival{kind}" for kind in ("", "_latent")
                 for name in ("distress", "client_anxiety", "client_avoidance"))},
    "give_up_waiting": {"state", "since"},
    "come_and_go": {"state", "since", "ended", "in_post", "away", "load", "turns", "vacant", "ending", "book.courses"},
    "train": {"taken", "therapists.repair_skill", "therapists.skill", "therapists.anxiety", "therapists.anxiety_anchor",
              "therapists.avoidance", "therapists.avoidance_anchor", "therapists.fatigue"},
    "match": {"state", "since", "course", "turn", "load", "turns", "courses", "ending", "client_of", "therapist_of", "pair_code",
              "planned_sessions", "book.courses"},
    "tire": {"therapists.fatigue"},
    "life_goes_on": _LIFE | {"clients.life_events", "therapists.life_events"},
    "ask_again": {"clients.life_events", "book.assessments", "book.courses"},
    "take_stock": {"book.therapists", "book.clinic"},
}  # fmt: skip


def test_every_verb_of_the_clinic_is_tested() -> None:
    assert [verb.__name__ for verb in CLINIC] == [*list(WRITES)[:5], "hold_sessions", *list(WRITES)[5:]]


@pytest.mark.parametrize("name", WRITES)
def test_a_verb_writes_what_it_is_there_for_and_nothing_else(name: str) -> None:
    clinic = {"arrivals_per_week": 20, "therapists": 12, "turnover": True, "training": ["regular_supervision"],
              "vacant_weeks": 50, "session_every": 2}  # fmt: skip
    c = lived(7, clinic=clinic, upto=name, parameters={**HARD, "life_event_prob": 0.3})
    c.world.ratings.clear()
    if name == "come_and_go":
        c.world.therapists["fatigue"] = 0.8  # so that some leave
    before, dyads = state(c), c.courses
    next(verb for verb in CLINIC if verb.__name__ == name)(c)
    after = state(c)
    if name == "match":  # new courses; of the old ones nothing changes
        assert c.courses > dyads
        for key in ("ending", "client_of", "therapist_of", "pair_code", "planned_sessions", "book.courses"):
            assert np.array_equal(before[key], after[key][..., :dyads], equal_nan=True)
        assert all(np.array_equal(before[key], after[key][:dyads], equal_nan=True) for key in before if key.startswith("dyads."))
        after = {key: values for key, values in after.items() if not key.startswith("dyads.")}
    found = changed(before, after)
    if name == "ask_again":  # nobody's therapy ended half a year ago
        found |= {"book.courses"}
    assert found == WRITES[name]


def test_sessions_are_held_by_who_is_there_and_change_nobody_else() -> None:
    clinic = {"leave_prob": 0.3, "arrivals_per_week": 20, "session_every": 2, "therapists": 8}
    c = lived(6, clinic=clinic, upto="hold_sessions", parameters=HARD, sessions=3)
    w, before, away = c.world, state(c), c.away.copy()
    assert c.turns[away, w.week % 2].sum() > 3  # clients whose turn it would be
    meet = [i for i in range(c.courses) if w.ending[i] == IN_THERAPY and not c.away[w.therapist_of[i]]
            and c.turn[w.client_of[i]] == w.week % 2]  # fmt: skip
    verbs.hold_sessions(c)
    after = state(c)
    assert away.any() and list(c.met) == meet and c.held.sum() == len(meet) > 3
    others = np.setdiff1d(np.arange(c.courses), meet)
    assert others.size
    for name, values in after.items():
        if name.startswith("dyads."):
            assert np.array_equal(before[name][others], values[others])
    assert (after["dyads.session"][meet] == before["dyads.session"][meet] + 1).all()
    strangers = np.setdiff1d(np.arange(len(w.clients)), w.client_of[meet])
    for name in w.clients.declared:
        assert np.array_equal(before[f"clients.{name}"][strangers], w.clients[name][strangers])
    for name in w.therapists.declared:
        assert np.array_equal(before[f"therapists.{name}"][away], w.therapists[name][away])
    over = [i for i in meet if w.ending[i] != IN_THERAPY]
    assert over and (c.state[w.client_of[over]] == ENDED).all() and (c.ended[w.client_of[over]] == w.ending[over]).all()


def test_a_client_has_a_session_every_so_many_weeks() -> None:
    done = run(made({"session_every": 3, "leave_prob": 0, "weeks": 20, "arrivals_per_week": 4}, sessions=6), 2).sessions
    gaps = done.sort_values("week").groupby("client")["week"].diff().dropna()
    assert len(gaps) > 50 and (gaps == 3).all()
    first = done[done["session"] == 1].merge(run(made({"session_every": 3, "leave_prob": 0, "weeks": 20, "arrivals_per_week": 4},
                                                      sessions=6), 2).clients, on="client")  # fmt: skip
    assert (first["week"] - first["begin_week"]).between(0, 2).all()


def test_arrivals_are_poisson_and_stop() -> None:
    many = arrivals(13.0, 4000, Luck(1, 0))
    assert many.dtype == np.int64 and abs(many.mean() - 13) < 0.25 and abs(many.var() - 13) < 1.2
    assert not np.array_equal(many, arrivals(13.0, 4000, Luck(1, 1)))
    assert np.array_equal(many[:50], arrivals(13.0, 50, Luck(1, 0)))
    assert arrivals(0.0, 3, Luck(1, 0)).tolist() == [0, 0, 0] and arrivals(5.0, 0, Luck(1, 0)).size == 0
    done = run(made({"intake_weeks": 4}), 1).clinic
    total = done.set_index("week")["arrivals_total"]
    assert total[4] == total[10] > total[3]


def test_giving_up_grows_with_waiting_and_falls_with_distress() -> None:
    p = Parameters({})
    given_ = {name: p[name] for name in ("waiting_loss_base", "waiting_loss_week_gain", "waiting_loss_distress_gain")}
    given_["distress_typical"] = p.client_distress_typical
    week = eq.waiting_loss_probability(np.array([0.0, 10, 30]), p.client_distress_typical, **given_)
    assert week[0] == pytest.approx(1 / (1 + np.exp(4.6)), abs=1e-12) and week[0] < week[1] < week[2]
    far = eq.waiting_loss_probability(5.0, np.array([0.0, 1, 2]), **given_)
    assert far[0] > far[1] > far[2]
    # in the clinic: of who comes first, who has waited long goes at a higher rate
    c = lived(30, clinic={"therapists": 0, "arrivals_per_week": 60}, parameters={"waiting_loss_week_gain": 0.2})
    stayed = np.minimum(np.where(c.state == LOST, c.since, 31) - c.arrival, 30)
    came_early = np.flatnonzero(c.arrival <= 10)[: c.arrived]
    rate = [(stayed[came_early][stayed[came_early] >= week] < week + 6).mean() for week in (0, 12)]
    assert rate[1] > 2 * rate[0] > 0
    lost, there = c.world.clients.distress_set_point[c.state == LOST], c.world.clients.distress_set_point[c.state == WAITING]
    assert lost.mean() < there.mean()


def test_who_is_between_therapists_gives_up_by_a_number_of_its_own() -> None:
    clinic = {"arrivals_per_week": 12, "turnover": True, "vacant_weeks": 20, "weeks": 12}
    parameters = {"quitting_base": -1.5, "waiting_loss_base": -12.0}
    kept = run(made(clinic, parameters={**parameters, "between_loss_base": -12.0}, sessions=20), 1).clinic.iloc[-1]
    left = run(made(clinic, parameters={**parameters, "between_loss_base": 4.0}, sessions=20), 1).clinic.iloc[-1]
    assert kept["ended_between"] == 0 and kept["lost_waiting"] == left["lost_waiting"] == 0
    assert left["ended_between"] > 0 and left["between_therapists"] <= kept["between_therapists"]


# ------------------------------------------------------------------------------------------ tiring, leaving, hiring


def _tired(**given_: Any) -> Any:
    p = Parameters({})
    names = ("fatigue_week_keep", "fatigue_load_gain", "fatigue_carried_gain", "fatigue_rupture_gain")
    usual = {"fatigue": 0.2, "load": 1.0, "carried": 0.0, "open_ruptures": 0.0}
    return eq.fatigue_after(**{**usual, **given_}, **{name: p[name] for name in names})


def test_fatigue_fades_and_what_is_carried_home_weighs_more_than_load() -> None:
    """Evidence 15.3: load alone relates only weakly to burnout; distress carried home does more."""
    assert _tired() == pytest.approx(0.18) == _tired(load=0.2)  # a calm week, as many as planned or fewer
    a_quarter_more = _tired(load=1.25) - _tired()
    assert 0 < a_quarter_more < 0.02
    assert _tired(carried=0.1) - _tired() > 1.5 * a_quarter_more and _tired(open_ruptures=0.4) > _tired()
    assert _tired(carried=-0.3) == _tired() and _tired(fatigue=1.0, carried=3.0, open_ruptures=1.0, load=5.0) == 1.0
    assert _tired(fatigue=0.0) == 0.0


def test_tiring_by_hand() -> None:
    c = lived(5, clinic={"arrivals_per_week": 10, "leave_prob": 0.2}, upto="tire")
    w, before = c.world, c.world.therapists.fatigue.copy()
    w.dyads["open_rupture"][c.met[::2]] = 1.0
    verbs.tire(c)
    p = w.parameters
    for t in range(3):
        rows = c.met[w.therapist_of[c.met] == t]
        above = (w.dyads.mean_therapist_arousal[rows] - p.therapist_arousal_typical).sum() / 3
        more = (p.fatigue_load_gain * max(len(rows) / 3 - 1, 0) + p.fatigue_carried_gain * max(above, 0)
                + p.fatigue_rupture_gain * w.dyads.open_rupture[rows].sum() / 3)  # fmt: skip
        assert w.therapists.fatigue[t] == pytest.approx(min(p.fatigue_week_keep * before[t] + more, 1), abs=1e-12)
    assert (before > 0).any()


def test_anxious_therapists_tire_more() -> None:
    """Evidence 15.3; at the same load, with the same clients."""
    tired = {}
    for kind, anxiety in (("secure", 1.8), ("anxious", 5.5)):
        scenario = made({"therapists": 12, "arrivals_per_week": 30, "weeks": 15, "leave_prob": 0},
                        therapist={"anxiety": anxiety, "avoidance": 2.5}, sessions=15, exchanges=6)  # fmt: skip
        table = run(scenario, 4).therapists
        late = table[table["week"] > 5]
        tired[kind] = late["fatigue"].mean(), late["sessions_held"].mean()
    assert tired["anxious"][0] > 1.3 * tired["secure"][0] > 0
    assert tired["anxious"][1] == pytest.approx(tired["secure"][1], rel=0.15)


def test_tired_therapists_leave() -> None:
    p = Parameters({})
    chance = eq.quitting_probability(np.array([0.0, 0.3, 0.8]), p.quitting_base, p.quitting_fatigue_gain)
    assert 1 - (1 - chance[0]) ** 52 == pytest.approx(0.09, abs=0.01) and chance[0] < chance[1] < chance[2]
    gone = {}
    for fatigue in (0.0, 0.9):
        c = lived(1, clinic={"therapists": 2000, "arrivals_per_week": 1, "turnover": True})
        c.world.therapists["fatigue"] = fatigue
        posts = int(c.in_post.sum())
        c.world.week += 1
        verbs.come_and_go(c)
        gone[fatigue] = posts - c.in_post.sum()
    assert gone[0.9] > 10 * max(gone[0.0], 1)


def test_whoever_leaves_is_replaced_and_their_clients_go_on_elsewhere() -> None:
    clinic = {"therapists": 6, "arrivals_per_week": 4, "turnover": True, "vacant_weeks": 4, "weeks": 30}
    done = run(made(clinic, parameters={"quitting_base": -3.5, "between_loss_base": -12}, sessions=8), 5)
    posts = done.therapists.groupby("week")["therapist"].apply(set)
    left = {week: posts[week - 1] - posts[week] for week in range(2, 31)}
    came = {week: posts[week] - posts[week - 1] for week in range(2, 31)}
    assert sum(map(len, left.values())) > 3
    first = {1: set(range(6)) - posts[1], **left}
    for week, gone in first.items():
        assert len(came.get(week + 4, set())) == len(gone) or week + 4 > 30
    everybody = sorted(set().union(*posts))
    assert everybody == list(range(len(everybody)))  # numbered in the order in which they are hired
    handed = done.clients[done.clients["ending"] == "transferred"]
    assert len(handed) > 5
    for row in handed.itertuples():
        assert row.therapist in first[row.end_week]
    again = done.clients[done.clients["course"] > 1]
    before = again.merge(handed.assign(course=handed["course"] + 1), on=["client", "course"], suffixes=("", "_before"))
    assert len(before) == len(again) > 0 and (before["therapist"] != before["therapist_before"]).all()
    left_over = np.maximum(before["planned_sessions_before"] - before["sessions_attended_before"], 1)
    assert (before["planned_sessions"] == left_over).all()


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_what_carries_over_to_the_next_therapist(share: float) -> None:
    c = lived(8, clinic={"arrivals_per_week": 6}, sessions=20, parameters={"hand_over_share": share, "between_loss_base": -12})
    w = c.world
    rows = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)[:4]
    who = w.client_of[rows]
    names = ("client_anxiety", "client_avoidance", "client_trust", "client_task", "client_goal")
    before = {name: w.dyads[name][rows].copy() for name in names}
    other = (w.therapist_of[rows] + 1) % 3
    w.ending[rows] = TRANSFERRED
    c.end_courses(rows, BETWEEN)
    new = c.begin_courses(who, other, np.full(4, 5))
    strangers = _first_impressions(c, new)
    for name in names:
        now, fresh = w.dyads[name][new], strangers[name]
        np.testing.assert_allclose(now, fresh + share * (before[name] - fresh), atol=1e-14)
        if share == 0.0:
            assert np.array_equal(now, strangers[name])
    assert np.array_equal(w.dyads["therapist_trust"][new], strangers["therapist_trust"])  # the therapist's side is new
    assert any(abs(before[name] - strangers[name]).max() > 0.01 for name in names)


def test_there_is_room_for_as_many_courses_as_there_will_be() -> None:
    """Clients may have more courses than there were rows for: what there was stays, and the clinic goes on."""
    c, twin = (lived(6, sessions=40, parameters={"dropout_base": -12, "good_enough_prob": 0}) for _ in range(2))
    w, rows_then = c.world, len(c.world.dyads)
    first = c.courses
    before, kept = w.dyads.data[:, :first].copy(), {name: values[:first].copy() for name, values in w.ratings.items()}
    while len(w.dyads) == rows_then:  # everybody goes to the next therapist, again and again
        rows = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
        who, to = w.client_of[rows], (w.therapist_of[rows] + 1) % 3
        w.ending[rows] = TRANSFERRED
        c.end_courses(rows, BETWEEN)
        c.begin_courses(who, to, np.full(rows.size, 9))
    assert np.array_equal(w.dyads.data[:, :first], before)
    assert all(np.array_equal(w.ratings[name][:first], values, equal_nan=True) for name, values in kept.items())
    arrays = (w.client_of, w.therapist_of, w.pair_code, w.planned_sessions, w.ending, w.trace_row, *w.ratings.values())
    assert {len(array) for array in arrays} == {len(w.dyads)} and len(c.book.courses) >= c.courses
    assert (w.ending[c.courses :] == verbs.NOT_BEGUN).all()
    c.live_a_week(), twin.live_a_week()
    assert c.courses > rows_then and (w.dyads.session[c.met] == 1).all() and c.met.size == twin.met.size > 0


def _first_impressions(c: Clinic, courses: np.ndarray) -> dict[str, np.ndarray]:
    """What the same two people of each of these courses would bring as strangers; what is theirs by chance is of the pair."""
    w, rows = c.world, np.arange(courses.size)
    fresh = World(
        luck=w.luck, parameters=w.parameters, clients=w.clients, therapists=w.therapists,
        dyads=Columns(w.dyads.declared, rows.size),
        client_code=w.client_code, therapist_code=w.therapist_code, client_of=w.client_of[courses],
        therapist_of=w.therapist_of[courses], pair_code=w.pair_code[courses], planned_sessions=np.ones(rows.size),
        n_exchanges=2, planned_weeks=1,
    )  # fmt: skip
    meet_first(fresh, rows)
    return {name: fresh.dyads[name] for name in fresh.dyads.declared}


# ------------------------------------------------------------------------------------------------------ overbooking


def test_posts_are_overbooked_only_while_somebody_has_waited_too_long() -> None:
    clinic = {"arrivals_per_week": 6, "overbook": 2, "overbook_after": 3, "weeks": 25, "leave_prob": 0}
    done = run(made(clinic, sessions=8, parameters={"waiting_loss_base": -12}), 1)
    most = done.therapists.groupby("week")["sessions_held"].max()
    begun = done.clients[done.clients["course"] == 1].groupby("begin_week")
    assert most.max() == 5 and most[most > 3].index.min() >= 1 + 3 + 1
    for week, load in done.therapists.groupby("week")["caseload"].max().items():
        if load > 3 and week in begun.groups and week > 1:
            over_before = done.therapists[done.therapists["week"] == week - 1]["caseload"].max() > 3
            assert over_before or begun.get_group(week)["weeks_waited"].max() > 3
    plain = run(made({**clinic, "overbook": 0}, sessions=8), 1)
    assert plain.therapists["sessions_held"].max() == 3
