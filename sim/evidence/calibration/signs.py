"""Claims over the ensemble: in what proportion of the parameter sets that agree with the published evidence a claim holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sim.evidence.calibration import seeds as reserved
from sim.evidence.calibration.simulated import Ledger
from sim.evidence.claims.contrasts import contrasts, findings, table
from sim.theory.ensemble import members

CLAIMS_LEDGER = "claims.jsonl"


def claim_shares(chosen: Sequence[int], seed: int = reserved.CLAIMS, threads: int | None = None,
                 say: Callable[[str], None] = print, ledger: Ledger | None = None) -> list[dict[str, Any]]:  # fmt: skip
    """Every contrast of the claims under these members' parameters, on the same people and random draws.

    One entry a contrast: what the defaults come to on those draws, proportion of members in which it is reproduced as stated, in
    which it goes the stated way with the whole of its interval, and the middle effect with its range over members. What stands in
    ``ledger`` is not simulated again."""
    kept = Ledger() if ledger is None else ledger

    def found(parameters: Mapping[str, float]) -> dict[str, tuple[str, float]]:
        asked = json.dumps([dict(parameters), seed, table()], sort_keys=True)
        key = hashlib.blake2b(asked.encode(), digest_size=12).hexdigest()
        if key not in kept.answers:
            every = findings((), seed, ablated=False, parameters=parameters or None, threads=threads)
            kept.keep(key, {"found": {f.contrast.id: (f.verdict, f.effect.value) for f in every}})
        answer: dict[str, tuple[str, float]] = kept.answers[key]["found"]
        return answer

    usual, under_members = found({}), []
    for done, number in enumerate(chosen, start=1):
        under_members.append(found(members()[number]))
        say(f"claims: {done} of {len(chosen)} members")
    out = []
    for c in contrasts():
        verdicts, effects = zip(*(one[c.id] for one in under_members), strict=True)
        low, middle, high = np.quantile(np.asarray(effects, float), (0.05, 0.5, 0.95))
        out.append({
            "contrast": c.id, "claims": list(c.claims), "expected": str(c.expected), "members": len(verdicts),
            "reproduced": float(np.mean([v == "reproduced" for v in verdicts])),
            "sign": float(np.mean([v in ("reproduced", "weaker than stated", "not specific") for v in verdicts])),
            "effect": float(middle), "low": float(low), "high": float(high), "default": usual[c.id][0],
        })  # fmt: skip
    return out
