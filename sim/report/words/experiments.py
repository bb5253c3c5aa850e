"""The answer of an experiment on the model: what it was made for, first, in sentences made from the numbers of its figure.

Which sentences a run has is decided as its figures are (``report/figures/chosen.py``), or by what its arms differ in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sim import measures
from sim.evidence import imaging
from sim.evidence.claims import effects, factors
from sim.measures.intervals import mean_interval
from sim.report.figures.chosen import EXPERIMENTS
from sim.report.figures.experiments.paths import history_arms, words_arms
from sim.report.text import (
    Row,
    arm_name,
    brackets,
    effect_in_sd,
    excludes_zero,
    listed,
    number,
    signed,
    signed_interval,
    with_interval,
)
from sim.report.words.pairs import no_learning, two_numbers
from sim.simulation.tables import Run
from sim.theory.regions import CONTAINS, REGIONS
from sim.theory.styles import STYLE_CUT, style_name

#: Fewer lesions than make a table, but some.
FEW_LESIONS = 3
#: Effects of lesions that are named for each person, and the effect (SD) below which a region counts as little changed.
MOST_NAMED, LITTLE = 3, 0.5
#: Clients of a study as they are done.
SMALL_STUDY = 40


def told(run: Run) -> list[str]:
    """The sentences with which the answer of an experiment begins; none where nothing but courses of therapy is compared."""
    return next((tell(run) for asked, tell in _EXPERIMENTS if asked(run)), [])


def pushed(run: Run) -> bool:
    """Whether arms are pushed by definition, so that a higher alliance in one of them says nothing by itself."""
    return any(EXPERIMENTS[name][1](run) for name in ("triangle", "learned_strategies"))


# ------------------------------------------------------------------------------------------------- one by one

_CORNERS = {"empathy": "More empathy", "attachment": "a more secure attachment", "alliance": "a better alliance"}


def _triangle(run: Run) -> list[str]:
    table = effects.triangle(run)
    if table["effect"].isna().any():  # with one client there is no SD
        return []
    parts = []
    for corner, part in table.groupby("pushed", sort=False):
        moved = listed(f"{row['free']} by {effect_in_sd(row)}" for row in part.to_dict("records"))
        name = _CORNERS[str(corner)] if part["by"].iloc[0] > 0 else f"pushing {corner} down"
        parts.append(f"{name} (a push of {signed(part['push_sd'].iloc[0]).lstrip('+')} SD) moves {moved}")
    ordered = sorted(table.to_dict("records"), key=lambda row: abs(row["effect"] / row["push_sd"]))
    least, most = ordered[0], ordered[-1]
    ends = f", the weakest from {least['pushed']} to {least['free']}" if len(table) > 1 else ""
    return [
        f"For the size of the push, the strongest influence runs from {most['pushed']} to {most['free']}{ends}.",
        "In standard deviations (SD) of clients, one corner pushed, a second clamped to its usual course, and the third free: "
        f"{_small('; '.join(parts))}.",
        "The pushes are of different kinds, and not equally hard to achieve in life.",
    ]


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _whose(row: Row) -> str:
    return f"the {row['role']}'s {_region(row['region'])}"


def _region(name: str) -> str:
    return REGIONS[name].title if name in REGIONS else f"{name.replace('_', ' ')} cortex"


def _lesion_table(run: Run) -> list[str]:
    table = effects.lesion_effects(run)
    single = table[~table["region"].isin(list(CONTAINS)) & ~table["own"]]
    if single["effect"].isna().all():  # with one client there is no SD
        return []
    said = []
    for role in single.groupby("role")["effect"].apply(lambda e: e.abs().max()).sort_values(ascending=False).index:
        worst = _worst(single[(single["role"] == role) & single["process"].isin(_SUFFER)])
        said.append(f"in the {role}, {listed(_lost(r) for r in worst)}")
    lasting = [row for process in ("alliance", "distress") for row in _worst(single[single["process"] == process])[:1]]
    last = [f"{row['process']} without {_whose(row)} ({effect_in_sd(row)})" for row in lasting]
    return [
        "What changes most when one region is removed, in standard deviations of clients (everything intact: 0), is this: "
        + "; ".join(said)
        + ".",
        *([f"Of what lasts, {listed(last)} change most."] if last else []),
    ]


def _lost(row: Row) -> str:
    return f"{_WORDS.get(row['process'], row['process'])} without the {_region(row['region'])} ({effect_in_sd(row)})"


def _worst(table: pd.DataFrame) -> list[Row]:
    """The largest effects, each of another region on another process."""
    found: list[Row] = []
    rows = table.dropna(subset=["effect"]).to_dict("records")
    for row in sorted(rows, key=lambda r: -abs(r["effect"])):
        if all(row["region"] != r["region"] and row["process"] != r["process"] for r in found):
            found.append(row)
    return found[:MOST_NAMED]


#: Processes inside sessions, of which a table of lesions names those that move most for each person.
_WORDS = {"accuracy": "accuracy of reading the client", "attunement": "attunement", "repair": "repair of ruptures"}
_SUFFER = ("accuracy", "attunement", "response", "client's arousal", "therapist's arousal", "client's regulation",
           "therapist's regulation", "repair")  # fmt: skip


def _few_lesions(run: Run) -> list[str]:
    """One sentence for each lesion: what it does in the other regions lesioned here, to accuracy, response and alliance."""
    table, said = effects.lesion_effects(run), []
    if table["effect"].isna().all():
        return []
    own = dict.fromkeys(zip(table["role"], table["region"], strict=True))
    whole = table[table["left"] == 0] if (table["left"] == 0).any() else table
    for arm in run.scenario.arms:
        part = whole[whole["arm"] == arm.name]
        if part.empty:
            continue
        role, region = part["role"].iloc[0], part["region"].iloc[0]
        others = [
            f"the {_region(r)} works {'on' if abs(found['effect']) < LITTLE else 'otherwise'} (activity {effect_in_sd(found)})"
            for of, r in own
            if (of, r) != (role, region) and of == role and (found := effects.removed_effect(run, arm, of, r)) is not None
        ]
        rows = {str(row["process"]): row for row in part.to_dict("records")}
        shown = [
            f"{_WORDS.get(p, p)} ({effect_in_sd(rows[p])})" for p in ("accuracy", "response", "alliance") if not rows[p]["own"]
        ]
        reached = f"what changes is {listed(shown)}"
        said.append(f"Without {_whose(part.to_dict('records')[0])}{_rest(part)} {'; '.join([*others, reached])}.")
    intact = effects.undone(run)
    return [*said, f"Numbers are standard deviations of clients in {arm_name(intact.name if intact else '')}, late in therapy."]


def _rest(part: pd.DataFrame) -> str:
    left = float(part["left"].iloc[0])
    return f" at {100 * left:.0f} %" if left else ""


def _words(run: Run) -> list[str]:
    intact, *weak = words_arms(run)
    arm = weak[-1]
    means = run.exchanges.groupby(["arm", "replicate", "client"], observed=True)[["client_labelling", "client_arousal"]].mean()
    change = {name: mean_interval((means[name][arm.name] - means[name][intact.name]).dropna()) for name in means}
    table = effects.lesion_effects(run)
    rows = {str(row["process"]): row for row in table[table["arm"] == arm.name].to_dict("records")}
    changes = measures.by_arm(run, "distress_change")
    distress = mean_interval(changes[arm.name] - changes[intact.name])
    alliance = measures.by_arm(run, "alliance")
    wai = mean_interval(alliance[arm.name] - alliance[intact.name])
    n = int(change["client_arousal"]["n"])
    said = [
        f"In {arm_name(arm.name)}, against the same clients in {arm_name(intact.name)}, feelings are put into words less "
        f"({signed_interval(change['client_labelling'])} on a scale from 0 to 1) and arousal within sessions is "
        f"{_more(change['client_arousal'])} ({signed_interval(change['client_arousal'], 3)}, also 0 to 1; {n} clients followed)."
    ]
    if "client's regulation" in rows:
        learned = rows["client's regulation"]
        said.append(f"Late in therapy their regulation is {_more({'mean': learned['effect']})} ({effect_in_sd(learned)} SD).")
    return [
        *said,
        f"What reaches the late alliance (WAI, 1 to 7) is {signed_interval(wai)} points, what reaches distress by month "
        f"{measures.comparison_month(run, arm.name)} (CORE-OM, 0 to 40) {signed_interval(distress)}.",
    ]


def _more(row: Row) -> str:
    return "higher" if row["mean"] > 0 else "lower"


def _histories(run: Run) -> list[str]:
    said = []
    for arm in history_arms(run):
        rows = run.sessions[run.sessions["arm"] == arm.name]
        if rows.empty:
            continue
        last = rows[rows["session"] == rows["session"].max()]
        ends = [mean_interval(last[f"{name}_to_therapist_latent"]) for name in ("anxiety", "avoidance")]
        style = style_name(*(end["mean"] for end in ends))
        said.append(f"{arm_name(arm.name)} {style} (anxiety {with_interval(ends[0])}, avoidance {with_interval(ends[1])})")
    first = run.sessions[run.sessions["session"] == 1]
    start = [number(first[f"{name}_to_therapist_latent"].mean(), 1) for name in ("anxiety", "avoidance")]
    return [
        f"After {int(run.sessions['session'].max())} sessions of one kind of care, people who began with anxiety {start[0]} and "
        f"avoidance {start[1]} toward the other (1 to 7; secure: below {STYLE_CUT:g} in both) end, on average, so: "
        f"{'; '.join(said)}.",
        *_strategies(run),
    ]


def _strategies(run: Run) -> list[str]:
    """Which history raises bids most (hyperactivation) and which lowers what is shown of arousal most (deactivation)."""
    found = {}
    for arm in history_arms(run):
        rows = run.sessions[run.sessions["arm"] == arm.name]
        rows = rows.assign(shown=rows["expression"] - rows["client_limbic"]).set_index(["replicate", "client"])
        ends = [rows[rows["session"] == s][["bids", "shown"]] for s in (rows["session"].min(), rows["session"].max())]
        change = (ends[1] - ends[0]).dropna()
        found[arm.name] = {name: mean_interval(change[name]) for name in change}
    up = max(found, key=lambda name: found[name]["bids"]["mean"])
    down = min(found, key=lambda name: found[name]["shown"]["mean"])
    return [
        f"Bids for support rise most in {arm_name(up)} ({signed_interval(found[up]['bids'])}); feeling is hidden most in "
        f"{arm_name(down)} (expression less arousal {signed_interval(found[down]['shown'])})."
    ]


def _sites(run: Run) -> list[str]:
    table = imaging.site_alliance(run)
    both = table[(table["role"] == "both") & (table["arm"] == table["arm"].iloc[0])].to_dict("records")
    found, missed = [r for r in both if excludes_zero(r)], [r for r in both if not excludes_zero(r)]
    n = max(int(r["n"]) for r in both)
    where = f"shows at the {_sites_of(found)}" if found else "shows at no site"
    where += f" and not at the {_sites_of(missed)}" if found and missed else ""
    each = ", ".join(f"{r['site']} {signed(r['r'])}{brackets(r)}" for r in both)
    lower = " (minus: more activity, lower alliance)" if any(r["r"] < 0 for r in found) else ""
    inside = [{**r, "low": r["within_low"], "high": r["within_high"]} for r in both]
    still = [f"{r['site']} ({signed(r['within'])}{brackets(r)})" for r in inside if excludes_zero(r)]
    return [
        f"In a simulated EEG of both people the client's alliance {where}: between {n:,} clients its correlation with the signal "
        f"is {each}{lower}.",
        f"From session to session in one client it shows {'at ' if still else ''}{listed(still) if still else 'nowhere'}.",
        f"With {SMALL_STUDY} clients only correlations beyond ±{_least_seen(SMALL_STUDY)} have an interval that excludes 0.",
        "Nothing of the model lies under the temporal site, the control.",
    ]


def _sites_of(rows: list[dict[Any, Any]]) -> str:
    return f"{listed(str(r['site']) for r in rows)} site{'s' if len(rows) > 1 else ''}"


def _least_seen(n: int) -> str:
    """The smallest correlation whose 95 % interval excludes zero with so many people (Fisher's z)."""
    return number(float(np.tanh(stats.norm.ppf(0.975) / np.sqrt(n - 3))))


# ------------------------------------------------------------------------------------------------------- when

Told = Callable[[Run], list[str]]


def _has_few_lesions(run: Run) -> bool:
    lesions = [arm for arm in run.scenario.arms if effects.lesioned_region(arm) is not None]
    return 0 < len(lesions) <= FEW_LESIONS and not effects.lesion_effects(run).empty


_EXPERIMENTS: tuple[tuple[Callable[[Run], bool], Told], ...] = (
    *((EXPERIMENTS[name][1], tell) for name, tell in (
        ("triangle", _triangle), ("lesion_table", _lesion_table), ("affect_labelling", _words),
        ("learned_strategies", _histories), ("eeg_sites", _sites),
    )),
    (_has_few_lesions, _few_lesions),
    (lambda run: bool(factors.factors(run.scenario)), two_numbers),
    (lambda run: bool(factors.without_learning(run.scenario)), no_learning),
)  # fmt: skip
