"""Whole sessions and weeks of life as machine code: the tuples of steps in one function, over a block of people at a time.

Where every step is of this package, a session's verbs and its exchanges run one after the other while the block's numbers stay in
the processor's cache; columns are loaded once and stored once. The text is made of the same tuples that the plain engine walks,
and the numbers are the same, bit for bit (``tests/test_engines.py``). Whatever is not a step of this package, and whatever an
experiment does inside a session, is done verb by verb instead (``session.hold``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sim.compiling import generated_module
from sim.engine.native import (
    _COMES_IN,
    _GOES_OUT,
    _ROOM,
    _WHO,
    BLOCK,
    Slots,
    checked_ranges,
    exchanges,
    head,
    in_parts,
    loop,
    mean_is_no_number,
    parameters_of,
)
from sim.engine.wiring import Wired, wire
from sim.measurement.asked import Ask
from sim.people.life import LIFE
from sim.people.state import DYAD, PERSON, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import ROLES
from sim.theory.steps import ADD, SET, SUBTRACT, TOWARD, Draw, Step

_BROUGHT = {f"{role}.{name}": column for role in ROLES for name, column in PERSON.items()}
_KIND = "@njit(cache=True, nogil=True, error_model='numpy')"


def _added(name: str) -> str:
    """What a step adds to a therapist, who may have met others too: kept apart until everybody has met."""
    return f"added {name}"


def _written(w: Wired, place: int, value: str, slots: Slots, columns: Mapping[str, Column]) -> list[str]:
    """Lines that write one of a step's values, and parameters they need."""
    step, name = w.step, w.step.writes[place]
    rate = step.rates[place] if step.rates else ""
    there = slots.at(name)
    if name not in columns or step.how == SET:
        new = value
    elif step.how == TOWARD:
        new = f"{there} + rate_{place} * ({value} - {there})"
    else:
        assert step.how in (ADD, SUBTRACT)
        change = f"{'-' if step.how == SUBTRACT else ''}({f'rate_{place} * {value}' if rate else value})"
        if name.startswith("therapist."):
            return [f"{slots.at(_added(name))} = {change}"]
        new = f"{there} + {change}"
    if name in columns and columns[name].kept:
        new = f"minimum(maximum({new}, {columns[name].low!r}), {columns[name].high!r})"
    return [f"{there} = {new}"]


def _step(w: Wired, slots: Slots, columns: Mapping[str, Column], draws: Mapping[str, Draw]) -> list[str]:
    """The loop of one step, and what it draws."""
    lines = [f"    # {w.step.name}", *parameters_of(w)]
    lines += [f"    rate_{place} = p.{rate}" for place, rate in enumerate(w.step.rates) if rate]
    for name in dict.fromkeys(v for v in w.variables if v in draws):
        lines += _stream(draws[name])
        fill, more = ("normals_into", ", again") if draws[name].kind == "normal" else ("uniforms_into", "")
        lines += [f"    {fill}({slots.all(name)}, streams[:B], FIRST{more})"]
    variables = [slots.at(v) if v in slots else v for v in w.variables]
    new = [f"new_{place}" for place in range(len(w.step.writes))]
    one = len(new) > 1 and w.step.how in (ADD, SUBTRACT)  # one value that goes to several places
    inside = [f"{'new_0' if one else ', '.join(new)} = {w.function}({', '.join(variables)})"]
    for place in range(len(new)):
        inside += _written(w, place, "new_0" if one else new[place], slots, columns)
    return [*lines, *loop(*inside)]


def _stream(draw: Draw) -> list[str]:
    when = "always" if draw.once else "here"
    return loop(f"streams[j] = absorbed({draw.whose}_{when}[j], PURPOSE_{draw.name})")


def _asked(ask: Ask, slots: Slots) -> list[str]:
    """The loops of a questionnaire: true responses, and answers to its items."""
    whose = "client" if ask.rater == "client" else "pair"
    lines = [f"    # {ask.name}"]
    for place, (_, quantity, score) in enumerate(ask.scales):
        one = ask.instruments[place]
        plus = f" + {slots.at(ask.plus[place])}" if ask.plus else " + 0.0"
        width = float(one.high) - float(one.low)
        lines += loop(f"{slots.at('true response')} = {float(one.low)!r} + {width!r} * {slots.at(quantity)}{plus}")
        lines += _stream(Draw(ask.purpose(place), whose))
        lines += [f"    item_sd = p.{one.item_sd}",
                  f"    answered(f, {slots['true response']}, {slots[score]}, streams, noise, again, {one.items}, "
                  f"{float(one.low)!r}, {float(one.high)!r}, item_sd, {ask.times!r}, B)"]  # fmt: skip
    if ask.total:
        scores = ", ".join(slots.at(score) for _, _, score in ask.scales)
        lines += loop(f"{slots.at(ask.total)} = alliance({scores})")
    return lines


