"""What ``attune validate`` shows: the table on the screen, as data and as a file, and the forest plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from sim.errors import StoreError
from sim.evidence.patterns.published import Pattern
from sim.evidence.patterns.validation import MOST_MISSED, Row, Validation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

#: What is written into a folder.
TABLE, FOREST = "validation.json", "validation.png"
_REACH = 6.0  # misses beyond are drawn at the edge
_HEADS = {
    "calibrate": "Values, reproduced jointly",
    "direction": "Directions, each with the whole of its interval",
    "contested": "Contested: hypotheses, nothing is required",
    "prior": "Where populations start: what was set beforehand",
}


def number(value: float, digits: int = 3) -> str:
    """A number; a dash where there is none."""
    return "-" if value != value else f"{value:.{digits}f}"


def published(pattern: Pattern) -> str:
    """The published value with its interval, or what the source says."""
    if pattern.tier == "calibrate":
        return f"{pattern.value:g} [{pattern.low:g}, {pattern.high:g}]"
    return str(pattern.value)


def found(row: Row) -> str:
    """What was simulated: a value with its Monte-Carlo error, or parts with their intervals."""
    if row.pattern.tier == "calibrate":
        return f"{number(row.simulated.value)} ± {number(row.simulated.error)}{'' if row.precise else ' !'}"
    lines = []
    for name, (value, low, high) in row.simulated.parts.items():
        sign = row.pattern.expect.get(name)
        wanted = f" ({sign}: {row.signs[name]})" if sign not in (None, "any") else ""
        lines.append(f"{name.replace('_', ' ')} {value:+.2f} [{low:+.2f}, {high:+.2f}]{wanted}")
    return "\n".join(lines) or "could not be computed"


def spread(row: Row) -> str:
    """How far simulated studies differ beyond sampling, beside the published, where a source says how far."""
    said = row.pattern.spread
    if "i2" in said:
        return f"I2 {number(row.simulated.i2, 2)} ({said['i2']:g})"
    return f"SD {number(row.simulated.tau, 2)} ({said['sd']:g})" if "sd" in said else ""


def tables(result: Validation) -> list[Table]:
    """One table a tier, for the screen."""
    out = []
    for tier, head in _HEADS.items():
        rows = result.of(tier)
        if not rows:
            continue
        values = tier == "calibrate"
        table = Table(title=head, title_justify="left", title_style="bold", header_style="")
        table.add_column("id")
        table.add_column("pattern", ratio=3, min_width=24)
        table.add_column("simulated ± error" if values else "simulated [95 %]", ratio=None if values else 4, no_wrap=values)
        table.add_column("published", no_wrap=values, ratio=None if values else 1)
        if values:
            table.add_column("miss", justify="right")
            table.add_column("between studies")
        table.add_column("", no_wrap=True)
        for row in rows:
            more = [f"{row.miss:+.1f}", spread(row)] if values else []
            table.add_row(row.pattern.id, row.pattern.name, found(row), published(row.pattern), *more, row.verdict)
        out.append(table)
    return out


def summary(result: Validation) -> list[str]:
    """The joint score and the verdict, in sentences."""
    values, directions, lines = result.of("calibrate"), result.of("direction"), []
    if values:
        missed = [row.pattern.id for row in values if row.verdict != "holds"]
        count = f"{len(values)} row{'' if len(values) == 1 else 's'}"
        lines.append(
            f"Joint score {number(result.score, 1)}, at most {result.limit:.1f} with {count}: "
            f"{'passes' if result.score <= result.limit else 'fails'}. "
            + (f"Beyond {MOST_MISSED} of their own uncertainty: {', '.join(missed)}." if missed else "No row misses by too much.")
        )
        rough = [row.pattern.id for row in values if not row.precise]
        lines.append(f"Monte-Carlo error not below a quarter of the interval: {', '.join(rough)} (marked !)." if rough else
                     "Monte-Carlo error is below a quarter of every interval.")  # fmt: skip
    if directions:
        wrong = [f"{row.pattern.id} ({row.verdict})" for row in directions if row.verdict != "holds"]
        lines.append(f"Directions: {len(directions) - len(wrong)} of {len(directions)} hold."
                     + (f" Not: {', '.join(wrong)}." if wrong else ""))  # fmt: skip
    if values or directions:
        part = "" if result.complete else " by these rows"
        lines.append(f"Verdict: the model {'holds' if result.passes else 'does not hold'}{part}. All people are simulated.")
    return lines


def legend() -> str:
    """What the columns mean, in a few lines."""
    return (
        "miss: (simulated - published) / quarter of the published interval. ±: Monte-Carlo error of the simulated value.\n"
        "Between studies: how far simulated studies differ beyond sampling (published). Intervals are of pooled means."
    )


def as_data(result: Validation) -> dict[str, Any]:
    """Everything as plain values; missing numbers are None."""

    def plain(value: float) -> float | None:
        return None if value != value else float(value)

    rows = []
    for row in result.rows:
        p, s = row.pattern, row.simulated
        rows.append({
            "id": p.id, "tier": p.tier, "name": p.name, "statistic": p.statistic, "published": p.value, "low": plain(p.low),
            "high": plain(p.high), "citation": p.citation, "doi": p.doi, "read": p.read, "design": p.design,
            "simulated": plain(s.value), "error": plain(s.error), "studies": s.studies, "tau": plain(s.tau), "i2": plain(s.i2),
            "miss": plain(row.miss), "precise": row.precise if p.tier == "calibrate" else None,
            "parts": {
                name: {"value": plain(value), "low": plain(low), "high": plain(high), "expected": p.expect.get(name),
                       "verdict": row.signs.get(name)}
                for name, (value, low, high) in s.parts.items()
            },
            "verdict": row.verdict,
        })  # fmt: skip
    return {
        "seed": result.seed, "size": result.size, "changes": dict(result.changes), "score": plain(result.score),
        "limit": result.limit, "score_passes": result.score_passes, "directions_pass": result.directions_pass,
        "complete": result.complete, "passes": result.passes, "patterns": rows,
    }  # fmt: skip


def room_for(folder: Path) -> None:
    """Raise ``FileExistsError`` where something would be written over, before the work."""
    for name in (TABLE, FOREST):
        if (folder / name).exists():
            raise StoreError(f"{folder / name}: already exists; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)


def write(result: Validation, folder: Path) -> None:
    """Write the table and the forest plot into a folder."""
    from sim.report.drawing import picture, styled

    (folder / TABLE).write_text(json.dumps(as_data(result), indent=2) + "\n", encoding="utf-8")
    with styled():
        fig = picture(*forest_size(result))
        forest(result, fig)
        fig.savefig(folder / FOREST, dpi=130)


# --------------------------------------------------------------------------------------------------------- forest plot


def _expected_parts(result: Validation) -> list[tuple[Row, str]]:
    return [(row, name) for row in result.of("direction") for name in row.pattern.expect if name in row.simulated.parts]


def forest_size(result: Validation) -> tuple[float, float]:
    """Width and height in inches that the rows need."""
    return 13.0, 2.2 + 0.27 * max(len(result.of("calibrate")), len(_expected_parts(result)), 4)


def forest(result: Validation, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Every value's miss with its Monte-Carlo error, and every direction's parts with their intervals."""
    from sim.report.drawing import QUIET, in_style, nothing_to_show, picture

    values, parts = result.of("calibrate"), _expected_parts(result)

    @in_style
    def drawn() -> Figure | SubFigure:
        made = fig or picture(*forest_size(result))
        left, right = made.subplots(1, 2)
        left.set(title="Values", xlabel="miss, in quarters of the published 95 % interval")
        right.set(title="Directions (each scaled to its own interval)", xlabel="against the sign  ·  0  ·  with the sign")
        if values:
            _misses(left, values)
        else:
            nothing_to_show(left, "no pattern with a value was asked for")
        if parts:
            _signs(right, parts)
        else:
            nothing_to_show(right, "no direction was asked for")
        made.supxlabel(
            f"synthetic data: simulated people, not real ones · seed {result.seed} · published values and sources: {TABLE}",
            x=0.01, ha="left", fontsize=7.5, color=QUIET,
        )  # fmt: skip
        return made

    return drawn()


