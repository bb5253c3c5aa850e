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
from sim.engine.blocks import MOST
from sim.engine.native import ALWAYS, BLOCK, FILLED, GIVE_UP, HERE, ROOM, WHO, Text, exchanges, handed, loop
from sim.engine.wiring import Wired, wire
from sim.errors import WiringError
from sim.luck import purpose_code
from sim.measurement.asked import Ask
from sim.people.life import LIFE, NUMBERS
from sim.people.population import DISTRESS, KEPT, PLACE, TABLES, WANTED
from sim.people.state import ANYTHING, DYAD, LATENT, OF_PEOPLE, PERSON, REGION_COLUMNS, Column
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import ROLES, intact
from sim.theory.steps import ADD, SET, SUBTRACT, TOWARD, Draw, Step

#: Columns of the dyads that the session table shows, or is made of; behind the ratings.
TABLE = (
    *LATENT.values(), *REGION_COLUMNS.values(), "client_distress", "client_anxiety", "client_avoidance", "therapist_anxiety",
    "therapist_avoidance", "withdrawals", "confrontations",
)  # fmt: skip
_PARAMETERS = (*PARAMETERS, *intact())
_IN_PARTS = ("f", "p", "sixteens", "streams", "noise", "again", "here", "calls")


def _added(name: str) -> str:
    """What a step adds to a therapist, who may have met others too: kept apart until everybody has met."""
    return f"added {name}"


def _written(text: Text, w: Wired, place: int, value: str, columns: Mapping[str, Column]) -> str:
    """The line that writes one of a step's values.

    Raises ``WiringError`` where a therapist, who may meet others too, is given more than one sum that is added when all have met.
    """
    name, rated, there = w.step.writes[place], bool(w.step.rates and w.step.rates[place]), text.slots.at(w.step.writes[place])
    if name.startswith("therapist.") and (w.step.how not in (ADD, SUBTRACT) or _added(name) in text.slots):
        raise WiringError(f"step {w.step.name}: in a session {name} can be added to once, and not be written otherwise")
    if name not in columns or w.step.how == SET:
        new = value
    elif w.step.how == TOWARD:
        new = f"{there} + rate_{place} * ({value} - {there})"
    else:
        assert w.step.how in (ADD, SUBTRACT)
        change = f"{'-' if w.step.how == SUBTRACT else ''}({f'rate_{place} * {value}' if rated else value})"
        if name.startswith("therapist."):
            return f"{text.slots.at(_added(name))} = {change}"
        new = f"{there} + {change}"
    if name in columns and columns[name].kept:
        new = f"minimum(maximum({new}, {float(columns[name].low)!r}), {float(columns[name].high)!r})"
    return f"{there} = {new}"


def _stream(text: Text, draw: Draw) -> list[str]:
    """Lines that find where the block's random numbers for a purpose begin."""
    text.draws[draw.name] = draw
    return loop(f"streams[j] = absorbed(here[{(ALWAYS if draw.once else HERE)[draw.whose]} + j], PURPOSE_{draw.name})")


def _step(text: Text, w: Wired, columns: Mapping[str, Column], draws: Mapping[str, Draw]) -> list[str]:
    """The loop of one step, and what it draws."""
    if late := [v for v in w.variables if _added(v) in text.slots]:
        raise WiringError(f"step {w.step.name}: {late[0]} is known again when all have met")
    lines = [f"    # {w.step.name}", *text.taken(w)]
    lines += [f"    rate_{place} = {text.parameter(rate)}" for place, rate in enumerate(w.step.rates) if rate]
    for name in dict.fromkeys(v for v in w.variables if v in draws):
        lines += _stream(text, draws[name])
        lines += [f"    call(calls[{draws[name].kind.upper()}S], (f, {text.slots[name]}, streams, 0, FIRST, again, n, B))"]
    variables = [text.slots.at(v) if v in text.slots else v for v in w.variables]
    new = [f"new_{place}" for place in range(w.step.values)]
    inside = [f"{', '.join(new)} = {w.function}({', '.join(variables)})"]
    inside += [_written(text, w, place, new[min(place, len(new) - 1)], columns) for place in range(len(w.step.writes))]
    return [*lines, *loop(*inside)]


