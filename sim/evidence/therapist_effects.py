"""How much of outcome and alliance lies between therapists: what a study would estimate, and what is true here.

A study fits a random-intercept model to the clients whom each therapist happened to see. Here every therapist can also
treat the same clients, in worlds side by side, so that the share is known and not estimated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sim.engine.asking import core_om
from sim.errors import UsageError
from sim.luck import pair, person
from sim.measures.intervals import mean_interval
from sim.people.state import Columns
from sim.scenario.arms import chosen_arm
from sim.simulation.build import build_clinic
from sim.simulation.machine import cores
from sim.therapy.clinic.foresight import without_questionnaires
from sim.therapy.course import at_end
from sim.therapy.endings import CENSORED, IN_THERAPY
from sim.therapy.interventions import Intervening
from sim.therapy.session import World, hold, meet_first
from sim.therapy.weeks import Weeks, clients_live

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm
    from sim.simulation.tables import Run
    from sim.therapy.clinic.week import Clinic

#: Courses that are over; not those handed over to another therapist or still under way.
ENDED = ("planned", "improved", "dropout")
#: Outcome -> (column of the client table, columns it is adjusted for).
OUTCOMES = {"distress": ("distress_end", ("distress_0",)), "alliance": ("wai_client_3", ())}
EARLY = 3  # the session after which the early alliance is rated
_MOST = 0.9999  # no share nearer to one is looked for
_CHI2 = 3.841458820694124  # 95 % point of chi square with one degree of freedom


@dataclass(frozen=True)
class RandomIntercepts:
    """A random-intercept model as fitted by REML. One entry a group in ``groups``, ``sizes``, ``effects``, ``effect_errors``.

    ``share``: variance between groups as a proportion of all that the covariates leave (intraclass correlation), with its 95 %
    interval by profile likelihood; ``between`` and ``within``: the two variances; ``slopes`` of the covariates with their
    standard errors; ``effects``: best linear unbiased predictions, with the standard errors of prediction.
    """

    share: float
    low: float
    high: float
    between: float
    within: float
    slopes: np.ndarray
    slope_errors: np.ndarray
    groups: np.ndarray
    sizes: np.ndarray
    effects: np.ndarray
    effect_errors: np.ndarray


def random_intercepts(values: Any, covariates: Any, groups: Any) -> RandomIntercepts | None:
    """REML fit of ``values`` (n) on ``covariates`` (n, k; a constant is added), with a random intercept per group (labels, n).

    Exact: given the share, everything else has a closed form in sums per group, so one number is searched for. A share of
    zero, at the boundary, is a result like any other. None where there is nothing to estimate: fewer than two groups, no
    group of two, no values left over after the covariates, or a covariate that does not vary.
    """
    y = np.asarray(values, float)
    x = np.asarray(covariates, float)
    x = x.reshape(y.size, -1) if x.size else np.empty((y.size, 0))
    labels, group = np.unique(np.asarray(groups), return_inverse=True)
    sizes = np.bincount(group, minlength=labels.size).astype(float)
    p = x.shape[1] + 1
    if labels.size < 2 or sizes.max() < 2 or y.size - p < 2:
        return None
    # Centred, so that sums of squares lose no digits.
    data = np.column_stack([np.ones(y.size), x - x.mean(axis=0), y - y.mean()])
    sums = np.column_stack([np.bincount(group, weights=column, minlength=labels.size) for column in data.T])
    products = data.T @ data
    least = 1e-12 * products[p, p]
    if least == 0.0 or np.linalg.matrix_rank(data[:, :p]) < p:
        return None

    def moments(share: float) -> tuple[np.ndarray, np.ndarray, float]:
        """Weights of the groups' sums, weighted cross products, and the weighted sum of squares left over."""
        ratio = share / (1.0 - share)
        weights = ratio / (1.0 + sizes * ratio)
        m = products - (sums * weights[:, None]).T @ sums
        left = m[p, p] - m[p, :p] @ np.linalg.solve(m[:p, :p], m[:p, p])
        return weights, m, max(float(left), least)

    def deviance(share: float) -> float:
        _, m, left = moments(share)
        ratio = share / (1.0 - share)
        return float(np.log1p(sizes * ratio).sum() + np.linalg.slogdet(m[:p, :p])[1] + (y.size - p) * np.log(left))

    share, low, high = _most_likely(deviance)
    weights, m, left = moments(share)
    inverse = np.linalg.inv(m[:p, :p])
    slopes = inverse @ m[:p, p]
    within = left / (y.size - p)
    between = within * share / (1.0 - share)
    ratio = share / (1.0 - share)
    effects = weights * (sums[:, p] - sums[:, :p] @ slopes)
    # Error of prediction: what shrinkage leaves, and that the fixed part is estimated too.
    spread = np.einsum("ij,jk,ik->i", sums[:, :p], inverse, sums[:, :p])
    errors = np.sqrt(np.maximum(within * (ratio - ratio * sizes * weights + weights**2 * spread), 0.0))
    return RandomIntercepts(
        share, low, high, between, within, slopes[1:], np.sqrt(within * np.diag(inverse))[1:], labels, sizes.astype(np.int64),
        effects, errors,
    )  # fmt: skip


