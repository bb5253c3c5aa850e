"""The Mesa face of a clinic: the core's numbers, agents who come and are hired week by week, and where everybody stands."""

from __future__ import annotations

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import sim
from sim.mesa.model import CLINIC_REPORTED, REPORTED, Client, Person, Therapist, TherapyModel
from sim.scenario.scenario import Scenario
from sim.simulation.build import build_clinic
from sim.simulation.tasks import run_of
from sim.therapy.clinic.states import STATES
from tests.test_mesa import values

ROOT = Path(__file__).resolve().parents[1]
BUSY = {"therapists": 3, "capacity": 3, "arrivals_per_week": 3, "weeks": 24, "turnover": True, "vacant_weeks": 3,
        "training": ["regular_supervision"], "trained_share": 0.5, "training_from": 6}  # fmt: skip
PARAMETERS = {"quitting_base": -3.0, "waiting_loss_base": -2.5, "between_loss_base": -1.0, "dropout_base": -4.0,
           "good_enough_prob": 0.3}  # fmt: skip


def made(**clinic: Any) -> Scenario:
    arms = {"usual": {}, "every other week": {"clinic": {"session_every": 2}}, "nobody is seen": {"therapist": "none"}}
    spec = {"question": "Is it the same?", "design": "clinic", "sessions": 5, "exchanges": 3, "replicates": 2,
            "parameters": PARAMETERS, "clinic": {**BUSY, **clinic}, "arms": arms,
            "record": {"exchanges": {"clients": [0, 4]}}}  # fmt: skip
    return sim.from_spec(spec, "busy")


CLINIC = made()


@lru_cache(maxsize=None)
def whole(seed: int) -> sim.Run:
    return sim.run(CLINIC, seed)


def one(run: sim.Run, arm: str, replicate: int) -> dict[str, pd.DataFrame]:
    """What ``sim.run`` gives for one arm and replicate."""
    return {name: t[(t["arm"] == arm) & (t["replicate"] == replicate)] for name, t in run.tables.items()}


@pytest.mark.parametrize(("arm", "replicate"), [("usual", 0), ("usual", 1), ("every other week", 1), ("nobody is seen", 0)])
def test_stepping_gives_the_tables_of_the_core(arm: str, replicate: int) -> None:
    face = TherapyModel(CLINIC, arm, 5, replicate)
    face.run_model()
    assert face.steps == face.weeks == face.world.week == 24 and not face.running
    mine, core = face.tables(), one(whole(5), arm, replicate)
    assert {"clients", "assessments", "therapists", "clinic"} <= core.keys()
    for name, table in core.items():
        if len(table):
            assert values(mine.get(name, pd.DataFrame())) == values(table), name
        assert len(mine.get(name, ())) == len(table), name
    if arm == "usual":  # else little would have been compared
        assert set(core["clients"]["ending"]) >= {"planned", "dropout", "transferred", "censored"} and len(core["exchanges"])
    face.step()
    assert face.steps == 24 and values(face.tables()["clients"]) == values(core["clients"])


def test_tables_on_the_way_are_those_of_a_clinic_that_closes_now_and_asking_changes_nothing() -> None:
    face, arm = TherapyModel(CLINIC, seed=5), CLINIC.arms[0]
    core = build_clinic(CLINIC, arm, 0, 5)
    for week in range(face.weeks + 1):
        mine = face.tables()
        for name, table in run_of(CLINIC, arm, 0, 5, core).tables.items():
            assert values(mine[name]) == values(table), (week, name)
        face.step()
        if week < face.weeks:
            core.live_a_week()
    assert values(face.tables()["clinic"]) == values(one(whole(5), "usual", 0)["clinic"])


def test_a_shipped_clinic_by_its_file() -> None:
    face = TherapyModel(ROOT / "scenarios" / "clinic_first_free.yaml", seed=1)
    assert face.arm.name == "first free" and face.weeks == 156 and face.running
    for _ in range(2):
        face.step()
    assert face.arrivals_total == len(face.clients) > 0 and len(face.therapists) == 20
    assert face.in_therapy == sum(t.caseload for t in face.therapists) > 0


def test_a_clinic_that_is_only_stepped_makes_no_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("an agent was made")

    monkeypatch.setattr(Person, "__init__", refuse)
    face = TherapyModel(CLINIC, seed=5)
    face.run_model()
    face.tables(), face.datacollector.get_model_vars_dataframe()
    with pytest.raises(AssertionError, match="an agent was made"):
        face.clients


