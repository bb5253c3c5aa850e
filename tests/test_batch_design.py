"""What a batch varies: designs, addresses, and one clear line for everything that is wrong with them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.batch.chunk import seed_at
from sim.batch.plan import planned
from sim.errors import ScenarioError
from sim.scenario.points import BASE, points_of, scenario_at, table_of
from sim.therapy.policies import POLICIES

SPEC: dict[str, Any] = {
    "question": "What is varied?",
    "clients_per_arm": 10,
    "sessions": 4,
    "therapist": "secure",
    "arms": {"warm": {"policies": []}, "a.b": {"therapist": "dismissing"}},
}


def of(batch: dict[str, Any], **more: Any) -> sim.Scenario:
    """The scenario with this batch."""
    return sim.from_spec({**SPEC, **more, "batch": batch}, "varied")


def test_a_grid_holds_every_combination_the_last_factor_fastest() -> None:
    """Two numbers, a style and a lesion: 2 x 3 x 2 points, all different."""
    batch = {"vary": {"trust_rate": [0.1, 0.2], "therapist": ["secure", "fearful", "dismissing"],
                      "lesions.therapist.insula": {"from": 0, "to": 1, "steps": 2}}}  # fmt: skip
    points = points_of(of(batch))
    assert len(points) == 12 and len({p.name for p in points}) == 12
    assert [p.changes["lesions.therapist.insula"] for p in points[:4]] == [0, 1, 0, 1]
    assert points[0].changes == {"trust_rate": 0.1, "therapist": "secure", "lesions.therapist.insula": 0.0}
    table = table_of(points)
    assert list(table.columns) == ["point", "name", *batch["vary"]] and table["trust_rate"].dtype == "float64"


def test_one_at_a_time_begins_with_the_scenario_as_it_stands() -> None:
    """The base, then every level of every factor alone."""
    points = points_of(of({"design": "one_at_a_time", "vary": {"trust_rate": [0.1, 0.2], "sessions": [2, 8]}}))
    assert [dict(p.changes) for p in points] == [
        {}, {"trust_rate": 0.1}, {"trust_rate": 0.2}, {"sessions": 2}, {"sessions": 8},
    ]  # fmt: skip
    assert points[0].name == BASE


def test_cases_are_taken_as_they_are_listed() -> None:
    """Each with its name; an empty one changes nothing."""
    points = points_of(of({"design": "cases", "cases": {"usual": None, "no insula": {"lesions.therapist.insula": 0}}}))
    assert [(p.name, dict(p.changes)) for p in points] == [("usual", {}), ("no insula", {"lesions.therapist.insula": 0})]


@pytest.mark.parametrize("design", ["latin_hypercube", "sobol"])
def test_filling_designs_spread_over_the_whole_range(design: str) -> None:
    """Of 16 points just one lies in every sixteenth of each range; levels have equal shares; the design's seed decides."""
    vary = {"trust_rate": {"from": 0.1, "to": 0.5}, "sessions": {"from": 1, "to": 4}, "therapist": ["secure", "fearful"]}
    scenario = of({"design": design, "points": 16, "vary": vary})
    table = table_of(points_of(scenario))
    assert sorted((np.asarray(table["trust_rate"]) - 0.1) // (0.4 / 16)) == list(range(16))
    assert np.bincount(table["sessions"].astype(int))[1:].tolist() == [4, 4, 4, 4]
    assert sorted(table["therapist"].value_counts()) == [8, 8]
    assert points_of(scenario) == points_of(scenario)
    other = of({"design": design, "points": 16, "design_seed": 1, "vary": {"trust_rate": {"from": 0.1, "to": 0.5}}})
    assert set(table_of(points_of(other))["trust_rate"]) != set(table["trust_rate"])


def test_a_log_range_is_even_in_its_logarithm() -> None:
    """Three steps from 0.01 to 1: 0.01, 0.1, 1."""
    points = points_of(of({"vary": {"trust_rate": {"from": 0.01, "to": 1, "steps": 3, "scale": "log"}}}))
    assert [p.changes["trust_rate"] for p in points] == pytest.approx([0.01, 0.1, 1.0])


def test_whole_numbers_stay_whole() -> None:
    """Sessions from 2 to 5 in three steps are 2, 4, 5 (rounded to even), never 3.5."""
    points = points_of(of({"vary": {"sessions": {"from": 2, "to": 5, "steps": 3}}}))
    assert [p.changes["sessions"] for p in points] == [2, 4, 5] and all(isinstance(p.changes["sessions"], int) for p in points)


@pytest.mark.parametrize(
    ("changes", "by_hand"),
    [
        ({"trust_rate": 0.2}, {"parameters": {"trust_rate": 0.2}}),
        ({"parameters.trust_rate": 0.2}, {"parameters": {"trust_rate": 0.2}}),
        ({"therapist": "fearful"}, {"therapist": "fearful"}),
        ({"client": {"anxiety": 5, "avoidance": 2}, "client.avoidance": 6}, {"client": {"anxiety": 5, "avoidance": 6}}),
        ({"lesions.therapist.insula": 0.5}, {"lesions": {"therapist.insula": 0.5}}),
        ({"cut.therapist.response.warmth": "typical"}, {"cut": {"therapist.response.warmth": "typical"}}),
        ({"policies": [next(iter(POLICIES))]}, {"policies": [next(iter(POLICIES))]}),
        ({"sessions": 6}, {"sessions": 6}),
        ({"arms.warm.trust_rate": 0.2}, {"arms": {**SPEC["arms"], "warm": {"policies": [], "parameters": {"trust_rate": 0.2}}}}),
        ({"arms.a.b.lesions.therapist.insula": 0},
         {"arms": {**SPEC["arms"], "a.b": {"therapist": "dismissing", "lesions": {"therapist.insula": 0}}}}),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)  # fmt: skip
def test_an_address_is_the_same_as_writing_it_into_the_file(changes: dict[str, Any], by_hand: dict[str, Any]) -> None:
    """Every kind of address, against the scenario written out."""
    scenario = sim.from_spec(SPEC, "varied")
    assert scenario_at(scenario, changes) == sim.from_spec({**SPEC, **by_hand}, "varied")


def test_a_clinic_and_its_arms_can_be_varied() -> None:
    """Capacity of all, matching rule of one arm."""
    spec = {
        "question": "q",
        "design": "clinic",
        "clinic": {"weeks": 8, "arrivals_per_week": 1},
        "arms": {"usual": {}, "more": {}},
    }
    batch = {"vary": {"clinic.capacity": [4, 8], "arms.more.clinic.matching": ["random", "similar"]}}
    points = points_of(sim.from_spec({**spec, "batch": batch}, "clinic"))
    last = scenario_at(sim.from_spec({**spec, "batch": batch}, "clinic"), points[-1].changes)
    plans = {arm.name: arm.clinic for arm in last.arms}
    assert plans["usual"].capacity == plans["more"].capacity == 8
    assert plans["more"].matching == "similar" and plans["usual"].matching == "first_free"


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"vary": {"trust_rat": [0.1]}}, "did you mean 'trust_rate'"),
        ({"vary": {"trust_rate": [0.1, 7]}}, "batch.vary.trust_rate[1]"),
        ({"vary": {"trust_rate": {"from": 0.1, "to": 7, "steps": 3}}}, "batch.vary.trust_rate.to"),
        ({"vary": {"trust_rate": []}}, "list at least one"),
        ({"vary": {"trust_rate": [0.1, 0.1]}}, "twice"),
        ({"vary": {"trust_rate": 0.1}}, "must be a list of levels or a range"),
        ({"vary": {"trust_rate": {"from": 0.3, "to": 0.2, "steps": 2}}}, "must lie above 'from'"),
        ({"vary": {"trust_rate": {"from": 0.1, "to": 0.2}}}, "needs 'steps'"),
        ({"vary": {"trust_rate": {"from": 0, "to": 0.2, "steps": 2, "scale": "log"}}}, "above 0 on a log scale"),
        ({"vary": {"trust_rate": {"from": 0.1, "to": 0.2, "stepps": 2}}}, "did you mean 'steps'"),
        ({"vary": {"sessions": {"from": 1.5, "to": 4, "steps": 2}}}, "takes whole numbers"),
        ({"vary": {"arms.cold.trust_rate": [0.1]}}, "names no arm"),
        ({"vary": {"arms.warm": [0.1]}}, "nothing in it"),
        ({"vary": {"question": ["a"]}}, "cannot be varied"),
        ({"vary": {"replicates": [1, 2]}}, "cannot be varied"),
        ({"vary": {"therapist.anxiety": [2]}}, "vary 'therapist' as a whole"),
        ({"vary": {"therapist": ["secur"]}}, "did you mean 'secure'"),
        ({"design": "cases"}, "is missing"),
        ({"design": "cases", "cases": {"a": 3}}, "must be a mapping"),
        ({"design": "cases", "cases": {"a": {"trust_rat": 1}}}, "did you mean 'trust_rate'"),
        ({"cases": {"a": {}}}, "belongs to 'design: cases'"),
        ({"design": "sobol", "vary": {"trust_rate": {"from": 0.1, "to": 0.2}}}, "needs to know how many points"),
        ({"design": "sobol", "points": 12, "vary": {"trust_rate": {"from": 0.1, "to": 0.2}}}, "power of two"),
        ({"design": "latin_hypercube", "points": 4}, "spreads points over what is varied"),
        ({"points": 4, "vary": {"trust_rate": [0.1]}}, "belongs to the designs"),
        ({"desing": "grid"}, "did you mean 'design'"),
        ({"keep": ["client"]}, "did you mean 'clients'"),
        ({"keep": ["therapists"]}, "clinic' only"),
        ({"keep": ["clients", "clients"]}, "twice"),
        ({"until": {"measure": "allianc", "se": 0.1}}, "did you mean 'alliance'"),
        ({"until": {"measure": "helped", "se": 0.1}}, "does not exist in this design"),
        ({"until": {"measure": "alliance", "se": 0}}, "above 0"),
        ({"until": {"measure": "alliance", "se": 0.1, "arm": "wram"}}, "did you mean 'warm'"),
        ({"until": {"measure": "alliance", "se": 0.1, "every": 20, "most": 10}}, "fewer than"),
        ({"on_error": "ignore"}, "must be"),
        ({"vary": {"hold.client_arousal": [0.1]}}, "parameter of the model - now called 'clamp'"),
        ({"vary": {"arms.warm.hold.client_arousal": [0.1]}}, "parameter of the model - now called 'clamp'"),
        ({"random_numbers": "shared"}, "must be"),
    ],
    ids=str,
)
def test_mistakes_are_named(batch: dict[str, Any], said: str) -> None:
    """Where, what, and what would be valid, in one line."""
    with pytest.raises(ScenarioError) as wrong:
        of(batch)
    assert said in str(wrong.value) and "\n" not in str(wrong.value) and str(wrong.value).startswith("varied: batch"), wrong.value


