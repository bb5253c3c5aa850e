"""Figures of change: the same clients with another therapist, and movement on the attachment plane."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim import measures
from sim.measures.intervals import mean_interval
from sim.report import drawing
from sim.report.drawing import BAND, INK, MOST_DOTS, QUIET, Facts
from sim.report.text import percent, short, with_interval
from sim.simulation.tables import Run

#: More groups than this cannot be told apart on the attachment plane.
MOST_GROUPS = 7
MOST_ROWS = 24


@drawing.figure(9.6, 3.0)
def pairing_differences(run: Run, ax: Axes) -> Facts:
    """Difference in late alliance for the same clients with another therapist, beside the spread of single clients.

    >>> sim.plots.pairing_differences(run)
    <Panel: ...>
    """
    every = measures.paired_differences(run)
    facts = {
        "means": dict(zip(every["arm"], every["mean"], strict=True)),
        "across": int(((every["low"] <= 0) & (every["high"] >= 0)).sum()),
        "low": every["single_low"].min(),
        "high": every["single_high"].max(),
    }
    table = every.head(MOST_ROWS)
    drawing.sized(ax.figure, 9.6, max(2.0 + 0.42 * len(table), 3.0))
    crossed, reference = run.scenario.design == "crossed", "the first arm with therapy"
    if crossed:
        kinds_met = list(run.scenario.spec["therapist"])
        reference = f"the same clients with a {short('secure' if 'secure' in kinds_met else kinds_met[0])} therapist"
    ax.set(xlabel="difference in late client-rated alliance (WAI points)", ylabel="pairing" if crossed else "arm")
    if table.empty:
        ax.set_xlim(-6, 6)
        ax.set_yticks([])
        drawing.nothing_to_show(ax, "no two arms with therapy hold the same clients")
        return facts
    labels = [
        short(f"{r['client']} client: {r['therapist']} therapist" if crossed else r["arm"], 48) for r in table.to_dict("records")
    ]
    groups = table["client"].ne(table["client"].shift()).cumsum() - 1
    places = np.arange(len(table)) + 0.6 * groups.to_numpy()
    farthest = float(np.nanmax(np.abs(table[["single_low", "single_high", "mean"]].to_numpy(float))))
    reach = max(1.0, np.ceil(1.05 * farthest * 2) / 2)  # room between the longest bar and the frame
    for y, row in zip(places, table.to_dict("records"), strict=True):
        drawing.between(ax, (row["single_low"], row["single_high"]), y, BAND, 6, solid_capstyle="butt")
        drawing.between(ax, (row["unpaired_low"], row["unpaired_high"]), y, "#56B4E9", 1, "|", markersize=9)
        drawing.between(ax, (row["low"], row["high"]), y, INK, 3)
        drawing.dot(ax, row["mean"], y, INK)
        drawing.beside(ax, y, f"{with_interval(row)}, overlap {percent(row['overlap'])}")
    drawing.zero(ax)
    ax.set_yticks(places, labels)
    ax.set(xlim=(-reach, reach), ylim=(places[-1] + 0.6, -0.6))
    ax.set_title(f"Compared with {reference}" + (f" (first {MOST_ROWS} rows)" if len(every) > MOST_ROWS else ""), pad=26)
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("same clients: mean difference, 95 % interval", {"color": INK, "linewidth": 3, "marker": "o"}),
        ("95 % interval had they been different clients", {"color": "#56B4E9", "linewidth": 1, "marker": "|", "markersize": 9}),
        ("two single clients at random, middle 95 %", {"color": BAND, "linewidth": 6, "marker": ""}),
    ]
    handles = [Line2D([], [], linestyle="-", label=label, **kind) for label, kind in kinds]
    ax.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=7.5, handlelength=2.0, columnspacing=1.2
    )
    return facts


@drawing.figure(9.8, 5.6)
def attachment_plane(run: Run, fig: Figure | SubFigure) -> Facts:
    """Where clients and therapists stand in attachment (latent), and how far groups move; both people.

    Left: the whole plane at the start, with some single people. Right: the movement of group means, magnified, since
    on the left it would be smaller than the markers.

    >>> sim.plots.attachment_plane(run)
    <Picture size ...>
    """
    plane, moved = fig.subplots(1, 2)
    table = measures.attachment_change(run)
    groups = list(dict.fromkeys(table["group"])) if len(table) else []
    shown = groups[:MOST_GROUPS]
    drawing.quarters(plane)
    plane.set_title("Where they are at the start; large: means")
    for role in ("client", "therapist"):
        _dots(run, plane, role, shown)
    for row in table[table["group"].isin(shown)].to_dict("records") if len(table) else ():
        style, client = drawing.look(shown.index(row["group"])), row["role"] == "client"
        x, y, colour, marker = row["anxiety_0"], row["avoidance_0"], style["color"], style["marker"]
        edge = {"markeredgecolor": INK, "markeredgewidth": 1.2, "markerfacecolor": colour if client else "white"}
        drawing.dot(plane, x, y, colour, marker, 9, **edge)
        if not client:
            drawing.dot(plane, x, y, colour, marker, 4)
    _movement(moved, table[table["group"].isin(shown)] if len(table) else table, shown)
    kinds = [
        *((drawing.look(i)["color"], drawing.look(i)["marker"], drawing.look(i)["color"], short(g)) for i, g in enumerate(shown)),
        (INK, "o", INK, "clients: filled"),
        (INK, "o", "white", "therapists: hollow"),
    ]
    handles = [
        Line2D([], [], color=colour, marker=marker, linestyle="none", markerfacecolor=fill, label=label)
        for colour, marker, fill, label in kinds
    ]
    drawing.legend_above(fig, handles, 6)
    moves = [
        (name, role, dict(zip(part["group"], part[f"{name}_change"], strict=True)))
        for role, part in (table.groupby("role", sort=False) if len(table) else ())
        for name in ("anxiety", "avoidance")
    ]
    return {"moves": moves, "remark": f" · first {MOST_GROUPS} of {len(groups)} groups" if len(groups) > MOST_GROUPS else ""}


@drawing.figure(9.6, 5.6)
def attachment_without_therapy(run: Run, fig: Figure | SubFigure) -> Facts:
    """General attachment (latent, ECR units) month by month, as difference from the same people without therapy: anxiety above,
    avoidance below, means of everybody who began with 95 % intervals.

    >>> sim.plots.attachment_without_therapy(run)
    <Picture size ...>
    """
    shown, remark = drawing.panels(run, therapy_only=True)
    last = int(run.assessments["month"].max()) if len(run.assessments) else 0
    grid, rows = drawing.attachment_grid(fig, shown), []
    for name, axes in grid.items():
        months = {at: measures.untreated_differences(run, f"{name}_latent", at) for at in range(1, last + 1)}
        for ax, (_, lines) in zip(axes, shown, strict=False):
            for i, (label, arm) in enumerate(lines):
                found = {at: mean_interval(by_arm[arm]) for at, by_arm in months.items() if arm in by_arm}
                style = drawing.look(i)
                ax.plot([0, *found], [0.0, *(row["mean"] for row in found.values())], label=short(label), **style)
                for at, row in found.items():
                    ax.plot([at, at], [row["low"], row["high"]], color=style["color"], linestyle="-", marker="", linewidth=0.8)
                if found:
                    at, planned = max(found), measures.comparison_month(run, arm)
                    rows.append({"arm": arm, "name": name, "end": found.get(planned, found[at]), "planned": planned, "last": at,
                                 "left": found[at]})  # fmt: skip
            drawing.zero(ax, across=True)
            drawing.planned_end(ax, run, [arm for _, arm in lines], last)
        for ax in axes:
            ax.set_xlim(-0.15, max(last, 1) + 0.15)
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_ylabel(f"{name}, difference\n(ECR points)")
    for ax in grid["avoidance"]:
        ax.set_xlabel("month after intake")
    if not rows:
        drawing.nothing_to_show(grid["anxiety"][0], "no arm leaves the same people without therapy")
    drawing.legend_above(fig)
    return {"rows": rows, "remark": remark}


def _dots(run: Run, ax: Axes, role: str, groups: list[str]) -> None:
    """Some single people, evenly spaced through the table: of each group in a crossed design; of all arms together
    otherwise, since the same people often stand in several arms."""
    table = measures.arms(run.scenario)
    crossed = run.scenario.design == "crossed"
    places = [f"{role}_anxiety_0_latent", f"{role}_avoidance_0_latent"]
    for i, group in enumerate(groups if crossed else [""]):
        names = table.loc[table[role] == group, "arm"] if crossed else table["arm"]
        people = run.clients.loc[run.clients["arm"].isin(names), places].dropna().drop_duplicates()
        if people.empty:
            continue
        people = drawing.some_of(people, MOST_DOTS)
        colour, marker = (drawing.look(i)["color"], drawing.look(i)["marker"]) if crossed else (QUIET, "o")
        fill = colour if role == "client" else "none"
        ax.scatter(
            people[places[0]], people[places[1]], s=9, marker=marker, alpha=0.4, linewidth=0.6, facecolor=fill, edgecolor=colour
        )


def _movement(ax: Axes, table: pd.DataFrame, shown: list[str]) -> None:
    """Movement of each group's mean from its own start, with intervals; the scale is said in the title."""
    reach = 0.1
    if len(table):
        edges = table[[f"{name}_{end}" for name in ("anxiety", "avoidance") for end in ("low", "high", "change")]].to_numpy(float)
        reach = max(reach, float(np.ceil(np.nanmax(np.abs(edges)) * 20) / 20))
    for row in table.to_dict("records"):
        style, x, y = drawing.look(shown.index(row["group"])), row["anxiety_change"], row["avoidance_change"]
        colour, client = style["color"], row["role"] == "client"
        ax.plot([0, x], [0, y], color=colour, linestyle="-" if client else (0, (3, 2)), marker="", linewidth=1.3)
        drawing.between(ax, (row["anxiety_low"], row["anxiety_high"]), y, colour, 0.7)
        ax.plot([x, x], [row["avoidance_low"], row["avoidance_high"]], color=colour, linestyle="-", marker="", linewidth=0.7)
        drawing.dot(ax, x, y, colour, style["marker"], 7, markeredgecolor=colour, markeredgewidth=1.3,
            markerfacecolor=colour if client else "white")  # fmt: skip
    drawing.zero(ax, width=0.8)
    drawing.zero(ax, across=True, width=0.8)
    ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="change in mean anxiety (ECR points)",
           ylabel="change in mean avoidance (ECR points)")  # fmt: skip
    ax.set_title(f"How far group means move, {3 / reach:.0f} times as large")
    for text, x, y, ha, va in (
        ("more anxious →", 0.99, 0.51, "right", "bottom"),
        ("less avoidant ↓", 0.51, 0.01, "left", "bottom"),
    ):
        ax.text(x, y, text, transform=ax.transAxes, ha=ha, va=va, fontsize=7.5, color=QUIET)