def _most_likely(deviance: Callable[[float], float]) -> tuple[float, float, float]:
    """The share with the lowest deviance, and the ends of its 95 % interval by profile likelihood."""
    from scipy.optimize import brentq, minimize_scalar

    grid = np.concatenate([[0.0], np.geomspace(1e-4, 0.5, 24), np.linspace(0.55, _MOST, 10)])
    values = np.array([deviance(float(share)) for share in grid])
    best = int(np.argmin(values))
    ends = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, grid.size - 1)])
    found = minimize_scalar(deviance, bounds=ends, method="bounded", options={"xatol": 1e-10})
    share, least = (float(found.x), float(found.fun)) if found.fun < values[0] - 1e-9 else (0.0, float(values[0]))

    def beyond(at: float) -> float:
        return deviance(at) - least - _CHI2

    low = float(brentq(beyond, 0.0, share)) if share > 0.0 and beyond(0.0) > 0.0 else 0.0
    high = float(brentq(beyond, share, _MOST)) if beyond(_MOST) > 0.0 else 1.0
    return share, low, high


# ------------------------------------------------------------------------------------------------- the same clients for all


def with_every_therapist(
    run: Run, arm: Arm, replicate: int, outcome: str, clients: np.ndarray, therapists: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """What these clients (numbers) would rate with each of these therapists: (clients, therapists); and their intake distress.

    Each pair has a course in a world of its own, as the clients came and as the therapists were when they started (without later
    fatigue or training), held so; no waiting, no leave. Random numbers are counter-based: a client has common random numbers with
    everyone, a pair its own, and every questionnaire comes back whole. For ``alliance`` nobody leaves before the third session,
    so that everybody has rated it."""
    plan = arm.clinic
    assert plan is not None
    # The clinic before its first week, with the clients up to the last of these: of many thousands, few are needed.
    rows = run.clients[(run.clients["arm"] == arm.name) & (run.clients["replicate"] == replicate)]
    weeks = int(rows.loc[rows["client"] == clients.max(), "arrival_week"].iloc[0])
    short = arm.model_copy(update={"clinic": plan.model_copy(update={"intake_weeks": weeks})})
    clinic = build_clinic(run.scenario, short, replicate, run.seed, run.model)
    w = _every_pair(clinic, arm, clients, therapists)
    held, early = w.therapists.data.copy(), outcome == "alliance"
    session = clinic.session if early else without_questionnaires(clinic.session)
    shape = (clients.size, therapists.size)
    kept: dict[str, np.ndarray] = defaultdict(lambda: np.full(len(w.dyads), np.nan))
    w.week = 1
    meet_first(w, np.arange(len(w.dyads)))
    first = np.arange(clients.size) * therapists.size  # one row a client: they all came alike
    distress_0 = core_om(w.clients.rows(first), w.asked("client", first), "begin")

    def meet(_: Weeks) -> None:
        if (w.week - 1) % plan.session_every:
            return
        going = np.flatnonzero(w.ending == IN_THERAPY)
        hold(w, going, session)
        if early:
            w.ending[:] = IN_THERAPY
            kept["wai_client"] = w.ratings["wai_client"].copy()
        else:
            at_end(w, going[w.ending[going] != IN_THERAPY], kept)
        w.therapists.data[:] = held

    under_way, w.week = Weeks(w, (meet, clients_live)), 0
    while w.week < (EARLY if early else arm.sessions) * plan.session_every and (w.ending == IN_THERAPY).any():
        under_way.live_a_week()
    if early:
        return kept["wai_client"].reshape(shape), distress_0
    at_end(w, np.flatnonzero(w.ending == IN_THERAPY), kept, CENSORED)
    return kept["distress_end"].reshape(shape), distress_0


def _every_pair(clinic: Clinic, arm: Arm, clients: np.ndarray, therapists: np.ndarray) -> World:
    """One dyad, with copies of both people, for each client with each therapist."""
    there = clinic.world
    people, codes = clinic.draw_therapists(therapists)
    client, therapist = np.repeat(clients, therapists.size), np.tile(np.arange(therapists.size), clients.size)
    rows, client_code = np.arange(client.size), person("client", client)
    w = World(
        luck=there.luck, parameters=there.parameters.but(missing_item_prob=0.0, missing_form_prob=0.0),
        clients=there.clients.rows(client),
        therapists=people.rows(therapist),
        dyads=Columns(there.dyads.declared, rows.size), client_code=client_code, therapist_code=codes[therapist],
        client_of=rows, therapist_of=rows, pair_code=pair(client_code, codes[therapist]),
        planned_sessions=np.full(rows.size, there.planned_weeks), n_exchanges=there.n_exchanges,
        planned_weeks=there.planned_weeks, strengths=there.strengths, exchange_steps=there.exchange_steps, engine=there.engine,
    )  # fmt: skip
    if arm.interventions:
        w.intervention = Intervening(arm.interventions, w.exchange_steps, w.parameters, w.dyads, w.n_exchanges)
    w.trace = np.zeros((0, *there.trace.shape[1:]))
    return w


def share_between_columns(values: Any, covariate: Any = None) -> tuple[float, np.ndarray]:
    """Variance between columns as a proportion of all within and between, and each column's deviation from their mean.

    ``values`` (rows, columns), complete: every row (client) met every column (therapist). The variance between columns is
    what is left of that of their means once the share that is due to a finite number of rows is taken off (two-way analysis
    of variance), so it may come out below zero. ``covariate`` (rows): values are adjusted for it first. NaN where nothing varies.
    """
    y = np.asarray(values, float)
    n, m = y.shape
    deviations = y.mean(axis=0) - y.mean()
    if n < 3 or m < 2:
        return float("nan"), deviations
    of_rows = y.mean(axis=1) - y.mean()
    rest = y - y.mean() - of_rows[:, None] - deviations[None, :]
    freedom = n - 1
    if covariate is not None and np.ptp(covariate) > 0:
        x = np.asarray(covariate, float) - np.mean(covariate)
        of_rows = of_rows - x * (x @ of_rows) / (x @ x)
        freedom -= 1
    noise = float((rest**2).sum()) / ((n - 1) * (m - 1))
    between = float((deviations**2).sum()) / (m - 1) - noise / n
    rows = float((of_rows**2).sum()) / freedom - noise / m
    everything = between + max(rows, 0.0) + noise
    return (between / everything if everything > 0 else float("nan")), deviations


# ------------------------------------------------------------------------------------------------------ both side by side


@dataclass(frozen=True)
class TherapistEffects:
    """How much of an outcome lies between the therapists of an arm, as estimated and in truth; see ``therapist_effects``.

    ``share`` with ``low`` and ``high``: the studies' estimate; ``true_share``: what the simulation knows (NaN where it cannot
    be found out: a run read back that had a model of its own). ``clients`` and ``therapists``: those counted, all replicates
    together. ``table``: of the first replicate, one row a therapist: ``therapist``, ``clients``, ``effect`` (predicted
    deviation from the mean therapist, in points of the questionnaire) with its 95 % interval ``low``, ``high``, and ``true``
    (deviation with the same clients for everybody; missing for those left out when there are many).
    """

    arm: str
    outcome: str
    share: float
    low: float
    high: float
    true_share: float
    clients: int
    therapists: int
    table: pd.DataFrame


def therapist_effects(
    run: Run, arm: str, outcome: str = "distress", *, least_clients: int = 10, most_therapists: int = 60, most_clients: int = 160
) -> TherapistEffects | None:
    """Proportion of an outcome's variance that lies between the therapists of a clinic's arm: estimated, and true.

    ``distress``: CORE-OM at the end (0-40, lower is better) adjusted for CORE-OM at the beginning of the course.
    ``alliance``: WAI as the client rates it after the third session (1-7), unadjusted: early, as in most studies, before
    outcome can colour it. Counted are all courses that have ended, dropouts with their last rating included; not those
    handed over or still under way; of therapists with ``least_clients`` and more of them.

    The estimate is the variance between therapists over that and the residual one, by REML in each replicate, and the mean of
    replicates. Its 95 % interval comes from the spread over replicates (t), with one replicate from the profile likelihood.

    The true share: of those therapists (at most ``most_therapists``, evenly over the list), each treats the same clients,
    those ``most_clients`` who came first and had a course (``with_every_therapist``); variance of the therapists' means,
    corrected for the finite number of clients, over it and the variance of the same adjusted ratings within therapists.
    It is of therapists as they started, so what training adds, and that some tire more than others, is in the estimate only.

    None where there is nothing to estimate: no clinic, no therapists, fewer than two with enough clients. Raises
    ``UsageError`` for an unknown outcome, ``ScenarioError`` for an unknown arm. Asked twice, a run answers from memory.
    """
    if outcome not in OUTCOMES:
        raise UsageError(f"no outcome '{outcome}'; known: {', '.join(OUTCOMES)}")
    kept = run.__dict__.setdefault("_therapist_effects", {})  # lives and goes with the run
    key = (arm, outcome, least_clients, most_therapists, most_clients)
    if key not in kept:
        kept[key] = _found(run, chosen_arm(run.scenario, arm, 0), outcome, least_clients, most_therapists, most_clients)
    return kept[key]


def _found(run: Run, arm: Arm, outcome: str, least: int, most_therapists: int, most_clients: int) -> TherapistEffects | None:
    if arm.clinic is None:
        return None
    column, covariates = OUTCOMES[outcome]
    columns = ["replicate", "client", "therapist", column, *covariates]
    counted = run.clients.loc[(run.clients["arm"] == arm.name) & run.clients["ending"].isin(ENDED), columns]
    counted = counted.dropna().astype({"therapist": "int64"})
    counted = counted[counted.groupby(["replicate", "therapist"])["client"].transform("size") >= least]
    every = {
        int(str(replicate)): random_intercepts(rows[column], rows[list(covariates)], rows["therapist"])
        for replicate, rows in counted.groupby("replicate")
    }
    fits = {replicate: fit for replicate, fit in every.items() if fit is not None}
    if not fits:
        return None
    truths = _truths(run, arm, outcome, {k: fit.groups for k, fit in fits.items()}, most_therapists, most_clients)
    first, fit = next(iter(fits.items()))
    share, low, high = fit.share, fit.low, fit.high
    if len(fits) > 1:
        over = mean_interval([one.share for one in fits.values()])
        share, low, high = over["mean"], max(over["low"], 0.0), min(over["high"], 1.0)
    true_share = max(float(np.mean([truth for truth, _ in truths.values()])), 0.0) if truths else np.nan
    half, true = 1.959963984540054 * fit.effect_errors, truths[first][1] if truths else {}
    table = pd.DataFrame({
        "therapist": fit.groups, "clients": fit.sizes, "effect": fit.effects, "low": fit.effects - half,
        "high": fit.effects + half, "true": [true.get(int(number), np.nan) for number in fit.groups],
    })  # fmt: skip
    clients, therapists = sum(int(one.sizes.sum()) for one in fits.values()), sum(one.groups.size for one in fits.values())
    return TherapistEffects(arm.name, outcome, share, low, high, true_share, clients, therapists, table)


def _truths(
    run: Run, arm: Arm, outcome: str, therapists: dict[int, np.ndarray], most_therapists: int, most_clients: int
) -> dict[int, tuple[float, dict[int, float]]]:
    """By replicate: the true share, and each therapist's deviation; nothing where the run's model is not at hand."""
    if run.own_model and not run.model.own:
        return {}

    def truth(replicate: int) -> tuple[float, dict[int, float]]:
        here = (run.clients["arm"] == arm.name) & (run.clients["replicate"] == replicate) & run.clients["therapist"].notna()
        clients = np.unique(run.clients.loc[here, "client"].to_numpy(np.int64))[:most_clients]
        everybody = therapists[replicate].astype(np.int64)
        chosen = everybody[np.linspace(0, everybody.size - 1, min(everybody.size, most_therapists)).round().astype(int)]
        values, distress_0 = with_every_therapist(run, arm, replicate, outcome, clients, chosen)
        share, deviations = share_between_columns(values, distress_0 if OUTCOMES[outcome][1] else None)
        return share, dict(zip(chosen.tolist(), deviations.tolist(), strict=True))

    with ThreadPoolExecutor(max_workers=cores()) as pool:
        return dict(zip(therapists, pool.map(truth, therapists), strict=True))
