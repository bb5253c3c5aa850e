"""What the simulated studies find for the patterns with a value: one function a pattern, from tables to one pooled number.

A function's arguments are tables of ``studies.Studies`` (by name). Everything is read off questionnaires, but for the true
scores of row 10.2. Sizes of studies, raters and times are said in ``patterns.yaml`` under ``design``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sim.evidence.patterns.pooling import (
    Simulated,
    each_study,
    few_per_therapist,
    grouped_correlations,
    pooled,
    pooled_correlation,
    slopes,
    standardised,
    stratified_error,
    studies,
)
from sim.evidence.patterns.studies import EARLY, SETTINGS, TIMES
from sim.evidence.therapist_effects import random_intercepts
from sim.measures.persons import RELIABLE_CHANGE

#: Columns by which a study may have rated what it rated; studies take turns.
ALLIANCE = tuple(f"wai_{rater}_{time}" for time in TIMES for rater in ("client", "client", "therapist", "client"))
EMPATHY = tuple(
    f"empathy_{rater}_{time}" for time in TIMES for rater in ("client", "observer", "client", "therapist", "client", "observer")
)
GOOD_CASELOAD, THERAPISTS = 10, 40  # of studies of therapists
OF_A_THERAPIST = 3  # clients of one therapist in a study of two people's ratings
SESSIONS_IN_TURN = (EARLY, EARLY + 1, EARLY + 2, EARLY + 3)  # of a study of dependability
_STAYED = ("planned", "improved")
_CASELOADS = np.array([setting.caseload for setting in SETTINGS])


def _mixed(cut: pd.DataFrame, columns: str | Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of each row what its study measured, and which that was: studies take turns (of one rating: early, middle)."""
    columns = (f"{columns}_early", f"{columns}_middle") if isinstance(columns, str) else columns
    turn = (cut["place"] % len(columns)).to_numpy()
    return np.choose(turn, [cut[name].to_numpy(float) for name in columns]), turn


def _correlated(cut: pd.DataFrame, x: np.ndarray, y: np.ndarray, turn: np.ndarray | int = 0) -> Simulated:
    """Correlation in every study, pooled; strata are settings and turns."""
    found = grouped_correlations(x, y, cut["study"])
    stratum = pd.Series(cut["setting"].to_numpy() * 100 + turn).groupby(cut["study"].to_numpy()).first()
    return pooled_correlation(found["r"], found["n"], stratum.reindex(found.index))


def attachment_alliance_r(courses: pd.DataFrame, dimension: str) -> Simulated:
    """Attachment anxiety or avoidance at intake with an alliance rating."""
    cut = studies(courses, 50)
    rated, turn = _mixed(cut, "wai_client")
    return _correlated(cut, cut[f"client_{dimension}_0"].to_numpy(), rated, turn)


def outcome_r(courses: pd.DataFrame, size: int, columns: Sequence[str]) -> Simulated:
    """Rated empathy or alliance with the state at the end (less distress is better), in studies of this size."""
    cut = studies(courses, size)
    rated, turn = _mixed(cut, columns)
    return _correlated(cut, rated, -cut["distress_end"].to_numpy(), turn)


def perceived_empathy_alliance_r(courses: pd.DataFrame) -> Simulated:
    """Empathy as the client rates it with the client's alliance rating of the same session."""
    cut = studies(courses, 60)
    empathy, turn = _mixed(cut, "empathy_client")
    return _correlated(cut, empathy, _mixed(cut, "wai_client")[0], turn)


def therapist_studies(courses: pd.DataFrame) -> pd.DataFrame:
    """Courses of settings with caseloads of 10 and more, cut into studies of 40 therapists."""
    caseload = _CASELOADS[courses["setting"].to_numpy()]
    parts = [studies(courses[caseload == size], int(size) * THERAPISTS) for size in np.unique(caseload) if size >= GOOD_CASELOAD]
    return pd.concat(parts) if parts else studies(courses.iloc[:0], 1)


def therapist_shares(courses: pd.DataFrame, outcome: str, adjusted_for: Sequence[str]) -> pd.DataFrame:
    """Proportion of ``outcome`` that lies between therapists in every study (REML), with its ``setting``."""

    def share(one: pd.DataFrame) -> tuple[float]:
        fit = random_intercepts(one[outcome], one[list(adjusted_for)], one["therapist"])
        return (np.nan if fit is None else fit.share,)

    return each_study(therapist_studies(courses).dropna(subset=[outcome, *adjusted_for]), ["share"], share)


