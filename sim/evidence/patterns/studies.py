"""The simulated studies: a few runs that all patterns read, of settings that differ in stated ways.

A study is a stretch of the clients of one setting. The settings differ in how ill clients are, how long courses are planned,
how many clients a therapist sees and how skilled therapists are; nothing else, and none of it for the sake of one pattern.
Beside them there are people of the community without therapy, clinics in which therapists tire and are supervised, and one
experiment on putting feelings into words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from sim.engine.asking import ecr
from sim.errors import ScenarioError, UsageError
from sim.measurement import instruments as ask
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.build import build
from sim.simulation.tasks import checked_seed
from sim.theory.parameters import PARAMETERS


@dataclass(frozen=True)
class Setting:
    """Where studies are done. ``severity``: by how many SD of community distress people seek help later than elsewhere;
    ``skill``: what its therapists have more of the capacity to mentalise; ``together``: how much more attachment anxiety and
    avoidance go together among those it draws from (correlation; published ones run from -.05 to .67, row x8)."""

    name: str
    severity: float
    sessions: int
    caseload: int
    skill: float
    together: float


#: All are assumptions: the range of services that studies come from.
SETTINGS = (
    Setting("student counselling", -0.5, 8, 6, 0.0, -0.15),
    Setting("primary care", -0.25, 8, 20, 0.0, 0.0),
    Setting("training clinic", 0.0, 20, 4, -0.08, -0.1),
    Setting("outpatient clinic", 0.0, 16, 12, 0.0, 0.1),
    Setting("private practice", -0.25, 40, 5, 0.04, -0.2),
    Setting("community service", 0.25, 16, 25, 0.0, 0.25),
    Setting("specialist service", 0.5, 26, 10, 0.04, 0.45),
)
CLIENTS = 4000  # who begin in each setting
COMMUNITY, COMMUNITY_WEEKS = 22600, 6
CLINICS = 10
SPOKEN = {"much said": 0.8, "little said": 0.2}  # proportion of what people feel that they are made to say

EARLY, CURRENT = 3, 18  # sessions: of an early rating, and of the pairs that have met for long
RATINGS = ("wai_client", "wai_therapist", "empathy_client", "empathy_observer", "empathy_therapist")
TIMES = ("early", "middle", "last", "mean")
_KEPT = ["client", "therapist", "session", *RATINGS, "cats_secure", "cats_avoidant", "cats_preoccupied",
         "ruptures_client_reported", "ruptures_observer_reported", "disclosure", "expression",
         "tracking_accuracy"]  # fmt: skip
_AT_INTAKE = ["client", "therapist", "client_anxiety_0", "client_avoidance_0", "client_anxiety_end", "client_avoidance_end",
              "therapist_anxiety_0", "therapist_avoidance_0", "distress_0", "distress_end", "ending", "sessions_attended",
              "planned_sessions"]  # fmt: skip
_OF_THE_MODEL = ("parameters", "policies", "lesions", "switch_off", "cut")


def changes_of(scenario: Scenario) -> dict[str, Any]:
    """What a scenario changes about the model, as keys of a scenario; its people, lengths and arms are the studies' own.

    Raises ``ScenarioError`` where that is not one model: several arms that differ, the ensemble, or something held or forced.
    """
    if scenario.ensemble:
        raise ScenarioError(
            f"{scenario.name}: asks for the ensemble, which is {scenario.ensemble} models; validate one at a time, with "
            "'parameters:' followed by its parameters (every member was compared with the published evidence when the "
            "ensemble was made)"
        )
    found = []
    for arm in scenario.arms:
        if arm.clamp or arm.force:
            raise ScenarioError(f"{scenario.name}: clamps or forces something; that is an experiment, not a model to validate")
        found.append({name: getattr(arm, name) for name in _OF_THE_MODEL})
    if any(one != found[0] for one in found):
        raise ScenarioError(f"{scenario.name}: its {len(found)} arms are different models; validate one at a time")
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found[0].items() if value}


@dataclass
class Studies:
    """All simulated studies of one model. Each table is made when first asked for; column meanings are those of a run's tables.

    ``seed`` fixes all random draws. ``changes``: keys of a scenario that change the model (``changes_of``). ``size``: proportion
    of the usual number of people, for a quicker and rougher look. ``threads`` changes speed only."""

    seed: int
    changes: Mapping[str, Any] = field(default_factory=dict)
    size: float = 1.0
    threads: int | None = None

    def __post_init__(self) -> None:
        self.seed = checked_seed(self.seed)
        if not 0.0 < self.size <= 10.0:
            raise UsageError("size must be above 0 and at most 10")

    def _scenario(self, name: str, parameters: Mapping[str, float], **keys: Any) -> Scenario:
        said = {**self.changes, "parameters": {**self.changes.get("parameters", {}), **parameters}}
        return from_spec({"question": "Does it hold against the published evidence?", **said, **keys}, name)

    def _seed(self, part: int) -> int:
        """A seed of its own for every run, so that their people are others."""
        return int(np.random.SeedSequence((self.seed, part)).generate_state(1, np.uint64)[0] >> np.uint64(1))

    def _number(self, name: str, more: float) -> float:
        """A number of this model and something added to it, kept in its range."""
        number = PARAMETERS[name]
        there = self.changes.get("parameters", {}).get(name, number.default)
        return float(np.clip(there + more, number.low, number.high))

    def _people(self, usual: int, least: int = 1) -> int:
        return max(round(usual * self.size), least)

    @cached_property
    def courses(self) -> pd.DataFrame:
        """One row a course begun: ``setting`` (place in ``SETTINGS``), what was asked at intake and at the end, and every
        rating of ``RATINGS`` at each of ``TIMES``.

        ``early``: after the third session; ``middle``: after half of the planned sessions; both missing for who had left before;
        ``last``: after the last session held; ``mean``: over all of them.
        """
        return self._field[0]

    @cached_property
    def ratings(self) -> pd.DataFrame:
        """One row a session: ``setting``, who, what was rated of it and by whom."""
        return self._field[1]

    @cached_property
    def _field(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        courses, ratings = [], []
        for number, setting in enumerate(SETTINGS):
            parameters = {
                "help_seeking_threshold": self._number("help_seeking_threshold", setting.severity),
                "therapist_skill_mean": self._number("therapist_skill_mean", setting.skill),
                "anxiety_avoidance_r": self._number("anxiety_avoidance_r", setting.together),
            }
            scenario = self._scenario(
                setting.name, parameters, sessions=setting.sessions, clients_per_arm=self._people(CLIENTS),
                clients_per_therapist=setting.caseload,
            )  # fmt: skip
            done = run(scenario, self._seed(number), threads=self.threads)
            sessions = done.sessions[_KEPT].astype({"therapist": "int64"}).assign(setting=number)
            began = done.clients[_AT_INTAKE].astype({"therapist": "int64", "ending": "str"}).assign(setting=number)
            courses.append(with_ratings(began, sessions))
            ratings.append(sessions)
        return pd.concat(courses, ignore_index=True), pd.concat(ratings, ignore_index=True)

    @cached_property
    def community(self) -> pd.DataFrame:
        """People of the community without therapy, one row each: questionnaires of one day, and true attachment (``*_true``)
        that day and six weeks later (``*_true_later``)."""
        scenario = self._scenario(
            "community", {}, client={"selected": False}, therapist="none", sessions=COMMUNITY_WEEKS,
            clients_per_arm=self._people(COMMUNITY),
        )  # fmt: skip
        seed = self._seed(len(SETTINGS))
        seen = run(scenario, seed, threads=self.threads).clients
        out = {"setting": np.zeros(len(seen), np.int64), "client": seen["client"].to_numpy(), "distress": seen["distress_0"]}
        for name in ("anxiety", "avoidance"):
            out[name] = seen[f"client_{name}_0"]
            out[f"{name}_true"], out[f"{name}_true_later"] = seen[f"client_{name}_0_latent"], seen[f"client_{name}_end_latent"]
        # The same people again, as they are before the first week, for what no table holds.
        world = build(scenario, scenario.arms[0], 0, seed)
        people, whom = world.clients, world.asked("client", np.arange(len(world.clients)))
        style = {name: people[f"ecr_response_style_{name}"] for name in ("anxiety", "avoidance")}
        for name in ("anxiety", "avoidance"):
            out[f"{name}_again"] = ecr(name, people[name], style[name], whom, "second_form")
        for name in ask.DSQ:
            out[name] = ask.dsq(name, people[name], whom)
        out |= ask.relationship_questionnaire(people.anxiety, people.avoidance, style, whom)
        return pd.DataFrame(out)

    @cached_property
    def practice(self) -> Mapping[str, pd.DataFrame]:
        """Clinics with caseloads in which therapists tire, as they are and with everybody in supervision: ``clients``,
        ``sessions`` and ``therapists`` of a run; a replicate is a clinic of 40 therapists."""
        clinic = {"therapists": 40, "capacity": 8, "arrivals_per_week": 40.0, "weeks": 64, "intake_weeks": 56,
                  "matching": "random"}  # fmt: skip
        scenario = self._scenario(
            "practice", {}, design="clinic", sessions=8, clinic=clinic, replicates=self._people(CLINICS, 4),
            arms={"usual": {}, "supervised": {"clinic": {"training": ["regular_supervision"]}}}, record={"assessments": False},
        )  # fmt: skip
        done = run(scenario, self._seed(len(SETTINGS) + 1), threads=self.threads)
        columns = ["arm", "replicate", "client", "therapist", "session", "week", "wai_client", "empathy_therapist"]
        return {"clients": done.clients, "sessions": done.sessions[columns], "therapists": done.therapists}

    @cached_property
    def spoken(self) -> pd.DataFrame:
        """One session of the same people of the community in two conditions: made to say much, or little, of what they feel.

        One row a person: ``limbic`` and ``ventrolateral``, session means of the model's activity, much said minus little said.
        """
        arms = {
            name: {"force": [{"quantity": "client_disclosure", "session": 1, "value": value}]} for name, value in SPOKEN.items()
        }
        scenario = self._scenario(
            "spoken", {}, client={"selected": False}, sessions=1, clients_per_arm=self._people(2400), arms=arms,
        )  # fmt: skip
        sessions = run(scenario, self._seed(len(SETTINGS) + 2), threads=self.threads).sessions
        much, little = (sessions[sessions["arm"] == name].set_index("client") for name in SPOKEN)
        change = {short: much[f"client_{column}"] - little[f"client_{column}"]
                  for short, column in (("limbic", "limbic"), ("ventrolateral", "vlpfc"))}  # fmt: skip
        return pd.DataFrame(change).reset_index().assign(setting=0)


def with_ratings(courses: pd.DataFrame, sessions: pd.DataFrame) -> pd.DataFrame:
    """Courses of one setting with every rating at each of ``TIMES``, and that of session ``CURRENT`` (``*_current``)."""
    out = courses.set_index("client")
    by_client = sessions.sort_values(["client", "session"], kind="stable").set_index("client")
    names = list(RATINGS)
    half = max(int(np.ceil(float(courses["planned_sessions"].max()) / 2.0)), 1)
    for when, rows in (
        ("early", by_client[by_client["session"] == EARLY]),
        ("middle", by_client[by_client["session"] == half]),
        ("current", by_client[by_client["session"] == CURRENT]),
        ("last", by_client[~by_client.index.duplicated(keep="last")]),
        ("mean", by_client[names].groupby(level="client").mean()),
    ):
        out = out.join(rows[names].add_suffix(f"_{when}"))
    return out.reset_index()
