"""The parameters that the calibration may move: few, each with a reason and held by a prior. All others stay where they are.

A prior is a normal distribution of the parameter itself, of its logarithm (positive parameters) or of its logit (shares). Its
centre is the default that the model had before it was held against the table; of parameters that did not exist then, a guess.
Spreads are assumptions. A pattern that says nothing about a parameter leaves it at its centre.

Besides, parameters were hand-tuned against the same targets, some for a row, some to keep a claim. They count as fitted, and
stand in docs/VALIDATION.md with what they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from sim.naming import nearest
from sim.theory.parameters import PARAMETERS


@dataclass(frozen=True)
class Free:
    """One parameter that may move: prior ``centre`` (in its unit) and ``spread`` (on ``scale``), and why it is free."""

    name: str
    scale: str  # "as is", "log" or "logit"
    centre: float
    spread: float
    reason: str

    def __post_init__(self) -> None:
        if self.name not in PARAMETERS:
            raise ValueError(f"there is no parameter '{self.name}'{nearest(self.name, PARAMETERS)}")

    def _scaled(self, value: float) -> float:
        match self.scale:
            case "log":
                return float(np.log(value))
            case "logit":
                return float(np.log(value / (1.0 - value)))
        return value

    def standing(self, value: float) -> float:
        """A value of the parameter as its distance from the prior's centre, in prior SD."""
        return (self._scaled(value) - self._scaled(self.centre)) / self.spread

    def value(self, standing: float) -> float:
        """The parameter that stands so many prior SD from the centre, kept within its declared range."""
        x = self._scaled(self.centre) + self.spread * standing
        raw = np.exp(x) if self.scale == "log" else 1.0 / (1.0 + np.exp(-x)) if self.scale == "logit" else x
        parameter = PARAMETERS[self.name]
        return float(np.clip(raw, parameter.low, parameter.high))


#: All parameters that the calibration may move, in the order of the model.
FREE: tuple[Free, ...] = (
    Free("arousal_anxiety_gain", "log", 2.0, 0.35,
         "how much more aroused anxious people are in sessions is not measured directly"),
    Free("threat_gain", "log", 1.5, 0.6, "how much alarm distorts what anxious people hear is known only as a direction"),
    Free("expression_avoidance_cost", "log", 1.8, 0.4, "how much of arousal avoidant people hide is known only as a direction"),
    Free("bond_security_gain", "log", 0.25, 0.5, "how much of general security enters a rated bond is not measured"),
    Free("compatibility_sd", "log", 0.5, 0.3,
         "lasting fit of two people has no measure of its own; it is what style does not explain"),
    Free("trust_rate", "log", 0.15, 0.35, "how fast trust follows is known from early ratings at best"),
    Free("trust_response_gain", "log", 1.3, 0.25, "how steeply trust follows being responded to is not measured"),
    Free("client_leniency", "as is", 1.1, 0.3, "how far clients use the top of scales, apart from how good alliances are"),
    Free("therapist_leniency", "as is", 0.5, 0.3, "the same for therapists"),
    Free("client_response_style_sd", "log", 0.55, 0.3, "how much ratings are the rater's, not the therapy's"),
    Free("response_style_shared_share", "logit", 0.6, 0.7, "how much of a rater's style all their questionnaires share"),
    Free("healing_rate", "log", 0.022, 0.4, "the size of what a session does, of all that makes people change"),
    Free("healing_alliance_power", "log", 0.8, 0.4,
         "how much the alliance matters for that: its correlation is known, not its effect"),
    Free("rupture_distress_step", "log", 0.03, 0.6, "how much a rupture left unrepaired harms is not measured"),
    Free("client_treatment_gain_sd", "log", 0.6, 0.5, "how far clients differ in what treatment does to them, harm included"),
    Free("therapist_treatment_gain_sd", "log", 0.3, 0.4, "how far therapists differ beyond the alliance"),
    Free("distress_state_share", "logit", 0.3, 0.5, "how much of distress comes and goes depends on the questionnaire"),
    Free("dropout_base", "as is", -5.45, 0.6, "the level of a hazard whose slopes are relative"),
    Free("dropout_alliance_gain", "log", 4.5, 0.3, "how strongly the alliance keeps people"),
    Free("prototype_state_share", "logit", 0.18, 0.6, "how much of attachment comes and goes within weeks"),
    Free("distress_immature_path", "as is", 0.27, 0.08, "a path through other questionnaires than the source's"),
)  # fmt: skip


def centre(free: Iterable[Free] = FREE) -> dict[str, float]:
    """The priors' centres, by name."""
    return {one.name: one.centre for one in free}


def values_at(standings: np.ndarray, free: Iterable[Free] = FREE) -> dict[str, float]:
    """Parameters of the model at these standings (prior SD from the centre), by name."""
    return {one.name: one.value(float(z)) for one, z in zip(free, standings, strict=True)}


def standings_of(values: Mapping[str, float], free: Iterable[Free] = FREE) -> np.ndarray:
    """Where these parameters stand, in prior SD from the centre; a parameter that is not given stands where its default does."""
    return np.array([one.standing(values.get(one.name, PARAMETERS[one.name].default)) for one in free])
