"""Figures of a run: numbers and an axis in, the axis out.

Each function takes a run and, if you have one, the axis or figure to draw on; otherwise it makes its own. No window is
opened and nothing global is changed. Every figure says that the people are simulated, and names scenario and seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sim import measures
from sim.report.drawing import (
    BAND,
    INK,
    QUIET,
    WAI,
    courses_of,
    in_style,
    label_panels,
    legend_above,
    lines_with_spread,
    look,
    note_on_figure,
    nothing_to_show,
    own_axis,
    panel_axes,
    panel_size,
    panels,
    picture,
    planned_sessions,
)
from sim.report.text import number, percent, short
from sim.simulation.tables import Run
from sim.therapy.course import WEEKS_PER_MONTH

# ------------------------------------------------------------------------------------------------------- alliance


@in_style
def alliance_by_pairing(run: Run, ax: Axes | None = None) -> Axes:
    """Late client-rated alliance of each pairing: client by therapist in a crossed design, else a row per arm.

    Late: mean over the last third of the sessions that a client came to.

    Returns the axes, or ``ax`` where it is given.

    >>> sim.plots.alliance_by_pairing(run)
    <Panel: ...>
    """
    table = measures.pairings(run)
    crossed = run.scenario.design == "crossed"
    if ax is None:
        rows = table["client"].nunique() if crossed else len(table)
        ax = own_axis(run, None, 9.0, min(max(2.4 + (1.05 if crossed else 0.42) * rows, 3.0), 14))
    else:
        own_axis(run, ax, 0, 0)
    if crossed:
        _heat_map(run, ax, table)
    else:
        _dots(run, ax, table)
    return ax


def colour_range(run: Run) -> tuple[float, float]:
    """Where 95 of 100 single clients lie, rounded outward to half points: what the colours of the heat map span."""
    late = pd.concat(measures.by_arm(run, "alliance").values())
    if late.empty:
        return 1.0, 7.0
    low, high = np.floor(late.quantile(0.025) * 2) / 2, np.ceil(late.quantile(0.975) * 2) / 2
    return (float(low), float(high)) if high > low else (1.0, 7.0)


def _heat_map(run: Run, ax: Axes, table: pd.DataFrame) -> None:
    table = table[table["therapist"] != "none"].reset_index(drop=True)  # without therapy there is no alliance
    clients, therapists = list(dict.fromkeys(table["client"])), list(dict.fromkeys(table["therapist"]))
    values = table["wai"].to_numpy(float).reshape(len(clients), len(therapists))
    low, high = colour_range(run)
    image = ax.imshow(values, vmin=low, vmax=high, aspect="auto")
    ax.set_xticks(range(len(therapists)), [short(t, 20) for t in therapists])
    ax.set_yticks(range(len(clients)), [short(c, 20) for c in clients])
    ax.set(xlabel="therapist", ylabel="client")
    ax.grid(False)
    ax.set_title("Late client-rated alliance (WAI, 1-7): mean, 95 % interval, SD between clients, overlap")
    if len(therapists) <= 6 and len(clients) <= 10:
        for k, row in enumerate(table.to_dict("records")):
            _cell(
                ax, row, k % len(therapists), k // len(therapists), "white" if row["wai"] > low + 0.62 * (high - low) else "black"
            )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.015, fraction=0.05)
    bar.set_label(f"mean WAI; the colours span {low:g} to {high:g},\nwhere 95 of 100 single clients lie")
    bar.outline.set_visible(False)


def _cell(ax: Axes, row: dict[Any, Any], x: int, y: int, colour: str) -> None:
    ax.text(x, y - 0.2, number(row["wai"]), ha="center", va="center", color=colour, fontsize=12, fontweight="bold")
    reference = "reference" if np.isnan(row["overlap"]) else f"overlap {percent(row['overlap'])}"
    ax.text(
        x,
        y + 0.14,
        f"[{number(row['wai_low'])}, {number(row['wai_high'])}]\nSD {number(row['wai_sd'])}\n{reference}",
        ha="center",
        va="center",
        color=colour,
        fontsize=8,
        linespacing=1.25,
    )


def _dots(run: Run, ax: Axes, table: pd.DataFrame) -> None:
    late = measures.by_arm(run, "alliance")
    table = table[table["therapist"] != "none"].reset_index(drop=True)
    ax.set(xlim=(1, 7), xlabel=WAI, ylabel="arm")
    ax.set_title("Late alliance: mean and 95 % interval; grey: middle 50 % and 95 % of single clients")
    ax.set_yticks(range(len(table)), [short(a) for a in table["arm"]])
    ax.set_ylim(len(table) - 0.4, -0.6)
    if table.empty or not len(run.sessions):
        nothing_to_show(ax, "nobody in this scenario has therapy")
        return
    for y, row in enumerate(table.to_dict("records")):
        people = late[row["arm"]]
        if people.empty:
            continue
        for share, height in ((0.95, 0.16), (0.5, 0.34)):
            a, b = people.quantile([(1 - share) / 2, (1 + share) / 2])
            ax.barh(y, b - a, left=a, height=height, color=BAND, alpha=0.6, linewidth=0)
        if not np.isnan(row["wai_low"]):
            ax.plot([row["wai_low"], row["wai_high"]], [y, y], color=INK, linestyle="-", marker="|", markersize=7, linewidth=2)
        ax.plot(row["wai"], y, marker="o", color=INK, linestyle="none", markersize=5)
        said = f"{number(row['wai'])} [{number(row['wai_low'])}, {number(row['wai_high'])}], SD {number(row['wai_sd'])}"
        if not np.isnan(row["overlap"]):
            said += f", overlap {percent(row['overlap'])}"
        ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=8, color=INK)


@in_style
def alliance_curves(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Mean client-rated alliance session by session, among those still attending, with the middle half of clients.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.alliance_curves(run)
    <Picture size ...>
    """
    shown, remark = panels(run, therapy_only=True)
    fig = fig or picture(*panel_size(len(shown)))
    axes = panel_axes(fig, max(len(shown), 1))
    handles: list[Line2D] = []
    most = max((arm.sessions for arm in run.scenario.arms), default=1)
    for ax, (title, lines) in zip(axes, shown, strict=False):
        drawn = lines_with_spread(ax, run.sessions, lines, "session", "wai_client", max(most // 6, 1))
        handles = max(handles, drawn, key=len)
        ax.set_title(title)
        said = "(means are of those still attending)"
        if run.scenario.design != "clinic":  # where courses are under way at the end, who attends to the last is not known
            attended = [float((courses_of(run, a)["sessions_attended"] >= planned_sessions(run, a)).mean()) for _, a in lines]
            low, high = percent(min(attended)), percent(max(attended))
            who = low if low == high else f"{low.removesuffix(' %')} to {high}"
            said = f"attend the last planned session: {who}\n{said}"
        ax.text(0.99, 0.03, said, transform=ax.transAxes, ha="right", va="bottom", fontsize=7.5, color=QUIET)
    for ax in axes:
        ax.set(ylim=(1, 7), xlim=(0.5, most + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_panels(axes, "session", WAI)
    if not len(run.sessions):
        nothing_to_show(axes[0], "no session was held")
    legend_above(fig, handles if len(handles) > 1 else [])
    note_on_figure(run, fig, remark)
    return fig


# ------------------------------------------------------------------------------------------------ staying and distress


@in_style
def still_attending(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Proportion of clients who come to each session (above), and proportion who have left by then (below): dropped out, or
    improved.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.still_attending(run)
    <Picture size ...>
    """
    shown, remark = panels(run, therapy_only=True)
    columns = max(len(shown), 1)
    fig = fig or picture(9.6, 5.6)
    grid = fig.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    handles: list[Line2D] = []
    most = max((arm.sessions for arm in run.scenario.arms), default=1)
    for column, (title, lines) in enumerate(shown):
        above, below = grid[0, column], grid[1, column]
        above.set_title(short(title, 24))
        drawn = []
        for i, (label, arm) in enumerate(lines):
            table = attendance(courses_of(run, arm), planned_sessions(run, arm))
            style = look(i) | {"markevery": (i, max(most // 5, 1))}
            drawn += above.plot(table.index, table["attending"], label=short(label), clip_on=False, **style)
            below.plot(table.index, table["dropped_out"], clip_on=False, **style)
            below.plot(
                table.index, table["improved"], color=style["color"], linestyle=style["linestyle"], marker="", linewidth=0.8
            )
        handles = max(handles, drawn, key=len)
    for ax in grid.flat:
        ax.set(ylim=(0, 1), xlim=(0.5, most + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    for ax in grid[1]:
        ax.set_xlabel("session")
    grid[0, 0].set_ylabel("clients who come (%)")
    grid[1, 0].set_ylabel("clients who have left (%)")
    if shown:
        grid[1, 0].text(
            0.03,
            0.96,
            "thick, with markers: dropped out\nthin: improved, ended early",
            transform=grid[1, 0].transAxes,
            va="top",
            fontsize=7.5,
            color=QUIET,
        )
    else:
        nothing_to_show(grid[0, 0], "nobody in this scenario has therapy")
    legend_above(fig, handles if len(handles) > 1 else [])
    note_on_figure(run, fig, remark)
    return fig


def attendance(clients: pd.DataFrame, planned: int) -> pd.DataFrame:
    """By session: proportion of an arm's clients who come to it, and proportion who have dropped out, or improved and ended,
    after it."""
    sessions = np.arange(1, planned + 1)
    if clients.empty:
        return pd.DataFrame(np.nan, index=sessions, columns=["attending", "dropped_out", "improved"])
    held = clients["sessions_attended"].to_numpy()
    left = {
        name: ((held <= sessions[:, None]) & (clients["ending"] == ending).to_numpy()).mean(axis=1)
        for name, ending in (("dropped_out", "dropout"), ("improved", "improved"))
    }
    return pd.DataFrame({"attending": (held >= sessions[:, None]).mean(axis=1), **left}, index=sessions)


@in_style
def distress_course(run: Run, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Mean distress (CORE-OM) of everybody by month, in or out of therapy, with the middle half of people.

    Returns the figure, or ``fig`` where one is given.

    >>> sim.plots.distress_course(run)
    <Picture size ...>
    """
    shown, remark = panels(run)
    fig = fig or picture(*panel_size(len(shown)))
    axes = panel_axes(fig, len(shown))
    handles: list[Line2D] = []
    last, clinic = months_shown(run), run.scenario.design == "clinic"
    months = run.assessments[run.assessments["month"] <= last]
    for ax, (title, lines) in zip(axes, shown, strict=True):
        handles = max(handles, lines_with_spread(ax, months, lines, "month", "distress", 1), key=len)
        ax.set_title(title)
        ends = {planned_sessions(run, arm) / WEEKS_PER_MONTH for _, arm in lines}
        if not clinic and len(ends) == 1 and (end := ends.pop()) < last:
            ax.axvline(end, color=QUIET, linewidth=0.9, linestyle=(0, (1, 2)))
            ax.text(end, 39.4, " planned end of therapy", fontsize=7.5, color=QUIET, va="top")
        ax.set(ylim=(0, 40), xlim=(-0.15, max(last, 1) + 0.15))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_panels(axes, f"month after {'arrival' if clinic else 'intake'} (four weeks each)", "distress (CORE-OM, 0-40)")
    legend_above(fig, handles if len(handles) > 1 else [])
    note_on_figure(run, fig, remark)
    return fig


def months_shown(run: Run) -> int:
    """The last month of a figure: of a clinic, where people come all the time, the last that half of them have been asked in."""
    if run.assessments.empty:
        return 1
    if run.scenario.design != "clinic":
        return int(run.assessments["month"].max())
    asked = run.assessments["month"].value_counts().sort_index()
    return int(asked.index[asked >= asked.iloc[0] / 2].max())
