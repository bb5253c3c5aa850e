"""What people see: figures with labelled axes, numbers that equal the measures, a report that needs nothing but itself."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

import sim
from sim import measures
from sim.catalogue.measures import CATALOGUE, measures_of_runs
from sim.measures import intervals
from sim.measures.lines import attendance
from sim.report.drawing import legend_above, panels, picture
from sim.report.figures import chosen
from sim.report.figures import courses as plots
from sim.report.figures.session import events, traced_session
from sim.report.pages import run as report
from sim.report.text import interval, number, percent, with_interval
from sim.report.words import answer
from sim.simulation.tables import Run

TRACE = {"exchanges": {"clients": [0]}}
SPECS: dict[str, dict[str, Any]] = {
    "crossed": {
        "question": "Q?",
        "design": "crossed",
        "client": ["secure", "fearful"],
        "therapist": ["secure", "dismissing"],
        "clients_per_arm": 12,
        "sessions": 6,
        "record": TRACE,
    },
    "arms": {
        "question": "Q?",
        "client": "population",
        "clients_per_arm": 15,
        "sessions": 8,
        "arms": {
            "therapy": {"therapist": "population"},
            "secure $x^2$": {"therapist": "secure"},
            "waiting": {"therapist": "none"},
        },
        "record": {"exchanges": {"clients": [0], "arms": ["therapy"]}},
    },
    "one client": {
        "question": "Q?",
        "client": "secure",
        "therapist": "secure",
        "clients_per_arm": 1,
        "sessions": 1,
        "exchanges": 2,
        "record": TRACE,
    },
    "untreated": {"question": "Q?", "client": "population", "therapist": "none", "clients_per_arm": 5, "sessions": 8},
    "many arms": {
        "question": "Q?",
        "client": "population",
        "clients_per_arm": 3,
        "sessions": 3,
        "arms": {f"arm {i}": {"therapist": "population"} for i in range(9)},
    },
}
#: What must stand on an axis of each figure.
UNITS = {
    "alliance_by_pairing": "WAI, 1-7",
    "alliance_curves": "WAI, 1-7",
    "pairing_differences": "WAI points",
    "still_attending": "(%)",
    "distress_course": "CORE-OM, 0-40",
    "attachment_to_therapist": "ECR, 1-7",
    "attachment_plane": "ECR, 1-7",
    "attachment_without_therapy": "ECR points",
    "one_course": "ECR, 1-7",
    "one_session": "0-1",
}
every_scenario = pytest.mark.parametrize("which", SPECS)
every_figure = pytest.mark.parametrize("name", chosen.USUAL)


@lru_cache(maxsize=None)
def a_run(which: str) -> Run:
    """A tiny run, made once."""
    return sim.run(sim.from_spec(SPECS[which], which), seed=3)


@lru_cache(maxsize=None)
def a_figure(which: str, name: str) -> Figure:
    """A figure, made once."""
    made = chosen.FIGURES[name].draw(a_run(which))
    figure = made if isinstance(made, Figure) else made.figure
    if which not in ("crossed", "untreated"):  # those are drawn in full by the reports below
        figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> str:
    """Everything that is written on a figure."""
    found = [t.get_text() for ax in figure.axes for t in ax.texts] + [t.get_text() for t in figure.texts]
    ticks = [t.get_text() for ax in figure.axes for t in (*ax.get_xticklabels(), *ax.get_yticklabels())]
    title = figure._suptitle.get_text() if getattr(figure, "_suptitle", None) else ""
    return "\n".join([*found, *ticks, title, figure.get_supxlabel(), *(ax.get_title(loc="left") for ax in figure.axes)])


# --------------------------------------------------------------------------------------------------------- figures


@every_figure
@every_scenario
def test_figure_is_labelled_and_says_what_it_is(which: str, name: str) -> None:
    figure = a_figure(which, name)
    labels = " ".join(ax.get_xlabel() + " " + ax.get_ylabel() for ax in figure.axes)
    assert UNITS[name] in labels or (name == "alliance_by_pairing" and "mean WAI" in labels)
    said = texts(figure)
    assert "synthetic data" in said and f"scenario {which}, seed 3" in said


@pytest.mark.parametrize("which", ["crossed", "arms"])
def test_scales_are_whole_scales(which: str) -> None:
    assert all(ax.get_ylim() == (1, 7) for ax in a_figure(which, "alliance_curves").axes)
    assert all(ax.get_ylim() == (0, 40) for ax in a_figure(which, "distress_course").axes)
    assert all(ax.get_ylim() == (0, 1) for ax in a_figure(which, "still_attending").axes)
    assert a_figure(which, "attachment_plane").axes[0].get_xlim() == (1, 7)


@pytest.mark.parametrize("which", ["crossed", "arms"])
def test_numbers_shown_are_the_measures(which: str) -> None:
    run = a_run(which)
    pairs, said = measures.pairings(run), texts(a_figure(which, "alliance_by_pairing"))
    for row in pairs.dropna(subset=["wai"]).to_dict("records"):
        assert number(row["wai"]) in said and interval(row, "wai") in said
        assert np.isnan(row["overlap"]) or f"overlap {percent(row['overlap'])}" in said
    shown = texts(a_figure(which, "pairing_differences"))
    if which == "crossed":
        for row in measures.paired_differences(run).to_dict("records"):
            assert with_interval(row) in shown
    lines = [line for ax in a_figure(which, "alliance_curves").axes for line in ax.lines if not line.get_label().startswith("_")]
    arm = run.sessions[run.sessions["arm"] == run.scenario.arms[0].name]
    assert np.allclose(lines[0].get_ydata(), arm.groupby("session")["wai_client"].mean())


def test_colours_of_the_heat_map_span_what_is_said() -> None:
    run = a_run("crossed")
    image = a_figure("crossed", "alliance_by_pairing").axes[0].images[0]
    low, high = plots.colour_range(run)
    late = pd.concat(measures.by_arm(run, "alliance").values())
    assert image.get_clim() == (low, high)
    assert low <= late.quantile(0.025) and late.quantile(0.975) <= high


def test_figures_take_a_given_axis_and_leave_settings_alone() -> None:
    before = dict(rcParams)
    figure = Figure()
    ax = figure.add_subplot()
    assert plots.alliance_by_pairing(a_run("arms"), ax) is ax
    assert plots.alliance_curves(a_run("arms"), fig := Figure()) is fig
    assert dict(rcParams) == before
    assert any("synthetic data" in t.get_text() for t in ax.texts)


def test_figures_need_no_pyplot() -> None:
    code = "import sys, sim.report.pages.run; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    assert done.stdout.strip() == "False"


def test_notebooks_show_what_is_returned() -> None:
    for made in (plots.alliance_by_pairing(a_run("one client")), plots.still_attending(a_run("one client"))):
        assert made._repr_png_().startswith(b"\x89PNG")


def test_one_session_marks_what_happened() -> None:
    rows = pd.DataFrame(
        {"exchange": [1, 2, 3, 4], "withdrawals": [0, 1, 1, 2], "confrontations": [0, 0, 1, 1], "repairs": [0, 1, 1, 1]}
    )
    assert events(rows) == [(2, "repair"), (2, "withdrawal"), (3, "confrontation"), (4, "withdrawal")]
    with pytest.raises(ValueError, match=r"no trace .* Traced: .*client 0"):
        traced_session(a_run("crossed"), client=5)


def test_attachment_beside_the_same_people_without_therapy() -> None:
    """Drawn and told: each month's mean of paired differences, over everybody who began."""
    run = a_run("arms")
    figure, facts = chosen.FIGURES["attachment_without_therapy"].with_facts(run)
    table = run.assessments.pivot(index=["replicate", "client", "month"], columns="arm", values="avoidance_latent")
    by_month = (table["secure $x^2$"] - table["waiting"]).groupby("month").mean()
    assert by_month.size == 3 and by_month[2] != 0
    drawn = [line.get_ydata() for line in figure.axes[1].lines if line.get_label() == "secure $x^2$"]
    np.testing.assert_allclose(drawn, [by_month.to_numpy()], atol=1e-12)
    (told,) = [row for row in facts["rows"] if (row["arm"], row["name"]) == ("secure $x^2$", "avoidance")]
    assert told["end"]["mean"] == pytest.approx(by_month[2]) and told["end"]["n"] == 15
    assert chosen.left_out(a_run("crossed"))["attachment_without_therapy"] == "no arm leaves the same people without therapy"


