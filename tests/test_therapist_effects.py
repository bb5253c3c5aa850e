"""Differences between therapists and the analysis of a trial: known answers, what a study would find, and what is true."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

import sim
from sim.evidence.therapist_effects import random_intercepts, share_between_columns, therapist_effects, with_every_therapist
from sim.evidence.trial import counted_clients, nested_estimate, trial_arms, trial_estimates, true_effects
from sim.scenario.scenario import Scenario
from sim.simulation.tables import Run
from sim.therapy.session import World

CLINIC = {"therapists": 8, "capacity": 6, "arrivals_per_week": 6, "weeks": 40, "intake_weeks": 26, "matching": "random"}
KEPT = {"sessions": False, "assessments": False}


def small(name: str = "small", **changes: object) -> Scenario:
    """A small clinic; ``changes`` to its scenario file."""
    spec = {"question": "?", "design": "clinic", "sessions": 8, "exchanges": 5, "clinic": CLINIC, "record": KEPT}
    return sim.from_spec(spec | changes, name)


@pytest.fixture(scope="module")
def warmth() -> Run:
    """Therapists who differ much, as usual, or not at all in warmth."""
    arms = {"usual": {}, "much": {"parameters": {"therapist_warmth_trait_sd": 2.5}}, "no therapist": {"therapist": "none"}}
    clinic = CLINIC | {"therapists": 12, "arrivals_per_week": 11, "capacity": 8}
    alike = {"therapist_treatment_gain_sd": 0.0}  # in all but warmth
    return sim.run(small(clinic=clinic, arms=arms, parameters=alike), seed=4)


@pytest.fixture(scope="module")
def trial() -> Run:
    """Two small trials of supervision, with the two clinics that no trial sees."""
    arms = {
        "some": {"clinic": {"trained_share": 0.5}},
        "none": {"clinic": {"training": []}},
        "all": {"clinic": {"trained_share": 1}},
    }
    clinic = CLINIC | {"training": ["rupture_repair_training", "empathy_training"], "training_from": 3}
    return sim.run(small(clinic=clinic, arms=arms, replicates=2), seed=5)


def nested(seed: int, groups: int, size: int, between: float, within: float = 1.0) -> tuple[np.ndarray, ...]:
    """Made-up values, a covariate and groups of unequal size; variances between and within groups."""
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(groups), rng.integers(max(size // 2, 1), size * 3 // 2 + 1, groups))
    x = rng.normal(15.0, 5.0, group.size)
    noise = rng.normal(0.0, np.sqrt(within), group.size) + rng.normal(0.0, np.sqrt(between), groups)[group]
    return 4.0 + 0.5 * x + noise, x, group


# ------------------------------------------------------------------------------------------------------ the estimator


def test_balanced_groups_give_the_analysis_of_variance() -> None:
    rng = np.random.default_rng(4)
    y = rng.normal(size=(12, 9)) + rng.normal(0.0, 0.8, size=(12, 1))
    above = 9 * y.mean(axis=1).var(ddof=1)
    inside = y.var(axis=1, ddof=1).mean()
    fit = random_intercepts(y.ravel(), np.empty((y.size, 0)), np.repeat(np.arange(12), 9))
    assert fit is not None
    assert (fit.between, fit.within) == pytest.approx(((above - inside) / 9, inside), rel=1e-5)
    assert fit.low < fit.share < fit.high
    shrunk = fit.between / (fit.between + fit.within / 9)
    assert fit.effects == pytest.approx(shrunk * (y.mean(axis=1) - y.mean()))
    # Shrinkage leaves this much of the variance between groups, and the mean of all is estimated as well.
    left = fit.between * (1 - shrunk) + shrunk**2 * (fit.between + fit.within / 9) / 12
    assert fit.effect_errors == pytest.approx(np.full(12, np.sqrt(left)), rel=1e-5)


@pytest.mark.parametrize("between", [0.03, 0.4])
def test_unequal_groups_with_a_covariate_agree_with_statsmodels(between: float) -> None:
    from statsmodels.api import MixedLM, add_constant

    y, x, group = nested(1, 25, 20, between)
    fit, theirs = random_intercepts(y, x, group), MixedLM(y, add_constant(x), group).fit(reml=True, gtol=1e-8)
    assert fit is not None
    assert fit.between == pytest.approx(theirs.cov_re[0, 0], abs=1e-4)
    assert fit.within == pytest.approx(theirs.scale, abs=1e-4)
    assert fit.slopes[0] == pytest.approx(theirs.fe_params[1], abs=1e-6)
    assert fit.slope_errors[0] == pytest.approx(theirs.bse_fe[1], rel=5e-3)  # theirs count the search for the share in
    same = (group[:, None] == group).astype(float)
    inverse = np.linalg.inv(fit.between * same + fit.within * np.eye(group.size))
    fixed = np.linalg.inv(add_constant(x).T @ inverse @ add_constant(x))
    assert fit.slope_errors[0] == pytest.approx(np.sqrt(fixed[1, 1]), rel=1e-8)
    left = inverse - inverse @ add_constant(x) @ fixed @ add_constant(x).T @ inverse
    of = (group == np.arange(25)[:, None]).astype(float)
    assert fit.effect_errors**2 == pytest.approx(fit.between - fit.between**2 * np.diag(of @ left @ of.T), rel=1e-6)
    assert fit.effects == pytest.approx([float(theirs.random_effects[k].iloc[0]) for k in range(25)], abs=1e-4)


def test_no_difference_between_groups_is_a_share_of_zero_without_a_warning() -> None:
    y = np.tile([-1.0, 0.0, 1.0, 2.0], 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = random_intercepts(y, np.empty((24, 0)), np.repeat(np.arange(6), 4))
    assert fit is not None
    assert (fit.share, fit.low, fit.between) == (0.0, 0.0, 0.0)
    assert 0.0 < fit.high < 0.3
    assert not fit.effects.any() and not fit.effect_errors.any()


def test_groups_that_hold_all_the_variance_are_a_share_of_one() -> None:
    fit = random_intercepts(np.repeat([1.0, 4.0, 2.0, 9.0], 5), np.empty((20, 0)), np.repeat(np.arange(4), 5))
    assert fit is not None
    assert fit.share > 0.99 and fit.high <= 1.0


def test_intervals_of_the_share_hold_it_as_often_as_they_say() -> None:
    true, held, n = 0.1, 0, 200
    for seed in range(n):
        fit = random_intercepts(*nested(seed, 30, 12, true / (1 - true)))
        assert fit is not None
        held += fit.low <= true <= fit.high
    assert 0.91 <= held / n <= 0.99


@pytest.mark.parametrize("y, x, group", [
    ([], np.empty((0, 1)), []),
    ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 1, 2, 2], [7] * 5),  # one group
    ([1.0, 2.0, 3.0, 4.0, 5.0], [1, 2, 1, 2, 2], [1, 2, 3, 4, 5]),  # nobody shares one
    ([1.0, 2.0, 4.0], [1, 3, 2], [1, 1, 2]),  # too few are left after the covariate
    ([2.0] * 5, [1, 2, 1, 2, 2], [1, 1, 2, 2, 2]),  # nothing varies
    ([1.0, 2.0, 3.0, 4.0, 5.0], [1] * 5, [1, 1, 2, 2, 2]),  # the covariate does not
])  # fmt: skip
def test_nothing_to_estimate_is_none(y: list[float], x: list[float], group: list[int]) -> None:
    assert random_intercepts(y, x, group) is None


def test_the_share_between_columns_is_that_of_the_variances_put_in() -> None:
    rng = np.random.default_rng(0)
    rows, intake = rng.normal(0.0, 3.0, (900, 1)), rng.normal(15.0, 5.0, 900)
    columns = rng.normal(0.0, 1.0, (1, 40))
    columns *= 1.0 / columns.std(ddof=1)
    y = 2.0 * intake[:, None] + rows + columns + rng.normal(0.0, 2.0, (900, 40))
    share, deviations = share_between_columns(y, intake)
    assert share == pytest.approx(1.0 / (1.0 + 9.0 + 4.0), rel=0.08)
    assert deviations == pytest.approx((columns - columns.mean())[0], abs=0.3)
    assert share_between_columns(y)[0] < 0.5 * share  # unadjusted, intake is in the total
    few = [share_between_columns(rng.normal(size=(8, 5)))[0] for _ in range(300)]
    assert abs(np.mean(few)) < 0.03  # corrected for few rows: no difference is none on average


# ------------------------------------------------------------------------------------------------ therapists of a clinic


def test_the_more_therapists_differ_the_larger_the_true_share(warmth: Run) -> None:
    for outcome in ("distress", "alliance"):
        usual, much = (therapist_effects(warmth, arm, outcome, most_clients=60) for arm in ("usual", "much"))
        assert usual is not None and much is not None
        assert 0.0 <= usual.true_share < 0.6 * much.true_share < 0.6
        assert much.low <= much.share <= much.high
        assert much.table["true"].mean() == pytest.approx(0.0, abs=1e-9)
        assert much.table["true"].std() > usual.table["true"].std()


def test_what_a_study_predicts_of_a_therapist_goes_with_the_truth(warmth: Run) -> None:
    found = therapist_effects(warmth, "much", "alliance", most_clients=60)
    assert found is not None
    table = found.table
    assert table["effect"].corr(table["true"]) > 0.5
    assert (table["low"] < table["effect"]).all() and (table["effect"] < table["high"]).all()
    rows = warmth.clients.query("arm == 'much' and ending in ['planned', 'improved', 'dropout']").dropna(subset="wai_client_3")
    sizes = rows.groupby("therapist").size()
    assert dict(zip(table["therapist"], table["clients"], strict=True)) == sizes[sizes >= 10].to_dict()
    assert (found.clients, found.therapists) == (table["clients"].sum(), len(table))
    least = int(sizes.sort_values().iloc[5])
    busy = therapist_effects(warmth, "much", "alliance", most_clients=60, least_clients=least)
    assert busy is not None and busy.therapists == (sizes >= least).sum() < len(sizes)


def test_warmer_therapists_have_better_outcomes_in_truth(warmth: Run) -> None:
    warm = warmth.therapists.query("arm == 'much' and week == 1").set_index("therapist")["warmth"]
    for outcome, sign in (("distress", -1), ("alliance", 1)):
        found = therapist_effects(warmth, "much", outcome, most_clients=60)
        assert found is not None
        assert sign * np.corrcoef(warm[found.table["therapist"]], found.table["true"])[0, 1] > 0.5


def test_everybody_meets_every_therapist_and_nobody_changes_for_another(warmth: Run) -> None:
    arm = warmth.scenario.arms[0]
    clients, staff = np.array([1, 4, 9]), np.array([6, 0, 11])
    values, intake = with_every_therapist(warmth, arm, 0, "distress", clients, staff)
    alone, mine = with_every_therapist(warmth, arm, 0, "distress", clients[1:2], staff[2:])
    assert values.shape == (3, 3) and np.isfinite(values).all()
    assert (alone[0, 0], mine[0]) == (values[1, 2], intake[1])
    assert np.ptp(values, axis=1).max() > 0  # who the therapist is matters


def test_therapists_are_held_as_they_started(warmth: Run) -> None:
    def wear_out(world: World, rows: np.ndarray) -> None:
        """Work costs therapists warmth."""
        world.therapists["warmth_trait"][world.therapist_of[rows]] -= 1.0

    worn = replace(warmth, model=warmth.model.insert(wear_out, after="leave"))
    clients, staff, arm = np.arange(5), np.arange(3), warmth.scenario.arms[0]
    values, again = (with_every_therapist(run, arm, 0, "distress", clients, staff)[0] for run in (warmth, worn))
    assert (values == again).all()


def test_everybody_stays_to_rate_the_early_alliance(warmth: Run) -> None:
    arm, who = warmth.scenario.arms[0], np.arange(20)
    leaving = arm.model_copy(update={"parameters": {**arm.parameters, "dropout_base": 4.0}})
    values, again = (with_every_therapist(warmth, one, 0, "alliance", who, who[:3])[0] for one in (arm, leaving))
    assert (values == again).all()
    after_one = with_every_therapist(warmth, leaving, 0, "distress", who, who[:3])[0]
    assert (after_one != with_every_therapist(warmth, arm, 0, "distress", who, who[:3])[0]).any()  # they would have left


@pytest.mark.parametrize("outcome, column", [("distress", "distress_end"), ("alliance", "wai_client_3")])
def test_a_course_in_a_world_of_its_own_is_the_one_in_the_clinic(outcome: str, column: str) -> None:
    clinic = {"therapists": 4, "capacity": 12, "arrivals_per_week": 30, "weeks": 10, "intake_weeks": 1, "leave_prob": 0}
    run = sim.run(small(clinic=clinic), seed=1)  # nobody waits or is away; therapists hardly change in so few weeks
    rows = run.clients.dropna(subset=column)
    values, intake = with_every_therapist(run, run.scenario.arms[0], 0, outcome, np.arange(len(run.clients)), np.arange(4))
    there = values[rows["client"], rows["therapist"].astype(int)]
    assert len(rows) > 20
    assert np.abs(there - rows[column]).mean() < 0.2 * rows[column].std()
    assert intake[rows["client"]] == pytest.approx(rows["distress_0"])


def test_without_therapists_or_with_too_few_clients_there_is_nothing_to_say(warmth: Run) -> None:
    assert therapist_effects(warmth, "no therapist") is None
    assert therapist_effects(warmth, "usual", least_clients=1000) is None
    one = sim.run(small(clinic=CLINIC | {"therapists": 1, "weeks": 12, "intake_weeks": 12}), seed=1)
    assert therapist_effects(one, one.scenario.arms[0].name, least_clients=2) is None
    nobody = sim.run(small(clinic=CLINIC | {"arrivals_per_week": 0, "weeks": 4, "intake_weeks": 4}), seed=1)
    assert therapist_effects(nobody, nobody.scenario.arms[0].name) is None
    spec = {"question": "?", "clients_per_arm": 24, "clients_per_therapist": 12, "sessions": 3, "exchanges": 5}
    pairs = sim.from_spec(spec, "pairs")  # no clinic
    assert therapist_effects(sim.run(pairs, seed=1), pairs.arms[0].name, least_clients=2) is None
    with pytest.raises(ValueError, match="no outcome 'wealth'"):
        therapist_effects(warmth, "usual", "wealth")
    with pytest.raises(sim.ScenarioError, match="no arm 'unusual'"):
        therapist_effects(warmth, "unusual")


def test_a_run_gives_the_same_answer_twice_and_keeps_it(warmth: Run) -> None:
    first = therapist_effects(warmth, "usual", most_clients=20)
    assert therapist_effects(warmth, "usual", most_clients=20) is first and first is not None
    tables = {name: getattr(warmth, name) for name in ("clients", "sessions", "assessments", "exchanges", "therapists", "clinic")}
    again = therapist_effects(Run(warmth.scenario, warmth.seed, **tables), "usual", most_clients=20)
    assert again is not None and again is not first
    pd.testing.assert_frame_equal(again.table, first.table)
    assert {**asdict(again), "table": 0} == {**asdict(first), "table": 0}


def test_of_a_run_whose_model_is_lost_the_truth_is_not_told(warmth: Run) -> None:
    tables = {name: getattr(warmth, name) for name in ("clients", "sessions", "assessments", "exchanges", "therapists", "clinic")}
    found = therapist_effects(Run(warmth.scenario, warmth.seed, **tables, made_with={"parameters": {"x": 1}}), "usual")
    assert found is not None and found.share >= 0.0
    assert np.isnan(found.true_share) and found.table["true"].isna().all()


def test_several_replicates_give_an_interval_over_replicates_within_bounds(trial: Run) -> None:
    found = therapist_effects(trial, "none", most_clients=10, most_therapists=3, least_clients=5)
    assert found is not None
    parts = []
    for replicate in (0, 1):
        rows = trial.clients.query("arm == 'none' and ending in ['planned', 'improved', 'dropout']")
        rows = rows[rows["replicate"] == replicate]
        rows = rows[rows.groupby("therapist")["client"].transform("size") >= 5]
        fit = random_intercepts(rows["distress_end"], rows["distress_0"], rows["therapist"].astype(int))
        assert fit is not None
        parts.append(fit.share)
    assert found.share == pytest.approx(np.mean(parts))
    assert 0.0 <= found.low <= found.share <= found.high <= 1.0
    assert found.table["true"].notna().sum() == 3


# ----------------------------------------------------------------------------------------------------------- the trial


def made_up_trial(seed: int, effect: float, between: float) -> tuple[np.ndarray, ...]:
    """Values, trained, intake and therapist of a made-up trial with this effect and variance between therapists."""
    y, intake, therapist = nested(seed, 20, 15, between)
    trained = np.random.default_rng([seed, 1]).permutation(np.arange(20) % 2)[therapist]
    return y + effect * trained, trained, intake, therapist


def test_the_effect_of_a_trial_and_its_errors_agree_with_statsmodels() -> None:
    from scipy import stats
    from statsmodels.api import OLS, MixedLM, add_constant

    y, trained, intake, therapist = made_up_trial(3, 0.7, 0.3)
    x = add_constant(np.column_stack([trained, intake]))
    found = nested_estimate(y, trained, intake, therapist, outcome="distress_end")
    mixed, naive = MixedLM(y, x, therapist).fit(reml=True, gtol=1e-8), OLS(y, x).fit()
    assert found is not None and (found["therapists"], found["clients"]) == (20, y.size)
    assert found["estimate"] == pytest.approx(mixed.fe_params[1], abs=1e-4)
    assert (found["high"] - found["low"]) / 2 == pytest.approx(stats.t.ppf(0.975, 18) * mixed.bse_fe[1], rel=5e-3)
    assert found["p"] == pytest.approx(2 * stats.t.sf(abs(mixed.fe_params[1] / mixed.bse_fe[1]), 18), rel=2e-2)
    assert [found["naive_low"], found["naive_high"]] == pytest.approx(naive.conf_int()[1].tolist())
    sizes = np.bincount(therapist)
    assert found["design_effect"] == pytest.approx(1 + ((sizes**2).sum() / sizes.sum() - 1) * found["icc"])


def test_taking_clients_for_independent_makes_intervals_too_narrow() -> None:
    n, held, naive = 300, 0, 0
    for seed in range(n):
        found = nested_estimate(*made_up_trial(seed, -0.4, 0.15))
        assert found is not None
        held += found["low"] <= -0.4 <= found["high"]
        naive += found["naive_low"] <= -0.4 <= found["naive_high"]
    assert 0.92 <= held / n <= 0.985
    assert naive / n < 0.85


def test_intervals_of_a_share_hold_it_too() -> None:
    n, held, naive = 300, 0, 0
    for seed in range(n):
        score, trained, intake, therapist = made_up_trial(seed, 0.0, 0.15)
        level = (score - 4.0 - 0.5 * intake) / np.sqrt(1.15)
        found = nested_estimate(level > 0.7, trained, intake, therapist, outcome="dropout")
        assert found is not None
        held += found["low"] <= 0.0 <= found["high"]
        naive += found["naive_low"] <= 0.0 <= found["naive_high"]
    assert 0.91 <= held / n <= 0.985
    assert naive < held - 10


def test_a_trial_without_two_sides_or_enough_therapists_has_no_estimate() -> None:
    y, trained, intake, therapist = made_up_trial(0, 0.5, 0.2)
    assert nested_estimate(y, np.ones(y.size), intake, therapist) is None
    two = np.isin(therapist, (therapist[trained == 0][0], therapist[trained == 1][0]))
    assert nested_estimate(y[two], trained[two], intake[two], therapist[two]) is None
    assert nested_estimate([], [], [], []) is None
    assert nested_estimate(y, trained, np.full(y.size, 9.0), therapist) is not None  # nothing to adjust for


def test_the_arms_of_a_trial_are_known_by_what_they_do() -> None:
    shipped = sim.load("scenarios/supervision_trial.yaml")
    assert trial_arms(shipped) == ("trial", "nobody", "everybody")
    clinic = CLINIC | {"training": ["regular_supervision"]}
    part, every = {"clinic": {"trained_share": 0.3}}, {"clinic": {"trained_share": 1}}
    assert trial_arms(small(clinic=clinic, arms={"a": every, "b": part})) == ("b", None, "a")
    fewer = {"clinic": {"training": [], "capacity": 5}}  # nobody trained, but another service
    assert trial_arms(small(clinic=clinic, arms={"a": fewer, "b": part})) == ("b", None, None)
    late = {"clinic": {"trained_share": 1, "training_from": 9}}  # everybody, but later
    assert trial_arms(small(clinic=clinic, arms={"a": late, "b": part})) == ("b", None, None)
    assert trial_arms(small(clinic=clinic, arms={"a": every})) is None
    assert trial_arms(small(arms={"a": part})) is None  # a proportion of no training
    assert trial_arms(sim.load("scenarios/hello.yaml")) is None


def test_who_counts_in_a_trial(trial: Run) -> None:
    counted = counted_clients(trial, "some", 3)
    rows = trial.clients.query("arm == 'some' and begin_week >= 3 and ending in ['planned', 'improved', 'dropout']")
    assert counted[["replicate", "client"]].to_numpy().tolist() == rows[["replicate", "client"]].to_numpy().tolist()
    assert counted["wai_client"].tolist() == rows["wai_client_last"].tolist()
    assert counted["dropout"].mean() == (rows["ending"] == "dropout").mean() > 0
    assert (counted_clients(trial, "some", 1)["begin_week"] < 3).any()


def test_who_changes_therapist_counts_with_the_first() -> None:
    clinic = CLINIC | {"turnover": True, "weeks": 30, "intake_weeks": 30, "vacant_weeks": 1}
    run = sim.run(small(clinic=clinic, parameters={"quitting_base": -4.0}), seed=2)
    rows = run.clients.dropna(subset=["therapist"]).sort_values(["client", "course"])
    moved = rows[rows.duplicated("client", keep=False)]
    last = moved.drop_duplicates("client", keep="last").set_index("client")
    counted = counted_clients(run, run.scenario.arms[0].name, 1).set_index("client")
    both = last.index[last["ending"].isin(["planned", "improved", "dropout"])]
    first = moved.drop_duplicates("client").set_index("client")
    assert len(both) > 5
    assert (counted.loc[both, "therapist"] == first.loc[both, "therapist"].astype(int)).all()
    assert (counted.loc[both, "distress_0"] == first.loc[both, "distress_0"]).all()
    assert (counted.loc[both, "distress_end"] == last.loc[both, "distress_end"]).all()
    everybody = rows.drop_duplicates("client", keep="last").set_index("client")["ending"]
    assert {"censored", "dropout"} <= {*everybody}
    assert counted.index.equals(everybody.index[everybody.isin(["planned", "improved", "dropout"])])


def test_a_trial_is_analysed_per_replicate_and_outcome(trial: Run) -> None:
    found = trial_estimates(trial)
    assert found[["replicate", "outcome"]].to_numpy().tolist() == [
        [k, outcome] for k in (0, 1) for outcome in ("distress_end", "wai_client", "dropout")
    ]
    rows = counted_clients(trial, "some", 3).query("replicate == 1")
    drawn = trial.therapists.query("arm == 'some' and replicate == 1 and week == 40 and supervised")["therapist"]
    assert drawn.nunique() == 4
    one = nested_estimate(rows["distress_end"], rows["therapist"].isin(drawn), rows["distress_0"], rows["therapist"])
    assert one is not None and found["estimate"][3] == one["estimate"] and found["p"][3] == one["p"]
    pd.testing.assert_frame_equal(found, trial_estimates(trial))


def test_training_helps_in_truth(trial: Run) -> None:
    found = true_effects(trial).set_index("outcome")
    assert found.loc["distress_end", "effect"] < 0 < found.loc["wai_client", "effect"]
    assert (found["replicates"] == 2).all() and (found["trials"] == 2).all()
    assert found["coverage"].between(0, 1).all() and found["power"].between(0, 1).all()
    arms = [counted_clients(trial, arm, 3).set_index(["replicate", "client"])["wai_client"] for arm in ("all", "none")]
    by_hand = (arms[0] - arms[1]).dropna().groupby("replicate").mean()
    assert found.loc["wai_client", "effect"] == pytest.approx(by_hand.mean())
    estimates = trial_estimates(trial).query("outcome == 'wai_client'")
    inside = (estimates["low"] <= by_hand.mean()) & (by_hand.mean() <= estimates["high"])
    assert found.loc["wai_client", "coverage"] == inside.mean()


def test_without_a_trial_there_are_no_estimates(warmth: Run) -> None:
    assert trial_estimates(warmth).empty and true_effects(warmth).empty
    clinic = CLINIC | {"weeks": 12, "intake_weeks": 6, "training": ["regular_supervision"], "trained_share": 0.5}
    alone = sim.run(small(clinic=clinic), seed=1)
    truth = true_effects(alone)
    assert truth["effect"].isna().all() and truth["coverage"].isna().all() and (truth["trials"] == 1).all()
