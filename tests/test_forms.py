"""Questionnaires item by item, and questionnaires that do not come back whole: scores, addresses, and what reads them."""

from __future__ import annotations

import hashlib
import warnings
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.engine.asking import ecr
from sim.errors import ScenarioError, StateError
from sim.evidence.patterns import directions
from sim.evidence.patterns.validation import validate
from sim.luck import Luck
from sim.measurement.responses import MOST_ITEMS, NO_ANSWER, Respondents, scored
from sim.measures import clinics as clinic_measures
from sim.measures.persons import people
from sim.report.pages.run import write_report
from sim.runs.run import run
from sim.scenario.scenario import from_spec
from sim.simulation.build import build_clinic
from sim.simulation.tables import Run
from sim.storage.reading import open_run
from sim.storage.store import save, values_hash
from sim.theory.parameters import Parameters
from sim.therapy.clinic import week as verbs
from sim.therapy.clinic.feedback import heed_feedback
from sim.therapy.course import Running
from sim.therapy.endings import ENDINGS

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

MISSING = {"missing_item_prob": 0.05, "missing_form_prob": 0.10}
ARMS: dict[str, Any] = {
    "question": "Does each response count?", "client": "population",
    "therapist": "population", "clients_per_arm": 40, "sessions": 6,
    "follow_up_months": 2, "clients_per_therapist": 4, "parameters": {"dropout_base": -3.5},
    "arms": {"usual": {}, "waiting": {"therapist": "none"}, "held": {"clamp": {"client_arousal": 0.1}}},
}  # fmt: skip
CLINIC: dict[str, Any] = {
    "question": "Does each response count?", "design": "clinic", "client": "population", "therapist": "population", "sessions": 5,
    "clinic": {"therapists": 6, "capacity": 4, "arrivals_per_week": 4, "weeks": 70, "intake_weeks": 40, "turnover": True,
               "matching": "similar"},
    "parameters": {"quitting_base": -4.0},
}  # fmt: skip


@lru_cache(maxsize=None)
def ran(design: str, items: bool = True, missing: bool = False, **parameters: float) -> Run:
    """A run of one of the two scenarios above."""
    spec = ARMS if design == "arms" else CLINIC
    spec = {
        **spec,
        "record": {"items": items},
        "parameters": {**spec["parameters"], **(MISSING if missing else {}), **parameters},
    }
    return run(from_spec(spec, design), seed=3, threads=1)


def marks(rows: pd.DataFrame, first: int, last: int) -> np.ndarray:
    """Marks of items ``first`` to ``last``, NaN where there is none."""
    return rows[[f"item_{k}" for k in range(first, last + 1)]].astype("Float64").to_numpy(float, na_value=np.nan)


def by_hand(values: np.ndarray) -> np.ndarray:
    """Score of each row: the mean of what was answered, where at most a fifth was not."""
    out = []
    for row in values:
        answered = [float(x) for x in row if x == x]
        out.append(sum(answered) / len(answered) if len(answered) >= 0.8 * row.size else np.nan)
    return np.array(out)


#: Column of the sessions -> questionnaire, rater, first and last item, and what the mean mark is multiplied by.
OF_SESSIONS = {
    **{f"wai_{rater}{scale}": ("WAI-SR", rater, *span, 1.0) for rater in ("client", "therapist")
       for scale, span in (("", (1, 12)), ("_bond", (1, 4)), ("_task", (5, 8)), ("_goal", (9, 12)))},
    **{f"empathy_{rater}": ("empathy", rater, 1, 10, 1.0) for rater in ("client", "therapist", "observer")},
    "anxiety_to_therapist": ("ECR, this therapist", "client", 1, 9, 1.0),
    "avoidance_to_therapist": ("ECR, this therapist", "client", 10, 18, 1.0),
    "cats_secure": ("CATS", "client", 1, 14, 1.0), "cats_avoidant": ("CATS", "client", 15, 26, 1.0),
    "cats_preoccupied": ("CATS", "client", 27, 36, 1.0), "distress": ("CORE-OM", "client", 1, 34, 10.0),
}  # fmt: skip
#: Scores of the assessments and of the client table.
ECR = {"anxiety": (1, 18), "avoidance": (19, 36)}


