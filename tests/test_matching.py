"""Who meets whom: each rule on clinics small enough to match by hand, what rules see, what is refused, and the oracle."""

from __future__ import annotations

import dataclasses
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from sim.errors import MatchingError, ScenarioError
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build_clinic
from sim.therapy.clinic import matching
from sim.therapy.clinic.foresight import foreseen_distress, foreseen_matches
from sim.therapy.clinic.matching import MATCHING, ORACLE, Seen, by_score, checked_choice, meaning, rule_names
from sim.therapy.clinic.states import BETWEEN
from sim.therapy.clinic.week import CLINIC, Clinic, arrive, match
from sim.therapy.endings import IN_THERAPY, TRANSFERRED
from sim.therapy.model import Model


def seen(clients: list[tuple[float, float]], therapists: list[tuple[float, float]], room: list[int], **more: Any) -> Seen:
    """Clients 10, 11, ... wait for therapists 4, 6, 8, ...; each is (anxiety, avoidance)."""
    c, t = np.array(clients, float).reshape(-1, 2), np.array(therapists, float).reshape(-1, 2)
    given = {
        "week": 1, "client": np.arange(10, 10 + len(c)), "client_anxiety": c[:, 0], "client_avoidance": c[:, 1],
        "client_distress": np.full(len(c), 18.0), "weeks_waiting": np.arange(len(c))[::-1],
        "therapist": 4 + 2 * np.arange(len(t)), "therapist_anxiety": t[:, 0], "therapist_avoidance": t[:, 1],
        "caseload": np.zeros(len(t), int),
        "room": np.array(room), "lot": lambda purpose: np.linspace(0.1, 1.0, len(c)),
    }  # fmt: skip
    return Seen(**{**given, **more})


CLIENTS = [(2.0, 2.0), (6.0, 2.0), (6.0, 6.0), (3.0, 5.0)]
THERAPISTS = [(2.5, 2.0), (5.5, 5.5), (5.0, 2.0)]

# -------------------------------------------------------------------------------------------------- rule by rule


@pytest.mark.parametrize(("rule", "room", "chosen"), [
    ("first_free", [1, 1, 1], [4, 6, 8, -1]),
    ("first_free", [2, 0, 2], [4, 4, 8, 8]),
    ("first_free", [5, 1, 1], [4, 4, 4, 4]),
    ("least_loaded", [1, 3, 2], [6, 6, 8, 4]),  # a tie goes to the first on the list
    ("least_loaded", [1, 1, 0], [4, 6, -1, -1]),
    ("similar", [1, 1, 1], [4, 8, 6, -1]),
    ("similar", [4, 4, 4], [4, 8, 6, 6]),
    ("dissimilar", [1, 1, 1], [6, 4, 8, -1]),
    ("dissimilar", [4, 4, 4], [6, 6, 4, 8]),
    ("secure_to_insecure", [1, 1, 1], [6, 8, 4, -1]),  # the fourth's turn has not come
    ("secure_to_insecure", [1, 2, 1], [6, 8, 4, 6]),
    ("secure_to_insecure", [0, 0, 1], [8, -1, -1, -1]),
    ("random", [1, 1, 1], [4, 6, 8, -1]),  # lots .1, .4, .7: the first of three, the first of the two left, the last
    ("random", [9, 9, 9], [4, 6, 8, 4]),  # 1.0 is the first again
])  # fmt: skip
def test_a_rule_by_hand(rule: str, room: list[int], chosen: list[int]) -> None:
    here = seen(CLIENTS, THERAPISTS, room)
    got = MATCHING[rule](here)
    assert got.tolist() == chosen
    assert np.array_equal(checked_choice(rule, here, got), got)
    assert here.room.tolist() == room  # a rule does not use up what it was shown


