# ruff: noqa: E501  (the table of bad input reads best with one case on a line)
"""Scenario files of clinics: every key is checked, what is wrong is said in one line, and arms say only what is different."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

from sim.errors import ScenarioError
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec, json_schema, load
from sim.simulation.limits import fits
from sim.simulation.trace import traced_course
from sim.therapy.clinic.matching import rule_names
from sim.therapy.clinic.plan import Plan
from tests.promise.messages import KEPT

SCENARIOS = Path(__file__).parents[1] / "scenarios"
HEAD = "question: Does it work?\ndesign: clinic\n"


def loaded(folder: Path, text: str, head: str = HEAD) -> Scenario:
    path = folder / "s.yaml"
    path.write_text(head + text + "\n")
    return load(path)


def plan(scenario: Scenario, arm: int = 0) -> Plan:
    found = scenario.arms[arm].clinic
    assert found is not None
    return found


def test_every_key_of_a_clinic_is_refused_somewhere() -> None:
    """Among the bad files of which it is kept what is said."""
    said = " ".join(row["message"] for row in json.loads(KEPT.read_text(encoding="utf-8")).values())
    assert [key for key in Plan.model_fields if f" clinic.{key}" not in said] == []


@pytest.mark.parametrize("head", ["", "design: arms\n", "design: crossed\n"])
@pytest.mark.parametrize(("text", "key"), [
    ("clinic: {weeks: 3}", "clinic"), ("clinic: {}", "clinic"), ("record: {sessions: false}", "record.sessions"),
    ("record: {assessments: false}", "record.assessments"),
])  # fmt: skip
def test_what_belongs_to_a_clinic_is_refused_elsewhere(tmp_path: Path, head: str, text: str, key: str) -> None:
    design = head.removeprefix("design: ").strip() or "arms"
    with pytest.raises(ScenarioError, match=rf":\d: {key}: belongs to 'design: clinic'; this one is '{design}'"):
        loaded(tmp_path, text, f"question: Q?\n{head}")


def test_an_arm_elsewhere_has_no_clinic(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"s.yaml:2: arms.a.clinic: belongs to 'design: clinic'; this one is 'arms'"):
        loaded(tmp_path, "arms: {a: {clinic: {weeks: 3}}}", "question: Q?\n")
    with pytest.raises(ScenarioError, match="did you mean 'clinic'"):
        loaded(tmp_path, "", "question: Q?\ndesign: clinc\n")


# --------------------------------------------------------------------------------------------------- what is meant


def test_a_clinic_of_which_nothing_is_said_has_the_usual_plan(tmp_path: Path) -> None:
    usual = Plan.model_validate({}).model_dump()
    assert usual["intake_weeks"] == usual["weeks"] == 104
    for text in ("", "clinic:", "clinic: {}", "arms: {a: }", "arms: {a: {clinic: }}", "clinic: {training: }"):
        assert plan(loaded(tmp_path, text)).model_dump() == usual


def test_what_an_arm_says_goes_before_what_the_scenario_says_and_the_rest_stays(tmp_path: Path) -> None:
    text = """clinic: {therapists: 5, weeks: 30, training: [regular_supervision], turnover: true}
