"""docs/CLAIMS.md: every claim, what was expected of it, and what came out. Made by ``attune claims --write``.

The page holds the results that ``attune claims --check`` compares with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.evidence.claims.contrasts import LEFT, Effect, Finding, claim_verdict, table
from sim.evidence.claims.quantities import MEANINGS, PREFIXES
from sim.theory.claims import Claim, claims, sources
from tools.docs.tables import table as markdown_table

PAGE = Path(__file__).parents[3] / "docs" / "CLAIMS.md"
#: How far an effect may lie from the kept one before it counts as changed: processors differ in the last digits, which
#: a rounding or a chance event close to its threshold can magnify.
TOLERANCE = 0.03
SEEDS = 5  # on which the page was made
_ROW = re.compile(r"^\| `(\w+)`†? \|.*\| ([+-][\d.]+) \[[^|]*\|.*\| ([a-z ]+) \|$", re.M)


@dataclass(frozen=True)
class Kept:
    """What the page says of one contrast."""

    effect: float
    verdict: str


def of_claim(claim: str, found: Iterable[Finding]) -> list[Finding]:
    """The findings that test a claim."""
    return [f for f in found if claim in f.contrast.claims]


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
            _spared(f),
            f.origin,
            f.verdict,
        )
        for f in found
    ]


def _spared(f: Finding) -> str:
    """What must not change, how far it moved, and how far it may."""
    limits = f.contrast.spares
    return "; ".join(f"{name} {e.value:+.2f} (±{limits[name]:g})" for name, e in f.spared.items()) or "-"


def reasons(found: Iterable[Finding]) -> list[str]:
    """Why what is not reproduced, as far as one can say."""
    return [
        f"- `{f.contrast.id}` ({', '.join(f.contrast.claims)}): {f.verdict}, {f.effect} where {f.contrast.expected} was stated. "
        f"{f.contrast.why_not or 'No reason is known yet.'}"
        for f in found
        if f.verdict != "reproduced"
    ]


def over_seeds(runs: Sequence[Sequence[Finding]]) -> dict[str, str]:
    """Of each contrast, on how many seeds it came out as stated: ``4/5``."""
    good = {f.contrast.id: 0 for f in runs[0]}
    for found in runs:
        for f in found:
            good[f.contrast.id] += f.verdict == "reproduced"
    return {name: f"{n}/{len(runs)}" for name, n in good.items()}


def page(found: Sequence[Finding], seeds: Mapping[str, str]) -> str:
    """The whole page; ``seeds`` as from ``over_seeds``."""
    seed, clients = found[0].seed, table()["base"]["clients_per_arm"]
    tested = [c for c in claims().values() if of_claim(c.id, found)]
    whole = sum(claim_verdict(of_claim(c.id, found)) == "reproduced" for c in tested)
    good = sum(f.verdict == "reproduced" for f in found)
    emerging = [f for f in found if f.origin.startswith("emerges")]
    amended = [f for f in found if f.contrast.amended]
    always = sum(share.partition("/")[0] == share.partition("/")[2] for share in seeds.values())
    words = {
        "tested": len(tested), "whole": whole, "n": len(found), "good": good, "clients": clients, "seed": seed,
        "coded": sum(f.origin == "coded in" for f in found), "emerging": len(emerging),
        "emerging_good": sum(f.verdict == "reproduced" for f in emerging), "amended": len(amended), "always": always,
        "seeds": next(iter(seeds.values()), "0/0").partition("/")[2], "left": f"{LEFT:.0%}".replace("%", " %"),
    }  # fmt: skip
    heads = (
        "contrast", "says", "measure", "expected, and why", "effect [95 %]", "seeds", "without", "must not change", "origin",
        "verdict",
    )  # fmt: skip
    parts = [
        _HEAD.format(**words),
        "## All claims\n\n"
        + markdown_table(("id", "kind", "claim, in our words", "source", "verdict", "effects"), summary_rows(found)),
        "## What is not reproduced, and why\n\n" + ("\n".join(reasons(found)) or "Nothing."),
        _AMENDED + "\n".join(f"- `{f.contrast.id}`: {', '.join(f.contrast.amended)}" for f in amended),
        "## What is measured\n\n" + markdown_table(("name", "meaning"), sorted(MEANINGS.items())) + "\n\n" + PREFIXES,
    ]
    for claim in claims().values():
        parts.append(_section(claim, of_claim(claim.id, found), heads, seeds))
    return "\n\n".join(parts) + "\n"


def _section(claim: Claim, mine: Sequence[Finding], heads: Sequence[str], seeds: Mapping[str, str]) -> str:
    source = sources()[claim.source]
    text = f"## {claim.id}\n\n{claim.claim} ({source.citation.split('.')[0]}; {claim.kind})"
    if claim.disputed:
        text += f"\n\nDisputed: {claim.disputed}"
    if claim.id in table()["taught"]:
        text += f"\n\n{table()['taught'][claim.id]}"
    # A contrast that tests several claims stands in full under the first of them.
    full = [f for f in mine if f.contrast.claims[0] == claim.id]
    other = [f for f in mine if f not in full]
    if full:
        text += "\n\n" + markdown_table(heads, contrast_rows(full, seeds))
    if other:
        text += "\n\nAlso: " + ", ".join(f"`{f.contrast.id}` (under {f.contrast.claims[0]}, {f.verdict})" for f in other) + "."
    return text


def kept(text: str) -> dict[str, Kept]:
    """What a page says of each contrast."""
    return {name: Kept(float(effect), verdict) for name, effect, verdict in _ROW.findall(text)}


def differences(found: Iterable[Finding], page_says: Mapping[str, Kept]) -> list[str]:
    """Where results differ from the page, in words; empty = they agree."""
    out = []
    for f in found:
        name, value = f.contrast.id, round(f.effect.value, 2)
        if name not in page_says:
            out.append(f"{name}: is not in the table")
            continue
        was = page_says[name]
        room = TOLERANCE * max(1.0, abs(was.effect))
        if abs(value - was.effect) > room or f.verdict != was.verdict:
            out.append(f"{name}: {value:+.2f}, {f.verdict}; the table says {was.effect:+.2f}, {was.verdict}")
    return out


def in_full(found: Sequence[Finding], names: Iterable[str] = ()) -> str:
    """Everything that came out, claim by claim, for a terminal."""
    asked = [claim for claim in claims() if claim in {name.upper() for name in names}]
    lines = []
    for claim in claims().values():
        mine = [f for f in of_claim(claim.id, found) if claim.id in asked or not asked]
        if not mine:
            if claim.id in asked:
                lines += [f"{claim.id} ({claim.kind}): {claim.claim}", f"   {table()['taught'].get(claim.id, '')}"]
            continue
        lines += [f"{claim.id} ({claim.kind}): {claim_verdict(mine)}. {claim.claim}"]
        lines += [f"   carried by {', '.join(claim.equations)}"] if claim.equations else []
        for f in mine:
            lines += ["   " + line for line in _told(f)] if f.contrast.claims[0] == claim.id or asked else [
                f"   - {f.contrast.id}: {f.verdict} (told under {f.contrast.claims[0]})"
            ]  # fmt: skip
    good = sum(f.verdict == "reproduced" for f in found)
    lines += (
        []
        if not found
        else [
            f"{good} of {len(found)} contrasts come out as stated beforehand. Effects in SD of clients unless a unit is named.",
            "'Coded in': the model was built to do just this, so it is no finding. All people are simulated.",
        ]
    )
    return "\n".join(lines)


def _told(f: Finding) -> list[str]:
    """One contrast in a few lines."""
    c = f.contrast
    lines = [f"- {c.id}: {c.says}"]
    without = "" if f.without is None else f"; with the mechanism taken out {f.without}"
    unit = "" if c.unit == "SD" else f" {c.unit}"
    lines += [f"    {c.measure}: {f.effect}{unit}; stated {c.expected}{without}"]
    lines += [f"    must not change: {_spared(f)}"] if c.spares else []
    why = f" {c.why_not}" if f.verdict != "reproduced" else ""
    return [*lines, f"    {f.verdict}; {f.origin}.{why}"]


def as_data(found: Iterable[Finding]) -> list[dict[str, Any]]:
    """The findings as plain values."""

    def plain(effect: Effect | None) -> dict[str, float] | None:
        return None if effect is None else {"value": effect.value, "low": effect.low, "high": effect.high}

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
            "effect": plain(f.effect),
            "without": plain(f.without),
            "must_not_change": {n: {**(plain(e) or {}), "limit": f.contrast.spares[n]} for n, e in f.spared.items()},
            "moved": list(f.touched),
            "origin": f.origin,
            "verdict": f.verdict,
            "same_people": f.contrast.same_people,
            "amended": list(f.contrast.amended),
            "seed": f.seed,
        }
        for f in found
    ]


_AMENDED = """## What was changed after the first run

