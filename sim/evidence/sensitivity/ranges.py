"""Which of the model's parameters are free to move in a scenario, and between which ends a sensitivity analysis moves them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.errors import EvidenceError
from sim.naming import nearest
from sim.theory.parameters import PARAMETERS

if TYPE_CHECKING:
    from sim.scenario.scenario import Arm, Scenario

#: Half the width of every range, as a proportion of the parameter's value. An assumption: how uncertain the parameters are is not
#: known.
WIDTH = 0.25
#: A parameter that is 0 is moved by ``WIDTH`` of this proportion of what it may be. An assumption too.
OF_WHAT_IT_MAY_BE = 0.1

#: Why a parameter is not moved unless it is asked for; below, which groups and parameters that is so of.
_DERIVED = "follow from other parameters, and stay as declared"
_CENTRES = "say where terms are centred, by definition"
_SWITCHES = "are an experimenter's switches"
_UNASKED = "belong to instruments that no measure here asks"
_CLINIC = "are of clinics only"
_STUDIED = "are what the arms of this scenario differ in"
_NOT_MOVED = {
    "typical person (where terms are centred)": _CENTRES,
    "instruments that see activity": _UNASKED,
    **dict.fromkeys(("dsq_mean", "dsq_sd", "dsq_item_sd"), _UNASKED),
    **dict.fromkeys(("forced_response_share", "forced_response_low", "forced_response_high"), _SWITCHES),
}
#: Besides, outside of clinics.
_OF_CLINICS = dict.fromkeys(("service", "fatigue_warmth_cost"), _CLINIC)


@dataclass(frozen=True)
class Range:
    """A parameter of the model (in its own unit), its value in the scenario, and the ends between which it is moved."""

    name: str
    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        """From end to end, in the parameter's unit."""
        return self.high - self.low


def ranged(name: str, value: float, width: float = WIDTH) -> Range:
    """``value`` -/+ ``width`` of itself, cut to what the parameter may be: the one place where ranges are set (an assumption).

    Where the value is 0, the step is ``width`` of a tenth of the declared range.
    """
    parameter = PARAMETERS[name]
    step = width * (abs(value) or OF_WHAT_IT_MAY_BE * (parameter.high - parameter.low))
    return Range(name, value, max(value - step, parameter.low), min(value + step, parameter.high))


def left_out(scenario: Scenario) -> dict[str, str]:
    """Parameters that are not moved unless they are asked for, each with the reason (``"trust_typical": "say where ..."``)."""
    not_moved = _NOT_MOVED if scenario.design == "clinic" else {**_NOT_MOVED, **_OF_CLINICS}
    studied = dict.fromkeys(differing(scenario.arms), _STUDIED)
    why = {
        p.name: _DERIVED if p.status == "derived" else not_moved.get(p.group) or not_moved.get(p.name) or studied.get(p.name)
        for p in PARAMETERS.values()
    }
    return {name: reason for name, reason in why.items() if reason}


def differing(arms: Iterable[Arm]) -> list[str]:
    """Parameters that are not the same in all of these arms, as files, policies or arms set them."""
    sets = [{**{n.name: n.default for n in PARAMETERS.values()}, **arm.parameters} for arm in arms]
    return [name for name in PARAMETERS if len({values[name] for values in sets}) > 1]


def movable_parameters(
    scenario: Scenario, arms: Iterable[Arm], wanted: Iterable[str] = (), width: float = WIDTH
) -> tuple[tuple[Range, ...], dict[str, str]]:
    """The ranges of the parameters to move, and why others are left out. ``wanted``: names, or groups of ``attune params``.

    Raises ``EvidenceError`` for a name that is neither, for one that follows from others, and for a width of nothing.
    """
    if not (math.isfinite(width) and width > 0):
        raise EvidenceError(f"--range must be a proportion above 0, such as {WIDTH:g}, not {width:g}")
    arms, wanted, out = list(arms), tuple(wanted), left_out(scenario)
    names = _named(wanted, out) or [name for name in PARAMETERS if name not in out]
    apart = [name for name in differing(arms) if name in names]
    if apart:
        raise EvidenceError(f"{scenario.name}: '{apart[0]}' differs between the arms that are measured together; leave it out")
    values: Mapping[str, float] = arms[0].parameters
    ranges = tuple(ranged(name, values.get(name, PARAMETERS[name].default), width) for name in names)
    return ranges, {} if wanted else out


def _named(wanted: Iterable[str], out: Mapping[str, str]) -> list[str]:
    """The parameters that were asked for, in the order of the model, each once."""
    groups = dict.fromkeys(p.group for p in PARAMETERS.values())
    found: set[str] = set()
    for name in wanted:
        if name in groups:
            found |= {p.name for p in PARAMETERS.values() if p.group == name and p.name not in out}
        elif name not in PARAMETERS:
            raise EvidenceError(
                f"no parameter or group of parameters '{name}'{nearest(name, (*PARAMETERS, *groups))}; attune params lists them"
            )
        elif out.get(name) in (_DERIVED, _CENTRES):
            raise EvidenceError(f"'{name}' cannot be moved by itself: parameters of its kind {out[name]}")
        else:
            found.add(name)
    return [name for name in PARAMETERS if name in found]
