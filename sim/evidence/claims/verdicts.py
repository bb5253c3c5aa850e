"""What docs/CLAIMS.md says of a claim: in how many contrasts it was reproduced in this model, and which it was not."""

from __future__ import annotations

from sim.cli.evidence import claims_page
from sim.evidence.claims.contrasts import contrasts


def said() -> dict[str, str]:
    """By claim, its verdict in a sentence; empty where the page is not there (installed without the docs)."""
    try:
        kept = claims_page.kept(claims_page.PAGE.read_text(encoding="utf-8"))
    except OSError:
        return {}
    tested: dict[str, dict[str, str]] = {}
    for contrast in contrasts():
        if contrast.id in kept:
            for claim in contrast.claims:
                tested.setdefault(claim, {})[contrast.id] = kept[contrast.id].verdict
    return {claim: sentence(found) for claim, found in tested.items()}


def sentence(found: dict[str, str]) -> str:
    """The verdicts of a claim's contrasts, by contrast, in one sentence."""
    good = sum(verdict == "reproduced" for verdict in found.values())
    others = [
        f"{verdict}: {', '.join(name for name, what in found.items() if what == verdict)}"
        for verdict in dict.fromkeys(found.values())
        if verdict != "reproduced"
    ]
    contrast = "contrast" if len(found) == 1 else "contrasts"
    return "; ".join([f"reproduced in {good} of {len(found)} {contrast}", *others])
