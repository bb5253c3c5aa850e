"""A trial of supervision or training, analysed as a real one would be, beside the true effect that no trial can see.

Therapists are drawn by lot, their clients are nested in them: the analysis says so (random intercept per therapist), and its
naive twin takes clients for independent. The truth is the same clinic with nobody and with everybody trained.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.evidence.therapist_effects import ENDED, random_intercepts
from sim.measures.intervals import mean_interval
from sim.scenario.arms import differ_only_in
from sim.simulation.tables import Run

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm, Scenario

#: Outcome -> what it is. Lower is better but for the alliance.
OUTCOMES = {
    "distress_end": "CORE-OM 0-40 at the end, of dropouts the last rating",
    "wai_client": "WAI 1-7 as the client rates it after the last session",
    "dropout": "proportion of courses that end against plan",
}


def trial_arms(of: Run | Scenario) -> tuple[str, str | None, str | None] | None:
    """Names of (the trial, the same with nobody trained, the same with everybody trained), read off how the arms are run.

    A trial trains some of the therapists, by lot. The other two must differ from it in the training alone; None for one that
    is not there. None without a trial.
    """
    scenario = of.scenario if isinstance(of, Run) else of
    arms = [arm for arm in scenario.arms if arm.clinic is not None and arm.therapist is not None]
    trial = next((arm for arm in arms if 0.0 < _trained(arm) < 1.0), None)
    if trial is None:
        return None
    nobody = next((arm for arm in arms if _trained(arm) == 0.0 and _same_service(arm, trial)), None)
    everybody = next((arm for arm in arms if _trained(arm) == 1.0 and _same_service(arm, trial, and_training=True)), None)
    return trial.name, nobody.name if nobody else None, everybody.name if everybody else None


def _trained(arm: Arm) -> float:
    return arm.clinic.trained_share if arm.clinic is not None and arm.clinic.training else 0.0


def _same_service(arm: Arm, trial: Arm, *, and_training: bool = False) -> bool:
    """Whether two arms differ in nothing but how many are trained (and, if that is free, in which programmes and when)."""
    free = {"trained_share"} if and_training else {"trained_share", "training", "training_from"}
    assert arm.clinic is not None and trial.clinic is not None
    plans = [plan.model_dump(exclude=free) for plan in (arm.clinic, trial.clinic)]
    return differ_only_in(arm, trial, "clinic") and plans[0] == plans[1]


#: Columns of what trials find, a row a replicate and outcome; see ``nested_estimate``.
COLUMNS = ("outcome", "replicate", "estimate", "low", "high", "p", "naive_low", "naive_high", "naive_p", "icc", "design_effect",
           "therapists", "clients")  # fmt: skip


def nested_estimate(values: Any, trained: Any, intake: Any, therapist: Any, *, outcome: str = "") -> dict[str, float] | None:
    """Effect of a treatment given to therapists on their clients' ``values``, adjusted for ``intake``; one entry a client.

    ``estimate``, clients of trained minus clients of untrained therapists, with its 95 % interval ``low``, ``high`` and ``p``,
    respects that clients are nested in therapists; ``naive_low``, ``naive_high`` and ``naive_p`` ignore it. ``icc``: proportion
    of the variance left over that lies between therapists; ``design_effect``: by how much that raises the variance of the effect,
    for caseloads of these sizes. ``therapists`` and ``clients``: who was counted.

    Measured outcomes: mixed model with a random intercept per therapist, by REML. Outcomes of 0 and 1 (``dropout``): linear
    probability model with errors robust to clustering (CR1), since their variance changes with their mean; an effect is then
    a difference of shares. Both with a t reference of therapists - 2 degrees of freedom, as therapists were drawn. None where
    there is nothing to estimate: fewer than three therapists, or two without anybody on one side.
    """
    from scipy import stats
    from statsmodels.regression.linear_model import OLS

    y, group = np.asarray(values, float), np.asarray(therapist)
    x = np.column_stack([np.asarray(trained, float), np.asarray(intake, float)])
    if not y.size:
        return None
    x = x if np.ptp(x[:, 1]) > 0 else x[:, :1]  # of an intake that is the same for all there is nothing to adjust
    fit = random_intercepts(y, x, group)
    if fit is None or fit.groups.size < 3:
        return None
    least_squares = OLS(y, np.column_stack([x, np.ones(y.size)]))
    naive = least_squares.fit()
    estimate, error = float(fit.slopes[0]), float(fit.slope_errors[0])
    if outcome == "dropout":  # of 0 and 1
        clusters = np.unique(group, return_inverse=True)[1]
        robust = least_squares.fit(cov_type="cluster", cov_kwds={"groups": clusters}, use_t=True)
        estimate, error = float(robust.params[0]), float(robust.bse[0])
    if not error > 0.0:
        return None
    freedom = fit.groups.size - 2
    half = float(stats.t.ppf(0.975, freedom)) * error
    naive_low, naive_high = (float(end) for end in naive.conf_int()[0])
    caseload = float((fit.sizes**2).sum() / fit.sizes.sum())  # of the average client, so that unequal caseloads count
    return {
        "estimate": estimate, "low": estimate - half, "high": estimate + half,
        "p": float(2.0 * stats.t.sf(abs(estimate) / error, freedom)), "naive_low": naive_low, "naive_high": naive_high,
        "naive_p": float(naive.pvalues[0]), "icc": fit.share, "design_effect": 1.0 + (caseload - 1.0) * fit.share,
        "therapists": fit.groups.size, "clients": y.size,
    }  # fmt: skip


def counted_clients(run: Run, arm: str, from_week: int) -> pd.DataFrame:
    """Who counts in an arm, one row a client: those whose first course began in ``from_week`` or later and whose last has ended.

    Intention to treat: ``therapist`` is that of the first course, whoever finished it. Dropouts count with their last rating, and
    who gave up between two therapists as one of them. Who is still in therapy, or between two therapists, at the end of the
    simulation is not counted. Also with ``replicate``,
    ``client``, ``begin_week``, ``distress_0`` (of the first course) and the outcomes.
    """
    table = run.clients
    rows = table[(table["arm"] == arm) & table["therapist"].notna()].sort_values(["replicate", "client", "course"])
    who = ["replicate", "client"]
    first = rows.drop_duplicates(who)[[*who, "therapist", "begin_week", "distress_0"]].astype({"therapist": "int64"})
    last = rows.drop_duplicates(who, keep="last")
    gave_up = last["gave_up_between"].fillna(0) > 0
    last = last.assign(dropout=((last["ending"] == "dropout") | gave_up).astype(float), over=last["ending"].isin(ENDED) | gave_up)
    last = last.rename(columns={"wai_client_last": "wai_client"})[[*who, "over", *OUTCOMES]]
    both = first.merge(last, on=who)
    return both[both["over"] & (both["begin_week"] >= from_week)].reset_index(drop=True)


def trial_estimates(run: Run) -> pd.DataFrame:
    """What the trial of a run finds, one row per replicate and outcome (``COLUMNS``). Empty without a trial.

    Counted are clients whose therapy began in the week in which training began, or later (``counted_clients``); who begins
    early sees therapists who have learned only part, as in real trials, so that estimate and truth are of that mixture. Of
    each replicate the therapists' own records say who was drawn. A replicate in which nothing can be estimated has no row.
    """
    arms, found = trial_arms(run), []
    if arms is not None:
        clients = counted_clients(run, arms[0], _from_week(run, arms[0]))
        rows = run.therapists[run.therapists["arm"] == arms[0]]  # in post when training goes on means trained
        drawn = rows.groupby(["replicate", "therapist"])["supervised"].any()
        whose = pd.MultiIndex.from_frame(clients[["replicate", "therapist"]])
        clients["trained"] = drawn.reindex(whose, fill_value=False).to_numpy().astype(float)
        for (replicate, here), outcome in product(clients.groupby("replicate"), OUTCOMES):
            rows = here.dropna(subset=[outcome, "distress_0"])
            one = nested_estimate(rows[outcome], rows["trained"], rows["distress_0"], rows["therapist"], outcome=outcome)
            found += [] if one is None else [{"outcome": outcome, "replicate": replicate, **one}]
    return pd.DataFrame(found, columns=list(COLUMNS))


def _from_week(run: Run, arm: str) -> int:
    return next(one.clinic.training_from for one in run.scenario.arms if one.name == arm and one.clinic is not None)


def true_effects(run: Run) -> pd.DataFrame:
    """The true effect of training everybody, per outcome, and how often trials like this one would have found it.

    ``effect``: with everybody trained minus with nobody trained, of the same clients with common random numbers (those who count
    in both arms), mean over replicates with its 95 % t interval ``low``, ``high``; missing with one replicate or without the two
    arms. ``trials``: how many there were; ``mean_estimate``: what they found on average; ``power``: proportion of them with p
    below 0.05; ``coverage``: proportion of their intervals with ``effect`` inside; ``naive_power`` and ``naive_coverage``: the
    same of the analysis that takes clients for independent. Empty without a trial.
    """
    arms, rows = trial_arms(run), []
    if arms is not None:
        estimates, apart = trial_estimates(run), pd.DataFrame(columns=[*OUTCOMES], dtype=float)
        trial, nobody, everybody = arms
        if nobody is not None and everybody is not None:  # over the same clients, in each replicate
            who, week = ["replicate", "client"], _from_week(run, trial)
            trained, untrained = (counted_clients(run, arm, week).set_index(who)[[*OUTCOMES]] for arm in (everybody, nobody))
            both = trained.index.intersection(untrained.index)
            apart = (trained.loc[both] - untrained.loc[both]).groupby(level="replicate").mean()
        for outcome in OUTCOMES:
            truth, one = mean_interval(apart[outcome]), estimates[estimates["outcome"] == outcome]
            row = {"outcome": outcome, "effect": truth["mean"], "low": truth["low"], "high": truth["high"],
                   "replicates": truth["n"], "trials": len(one), "mean_estimate": one["estimate"].mean()}  # fmt: skip
            for which in ("", "naive_"):
                inside = one[f"{which}low"].le(truth["mean"]) & one[f"{which}high"].ge(truth["mean"])
                row[f"{which}power"] = float((one[f"{which}p"] < 0.05).mean())
                row[f"{which}coverage"] = float("nan") if np.isnan(truth["mean"]) else float(inside.mean())
            rows.append(row)
    return pd.DataFrame(rows, columns=["outcome", "effect", "low", "high", "replicates", "trials", "mean_estimate", "power",
                                       "coverage", "naive_power", "naive_coverage"])  # fmt: skip
