"""Every claim put to the test: contrasts on the same people and common random numbers, against what was expected beforehand.

``contrasts.yaml`` says what is compared and what was expected; this module only runs it. An effect is the mean difference,
client by client, between two sides (or a weighted sum of several), in SD of the population's clients unless a unit is named.
Beside it stand what must not change, the same effect with the mechanism taken out of both sides, and whether the effect
was coded in or emerges (``origins``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from sim.errors import EvidenceError, UsageError
from sim.evidence.claims.origins import distance
from sim.evidence.claims.quantities import Measured, measured, needs_exchanges, quantities
from sim.measures.intervals import mean_interval
from sim.naming import nearest
from sim.runs.run import run
from sim.scenario.scenario import Scenario, from_spec
from sim.simulation.machine import cores
from sim.theory.claims import claims

_MERGED = ("parameters", "lesions", "cut", "clamp")
_FOLLOWED = 200  # clients followed exchange by exchange, where a measure looks inside sessions


#: Proportion of an effect that may be left once its mechanism is taken out.
LEFT = 0.2
#: What a contrast can come to.
VERDICTS = ("reproduced", "weaker than stated", "not reproduced", "not specific")


@dataclass(frozen=True)
class Expected:
    """What was expected: an effect of at least or at most so much, or none beyond so much (``within``)."""

    kind: str
    size: float

    def __str__(self) -> str:
        words = {"at_least": "at least {:+.3g}", "at_most": "at most {:+.3g}", "within": "within ±{:.3g}"}
        return words[self.kind].format(self.size)

    @property
    def sign(self) -> float:
        """Which way the effect should go."""
        return -1.0 if self.kind == "at_most" else 1.0

    @property
    def nothing(self) -> bool:
        """Whether no effect is expected: none at all, or none beyond a bound on the far side of zero."""
        return self.kind == "within" or self.sign * self.size <= 0.0

    def met(self, effect: Effect) -> str:
        """The verdict on an effect."""
        value, low, high, sign = effect.value, effect.low, effect.high, self.sign
        if self.kind == "within":
            return "reproduced" if -self.size <= low and high <= self.size else "not reproduced"
        if self.nothing:  # a bound on the far side of zero ("not lower for that"): all of the interval keeps it
            return "reproduced" if min(sign * low, sign * high) >= sign * self.size else "not reproduced"
        if not (sign * low > 0.0 and sign * high > 0.0):
            return "not reproduced"
        return "reproduced" if sign * value >= sign * self.size else "weaker than stated"


@dataclass(frozen=True)
class Contrast:
    """One row of ``contrasts.yaml``."""

    id: str
    claims: tuple[str, ...]
    says: str
    measure: str
    expected: Expected
    because: str
    cells: tuple[tuple[float, Mapping[str, Any]], ...]
    spares: Mapping[str, float] = field(default_factory=dict)
    without: Mapping[str, Any] | None = None
    unit: str = "SD"
    interaction: bool = False
    coded: bool = False
    why_not: str = ""
    amended: tuple[str, ...] = ()
    differs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scale(self) -> Mapping[str, Any]:
        """The side whose spread over clients is the unit: the first, with clients as the population has them."""
        return {key: value for key, value in self.cells[0][1].items() if key != "client"}

    @property
    def same_people(self) -> bool:
        """Whether the sides hold the same clients; otherwise other people with common random numbers."""
        return len({json.dumps(cell.get("client"), sort_keys=True) for _, cell in self.cells}) == 1

    @property
    def coded_in(self) -> int | None:
        """Equations from the mechanism (those that take what differs between the sides) to what is measured; 1 = coded in."""
        if self.coded:
            return 1
        if self.interaction:  # both people's styles differ by design; the question is what makes them more than a sum
            return distance(self.without or {}, quantities(self.measure))
        return distance(self.differs, quantities(self.measure))


@dataclass(frozen=True)
class Effect:
    """An effect with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}]"