@pytest.mark.parametrize("rule", MATCHING)
@pytest.mark.parametrize("clients", [0, 1, 2, 9])
@pytest.mark.parametrize("room", [[3], [0, 0], [1, 0, 2], [9, 9]])
def test_a_rule_places_as_many_as_there_is_room_for_who_waits_longest_first(rule: str, clients: int, room: list[int]) -> None:
    here = seen([(k % 6 + 1, k % 5 + 1) for k in range(clients)], [(k + 1, 6 - k) for k in range(len(room))], room)
    got = checked_choice(rule, here, MATCHING[rule](here))
    served = min(clients, sum(room))
    assert (got[:served] >= 0).all() and (got[served:] == -1).all()


def test_random_is_by_the_clients_own_lot() -> None:
    room, asked = [5, 5, 5, 5], []

    def lot(purpose: str) -> np.ndarray:
        asked.append(purpose)
        return np.array([0.01, 0.26, 0.51, 0.76, 1.0])

    got = MATCHING["random"](seen(CLIENTS + CLIENTS[:1], THERAPISTS + THERAPISTS[:1], room, lot=lot))
    assert got.tolist() == [4, 6, 8, 10, 4] and asked == ["matching"]


def test_every_rule_is_named_and_explained() -> None:
    assert rule_names() == (*MATCHING, ORACLE) and set(MATCHING) == {
        "first_free", "random", "least_loaded", "similar", "dissimilar", "secure_to_insecure"}  # fmt: skip
    for name in rule_names():
        assert meaning(name).endswith(".") and "\n" not in meaning(name)


# ------------------------------------------------------------------------------------------- what rules can see


def clinic(matching: str = "first_free", seed: int = 3, spec: dict[str, Any] | None = None, **plan: Any) -> Scenario:
    usual = {"therapists": 4, "capacity": 3, "arrivals_per_week": 5, "weeks": 8, "matching": matching}
    whole = {"question": "?", "design": "clinic", "sessions": 5, "exchanges": 2, "clinic": {**usual, **plan}}
    return from_spec({**whole, **(spec or {})}, "small")


def begun(scenario: Scenario, seed: int = 3, weeks: int = 0) -> Clinic:
    c = build_clinic(scenario, scenario.arms[0], 0, seed)
    for _ in range(weeks):
        c.live_a_week()
    return c


def test_rules_are_given_what_a_service_could_see_and_nothing_else() -> None:
    kept: list[Seen] = []

    def keen(here: Seen) -> np.ndarray:
        """Keeps what it sees."""
        kept.append(here)
        return MATCHING["first_free"](here)

    MATCHING["keen"] = keen
    c = begun(clinic("keen", leave_prob=0.3))
    for week in range(1, 7):
        c.live_a_week()
        if len(kept) < week:
            break
        here = kept[-1]
        assert here.week == week and (here.room > 0).all() and not c.away[here.therapist].any()
        arrival = c.book.arrival
        assert np.array_equal(here.client_distress, arrival["distress_arrival"][here.client])
        assert np.array_equal(here.client_anxiety, arrival["client_anxiety_arrival"][here.client])
        assert np.array_equal(here.client_avoidance, arrival["client_avoidance_arrival"][here.client])
        latent = arrival["client_anxiety_arrival_latent"][here.client]
        assert here.client.size < 4 or not np.allclose(here.client_anxiety, latent)  # with the questionnaire's error
        of_staff = 1 + 6 * c.world.therapists.anxiety[here.therapist]
        assert not np.allclose(here.therapist_anxiety, of_staff) and (abs(here.therapist_anxiety - of_staff) < 2.5).all()
        assert (here.weeks_waiting == week - c.arrival[here.client]).all() and (np.diff(here.weeks_waiting) <= 0).all()
    assert len(kept) > 2
    assert {field.name for field in dataclasses.fields(Seen)} == {
        "week", "client", "client_anxiety", "client_avoidance", "client_distress", "weeks_waiting", "therapist",
        "therapist_anxiety", "therapist_avoidance", "caseload", "room", "lot"}  # fmt: skip
    with pytest.raises(dataclasses.FrozenInstanceError):
        kept[0].week = 3  # type: ignore[misc]


