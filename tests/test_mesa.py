"""The Mesa face: stepping gives the core's numbers, agents are views on rows, and nobody who only runs pays for them."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import mesa
import numpy as np
import pandas as pd
import pytest

import sim
from sim.mesa import model as mesa_model
from sim.mesa.model import REPORTED, Client, Person, Therapist, TherapyModel
from sim.people.state import DYAD, PERSON
from sim.scenario.scenario import Scenario
from sim.simulation import build as design
from sim.simulation.tasks import run_of
from sim.theory.styles import STYLES, ecr_score
from sim.therapy.course import Running, run_course

ROOT = Path(__file__).resolve().parents[1]
HELLO = ROOT / "scenarios" / "hello.yaml"


def made(name: str, **spec: Any) -> Scenario:
    people = {"client": "population", "therapist": "population", "clients_per_arm": 12}
    return sim.from_spec({"question": "Is it the same?", "sessions": 6, **people, **spec}, name)


LEAVING = {"parameters": {"dropout_base": -4.0, "good_enough_prob": 0.3, "good_enough_sessions": 2, "hazard_base": -1.5}}
ARMS = made("arms", arms={"usual": {}, "waiting": {"therapist": "none"}}, follow_up_months=2, replicates=2,
            clients_per_therapist=3, record={"exchanges": {"clients": [0, 5]}}, **LEAVING)  # fmt: skip
CROSSED = made("crossed", design="crossed", client=["secure", "fearful"], therapist=["dismissing", "none"])
HELD = made("held", lesions={"client.vlpfc": 0.5}, clamp={"client_arousal": 0.1}, follow_up_months=1, **LEAVING)
OTHER = sim.Model().without("consolidate")


def values(table: pd.DataFrame) -> dict[str, Any]:
    """Every column's type and bytes."""
    out = {}
    for name, column in table.items():
        codes = column.cat.codes if isinstance(column.dtype, pd.CategoricalDtype) else column
        parameters = codes.fillna(-1).to_numpy() if codes.dtype == "Int64" else codes.to_numpy()
        out[str(name)] = (str(column.dtype), parameters.tobytes())
    return out


def whole(scenario: Scenario, seed: int, arm: str, replicate: int = 0, model: sim.Model | None = None) -> dict[str, pd.DataFrame]:
    """What ``sim.run`` gives for one arm and replicate."""
    run = sim.run(scenario, seed, model=model or sim.Model(), chunk=5)
    return {name: t[(t["arm"] == arm) & (t["replicate"] == replicate)] for name, t in run.tables.items()}


# ------------------------------------------------------------------------------------------------ the same parameters


@pytest.mark.parametrize(("scenario", "arm", "replicate", "model"), [
    (ARMS, "usual", 0, None), (ARMS, "usual", 1, None), (ARMS, "waiting", 1, None),
    (CROSSED, "fearful client, dismissing therapist", 0, None), (CROSSED, "secure client, no therapist", 0, None),
    (HELD, "all", 0, None), (ARMS, "usual", 0, OTHER),
])  # fmt: skip
def test_stepping_to_the_end_gives_the_tables_of_the_core(scenario: Scenario, arm: str, replicate: int, model: Any) -> None:
    face = TherapyModel(scenario, arm, 7, replicate, model or sim.Model())
    assert face.arm.name == arm
    while face.running:
        face.step()
    mine, core = face.tables(), whole(scenario, 7, arm, replicate, model)
    for name in ("clients", "sessions", "assessments"):
        if len(core[name]):
            assert values(mine[name]) == values(core[name]), name
        assert len(mine[name]) == len(core[name]), name
    if scenario is ARMS and arm == "usual":
        assert values(mine["exchanges"]) == values(core["exchanges"])
        assert set(core["clients"]["ending"]) >= {"planned", "dropout"}  # else little would have been compared


def test_tables_on_the_way_are_those_of_a_course_that_stops_now_and_asking_changes_nothing() -> None:
    for arm in ARMS.arms:
        face = TherapyModel(ARMS, arm.name, seed=3)
        for week in range(face.weeks + 1):
            mine = face.tables()
            stopped = run_course(design.build(ARMS, arm, 0, 3), week)
            core = run_of(ARMS, arm, 0, 3, stopped).tables
            assert mine.keys() == core.keys()
            for name, table in core.items():
                assert values(mine[name]) == values(table), (arm.name, week, name)
            face.step()
        assert values(face.tables()["clients"]) == values(whole(ARMS, 3, arm.name)["clients"])