arms:
  usual: {}
  many: {clinic: {therapists: 9, training: []}}
  short: {clinic: {weeks: 10}, sessions: 3, therapist: none}"""
    scenario = loaded(tmp_path, text)
    usual, many, short = (plan(scenario, k) for k in range(3))
    assert (usual.therapists, usual.weeks, usual.intake_weeks, usual.training) == (5, 30, 30, ("regular_supervision",))
    assert many == usual.model_copy(update={"therapists": 9, "training": ()})
    assert short == usual.model_copy(update={"weeks": 10, "intake_weeks": 10})
    assert [arm.sessions for arm in scenario.arms] == [20, 20, 3] and scenario.arms[2].therapist is None


@pytest.mark.parametrize("key", ["intake_weeks", "training_from"])
def test_an_arm_with_fewer_weeks_than_the_scenario_needs_says_so_there(tmp_path: Path, key: str) -> None:
    with pytest.raises(ScenarioError, match=rf"s.yaml:4: arms.a.clinic.weeks: is 10, fewer than clinic.{key}, which is 20$"):
        loaded(tmp_path, f"clinic: {{{key}: 20}}\narms: {{a: {{clinic: {{weeks: 10}}}}}}")
    assert plan(loaded(tmp_path, f"clinic: {{{key}: 20}}\narms: {{a: {{clinic: {{weeks: 10, {key}: 5}}}}}}")).weeks == 10


def test_a_clinic_can_extend_another(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + "clinic: {therapists: 5, weeks: 30}\narms: {a: {}, b: {clinic: {capacity: 3}}}\n")
    (tmp_path / "own.yaml").write_text("extends: base\nclinic: {weeks: 40}\narms: {b: {clinic: {overbook: 2}}}\n")
    own = load(tmp_path / "own.yaml")
    assert (plan(own).therapists, plan(own).weeks, plan(own, 1).capacity, plan(own, 1).overbook) == (5, 40, 3, 2)


@pytest.mark.parametrize("path", [p for p in sorted(SCENARIOS.glob("*.yaml")) if "design: clinic" in p.read_text()],
                         ids=lambda path: path.stem)  # fmt: skip
def test_shipped_clinics_survive_the_way_to_yaml_and_back(path: Path, tmp_path: Path) -> None:
    scenario = load(path)
    assert scenario.design == "clinic" and all(arm.clinic is not None for arm in scenario.arms)
    again = tmp_path / path.name
    again.write_text(scenario.to_yaml())
    assert load(again) == scenario == pickle.loads(pickle.dumps(scenario))
    fits(scenario.but(replicates=1))


def test_a_changed_copy() -> None:
    usual = load(SCENARIOS / "caseload_pressure.yaml")
    changed = usual.but(clinic={"therapists": 4, "weeks": 6}, replicates=2, quitting_base=-4)
    assert plan(changed).therapists == 4 and plan(changed).turnover is True  # what is not named stays as it was
    assert plan(changed).arrivals_per_week == plan(usual).arrivals_per_week == 13
    assert plan(changed, 1).overbook == 5 and plan(changed, 4).therapists == 22  # what arms say stays
    assert changed.arms[0].parameters == {"quitting_base": -4} and plan(usual).therapists == 15
    with pytest.raises(ScenarioError, match=r"caseload_pressure: clinic.weeks: must be a whole number"):
        usual.but(clinic={"weeks": "six"})
    with pytest.raises(ScenarioError, match="weeks: is neither a key of a scenario nor a parameter"):
        usual.but(weeks=6)


def test_the_schema_for_editors_knows_clinics() -> None:
    schema = json_schema()
    clinic = schema["$defs"]["Plan"]
    assert set(clinic["properties"]) == set(Plan.model_fields) and clinic["additionalProperties"] is False
    assert "clinic" in schema["properties"]["design"]["enum"]
    assert {one["const"] for one in clinic["properties"]["matching"]["oneOf"]} == set(rule_names())
    for place in (schema["properties"], schema["$defs"]["ArmFile"]["properties"]):
        assert "Plan" in str(place["clinic"])
    assert {"sessions", "assessments"} <= set(schema["$defs"]["RecordFile"]["properties"])
    assert all(one.get("description") for one in clinic["properties"].values())


# ------------------------------------------------------------------------------------------------ what is said of it


def noted(**spec: Any) -> list[str]:
    return from_spec({"question": "?", "design": "clinic", **spec}, "noted").arms[0].notes()


def test_notes_say_what_comes_to_nothing_or_grows() -> None:
    assert noted() == []
    unseen = "has no therapists: what becomes of the same people when nobody is seen"
    assert noted(clinic={"therapists": 0})[0] == noted(therapist="none")[0] == unseen
    for plan in ({"capacity": 0}, {"leave_prob": 1}):
        assert noted(clinic=plan)[0] == "has no room for anybody, so that everybody waits"
    assert noted(clinic={"weeks": 12, "session_every": 2})[0].startswith(
        "a course takes 40 weeks and the clinic is followed for 12"
    )
    assert "about 600 sessions a week are asked for and there is room for 240" in noted(clinic={"arrivals_per_week": 30})[0]
    assert noted(clinic={"arrivals_per_week": 30, "session_every": 3}) == noted(
        clinic={"arrivals_per_week": 30}
    )  # as many sessions
    assert noted(clinic={"trained_share": 0.5}) == ["gives a proportion to be trained but no training"]
    assert "upper bound" in noted(clinic={"matching": "oracle"})[0]


def test_a_clinic_too_large_for_memory_is_refused() -> None:
    huge = from_spec({"question": "?", "design": "clinic", "replicates": 500,
                      "clinic": {"therapists": 100_000, "arrivals_per_week": 100_000, "weeks": 520}}, "huge")  # fmt: skip
    with pytest.raises(ScenarioError, match=r"arrivals_per_week: .*GiB of memory.*lower several.*record: \{sessions: false"):
        fits(huge)


def test_one_clients_course_can_be_looked_into() -> None:
    small = from_spec({"question": "?", "design": "clinic", "sessions": 4, "exchanges": 3, "arms": {"a": {}, "b": {"therapist": "none"}},
                       "clinic": {"therapists": 2, "capacity": 2, "arrivals_per_week": 2, "weeks": 8}}, "small")  # fmt: skip
    done = run(small, 1)
    treated = done.clients[(done.clients["arm"] == "a") & (done.clients["sessions_attended"] > 1)].iloc[-1]
    who = int(treated["client"])
    exchanges, sessions, arm = traced_course(small, 1, None, who)
    mine = done.sessions[(done.sessions["arm"] == "a") & (done.sessions["client"] == who)]
    assert arm == "a" and len(exchanges) == 3 * len(mine) and sessions.attrs["ending"] == treated["ending"]
    assert sessions["alliance_latent"].tolist() == mine["alliance_latent"].tolist()
    assert set(exchanges["client"]) == {who}
    kept_less = small.but(record={"sessions": False, "assessments": False})  # which is no matter here
    assert traced_course(kept_less, 1, None, who)[0].equals(exchanges)
    n = int(done.clinic["arrivals_total"].max())
    waits = done.clients[(done.clients["arm"] == "a") & done.clients["therapist"].isna()]["client"].iloc[0]
    for client, words in ((n, f"does not exist; {n} came"), (-1, "does not exist"), (int(waits), "never had a session")):
        with pytest.raises(ScenarioError, match=words):
            traced_course(small, 1, "a", client)
    with pytest.raises(ScenarioError, match="has no therapist"):
        traced_course(small, 1, "b", 0)