def test_one_course_is_of_the_client_who_is_followed() -> None:
    """The same person with each therapist, bond and events from the table of sessions, what is left beside no therapy."""
    run = a_run("arms")
    figure, facts = chosen.FIGURES["one_course"].with_facts(run)
    assert [course["arm"] for course in facts["courses"]] == ["therapy", "secure $x^2$"] and facts["client"] == 0
    for column, course in enumerate(facts["courses"]):
        rows = run.sessions[(run.sessions["arm"] == course["arm"]) & (run.sessions["client"] == 0)]
        assert course["sessions"] == len(rows) and course["ruptures"] == rows["ruptures"].sum()
        assert course["bond"]["anxiety"] == (
            rows["anxiety_to_therapist_latent"].iloc[0],
            rows["anxiety_to_therapist_latent"].iloc[-1],
        )
        of = run.assessments[run.assessments["client"] == 0].pivot(index="month", columns="arm", values="anxiety_latent")
        assert course["left"]["anxiety"] == pytest.approx((of[course["arm"]] - of["waiting"]).iloc[-1])
        latent = next(line for line in figure.axes[column].lines if line.get_linestyle() == "-")
        np.testing.assert_allclose(latent.get_ydata(), 1 + 6 * rows["alliance_latent"])
    crossed = chosen.FIGURES["one_course"].with_facts(a_run("crossed"))[1]
    assert crossed["life"] is None and [c["arm"] for c in crossed["courses"]] == [
        "secure client, secure therapist", "secure client, dismissing therapist"]  # fmt: skip