def therapist_share_outcome(courses: pd.DataFrame) -> Simulated:
    """Proportion of the outcome, adjusted for intake, that lies between therapists."""
    found = therapist_shares(courses, "distress_end", ["distress_0"])
    return pooled(found["share"], found["setting"])


def dependability(ratings: np.ndarray, therapist: np.ndarray) -> float:
    """How far one rating says what a client's level is: variance of clients within therapists, over that plus the remainder.

    ``ratings`` (clients, sessions) without missing values, ``therapist`` (clients). From mean squares; sessions may differ in
    their mean.
    """
    clients, sessions = ratings.shape
    labels, group = np.unique(therapist, return_inverse=True)
    if clients - labels.size < 2 or sessions < 2:
        return float("nan")
    level = ratings.mean(axis=1)
    left = ratings - level[:, None] - ratings.mean(axis=0) + ratings.mean()
    remainder = float((left**2).sum()) / ((clients - 1) * (sessions - 1))
    own = level - (np.bincount(group, level) / np.bincount(group))[group]
    between = max(0.0, float((own**2).sum()) / (clients - labels.size) - remainder / sessions)
    return between / (between + remainder) if between + remainder > 0.0 else float("nan")


def alliance_dependability(ratings: pd.DataFrame) -> Simulated:
    """Generalizability of one client-rated alliance, for clients within therapists."""
    rows = ratings[ratings["session"].isin(SESSIONS_IN_TURN)]
    wide = rows.pivot(index=["setting", "therapist", "client"], columns="session", values="wai_client").dropna().reset_index()
    first = wide[wide.groupby(["setting", "therapist"]).cumcount() < 5]
    first = first[first.groupby(["setting", "therapist"])["client"].transform("size") == 5]
    place = first.groupby("setting")["therapist"].transform(lambda one: one.rank(method="dense") - 1).astype(int)
    values, strata = [], []
    for (setting, _), one in first.groupby([first["setting"], place // 9]):
        if one["therapist"].nunique() == 9:
            values.append(dependability(one[list(SESSIONS_IN_TURN)].to_numpy(float), one["therapist"].to_numpy()))
            strata.append(setting)
    return pooled(values, strata)


def untreated_attachment_r(community: pd.DataFrame) -> Simulated:
    """True attachment today with six weeks later, mean of both dimensions."""
    cut = studies(community, 200)
    found = [
        grouped_correlations(cut[f"{name}_true"], cut[f"{name}_true_later"], cut["study"]) for name in ("anxiety", "avoidance")
    ]
    most = 1.0 - 1e-9  # where nothing moves at all the correlation is 1
    both = np.tanh(np.mean([np.arctanh(np.clip(one["r"].to_numpy(), -most, most)) for one in found], axis=0))
    return pooled_correlation(both, found[0]["n"], np.zeros(both.size))


def dropout_share(courses: pd.DataFrame) -> Simulated:
    """Proportion of courses begun that end against plan."""
    cut = studies(courses, 125)
    return _mean_of_studies(cut, (cut["ending"] == "dropout").to_numpy(float))


def reliable_deterioration(courses: pd.DataFrame) -> Simulated:
    """Proportion of those who began who are reliably worse at the end."""
    cut = studies(courses.dropna(subset=["distress_0", "distress_end"]), 150)
    return _mean_of_studies(cut, (cut["distress_end"] - cut["distress_0"] >= RELIABLE_CHANGE).to_numpy(float))


def _mean_of_studies(cut: pd.DataFrame, values: np.ndarray) -> Simulated:
    by = cut.assign(value=values).groupby("study").agg(value=("value", "mean"), setting=("setting", "first"))
    return pooled(by["value"], by["setting"])


def standardised_difference(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Mean of ``a`` minus mean of ``b`` over the pooled SD, and its sampling variance; missing below five values in either."""
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    n, m = a.size, b.size
    if min(n, m) < 5:
        return float("nan"), float("nan")
    sd = np.sqrt(((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / (n + m - 2))
    d = float((a.mean() - b.mean()) / sd) if sd > 0.0 else float("nan")
    return d, (n + m) / (n * m) + d * d / (2.0 * (n + m))


def completers_minus_dropouts_d(courses: pd.DataFrame) -> Simulated:
    """Early alliance of those who stayed minus those who left."""

    def difference(one: pd.DataFrame) -> tuple[float, float]:
        rated, left, stayed = one["wai_client_early"].to_numpy(float), one["ending"] == "dropout", one["ending"].isin(_STAYED)
        return standardised_difference(rated[stayed.to_numpy()], rated[left.to_numpy()])

    found = each_study(studies(courses, 120), ["d", "sampling"], difference)
    return pooled(found["d"], found["setting"], found["sampling"])


def prepost_d(courses: pd.DataFrame) -> Simulated:
    """Distress at intake minus at the end, over the SD at intake."""
    cut = studies(courses.dropna(subset=["distress_0", "distress_end"]), 150)
    by = cut.groupby("study").agg(
        before=("distress_0", "mean"), sd=("distress_0", "std"), after=("distress_end", "mean"), setting=("setting", "first")
    )
    return pooled((by["before"] - by["after"]) / by["sd"], by["setting"])


def client_therapist_alliance_r(courses: pd.DataFrame) -> Simulated:
    """The two people's alliance ratings of one session, across pairs."""
    cut = studies(few_per_therapist(courses, OF_A_THERAPIST), 60)
    client, turn = _mixed(cut, "wai_client")
    return _correlated(cut, client, _mixed(cut, "wai_therapist")[0], turn)


def client_minus_therapist_d(courses: pd.DataFrame) -> Simulated:
    """How far clients rate the alliance above their therapists. The sampling variance counts that the ratings are paired."""
    cut = studies(few_per_therapist(courses, OF_A_THERAPIST), 60)
    client, turn = _mixed(cut, "wai_client")
    therapist = _mixed(cut, "wai_therapist")[0]

    def difference(one: pd.DataFrame) -> tuple[float, float, int]:
        c, t = one["c"].to_numpy(), one["t"].to_numpy()
        d, _ = standardised_difference(c, t)
        r = np.corrcoef(c, t)[0, 1] if c.size > 4 else np.nan
        return d, 2.0 * (1.0 - r) / c.size + d * d / (4.0 * c.size), one["turn"].iloc[0]

    rated = cut.assign(c=client, t=therapist, turn=turn).dropna(subset=["c", "t"])
    found = each_study(rated, ["d", "sampling", "turn"], difference)
    return pooled(found["d"], found["setting"] * 100 + found["turn"], found["sampling"])


def community_distress_r(community: pd.DataFrame, dimension: str) -> Simulated:
    """Attachment anxiety or avoidance with distress in the community."""
    cut = studies(community, 325)
    return _correlated(cut, cut[dimension].to_numpy(), cut["distress"].to_numpy())


def current_alliance(courses: pd.DataFrame, rater: str, what: str) -> Simulated:
    """Where raters put the alliance on the scale's range (``mean``) or how far they differ (``std``), of pairs still meeting.

    In studies of 36."""
    rows = courses.dropna(subset=[f"wai_{rater}_current"])
    share = (rows[f"wai_{rater}_current"] - 1.0) / 6.0
    by = share.groupby([rows["setting"], rows.groupby("setting").cumcount() // 36]).agg([what, "size"])
    by = by[by["size"] == 36].reset_index()
    return pooled(by[what], by["setting"])


STYLES, DEFENCES = ["secure", "preoccupied", "dismissing", "fearful"], ["immature", "neurotic"]


def style_effects(one: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
    """Of one sample: standardised effects of the four style ratings on distress, in all and with defences held, and R2."""
    z = standardised(one[["distress", *STYLES, *DEFENCES]].dropna())
    total = slopes(z["distress"], z[STYLES])
    every = slopes(z["distress"], z[[*STYLES, *DEFENCES]])
    left = z["distress"] - z[[*STYLES, *DEFENCES]].to_numpy() @ every
    return total, every[: len(STYLES)], 1.0 - float((left**2).sum() / (z["distress"] ** 2).sum())


def distress_from_styles_and_defences(community: pd.DataFrame) -> Simulated:
    """Proportion of the variance of distress that styles and defences explain."""
    found = each_study(studies(community, 1129), ["r2"], lambda one: style_effects(one)[2:])
    return pooled(found["r2"], found["setting"])


def mediated_share(community: pd.DataFrame) -> Simulated:
    """Proportion of what fearful and preoccupied styles do to distress that defences carry; a ratio of means over samples."""
    both = [STYLES.index("fearful"), STYLES.index("preoccupied")]

    def effects(one: pd.DataFrame) -> tuple[float, float]:
        total, direct, _ = style_effects(one)
        return total[both].sum(), (total - direct)[both].sum()

    found = each_study(studies(community, 1129), ["whole", "carried"], effects)
    if found.empty:
        return Simulated(float("nan"), float("nan"), 0)
    whole, carried = found["whole"].to_numpy(), found["carried"].to_numpy()
    value = float(carried.mean() / whole.mean())
    return Simulated(value, stratified_error((carried - value * whole) / whole.mean(), np.zeros(whole.size)), whole.size)
