"""Policies: what a therapist can be told to do. Each is data: parameters it sets, columns of the therapist it moves.

A new one is an entry: ``POLICIES["slow_down"] = Policy(...)``; scenarios can name it from then on (docs/EXTENDING.md).

A policy is a phrase one could say to a trainee. Amounts have a source or are assumptions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sim.errors import ParameterError
from sim.naming import nearest
from sim.people.state import PERSON
from sim.theory.parameters import checked


def check_columns(names: Iterable[str]) -> None:
    """Raise ``ParameterError`` unless these are columns of a therapist (``sim.people.state.PERSON``)."""
    for name in names:
        if name not in PERSON:
            raise ParameterError(f"there is no column '{name}' of a therapist{nearest(name, PERSON)}")


@dataclass(frozen=True)
class Policy:
    """One policy: its meaning, parameters it sets, therapist columns it adds to, and where the amounts come from.

    >>> Policy("Listen more.", {}, {"skill": 0.05}).adds
    {'skill': 0.05}
    """

    meaning: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    adds: Mapping[str, float] = field(default_factory=dict)
    source: str = "assumption"

    def __post_init__(self) -> None:
        for name, value in self.parameters.items():
            checked(name, value)
        check_columns(self.adds)
        for name, amount in self.adds.items():
            if isinstance(amount, bool) or not isinstance(amount, (int, float)):
                raise ParameterError(f"what is added to '{name}' must be a number, not {amount!r}")


POLICIES: dict[str, Policy] = {
    "leave_ruptures_alone": Policy("Press on when the client seems hurt or withdraws.", parameters={"repair_effort": 0.0}),
    "look_for_ruptures": Policy("Watch for strain in the relationship and name it early.", parameters={"repair_base": -0.6}),
    "train_empathic_accuracy": Policy("Practise reading what the client feels, with feedback.", adds={"skill": 0.12}),
    "train_warmth": Policy(
        "Let the client feel that you care; drop the technique when it gets in the way.", adds={"warmth_trait": 0.4}
    ),
    "keep_your_distance": Policy("Stay neutral; show little of what you feel for the client.", adds={"warmth_trait": -0.8}),
    "rely_on_technique": Policy(
        "Understand accurately and apply the method; warmth is not part of the job.", adds={"skill": 0.12, "warmth_trait": -1.6}
    ),
}


def parameters_set_by(policies: Iterable[str]) -> dict[str, float]:
    """The parameters that policies set, later ones last."""
    return {name: value for policy in policies for name, value in POLICIES[policy].parameters.items()}
