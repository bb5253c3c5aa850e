"""Figures of two mechanisms at work: putting feelings into words, and strategies learned from a history of care."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from sim.evidence.claims.effects import alike, late_means, undone
from sim.measures.contrasts import exchange_change
from sim.measures.intervals import mean_interval
from sim.measures.lines import by_exchange, course_of
from sim.report import drawing
from sim.report.drawing import INK, MOST_DOTS, Facts
from sim.report.text import short, signed_interval
from sim.scenario.scenario import Arm
from sim.simulation.tables import Run
from sim.theory.regions import lesioned

_PLANE = ("anxiety_to_therapist_latent", "avoidance_to_therapist_latent")


def words_arms(run: Run) -> list[Arm]:
    """Arms that differ from the intact one in the client's vlPFC alone: intact first, then the more and more weakened."""
    usual = undone(run)
    if usual is None:
        return []
    found = [
        (lesioned(arm.lesions)["client_vlpfc"], arm)
        for arm in run.scenario.arms
        if alike(arm, usual) and not arm.interventions and all(name == "client.vlpfc" for name in arm.lesions)
    ]
    return [arm for _, arm in sorted(found, key=lambda one: -one[0])]


def weakens_words(run: Run) -> bool:
    """Whether clients are followed exchange by exchange with the vlPFC intact and weakened."""
    followed = set(run.exchanges["arm"]) if len(run.exchanges) else set()
    arms = [arm for arm in words_arms(run) if arm.name in followed]
    return len(arms) > 1 and not arms[0].lesions


@drawing.figure(10.4, 4.3, asked=weakens_words)
def affect_labelling(run: Run, fig: Figure | SubFigure) -> Facts:
    """Putting feelings into words and arousal, exchange by exchange, with the client's vlPFC intact and weakened.

    >>> sim.plots.affect_labelling(small("lesion_vlpfc"))
    <Picture size ...>
    """
    words, arousal, both = fig.subplots(1, 3, width_ratios=[1, 1, 1.15])
    arms, rows = words_arms(run), []
    for i, arm in enumerate(arms):
        style = drawing.look(i)
        for ax, quantity in ((words, "client_labelling"), (arousal, "client_arousal")):
            line = by_exchange(run, arm.name, quantity)
            if len(line):
                ax.fill_between(line.index, line["low"], line["high"], color=style["color"], alpha=0.18, linewidth=0)
                ax.plot(line.index, line["mean"], label=short(arm.name), **style)
        _people(both, run, arm, i)
        apart = paired_arousal(run, arms[0].name, arm.name) if i and not run.exchanges.empty else ""
        if apart:
            arousal.text(0.03, 0.03 + 0.07 * (len(arms) - 1 - i), f"{short(arm.name, 20)}: {apart}", transform=arousal.transAxes,
                         fontsize=7.5, color=INK)  # fmt: skip
        means = run.exchanges.loc[run.exchanges["arm"] == arm.name, ["client_labelling", "client_arousal"]].mean()
        rows.append({"arm": arm.name, "apart": apart, "labelling": means.iloc[0], "arousal": means.iloc[1]})
    for ax, title in ((words, "Feelings put into words"), (arousal, "The client's arousal")):
        ax.set(xlabel="exchange of a session", title=title)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_ylim(0, max(0.5, 1.1 * ax.dataLim.y1 if np.isfinite(ax.dataLim.y1) else 0.5))
    words.set_ylabel("labelling (model index, 0-1)")
    arousal.set_ylabel("arousal after each exchange (0-1)")
    both.set(xlabel="vlPFC activity (model index, 0-1)", ylabel="limbic (amygdala) activity (0-1)")
    both.set(title="Both, each client (late sessions)")
    both.set_ylim(bottom=0)
    if run.exchanges.empty:
        drawing.nothing_to_show(words, "nobody is followed exchange by exchange")
    drawing.legend_above(fig)
    followed = run.exchanges.drop_duplicates(["replicate", "client"]).shape[0]
    return {"followed": followed, "rows": rows, "remark": " · model index, not a scan"}


def paired_arousal(run: Run, intact: str, arm: str) -> str:
    """How much higher arousal is than in the intact arm, client by client, with its 95 % interval."""
    return f"{signed_interval(exchange_change(run, arm, intact, 'client_arousal'))}, paired"