def test_a_mistake_is_found_with_its_line(tmp_path: Path) -> None:
    """In a file, and through ``extends``."""
    (tmp_path / "base.yaml").write_text("question: q\nbatch:\n  vary:\n    trust_rate: [0.1]\n")
    child = tmp_path / "child.yaml"
    child.write_text("extends: base\nbatch:\n  vary:\n    trust_rate:\n    - 0.2\n    - 9\n")
    with pytest.raises(ScenarioError, match=r"child\.yaml:6: batch\.vary\.trust_rate\[1\]"):
        sim.load(child)
    child.write_text("extends: base\nsessions: 3\n")
    assert [p.changes for p in points_of(sim.load(child))] == [{"trust_rate": 0.1}] and sim.load(child).sessions == 3


def test_what_does_not_go_together_is_refused() -> None:
    """Fixed replicates beside ``until``; the ensemble; a plain run of a batch; points that are impossible only together."""
    with pytest.raises(ScenarioError, match="leave one of them out"):
        of({"until": {"measure": "alliance", "se": 0.1}}, replicates=3)
    with pytest.raises(ScenarioError, match="do not go together"):
        of({"vary": {"trust_rate": [0.1]}}, parameters="ensemble")
    with pytest.raises(ScenarioError, match="run_batch"):
        sim.run(of({}), seed=1)
    forced = {"force": [{"session": 4, "exchange": 1, "value": 0.1}], "arms": {}}
    with pytest.raises(ScenarioError, match=r"there is no session 4"):
        of({"vary": {"sessions": [2, 4]}}, **forced)
    clinic = {"question": "q", "design": "clinic", "clinic": {"weeks": 50, "intake_weeks": 20}}
    together = {"vary": {"clinic.weeks": [30, 60], "clinic.intake_weeks": [20, 40]}}
    with pytest.raises(ScenarioError, match=r"at the point .*30.*40"):
        planned(sim.from_spec({**clinic, "batch": together}, "clinic"), 1)


