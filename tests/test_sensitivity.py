"""Sensitivity: closed forms come out, noise is told from influence, numbers that follow from others stay, the command tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sim.catalogue.measures import measures_of_runs
from sim.errors import EvidenceError, StoreError
from sim.evidence.sensitivity import analysis as evidence
from sim.evidence.sensitivity.analysis import sensitivity
from sim.evidence.sensitivity.ranges import Range, left_out, movable_parameters, ranged
from sim.evidence.sensitivity.response import column_names, outcome
from sim.evidence.sensitivity.study import Sensitivity
from sim.measures.numbers import number
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec, load
from sim.theory.parameters import PARAMETERS
from tests.test_cli import HELLO, Attune, attune, wrong

__all__ = ["attune"]  # the fixture

UNIT = tuple(Range(name, 0.5, 0.0, 1.0) for name in "abc")


def linear(parameters: Mapping[str, float], seed: int) -> float:
    """3a - b; c does nothing, and nor does noise."""
    return 3.0 * parameters.get("a", 0.5) - parameters.get("b", 0.5)


def noisy(parameters: Mapping[str, float], seed: int, sd: float = 0.2) -> float:
    """3a - b, and random draws of its own at every point, seed by seed."""
    where = [int(1e9 * (parameters.get(name, 0.5) + 1)) for name in "abc"]
    return linear(parameters, seed) + sd * float(np.random.default_rng([seed, *where]).standard_normal())


def shifted(parameters: Mapping[str, float], seed: int) -> float:
    """3a - b, and noise that is the same at every point."""
    return linear(parameters, seed) + float(np.random.default_rng([seed]).standard_normal())


def morris(found: Sensitivity) -> dict[str, Any]:
    """Rows by number."""
    return {row.name: row for row in found.morris.itertuples(index=False)}


def sobol(found: Sensitivity) -> dict[str, Any]:
    """Rows by number."""
    return {row.name: row for row in found.sobol.itertuples(index=False)}


def same(one: Sensitivity, other: Sensitivity) -> bool:
    """Whether everything that was found is the same, to the last bit."""
    tables = all(getattr(one, name).equals(getattr(other, name)) for name in ("morris", "sobol"))
    return tables and replace(one, morris=None, sobol=None) == replace(other, morris=None, sobol=None)


# ----------------------------------------------------------------------------------------------------- known answers


def test_a_line_gives_its_slopes_and_their_squares() -> None:
    """mu* = |slope| times the range, sigma 0; S1 = ST = slope^2 / sum of slopes^2; what does nothing is 0 exactly."""
    found = sensitivity(linear, UNIT, 1, samples=512, replicates=1)
    rows = morris(found)
    assert [rows[n].mu_star for n in "abc"] == pytest.approx([3.0, 1.0, 0.0]) and rows["c"].mu_star == 0
    assert [rows[n].mu for n in "ab"] == pytest.approx([3.0, -1.0])
    assert found.morris["sigma"].max() < 1e-12 and found.morris["noise"].max() == 0
    assert [rows[n].verdict for n in "abc"] == ["raises it", "lowers it", "moves nothing here"]
    shares = sobol(found)
    assert list(shares) == ["a", "b"]  # in order of influence, and c is not worth a run
    assert [shares[n].first for n in "ab"] == pytest.approx([0.9, 0.1], abs=0.02)
    assert [shares[n].total for n in "ab"] == pytest.approx([0.9, 0.1], abs=0.02)


def test_effects_are_over_the_whole_range() -> None:
    """A range of another width gives an effect that much larger, in the measure's own unit."""
    wide = (Range("a", 0.5, 0.0, 2.0), *UNIT[1:])
    assert morris(sensitivity(linear, wide, 1, method="morris", replicates=1))["a"].mu_star == pytest.approx(6.0)