def _label(row: Row, more: str = "") -> str:
    from sim.report.text import short

    return short(f"{row.pattern.id}  {more or row.pattern.name}", 52)


def _misses(ax: Axes, rows: tuple[Row, ...]) -> None:
    """A row for each value: the published interval is the band, the point is what was simulated."""
    from sim.report.drawing import BAND, INK, QUIET

    for y, row in enumerate(rows):
        p = row.pattern
        low, high = ((end - p.value) / p.uncertainty for end in (p.low, p.high))
        ax.barh(y, high - low, left=low, height=0.62, color=BAND, alpha=0.55, linewidth=0)
        at = min(max(row.miss, -_REACH), _REACH) if row.miss == row.miss else float("nan")
        good = row.verdict == "holds"
        beyond = abs(row.miss) > _REACH
        if not beyond and row.error_share == row.error_share:
            ax.hlines(y, at - 1.96 * row.error_share, at + 1.96 * row.error_share, color=INK, linewidth=1.6)
        ax.plot(at, y, color=INK if good else "#D55E00", marker=(">" if at > 0 else "<") if beyond else "o" if good else "s",
                linestyle="none", markersize=6)  # fmt: skip
        said = f"{number(row.simulated.value, 2)}  ({p.value:g})"
        ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=INK)
    for bound in (-MOST_MISSED, MOST_MISSED):
        ax.axvline(bound, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.axvline(0, color=QUIET, linewidth=0.9)
    ax.text(1.01, -0.9, "simulated (published)", transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=QUIET)
    ax.set(xlim=(-_REACH - 0.4, _REACH + 0.4), ylim=(len(rows) - 0.4, -0.7))
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=7.5)


