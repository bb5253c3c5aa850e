"""Questionnaires as steps of a course: who fills one in, what their true response is, where the score goes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sim.measurement.instruments import CORE_OM, ECR_SCALE, Instrument, item_responses, mean_response
from sim.measurement.responses import Respondents, scored
from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.steps import Draw, Step, step


@dataclass(frozen=True, repr=False)
class Ask:
    """A questionnaire, or scales of it, filled in by one rater on one day.

    ``scales``: for each scale its name (``wai`` has ``bond``, ``task`` and ``goal``; "" where there is one only), the quantity
    (0..1) that its items ask about, and where the score goes. ``plus``: a quantity in scale points that is added to the true
    response; ``times``: what the mean response is multiplied by. ``form``: the address of the draws, followed by the scale,
    unless ``purposes`` gives one for each; ``total``: where the mean of all items goes.
    """

    rater: str  # client, therapist or observer; "" where either of the two may be asked
    instruments: tuple[Instrument, ...]
    scales: tuple[tuple[str, str, str], ...]
    form: str
    plus: tuple[str, ...] = ()
    times: float = 1.0
    purposes: tuple[str, ...] = ()
    total: str = ""

    def __repr__(self) -> str:
        return f"Ask({self.form!r} -> {', '.join(self.writes)})"

    @property
    def name(self) -> str:
        """``client.wai`` and the like."""
        return f"{self.rater}.{self.form.removeprefix(f'{self.rater}_')}"

    @property
    def reads(self) -> tuple[str, ...]:
        """The quantities that its items ask about."""
        return (*(quantity for _, quantity, _ in self.scales), *self.plus)

    @property
    def writes(self) -> tuple[str, ...]:
        """The scores."""
        return (*(score for _, _, score in self.scales), *([self.total] if self.total else ()))

    def purpose(self, place: int) -> str:
        """The address of the random draws of a scale's items."""
        return self.purposes[place] if self.purposes else f"{self.form}_{self.scales[place][0]}".rstrip("_")


@lru_cache(maxsize=32)
def distress_asked(occasion: str = "", whose: str = "", score: str = "distress") -> tuple[Step | Ask, ...]:
    """The CORE-OM on an occasion; ``whose``: in a session ``client``, "" where people are asked by themselves."""
    luck = Draw("core_week", whose or "person")
    return (
        step(whose, arithmetic.product, "core_noise", one="core_week_sd", other=luck),
        step(whose, eq.admitted, "admitted", **{name: f"{whose}.{name}".lstrip(".") for name in ("distress", "avoidance")}),
        step(whose, eq.core_share, "core_share", distress="admitted", week_noise="core_noise"),
        Ask("client", (CORE_OM,), (("", "core_share", score),), f"core_{occasion}".rstrip("_"), times=10.0),
    )


@lru_cache(maxsize=32)
def attachment_asked(occasion: str, dimensions: tuple[str, ...] = ("anxiety", "avoidance")) -> tuple[Step | Ask, ...]:
    """The ECR, or one dimension of it, on an occasion: attachment in general as people see it themselves."""
    return (
        Ask(
            "", (ECR_SCALE,) * len(dimensions), tuple((name, name, name) for name in dimensions), f"ecr_{occasion}",
            plus=tuple(f"ecr_response_style_{name}" for name in dimensions),
            purposes=tuple(f"ecr_{name}_{occasion}" for name in dimensions),
        ),
    )  # fmt: skip


def filled_in(what: Ask, read: Callable[[str], Any], whom: Respondents) -> dict[str, np.ndarray]:
    """The scores of a questionnaire as it comes back, by where they go; ``read`` gives a quantity by its name.

    The total is the mean of all items, where at least 80 % of them were answered. NaN for what is missing.
    """
    scores: dict[str, np.ndarray] = {}
    every = []
    for place, (scale, quantity, score) in enumerate(what.scales):
        instrument = what.instruments[place]
        response = instrument.level(read(quantity)) + (read(what.plus[place]) if what.plus else 0.0)
        if what.total and whom.item_by_item:
            every.append(item_responses(instrument, response, whom, what.form, scale, what.purpose(place)))
            scores[score] = scored(every[-1])
        else:
            scores[score] = what.times * mean_response(instrument, response, whom, what.form, scale, what.purpose(place))
    if what.total:
        scores[what.total] = (
            scored(np.concatenate(every, axis=1)) if every else np.asarray(arithmetic.mean_of_three(*scores.values()))
        )
    return scores
