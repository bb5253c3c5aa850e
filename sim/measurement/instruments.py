"""Questionnaires: how a latent state becomes what a study sees.

Every instrument rates items on a scale: level, the rater's style, a good or bad day, and item noise, then rounding
to the scale's points and its two ends. So reliability, rater style and ceiling come about as in real data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.compiling import compiled
from sim.elementary import maximum, minimum
from sim.errors import StateError
from sim.luck import absorbed, normal_at, normals_into, occasion, purpose_code
from sim.measurement.responses import Respondents, scored
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX


@dataclass(frozen=True)
class Instrument:
    """A questionnaire (or one scale of it): number of items, lowest and highest response, where it comes from.

    ``item_sd``: the parameter that holds the noise of one item. ``asked``: who fills it in, and when. ``form``: the questionnaire
    that it is a scale of; ``scales``: where the first item of each of them stands there.
    """

    name: str
    items: int
    low: int
    high: int
    source: str
    item_sd: str
    asked: str = ""
    form: str = ""
    scales: Mapping[str, int] = field(default_factory=dict, hash=False)

    def level(self, share: np.ndarray) -> np.ndarray:
        """A proportion of the scale, 0..1, in scale points."""
        return self.low + (self.high - self.low) * share


_AFTER = "client, after each session"
_CATS, _DSQ = "Mallinckrodt, Gantt & Coble 1995", "Andrews, Singh & Bond 1993"
_STUDIES = "people of the community, in the simulated studies of `attune validate` only"
WAI_SCALE = Instrument(
    "WAI-SR subscale (bond, task, goal)", 4, 1, 7, "Hatcher & Gillaspy 2006; responses 1-7", "wai_item_sd",
    "client and therapist, after each session", "WAI-SR", {"bond": 0, "task": 4, "goal": 8},
)  # fmt: skip
EMPATHY = Instrument(
    "rated empathy", 10, 1, 7, "after the usual 7-point empathy scales", "empathy_item_sd",
    "client, therapist and observer, after each session", "empathy",
)  # fmt: skip
ECR_SCALE = Instrument(
    "ECR dimension (anxiety, avoidance)", 18, 1, 7, "Brennan, Clark & Shaver 1998", "ecr_item_sd",
    "client at intake, every month and at the end; therapist at the beginning and end of each course, and for the service of a "
    "clinic", "ECR", {"anxiety": 0, "avoidance": 18},
)  # fmt: skip
TO_THERAPIST = Instrument(
    "attachment to the therapist (anxiety, avoidance)", 9, 1, 7, "after ECR items about one relationship", "ecr_item_sd", _AFTER,
    "ECR, this therapist", {"anxiety": 0, "avoidance": 9},
)  # fmt: skip
CATS = {
    scale: Instrument(f"CATS {title}", items, 1, 6, _CATS, "ecr_item_sd", _AFTER, "CATS", {scale: first})
    for scale, title, items, first in (
        ("secure", "secure", 14, 0), ("avoidant", "avoidant-fearful", 12, 14), ("preoccupied", "preoccupied-merger", 10, 26),
    )
}  # fmt: skip
DSQ = {
    scale: Instrument(f"DSQ-40 {scale} defences", items, 1, 9, _DSQ, "dsq_item_sd", _STUDIES, "DSQ-40", {scale: first})
    for scale, items, first in (("immature", 24, 0), ("neurotic", 8, 24))
}
RQ_ITEM = Instrument(
    "Relationship Questionnaire, one style", 1, 1, 7, "Bartholomew & Horowitz 1991", "ecr_item_sd", _STUDIES, "RQ",
    {style: place for place, style in enumerate(STYLE_BOX)},
)  # fmt: skip
CORE_OM = Instrument(
    "CORE-OM", 34, 0, 4, "Evans et al. 2002; clinical score = mean response x 10", "core_item_sd",
    "client at intake, before each session, every month, at the end and at follow-up", "CORE-OM",
)  # fmt: skip
#: Every scale of every questionnaire.
INSTRUMENTS = (WAI_SCALE, EMPATHY, ECR_SCALE, TO_THERAPIST, *CATS.values(), *DSQ.values(), RQ_ITEM, CORE_OM)


_BLOCK = 256


def _mean_answered(response, who, seed, replicate, when, purpose, items, low, high, item_sd, out):  # type: ignore[no-untyped-def]
    streams, noise, again = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK), np.empty(_BLOCK, np.int64)
    for first in range(0, response.size, _BLOCK):  # so many at once that the draws become vector instructions
        n = min(_BLOCK, response.size - first)
        for j in range(n):
            streams[j] = absorbed(occasion(seed, replicate, who[first + j], when), purpose)
            out[first + j] = 0.0
        for item in range(items):
            normals_into(noise[:n], streams, np.uint64(item), again)
            for j in range(n):
                x = np.floor(response[first + j] + item_sd * noise[j] + 0.5)
                out[first + j] += minimum(maximum(x, low), high)
        for j in range(n):
            out[first + j] /= items


def _each_answered(response, who, seed, replicate, when, purpose, items, low, high, item_sd, out):  # type: ignore[no-untyped-def]
    for i in range(response.size):
        stream = absorbed(occasion(seed, replicate, who[i], when), purpose)
        for item in range(items):
            x = np.floor(response[i] + item_sd * normal_at(stream, np.uint64(item)) + 0.5)
            out[i, item] = min(max(x, low), high)


def mean_response(
    instrument: Instrument, response: np.ndarray, whom: Respondents, form: str, scale: str = "", purpose: str = ""
) -> np.ndarray:
    """Mean response over an instrument's items of people whose true response (scale points) is ``response``.

    ``form``, ``scale``: names of the questionnaire and of its scale; ``purpose``: the address of the random draws, ``form_scale``
    where it is not given. NaN for whom a questionnaire, or too many of its items, are missing (``responses.scored``).
    """
    if whom.item_by_item:
        return scored(item_responses(instrument, response, whom, form, scale, purpose))
    out = np.empty(response.size)
    compiled(_mean_answered)(*_arguments(instrument, response, whom, purpose or f"{form}_{scale}".rstrip("_")), out)
    return out


def item_responses(
    instrument: Instrument, response: np.ndarray, whom: Respondents, form: str, scale: str = "", purpose: str = ""
) -> np.ndarray:
    """Item responses (people, items) as they come back, NaN where there is no answer; arguments as of ``mean_response``.

    Raises ``StateError`` where there is no true response.
    """
    purpose = purpose or f"{form}_{scale}".rstrip("_")
    if not np.isfinite(response).all():
        raise StateError(f"week {whom.week}: what '{purpose}' asks about is not a number for somebody")
    out = np.empty((response.size, instrument.items))
    compiled(_each_answered)(*_arguments(instrument, response, whom, purpose), out)
    return whom.returned(out, form, purpose, instrument.form or instrument.name, instrument.scales.get(scale, 0))


def _arguments(instrument: Instrument, response: np.ndarray, whom: Respondents, purpose: str) -> tuple[Any, ...]:
    return (
        np.ascontiguousarray(response, np.float64),
        whom.code,
        np.uint64(whom.luck.seed),
        np.uint64(whom.luck.replicate),
        np.uint64(whom.week),
        purpose_code(purpose),
        instrument.items,
        float(instrument.low),
        float(instrument.high),
        0.0 if whom.luck.still else whom.parameters[instrument.item_sd],
    )


def dsq(scale: str, defences: np.ndarray, whom: Respondents) -> np.ndarray:
    """DSQ-40 score (1-9) of people with these immature or neurotic (``scale``) defences, in SD of the community."""
    response = whom.parameters.dsq_mean + whom.parameters.dsq_sd * defences
    return mean_response(DSQ[scale], response, whom, "dsq", scale)


def relationship_questionnaire(
    anxiety: np.ndarray, avoidance: np.ndarray, style: Mapping[str, np.ndarray], whom: Respondents
) -> dict[str, np.ndarray]:
    """How well each of the four styles' descriptions fits (1-7, one item each), of people with these shares (0..1).

    A description says something about either dimension, high or low [A1]; the response is the mean of how well the two fit.
    ``style``: how the person answers ECR items of anxiety and of avoidance, in scale points. Item noise as of the ECR.
    """
    responses = {}
    for name, (low_anxiety, _, low_avoidance, _) in STYLE_BOX.items():
        fits = []
        for dimension, share, lowest in (("anxiety", anxiety, low_anxiety), ("avoidance", avoidance, low_avoidance)):
            score = ECR_SCALE.level(share) + style[dimension]
            fits.append(score if lowest > LOWEST else LOWEST + HIGHEST - score)
        responses[name] = mean_response(RQ_ITEM, 0.5 * (fits[0] + fits[1]), whom, "rq", name)
    return responses