def _signs(ax: Axes, parts: list[tuple[Row, str]]) -> None:
    """A row for each expected part; a minus sign turns it round, so that right of zero is as expected."""
    from sim.report.drawing import BAND, INK, QUIET

    labels = []
    for y, (row, name) in enumerate(parts):
        sign = row.pattern.expect[name]
        turn = -1.0 if sign == "-" else 1.0
        ends = [turn * end for end in row.simulated.parts[name]]
        bound = row.pattern.zero_within if sign == "0" else 0.0
        scale = max([abs(end) for end in ends if end == end] + [bound, 1e-12])
        value, low, high = (end / scale for end in ends)
        verdict = row.signs[name]
        if sign == "0":
            ax.barh(y, 2.0 * bound / scale, left=-bound / scale, height=0.62, color=BAND, alpha=0.55, linewidth=0)
        ax.hlines(y, min(low, high), max(low, high), color=INK, linewidth=1.6)
        ax.plot(value, y, color=INK if verdict in ("holds", "shown") else "#D55E00",
                marker="o" if verdict in ("holds", "shown") else "s", linestyle="none", markersize=5)  # fmt: skip
        said = f"{row.simulated.parts[name][0]:+.2f}".replace("-", "−")
        ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=INK)
        words = {"any": "shown only", "0": "expected: nothing"}.get(sign, f"expected: {sign}")
        labels.append(_label(row, f"{name.replace('_', ' ')}, {words}"))
    ax.axvline(0, color=QUIET, linewidth=0.9)
    ax.set(xlim=(-1.15, 1.15), ylim=(len(parts) - 0.4, -0.7), xticks=[0])
    ax.set_yticks(range(len(parts)), labels, fontsize=7.5)
