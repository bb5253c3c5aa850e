"""Digests of small runs in which everything happens: ``python -m tests.same_bytes [NAME ...]`` prints one line each.

The same on every machine, whatever processor the machine code is made for; ``tests/test_engines.py`` compares them.
"""

from __future__ import annotations

import hashlib
import sys
from typing import Any

import pandas as pd

import sim

STYLES = {"therapist secure": {"therapist": "secure"}, "therapist dismissing": {"therapist": "dismissing"}}
CLINIC = {"therapists": 4, "arrivals_per_week": 3, "weeks": 14, "intake_weeks": 8, "turnover": True}
SPECS: dict[str, dict[str, Any]] = {
    "population": {"client": "population", "therapist": "population", "clients_per_arm": 150, "sessions": 8},
    "styles": {"client": "fearful", "arms": STYLES, "clients_per_arm": 40, "sessions": 6, "follow_up_months": 2,
               "record": {"exchanges": {"clients": [0, 3]}}},
    "untreated": {"therapist": "none", "clients_per_arm": 60, "sessions": 6},
    "lesion and policy": {"clients_per_arm": 30, "sessions": 5, "lesions": {"therapist.insula": 0.5, "client.vlpfc": 0.0},
                          "policies": ["look_for_ruptures", "train_warmth"], "parameters": {"plasticity": 2.0}},
    "a point": {"client": {"anxiety": 6, "avoidance": 5.5}, "therapist": {"anxiety": 1.5, "avoidance": 2}, "clients_per_arm": 20,
                "sessions": 5},
    "verb off": {"clients_per_arm": 20, "sessions": 4, "switch_off": ["heal", "client.anxiety_learned"]},
    "cut and forced": {"clients_per_arm": 20, "sessions": 4,
                       "cut": {"therapist.response.warmth": 0.7, "client.felt_bond.trust": 0.6},
                       "force": [{"quantity": "therapist_response", "session": 2, "value": 0.1}]},
    "clamped": {"clients_per_arm": 20, "sessions": 4, "clamp": {"empathy": 0.1}},
    "items, some missing": {"clients_per_arm": 20, "sessions": 4, "record": {"items": True}, "missing_item_prob": 0.1,
                            "missing_form_prob": 0.05},
    "clinic": {"design": "clinic", "clinic": CLINIC, "sessions": 8, "record": {"exchanges": {"clients": [0]}}},
    "a busy clinic": {"design": "clinic", "sessions": 6,
                      "clinic": {**CLINIC, "therapists": 24, "arrivals_per_week": 30, "weeks": 9}},
    "clinic with feedback": {"design": "clinic", "sessions": 8, "clinic": {
        **CLINIC, "feedback": True, "matching": "similar", "training": ["empathy_training"]}},
    "clinic that foresees": {"design": "clinic", "clinic": {**CLINIC, "matching": "oracle", "weeks": 8}, "sessions": 5},
}  # fmt: skip


def scenario_of(name: str) -> sim.Scenario:
    """One of the small runs."""
    spec = dict(SPECS[name])
    more = {key: spec.pop(key) for key in ("missing_item_prob", "missing_form_prob") if key in spec}
    return sim.from_spec({"question": "The same bytes?", **spec, **({"parameters": more} if more else {})}, "same_bytes")


def digests(tables: dict[str, pd.DataFrame]) -> str:
    """A hash of the values of all columns of all tables."""
    h = hashlib.blake2b(digest_size=8)
    for name, table in tables.items():
        for column in table.columns:
            values = table[column]
            raw = values.to_numpy().tobytes() if values.dtype.kind in "fib" else "\0".join(map(str, values)).encode()
            h.update(f"{name}.{column}:{values.dtype.kind}".encode() + raw)
    return h.hexdigest()


def digest(name: str, seed: int = 3, **how: Any) -> str:
    """Of the tables of one of the small runs."""
    return digests(dict(sim.run(scenario_of(name), seed, **how).tables))


def main() -> None:
    """Print the digests that are asked for, or all."""
    for name in sys.argv[1:] or SPECS:
        print(name, digest(name), sep="\t")


if __name__ == "__main__":
    main()
