"""What is too slow for every commit (``make deep``): shipped scenarios at full size, luck in bulk, and evidence made again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import sim
from sim.batch.run import run_batch
from sim.evidence.calibration.seeds import unused
from sim.evidence.calibration.signs import CLAIMS_LEDGER
from sim.evidence.calibration.simulated import LEDGER, Job, Simulator, found_in
from sim.evidence.patterns.published import patterns
from sim.evidence.stored import kept, model_hash
from sim.luck import normal, person
from sim.report.pages.run import write_report
from sim.scenario.points import scenario_at
from sim.storage.store import save, values_hash
from sim.theory.ensemble import members
from sim.therapy.clinic.matching import ORACLE
from tests.made import made
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
def test_every_shipped_scenario_runs_to_its_report_and_none_looks_absurd(path: Path, tmp_path: Path) -> None:
    """At full size, on three seeds: scales kept; where the model is as it stands, dropout and change where clinics find them.

    The report is of the first seed. Where the same people are untreated in another arm, therapy is above none.
    """
    for seed in (11, 12, 13):
        run = sim.run(scenario_at(sim.load(path), {}), seed=seed)  # of a batch the scenario as it stands
        if seed == 11:
            folder = save(run, tmp_path / str(seed), report=write_report)
            assert "seed 11" in (folder / "report.html").read_text(encoding="utf-8") and any((folder / "figures").iterdir())
            shutil.rmtree(folder)
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


# ------------------------------------------------------------------------------ the parts of ``make evidence``, reduced


def attune(*words: object) -> list[str]:
    """The command as a process of its own."""
    return [sys.executable, "-m", "sim", *map(str, words)]


def killed_at(lines: int, ledger: Path, *words: object) -> bytes:
    """Kill a command (-9) once its ledger has so many lines; what stands there."""
    with subprocess.Popen(attune(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        while child.poll() is None and (not ledger.exists() or ledger.read_bytes().count(b"\n") < lines):
            time.sleep(0.05)
        assert child.poll() is None, "it ended before it could be killed"
        child.kill()
    return ledger.read_bytes()


@pytest.mark.deep
def test_calibration_goes_on_after_a_kill(tmp_path: Path) -> None:
    """One step on small tables, killed halfway: nothing is simulated twice, and it ends where an undisturbed one does."""
    words = ("calibrate", "--rounds", 1, "--size", 0.05, "--json", "--out")
    ledger = tmp_path / "killed" / LEDGER
    before = killed_at(20, ledger, *words, tmp_path / "killed")
    ends = [
        subprocess.run(attune(*words, tmp_path / to), stdout=subprocess.PIPE, check=True).stdout for to in ("killed", "whole")
    ]
    keys = [json.loads(line).get("key") for line in ledger.read_text().splitlines()]
    assert ledger.read_bytes().startswith(before[: before.rfind(b"\n") + 1]) and len(keys) == len(set(keys)) > 40
    assert ends[0] == ends[1] and json.loads(ends[0])["model"] == model_hash()


@made("leave_one_out")
@pytest.mark.deep
def test_a_row_is_predicted_as_it_was(tmp_path: Path) -> None:
    """Leave-one-out for one row, whole: what is kept comes out again."""
    words = ("validate", "--leave-one-out", "--pattern", "x1", "--folder", tmp_path, "--json")
    found = json.loads(subprocess.check_output(attune(*words)))["rows"][0]
    was = next(row for row in kept("leave_one_out")["rows"] if row["id"] == "x1")
    assert found["residual"] == pytest.approx(was["residual"], abs=0.05) and found["settled"] == was["settled"]


@made("competing")
@pytest.mark.deep
def test_a_competing_model_lacks_what_it_lacked(tmp_path: Path) -> None:
    """One step of a refit without plasticity: attachment does not change, as in the kept refit."""
    words = ("validate", "--competing", "--model", "no plasticity", "--rounds", 1, "--folder", tmp_path, "--json")
    models = json.loads(subprocess.check_output(attune(*words)))["models"]
    was = {one["name"]: one["wrong"] for one in kept("competing")["models"]}
    assert [one["name"] for one in models] == ["shipped", "no plasticity"]
    assert "8.6" in models[1]["wrong"] and "8.6" in was["no plasticity"] and "8.6" not in was["shipped"]


@made("ensemble")
@pytest.mark.deep
def test_members_verified_come_out_again() -> None:
    """Four members of the ensemble, all rows, on the draws of their kept verification: the very tables."""
    verified = kept("ensemble")["verified"][:4]
    ids = tuple(p.id for p in patterns().values() if p.tier in ("calibrate", "direction"))
    jobs = [Job({"parameters": dict(members()[one["member"]])}, unused(kept("ensemble")["verify_seed"], one["member"]), 1.0, ids)
            for one in verified]  # fmt: skip
    with Simulator() as simulator:
        for one, found in zip(verified, simulator.ask(jobs), strict=True):
            was = found_in(one["table"])
            for row, (value, error) in found.values.items():
                assert value == pytest.approx(was.values[row][0], abs=0.1 * error), (one["member"], row)


@made("claims_over_ensemble")
@pytest.mark.deep
def test_claims_over_members_go_on_after_a_kill(tmp_path: Path) -> None:
    """Two members, killed after the first: the ledger is gone on from, and the defaults reproduce what the kept ones did."""
    words = ("validate", "--claims-over", 2, "--folder", tmp_path, "--json")
    before = killed_at(3, tmp_path / CLAIMS_LEDGER, *words)
    found = json.loads(subprocess.check_output(attune(*words)))
    after = (tmp_path / CLAIMS_LEDGER).read_bytes()
    assert after.startswith(before) and after.count(b"\n") == 4
    was = {row["contrast"]: row["default"] for row in kept("claims_over_ensemble")["contrasts"]}
    assert {row["contrast"]: row["default"] for row in found} == was and all(row["members"] == 2 for row in found)


@pytest.mark.deep
def test_kept_validation_comes_out_again() -> None:
    """The whole table on seed 1, every row within a tenth of its own error."""
    found = json.loads(subprocess.check_output(attune("validate", "--json")))
    was = {row["id"]: row for row in kept("validation")["patterns"]}
    for row in found["patterns"]:
        if row["simulated"] is not None:
            assert row["simulated"] == pytest.approx(was[row["id"]]["simulated"], abs=0.1 * row["error"]), row["id"]
