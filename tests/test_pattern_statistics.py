"""Every pattern's statistic on a small table whose answer is known, and the pooling beneath them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from sim.evidence.patterns import directions, priors, values
from sim.evidence.patterns.pooling import (
    Simulated,
    grouped_correlations,
    pooled,
    pooled_correlation,
    slopes,
    stratified_error,
    studies,
)
from sim.evidence.patterns.studies import SETTINGS, TIMES
from sim.evidence.patterns.validation import STATISTICS

OUTPATIENT = next(i for i, one in enumerate(SETTINGS) if one.caseload == 12)  # sixteen sessions, caseload of 12
SHARED = np.random.default_rng(7)


def circle(n: int, turns: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two series of n that are exactly uncorrelated, have mean 0 and the same spread."""
    angle = 2.0 * np.pi * turns * np.arange(n) / n
    return np.cos(angle), np.sin(angle)


def correlated(n: int, r: float, times: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Two series that correlate exactly r in every stretch of n."""
    a, b = circle(n)
    return np.tile(a, times), np.tile(r * a + np.sqrt(1.0 - r * r) * b, times)


def people(n: int, setting: int = 0, **columns: object) -> pd.DataFrame:
    """Clients of one setting, each with a therapist of their own."""
    return pd.DataFrame({"setting": np.full(n, setting), "client": np.arange(n), "therapist": np.arange(n), **columns})


# ------------------------------------------------------------------------------------------------------- pooling


def test_studies_are_whole_stretches_of_a_setting() -> None:
    """Two settings of 29 make two studies of 10 each; the nine left over, and studies that are nearly empty, stay out."""
    table = pd.concat([people(29, 0), people(29, 3)])
    cut = studies(table, 10)
    assert cut.groupby("study").size().tolist() == [10, 10, 10, 10] and sorted(cut["place"].unique()) == [0, 1]
    gone = table[(table["setting"] == 0) | (table["client"] >= 7)]
    assert studies(gone, 10)["study"].nunique() == 3


def test_correlations_by_group() -> None:
    """As NumPy has them, one missing pair left out; too few are no study."""
    x, y, study = SHARED.normal(size=60), SHARED.normal(size=60), np.repeat([1, 2, 3], 20)
    x[3] = np.nan
    found = grouped_correlations(x[:45], y[:45], study[:45])
    assert found["n"].tolist() == [19, 20, 5] and np.isnan(found["r"].iloc[2])
    kept = np.arange(20) != 3
    assert found["r"].iloc[0] == pytest.approx(np.corrcoef(x[:20][kept], y[:20][kept])[0, 1])


def test_pooled_correlations() -> None:
    """Equal studies: their value, no error, no heterogeneity. Two kinds of studies: the spread comes back."""
    same = pooled_correlation([0.3] * 6, [50] * 6, [0] * 6)
    assert (same.value, same.error, same.tau, same.i2) == (pytest.approx(0.3), pytest.approx(0, abs=1e-12), 0.0, 0.0)
    few = pooled_correlation([0.5, 0.7], [50, 50], [0, 0])
    assert few.error == pytest.approx((np.arctanh(0.7) - np.arctanh(0.5)) / 2 * (1 - few.value**2))
    z = 0.3 + 0.2 * SHARED.normal(size=4000) + SHARED.normal(size=4000) / np.sqrt(97)
    mixed = pooled_correlation(np.tanh(z), np.full(4000, 100), np.zeros(4000))
    assert mixed.tau == pytest.approx(0.2, abs=0.01) and mixed.i2 == pytest.approx(0.04 / (0.04 + 1 / 97), abs=0.02)
    assert mixed.value == pytest.approx(np.tanh(0.3), abs=0.01)


def test_error_of_the_mean() -> None:
    """Within strata by hand; a stratum with one study takes the others' variance; without strata the usual formula."""
    x = np.array([1.0, 3.0, 10.0, 14.0])
    assert stratified_error(x, np.array([0, 0, 1, 1])) == pytest.approx(np.sqrt(2 * 2.0 + 2 * 8.0) / 4)
    assert stratified_error(np.append(x, 50.0), np.array([0, 0, 1, 1, 2])) == pytest.approx(np.sqrt(4.0 + 16.0 + 5.0) / 5)
    assert stratified_error(x, np.arange(4)) == pytest.approx(x.std(ddof=1) / 2)
    assert pooled([1.0, np.nan, 3.0], [0, 0, 0]).value == 2.0 and np.isnan(pooled([np.nan], [0]).value)


def test_slopes() -> None:
    x = SHARED.normal(size=(50, 2))
    assert slopes(1.0 + x @ np.array([0.5, -2.0]), x) == pytest.approx([0.5, -2.0])
    assert np.isnan(slopes(np.ones(50), np.zeros((50, 1)))).all()


# ----------------------------------------------------------------------------------------------------- correlations


def rated(x: str, ys: list[str], n: int, r: float) -> pd.DataFrame:
    """Twenty-four studies of n in which x correlates r with every column of ys."""
    a, b = correlated(n, r, 24)
    return people(24 * n, **{x: a}, **dict.fromkeys(ys, b))


def times(name: str, *which: str) -> list[str]:
    return [f"{name}_{time}" for time in which or TIMES]


WAI = [column for rater in ("client", "therapist") for column in times(f"wai_{rater}")]
EMPATHY = [column for rater in ("client", "observer", "therapist") for column in times(f"empathy_{rater}")]
CORRELATIONS = [
    (STATISTICS["1.1"], "client_anxiety_0", times("wai_client", "early", "middle"), 50, 0.25, 1),
    (STATISTICS["1.2"], "client_avoidance_0", times("wai_client", "early", "middle"), 50, -0.25, 1),
    (STATISTICS["4.1"], "distress_end", EMPATHY, 75, -0.4, -1),
    (STATISTICS["5.1"], "distress_end", WAI, 100, -0.4, -1),
]


@pytest.mark.parametrize(("function", "x", "ys", "n", "r", "sign"), CORRELATIONS)
def test_correlation_patterns(function: Callable[..., Simulated], x: str, ys: list[str], n: int, r: float, sign: int) -> None:
    """The correlation that every study has; less distress at the end counts as better."""
    found = function(rated(x, ys, n, r))
    assert found.value == pytest.approx(sign * r) and found.studies == 24 and found.error == pytest.approx(0, abs=1e-9)


def test_every_rater_and_time_is_used() -> None:
    """Where only one column of ratings goes with the outcome, its proportion of the studies shows it."""
    n = 100
    base = rated("distress_end", WAI, n, 0.0).iloc[: 16 * n]
    base["wai_therapist_last"] = -base["distress_end"] + 1e-3 * base["wai_client_last"]
    cut = studies(base, n)
    mixed, turn = values._mixed(cut, values.ALLIANCE)
    r = grouped_correlations(mixed, -cut["distress_end"], cut["study"])["r"]
    assert (r > 0.9).sum() == 1 and np.unique(turn).size == 16


def test_two_ratings_of_one_session() -> None:
    """Perceived empathy, and both people's alliance: early with early, middle with middle."""
    a, b = correlated(60, 0.5, 8)
    early = dict(zip(("empathy_client", "wai_client", "wai_therapist"), (a, b, a), strict=True))
    every = {f"{name}_{time}": sign * x for name, x in early.items() for time, sign in (("early", 1.0), ("middle", -1.0))}
    table = people(480, **every)
    for function in (values.perceived_empathy_alliance_r, values.client_therapist_alliance_r):
        assert function(table).value == pytest.approx(0.5)
    table["wai_client_middle"] *= -1  # the two sessions must not be mixed up
    assert values.perceived_empathy_alliance_r(table).value == pytest.approx(0.0, abs=1e-9)


def test_community_patterns() -> None:
    a, b = correlated(325, 0.3, 4)
    table = people(1300, distress=b, avoidance=a, anxiety=-a)
    assert STATISTICS["16.1"](table).value == pytest.approx(0.3)
    assert STATISTICS["16.2"](table).value == pytest.approx(-0.3)
    today, later = correlated(200, 0.8, 3)
    true = people(600, anxiety_true=today, anxiety_true_later=later, avoidance_true=today, avoidance_true_later=later)
    assert values.untreated_attachment_r(true).value == pytest.approx(0.8)
    true["avoidance_true_later"] = correlated(200, 0.2, 3)[1]
    assert values.untreated_attachment_r(true).value == pytest.approx(np.tanh((np.arctanh(0.8) + np.arctanh(0.2)) / 2))


# ------------------------------------------------------------------------------------------ shares, differences, levels


def test_shares() -> None:
    """One in five drops out; one in ten is five points worse, one in ten almost."""
    ending = np.tile(["dropout", "planned", "planned", "improved", "planned"], 50)
    assert values.dropout_share(people(250, ending=ending)).value == pytest.approx(0.2)
    change = np.tile([5.0, 4.9, 0, 0, 0, 0, 0, 0, 0, -9.0], 30)
    found = values.reliable_deterioration(people(300, distress_0=np.full(300, 15.0), distress_end=15.0 + change))
    assert found.value == pytest.approx(0.1) and found.studies == 2


def test_prepost() -> None:
    """Down by 8 where the spread is 4."""
    intake = np.tile([10.0, 18.0], 150)
    sd = intake[:150].std(ddof=1)
    assert values.prepost_d(people(300, distress_0=intake, distress_end=intake - 8.0)).value == pytest.approx(8.0 / sd)


def test_standardised_differences() -> None:
    d, variance = values.standardised_difference(np.array([4.0, 6.0] * 10), np.array([3.0, 5.0] * 10))
    assert d == pytest.approx(1.0 / np.sqrt(20 / 19)) and variance == pytest.approx(0.1 + d * d / 80)
    assert np.isnan(values.standardised_difference(np.ones(4), np.ones(9))[0])


def test_completers_and_dropouts() -> None:
    """Dropouts one point lower where both spread by one; who was not rated, or is still in therapy, is not counted."""
    ending = np.tile(["dropout", "dropout", "planned", "improved", "censored", "planned"], 40)
    wai = np.tile([4.0, 6.0, 5.0, 7.0, 99.0, np.nan], 40)
    d = values.standardised_difference(np.tile([5.0, 7.0], 20), np.tile([4.0, 6.0], 20))[0]
    assert values.completers_minus_dropouts_d(people(240, ending=ending, wai_client_early=wai)).value == pytest.approx(d)


def test_client_minus_therapist() -> None:
    a, b = circle(60)
    columns = {f"wai_{rater}_{time}": np.tile(x, 4) for rater, x in (("client", 5 + a), ("therapist", 4 + b)) for time in TIMES}
    d = 1.0 / a.std(ddof=1)
    found = values.client_minus_therapist_d(people(240, **columns))
    assert found.value == pytest.approx(d) and found.studies == 4 and found.tau == 0.0


def test_current_pairs() -> None:
    """Of those who have met so often, wherever they are; proportions of the range from 1 to 7."""
    wai = np.tile([7.0, 4.0], 72)
    table = people(144, wai_client_current=wai, wai_therapist_current=wai - 3.0)
    # Gone before: half of those who rate it with seven.
    table.loc[::4, ["wai_client_current", "wai_therapist_current"]] = np.nan
    assert STATISTICS["x1"](table).value == pytest.approx((1.0 + 2 * 0.5) / 3)
    assert STATISTICS["x3"](table).value == pytest.approx((0.5 + 0.0) / 3)
    expected = np.std([1.0] * 12 + [0.5] * 24, ddof=1)
    assert STATISTICS["x2"](table).value == pytest.approx(expected) and STATISTICS["x2"](table).studies == 3


def test_therapist_share() -> None:
    """Therapists with variance 1 over clients with variance 9, intake taken out: a tenth. Small caseloads do not count."""
    n, size = 40 * 8, 12
    therapist = np.repeat(np.arange(n), size)
    rng = np.random.default_rng(2)
    intake = rng.normal(15, 5, n * size)
    end = intake + rng.normal(size=n)[therapist] + 3.0 * rng.normal(size=n * size)
    table = people(n * size, OUTPATIENT, therapist=therapist, distress_0=intake, distress_end=end)
    found = values.therapist_share_outcome(table)
    assert found.studies == 8 and found.value == pytest.approx(0.1, abs=0.03) and found.error < 0.025
    last = table.assign(wai_client_last=end - intake, wai_therapist_last=end * 0 + therapist % 7 + rng.normal(size=n * size))
    assert STATISTICS["5.12"](last).parts["client_rated_share"][0] == pytest.approx(found.value, abs=1e-3)
    assert STATISTICS["5.13"](last).parts["therapist_rated_share"][0] == pytest.approx(0.8, abs=0.1)
    small = table.assign(setting=next(i for i, one in enumerate(SETTINGS) if one.caseload < 10))
    assert values.therapist_share_outcome(small).studies == 0


def test_dependability() -> None:
    """Clients with variance 1, remainder 3: a quarter, whatever sessions and therapists have in common."""
    rng = np.random.default_rng(3)
    therapist = np.repeat(np.arange(300), 10)
    level = rng.normal(size=3000) + 5.0 * rng.normal(size=300)[therapist]
    ratings = level[:, None] + np.sqrt(3.0) * rng.normal(size=(3000, 4)) + np.array([0.0, 1.0, 2.0, 9.0])
    assert values.dependability(ratings, therapist) == pytest.approx(0.25, abs=0.02)
    assert np.isnan(values.dependability(ratings[:5], therapist[:50:10]))


def test_alliance_dependability() -> None:
    """Ratings that never change within a client say everything; a client who left early is not in it."""
    rows = pd.DataFrame(
        [(t * 6 + c, t, s, float((t * 6 + c) % 7)) for t in range(18) for c in range(6) for s in range(1, 9) if c or s < 5],
        columns=["client", "therapist", "session", "wai_client"],
    ).assign(setting=0)  # fmt: skip
    found = values.alliance_dependability(rows)
    assert found.studies == 2 and found.value == pytest.approx(1.0)
    noisy = rows.assign(wai_client=np.where(rows["session"] % 2 == 0, 1.0, 3.0) * np.where(rows["client"] % 2 == 0, 1, -1))
    assert values.alliance_dependability(noisy).value < 0.9


# ---------------------------------------------------------------------------------------------- styles and defences


def styled(n: int, carried: float, direct: float) -> pd.DataFrame:
    """Distress from the fearful rating directly and through immature defences, all noises exactly uncorrelated."""
    secure, preoccupied = circle(n, 1)
    dismissing, fearful = circle(n, 2)
    own_defence, neurotic = circle(n, 3)
    noise, _ = circle(n, 4)
    immature = fearful + own_defence
    distress = direct * (fearful + preoccupied) - 0.5 * secure + carried * immature + noise
    return people(n, secure=secure, preoccupied=preoccupied, dismissing=dismissing, fearful=fearful, immature=immature,
                  neurotic=neurotic, distress=distress)  # fmt: skip


def test_styles_and_distress() -> None:
    """By hand: fearful 0.3 + 0.4 through defences and preoccupied 0.3, so that 0.4 of 1.0 is carried; R2 from the variances."""
    table = pd.concat([styled(1129, 0.4, 0.3), styled(1129, 0.4, 0.3).assign(client=lambda one: one["client"] + 1129)])
    explained = 0.7**2 + 0.3**2 + 0.5**2 + 0.4**2
    assert values.mediated_share(table).value == pytest.approx(0.4)
    assert values.distress_from_styles_and_defences(table).value == pytest.approx(explained / (explained + 1.0))
    parts = directions.styles_and_distress(table).parts
    sd = np.sqrt(explained + 1.0)
    for name, effect in (("fearful", 0.7), ("preoccupied", 0.3), ("dismissing", 0.0), ("secure", -0.5)):
        assert parts[name][0] == pytest.approx(effect / sd, abs=1e-9)


# ------------------------------------------------------------------------------------------------------- directions


def test_attachment_to_the_therapist() -> None:
    """Each scale of the CATS with the alliance of the third session; other sessions do not count."""
    a, b = circle(60)
    alliance, beside = np.tile(a, 2), np.tile(b, 2)
    rows = people(
        120, cats_secure=alliance + beside, cats_avoidant=-alliance, cats_preoccupied=beside, wai_client=alliance, session=3
    )
    parts = directions.attachment_to_therapist(pd.concat([rows, rows.assign(session=4, wai_client=99.0)])).parts
    assert parts["avoidant"][0] == pytest.approx(-1.0) and parts["preoccupied"][0] == pytest.approx(0.0, abs=1e-9)
    assert parts["secure"][0] == pytest.approx(np.sqrt(0.5))


def test_carry_over() -> None:
    """Series that carry half over, short, each about its own line: the correction gives a half; noise gives nothing."""
    rng = np.random.default_rng(4)
    series = np.zeros((20_000, 16))
    state = rng.normal(size=20_000) / np.sqrt(0.75)
    for t in range(16):
        state = 0.5 * state + rng.normal(size=20_000)
        series[:, t] = state + 0.3 * t
    assert directions._lag_one(series) < 0.4
    assert directions.carry_over(series) == pytest.approx(0.5, abs=0.01)
    assert directions.carry_over(rng.normal(size=(20_000, 16))) == pytest.approx(0.0, abs=0.01)


def test_alliance_series() -> None:
    """Growth and scatter as put in; short courses and short settings are left out."""
    rng = np.random.default_rng(5)
    time = np.arange(1, 17)
    parts = []
    for setting, growth in ((OUTPATIENT, 0.1), (0, 9.0)):
        noise = 0.2 * rng.normal(size=(472, 16))
        wai = 4.0 + growth * time + noise
        table = pd.DataFrame({"client": np.repeat(np.arange(472), 16), "session": np.tile(time, 472), "wai_client": wai.ravel()})
        parts.append(table.assign(setting=setting, wai_therapist=5.0 + rng.normal(size=len(table))))
    found = directions.alliance_series(pd.concat(parts)).parts
    assert found["client_growth"][0] == pytest.approx(0.1, abs=0.01)
    assert found["client_variability"][0] == pytest.approx(0.2, abs=0.01)
    assert found["therapist_growth"][1] < 0.01 and found["therapist_variability"][0] == pytest.approx(1.0, abs=0.05)
    assert abs(found["client_carry_over"][0]) < 0.1


def test_attachment_change() -> None:
    """Anxiety falls by one, avoidance stays; who dropped out is not asked."""
    a, b = circle(60)
    table = people(120, client_anxiety_0=np.tile(4 + a, 2), client_avoidance_0=np.tile(4 + b, 2), ending="planned")
    table = table.assign(client_anxiety_end=table["client_anxiety_0"] - 1.0, client_avoidance_end=table["client_avoidance_0"])
    left = table.assign(client_anxiety_end=99.0, ending="dropout", setting=1)
    parts = directions.attachment_change(pd.concat([table, left])).parts
    sd = a.std(ddof=1)
    assert parts["anxiety"][0] == pytest.approx(-1.0 / sd) and parts["avoidance"][0] == pytest.approx(0.0)
    assert parts["security"][0] == pytest.approx(0.5 / (sd * np.sqrt(0.5)))


def test_clinical_and_community() -> None:
    a, _ = circle(2508)
    healthy = people(5016, anxiety=np.tile(3 + a, 2), avoidance=np.tile(2 + a, 2))
    clients = people(990, client_anxiety_0=np.full(990, 4.0), client_avoidance_0=np.full(990, 2.0))
    parts = directions.clinical_minus_community(clients, healthy).parts
    assert parts["anxiety"][0] == pytest.approx(1.0 / a.std(ddof=1)) and parts["avoidance"][0] == pytest.approx(0.0, abs=1e-9)


def test_affect_labelling() -> None:
    a, b = correlated(30, -0.6, 4)
    parts = directions.affect_labelling(people(120, limbic=a - 0.2, ventrolateral=b + 0.5)).parts
    assert parts["amygdala"][0] == pytest.approx(-0.2) and parts["ventrolateral"][0] == pytest.approx(0.5)
    assert parts["both"][0] == pytest.approx(-0.6)


def test_empathy_and_expressivity() -> None:
    """The less avoidant the therapist the more accurate, with expressive clients only."""
    n = 600
    avoidance = np.tile([2.0, 2.0, 4.0, 4.0], n // 4)
    expression = np.tile([0.1, 0.9], n // 2)
    accuracy = 0.5 - 0.1 * (avoidance - 3.0) * (expression > 0.5)
    parts = directions.empathy_and_expressivity(
        people(n, therapist_avoidance_0=avoidance), people(n, session=3, expression=expression, tracking_accuracy=accuracy)
    ).parts
    sd = avoidance[:300].std(ddof=1)
    assert parts["expressive"][0] == pytest.approx(0.1 * sd) and parts["reserved"][0] == pytest.approx(0.0, abs=1e-12)
    assert parts["difference"][0] == pytest.approx(0.1 * sd)


def practice() -> dict[str, pd.DataFrame]:
    """Two clinics of 12 therapists: the more tired the less empathic, later the avoidant are tired, supervision adds."""
    a, b = circle(12)
    therapists, sessions, clients = [], [], []
    for arm, more in (("usual", 0.0), ("supervised", 1.0)):
        for replicate in range(2):
            who = pd.DataFrame({"arm": arm, "replicate": replicate, "therapist": np.arange(12)})
            for week in (5, 30, 60):
                fatigue = {5: np.zeros(12), 30: 0.5 + 0.1 * a, 60: 0.5 + 0.1 * b}[week]
                therapists.append(who.assign(week=week, fatigue=fatigue))
                sessions.append(who.assign(week=week, session=1, client=np.arange(12) + 100 * week, wai_client=5.0 + more,
                                           empathy_therapist=5.0 - a if week == 30 else b))  # fmt: skip
            for week in (5, 30):
                ending = ["planned"] * 9 + ["dropout"] * 3 if not more else ["improved"] * 12
                clients.append(who.assign(begin_week=week, client=np.arange(12) + 100 * week, therapist_anxiety_0=3 + a,
                                          therapist_avoidance_0=3 + b, distress_0=16.0, ending=ending,
                                          distress_end=12.0 - 2 * more * (week > 26)))  # fmt: skip
    return {name: pd.concat(parts) for name, parts in (("therapists", therapists), ("sessions", sessions), ("clients", clients))}


def test_therapists_at_work() -> None:
    """Burnout with empathy in the same half year; attachment of the first quarter with fatigue a year on."""
    assert directions.fatigue_and_empathy(practice()).parts["empathy"][0] == pytest.approx(-1.0)
    parts = directions.attachment_and_fatigue(practice()).parts
    assert parts["avoidance"][0] == pytest.approx(1.0) and parts["anxiety"][0] == pytest.approx(0.0, abs=1e-9)


def test_supervision() -> None:
    parts = directions.supervision(practice()).parts
    assert [parts[name][0] for name in ("first_alliance", "improvement", "staying")] == pytest.approx([1.0, 2.0, 0.25])


def test_rupture_and_style() -> None:
    """Secure clients rupture as often; in those sessions they say more."""
    n = 500
    secure, ruptured = np.arange(n) % 2 == 0, np.arange(n) % 4 < 2
    courses = people(n, client_anxiety_0=np.where(secure, 2.0, 5.0), client_avoidance_0=2.0)
    ratings = people(n, ruptures_observer_reported=ruptured * 1, disclosure=np.where(secure & ruptured, 0.7, 0.4))
    parts = directions.rupture_and_style(courses, ratings).parts
    assert parts["occurrence"][0] == pytest.approx(0.0) and parts["disclosure"][0] == pytest.approx(0.3)


def test_two_peoples_styles() -> None:
    """Only the product of the two acts on the alliance: with avoidance, with anxiety, and with the lean of the therapist."""
    n = 800
    rng = np.random.default_rng(6)
    draws = {f"{role}_{name}_0": rng.normal(size=n) for role in ("client", "therapist") for name in ("anxiety", "avoidance")}
    lean = draws["therapist_avoidance_0"] - draws["therapist_anxiety_0"]
    for function, product in (
        (STATISTICS["3.1"], draws["client_avoidance_0"] * draws["therapist_avoidance_0"]),
        (STATISTICS["3.3"], draws["client_anxiety_0"] * draws["therapist_anxiety_0"]),
        (STATISTICS["3.2"], draws["client_anxiety_0"] * lean),
    ):
        parts = function(people(n, wai_client_early=-product, **draws)).parts
        assert parts["interaction"][0] == pytest.approx(-1.0, abs=0.12)


def test_within_and_between_therapists() -> None:
    """Improvement follows the therapist's mean alliance at 1, and the client's own deviation at 3."""
    size, n = 12, 40 * 12
    rng = np.random.default_rng(8)
    therapist = np.repeat(np.arange(40), size)
    own = rng.normal(size=n)
    own -= (np.bincount(therapist, own) / size)[therapist]
    level = rng.normal(size=40)[therapist]
    wai = level + own
    better = level + 3.0 * own
    table = people(n, OUTPATIENT, therapist=therapist, wai_client_early=wai, distress_0=20.0, distress_end=20.0 - better)
    parts = directions.within_and_between(table).parts
    assert parts["within_minus_between"][0] == pytest.approx(2.0 * wai.std(ddof=1))


# ------------------------------------------------------------------------------------------------------- priors


def test_where_populations_start() -> None:
    """Means, spreads, shares and correlations of small tables."""
    a, b = correlated(2000, 0.9, 2)
    c, d = circle(2000)
    table = people(4000, anxiety=np.tile(4 + c, 2), avoidance=np.tile(3 + d, 2), anxiety_again=b, avoidance_again=b)
    assert STATISTICS["x4"](table.assign(anxiety=a)).parts["alpha"][0] == pytest.approx(0.9)
    assert STATISTICS["x5"](table.assign(avoidance=a)).parts["alpha"][0] == pytest.approx(0.9)
    sd = c.std(ddof=1)
    assert STATISTICS["x6"](table).parts["mean"][0] == pytest.approx(0.5)
    assert STATISTICS["x7"](table).parts["sd"][0] == pytest.approx(sd / 6)
    assert priors.anxiety_with_avoidance(table).parts["r"][0] == pytest.approx(0.0, abs=1e-9)
    means = priors.community_means(table).parts
    assert (means["anxiety"][0], means["avoidance_sd"][0]) == (pytest.approx(4.0), pytest.approx(sd))
    kinds = people(4000, anxiety=np.tile([2, 5, 5, 2], 1000), avoidance=np.tile([2, 2, 6, 5], 1000))
    found = {name: part[0] for name, part in priors.community_styles(kinds).parts.items()}
    assert found == {"secure": 0.25, "avoidant": 0.5, "anxious": 0.25}
    assert priors.reported_ruptures(people(200, ruptures_client_reported=np.tile([0, 0, 1, 0], 50))).parts["share"][0] == 0.25


def test_therapists_as_they_start() -> None:
    """Each therapist counts once, however many clients they see."""
    table = people(6, therapist=[0, 0, 0, 0, 1, 1], therapist_anxiety_0=[2.0, 6, 6, 6, 4, 4], therapist_avoidance_0=[3.0] * 6)
    both = pd.concat([table, table.assign(setting=1)])
    assert priors.secure_therapists(both).parts["secure"][0] == 0.5
    assert priors.therapist_means(both).parts["anxiety"][0] == 3.0
