"""Where on the attachment plane people are wanted."""

from __future__ import annotations

from typing import Literal

from sim.declared.values import Frozen

POPULATION = "population"


class Attachment(Frozen):
    """Where on the attachment plane the people of one arm are, at present and, if it differs, early in life.

    ``kind`` says how to read the two pairs: *box* (lowest, highest), *point* (value, value), *normal* (mean, sd);
    for *population* both are None. All in ECR units, 1-7.
    """

    kind: Literal["population", "box", "normal", "point"] = "population"
    anxiety: tuple[float, float] | None = None
    avoidance: tuple[float, float] | None = None
    style: str | None = None
    early: tuple[float, float] | None = None
    selected: bool = True
    distress: float | None = None

    @property
    def label(self) -> str:
        """The style's name, or the present state in a few words."""
        if self.style is not None:
            return self.style
        if self.anxiety is None or self.avoidance is None:
            return POPULATION
        said = []
        for name, (first, second) in (("anxiety", self.anxiety), ("avoidance", self.avoidance)):
            spread = f" (sd {second:g})" if self.kind == "normal" else "" if first == second else f"-{second:g}"
            said.append(f"{name} {first:g}{spread}")
        return ", ".join(said)
