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
from sim.errors import StateError
from sim.luck import absorbed, normal_at, occasion, purpose_code
from sim.measurement.responses import Asked, SurveyLuck, scored
from sim.people.apply import applied
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX


@dataclass(frozen=True)
class Instrument:
    """A questionnaire (or one scale of it): number of items, lowest and highest response, where it comes from.

    ``form``: the questionnaire that it is a scale of; ``scales``: where the first item of each of them stands there.
    ``asked``: who fills it in, and when.
    """

    name: str
    items: int
    low: int
    high: int
    source: str
    asked: str = ""
    form: str = ""
    scales: Mapping[str, int] = field(default_factory=dict)


_AFTER = "client, after each session"
_CATS, _DSQ = "Mallinckrodt, Gantt & Coble 1995", "Andrews, Singh & Bond 1993"
_STUDIES = "people of the community, in the simulated studies of `attune validate` only"
WAI_SCALE = Instrument(
    "WAI-SR subscale (bond, task, goal)", 4, 1, 7, "Hatcher & Gillaspy 2006; responses 1-7",
    "client and therapist, after each session", "WAI-SR", {"bond": 0, "task": 4, "goal": 8},
)  # fmt: skip
EMPATHY = Instrument(
    "rated empathy", 10, 1, 7, "after the usual 7-point empathy scales", "client, therapist and observer, after each session",
    "empathy",
)  # fmt: skip
ECR_SCALE = Instrument(
    "ECR dimension (anxiety, avoidance)", 18, 1, 7, "Brennan, Clark & Shaver 1998",
    "client at intake, every month and at the end; therapist at the beginning and end of each course, and for the service of a "
    "clinic", "ECR", {"anxiety": 0, "avoidance": 18},
)  # fmt: skip
TO_THERAPIST = Instrument(
    "attachment to the therapist (anxiety, avoidance)", 9, 1, 7, "after ECR items about one relationship", _AFTER,
    "ECR, this therapist", {"anxiety": 0, "avoidance": 9},
)  # fmt: skip
CATS = {
    "secure": Instrument("CATS secure", 14, 1, 6, _CATS, _AFTER, "CATS", {"secure": 0}),
    "avoidant": Instrument("CATS avoidant-fearful", 12, 1, 6, _CATS, _AFTER, "CATS", {"avoidant": 14}),
    "preoccupied": Instrument("CATS preoccupied-merger", 10, 1, 6, _CATS, _AFTER, "CATS", {"preoccupied": 26}),
}
DSQ = {
    "immature": Instrument("DSQ-40 immature defences", 24, 1, 9, _DSQ, _STUDIES, "DSQ-40", {"immature": 0}),
    "neurotic": Instrument("DSQ-40 neurotic defences", 8, 1, 9, _DSQ, _STUDIES, "DSQ-40", {"neurotic": 24}),
}
RQ_ITEM = Instrument(
    "Relationship Questionnaire, one style", 1, 1, 7, "Bartholomew & Horowitz 1991", _STUDIES, "RQ",
    {style: place for place, style in enumerate(STYLE_BOX)},
)  # fmt: skip
CORE_OM = Instrument(
    "CORE-OM", 34, 0, 4, "Evans et al. 2002; clinical score = mean response x 10",
    "client at intake, before each session, every month, at the end and at follow-up", "CORE-OM",
)  # fmt: skip
#: Every scale of every questionnaire.
INSTRUMENTS = (WAI_SCALE, EMPATHY, ECR_SCALE, TO_THERAPIST, *CATS.values(), *DSQ.values(), RQ_ITEM, CORE_OM)


def _mean_answered(response, who, seed, replicate, when, purpose, items, low, high, item_sd, out):  # type: ignore[no-untyped-def]
    for i in range(response.size):
        stream = absorbed(occasion(seed, replicate, who[i], when), purpose)
        total = 0.0
        for item in range(items):
            x = np.floor(response[i] + item_sd * normal_at(stream, np.uint64(item)) + 0.5)
            total += min(max(x, low), high)
        out[i] = total / items


def _each_answered(response, who, seed, replicate, when, purpose, items, low, high, item_sd, out):  # type: ignore[no-untyped-def]
    for i in range(response.size):
        stream = absorbed(occasion(seed, replicate, who[i], when), purpose)
        for item in range(items):
            x = np.floor(response[i] + item_sd * normal_at(stream, np.uint64(item)) + 0.5)
            out[i, item] = min(max(x, low), high)


def mean_response(
    instrument: Instrument, response: np.ndarray, who: np.ndarray, asked: Asked, when: int, item_sd: float, luck: SurveyLuck
) -> np.ndarray:
    """Mean response over an instrument's items for people whose true response (scale points) is ``response``.

    NaN for whom a questionnaire, or too many of its items, are missing (``responses.scored``).
    """
    if luck.forms is not None:
        return scored(item_responses(instrument, response, who, asked, when, item_sd, luck))
    out = np.empty(response.size)
    compiled(_mean_answered)(*_arguments(instrument, response, who, asked, when, item_sd, luck), out)
    return out


