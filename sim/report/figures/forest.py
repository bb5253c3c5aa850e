"""The forest plot of a validation: every row with a value, and every direction."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from sim.evidence.patterns.validation import LARGEST_RESIDUAL, Row, Validation
from sim.report.drawing import BAND, INK, QUIET, in_style, nothing_to_show, picture
from sim.report.text import number, short

_REACH = 6.0  # residuals beyond are drawn at the edge


def _expected_parts(result: Validation) -> list[tuple[Row, str]]:
    return [(row, name) for row in result.of("direction") for name in row.pattern.expect if name in row.simulated.parts]


def forest_size(result: Validation) -> tuple[float, float]:
    """Width and height in inches that the rows need."""
    return 13.0, 2.2 + 0.27 * max(len(result.of("calibrate")), len(_expected_parts(result)), 4)


def forest(result: Validation, fig: Figure | SubFigure | None = None) -> Figure | SubFigure:
    """Every value's standardised residual with its Monte-Carlo error, and every direction's parts with their intervals."""
    values, parts = result.of("calibrate"), _expected_parts(result)

    @in_style
    def drawn() -> Figure | SubFigure:
        made = fig or picture(*forest_size(result))
        left, right = made.subplots(1, 2)
        left.set(title="Values", xlabel="standardised residual, in quarters of the published 95 % interval")
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
            f"synthetic data: simulated people, not real ones · seed {result.seed} · published values, sources: validation.json",
            x=0.01, ha="left", fontsize=7.5, color=QUIET,
        )  # fmt: skip
        return made

    return drawn()


def _label(row: Row, more: str = "") -> str:
    return short(f"{row.pattern.id}  {more or row.pattern.name}", 52)


def _misses(ax: Axes, rows: tuple[Row, ...]) -> None:
    """A row for each value: the published interval is the band, the point is what was simulated."""
    for y, row in enumerate(rows):
        p = row.pattern
        low, high = ((end - p.value) / p.uncertainty for end in (p.low, p.high))
        ax.barh(y, high - low, left=low, height=0.62, color=BAND, alpha=0.55, linewidth=0)
        at = min(max(row.residual, -_REACH), _REACH) if row.residual == row.residual else float("nan")
        good = row.verdict == "holds"
        beyond = abs(row.residual) > _REACH
        if not beyond and row.error_share == row.error_share:
            ax.hlines(y, at - 1.96 * row.error_share, at + 1.96 * row.error_share, color=INK, linewidth=1.6)
        ax.plot(at, y, color=INK if good else "#D55E00", marker=(">" if at > 0 else "<") if beyond else "o" if good else "s",
                linestyle="none", markersize=6)  # fmt: skip
        said = f"{number(row.simulated.value, 2)}  ({p.value:g})"
        ax.text(1.01, y, said, transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=INK)
    for bound in (-LARGEST_RESIDUAL, LARGEST_RESIDUAL):
        ax.axvline(bound, color=QUIET, linewidth=0.9, linestyle=(0, (4, 3)))
    ax.axvline(0, color=QUIET, linewidth=0.9)
    ax.text(1.01, -0.9, "simulated (published)", transform=ax.get_yaxis_transform(), va="center", fontsize=7.5, color=QUIET)
    ax.set(xlim=(-_REACH - 0.4, _REACH + 0.4), ylim=(len(rows) - 0.4, -0.7))
    ax.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=7.5)


def _signs(ax: Axes, parts: list[tuple[Row, str]]) -> None:
    """A row for each expected part; a minus sign turns it round, so that right of zero is as expected."""
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