def test_ishigami() -> None:
    """sin x1 + 7 sin^2 x2 + .1 x3^4 sin x1 on -pi to pi: S1 .314 .442 0, ST .558 .442 .244 (Ishigami and Homma 1990)."""

    def ishigami(x: Mapping[str, float], seed: int) -> float:
        a, b, c = (x.get(name, 0.0) for name in "abc")
        return float(np.sin(a) + 7 * np.sin(b) ** 2 + 0.1 * c**4 * np.sin(a))

    ranges = tuple(Range(name, 0.0, -np.pi, np.pi) for name in "abc")
    found = sensitivity(ishigami, ranges, 1, method="sobol", samples=1024, replicates=1)
    rows = sobol(found)
    assert [rows[n].first for n in "abc"] == pytest.approx([0.314, 0.442, 0.0], abs=0.04)
    assert [rows[n].total for n in "abc"] == pytest.approx([0.558, 0.442, 0.244], abs=0.04)
    for name, true in zip("abc", [0.558, 0.442, 0.244], strict=True):
        assert abs(rows[name].total - true) < 1.6 * rows[name].total_error
    assert rows["c"].verdict == "moves it, also with others"


def test_own_effects_are_those_of_the_library() -> None:
    """The second road: mean and spread of effects as computed here, seed by seed, against SALib's of their mean."""
    from SALib.analyze import morris as analysis
    from SALib.sample import morris as sampling

    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[0.0, 1.0], [0.0, 2.0], [-1.0, 1.0]]}
    ranges = (Range("a", 0.5, 0.0, 1.0), Range("b", 0.5, 0.0, 2.0), Range("c", 0.5, -1.0, 1.0))
    design = sampling.sample(dict(problem), 6, num_levels=evidence.LEVELS, seed=3)
    y = np.array([[noisy(dict(zip("abc", row, strict=True)), seed) for seed in (0, 1)] for row in design])
    mine = evidence.elementary_effects(design, y, ranges).mean(axis=2)
    theirs = analysis.analyze(dict(problem), design, y.mean(axis=1), num_levels=evidence.LEVELS, seed=3)
    assert np.abs(mine).mean(axis=0) == pytest.approx(np.asarray(theirs["mu_star"], dtype=float))
    assert mine.std(axis=0, ddof=1) == pytest.approx(np.asarray(theirs["sigma"], dtype=float))


# -------------------------------------------------------------------------------------------------------------- noise


def test_luck_of_its_own_at_every_point_has_its_closed_form() -> None:
    """SD between seeds .2; an effect is a difference over 2/3 of a range; ST gains sd^2 / R / V with V = 10 / 12 + sd^2 / R."""
    found = sensitivity(noisy, UNIT, 1, trajectories=60, samples=256, replicates=4, top=3)
    assert found.noise["morris"].seed_sd == pytest.approx(0.2, rel=0.1)
    assert found.noise["sobol"].error == pytest.approx(0.1, rel=0.1)
    assert found.noise["base"].seeds == evidence.BASE_SEEDS and found.noise["base"].seed_sd == pytest.approx(0.2, rel=0.4)
    effect = 0.2 * np.sqrt(2 / 4) * 1.5
    assert morris(found)["c"].noise == pytest.approx(evidence.quantile(4) * effect, rel=0.15)
    assert morris(found)["c"].verdict == "not distinguishable from sampling noise" and morris(found)["a"].verdict == "raises it"
    share = 0.01 / (10 / 12 + 0.01)
    assert found.noise["sobol"].share == pytest.approx(share, rel=0.2)
    rows = sobol(found)
    assert rows["c"].noise == pytest.approx(share, rel=0.2) and rows["c"].total == pytest.approx(rows["c"].noise, rel=0.3)
    assert rows["c"].verdict != "moves it" and rows["a"].verdict == "moves it"


