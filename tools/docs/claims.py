"""docs/CLAIMS.md: every claim, what was expected of it, and what came out, from the kept results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sim.catalogue.measures import CATALOGUE
from sim.evidence.claims.contrasts import LEFT, Effect, Finding, claim_verdict, contrasts, of_claim, table
from sim.evidence.claims.quantities import OF_ARMS, OF_CLIENTS, OF_SESSIONS
from sim.evidence.stored import kept
from sim.theory.claims import Claim, claims, sources
from tools.docs.pages import rendered

_HEADS = (
    "contrast", "says", "measure", "expected, and why", "effect [95 %]", "seeds", "without", "must not change", "origin",
    "verdict",
)  # fmt: skip
PREFIXES = (
    "Without a prefix: mean over a client's sessions. `late.`: the last third of them (rounded up). `first_session.`: the first. "
    "`first.`: the very first exchange. `change.`: end minus start. `swing.`: SD over the exchanges of a session, mean over "
    "sessions. `r.`, `count.`: one number for the arm. `mean.`: the mean itself, not a difference."
)


def findings_of(data: Mapping[str, Any]) -> list[Finding]:
    """The kept findings, each with its contrast; those whose contrast is no longer there are left out."""

    def effect(of: Mapping[str, float | None]) -> Effect:
        return Effect(*(float("nan") if (end := of[name]) is None else end for name in ("value", "low", "high")))

    known = {contrast.id: contrast for contrast in contrasts()}
    return [
        Finding(
            known[row["contrast"]],
            effect(row["effect"]),
            None if row["without"] is None else effect(row["without"]),
            {name: effect(of) for name, of in row["must_not_change"].items() if of is not None},
            row["seed"],
        )
        for row in data["findings"]
        if row["contrast"] in known
    ]


def summary_rows(found: Sequence[Finding]) -> list[tuple[str, ...]]:
    """One row per claim: id, kind, what it says, source, verdict, origin of the effects."""
    rows: list[tuple[str, ...]] = []
    for claim in claims().values():
        mine = of_claim(claim.id, found)
        coded = sum(f.origin == "coded in" for f in mine)
        emerges = sum(f.origin.startswith("emerges") for f in mine)
        origin = ", ".join(f"{n} {word}" for n, word in ((coded, "coded in"), (emerges, "emerge")) if n) or "read-out"
        rows.append((claim.id, claim.kind, claim.claim, claim.source, claim_verdict(mine), origin if mine else "-"))
    return rows


def contrast_rows(found: Iterable[Finding], seeds: Mapping[str, str]) -> list[tuple[str, ...]]:
    """One row per contrast, as printed; ``seeds``: on how many seeds each came out as stated."""
    return [
        (
            f"`{f.contrast.id}`" + ("†" if f.contrast.amended else ""),
            f.contrast.says + ("" if f.contrast.same_people else " (Other people on the two sides.)"),
            f"`{f.contrast.measure}`" + (f", {f.contrast.unit}" if f.contrast.unit != "SD" else ""),
            f"{f.contrast.expected}: {f.contrast.because}",
            str(f.effect),
            seeds.get(f.contrast.id, "-"),
            "-" if f.without is None else f"{f.without.value:+.2f}",
            f.spared_said or "-",
            f.origin,
            f.verdict,
        )
        for f in found
    ]


def page() -> str:
    """The whole page."""
    data = kept("claims")
    found = findings_of(data)
    seeds = {row["contrast"]: f"{row['reproduced_on']}/{data['seeds']}" for row in data["findings"]}
    tested = [c for c in claims().values() if of_claim(c.id, found)]
    emerging = [f for f in found if f.origin.startswith("emerges")]
    built = {name: one.meaning for name, one in (OF_SESSIONS | OF_CLIENTS | OF_ARMS).items()}
    meanings = {"repaired": CATALOGUE["repaired"].definition, **built}  # other names are columns, described in docs/TABLES.md
    return rendered(
        "claims.md.j2",
        n=len(found),
        good=sum(f.verdict == "reproduced" for f in found),
        seed=found[0].seed,
        seeds=data["seeds"],
        always=sum(row["reproduced_on"] == data["seeds"] for row in data["findings"]),
        coded=sum(f.origin == "coded in" for f in found),
        emerging=len(emerging),
        emerging_good=sum(f.verdict == "reproduced" for f in emerging),
        tested=len(tested),
        whole=sum(claim_verdict(of_claim(c.id, found)) == "reproduced" for c in tested),
        amended=[f for f in found if f.contrast.amended],
        missed=[f for f in found if f.verdict != "reproduced"],
        clients=table()["base"]["clients_per_arm"],
        left=f"{100 * LEFT:.0f} %",
        summary=summary_rows(found),
        meanings=sorted(meanings.items()),
        prefixes=PREFIXES,
        heads=_HEADS,
        sections=[_section(claim, of_claim(claim.id, found), seeds) for claim in claims().values()],
    )


def _section(claim: Claim, mine: Sequence[Finding], seeds: Mapping[str, str]) -> dict[str, Any]:
    """A claim with its contrasts: one that tests several claims stands in full under the first of them."""
    full = [f for f in mine if f.contrast.claims[0] == claim.id]
    return {
        "claim": claim,
        "source": sources()[claim.source].citation.split(".")[0],
        "taught": table()["taught"].get(claim.id, ""),
        "rows": contrast_rows(full, seeds),
        "also": [f for f in mine if f not in full],
    }
