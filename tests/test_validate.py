"""The published patterns: the table is sound, the score is arithmetic, the studies are simulated as said, the command tells."""

from __future__ import annotations

import inspect
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from sim.cli.printed import patterns as page
from sim.errors import EvidenceError, ScenarioError
from sim.evidence.patterns.pooling import Simulated
from sim.evidence.patterns.published import TIERS, Pattern, chosen, patterns
from sim.evidence.patterns.studies import SETTINGS, TIMES, Studies, changes_of, with_ratings
from sim.evidence.patterns.validation import STATISTICS, Row, Validation, sign_verdict, validate
from sim.naming import nearest
from sim.report.figures.validation import forest
from sim.scenario.scenario import from_spec
from sim.theory.parameters import PARAMETERS
from tests.test_cli import Attune, attune, wrong

__all__ = ["attune"]  # the fixture

NAN = float("nan")
#: How certain a value is, and what can be expected of one part of a result.
READ, SIGNS = ("yes", "computed", "no", "second-hand"), ("+", "-", "0", "any")

# ------------------------------------------------------------------------------------------------------- the table


def pattern(row: Mapping[str, Any]) -> Pattern:
    """One row of the table, checked: the shipped ones are sound."""
    row_id = row.get("id", "a row without id")

    def refuse(unless: object, why: str) -> None:
        if not unless:
            raise AssertionError(f"pattern {row_id}: {why}")

    known = {one.name for one in fields(Pattern)}
    for key in row:
        refuse(key in known, f"'{key}' is not a key of a pattern{nearest(key, known)}")
    for key in ("id", "tier", "name", "value", "citation", "read", "design"):
        refuse(row.get(key) not in (None, ""), f"'{key}' is missing")
    one = Pattern(**{**row, "informs": tuple(row.get("informs", ())), "switch": tuple(row.get("switch", ()))})
    refuse(one.tier in TIERS, f"tier must be one of {', '.join(TIERS)}, not {one.tier!r}")
    refuse(one.read in READ, f"read must be one of {', '.join(READ)}, not {one.read!r}")
    if one.tier == "calibrate":
        refuse(isinstance(one.value, float) and one.low < one.value < one.high, "value must be a number inside low and high")
    else:
        refuse("low" not in row and "high" not in row, f"an interval belongs to calibrate, not to {one.tier}")
    signed = one.tier in ("direction", "contested")
    refuse(bool(one.expect) == signed, "expect belongs to direction and contested rows, all of them")
    refuse(set(one.expect.values()) <= set(SIGNS), f"a sign must be one of {', '.join(SIGNS)}")
    refuse(("0" in one.expect.values()) == (one.zero_within > 0.0), "zero_within belongs to rows that expect 0, all of them")
    refuse(bool(one.informs) == (one.tier == "prior"), "informs belongs to prior rows, all of them")
    refuse(bool(one.switch) <= (one.tier == "contested"), "switch belongs to contested rows")
    for number in (*one.informs, *one.switch):
        refuse(number in PARAMETERS, f"there is no parameter '{number}'{nearest(number, PARAMETERS)}")
    refuse(not one.doi or all(re.fullmatch(r"10\.\d{4,9}/\S+", doi) for doi in one.doi.split(" ; ")), f"'{one.doi}' is no DOI")
    return one


def test_every_row_is_sound() -> None:
    """Each shipped row has what its tier asks for, and no id stands twice."""
    rows = YAML(typ="safe").load(resources.files("sim.evidence.patterns").joinpath("patterns.yaml").read_text(encoding="utf-8"))
    for row in rows["patterns"]:
        assert pattern(row) == patterns()[row["id"]]
    assert len(rows["patterns"]) == len(patterns())


def test_table_is_whole() -> None:
    """As many rows of every tier as were collected, each with a function that reads tables there are."""
    assert Counter(one.tier for one in patterns().values()) == {"calibrate": 21, "direction": 11, "contested": 6, "prior": 10}
    assert list(STATISTICS) != [] and set(STATISTICS) == set(patterns())
    tables = {"courses", "ratings", "community", "practice", "spoken"}
    for function in STATISTICS.values():
        assert set(inspect.signature(function).parameters) <= tables
    assert len(set(STATISTICS.values())) == len(STATISTICS)


