"""Each word for a measure means one quantity: in the catalogue, batches, ``sim.measures``, ``sim.compare`` and sensitivity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.batch.run import run_batch
from sim.catalogue.measures import CATALOGUE, known_measures, measures_of_runs
from sim.evidence.sensitivity.response import outcome
from sim.measures.clinics import by_replicate
from sim.measures.numbers import OF_RUNS
from sim.measures.outcomes import VALUES, add_outcome

SEED = 5
THERAPY: dict[str, Any] = {
    "question": "Is a word a word?", "clients_per_arm": 40, "sessions": 8,
    "arms": {"secure": {"therapist": "secure"}, "fearful": {"therapist": "fearful"}, "nobody": {"therapist": "none"}},
}  # fmt: skip
CLINIC: dict[str, Any] = {
    "question": "Is a word a word?", "design": "clinic", "sessions": 6, "replicates": 2,
    "clinic": {"therapists": 4, "arrivals_per_week": 2, "weeks": 60, "intake_weeks": 40, "capacity": 3},
}  # fmt: skip
SPECS = {"therapy": THERAPY, "clinic": CLINIC}


def test_every_measure_has_one_function_and_says_what_it_is() -> None:
    clinics = set(by_replicate(sim.run(sim.from_spec(CLINIC, "clinic"), SEED)).columns)
    assert (set(VALUES), clinics, set(OF_RUNS)) == tuple(
        {name for name, one in CATALOGUE.items() if kind in one.of} for kind in ("client", "clinic", "run")
    )
    for name, one in CATALOGUE.items():
        assert one.title and one.unit and one.definition.endswith(".") and one.plain_ends[0] < one.plain_ends[1], name
    assert len({one.title for one in CATALOGUE.values()}) == len({one.definition for one in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize("which", SPECS)
def test_a_word_means_the_same_everywhere(which: str, tmp_path: Path) -> None:
    """A batch's summaries, ``sim.measures``, ``sim.compare`` and sensitivity give one number for one arm of the same run."""
    scenario = sim.from_spec(SPECS[which], which)
    found = run_batch(scenario, SEED, tmp_path / "batch", workers=1)
    table = sim.open_batch(found).summaries.astype({"arm": "str", "measure": "str", "minus": "str"})
    table = table[table["minus"] == "nothing"]
    names, seen = known_measures(clinic=which == "clinic"), set()
    for arm in scenario.arms:
        alone = scenario.model_copy(update={"arms": (arm,)})
        run = sim.run(alone, SEED)
        compared = sim.compare(alone, alone, [SEED], names).set_index("measure")["a"]
        for name in names:
            rows = table[(table["arm"] == arm.name) & (table["measure"] == name)]
            in_batch = np.average(rows["value"], weights=rows["n"]) if len(rows) else np.nan
            seen |= {name} if len(rows) else set()
            others = {
                "sim.measures": getattr(sim.measures, name)(run), "number": sim.measures.number(run, name),
                "compare": compared[name], "sensitivity": outcome(scenario, name, arm.name)({}, SEED),
            }  # fmt: skip
            for where, value in others.items():
                assert value == pytest.approx(in_batch, rel=1e-12, nan_ok=True), (name, arm.name, where)
    assert seen >= set(names) - {"improved", "distress_12_months"}  # that there was something to compare


def test_measures_of_a_run_are_those_of_its_arms_with_therapy() -> None:
    """Each client counts once; who waits beside them does not, in measures that people without therapy have too."""
    run = sim.run(sim.from_spec(THERAPY, "therapy"), SEED)
    for name in known_measures(clinic=False):
        values = sim.measures.by_arm(run, name)
        both = pd.concat([values["secure"], values["fearful"]])
        assert sim.measures.number(run, name) == pytest.approx(both.mean(), nan_ok=True)
        assert CATALOGUE[name].untreated == (len(values["nobody"]) > 0), name


def test_what_is_added_is_known_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure = sim.extend.Measure("first bond", "WAI, 1-7")
    for registry in (CATALOGUE, VALUES):
        monkeypatch.setitem(registry, "first_bond", None)  # so that it is taken out again
    add_outcome("first_bond", measure, lambda b: b.session_mean("wai_client_bond", b.early))
    run = sim.run(sim.from_spec(THERAPY, "therapy"), SEED)
    assert sim.measures.first_bond(run) == sim.compare(run.scenario, run.scenario, [SEED], "first_bond")["a"].iloc[0] > 1
    assert "first_bond" in measures_of_runs(clinic=False)
    batch = sim.open_batch(run_batch(run.scenario, SEED, tmp_path / "batch", workers=1))
    assert "first_bond" in set(batch.summaries["measure"].astype("str"))


@pytest.mark.parametrize(
    ("was", "now"), [("mean_alliance", "alliance_all_sessions"), ("effect_over_untreated", "difference_from_no_treatment")]
)
def test_old_words_are_answered_with_the_new(was: str, now: str) -> None:
    usual = sim.from_spec(THERAPY, "therapy")
    with pytest.raises(sim.AttuneError, match=f"now called '{now}'"):
        sim.compare(usual, usual, [1], was)
    with pytest.raises(AttributeError, match=f"now called '{now}'"):
        getattr(sim.measures, was)
    clinic = {**CLINIC, "batch": {"until": {"measure": "alliance", "se": 0.1}}}
    with pytest.raises(sim.ScenarioError, match="now called 'alliance_all_sessions'"):
        sim.from_spec(clinic, "clinic")