def test_agents_come_in_the_week_in_which_the_people_come() -> None:
    face, early = TherapyModel(CLINIC, seed=5), TherapyModel(CLINIC, seed=5)
    assert len(face.clients) == 0 and len(face.therapists) == 3 and face.agent_types == [Therapist]
    assert math.isnan(face.mean_distress)
    first = list(face.therapists)
    while face.running:
        before = list(face.clients)
        face.step(), early.step()
        here = list(face.clients)
        assert here[: len(before)] == before and face.clients.get("number") == list(range(face.arrivals_total))
        assert len(face.therapists) == len(face.world.therapists) and list(face.therapists)[:3] == first
        assert math.isnan(face.mean_distress) if not here else face.mean_distress == pytest.approx(
            sum(face.clients.get("distress")) / len(here), abs=1e-12)  # fmt: skip
        arrived = face.tables()["clients"].groupby("client")["arrival_week"].first()
        assert len(arrived) == len(here)
        assert (arrived.iloc[len(before) :] == face.world.week).all()
    assert len(face.therapists) > 3 and len(face.agents) == len(face.clients) + len(face.therapists)
    assert early.agents.get("number") == face.clients.get("number") + face.therapists.get("number")  # clients stand first
    assert values(early.tables()["clients"]) == values(face.tables()["clients"])


def test_agents_stand_where_the_tables_say() -> None:
    face = TherapyModel(CLINIC, seed=5)
    seen: set[str] = set()
    before: dict[int, str] = {}
    while face.running:
        face.step()
        tables = face.tables()
        last = tables["clients"].groupby("client").last()
        week = tables["clinic"].iloc[-1]
        states = face.clients.get("state")
        assert {name: states.count(word) for name, word in (
            ("waiting", "waiting"), ("in_therapy", "in therapy"), ("between_therapists", "between therapists"),
            ("lost_waiting", "lost while waiting"), ("ended_total", "ended"))} == week[
            ["waiting", "in_therapy", "between_therapists", "lost_waiting", "ended_total"]].to_dict()  # fmt: skip
        for client, (_, row) in zip(face.clients, last.iterrows(), strict=True):
            assert client.ending == {"censored": "in therapy"}.get(row["ending"], row["ending"])
            assert client.in_therapy == (client.state == "in therapy") == (row["ending"] == "censored")
            assert (client.therapist is None) == pd.isna(row["therapist"])
            if client.therapist is not None:
                assert client.therapist.number == row["therapist"]
                assert client.session == row["sessions_attended"]
            else:
                assert math.isnan(client.alliance)
            if client.state != "between therapists":  # whose line is of the course that was
                assert client.weeks_waiting == row["weeks_waited"]
            elif before.get(client.number) == "between therapists":
                assert client.weeks_waiting == face.world.week - row["end_week"] > 0
        seen |= set(states)
        before = dict(enumerate(states))
        posts = tables["therapists"][tables["therapists"]["week"] == face.world.week].set_index("therapist")
        assert [t.number for t in face.therapists if t.in_post] == list(posts.index)
        for therapist in face.therapists:
            mine = list(therapist.clients)
            assert len(mine) == therapist.caseload and all(c.therapist is therapist and c.in_therapy for c in mine)
            if therapist.in_post:
                row = posts.loc[therapist.number]
                for name in ("caseload", "away", "supervised", "fatigue"):
                    assert getattr(therapist, name) == row[name]
            else:
                assert not mine and not therapist.away
    assert seen == set(STATES[1:])


def test_a_clients_course_is_the_one_now_or_the_last_and_therapists_courses_are_read_on_clients() -> None:
    face = TherapyModel(CLINIC, seed=5)
    again = []
    for _ in range(23):
        face.step()
        world = face.world
        for client in face.clients:
            rows = [i for i in range(face.clinic.courses) if world.client_of[i] == client.row]
            assert client.alliance == world.dyads.client_alliance[rows[-1]] if rows else math.isnan(client.alliance)
            again += [client] if len(rows) > 1 else []
    assert again and again[-1].session < 6
    for therapist in face.therapists:  # whatever the caseload
        with pytest.raises(AttributeError, match="has a course with each client; read or set 'therapist_bond' on the clients"):
            therapist.bond
        with pytest.raises(AttributeError, match="on the clients"):
            therapist.open_rupture = 0