def test_who_is_between_therapists_comes_before_who_waits() -> None:
    kept: list[Seen] = []

    def last_first(here: Seen) -> np.ndarray:
        """Who came last is seen first, so that those whose therapist leaves need not have come before those who wait."""
        kept.append(here)
        return MATCHING["first_free"](here)[::-1]

    MATCHING["keen"] = last_first
    parameters = {"quitting_base": -2.0, "between_loss_base": -12}
    c = begun(clinic("keen", spec={"parameters": parameters}, turnover=True, vacant_weeks=2, weeks=20))
    both = 0
    for _ in range(20):
        n = len(kept)
        c.live_a_week()
        if len(kept) > n:
            here = kept[-1]
            again = c.book.courses.data[c.book.courses.index["course"], : c.courses]
            more = np.bincount(c.world.client_of[: c.courses], minlength=c.arrived)[here.client]
            begun_now = c.world.client_of[: c.courses][c.book.courses.begin_week[: c.courses] == c.world.week]
            before = more - np.isin(here.client, begun_now)  # courses that they have had already
            assert (np.diff((before > 0).astype(int)) <= 0).all()
            both += before.any() and not before.all()
            assert np.nanmax(again) >= 1
    assert both > 0


def test_staff_fill_in_their_questionnaires_twice_a_year() -> None:
    kept: list[Seen] = []
    MATCHING["keen"] = lambda here: (kept.append(here), MATCHING["first_free"](here))[1]
    c = begun(clinic("keen", spec={"parameters": {"plasticity": 0, "life_event_prob": 0}}, weeks=30, capacity=20, leave_prob=0))
    c.world.therapists["anxiety_anchor"] = c.world.therapists["anxiety"]
    frozen = c.world.therapists.data.copy()
    for _ in range(30):
        c.live_a_week()
        c.world.therapists.data[:] = frozen
    first = [here.therapist_anxiety for here in kept if here.week < 26]
    later = [here.therapist_anxiety for here in kept if here.week >= 26]
    assert len(first) > 5 and len(later) > 1
    assert all(np.array_equal(first[0], x) for x in first) and all(np.array_equal(later[0], x) for x in later)
    assert not np.array_equal(first[0], later[0])


# ---------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("answer", "words"), [
    (lambda s: np.full(s.client.size, 0.5), "must return one whole number a waiting client"),
    (lambda s: np.zeros(s.client.size), "must return one whole number"),
    (lambda s: np.full(s.client.size + 1, -1), "must return one whole number"),
    (lambda s: np.full((s.client.size, 1), -1), "must return one whole number"),
    (lambda s: s.client > 0, "must return one whole number"),
    (lambda s: None, "must return one whole number"),
    (lambda s: np.where(np.arange(s.client.size) == 0, 99, -1), "chose therapist 99, who has no room"),
    (lambda s: np.where(np.arange(s.client.size) == 0, -2, -1), "chose therapist -2"),
    (lambda s: np.full(s.client.size, s.therapist[0]), r"gave therapist \d+ more clients than there is room for"),
])  # fmt: skip
def test_an_answer_that_no_service_could_carry_out_is_refused_by_the_rules_name(answer: Any, words: str) -> None:
    MATCHING["nonsense"] = answer
    with pytest.raises(MatchingError, match=f"matching rule 'nonsense' {words}"):
        run(clinic("nonsense", therapists=2, capacity=2, arrivals_per_week=12), 1)


def test_whoever_is_away_or_full_cannot_be_chosen() -> None:
    def eager(here: Seen) -> np.ndarray:
        """Takes whoever is away."""
        out = np.full(here.client.size, -1)
        out[0] = np.flatnonzero(c.away)[0]
        return out

    MATCHING["eager"] = eager
    c = begun(clinic("eager", arrivals_per_week=20))
    c.world.week = 1
    arrive(c)
    c.away[2] = True
    with pytest.raises(MatchingError, match="'eager' chose therapist 2, who has no room"):
        match(c)


def test_nobody_has_to_be_matched() -> None:
    MATCHING["nobody"] = lambda here: np.full(here.client.size, -1)
    done = run(clinic("nobody"), 1)
    assert not len(done.sessions) and (done.clinic["waiting"].iloc[-1] > 0)