def test_what_is_left_so_far_does_not_change_afterwards() -> None:
    running = Running(design.build(ARMS, ARMS.arms[0], 0, 7))
    running.live_a_week()
    early = running.so_far()
    kept = {name: column.copy() for name, column in early.clients.items()}
    for _ in range(9):
        running.live_a_week()
    late = running.finish()
    assert all(np.array_equal(column, early.clients[name], equal_nan=True) for name, column in kept.items())
    assert (early.clients["sessions_attended"] <= 1).all() and late.clients["sessions_attended"].max() == 6


def test_a_week_beyond_the_end_is_harmless() -> None:
    face = TherapyModel(HELLO, seed=1)
    assert face.running and face.steps == 0 and face.arm.name == "secure therapist"
    face.run_model()
    assert not face.running and face.steps == face.weeks == face.world.week == 6
    before = values(face.tables()["clients"])
    face.running = True  # as someone might
    face.step()
    assert not face.running and face.steps == 6 and values(face.tables()["clients"]) == before
    assert len(face.datacollector.get_model_vars_dataframe()) == 7


def test_luck_does_not_depend_on_mesa() -> None:
    plain, stirred = TherapyModel(ARMS, seed=2), TherapyModel(ARMS, seed=2)
    stirred.reset_randomizer(99)
    stirred.reset_rng(98)
    for _ in range(4):
        stirred.random.random(), stirred.rng.normal(size=3)
        stirred.agents.shuffle_do(lambda person: person.distress)
        plain.step(), stirred.step()
    assert np.array_equal(plain.world.dyads.data, stirred.world.dyads.data)
    assert TherapyModel(ARMS, seed=2).clients.shuffle().get("row") == TherapyModel(ARMS, seed=2).clients.shuffle().get("row")
    assert not np.array_equal(TherapyModel(ARMS, seed=3).world.clients.data, TherapyModel(ARMS, seed=2).world.clients.data)


# ---------------------------------------------------------------------------------------------------------- agents


def test_a_model_that_is_only_stepped_makes_no_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("an agent was made")

    monkeypatch.setattr(Person, "__init__", refuse)
    face = TherapyModel(ARMS.but(clients_per_arm=5000, sessions=2), seed=1)
    face.run_model()
    face.tables(), face.datacollector.get_model_vars_dataframe()
    with pytest.raises(AssertionError, match="an agent was made"):
        face.agents


@pytest.mark.parametrize(("ask", "many"), [
    ("agents", 24), ("clients", 12), ("therapists", 12), ("agents_by_type", 2), ("agent_types", 2),
])  # fmt: skip
def test_agents_are_made_once_whatever_is_asked_first(ask: str, many: int) -> None:
    face = TherapyModel(ARMS, seed=1)
    assert len(getattr(face, ask)) == many
    agents = list(face.agents)
    assert len(agents) == 24 and agents == list(face.agents)
    assert [a.unique_id for a in agents] == list(range(1, 25))
    assert face.agent_types == [Client, Therapist]
    assert list(face.agents_by_type[Client]) == list(face.clients) == agents[:12]
    assert list(face.agents_by_type[Therapist]) == list(face.therapists) == agents[12:]


def test_agents_of_ones_own_have_their_place() -> None:
    face = TherapyModel(HELLO, seed=1)
    supervisor = mesa.Agent(face)
    assert supervisor in face.agents and len(face.agents) == 41 and face.agent_types == [mesa.Agent, Client, Therapist]
    supervisor.remove()
    assert len(face.agents) == 40


def test_every_column_can_be_read_by_name() -> None:
    face = TherapyModel(ARMS, seed=4)
    face.step()
    world = face.world
    for name in PERSON:
        assert face.clients.get(name) == world.clients[name].tolist()
        assert face.therapists.get(name) == world.therapists[name].tolist()
    for name in DYAD:
        assert face.clients.get(name) == face.therapists.get(name) == world.dyads[name].tolist()
    for role, people in (("client", face.clients), ("therapist", face.therapists)):
        for name in ("alliance", "bond", "trust", "arousal", "perceived_mean"):
            assert people.get(name) == world.dyads[f"{role}_{name}"].tolist()
        assert {"distress", "alliance", "client_trust", "style", "ecr_anxiety"} <= set(dir(people[0]))