def item_responses(
    instrument: Instrument, response: np.ndarray, who: np.ndarray, asked: Asked, when: int, item_sd: float, luck: SurveyLuck
) -> np.ndarray:
    """Item responses (people, items) as they come back, NaN where there is no answer.

    Raises ``StateError`` where there is no true response.
    """
    if not np.isfinite(response).all():
        raise StateError(f"week {when}: what '{asked.purpose}' asks about is not a number for somebody")
    out = np.empty((response.size, instrument.items))
    compiled(_each_answered)(*_arguments(instrument, response, who, asked, when, item_sd, luck), out)
    if luck.forms is None:
        return out
    name, first = instrument.form or instrument.name, instrument.scales.get(asked.scale, 0)
    return luck.forms.returned(out, luck, who, asked, when, name, first)


def _arguments(
    instrument: Instrument, response: np.ndarray, who: np.ndarray, asked: Asked, when: int, item_sd: float, luck: SurveyLuck
) -> tuple[Any, ...]:
    return (
        np.ascontiguousarray(response, np.float64),
        who,
        np.uint64(luck.seed),
        np.uint64(luck.replicate),
        np.uint64(when),
        purpose_code(asked.purpose),
        instrument.items,
        float(instrument.low),
        float(instrument.high),
        item_sd,
    )


def _scaled(instrument: Instrument, share: np.ndarray) -> np.ndarray:
    return instrument.low + (instrument.high - instrument.low) * share


def rated(
    instrument: Instrument,
    level: np.ndarray,
    level_typical: float,
    who: np.ndarray,
    style: np.ndarray,
    asked: Asked,
    when: int,
    item_sd: float,
    parameters: Parameters,
    luck: SurveyLuck,
) -> np.ndarray:
    """A rating (mean response) of something about the therapy by one rater; ``level`` is latent, 0..1."""
    response = _true_response(
        instrument, level, level_typical, who, style, when, asked.rater, parameters, luck, f"{asked.purpose}_day"
    )
    return mean_response(instrument, response, who, asked, when, item_sd, luck)


def _true_response(
    instrument: Instrument,
    level: np.ndarray,
    level_typical: float,
    who: np.ndarray,
    style: np.ndarray,
    when: int,
    rater: str,
    parameters: Parameters,
    luck: SurveyLuck,
    noise_purpose: str,
) -> np.ndarray:
    noise = parameters.rating_session_sd * luck.normal(who, noise_purpose, when)
    lift = parameters.client_leniency if rater == "client" else parameters.therapist_leniency
    share = applied(eq.rated_share, parameters, level=level, level_typical=level_typical, leniency=lift, style=style, noise=noise)
    return _scaled(instrument, share)


def working_alliance(
    latent: Mapping[str, np.ndarray],
    who: np.ndarray,
    style: np.ndarray,
    when: int,
    rater: str,
    parameters: Parameters,
    luck: SurveyLuck,
) -> dict[str, np.ndarray]:
    """WAI-SR of one rater (1-7): a score for each scale of ``latent`` (shares 0..1), filled in on one day, and ``total``.

    The total is the mean of all items, where at least 80 % of them were answered.
    """
    scores, responses = {}, []
    for scale, level in latent.items():
        response = _true_response(
            WAI_SCALE, level, parameters.alliance_typical, who, style, when, rater, parameters, luck, f"{rater}_wai_day"
        )
        asked = Asked(f"{rater}_wai_{scale}", f"{rater}_wai", scale, rater)
        if luck.forms is None:
            scores[scale] = mean_response(WAI_SCALE, response, who, asked, when, parameters.wai_item_sd, luck)
        else:
            responses.append(item_responses(WAI_SCALE, response, who, asked, when, parameters.wai_item_sd, luck))
            scores[scale] = scored(responses[-1])
    if luck.forms is None:
        return {**scores, "total": np.add.reduce(list(scores.values())) / float(len(scores))}
    return {**scores, "total": scored(np.concatenate(responses, axis=1))}


def style_with(
    questionnaire: str, common: np.ndarray, sd: float, who: np.ndarray, parameters: Parameters, luck: SurveyLuck
) -> np.ndarray:
    """How favourably raters answer one questionnaire (logit): what all their ratings have in common, and its own.

    ``common`` and the result have spread ``sd``; the parameter ``response_style_shared_share`` says how much is common.
    """
    own = sd * luck.normal(who, f"{questionnaire}_rating_style")
    return np.asarray(eq.partly_shared(common, own, parameters.response_style_shared_share))


