"""The figure of two intervals: for every arm and measure a bar for sampling uncertainty and one for parameter uncertainty."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from sim import measures
from sim.report import drawing
from sim.report.drawing import BLUE, INK, Facts
from sim.report.figures.clinic.service import panels_compared
from sim.report.figures.experiments.effects import pushes_corners
from sim.report.figures.experiments.paths import fixes_responses
from sim.report.text import Row, arm_name, excludes_zero, short
from sim.runs.uncertainty import DIFFERENCE, OF_ARMS, described, is_difference, two_intervals
from sim.scenario.scenario import Scenario
from sim.simulation.tables import Run

SAMPLING, PARAMETER = "sampling uncertainty", "parameter uncertainty"
#: With more arms than this only differences are drawn; more than MOST_ROWS cannot be told apart.
MOST_WITH_VALUES, MOST_ROWS = 6, 20
#: Colour, hatch and place above or below the arm's line: told apart in grey print too.
BARS: dict[str, dict[str, Any]] = {
    "sampling": {"color": BLUE, "hatch": None, "place": -0.19},
    "parameter": {"color": "#E69F00", "hatch": "////", "place": 0.19},
}
HEIGHT = 0.3


def measures_shown(run: Run) -> list[str]:
    """Measures of arms by their weight: those of figures of arms; an alliance that was pushed is no result and comes last."""
    if run.scenario.design == "clinic":
        return panels_compared(run)
    names = list(OF_ARMS)
    return [*names[1:], names[0]] if pushes_corners(run) or fixes_responses(run) else names


def members_of(table: Any) -> int:
    """How many parameter sets were run."""
    return int(table["members"].max())


def against(scenario: Scenario) -> str:
    """What differences are from, in a sentence."""
    if scenario.design == "crossed":
        return "the same clients with the reference therapist"
    return arm_name(measures.reference_arm(scenario, scenario.arms[0].name))


def main_row(run: Run) -> Row:
    """The row that the answer speaks of: the largest difference in the weightiest measure that differs, else a value."""
    table = two_intervals(run)
    wanted = measures_shown(run)
    for names in ([f"{m}{DIFFERENCE}" for m in wanted], [m for m in wanted if is_difference(m)], wanted):
        found = [table[table["measure"] == m] for m in names]
        sure = [part[[excludes_zero(row, "sampling") for row in part.to_dict("records")]] for part in found]
        # In a clinic the first measure that the arms certainly differ in; elsewhere the alliance comes first in any case.
        for part in [*(sure if run.scenario.design == "clinic" else []), *found]:
            if len(part):
                return part.iloc[int(part["value"].abs().argmax())].to_dict()
    return table.iloc[0].to_dict()


@drawing.figure(asked=lambda run: len(run.ensemble) > 0)
def two_uncertainties(run: Run, fig: Figure | SubFigure) -> Facts:
    """Sampling uncertainty (plain bar) and parameter uncertainty (hatched bar) for every arm: values above, differences below.

    >>> sim.plots.two_uncertainties(small("two_uncertainties", parameters={"ensemble": 2}))
    <Picture size ...>
    """
    if not len(run.ensemble):
        return drawing.empty(fig, "this scenario does not ask for the ensemble (parameters: ensemble)")
    table = two_intervals(run)
    rows = _rows(run, table)
    drawing.sized(fig, 11.0, 1.6 + sum(0.55 + 0.46 * len(arms) for _, arms in rows))
    columns = max(len(names) for names, _ in rows)
    grid = fig.subplots(len(rows), columns, squeeze=False, height_ratios=[1.2 + len(arms) for _, arms in rows])
    for axes, (names, arms) in zip(grid, rows, strict=True):
        for ax, name in zip(axes, [*names, *[None] * (columns - len(names))], strict=True):
            if name is None:
                ax.remove()
                continue
            _panel(run, ax, table[table["measure"] == name], arms, name)
            ax.tick_params(labelleft=ax is axes[0])
        axes[0].set_ylabel("client with therapist" if run.scenario.design == "crossed" else "")
    n = members_of(table)
    labels = {
        "sampling": f"{SAMPLING}: 95 % interval, other people and random draws",
        "parameter": f"{PARAMETER}: middle 95 % of {n} parameter sets (line: median)",
    }
    looks = {kind: {"facecolor": look["color"], "hatch": look["hatch"]} for kind, look in BARS.items()}
    bars: list[Any] = [Patch(**looks[kind], edgecolor="white", label=label) for kind, label in labels.items()]
    dot = Line2D([], [], color=INK, linestyle="none", marker="o", markersize=4.5, label="default parameters")
    fig.legend(handles=[*bars, dot], loc="outside upper left", ncols=3)
    left = f" · first {MOST_ROWS} arms" if len(run.scenario.arms) > MOST_ROWS else ""
    row = main_row(run)
    m = described(row["measure"])
    return {
        "n": n,
        "against": against(run.scenario),
        "what": f"difference in {m.title}" if row["measure"].endswith(DIFFERENCE) else m.title,
        "unit": row["unit"],
        "digits": m.digits,
        "rows": table[table["measure"] == row["measure"]].to_dict("records")[:8],
        "remark": f" · the same people and random draws in all {n} sets{left}",
    }


def _rows(run: Run, table: pd.DataFrame) -> list[tuple[list[str], list[str]]]:
    """Rows of panels, each with its measures and arms: values (of few arms) above, differences below."""
    shown = measures_shown(run)
    there = set(table["measure"])
    values = [m for m in shown if m in there and not is_difference(m)]
    apart = [m for m in (*(f"{m}{DIFFERENCE}" for m in shown), "difference_from_no_treatment") if m in there and is_difference(m)]
    found = []
    for names in (values, dict.fromkeys(apart)):
        with_value = set(table.loc[table["measure"].isin(list(names)), "arm"])
        if names:
            found.append((names, [arm.name for arm in run.scenario.arms if arm.name in with_value][:MOST_ROWS]))
    few = len(run.scenario.arms) <= MOST_WITH_VALUES or not apart
    return [(list(names), arms) for names, arms in (found if few else found[-1:])]


def _panel(run: Run, ax: Axes, table: pd.DataFrame, arms: list[str], measure: str) -> None:
    m = described(measure)
    for y, row in ((arms.index(row["arm"]), row) for row in table.to_dict("records") if row["arm"] in arms):
        for kind, look in BARS.items():
            low, high = row[f"{kind}_low"], row[f"{kind}_high"]
            if not np.isnan(low):
                ax.barh(y + look["place"], high - low, left=low, height=HEIGHT, color=look["color"], hatch=look["hatch"],
                        edgecolor="white" if look["hatch"] else look["color"], linewidth=0.6)  # fmt: skip
                ax.plot([low, low, np.nan, high, high], [y + look["place"] + s * HEIGHT / 2 for s in (-1, 1, 0, -1, 1)],
                        color=look["color"], linestyle="-", marker="", linewidth=1.4)  # fmt: skip
        ends = [y + BARS["parameter"]["place"] + s * HEIGHT / 2 for s in (-1, 1)]
        ax.plot([row["median"]] * 2, ends, color=INK, linestyle="-", marker="", linewidth=1.4)
        drawing.dot(ax, row["value"], y, INK, size=4.5)
    if is_difference(measure):
        drawing.zero(ax, zorder=0.5)
    reached = table[["value", "sampling_low", "sampling_high", "parameter_low", "parameter_high"]].to_numpy(float)
    low, high = float(np.nanmin(reached)), float(np.nanmax(reached))
    low, high = (min(low, 0.0), max(high, 0.0)) if is_difference(measure) else (low, high)
    room = 0.06 * (high - low) or 0.05
    ax.set(xlim=(low - room, high + room), xlabel=f"{m.title}\n({table['unit'].iloc[0]})")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    kinds = {row["arm"]: row for row in measures.arms(run.scenario).to_dict("records")}
    crossed = run.scenario.design == "crossed"  # of pairings just the two kinds
    pairs = [f"{short(kinds[arm]['client'], 18)} with {short(kinds[arm]['therapist'], 18)}" for arm in arms if crossed]
    drawing.rows_named(ax, pairs or [short(arm, 30) for arm in arms])
    if measure.endswith(DIFFERENCE):
        usual = "reference therapist" if crossed else short(against(run.scenario), 28)
        ax.set_title(f"less {usual}", fontsize=8.5)
    elif measure == "difference_from_no_treatment":
        ax.set_title("less no therapy", fontsize=8.5)
