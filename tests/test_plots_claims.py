"""Figures of experiments on the model: drawn for runs that have something to show in them, with the numbers of the effects."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import sim
from sim.evidence import effects, imaging
from sim.experiments.run import Run
from sim.views import captions, plots, report
from sim.views.canvas import number
from sim.views.plots_claims import FULL_COLOUR, ranged, signed
from sim.views.plots_paths import by_exchange, course_of, paired_arousal, words_arms

SCENARIOS = Path(__file__).parents[1] / "scenarios"
#: Which shipped scenarios have which figure, each made small.
SHOWN = {
    "triangle_clamps": "triangle",
    "region_lesions": "lesion_table",
    "lesion_vlpfc": "affect_labelling",
    "histories": "learned_strategies",
    "eeg_sites": "eeg_sites",
}
UNITS = {
    "triangle": "SD of clients",
    "lesion_table": "SD of clients",
    "affect_labelling": "0-1",
    "learned_strategies": "ECR, 1-7",
    "eeg_sites": "(r)",
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
    figure = plots.EXPERIMENTS[SHOWN[scenario]][0](a_run(scenario))
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
    asked = {scenario: [name for name, (_, wanted) in plots.EXPERIMENTS.items() if wanted(a_run(scenario))] for scenario in SHOWN}
    assert asked == {scenario: [name] for scenario, name in SHOWN.items()}


@pytest.mark.parametrize("scenario", ["hello", "no_therapy", "technique_without_warmth", "lesion_insula", "plasticity_off"])
def test_other_scenarios_ask_for_none(scenario: str) -> None:
    assert [name for name, (_, wanted) in plots.EXPERIMENTS.items() if wanted(a_run(scenario))] == []


@each
def test_the_report_draws_it_first_with_caption_and_words(scenario: str) -> None:
    run, name = a_run(scenario), SHOWN[scenario]
    drawn = report.drawn(run)
    assert next(iter(drawn)) == name and set(drawn) & set(plots.EXPERIMENTS) == {name}
    title, text = captions.caption(run, name, {})
    assert title and f"Scenario {scenario}, seed 2" in text
    assert "95 %" in text or name == "learned_strategies"  # whose paths are means without intervals
    seen = captions.seen(run, name, {})
    assert "nan" not in seen + text and len(seen) > 80


@each
def test_figures_are_labelled_and_say_what_they_are(scenario: str) -> None:
    words = said(a_figure(scenario))
    assert UNITS[SHOWN[scenario]] in words and "synthetic data" in words and f"scenario {scenario}, seed 2" in words


@pytest.mark.parametrize("name", plots.EXPERIMENTS)
def test_a_run_without_the_experiment_says_so(name: str) -> None:
    empty = {"question": "?", "client": "population", "therapist": "none", "clients_per_arm": 3, "sessions": 4}
    figure = plots.EXPERIMENTS[name][0](sim.run(sim.from_spec(empty, "untreated"), seed=0))
    assert "synthetic data" in said(figure) and any(word in said(figure) for word in ("no arm", "nobody", "no session"))


# ------------------------------------------------------------------------------------------------------- numbers


def test_triangle_shows_the_effects_and_what_was_done() -> None:
    table, words = effects.triangle(a_run("triangle_clamps")), said(a_figure("triangle_clamps"))
    assert len(table) == 6
    for row in table.to_dict("records"):
        assert f"{signed(row['effect'])}\n{ranged(row)}" in words
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


def test_signs_and_narrow_intervals_are_written_out() -> None:
    assert [signed(x) for x in (0.126, -0.126, 0.001, -0.001, float("nan"))] == ["+0.13", "−0.13", "0.00", "0.00", "–"]
    assert ranged({"low": 0.0561, "high": 0.0632}) == "[0.056, 0.063]"
    assert ranged({"low": -0.1, "high": 0.2}) == "[−0.10, 0.20]"
