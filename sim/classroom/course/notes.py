"""A readable session: what happened, and what each person thought had happened, by rules from the numbers of its exchanges.

The sentences stand in ``words.yaml``; the rules, with the size from which something is worth saying, stand here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.classroom.course.record import TRACED, Record
from sim.classroom.course.words import words
from sim.theory.styles import STYLE_CUT, style_name
from sim.therapy.endings import CENSORED, ENDINGS, PLANNED

#: Smallest differences that are put into words; all are matters of taste.
FELT, READ, MOVED = 0.03, 0.05, 0.03
#: A style changes where somebody is this far beyond the border of its region (ECR points), so that nobody flickers.
BEYOND = 0.1


def ruptures(record: Record) -> list[dict[str, Any]]:
    """Every rupture and repair of the first client's course, in order; sessions and exchanges count from 1.

    ``kind``: withdrawal, confrontation, or repair (of a rupture left unrepaired before). ``repaired``: at once; ``chance``: that
    the therapist would repair it; ``noticed``: how sure the therapist was that something was wrong."""
    found = []
    for at, inside in enumerate(record.trace[: int(record.held[0])]):
        happened = {name: inside[:, TRACED.index(name)] for name in
                    ("ruptured", "confronted", "repairs", "repair_probability", "therapist_noticed")}  # fmt: skip
        repaired = np.diff(happened["repairs"], prepend=0.0) > 0
        for k in np.flatnonzero((happened["ruptured"] > 0) | repaired):
            kind = "repair" if not happened["ruptured"][k] else "confrontation" if happened["confronted"][k] else "withdrawal"
            found.append({
                "session": at + 1, "exchange": int(k) + 1, "kind": kind, "repaired": bool(repaired[k]),
                "chance": round(float(happened["repair_probability"][k]), 2),
                "noticed": round(float(happened["therapist_noticed"][k]), 2),
            })  # fmt: skip
    return found


def of_sessions(record: Record) -> list[dict[str, str]]:
    """Notes of every session held: ``short`` (one line), ``happened``, ``client`` and ``therapist`` (what each one thought)."""
    alliance = np.concatenate([[record.first_alliance()[0]], record.alliance()[:, 0]])
    every, held = ruptures(record), int(record.held[0])
    return [
        _note(record, session, [one for one in every if one["session"] == session], alliance[session] - alliance[session - 1])
        for session in range(1, held + 1)
    ]


def _note(record: Record, session: int, events: list[dict[str, Any]], grown: float) -> dict[str, str]:
    said = words()["notes"]
    happened = [said["repaired_later"] for one in events if one["kind"] == "repair"]
    broken = [one for one in events if one["kind"] != "repair"]
    if len(broken) > 2:
        happened.append(said["many_ruptures"].format(n=len(broken), repaired=sum(one["repaired"] for one in broken)))
    else:
        how = ("unrepaired", "repaired")
        happened += [f"{said[one['kind']].format(exchange=one['exchange'])} {said[how[one['repaired']]]}" for one in broken]
    if not happened:
        happened.append(said["quiet"].format(moved=said[_side(grown, MOVED, "fell", "stayed", "grew")]))
    short = happened[-1]
    if session == int(record.held[0]) and record.ending[0] not in (PLANNED, CENSORED):
        short = words()["endings"][ENDINGS[int(record.ending[0])]].format(session=session)
        happened.append(short)
    mean = dict(zip(TRACED, record.trace[session - 1].mean(axis=0), strict=True))
    perceived, expected, given = (mean[name] for name in ("client_perceived", "client_expectation", "therapist_response"))
    felt = said[_side(perceived - expected, FELT, "client_less", "client_as", "client_more")]
    lens = said[_side(perceived - given, FELT, "perceived_less", "perceived_as", "perceived_more")]
    bias, read = float(record.session["directional_bias"][session - 1, 0]), float(mean["therapist_estimate"])
    therapist = said[_side(bias, READ, "read_low", "read_right", "read_high")].format(read=read, felt=read - bias)
    if broken:
        therapist += " " + said["noticed"].format(exchange=broken[-1]["exchange"], share=broken[-1]["noticed"])
    return {
        "short": short,
        "happened": " ".join(happened),
        "client": f"{felt.format(perceived=perceived, expected=expected)} {lens.format(perceived=perceived, given=given)}",
        "therapist": therapist,
    }


def _side(value: float, size: float, below: str, within: str, above: str) -> str:
    """Which of three sentences a difference deserves: it must be larger than ``size`` to be one."""
    return above if value > size else below if value < -size else within


def events(record: Record) -> list[dict[str, Any]]:
    """What the log lists: ruptures, repairs, another style with this therapist, leaving."""
    said = words()["events"]
    found = [
        {"session": one["session"], "kind": one["kind"], "repaired": one["repaired"],
         "text": said["repair"] if one["kind"] == "repair" else said[one["kind"]][int(one["repaired"])]}
        for one in ruptures(record)
    ]  # fmt: skip
    held = int(record.held[0])
    anxiety, avoidance = record.to_other("client", held)
    now = str(style_name(anxiety[0], avoidance[0]))
    for session in range(1, held + 1):
        new = str(style_name(anxiety[session], avoidance[session]))
        if new != now and all(abs(values[session] - STYLE_CUT) > BEYOND for values in (anxiety, avoidance)):
            found.append({"session": session, "kind": "style", "repaired": False,
                          "text": said["style"].format(style=words()["styles"][new])})  # fmt: skip
            now = new
    ending = ENDINGS[int(record.ending[0])]
    found.append({"session": held, "kind": ending, "repaired": False, "text": words()["endings"][ending].format(session=held)})
    return sorted(found, key=lambda one: one["session"])
