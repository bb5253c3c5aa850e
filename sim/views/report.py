"""The report of a run: one file that opens anywhere, with question, answer, table, figures and what not to conclude.

Everything said in words is made from the numbers by the rules below; nothing is written by hand for one scenario.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from sim import __version__
from sim.experiments import measures
from sim.experiments.intervals import mean_interval
from sim.experiments.run import Run
from sim.views import captions, plots
from sim.views.canvas import number, percent, styled
from sim.views.plots_inside import events

LATE = "late alliance"


def whole_run(run: Run) -> pd.DataFrame:
    """The measures that are one number: name, meaning, value."""
    return pd.DataFrame(
        [{"measure": name, "meaning": (f.__doc__ or "").split("\n")[0], "value": f(run)} for name, f in measures.MEASURES.items()]
    )


# ------------------------------------------------------------------------------------------------------- the answer


def with_interval(row: Mapping[Any, Any], digits: int = 2) -> str:
    """A mean with its 95 % interval, such as "5.25 [5.10, 5.40]"."""
    return f"{number(row['mean'], digits)} [{number(row['low'], digits)}, {number(row['high'], digits)}]"


def answer(run: Run) -> list[str]:
    """The answer in a few sentences, with numbers and intervals."""
    table = measures.pairings(run)
    return [
        *_alliance_answer(run, table),
        *_growth_answer(run),
        *_style_answer(run),
        *_dropout_answer(run, table),
        *_distress_answer(run),
    ]


def _alliance_answer(run: Run, table: pd.DataFrame) -> list[str]:
    table = table.dropna(subset=["wai"])
    if table.empty:
        return ["Nobody in this scenario has therapy, so there is no alliance to report."]
    rows = [{**r, "mean": r["wai"], "low": r["wai_low"], "high": r["wai_high"]} for r in table.to_dict("records")]
    if len(rows) == 1:
        return [
            f"Clients rated the {LATE} {with_interval(rows[0])} on the scale from 1 to 7; single clients differ with an SD of "
            f"{number(rows[0]['wai_sd'])}."
        ]
    worst, best = rows[int(table["wai"].argmin())], rows[int(table["wai"].argmax())]
    late = measures.late_alliance(run)
    apart = best["wai"] - worst["wai"]
    spreads = table["wai_sd"].dropna()
    within = float(np.sqrt((spreads**2).mean())) if len(spreads) else float("nan")
    what = "pairing" if run.scenario.design == "crossed" else "arm"
    said = [
        f"Mean {LATE} (client-rated WAI, 1 to 7) lies between {with_interval(worst)} ({worst['arm']}) and "
        f"{with_interval(best)} "
        f"({best['arm']})."
    ]
    common = measures.overlap(late[best["arm"]], late[worst["arm"]])
    compared = (
        ""
        if np.isnan(within) or within == 0
        else (
            f", which is {number(apart / within, 1)} times the spread of single clients within one {what} (SD {number(within)})"
        )
    )
    shared = "" if np.isnan(common) else f"; even these two distributions overlap by {percent(common)}"
    said.append(f"This largest difference is {number(apart)} points{compared}{shared}.")
    share = measures.alliance_share_between_arms(run)
    if not np.isnan(share):
        said.append(
            f"Which {what} a client is in accounts for {_small_percent(share)} of the differences between clients in {LATE}; "
            "the rest is between clients, their fit with one person, and rating."
        )
    if min(r["n"] for r in rows) < 50:
        said.append("With so few simulated clients the intervals are wide: read nothing into small differences.")
    return said


def _growth_answer(run: Run) -> list[str]:
    """How alliance develops within clients, from their first to their last third of sessions."""
    changes = {arm: mean_interval(values) for arm, values in measures.growth_by_arm(run).items() if len(values)}
    if not changes:
        return []
    ordered = sorted(changes, key=lambda arm: changes[arm]["mean"])
    first, last = ordered[0], ordered[-1]
    span = "From a client's first to their last third of sessions the alliance changes"
    if len(ordered) == 1:
        return [f"{span} by {with_interval(changes[first])} points on average."]
    return [
        f"{span} on average by {with_interval(changes[first])} points ({first}) to {with_interval(changes[last])} ({last}); it "
        f"rises in {sum(c['mean'] > 0 for c in changes.values())} of {len(ordered)} {'pairings' if len(ordered) > 4 else 'arms'}."
    ]


def _small_percent(share: float) -> str:
    return "less than 1 %" if share < 0.01 else percent(share)


def _style_answer(run: Run) -> list[str]:
    """The largest and smallest difference for the same clients, where the scenario lets us see them with several therapists."""
    table = measures.paired_differences(run)
    table = table[table["low"].notna()]
    if table.empty:
        return []
    most = table.iloc[int(table["mean"].abs().argmax())].to_dict()
    clear = int(((table["low"] > 0) | (table["high"] < 0)).sum())
    up = int((table["low"] > 0).sum())
    if run.scenario.design == "arms" and len(table) <= 6:
        listed = "; ".join(f"{r['arm']} {with_interval(r)}" for r in table.to_dict("records"))
        return [f"Person by person, the same clients' alliance differs from “{most['reference']}” by these points: {listed}."]
    return [
        f"The largest difference for the same clients is {with_interval(most)} points ({most['arm']}, against "
        f"{most['reference']}).",
        f"Of {len(table)} such comparisons with a secure therapist {clear} can be told from zero, {up} of them in favour of the "
        "other therapist; with the same people and the same luck in every arm, that holds for differences far too small to "
        "matter to one client.",
    ]


def _dropout_answer(run: Run, table: pd.DataFrame) -> list[str]:
    share = measures.dropout_share(run)
    if np.isnan(share):
        return []
    table = table.dropna(subset=["dropout"])
    said = f"{percent(share)} of the clients who began dropped out"
    if len(table) > 1:
        low, high = (table.iloc[int(k)] for k in (table["dropout"].argmin(), table["dropout"].argmax()))
        if high["dropout"] > low["dropout"]:
            said += f", from {percent(low['dropout'])} ({low['arm']}) to {percent(high['dropout'])} ({high['arm']})"
    early = f"; they count in {LATE} with the sessions they came to" if share > 0 else ""
    return [f"{said}{early}."]


def _distress_answer(run: Run) -> list[str]:
    people = measures.treated(run)
    said = []
    if len(people):
        single = (people["distress_end"] - people["distress_0"]).groupby([people["replicate"], people["client"]])
        change = mean_interval(single.mean()) | {"mean": measures.distress_change(run)}
        d = measures.pre_post_d(run)
        size = "" if np.isnan(d) else f", {number(abs(d))} SD of intake distress"
        verb = "fell" if change["mean"] < 0 else "rose"
        ends = [number(abs(v), 1) for v in sorted((change["low"], change["high"]), key=abs)]
        said.append(
            f"From intake to the last rating mean distress {verb} by {number(abs(change['mean']), 1)} [{ends[0]}, "
            f"{ends[1]}] CORE-OM points"
            f"{size}, counting everybody who began."
        )
    effects = {arm: mean_interval(values) for arm, values in measures.untreated_differences(run).items()}
    if effects:
        ordered = sorted(effects, key=lambda arm: effects[arm]["mean"])
        shown = list(effects) if len(effects) <= 2 else [ordered[0], ordered[-1]]
        listed = " and ".join(f"{with_interval(effects[arm], 1)} ({arm})" for arm in shown)
        month = measures.comparison_month(run, shown[0])
        said.append(
            f"Against the same people without therapy, the change by month {month} differs by "
            f"{'between ' if len(effects) > 2 else ''}{listed} points (negative = therapy helps); only this difference, not the "
            "raw change, is an effect of therapy."
        )
    untreated = run.clients[run.clients["ending"] == "untreated"]
    if len(untreated):
        alone = mean_interval(untreated["distress_end"] - untreated["distress_0"])
        share = alone["mean"] / measures.distress_change(run) if len(people) else float("nan")
        of_it = f", {percent(share)} of the change with therapy" if 0 < share < 1 else ""
        said.append(f"Without therapy people changed by {with_interval(alone, 1)} points in that time{of_it}.")
    elif len(people):
        said.append(
            "This scenario has no untreated arm, so it cannot say how much of that change would have come without therapy: "
            "people seek help when they feel worst, and most feel better later in any case."
        )
    return said


# -------------------------------------------------------------------------------------------------------- the tables


def pairings_table(run: Run) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of the pairings table as shown; columns with nothing to show are left out."""
    table = measures.pairings(run)
    crossed = run.scenario.design == "crossed"
    month = max(measures.comparison_month(run, arm.name) for arm in run.scenario.arms)
    columns: dict[str, Callable[[Mapping[Any, Any]], str]] = {
        **(
            {"client": lambda r: str(r["client"]), "therapist": lambda r: str(r["therapist"])}
            if crossed
            else {"arm": lambda r: str(r["arm"])}
        ),
        "simulated clients": lambda r: str(r["n"]),
        "late alliance (WAI 1-7), mean [95 % interval]": lambda r: _ranged(r, "wai", 2),
        "SD between clients": lambda r: number(r["wai_sd"]),
        "overlap with reference": lambda r: percent(r["overlap"]),
        "dropped out": lambda r: percent(r["dropout"]),
        f"distress by month {month} (CORE-OM points)": lambda r: _ranged(r, "change", 1),
        "change minus untreated": lambda r: _ranged(r, "minus_untreated", 1),
    }
    rows = [[write(r) for write in columns.values()] for r in table.to_dict("records")]
    kept = [k for k in range(len(columns)) if any(row[k] != "–" for row in rows)]
    return [list(columns)[k] for k in kept], [[row[k] for k in kept] for row in rows]


