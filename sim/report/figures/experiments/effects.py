"""Figures of experiments on the model: the triangle, one region at a time, sites of a simulated EEG, two people together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.patches import FancyArrowPatch, Rectangle

from sim.catalogue.measures import CATALOGUE
from sim.evidence import imaging
from sim.evidence.claims import effects
from sim.report import drawing
from sim.report.drawing import BLUE, INK, ORANGE, QUIET, Facts
from sim.report.text import capital, effect_in_sd, excludes_zero, plain, scaled, short, signed, spaced
from sim.simulation.tables import Run
from sim.theory.regions import CONTAINS, REGIONS, SITES

#: Where the corners stand, and how a push is written.
_PLACES = {"empathy": (0.5, 0.9), "attachment": (0.17, 0.12), "alliance": (0.83, 0.12)}
_PUSHES = {"empathy": "{} of the response scale", "attachment": "{} ECR points of security", "alliance": "{} WAI points"}
#: The effect (SD) from which colours of the lesion table no longer change.
FULL_COLOUR = 1.0


def pushes_corners(run: Run) -> bool:
    """Whether arms push one corner of the triangle and hold another."""
    return not run.sessions.empty and not effects.triangle(run).empty


@drawing.figure(10.4, 4.8, asked=pushes_corners)
def triangle(run: Run, fig: Figure | SubFigure) -> Facts:
    """Directed effects between empathy, attachment and alliance: one corner pushed, a second held, the third answers.

    >>> sim.plots.triangle(small("triangle_clamps"))
    <Picture size ...>
    """
    table = effects.triangle(run)
    left, right = fig.subplots(1, 2, width_ratios=[1.05, 0.8])
    left.set_axis_off()
    left.set(xlim=(0, 1), ylim=(0, 1), title="Width of an arrow: effect on the corner it points to")
    right.set(xlabel="effect (SD of clients)", title="The same effects, and what was done")
    if table.empty:
        left.set_title("")
        right.set_yticks([])
        drawing.nothing_to_show(right, "no arm pushes one corner and holds another")
        return {}
    rows = table.to_dict("records")
    for row in rows:
        push = _PUSHES[row["pushed"]].format(plain(row["by"], "+"))
        row["done"] = f"{push} ({signed(row['push_sd'])} SD), {row['held']} held"
    _arrows(left, rows)
    _effects(right, rows)
    least, most = int(table["n"].min()), int(table["n"].max())
    return {"rows": rows, "clients": f"{least:,}" if least == most else f"{least:,} to {most:,}"}


def _colour(row: Any) -> tuple[str, Any]:
    """Colour and line of an effect: up, down, or with an interval that includes 0."""
    if not excludes_zero(row):
        return QUIET, ":"
    return (BLUE, "-") if row["effect"] > 0 else (ORANGE, (0, (3, 1.2)))


def _arrows(ax: Axes, rows: list[dict[Any, Any]]) -> None:
    """Six arrows; each keeps to the right of its way, so that two opposite ones lie side by side."""
    most = max(1e-9, *(abs(row["effect"]) for row in rows))
    for row in rows:
        start, end = (np.array(_PLACES[row[name]]) for name in ("pushed", "free"))
        along = end - start
        aside = np.array([along[1], -along[0]]) / np.hypot(*along)
        flat = along[1] == 0
        gap = 0.25 if flat else 0.12
        colour, line = _colour(row)
        width = max(0.8, 8.0 * abs(row["effect"]) / most)
        head = f"-|>,head_width={0.25 + 0.035 * width:.3f},head_length={0.45 + 0.05 * width:.3f}"
        ax.add_patch(FancyArrowPatch(
            tuple(start + gap * along + 0.03 * aside), tuple(end - gap * along + 0.03 * aside), arrowstyle=head, color=colour,
            linewidth=width, linestyle=line, mutation_scale=11, shrinkA=0, shrinkB=0, joinstyle="miter", capstyle="butt",
        ))  # fmt: skip
        # Inside the triangle there is room for one label at a height.
        inside = (row["pushed"], row["free"]) in (("attachment", "empathy"), ("empathy", "alliance"))
        share = 0.5 if flat or not inside else 0.27 if row["pushed"] == "attachment" else 0.52
        x, y = start + share * along + (0.085 if flat else 0.055) * aside
        side = "center" if flat else "left" if aside[0] > 0 else "right"
        ax.text(
            x, y, effect_in_sd(row, "effect").replace(" [", "\n["), ha=side, va="center", fontsize=8.5, linespacing=1.2, color=INK
        )
    for name, (x, y) in _PLACES.items():
        ax.text(x, y, name, ha="center", va="center", fontsize=11, fontweight="bold", color=INK,
                bbox={"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": INK, "linewidth": 1.2})  # fmt: skip


def _effects(ax: Axes, rows: list[dict[Any, Any]]) -> None:
    """A row for each arrow: effect with interval, and in words what was pushed and held."""
    for y, row in enumerate(rows):
        colour, _ = _colour(row)
        drawing.bar(ax, row, y, colour, "effect", size=8, width=2)
        drawing.dot(ax, row["effect"], y, colour, "o" if row["effect"] > 0 else "s", 5.5)
    drawing.zero(ax)
    low, high = min(0.0, *(row["low"] for row in rows)), max(0.0, *(row["high"] for row in rows))
    room = 0.08 * max(high - low, 0.05)
    ax.set(xlim=(low - room, high + room), ylim=(len(rows) - 0.5, -0.5))
    labels = [f"{row['pushed']} → {row['free']}\n{row['done']}" for row in rows]
    ax.set_yticks(range(len(rows)), labels, fontsize=7.5, linespacing=1.3)


#: Lesions of single regions from which they make a table.
LEAST_LESIONS = 4


def lesions(run: Run) -> int:
    """How many arms weaken one region each and do nothing else, as far as they have effects."""
    found = sum(effects.lesioned_region(arm) is not None for arm in run.scenario.arms)
    return found if found and not effects.lesion_effects(run).empty else 0


@drawing.figure(asked=lambda run: lesions(run) >= LEAST_LESIONS)
def lesion_table(run: Run, fig: Figure | SubFigure) -> Facts:
    """Region by process: what removing each region of each person does, beside the same people with everything intact.

    >>> sim.plots.lesion_table(small("region_lesions"))
    <Picture size ...>
    """
    table = effects.lesion_effects(run)
    roles = [role for role in ("therapist", "client") if (table["role"] == role).any()]
    counts = [table.loc[table["role"] == role, "arm"].nunique() for role in roles]
    if table.empty:
        return drawing.empty(fig, "no arm weakens one region and does nothing else")
    drawing.sized(fig, 10.4, 2.3 + 0.285 * sum(counts))
    axes = list(np.atleast_1d(fig.subplots(len(roles), 1, sharex=True, height_ratios=counts)))
    image: Any = None
    for ax, role in zip(axes, roles, strict=True):
        image = _heat(ax, table[table["role"] == role])
        ax.set_title(f"Removed from the {role}", pad=6)
        ax.tick_params(labelbottom=ax is axes[-1], length=0)
    axes[-1].set_xlabel("process, as the session tables hold it; framed: coded in, without a frame: it emerges")
    said = "effect (SD of clients with everything intact); colours are full from ±1 SD on"
    drawing.key(fig, image, axes, said, fraction=0.02, pad=0.01, aspect=45, extend="both")
    rows = table.to_dict("records")
    return {
        "removals": table["arm"].nunique(),
        "largest": [
            max((r for r in rows if r["process"] == process), key=lambda r: abs(r["effect"]) if not r["own"] else 0.0)
            for process in effects.PROCESSES
        ],
        "wholes": list(CONTAINS),
        "certain": sum(excludes_zero(row) for row in rows),
        "effects": int((~table["own"]).sum()),
    }


def _heat(ax: Axes, table: pd.DataFrame) -> Any:
    arms, processes = list(dict.fromkeys(table["arm"])), list(effects.PROCESSES)
    values = table["effect"].to_numpy(float).reshape(len(arms), len(processes))
    image = ax.imshow(values, cmap="PuOr", vmin=-FULL_COLOUR, vmax=FULL_COLOUR, aspect="auto")
    for k, row in enumerate(table.to_dict("records")):
        y, x = divmod(k, len(processes))
        said = "own" if row["own"] else signed(row["effect"])
        dark = not row["own"] and abs(row["effect"]) > 0.7 * FULL_COLOUR
        colour = QUIET if row["own"] else "white" if dark else "black"
        ax.text(x, y, said, ha="center", va="center", fontsize=8, color=colour, style="italic" if row["own"] else "normal",
                fontweight="bold" if excludes_zero(row) else "normal")  # fmt: skip
        if row["coded"]:  # a small frame: the equation was written to do this
            ax.add_patch(Rectangle((x - 0.44, y - 0.38), 0.88, 0.76, fill=False, linewidth=1.1, linestyle="-",
                                   edgecolor="white" if dark else "#333333"))  # fmt: skip
    ax.set_xticks(range(len(processes)), [p.replace("'s ", "'s\n") for p in processes])
    labels = []  # indented below the whole that contains it; how much is left where it was not removed
    for row in table.drop_duplicates("arm").to_dict("records"):
        region, left = row["region"], f", {100 * row['left']:.0f} % left" if row["left"] else ""
        title = REGIONS[region].full_title if region in REGIONS else f"{spaced(region)} cortex (all below)"
        labels.append("      " * row["depth"] + title + left)
    ax.set_yticks(range(len(arms)), labels, ha="left")
    ax.tick_params(axis="y", pad=172)
    ax.set_xticks(np.arange(-0.5, len(processes)), minor=True)
    ax.set_yticks(np.arange(-0.5, len(arms)), minor=True)
    ax.grid(False)
    ax.grid(True, which="minor", color="white", linewidth=1.2, linestyle="-")
    ax.tick_params(which="minor", length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    return image


_WHOSE = {"client": "the client's signal", "therapist": "the therapist's signal", "both": "mean of both"}


def sites_of_both(run: Run) -> list[dict[Any, Any]]:
    """A row a site: the correlation of the mean of both people's signals with the alliance, in the first arm."""
    table = imaging.site_alliance(run)
    return table[(table["role"] == "both") & (table["arm"] == table["arm"].iloc[0])].to_dict("records")


