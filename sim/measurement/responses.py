"""Questionnaires as they come back: item and unit nonresponse and, on request, every single item response.

A run that asks for neither has no :class:`Forms`, and pays nothing. Whether an item or a whole questionnaire is missing is
luck at an address of its own, so that nothing else in a run depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

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
class Asked:
    """What is asked of whom: one scale of one questionnaire.

    ``purpose``: the address of the draws for its responses. ``form``: the questionnaire that comes back, or not, as a whole.
    ``scale``: which scale of it (empty where it has only one). ``rater``: who fills it in.
    """

    purpose: str
    form: str
    scale: str = ""
    rater: str = "client"


@dataclass(frozen=True)
class Occasion:
    """When people are asked: rows of clients and therapists (-1: no therapist is meant), number of the session (-1: of none)."""

    name: str
    week: int
    client: np.ndarray
    therapist: np.ndarray
    session: np.ndarray


@dataclass
class _Form:
    """One questionnaire that everybody of an occasion filled in, except those who are not among ``returned``."""

    occasion: Occasion
    rater: str
    instrument: str
    returned: np.ndarray
    responses: np.ndarray  # (people, MOST_ITEMS)


@dataclass
class Forms:
    """How questionnaires come back in one world. ``item_prob``, ``form_prob``: chances that a single item, or a whole
    questionnaire, is missing; ``keep``: whether every response is kept."""

    item_prob: float = 0.0
    form_prob: float = 0.0
    keep: bool = False
    _occasion: Occasion | None = None
    _filled: dict[tuple[int, str, str], _Form] = field(default_factory=dict)
    _kept: list[_Form] = field(default_factory=list)

    @property
    def missing(self) -> bool:
        """Whether anything can be missing."""
        return self.item_prob > 0.0 or self.form_prob > 0.0

    def not_kept(self) -> Forms:
        """The same questionnaires, of which only scores are kept."""
        return Forms(self.item_prob, self.form_prob)

    def at(self, occasion: Occasion | None) -> None:
        """What is asked from now on is asked on this occasion, of these people in this order; none = it is not kept."""
        self._occasion = occasion
        self._filled.clear()

    def returned(
        self, responses: np.ndarray, luck: Luck, who: np.ndarray, asked: Asked, when: int, name: str, first: int
    ) -> np.ndarray:
        """The responses (people, items) of one scale as they come back: NaN where there is no answer.

        ``name``: the questionnaire as tables call it; ``first``: where the scale's first item stands in it.
        """
        returned = np.ones(who.size, bool)
        if self.form_prob > 0.0:
            returned = luck.uniform(who, f"{asked.form} not handed in", when) > self.form_prob
        if self.item_prob > 0.0:
            items = np.arange(responses.shape[1])
            answered = luck.uniform(who[:, None], f"{asked.purpose} left out", when, items[None, :]) > self.item_prob
            responses = np.where(answered, responses, np.nan)
        responses = np.where(returned[:, None], responses, np.nan)
        if self.keep and self._occasion is not None:
            self._file(self._occasion, asked, name, returned, first, responses)
        return responses

    def _file(self, occasion: Occasion, asked: Asked, name: str, returned: np.ndarray, first: int, responses: np.ndarray) -> None:
        """Put one scale's responses to those of the same questionnaire on this occasion."""
        if returned.size != occasion.client.size:
            return  # asked of others than of everybody who is there: nobody can say of whom
        key = (id(occasion), asked.rater, asked.form)
        if key not in self._filled:
            blank = np.full((returned.size, MOST_ITEMS), NO_ANSWER, np.int8)
            self._filled[key] = _Form(occasion, asked.rater, name, returned, blank)
            self._kept.append(self._filled[key])
        into = self._filled[key].responses[:, first : first + responses.shape[1]]
        into[:] = np.where(np.isnan(responses), NO_ANSWER, responses)[:, : into.shape[1]]

    def table(self) -> dict[str, np.ndarray]:
        """One row a questionnaire that came back, by client and then by time; categories are numbers."""
        if not self._kept:
            return {}
        forms, has = self._kept, [np.flatnonzero(form.returned) for form in self._kept]
        sizes = [rows.size for rows in has]
        names = [form.instrument for form in forms]
        known = list(dict.fromkeys(names))

        def each(values: list[int]) -> np.ndarray:
            return np.repeat(values, sizes)

        row, therapist, session = (
            np.concatenate([getattr(form.occasion, name)[rows] for form, rows in zip(forms, has, strict=True)])
            for name in ("client", "therapist", "session")
        )
        responses = np.concatenate([form.responses[rows] for form, rows in zip(forms, has, strict=True)])
        order = np.argsort(row, kind="stable")
        columns = {
            "row": row, "therapist": therapist, "when": each([OCCASIONS.index(form.occasion.name) for form in forms]),
            "week": each([form.occasion.week for form in forms]), "session": session,
            "rater": each([RATERS.index(form.rater) for form in forms]),
            "instrument": np.array(known, object)[each([known.index(name) for name in names])],
            **{f"item_{k + 1}": responses[:, k] for k in range(MOST_ITEMS)},
        }  # fmt: skip
        return {name: values[order] for name, values in columns.items()}

    def forget_after(self, kept: int) -> None:
        """Keep only the first ``kept`` questionnaires (of ``len``): what was asked since was asked for a look."""
        del self._kept[kept:]

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True)
class SurveyLuck(Luck):
    """The random draws of a run, and how its questionnaires come back where some are missing or every response is kept."""

    forms: Forms | None = None

    def not_kept(self) -> SurveyLuck:
        """The same draws for a look at what might be: whatever is missing there is missing, and no responses are kept."""
        return self if self.forms is None else replace(self, forms=self.forms.not_kept() if self.forms.missing else None)

    def complete(self) -> SurveyLuck:
        """The same draws where every questionnaire comes back whole."""
        return self if self.forms is None else replace(self, forms=None)


def forms_of(parameters: Parameters, keep: bool = False) -> Forms | None:
    """How questionnaires come back with these parameters; none = whole, and only their scores are kept."""
    forms = Forms(parameters.missing_item_prob, parameters.missing_form_prob, keep)
    return forms if forms.missing or keep else None


def scored(responses: np.ndarray) -> np.ndarray:
    """Mean response of each person (rows) over the items that were answered; NaN where fewer than 80 % were."""
    answered = ~np.isnan(responses)
    n = answered.sum(axis=1)
    enough = OF * n >= ENOUGH * responses.shape[1]
    return np.where(enough, np.where(answered, responses, 0.0).sum(axis=1) / np.maximum(n, 1), np.nan)