def test_a_table_of_scores_of_the_wrong_shape_is_refused() -> None:
    MATCHING["narrow"] = by_score(lambda here: here.client_anxiety)
    with pytest.raises(MatchingError, match="one row a client and one column a therapist, not of shape"):
        run(clinic("narrow"), 1)


# ------------------------------------------------------------------------------------------------ a rule of one's own


def test_a_rule_of_ones_own_can_be_named_in_a_scenario() -> None:
    with pytest.raises(ScenarioError, match="unknown matching rule 'calm_for_anxious'"):
        clinic("calm_for_anxious")
    MATCHING["calm_for_anxious"] = by_score(lambda here: -np.outer(here.client_anxiety, here.therapist_anxiety))
    scenario = clinic("calm_for_anxious")
    assert scenario.arms[0].clinic is not None and scenario.arms[0].clinic.matching == "calm_for_anxious"
    mine, usual = run(scenario, 1).clients, run(clinic(), 1).clients
    chosen = mine.merge(usual, on="client", suffixes=("", "_usual"))
    assert (chosen["therapist"] != chosen["therapist_usual"]).any()
    here = seen(CLIENTS, THERAPISTS, [4, 4, 4])
    assert MATCHING["calm_for_anxious"](here).tolist() == [4, 4, 4, 4]  # the calmest, while there is room
    assert meaning("calm_for_anxious") == "A rule that was added."


def test_what_a_rule_does_to_what_it_sees_changes_nothing() -> None:
    def careless(here: Seen) -> np.ndarray:
        chosen = MATCHING["first_free"](here)
        for values in (here.client, here.therapist, here.room, here.caseload, here.client_distress, here.therapist_anxiety):
            values[:] = 0
        return chosen

    MATCHING["careless"] = careless
    for table in ("clients", "sessions", "clinic"):
        mine, usual = getattr(run(clinic("careless", weeks=20), 1), table), getattr(run(clinic(weeks=20), 1), table)
        assert mine.equals(usual), table


def test_lots_tell_a_rule_nothing_about_what_will_be() -> None:
    found: dict[str, Any] = {}

    def curious(here: Seen) -> np.ndarray:
        found["week"], found["client"] = here.week, here.client.copy()
        found.update({name: here.lot(name) for name in ("dropout", "quitting", "waiting_loss", "life_event")})
        return MATCHING["first_free"](here)

    MATCHING["curious"] = curious
    c = begun(clinic("curious"), weeks=2)
    w = c.world
    for name in ("dropout", "quitting", "waiting_loss", "life_event"):
        of_the_model = w.luck.uniform(w.client_code[found["client"]], name, found["week"])
        assert found[name].size > 2 and not np.isin(found[name], of_the_model).any()


def test_never_this_pair_leaves_people_waiting_and_no_number_is_no_score() -> None:
    MATCHING["not_for_these"] = by_score(lambda here: np.where(here.client[:, None] % 2 == 0, -np.inf, 0.0) + 0 * here.therapist)
    done = run(clinic("not_for_these", therapists=9, weeks=12), 1).clients
    seen_ones = done.loc[done["therapist"].notna(), "client"]
    assert len(seen_ones) > 5 and (seen_ones % 2 == 1).all() and (done["client"] % 2 == 0).any()
    MATCHING["no_number"] = by_score(lambda here: np.full((here.client.size, here.therapist.size), np.nan))
    with pytest.raises(MatchingError, match="not NaN"):
        run(clinic("no_number"), 1)


def test_a_verb_of_ones_own_may_ask_for_ratings_under_the_oracle_too() -> None:
    def look_back(world: Any, rows: np.ndarray) -> None:
        """Keep what the client has just marked."""
        world.rate("marked_again", rows, world.ratings["wai_client"][rows])

    mine = Model().insert(look_back, after="rate_alliance")
    done = run(clinic(ORACLE, weeks=4), 1, model=mine)
    assert len(done.sessions) and done.sessions["marked_again"].equals(done.sessions["wai_client"].rename("marked_again"))