def test_agents_say_who_they_are() -> None:
    face = TherapyModel(CROSSED, "fearful client, dismissing therapist", seed=1)
    clients = face.tables()["clients"]
    assert face.clients.get("number") == clients["client"].tolist() and clients["client"].min() == 3_000_000
    assert face.clients.get("style") == clients["client_style"].tolist() == ["fearful"] * 12
    assert face.therapists.get("style") == ["dismissing"] * 12
    assert face.clients.get("ecr_anxiety") == clients["client_anxiety_0_latent"].tolist()
    assert face.therapists.get("ecr_avoidance") == clients["therapist_avoidance_0_latent"].tolist()
    third = face.clients[3]
    assert third.therapist is face.therapists[3] and list(third.therapist.clients) == [third]
    assert "Client 3000003 of 'fearful client" in repr(third)
    shared = TherapyModel(ARMS, seed=1)
    assert shared.therapists.get("number") == shared.tables()["clients"]["therapist"].tolist() == [i // 3 for i in range(12)]


def test_agents_know_how_it_ended() -> None:
    face = TherapyModel(ARMS, seed=7)
    assert set(face.clients.get("ending")) == {"in therapy"} and all(face.agents.get("in_therapy"))
    face.run_model()
    assert face.clients.get("ending") == face.tables()["clients"]["ending"].tolist()
    assert not any(face.agents.get("in_therapy"))


def test_without_therapy_there_are_clients_only() -> None:
    face = TherapyModel(ARMS, "waiting", seed=1)
    face.step()
    one = face.clients[0]
    assert len(face.agents) == 12 and face.agent_types == [Client] and len(face.therapists) == 0
    assert one.therapist is None and one.ending == "untreated" and not one.in_therapy
    assert math.isnan(one.alliance) and math.isnan(one.open_rupture) and one.distress == face.world.clients.distress[0]
    with pytest.raises(AttributeError, match="client 0 is in no therapy, so there is no 'trust' to set"):
        one.trust = 0.5


def test_agent_sets_work() -> None:
    face = TherapyModel(ARMS, seed=1)
    face.step()
    distress = face.world.clients.distress
    assert face.clients.agg("distress", [min, max]) == [distress.min(), distress.max()]
    high = face.agents.select(lambda a: a.distress > 1.0, agent_type=Client)
    assert len(high) == (distress > 1.0).sum() > 0
    assert sum(face.clients.groupby("style").count().values()) == 12
    assert set(face.clients.groupby("style").agg("distress", np.mean)) <= set(STYLES)
    assert face.clients.sort("distress", ascending=True)[0].distress == distress.min()
    seen: list[Any] = []
    face.agents.shuffle_do(seen.append)
    assert set(seen) == set(face.agents) and seen != list(face.agents)
    face.agents.shuffle_do("step")  # of Mesa, does nothing
    face.clients.set("distress", 1.5)
    assert (distress == 1.5).all() and (face.world.therapists.distress != 1.5).all()


# -------------------------------------------------------------------------------------------------------- writing


def test_writing_writes_the_row_and_the_week_starts_from_it() -> None:
    usual, changed = TherapyModel(HELLO, seed=5), TherapyModel(HELLO, seed=5)
    usual.step(), changed.step()
    fourth = changed.clients[4]
    fourth.trust, fourth.distress = 0.95, np.float64(2.5)
    fourth.therapist.regulation, fourth.open_rupture = 0.9, 0.4
    fourth.ecr_avoidance = 5.2
    world = changed.world
    assert world.dyads.client_trust[4] == 0.95 and world.clients.distress[4] == 2.5 and world.therapists.regulation[4] == 0.9
    assert world.dyads.open_rupture[4] == 0.4 and ecr_score(world.clients.avoidance[4]) == pytest.approx(5.2, abs=1e-12)
    usual.step(), changed.step()
    assert fourth.client_distress == 2.5  # brought to the session
    there = usual.clients[4]
    assert fourth.bond > there.bond + 0.1 and fourth.open_rupture > there.open_rupture and fourth.therapist.regulation > 0.8
    others = np.arange(20) != 4
    assert np.array_equal(world.dyads.data[:, others], usual.world.dyads.data[:, others])  # nobody else's luck moved
    assert np.array_equal(world.clients.data[:, others], usual.world.clients.data[:, others])


@pytest.mark.parametrize("name", ["trust", "task", "goal", "capability", "client_anxiety", "distress", "skill", "regulation",
                                  "distress_own"])  # fmt: skip
def test_what_is_said_to_last_lasts(name: str) -> None:
    weeks = [TherapyModel(HELLO, seed=5) for _ in range(2)]
    weeks[1].clients[0].__setattr__(name, weeks[0].clients[0].__getattr__(name) + 0.2)
    for face in weeks:
        face.step()
    assert getattr(weeks[1].clients[0], name) - getattr(weeks[0].clients[0], name) > 0.1


@pytest.mark.parametrize("name", ["bond", "alliance", "distress_set_point", "arousal", "client_distress"])
def test_what_is_said_not_to_last_does_not(name: str) -> None:
    weeks = [TherapyModel(HELLO, seed=5) for _ in range(2)]
    setattr(weeks[1].clients[0], name, getattr(weeks[0].clients[0], name) + 0.2)
    for face in weeks:
        face.step()
    assert getattr(weeks[1].clients[0], name) == pytest.approx(getattr(weeks[0].clients[0], name), abs=0.02)


@pytest.mark.parametrize(("name", "value", "error", "words"), [
    ("distress", 9, ValueError, r"client 3: distress must lie in -6\.\.8 \(community SD\), not 9"),
    ("distress", math.nan, ValueError, "not nan"),
    ("trust", -0.1, ValueError, r"trust must lie in 0\.\.1 \(proportion\)"),
    ("therapist_bond", 1.2, ValueError, "therapist_bond must lie"),
    ("anxiety", 5, ValueError, r"0\.\.1 \(proportion\)"),
    ("ecr_anxiety", 7.5, ValueError, r"ecr_anxiety must lie in 1\.\.7 \(ECR\)"),
    ("distress", "high", TypeError, "distress must be a number, not 'high'"),
    ("distress", None, TypeError, "not None"),
    ("ecr_anxiety", "5", TypeError, "ecr_anxiety must be a number"),
    ("distres", 1.0, AttributeError, "did you mean 'distress'"),
    ("anxeity", 0.5, AttributeError, "did you mean 'anxiety'"),
    ("ending", "dropout", AttributeError, "ending"),
    ("style", "secure", AttributeError, "style"),
    ("therapist", None, AttributeError, "therapist"),
])  # fmt: skip
def test_what_cannot_be_written_is_refused_and_nothing_changes(name: str, value: Any, error: Any, words: str) -> None:
    face = TherapyModel(HELLO, seed=1)
    before = [columns.data.copy() for columns in (face.world.clients, face.world.therapists, face.world.dyads)]
    with pytest.raises(error, match=words):
        setattr(face.clients[3], name, value)
    for old, columns in zip(before, (face.world.clients, face.world.therapists, face.world.dyads), strict=True):
        assert np.array_equal(old, columns.data)


def test_notes_of_ones_own_and_what_is_not_there() -> None:
    one = TherapyModel(HELLO, seed=1).clients[0]
    for name in ("age", "condition", "group", "status", "treatment", "wealth", "visited", "_seen"):
        setattr(one, name, 3)
        setattr(one, name, 4)
        assert getattr(one, name) == 4
    one.pos = (1, 2)
    with pytest.raises(AttributeError, match="Client has no 'distres' - did you mean 'distress'"):
        one.distres
    assert getattr(one, "nothing_at_all", None) is None and not hasattr(one, "__array__")
    with pytest.raises(TypeError, match="cannot be removed"):
        one.remove()
    assert one in one.model.agents


def test_a_model_of_ones_own_steps_in_between() -> None:
    class Supervised(TherapyModel):
        """A word to the therapist whenever a rupture stays open."""

        def step(self) -> None:
            for client in self.clients.select(lambda c: c.in_therapy and c.open_rupture):
                client.open_rupture = 0
            super().step()

    usual, mine = TherapyModel(ARMS, seed=1), Supervised(ARMS, seed=1)
    usual.run_model(), mine.run_model()
    assert mine.steps == usual.steps == 14
    assert values(mine.tables()["clients"]) != values(usual.tables()["clients"])


# ------------------------------------------------------------------------------------------------------------ data


def test_the_default_reporters_say_what_the_tables_say() -> None:
    face = TherapyModel(ARMS, seed=7)
    face.run_model()
    data, tables = face.datacollector.get_model_vars_dataframe(), face.tables()
    sessions, clients = tables["sessions"], tables["clients"]
    assert list(data.columns) == list(REPORTED) and list(data.index) == list(range(face.weeks + 1))
    assert data["in_therapy"][0] == 12 and data["dropouts"].iloc[-1] == (clients["ending"] == "dropout").sum() > 0
    left = clients["sessions_attended"].to_numpy()
    by_week = sessions.groupby("week")
    for week in range(1, face.weeks + 1):
        assert data["in_therapy"][week] == (left > week).sum()
        gone = (clients["ending"] == "dropout") & (left <= week)
        assert data["dropouts"][week] == gone.sum()
        here = sessions[sessions["week"] == week]
        assert data["ruptures"][week] == here["ruptures"].sum()
        if len(here):
            assert data["mean_alliance"][week] == pytest.approx(by_week["alliance_latent"].mean()[week], abs=1e-12)
        else:
            assert math.isnan(data["mean_alliance"][week])
    assert data["ruptures"].sum() > 0 and len(by_week) < face.weeks
    months = tables["assessments"].groupby("month")["distress_latent"].mean()
    assert data["mean_distress"][::4].to_numpy() == pytest.approx(months.to_numpy(), abs=1e-12)


def test_reporters_of_ones_own() -> None:
    face = TherapyModel(
        ARMS, seed=1,
        model_reporters={"most": lambda m: m.world.clients.distress.max(), "week": "steps", "ruptures": lambda m: -1},
        agent_reporters={"distress": "distress", "doubled": lambda a: 2 * a.distress},
        agenttype_reporters={Client: {"ending": "ending"}},
    )  # fmt: skip
    for _ in range(3):
        face.step()
    data = face.datacollector.get_model_vars_dataframe()
    assert data["week"].tolist() == [0, 1, 2, 3] and set(data["ruptures"]) == {-1}
    assert data["most"][3] == face.world.clients.distress.max()
    people = face.datacollector.get_agent_vars_dataframe()
    assert len(people) == 4 * 24 and people.loc[3]["distress"].tolist() == face.agents.get("distress")
    assert (people["doubled"] == 2 * people["distress"]).all()
    endings = face.datacollector.get_agenttype_vars_dataframe(Client)
    assert endings.loc[3]["ending"].tolist() == face.clients.get("ending")


def test_batch_run_works_and_leaves_out_the_last_week() -> None:
    given = {"scenario": str(HELLO), "seed": [1, 2]}
    found = mesa.batch_run(TherapyModel, given, display_progress=False, data_collection_period=1)
    table = pd.DataFrame(found)
    assert table.groupby("seed").size().to_dict() == {1: 6, 2: 6} and table["Step"].max() == 5
    face = TherapyModel(HELLO, seed=2)
    face.run_model()
    mine = face.datacollector.get_model_vars_dataframe()
    assert table[table["seed"] == 2]["mean_distress"].tolist() == mine["mean_distress"][:6].tolist()


@pytest.mark.parametrize("processes", [1, 2])
def test_iterations_of_batch_run_are_warned_of(processes: int, capfd: pytest.CaptureFixture[str]) -> None:
    """They repeat one run exactly; seeds do not, and nobody is warned of them or of a model made by hand."""
    given = {"scenario": str(HELLO), "seed": range(1, 3)}

    def rows(**how: Any) -> tuple[list[float], str]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = mesa.batch_run(TherapyModel, given, number_processes=processes, display_progress=False, max_steps=1, **how)
        told = [str(one.message) for one in caught if "batch_run" in str(one.message)]
        return [row["mean_distress"] for row in found], "\n".join([*told, capfd.readouterr().err])

    assert len(set(rows()[0])) == 2 and "exactly" not in rows()[1]
    values, said = rows(iterations=2)
    assert len(values) == 4 and len(set(values)) == 2 and "repeats the run of seed 1 exactly" in said


# -------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(("given", "error", "words"), [
    ({"arm": "secure terapist"}, sim.ScenarioError, "no arm 'secure terapist' - did you mean 'secure therapist'"),
    ({"arm": ""}, sim.ScenarioError, "no arm ''"),
    ({"replicate": 1}, sim.ScenarioError, "no replicate 1"),
    ({"replicate": -1}, sim.ScenarioError, "no replicate -1"),
    ({"scenario": "nowhere.yaml"}, sim.ScenarioError, "no such file"),
    ({"scenario": made("big", clients_per_arm=1_000_000, sessions=520)}, sim.ScenarioError, "GiB of memory"),
    ({"seed": -1}, ValueError, "seed must be a whole number"),
    ({"seed": None}, ValueError, "seed must be a whole number"),
    ({"seed": 1.5}, ValueError, "seed must be a whole number"),
    ({"rng": 3}, TypeError, "rng"),
])  # fmt: skip
def test_what_cannot_be_is_refused(given: dict[str, Any], error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        TherapyModel(**{"scenario": HELLO, **given})


def test_a_seed_of_zero_and_of_numpy_are_seeds() -> None:
    plain, of_numpy = (TherapyModel(HELLO, seed=seed).world.clients.data for seed in (0, np.int64(0)))
    assert np.array_equal(plain, of_numpy)
    assert TherapyModel(HELLO, seed=2**63 - 1).seed == 2**63 - 1


def test_running_and_comparing_do_not_load_mesa() -> None:
    code = (
        "import sys, sim; s = sim.load('scenarios/hello.yaml').but(clients_per_arm=3, sessions=2); "
        "sim.run(s, seed=1, threads=2); sim.compare(s, s.but(trust_rate=0.1), seeds=[1]); print('mesa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"
    assert mesa_model.mesa is mesa
