"""The answer of an experiment on the model: what it was made for, first, in sentences made from the same numbers as its figure.

Which sentences a run has is decided as its figures are (``plots.EXPERIMENTS``), or by what its arms differ in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pandas as pd

from sim.evidence import effects, imaging
from sim.experiments import measures
from sim.experiments.intervals import mean_interval
from sim.experiments.run import Run
from sim.theory.regions import CONTAINS, REGIONS
from sim.theory.styles import style_name
from sim.views.canvas import arm_name, number, with_interval
from sim.views.plots import EXPERIMENTS
from sim.views.plots_claims import ranged, signed, sure
from sim.views.plots_paths import history_arms, words_arms

Row = Mapping[Any, Any]
#: Fewer lesions than make a table, but some.
FEW_LESIONS = 3
#: Words of a question that ask what two people are together, beyond what each of them is.
_TOGETHER = re.compile(r"\b(together|beyond|interact\w*)\b", re.I)


def told(run: Run) -> list[str]:
    """The sentences with which the answer of an experiment begins; none where nothing but courses of therapy is compared."""
    return next((tell(run) for asked, tell in _EXPERIMENTS if asked(run)), [])


def pushed(run: Run) -> bool:
    """Whether arms are pushed by definition, so that a higher alliance in one of them says nothing by itself."""
    return any(EXPERIMENTS[name][1](run) for name in ("triangle", "learned_strategies"))


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _effect(row: Row) -> str:
    """An effect in SD with its interval."""
    return f"{signed(row['effect'])}{_brackets(row)}"


def _brackets(row: Row) -> str:
    return f" {ranged(row).replace(', ', ',' + chr(160))}" if row["low"] == row["low"] else ""


def _signed(row: Row, digits: int = 2) -> str:
    """A difference with its sign and interval."""
    return ("+" if float(f"{row['mean']:.{digits}f}") > 0 else "") + with_interval(row, digits)


# ------------------------------------------------------------------------------------------------- one by one

_CORNERS = {"empathy": "more empathy", "attachment": "a more secure attachment", "alliance": "a better alliance"}
_UNITS = {"empathy": "of its scale", "attachment": "ECR points", "alliance": "WAI points"}


def _triangle(run: Run) -> list[str]:
    table = effects.triangle(run)
    parts = []
    for (corner, by), part in table.groupby(["pushed", "by"], sort=False):
        moved = _listed(f"{row['free']} by {_effect(row)}" for row in part.to_dict("records"))
        parts.append(f"{_CORNERS[str(corner)]} ({by:+g} {_UNITS[str(corner)]}) moves {moved}".replace("-", "−"))
    said = "; ".join(parts)
    most = table.loc[table["effect"].abs().idxmax()]
    return [
        "With the third of them held, in standard deviations (SD) of clients: " + said + ".",
        f"The strongest arrow runs from {most['pushed']} to {most['free']}; the pushes differ in kind ({_pushes(table)}), so compare "
        "each effect with its own.",
    ]


def _pushes(table: pd.DataFrame) -> str:
    once = table.drop_duplicates("pushed")
    return ", ".join(f"{number(row['push_sd'])} SD" for row in once.to_dict("records"))


def _whose(row: Row) -> str:
    return f"the {row['role']}'s {_region(row['region'])}"


def _region(name: str) -> str:
    return re.sub(r" \(.*\)", "", REGIONS[name].title if name in REGIONS else f"{name.replace('_', ' ')} cortex")


def _lesion_table(run: Run) -> list[str]:
    table = effects.lesion_effects(run)
    single = table[~table["region"].isin(list(CONTAINS)) & ~table["own"]]
    said = []
    for role, part in single.groupby("role", sort=False):
        worst = [p.loc[p["effect"].abs().idxmax()] for _, p in part[part["process"].isin(_SUFFER)].groupby("process", sort=False)]
        largest = sorted(worst, key=lambda row: -abs(row["effect"]))[:3]
        listed = "; ".join(f"{r['process']} {_effect(r)} without the {_region(r['region'])}" for r in largest)
        said.append(f"removed from the {role}, what moves most is {listed}")
    ends = (single[single["process"] == p] for p in ("alliance", "distress"))
    last = [
        f"the {p['process'].iloc[0]} moves most without {_whose(r)} ({_effect(r)})" for p in ends for r in (p.loc[p["effect"].abs().idxmax()],)
    ]
    return [
        "In standard deviations of clients, the same people with everything intact being 0: " + "; ".join(said) + ".",
        _capital(_listed(last)) + ".",
    ]


#: Processes inside sessions, of which a table of lesions names the three that move most for each person.
_SUFFER = ("accuracy", "fit", "response", "client's arousal", "therapist's arousal", "client's regulation",
           "therapist's regulation", "repair")  # fmt: skip


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _few_lesions(run: Run) -> list[str]:
    """One sentence for each lesion: what it does in the other regions lesioned here, to accuracy, response and alliance."""
    table, said = effects.lesion_effects(run), []
    own = dict.fromkeys(zip(table["role"], table["region"], strict=True))
    whole = table[table["left"] == 0] if (table["left"] == 0).any() else table
    for name, part in whole.groupby("arm", sort=False):
        role, region = part["role"].iloc[0], part["region"].iloc[0]
        arm = next(a for a in run.scenario.arms if a.name == name)
        others = [
            f"activity of the {_region(r)} changes by {_effect(found)}"
            for of, r in own
            if (of, r) != (role, region) and of == role and (found := effects.removed_effect(run, arm, of, r)) is not None
        ]
        rows = part.set_index("process")
        shown = [f"{p} by {_effect(rows.loc[p])}" for p in ("accuracy", "response", "alliance") if not rows.loc[p, "own"]]
        said.append(f"Without {_whose(part.iloc[0])}{_rest(part)} {_listed([*others, *shown])}.")
    intact = effects.undone(run)
    said[-1] += f" Units: SD of clients in {arm_name(intact.name if intact else '')}."
    return said


def _rest(part: pd.DataFrame) -> str:
    left = float(part["left"].iloc[0])
    return f" at {100 * left:.0f} %" if left else ""


def _words(run: Run) -> list[str]:
    intact, *weak = words_arms(run)
    arm = weak[-1]
    means = run.exchanges.groupby(["arm", "replicate", "client"], observed=True)[["client_labelling", "client_arousal"]].mean()
    change = {name: mean_interval((means[name][arm.name] - means[name][intact.name]).dropna()) for name in means}
    table = effects.lesion_effects(run)
    rows = table[table["arm"] == arm.name].set_index("process")
    distress = mean_interval(measures.assessed_change(run, arm.name) - measures.assessed_change(run, intact.name))
    alliance = measures.late_alliance(run)
    wai = mean_interval(alliance[arm.name] - alliance[intact.name])
    n = int(change["client_arousal"]["n"])
    said = [
        f"In {arm_name(arm.name)}, against the same clients in {arm_name(intact.name)}, feelings are put into words less "
        f"({_signed(change['client_labelling'])} on a scale from 0 to 1) and arousal within sessions is "
        f"{_more(change['client_arousal'])} ({_signed(change['client_arousal'], 3)}, also 0 to 1; {n} clients followed)."
    ]
    if "client's regulation" in rows.index:
        learned = rows.loc["client's regulation"]
        said.append(f"Late in therapy their regulation is {_more({'mean': learned['effect']})} ({_effect(learned)} SD).")
    return [
        *said,
        f"Of this {_signed(wai)} points reach the late alliance (WAI, 1 to 7) and {_signed(distress)} points distress by month "
        f"{measures.comparison_month(run, arm.name)} (CORE-OM, 0 to 40).",
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
        said.append(f"{arm_name(arm.name)} ends {style} (anxiety {with_interval(ends[0])}, avoidance {with_interval(ends[1])})")
    first = run.sessions[run.sessions["session"] == 1]
    start = [number(first[f"{name}_to_therapist_latent"].mean(), 1) for name in ("anxiety", "avoidance")]
    return [
        f"People who start with anxiety {start[0]} and avoidance {start[1]} toward the other (1 to 7, secure below 4 in both) end, on "
        f"average, after {int(run.sessions['session'].max())} sessions of care of one kind, so: {'; '.join(said)}.",
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
        f"Bids for support rise most in {arm_name(up)} ({_signed(found[up]['bids'])}, of 0 to 1); feeling is hidden most in "
        f"{arm_name(down)} (expression less arousal {_signed(found[down]['shown'])})."
    ]


def _sites(run: Run) -> list[str]:
    table = imaging.site_alliance(run)
    both = table[(table["role"] == "both") & (table["arm"] == table["arm"].iloc[0])].to_dict("records")
    found, missed = [r for r in both if sure(r)], [r for r in both if not sure(r)]
    said = f"The signal of the two people together goes with the client's alliance at {_at(found)}" if found else "No site goes with the alliance"
    against = [r["site"] for r in found if r["r"] < 0]
    lower = f" A minus sign means that more activity goes with a lower alliance ({_listed(against)})." if against else ""
    within = [f"{r['site']} {signed(r['within'])}" + _brackets({"low": r["within_low"], "high": r["within_high"]}) for r in both]
    n = max(int(r["n"]) for r in both)
    return [
        f"{said}{', and' if found and missed else ''}{' not at ' + _at(missed) if missed and found else ''} (correlations between "
        f"{n:,} clients).{lower}",
        f"From session to session in one client: {', '.join(within)}.",
        "The temporal site is the control: nothing of the model lies under it.",
    ]


def _at(rows: list[dict[Any, Any]]) -> str:
    return _listed(f"{r['site']} (r {signed(r['r'])}{_brackets(r)})" for r in rows)


# ------------------------------------------------------------------------------------------------ two at a time


def _two_numbers(run: Run) -> list[str]:
    arms, table = effects.factors(run.scenario), effects.factor_effects(run).set_index(["effect", "measure"])

    def row(effect: str, measure: str) -> str:
        return _signed(table.loc[(effect, measure)].to_dict())

    alone = "; ".join(
        f"{arm_name(arms[name].name)} changes accuracy by {row(name, 'accuracy')}, the late alliance by {row(name, 'alliance')} and "
        f"distress by {row(name, 'distress')}"
        for name in ("first", "second")
    )
    beyond = table.loc[("beyond", "alliance")].to_dict()
    more = "add up, no more" if not sure(beyond) else "give more than the sum" if beyond["mean"] > 0 else "give less than the sum"
    without = [
        f"{arm_name(arm.name)} {number(-float(found.mean()), 1)}"
        for arm in arms.values()
        if (found := measures.untreated_differences(run).get(arm.name)) is not None
    ]
    untreated = [f"Distress ends below that of the same people without therapy by: {', '.join(without)} CORE-OM points."] if without else []
    return [
        f"Compared with {arm_name(arms['neither'].name)}, {alone} (accuracy: a correlation; alliance: WAI 1 to 7; distress: CORE-OM "
        "0 to 40).",
        f"For the alliance the two together {more} ({row('beyond', 'alliance')}).",
        *untreated,
    ]


def _no_learning(run: Run) -> list[str]:
    said = []
    untreated = measures.untreated_differences(run)
    for arm, off in effects.without_learning(run.scenario):
        moved = [_signed(mean_interval(effects.insecurity_change(run, a.name))) for a in (arm, off)]
        text = f"In {arm_name(arm.name)} insecurity of attachment changes by {moved[0]} ECR points, in {arm_name(off.name)} by {moved[1]}"
        if arm.name in untreated and off.name in untreated:
            ends = [mean_interval(-untreated[a.name]) for a in (arm, off)]
            kept = ends[1]["mean"] / ends[0]["mean"]
            left = f": {100 * kept:.0f} % is left" if ends[0]["low"] > 0 and kept > 0 else ""
            text += f"; distress ends {with_interval(ends[0], 1)} and {with_interval(ends[1], 1)} points below that of the untreated{left}"
        said.append(text + ".")
    twin = measures.untreated_arm(run.scenario, effects.without_learning(run.scenario)[0][0].name)
    if twin is not None:
        said.append(f"Life alone moves insecurity of attachment by {_signed(mean_interval(effects.insecurity_change(run, twin)))}.")
    return said


# -------------------------------------------------------------------------------------------- two people together


def asks_together(run: Run) -> bool:
    """Whether the question asks for what two people do together beyond what each of them does."""
    return bool(_TOGETHER.search(run.scenario.question)) and EXPERIMENTS["interaction"][1](run)


def together(run: Run) -> list[str]:
    """The interaction of both people's kinds; nothing where the scenario does not cross them."""
    table = effects.interaction(run)
    if table.empty:
        return []
    alliance, dropout = (_pairs(table, name) for name in ("alliance", "dropout"))
    (c, t), *_ = effects.crossing(run.scenario)
    insecure = (c, t) == ("secure", "secure")
    who = "two insecure partners" if insecure else f"two partners who are not {c} (client) and {t} (therapist)"
    lead = [f"Together, beyond what either does alone, {who} have an alliance that is {_counted(alliance)}."]
    if dropout:
        lead.append(f"Dropout is higher than that by {_all(table, 'dropout')} percentage points{_over(table)}{_most(dropout)}.")
    return lead