def test_staff_questionnaires_stay_for_half_a_year() -> None:
    marks: dict[int, np.ndarray] = {}

    def keen(here: Seen) -> np.ndarray:
        if here.therapist.size == 6:
            marks[here.week] = here.therapist_anxiety.copy()
        return MATCHING["first_free"](here)

    MATCHING["keen"] = keen
    begun(clinic("keen", therapists=6, capacity=60, arrivals_per_week=3, leave_prob=0, weeks=60), weeks=60)
    periods = [{tuple(m) for week, m in marks.items() if first <= week < first + 26} for first in (0, 26, 52)]
    assert [len(one) for one in periods] == [1, 1, 1] and len(set.union(*periods)) == 3


@pytest.mark.parametrize(("typed", "meant"), [("first_fre", "first_free"), ("similiar", "similar"), ("oracel", "oracle")])
def test_a_mistyped_rule_is_refused_with_a_hint(typed: str, meant: str) -> None:
    with pytest.raises(ScenarioError, match=f"clinic.matching: unknown matching rule '{typed}' - did you mean '{meant}'"):
        clinic(typed)


@pytest.mark.parametrize("rule", [*MATCHING, ORACLE])
def test_every_rule_runs_and_differs_from_first_free(rule: str) -> None:
    done, usual = run(clinic(rule), 4).clients, run(clinic(), 4).clients
    assert done["therapist"].notna().sum() > 10
    assert (rule == "first_free") == done["therapist"].equals(usual["therapist"])


# ---------------------------------------------------------------------------------------------------------- the oracle

#: Therapists stay as they are: nobody tires, nothing is learned.
STILL = {"plasticity": 0, "fatigue_load_gain": 0, "fatigue_carried_gain": 0, "fatigue_rupture_gain": 0, "waiting_loss_base": -12,
         "dropout_base": -4.0, "good_enough_prob": 0.2, "good_enough_sessions": 2}  # fmt: skip


def held_still(scenario: Scenario, seed: int) -> Clinic:
    """A clinic of six weeks in which life leaves the therapists as they are."""
    c = begun(scenario, seed)
    before = c.world.therapists.data.copy()
    for _ in range(6):
        c.live_a_week()
        c.world.therapists.data[:] = before
    return c


def test_what_is_foreseen_for_a_pair_is_what_happens() -> None:
    """Where therapists stay as they are and see one client each: to the last bit, for several ways to match them."""
    plan = {"therapists": 7, "capacity": 1, "arrivals_per_week": 7, "intake_weeks": 1, "weeks": 6, "leave_prob": 0}
    base = clinic(spec={"parameters": STILL, "sessions": 6}, **plan)
    c = begun(base)
    c.world.week = 1
    arrive(c)
    n = c.arrived
    assert 3 < n <= 7
    before = c.world.therapists.data.copy(), c.world.clients.data.copy(), c.courses
    foreseen = foreseen_distress(c.world, c.session, np.arange(n), np.arange(7), np.full(n, 6))
    after = c.world.therapists.data, c.world.clients.data, c.courses
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))  # nothing is changed by foresight
    assert foreseen.shape == (n, 7) and len(np.unique(foreseen)) == n * 7
    for shift in (0, 1, 4):
        pairing = (np.arange(n) + shift) % 7
        MATCHING["as_told"] = lambda here, to=pairing: to[here.client]
        happened = held_still(clinic("as_told", spec={"parameters": STILL, "sessions": 6}, **plan), 3)
        assert happened.courses == n
        assert np.array_equal(happened.world.clients.distress, foreseen[np.arange(n), pairing])