def _asked(text: Text, ask: Ask) -> list[str]:
    """The loops of a questionnaire: true responses, and answers to its items."""
    slots, lines = text.slots, [f"    # {ask.name}"]
    for place, (_, quantity, score) in enumerate(ask.scales):
        one = ask.instruments[place]
        plus = slots.at(ask.plus[place]) if ask.plus else "0.0"
        low, high = float(one.low), float(one.high)
        lines += loop(f"{slots.at('true response')} = {low!r} + {high - low!r} * {slots.at(quantity)} + {plus}")
        lines += _stream(text, Draw(ask.purpose(place), "client" if ask.rater == "client" else "pair"))
        given = f"f, {slots['true response']}, {slots[score]}, streams, noise, again, {one.items}, {low!r}, {high!r}"
        lines += [f"    item_sd = {text.parameter(one.item_sd)}",
                  f"    call(calls[ANSWER], ({given}, item_sd, {float(ask.times)!r}, n, B))"]  # fmt: skip
    if ask.total:
        scores = ", ".join(slots.at(score) for _, _, score in ask.scales)
        lines += loop(f"{slots.at(ask.total)} = mean_of_three({scores})")
    return lines


def _loops(text: Text, steps: Sequence[Step | Ask], wired: Sequence[Wired], columns: Mapping[str, Column],
           draws: Mapping[str, Draw]) -> list[list[str]]:  # fmt: skip
    of = iter(wired)
    return [_asked(text, step) if isinstance(step, Ask) else _step(text, next(of), columns, draws) for step in steps]


