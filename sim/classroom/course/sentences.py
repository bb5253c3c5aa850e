"""What the sentences of the lessons are about, measured in the fan of a state: one function for each lesson.

Each gives the quantities that its lesson puts bounds on, by name; the bounds stand in ``lessons.py``, once, and are said with
the words of ``words.yaml``. Shares are proportions of the clients in the fan (0..1); differences are A less B, client by client.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.classroom.course.many import Both, both_of, security_gained
from sim.classroom.course.play import record_of
from sim.classroom.course.record import recorded
from sim.classroom.course.scenarios import spec_of
from sim.classroom.course.state import State, with_changes
from sim.scenario.scenario import from_spec
from sim.simulation.build import client_numbers

Found = Mapping[str, float]
#: Everything in the therapist at its best.
BEST = {"a_accuracy": "1", "a_warmth": "0.98", "a_repair": "early"}
#: Points of the CORE-OM (0-40) from which relief counts as clearly more.
CLEAR_RELIEF = 0.5


def of(state: State, measure: str, **changes: str) -> Both:
    """A measure of all clients of both pairs, with some keys of the state changed."""
    changed = with_changes(state, **changes)
    return both_of(changed.a, changed.b, changed.shared, measure)


def secure_base(state: State) -> Found:
    end = of(state, "alliance_end")
    return {"won": end.won()[0], "overlap": end.overlap, "gap": end.difference["mean"]}


def empathy(state: State) -> Found:
    end = of(state, "alliance_end")
    return {"won": end.won()[1], "gap": -end.difference["mean"]}


def opposites(state: State) -> Found:
    neither, differ, alike = (of(state, "alliance_end", pairs=pairs) for pairs in ("neither", "differ", "alike"))
    return {
        "neither": abs(neither.difference["mean"]),
        "differ": differ.difference["mean"],
        "alike": -alike.difference["mean"],
    }


def repair(state: State) -> Found:
    helped, harmed = of(state, "relief").won(CLEAR_RELIEF)
    return {"helped": helped, "harmed": harmed, "neither": 1.0 - helped - harmed}


def naming(state: State) -> Found:
    return {"calmer": of(state, "arousal").won()[1], "gap": abs(of(state, "alliance_end").difference["mean"])}


def change(state: State) -> Found:
    """``untreated``: the gain of the same clients, with the same random draws, without any therapy, as a share."""
    gained = float(of(state, "security_gained").a.mean())
    spec = spec_of(state.a, state.b, state.shared)
    spec["arms"] = {"nobody": {"client": spec["arms"]["A"]["client"], "therapist": "none"}}
    del spec["record"]
    alone = from_spec(spec, "untreated")
    clients = client_numbers(alone, alone.arms[0]).size
    untreated = float(security_gained(recorded(alone, alone.arms[0], state.shared.seed, clients)).mean())
    return {"gained": gained, "untreated": untreated / gained if gained else float("nan")}


def own_attachment(state: State) -> Found:
    records = [record_of(side, state.shared, state.shared.clients, False) for side in (state.a, state.b)]
    reads, aroused = (Both(*(np.asarray(np.nanmean(one.session[name], axis=0)) for one in records))
                      for name in ("accuracy_level", "mean_therapist_arousal"))  # fmt: skip
    return {
        "broken": -of(state, "ruptures").difference["mean"],
        "lower": of(state, "alliance_end").won()[0],
        "flooded": aroused.won()[1],
        "reads_less": reads.won()[0],
    }


def luck(state: State) -> Found:
    end = of(state, "alliance_end")
    return {"won": end.won()[0], "upset": end.upset}


def puzzle(state: State) -> Found:
    best, usual = float(of(state, "reached_security", **BEST).a.mean()), float(of(state, "reached_security").b.mean())
    return {"best": best, "usual": usual, "more": best - usual}


def nothing(state: State) -> Found:
    """The sandbox says nothing."""
    return {}
