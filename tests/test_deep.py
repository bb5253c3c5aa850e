"""What is too slow for every commit (``make deep``): the shipped scenarios at full size, and luck in bulk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import sim
from sim.batch.run import run_batch
from sim.luck import normal, person
from sim.scenario.points import scenario_at
from sim.storage.store import values_hash
from sim.therapy.clinic.matching import ORACLE
from tests.test_batch import bytes_of, killed_and_resumed, small

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.yaml"))


def as_it_stands(scenario: sim.Scenario) -> list[str]:
    """The arms in which somebody is treated by the model as it stands: nothing lesioned, clamped, forced or set otherwise."""
    return [
        arm.name
        for arm in scenario.arms
        if arm.therapist is not None
        and not (arm.lesions or arm.interventions or arm.parameters or arm.policies)
        and (arm.clinic is None or arm.clinic.matching != ORACLE)  # which no service could do
    ]


@pytest.mark.deep
@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_no_shipped_scenario_looks_absurd(path: Path) -> None:
    """At full size, on three seeds: scales kept; where the model is as it stands, dropout and change where clinics find them.

    Where the same people are untreated in another arm, therapy is above none.
    """
    for seed in (11, 12, 13):
        run = sim.run(scenario_at(sim.load(path), {}), seed=seed)  # of a batch the scenario as it stands
        assert run.sessions["wai_client"].between(1, 7).all() and run.clients["distress_0"].dropna().between(0, 40).all()
        began = sim.measures.treated(run)
        untreated = sim.measures.untreated_differences(run)
        for name in as_it_stands(run.scenario):
            mine = began[began["arm"] == name]
            if len(mine) < 100:
                continue
            assert 0.10 < (mine["ending"] == "dropout").mean() < 0.45, (seed, name)
            change = (mine["distress_0"] - mine["distress_end"]).mean() / mine["distress_0"].std()
            assert 0.5 < change < 1.4, (seed, name)
            assert name not in untreated or untreated[name].mean() < -1.0, (seed, name)


def test_most_shipped_scenarios_have_an_arm_to_look_at() -> None:
    """Else nothing would be looked at above; and in many of them the same people are untreated in another arm."""
    scenarios = [scenario_at(sim.load(path), {}) for path in SCENARIOS]
    looked_at = {s.name: as_it_stands(s) for s in scenarios}
    assert sum(map(bool, looked_at.values())) >= 20
    twins = [s.name for s in scenarios if any(sim.measures.untreated_arm(s, arm) for arm in looked_at[s.name])]
    assert len(twins) >= 10


@pytest.mark.deep
def test_the_pairings_do_not_depend_on_the_workers() -> None:
    """The shipped pairings, whole: the same values on one thread in small chunks as on all in large ones."""
    scenario = sim.load(next(p for p in SCENARIOS if p.stem == "style_pairings"))
    a, b = sim.run(scenario, seed=5), sim.run(scenario, seed=5, threads=1, chunk=37)
    assert {n: values_hash(t) for n, t in a.tables.items()} == {n: values_hash(t) for n, t in b.tables.items()}


@pytest.mark.deep
def test_twenty_million_normals() -> None:
    """Moments, KS and tails of a sample no study will ever need."""
    z = np.concatenate([normal(9, 0, person("client", np.arange(2_000_000)), "deep", week) for week in range(10)])
    assert abs(z.mean()) < 5 / np.sqrt(z.size) and abs(z.std() - 1) < 5 / np.sqrt(2 * z.size)
    assert abs(stats.skew(z)) < 5 * np.sqrt(6 / z.size) and abs(stats.kurtosis(z)) < 5 * np.sqrt(24 / z.size)
    assert stats.kstest(z[::4], "norm").pvalue > 1e-5
    beyond = (np.abs(z) > 4).sum()
    assert abs(beyond - z.size * 6.334e-5) < 6 * np.sqrt(z.size * 6.334e-5)


@pytest.mark.deep
def test_kill_9_twenty_times(tmp_path: Path) -> None:
    """Twenty random kills of a batch with two workers: byte for byte what an uninterrupted one gives."""
    scenario = small(replicates=30)
    whole = run_batch(scenario, 5, tmp_path / "whole", workers=1)
    file = tmp_path / "small.yaml"
    file.write_text(scenario.to_yaml())
    assert killed_and_resumed(tmp_path / "b", file, 20, 3, 2) >= 15
    assert bytes_of(tmp_path / "b") == bytes_of(whole)