No stated size was changed. These rows were (marked † below; the reasons are at the head of `sim/evidence/claims/contrasts.yaml`),
`row`: made anew, `model`: the model was changed so that the claim has a mechanism, which makes its success no test of anything.

"""

_HEAD = """# Claims

What the two source documents claim, put to the test in this model. Written by `attune claims --write`;
`attune claims --check` runs it again and fails where a result differs.

Of {n} contrasts, {good} come out as stated beforehand on seed {seed}, {always} on all of {seeds} seeds. Much of that is
no finding: {coded} effects were coded in. Of the {emerging} that emerge, {emerging_good} come out as stated. Of {tested} claims
tested, {whole} are reproduced in every contrast. {amended} rows were amended after the first run.

**How to read it.** Each contrast compares two (or four) sides of {clients} simulated clients with the same luck: the same people,
unless it says otherwise (where the sides differ in who the clients are). Nobody leaves, unless leaving is the question.
*Effect*: mean difference, client by client, in SD of the population's clients (or in the unit named), with its 95 % interval
over clients. *Expected*: the size stated before the first run, by judgement, and why; the sizes ask for little, so that an
effect far larger is no triumph. *Seeds*: on how many of {seeds} seeds the contrast comes out as stated. *Without*: the
same effect with the mechanism taken out of both sides; a test fails where more than {left} of it is left. Where a style
acts in many equations all its numbers are taken out, and the loss is arithmetic. *Must not change*: what the same
manipulation should spare, how far it moved, and how far it may.

*Coded in* means that the measured quantity stands in the mechanism's own equation (one that takes what differs between the
sides): such a result shows that the model does what it was built to do. *Emerges, n equations on* means that the effect
passes through n equations, the mechanism's own included; this too follows from what was built in, only not in one
step. The distance is measured on the wiring. None of it says that the claims are true of people.

*Reproduced*: the effect is as large as stated and its interval excludes zero; where nothing (or nothing beyond a bound) is
expected, the whole interval keeps the bound. *Weaker than stated*: right sign, too small. *Not specific*: as large as stated,
but something moved, or may have moved, that should not have."""