@dataclass(frozen=True)
class Finding:
    """What a contrast came to."""

    contrast: Contrast
    effect: Effect
    without: Effect | None
    spared: Mapping[str, Effect]
    seed: int

    @property
    def verdict(self) -> str:
        """One of ``VERDICTS``: a claim that is reproduced but moves what must not change is *not specific*."""
        found = self.contrast.expected.met(self.effect)
        return "not specific" if found == "reproduced" and self.touched else found

    @property
    def touched(self) -> tuple[str, ...]:
        """What should not have changed and did."""
        limits = self.contrast.spares
        return tuple(n for n, e in self.spared.items() if not -limits[n] <= e.low <= e.value <= e.high <= limits[n])

    @property
    def spared_said(self) -> str:
        """What must not change, how far it moved, and how far it may."""
        limits = self.contrast.spares
        return "; ".join(f"{name} {e.value:+.2f} (±{limits[name]:g})" for name, e in self.spared.items())

    @property
    def depends(self) -> bool | None:
        """Whether at most ``LEFT`` of the effect is left once the mechanism is taken out; None where nothing is taken out.

        Where nothing was to change: whether a way is then open, and the effect shows.
        """
        if self.without is None:
            return None
        expected = self.contrast.expected
        if expected.nothing:
            return expected.met(self.without) != "reproduced"
        left = expected.sign * self.without.value
        return bool(left <= LEFT * abs(self.effect.value) or self.without.low <= 0.0 <= self.without.high)

    @property
    def origin(self) -> str:
        """``coded in``, or how far from the mechanism the effect emerges."""
        if self.contrast.unit == "regions":
            return "read-out"
        steps = self.contrast.coded_in
        if steps is None:
            return "no way leads there" if self.contrast.expected.kind == "within" else "read-out"
        return "coded in" if steps == 1 else f"emerges, {steps} equations on"


def overlaid(*overlays: Mapping[str, Any]) -> dict[str, Any]:
    """Overlays of a scenario laid over each other: mappings of parameters, lesions, cuts and clamps are merged, the rest
    replaced."""
    spec: dict[str, Any] = {}
    for overlay in overlays:
        for key, value in overlay.items():
            spec[key] = {**spec.get(key, {}), **value} if key in _MERGED else value
    return spec


@lru_cache(maxsize=1)
def table() -> Mapping[str, Any]:
    """The file ``contrasts.yaml`` as it is."""
    text = resources.files("sim.evidence.claims").joinpath("contrasts.yaml").read_text(encoding="utf-8")
    found: Mapping[str, Any] = YAML(typ="safe", pure=True).load(text)
    return found


def contrasts(wanted: Iterable[str] = ()) -> tuple[Contrast, ...]:
    """The contrasts of the claims named (``K7``) or named themselves (``insula_needed``); all without names.

    Raises ``EvidenceError``.
    """
    every = tuple(_contrast(row) for row in table()["contrasts"])
    known = [*claims(), *(c.id for c in every)]
    names = [name.upper() if name.upper() in claims() else name for name in wanted]
    for name in names:
        if name not in known:
            raise EvidenceError(f"no claim or contrast '{name}'{nearest(name, known)}; claims are K1 to K27 and A1 to A9")
    return tuple(c for c in every if not names or c.id in names or set(c.claims) & set(names))


def _contrast(row: Mapping[str, Any]) -> Contrast:
    """One row of the file: sides laid over what is usual become cells with weights."""
    said = dict(row)
    usual, changed, cells = (said.pop(key, None) for key in ("usual", "changed", "cells"))
    differs = usual or {}
    if cells is not None:
        sides = [(float(cell["weight"]), {k: v for k, v in cell.items() if k != "weight"}) for cell in cells]
        differs = overlaid(*(side for _, side in sides))
    elif changed is not None:
        sides, differs = [(-1.0, {}), (1.0, changed)], changed
    else:
        sides = [(1.0, {})]
    if said["measure"].startswith(("r.", "count.")) and len(sides) > 1:
        raise UsageError(f"{row['id']}: {row['measure']} is one number of one side; it cannot be compared between sides")
    ((kind, size),) = said.pop("expected").items()
    said |= {"claims": tuple(said["claims"]), "amended": tuple(said.get("amended", ()))}
    sides = [(weight, overlaid(usual or {}, side)) for weight, side in sides]
    return Contrast(**said, expected=Expected(kind, float(size)), cells=tuple(sides), differs=differs)


def _arm(overlay: Mapping[str, Any]) -> str:
    """An overlay as canonical text, by which an arm is known."""
    return json.dumps(overlay, sort_keys=True)


def scenario_of(overlay: Mapping[str, Any], clients: int, *, inside: bool = False) -> Scenario:
    """The scenario of one side, with so many clients where none needs more; ``inside``: followed exchange by exchange."""
    spec = overlaid(table()["base"], overlay)
    spec["clients_per_arm"] = clients * int(spec["clients_per_arm"]) // int(table()["base"]["clients_per_arm"])
    if inside:
        spec["record"] = {"exchanges": {"clients": list(range(min(clients, _FOLLOWED)))}}
    return from_spec({"question": "Does the claim hold?", **spec}, "claims")