def test_a_rule_that_could_never_be_met_is_refused() -> None:
    """A difference of the reference arm from itself; a measure of therapy where there is none."""
    arms = {"usual": {}, "other": {"therapist": "fearful"}, "nobody": {"therapist": "none"}}
    until = {"measure": "alliance", "se": 0.1}
    for more, said in (({"difference": True, "arm": "usual"}, "'usual' is compared"), ({"arm": "nobody"}, "none in nobody")):
        here = {name: arm for name, arm in arms.items() if more["arm"] == "nobody" or name != "nobody"}
        with pytest.raises(ScenarioError, match=said):
            planned(of({"until": {**until, **more}}, arms=here), 1)
    assert planned(of({"until": {**until, "difference": True, "arm": "other"}}, arms=arms), 1).batch.until is not None
    with pytest.raises(ScenarioError, match="no arm is compared"):
        planned(of({"until": {**until, "difference": True}}, arms={"usual": {}}), 1)
    varied = {"until": until, "vary": {"therapist": ["secure", "fearful"]}}  # the points have it, the scenario has not
    assert len(planned(of(varied, arms={"usual": {}}, therapist="none"), 1).points) == 2
    with pytest.raises(ScenarioError, match="none in any arm"):
        planned(of({"until": until, "vary": {"sessions": [4, 5]}}, arms={"usual": {}}, therapist="none"), 1)