@pytest.mark.parametrize(("row_id", "value", "low", "high"), [("5.1", 0.278, 0.256, 0.299), ("11.1", 0.197, 0.187, 0.207)])
def test_numbers_as_published(row_id: str, value: float, low: float, high: float) -> None:
    """Two rows by heart, and the unit of a residual."""
    one = patterns()[row_id]
    assert (one.value, one.low, one.high) == (value, low, high)
    assert one.uncertainty == pytest.approx((high - low) / 4)


GOOD = {"id": "z", "tier": "calibrate", "name": "n", "value": 0.2, "low": 0.1, "high": 0.3, "citation": "c", "read": "yes",
        "design": "d"}  # fmt: skip
SIGNED = {name: value for name, value in GOOD.items() if name not in ("low", "high")} | {"tier": "direction", "value": "+"}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (GOOD | {"value": 0.4}, "inside low and high"),
        (GOOD | {"tier": "calibrated"}, "tier must be"),
        (GOOD | {"doi": "doi:10.1/x"}, "no DOI"),
        (GOOD | {"citaton": "x"}, "did you mean 'citation'"),
        (GOOD | {"citation": ""}, "'citation' is missing"),
        (GOOD | {"read": "perhaps"}, "read must be"),
        (GOOD | {"expect": {"x": "+"}}, "expect belongs"),
        (SIGNED, "expect belongs"),
        (SIGNED | {"expect": {"x": "up"}}, "a sign must be"),
        (SIGNED | {"expect": {"x": "0"}}, "zero_within"),
        (SIGNED | {"tier": "prior"}, "informs belongs"),
        (SIGNED | {"tier": "prior", "informs": ["ecr_item_ds"]}, "did you mean 'ecr_item_sd'"),
        (SIGNED | {"expect": {"x": "+"}, "switch": ["plasticity"]}, "switch belongs"),
        (SIGNED | {"expect": {"x": "+"}, "low": 0.1}, "an interval belongs"),
    ],
)
def test_a_bad_row_is_refused(row: dict[str, Any], said: str) -> None:
    with pytest.raises(AssertionError, match="pattern z: ") as error:
        pattern(row)
    assert said in str(error.value)


def test_good_rows_are_taken() -> None:
    assert pattern(GOOD).uncertainty == pytest.approx(0.05)
    assert pattern(SIGNED | {"expect": {"x": "0"}, "zero_within": 0.1}).expect == {"x": "0"}


def test_chosen_keeps_the_order() -> None:
    assert [one.id for one in chosen(["5.1", "1.1", "5.1"])] == ["1.1", "5.1"]
    assert len(chosen()) == len(patterns()) and set(TIERS) == {one.tier for one in chosen()}
    with pytest.raises(EvidenceError, match=r"no pattern '5\.11' - did you mean"):
        chosen(["5.11"])


# ------------------------------------------------------------------------------------------------------- the score


def value_row(row_id: str, misses: float, error_share: float = 0.1) -> Row:
    """A calibrate row that lies off by so many of its uncertainties."""
    p = patterns()[row_id]
    return Row(p, Simulated(p.value + misses * p.uncertainty, error_share * p.uncertainty, 10))


def sign_row(row_id: str, **parts: tuple[float, float, float]) -> Row:
    return Row(patterns()[row_id], Simulated(NAN, NAN, 10, parts=parts))


def test_score_is_the_sum_of_squares() -> None:
    """Three rows: the limit is the 95 % point of chi-square with three degrees of freedom, from a table."""
    result = Validation((value_row("1.1", 1.0), value_row("5.1", -2.0), value_row("x1", 0.5)), 1)
    assert result.score == pytest.approx(1.0 + 4.0 + 0.25)
    assert result.limit == pytest.approx(7.815, abs=1e-3)
    assert result.score_passes and result.passes and not result.complete
    assert [round(row.residual, 9) for row in result.rows] == [1.0, -2.0, 0.5]