def test_of_many_arms_the_reference_and_the_extremes_are_drawn() -> None:
    run = a_run("many arms")
    late = {arm: values.mean() for arm, values in measures.by_arm(run, "alliance").items()}
    ((_, lines),), remark = panels(run)
    names = [arm for _, arm in lines]
    ordered = sorted((arm for arm in late if arm != "arm 0"), key=lambda arm: late[arm])
    assert set(names) == {"arm 0", *ordered[:3], *ordered[-3:]} and "7 of 9 arms" in remark


def test_nothing_is_no_less_than_nothing() -> None:
    assert [number(x) for x in (-0.004, 0.004, -0.0, -0.006)] == ["0.00", "0.00", "0.00", "−0.01"]


def test_legends_keep_within_the_figure() -> None:
    figure = picture(9.8, 4)
    names = [f"a rather long name of an arm, {i}" for i in range(7)]
    legend_above(figure, [Line2D([], [], label=name) for name in names], 6)
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0 and box.x1 <= figure.bbox.width


def test_no_bar_of_differences_touches_the_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    table = measures.paired_differences(a_run("crossed"))
    columns = ["mean", "low", "high", "unpaired_low", "unpaired_high", "single_low", "single_high"]
    table[columns] *= 3.0 / table[["single_low", "single_high"]].abs().to_numpy().max()  # the longest ends at a tick
    monkeypatch.setattr(measures, "paired_differences", lambda run: table)
    (ax,) = sim.plots.pairing_differences(a_run("crossed")).figure.axes
    ends = [abs(x) for line in ax.lines for x in line.get_xdata() if line.get_linewidth() == 6]
    assert max(ends) < 0.97 * ax.get_xlim()[1]


def test_attendance_counts_by_hand() -> None:
    clients = pd.DataFrame({"sessions_attended": [1, 3, 3, 2], "ending": ["dropout", "planned", "planned", "improved"]})
    table = attendance(clients, 3)
    assert table["attending"].tolist() == [1, 0.75, 0.5]
    assert table["dropped_out"].tolist() == [0.25, 0.25, 0.25]
    assert table["improved"].tolist() == [0, 0.25, 0.25]


# -------------------------------------------------------------------------------------------------------- measures


def made_up(**tables: pd.DataFrame) -> Any:
    """A run with tables written by hand: two arms, the second without therapy, same clients."""
    return SimpleNamespace(
        scenario=sim.from_spec(
            {
                **SPECS["arms"],
                "sessions": 8,
                "arms": {"therapy": {"therapist": "population"}, "waiting": {"therapist": "none"}},
                "record": {},
            },
            "made up",
        ),
        seed=0,
        **tables,
    )


