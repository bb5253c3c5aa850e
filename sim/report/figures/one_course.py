"""One course from the first session to the last questionnaire: the alliance with its ruptures, the bond, and what is left."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from sim import measures
from sim.report import drawing
from sim.report.drawing import INK, QUIET, Facts
from sim.report.text import short
from sim.simulation.tables import Run
from sim.theory.styles import STYLE_CUT

#: More therapists than this beside each other leave no room for the lines.
MOST_COURSES = 4
DIMENSIONS = ("anxiety", "avoidance")
#: How sessions with a rupture, and with a repair (of one in the same session or before), are marked.
MARKS: dict[str, dict[str, Any]] = {
    "ruptures": {"colour": INK, "size": 8, "markerfacecolor": "white", "markeredgecolor": INK},
    "repairs": {"colour": "#009E73", "size": 5},
}


@drawing.figure(9.6, 7.6)
def one_course(run: Run, fig: Figure | SubFigure) -> Facts:
    """The course of the client who was followed first, with each therapist of the scenario, and a while after.

    Above: alliance with ruptures and repairs. Middle: attachment to this therapist. Below: general attachment as difference from
    the same person without therapy, or since intake where no arm has that person. All but the WAI are latent.

    >>> sim.plots.one_course(run)
    <Picture size ...>
    """
    arms = followed_arms(run)
    if not arms:
        ax: Axes = fig.subplots()
        ax.set(xlabel="session", ylabel="attachment to the therapist (ECR, 1-7)", ylim=(1, 7))
        drawing.nothing_to_show(ax, "this scenario follows nobody exchange by exchange (record: exchanges: clients: [0])")
        return {}
    client, replicate = (run.exchanges[name].iloc[0] for name in ("client", "replicate"))
    outer = fig.add_gridspec(2, 1, height_ratios=[2, 1])
    upper = outer[0].subgridspec(2, len(arms)).subplots(sharex=True, sharey="row", squeeze=False)
    lower = outer[1].subgridspec(1, len(arms)).subplots(sharey=True, squeeze=False)
    courses = []
    for k, arm in enumerate(arms):
        of = {name: _rows_of(getattr(run, name), arm, replicate, client) for name in ("sessions", "assessments")}
        twin = measures.untreated_arm(run.scenario, arm)
        untreated = _rows_of(run.assessments, twin, replicate, client) if twin else None
        moved = _moved(of["assessments"], untreated)
        upper[0, k].set_title(short(arm if run.scenario.design != "crossed" else arm.partition(", ")[2], 40))
        _alliance(upper[0, k], of["sessions"])
        _bond(upper[1, k], of["sessions"])
        _general(lower[0, k], moved)
        drawing.planned_end(lower[0, k], run, [arm], moved.index.max())
        courses.append({"arm": arm, **_told(of["sessions"], moved), **_of_all(run, arm)})
    upper[0, 0].set_ylabel("alliance (1-7)")
    upper[1, 0].set_ylabel("attachment to this\ntherapist (ECR, 1-7)")
    lower[0, 0].set_ylabel(f"general attachment,\n{'difference' if twin else 'since intake'} (ECR points)")
    drawing.legend_above(fig, _kinds(), 3)
    many = sum(arm.therapist is not None for arm in run.scenario.arms) > len(arms)
    remark = f" · {len(arms)} of the courses of this client" if many and len(arms) == MOST_COURSES else ""
    life = _moved(untreated) if untreated is not None else None
    return {"client": client, "courses": courses, "cut": STYLE_CUT, "remark": remark,
            "life": None if life is None else [(name, life[name].min(), life[name].max()) for name in DIMENSIONS]}  # fmt: skip


def followed_arms(run: Run) -> list[str]:
    """The arms with therapy in which the client who was followed first takes part as the same person, in their order."""
    if run.exchanges.empty or run.scenario.design == "clinic":
        return []
    told = next(arm for arm in run.scenario.arms if arm.name == run.exchanges["arm"].iloc[0])
    same = [arm.name for arm in run.scenario.arms if arm.therapist is not None and measures.same_clients(arm, told)]
    return [told.name, *(name for name in same if name != told.name)][:MOST_COURSES]


def _rows_of(table: pd.DataFrame, arm: str, replicate: int, client: int) -> pd.DataFrame:
    return table[(table["arm"] == arm) & (table["replicate"] == replicate) & (table["client"] == client)]


def _alliance(ax: Axes, rows: pd.DataFrame) -> None:
    """Latent alliance as a line on the scale of the WAI, what the client rates as dots, and where ruptures and repairs happen."""
    when, latent = rows["session"].to_numpy(), 1 + 6 * rows["alliance_latent"].to_numpy(float)
    drawing.dot(ax, when, rows["wai_client"], QUIET, ".", 4)
    ax.plot(when, latent, color=INK, linestyle="-", marker="")
    for column, how in MARKS.items():
        some = rows[column].to_numpy() > 0
        drawing.dot(ax, when[some], latent[some], **how)
    ax.set(ylim=(1, 7))


def _bond(ax: Axes, rows: pd.DataFrame) -> None:
    for i, name in enumerate(DIMENSIONS):
        ax.plot(rows["session"], rows[f"{name}_to_therapist_latent"], **drawing.look(i) | {"marker": ""})
    ax.axhline(STYLE_CUT, color=QUIET, linewidth=1.0, linestyle="-", zorder=1.5)
    ax.set(ylim=(1, 7), xlabel="session")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _moved(rows: pd.DataFrame, untreated: pd.DataFrame | None = None) -> pd.DataFrame:
    """General attachment of a person by month, less that at intake, and less the same without therapy if that is given."""
    found = rows.set_index("month")[[f"{name}_latent" for name in DIMENSIONS]].set_axis([*DIMENSIONS], axis=1)
    found = found - found.iloc[0]
    return found if untreated is None else (found - _moved(untreated)).dropna()


def _general(ax: Axes, moved: pd.DataFrame) -> None:
    for i, name in enumerate(DIMENSIONS):
        ax.plot(moved.index, moved[name], **drawing.look(i) | {"marker": ""})
    drawing.zero(ax, across=True, width=0.8)
    ax.set(xlabel="month after intake")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


def _kinds() -> list[Line2D]:
    def line(label: str, **how: Any) -> Line2D:
        return Line2D([], [], label=label, **{"marker": "", "linestyle": "-", "color": INK} | how)

    def mark(label: str, colour: str, size: float, marker: str = "o", **how: Any) -> Line2D:
        return line(label, marker=marker, linestyle="none", color=colour, markersize=size, **how)

    return [
        line("alliance (latent)"), mark("the client's WAI", QUIET, 4, "."),
        mark("rupture", **MARKS["ruptures"]), mark("repair", **MARKS["repairs"]),
        *(line(name, **drawing.look(i) | {"marker": ""}) for i, name in enumerate(DIMENSIONS)),
    ]  # fmt: skip


def _told(sessions: pd.DataFrame, moved: pd.DataFrame) -> dict[str, Any]:
    """What is told of a course: the bond in its first and last session, ruptures, repairs, and what is left in the last month."""
    ends = sessions.iloc[[0, -1]] if len(sessions) else sessions
    return {
        "sessions": len(sessions), "bond": {name: tuple(ends[f"{name}_to_therapist_latent"]) for name in DIMENSIONS},
        "ruptures": int(sessions["ruptures"].sum()), "repairs": int(sessions["repairs"].sum()),
        "month": moved.index.max(), "left": moved.iloc[-1].to_dict(),
    }  # fmt: skip


def _of_all(run: Run, arm: str) -> dict[str, float]:
    """Proportion of the clients of an arm whose bond is in the secure quarter after the first session, and after their last."""
    rows = run.sessions[run.sessions["arm"] == arm].sort_values("session")
    secure = (rows[[f"{name}_to_therapist_latent" for name in DIMENSIONS]] < STYLE_CUT).all(axis=1)
    of = secure.groupby([rows["replicate"], rows["client"]])
    return {"secure_first": float(of.first().mean()), "secure_last": float(of.last().mean())}