def test_score_fails() -> None:
    """Too large in sum, one row too far though the sum is small enough, or a row that could not be computed."""
    together = Validation(tuple(value_row(one, 2.0) for one in ("1.1", "5.1", "x1")), 1)
    assert together.score > together.limit and not together.passes
    alone = Validation((value_row("1.1", 2.6), *(value_row(one, 0.0) for one in ("5.1", "x1", "x2"))), 1)
    assert alone.score < alone.limit and alone.rows[0].verdict == "outside" and not alone.passes
    nothing = Validation((Row(patterns()["1.1"], Simulated(NAN, NAN, 0)), value_row("5.1", 0.0)), 1)
    assert not nothing.passes and nothing.rows[0].verdict == "outside"


def test_monte_carlo_error_is_held_against_the_interval() -> None:
    assert value_row("1.1", 0.0, 0.99).precise and not value_row("1.1", 0.0, 1.01).precise
    assert not Row(patterns()["1.1"], Simulated(-0.09, NAN, 1)).precise


@pytest.mark.parametrize(
    ("sign", "part", "verdict"),
    [
        ("+", (0.2, 0.1, 0.3), "holds"), ("+", (0.2, -0.1, 0.5), "not shown"), ("+", (-0.2, -0.3, -0.1), "wrong sign"),
        ("-", (-0.2, -0.3, -0.1), "holds"), ("-", (0.2, 0.1, 0.3), "wrong sign"), ("-", (0.0, -0.1, 0.1), "not shown"),
        ("0", (0.02, -0.05, 0.09), "holds"), ("0", (0.08, 0.05, 0.12), "not shown"), ("0", (0.3, 0.2, 0.4), "outside"),
        ("0", (-0.3, -0.4, -0.2), "outside"), ("any", (0.3, 0.2, 0.4), "shown"), ("+", (NAN, NAN, NAN), "not shown"),
    ],
)  # fmt: skip
def test_signs(sign: str, part: tuple[float, float, float], verdict: str) -> None:
    assert sign_verdict(sign, part, 0.1) == verdict


def test_a_direction_row_is_as_good_as_its_worst_part() -> None:
    good, wide = (0.2, 0.1, 0.3), (0.2, -0.1, 0.3)
    rows = {
        "holds": sign_row("9.6", anxiety=good, avoidance=good),
        "not shown": sign_row("9.6", anxiety=good, avoidance=wide),
        "wrong sign": sign_row("9.6", anxiety=(-0.2, -0.3, -0.1), avoidance=wide),
    }
    assert {name: row.verdict for name, row in rows.items()} == {name: name for name in rows}
    assert sign_row("9.6", anxiety=good).verdict == "not shown"  # a part that could not be computed
    assert Validation((rows["holds"], value_row("5.1", 0.0)), 1).passes
    assert not Validation((rows["not shown"], value_row("5.1", 0.0)), 1).passes
    assert sign_row("3.1", interaction=(0.2, 0.1, 0.3)).verdict == "shown"  # contested: whatever comes out
    assert Validation((sign_row("3.1", interaction=(0.2, 0.1, 0.3)),), 1).passes


# ----------------------------------------------------------------------------------------------------- the studies


@lru_cache(maxsize=1)
def small() -> Studies:
    """A small field, shared by the tests that look at it."""
    return Studies(3, size=0.05, threads=1)