def test_luck_shrinks_with_replicates() -> None:
    """Four times the seeds: half the error of a point, a quarter of the share; and with one, noise is seen all the same."""
    few, many = (sensitivity(noisy, UNIT, 1, method="sobol", samples=64, replicates=n).noise["sobol"] for n in (4, 16))
    assert many.error == pytest.approx(few.error / 2, rel=0.15) and many.share == pytest.approx(few.share / 4, rel=0.3)
    one = sensitivity(noisy, UNIT, 1, method="morris", trajectories=40, replicates=1)
    assert one.noise["morris"].seeds == 2 and one.noise["morris"].points == 4 * evidence.CHECKED_TRAJECTORIES
    assert one.noise["morris"].seed_sd == pytest.approx(0.2, rel=0.5)


def test_shared_luck_cancels() -> None:
    """Noise that moves all points together is told as such and takes nothing from any index."""
    found = sensitivity(shifted, UNIT, 1, samples=64, replicates=3)
    assert found.noise["morris"].seed_sd > 0.3 and found.noise["morris"].share == pytest.approx(0.0, abs=1e-12)
    assert found.morris["noise"].max() < 1e-9 and found.sobol["noise"].max() < 1e-12
    assert morris(found)["a"].mu_star == pytest.approx(3.0)


# ------------------------------------------------------------------------------------------------- seeds and threads


def test_seed_0_is_a_seed() -> None:
    """The same every time, unlike seed 1, intervals included."""
    first, again, other = (sensitivity(noisy, UNIT, seed, samples=16, replicates=2, top=3) for seed in (0, 0, 1))
    assert same(first, again)
    for name in "abc":
        assert morris(first)[name] != morris(other)[name] and sobol(first)[name].total_error != sobol(other)[name].total_error


SPEC = {"question": "What moves it?", "clients_per_arm": 3, "sessions": 4,
        "arms": {"with": {"therapist": "secure"}, "without": {"therapist": "none"}}}  # fmt: skip


@lru_cache(maxsize=None)
def tiny() -> Scenario:
    """Three clients, four sessions."""
    return from_spec(SPEC, "tiny")


def test_threads_change_nothing() -> None:
    """The same result, to the last bit, with one thread and with two."""
    measured = outcome(tiny(), "alliance")
    ranges, _ = movable_parameters(tiny(), measured.arms, ["trust_start", "eeg_noise_sd"])
    one, two = (sensitivity(measured, ranges, 0, trajectories=4, samples=8, replicates=1, top=1, threads=n) for n in (1, 2))
    assert same(one, two)
    rows = morris(one)
    assert rows["trust_start"].mu_star > 0.05 and rows["eeg_noise_sd"].verdict == "moves nothing here"


# ------------------------------------------------------------------------------------------------ numbers and measures


def test_what_is_free_to_move() -> None:
    """Neither what follows from others nor switches nor a clinic's part; ranges hold the value and stay within what may be."""
    ranges, out = movable_parameters(tiny(), tiny().arms)
    names = {r.name for r in ranges}
    assert names.isdisjoint(out) and names | set(out) == set(PARAMETERS) and len(names) > 180
    assert {n.name for n in PARAMETERS.values() if n.status == "derived"} <= set(out)
    assert out["client_perceived_typical"] == "follow from other parameters, and stay as declared"
    assert {"forced_response_share", "eeg_noise_sd", "hand_over_share", "trust_typical", "dsq_mean"} <= set(out)
    for r in ranges:
        assert PARAMETERS[r.name].low <= r.low <= r.value <= r.high <= PARAMETERS[r.name].high and r.width > 0
    clinic = load(Path(HELLO).with_name("matching_rules.yaml"))
    assert "hand_over_share" not in left_out(clinic) and "fatigue_warmth_cost" not in left_out(clinic)


def test_ranges_are_as_said() -> None:
    """A proportion of the value, cut at the declared ends; of a value of 0, a proportion of a tenth of what may be."""
    assert ranged("trust_rate", 0.2, 0.5) == Range("trust_rate", 0.2, 0.1, pytest.approx(0.3))
    assert ranged("repair_effort", 1.0) == Range("repair_effort", 1.0, 0.75, 1.0)
    assert ranged("client_expression_offset", 0.0).high == pytest.approx(0.25)


