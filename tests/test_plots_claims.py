"""Figures of experiments on the model: drawn for runs that have something to show in them, with the numbers of the effects."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import sim
from sim import measures
from sim.evidence import imaging
from sim.evidence.claims import effects, factors
from sim.measures.intervals import mean_interval
from sim.measures.lines import by_exchange, course_of
from sim.report.figures import chosen
from sim.report.figures.experiments.effects import FULL_COLOUR
from sim.report.figures.experiments.paths import paired_arousal, words_arms
from sim.report.pages import run as report
from sim.report.text import effect_in_sd, number, signed
from sim.report.words import answer, captions
from sim.scenario.points import scenario_at
from sim.simulation.tables import Run

SCENARIOS = Path(__file__).parents[1] / "scenarios"
#: Which shipped scenarios have which figure, each made small.
SHOWN = {
    "triangle_clamps": "triangle",
    "region_lesions": "lesion_table",
    "lesion_vlpfc": "affect_labelling",
    "histories": "learned_strategies",
    "eeg_sites": "eeg_sites",
    "two_insecure_partners": "interaction",
    "style_pairings": "interaction",
}
UNITS = {
    "triangle": "SD of clients",
    "lesion_table": "SD of clients",
    "affect_labelling": "0-1",
    "learned_strategies": "ECR, 1-7",
    "eeg_sites": "(r)",
    "interaction": "WAI points",
}
each = pytest.mark.parametrize("scenario", SHOWN)


@lru_cache(maxsize=None)
def a_run(scenario: str) -> Run:
    """A shipped scenario with a few clients and sessions."""
    small: dict[str, Any] = {"clients_per_arm": 12, "sessions": 6}
    loaded = sim.load(SCENARIOS / f"{scenario}.yaml")
    if "record" in loaded.spec:
        small["record"] = {"exchanges": {"clients": [0, 1, 2, 3]}}
    return sim.run(loaded.but(**small), seed=2, threads=1)


@lru_cache(maxsize=None)
def a_figure(scenario: str) -> Figure:
    """The figure of that scenario, laid out."""
    figure = chosen.FIGURES[SHOWN[scenario]].draw(a_run(scenario))
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    return figure


def said(figure: Figure) -> str:
    """Everything that is written in a figure."""
    found = [t.get_text() for ax in figure.axes for t in (*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels())]
    labels = [text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel(), ax.get_title(loc="left"))]
    return "\n".join([*found, *labels, figure.get_supxlabel()])


# ---------------------------------------------------------------------------------------------------- when drawn


def test_each_scenario_asks_for_its_own_figure_and_no_other() -> None:
    asked = {scenario: [name for name in chosen.ASKED if chosen.asks_for(a_run(scenario), name)] for scenario in SHOWN}
    assert asked == {scenario: [name] for scenario, name in SHOWN.items()}


@pytest.mark.parametrize("scenario", ["hello", "no_therapy", "technique_without_warmth", "lesion_insula", "plasticity_off"])
def test_other_scenarios_ask_for_none(scenario: str) -> None:
    assert [name for name in chosen.ASKED if chosen.asks_for(a_run(scenario), name)] == []


@each
def test_the_report_draws_it_first_with_caption_and_words(scenario: str) -> None:
    run, name = a_run(scenario), SHOWN[scenario]
    shown = chosen.shown(run)
    assert next(iter(shown)) == name and set(shown) & set(chosen.ASKED) == {name}
    title, text, seen = (captions.of_figure(run, name)[part] for part in ("title", "caption", "seen"))
    assert title and f"Scenario {scenario}, seed 2" in text
    assert "95 %" in text or name == "learned_strategies"  # whose paths are means without intervals
    assert "nan" not in seen + text and len(seen) > 80


@each
def test_figures_are_labelled_and_say_what_they_are(scenario: str) -> None:
    words = said(a_figure(scenario))
    assert UNITS[SHOWN[scenario]] in words and "synthetic data" in words and f"scenario {scenario}, seed 2" in words


@pytest.mark.parametrize("name", chosen.ASKED)
def test_a_run_without_the_experiment_says_so(name: str) -> None:
    empty = {"question": "?", "client": "population", "therapist": "none", "clients_per_arm": 3, "sessions": 4}
    figure = chosen.FIGURES[name].draw(sim.run(sim.from_spec(empty, "untreated"), seed=0))
    reasons = ("no arm", "nobody", "no session", "does not ask")
    assert "synthetic data" in said(figure) and any(word in said(figure) for word in reasons)


# ------------------------------------------------------------------------------------------------------- numbers


def test_triangle_shows_the_effects_and_what_was_done() -> None:
    table, words = effects.triangle(a_run("triangle_clamps")), said(a_figure("triangle_clamps"))
    assert len(table) == 6
    for row in table.to_dict("records"):
        assert effect_in_sd(row, "effect").replace(" [", "\n[") in words
        assert f"{row['pushed']} → {row['free']}" in words and f"{row['held']} held" in words
    arrows, dots = a_figure("triangle_clamps").axes
    widths = [patch.get_linewidth() for patch in arrows.patches]
    expected = 8.0 * table["effect"].abs() / table["effect"].abs().max()
    assert widths == pytest.approx(np.maximum(expected, 0.8).tolist())
    marks = [line.get_xdata()[0] for line in dots.lines if line.get_marker() in "os" and len(line.get_xdata()) == 1]
    assert marks == pytest.approx(table["effect"].tolist())


def test_lesion_table_shows_the_effects_in_bold_where_they_are_sure() -> None:
    table = effects.lesion_effects(a_run("region_lesions"))
    heats = [ax for ax in a_figure("region_lesions").axes if ax.images]
    cells = [text for ax in heats for text in ax.texts]
    rows = [row for role in ("therapist", "client") for row in table[table["role"] == role].to_dict("records")]
    assert len(cells) == len(rows) == 22 * len(effects.PROCESSES)
    for cell, row in zip(cells, rows, strict=True):
        assert cell.get_text() == ("own" if row["own"] else signed(row["effect"]))
        assert (cell.get_fontweight() == "bold") == bool(row["low"] > 0 or row["high"] < 0)
    assert all(ax.images[0].get_clim() == (-FULL_COLOUR, FULL_COLOUR) for ax in heats)
    labels = [t.get_text() for t in heats[0].get_yticklabels()]
    assert [len(label) - len(label.lstrip()) for label in labels] == [0, 0, 0, 0, 0, 6, 12, 12, 6, 6, 6]


def test_sites_show_the_correlations() -> None:
    table = imaging.site_alliance(a_run("eeg_sites"))
    left, right = a_figure("eeg_sites").axes[:2]
    for ax, column in ((left, "r"), (right, "within")):
        shown = np.concatenate([line.get_ydata() for line in ax.lines if line.get_marker() not in ("None", "")])
        assert shown == pytest.approx(table[column].to_numpy())


def test_labelling_by_hand() -> None:
    run = a_run("lesion_vlpfc")
    assert [arm.name for arm in words_arms(run)] == ["intact", "vlPFC at half", "vlPFC removed"]
    rows = run.exchanges[run.exchanges["arm"] == "intact"]
    line = by_exchange(run, "intact", "client_arousal")
    people = rows[rows["exchange"] == 3].groupby("client")["client_arousal"].mean()
    assert line.loc[3, "mean"] == pytest.approx(people.mean()) and line.loc[3, "n"] == 4
    means = run.exchanges.groupby(["arm", "client"], observed=True)["client_arousal"].mean()
    gain = (means["vlPFC removed"] - means["intact"]).mean()
    assert paired_arousal(run, "intact", "vlPFC removed").startswith(f"+{number(gain)} [") and gain > 0
    assert paired_arousal(run, "intact", "vlPFC removed") in said(a_figure("lesion_vlpfc"))


def test_paths_run_from_the_first_session_to_the_last() -> None:
    run = a_run("histories")
    plane, bids, _ = a_figure("histories").axes
    arm = run.scenario.arms[1].name
    line = course_of(run, arm)
    rows = run.sessions[(run.sessions["arm"] == arm) & (run.sessions["session"] == 6)]
    assert line.loc[6, "shown_less_felt"] == pytest.approx((rows["expression"] - rows["client_limbic"]).mean())
    paths = [one for one in plane.lines if len(one.get_xdata()) == 6]
    assert len(paths) == 4
    assert paths[1].get_ydata()[-1] == pytest.approx(rows["avoidance_to_therapist_latent"].mean())
    assert plane.get_xlim() == plane.get_ylim() == (1, 7) and bids.get_ylim() == (0, 1)
    assert bids.lines[1].get_ydata() == pytest.approx(line["bids"].to_numpy())


# ------------------------------------------------------------------------------------------ two people, two numbers


def test_interaction_by_hand() -> None:
    run = a_run("two_insecure_partners")
    table = effects.interaction(run)
    late = measures.by_arm(run, "alliance")
    left = run.clients.assign(out=run.clients["ending"] == "dropout").groupby("arm", observed=True)["out"].mean()
    mean = {arm: values.mean() for arm, values in late.items() if len(values)}
    assert len(table) == 2 * (9 + 1)

    def sum_of(values: Any, c: str, t: str) -> float:
        name = "{} client, {} therapist".format
        secure = "secure"
        return float(values[name(c, t)] - values[name(c, secure)] - values[name(secure, t)] + values[name(secure, secure)])

    for row in table[table["client"] != effects.EVERY].to_dict("records"):
        values = mean if row["measure"] == "alliance" else left
        assert (
            row["mean"] == pytest.approx(sum_of(values, row["client"], row["therapist"]))
            and row["low"] <= row["mean"] <= row["high"]
        )
    for measure, part in table.groupby("measure"):
        single, every = part[part["client"] != effects.EVERY], part[part["client"] == effects.EVERY]
        assert every["mean"].iloc[0] == pytest.approx(single["mean"].mean()), measure
        assert every["high"].iloc[0] - every["low"].iloc[0] < (single["high"] - single["low"]).mean()
    marks = [line.get_xdata()[0] for line in a_figure("two_insecure_partners").axes[0].lines if line.get_marker() in ("o", "s")]
    assert marks == pytest.approx(table.loc[table["measure"] == "alliance", "mean"].tolist())


def test_same_people_are_compared_one_by_one() -> None:
    """Arms with both people's styles hold clients of the same parameters: the interval is that of the paired differences."""
    arms = {f"{c} {t}": {"client": c, "therapist": t} for c in ("secure", "fearful") for t in ("secure", "dismissing")}
    spec = {"question": "?", "clients_per_arm": 30, "sessions": 4, "arms": arms}
    run = sim.run(sim.from_spec(spec, "four"), seed=1)
    row = effects.interaction(run).iloc[0]
    late = measures.by_arm(run, "alliance")
    d = late["fearful dismissing"] - late["fearful secure"] - late["secure dismissing"] + late["secure secure"]
    expected = mean_interval(d)
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((expected["mean"], expected["low"], expected["high"]))
    more = {**spec, "arms": {**arms, "fearful secure": {"client": "fearful", "therapist": "secure", "sessions": 3}}}
    assert effects.crossing(sim.from_spec(more, "not only styles")) == {}