def test_what_a_client_brings_from_another_therapist_is_foreseen() -> None:
    """After a hand-over: what is foreseen of the sessions that are left is what then happens; a stranger's course is another."""
    spec = {"parameters": {**STILL, "dropout_base": -6.0, "hand_over_share": 0.8}, "sessions": 8}  # few leave before
    c = begun(clinic(spec=spec, therapists=7, capacity=1, arrivals_per_week=5, intake_weeks=1, weeks=9, leave_prob=0))
    c.live_a_week(), c.live_a_week(), c.live_a_week()
    w = c.world
    rows = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
    who, to, left = w.client_of[rows], (w.therapist_of[rows] + 1) % 7, np.full(rows.size, 5)
    w.ending[rows] = TRANSFERRED
    c.end_courses(rows, BETWEEN)
    w.week += 1
    foreseen = foreseen_distress(w, c.session, who, np.arange(7), left, c.brought(who))[np.arange(who.size), to]
    strangers = foreseen_distress(w, c.session, who, np.arange(7), left)[np.arange(who.size), to]
    c.begin_courses(who, to, left)
    therapists = w.therapists.data.copy()
    for week in range(5):
        w.week += week > 0
        for verb in CLINIC:
            verb(c)
        w.therapists.data[:] = therapists
    assert who.size >= 3 and np.array_equal(w.clients.distress[who], foreseen)
    assert not np.array_equal(strangers, foreseen)


def test_foresight_in_parts_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    c = begun(clinic(arrivals_per_week=9))
    c.world.week = 1
    arrive(c)
    told = (c.world, c.session, np.arange(c.arrived), np.arange(4), np.full(c.arrived, 3))
    whole = foreseen_distress(*told)
    monkeypatch.setattr("sim.therapy.clinic.foresight.MOST_AT_ONCE", 5)
    assert np.array_equal(whole, foreseen_distress(*told)) and whole.shape[0] > 3


def test_the_oracle_finds_the_best_of_all_assignments() -> None:
    c = begun(clinic(arrivals_per_week=4))
    c.world.week = 1
    arrive(c)
    n = c.arrived
    room = np.array([1, 0, 1, 2])
    sessions = np.full(n, 4)
    table = foreseen_distress(c.world, c.session, np.arange(n), np.arange(4), sessions)
    places = [0, 2, 3, 3]
    served = min(n, 4)
    assert served >= 3
    best = min(sum(table[k, p] for k, p in enumerate(some)) for some in permutations(places, served))
    chosen = foreseen_matches(c.world, c.session, np.arange(n), room, sessions, {})
    assert (chosen[:served] >= 0).all() and (chosen[served:] == -1).all()
    assert (np.bincount(chosen[:served], minlength=4) <= room).all()
    assert sum(table[k, chosen[k]] for k in range(served)) == pytest.approx(best, abs=1e-12)


def test_the_oracle_serves_as_many_and_does_better_where_it_is_right_about_everything() -> None:
    """All who come in one week, one client each, therapists as they are: no other matching leaves less distress in all."""
    plan = {"therapists": 14, "capacity": 1, "arrivals_per_week": 9, "intake_weeks": 1, "weeks": 6, "leave_prob": 0}
    for seed in (1, 2, 3):
        left = {}
        for rule in rule_names():
            c = held_still(clinic(rule, spec={"parameters": STILL, "sessions": 6}, **plan), seed)
            left[rule] = c.world.clients.distress.sum(), c.courses
        assert len({courses for _, courses in left.values()}) == 1
        assert all(left[ORACLE][0] <= total + 1e-9 for total, _ in left.values())
        assert left[ORACLE][0] < left["first_free"][0] - 0.05


def test_in_a_clinic_that_goes_on_the_oracle_is_no_worse_than_first_free() -> None:
    """Week by week it cannot know who comes next: by no more than 0.05 SD worse at the end of therapy, mean of two clinics."""
    plan = {"arrivals_per_week": 3, "weeks": 30, "intake_weeks": 20, "therapists": 6}
    ends = {}
    for rule in ("first_free", ORACLE):
        done = run(clinic(rule, spec={"replicates": 2, "sessions": 8, "exchanges": 4}, **plan), 2).clients
        ends[rule] = done[done["therapist"].notna()]["distress_end_latent"].mean()
    assert ends[ORACLE] <= ends["first_free"] + 0.05


def test_matching_sees_no_more_than_its_module_says() -> None:
    """Rules are functions of ``Seen``: the module that holds them knows neither world nor clinic."""
    assert not {"World", "Clinic", "Columns"} & set(vars(matching))