def _wanted(chosen: Sequence[Contrast], ablated: bool) -> dict[str, set[str]]:
    """Every arm that is to be run, once, and what is to be measured in it."""
    arms: dict[str, set[str]] = {}
    for c in chosen:
        if c.unit == "SD":
            arms.setdefault(_arm(c.scale), set()).add(c.measure)
        for _, cell in c.cells:
            arms.setdefault(_arm(cell), set()).update({c.measure, *c.spares})
            if ablated and c.without is not None:
                arms.setdefault(_arm(overlaid(cell, c.without)), set()).add(c.measure)
    return arms


def findings(
    wanted: Iterable[str] = (),
    seed: int = 1,
    clients: int | None = None,
    *,
    ablated: bool = True,
    under: Mapping[str, Any] | None = None,
    parameters: Mapping[str, float] | None = None,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Finding]:
    """Run the contrasts of some claims (or all), each arm once, and say what came out.

    ``clients``: clients an arm (default: the table's). ``ablated``: also with the mechanism taken out. ``under``: an overlay of
    every side, such as a changed parameter, under which the claims are put to the test. ``parameters``: what the model's
    parameters are instead of their defaults, where a contrast does not say otherwise. Raises ``EvidenceError``."""
    if threads is not None and threads < 1:
        raise UsageError("threads must be at least 1")
    chosen = contrasts(wanted)
    n = int(table()["base"]["clients_per_arm"]) if clients is None else clients
    arms = _wanted(chosen, ablated)

    def lived(item: tuple[str, set[str]]) -> tuple[str, dict[str, Measured]]:
        arm, names = item
        spec = overlaid({"parameters": dict(parameters or {})}, json.loads(arm), under or {})
        found = run(scenario_of(spec, n, inside=any(map(needs_exchanges, names))), seed, threads=1)
        return arm, {name: measured(found, name) for name in sorted(names)}

    results: dict[str, dict[str, Measured]] = {}
    with ThreadPoolExecutor(max_workers=threads or cores()) as pool:
        for done, (arm, values) in enumerate(pool.map(lived, arms.items()), start=1):
            results[arm] = values
            if progress is not None:
                progress(done, len(arms))
    return [_finding(c, results, seed, ablated) for c in chosen]


def _finding(c: Contrast, results: Mapping[str, Mapping[str, Measured]], seed: int, ablated: bool) -> Finding:
    sides = [(weight, results[_arm(cell)]) for weight, cell in c.cells]
    unit = _spread(results[_arm(c.scale)][c.measure]) if c.unit == "SD" else 1.0
    without = None
    if ablated and c.without is not None:
        less = [(weight, results[_arm(overlaid(cell, c.without))]) for weight, cell in c.cells]
        without = _effect(less, c.measure, unit)
    spared = {name: _effect(sides, name, _spread(sides[0][1][name])) for name in c.spares}
    return Finding(c, _effect(sides, c.measure, unit), without, spared, seed)


def _spread(found: Measured) -> float:
    """SD over clients, the unit of most effects; 1 where clients do not differ."""
    sd = float(found.values.std()) if found.values is not None else 1.0
    return sd if sd > 1e-9 else 1.0


def _effect(sides: Sequence[tuple[float, Mapping[str, Measured]]], name: str, unit: float) -> Effect:
    """The weighted sum of the sides, client by client, in the unit given; a client missing on one side is left out."""
    one = sides[0][1][name]
    if one.values is None:
        return Effect(one.value, one.low, one.high)
    columns = {k: values.mul(weight) for k, (weight, side) in enumerate(sides) if (values := side[name].values) is not None}
    together = pd.DataFrame(columns).dropna()
    found = mean_interval(together.sum(axis=1) / unit)
    return Effect(found["mean"], *(found["mean"] if np.isnan(found[end]) else found[end] for end in ("low", "high")))


def of_claim(claim: str, found: Iterable[Finding]) -> list[Finding]:
    """The findings that test a claim."""
    return [f for f in found if claim in f.contrast.claims]


def claim_verdict(found: Sequence[Finding]) -> str:
    """What the contrasts of one claim come to together: the least of their verdicts, and how many were reproduced."""
    if not found:
        return "taught, not tested"
    good = sum(f.verdict == "reproduced" for f in found)
    return "reproduced" if good == len(found) else f"in part ({good} of {len(found)})" if good else "not reproduced"