def _ranged(row: Mapping[Any, Any], name: str, digits: int) -> str:
    if np.isnan(row[name]):
        return "–"
    return with_interval({"mean": row[name], "low": row[f"{name}_low"], "high": row[f"{name}_high"]}, digits)


# ------------------------------------------------------------------------------------------------------- the figures


def told_session(run: Run) -> dict[str, Any]:
    """Which traced session the report shows: the first with a rupture, of the pair traced first; else its first session."""
    rows = run.exchanges
    if rows.empty:
        return {}
    one = rows[
        (rows["arm"] == rows["arm"].iloc[0])
        & (rows["client"] == rows["client"].iloc[0])
        & (rows["replicate"] == rows["replicate"].min())
    ]
    for session, part in one.groupby("session"):
        if any(name != "repair" for _, name in events(part)):
            return {"session": int(str(session)), "rupture": True}
    return {"session": 1, "rupture": False}


def drawn(run: Run) -> dict[str, Figure]:
    """The figures that have something to show, by name."""
    found: dict[str, Figure] = {}
    told = told_session(run)
    for name, draw in plots.FIGURES.items():
        if name in ("alliance_by_pairing", "alliance_curves", "still_attending") and run.sessions.empty:
            continue
        if name == "pairing_differences" and measures.paired_differences(run).empty:
            continue
        if name == "one_session" and not told:
            continue
        made = draw(run, session=told["session"]) if name == "one_session" else draw(run)
        found[name] = made if isinstance(made, Figure) else made.figure
    return found


