"""Questionnaires as they come back: who is asked and when, item and unit nonresponse and, on request, every item response.

Whoever asks says whom, when, and on which occasion, with every question; nothing is remembered from one to the next. Whether an
item or a whole questionnaire is missing has an address of its own among the random draws, so that nothing else depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.luck import Luck
from sim.theory.parameters import Parameters

#: Raters, and occasions on which people are asked, in the order of their numbers.
RATERS = ("client", "therapist", "observer")
OCCASIONS = ("intake", "beginning", "session", "month", "end", "6_months", "12_months")
#: Items of the longest questionnaire that is kept.
MOST_ITEMS = 36
NO_ANSWER = -1  # an item without an answer, or one that a questionnaire does not have
#: A scale is scored where at least this many of every so many of its items were answered (the usual rule: 80 %).
ENOUGH, OF = 4, 5


@dataclass(frozen=True)
class Form:
    """One questionnaire as the people of an occasion filled it in; ``returned``: whose came back."""

    returned: np.ndarray
    responses: np.ndarray  # (people, MOST_ITEMS)


@dataclass(frozen=True)
class Occasion:
    """An occasion whose answers are kept item by item: rows of clients and therapists (-1: no therapist is meant), number of the
    session (-1: of none). ``forms``: what came back, by rater and questionnaire, as tables call it."""

    name: str
    week: int
    client: np.ndarray
    therapist: np.ndarray
    session: np.ndarray
    forms: dict[tuple[str, str], Form] = field(default_factory=dict)

    def keep(self, rater: str, questionnaire: str, first: int, responses: np.ndarray, returned: np.ndarray) -> None:
        """Put one scale's responses (people, items) into the questionnaire, where its first item has the place ``first``."""
        blank = Form(returned, np.full((returned.size, MOST_ITEMS), NO_ANSWER, np.int8))
        into = self.forms.setdefault((rater, questionnaire), blank).responses[:, first : first + responses.shape[1]]
        into[:] = np.where(np.isnan(responses), NO_ANSWER, responses)[:, : into.shape[1]]


@dataclass(frozen=True)
class Respondents:
    """Who is asked, and when: what every questionnaire takes beside the state that it asks about.

    ``code``: the addresses of their random draws, one entry each (of a session's ratings by others than the client: the pair's).
    ``occasion``: where every single response is kept; none = only scores are.
    """

    code: np.ndarray
    week: int
    parameters: Parameters
    luck: Luck
    rater: str = "client"
    occasion: Occasion | None = None

    @property
    def item_by_item(self) -> bool:
        """Whether single responses matter: some may be missing, or all are kept."""
        return self.occasion is not None or may_be_missing(self.parameters)

    def uniform(self, purpose: str) -> Any:
        """One uniform number in (0, 1] each."""
        return self.luck.uniform(self.code, purpose, self.week)

    def returned(self, responses: np.ndarray, form: str, purpose: str, questionnaire: str, first: int) -> np.ndarray:
        """The responses (people, items) of one scale as they come back: NaN where there is no answer.

        ``form``, ``purpose``: addresses of what is drawn for the whole questionnaire and for this scale. ``questionnaire``: what
        tables call it; ``first``: where the scale's first item stands in it.
        """
        p, came_back = self.parameters, np.ones(self.code.size, bool)
        if p.missing_form_prob > 0.0:
            came_back = self.uniform(f"{form} not handed in") > p.missing_form_prob
        if p.missing_item_prob > 0.0:
            items = np.arange(responses.shape[1])[None, :]
            drawn = self.luck.uniform(self.code[:, None], f"{purpose} left out", self.week, items)
            responses = np.where(drawn > p.missing_item_prob, responses, np.nan)
        responses = np.where(came_back[:, None], responses, np.nan)
        if self.occasion is not None:
            self.occasion.keep(self.rater, questionnaire, first, responses, came_back)
        return responses


def may_be_missing(parameters: Parameters) -> bool:
    """Whether items or whole questionnaires can be missing with these parameters."""
    return parameters.missing_item_prob > 0.0 or parameters.missing_form_prob > 0.0


def item_table(occasions: Iterable[Occasion]) -> dict[str, np.ndarray]:
    """One row a questionnaire that came back, by client and then by time; categories are numbers."""
    forms = [(at, rater, name, form) for at in occasions for (rater, name), form in at.forms.items()]
    if not forms:
        return {}
    known = list(dict.fromkeys(name for _, _, name, _ in forms))
    parts = []
    for at, rater, name, form in forms:
        rows = np.flatnonzero(form.returned)
        one = {"when": OCCASIONS.index(at.name), "week": at.week, "rater": RATERS.index(rater), "instrument": known.index(name)}
        each = {column: np.full(rows.size, value) for column, value in one.items()}
        row, therapist, session = at.client[rows], at.therapist[rows], at.session[rows]
        parts.append({"row": row, "therapist": therapist, **each, "session": session, "responses": form.responses[rows]})
    together = {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}
    responses = together.pop("responses")
    together["instrument"] = np.array(known, object)[together["instrument"]]
    order = np.argsort(together["row"], kind="stable")
    columns = {**together, **{f"item_{k + 1}": responses[:, k] for k in range(MOST_ITEMS)}}
    return {name: values[order] for name, values in columns.items()}


def scored(responses: np.ndarray) -> np.ndarray:
    """Mean response of each person (rows) over the items that were answered; NaN where fewer than 80 % were."""
    answered = ~np.isnan(responses)
    n = answered.sum(axis=1)
    enough = OF * n >= ENOUGH * responses.shape[1]
    return np.where(enough, np.where(answered, responses, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)