def test_late_alliance_by_hand() -> None:
    wai = [1, 2, 3, 4, 5, 6, 7.0]
    sessions = pd.DataFrame(
        {"arm": "therapy", "replicate": 0, "client": [0] * 7 + [1], "session": [*range(1, 8), 1], "wai_client": [*wai, 2.0]}
    )
    clients = pd.DataFrame({"arm": "therapy", "replicate": 0, "client": [0, 1], "sessions_attended": [7, 1], "ending": "planned"})
    run = made_up(clients=clients, sessions=sessions, assessments=pd.DataFrame())
    assert measures.by_arm(run, "alliance")["therapy"].tolist() == [6.0, 2.0]  # seven held: the last three; one held: that one
    assert measures.alliance_all_sessions(run) == pytest.approx((4 + 2) / 2)
    assert measures.alliance_growth(run) == pytest.approx(6 - 2)  # only the first came three times
    row = measures.pairings(run).iloc[0]
    half = stats.t.ppf(0.975, 1) * np.sqrt(8) / np.sqrt(2)
    assert (row["wai"], row["n"]) == (4, 2) and row["wai_high"] == pytest.approx(4 + half)


def test_distress_by_hand() -> None:
    clients = pd.DataFrame(
        {
            "arm": ["therapy"] * 3 + ["waiting"] * 3,
            "replicate": 0,
            "client": [0, 1, 2] * 2,
            "distress_0": [10.0, 20, 30] * 2,
            "distress_end": [5.0, 10, 15, 9, 19, 29],
            "sessions_attended": [8, 8, 1, 0, 0, 0],
            "ending": ["planned", "planned", "dropout", *["untreated"] * 3],
        }
    )
    months = pd.DataFrame(
        [
            (arm, 0, client, month, value)
            for arm, ends in (("therapy", (4.0, 8, 12)), ("waiting", (9.0, 18, 27)))
            for client in range(3)
            for month, value in ((0, 10.0 * (client + 1)), (2, ends[client]), (3, 0.0))
        ],
        columns=["arm", "replicate", "client", "month", "distress"],
    )
    run = made_up(clients=clients, sessions=pd.DataFrame(), assessments=months)
    assert measures.dropout(run) == pytest.approx(1 / 3)
    assert measures.distress_last_rating(run) == pytest.approx(-10)
    assert measures.distress_change(run) == pytest.approx(-12)  # of those in therapy, whoever waits beside them
    assert measures.pre_post_d(run) == pytest.approx(1.0)  # SD of 10, 20, 30 is 10
    assert measures.comparison_month(run, "therapy") == 2  # eight weekly sessions
    assert measures.difference_from_no_treatment(run) == pytest.approx(-np.mean([5, 10, 15]))


def test_overlap_has_known_answers() -> None:
    x = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    assert measures.overlap(x, x) == pytest.approx(1, abs=1e-3)
    assert measures.overlap(x, x + 0.8) == pytest.approx(2 * stats.norm.cdf(-0.4), abs=0.02)
    assert measures.overlap(x, x + 50) == pytest.approx(0, abs=1e-6)
    assert np.isnan(measures.overlap(x, x[:9]))
    assert measures.overlap(np.ones(10), np.ones(12)) == 1
    # Counts with many zeros: 65 and 20 % of the two have none, and the others are alike.
    some = np.linspace(0.5, 1.5, 65)
    few, many = np.r_[np.zeros(65), some[:35]], np.r_[np.zeros(20), some[:35], some[:45]]
    assert measures.overlap(few, many) == pytest.approx(0.55, abs=0.04)
    assert measures.overlap(x[::200], x[::200] + 0.01) > 0.9  # ten people who all differ
    assert measures.overlap(np.r_[np.zeros(30), x[:70] + 9], np.r_[np.zeros(50), x[:50] - 9]) == pytest.approx(0.3, abs=1e-6)


def test_intervals_agree_with_scipy() -> None:
    a, b = np.array([1.0, 2, 4, 7, 7]), np.array([2.0, 2, 3, 9])
    ours, theirs = intervals.difference_interval(a, b), stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (ours["low"], ours["high"]) == pytest.approx((theirs.low, theirs.high))
    low, high = intervals.single_differences(np.arange(100), np.arange(100))
    assert low == -high and 70 < high < 90
    assert np.isnan(intervals.mean_interval([3.0])["low"]) and np.isnan(intervals.mean_interval([])["mean"])


def test_paired_differences_are_person_by_person() -> None:
    run = a_run("crossed")
    late, row = measures.by_arm(run, "alliance"), measures.paired_differences(run).iloc[0]
    here, there = late[row["arm"]], late[row["reference"]]
    assert row["reference"] == "secure client, secure therapist"
    assert row["mean"] == pytest.approx(float((here.to_numpy() - there.loc[here.index].to_numpy()).mean()))
    assert row["low"] < row["mean"] < row["high"]