#: Scenarios that name the electrode noise ask for the read-out.
@drawing.figure(asked=lambda run: not run.sessions.empty and any("eeg_noise_sd" in arm.parameters for arm in run.scenario.arms))
def eeg_sites(run: Run, fig: Figure | SubFigure) -> Facts:
    """Correlation of a simulated EEG signal with the alliance, by site: between clients, and from session to session.

    >>> sim.plots.eeg_sites(small("eeg_sites"))
    <Picture size ...>
    """
    axes = fig.subplots(1, 2, sharey=True)
    table = imaging.site_alliance(run)
    table = table[table["arm"] == table["arm"].iloc[0]] if len(table) else table
    heads = (("r", "low", "high", "between clients: mean signal and mean WAI"),
             ("within", "within_low", "within_high", "within a client, session by session"))  # fmt: skip
    ends = table[["low", "high", "within_low", "within_high"]].to_numpy(float)
    reach = 0.5 if np.isfinite(ends).any() and np.nanmax(np.abs(ends)) < 0.5 else 1.0
    for ax, (name, low, high, title) in zip(axes, heads, strict=True):
        ax.set(title=capital(title), ylim=(-reach, reach), xlabel="site")
        ax.set_xticks(range(len(SITES)), [s if s != "temporal" else "temporal\n(control)" for s in SITES])
        drawing.zero(ax, across=True)
        ax.axvspan(len(SITES) - 1.5, len(SITES) - 0.5, color="#eeeeee", linewidth=0, zorder=0)
        for i, role in enumerate(imaging.WHOSE):
            rows = table[table["role"] == role]
            x = np.arange(len(rows)) + 0.22 * (i - 1)
            style = drawing.look(i)
            ax.vlines(x, rows[low], rows[high], color=style["color"], linewidth=1.8)
            drawing.dot(ax, x, rows[name], style["color"], style["marker"], 6, label=_WHOSE[role])
        ax.set_xlim(-0.5, len(SITES) - 0.5)
    axes[0].set_ylabel("correlation with the client's WAI (r)")
    if len(table):
        axes[0].legend(loc="upper right", fontsize=8)
    else:
        drawing.nothing_to_show(axes[0], "no session was held")
    return {
        "rows": sites_of_both(run) if len(table) else [],
        "sites": SITES,
        "prefrontal": [name for name, region in REGIONS.items() if region.site == "prefrontal"],
        "least": imaging.LEAST_SESSIONS,
        "remark": " · simulated signals, not recordings",
    }