def session_source(before: tuple[Step | Ask, ...], exchange: tuple[Step, ...], after: tuple[Step | Ask, ...],
                   block: int = BLOCK) -> str:  # fmt: skip
    """The text of a module whose ``session`` does one session for some rows of the dyads: steps ``before`` the exchanges, the
    exchanges, and steps ``after`` them.

    ``table``, where it has columns, is filled with what the session table shows (``TABLE``), one column a row that meets; where
    the session is ``lean``, only those columns of the dyads are stored that a later session reads. ``block``: how many dyads are
    computed together, which changes no number.
    """
    text, both = Text(_PARAMETERS, block=block), (*before, *after)
    slots, ratings = text.slots, [f"rating.{name}" for name in ratings_of(both)]
    columns = {**DYAD, **OF_PEOPLE, **dict.fromkeys((*ratings, "ending"), ANYTHING)}
    one = exchanges(text, exchange, DYAD)
    wired, wiring = wire(tuple(step for step in both if isinstance(step, Step)), _PARAMETERS, columns)
    text.wired += wired
    n_before = sum(isinstance(step, Step) for step in before)
    for name in (
        *wiring.read,
        *wiring.written,
        *wiring.draws,
        *TABLE,
        *(q for ask in both if isinstance(ask, Ask) for q in ask.reads),
    ):
        slots[name]
    slots["planned_sessions"], slots["true response"]
    calls_before = text.add_parts("before", _IN_PARTS, _loops(text, before, wired[:n_before], columns, wiring.draws))
    calls_after = text.add_parts("after", _IN_PARTS, _loops(text, after, wired[n_before:], columns, wiring.draws))

    moved = {q for w in wired for q in w.step.writes if w.step.how != SET}
    begun = {q for w in wired[:n_before] for q in w.step.writes if w.step.how == SET}
    needed = ({*wiring.read, *moved} - ({*one.stored} - {*one.loaded})) | ({*one.loaded} - begun)
    assert {*TABLE} <= {*needed, *one.stored, *(q for w in wired for q in w.step.writes)}, "what is shown is not known here"
    added = [q for q in OF_PEOPLE if _added(q) in slots]
    index, person = {name: i for i, name in enumerate(DYAD)}, {name: i for i, name in enumerate(PERSON)}
    out = [
        *ROOM, f"    streams = np.empty({max(len(text.draws), 1)} * B, np.uint64)",
        "    client, therapist, place, never = np.empty(B, np.int64), np.empty(B, np.int64), np.empty(B, np.int64), np.uint64(0)",
        f"    added = np.empty(({max(len(added), 1)}, rows.size))", *WHO,
        "            client[jj], therapist[jj], place[jj] = client_of[i], therapist_of[i], first + jj",
        *(f"            here[{place} * B + jj] = occasion(seed, replicate, {code}, {when})"
          for place, (when, code) in enumerate((when, code) for when in ("week", "never") for code in (
              "client_code[client_of[i]]", "therapist_code[therapist_of[i]]", "pair_code[i]"))),
    ]  # fmt: skip
    of = {role: {f"{role}.{name}": k for name, k in person.items()} for role in ROLES}
    read = {role: [q for q in slots if q in of[role]] for role in ROLES}
    written = [q for w in wired for q in w.step.writes]
    stored = list(dict.fromkeys([*(q for q in written if q in DYAD), *one.stored]))
    changed = list(dict.fromkeys(q for q in written if q in of["client"]))
    shown = [*ratings, *TABLE]
    text.ranges("LATE", list(dict.fromkeys(q for w in wired[n_before:] for q in w.step.writes if q in DYAD)), DYAD)
    text.ranges("RATING", ratings, {name: Column(name, 0.0, -MOST, MOST, "", "") for name in ratings})
    out += [
        text.moved("gather", "LOADED", "data", [q for q in slots if q in DYAD and q in needed], "ids", index),
        *(text.moved("gather", role.upper(), f"{role}s", read[role], role, of[role]) for role in ROLES),
        *loop(f"{slots.at('planned_sessions')} = planned_sessions[ids[j]]", indent="        "),
        *(f"        {call}" for call in calls_before), *one.lines, *GIVE_UP,
        *(f"        {call}" for call in calls_after),
        "        late, what = outside(f, LATE_SLOTS, LATE_LOW, LATE_HIGH, nb, n, B)",
        "        if late >= 0:",
        "            data[LATE_COLUMN[what], ids[late]] = f[LATE_SLOTS[what] * B + late]",
        "            return ids[late], LATE_COLUMN[what]",
        "        failed, which = outside(f, RATING_SLOTS, RATING_LOW, RATING_HIGH, nb, n, B)  # a rating that is no number",
        "        if failed >= 0:", "            return ids[failed], -1 - which",
        "        if lean:",
        "    " + text.moved("scatter", "LASTING", "data", [q for q in stored if q in needed], "ids", index),
        "        else:",
        "    " + text.moved("scatter", "STORED", "data", stored, "ids", index),
        "        if table.shape[1]:",
        "    " + text.moved("scatter", "SHOWN", "table", shown, "place"),
        text.moved("scatter", "CHANGED", "clients", changed, "client", of["client"]),
        text.moved("scatter", "RATED", "ratings", ratings, "ids"),
        text.moved("scatter", "ADDED", "added", [*map(_added, added)], "place"),
    ]  # fmt: skip
    if "ending" in wiring.written:
        out += ["        for jj in range(nb):", f"            ending[ids[jj]] = int(f[{slots['ending']} * B + jj])"]
    for k, q in enumerate(added):  # a therapist may have met several clients: in the order of rows
        at, column = person[q.partition(".")[2]], OF_PEOPLE[q]
        out += ["    for r in range(rows.size):", f"        therapists[{at}, therapist_of[rows[r]]] += added[{k}, r]"]
        if column.kept:
            inside = f"minimum(maximum(therapists[{at}, i], {float(column.low)!r}), {float(column.high)!r})"
            out += ["    for i in range(therapists.shape[1]):", f"        therapists[{at}, i] = {inside}"]
    return text.whole("session", _TAKEN, [*out, "    return NOTHING"])


_TAKEN = (
    "data", "clients", "therapists", "rows", "client_of", "therapist_of", "client_code", "therapist_code", "pair_code",
    "planned_sessions", "week", "seed", "replicate", "p", "n_exchanges", "trace_row", "trace", "ratings", "ending", "table",
    "lean",
)  # fmt: skip