def test_crossed_numbers_and_learning_by_hand() -> None:
    run = a_run("technique_without_warmth")
    found = factors.factors(run.scenario)
    assert {k: a.name for k, a in found.items()} == {
        "neither": "neither", "first": "skill, no warmth", "second": "warmth, no skill", "both": "skill and warmth"
    }  # fmt: skip
    late = measures.by_arm(run, "alliance")
    table = factors.factor_effects(run).set_index(["effect", "measure"])["mean"]
    assert table["first", "alliance"] == pytest.approx((late["skill, no warmth"] - late["neither"]).mean())
    beyond = late["skill and warmth"] - late["skill, no warmth"] - late["warmth, no skill"] + late["neither"]
    assert table["beyond", "alliance"] == pytest.approx(beyond.mean())
    pairs = factors.without_learning(a_run("plasticity_off").scenario)
    assert [(a.name, b.name) for a, b in pairs] == [
        ("secure therapist", "secure, nothing learned"), ("fearful therapist", "fearful, nothing learned")
    ]  # fmt: skip


def test_where_nothing_is_learned_only_the_pull_to_the_early_anchor_is_left() -> None:
    """Which no therapist changes; without it nothing moves at all."""
    arms = ("secure, nothing learned", "fearful, nothing learned")
    secure, fearful = (factors.insecurity_change(a_run("plasticity_off"), arm) for arm in arms)
    assert secure.equals(fearful) and (secure != 0).all()
    learned = [factors.insecurity_change(a_run("plasticity_off"), arm) for arm in ("secure therapist", "fearful therapist")]
    assert not learned[0].equals(learned[1])
    still = sim.load(SCENARIOS / "plasticity_off.yaml").but(clients_per_arm=12, sessions=6, parameters={"anchor_rate": 0.0})
    run = sim.run(still, seed=2, threads=1)
    assert all(factors.insecurity_change(run, arm).abs().max() == 0 for arm in arms)


