"""Sampling and parameter uncertainty: two intervals that do not get mixed up, and nothing else changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.catalogue.columns import ENSEMBLE
from sim.cli.main import main
from sim.cli.printed import listing
from sim.errors import ScenarioError, StoreError
from sim.evidence.patterns.studies import changes_of
from sim.mesa.model import TherapyModel
from sim.report.figures import chosen
from sim.report.pages import run as report
from sim.report.text import interval
from sim.report.words import answer, captions
from sim.report.words import uncertainty as answer_ensemble
from sim.runs.uncertainty import DIFFERENCE, of_arms, two_intervals
from sim.scenario.scenario import Scenario, json_schema
from sim.simulation.trace import traced_course
from sim.storage import store
from sim.theory import ensemble
from sim.theory.parameters import PARAMETERS

ARMS = {"usual": {}, "leave": {"policies": ["leave_ruptures_alone"]}, "waiting": {"therapist": "none"}}
SPEC: dict[str, Any] = {"question": "Is it chance?", "clients_per_arm": 24, "sessions": 8, "exchanges": 4, "arms": ARMS}
CLINIC: dict[str, Any] = {
    "question": "Is it chance?", "design": "clinic", "sessions": 6, "exchanges": 3, "replicates": 2,
    "clinic": {"therapists": 4, "capacity": 4, "arrivals_per_week": 2, "weeks": 20},
    "arms": {"usual": {}, "few": {"clinic": {"therapists": 2}}},
}  # fmt: skip


def scenario(spec: Mapping[str, Any] = SPEC, **changes: Any) -> Scenario:
    return sim.from_spec({**spec, **changes}, "left_open")


def shipped(monkeypatch: pytest.MonkeyPatch, *sets: Mapping[str, float]) -> None:
    """These are the parameter sets that agree with the published evidence."""
    monkeypatch.setattr(ensemble, "members", lambda: tuple(sets))


def widths(run: sim.Run, kind: str) -> pd.Series:
    table = two_intervals(run).set_index(["measure", "arm"])
    return table[f"{kind}_high"] - table[f"{kind}_low"]


@pytest.fixture(scope="module")
def run() -> sim.Run:
    return sim.run(scenario(parameters={"ensemble": 3}, record={"exchanges": {"clients": [0]}}), seed=5)


# ------------------------------------------------------------------------------------------------- what is run


@pytest.mark.parametrize("spec", [SPEC, CLINIC], ids=["arms", "clinic"])
def test_all_other_tables_are_the_same_bytes(spec: Mapping[str, Any], tmp_path: Path) -> None:
    record = {} if spec is CLINIC else {"record": {"exchanges": {"clients": [0]}}}
    with_it, without = (
        store.save(sim.run(scenario(spec, parameters=said, **record), seed=5), tmp_path / name)
        for name, said in (("with", {"ensemble": 2, "trust_rate": 0.3}), ("without", {"trust_rate": 0.3}))
    )
    names = {path.name for path in without.glob("*.parquet")}
    assert len(names) >= 4 and {path.name for path in with_it.glob("*.parquet")} == names | {"ensemble.parquet"}
    for name in names:
        assert (with_it / name).read_bytes() == (without / name).read_bytes(), name


@pytest.mark.parametrize("spec", [SPEC, CLINIC], ids=["arms", "clinic"])
def test_a_member_is_a_plain_run_with_its_numbers(spec: Mapping[str, Any]) -> None:
    found = sim.run(scenario(spec, parameters={"ensemble": 2}), seed=5).ensemble
    assert found["member"].unique().tolist() == list(ensemble.spread(2))
    for member in ensemble.spread(2):
        plain = sim.run(scenario(spec, parameters=dict(ensemble.members()[member])), seed=5)
        mine = found[found["member"] == member].reset_index(drop=True)
        expected = of_arms(plain)
        assert len(expected) > 6
        for name in ("arm", "measure", "value", "unit"):
            assert mine[name].tolist() == expected[name].tolist(), name


def test_what_is_fixed_wins_over_the_members(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(monkeypatch, {"trust_rate": 0.1, "client_leniency": 0.9}, {"trust_rate": 0.5, "client_leniency": 0.9})
    fixed = sim.run(scenario(parameters={"ensemble": 2, "trust_rate": 0.3}), seed=5)
    assert (widths(fixed, "parameter") == 0).all()
    plain = of_arms(sim.run(scenario(parameters={"trust_rate": 0.3, "client_leniency": 0.9}), seed=5))
    first = fixed.ensemble[fixed.ensemble["member"] == 0]
    assert first["value"].tolist() == plain["value"].tolist()
    assert (widths(sim.run(scenario(parameters={"ensemble": 2}), seed=5), "parameter") > 0).any()


def test_what_an_arm_or_its_policy_sets_wins_too(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(monkeypatch, {"repair_base": -4.0}, {"repair_base": 1.0})
    arms = {"usual": {}, "its own": {"parameters": {"repair_base": 0.0}}, "told": {"policies": ["leave_ruptures_alone"]}}
    found = widths(sim.run(scenario(parameters="ensemble", arms=arms), seed=5), "parameter")["distress_change"]
    assert found["usual"] > 0 and found["its own"] == found["told"] == 0


def test_threads_do_not_matter_and_all_tasks_are_counted(run: sim.Run) -> None:
    calls: list[tuple[int, int]] = []
    again = sim.run(run.scenario, seed=5, threads=1, chunk=7, progress=lambda done, total: calls.append((done, total)))
    two = sim.run(run.scenario, seed=5, threads=2)
    for other in (again, two):
        pd.testing.assert_frame_equal(other.ensemble, run.ensemble, check_exact=True)
    assert calls == [(i + 1, 4 * 3 * 4) for i in range(4 * 3 * 4)]  # four parameter sets, three arms, four chunks


def test_the_default_numbers_elsewhere(run: sim.Run) -> None:
    """Inside one session, in Mesa and in comparisons there is no ensemble."""
    plain = run.scenario.but(parameters={})
    for one, other in zip(traced_course(run.scenario, 5, None, 0), traced_course(plain, 5, None, 0), strict=True):
        assert one.equals(other) if isinstance(one, pd.DataFrame) else one == other
    model = TherapyModel(run.scenario, arm="usual", seed=5)
    model.run_model()
    assert "ensemble" not in model.tables()
    mine = run.clients[run.clients["arm"] == "usual"].reset_index(drop=True)
    pd.testing.assert_frame_equal(model.tables()["clients"].reset_index(drop=True), mine)
    seen: list[int] = []
    sim.compare(run.scenario, plain, seeds=[5], measure=lambda found: float(seen.append(len(found.ensemble)) or 0))
    assert seen == [0, 0]


# ------------------------------------------------------------------------------------------- the two intervals


def test_the_same_numbers_again_leave_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(monkeypatch, {}, {}, {})
    found = sim.run(scenario(parameters="ensemble"), seed=5)
    table = two_intervals(found)
    assert (table["members"] == 3).all() and not table["outside"].any()
    for name in ("parameter_low", "parameter_high", "median"):
        assert table[name].tolist() == pytest.approx(table["value"].tolist(), abs=1e-12)
    assert (widths(found, "parameter") == 0).all()
    assert (table["same_side"].dropna() == 1).all() and table["same_side"].notna().any()


def test_wider_members_widen_what_the_evidence_leaves_open_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, found = PARAMETERS["client_leniency"].default, []
    for half in (0.05, 0.4):
        shipped(monkeypatch, *({"client_leniency": usual + x * half} for x in (-1, 0, 1)))
        found.append(sim.run(scenario(parameters="ensemble"), seed=5))
    near, far = (widths(one, "parameter")["alliance"] for one in found)
    assert (far > 4 * near).all() and (near > 0).all()
    pd.testing.assert_series_equal(*(widths(one, "sampling") for one in found), check_exact=True)


def test_more_people_make_chance_smaller_and_not_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    shipped(monkeypatch, *({"trust_rate": x, "bond_security_gain": x} for x in (0.05, 0.15, 0.3)))
    few, many = (sim.run(scenario(parameters="ensemble", clients_per_arm=n), seed=5) for n in (100, 1600))
    for measure in ("alliance", f"alliance{DIFFERENCE}", "difference_from_no_treatment"):
        chance, evidence = (widths(many, kind)[measure] / widths(few, kind)[measure] for kind in ("sampling", "parameter"))
        assert chance.between(0.15, 0.40).all(), measure  # a quarter, with sixteen times as many
        assert evidence.between(0.6, 1.6).all(), measure


def test_values_are_those_of_the_other_tables(run: sim.Run) -> None:
    table = two_intervals(run).set_index(["measure", "arm"])
    pairings = sim.measures.pairings(run).set_index("arm")
    columns = {
        "alliance": "wai",
        "distress_change": "change",
        "difference_from_no_treatment": "difference_from_no_treatment",
        "dropout": "dropout",
    }
    for measure, column in columns.items():
        scale = 100 if column == "dropout" else 1
        for arm, row in table.loc[measure].iterrows():
            assert row["value"] == pytest.approx(scale * pairings.loc[arm, column])
            if column != "dropout":
                assert row["sampling_low"] == pytest.approx(pairings.loc[arm, f"{column}_low"])
    share = table.loc["dropout"]  # Wilson's interval, by hand
    n, z, p = 24, 1.959964, share["value"] / 100
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert share["sampling_low"].tolist() == pytest.approx((100 * (middle - half)).tolist(), abs=1e-3)
    assert share["sampling_high"].tolist() == pytest.approx((100 * (middle + half)).tolist(), abs=1e-3)
    paired = sim.measures.paired_differences(run).iloc[0]
    apart = table.loc[(f"alliance{DIFFERENCE}", "leave")]
    assert [apart[n] for n in ("value", "sampling_low", "sampling_high")] == pytest.approx(
        paired[["mean", "low", "high"]].tolist()
    )
    # Rows that would say the same once more are left out.
    assert f"difference_from_no_treatment{DIFFERENCE}" not in table.index.levels[0]
    assert (f"distress_change{DIFFERENCE}", "waiting") not in table.index


def test_shares_medians_and_what_lies_outside(run: sim.Run) -> None:
    """By hand, from other values of the members."""
    told = run.ensemble.assign(value=[[1.0, 2.0, 4.0][i] for i in run.ensemble["member"].rank(method="dense").astype(int) - 1])
    rows = two_intervals(replace(run, ensemble=told)).to_dict("records")
    for row in rows:
        assert (row["median"], row["members"]) == (2.0, 3)
        assert (row["parameter_low"], row["parameter_high"]) == pytest.approx((1.05, 3.9))
        assert row["outside"] == (not 1.05 <= row["value"] <= 3.9)
        if row["measure"] in (f"alliance{DIFFERENCE}", "difference_from_no_treatment"):
            assert row["same_side"] == float(row["value"] > 0)
        elif DIFFERENCE not in row["measure"]:
            assert np.isnan(row["same_side"])


def test_without_it_there_are_no_two_intervals() -> None:
    plain = sim.run(scenario(clients_per_arm=4, sessions=2), seed=1)
    assert plain.ensemble.empty and "ensemble" not in plain.tables
    with pytest.raises(ValueError, match="parameters: ensemble"):
        two_intervals(plain)
    assert answer_ensemble.sentence(plain) == answer_ensemble.left_open(plain) == listing.intervals_of(plain) == []


# -------------------------------------------------------------------------------------------------- said in a file

BAD = {
    "one": ("parameters:\n  ensemble: 1\n", "s.yaml:3: parameters.ensemble: must be a whole number from 2 to "),
    "too many": ("parameters:\n  ensemble: 100000\n", "s.yaml:3: parameters.ensemble: must be a whole number from 2 to "),
    "no number": ("parameters:\n  ensemble: true\n", "s.yaml:3: parameters.ensemble: must be a whole number from 2 to "),
    "misspelled": ("parameters: ensamble\n", "s.yaml:2: parameters: must be a mapping of parameter names to numbers, such as "
                   "trust_rate: 0.2, or 'ensemble', not 'ensamble' - did you mean 'ensemble'?"),
    "misspelled key": ("parameters:\n  trust_rate: 0.2\n  ensamble: 9\n",
                       "s.yaml:4: parameters.ensamble: unknown parameter 'ensamble' - did you mean 'ensemble'?"),
    "beside it": ("parameters:\n  ensemble: 2\n  trust_rat: 0.3\n",
                  "s.yaml:4: parameters.trust_rat: unknown parameter 'trust_rat' - did you mean 'trust_rate'?"),
    "in an arm": ("arms:\n  a:\n    parameters: ensemble\n",
                  "s.yaml:4: arms.a.parameters.ensemble: the ensemble belongs to the whole scenario, not to one arm"),
    "in an arm, with numbers": ("arms:\n  a:\n    parameters:\n      ensemble: 3\n",
                                "s.yaml:5: arms.a.parameters.ensemble: the ensemble belongs to the whole scenario, not to one"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(case: str, tmp_path: Path) -> None:
    text, expected = BAD[case]
    path = tmp_path / "s.yaml"
    path.write_text(f"question: Does it?\n{text}")
    with pytest.raises(ScenarioError) as caught:
        sim.load(path)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(expected)


def test_how_many_where_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert scenario(parameters="ensemble").ensemble == ensemble.usual_count() == min(20, len(ensemble.members()))
    shipped(monkeypatch, {}, {}, {})
    assert scenario(parameters="ensemble").ensemble == 3
    with pytest.raises(ScenarioError, match="from 2 to 3"):
        scenario(parameters={"ensemble": 4})


def test_in_a_notebook() -> None:
    usual = scenario()
    changed = usual.but(parameters="ensemble")
    assert (usual.ensemble, changed.ensemble) == (0, ensemble.usual_count())
    assert changed.but(trust_rate=0.3).spec["parameters"] == {"ensemble": ensemble.usual_count(), "trust_rate": 0.3}
    both = usual.but(parameters={"ensemble": 3, "healing_rate": 0.02}, trust_rate=0.3)
    assert both.ensemble == 3 and both.arms[0].parameters == {"healing_rate": 0.02, "trust_rate": 0.3}
    assert sim.from_spec(both.spec, both.name) == both


def test_the_schema_knows_it_for_the_whole_scenario_only() -> None:
    schema = json_schema()
    whole = schema["$defs"][schema["properties"]["parameters"]["$ref"].rpartition("/")[2]]["anyOf"]
    assert {"const": "ensemble"} in whole
    known = next(one["properties"] for one in whole if "properties" in one)
    assert known["ensemble"]["minimum"] == 2 and set(known) == {"ensemble", *PARAMETERS}
    pointed = known["trust_rate"]["$ref"].split("/")[1:]
    found: Any = schema
    for part in pointed:
        found = found[part]
    assert found["default"] == PARAMETERS["trust_rate"].default
    assert "ensemble" not in schema["$defs"]["Parameters"]["properties"]
    assert schema["$defs"]["ArmFile"]["properties"]["parameters"]["$ref"].endswith("/Parameters")


def test_no_model_to_validate(run: sim.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ScenarioError, match="asks for the ensemble, which is 3 models"):
        changes_of(run.scenario)
    path = tmp_path / "s.yaml"
    path.write_text("question: Does it?\nparameters: ensemble\n")
    with pytest.raises(SystemExit) as stopped:
        main(["validate", "--scenario", str(path), "--pattern", "x1"])
    assert stopped.value.code == 2 and "asks for the ensemble" in capsys.readouterr().err


def test_check_says_how_much_longer_it_takes(run: sim.Run) -> None:
    said = listing.sizes_of(run.scenario)
    assert "with 3 parameter sets" in said and "about 4 times as long" in said
    assert "parameter sets" not in listing.sizes_of(scenario())


# ----------------------------------------------------------------------------------------- kept, and shown


def test_it_is_stored_and_read_back(run: sim.Run, tmp_path: Path) -> None:
    folder = store.save(run, tmp_path / "out")
    again = sim.open_run(folder)
    assert list(run.ensemble) == list(ENSEMBLE) and again.scenario == run.scenario
    pd.testing.assert_frame_equal(again.ensemble, run.ensemble)
    pd.testing.assert_frame_equal(two_intervals(again), two_intervals(run))
    assert json.loads((folder / "manifest.json").read_text())["tables"]["ensemble"]["rows"] == len(run.ensemble)
    run.ensemble.assign(value=0.0).to_parquet(folder / "ensemble.parquet")
    with pytest.raises(StoreError, match="ensemble"):
        sim.open_run(folder)


@pytest.mark.usefixtures("pictures_not_drawn")
def test_the_report_tells_the_two_apart(run: sim.Run, tmp_path: Path) -> None:
    page = report.write_report(run, tmp_path).read_text(encoding="utf-8")
    assert (
        page.count("sampling uncertainty: 95 % interval") >= 1 and page.count("parameter uncertainty: middle 95 % of 3 sets") >= 1
    )
    assert "<h3>Parameter uncertainty</h3>" in page
    assert (tmp_path / "figures" / "two_uncertainties.png").is_file()
    chosen.FIGURES["two_uncertainties"].draw(run).draw_without_rendering()  # type: ignore[union-attr]
    row = two_intervals(run).set_index(["measure", "arm"]).loc[(f"alliance{DIFFERENCE}", "leave")]
    said = answer.paragraph(run).rpartition("not whether it is right. ")[2]
    assert "“leave” and “usual”" in said and "the same in 100 % of 3 parameter sets" in said
    for kind in ("sampling", "parameter"):
        shown = interval(row.to_dict(), kind, 2)
        assert shown in said and shown in captions.of_figure(run, "two_uncertainties")["seen"]


@pytest.mark.parametrize(("sampling", "parameter", "words"), [
    (1.0, 2.0, "Parameter uncertainty is larger than sampling uncertainty, 2.0 times as wide,"),
    (3.0, 1.0, "Sampling uncertainty is larger than parameter uncertainty, 3.0 times as wide,"),
    (1.0, 1.05, "about as large"),
    (float("nan"), 1.0, "Sampling uncertainty is not known"), (1.0, 0.0, "Sampling uncertainty is larger"),
    (0.0, 0.0, "about as large"),
])  # fmt: skip
def test_which_is_larger(sampling: float, parameter: float, words: str) -> None:
    row = {"sampling_low": 0.0, "sampling_high": sampling, "parameter_low": 1.0, "parameter_high": 1.0 + parameter}
    assert words in answer_ensemble.which_is_larger(row)


def test_the_screen_shows_both(run: sim.Run) -> None:
    (table,) = listing.intervals_of(run)
    heads = [str(column.header) for column in table.columns]
    for label in ("sampling uncertainty: ", "parameter uncertainty: "):
        assert sum(head.startswith(label) for head in heads) == 1
    assert table.row_count == len(two_intervals(run)) <= answer_ensemble.MOST_PRINTED
    few = answer_ensemble.heads_and_rows(run, most=5)[1]
    assert few and all("difference" in row[1] or "untreated" in row[1] for row in few)


@pytest.mark.usefixtures("pictures_not_drawn")
def test_every_design_has_a_report(tmp_path: Path) -> None:
    crossed = {"design": "crossed", "client": ["secure", "fearful"], "therapist": ["secure", "none"], "arms": {}}
    alone = {"arms": {"waiting": {"therapist": "none"}}}
    small = {"clients_per_arm": 6, "sessions": 4, "parameters": {"ensemble": 2}}
    one_clinic = {**CLINIC, "replicates": 1, "parameters": {"ensemble": 2}}
    others = [{**SPEC, **small, **what} for what in (crossed, alone, {"arms": {}})]
    for i, spec in enumerate((*others, one_clinic)):
        found = sim.run(scenario(spec), seed=2)
        page = report.write_report(found, tmp_path / str(i)).read_text(encoding="utf-8")
        assert "parameter uncertainty: middle 95 % of 2 sets" in page
        assert len(answer_ensemble.sentence(found)) == 1