#: Every kind of client meets every kind of therapist, and nothing else differs.
@drawing.figure(asked=lambda run: not run.sessions.empty and bool(effects.crossing(run.scenario)))
def interaction(run: Run, fig: Figure | SubFigure) -> Facts:
    """Per pair of kinds, alliance and dropout beyond both main effects: dots with 95 % intervals.

    >>> sim.plots.interaction(small("two_insecure_partners"))
    <Picture size ...>
    """
    table = effects.interaction(run)
    pairs = table[table["measure"] == "alliance"]
    drawing.sized(fig, 9.6, max(1.9 + 0.3 * len(pairs), 2.6))
    title = "{}: more or less than the sum of both"
    panels = {
        "alliance": {"title": title.format("Alliance"), "xlabel": "late alliance beyond both (WAI points)"},
        "dropout": {"title": title.format("Dropout"), "xlabel": "dropout beyond both (percentage points)"},
    }
    for ax, measure in drawing.row_of_panels(fig, panels, sharey=True):
        scale = CATALOGUE[measure].scale
        rows = table[table["measure"] == measure].to_dict("records")
        for y, row in enumerate(rows):
            colour = QUIET if not excludes_zero(row) else BLUE if row["mean"] > 0 else ORANGE
            mine = scaled(row, scale)
            drawing.bar(ax, mine, y, colour, size=7)
            drawing.dot(ax, mine["mean"], y, colour, "o" if row["mean"] > 0 else "s", 5.5)
            drawing.beside(ax, y, signed(mine["mean"], 2 if scale == 1.0 else 1))
        drawing.zero(ax)
        if rows:
            ends = [scale * abs(row[end]) for row in rows for end in ("low", "high", "mean") if not np.isnan(row[end])]
            reach = 1.08 * max([*ends, 0.01])
            ax.set_xlim(-reach, reach)
            if rows[-1]["client"] == effects.EVERY:
                ax.axhline(len(rows) - 1.5, color=QUIET, linewidth=0.8, linestyle="-")
    names = [
        "all pairs together" if r["client"] == effects.EVERY else short(f"{r['client']} client, {r['therapist']} therapist", 44)
        for r in pairs.to_dict("records")
    ]
    drawing.rows_named(fig.axes[0], names)
    if not names:
        drawing.nothing_to_show(fig.axes[0], "no arm holds each kind of client with each kind of therapist")
        return {}
    (client, therapist), *_ = effects.crossing(run.scenario)
    return {"client": client, "therapist": therapist, "rows": table.to_dict("records"), "every": effects.EVERY}
