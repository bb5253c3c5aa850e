"""The program of the web engine: its text, written from the tuples of steps, where everything stands in memory, and the module.

A world is one column of numbers: what is kept of the two (``DYAD``), each person (``PERSON``, and room for what passes), and
what passes in a session. There are two: the other is the baseline, where something is held at its course there. The flow of a
course is the text of ``course``; what it calls is written here, or stands in ``fixed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np

from sim.engine.blocks import MOST, tracking
from sim.engine.native import Slots
from sim.engine.web import fixed
from sim.engine.web.course import TEXT
from sim.engine.web.emit import Module
from sim.engine.web.kinds import DOUBLE, SIGNED, UNSIGNED, Placed, shifted, sources
from sim.engine.web.kinds import Column as Numbers
from sim.engine.web.steps import Steps, kept_within, number, stream
from sim.engine.wiring import ACCURACY, READ, READING, Wired, anatomy, bounds, moment_of_reading, trace_columns, wire
from sim.luck import absorbed, occasion, pair_of
from sim.measurement.asked import attachment_asked, distress_asked
from sim.people.life import EARLY, LIFE, NUMBERS, beginning
from sim.people.population import DIMENSIONS, DISTRESS, KEPT, MOST_ATTEMPTS, PLACE, TABLES, WANTED, widest_sd
from sim.people.state import ANYTHING, DYAD, LATENT, OF_PEOPLE, PERSON, REGION_COLUMNS, Column
from sim.scenario.fields import json_schema
from sim.theory.arithmetic import Z_MOST, Z_STEPS
from sim.theory.parameters import OF_ROLE, PARAMETERS
from sim.theory.regions import ROLES, intact
from sim.theory.steps import Step
from sim.theory.styles import LOWEST, WIDTH
from sim.therapy import endings, interventions
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.exchange import EXCHANGE
from sim.therapy.policies import POLICIES
from sim.therapy.session import SCORES, SESSION
from sim.therapy.verbs import BEFORE, FIRST_MEETING, SESSION_LINKS, SESSION_RULES, Verb

#: Numbers of the model as every function takes them: parameters, strengths of regions, and whether nothing is drawn.
P = (*PARAMETERS, *intact(), "still")
#: Where an experiment can reach into the exchange.
PLACES = anatomy(EXCHANGE)
TRACED = tuple(trace_columns(EXCHANGE))
#: What is set for a run, beside numbers and people.
SETTINGS = ("sessions", "follow_up_months", "weeks", "exchanges", "therapy", "experiment", "caseload", "n_added", "followed")
#: There is room for so many exchanges in a session, and for what all policies together add to therapists.
MOST_EXCHANGES, MOST_ADDED = json_schema()["properties"]["exchanges"]["maximum"], sum(len(one.adds) for one in POLICIES.values())
#: What can go wrong.
ERRORS = ("nobody", "of_the_two", "no_rating", "of_client", "of_therapist")
RATINGS = tuple(f"rating.{name}" for name in SCORES)
_ROOM_OF_A_PERSON, _ROOM_OF_A_WORLD = 128, 1024
_DYADS = list(DYAD)
#: How a session is held: as usual, with an experimenter's hand in it, or with that beside the baseline.
_USUAL, _REACHED, _BESIDE = "usual", "reached", "beside"


def _slots(names: Iterable[str]) -> Slots:
    """Places of these names; one that is new gets the next."""
    return Slots({name: k for k, name in enumerate(names)})


def _experiment() -> Slots:
    """Where what an experimenter does stands in its column: first what the baseline is without."""
    writes = range(len(PLACES.writes))
    return _slots([
        *(f"cut {link}" for link in interventions.links(PLACES)), *(f"held {name}" for name in DYAD),
        *(f"off {name}" for name in interventions.step_names(PLACES)),
        *(f"place {k}" for k in writes), *(f"shift {k}" for k in writes), *(f"forced {k}" for k in writes),
        "recording", "holding", "n_held", "n_forced",
    ])  # fmt: skip


def _world() -> Slots:
    """Where what is known of two people stands in the column of their world."""
    passing = range(len(PERSON), _ROOM_OF_A_PERSON)
    people = (name for role in ROLES for name in (*(f"{role}.{name}" for name in PERSON), *(f"{role} {k}" for k in passing)))
    return _slots([*DYAD, *people])


def _first(role: str) -> int:
    return len(DYAD) + ROLES.index(role) * _ROOM_OF_A_PERSON


def _indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" for line in lines]


class Program:
    """The whole program.

    ``tables``: what comes out, table -> column -> the text of its value (of ``clients`` names only); ``memory``: columns that are
    written from outside, by name.
    """

    def __init__(self) -> None:
        self.module, self.x, self.person, self.world = Module(), _experiment(), _slots(PERSON), _world()
        self.memory: dict[str, Placed] = {}
        self.known: dict[str, Any] = {
            **{name: one for name, one in vars(fixed).items() if callable(one)},
            **{one.__name__: one for one in (absorbed, occasion, pair_of, shifted, tracking, widest_sd)}, "np": np,
        }  # fmt: skip
        self.text: list[str] = []
        self.kept = {**DYAD, **OF_PEOPLE, **dict.fromkeys((*RATINGS, *BEFORE, "ending"), ANYTHING)}
        self._memory()
        self._constants()
        self._people()
        self._questionnaires()
        for reached in (False, True):
            for verb in (*FIRST_MEETING, *SESSION):
                if isinstance(verb, Verb):
                    self._verb(verb, reached)
            self._exchange(reached)
        for how in (_USUAL, _REACHED, _BESIDE):
            self._held(how)
        self.tables = {**self._clients(), **self._rows()}
        self.text += TEXT.splitlines()
        assert len(self.person) <= _ROOM_OF_A_PERSON and len(self.world) <= _ROOM_OF_A_WORLD, "there is no more room"

    @cached_property
    def wat(self) -> str:
        """The module as WebAssembly text; from then on the memory behind ``module.top`` is free."""
        clients = {f"AT_{name}": list(self.tables["clients"]).index(column) for name, column in (
            ("DISTRESS_END", "distress_end"), ("PLANNED", "planned_sessions"), ("ATTENDED", "sessions_attended"),
            ("ENDING", "ending"))}  # fmt: skip
        known = {**self.known, **clients, "N_OF_CLIENTS": len(self.tables["clients"])}
        functions, column = sources("\n".join(self.text), known, "the web engine's program"), Numbers()
        exported: dict[str, tuple[Any, ...]] = {
            "prepare": (), "weaken": (SIGNED, DOUBLE), "push": (SIGNED, DOUBLE, DOUBLE), "nobody": (SIGNED, SIGNED),
            "lay_out": (column, SIGNED, column), "many": (SIGNED, SIGNED, *(column,) * 5), "widest_sd": (DOUBLE,),
            "concentration": (DOUBLE, DOUBLE),
        }  # fmt: skip
        for name, kinds in exported.items():
            self.module.export(functions.get(name, self.known.get(name)), kinds, name)
        return self.module.text()

    # ------------------------------------------------------------------------------------------------------ memory

    def _room(self, name: str, numbers: int, of: str = DOUBLE) -> None:
        """A column that is written while the program runs."""
        self.memory[name] = self.known[name] = Placed(self.module.room(numbers), Numbers(of, numbers))

    def _given(self, name: str, values: Iterable[float], whole: bool = False) -> None:
        """A column that stays as it is."""
        column = np.array([*values], np.int64 if whole else np.float64)
        self.known[name] = Placed(self.module.column(column), Numbers(SIGNED if whole else DOUBLE, column.size, constant=True))

    def _ranges(self, name: str, places: Iterable[int], columns: Iterable[Column]) -> None:
        """Places and valid ranges of what is checked together."""
        some = list(columns)
        self._given(f"{name}_PLACES", places, whole=True)
        self._given(f"{name}_LOW", (column.low for column in some))
        self._given(f"{name}_HIGH", (column.high for column in some))

    def _memory(self) -> None:
        grid = (np.arange(Z_STEPS + 1) - Z_STEPS // 2) * (2.0 * Z_MOST / Z_STEPS)
        half = grid[: grid.size // 2 + 1]
        self._room("ADDRESS", 2, UNSIGNED)  # seed and replicate
        for name, numbers in (
            ("S", len(SETTINGS)), ("P0", len(P)), ("P1", len(P)), ("X0", len(self.x)), ("X1", len(self.x)),
            ("W0", _ROOM_OF_A_WORLD), ("W1", _ROOM_OF_A_WORLD), ("ADDED", 2 * MOST_ADDED),
            ("BASE", MOST_EXCHANGES * len(PLACES.writes)), ("ERROR", 4), ("SHARES", len(EARLY)), ("LOW_HALF", half.size),
            ("HIGH_HALF", half.size),
        ):  # fmt: skip
            self._room(name, numbers)
        for role in ROLES:
            self._room(f"OWN_{role}", len(OF_ROLE))
            self._room(f"WANTED_{role}", len(WANTED))
            self._room(f"EARLY_{role}", len(EARLY))  # as scores; NaN where people stood early where they stand today
            self._room(f"SPREAD_{role}", 1 + 2 * len(DIMENSIONS))  # whether normal, then mean and SD of each
            self._room(f"MADE_{role}", 3 * len(DIMENSIONS))  # for which of these the scores are
            for name in DIMENSIONS:
                self._room(f"SCORES_{role}_{name}", grid.size)
        self._given("GRID", grid)
        self._given("HALF_GRID", half)
        for name, columns in (("DYAD", DYAD), ("PERSON", PERSON)):
            self._given(f"{name}_START", (column.start for column in columns.values()))
            self._ranges(name, range(len(columns)), columns.values())
        late = list(dict.fromkeys(q for rule in SESSION_RULES for q in rule.writes if q in DYAD))
        self._ranges("LATE", map(_DYADS.index, late), map(DYAD.__getitem__, late))
        self._ranges("RATING", map(self.world.__getitem__, RATINGS), [_FINITE] * len(RATINGS))
        self._given("NOTHING_YET", map(self.world.__getitem__, (*BEFORE, *RATINGS)), whole=True)

    def _constants(self) -> None:
        """Numbers that the text of ``course`` calls by name."""
        self.known |= {name.upper(): k for k, name in enumerate(SETTINGS)}
        self.known |= {name.upper(): k for k, name in enumerate(ERRORS, 1)}
        self.known |= {name: float(getattr(endings, name)) for name in ("IN_THERAPY", "DROPOUT", "CENSORED", "UNTREATED")}
        self.known |= {
            "PLANNED": self.world["planned_sessions"], "ENDING": self.world["ending"], "SESSION": self.world["session"],
            "DISTRESS_RATED": self.world["rating.distress"], "CLIENT": _first("client"), "THERAPIST": _first("therapist"),
            "LIFE_EVENTS": self.person["life_events"], "HOLDING": self.x["holding"], "RECORDING": self.x["recording"],
            "N_FORCED": self.x["n_forced"], "N_HELD": self.x["n_held"], "HELD": self.x[f"held {_DYADS[0]}"],
            "FIRST_PLACE": self.x["place 0"], "FIRST_FORCED": self.x["forced 0"], "STILL": P.index("still"),
            "FIRST_REGION": len(PARAMETERS),
            "MISSING_FORM": P.index("missing_form_prob"), "MISSING_ITEM": P.index("missing_item_prob"), "LOWEST": LOWEST,
            "WIDTH": WIDTH, "WEEKS_PER_MONTH": WEEKS_PER_MONTH, "MOST_ATTEMPTS": MOST_ATTEMPTS,
        }  # fmt: skip

    # ------------------------------------------------------------------------------------------------------ the text

    def _function(self, head: str, *lines: str) -> None:
        self.text += ["", f"def {head}:", *_indented(lines or ("pass",))]

    def _steps(self, **how: Any) -> Steps:
        return Steps(functions=self.known, parameter=self._parameter, **how)

    @staticmethod
    def _parameter(name: str) -> str:
        for column, names in (("wanted", WANTED), ("early", EARLY)):
            if name in names:
                return f"{column}[{names.index(name)}]"
        return f"own[{OF_ROLE.index(name.removeprefix('own_'))}]" if name.startswith("own_") else f"p[{P.index(name)}]"

    def _alone(self, numbers: tuple[str, ...] = NUMBERS, still: str = "p[STILL]") -> Steps:
        """Steps of people by themselves."""
        return self._steps(
            place=lambda name: f"f[{self.person[name]}]", columns=PERSON, numbers=numbers, still=still,
            here=lambda draw: "always" if draw.once else "here",
        )  # fmt: skip

    def _people(self) -> None:
        """A candidate, what people bring, a week of life, the numbers of each role."""
        known = dict.fromkeys((*TABLES, *(q for step in PLACE for q in step.writes)), ANYTHING)
        candidate = self._steps(
            place=lambda name: f"q_{name}", columns=known, numbers=(*NUMBERS, *WANTED), still="0.0", here=lambda draw: "here",
        )  # fmt: skip
        found = [f"f[{self.person[name]}] = {kept_within(f'q_{name}', PERSON[name])}" for name in KEPT]
        self._function(
            f"candidate(f, code, p, own, wanted, {', '.join(TABLES)})",
            "for attempt in range(MOST_ATTEMPTS):",
            "    here = occasion(ADDRESS[0], ADDRESS[1], code, np.uint64(attempt))",
            *_indented(candidate.lines(PLACE)),
            "    if q_fits > 0.0:",
            *_indented(_indented(candidate.lines(DISTRESS))),
            "        if q_fits > 0.0:",
            *_indented(_indented(_indented([*found, "return 1"]))),
            "return 0",
        )
        for name in ("here", "elsewhere"):
            lines = self._alone((*NUMBERS, *EARLY), still="0.0").lines(beginning(name == "elsewhere"))
            always = "always = occasion(ADDRESS[0], ADDRESS[1], code, np.uint64(0))"
            self._function(f"beginning_{name}(f, code, p, own, early)", always, *lines)
        self._function("life(f, here, p, own)", *self._alone().lines(LIFE))
        for role in ROLES:
            values = [f"own[{k}] = p[{P.index(f'{role}_{name}')}]" for k, name in enumerate(OF_ROLE)]
            self._function(f"own_numbers_{role}(p, own)", *values)

    def _questionnaires(self) -> None:
        """What people are asked outside of sessions."""
        for occasion_ in ("0", "month", "end"):
            self._function(f"distress_{occasion_}(f, p, here)", *self._alone().lines(distress_asked(occasion_)))
            self._function(f"attachment_{occasion_}(f, p, here)", *self._alone().lines(attachment_asked(occasion_)))

    def _verb(self, verb: Verb, reached: bool) -> None:
        """A verb; ``reached``: links may be cut, and columns be held when it has done with them."""
        whose = {"client": "c", "therapist": "t", "pair": "d"}

        def seen(step: Step, argument: str) -> str:
            link = f"{step.role}.{step.equation.__name__}.{argument}"
            return f"x[{self.x[f'cut {link}']}]" if reached and link in SESSION_LINKS else ""

        steps = self._steps(
            place=lambda name: f"f[{self.world[name]}]", columns=self.kept, numbers=P, seen=seen,
            here=lambda draw: f"{'always' if draw.once else 'here'}_{whose[draw.whose]}",
            asked=lambda ask: ("here_c" if ask.rater == "client" else "here_d", ""),
        )  # fmt: skip
        lines, left = [], [name for step in verb.steps for name in step.writes]
        for step, of in steps.each(verb.steps):
            lines += of
            for name in step.writes:
                left.remove(name)
                if reached and name in DYAD and name not in left:
                    lines.append(self._at_its_course(name))
        self._function(f"{verb.__name__}_{_REACHED if reached else _USUAL}({_OF_A_VERB})", *lines)

    def _at_its_course(self, name: str) -> str:
        """The line that holds a column of the two at its course in the baseline, where it is held."""
        at, ends = self.world[name], f"{number(DYAD[name].low)}, {number(DYAD[name].high)}"
        return f"f[{at}] = held(f[{at}], b[{at}], x[{self.x[f'held {name}']}], {ends})"

    def _held(self, how: str) -> None:
        """First meetings and sessions, verb by verb: ``meeting_usual``, ``session_usual`` and so on."""
        of_two = "here_c, here_t, here_d, always_c, always_t, always_d"
        here = {"f": "W0", "p": "P0", "x": "X0", "b": "W1" if how == _BESIDE else "W0"}
        baseline = {"f": "W1", "p": "P1", "x": "X1", "b": "W1"}
        form = _USUAL if how == _USUAL else _REACHED

        def done(verb: Any, of: Mapping[str, str], more: str = "") -> list[str]:
            if isinstance(verb, Verb):
                return [f"{verb.__name__}_{form}({of['f']}, {of['p']}, {of_two}, {of['x']}, {of['b']})"]
            given = f"{of['f']}, {of['p']}, here_c, here_d, {of['x']}, int(S[EXCHANGES]), trace, length, forced"
            call = f"exchange_{form}({given}, {'0.0' if more else 'S[FOLLOWED]'})"
            return [f"outside = {call}", "if outside >= 0:", f"    return outside{more}"]

        for name, verbs in (("meeting", FIRST_MEETING), ("session", SESSION)):
            lines: list[str] = []
            if how == _BESIDE and name == "meeting":  # first, since what is held here is read off there
                lines += [line for verb in verbs for line in done(verb, baseline)]
            for verb in verbs:
                if how == _BESIDE and name == "session":
                    lines += [*done(verb, baseline, " + DYAD_LOW.size"), "W1[ENDING] = IN_THERAPY"]  # nobody leaves the baseline
                own, off = done(verb, here), self.x.get(f"off {verb.__name__}")
                lines += own if how == _USUAL or off is None else [f"if X0[{off}] != 0.0:", *_indented(own)]
                lines += ["hold_all()"] if how == _BESIDE and name == "session" else []
            head = f"{name}_{how}({of_two}{', trace, length, forced' if name == 'session' else ''})"
            self._function(head, *lines, *(["return -1"] if name == "session" else []))

    def _exchange(self, reached: bool) -> None:
        """The exchanges of a session; gives the column of the first quantity that is not within its range, or -1."""
        wired, wiring = wire(EXCHANGE, P, DYAD)
        writes = [q for w in wired for q in w.step.writes]
        kept = [q for q in dict.fromkeys(writes) if q in DYAD]
        loaded = list(dict.fromkeys([*wiring.read, *kept]))
        means = [q for q in dict.fromkeys(writes) if f"mean_{q}" in DYAD]
        if not reached:
            self._ranges("IN", map(_DYADS.index, loaded), map(DYAD.__getitem__, loaded))
            left = [*kept, *(f"mean_{q}" for q in means)]
            self._ranges("OUT", map(_DYADS.index, left), [*map(DYAD.__getitem__, kept), *[_FINITE] * len(means)])
        still, whose = "p[STILL]", {"client": "here_c", "pair": "here_d"}
        inside = [f"q_{name} = {draw.kind}({still}, s_{name}, np.uint64(exchange))" for name, draw in wiring.draws.items()]
        if reached:  # where this exchange's course in the baseline lies, and what is forced now
            inside.append("base = shifted(BASE, exchange * int(x[N_HELD]))")
            inside.append("now = shifted(forced, ((int(f[SESSION]) - 1) * n + exchange) * int(x[N_FORCED]))")
        inside += [line for lines in self._each_step(wired, set(means), reached) for line in lines]
        inside += ["if followed > 0.0:", *(f"    trace[{k} * length + exchange] = q_{q}" for k, q in enumerate(TRACED))]
        self._function(
            f"exchange_{_REACHED if reached else _USUAL}(f, p, here_c, here_d, x, n, trace, length, forced, followed)",
            "outside = first_outside(f, IN_PLACES, IN_LOW, IN_HIGH, IN_LOW.size)",
            "if outside >= 0:", "    return IN_PLACES[outside]",
            *(f"s_{name} = {stream(whose[draw.whose], draw.purpose)}" for name, draw in wiring.draws.items()),
            *(f"q_{q} = f[{self.world[q]}]" for q in loaded),
            *(f"q_{q} = 0.0" for q in TRACED if q not in loaded),
            *(f"s_{q} = 0.0" for q in means), *(f"{name} = 0.0" for name in READING),
            "for exchange in range(n):", *_indented(inside),
            *(f"f[{self.world[q]}] = q_{q}" for q in kept),
            *(f"f[{self.world[f'mean_{q}']}] = s_{q} / n" for q in means),
            *(f"f[{self.world[name]}] = {formula.format(n='float(n)', **{s: s for s in READING})}"
              for name, formula in ACCURACY.items()),
            "outside = first_outside(f, OUT_PLACES, OUT_LOW, OUT_HIGH, OUT_LOW.size)",
            "if outside >= 0:", "    return OUT_PLACES[outside]", "return -1",
        )  # fmt: skip

    def _each_step(self, wired: list[Wired], means: set[str], reached: bool) -> Iterator[list[str]]:
        """The lines of each step of an exchange, whose quantities are ``q_x`` while it lasts."""
        moment, last = moment_of_reading(EXCHANGE, DYAD), {q: n for n, w in enumerate(wired) for q in w.step.writes}
        write = 0
        for n, w in enumerate(wired):
            self.known[w.function] = w.step.equation
            new = [f"new_{k}" for k in range(len(w.step.writes))]
            lines = [f"{', '.join(new)} = {w.function}({', '.join(self._seen(w, reached))})"]
            for value, q in zip(new, w.step.writes, strict=True):
                lines += self._reached(w, write, value, q) if reached else [f"q_{q} = {value}"]
                write += 1
            lines += [f"s_{q} += q_{q}" for q in w.step.writes if q in means and last[q] == n]
            if n == moment:
                lines += [f"{name} += {more.format(*(f'q_{q}' for q in READ))}" for name, more in READING.items()]
            yield lines

    def _seen(self, w: Wired, reached: bool) -> Iterator[str]:
        """What a step of an exchange is given."""
        for argument, variable, quantity in zip(w.arguments, w.variables, w.quantities, strict=True):
            if variable.startswith("p_"):
                text = self._parameter(variable[2:])
            elif variable == "exchange" or variable[0].isdigit() or variable[0] == "-":
                text = variable
            else:
                text = "f[PLANNED]" if variable == "planned_sessions" else f"q_{variable}"
            yield f"given({text}, x[{self.x[f'cut {w.step.name}.{argument}']}])" if quantity and reached else text

    def _reached(self, w: Wired, write: int, value: str, q: str) -> list[str]:
        """Lines that write a quantity of an exchange where an experimenter may reach in."""
        place, shift, forced = (f"x[{self.x[f'{what} {write}']}]" for what in ("place", "shift", "forced"))
        there = f"q_{q}" if w.updates else "0.0"
        ends = ", ".join(map(number, bounds(q)))
        return [
            f"q_{q} = given({value}, x[{self.x[f'off {w.step.name}']}] * {there})",
            f"if {place} >= 0.0 or {forced} >= 0.0:",
            f"    q_{q} = reached(q_{q}, {ends}, {place}, {shift}, x[RECORDING], base, {forced}, now)",
        ]

    # ------------------------------------------------------------------------------------------------- what comes out

    def _clients(self) -> dict[str, dict[str, str]]:
        """The table of clients, and functions that keep what is asked at the beginning and at the end."""
        of: dict[str, dict[str, str]] = {role: {} for role in ROLES}
        for role, name in ((role, name) for role in ROLES for name in DIMENSIONS):
            of[role][f"{role}_{name}"] = f"f[{self.person[f'score {name}']}]"
            of[role][f"{role}_{name}_latent"] = _ecr(f"f[{self.person[name]}]")
        of["client"] |= {"distress": f"f[{self.person['score distress']}]", "distress_latent": f"f[{self.person['distress']}]"}
        names: dict[str, str] = {}
        for when in ("0", "end"):
            for role in ROLES:
                columns = {_when(name, when): text for name, text in of[role].items()}
                names |= columns
                kept = [f"clients[{list(names).index(name)} * n] = {text}" for name, text in columns.items()]
                self._function(f"keep_{role}_{when}(clients, f, n)", *kept)
        return {"clients": {**names, **dict.fromkeys(("planned_sessions", "sessions_attended", "ending"), "")}}

    def _rows(self) -> dict[str, dict[str, str]]:
        """The tables with several rows a client, and functions that keep a row."""

        def at(name: str) -> str:
            return f"W0[{self.world[name]}]"

        def told(name: str) -> str:
            return f"c[{self.person[name]}]"

        partners = zip(ROLES, ROLES[::-1], strict=True)
        sessions = {
            "week": "week", **{name: at(f"rating.{name}") for name in SCORES},
            **{name: at(column) for name, column in {**LATENT, **REGION_COLUMNS}.items()},
            "distress_latent": at("client_distress"),
            **{f"{name}_to_{partner}_latent": _ecr(at(f"{role}_{name}")) for role, partner in partners for name in DIMENSIONS},
            "ruptures": f"{at('withdrawals')} + {at('confrontations')}",
            "rupture_type": f"1.0 * ({at('withdrawals')} > 0.0) + 2.0 * ({at('confrontations')} > 0.0)",
        }  # fmt: skip
        assessments = {
            "month": "month", "in_therapy": "1.0 * (W0[ENDING] == IN_THERAPY) * S[THERAPY]",
            **{name: told(f"score {name}") for name in ("distress", *DIMENSIONS)},
            **{f"{name}_latent": _ecr(told(name)) for name in DIMENSIONS}, "distress_latent": told("distress"),
            "life_events": told("life_events"),
        }  # fmt: skip
        for head, table in (
            ("session(rows, row, length, week)", sessions),
            ("assessment(rows, row, length, month, c)", assessments),
        ):
            self._function(f"keep_{head}", *(f"rows[{k} * length + row] = {text}" for k, text in enumerate(table.values())))
        return {"sessions": sessions, "assessments": assessments, "exchanges": dict.fromkeys(TRACED, "")}


_FINITE = Column("", 0.0, -MOST, MOST, "", "")
_OF_A_VERB = "f, p, here_c, here_t, here_d, always_c, always_t, always_d, x, b"


def _ecr(share: str) -> str:
    return f"LOWEST + WIDTH * {share}"


def _when(name: str, when: str) -> str:
    """What a column is called at the beginning (``0``) or end."""
    return f"{name.removesuffix('_latent')}_{when}{'_latent' if name.endswith('_latent') else ''}"