def test_points_that_look_the_same_when_rounded_have_names_of_their_own() -> None:
    """And a level that is nothing is told from a factor that is left as it stands."""
    points = points_of(of({"vary": {"trust_rate": [0.3, 0.30000001]}}))
    assert len({p.name for p in points}) == 2
    table = table_of(points_of(of({"design": "one_at_a_time", "vary": {"therapist": ["none", "secure"], "sessions": [3]}})))
    assert table["therapist"].isna().tolist() == [True, False, False, True]


def test_luck_of_its_own_depends_on_what_a_point_changes_not_on_its_number() -> None:
    """So a point that is added changes nobody else's luck; common random numbers is the batch's seed."""
    changes = {"trust_rate": 0.2, "sessions": 4}
    assert seed_at(7, "common", changes) == 7
    own = seed_at(7, "own", changes)
    assert own == seed_at(7, "own", dict(reversed(changes.items()))) and 0 <= own < 2**63
    assert len({own, seed_at(8, "own", changes), seed_at(7, "own", {"trust_rate": 0.3, "sessions": 4})}) == 3


@pytest.mark.parametrize(
    ("batch", "more", "said"),
    [
        ({"vary": {"trust_rate": {"from": 0.1, "to": 0.3, "steps": 1001}}}, {"replicates": 1000},
         "1,001,000 tasks (points 1,001 x replicates 1,000 x blocks of clients, up to 1); at most 1,000,000 are possible; "
         "at most 1,000 points would fit"),
        ({"until": {"measure": "alliance", "se": 0.01, "most": 100_000},
          "vary": {"trust_rate": [0.1 + i / 100 for i in range(11)]}}, {}, "1,100,000 tasks (points 11 x replicates 100,000"),
        ({}, {"replicates": 2001, "clients_per_arm": 1_000_000},
         "replicates: the batch has 1,000,500 tasks (points 1 x replicates 2,001 x blocks of clients, up to 500); "
         "at most 1,000,000 are possible; at most 2,000 replicates would fit"),
    ],
    ids=["points", "until", "blocks"],
)  # fmt: skip
def test_a_batch_of_too_many_tasks_is_refused(batch: dict[str, Any], more: dict[str, Any], said: str) -> None:
    """How many there are, how many there may be, and what to lower."""
    with pytest.raises(ScenarioError, match=re.escape(said)):
        planned(of(batch, **more), 1)
