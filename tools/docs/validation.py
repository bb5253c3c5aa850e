"""docs/VALIDATION.md, made from what the long computations found (``sim/evidence/kept``). Nothing in it is written by hand but the
words around the numbers, and what one might think of a row that misses (``WHY``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sim.cli.evidence.ensemble import pinned_rows
from sim.evidence.calibration.competing import RIVALS
from sim.evidence.calibration.ensemble import disagreements
from sim.evidence.calibration.free import BY_HAND, FREE
from sim.evidence.calibration.search import NOT_SEARCHED
from sim.evidence.calibration.signs import direction_shares
from sim.evidence.calibration.stored import kept, table_of
from sim.evidence.patterns.published import Pattern, patterns
from sim.evidence.patterns.validation import MOST_MISSED
from sim.theory.ensemble import members
from sim.theory.parameters import NUMBERS

PAGE = Path("docs") / "VALIDATION.md"
#: Kept results that the page shows.
NEEDED = ("validation", "foretold", "ensemble", "claims", "rivals")
NOTABLE = 1.5  # of a row's uncertainty: from here on a miss is talked about
_MEAGRE, _MUCH = 0.5, 2.0  # of the published heterogeneity: outside, it is talked about

#: What one might think of a row that misses, or whose studies differ less or more than published. Shown only where it does.
WHY: Mapping[str, str] = {
    "1.1": "attachment anxiety acts through alarm in the session, which is centred on the typical client; only how anxiety and avoidance "
    "go together, severity, length and time of rating differ between our settings, and measures of attachment not at all",
    "1.2": "avoidance acts three times: it hides arousal, flattens what shows and holds words back, so that avoidant clients are "
    "understood less and trust less; in studies they may be met by therapists who adapt, which our default therapists do not",
    "4.1": "observers here rate the response itself, therapists their own impression; real observers see less",
    "4.3": "within one session both ratings follow the same perceived responses; a real client rates the alliance with an eye on "
    "weeks, and differing measures of empathy lower the correlation",
    "5.1": "the alliance acts on healing, staying and on the harm of open ruptures at once",
    "5.7": "the share depends on who is in therapy how long; our settings with large caseloads plan short courses",
    "5.15": "one day's noise is an assumption sourced from one study",
    "10.2": "the share of attachment that comes and goes is one number for both dimensions",
    "11.1": "the interval is narrow (k = 669), so that a percentage point is two of its uncertainties",
    "11.2": "leaving depends on today's alliance; a study's early rating is two to thirty sessions older",
    "12.10": "what makes people worse here is a rupture left open, a treatment that does not suit them, and life; crises, medication, relapse and the course of a "
    "disorder are not modelled",
    "13.1": "two people's ratings agree little early and much later, since both follow the same sessions; published studies do not "
    "show such a growth, so our studies differ where published ones do not",
    "13.2": "therapists' ratings differ between settings only through who comes and how long",
    "x1": "one sample of 36 pairs",
    "x3": "one sample of 36 pairs; this and the difference of the two raters (13.2) pull against each other",
    "a1": "the styles are asked by one item each, with the noise of a single item",
}

_HEAD = """# Does it hold against the published record?

Made by `attune validate --write` from results kept in `sim/evidence/kept`; do not edit. Every person in it is simulated. How each
number is computed stands under `design` in [patterns.yaml](../sim/evidence/patterns/patterns.yaml); terms are explained in the last section.
"""

_LIMITS = """## What the model must not be used for

- Not for deciding about a person: who needs therapy, who should treat whom, who will leave, who is a good therapist.
- Not for the size of an effect that is not in the tables above, nor for settings unlike those in `studies.py` (weekly individual
  outpatient therapy of adults).
- Not as evidence that the mechanisms are true. It shows that they can produce the record together; so can others ("Rivals").
- Not for risk, suicidality, abuse, medication, culture or diagnosis: none is modelled.
- A region's activity is a number of this model, not a scan.
"""

_TERMS = """## Terms, and how this is made