def compared(table: pd.DataFrame, column: str, items: pd.DataFrame, first: int, last: int, times: float, key: list[str]) -> None:
    """A column is the mean of these items, exactly; where it is missing so are too many of them, or the whole questionnaire."""
    rows = items.assign(score=times * by_hand(marks(items, first, last)))
    assert not rows.duplicated(key).any()
    both = table[[*key, column]].merge(rows[[*key, "score"]], on=key, how="left")
    assert len(both) == len(table) > 0
    np.testing.assert_array_equal(both[column].to_numpy(float), both["score"].to_numpy(float), err_msg=column)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """With plain keys, to be merged on."""
    whole = {name: table[name].astype("Int64") for name in ("session", "therapist", "week") if name in table}
    return table.assign(arm=table["arm"].astype("str"), **whole)


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("design", ["arms", "clinic"])
def test_a_score_of_a_session_is_the_mean_of_its_items(design: str, missing: bool) -> None:
    found = ran(design, missing=missing)
    sessions, items = typed(found.sessions), typed(found.items)
    items = items[items["when"] == "session"]
    key = ["arm", "replicate", "client", "therapist", "session", "week"]
    for column, (name, rater, first, last, times) in OF_SESSIONS.items():
        mine = items[(items["instrument"] == name) & (items["rater"] == rater)]
        compared(sessions, column, mine, first, last, times, key)
        assert sessions[column].isna().any() == missing


@pytest.mark.parametrize("missing", [False, True], ids=["whole", "missing"])
@pytest.mark.parametrize("design", ["arms", "clinic"])
def test_scores_of_other_occasions_are_the_means_of_their_items(design: str, missing: bool) -> None:
    """Intake, months, the beginning and end of a course, follow-up."""
    found = ran(design, missing=missing)
    clients, months, items = typed(found.clients), typed(found.assessments), typed(found.items)
    one = ["arm", "replicate", "client"]
    course = [*one, "therapist"] if design == "clinic" else one
    intake, monthly = (items[(items["when"] == when) & (items["rater"] == "client")] for when in ("intake", "month"))
    first = months[months["month"] == 0]
    later = months[months["month"] > 0]
    monthly = monthly.assign(month=monthly.groupby([*one, "instrument"], observed=True)["week"].rank().astype(int))
    began = clients[clients["sessions_attended"].notna() & clients["client_anxiety_0_latent"].notna()]
    if design == "clinic":  # one with two courses with one therapist could not be told apart here
        began = began[~began.duplicated(course, keep=False)]
        for when in ("6_months", "12_months"):
            asked = clients[clients[f"distress_{when}_latent"].notna()]
            rows = items[(items["when"] == when) & (items["instrument"] == "CORE-OM")]
            compared(asked, f"distress_{when}", rows, 1, 34, 10.0, one)
    at_end = items[items["when"] == "end"].merge(began[course], on=course)
    compared(first, "distress", intake[intake["instrument"] == "CORE-OM"], 1, 34, 10.0, one)
    stayed = began[began["ending"] != "dropout"]
    rows = at_end[(at_end["instrument"] == "CORE-OM") & (at_end["rater"] == "client")]
    compared(stayed, "distress_end", rows, 1, 34, 10.0, course)
    assert not rows.merge(began[began["ending"] == "dropout"][course], on=course).shape[0]  # they fill in nothing more
    for name, (begin, end) in ECR.items():
        compared(first, name, intake[intake["instrument"] == "ECR"], begin, end, 1.0, one)
        ours = at_end[(at_end["instrument"] == "ECR") & (at_end["rater"] == "client")]
        compared(began, f"client_{name}_end", ours, begin, end, 1.0, course)
        theirs = began[began["therapist"].notna()]
        for when in ("beginning", "end"):
            rows = items[(items["when"] == when) & (items["rater"] == "therapist")].merge(theirs[course], on=course)
            compared(theirs, f"therapist_{name}_{'0' if when == 'beginning' else when}", rows, begin, end, 1.0, course)
    if not missing:  # else some months have no row, and the rank is another
        compared(later, "distress", monthly[monthly["instrument"] == "CORE-OM"], 1, 34, 10.0, [*one, "month"])
        compared(later, "anxiety", monthly[monthly["instrument"] == "ECR"], 1, 18, 1.0, [*one, "month"])


@pytest.mark.parametrize("design", ["arms", "clinic"])
def test_keeping_items_changes_no_other_table(design: str) -> None:
    """To the byte; without the key there is no such table."""
    kept, usual = ran(design), ran(design, items=False)
    assert "items" in kept.tables and "items" not in usual.tables and usual.items.empty
    for name, table in usual.tables.items():
        assert values_hash(table) == values_hash(kept.tables[name]), name