def _pairs(table: pd.DataFrame, measure: str) -> list[dict[Any, Any]]:
    rows = table[(table["measure"] == measure) & (table["client"] != effects.EVERY)].to_dict("records")
    return rows if measure == "alliance" else [_in_points(r) for r in rows]


def _in_points(row: Row) -> dict[Any, Any]:
    return {**row, **{name: 100 * row[name] for name in ("mean", "low", "high")}}


def _counted(rows: list[dict[Any, Any]]) -> str:
    """How many pairs lie below, above, and neither; the largest of each."""
    low, high = [r for r in rows if r["high"] < 0], [r for r in rows if r["low"] > 0]
    said = [
        f"{word} in {len(some)} of {len(rows)} pairs (most: {_pair(pick(some, key=lambda r: r['mean']))})"
        for word, some, pick in (("lower", low, min), ("higher", high, max))
        if some
    ]
    return _listed(said) if said else f"told from the sum of both in none of {len(rows)} pairs"


def _pair(row: Row) -> str:
    return f"{row['client']} client, {row['therapist']} therapist, {_signed(row)}"


def _all(table: pd.DataFrame, measure: str) -> str:
    rows = table[table["measure"] == measure]
    return _signed(_in_points(rows.iloc[-1].to_dict()), 1).lstrip("+")


def _over(table: pd.DataFrame) -> str:
    n = int((table["client"] != effects.EVERY).sum() / 2)
    return f" over all {n} pairs" if n > 1 else ""


def _most(rows: list[dict[Any, Any]]) -> str:
    row = max(rows, key=lambda r: r["mean"])
    return f" (most: {row['client']} with {row['therapist']}, {_signed(row, 1)})" if len(rows) > 1 else ""


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
    (lambda run: bool(effects.factors(run.scenario)), _two_numbers),
    (lambda run: bool(effects.without_learning(run.scenario)), _no_learning),
)  # fmt: skip
