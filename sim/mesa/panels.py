"""The figures of the Mesa page: numbers and an axis in, the axis out; and what each shows, in words. No Solara in here.

A page serves several visitors from several threads, and matplotlib's style belongs to all of them, so ``image`` draws one
figure at a time. Axes stay as they are while a model runs, but for those that count the people of a clinic.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.ticker import MaxNLocator

from sim.mesa.choices import SPREAD, Shown
from sim.mesa.model import Client, Person
from sim.report import drawing
from sim.report.drawing import INK, QUIET, look, note_on_figure, nothing_to_show, picture, quarters, styled
from sim.report.text import number, percent

P = TypeVar("P", bound=Person)

#: More clients than this on the plane cover each other.
MOST_DOTS = 300
_ONE_AT_A_TIME = threading.Lock()
#: Where a client can stand, as the plane tells it apart: label, number of its look, marker, filled or hollow.
_STANDS = {
    "in therapy": (0, "o", True),
    "finished": (2, "o", False),
    "dropped out": (1, "X", True),
    "not in therapy": (5, "d", False),
}
#: What is counted each week: reporter, label, number of its look (the same colour as on the plane).
_COUNTED = {
    "in_therapy": ("in therapy", 0),
    "dropouts": ("dropped out, so far", 1),
    "waiting": ("waiting", 5),
    "ruptures": ("ruptures this week", 3),
}


def where(client: Client) -> str:
    """Where a client stands, in one of four words: in therapy, finished, dropped out, or (waiting, lost, untreated) not in it."""
    if client.state == "in therapy":
        return "in therapy"
    return {"planned": "finished", "improved": "finished", "dropout": "dropped out"}.get(client.ending, "not in therapy")


def some(people: list[P]) -> list[P]:
    """Those whom the plane shows: all, or at most ``MOST_DOTS``, evenly spaced."""
    return people[:: -(-len(people) // MOST_DOTS) or 1]


def plane(model: Shown, ax: Axes) -> None:
    """People on the plane of general attachment: clients as points, each with a line from where they started; therapists."""
    quarters(ax)
    ax.set_title(f"Attachment now (lines: since the start), week {model.steps}")
    clients = some(list(model.clients))
    paths = [(model.start[c.row], (c.ecr_anxiety, c.ecr_avoidance)) for c in clients]
    ax.add_collection(LineCollection(paths, colors=QUIET, linewidths=0.5, alpha=0.5))
    for stand, (i, marker, filled) in _STANDS.items():
        colour = look(i)["color"]
        _points(ax, [c for c in clients if where(c) == stand], f"client, {stand}", marker=marker, s=26, edgecolor=colour,
                facecolor=colour if filled else "white")  # fmt: skip
    _points(ax, some([t for t in model.therapists if t.in_post]), "therapist", marker="s", s=30, edgecolor=INK, facecolor="none")
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, handletextpad=0.2, columnspacing=1.2)


def _points(ax: Axes, people: Sequence[Person], label: str, **how: Any) -> None:
    points = np.array([(p.ecr_anxiety, p.ecr_avoidance) for p in people]).reshape(-1, 2)
    ax.scatter(*points.T, linewidth=0.9, label=label, zorder=3, clip_on=False, **how)  # nobody, too: the legend stays the same


def _over_weeks(model: Shown, ax: Axes, title: str, label: str) -> Any:
    ax.set(xlim=(0, model.weeks), title=title, xlabel="week", ylabel=label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    return model.datacollector.get_model_vars_dataframe()


def _with_spread(model: Shown, ax: Axes, what: str, title: str, label: str, low: float, high: float) -> None:
    table = _over_weeks(model, ax, title, label)
    mean, edges = table[f"mean_{what}"], (table[f"{what}_low"], table[f"{what}_high"])
    if mean.isna().all():
        nothing_to_show(ax, "nobody has come yet" if not len(model.start) else "no sessions so far")
    colour = look(SPREAD.index(what))["color"]
    ax.fill_between(table.index, *edges, color=colour, alpha=0.18, linewidth=0, label="middle half of clients")
    ax.plot(mean, color=colour, linestyle="-", marker="o", markersize=3 if len(mean) < 60 else 0, label="mean",
            clip_on=False)  # fmt: skip
    ax.set_ylim(min(low, np.nanmin([low, *edges[0]])), max(high, np.nanmax([high, *edges[1]])))
    ax.legend(loc="upper right", ncols=2)


def alliance(model: Shown, ax: Axes) -> None:
    """Latent alliance as clients see it, mean and middle half of the week's sessions, over the weeks."""
    _with_spread(model, ax, "alliance", "Working alliance, this week's sessions", "latent alliance (proportion, 0-1)", 0.0, 1.0)


def distress(model: Shown, ax: Axes) -> None:
    """Latent distress, mean and middle half of all clients, in therapy or not, over the weeks."""
    _with_spread(model, ax, "distress", "Distress of all clients, in therapy or not", "latent distress (SDs)", -1.5, 3.5)


def attendance(model: Shown, ax: Axes) -> None:
    """How many clients are in therapy, wait and have dropped out, and ruptures in the week's sessions, over the weeks."""
    table = _over_weeks(model, ax, "Who is there, and ruptures", "number of clients, of ruptures")
    table["ruptures"] = table["ruptures"].astype(float).where(table.index > 0)  # at intake nobody has met
    for name, (label, i) in _COUNTED.items():
        if name in table:
            ax.plot(table[name], label=label, **{**look(i), "marker": ""})
    highest = table[[name for name in _COUNTED if name in table]].max(axis=None)
    ax.set_ylim(0, max(1.0, 1.35 * float(highest)))
    ax.legend(loc="upper right", ncols=2)


class Panel(NamedTuple):
    """A figure of the page: what draws it, and what it says to who cannot see it."""

    draw: Callable[[Shown, Axes], None]
    words: Callable[[Shown], str]


def _now(model: Shown, what: str) -> str:
    middle = model.seen_now(what)
    if not middle.size:
        return f"{what}: nothing yet"
    low, high = np.quantile(middle, [0.25, 0.75])
    return f"mean {what} {number(float(middle.mean()))}, middle half of clients {number(low)} to {number(high)}"


def _on_the_plane(model: Shown) -> str:
    stands = [where(client) for client in some(list(model.clients))]
    said = [f"{stands.count(stand)} {stand}" for stand in _STANDS if stand in stands]
    return f"attachment anxiety and avoidance of {len(stands)} clients: {', '.join(said) or 'nobody has come yet'}"


def week_in_words(model: Shown) -> str:
    """One sentence on this week."""
    came, ended = len(model.start), "" if model.running else " The end."
    said = f"Week {model.steps} of {model.weeks}: {model.in_therapy} of {came} simulated clients are in therapy"
    if came:
        said += f", {model.dropouts} have dropped out ({percent(model.dropouts / came)})"
    met = f"{model.ruptures} ruptures in this week's sessions" if model.steps else "nobody has met yet"
    return f"{said}; {met}.{ended}"


PANELS = (
    Panel(plane, _on_the_plane),
    Panel(alliance, lambda model: _now(model, "alliance")),
    Panel(distress, lambda model: _now(model, "distress")),
    Panel(attendance, week_in_words),
)


def image(panel: Panel, model: Shown) -> bytes:
    """A figure of the page as PNG, in the house style."""
    with _ONE_AT_A_TIME, model.lock, styled():
        fig = picture(5.2, 4.2)
        panel.draw(model, fig.subplots())
        note_on_figure(model, fig)
        return drawing.image(fig, "png", dpi=110)