@pytest.mark.parametrize("design", ["arms", "clinic"])
def test_nothing_missing_is_nothing_changed(design: str) -> None:
    """Chances of 0 are the usual run, and what is missing moves no latent column by a bit."""
    usual, gaps = ran(design, items=False), ran(design, items=False, missing=True)
    zero = ran(design, items=False, missing_item_prob=0.0, missing_form_prob=0.0)
    for name, table in usual.tables.items():
        assert values_hash(table) == values_hash(zero.tables[name]), name
    if design == "clinic":
        return  # whom the service matches depends on what was handed in
    for name in ("clients", "sessions", "assessments"):
        one, other = getattr(usual, name), getattr(gaps, name)
        latent = [c for c in one if c.endswith("_latent")]
        pd.testing.assert_frame_equal(one[latent], other[latent], check_exact=True)
        both = one.select_dtypes("float").columns
        there = other[both].notna()
        assert (~there & one[both].notna()).sum().sum() > 20, f"{name}: nothing is missing"
    whole = [c for c in OF_SESSIONS if not c.startswith("wai")]
    same = usual.sessions[whole].where(gaps.sessions[whole].notna())
    assert ((same - gaps.sessions[whole]).abs() < 1e-12).mean().between(0.05, 0.9).all()  # where every item was answered


def test_as_much_is_missing_as_is_said() -> None:
    """Proportions of items and of questionnaires; a questionnaire is missing as a whole, whichever scales it has."""
    found, whole = ran("arms", missing=True), ran("arms")
    assert 1 - len(found.items) / len(whole.items) == pytest.approx(0.10, abs=0.02)
    sizes = {"WAI-SR": 12, "ECR": 36, "CORE-OM": 34, "CATS": 36, "empathy": 10, "ECR, this therapist": 18}
    for name, k in sizes.items():
        rows = found.items[found.items["instrument"] == name]
        assert np.isnan(marks(rows, 1, k)).mean() == pytest.approx(0.05, abs=0.02), name
        assert not np.isnan(marks(whole.items[whole.items["instrument"] == name], 1, k)).any()
        assert k == MOST_ITEMS or np.isnan(marks(rows, k + 1, MOST_ITEMS)).all()
    only = run(from_spec({**ARMS, "parameters": {"missing_form_prob": 0.2}}, "forms"), 1, threads=1).sessions
    lost = only[["wai_client", "wai_client_bond", "wai_client_task", "wai_client_goal"]].isna()
    assert lost.any(axis=1).mean() == lost.all(axis=1).mean() == pytest.approx(0.2, abs=0.06)
    assert only[["cats_secure", "cats_avoidant", "cats_preoccupied"]].isna().nunique(axis=1).max() == 1
    assert 0 < (only["wai_client"].isna() & only["wai_therapist"].isna()).mean() < 0.1  # each hands in their own


def test_what_is_missing_is_missing_whoever_else_there_is() -> None:
    """The same gaps with other clients beside, in another arm, in other chunks; a higher chance only adds to them."""
    spec = {**ARMS, "record": {"items": True}, "parameters": MISSING, "arms": {"usual": {}, "waiting": {"therapist": "none"}}}
    few = run(from_spec(spec, "few"), 5, threads=1)
    many = run(from_spec({**spec, "clients_per_arm": 60}, "many"), 5, threads=2, chunk=7)
    for name, table in few.tables.items():
        other = many.tables[name]
        assert values_hash(table) == values_hash(other[other["client"] < 40].reset_index(drop=True)), name
    rows = few.clients.set_index("client")
    here, there = (rows.loc[rows["arm"] == arm, "distress_0"] for arm in ("usual", "waiting"))
    pd.testing.assert_series_equal(here, there)
    more = run(from_spec({**spec, "parameters": {"missing_item_prob": 0.15, "missing_form_prob": 0.3}}, "more"), 5, threads=1)
    columns = list(OF_SESSIONS)
    assert not (few.sessions[columns].isna() & more.sessions[columns].notna()).any().any()


