"""The figures of a run, each a function: a run in, a figure out (or drawn into the axes or figure that is given).

Which of them have something to show depends on the scenario: ``attune run`` draws those into the report. ``left_out`` says of the
usual ones why they would show nothing. In the examples ``run`` is ``sim.run(sim.load("scenarios/hello.yaml"), seed=1)``.
"""

from typing import Any

from sim.report.figures.chosen import FIGURES
from sim.report.figures.chosen import left_out as left_out

__all__ = sorted([*FIGURES, "left_out"])


def __getattr__(name: str) -> Any:
    if name in FIGURES:
        return FIGURES[name].draw
    raise AttributeError(f"module {__name__!r} has no figure {name!r}")


def __dir__() -> list[str]:
    return __all__