def _people(ax: Axes, run: Run, arm: Arm, i: int) -> None:
    """Some single clients of an arm as dots, and the mean of all with its interval both ways."""
    x, y = (late_means(run, arm, (f"client_{region}",)) for region in ("vlpfc", "limbic"))
    if x.empty:
        return
    style = drawing.look(i)
    some = [drawing.some_of(values, 2 * MOST_DOTS) for values in (x, y)]
    ax.scatter(some[0], some[1], s=11, marker=style["marker"], color=style["color"], alpha=0.3, linewidth=0)
    across, up = mean_interval(x), mean_interval(y)
    drawing.between(ax, (across["low"], across["high"]), up["mean"], INK, 1.2)
    ax.plot([across["mean"]] * 2, [up["low"], up["high"]], color=INK, linestyle="-", marker="", linewidth=1.2)
    drawing.dot(ax, across["mean"], up["mean"], style["color"], style["marker"], 9, markeredgecolor=INK, markeredgewidth=1.2)


def history_arms(run: Run) -> list[Arm]:
    """Arms in which the therapist's response is fixed by the experimenter: histories of care."""
    return [
        arm
        for arm in run.scenario.arms
        if arm.therapist is not None
        and (arm.parameters.get("forced_response_share", 0.0) > 0 or any(f.quantity == "therapist_response" for f in arm.force))
    ]


def fixes_responses(run: Run) -> bool:
    """Whether several arms fix the therapist's response, each in its own way."""
    return not run.sessions.empty and len(history_arms(run)) > 1


@drawing.figure(10.4, 5.4, asked=fixes_responses)
def learned_strategies(run: Run, fig: Figure | SubFigure) -> Facts:
    """What a history of care teaches: paths on the attachment plane, and bids and expression session by session.

    >>> sim.plots.learned_strategies(small("histories"))
    <Picture size ...>
    """
    grid = fig.add_gridspec(2, 2, width_ratios=[1.25, 1])
    plane = fig.add_subplot(grid[:, 0])
    bids = fig.add_subplot(grid[0, 1])
    shown = fig.add_subplot(grid[1, 1], sharex=bids)
    drawing.quarters(plane)
    plane.set(title="Attachment to the therapist, session by session", xlabel="anxiety with the therapist (ECR, 1-7)",
              ylabel="avoidance of the therapist (ECR, 1-7)")  # fmt: skip
    arms, rows = history_arms(run), []
    longest = max((arm.sessions for arm in arms), default=1)
    for i, arm in enumerate(arms):
        style, line = drawing.look(i), course_of(run, arm.name)
        if line.empty:
            continue
        rows.append({"arm": arm.name, "first": list(line.iloc[0]), "last": list(line.iloc[-1])})
        _path(plane, run, arm, line, style)
        for ax, column in ((bids, "bids"), (shown, "shown_less_felt")):
            ax.plot(line.index, line[column], label=short(arm.name), markevery=(i, max(longest // 8, 1)), **style)
    bids.set(ylim=(0, 1), ylabel="bids for support (0-1)", title="Hyperactivation: calling for the other")
    bids.tick_params(labelbottom=False)
    shown.set(xlabel="session", ylabel="expression less arousal", title="Deactivation: showing less than is felt")
    drawing.zero(shown, across=True)
    shown.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if not arms:
        drawing.nothing_to_show(plane, "no arm fixes the therapist's response")
    drawing.legend_above(fig)
    return {"rows": rows}


def _path(ax: Axes, run: Run, arm: Arm, line: pd.DataFrame, style: dict[str, Any]) -> None:
    """The path of an arm's mean, a mark every tenth session, and where some single clients end."""
    last = run.sessions[(run.sessions["arm"] == arm.name) & (run.sessions["session"] == int(line.index.max()))]
    some = drawing.some_of(last, MOST_DOTS)
    ax.scatter(some[_PLANE[0]], some[_PLANE[1]], s=10, marker=style["marker"], color=style["color"], alpha=0.35, linewidth=0)
    x, y = line[_PLANE[0]].to_numpy(), line[_PLANE[1]].to_numpy()
    ax.plot(x, y, color=style["color"], linestyle=style["linestyle"], marker="", linewidth=2)
    marks = line.index.to_numpy() % 10 == 0
    drawing.dot(ax, x[marks], y[marks], style["color"], style["marker"], 5)
    drawing.dot(ax, x[0], y[0], INK, size=6, markerfacecolor="white", zorder=3)
    drawing.dot(ax, x[-1], y[-1], style["color"], style["marker"], 10, markeredgecolor=INK, zorder=4)
