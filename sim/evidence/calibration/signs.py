"""Signs over the ensemble: in what proportion of the parameter sets that agree with the published evidence a direction, or a
claim, holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.simulated import Found
from sim.evidence.claims.contrasts import contrasts, findings
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import sign_verdict
from sim.theory.ensemble import members


def direction_shares(tables: Sequence[Found]) -> dict[str, dict[str, float]]:
    """Row -> part -> proportion of the tables in which that part has its sign with the whole of its interval."""
    shares: dict[str, dict[str, float]] = {}
    for p in patterns().values():
        if p.tier != "direction":
            continue
        of = [t.parts[p.id] for t in tables if p.id in t.parts]
        if of:
            shares[p.id] = {
                part: float(np.mean([sign_verdict(sign, one.get(part, (np.nan,) * 3), p.zero_within) in ("holds", "shown")
                                     for one in of]))
                for part, sign in p.expect.items()
            }  # fmt: skip
    return shares


def claim_shares(chosen: Sequence[int], seed: int = reserved.CLAIMS, threads: int | None = None,
                 say: Callable[[str], None] = print) -> list[dict[str, Any]]:  # fmt: skip
    """Every contrast of the claims under these members' parameters, on the same people and random draws.

    One entry a contrast: what the defaults come to on those draws, proportion of members in which it is reproduced as stated, in
    which it goes the stated way with the whole of its interval, and the middle effect with its range over members."""
    usual = {found.contrast.id: found.verdict for found in findings((), seed, ablated=False, threads=threads)}
    verdicts: dict[str, list[str]] = {c.id: [] for c in contrasts()}
    effects: dict[str, list[float]] = {c.id: [] for c in contrasts()}
    for done, number in enumerate(chosen, start=1):
        for found in findings((), seed, ablated=False, parameters=members()[number], threads=threads):
            verdicts[found.contrast.id].append(found.verdict)
            effects[found.contrast.id].append(found.effect.value)
        say(f"claims: {done} of {len(chosen)} members")
    return [
        {**_shares(c.id, c.claims, str(c.expected), verdicts[c.id], effects[c.id]), "default": usual[c.id]} for c in contrasts()
    ]


def _shares(name: str, of: Sequence[str], expected: str, verdicts: Sequence[str], effects: Sequence[float]) -> dict[str, Any]:
    low, middle, high = np.quantile(np.asarray(effects, float), (0.05, 0.5, 0.95))
    return {
        "contrast": name, "claims": list(of), "expected": expected, "members": len(verdicts),
        "reproduced": float(np.mean([v == "reproduced" for v in verdicts])),
        "sign": float(np.mean([v in ("reproduced", "weaker than stated", "not specific") for v in verdicts])),
        "effect": float(middle), "low": float(low), "high": float(high),
    }  # fmt: skip
