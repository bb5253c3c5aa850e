"""Simulated imaging: each site sees what lies under it and nothing else; paired effects equal those computed by hand."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import sim
from sim.evidence import imaging
from sim.evidence.claims import effects
from sim.people.state import REGION_ACTIVITY
from sim.simulation.tables import Run
from sim.theory.regions import CONTAINS, REGIONS, ROLES, SITES
from sim.theory.triangle import CORNERS

STAY = {"dropout_base": -12.0, "good_enough_prob": 0.0}
SPEC: dict[str, Any] = {
    "question": "?",
    "client": "population",
    "therapist": "population",
    "clients_per_arm": 24,
    "sessions": 6,
    "parameters": STAY,
    "arms": {
        "intact": {},
        "client prefrontal": {"lesions": {"client.middle_prefrontal": 0}},
        "client tpj": {"lesions": {"client.tpj": 0}},
        "alliance": {"clamp": {"alliance": 1.0, "attachment": 0.0}},
        "empathy": {"clamp": {"empathy": 0.1, "attachment": 0.0}},
    },
    "record": {"exchanges": {"clients": [0, 3], "arms": ["intact"]}},
}


@lru_cache(maxsize=None)
def a_run(**changes: float) -> Run:
    """The arms above, or the intact one alone with parameters of the model changed."""
    spec = {**SPEC, "arms": {"intact": {}}, "parameters": {**STAY, **changes}} if changes else SPEC
    return sim.run(sim.from_spec(spec, "imaging"), seed=5, threads=1)


def signal(run: Run, arm: str, role: str, site: str) -> np.ndarray:
    """The signals of one arm, role and site, in order."""
    table = imaging.read_out(run)
    mine = table[(table["arm"] == arm) & (table["role"] == role) & (table["site"] == site)]
    return mine.sort_values(["client", "session"])["signal"].to_numpy()


# ------------------------------------------------------------------------------------------------------ the sites


def test_every_site_of_the_regions_is_a_site() -> None:
    assert {region.site for region in REGIONS.values()} <= {*SITES, "none"}
    assert imaging.under("client", "temporal") == []
    assert imaging.under("client", "occipital") == ["therapist_expression"]
    assert set(imaging.under("therapist", "prefrontal")) == {f"therapist_{r}" for r in CONTAINS["middle_prefrontal"]}


def test_one_row_per_session_role_and_site() -> None:
    run = a_run()
    table = imaging.read_out(run)
    assert len(table) == len(run.sessions) * len(ROLES) * len(SITES)
    assert not table.duplicated(["arm", "replicate", "client", "session", "role", "site"]).any()
    assert np.isfinite(table["signal"].to_numpy(float)).all()


def test_without_noise_a_site_is_what_lies_under_it() -> None:
    run = a_run(eeg_noise_sd=0.0)
    rows = run.sessions.sort_values(["client", "session"])
    for role in ROLES:
        seen = rows[[f"{role}_{region}" for region in CONTAINS["middle_prefrontal"]]].mean(axis=1)
        assert signal(run, "intact", role, "prefrontal") == pytest.approx(seen.to_numpy())
        assert signal(run, "intact", role, "parietal") == pytest.approx(rows[f"{role}_tpj"].to_numpy())
        assert (signal(run, "intact", role, "temporal") == 0).all()
    assert signal(run, "intact", "client", "occipital") == pytest.approx(rows["therapist_expression"].to_numpy())
    assert signal(run, "intact", "therapist", "occipital") == pytest.approx(rows["expression"].to_numpy())


@pytest.mark.parametrize(("arm", "moved"), [("client prefrontal", "prefrontal"), ("client tpj", "parietal")])
def test_a_lesion_silences_its_site_and_never_the_control(arm: str, moved: str) -> None:
    run = a_run()
    noise = (
        signal(run, "intact", "client", moved)
        - run.sessions[run.sessions["arm"] == "intact"]
        .sort_values(["client", "session"])[imaging.under("client", moved)]
        .mean(axis=1)
        .to_numpy()
    )
    assert signal(run, arm, "client", moved) == pytest.approx(noise, abs=1e-12)  # nothing is left but the noise
    for role in ROLES:
        assert signal(run, arm, role, "temporal").tobytes() == signal(run, "intact", role, "temporal").tobytes()


def test_the_read_out_is_never_written_from_the_alliance() -> None:
    """Where the alliance is other and the activity the same, every signal is the same, byte for byte."""
    run = a_run()
    columns = [c for c in run.sessions if c.startswith(("wai_", "alliance_", "empathy_"))]
    assert columns
    sessions = run.sessions.assign(**dict.fromkeys(columns, 9.0))
    other = Run(run.scenario, run.seed, run.clients, sessions, run.assessments, run.exchanges)
    pd.testing.assert_frame_equal(imaging.read_out(run), imaging.read_out(other), check_exact=True)


def test_noise_is_addressed_by_person_site_and_week() -> None:
    run = a_run(eeg_noise_sd=0.3)
    noises = [signal(run, "intact", role, "temporal") for role in ROLES]
    assert noises[0].std() == pytest.approx(0.3, rel=0.15) and abs(np.corrcoef(*noises)[0, 1]) < 0.3
    some = Run(run.scenario, run.seed, run.clients, run.sessions[run.sessions["client"] >= 12], run.assessments, run.exchanges)
    assert signal(some, "intact", "client", "temporal").tobytes() == noises[0][12 * 6 :].tobytes()
    assert len(np.unique(np.concatenate(noises))) == 2 * noises[0].size


def test_the_number_of_the_instrument_only_looks() -> None:
    quiet, loud = a_run(eeg_noise_sd=0.0), a_run(eeg_noise_sd=0.3)
    for name, table in quiet.tables.items():
        pd.testing.assert_frame_equal(table, loud.tables[name], check_exact=True)


# ----------------------------------------------------------------------------------------------- site and alliance


def test_correlations_with_the_alliance_by_hand() -> None:
    run = a_run()
    table = imaging.site_alliance(run).set_index(["arm", "role", "site"])
    assert len(table) == 5 * len(imaging.WHOSE) * len(SITES)
    signals = imaging.read_out(run)
    rows = signals[(signals["arm"] == "intact") & (signals["site"] == "prefrontal")]
    people = rows.groupby(["client", "role"])["signal"].mean().unstack()
    wai = run.sessions[run.sessions["arm"] == "intact"].groupby("client")["wai_client"].mean()
    for role, mine in (("client", people["client"]), ("both", people.mean(axis=1))):
        found = stats.pearsonr(mine, wai)
        row = table.loc[("intact", role, "prefrontal")]
        interval = found.confidence_interval(0.95)
        assert (row["r"], row["low"], row["high"]) == pytest.approx((found.statistic, interval.low, interval.high))
        assert row["n"] == 24
    one = rows[rows["role"] == "client"].merge(run.sessions[run.sessions["arm"] == "intact"], on=["client", "session"])
    within = [np.corrcoef(mine["signal"], mine["wai_client"])[0, 1] for _, mine in one.groupby("client")]
    assert table.loc[("intact", "client", "prefrontal"), "within"] == pytest.approx(np.mean(within))


def test_too_few_people_have_no_interval() -> None:
    assert np.isnan(imaging.correlation(np.array([1.0, 2, 3]), np.array([1.0, 3, 2]))[1])
    assert np.isnan(imaging.pearson(np.ones(5), np.arange(5.0)))


def test_nobody_in_therapy_gives_empty_tables() -> None:
    alone = sim.run(sim.from_spec({**SPEC, "therapist": "none", "arms": {}, "record": {}}, "alone"), seed=0)
    assert imaging.read_out(alone).empty and imaging.site_alliance(alone).empty and imaging.series(alone).empty
    assert effects.triangle(alone).empty and effects.lesion_effects(alone).empty


def test_series_is_the_trace_in_long_form() -> None:
    run = a_run()
    table = imaging.series(run)
    assert len(table) == len(run.exchanges) * len(ROLES) * len(REGIONS)
    mine = table[(table["client"] == 3) & (table["role"] == "therapist") & (table["region"] == "vmpfc")]
    trace = run.exchanges[run.exchanges["client"] == 3]
    assert mine["activity"].tolist() == trace[f"therapist_{REGION_ACTIVITY['vmpfc']}"].tolist()
    times = list(zip(mine["session"], mine["exchange"], strict=True))
    assert times == sorted(zip(trace["session"], trace["exchange"], strict=True))


# ---------------------------------------------------------------------------------------------------- paired effects


def test_triangle_is_read_from_what_is_held() -> None:
    assert effects.clamped({"empathy": 0.1, "alliance": 0}) == ("empathy", "alliance", "attachment")
    both = {"empathy": 0.1, "alliance": 0.2}
    for other in ({}, {"empathy": 0.1}, both, {"empathy": 0, "alliance": 0}, {"client_bid": 0.1, "alliance": 0}):
        assert effects.clamped(other) is None
    table = effects.triangle(a_run())
    assert table[["arm", "pushed", "by", "held", "free"]].to_numpy().tolist() == [
        ["alliance", "alliance", 1.0, "attachment", "empathy"],
        ["empathy", "empathy", 0.1, "attachment", "alliance"],
    ]


def test_effects_of_the_triangle_by_hand() -> None:
    run = a_run()
    late = run.sessions[run.sessions["session"] > 4].groupby(["arm", "client"], observed=True)["alliance_latent"].mean() * 6
    gain, spread = late["empathy"] - late["intact"], late["intact"].std()
    found = stats.ttest_rel(late["empathy"], late["intact"]).confidence_interval()
    row = effects.triangle(run).set_index("arm").loc["empathy"]
    assert (row["difference"], row["effect"]) == pytest.approx((gain.mean(), gain.mean() / spread))
    assert (row["low"], row["high"]) == pytest.approx((found.low / spread, found.high / spread))
    perceived = run.sessions[run.sessions["session"] > 4].groupby(["arm", "client"], observed=True)["perceived_response"].mean()
    assert row["push_sd"] == pytest.approx((perceived["empathy"] - perceived["intact"]).mean() / perceived["intact"].std())
    security = effects.corner_means(run, run.scenario.arms[0], CORNERS["attachment"]).to_numpy()
    rows = run.sessions[(run.sessions["arm"] == "intact") & (run.sessions["session"] > 4)].groupby("client")
    both = rows[["anxiety_to_therapist_latent", "avoidance_to_therapist_latent"]].mean()
    assert security == pytest.approx(-both.mean(axis=1).to_numpy())


def test_lesion_effects_by_hand() -> None:
    run = a_run()
    table = effects.lesion_effects(run).set_index(["region", "process"])
    assert set(table["arm"]) == {"client prefrontal", "client tpj"}
    late = run.sessions[run.sessions["session"] > 4].groupby(["arm", "client"], observed=True)["regulation_client"].mean()
    expected = (late["client prefrontal"] - late["intact"]).mean() / late["intact"].std()
    assert table.loc[("middle_prefrontal", "client's regulation"), "effect"] == pytest.approx(expected) and expected < 0
    assert not table["own"].any()


def test_a_regions_own_activity_is_no_effect() -> None:
    spec = {**SPEC, "record": {}, "arms": {"intact": {}, "cold": {"lesions": {"client.limbic": 0}}}}
    table = effects.lesion_effects(sim.run(sim.from_spec(spec, "own"), seed=1, threads=1)).set_index("process")
    assert table["own"].to_dict() == {name: name == "client's arousal" for name in effects.PROCESSES}
    assert np.isnan(table.loc["client's arousal", "effect"]) and abs(table.loc["accuracy", "effect"]) > 0.7


def test_arms_that_differ_in_more_than_the_lesion_are_left_out() -> None:
    arms: dict[str, Any] = {name: {"lesions": {"client.acc": 0}} for name in ("intact", "lesion", "both", "weaker")}
    arms["intact"] = {}
    arms["both"]["policies"] = ["train_warmth"]
    arms["weaker"]["parameters"] = {"plasticity": 0}
    run = sim.run(sim.from_spec({**SPEC, "record": {}, "arms": arms, "clients_per_arm": 5}, "more"), seed=1, threads=1)
    assert set(effects.lesion_effects(run)["arm"]) == {"lesion"}


def test_parts_stand_below_their_whole() -> None:
    order = dict(effects.region_order())
    assert set(order) == {*REGIONS, *CONTAINS}
    names = list(order)
    for whole, parts in CONTAINS.items():
        for part in parts:
            assert names.index(part) > names.index(whole) and order[part] > order[whole]
