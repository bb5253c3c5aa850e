"""Many clients at one place: the fan of both pairs' courses, how far the two groups overlap, and the paired difference.

Client number i of A and of B is one simulated person with the same random draws, so differences are taken client by client. What
the same people would look like with random draws of their own is read off by comparing every client of A with every other one of
B."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from sim.classroom.course.play import record_of, simulated
from sim.classroom.course.record import Record
from sim.classroom.course.state import Shared, Side, State, with_changes
from sim.classroom.course.words import words
from sim.measures.intervals import mean_interval, overlap
from sim.scenario.people import STYLE_POINT
from sim.theory.styles import STYLE_CUT, STYLES

Measure = Callable[[Record], np.ndarray]
#: Fewer people than this are no fan.
FEWEST = 5
#: Overlap of two groups in words: up to which share it is called what.
SAID_OF_OVERLAP = ((0.35, "little"), (0.65, "half"), (0.85, "much"), (1.01, "nearly_all"))


def alliance_end(record: Record) -> np.ndarray:
    """Alliance after the last session held, on the WAI's scale (1-7)."""
    return np.asarray(record.alliance()[record.held - 1, np.arange(record.held.size)])


def arousal(record: Record) -> np.ndarray:
    """The client's arousal (limbic system), mean of all sessions held."""
    return np.asarray(np.nanmean(record.session["mean_client_arousal"], axis=0))


def relief(record: Record) -> np.ndarray:
    """Points of the CORE-OM (0-40) that distress has fallen from intake to the week of the last session."""
    distress = record.distress()
    return np.asarray(distress[0] - distress[record.held, np.arange(record.held.size)])


def security_gained(record: Record) -> np.ndarray:
    """ECR points (1-7) by which general anxiety and avoidance, in the mean, have fallen from intake to the last week followed."""
    change = []
    for name in ("anxiety", "avoidance"):
        values = record.attachment("general", name)
        last = (~np.isnan(values)).sum(axis=0) - 1
        change.append(values[0] - values[last, np.arange(values.shape[1])])
    return np.asarray(np.mean(change, axis=0))


def reached_security(record: Record) -> np.ndarray:
    """1 where the client's attachment to the therapist ever lay in the secure region after a session, else 0."""
    anxiety, avoidance = (record.attachment("client", name) for name in ("anxiety", "avoidance"))
    return np.asarray(((anxiety < STYLE_CUT) & (avoidance < STYLE_CUT)).any(axis=0).astype(float))


def ruptures(record: Record) -> np.ndarray:
    """Ruptures in a session, mean of all sessions held."""
    return np.asarray(np.nanmean(record.session["withdrawals"] + record.session["confrontations"], axis=0))


#: What lessons look at, by name; labels and units stand in ``words.yaml``.
MEASURES: dict[str, Measure] = {
    one.__name__: one for one in (alliance_end, arousal, relief, ruptures, security_gained, reached_security)
}


@dataclass(frozen=True)
class Both:
    """A measure of the same clients (n) with A and with B, one value each."""

    a: np.ndarray
    b: np.ndarray

    @property
    def difference(self) -> dict[str, float]:
        """A less B, client by client: mean, low and high (95 % interval), sd, n."""
        return mean_interval(self.a - self.b)

    @property
    def overlap(self) -> float:
        """Share that the two groups have in common; nan where one of them does not spread, so that nothing can be said."""
        return overlap(self.a, self.b) if self.a.std() > 0 and self.b.std() > 0 else float("nan")

    def won(self, smallest: float = 0.0) -> tuple[float, float]:
        """Proportions of clients for whom A, and for whom B, came out higher by more than ``smallest``."""
        d = self.a - self.b
        return float((d > smallest).mean()), float((d < -smallest).mean())

    @property
    def upset(self) -> float:
        """How often one client of B stands higher than another client of A: each with random draws of their own."""
        higher = self.b[None, :] > self.a[:, None]
        np.fill_diagonal(higher, False)
        return float(higher.sum() / (higher.size - len(higher)))


def both_of(a: Side, b: Side, shared: Shared, measure: str) -> Both:
    """A measure of all clients of both pairs."""
    return Both(*(MEASURES[measure](record_of(side, shared, shared.clients, False)) for side in (a, b)))


def many_of(state: State, lesson: Any) -> dict[str, Any]:
    """The fan of a state, what can be said of the two groups in a lesson's measure, and the option that came out."""
    found = _many(state.a, state.b, state.shared, lesson.measure, lesson.smallest)
    asked = with_changes(state, **lesson.asked_with)
    both = both_of(asked.a, asked.b, asked.shared, lesson.measure)
    return {**found, "seed": state.shared.seed, "answer": lesson.answer(both)}


def map_of(state: State) -> dict[str, Any]:
    """The alliance at the end, mean over clients, for every pairing of styles; all else as pair A has it."""
    rows = [[state.a.model_copy(update={"client": STYLE_POINT[client], "therapist": STYLE_POINT[therapist], "do": ()})
             for therapist in STYLES]
            for client in STYLES]  # fmt: skip
    mean = [[_mean_end(pair, state.shared) for pair in row] for row in rows]
    return {"styles": list(STYLES), "mean": mean, "n": state.shared.clients}


@lru_cache(maxsize=512)
def _mean_end(pair: Side, shared: Shared) -> float:
    """One cell of the map. The courses behind it are not kept: there are sixteen of them, and nobody looks at them."""
    return round(float(alliance_end(simulated(pair, shared, shared.clients, False)).mean()), 3)


@lru_cache(maxsize=128)
def _many(a: Side, b: Side, shared: Shared, measure: str, smallest: float) -> dict[str, Any]:
    both = both_of(a, b, shared, measure)
    share, said = both.overlap, words()["many"]
    how_much = next(name for most, name in SAID_OF_OVERLAP if not share > most)
    won = [round(one * shared.clients) for one in both.won(smallest)]
    return {
        "n": shared.clients,
        "measure": measure,
        "a": {**_fan(record_of(a, shared, shared.clients, False)), "ends": _plain(both.a)},
        "b": {**_fan(record_of(b, shared, shared.clients, False)), "ends": _plain(both.b)},
        "difference": {name: _plain(value) for name, value in both.difference.items()},
        "overlap": _plain(share),
        "overlap_words": said["overlap"][how_much] if share == share else said["no_overlap"],
        "a_won": won[0],
        "b_won": won[1],
        "upset": round(both.upset, 3),
    }


def _fan(record: Record) -> dict[str, Any]:
    """Median and bands (50 %, 95 %) of the alliance of whoever is still in therapy, and the proportion that is."""
    alliance = np.vstack([record.first_alliance(), record.alliance()])
    there = ~np.isnan(alliance)
    ends = (0.025, 0.25, 0.5, 0.75, 0.975)
    bands = [np.quantile(row[seen], ends).round(3).tolist() if seen.sum() >= FEWEST else None
             for row, seen in zip(alliance, there, strict=True)]  # fmt: skip
    return {"bands": bands, "attending": there.mean(axis=1).round(3).tolist(), "alliance_ends": _plain(alliance_end(record))}


def _plain(value: Any) -> Any:
    """Numbers as JSON knows them: rounded, and None for what is missing."""
    if isinstance(value, np.ndarray):
        return [_plain(x) for x in value.tolist()]
    return None if value != value else round(float(value), 4)
