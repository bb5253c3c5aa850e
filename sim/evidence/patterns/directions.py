"""What the simulated studies find for the patterns that say which way something goes, and for the contested ones.

One function a pattern, from tables of ``studies.Studies`` (its arguments, by name) to named parts, each with its 95 % interval
over studies. What stands in for an instrument that is missing is said in ``patterns.yaml`` under ``design``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from sim.evidence.patterns.pooling import Simulated, each_study, grouped_correlations, pooled_parts, slopes, standardised, studies
from sim.evidence.patterns.studies import EARLY, SETTINGS
from sim.evidence.patterns.values import STYLES, style_effects, therapist_shares, therapist_studies
from sim.measurement.instruments import CATS
from sim.theory.styles import HIGHEST, LOWEST, STYLE_CUT

SERIES = 16  # sessions of a series, of whoever had as many
LATE, QUARTER, HALF_YEAR = 52, 13, 26  # weeks
_PLANNED = np.array([setting.sessions for setting in SETTINGS])
_LARGE = 400  # people of a study of two people's styles: only the sign is looked at, so that small ones would only add noise


def styles_and_distress(community: pd.DataFrame) -> Simulated:
    """Standardised effect of each style's rating on distress."""
    return pooled_parts(each_study(studies(community, 1129), STYLES, lambda one: style_effects(one)[0])[STYLES])


def attachment_to_therapist(ratings: pd.DataFrame) -> Simulated:
    """Attachment to the therapist (CATS) with the alliance of the same session."""
    cut = studies(ratings[ratings["session"] == EARLY], 60)
    found = {name: grouped_correlations(cut[f"cats_{name}"], cut["wai_client"], cut["study"])["r"] for name in CATS}
    return pooled_parts(pd.DataFrame(found))


def _detrended(series: np.ndarray) -> np.ndarray:
    """Each row's deviations from its own straight line."""
    time = np.arange(series.shape[1]) - (series.shape[1] - 1) / 2.0
    off = series - series.mean(axis=1, keepdims=True)
    return off - np.outer(off @ time / (time @ time), time)


def _lag_one(series: np.ndarray) -> float:
    """Regression of deviations from one's own line on those of the session before."""
    off = _detrended(series)
    return float((off[:, 1:] * off[:, :-1]).sum() / (off[:, :-1] ** 2).sum())


def _expected_lag_one(sessions: int, carried: np.ndarray) -> np.ndarray:
    """What ``_lag_one`` of many people tends to, where a share ``carried`` of a deviation carries over (first order)."""
    lines = _detrended(np.eye(sessions))
    gap = np.abs(np.subtract.outer(np.arange(sessions), np.arange(sessions)))
    found = []
    for share in carried:
        moments = lines @ (np.sign(share) ** gap * np.abs(share) ** gap if share else gap == 0) @ lines
        found.append(np.trace(moments[1:, :-1]) / np.trace(moments[:-1, :-1]))
    return np.array(found)


def carry_over(series: np.ndarray) -> float:
    """How far a good or bad session carries over to the next, of ``series`` (people, sessions).

    One's own line is estimated from a short series, which biases the plain regression downward (to about -2 over the number of
    sessions where nothing carries over). So the share is looked up that would give what is seen.
    """
    shares = np.linspace(-0.9, 0.95, 186)
    return float(np.interp(_lag_one(series), _expected_lag_one(series.shape[1], shares), shares))


def alliance_series(ratings: pd.DataFrame) -> Simulated:
    """Growth, variability around one's own line, and carry-over of both people's alliance ratings."""
    first = ratings[(ratings["session"] <= SERIES) & (_PLANNED[ratings["setting"].to_numpy()] >= SERIES)]
    parts: dict[str, list[float]] = {}
    for rater in ("client", "therapist"):
        wide = first.pivot(index=["setting", "client"], columns="session", values=f"wai_{rater}").dropna().reset_index()
        time = np.arange(1, wide.shape[1] - 1, dtype=float)
        for _, one in studies(wide, 236).groupby("study"):
            series = one[list(range(1, len(time) + 1))].to_numpy(float)
            centred = time - time.mean()
            left = _detrended(series)
            for name, value in (
                ("growth", float((series @ centred).mean() / (centred @ centred))),
                ("variability", float(np.sqrt((left**2).sum(axis=1) / (len(time) - 2)).mean())),
                ("carry_over", carry_over(series)),
            ):
                parts.setdefault(f"{rater}_{name}", []).append(value)
    return pooled_parts(pd.DataFrame(parts))