def test_the_usual_rule() -> None:
    """Four of five items are enough, fewer are not; none at all is missing too."""
    nan = np.nan
    rows = np.array([[1, 2, 3, 4, 5], [1, 2, 3, 4, nan], [1, 2, 3, nan, nan], [nan] * 5], float)
    np.testing.assert_array_equal(scored(rows), [3.0, 2.5, nan, nan])
    twelve = np.full((3, 12), 6.0)
    twelve[1, :2], twelve[2, :3] = nan, nan  # ten answered are 83 %, nine 75 %
    np.testing.assert_array_equal(scored(twelve), [6.0, 6.0, nan])
    np.testing.assert_array_equal(scored(np.array([[1, 2, 3, nan]])), [nan])  # of a scale of four all must be answered


def test_what_has_no_level_is_no_missing_answer() -> None:
    """A true mark that is no number is the model's fault, and said, also where answers may be missing."""
    whom = Respondents(np.arange(3, dtype=np.uint64), 4, Parameters(MISSING), Luck(1, 0))
    with pytest.raises(StateError, match="week 4: what 'ecr_anxiety_0' asks about"):
        ecr("anxiety", np.array([0.2, np.nan, 0.3]), np.zeros(3), whom, "0")


def test_items_come_back_from_the_folder(tmp_path: Path) -> None:
    """The table is stored, typed as small whole numbers that may be missing, and read back with its values vouched for."""
    found = ran("arms", missing=True)
    back = open_run(save(found, tmp_path / "run"))
    pd.testing.assert_frame_equal(back.items, found.items, check_exact=True)
    assert set(map(str, found.items.filter(like="item_").dtypes)) == {"Int8"}
    changed = found.items.copy()
    changed.loc[3, "item_2"] = 0 if changed.loc[3, "item_2"] is pd.NA else pd.NA
    assert values_hash(changed) != values_hash(found.items)
    column = hashlib.blake2b(b"item_1\0" + np.array([1, -1], np.int64).tobytes(), digest_size=16).digest()
    gap = hashlib.blake2b(column, digest_size=16).hexdigest()
    assert values_hash(pd.DataFrame({"item_1": pd.array([1, None], "Int8")})) == gap  # by values, not by where they lie
    assert open_run(save(ran("arms", items=False), tmp_path / "usual")).items.empty
    assert not (tmp_path / "usual" / "items.parquet").exists()