- **Miss**: (simulated - published) over a quarter of the published interval's width. **Joint score**: sum of squares of the misses,
  held against the 95 % point of chi-square with as many degrees of freedom as rows; besides no row may miss by more than 2.5.
- **±**: Monte-Carlo error of the simulated value. **I2**, **SD**: how far studies differ beyond sampling, simulated (published).
- **Foretold**: the free numbers fitted anew to all other rows and to the directions, then the row simulated on unused luck.
- **Luck**: the search, the ensemble and this page use different seeds; `attune validate --seed N` takes any other.

| command | what it does | about how long (two cores) |
|---|---|---|
| `attune validate` | the table on any seed; exit status 1 where it fails | half a minute |
| `attune calibrate` | the search for the default numbers, resumable | 10 to 20 minutes |
| `attune ensemble --build FOLDER` | the ensemble, resumable | 30 minutes |
| `attune ensemble --verify 20 --seed N` | a sample of it on unused luck | 2 minutes |
| `attune validate --foretell` | every row foretold without it | 10 minutes |
| `attune validate --rivals` | the rivals refitted and compared | 15 minutes |
| `attune validate --claims-over 20` | every claim under twenty members' numbers | 10 minutes |
| `attune validate --write` | the table, and this page from all kept results | half a minute |
"""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *("| " + " | ".join(str(c).replace("|", "/") for c in row) + " |" for row in rows)]) + "\n"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:+.1f}"


def page() -> str:
    """The whole page."""
    result = kept("validation")
    rows = {row["id"]: row for row in result["patterns"]}
    parts = (_verdict, _foretold, _whole_table, _directions, _misgivings, _contested, _numbers, _ensemble, _claims, _rivals)
    return "\n".join([_HEAD, *(part(result, rows) for part in parts), _LIMITS, _TERMS])


def _verdict(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    values = [r for r in rows.values() if r["tier"] == "calibrate"]
    beyond = [r["id"] for r in values if r["verdict"] != "holds"]
    signs = [r for r in rows.values() if r["tier"] == "direction"]
    wrong = [f"{r['id']} ({r['verdict']})" for r in signs if r["verdict"] != "holds"]
    told = kept("foretold")["rows"]
    return (
        f"On seed {result['seed']}, which no search uses, one default set of numbers reaches a joint score of "
        f"**{result['score']:.1f}** where {result['limit']:.1f} is allowed with {len(values)} rows: it "
        f"**{'passes' if result['score_passes'] else 'fails'}**. Rows beyond 2.5 of their own uncertainty: "
        f"{', '.join(beyond) or 'none'}. Directions that hold: {len(signs) - len(wrong)} of {len(signs)}"
        f"{' (not: ' + ', '.join(wrong) + ')' if wrong else ''}. {len(FREE)} numbers were free, each held by a prior, against "
        f"{len(values)} values and {sum(len(patterns()[r['id']].expect) for r in signs)} signs, and {len(BY_HAND)} more were moved by "
        'hand with the table in sight ("Free numbers"): with so many a good fit is expected, and the next section is the score that '
        f"counts. There {sum(abs(t['miss']) <= MOST_MISSED for t in told)} of {len(told)} rows are foretold within 2.5 of their "
        "uncertainty by a refit of the free numbers to all the others.\n"
    )


def _foretold(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    told = kept("foretold")["rows"]
    lines = [
        [t["id"], patterns()[t["id"]].name, _published(patterns()[t["id"]]), f"{t['value']:.3f} ± {t['error']:.3f}",
         f"{t['miss']:+.1f}", f"{t['line']:+.1f}", f"{t['fitted_miss']:+.1f}", f"{t['moved']:.1f}", ", ".join(f"`{n}`" for n in t["own_numbers"]) or "–"]
        for t in told
    ]  # fmt: skip
    shared = [t for t in told if not t["own_numbers"]]
    own = [t for t in told if t["own_numbers"]]

    def rms(of: Sequence[Mapping[str, Any]], name: str) -> str:
        return f"{np.sqrt(np.mean([t[name] ** 2 for t in of])):.1f}" if of else "–"

    return (
        "## Each row foretold without it\n\nThe honest score: for each row the free numbers are fitted to everything else, and the model is "
        "then asked. Only they are refitted; what was changed by hand in the model's structure and numbers has seen every row, so the "
        "score is still too good by an unknown amount.\n\n"
        + table(
            [
                "id",
                "pattern",
                "published",
                "foretold ± luck of reading it off",
                "miss",
                "on a line",
                "miss when fitted",
                "moved (prior SD)",
                "numbers that lean on this row",
            ],
            lines,
        )
        + (
            ""
            if all(t["settled"] for t in told)
            else "\nRefits that had not settled within their rounds: "
            + ", ".join(t["id"] for t in told if not t["settled"])
            + ".\n"
        )
        + f"\nRoot mean square of the miss: {rms(told, 'miss')} foretold, {rms(told, 'fitted_miss')} fitted. Rows that have a number almost to "
        f"themselves are foretold by that number's prior and say little ({len(own)} rows, {rms(own, 'miss')}); the others follow from the "
        f"rest of the record ({len(shared)} rows, {rms(shared, 'miss')}).\n"
    )


def _published(p: Pattern) -> str:
    return f"{p.value:g} [{p.low:g}, {p.high:g}]" if p.tier == "calibrate" else str(p.value)


def _between(row: Mapping[str, Any], p: Pattern) -> str:
    if "i2" in p.spread:
        return f"I2 {_number(row['i2'], 2)} ({p.spread['i2']:g})"
    return f"SD {_number(row['tau'], 2)} ({p.spread['sd']:g})" if "sd" in p.spread else ""


def _whole_table(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    lines = [
        [r["id"], r["name"], f"{_number(r['simulated'])} ± {_number(r['error'])}", _published(patterns()[r["id"]]), _signed(r["miss"]),
         _between(r, patterns()[r["id"]]), r["verdict"], _cited(r)]
        for r in rows.values() if r["tier"] == "calibrate"
    ]  # fmt: skip
    heads = ["id", "pattern", "simulated", "published", "miss", "between studies", "", "source"]
    rough = [r["id"] for r in rows.values() if r["tier"] == "calibrate" and not r["precise"]]
    return (
        "## The whole table\n\n"
        + table(heads, lines)
        + f"\nMonte-Carlo error is below a quarter of every interval{' but of ' + ', '.join(rough) if rough else ''}.\n"
    )


def _cited(row: Mapping[str, Any]) -> str:
    doi = f", doi:{row['doi']}" if row["doi"] else ""
    recalled = "" if row["read"] in ("yes", "computed") else f" ({row['read']} read in the source)"
    return f"{row['citation']}{doi}{recalled}"


def _directions(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    again = [table_of(t["table"]) for t in kept("ensemble")["verified"]]
    shares = direction_shares(again)
    lines = []
    for r in rows.values():
        if r["tier"] != "direction":
            continue
        for part, one in r["parts"].items():
            if one["expected"] is None:
                continue
            share = shares.get(r["id"], {}).get(part)
            lines.append([
                r["id"], r["name"], part.replace("_", " "), one["expected"],
                f"{_number(one['value'], 2)} [{_number(one['low'], 2)}, {_number(one['high'], 2)}]", one["verdict"] or "shown",
                "–" if share is None else f"{100 * share:.0f} % of {len(again)}",
            ])  # fmt: skip
    heads = ["id", "pattern", "part", "sign", "simulated [95 %]", "", "sets of numbers in which it holds"]
    return (
        "## Directions\n\n"
        + table(heads, lines)
        + f"\nShares are of {len(again)} sets of numbers simulated anew on unused luck. The sets had been kept because the directions held "
        + f"on their first luck, but for rows {', '.join(NOT_SEARCHED)}, which no search and no choice of sets looked at (numbers were moved by hand for 15.3).\n"
    )


def _misgivings(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    lines = []
    for r in rows.values():
        p = patterns()[r["id"]]
        if p.tier != "calibrate":
            continue
        what = []
        if r["miss"] is None or abs(r["miss"]) >= NOTABLE:
            what.append(f"misses by {_signed(r['miss'])}")
        for kind, name in (("i2", "i2"), ("sd", "tau")):
            if (
                kind in p.spread
                and r[name] is not None
                and not _MEAGRE * p.spread[kind] <= r[name] <= max(_MUCH * p.spread[kind], 0.1)
            ):
                what.append(f"studies differ {'less' if r[name] < p.spread[kind] else 'more'} than published ({_between(r, p)})")
        if what:
            lines.append(
                f"- **{p.id}, {p.name}**: {'; '.join(what)}. One might think: {WHY.get(p.id, 'nothing is known of why')}."
            )
    wrong = [r for r in rows.values() if r["tier"] == "direction" and r["verdict"] != "holds"]
    lines += [f"- **{r['id']}, {r['name']}**: {r['verdict']}." for r in wrong]
    return (
        f"## What fails, and why one might think so\n\nRows that miss by {NOTABLE} or more of their uncertainty, and rows whose simulated "
        "studies differ much less or more than the published ones.\n\n" + ("\n".join(lines) or "Nothing.") + "\n"
    )


def _contested(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    lines = [
        [r["id"], r["name"], str(r["published"]), "; ".join(
            f"{part.replace('_', ' ')} {_number(one['value'], 2)} [{_number(one['low'], 2)}, {_number(one['high'], 2)}]"
            for part, one in r["parts"].items()), ", ".join(f"`{n}`" for n in patterns()[r["id"]].switch) or "–", r["citation"]]
        for r in rows.values() if r["tier"] == "contested"
    ]  # fmt: skip
    return (
        "## Where the literature contradicts itself\n\nNothing is required of these rows, and nothing was fitted to them. A scenario "
        "takes one side by the numbers named; `contested_findings` shows both.\n\n"
        + table(["id", "found", "published", "the default model", "switched by", "source"], lines)
    )


def _numbers(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    lines = [
        [f"`{one.name}`", f"{one.centre:g}", f"{one.spread:g} ({one.scale})", f"{NUMBERS[one.name].default:g}",
         f"{one.standing(NUMBERS[one.name].default):+.1f}", one.reason]
        for one in FREE
    ]  # fmt: skip
    values = sum(p.tier == "calibrate" for p in patterns().values())
    hand = [
        [f"`{name}`", "new" if was != was else f"{was:g}", f"{NUMBERS[name].default:g}", why]
        for name, (was, why) in BY_HAND.items()
    ]
    heads = ["number", "prior centre", "prior SD (scale)", "default", "prior SD from the centre", "why it is free"]
    return (
        f"## Free numbers\n\n{len(FREE)} numbers, each held by its prior, and {len(BY_HAND)} moved by hand, against {values} values. No "
        f"questionnaire's noise differs between rows. {_leaning()} Priors are centred at the defaults that the model had before it was "
        "held against the table (new numbers: a guess); their spreads are assumptions.\n\n"
        + table(heads, lines)
        + "\nMoved by hand with the table in sight, for a row or to keep a claim:\n\n"
        + table(["number", "before", "default", "for"], hand)
        + "\nAlso made with the table in sight: the mechanisms that the changelog names as what the record asks for; that studies of two "
        "people's ratings take at most three clients of a therapist (13.1, 13.2); how settings differ in `together`; twice as many "
        "people in the experiment of row 14.1.\n"
    )


def _leaning() -> str:
    """Which numbers lean on one row each, in a sentence."""
    leans = {t["id"]: t["own_numbers"] for t in kept("foretold")["rows"] if t["own_numbers"]}
    said = "; ".join(f"{', '.join(f'`{n}`' for n in of)} on row {row}" for row, of in leans.items())
    return f"Numbers that get more than half of what the table says about them from one row: {said}." if said else ""


def _ensemble(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    data = kept("ensemble")
    good = sum(not one["why"] for one in data["verified"])
    within = sum(not disagreements(table_of(one["table"]), allow_luck=True) for one in data["verified"])
    heads, lines = pinned_rows()
    failed = [f"member {one['member']}: {'; '.join(one['why'])}" for one in data["verified"] if one["why"]]
    return (
        f"## What the evidence leaves open\n\n{len(members())} sets of numbers, each simulated on luck of its own, agree with the "
        f"table (rows {', '.join(NOT_SEARCHED)} were not asked; {data['candidates']} candidates; the sampler ran {data['memories']:.0f} times its "
        f"own memory). On new luck, all rows asked, {within} of {len(data['verified'])} of a sample agree when the luck of a single table is allowed "
        f"for, {good} in every row strictly{' (not: ' + ' / '.join(failed) + ')' if failed else ''}: many sets lie near the bound, and which side "
        "of it they fall on is luck in part. `parameters: ensemble` in a scenario runs it under them.\n\n"
        + table([*heads[:3], "spread left (1 = the prior's)", *heads[4:]], lines)
        + "\nThe first rows are what the record pins down, the last what it leaves open. The two columns at the right say which part of a direction row, of "
        "which no value was used, goes most closely with the number over the sets: of all quantities simulated here, to measure that one well "
        "would say most. Shares of a few percent are no more than luck.\n"
    )


def _claims(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    data = kept("claims")["contrasts"]
    n = data[0]["members"]
    shaky = [c for c in data if c["sign"] < 1.0]
    lines = [
        [c["contrast"], ", ".join(c["claims"]), c["expected"], f"{c['effect']:+.2f} ({c['low']:+.2f} to {c['high']:+.2f})",
         c["default"], f"{100 * c['sign']:.0f} %", f"{100 * c['reproduced']:.0f} %"]
        for c in sorted(shaky, key=lambda c: c["sign"])
    ]  # fmt: skip
    return (
        f"## Claims over the ensemble\n\nEach of the {len(data)} contrasts of [CLAIMS.md](CLAIMS.md) as a paired test under {n} of the sets. "
        f"{len(data) - len(shaky)} go the stated way, with the whole of their interval, in every one. The others:\n\n"
        + table(
            [
                "contrast",
                "claims",
                "stated beforehand",
                "effect, middle (5 to 95 % of sets)",
                "the defaults on that luck",
                "stated way",
                "as large as stated",
            ],
            lines,
        )
    )


def _rivals(result: Mapping[str, Any], rows: Mapping[str, Any]) -> str:
    data = kept("rivals")["rivals"]
    names = [one["name"] for one in data]
    says = {rival.name: rival.says for rival in RIVALS}
    ids = [p.id for p in patterns().values() if p.tier == "calibrate"]
    lines = [[i, patterns()[i].name, *(_flagged(one["misses"].get(i)) for one in data)] for i in ids]
    lines.append(["", "**joint score**", *(f"**{_number(one['score'], 0)}**" for one in data)])
    lines.append(["", "directions that do not hold", *(", ".join(one["wrong"]) or "–" for one in data)])
    return (
        "## Rivals\n\nThe same code with something else at work, each fitted to the same table from the priors' centres "
        f"within the same budget ({kept('rivals')['rounds']} steps at most), the shipped model among them, then compared on unused luck. Misses "
        "beyond 2.5 in bold.\n\n"
        + "\n".join(f"- *{name}*: {says[name]}." for name in names)
        + "\n\n"
        + table(["id", "pattern", *names], lines)
    )


def _flagged(miss: float | None) -> str:
    if miss is None:
        return "–"
    return f"**{miss:+.1f}**" if abs(miss) > MOST_MISSED else f"{miss:+.1f}"
