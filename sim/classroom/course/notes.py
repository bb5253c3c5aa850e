"""A readable session: what happened, and what each person thought had happened, by rules from the numbers of its exchanges.

The sentences stand in ``words.yaml``; the rules, with the size from which something is worth saying, stand here.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.classroom.course.record import TRACED, Record
from sim.classroom.course.words import words
from sim.theory.styles import STYLE_CUT, style_name
from sim.therapy.session import CENSORED, ENDINGS, PLANNED

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
    by_session: dict[int, list[dict[str, Any]]] = {}
    for one in ruptures(record):
        by_session.setdefault(one["session"], []).append(one)
    alliance = np.concatenate([[record.first_alliance()[0]], record.alliance()[:, 0]])
    held = int(record.held[0])
    return [_note(record, s, by_session.get(s, []), alliance[s] - alliance[s - 1]) for s in range(1, held + 1)]


def _note(record: Record, session: int, events: list[dict[str, Any]], grown: float) -> dict[str, str]:
    said = words()["notes"]
    happened = [_event(one) for one in events if one["kind"] == "repair"]
    broken = [one for one in events if one["kind"] != "repair"]
    if len(broken) > 2:
        repaired = sum(one["repaired"] for one in broken)
        happened.append(said["many_ruptures"].format(n=len(broken), repaired=repaired))
    else:
        happened += [_event(one) for one in broken]
    moved = said["grew"] if grown > MOVED else said["fell"] if grown < -MOVED else said["stayed"]
    if not happened:
        happened.append(said["quiet"].format(moved=moved))
    short = happened[-1]
    last = session == int(record.held[0])
    if last and record.ending[0] not in (PLANNED, CENSORED):
        leaving = words()["endings"][ENDINGS[int(record.ending[0])]].format(session=session)
        happened.append(leaving)
        short = leaving
    return {
        "short": short,
        "happened": " ".join(happened),
        "client": _client(record, session),
        "therapist": _therapist(record, session, broken),
    }


def _event(one: dict[str, Any]) -> str:
    said = words()["notes"]
    if one["kind"] == "repair":
        return str(said["repaired_later"])
    return str(said[one["kind"]].format(exchange=one["exchange"]) + " " + said["repaired" if one["repaired"] else "unrepaired"])


def _client(record: Record, session: int) -> str:
    """What the client thought: felt understanding against what was expected, and against what was given."""
    said = words()["notes"]
    inside = record.trace[session - 1]
    perceived, expected, given = (
        float(inside[:, TRACED.index(name)].mean()) for name in ("client_perceived", "client_expectation", "therapist_response")
    )
    felt = (
        said["client_more"]
        if perceived > expected + FELT
        else said["client_less"]
        if perceived < expected - FELT
        else said["client_as"]
    )
    lens = (
        said["perceived_less"]
        if perceived < given - FELT
        else said["perceived_more"]
        if perceived > given + FELT
        else said["perceived_as"]
    )
    return f"{felt.format(perceived=perceived, expected=expected)} {lens.format(perceived=perceived, given=given)}"


def _therapist(record: Record, session: int, broken: list[dict[str, Any]]) -> str:
    """What the therapist thought: the reading of the client's arousal, and how sure they were of a rupture."""
    said = words()["notes"]
    bias = float(record.session["directional_bias"][session - 1, 0])
    felt = float(record.trace[session - 1][:, TRACED.index("therapist_estimate")].mean()) - bias
    read = said["read_low"] if bias < -READ else said["read_high"] if bias > READ else said["read_right"]
    text = str(read.format(read=felt + bias, felt=felt))
    if broken:
        text += " " + said["noticed"].format(exchange=broken[-1]["exchange"], share=broken[-1]["noticed"])
    return text


def events(record: Record) -> list[dict[str, Any]]:
    """What the log lists: ruptures, repairs, another style with this therapist, leaving."""
    said = words()["events"]
    found = [
        {"session": one["session"], "kind": one["kind"], "repaired": one["repaired"],
         "text": said["repair"] if one["kind"] == "repair" else said[one["kind"]][int(one["repaired"])]}
        for one in ruptures(record)
    ]  # fmt: skip
    held = int(record.held[0])
    anxiety, avoidance = (
        np.concatenate([[1.0 + 6.0 * record.first[f"client_{name}"][0]], record.attachment("client", name)[:held, 0]])
        for name in ("anxiety", "avoidance")
    )
    now = str(style_name(anxiety[0], avoidance[0]))
    for session in range(1, held + 1):
        new = str(style_name(anxiety[session], avoidance[session]))
        clear = all(abs(x[session] - STYLE_CUT) > BEYOND for x in (anxiety, avoidance))
        if new != now and clear:
            found.append({"session": session, "kind": "style", "repaired": False,
                          "text": said["style"].format(style=words()["styles"][new])})  # fmt: skip
            now = new
    ending = ENDINGS[int(record.ending[0])]
    found.append({"session": held, "kind": ending, "repaired": False, "text": words()["endings"][ending].format(session=held)})
    return sorted(found, key=lambda one: one["session"])