def life_source(steps: tuple[Step, ...], block: int = BLOCK) -> str:
    """The text of a module whose ``life`` does a week of life for people (columns of ``PERSON``), as many as there are codes."""
    text = Text(NUMBERS, block=block)
    wired, wiring = wire(steps, NUMBERS, PERSON)
    assert not any(draw.once for draw in wiring.draws.values()), "a week of life draws anew"
    text.wired, slots, index = wired, text.slots, {name: i for i, name in enumerate(PERSON)}
    for name in (*wiring.read, *wiring.written, *wiring.draws):
        slots[name]
    calls = text.add_parts("steps", _IN_PARTS, _loops(text, steps, wired, PERSON, wiring.draws))
    out = [
        *ROOM, "    streams = np.empty(B, np.uint64)",
        "    for first in range(0, code.size, B):",
        *FILLED.format(all="code.size").splitlines(),
        "        for jj in range(n):",
        "            ids[jj] = first + min(jj, nb - 1)",
        "            here[jj] = occasion(seed, replicate, code[ids[jj]], week)",
    ]  # fmt: skip
    kept = list(dict.fromkeys(q for w in wired for q in w.step.writes if q in PERSON))
    out += [
        text.moved("gather", "LOADED", "people", [q for q in slots if q in PERSON], "ids", index),
        *(f"        {call}" for call in calls),
        text.moved("scatter", "STORED", "people", kept, "ids", index),
    ]
    return text.whole("life", ("people", "code", "week", "seed", "replicate", "p"), out, gives="types.void")


def candidates_source(parts: Sequence[tuple[Step, ...]], numbers: tuple[str, ...], tables: Sequence[str],
                      kept: Sequence[str]) -> str:  # fmt: skip
    """The text of a module whose ``candidates`` finds for each person the first attempt that fits: of each of the ``parts``, in
    order, the steps are done one after the other for one candidate, who is dropped where ``fits`` is 0 behind them.

    ``numbers``: names of what ``p`` holds; ``tables``: of the tables that it takes; ``kept``: what of the candidate goes into the
    rows of ``out``. It gives the place of the first person for whom nobody is found, or -1.
    """
    wired, wiring = wire(tuple(step for part in parts for step in part), numbers, dict.fromkeys(tables, ANYTHING))
    left, inside = iter(wired), []
    for part in parts:
        for _ in part:
            w = next(left)
            given = [f"p[{numbers.index(v[2:])}]" if v.startswith("p_") else v for v in w.variables]
            for draw in (wiring.draws[v] for v in w.variables if v in wiring.draws):
                code = f"np.uint64({int(purpose_code(draw.purpose))})"
                inside.append(f"{draw.name} = {draw.kind}_at(absorbed(here, {code}), np.uint64(0))")
            inside.append(f"{', '.join(w.step.writes)} = {w.function}({', '.join(given)})")
        inside += ["if not fits > 0.0:", "    continue"]
    taken = ", ".join(tables)
    return "\n".join([
        '"""Generated from tuples of steps; do not edit."""', "import numpy as np", "from numba import njit",
        "from sim.luck import absorbed, normal_at, occasion, uniform_at",
        *dict.fromkeys(f"from {w.step.equation.__module__} import {w.step.equation.__name__} as {w.function}" for w in wired),
        "", "", "@njit(cache=True, nogil=True, error_model='numpy')",
        f"def candidates(code, seed, replicate, p, {taken}, most, out):",
        "    for i in range(code.size):", "        found = False", "        for attempt in range(most):",
        "            here = occasion(seed, replicate, code[i], np.uint64(attempt))", *(f"            {line}" for line in inside),
        *(f"            out[{k}, i] = {name}" for k, name in enumerate(kept)),
        "            found = True", "            break", "        if not found:", "            return i", "    return -1", "",
    ])  # fmt: skip


@lru_cache(maxsize=1)
def candidates_kernel() -> Callable[..., Any]:
    """The compiled function ``candidates`` of the shipped population."""
    return generated_module("candidates", candidates_source((PLACE, DISTRESS), (*NUMBERS, *WANTED), TABLES, KEPT)).candidates


@lru_cache(maxsize=16)
def session_kernel(
    before: tuple[Step | Ask, ...], exchange: tuple[Step, ...], after: tuple[Step | Ask, ...]
) -> Callable[..., Any]:
    """The compiled function ``session`` for these steps; the first use compiles (seconds) or loads from disk."""
    module = generated_module("session", session_source(before, exchange, after))
    return handed(module.session, module.PARTS, module.NUMBERS)


@lru_cache(maxsize=1)
def life_kernel() -> Callable[..., Any]:
    """The compiled function ``life``, for clients and therapists."""
    module = generated_module("life", life_source(LIFE))
    return handed(module.life, module.PARTS, module.NUMBERS)


def ratings_of(steps: Iterable[Step | Ask]) -> tuple[str, ...]:
    """The ratings that steps write, in the order in which ``session`` leaves them."""
    return tuple(name.removeprefix("rating.") for step in steps for name in step.writes if name.startswith("rating."))