# ------------------------------------------------------------------------------------------------- answer, left out


BEGINS = {
    "triangle_clamps": "strongest influence runs from",
    "region_lesions": "when one region is removed",
    "lesion_vlpfc": "feelings are put into words",
    "histories": "after 6 sessions of one kind of care",
    "eeg_sites": "simulated EEG",
    "two_insecure_partners": "two insecure partners have",
    "lesion_insula": "without the therapist's anterior insula the mirror system works",
    "plasticity_off": "where nobody can learn",
    "technique_without_warmth": "compared with “neither”, “skill, no warmth” changes accuracy",
}


@pytest.mark.parametrize("scenario", BEGINS)
def test_the_answer_begins_with_what_the_experiment_is_about(scenario: str) -> None:
    words = answer.paragraph(a_run(scenario))
    assert (
        words.startswith("In this model, ")
        and BEGINS[scenario] in words.split(". ")[0]
        and words.endswith(answer.brackets(a_run(scenario))[0])
    )
    assert len(words.split(" ")) <= 140 and "nan" not in words


def test_answers_hold_the_numbers_of_the_figures() -> None:
    words = answer.paragraph(a_run("triangle_clamps"))
    for row in effects.triangle(a_run("triangle_clamps")).to_dict("records"):
        assert f"{row['free']} by {effect_in_sd(row)}" in words
    words = answer.paragraph(a_run("eeg_sites"))
    table = imaging.site_alliance(a_run("eeg_sites"))
    assert all(f"{r['site']} {signed(r['r'])}" in words for r in table[table["role"] == "both"].to_dict("records"))
    words = answer.paragraph(a_run("histories"))
    ends = {arm.name: course_of(a_run("histories"), arm.name).iloc[-1] for arm in a_run("histories").scenario.arms}
    assert all(f"“{name}” " in words and f"(anxiety {number(end.iloc[0])} [" in words for name, end in ends.items())
    said = " ".join(answer.in_detail(a_run("histories")))
    assert "alliance" not in said  # care was fixed: a higher alliance in one arm is no result