def test_what_the_arms_differ_in_is_left_out() -> None:
    """And what a policy sets is the value around which a number is moved."""
    repair = load(Path(HELLO).with_name("rupture_repair.yaml"))
    assert "differ" in left_out(repair)["repair_effort"]
    (alone,), _ = movable_parameters(repair, [repair.arms[1]], ["repair_effort"])
    assert alone.value == repair.arms[1].parameters["repair_effort"]
    with pytest.raises(EvidenceError, match="repair_effort"):
        movable_parameters(repair, repair.arms[:2], ["repair_effort"])
    group, out = movable_parameters(repair, repair.arms, ["rupture and repair", "trust_rate"])
    assert {"tension_keep", "trust_rate"} < {r.name for r in group} and "repair_effort" not in {r.name for r in group} and not out


def test_the_measure_is_that_of_the_run() -> None:
    """Of one arm alone, of the difference of two, and of a column, as one would compute them from the whole scenario's run."""
    whole = run(tiny(), 5)
    rows = whole.clients[whole.clients["arm"] == "with"]
    assert outcome(tiny(), "clients.distress_end")({}, 5) == pytest.approx(rows["distress_end"].mean())
    other = whole.clients[whole.clients["arm"] == "without"]
    difference = outcome(tiny(), "clients.distress_end", "with", "without")
    assert difference({}, 5) == pytest.approx(rows["distress_end"].mean() - other["distress_end"].mean())
    changed = tiny().but(trust_start=0.5)
    for name in ("alliance", "difference_from_no_treatment"):
        assert outcome(tiny(), name)({"trust_start": 0.5}, 5) == pytest.approx(number(run(changed, 5), name))
    for changed in (tiny().but(batch={"vary": {"trust_rate": [0.1, 0.2]}}), tiny().but(parameters={"ensemble": 20})):
        measured = outcome(changed, "alliance")  # neither a batch nor twenty members, of which nothing would be read
        assert [alone.ensemble for _, alone in measured.parts] == [0] and measured({}, 5) == outcome(tiny(), "alliance")({}, 5)
    own = tiny().but(arms={"with": {"therapist": "secure", "parameters": {"trust_start": 0.3}}})
    assert outcome(own, "alliance")({"trust_start": 0.5}, 5) == outcome(tiny(), "alliance")({"trust_start": 0.5}, 5)


def test_every_measure_has_a_unit() -> None:
    """What is in a table has a unit; so have columns."""
    clinic = load(Path(HELLO).with_name("matching_rules.yaml"))
    for scenario in (tiny(), clinic):
        for name in measures_of_runs(scenario.design == "clinic"):
            assert outcome(scenario, name).unit and outcome(scenario, name).meaning
    assert "sessions.wai_client" in column_names(False) and "clients.ending" not in column_names(False)


# ------------------------------------------------------------------------------------------------------------ command

