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
from matplotlib.ticker import MaxNLocator, PercentFormatter

from sim import measures
from sim.measures.lines import at_one_time, attendance
from sim.report import drawing
from sim.report.drawing import BAND, INK, QUIET, WAI, Facts
from sim.report.text import interval, number, percent, short, with_interval
from sim.simulation.tables import Run
from sim.theory.styles import STYLE_CUT


@drawing.figure(9.0)
def alliance_by_pairing(run: Run, ax: Axes) -> Facts:
    """Late client-rated alliance of each pairing: client by therapist in a crossed design, else a row per arm.

    Late: mean over the last third of the sessions that a client came to.

    >>> sim.plots.alliance_by_pairing(run)
    <Panel: ...>
    """
    table = measures.pairings(run)
    crossed = run.scenario.design == "crossed"
    rows = table["client"].nunique() if crossed else len(table)
    drawing.sized(ax.figure, 9.0, min(max(2.4 + (1.05 if crossed else 0.42) * rows, 3.0), 14))
    (_heat_map if crossed else _dots)(run, ax, table)
    low, high = colour_range(run)
    return {"low": low, "high": high, "rows": table.dropna(subset=["wai"]).to_dict("records")}


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
            y, x = divmod(k, len(therapists))
            dark = row["wai"] > low + 0.62 * (high - low)
            how: dict[str, Any] = {"ha": "center", "va": "center", "color": "white" if dark else "black"}
            reference = "reference" if np.isnan(row["overlap"]) else f"overlap {percent(row['overlap'])}"
            ax.text(x, y - 0.2, number(row["wai"]), fontsize=12, fontweight="bold", **how)
            more = f"{interval(row, 'wai')}\nSD {number(row['wai_sd'])}\n{reference}"
            ax.text(x, y + 0.14, more, fontsize=8, linespacing=1.25, **how)
    said = f"mean WAI; the colours span {low:g} to {high:g},\nwhere 95 of 100 single clients lie"
    drawing.key(ax.figure, image, ax, said, pad=0.015, fraction=0.05)


def _dots(run: Run, ax: Axes, table: pd.DataFrame) -> None:
    late = measures.by_arm(run, "alliance")
    table = table[table["therapist"] != "none"].reset_index(drop=True)
    ax.set(xlim=(1, 7), xlabel=WAI, ylabel="arm")
    ax.set_title("Late alliance: mean and 95 % interval; grey: middle 50 % and 95 % of single clients")
    drawing.rows_named(ax, [short(a) for a in table["arm"]])
    if table.empty or not len(run.sessions):
        drawing.nothing_to_show(ax, "nobody in this scenario has therapy")
        return
    for y, row in enumerate(table.to_dict("records")):
        people = late[row["arm"]]
        if people.empty:
            continue
        for share, height in ((0.95, 0.16), (0.5, 0.34)):
            a, b = people.quantile([(1 - share) / 2, (1 + share) / 2])
            ax.barh(y, b - a, left=a, height=height, color=BAND, alpha=0.6, linewidth=0)
        drawing.bar(ax, row, y, INK, "wai", size=7, width=2)
        drawing.dot(ax, row["wai"], y, INK, size=5)
        overlap = "" if np.isnan(row["overlap"]) else f", overlap {percent(row['overlap'])}"
        drawing.beside(ax, y, f"{with_interval(row, 2, 'wai')}, SD {number(row['wai_sd'])}{overlap}")


def _attendance(run: Run, arm: str) -> pd.DataFrame:
    planned = next(one.sessions for one in run.scenario.arms if one.name == arm)
    return attendance(run.clients[run.clients["arm"] == arm], planned)