def attachment_change(courses: pd.DataFrame) -> Simulated:
    """Change of attachment from intake to the end, of those who stayed, in SD at intake."""
    cut = studies(courses[courses["ending"].isin(["planned", "improved"])], 60)
    scales = pd.DataFrame({"study": cut["study"]})
    for when in ("0", "end"):
        anxiety, avoidance = (cut[f"client_{name}_{when}"] for name in ("anxiety", "avoidance"))
        scales[f"anxiety_{when}"], scales[f"avoidance_{when}"] = anxiety, avoidance
        scales[f"security_{when}"] = LOWEST + HIGHEST - (anxiety + avoidance) / 2.0  # on the same scale, reversed
    by = scales.groupby("study")
    means, sds = by.mean(), by.std()
    names = ("security", "anxiety", "avoidance")
    return pooled_parts(pd.DataFrame({name: (means[f"{name}_end"] - means[f"{name}_0"]) / sds[f"{name}_0"] for name in names}))


def clinical_minus_community(courses: pd.DataFrame, community: pd.DataFrame) -> Simulated:
    """Attachment of a clinic's clients at intake minus that of the community, in SD of the community."""
    rows = []
    healthy = [one for _, one in studies(community, 2508).groupby("study")]
    clinical = [one for _, one in studies(courses, 495).groupby("study")]
    for a, b in zip(clinical[:: max(len(clinical) // max(len(healthy), 1), 1)], healthy, strict=False):
        rows.append({name: (a[f"client_{name}_0"].mean() - b[name].mean()) / b[name].std() for name in ("anxiety", "avoidance")})
    return pooled_parts(pd.DataFrame(rows, columns=["anxiety", "avoidance"]))


def affect_labelling(spoken: pd.DataFrame) -> Simulated:
    """What saying more of what one feels does to limbic and ventrolateral activity, and how the two changes go together."""
    cut = studies(spoken, 30)
    by = cut.groupby("study")
    together = grouped_correlations(cut["limbic"], cut["ventrolateral"], cut["study"])["r"]
    means = {"amygdala": by["limbic"].mean(), "ventrolateral": by["ventrolateral"].mean()}
    return pooled_parts(pd.DataFrame({**means, "both": together}))


def empathy_and_expressivity(courses: pd.DataFrame, ratings: pd.DataFrame) -> Simulated:
    """Accuracy on the therapist's trait, for more and less expressive clients, and the difference of the slopes."""
    third = ratings.loc[ratings["session"] == EARLY, ["setting", "client", "expression", "tracking_accuracy"]]
    cut = studies(third.merge(courses[["setting", "client", "therapist_avoidance_0"]], on=["setting", "client"]), 300)

    def found(one: pd.DataFrame) -> list[float]:
        trait = standardised(one[["therapist_avoidance_0"]]) * -1.0
        much = (one["expression"] >= one["expression"].median()).to_numpy()
        return [float(slopes(one["tracking_accuracy"][who], trait[who])[0]) for who in (much, ~much)]

    table = each_study(cut, ["expressive", "reserved"], found).drop(columns="setting")
    return pooled_parts(table.assign(difference=table["expressive"] - table["reserved"]))


def fatigue_and_empathy(practice: Mapping[str, pd.DataFrame]) -> Simulated:
    """Across a clinic's therapists: fatigue with empathy as they rate it themselves, both over half a year."""
    who = ["replicate", "therapist"]
    tables = []
    for name, column in (("therapists", "fatigue"), ("sessions", "empathy_therapist")):
        rows = practice[name]
        rows = rows[(rows["arm"] == "usual") & rows["week"].between(HALF_YEAR, 2 * HALF_YEAR)]
        tables.append(rows.groupby(who)[column].mean())
    both = pd.concat(tables, axis=1).dropna().reset_index()
    return pooled_parts(
        pd.DataFrame({"empathy": grouped_correlations(both["fatigue"], both["empathy_therapist"], both["replicate"])["r"]})
    )


def attachment_and_fatigue(practice: Mapping[str, pd.DataFrame]) -> Simulated:
    """Therapists' ECR at their clients' intakes in the first quarter, with fatigue a year on; each with the other held."""
    who = ["replicate", "therapist"]
    clients, weeks = practice["clients"], practice["therapists"]
    clients = clients[(clients["arm"] == "usual") & (clients["begin_week"] <= QUARTER)]
    asked = clients.groupby(who)[["therapist_anxiety_0", "therapist_avoidance_0"]].mean()
    later = weeks[(weeks["arm"] == "usual") & (weeks["week"] > LATE)].groupby(who)["fatigue"].mean()
    rows = []
    for _, one in asked.join(later, how="inner").dropna().astype(float).groupby(level="replicate"):
        z = standardised(one)
        rows.append(slopes(z["fatigue"], z[list(asked)]))
    return pooled_parts(pd.DataFrame(rows, columns=["anxiety", "avoidance"]))


def supervision(practice: Mapping[str, pd.DataFrame]) -> Simulated:
    """Clinics in supervision minus the same clinics without, of courses begun after half a year of it."""
    clients = practice["clients"]
    begun = clients[(clients["begin_week"] > HALF_YEAR) & clients["ending"].isin(["planned", "improved", "dropout"])]
    first = practice["sessions"][practice["sessions"]["session"] == 1]
    key = ["arm", "replicate", "client"]
    every = begun.merge(first[[*key, "wai_client"]], on=key)
    means = (
        every.assign(improvement=every["distress_0"] - every["distress_end"], staying=(every["ending"] != "dropout") * 1.0)
        .rename(columns={"wai_client": "first_alliance"})
        .groupby(["arm", "replicate"], observed=True)[["first_alliance", "improvement", "staying"]]
        .mean()
    )
    supervised, usual = (means.xs(arm, level="arm") for arm in ("supervised", "usual"))
    return pooled_parts(pd.DataFrame(supervised - usual))


def rupture_and_style(courses: pd.DataFrame, ratings: pd.DataFrame) -> Simulated:
    """Secure minus insecure clients: how often an observer reports a rupture, and what they then say of their experience."""
    asked = courses.dropna(subset=["client_anxiety_0", "client_avoidance_0"])
    style = asked[["setting", "client"]].assign(
        secure=(asked["client_anxiety_0"] < STYLE_CUT) & (asked["client_avoidance_0"] < STYLE_CUT)
    )
    both = ratings[["setting", "client", "ruptures_observer_reported", "disclosure"]].merge(style, on=["setting", "client"])
    cut = studies(both, 250)
    keys = ["study", "secure"]
    kinds = [False, True]  # a study may have no rupture of one kind of client, or no client of one kind
    often = cut.groupby(keys)["ruptures_observer_reported"].mean().unstack().reindex(columns=kinds)
    said = cut[cut["ruptures_observer_reported"] == 1].groupby(keys)["disclosure"].mean().unstack().reindex(columns=kinds)
    return pooled_parts(pd.DataFrame({"occurrence": often[True] - often[False], "disclosure": said[True] - said[False]}))


def style_interaction(courses: pd.DataFrame, client: str, therapist: Mapping[str, float]) -> Simulated:
    """Effect of the product of two people's scores on the early alliance, main effects held, in SD; ``therapist``: weights."""
    scores = pd.DataFrame({
        "study": studies(courses, _LARGE)["study"], "setting": courses["setting"],
        "c": courses[f"client_{client}_0"],
        "t": sum(weight * courses[f"therapist_{name}_0"] for name, weight in therapist.items()),
        "wai": courses["wai_client_early"],
    }).dropna()  # fmt: skip

    def product(one: pd.DataFrame) -> np.ndarray:
        z = standardised(one[["c", "t", "wai"]])
        return slopes(z["wai"], z[["c", "t"]].assign(product=z["c"] * z["t"]))[2:]

    return pooled_parts(each_study(scores, ["interaction"], product)[["interaction"]])


def within_and_between(courses: pd.DataFrame) -> Simulated:
    """How much better the alliance predicts improvement within caseloads than between therapists."""

    def both(one: pd.DataFrame) -> np.ndarray:
        rated = one["wai_client_early"] / one["wai_client_early"].std()
        mean = rated.groupby(one["therapist"]).transform("mean")
        return slopes(one["distress_0"] - one["distress_end"], np.column_stack([rated - mean, mean]))

    cut = therapist_studies(courses).dropna(subset=["wai_client_early", "distress_end"])
    found = each_study(cut, ["within", "between"], both).drop(columns="setting")
    return pooled_parts(found.assign(within_minus_between=found["within"] - found["between"]))


def therapist_share_alliance(courses: pd.DataFrame, raters: Sequence[str]) -> Simulated:
    """Proportion of the alliance that lies between therapists, by rater."""
    found = {f"{rater}_rated_share": therapist_shares(courses, f"wai_{rater}_last", [])["share"] for rater in raters}
    return pooled_parts(pd.DataFrame(found))
