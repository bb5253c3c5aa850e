"""The answer of a run in words: one paragraph for everybody, and a list of details for those who read on.

Here it is decided what is said; how it is said stands in ``templates/answer.j2``. Nothing is written by hand for one scenario.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from sim import measures
from sim.measures.contrasts import alliance_contrasts, raw_change, spread_within, untreated_contrasts
from sim.measures.intervals import mean_interval
from sim.report.text import excludes_zero, percent, sentences, small
from sim.report.words import clinics, experiments, uncertainty
from sim.simulation.tables import Run

#: Words for a difference by its size in SDs of single clients, after Cohen's convention.
SIZES = ((0.1, "next to nothing"), (0.2, "very small"), (0.5, "small"), (0.8, "of medium size"), (np.inf, "large"))
#: With fewer people in an arm than this, small differences should not be read at all.
FEW = 50


_say = partial(sentences, "answer.j2")


def brackets(run: Run) -> list[str]:
    """What the intervals of an answer are over."""
    return _say("brackets", clinic=run.scenario.design == "clinic", n=run.scenario.replicates)


def size_word(difference: float, spread: float) -> str:
    """A word for a difference beside the spread of single clients."""
    return next(word for most, word in SIZES if abs(difference) / spread < most)


def paragraph(run: Run) -> str:
    """The answer in one paragraph with numbers and intervals, for somebody who has never seen the project."""
    said = clinics.told(run) if run.scenario.design == "clinic" else _told(run)
    over = brackets(run) if len(run.clients) else []
    return " ".join(["In this model, " + small(said[0]), *said[1:], *over, *uncertainty.sentence(run)])


def _told(run: Run) -> list[str]:
    """Late alliance, distress and dropout; first what an experiment is about, or what two people are together."""
    if run.sessions.empty:
        alone = run.clients[run.clients["ending"] == "untreated"]
        change = mean_interval(alone["distress_end"] - alone["distress_0"]) if len(alone) else None
        return _say("nobody_treated", change=change)
    if said := experiments.told(run):
        return said
    alliance, distress, together = _alliance(run), _distress(run), experiments.together(run)
    if experiments.asks_together(run):
        return [*together, *_say("each_alone", sides=alliance_contrasts(run))]
    # Where the arms differ in therapy or none only, the effect on distress is what was asked.
    one_course = not alliance_contrasts(run) and bool(untreated_contrasts(run))
    said = [*distress, *_anyway(run), *alliance] if one_course else [*alliance, *together[:1], *distress]
    return said if together else [*said, *_dropout(run)]


def _alliance(run: Run) -> list[str]:
    found, late = alliance_contrasts(run), {name: v for name, v in measures.by_arm(run, "alliance").items() if len(v)}
    if not late:  # sessions were held, and nobody handed in a questionnaire
        return []
    if not found:
        return _say("alliance_of_all", row=mean_interval(pd.concat(list(late.values()))))
    if run.scenario.design == "crossed":
        changes = [float(values.mean()) for values in measures.by_arm(run, "alliance_growth").values() if len(values)]
        sides = sorted(found, key=lambda c: -c.found["mean"])
        apart = sides[0].found["low"] > sides[-1].found["high"]
        return _say("alliance_by_kind", sides=sides, apart=apart, rising=sum(c > 0 for c in changes), pairings=len(changes))
    (c,), spread = found, spread_within(run)
    clear = excludes_zero(c.found)
    size = size_word(c.found["mean"], spread) if spread > 0 and clear else ""
    means = [float(late[arm].mean()) for arm in (c.high, c.low)]
    return _say("alliance_of_arms", c=c, higher=clear or np.isnan(c.found["low"]), means=means, spread=spread, size=size)


def _distress(run: Run) -> list[str]:
    found = untreated_contrasts(run)
    if not found:
        return _say("raw_change", change=raw_change(run))
    named = len(found) > 1 and run.scenario.design == "arms"  # the names of pairings are long; the table has them
    month, ends = measures.comparison_month(run, found[0].high), found if len(found) == 1 else [found[0], found[-1]]
    return _say("against_untreated", month=month, ends=ends, named=named)


def _dropout(run: Run) -> list[str]:
    share = measures.dropout(run)
    if np.isnan(share):
        return []
    table = measures.pairings(run).dropna(subset=["dropout"])
    low, high = (table.iloc[int(k)] for k in (table["dropout"].argmin(), table["dropout"].argmax()))
    alike, crossed = percent(high["dropout"]) == percent(low["dropout"]), run.scenario.design == "crossed"
    return _say("dropout", share=share, low=low, high=high, alike=alike, crossed=crossed)


def _anyway(run: Run) -> list[str]:
    """How much of the change in the arm that helps most comes without therapy too."""
    best = untreated_contrasts(run)[-1]
    if not best.found["low"] > 0:  # a share of what is not shown says nothing
        return []
    arm = best.high
    twin, month = measures.untreated_arm(run.scenario, arm), measures.comparison_month(run, arm)
    changes = measures.by_arm(run, "distress_change")
    with_it, without = changes[arm].mean(), changes[str(twin)].mean()
    if not with_it or not 0 < without / with_it < 1:
        return []
    return _say("anyway", arm=arm, month=month, with_it=with_it, without=without)


def in_detail(run: Run) -> list[str]:
    """What else can be said with numbers, one sentence or two an item."""
    if run.scenario.design == "clinic":
        return clinics.in_detail(run)
    if run.sessions.empty:
        return []
    if experiments.pushed(run):  # an alliance that was pushed, or care that was fixed, is no result
        return _distress_detail(run)
    usual = [*_usual_detail(run), *_spread_detail(run), *_growth_detail(run), *_paired_detail(run)]
    few = any(0 < len(values) < FEW for values in measures.by_arm(run, "alliance").values())
    return [*usual, *_distress_detail(run), *_say("how_to_read", dropout=measures.dropout(run) > 0, few=few)]


def _usual_detail(run: Run) -> list[str]:
    """What the paragraph says of alliance, distress and dropout where it has nothing else to begin with."""
    if experiments.told(run):
        against = _distress(run) if untreated_contrasts(run) else []
        return [" ".join(_alliance(run)), *against, *_dropout(run)]
    if experiments.asks_together(run):
        return [*_alliance(run), *_distress(run), *_dropout(run)]
    together = experiments.together(run)
    return [*_dropout(run), *together[1:]] if together else []


def _spread_detail(run: Run) -> list[str]:
    table = measures.pairings(run).dropna(subset=["wai"])
    if len(table) < 2:
        return []
    late = measures.by_arm(run, "alliance")
    ends = [str(table["arm"].iloc[int(k)]) for k in (table["wai"].argmax(), table["wai"].argmin())]
    best, worst = ({"arm": arm, **mean_interval(late[arm])} for arm in ends)
    what, common = "pairing" if run.scenario.design == "crossed" else "arm", measures.overlap(*(late[arm] for arm in ends))
    share = measures.alliance_share_between_arms(run)
    return _say("spread", best=best, worst=worst, what=what, common=common, share=share)


def _growth_detail(run: Run) -> list[str]:
    changes = {arm: mean_interval(values) for arm, values in measures.by_arm(run, "alliance_growth").items() if len(values)}
    ordered = sorted(changes, key=lambda arm: changes[arm]["mean"])
    return _say("growth", ends={arm: changes[arm] for arm in (*ordered[:1], *ordered[-1:])})


def _paired_detail(run: Run) -> list[str]:
    """The same clients in two arms, which no clinic could ever see."""
    table = measures.paired_differences(run)
    table = table[table["low"].notna()]
    if table.empty:
        return []
    rows = table.to_dict("records")
    if run.scenario.design == "arms" and len(table) <= 6:
        return _say("paired", rows=rows)
    clear, up = sum(map(excludes_zero, rows)), int((table["low"] > 0).sum())
    return _say("largest_paired", row=max(rows, key=lambda r: abs(r["mean"])), n=len(rows), clear=clear, up=up)


def _distress_detail(run: Run) -> list[str]:
    against = bool(untreated_contrasts(run))
    said = _say("raw_change_in_detail", change=raw_change(run), against=against)
    return [*said, *_anyway(run)] if said and against else said