def _loops(steps: Sequence[Step | Ask], slots: Slots, columns: Mapping[str, Column], wired: Sequence[Wired],
           draws: Mapping[str, Draw]) -> list[list[str]]:  # fmt: skip
    of = iter(wired)
    return [_asked(step, slots) if isinstance(step, Ask) else _step(next(of), slots, columns, draws) for step in steps]


def _everything(steps: Sequence[Step | Ask], parameters: Iterable[str], columns: Mapping[str, Column]) -> tuple[Any, Any]:
    """Steps wired, with the draws of questionnaires among theirs."""
    wired, wiring = wire(tuple(step for step in steps if isinstance(step, Step)), parameters, columns)
    for ask in (step for step in steps if isinstance(step, Ask)):
        for place in range(len(ask.scales)):
            draw = Draw(ask.purpose(place))
            wiring.draws[draw.name] = draw
    return wired, wiring


def session_source(before: tuple[Step | Ask, ...], exchange: tuple[Step, ...], after: tuple[Step | Ask, ...],
                   parameters: Iterable[str] = tuple(PARAMETERS), own: Mapping[str, Column] = DYAD,
                   block: int = BLOCK) -> str:  # fmt: skip
    """The text of a module whose ``session`` does one session for some rows of the dyads: steps ``before`` the exchanges, the
    exchanges, and steps ``after`` them.

    ``own``: the columns of the dyads, in order. ``block``: how many dyads are computed together, which changes no number.
    """
    kept_apart = Column("", 0.0, float("-inf"), float("inf"), "", "")
    ratings = [name for step in (*before, *after) for name in step.writes if name.startswith("rating.")]
    columns = {**own, **_BROUGHT, **dict.fromkeys((*ratings, "ending"), kept_apart)}
    one = exchanges(exchange, parameters, own, intervened=False)
    slots = one.slots
    wired, wiring = _everything((*before, *after), parameters, {**columns, **dict.fromkeys(one.stored, kept_apart)})
    n_before = sum(isinstance(step, Step) for step in before)
    for name in (*wiring.read, *wiring.written, *(q for step in (*before, *after) if isinstance(step, Ask) for q in step.reads)):
        slots[name]
    slots["planned_sessions"], slots["true response"]
    first = _loops(before, slots, columns, wired[:n_before], wiring.draws)
    last = _loops(after, slots, columns, wired[n_before:], wiring.draws)
    one.wiring.draws.update(wiring.draws)

    moved = {q for w in wired for q in w.step.writes if w.step.how != SET}
    begun = {q for w in wired[:n_before] for q in w.step.writes if w.step.how == SET}
    needed = ({*wiring.read, *moved} - ({*one.stored} - {*one.loaded})) | ({*one.loaded} - begun)
    dyads = [q for q in slots if q in own and q in needed]
    brought = [q for q in slots if q in _BROUGHT]
    added = [q for q in _BROUGHT if _added(q) in slots]
    changed = [q for w in wired for q in w.step.writes if q.startswith("client.")]
    index, person = {name: i for i, name in enumerate(own)}, {name: i for i, name in enumerate(PERSON)}
    written = list(dict.fromkeys([*(q for w in wired for q in w.step.writes if q in own), *one.stored]))
    passed = "f, p, streams, again, noise, client_here, therapist_here, pair_here, client_always, therapist_always, pair_always"
    functions_before, calls_before = in_parts("before", _KIND, passed, first)
    functions_after, calls_after = in_parts("after", _KIND, passed, last)
    out = head([*one.wired, *wired], one.wiring, slots, block)
    out += ["from sim.elementary import maximum, minimum", "from sim.theory.equations import alliance"]
    out += checked_ranges("IN", one.loaded, own, slots) + checked_ranges("OUT", one.kept, own, slots)
    out += [*one.functions, *functions_before, *functions_after]
    out += [
        "", "", _KIND,
        "def session(data, clients, therapists, rows, client_of, therapist_of, client_code, therapist_code, pair_code, "
        "planned_sessions, week, seed, replicate, parameters, n_exchanges, trace_row, trace, ratings, ending):",
        *_ROOM,
        f"    streams = np.empty({max(len(one.wiring.draws), 1)} * B, np.uint64)",
        "    client, therapist, never = np.empty(B, np.int64), np.empty(B, np.int64), np.uint64(0)",
        "    therapist_here, client_always = np.empty(B, np.uint64), np.empty(B, np.uint64)",
        "    therapist_always, pair_always = np.empty(B, np.uint64), np.empty(B, np.uint64)",
        f"    added, noise = np.empty(({max(len(added), 1)}, rows.size)), np.empty(B)",
        *_WHO,
        "            client[jj], therapist[jj] = client_of[i], therapist_of[i]",
        *(f"            {who}_{when}[jj] = occasion(seed, replicate, {code}, {at})"
          for who, code in (("client", "client_code[client_of[i]]"), ("therapist", "therapist_code[therapist_of[i]]"),
                            ("pair", "pair_code[i]"))
          for when, at in (("here", "week"), ("always", "never"))),
    ]  # fmt: skip
    for q in dyads:
        out += loop(f"{slots.at(q)} = data[{index[q]}, ids[j]]", indent="        ")
    for q in brought:
        role, _, name = q.partition(".")
        out += loop(f"{slots.at(q)} = {role}s[{person[name]}, {role}[j]]", indent="        ")
    out += loop(f"{slots.at('planned_sessions')} = planned_sessions[ids[j]]", indent="        ")
    out += [*(f"        {call}" for call in calls_before), *_COMES_IN, f"        {one.call}", *_GOES_OUT,
            *mean_is_no_number(one, own),
            "        if failed >= 0:", "            return rows[first + failed], which",
            *(f"        {call}" for call in calls_after)]  # fmt: skip
    for q in written:
        out += ["        for jj in range(nb):", f"            data[{index[q]}, ids[jj]] = f[{slots[q]} * B + jj]"]
    for q in dict.fromkeys(changed):
        column = person[q.partition(".")[2]]
        out += ["        for jj in range(nb):", f"            clients[{column}, client[jj]] = f[{slots[q]} * B + jj]"]
    for k, q in enumerate(ratings):
        out += ["        for jj in range(nb):", f"            ratings[{k}, ids[jj]] = f[{slots[q]} * B + jj]"]
    for k, q in enumerate(added):
        out += [f"        added[{k}, first:first + nb] = f[{slots[_added(q)]} * B:{slots[_added(q)]} * B + nb]"]
    if "ending" in slots:
        out += ["        for jj in range(nb):", f"            ending[ids[jj]] = int(f[{slots['ending']} * B + jj])"]
    for k, q in enumerate(added):  # a therapist may have met several clients: in the order of rows
        at, kept = person[q.partition(".")[2]], _BROUGHT[q]
        out += ["    for r in range(rows.size):", f"        therapists[{at}, therapist_of[rows[r]]] += added[{k}, r]"]
        if kept.kept:
            inside = f"minimum(maximum(therapists[{at}, i], {kept.low!r}), {kept.high!r})"
            out += ["    for i in range(therapists.shape[1]):", f"        therapists[{at}, i] = {inside}"]
    out += ["    return -1, -1", ""]
    return "\n".join(out)


