"""People who fill in questionnaires outside of sessions: the same tuples of steps as in them, walked on people by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sim.engine.plain import Ground, walk
from sim.measurement.asked import Ask, attachment_asked, distress_asked, filled_in
from sim.measurement.responses import Respondents
from sim.people.state import PERSON, Column, Columns
from sim.theory.steps import Draw, Step


class Asked(Ground):
    """People who are asked, as the plain engine walks on them; ``scores``: what came back."""

    columns: Mapping[str, Column] = PERSON

    def __init__(self, whom: Respondents, read: Callable[[str], np.ndarray]) -> None:
        self.whom, self.known = whom, read
        self.parameters: Mapping[str, float] = whom.parameters
        self.scores: dict[str, np.ndarray] = {}

    def read(self, name: str) -> np.ndarray:
        """What is known of them."""
        return self.known(name)

    def write(self, name: str, values: Any) -> None:
        """Nothing about people is changed by asking."""
        raise NotImplementedError(name)

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of these people."""
        return self.whom.luck.of_kind(draw.kind, self.whom.code, draw.purpose, self.whom.week)

    def ask(self, what: Ask, read: Callable[[str], Any]) -> None:
        """Have a questionnaire filled in."""
        self.scores |= filled_in(what, read, self.whom)


def answers(steps: tuple[Step | Ask, ...], whom: Respondents, read: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
    """The scores that these people give, by name; ``read`` gives a column of ``PERSON`` for them. NaN for what is missing."""
    asked = Asked(whom, read)
    walk(steps, asked)
    return asked.scores


def core_om(people: Mapping[str, np.ndarray] | Columns, whom: Respondents, occasion: str = "") -> np.ndarray:
    """CORE-OM clinical score (0-40) of people (their ``distress`` and ``avoidance``); ``occasion``: which time it is asked."""
    return answers(distress_asked(occasion), whom, people.__getitem__)["distress"]


def ecr(dimension: str, share: np.ndarray, style: np.ndarray, whom: Respondents, occasion: str) -> np.ndarray:
    """ECR score (1-7) of people whose anxiety or avoidance (``dimension``) is ``share`` (0..1); ``style`` in scale points."""
    given = {dimension: share, f"ecr_response_style_{dimension}": style}
    return answers(attachment_asked(occasion, (dimension,)), whom, given.__getitem__)[dimension]