def test_what_shows_within_clients_is_named() -> None:
    """A strong signal: the therapist's answer follows the moment, so sessions differ; enough clients to see it."""
    run = sim.run(sim.load(SCENARIOS / "eeg_sites.yaml").but(clients_per_arm=300, sessions=12), seed=2)
    both = imaging.site_alliance(run).query("role == 'both'")
    seen = both[(both["within_low"] > 0) | (both["within_high"] < 0)]
    words = answer.paragraph(run).partition("From session to session")[2]
    assert len(seen) and all(f"{r['site']} ({signed(r['within'])} [" in words for r in seen.to_dict("records"))


def test_both_crossed_scenarios_tell_the_interaction() -> None:
    for scenario in ("two_insecure_partners", "style_pairings"):
        run = a_run(scenario)
        rows = effects.interaction(run).query("measure == 'alliance'")
        named = rows["mean"].iloc[-1] if scenario == "two_insecure_partners" else rows["mean"].iloc[:-1].min()
        assert f"{signed(named)} [" in answer.paragraph(run)
        assert ("two insecure partners" in answer.paragraph(run).split(". ")[0]) == (scenario == "two_insecure_partners")
        assert "Two insecure partners drop out" in " ".join(answer.in_detail(run)) or scenario == "two_insecure_partners"


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=[pytest.mark.deep] if path.stem == "region_lesions" else [], id=path.stem)  # 45 arms
        for path in sorted(SCENARIOS.glob("*.yaml"))
    ],
)
def test_one_client_an_arm_gives_an_answer_without_intervals(path: Path) -> None:
    loaded = scenario_at(sim.load(path), {})  # of a batch the scenario as it stands
    if loaded.design == "clinic":  # one who comes, and no other clinic to take an interval over
        plan = {**loaded.spec["clinic"], "therapists": 1, "weeks": 12, "intake_weeks": 1, "arrivals_per_week": 1.0}
        small = loaded.but(sessions=4, replicates=1, clinic=plan)
    else:
        record = {"record": {"exchanges": {"clients": [0]}}} if "record" in loaded.spec else {}
        small = loaded.but(clients_per_arm=1, sessions=3, **record)
    run = sim.run(small, seed=5, threads=1)
    words = answer.paragraph(run)
    assert all(captions.of_figure(run, name)["seen"] for name in chosen.shown(run))
    assert not re.search(r"\bnan\b|\[–", words + " ".join(answer.in_detail(run)))


def test_figures_with_nothing_in_them_are_left_out_and_named() -> None:
    triangle, lesions = (set(chosen.shown(a_run(name))) for name in ("triangle_clamps", "region_lesions"))
    assert triangle == {"triangle"} and lesions == {"lesion_table", "alliance_by_pairing"}
    stay, leave = a_run("histories"), a_run("style_pairings")
    assert "still_attending" not in report.drawn(stay) and any("nobody leaves" in one for one in report.left_out(stay))
    assert leave.clients["ending"].isin(["dropout", "improved"]).any() and "still_attending" in chosen.shown(leave)


def test_signs_and_narrow_intervals_are_written_out() -> None:
    assert [signed(x) for x in (0.126, -0.126, 0.001, -0.001, float("nan"))] == ["+0.13", "−0.13", "0.00", "0.00", "–"]
    assert effect_in_sd({"effect": 0.0599, "low": 0.0561, "high": 0.0632}, "effect") == "+0.060 [0.056,\N{NO-BREAK SPACE}0.063]"
    assert effect_in_sd({"effect": 0.05, "low": -0.1, "high": 0.2}, "effect") == "+0.05 [−0.10,\N{NO-BREAK SPACE}0.20]"