def life_source(steps: tuple[Step, ...], block: int = BLOCK) -> str:
    """The text of a module whose ``life`` does one week of life for people (all columns of ``PERSON``)."""
    wired, wiring = _everything(steps, tuple(PARAMETERS), PERSON)
    slots = Slots()
    for name in (*wiring.read, *wiring.written, *wiring.draws):
        slots[name]
    index = {name: i for i, name in enumerate(PERSON)}
    lines = _loops(steps, slots, PERSON, wired, wiring.draws)
    functions, calls = in_parts("steps", _KIND, "f, p, streams, again, person_here", lines)
    out = [*head(wired, wiring, slots, block), "from sim.elementary import maximum, minimum", *functions]
    out += [
        "", "", _KIND,
        "def life(people, code, week, seed, replicate, parameters):",
        "    p = parameters[0]",
        "    f, again = np.empty(N_SLOTS * B), np.empty(B, np.int64)",
        "    streams, person_here = np.empty(B, np.uint64), np.empty(B, np.uint64)",
        "    for first in range(0, code.size, B):",
        "        nb = min(B, code.size - first)",
        "        for jj in range(B):  # a block that is not full is filled up with its last person",
        "            person_here[jj] = occasion(seed, replicate, code[first + min(jj, nb - 1)], week)",
    ]  # fmt: skip
    for q in (q for q in slots if q in PERSON):
        there = f"people[{index[q]}, first + min(jj, nb - 1)]"
        out += ["        for jj in range(B):", f"            f[{slots[q]} * B + jj] = {there}"]
    out += [f"        {call}" for call in calls]
    for q in dict.fromkeys(q for w in wired for q in w.step.writes if q in PERSON):
        out += ["        for jj in range(nb):", f"            people[{index[q]}, first + jj] = f[{slots[q]} * B + jj]"]
    return "\n".join([*out, ""])


@lru_cache(maxsize=16)
def session_kernel(
    before: tuple[Step | Ask, ...], exchange: tuple[Step, ...], after: tuple[Step | Ask, ...]
) -> Callable[..., Any]:
    """The compiled function ``session`` for these steps; the first use compiles (seconds) or loads from disk."""
    return generated_module("session", session_source(before, exchange, after)).session


@lru_cache(maxsize=4)
def life_kernel(role: str) -> Callable[..., Any]:
    """The compiled function ``life`` of a client or a therapist."""
    return generated_module(f"life_{role}", life_source(LIFE[role])).life


def ratings_of(steps: Iterable[Step | Ask]) -> tuple[str, ...]:
    """The ratings that steps write, in the order in which ``session`` leaves them."""
    return tuple(name.removeprefix("rating.") for step in steps for name in step.writes if name.startswith("rating."))
