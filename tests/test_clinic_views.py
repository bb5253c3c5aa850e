"""What people see of a clinic: measures with known answers, figures of awkward clinics, a report that holds its answer."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

import sim
from sim import measures
from sim.catalogue.measures import measures_of_runs
from sim.measures import clinics as cm
from sim.report.figures import chosen
from sim.report.pages import run as report
from sim.report.words import answer, captions, tables
from sim.report.words import basis as involved
from sim.report.words import caveats as doubts
from sim.scenario.arms import has_therapists
from sim.simulation.tables import Run

BASE: dict[str, Any] = {
    "question": "Q?", "design": "clinic", "sessions": 4, "exchanges": 2, "replicates": 2,
    "clinic": {"therapists": 4, "capacity": 3, "arrivals_per_week": 2, "weeks": 14},
}  # fmt: skip
LEAVING = {"parameters": {"quitting_base": -2}}
#: What is said differently, by name: clinics that ask for each figure, and awkward ones.
SPECS: dict[str, dict[str, Any]] = {
    "rules": {
        "arms": {
            name: {"clinic": {"matching": rule}}
            for name, rule in (("a", "first_free"), ("b", "secure_to_insecure"), ("o", "oracle"))
        }
    },
    "trial": {
        "clinic": {"training": ["regular_supervision"]},
        "arms": {"t": {"clinic": {"trained_share": 0.5}}, "n": {"clinic": {"training": []}}, "e": {}},
    },
    "load": {"arms": {"wait": {}, "over": {"clinic": {"overbook": 2, "overbook_after": 0}}}, "clinic": {"weeks": 30}},
    "leaving": {"clinic": {"turnover": True}, "arms": {"stay": {"clinic": {"turnover": False}}, "go": LEAVING}},
    "feedback": {
        "sessions": 6,
        "arms": {"n": {}, "f": {"clinic": {"feedback": True}}},
        "record": {"exchanges": {"clients": [0]}},
    },
    "readings": {"arms": {"d": {}, "x": {"parameters": {"complementarity_gain": 15}}}},
    "unseen": {"clinic": {"weeks": 44, "intake_weeks": 6}, "arms": {"seen": {}, "nobody": {"therapist": "none"}}},
    "years": {
        "clinic": {"weeks": 208, "therapists": 1, "arrivals_per_week": 0.3},
        "exchanges": 2,
        "record": {"sessions": False},
        "arms": {"alone": {}, "trained": {"clinic": {"training": ["regular_supervision"]}}},
    },
    "no therapists": {"clinic": {"therapists": 0}},
    "no arrivals": {"clinic": {"arrivals_per_week": 0}},
    "no room": {"clinic": {"capacity": 0}},
    "one replicate": {"replicates": 1, "arms": {"a": {}, "b": {"clinic": {"matching": "similar"}}}},
    "no tables kept": {"record": {"sessions": False, "assessments": False}},
    "one week": {"clinic": {"weeks": 1}},
}
#: Where the layout of a figure is settled too, which takes most of its time.
LAID_OUT = {
    "clinic_arms": ("rules", "one replicate"), "clinic_flow": ("load", "no arrivals"), "clinic_trial": ("trial",),
    "clinic_at_risk": ("feedback",), "clinic_years": ("years",), "clinic_follow_up": ("unseen",), "clinic_load": ("leaving",),
}  # fmt: skip
CLINIC_FIGURES = [name for name in chosen.ASKED if name.startswith("clinic_")]
every_clinic = pytest.mark.parametrize("which", SPECS)


@lru_cache(maxsize=None)
def a_run(which: str) -> Run:
    """A tiny clinic, run once."""
    said = SPECS[which]
    spec = {**BASE, **said, "clinic": {**BASE["clinic"], **said.get("clinic", {})}}
    return sim.run(sim.from_spec(spec, which), seed=2)


# ------------------------------------------------------------------------------------------------ by hand: one clinic

#: (arm, replicate, client, course, ending, begin, end, waited, sessions, distress at arrival, at the end, alliance, therapist)
ROWS = (
    ("a", 0, 0, 1, "planned", 1, 5, 0, 4, 20.0, 12.0, 5.0, 0),
    ("a", 0, 1, 1, "transferred", 3, 6, 2, 3, 18.0, 17.0, 4.0, 0),
    ("a", 0, 1, 2, "dropout", 8, 9, 2, 1, 18.0, 16.0, 6.0, 1),
    ("a", 0, 2, None, "lost_waiting", None, 5, 4, 0, 15.0, None, None, None),
    ("a", 1, 0, 1, "improved", 2, 4, 1, 2, 10.0, 5.0, 6.0, 0),
    ("b", 0, 0, 1, "dropout", 1, 2, 0, 1, 20.0, 19.0, 3.0, 0),
    ("b", 0, 1, 1, "censored", 6, 10, 5, 4, 18.0, 10.0, 5.0, 0),
    ("b", 0, 2, None, "waiting", None, 10, 9, 0, 15.0, None, None, None),
    ("b", 1, 0, 1, "transferred", 1, 3, 0, 2, 10.0, 9.0, 4.0, 1),
)
NAMES = ("arm", "replicate", "client", "course", "ending", "begin_week", "end_week", "weeks_waited", "sessions_attended",
         "distress_arrival", "distress_end", "wai_client_mean", "therapist")  # fmt: skip


@pytest.fixture
def by_hand() -> Any:
    """Two arms and two replicates, written by hand."""
    clients = pd.DataFrame(ROWS, columns=NAMES).assign(
        gave_up_between=lambda t: ((t["arm"] == "b") & (t["ending"] == "transferred")).astype(float),
        arrival_week=1,
        client_style="secure",
        therapist_style="secure",
        distress_6_months=np.nan,
        distress_12_months=np.nan,
    )
    clients["distress_0"] = clients["distress_arrival"]
    for name in ("anxiety", "avoidance"):
        for when in ("0", "end"):
            clients[f"therapist_{name}_{when}_latent"] = 3.0
    weeks = [
        (arm, replicate, therapist, week, 0.1 * (week + replicate), 2, 3.0 - 0.1 * week, 2.0, week == 2)
        for arm in "ab" for replicate in range(2) for therapist in range(2) for week in (1, 2)
    ]  # fmt: skip
    therapists = pd.DataFrame(
        weeks, columns=["arm", "replicate", "therapist", "week", "fatigue", "caseload", "anxiety", "avoidance", "supervised"]
    )
    scenario = sim.from_spec({**BASE, "arms": {"a": {}, "b": {}}, "clinic": {**BASE["clinic"], "weeks": 40}}, "by hand")
    return SimpleNamespace(scenario=scenario, seed=0, clients=clients, therapists=therapists, sessions=pd.DataFrame(),
                           assessments=pd.DataFrame())  # fmt: skip


def test_a_person_counts_once_with_all_their_courses(by_hand: Any) -> None:
    p = cm.people(by_hand).set_index(["arm", "replicate", "client"])
    assert p["state"].tolist() == [
        "planned", "dropout", "lost waiting", "improved", "dropout", "in therapy", "waiting", "gave up between therapists",
    ]  # fmt: skip
    handed = p.loc["a", 0, 1]
    assert (handed["courses"], handed["sessions"], handed["begin_week"], handed["end_week"]) == (2, 4, 3, 9)
    assert handed["alliance"] == pytest.approx((3 * 4.0 + 1 * 6.0) / 4)  # weighted by sessions
    assert (handed["weeks_waited"], handed["weeks_waited_in_all"], handed["therapist"]) == (2, 4, 0)
    assert handed["distress_arrival"] - handed["distress_end"] == 2 and not handed["helped"]
    lost = p.loc["a", 0, 2]
    assert (lost["courses"], lost["sessions"], lost["weeks_waited"], lost["therapist"]) == (0, 0, 4, -1)
    assert np.isnan(lost["alliance"]) and np.isnan(lost["begin_week"]) and not lost["helped"]
    assert p["helped"].sum() == 3  # 8 points, exactly 5, and 8 so far


def test_arms_are_compared_replicate_by_replicate(by_hand: Any) -> None:
    rows = {(r["measure"], r["arm"]): r for r in cm.rules_compared(by_hand).to_dict("records")}
    each = cm.by_replicate(by_hand)
    assert each.loc[("a", 0), "dropout"] == 0.5 and each.loc[("a", 1), "dropout"] == 0.0
    assert rows["dropout", "a"]["mean"] == pytest.approx(25.0)  # the mean of replicates, not of the three people
    assert each.loc[("a", 0), "distress_last_rating"] == pytest.approx((-8 - 2) / 2)
    assert each.loc[("a", 0), "weeks_waited"] == pytest.approx((0 + 2 + 4) / 3)
    assert each.loc[("a", 0), "lost_waiting"] == pytest.approx(1 / 3)
    assert each.loc[("a", 0), "helped_per_100_hours"] == pytest.approx(100 * 1 / 8)
    assert each.loc[("a", 0), "helped_of_all"] == pytest.approx(1 / 3)
    assert rows["fatigue", "a"]["mean"] == pytest.approx(0.1 * (1.5 + 2.5) / 2)
    apart = np.array([4.0 - 4.75, 4.0 - 6.0])  # alliance of b less a in each replicate
    row = rows["alliance_all_sessions", "b"]
    half = stats.t.ppf(0.975, 1) * apart.std(ddof=1) / np.sqrt(2)
    assert row["difference"] == pytest.approx(apart.mean())
    assert (row["difference_low"], row["difference_high"]) == pytest.approx((apart.mean() - half, apart.mean() + half))
    assert np.isnan(rows["alliance_all_sessions", "a"]["difference"])
    assert rows["dropout", "a"]["low"] == 0 and rows["alliance_all_sessions", "a"]["high"] == 7  # scales end somewhere


def test_who_loses_a_therapist_is_compared_with_who_began_alike(by_hand: Any) -> None:
    table = cm.handed_over(by_hand, against="b").set_index("measure")
    assert table.empty  # client 1 of a began in another week than in b
    by_hand.clients.loc[by_hand.clients["arm"].eq("b") & by_hand.clients["client"].eq(1), "begin_week"] = 3
    del by_hand._people
    table = cm.handed_over(by_hand, against="b").set_index("measure")
    assert (
        table.loc["alliance_all_sessions", "difference"] == pytest.approx(4.5 - 5.0) and table.loc["dropout", "difference"] == 100
    )
    assert table.loc["alliance_all_sessions", "people"] == 1 and table.loc["alliance_all_sessions", "share"] == pytest.approx(
        1 / 3
    )


def test_treated_people_of_a_clinic_count_once(by_hand: Any) -> None:
    for name in ("client_anxiety", "client_avoidance", "distress"):
        for kind in ("", "_latent"):
            by_hand.clients[f"{name}_arrival{kind}"] = by_hand.clients["distress_arrival"]
    table = measures.treated(by_hand)
    assert len(table) == 6 and table["sessions_attended"].tolist() == [4, 4, 2, 1, 4, 2]
    assert pd.concat(measures.by_arm(by_hand, "dropout").values()).tolist() == [0, 1, 0, 1, 0, 0]


def test_only_who_had_time_to_finish_counts(by_hand: Any) -> None:
    last = cm.last_beginning(by_hand.scenario)
    assert last == 40 - 6  # four sessions with a tenth of weeks away, and some room
    by_hand.clients.loc[0, "begin_week"] = last + 1
    done = cm.finished(by_hand)
    assert len(done) == 5 and 0 not in done.query("arm == 'a' and replicate == 0")["client"].tolist()


def test_alike_is_found_where_it_was_put() -> None:
    scenario = sim.from_spec({**BASE, "arms": {"d": {}}}, "pairs")
    rng = np.random.default_rng(1)
    n = 400
    c, t = rng.normal(size=(2, n)), rng.normal(size=(2, n))
    clients = pd.DataFrame({"arm": "d", "replicate": 0, "client": np.arange(n)})
    for k, name in enumerate(("anxiety", "avoidance")):
        clients[f"client_{name}_0_latent"], clients[f"therapist_{name}_0_latent"] = c[k], t[k]
    product = (c * t).sum(axis=0)
    rated = [clients.assign(wai_client_mean=c[0] + sign * product) for sign in (1, -1, 0)]
    mine = [SimpleNamespace(scenario=scenario, clients=table) for table in rated]
    similar, dissimilar, neither = (cm.pair_compatibility(one).set_index("arm").loc["d", "mean"] for one in mine)  # type: ignore[arg-type]
    assert similar > 0.9 and dissimilar < -0.9 and (np.isnan(neither) or abs(neither) < 0.2)


# --------------------------------------------------------------------------------------------------- runs as they are


def test_flow_counts_everybody_once() -> None:
    f = cm.flow(a_run("load"))
    parts = f[["waiting", "in_therapy", "between_therapists", "lost_waiting", "ended_total"]].sum(axis=1)
    assert np.allclose(parts, f["arrivals_total"]) and list(dict.fromkeys(f["arm"])) == ["wait", "over"]
    last = f[(f["arm"] == "wait") & (f["week"] == f["week"].max())].iloc[0]
    p = cm.people(a_run("load")).query("arm == 'wait'")
    assert last["arrivals_total"] == len(p) / 2 and last["lost_waiting"] == (p["state"] == "lost waiting").sum() / 2


def test_follow_up_is_person_by_person() -> None:
    run = a_run("unseen")
    table = cm.follow_up(run).set_index(["measure", "when"])
    assert table.loc[("distress", "arrival"), "difference"] == 0  # the same people with common random numbers came
    assert list(dict.fromkeys(cm.follow_up(run)["when"])) == ["arrival", "end", "6 months"]
    c = run.clients
    mine = c[(c["arm"] == "seen") & c["distress_6_months"].notna() & c["ending"].isin(["planned", "improved", "dropout"])]
    alone = run.assessments[run.assessments["arm"] == "nobody"].set_index(["replicate", "client", "month"])["distress"]
    months = np.rint((mine["end_week"] + 26 - mine["arrival_week"]) / 4).astype(int)
    there = [alone.get((r, k, m), np.nan) for r, k, m in zip(mine["replicate"], mine["client"], months, strict=True)]
    apart = (mine["distress_6_months"] - there).groupby(mine["replicate"]).mean()
    assert table.loc[("distress", "6 months"), "difference"] == pytest.approx(apart.mean())


def test_at_risk_are_the_same_people_in_every_arm() -> None:
    run = a_run("feedback")
    table = cm.off_track(run)
    s = run.sessions[(run.sessions["arm"] == "n") & run.sessions["session"].isin([1, 4])]
    wide = s.pivot_table(index=["replicate", "client"], columns="session", values="distress").dropna()
    n = int((wide[4] >= wide[1]).sum())
    at_risk = table[(table["group"] == "at risk") & (table["measure"] == "dropout")]
    assert 0 < at_risk.set_index("arm").loc["n", "people"] <= n


@every_clinic
def test_every_figure_draws_and_is_shown_or_named(which: str) -> None:
    run, awkward = a_run(which), not SPECS[which].get("arms")
    for name in CLINIC_FIGURES:
        asked, draw = chosen.asks_for(run, name), chosen.FIGURES[name].draw
        assert asked != (name in chosen.left_out(run)) or name == "clinic_flow"
        if not (asked or awkward):
            continue
        figure = draw(run)
        assert isinstance(figure, Figure) and f"scenario {which}, seed 2" in figure.get_supxlabel()
        if which in LAID_OUT.get(name, ()):
            assert asked
            figure.draw_without_rendering()
        said = captions.of_figure(run, name)
        assert "seed 2" in said["caption"] and "Synthetic" in said["caption"] and "nan" not in said["seen"]


@pytest.mark.parametrize("which", ["feedback", "no arrivals", "no therapists", "no tables kept"])
def test_usual_figures_are_drawn_or_named(which: str) -> None:
    run = a_run(which)
    out = chosen.left_out(run)
    assert all("called" in chosen.words()[name] or name == "one_session" for name in out)
    drawn = [chosen.FIGURES[name].draw(run) for name in chosen.USUAL if name not in out]
    assert len(drawn) == {"feedback": 3, "no arrivals": 0, "no therapists": 1, "no tables kept": 0}[which]


@every_clinic
def test_answer_and_doubts_have_no_missing_numbers(which: str) -> None:
    run = a_run(which)
    said = [answer.paragraph(run), *answer.in_detail(run), *doubts.sampling(run), *doubts.design(run)]
    assert said[0].startswith("In this model, ") and not re.search(r"\bnan\b|\[–|inf\b", " ".join(said))
    table = measures.answer_table(run)
    assert list(table) == ["measure", *(arm.name for arm in run.scenario.arms)]
    assert sum(int(n.replace(",", "")) for n in table.iloc[0, 1:]) == len(cm.people(run))
    assert all(isinstance(measures.number(run, name), float) for name in measures_of_runs(clinic=True))
    if run.scenario.replicates == 1:
        assert "one replicate" in said[0] and "[" not in said[0]


def test_answers_say_what_their_arms_differ_in() -> None:
    rules, trial, load = (answer.paragraph(a_run(name)) for name in ("rules", "trial", "load"))
    apart = {
        r["arm"]: r for r in cm.rules_compared(a_run("rules")).query("measure == 'alliance_all_sessions'").to_dict("records")
    }
    assert "no service could do it" in rules and f"{abs(apart['o']['difference']):.2f}" in rules
    assert "in truth" in trial and "exclude zero in" in trial
    assert "after arrival" in load and "fatigue" in load.lower() + " ".join(answer.in_detail(a_run("load"))).lower()
    assert "correlation of being alike" in answer.paragraph(a_run("readings"))
    assert "The oracle looks at those who wait in one week" in " ".join(doubts.design(a_run("rules")))


def test_bounds_and_thought_experiments_are_marked_on_the_figure() -> None:
    figure = sim.plots.clinic_arms(a_run("rules"))
    labels = "\n".join(t.get_text() for t in figure.axes[0].get_yticklabels())
    assert "upper bound" in labels and "thought experiment" in labels
    shown = "\n".join(t.get_text() for t in figure.axes[0].texts)
    row = cm.rules_compared(a_run("rules")).query("measure == 'alliance_all_sessions' and arm == 'o'").iloc[0]
    assert f"{row['difference']:+.2f}".replace("-", "−") in shown


def test_what_a_clinic_decides_is_a_lever() -> None:
    names = {one: {lever.name for lever in involved.levers(a_run(one).scenario) if lever.differs} for one in SPECS}
    assert "matching" in names["rules"] and "feedback" in names["feedback"] and "overbook" in names["load"]
    assert "repair_skill" in names["trial"] and "complementarity_gain" in names["readings"]
    assumed = [row.name for row in involved.assumptions(a_run("feedback").scenario)]
    assert "feedback_repair_step" in assumed


@pytest.mark.parametrize("which", ["readings", "no arrivals", "one replicate"])
def test_report_holds_its_answer_and_its_tables(which: str, tmp_path: Path) -> None:
    run = a_run(which)
    page = report.write_report(run, tmp_path).read_text(encoding="utf-8")
    text = re.sub(r"<[^>]+>", "", page)
    assert answer.paragraph(run) in text and "Left out here" in text
    heads = [table["title"] for table in tables.of_results(run)]
    assert ("Readings side by side" in heads) == (which == "readings")
    for name in re.findall(r'<h3 id="(\w+)"', page):
        assert (tmp_path / "figures" / f"{name}.png").exists() or name in ("whole", "readings")


# ----------------------------------------------------------------------------------------------- awkward scenarios


@pytest.mark.parametrize("arms", [
    {"half": {"clinic": {"trained_share": 0.5}}, "usual": {"clinic": {"training": []}}},
    {"half": {"clinic": {"trained_share": 0.5}}, "all": {}},
    {"half": {"clinic": {"trained_share": 0.5, "therapists": 2}}},
], ids=["no everybody", "no nobody", "too few to estimate"])  # fmt: skip
def test_a_trial_without_its_twins_has_an_answer(arms: dict[str, Any]) -> None:
    spec = {**BASE, "clinic": {**BASE["clinic"], "training": ["regular_supervision"]}, "arms": arms}
    run = sim.run(sim.from_spec(spec, "half"), seed=2)
    words = answer.paragraph(run) + " ".join(answer.in_detail(run))
    assert "nan" not in words and "in truth" not in words


def test_room_by_overbooking_alone_is_room() -> None:
    plan = {**BASE["clinic"], "capacity": 0, "overbook": 2, "overbook_after": 1}
    run = sim.run(sim.from_spec({**BASE, "clinic": plan, "arms": {"a": {}, "b": {"therapist": "none"}}}, "over"), seed=2)
    assert [has_therapists(arm) for arm in run.scenario.arms] == [True, False]
    assert (cm.people(run).query("arm == 'a'")["sessions"] > 0).any()
    assert not any("no room" in note for note in run.scenario.arms[0].notes())


def test_where_nobody_is_seen_nobody_is_said_to_be_helped_or_lost() -> None:
    run = a_run("unseen")
    rows = {(r["measure"], r["arm"]): r for r in cm.rules_compared(run).to_dict("records")}
    assert np.isnan(rows["helped_of_all", "nobody"]["mean"]) and rows["helped_of_all", "seen"]["mean"] > 0
    for measure in ("weeks_waited", "lost_waiting"):
        assert rows[measure, "nobody"]["mean"] > 0 and np.isnan(rows[measure, "nobody"]["difference"])


def test_at_risk_are_people_who_could_be_asked_in_every_arm() -> None:
    run = a_run("feedback")
    p = cm.people(run)
    asked = p[p["sessions"] >= cm.EARLY_SESSION].groupby(["replicate", "client"])["arm"].nunique()
    table = cm.off_track(run)
    for arm in ("n", "f"):
        counted = table[(table["arm"] == arm) & (table["measure"] == "dropout")]["people"].sum()
        assert 0 < counted <= (asked == 2).sum()
    assert table.groupby(["group", "measure"])["people"].nunique().eq(1).all()  # the same people in both arms


def test_alliance_is_compared_without_sessions_too() -> None:
    kept, left_out = (sim.from_spec({**BASE, "record": {"sessions": sessions}}, "kept") for sessions in (True, False))
    for name in ("alliance_all_sessions", "ruptures"):
        effect = sim.compare(kept, left_out, seeds=[2], measure=name).iloc[0]
        assert effect["a"] == effect["b"] > 0