@drawing.figure()
def alliance_curves(run: Run, fig: Figure | SubFigure) -> Facts:
    """Mean client-rated alliance session by session, among those still attending, with the middle half of clients.

    >>> sim.plots.alliance_curves(run)
    <Picture size ...>
    """
    shown, remark = drawing.panels(run, therapy_only=True)
    axes = drawing.grid_of_panels(fig, len(shown))
    most = max((arm.sessions for arm in run.scenario.arms), default=1)
    for ax, (title, lines) in zip(axes, shown, strict=False):
        drawing.lines_with_spread(ax, run.sessions, lines, "session", "wai_client", max(most // 6, 1))
        ax.set_title(title)
        said = "(means are of those still attending)"
        if run.scenario.design != "clinic":  # where courses are under way at the end, who attends to the last is not known
            attended = [float(_attendance(run, arm)["attending"].iloc[-1]) for _, arm in lines]
            low, high = percent(min(attended)), percent(max(attended))
            who = low if low == high else f"{low.removesuffix(' %')} to {high}"
            said = f"attend the last planned session: {who}\n{said}"
        ax.text(0.99, 0.03, said, transform=ax.transAxes, ha="right", va="bottom", fontsize=7.5, color=QUIET)
    for ax in axes:
        ax.set(ylim=(1, 7), xlim=(0.5, most + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.label_panels(axes, "session", WAI)
    if not len(run.sessions):
        drawing.nothing_to_show(axes[0], "no session was held")
    drawing.legend_above(fig)
    return _from_to(run, run.sessions, "session", 1, run.sessions["session"].max(), "wai_client", remark)


@drawing.figure(9.6, 5.6)
def still_attending(run: Run, fig: Figure | SubFigure) -> Facts:
    """Proportion of clients who come to each session (above), and proportion who have left by then (below): dropped out, or
    improved.

    >>> sim.plots.still_attending(run)
    <Picture size ...>
    """
    shown, remark = drawing.panels(run, therapy_only=True)
    columns = max(len(shown), 1)
    grid = fig.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    most = max((arm.sessions for arm in run.scenario.arms), default=1)
    for column, (title, lines) in enumerate(shown):
        above, below = grid[0, column], grid[1, column]
        above.set_title(short(title, 24))
        for i, (label, arm) in enumerate(lines):
            table = _attendance(run, arm)
            style = drawing.look(i) | {"markevery": (i, max(most // 5, 1))}
            above.plot(table.index, table["attending"], label=short(label), clip_on=False, **style)
            below.plot(table.index, table["dropped_out"], clip_on=False, **style)
            thin = {"color": style["color"], "linestyle": style["linestyle"], "marker": "", "linewidth": 0.8}
            below.plot(table.index, table["improved"], **thin)
    for ax in grid.flat:
        ax.set(ylim=(0, 1), xlim=(0.5, most + 0.5))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    for ax in grid[1]:
        ax.set_xlabel("session")
    grid[0, 0].set_ylabel("clients who come (%)")
    grid[1, 0].set_ylabel("clients who have left (%)")
    if shown:
        grid[1, 0].text(0.03, 0.96, "thick, with markers: dropped out\nthin: improved, ended early",
                        transform=grid[1, 0].transAxes, va="top", fontsize=7.5, color=QUIET)  # fmt: skip
    else:
        drawing.nothing_to_show(grid[0, 0], "nobody in this scenario has therapy")
    drawing.legend_above(fig)
    table = measures.pairings(run).set_index("arm")
    return {"remark": remark, **{name: (100 * table[name]).to_dict() for name in ("dropout", "improved")}}


@drawing.figure(9.6, 5.6)
def attachment_to_therapist(run: Run, fig: Figure | SubFigure) -> Facts:
    """Mean attachment to the therapist (latent, ECR units) session by session, among those still attending, with the middle half
    of clients: anxiety above, avoidance below.

    >>> sim.plots.attachment_to_therapist(run)
    <Picture size ...>
    """
    shown, remark = drawing.panels(run, therapy_only=True)
    most = max((arm.sessions for arm in run.scenario.arms), default=1)
    last = int(run.sessions["session"].max()) if len(run.sessions) else 1
    grid, moves = drawing.attachment_grid(fig, shown), []
    for name, axes in grid.items():
        column = f"{name}_to_therapist_latent"
        for ax, (_, lines) in zip(axes, shown, strict=False):
            drawing.lines_with_spread(ax, run.sessions, lines, "session", column, max(most // 6, 1))
        for ax in axes:
            ax.axhline(STYLE_CUT, color=QUIET, linewidth=1.0, linestyle="-", zorder=1.5)
            ax.set(ylim=(1, 7), xlim=(0.5, most + 0.5))
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylabel(f"{name} to the therapist\n(ECR, 1-7)")
        moves.append((name, *(at_one_time(run.sessions, "session", at, column) for at in (1, last))))
    for ax in grid["avoidance"]:
        ax.set_xlabel("session")
    if not len(run.sessions):
        drawing.nothing_to_show(grid["anxiety"][0], "no session was held")
    drawing.legend_above(fig)
    most_lines = max((len(lines) for _, lines in shown), default=0)
    return {"lines": most_lines, "moves": moves, "last": last, "cut": STYLE_CUT, "remark": remark}


@drawing.figure()
def distress_course(run: Run, fig: Figure | SubFigure) -> Facts:
    """Mean distress (CORE-OM) of everybody by month, in or out of therapy, with the middle half of people.

    >>> sim.plots.distress_course(run)
    <Picture size ...>
    """
    shown, remark = drawing.panels(run)
    axes = drawing.grid_of_panels(fig, len(shown))
    last, clinic = months_shown(run), run.scenario.design == "clinic"
    months = run.assessments[run.assessments["month"] <= last]
    for ax, (title, lines) in zip(axes, shown, strict=True):
        drawing.lines_with_spread(ax, months, lines, "month", "distress", 1)
        ax.set_title(title)
        drawing.planned_end(ax, run, [arm for _, arm in lines], last)
        ax.set(ylim=(0, 40), xlim=(-0.15, max(last, 1) + 0.15))
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    drawing.label_panels(axes, f"month after {'arrival' if clinic else 'intake'} (four weeks each)", "distress (CORE-OM, 0-40)")
    drawing.legend_above(fig)
    return _from_to(run, run.assessments, "month", 0, last, "distress", remark)


def months_shown(run: Run) -> int:
    """The last month of a figure: of a clinic, where people come all the time, the last that half of them have been asked in."""
    if run.assessments.empty:
        return 1
    if run.scenario.design != "clinic":
        return int(run.assessments["month"].max())
    asked = run.assessments["month"].value_counts().sort_index()
    return int(asked.index[asked >= asked.iloc[0] / 2].max())


def _from_to(run: Run, table: pd.DataFrame, by: str, first: int, last: int, value: str, remark: str) -> Facts:
    """Means of every arm at the first and the last time of its lines."""
    start, end = (at_one_time(table, by, at, value) for at in (first, last))
    lines = max((len(lines) for _, lines in drawing.panels(run, therapy_only=True)[0]), default=0)
    untreated = any(arm.therapist is None for arm in run.scenario.arms)
    return {"lines": lines, "first": start, "last": last, "end": end, "untreated": untreated, "remark": remark}