def settle(figure: Figure) -> None:
    """Find a place for everything once, and round it: the layout's solver differs in the last bits from time to time."""
    figure.draw_without_rendering()
    # With no layout engine at all, saving draws once instead of twice.
    with matplotlib.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)
    for ax in figure.axes:
        left, bottom, width, height = (round(x, 4) for x in ax.get_position(original=True).bounds)
        ax.set_position((left, bottom, width, height), which="original")
        if ax.get_axes_locator() is None:
            ax.apply_aspect()


def _saved(figure: Figure, path: Path) -> str:
    """Save as SVG and PNG, with nothing in them that changes from day to day; the SVG as a data URI."""
    with styled():
        settle(figure)
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        figure.savefig(path.with_suffix(".png"), metadata={"Software": None}, pil_kwargs={"compress_level": 1})
    return "data:image/svg+xml;base64," + base64.b64encode(path.with_suffix(".svg").read_bytes()).decode("ascii")


@lru_cache(maxsize=1)
def _template() -> Any:
    place = Path(__file__).parent
    return Environment(
        loader=FileSystemLoader(place), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).get_template("report.html.j2")


def write_report(run: Run, folder: str | Path) -> Path:
    """Write ``report.html`` and ``figures/`` into a folder; the same run gives the same bytes. Returns the report's path."""
    folder = Path(folder)
    figures = folder / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    told = told_session(run)
    shown = []
    for name, figure in drawn(run).items():
        title, caption = captions.caption(run, name, told)
        source = Markup(_saved(figure, figures / name))
        shown.append({"name": name, "title": title, "caption": caption, "alt": f"{title}. {caption}", "source": source})
    heads, rows = pairings_table(run)
    page = _template().render(
        scenario=run.scenario,
        seed=run.seed,
        version=__version__,
        answer=answer(run),
        heads=heads,
        rows=rows,
        names=2 if run.scenario.design == "crossed" else 1,
        figures=shown,
        table_caption=captions.table_caption(run),
        n=captions.counted(run),
        measures=[{**row, "value": number(row["value"], 3)} for row in whole_run(run).to_dict("records")],
    )
    path = folder / "report.html"
    path.write_text(page, encoding="utf-8")
    return path
