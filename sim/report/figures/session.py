"""One session from the inside: signals of both people, model components, ruptures and repairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from sim.errors import UsageError
from sim.people.state import REGION_ACTIVITY
from sim.report import drawing
from sim.report.drawing import INK, Facts
from sim.report.text import short
from sim.simulation.tables import Run

#: What is drawn of a session: title, [(label, quantity, role whose line style it takes)].
SIGNALS: tuple[tuple[str, list[tuple[str, str, int]]], ...] = (
    ("Arousal", [("client", "client_arousal", 0), ("therapist", "therapist_arousal", 1)]),
    ("The client's arousal, shown and read",
     [("shown by the client", "client_expression", 0), ("read by the therapist", "therapist_estimate", 1)]),
    ("The therapist's response",
     [("expected by the client", "client_expectation", 3), ("given", "therapist_response", 1),
      ("perceived by the client", "client_perceived", 0)]),
)  # fmt: skip

#: What each component's activity stands for, in a word or two.
DOES = {
    "mirror": "mirrored signal", "limbic": "arousal", "insula": "felt signal", "acc": "conflict", "tpj": "self or other",
    "dmpfc": "mentalising", "vmpfc": "felt understanding", "ofc": "control", "vlpfc": "words for feelings",
}  # fmt: skip


def traced_session(run: Run, arm: str | None = None, client: int | None = None, session: int = 1) -> pd.DataFrame:
    """The exchanges of one traced session. Without ``arm`` or ``client``: the first that was traced."""
    rows = run.exchanges
    if rows.empty:
        return rows
    arm = str(rows["arm"].iloc[0]) if arm is None else arm
    rows = rows[rows["arm"] == arm]
    if client is None and len(rows):
        client = int(rows["client"].iloc[0])
    rows = rows[(rows["client"] == client) & (rows["replicate"] == rows["replicate"].min())]
    found = rows[rows["session"] == session]
    if found["therapist"].nunique() > 1:  # handed over: session numbers begin again with the next therapist
        found = found[found["therapist"] == found["therapist"].iloc[0]]
    if found.empty:
        known = run.exchanges.groupby(["arm", "client"], observed=True)["session"].max()
        rows_known = list(known.reset_index().itertuples(index=False))[:6]
        some = "; ".join(f"{a}: client {c}, sessions 1 to {n}" for a, c, n in rows_known)
        raise UsageError(f"no trace of arm {arm!r}, client {client}, session {session}. Traced: {some}")
    return found


def events(exchanges: pd.DataFrame) -> list[tuple[int, str]]:
    """Ruptures and repairs of a session: number of the exchange, and "withdrawal", "confrontation" or "repair"."""
    found = []
    for column, name in (("withdrawals", "withdrawal"), ("confrontations", "confrontation"), ("repairs", "repair")):
        count = exchanges[column].to_numpy()
        found += [
            (int(exchange), name)
            for exchange, more in zip(exchanges["exchange"], np.diff(count, prepend=0) > 0, strict=True)
            if more
        ]
    return sorted(found)


#: What is told of a session in words.
_LINES = {
    "the client's arousal": "client_arousal",
    "the therapist's reading of it": "therapist_estimate",
    "the response as the client perceives it": "client_perceived",
}


@drawing.figure(9.6, 8.6)
def one_session(
    run: Run, arm: str | None = None, client: int | None = None, session: int = 1, *, fig: Figure | SubFigure
) -> Facts:
    """One session of one simulated pair from the inside: signals of both people, region activity, ruptures and repairs.

    >>> sim.plots.one_session(run)
    <Picture size ...>
    """
    rows = traced_session(run, arm, client, session)
    ax: Axes
    if rows.empty:
        ax = fig.subplots()
        ax.set(xlabel="exchange", ylabel="activity (model index, 0-1)", ylim=(0, 1))
        drawing.nothing_to_show(ax, "this scenario asks for no trace (record: exchanges: clients: [0])")
        return {}
    outer = fig.add_gridspec(2, 1, height_ratios=[3, 2])
    upper, lower = outer[0].subgridspec(3, 1), outer[1].subgridspec(1, 2)
    signals: list[Axes] = []
    for k in range(3):
        signals.append(fig.add_subplot(upper[k], sharex=signals[0] if k else None))
        signals[k].tick_params(labelbottom=k == 2)
    regions = [fig.add_subplot(lower[k]) for k in range(2)]
    whose = f"{short(str(rows['arm'].iloc[0]), 70)}: client {rows['client'].iloc[0]}, session {session}"
    fig.suptitle(whose, x=0.01, ha="left", fontweight="bold")
    when, happened = rows["exchange"].to_numpy(), events(rows)
    for k, (title, lines) in enumerate(SIGNALS):
        ax = signals[k]
        for label, quantity, i in lines:
            ax.plot(when, rows[quantity], label=label, **drawing.look(i))
        ax.set(ylim=(0, 1), xlim=(when[0] - 0.5, when[-1] + 0.5), ylabel="model index (0-1)", title=title)
        ax.set_xticks(when if len(when) <= 20 else when[:: -(-len(when) // 20)])
        if k == len(SIGNALS) - 1:
            ax.set_xlabel("exchange")
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        _mark(ax, happened, named=k == 0)
    for ax, role in zip(regions, ("client", "therapist"), strict=True):
        image = _regions(ax, rows, role)
    drawing.key(fig, image, regions, "activity (model index, 0-1)", fraction=0.03, pad=0.01)
    return {
        "session": session,
        "rupture": any(name != "repair" for _, name in happened),
        "n": len(rows),
        "lines": [(label, float(rows[name].iloc[0]), float(rows[name].iloc[-1])) for label, name in _LINES.items()],
        "marks": happened,
        "remark": " · model index, not a scan",
    }


def _mark(ax: Axes, happened: list[tuple[int, str]], named: bool) -> None:
    """Ruptures and repairs as upright lines: dark for a rupture, green and dotted for a repair."""
    names: dict[int, list[str]] = {}
    for exchange, name in happened:
        names.setdefault(exchange, []).append(name)
        repair = name == "repair"
        line: dict[str, Any] = {"color": INK, "linestyle": "-", "linewidth": 1.0}
        dotted = {"color": "#009E73", "linestyle": (0, (1, 1.5)), "linewidth": 1.4}
        ax.axvline(exchange + (0.08 if repair else 0), zorder=0.5, **(dotted if repair else line))
    if named:
        for exchange, said in names.items():
            ax.text(exchange + 0.12, 0.97, "\n".join(said), fontsize=7.5, va="top", color=INK)


def _regions(ax: Axes, rows: pd.DataFrame, role: str) -> Any:
    values = rows[[f"{role}_{quantity}" for quantity in REGION_ACTIVITY.values()]].to_numpy(float).T
    first, last = rows["exchange"].iloc[0], rows["exchange"].iloc[-1]
    image = ax.imshow(values, vmin=0, vmax=1, aspect="auto", extent=(first - 0.5, last + 0.5, len(values) - 0.5, -0.5))
    ax.grid(False)
    ax.set(xlabel="exchange", title=f"Model components of the {role}")
    if role == "client":
        ax.set_yticks(range(len(values)), [f"{name} · {DOES[name]}" for name in REGION_ACTIVITY], fontsize=7)
        ax.set_ylabel("component named after a brain region")
    else:
        ax.set_yticks(range(len(values)), list(REGION_ACTIVITY), fontsize=7)
    return image


def told_session(run: Run) -> int:
    """Which traced session the report shows: the first with a rupture, of the pair traced first; else its first session."""
    rows = run.exchanges
    if len(rows):
        first = rows.iloc[0]
        one = (rows["arm"] == first["arm"]) & (rows["client"] == first["client"]) & (rows["replicate"] == rows["replicate"].min())
        for session, part in rows[one].groupby("session"):
            if any(name != "repair" for _, name in events(part)):
                return int(str(session))
    return 1