@every_scenario
def test_every_measure_is_one_number_and_says_what_it_is(which: str) -> None:
    for name in measures_of_runs(clinic=False):
        assert isinstance(measures.number(a_run(which), name), float), name
        assert CATALOGUE[name].definition.endswith("."), name
    assert len(measures.answer_table(a_run(which))) == len(a_run(which).scenario.arms)


# ---------------------------------------------------------------------------------------------------------- report

HOSTILE = '<script>alert("x")</script> & <img src="http://evil.example/x.png">?'


class Tags(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def crossed_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on the crossed scenario, written once."""
    return report.write_report(a_run("crossed"), tmp_path_factory.mktemp("report")).parent


@pytest.mark.parametrize("which", ["crossed", "untreated"])
def test_report_stands_by_itself(which: str, crossed_report: Path, tmp_path: Path) -> None:
    folder = crossed_report if which == "crossed" else report.write_report(a_run(which), tmp_path).parent
    page = (folder / "report.html").read_text(encoding="utf-8")
    tags = Tags(page)
    loads = [a.get(name) or "" for tag, a in tags.tags for name in ("src", "data", "srcset", "poster") if name in a]
    assert all(url.startswith("data:image/") for url in loads) and not [tag for tag, _ in tags.tags if tag == "link"]
    # A link is followed by the reader, not loaded by the page; there are none but to papers.
    rest = re.sub(r'href="https://doi\.org/[^"]*">https://doi\.org/[^<]*<', "", re.sub(r'src="data:[^"]*"', "", page))
    assert not re.search(r"url\(|@import|<script|https?://", rest)
    assert all(a.get("alt") for tag, a in tags.tags if tag == "img")
    assert [tag for tag, _ in tags.tags].count("h1") == 1
    for guard in (
        "Q?",
        "Synthetic data",
        "Not a clinical tool",
        "hiring or judging people",
        "risk, abuse, culture, medication, diagnosis",
        "Dimensions before types",
        "one simulated",
        "named after brain regions",
        "2-3 %",
        "--seed 3",
    ):
        assert guard in tags.text, guard
    for name in re.findall(r'<h3 id="(\w+)"', page):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 1000 and (folder / "figures" / f"{name}.svg").exists()


def test_report_says_plainly_what_it_cannot_say() -> None:
    assert "no untreated arm" in answer.paragraph(a_run("crossed"))
    treated = answer.paragraph(a_run("arms"))
    assert "no untreated arm" not in treated and "Against the same people without therapy" in treated
    assert "no alliance to report" in answer.paragraph(a_run("untreated"))
    alone = " ".join([answer.paragraph(a_run("one client")), *answer.in_detail(a_run("one client"))])
    assert "nan" not in alone and "[–" not in alone


def test_hostile_text_is_text(tmp_path: Path) -> None:
    spec = {**SPECS["untreated"], "question": HOSTILE, "title": HOSTILE[:60], "arms": {"<b>$frac{<": {}}}
    page = report.write_report(sim.run(sim.from_spec(spec, "hostile"), seed=0), tmp_path).read_text(encoding="utf-8")
    tags = Tags(page)
    assert HOSTILE in tags.text
    assert not [tag for tag, _ in tags.tags if tag in ("script", "b")]


def test_same_run_same_bytes(crossed_report: Path, tmp_path: Path) -> None:
    report.write_report(a_run("crossed"), tmp_path)
    files = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file())
    assert len(files) == 1 + 2 * len(report.drawn(a_run("crossed"))) and len(files) >= 1 + 2 * (len(chosen.USUAL) - 1)
    for file in files:
        assert (tmp_path / file).read_bytes() == (crossed_report / file).read_bytes(), file


def test_everybody_dropping_out_is_no_error() -> None:
    run = a_run("one client")
    clients = run.clients.assign(ending=pd.Categorical(["dropout"], categories=run.clients["ending"].cat.categories))
    gone = Run(run.scenario, run.seed, clients, run.sessions, run.assessments, run.exchanges)
    assert "100 % of the clients who began dropped out" in answer.paragraph(gone)
    assert set(report.drawn(gone)) == set(chosen.USUAL) - {"pairing_differences", "attachment_without_therapy"}
