"""The command ``attune claims``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated

import typer

from sim import screen
from sim.cli.evidence.options import AsJson, Seed, Threads, shown
from sim.errors import UsageError
from sim.evidence import stored
from sim.evidence.claims import verdicts
from sim.evidence.claims.contrasts import Finding, claim_verdict, findings, of_claim, table
from sim.theory import claims as theory


def claims(
    names: Annotated[list[str] | None, typer.Argument(help="Claims (K7) or contrasts; default: all.")] = None,
    seed: Seed = 1,
    clients: Annotated[int | None, typer.Option(min=30, max=100_000, help="Simulated clients a side.")] = None,
    threads: Threads = None,
    checking: Annotated[bool, typer.Option("--check", help="Exit 1 where a result differs from the kept one.")] = False,
    keeping: Annotated[bool, typer.Option("--keep", help="Keep the results on five seeds, for reports and docs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Put the claims to the test. Contrasts on the same people and random draws, against what was expected beforehand."""
    if (keeping or checking) and (seed != 1 or clients is not None):
        raise UsageError("the kept results are on seed 1 with their own number of clients; leave out --seed and --clients")
    if keeping and names:
        raise UsageError("--keep keeps all contrasts; leave out the names")
    if keeping:
        stored.in_a_clone()
    if checking and not stored.path_of("claims").is_file():
        raise UsageError("there are no kept results to compare with; --keep makes them")
    was = stored.kept("claims") if checking else {}
    with screen.progress() as tell:
        every = [
            findings(names or (), one, clients, threads=threads, ablated=one == seed, progress=partial(tell, what="claims"))
            for one in range(seed, seed + (verdicts.SEEDS if keeping else 1))
        ]
    found = every[0]
    if as_json or not checking:
        shown(verdicts.as_data(found), as_json, (), in_full(found, names or ()))
    if keeping:
        place = stored.keep_with_product("claims", verdicts.to_keep(every))
        screen.note(f"Kept: {place}. python -m tools.docs makes docs/CLAIMS.md again.")
    if checking:
        differ = verdicts.against_kept(found, was)
        screen.say("\n".join(differ) or f"{len(found)} contrasts agree with the kept results.")
        if differ:
            sys.exit(1)


def in_full(found: Sequence[Finding], names: Iterable[str] = ()) -> str:
    """Everything that came out, claim by claim, for a terminal."""
    asked = [claim for claim in theory.claims() if claim in {name.upper() for name in names}]
    lines = []
    for claim in theory.claims().values():
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
    lines += [] if not found else [
        f"{good} of {len(found)} contrasts come out as stated beforehand. Effects in SD of clients unless a unit is named.",
        "'Coded in': the model was built to do just this, so it is no finding. All people are simulated.",
    ]  # fmt: skip
    return "\n".join(lines)


def _told(f: Finding) -> list[str]:
    """One contrast in a few lines."""
    c = f.contrast
    lines = [f"- {c.id}: {c.says}"]
    without = "" if f.without is None else f"; with the mechanism taken out {f.without}"
    unit = "" if c.unit == "SD" else f" {c.unit}"
    lines += [f"    {c.measure}: {f.effect}{unit}; stated {c.expected}{without}"]
    lines += [f"    must not change: {f.spared_said}"] if c.spares else []
    why = f" {c.why_not}" if f.verdict != "reproduced" else ""
    return [*lines, f"    {f.verdict}; {f.origin}.{why}"]