def test_settings_differ_as_stated() -> None:
    """People seek help later where it is said, courses are as long, caseloads as large; everybody who began is there once."""
    courses = small().courses
    assert (courses.groupby("setting").size() == 200).all() and not courses.duplicated(["setting", "client"]).any()
    by = courses.groupby("setting")
    assert by["planned_sessions"].max().tolist() == [one.sessions for one in SETTINGS]
    assert by["therapist"].nunique().tolist() == [-(-200 // one.caseload) for one in SETTINGS]
    intake = by["distress_0"].mean()
    severity = np.array([one.severity for one in SETTINGS])
    assert np.corrcoef(intake, severity)[0, 1] > 0.95
    first = courses[courses["client"] == 0]["distress_0"]
    assert first.nunique() > 4  # other people in every setting


def test_studies_are_a_function_of_the_seed() -> None:
    again, other = Studies(3, size=0.05, threads=2), Studies(4, size=0.05, threads=1)
    pd.testing.assert_frame_equal(again.community, small().community)
    assert not np.allclose(other.community["distress"], small().community["distress"])


def test_community_is_seen_through_questionnaires() -> None:
    """Scales within their range; the second form agrees as alpha says; a style's rating follows its two dimensions."""
    table = small().community
    assert table["anxiety"].between(1, 7).all() and table["immature"].between(1, 9).all()
    assert 0.88 < table["anxiety"].corr(table["anxiety_again"]) < 0.96
    assert (table["anxiety"] != table["anxiety_again"]).mean() > 0.8
    high = table["anxiety"] > 4.5
    low_avoidance = table["avoidance"] < 2.5
    assert table.loc[high & low_avoidance, "preoccupied"].mean() > table.loc[high & low_avoidance, "dismissing"].mean() + 1.5
    assert table["secure"].corr(table["fearful"]) < -0.3


def test_changes_reach_every_study() -> None:
    """Nobody leaves where a changed model says so; shifts of the settings are added to what the model says."""
    reasons = ("alliance_gain", "engagement_gain", "rupture_gain", "avoidance_gain", "early_gain", "outside")
    stay = dict.fromkeys((f"dropout_{one}" for one in reasons), 0.0)
    changed = Studies(3, {"parameters": {"dropout_base": -12.0, "help_seeking_threshold": 0.5, **stay}}, size=0.02, threads=1)
    assert (small().courses["ending"] == "dropout").mean() > 0.1
    assert (changed.courses["ending"] == "dropout").mean() == 0.0
    assert changed.courses["distress_0"].mean() < small().courses["distress_0"].mean() - 2.0


def test_ratings_of_a_course() -> None:
    """Early is the third session, middle half of the planned ones, last what was held last; who had left is missing."""
    courses = pd.DataFrame({"client": [0, 1], "planned_sessions": [8, 8]})
    rows = [(client, session, 10.0 * client + session) for client, most in ((0, 5), (1, 2)) for session in range(1, most + 1)]
    sessions = pd.DataFrame(rows, columns=["client", "session", "wai_client"])
    for name in ("wai_therapist", "empathy_client", "empathy_observer", "empathy_therapist"):
        sessions[name] = 0.0
    found = with_ratings(courses, sessions.sample(frac=1.0, random_state=1))
    assert found[[f"wai_client_{time}" for time in TIMES]].to_numpy().tolist()[0] == [3.0, 4.0, 5.0, 3.0]
    second = found[[f"wai_client_{time}" for time in TIMES]].to_numpy()[1]
    assert np.isnan(second[:2]).all() and second[2:].tolist() == [12.0, 11.5]


def test_bad_sizes_and_seeds() -> None:
    for wrong_size in (0.0, -1.0, 11.0):
        with pytest.raises(ValueError, match="size"):
            Studies(1, size=wrong_size)
    with pytest.raises(ValueError, match="seed"):
        Studies(-1)


def test_what_a_scenario_changes() -> None:
    base = {"question": "q", "sessions": 5, "client": "secure", "parameters": {"trust_rate": 0.2}}
    assert changes_of(from_spec({**base, "policies": ["look_for_ruptures"]}, "x")) == {
        "parameters": {"repair_base": -0.6, "trust_rate": 0.2}, "policies": ["look_for_ruptures"],
    }  # fmt: skip
    with pytest.raises(ScenarioError, match="2 arms are different models"):
        changes_of(from_spec({**base, "arms": {"a": {}, "b": {"parameters": {"trust_rate": 0.3}}}}, "x"))
    with pytest.raises(ScenarioError, match="clamps or forces"):
        changes_of(from_spec({**base, "clamp": {"attachment": 0}}, "x"))


def test_two_clinics_of_one_kind() -> None:
    """The same clients come with and without supervision; only with it does anybody take part."""
    practice = Studies(3, size=0.02, threads=1).practice
    came = {
        arm: set(zip(rows["replicate"], rows["client"], strict=True))
        for arm, rows in practice["clients"].groupby("arm", observed=True)
    }
    assert came["usual"] == came["supervised"]
    took_part = practice["therapists"].groupby("arm", observed=True)["supervised"].any()
    assert not took_part["usual"] and took_part["supervised"]


# ----------------------------------------------------------------------------------------------------- the command


def test_validate_by_command(attune: Attune, tmp_path: Path) -> None:
    """A row that holds: exit status 0, the table, the score; the folder holds table and plot, and nothing is written over."""
    done = attune("validate", "--pattern", "16.2", "--pattern", "x4", "--size", 0.1, "--threads", 1, "--out", "there")
    assert done.status == 0 and done.err == "", done
    assert "0.42 [0.39, 0.45]" in done.out and "holds by these rows" in done.out and "1 row: passes" in done.out
    kept = json.loads((tmp_path / "there" / page.TABLE).read_text())
    assert [row["id"] for row in kept["patterns"]] == ["16.2", "x4"] and kept["passes"] and not kept["complete"]
    assert kept["patterns"][0]["residual"] == pytest.approx((kept["patterns"][0]["simulated"] - 0.42) / 0.015)
    assert (tmp_path / "there" / page.FOREST).read_bytes().startswith(b"\x89PNG")
    wrong(attune("validate", "--pattern", "16.2", "--out", "there"), "validation.json: already exists")


def test_validate_fails_with_status_1(attune: Attune, tmp_path: Path) -> None:
    """A model without a way from attachment to distress misses a value and a direction."""
    parameters = "distress_anxiety_path: 0, distress_avoidance_path: 0, distress_immature_path: 0, distress_neurotic_path: 0"
    (tmp_path / "none.yaml").write_text(f"question: q?\nparameters: {{{parameters}}}\n")
    two = ("--pattern", "16.2", "--pattern", "a3")
    done = attune("validate", "--scenario", "none.yaml", *two, "--size", 0.2, "--json", "--threads", 1)
    assert done.status == 1
    said = json.loads(done.out)
    assert said["changes"]["parameters"]["distress_anxiety_path"] == 0
    assert not said["score_passes"] and not said["directions_pass"]
    assert abs(said["patterns"][0]["simulated"]) < 0.1 and said["patterns"][0]["residual"] < -15
    assert said["patterns"][1]["parts"]["fearful"]["verdict"] == "not shown"


def test_validate_says_what_is_wrong(attune: Attune, tmp_path: Path) -> None:
    wrong(attune("validate", "--pattern", "5.11"), "no pattern '5.11'", "did you mean")
    (tmp_path / "two.yaml").write_text("question: q?\narms:\n  a: {}\n  b: {parameters: {trust_rate: 0.3}}\n")
    wrong(attune("validate", "--scenario", "two.yaml"), "two: its 2 arms are different models")
    wrong(attune("validate", "--scenario", "gone.yaml"), "gone.yaml")
    assert attune("validate", "--size", 0).status == 2 and attune("validate", "--seed", -1).status == 2


def test_page_shows_what_failed() -> None:
    """Misses, directions and what could not be computed stand in the sentences, and the plot draws them."""
    rows = (value_row("1.1", 2.6), value_row("5.1", 9.0, 1.5), Row(patterns()["x1"], Simulated(NAN, NAN, 0)),
            sign_row("9.6", anxiety=(0.2, 0.1, 0.3), avoidance=(-0.2, -0.3, -0.1)), sign_row("1.7"))  # fmt: skip
    result = Validation(rows, 7)
    text = " ".join(page.summary(result))
    assert "uncertainty: 1.1, 5.1, x1" in text and "interval: 5.1, x1" in text and "9.6 (wrong sign), 1.7 (not shown)" in text
    assert "0 of 2 hold" in text and "does not hold" in text
    assert json.loads(json.dumps(page.as_data(result)))["score"] is None
    fig = forest(result)
    assert len(fig.axes) == 2
    assert [tick.get_text().split()[0] for tick in fig.axes[0].get_yticklabels()] == ["1.1", "5.1", "x1"]


def test_threads_do_not_change_results() -> None:
    one, two = (validate(5, ["16.1", "a1"], size=0.1, threads=n) for n in (1, 2))
    assert [repr(row.simulated) for row in one.rows] == [repr(row.simulated) for row in two.rows]