def test_looking_files_nothing() -> None:
    """Tables of a course or clinic under way can be asked for again and again; who is still there is asked once at the end."""
    scenario = from_spec({**ARMS, "record": {"items": True}}, "s")
    course = Running(sim.simulation.build.build(scenario, scenario.arms[0], 0, 3))
    for _ in range(3):
        course.live_a_week()
    once, twice = course.so_far().items, course.so_far().items
    assert once and all(np.array_equal(once[name], twice[name]) for name in once)
    scenario = from_spec({**CLINIC, "record": {"items": True}}, "c")
    clinic = build_clinic(scenario, scenario.arms[0], 0, 3)
    for _ in range(20):
        clinic.live_a_week()
    first, again = (sim.therapy.clinic.book.tables(clinic, clinic.book)["items"] for _ in range(2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert (first["week"] <= 20).all() and first["item_36"].min() == NO_ANSWER


def test_the_key_is_yes_or_no() -> None:
    """Anything else is refused, and an arm cannot say it."""
    with pytest.raises(ScenarioError, match="items"):
        from_spec({**ARMS, "record": {"items": "all"}}, "s")
    with pytest.raises(ScenarioError, match="record"):
        from_spec({**ARMS, "arms": {"a": {"record": {"items": True}}}}, "s")


# --------------------------------------------------------------------------------------------- who reads them


def begun(weeks: int, **keys: Any) -> verbs.Clinic:
    """A clinic after some weeks."""
    parameters = {**CLINIC["parameters"], **keys.pop("parameters", {})}
    spec = {**CLINIC, "clinic": {**CLINIC["clinic"], **keys}, "parameters": parameters}
    scenario = from_spec(spec, "c")
    clinic = build_clinic(scenario, scenario.arms[0], 0, 3)
    for _ in range(weeks):
        clinic.live_a_week()
    return clinic


def test_a_missing_rating_is_not_off_track() -> None:
    """Nobody is off track by a rating that was not handed in, nor without the first one of the course."""
    clinic = begun(12, feedback=True, parameters={"off_track_points": 0.5})
    w = clinic.world
    rows = np.flatnonzero((w.dyads.session[: clinic.courses] > 1) & (w.ending[: clinic.courses] == 0))[:3]
    w.dyads["distress_first_rated"][rows] = [10.0, 10.0, np.nan]
    w.ratings["distress"][rows] = [39.0, np.nan, 39.0]
    skill = w.dyads.therapist_skill[rows].copy()
    heed_feedback(w, rows)
    assert w.dyads.off_track[rows].tolist() == [1.0, 0.0, 0.0]
    assert (w.dyads.therapist_skill[rows] > skill).tolist() == [True, False, False]


@pytest.mark.parametrize("rule", ["similar", "dissimilar", "secure_to_insecure", "least_loaded", "oracle"])
def test_matching_takes_what_is_typical_where_nothing_was_handed_in(rule: str) -> None:
    """A rule sees no gap: the mean of the role's population, and the typical client's distress."""
    clinic = begun(8, matching=rule, parameters={"missing_form_prob": 0.5}, feedback=True)
    p = clinic.world.parameters
    waiting = np.arange(clinic.arrived)
    seen = verbs._seen(clinic, waiting, np.ones(clinic.in_post.size, int))
    marks = clinic.book.arrival
    lost = np.isnan(marks["client_anxiety_arrival"][waiting])
    assert 0.3 < lost.mean() < 0.7
    assert (seen.client_anxiety[lost] == p.client_anxiety_mean).all()
    assert (seen.client_avoidance[lost] == p.client_avoidance_mean).all()  # one questionnaire
    np.testing.assert_array_equal(seen.client_anxiety[~lost], marks["client_anxiety_arrival"][waiting][~lost])
    nowhere = np.isnan(marks["distress_arrival"][waiting])
    typical = 40 / (1 + np.exp(-p.core_base - p.core_distress_gain * p.client_distress_typical))
    np.testing.assert_allclose(seen.client_distress[nowhere], typical)
    unknown = np.isnan(clinic.responses["anxiety"][seen.therapist])
    assert (seen.therapist_anxiety[unknown] == p.therapist_anxiety_mean).all()
    assert not np.isnan(np.concatenate([seen.therapist_anxiety, seen.therapist_avoidance])).any()


def test_therapists_are_asked_until_they_have_answered() -> None:
    """Half do not hand it in each week, so nearly all have after eight; who has keeps what they said when asked again."""
    clinic = begun(0, matching="similar", turnover=False, parameters={"missing_form_prob": 0.5})
    known = []
    for _ in range(25):
        clinic.live_a_week()
        known.append((~np.isnan(clinic.responses["anxiety"])).mean())
    assert known[0] < 1.0 and known == sorted(known) and known[-1] == 1.0
    clinic.live_a_week()  # asked again: half do not answer, and nobody is forgotten
    assert not np.isnan(clinic.responses["anxiety"]).any()


def test_a_course_is_the_mean_of_what_was_rated() -> None:
    """Mean and last alliance of a course are of the sessions after which it was handed in."""
    found = ran("clinic", missing=True)
    key = ["replicate", "client", "therapist"]
    sessions = typed(found.sessions).sort_values("week")
    rated = sessions.dropna(subset=["wai_client"]).groupby(key)["wai_client"].agg(["mean", "last"])
    clients = typed(found.clients)
    rows = clients[(clients["sessions_attended"] > 0) & ~clients.duplicated(key, keep=False)].set_index(key)
    both = rows.join(rated)
    np.testing.assert_allclose(both["wai_client_mean"].to_numpy(float), both["mean"].to_numpy(float), atol=1e-12)
    np.testing.assert_array_equal(both["wai_client_last"].to_numpy(float), both["last"].to_numpy(float))
    assert len(both) > 50 and both["wai_client_3"].isna().mean() > both["wai_client_mean"].isna().mean()


def test_who_is_helped_is_not_known_of_everybody() -> None:
    """Missing where a session was had and a questionnaire is missing; the share is of those of whom it is known."""
    table = people(ran("clinic", missing=True))
    unknown = (table["sessions"] > 0) & (table["distress_arrival"].isna() | table["distress_end"].isna())
    assert 5 < unknown.sum() < 0.4 * len(table) and (table["helped"].isna() == unknown).all()
    assert people(ran("clinic"))["helped"].dtype == bool


def test_foresight_keeps_no_marks() -> None:
    """What is only imagined, or is the baseline of what is held, is not filed; what is asked in it changes nothing here."""
    for rule in ("oracle", "similar"):
        spec = {
            **CLINIC,
            "clinic": {**CLINIC["clinic"], "matching": rule, "weeks": 12, "intake_weeks": 12},
            "record": {"items": True},
        }
        scenario = from_spec(spec, "c")
        clinic = build_clinic(scenario, scenario.arms[0], 0, 3)
        for _ in range(12):
            clinic.live_a_week()
        items = typed(pd.DataFrame(sim.therapy.clinic.book.tables(clinic, clinic.book)["items"]).assign(arm="a"))
        assert not items.duplicated(["client", "therapist", "when", "week", "session", "rater", "instrument"]).any()
        assert (items["when"] == 2).sum() == 8 * clinic.world.dyads.session.sum(), rule  # eight questionnaires a session
    scenario = from_spec({**ARMS, "record": {"items": True}}, "s")
    world = sim.simulation.build.build(scenario, scenario.arms[2], 0, 3)
    assert world.baseline is not None and world.baseline.occasions is None and world.occasions == []


@pytest.mark.parametrize("design", ["arms", "clinic"])
def test_reports_and_measures_cope(design: str, tmp_path: Path) -> None:
    """A report without a warning, and measures near those of whole questionnaires."""
    found, whole = ran(design, missing=True), ran(design)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_report(found, save(found, tmp_path / "run"))
    if design == "clinic":
        mine, theirs = (clinic_measures.people(r)["alliance"].mean() for r in (found, whole))
    else:
        mine, theirs = sim.measures.alliance_growth(found), sim.measures.alliance_growth(whole)
        assert 0 <= sim.measures.alliance_share_between_arms(found) <= 1
        again = found.scenario.but(avoidance_warmth_cost=0.2)
        effect = sim.compare(found.scenario.but(record={}), again.but(record={}), seeds=range(2))
        assert effect["difference"].notna().all()
    assert mine == pytest.approx(theirs, abs=0.15)


def test_validation_copes() -> None:
    """Every statistic has a value, near that of whole questionnaires (of the same people)."""
    ids = ["1.7", "4.1", "7.9", "12.10", "13.2", "a1", "9.1", "x10"]
    one, other = (validate(1, ids, {"parameters": p} if p else {}, size=0.15) for p in ({}, MISSING))
    for whole, gaps in zip(one.rows, other.rows, strict=True):
        a, b = whole.simulated, gaps.simulated
        if a.value == a.value:
            assert b.value == pytest.approx(a.value, abs=0.08), whole.pattern.id
        for name, (value, *_) in a.parts.items():
            assert b.parts[name][0] == pytest.approx(value, abs=0.05), (whole.pattern.id, name)


def test_who_did_not_fill_in_the_ecr_is_no_insecure_client() -> None:
    """Of the pattern on ruptures and style, clients without both scores are left out."""
    n = 250
    secure = np.arange(n) % 2 == 0
    courses = pd.DataFrame({"setting": 0, "client": np.arange(n), "client_avoidance_0": 2.0,
                            "client_anxiety_0": np.where(np.arange(n) < 50, np.nan, np.where(secure, 2.0, 6.0))})  # fmt: skip
    ruptured = (np.arange(n) < 50) | (np.arange(n) % 4 < 2)  # all of these, and half of either kind
    ratings = courses[["setting", "client"]].assign(ruptures_observer_reported=ruptured * 1.0, disclosure=0.5)
    assert directions.rupture_and_style(courses, ratings.assign(session=1)).parts["occurrence"][0] == 0.0


def test_every_ending_was_seen() -> None:
    """The scenarios above have dropouts and transfers, else little would have been compared."""
    assert {"dropout", "planned", "untreated"} <= set(ran("arms").clients["ending"])
    assert {"dropout", "planned", "transferred", "lost_waiting"} <= set(ran("clinic").clients["ending"]) <= set(ENDINGS)


@pytest.mark.parametrize("spec", [ARMS, CLINIC], ids=["arms", "clinic"])
def test_a_report_where_nobody_hands_anything_in(spec: dict[str, Any], tmp_path: Path) -> None:
    """Sessions were held and no questionnaire came back: the report is written, and says nothing of the alliance."""
    less = {"clinic": {**CLINIC["clinic"], "weeks": 30, "intake_weeks": 10}} if spec is CLINIC else {"clients_per_arm": 5}
    silent = run(from_spec({**spec, **less, "parameters": {"missing_form_prob": 1.0}}, "silent"), 1, threads=1)
    assert len(silent.sessions) and silent.sessions["wai_client"].isna().all()
    page = write_report(silent, tmp_path).read_text(encoding="utf-8")
    assert "nan" not in page.partition("<body")[2].lower().replace("finance", "")