def core_om(
    distress: np.ndarray, who: np.ndarray, purpose: str, when: int, parameters: Parameters, luck: SurveyLuck
) -> np.ndarray:
    """CORE-OM clinical score (0-40) of people with this distress (community SD); ``purpose``: which time it is asked."""
    week = parameters.core_week_sd * luck.normal(who, "core_week", when)
    share = applied(eq.core_share, parameters, distress=distress, week_noise=week)
    asked = Asked(purpose, purpose)
    return 10.0 * mean_response(CORE_OM, _scaled(CORE_OM, share), who, asked, when, parameters.core_item_sd, luck)


def ecr(
    dimension: str,
    share: np.ndarray,
    style: np.ndarray,
    who: np.ndarray,
    occasion: str,
    when: int,
    parameters: Parameters,
    luck: SurveyLuck,
    rater: str = "client",
) -> np.ndarray:
    """ECR score (1-7) of people whose anxiety or avoidance (``dimension``) is ``share`` (0..1); ``style`` in scale points."""
    asked = Asked(f"ecr_{dimension}_{occasion}", f"ecr_{occasion}", dimension, rater)
    return mean_response(ECR_SCALE, _scaled(ECR_SCALE, share) + style, who, asked, when, parameters.ecr_item_sd, luck)


def ecr_to_therapist(
    dimension: str, share: np.ndarray, style: np.ndarray, who: np.ndarray, when: int, parameters: Parameters, luck: SurveyLuck
) -> np.ndarray:
    """The same of attachment to this therapist, as the client fills it in."""
    asked = Asked(f"{dimension}_to_therapist", "to_therapist", dimension)
    return mean_response(TO_THERAPIST, _scaled(TO_THERAPIST, share) + style, who, asked, when, parameters.ecr_item_sd, luck)


def cats(scale: str, share: np.ndarray, who: np.ndarray, when: int, parameters: Parameters, luck: SurveyLuck) -> np.ndarray:
    """CATS score (1-6) on a ``scale`` of clients who answer this ``share`` of it; item noise as of the ECR."""
    asked = Asked(f"cats_{scale}", "cats", scale)
    return mean_response(CATS[scale], _scaled(CATS[scale], share), who, asked, when, parameters.ecr_item_sd, luck)


def dsq(scale: str, defences: np.ndarray, who: np.ndarray, when: int, parameters: Parameters, luck: SurveyLuck) -> np.ndarray:
    """DSQ-40 score (1-9) of people with these immature or neurotic (``scale``) defences, in SD of the community."""
    response = parameters.dsq_mean + parameters.dsq_sd * defences
    return mean_response(DSQ[scale], response, who, Asked(f"dsq_{scale}", "dsq", scale), when, parameters.dsq_item_sd, luck)


def relationship_questionnaire(
    anxiety: np.ndarray,
    avoidance: np.ndarray,
    style: Mapping[str, np.ndarray],
    who: np.ndarray,
    when: int,
    parameters: Parameters,
    luck: SurveyLuck,
) -> dict[str, np.ndarray]:
    """How well each of the four styles' descriptions fits (1-7, one item each), of people with these shares (0..1).

    A description says something about either dimension, high or low [A1]; the response is the mean of how well the two fit.
    ``style``: how the person answers ECR items of anxiety and of avoidance, in scale points. Item noise as of the ECR.
    """
    responses = {}
    for name, (low_anxiety, _, low_avoidance, _) in STYLE_BOX.items():
        fits = []
        for dimension, share, lowest in (("anxiety", anxiety, low_anxiety), ("avoidance", avoidance, low_avoidance)):
            score = _scaled(ECR_SCALE, share) + style[dimension]
            fits.append(score if lowest > LOWEST else LOWEST + HIGHEST - score)
        asked = Asked(f"rq_{name}", "rq", name)
        responses[name] = mean_response(RQ_ITEM, 0.5 * (fits[0] + fits[1]), who, asked, when, parameters.ecr_item_sd, luck)
    return responses


def rupture_report(
    ruptures: np.ndarray, open_rupture: np.ndarray, who: np.ndarray, when: int, parameters: Parameters, luck: SurveyLuck
) -> np.ndarray:
    """Whether the client reports a rupture of this session (0 or 1): a direct item, not a rule on alliance drops."""
    unrepaired = open_rupture > 0
    prob = np.where(
        ruptures > 0,
        np.where(unrepaired, parameters.client_rupture_report_prob, parameters.client_repaired_report_prob),
        parameters.client_false_report_prob,
    )
    return (luck.uniform(who, "client_rupture_report", when) <= prob).astype(np.float64)


def observed_rupture(
    ruptures: np.ndarray, tension: np.ndarray, who: np.ndarray, when: int, parameters: Parameters, luck: SurveyLuck
) -> np.ndarray:
    """Whether an observer codes a rupture in this session (0 or 1); observers also count tension that did not break."""
    prob = np.where(
        ruptures > 0, parameters.observer_rupture_report_prob, np.minimum(parameters.observer_tension_report_gain * tension, 1.0)
    )
    return (luck.uniform(who, "observer_rupture_report", when) <= prob).astype(np.float64)
