"""What ``attune validate`` shows: the table on the screen, as data and as a file, and the forest plot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.evidence.patterns.published import Pattern
from sim.evidence.patterns.validation import LARGEST_RESIDUAL, Row, Validation
from sim.evidence.stored import plain
from sim.files import folder_at, must_be_free, write_new
from sim.screen import Head, table

if TYPE_CHECKING:
    from sim.screen import Table

#: What is written into a folder.
TABLE, FOREST = "validation.json", "validation.png"
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
        heads: list[str | Head] = [
            "id",
            Head("pattern", share=3, least=24),
            Head("simulated ± error", wrap=False) if values else Head("simulated [95 %]", share=4),
            Head("published", wrap=not values, share=None if values else 1),
            *([Head("residual", right=True), Head("between studies")] if values else []),
            Head("", wrap=False),
        ]
        lines = [
            (row.pattern.id, row.pattern.name, found(row), published(row.pattern),
             *([f"{row.residual:+.1f}", spread(row)] if values else []), row.verdict)
            for row in rows
        ]  # fmt: skip
        out.append(table(head, heads, lines))
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
            + (f"Beyond {LARGEST_RESIDUAL} of their own uncertainty: {', '.join(missed)}." if missed else
               "No row lies off by too much.")
        )  # fmt: skip
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
        "residual: (simulated - published) / quarter of the published interval. ±: Monte-Carlo error of the simulated value.\n"
        "Between studies: how far simulated studies differ beyond sampling (published). Intervals are of pooled means."
    )


def as_data(result: Validation) -> dict[str, Any]:
    """Everything as plain values; missing numbers are None."""
    rows = []
    for row in result.rows:
        p, s = row.pattern, row.simulated
        rows.append({
            "id": p.id, "tier": p.tier, "name": p.name, "statistic": p.statistic, "published": p.value, "low": p.low,
            "high": p.high, "citation": p.citation, "doi": p.doi, "read": p.read, "design": p.design,
            "simulated": s.value, "error": s.error, "studies": s.studies, "tau": s.tau, "i2": s.i2,
            "residual": row.residual, "precise": row.precise if p.tier == "calibrate" else None,
            "parts": {
                name: {"value": value, "low": low, "high": high, "expected": p.expect.get(name), "verdict": row.signs.get(name)}
                for name, (value, low, high) in s.parts.items()
            },
            "verdict": row.verdict,
        })  # fmt: skip
    data: dict[str, Any] = plain({
        "seed": result.seed, "size": result.size, "changes": result.changes, "score": result.score, "limit": result.limit,
        "score_passes": result.score_passes, "directions_pass": result.directions_pass, "complete": result.complete,
        "passes": result.passes, "patterns": rows,
    })  # fmt: skip
    return data


def room_for(folder: Path) -> None:
    """Make the folder, before the work. Raises ``StoreError`` where it cannot be made or something would be written over."""
    for name in (TABLE, FOREST):
        must_be_free(folder / name, "choose another folder")
    folder_at(folder)


def write(result: Validation, folder: Path) -> None:
    """Write the table and the forest plot into a folder."""
    from sim.report.drawing import image
    from sim.report.figures.validation import forest

    write_new(folder / TABLE, json.dumps(as_data(result), indent=2) + "\n")
    fig = forest(result)
    write_new(folder / FOREST, image(fig, "png", dpi=130))
