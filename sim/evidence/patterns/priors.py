"""Where simulated populations start, seen through the questionnaires, beside what was published. Nothing is required of these."""

from __future__ import annotations

import pandas as pd

from sim.evidence.patterns.pooling import Simulated, grouped_correlations, pooled_parts, studies
from sim.theory.styles import STYLE_CUT, share

SAMPLE = 2000  # people of a sample


def reliability(community: pd.DataFrame, name: str) -> Simulated:
    """Two forms of an ECR scale filled in on one day."""
    cut = studies(community, SAMPLE)
    return pooled_parts(pd.DataFrame({"alpha": grouped_correlations(cut[name], cut[f"{name}_again"], cut["study"])["r"]}))


def distribution(community: pd.DataFrame, name: str) -> Simulated:
    """An ECR scale as a proportion of the range."""
    cut = studies(community, SAMPLE)
    by = pd.Series(share(cut[name])).groupby(cut["study"].to_numpy())
    return pooled_parts(pd.DataFrame({"mean": by.mean(), "sd": by.std()}))


def anxiety_with_avoidance(community: pd.DataFrame) -> Simulated:
    """The two ECR scales with each other."""
    cut = studies(community, SAMPLE)
    return pooled_parts(pd.DataFrame({"r": grouped_correlations(cut["anxiety"], cut["avoidance"], cut["study"])["r"]}))


def reported_ruptures(ratings: pd.DataFrame) -> Simulated:
    """Proportion of sessions of which clients report a rupture."""
    cut = studies(ratings, 100)
    return pooled_parts(pd.DataFrame({"share": cut.groupby("study")["ruptures_client_reported"].mean()}))


def community_styles(community: pd.DataFrame) -> Simulated:
    """Proportions of secure, avoidant and anxious people by ECR scores."""
    cut = studies(community, SAMPLE).dropna(subset=["anxiety", "avoidance"])
    secure = (cut["anxiety"] < STYLE_CUT) & (cut["avoidance"] < STYLE_CUT)
    avoidant = ~secure & (cut["avoidance"] >= cut["anxiety"])
    kinds = pd.DataFrame({"secure": secure, "avoidant": avoidant, "anxious": ~secure & ~avoidant}).astype(float)
    return pooled_parts(kinds.groupby(cut["study"]).mean())


def community_means(community: pd.DataFrame) -> Simulated:
    """Means and SD of both ECR scales."""
    by = studies(community, SAMPLE).groupby("study")[["anxiety", "avoidance"]]
    return pooled_parts(pd.concat([by.mean(), by.std().add_suffix("_sd")], axis=1))


def _therapists(courses: pd.DataFrame) -> pd.DataFrame:
    """One row a therapist: the ECR filled in at the first client's intake, and in which setting."""
    return courses.drop_duplicates(["setting", "therapist"])[["setting", "therapist_anxiety_0", "therapist_avoidance_0"]]


def secure_therapists(courses: pd.DataFrame) -> Simulated:
    """Proportion of therapists with both scores below the middle of the scale; samples are settings."""
    one = _therapists(courses).dropna()
    secure = (one["therapist_anxiety_0"] < STYLE_CUT) & (one["therapist_avoidance_0"] < STYLE_CUT)
    return pooled_parts(pd.DataFrame({"secure": secure.astype(float).groupby(one["setting"]).mean()}))


def therapist_means(courses: pd.DataFrame) -> Simulated:
    """Therapists' means of both ECR scales; samples are settings."""
    means = _therapists(courses).groupby("setting").mean()
    return pooled_parts(pd.DataFrame({name: means[f"therapist_{name}_0"] for name in ("anxiety", "avoidance")}))
