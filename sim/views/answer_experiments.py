"""The answer of an experiment on the model: what it was made for, first, in sentences made from the same numbers as its figure.

Which sentences a run has is decided as its figures are (``plots.EXPERIMENTS``), or by what its arms differ in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from sim.evidence import effects, imaging
from sim.experiments import measures
from sim.experiments.intervals import mean_interval
from sim.experiments.run import Run
from sim.theory.regions import CONTAINS, REGIONS
from sim.theory.styles import STYLE_CUT, style_name
from sim.views.canvas import arm_name, number, percent, with_interval
from sim.views.plots import EXPERIMENTS
from sim.views.plots_claims import ranged, signed, sure
from sim.views.plots_paths import history_arms, words_arms

Row = Mapping[Any, Any]
#: Fewer lesions than make a table, but some.
FEW_LESIONS = 3
#: Effects of lesions that are named for each person, and the effect (SD) below which a region counts as little changed.
MOST_NAMED, LITTLE = 3, 0.5
#: Clients of a study as they are done.
SMALL_STUDY = 40
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
    """An effect in SD with its interval; a third digit where the interval would show next to no width."""
    narrow = row["high"] - row["low"] < 0.01
    return f"{signed(row['effect'], 3 if narrow else 2)}{_brackets(row)}"


def _brackets(row: Row) -> str:
    return f" {ranged(row).replace(', ', ',' + chr(160))}" if row["low"] == row["low"] else ""


def _signed(row: Row, digits: int = 2) -> str:
    """A difference with its sign and interval."""
    return ("+" if float(f"{row['mean']:.{digits}f}") > 0 else "") + with_interval(row, digits)


# ------------------------------------------------------------------------------------------------- one by one

_CORNERS = {"empathy": "More empathy", "attachment": "a more secure attachment", "alliance": "a better alliance"}


def _triangle(run: Run) -> list[str]:
    table = effects.triangle(run)
    parts = []
    for (corner, by), part in table.groupby(["pushed", "by"], sort=False):
        moved = _listed(f"{row['free']} by {_effect(row)}" for row in part.to_dict("records"))
        name = _CORNERS[str(corner)] if by > 0 else f"pushing {corner} down"
        parts.append(f"{name} (a push of {signed(part['push_sd'].iloc[0]).lstrip('+')} SD) moves {moved}")
    strength = (table["effect"] / table["push_sd"]).abs()
    most, least = (table.loc[pick] for pick in (strength.idxmax(), strength.idxmin()))
    ends = f", the weakest from {least['pushed']} to {least['free']}" if len(table) > 1 else ""
    return [
        f"For the size of the push, the strongest influence runs from {most['pushed']} to {most['free']}{ends}.",
        "In standard deviations (SD) of clients, one corner pushed, a second held at its usual course, and the third free: "
        f"{_small('; '.join(parts))}.",
        "The pushes are of different kinds, and not equally hard to achieve in life.",
    ]


def _small(text: str) -> str:
    return text[0].lower() + text[1:]


def _whose(row: Row) -> str:
    return f"the {row['role']}'s {_region(row['region'])}"


def _region(name: str) -> str:
    return re.sub(r" \(.*\)", "", REGIONS[name].title if name in REGIONS else f"{name.replace('_', ' ')} cortex")


def _lesion_table(run: Run) -> list[str]:
    table = effects.lesion_effects(run)
    single = table[~table["region"].isin(list(CONTAINS)) & ~table["own"]]
    said = []
    for role in single.groupby("role")["effect"].apply(lambda e: e.abs().max()).sort_values(ascending=False).index:
        worst = _worst(single[(single["role"] == role) & single["process"].isin(_SUFFER)])
        said.append(f"in the {role}, {_listed(_lost(r) for r in worst)}")
    ends = (single[single["process"] == p] for p in ("alliance", "distress"))
    last = [f"{r['process']} without {_whose(r)} ({_effect(r)})" for p in ends for r in (p.loc[p["effect"].abs().idxmax()],)]
    return [
        "What changes most when one region is removed, in standard deviations of clients (everything intact: 0), is this: "
        + "; ".join(said) + ".",
        f"Of what lasts, {_listed(last)} change most.",
    ]


def _lost(row: Row) -> str:
    return f"{_WORDS.get(row['process'], row['process'])} without the {_region(row['region'])} ({_effect(row)})"


def _worst(table: pd.DataFrame) -> list[Row]:
    """The largest effects, each of another region on another process."""
    found: list[Row] = []
    rows = table.dropna(subset=["effect"]).to_dict("records")
    for row in sorted(rows, key=lambda r: -abs(r["effect"])):
        if all(row["region"] != r["region"] and row["process"] != r["process"] for r in found):
            found.append(row)
    return found[:MOST_NAMED]


#: Processes inside sessions, of which a table of lesions names those that move most for each person.
_WORDS = {"accuracy": "accuracy of reading the client", "fit": "fit of the response", "repair": "repair of ruptures"}
_SUFFER = ("accuracy", "fit", "response", "client's arousal", "therapist's arousal", "client's regulation",
           "therapist's regulation", "repair")  # fmt: skip


def _few_lesions(run: Run) -> list[str]:
    """One sentence for each lesion: what it does in the other regions lesioned here, to accuracy, response and alliance."""
    table, said = effects.lesion_effects(run), []
    own = dict.fromkeys(zip(table["role"], table["region"], strict=True))
    whole = table[table["left"] == 0] if (table["left"] == 0).any() else table
    for arm in run.scenario.arms:
        part = whole[whole["arm"] == arm.name]
        if part.empty:
            continue
        role, region = part["role"].iloc[0], part["region"].iloc[0]
        others = [
            f"the {_region(r)} {'works on' if abs(found['effect']) < LITTLE else 'works otherwise'} (activity {_effect(found)})"
            for of, r in own
            if (of, r) != (role, region) and of == role and (found := effects.removed_effect(run, arm, of, r)) is not None
        ]
        rows = part.set_index("process")
        shown = [f"{_WORDS.get(p, p)} ({_effect(rows.loc[p])})" for p in ("accuracy", "response", "alliance") if not rows.loc[p, "own"]]
        reached = f"what changes is {_listed(shown)}"
        said.append(f"Without {_whose(part.iloc[0])}{_rest(part)} {'; '.join([*others, reached])}.")
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
        f"What reaches the late alliance (WAI, 1 to 7) is {_signed(wai)} points, what reaches distress by month "
        f"{measures.comparison_month(run, arm.name)} (CORE-OM, 0 to 40) {_signed(distress)}.",
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
        f"avoidance {start[1]} toward the other (1 to 7; secure: below {STYLE_CUT:g} in both) end, on average, so: {'; '.join(said)}.",
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
        f"Bids for support rise most in {arm_name(up)} ({_signed(found[up]['bids'])}); feeling is hidden most in "
        f"{arm_name(down)} (expression less arousal {_signed(found[down]['shown'])})."
    ]


def _sites(run: Run) -> list[str]:
    table = imaging.site_alliance(run)
    both = table[(table["role"] == "both") & (table["arm"] == table["arm"].iloc[0])].to_dict("records")
    found, missed = [r for r in both if sure(r)], [r for r in both if not sure(r)]
    n = max(int(r["n"]) for r in both)
    where = f"shows at the {_sites_of(found)}" if found else "shows at no site"
    where += f" and not at the {_sites_of(missed)}" if found and missed else ""
    listed = ", ".join(f"{r['site']} {signed(r['r'])}{_brackets(r)}" for r in both)
    lower = " (minus: more activity, lower alliance)" if any(r["r"] < 0 for r in found) else ""
    inside = [{**r, "low": r["within_low"], "high": r["within_high"]} for r in both]
    still = [f"{r['site']} {signed(r['within'])}{_brackets(r)}" for r in inside if sure(r)]
    return [
        f"In a simulated EEG of both people the client's alliance {where}: between {n:,} clients its correlation with the signal "
        f"is {listed}{lower}.",
        f"From session to session in one client it shows {'at the ' + _listed(still) + ' site' if still else 'nowhere'}.",
        f"With {SMALL_STUDY} clients only correlations beyond ±{_least_seen(SMALL_STUDY)} could be told from none.",
        "Nothing of the model lies under the temporal site, the control.",
    ]


def _sites_of(rows: list[dict[Any, Any]]) -> str:
    return f"{_listed(str(r['site']) for r in rows)} site{'s' if len(rows) > 1 else ''}"


def _least_seen(n: int) -> str:
    """The smallest correlation whose 95 % interval excludes zero with so many people (Fisher's z)."""
    return number(float(np.tanh(stats.norm.ppf(0.975) / np.sqrt(n - 3))))


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
    more = "add up" if not sure(beyond) else f"give {'more' if beyond['mean'] > 0 else 'less'} than the sum"
    untreated = measures.untreated_differences(run)
    worth = [
        f"{arm_name(arm.name)} {with_interval(mean_interval(-untreated[arm.name]), 1)}" for arm in arms.values() if arm.name in untreated
    ]
    said = [f"Compared with {arm_name(arms['neither'].name)}, {alone}; for the alliance the two together {more} ({row('beyond', 'alliance')})."]
    if worth:
        said.append(f"Distress ends so far below that of the same people without therapy: {', '.join(worth)}.")
    return [*said, "Accuracy is a correlation; alliance is in WAI points (1 to 7), distress in CORE-OM points (0 to 40)."]


def _no_learning(run: Run) -> list[str]:
    said = []
    untreated = measures.untreated_differences(run)
    pairs = effects.without_learning(run.scenario)
    for arm, off in pairs:
        moved = [_signed(mean_interval(effects.insecurity_change(run, a.name))) for a in (off, arm)]
        text = f"in {arm_name(off.name)} insecurity of attachment changes by {moved[0]} ECR points (with learning {moved[1]})"
        if arm.name in untreated and off.name in untreated:
            ends = [mean_interval(-untreated[a.name]) for a in (off, arm)]
            share = ends[0]["mean"] / ends[1]["mean"]
            left = f", so {percent(share)} is left" if ends[1]["low"] > 0 and share > 0 else ""
            text += (
                f" and distress ends {with_interval(ends[0], 1)} CORE-OM points below that of the untreated (with learning "
                f"{with_interval(ends[1], 1)}){left}"
            )
        said.append(text)
    told = [f"Where nobody can learn, this is left of therapy: {'; '.join(said)}."]
    twin = measures.untreated_arm(run.scenario, pairs[0][0].name)
    if twin is not None:
        told.append(f"Without therapy, life moves insecurity by {_signed(mean_interval(effects.insecurity_change(run, twin)))}.")
    return told


# -------------------------------------------------------------------------------------------- two people together


def asks_together(run: Run) -> bool:
    """Whether the question asks for what two people do together beyond what each of them does."""
    return bool(_TOGETHER.search(run.scenario.question)) and EXPERIMENTS["interaction"][1](run)


def together(run: Run) -> list[str]:
    """The interaction of both people's kinds; nothing where the scenario does not cross them."""
    table = effects.interaction(run)
    if table.empty:
        return []
    (c, t), *_ = effects.crossing(run.scenario)
    who = "two insecure partners" if (c, t) == ("secure", "secure") else f"a client who is not {c} with a therapist who is not {t}"
    pairs = {name: _pairs(table, name) for name in ("alliance", "dropout")}
    whole = {name: _row(table, name) for name in ("alliance", "dropout")}
    if sure(whole["alliance"]):
        beyond = f"{'a worse' if whole['alliance']['mean'] < 0 else 'a better'} alliance than"
    else:
        beyond = "on the whole neither a worse nor a better alliance than" if len(pairs["alliance"]) > 1 else "the alliance that"
    sums = "what each does alone adds up to" if who.startswith("two") else "the sum of both"
    over = f" over {len(pairs['alliance'])} pairs" if len(pairs["alliance"]) > 1 else ""
    found = f"Together {who} have {beyond} {sums} ({_signed(whole['alliance'])} WAI points{over})"
    more = "more often than" if whole["dropout"]["low"] > 0 else "less often than" if whole["dropout"]["high"] < 0 else "as often as"
    if not asks_together(run):
        return [_in_short(pairs["alliance"], who), f"{found}.", f"{who[0].upper()}{who[1:]} drop out {more} {sums}: "
                f"{_signed(whole['dropout'], 1)} percentage points{_most(pairs['dropout'])}."]  # fmt: skip
    return [
        f"{found}{_by_pair(pairs['alliance'])}.",
        f"They drop out {more} this sum: {_signed(whole['dropout'], 1)} percentage points{_most(pairs['dropout'])}.",
    ]


def _pairs(table: pd.DataFrame, measure: str) -> list[dict[Any, Any]]:
    rows = table[(table["measure"] == measure) & (table["client"] != effects.EVERY)].to_dict("records")
    return [_scaled(row) for row in rows]


def _row(table: pd.DataFrame, measure: str) -> dict[Any, Any]:
    """All pairs together, or the only one."""
    return _scaled(table[table["measure"] == measure].iloc[-1].to_dict())


def _scaled(row: Row) -> dict[Any, Any]:
    """Shares of people in percentage points."""
    by = 100 if row["measure"] == "dropout" else 1
    return {**row, **{name: by * row[name] for name in ("mean", "low", "high")}}


def _in_short(rows: list[dict[Any, Any]], who: str) -> str:
    if len(rows) == 1:
        return f"Together {who} have {_signed(rows[0])} points beyond what each does alone."
    ends = [pick(rows, key=lambda r: r["mean"]) for pick in (min, max)]
    return f"Beyond what each does alone, {who} together reach from {' to '.join(f'{_signed(r)} ({_who(r)})' for r in ends)}."


def _who(row: Row) -> str:
    same = row["client"] == row["therapist"]
    return f"two {row['client']} people" if same else f"{row['client']} client, {row['therapist']} therapist"


def _by_pair(rows: list[dict[Any, Any]]) -> str:
    """In how many pairs it lies below and above the sum, and where most."""
    low, high = [r for r in rows if r["high"] < 0], [r for r in rows if r["low"] > 0]
    said = [
        f"a {word} one in {len(some)} (most: {_pair(pick(some, key=lambda r: r['mean']))})"
        for word, some, pick in (("lower", low, min), ("higher", high, max))
        if some
    ]
    return f", but {_listed(said)}" if said and len(rows) > 1 else ""


def _pair(row: Row, digits: int = 2) -> str:
    return f"{_who(row)}, {_signed(row, digits)}"


def _most(rows: list[dict[Any, Any]]) -> str:
    return f" (most: {_pair(max(rows, key=lambda r: r['mean']), 1)})" if len(rows) > 1 else ""


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
