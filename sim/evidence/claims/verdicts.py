"""What the claims came to: findings as plain values, kept with the product, compared with, and told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sim.evidence.claims.contrasts import Finding, contrasts
from sim.evidence.stored import current, path_of
from sim.theory.claims import claims

#: How far an effect may lie from the kept one before it counts as changed: processors differ in the last digits, which
#: a rounding or a chance event close to its threshold can magnify.
TOLERANCE = 0.03
SEEDS = 5  # on which the kept findings were made


def as_data(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as plain values."""

    return [
        {
            "contrast": f.contrast.id,
            "claims": list(f.contrast.claims),
            "kinds": [claims()[claim].kind for claim in f.contrast.claims],
            "says": f.contrast.says,
            "measure": f.contrast.measure,
            "unit": f.contrast.unit,
            "expected": {f.contrast.expected.kind: f.contrast.expected.size},
            "because": f.contrast.because,
            "effect": asdict(f.effect),
            "without": None if f.without is None else asdict(f.without),
            "must_not_change": {n: {**asdict(e), "limit": f.contrast.spares[n]} for n, e in f.spared.items()},
            "moved": list(f.touched),
            "origin": f.origin,
            "verdict": f.verdict,
            "same_people": f.contrast.same_people,
            "amended": list(f.contrast.amended),
            "seed": f.seed,
        }
        for f in found
    ]


def to_keep(runs: Sequence[Sequence[Finding]]) -> dict[str, Any]:
    """What is kept of the findings on several seeds: those of the first, and on how many each came out as stated."""
    good = Counter(f.contrast.id for found in runs for f in found if f.verdict == "reproduced")
    return {
        "seeds": len(runs),
        "findings": [
            {name: row[name] for name in ("contrast", "effect", "without", "must_not_change", "verdict", "seed")}
            | {"reproduced_on": good[row["contrast"]]}
            for row in as_data(runs[0])
        ],
    }


def against_kept(found: Iterable[Finding], data: Mapping[str, Any]) -> list[str]:
    """Where results differ from the kept ones, in words; empty = they agree."""
    was = {row["contrast"]: row for row in data["findings"]}
    out = []
    for f in found:
        name, value = f.contrast.id, f.effect.value
        if name not in was:
            out.append(f"{name}: is not among the kept results")
            continue
        effect, verdict = float(was[name]["effect"]["value"]), was[name]["verdict"]
        if abs(value - effect) > TOLERANCE * max(1.0, abs(effect)) or f.verdict != verdict:
            out.append(f"{name}: {value:+.2f}, {f.verdict}; kept is {effect:+.2f}, {verdict}")
    return out


def said() -> dict[str, str]:
    """By claim, its verdict in this model in a sentence, as kept; empty where nothing is kept, or what is is ``refused``."""
    data = current("claims")
    if data is None:
        return {}
    verdicts = {row["contrast"]: row["verdict"] for row in data["findings"]}
    tested: dict[str, dict[str, str]] = {}
    for contrast in contrasts():
        if contrast.id in verdicts:
            for claim in contrast.claims:
                tested.setdefault(claim, {})[contrast.id] = verdicts[contrast.id]
    return {claim: sentence(found) for claim, found in tested.items()}


def refused() -> bool:
    """Whether verdicts are kept that another model came to."""
    return path_of("claims").is_file() and current("claims") is None


def sentence(found: Mapping[str, str]) -> str:
    """The verdicts of a claim's contrasts, by contrast, in one sentence."""
    good = sum(verdict == "reproduced" for verdict in found.values())
    others = [
        f"{verdict}: {', '.join(name for name, what in found.items() if what == verdict)}"
        for verdict in dict.fromkeys(found.values())
        if verdict != "reproduced"
    ]
    contrast = "contrast" if len(found) == 1 else "contrasts"
    return "; ".join([f"reproduced in {good} of {len(found)} {contrast}", *others])
