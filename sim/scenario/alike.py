"""Which points of a batch are alike: they differ only in numbers that are checked by themselves and change no size."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from typing import Any

from pydantic import ValidationError

from sim.declared.values import Wrong
from sim.people.population import DRAWN_BY
from sim.scenario.fields import KEYS, ArmFile
from sim.scenario.sweep import OF_NAMES, place


class Alike:
    """The points of one scenario's batch, told apart.

    Parameters, lesions, cuts and clamps have limits of their own and decide neither who takes part nor how often they meet: of
    points that differ in such numbers alone one has to be built, and of the others the numbers be looked at.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        self._spec = spec
        self._seen: set[Hashable] = set()
        self._numbers: dict[str, tuple[str, str] | None] = {}

    def kind(self, changes: Mapping[str, Any]) -> Hashable:
        """What points that are alike have in common. Raises ``Wrong`` at an address that leads nowhere."""
        return tuple(
            (address, None if self._number(address) and isinstance(value, (int, float)) else json.dumps(value, sort_keys=True))
            for address, value in changes.items()
        )

    def seen(self, changes: Mapping[str, Any]) -> bool:
        """Whether a point like this one was asked about before, and the numbers of this one are such as can stand there."""
        kind = self.kind(changes)
        if kind not in self._seen:
            self._seen.add(kind)
            return False
        numbers = [(self._number(address), value) for address, value in changes.items()]
        try:
            for number, value in numbers:
                if number is not None:
                    ArmFile.model_validate({number[0]: {number[1]: value}})
        except ValidationError:
            return False
        return True

    def _number(self, address: str) -> tuple[str, str] | None:
        """Which mapping of numbers an address points into, and the name there; None where it points elsewhere."""
        if address not in self._numbers:
            try:
                *_, key, name = ("", *place(address, self._spec, KEYS))
            except Wrong as wrong:
                raise Wrong((address,), str(wrong)) from None
            # what decides who is drawn must go together
            alone = key in OF_NAMES and name not in DRAWN_BY
            self._numbers[address] = (key, name) if alone else None
        return self._numbers[address]