def test_writing_reaches_the_arrays_that_are_there_now() -> None:
    face, usual = TherapyModel(CLINIC, seed=5), TherapyModel(CLINIC, seed=5)
    therapists = face.therapists
    while len(face.world.therapists) == 3:  # until the arrays of therapists are replaced
        face.step(), usual.step()
    old, hired = therapists[0], face.therapists[3]
    old.fatigue, hired.repair_skill = 0.6, 2.0
    treated = face.clients.select(lambda c: c.in_therapy)[0]
    treated.trust = 0.9
    treated.distress = 3.0
    assert face.world.therapists.fatigue[0] == 0.6 and face.world.therapists.repair_skill[3] == 2.0
    assert face.world.dyads.client_trust[face.clinic.course[treated.row]] == 0.9
    face.step(), usual.step()
    assert old.fatigue > usual.therapists[0].fatigue + 0.3 and hired.repair_skill == 2.0
    assert treated.distress > usual.clients[treated.row].distress + 0.5
    for name in ("state", "weeks_waiting", "ending"):
        with pytest.raises(AttributeError):
            setattr(treated, name, 1)
    with pytest.raises(AttributeError):
        old.caseload = 3


def test_what_is_reported_is_what_the_table_of_the_clinic_says() -> None:
    face = TherapyModel(CLINIC, "usual", seed=5)
    face.run_model()
    data, clinic = face.datacollector.get_model_vars_dataframe(), face.tables()["clinic"]
    assert list(data.columns) == [*REPORTED, *CLINIC_REPORTED] and len(data) == 25
    assert data.iloc[0][list(CLINIC_REPORTED)].tolist() == [0] * 5 and math.isnan(data["mean_alliance"][0])
    for name in ("in_therapy", *CLINIC_REPORTED):
        assert data[name].tolist()[1:] == clinic[name].tolist(), name
    assert data["dropouts"].tolist()[1:] == clinic["ended_dropout"].tolist() and data["dropouts"].iloc[-1] > 0
    by_week = face.tables()["sessions"].groupby("week")
    assert data["ruptures"].iloc[1:].sum() == face.tables()["sessions"]["ruptures"].sum() > 0
    for week, mean in by_week["alliance_latent"].mean().items():
        assert data["mean_alliance"][week] == pytest.approx(mean, abs=1e-12)
    assert data["mean_distress"].iloc[-1] == pytest.approx(sum(face.clients.get("distress")) / len(face.clients), abs=1e-12)


def test_reporters_of_ones_own_in_a_clinic_that_grows() -> None:
    face = TherapyModel(CLINIC, seed=5, agenttype_reporters={Client: {"state": "state"}, Therapist: {"caseload": "caseload"}})
    for _ in range(4):
        face.step()
    people = face.datacollector.get_agenttype_vars_dataframe(Client)
    assert people.loc[4]["state"].tolist() == face.clients.get("state")
    assert len(people.loc[2]) == face.tables()["clinic"]["arrivals_total"].iloc[1]


def test_what_a_clinic_counts_is_not_counted_elsewhere() -> None:
    hello = TherapyModel(ROOT / "scenarios" / "hello.yaml", seed=1)
    for name in CLINIC_REPORTED:
        with pytest.raises(AttributeError, match=f"'{name}' is counted in clinics only"):
            getattr(hello, name)
    assert list(hello.datacollector.get_model_vars_dataframe().columns) == list(REPORTED)
    client, therapist = hello.clients[0], hello.therapists[0]
    assert (client.state, client.weeks_waiting) == ("in therapy", 0)
    assert (therapist.caseload, therapist.in_post, therapist.away, therapist.supervised) == (1, True, False, False)
    hello.run_model()
    assert client.state == "ended" and therapist.caseload == 0 and list(therapist.clients) == [client]


def test_a_clinic_in_which_nobody_is_seen() -> None:
    face = TherapyModel(CLINIC, "nobody is seen", seed=5)
    for _ in range(10):
        face.step()
    assert set(face.clients.get("state")) == {"waiting", "lost while waiting"} and len(face.therapists) == 0
    assert set(face.clients.get("ending")) == {"waiting", "lost_waiting"} and face.in_therapy == 0
    client = face.clients[0]
    assert client.therapist is None and math.isnan(client.bond)
    with pytest.raises(AttributeError, match="is in no therapy"):
        client.trust = 0.4