TINY = ("--method", "both", "--trajectories", 4, "--samples", 8, "--replicates", 1, "--parameters", "trust_start",
        "--parameters", "trust_rate")  # fmt: skip


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A scenario file of seconds."""
    path = tmp_path / "tiny.yaml"
    path.write_text(tiny().to_yaml())
    return path


def test_command_on_hello(attune: Attune, tmp_path: Path) -> None:
    """Table and words on the screen, whole folder, tidy CSV, and a second run into it is refused before the work."""
    done = attune("sensitivity", HELLO, "--measure", "alliance", *TINY, "--seed", 0, "--replicates", 3,
                  "--out", tmp_path / "out")  # fmt: skip
    assert done.status == 0 and done.err == "", done
    for words in (
        "Morris",
        "Sobol",
        "raises it",
        "secure therapist",
        "WAI, 1-7",
        "between 20 seeds",
        "assumption",
        "is sampling noise",
    ):
        assert words in done.out
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "sensitivity.json",
        "sensitivity.csv",
        "sensitivity.csv.txt",
        "morris.png",
        "sobol.png",
    }
    table = pd.read_csv(tmp_path / "out" / "sensitivity.csv")
    assert set(table["statistic"]) == {"mu_star", "mu", "sigma", "S1", "ST"} and len(table) == 10
    data = json.loads((tmp_path / "out" / "sensitivity.json").read_text())
    assert data["seed"] == 0 and data["versions"]["SALib"] and data["measure"]["arm"] == "secure therapist"
    assert data["morris"][0]["name"] == "trust_start" and data["ranges"]["parameters"][0]["unit"]
    wrong(attune("sensitivity", HELLO, "--measure", "alliance", *TINY, "--out", tmp_path / "out"), "already exists")
    assert not [p for p in tmp_path.iterdir() if p.name != "out"]


def test_command_as_json(attune: Attune, small: Path) -> None:
    """Nothing but JSON, of a difference of two arms."""
    difference = ("--measure", "clients.distress_end", "--minus", "without", "--method", "morris")
    done = attune("sensitivity", small, *TINY, *difference, "--json")
    data = json.loads(done.out)
    assert data["measure"]["minus"] == "without" and data["measure"]["unit"] == "CORE-OM 0-40" and len(data["morris"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--measure", "aliance"],
            ["no measure 'aliance'", "did you mean 'alliance'", "dropout"],
        ),
        (["--measure", "sessions.wai_clint"], ["did you mean 'sessions.wai_client'"]),
        (["--measure", "fatigue"], ["of clinics only"]),
        (["--measure", "alliance", "--parameters", "trust_rte"], ["trust_rte", "did you mean 'trust_rate'"]),
        (
            ["--measure", "alliance", "--parameters", "attunement_typical"],
            ["attunement_typical", "follow from other parameters"],
        ),
        (["--measure", "alliance", "--arm", "wit"], ["no arm 'wit'", "did you mean 'with'"]),
        (["--measure", "alliance", "--minus", "with"], ["another arm"]),
        (["--measure", "alliance_share_between_arms", "--arm", "with"], ["all arms together"]),
        (["--measure", "alliance", "--trajectories", "3", "--parameters", "trust_rate"], ["at least 4, not 3"]),
        (["--measure", "alliance", "--samples", "100"], ["power of two", "128", "100"]),
        (["--measure", "alliance", "--samples", "0"], ["power of two", "such as 8"]),
        (["--measure", "alliance", "--method", "sobel"], ["morris, sobol or both", "'sobel'"]),
        (["--measure", "alliance", "--method", "sobol"], ["needs --parameters"]),
        (["--measure", "alliance", "--replicates", "0"], ["--replicates"]),
        (["--measure", "alliance", "--range", "0"], ["--range", "above 0"]),
        (["--measure", "alliance", "--seed", "-1"], ["--seed", "-1"]),
        (["--measure", "alliance", "--arm", "without"], ["has no value", "scenario's own parameters"]),
    ],
)
def test_bad_input_is_one_line(attune: Attune, small: Path, words: list[str], said: list[str]) -> None:
    """What, where, and what would be valid; nothing is written."""
    before = sorted(small.parent.iterdir())
    done = attune("sensitivity", small, *words, "--out", small.parent / "out")
    wrong(done, *said)
    assert done.out == "" and sorted(small.parent.iterdir()) == before


def test_an_impossible_place_is_told_before_the_work(attune: Attune, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder under a file."""
    monkeypatch.setattr(evidence, "sensitivity", lambda *a, **k: pytest.fail("worked first"))
    wrong(attune("sensitivity", small, "--measure", "alliance", *TINY, "--out", small / "out"), "cannot be written")


def test_a_full_disk_leaves_nothing(attune: Attune, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole or not at all."""
    from sim.report.figures import sensitivity as plots_sensitivity

    def full(*_: object) -> None:
        raise StoreError("no space")

    monkeypatch.setattr(plots_sensitivity, "screening", full)
    done = attune("sensitivity", small, "--measure", "alliance", *TINY, "--out", small.parent / "out")
    wrong(done, "no space")
    assert [p.name for p in small.parent.iterdir()] == ["tiny.yaml"]
