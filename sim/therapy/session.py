"""One session, for everybody who meets this week: the tuple ``SESSION`` is the order of verbs.

A verb is declared as steps (``therapy/verbs.py``) and writes only the columns that its description names; the exchanges are a
verb of their own. ``rows`` are the dyads that meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from sim.engine.fused import TABLE, ratings_of, session_kernel
from sim.engine.living import an_engine, asked_for, live_a_week, numbers
from sim.engine.native import kernel
from sim.engine.plain import walk
from sim.engine.wiring import trace_columns
from sim.errors import StateError, WiringError
from sim.luck import Luck
from sim.measurement.asked import Ask
from sim.measurement.responses import Occasion, Respondents, may_be_missing
from sim.naming import nearest
from sim.people.apply import applied
from sim.people.state import ANYTHING, DYAD, OF_PEOPLE, Column, Columns
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.regions import ROLES, intact
from sim.theory.steps import Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.interventions import Intervening
from sim.therapy.meeting import RATINGS, Exchanging, Meeting
from sim.therapy.verbs import (
    BEFORE,
    FIRST_MEETING,
    consolidate,
    form_alliance,
    heal,
    leave,
    meet,
    rate_alliance,
    rate_distress,
)  # fmt: skip
from sim.therapy.verbs import Verb as DeclaredVerb


@dataclass
class World:
    """Everybody of one arm and replicate, and the week it is. Row ``i`` of the dyads is one course of therapy."""

    luck: Luck
    parameters: Parameters
    clients: Columns
    therapists: Columns
    dyads: Columns
    client_code: np.ndarray  # random-number codes, one per client row
    therapist_code: np.ndarray  # one per therapist row
    client_of: np.ndarray  # client row of each dyad
    therapist_of: np.ndarray  # therapist row of each dyad
    pair_code: np.ndarray  # one per dyad
    planned_sessions: np.ndarray  # one per dyad
    n_exchanges: int
    planned_weeks: int  # when therapy is planned to end
    strengths: dict[str, float] = field(default_factory=intact)
    exchange_steps: tuple[Step, ...] = EXCHANGE
    session: tuple[Verb, ...] = field(default_factory=lambda: SESSION)
    week: int = 0
    ratings: dict[str, np.ndarray] = field(default_factory=dict)  # this week's, one entry per dyad row
    occasions: list[Occasion] | None = None  # of questionnaires so far, where every response is kept
    trace_row: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # row of the trace, or -1
    trace: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1)))
    intervention: Intervening | None = None  # what an experimenter does inside the exchange
    baseline: World | None = None  # the same people without it, where something is held at its course there
    engine: str = field(default_factory=asked_for)

    def __post_init__(self) -> None:
        an_engine(self.engine)
        n = len(self.dyads)
        self.ending = np.zeros(n, np.int64)
        self._rated = np.empty((0, 0))
        self._rows: list[np.ndarray] = []
        self.values = self.parameters.array(self.strengths)
        if not self.trace_row.size:
            self.trace_row = np.full(n, -1)

    @property
    def sides(self) -> tuple[tuple[str, Columns, np.ndarray], ...]:
        """Role, people, and their row for each dyad."""
        return ("client", self.clients, self.client_of), ("therapist", self.therapists, self.therapist_of)

    def rate(self, name: str, rows: np.ndarray, values: np.ndarray) -> None:
        """Keep a rating of this week for the dyads ``rows``. Raises ``StateError`` for one that is no number, except where
        questionnaires may be missing."""
        missing = may_be_missing(self.parameters)
        if not np.isfinite(values).all() and not (missing and not np.isinf(values).any()):
            raise no_number(self, name)
        self.ratings.setdefault(name, np.full(len(self.dyads), np.nan))[rows] = values

    @property
    def usual(self) -> bool:
        """Whether nothing is asked for that is done verb by verb: an experiment inside the session, single responses, mechanisms
        or parameters of one's own, the plain engine."""
        own = len(self.dyads.declared) != len(DYAD) or len(self.parameters) != len(PARAMETERS)
        singly = self.occasions is not None or may_be_missing(self.parameters)
        return not (own or singly or self.exchange_steps != EXCHANGE or self.intervention or self.engine == "plain")

    def room_for(self, names: tuple[str, ...]) -> np.ndarray:
        """This week's ratings ``names`` as the rows of one array, one column a dyad; ``ratings`` are views of it."""
        shape = len(names), len(self.dyads)
        there = self._rated.shape == shape
        if not there or any(self.ratings.get(name) is not row for name, row in zip(names, self._rows, strict=True)):
            self._rated = np.full(shape, np.nan)
            for row, name in zip(self._rated, names, strict=True):
                row[:] = self.ratings.get(name, np.nan)
            self._rows = list(self._rated)
            self.ratings |= dict(zip(names, self._rows, strict=True))
        return self._rated

    def occasion(self, name: str, client: np.ndarray, therapist: np.ndarray | None = None, session: Any = -1) -> Occasion | None:
        """An occasion (one of ``OCCASIONS``) on which every response of these people (rows of their tables) is kept.

        None where this world keeps scores only."""
        if self.occasions is None:
            return None
        whom = np.full(client.size, -1) if therapist is None else therapist
        at = Occasion(name, self.week, client, whom, np.broadcast_to(np.asarray(session, np.int64), client.shape))
        self.occasions.append(at)
        return at

    def asked(self, role: str, rows: np.ndarray, at: Occasion | None = None) -> Respondents:
        """These clients or therapists (rows of their table) as they fill in questionnaires now."""
        code = (self.client_code if role == "client" else self.therapist_code)[rows]
        return Respondents(code, self.week, self.parameters, self.luck, role, at)

    def applied(self, equation: Callable[..., Any], rows: np.ndarray, role: str = "", **given: Any) -> Any:
        """An equation's value for the dyads ``rows``, wired by name (see ``people.apply``); links that are cut are not seen."""
        if self.intervention is not None:
            given |= self.intervention.seen(role, equation.__name__)
        return applied(equation, self.parameters, role, self.dyads, rows, **given)

    def write(self, column: str, rows: np.ndarray, values: Any) -> None:
        """Set a dyad column for the dyads ``rows``; where an experiment holds it, to its course in the baseline."""
        if column not in self.dyads.index:
            raise WiringError(f"there is no column '{column}' to be written{nearest(column, self.dyads.index)}")
        self.dyads[column][rows] = values
        if self.intervention is not None and self.baseline is not None:
            self.intervention.clamp_columns(self.dyads, self.baseline.dyads, rows, column)

    @cached_property
    def own_values(self) -> dict[str, np.ndarray]:
        """The numbers of a week of life as machine code takes them, of clients and of therapists."""
        return {role: numbers(self.parameters, role) for role in ROLES}

    @cached_property
    def known(self) -> dict[str, float]:
        """Parameters, and how much of each person's regions is intact, by name."""
        return {**self.parameters, **self.strengths}

    @cached_property
    def quantities(self) -> dict[str, Column]:
        """Every quantity that a step of a session may keep, by name."""
        return {**self.dyads.declared, **OF_PEOPLE, **dict.fromkeys((*RATINGS, *BEFORE, "ending"), ANYTHING)}

    def live(self, arrived: int | None = None, who: tuple[str, ...] = ROLES) -> None:
        """A week of life for everybody of these roles, in therapy or not; of a clinic for the first ``arrived`` clients."""
        for (role, people, _), code in zip(self.sides, (self.client_code[:arrived], self.therapist_code), strict=True):
            if role in who:
                live_a_week(role, people, code, self.week, self.parameters, self.luck, self.engine, self.own_values[role])

    def meeting(self, rows: np.ndarray, verb: DeclaredVerb) -> Meeting:
        """The dyads ``rows`` as a verb finds them this week."""
        return Meeting(self, rows, verb)


def begin(world: World) -> None:
    """First impressions of everybody (``meet_first``), and room for the exchanges that are followed."""
    n_traced = int((world.trace_row >= 0).sum())
    world.trace = np.zeros((n_traced, world.n_exchanges, len(trace_columns(world.exchange_steps))))
    meet_first(world, np.arange(len(world.dyads)))


def meet_first(world: World, rows: np.ndarray, before: Mapping[str, np.ndarray] | None = None) -> None:
    """First impressions (``FIRST_MEETING``) [K13].

    ``before``: client columns of ``HANDED_OVER`` as they stood with another therapist, NaN for who had none; a part of them
    carries over [K22].
    """
    for verb in FIRST_MEETING:
        walk(verb.steps, Meeting(world, rows, verb, before))


def exchange(world: World, rows: np.ndarray) -> None:
    """The exchanges of this session (``EXCHANGE``). Writes what its steps write, and the session means.

    Raises ``StateError`` when a quantity becomes NaN or leaves its range.
    """
    row, column = Exchanging(world, rows).held() if world.engine == "plain" else _in_machine_code(world, rows)
    if row >= 0:
        raise outside(world, row, column)


def _in_machine_code(world: World, rows: np.ndarray) -> tuple[int, int]:
    intervention = world.intervention
    columns = tuple(world.dyads.declared.values())
    run = kernel(world.exchange_steps, tuple(world.parameters), columns, intervened=intervention is not None)
    when = np.uint64(world.week), np.uint64(world.luck.seed), np.uint64(world.luck.replicate)
    found: tuple[int, int] = run(
        world.dyads.data, rows, world.client_code[world.client_of], world.pair_code, *when, world.values, world.n_exchanges,
        world.trace_row, world.trace, *(() if intervention is None else intervention.arguments()),
        still=world.luck.still,
    )  # fmt: skip
    return found


def outside(world: World, row: int, column: int) -> StateError:
    """The error of a dyad's column that is NaN or has left its range."""
    at_fault = tuple(world.dyads.declared.values())[column]
    return StateError(
        f"week {world.week}, dyad {row}: {at_fault.name} is {world.dyads[at_fault.name][row]}, outside "
        f"{at_fault.low:g}..{at_fault.high:g} ({at_fault.unit})",
        [at_fault.name],
    )


def no_number(world: World, rating: str) -> StateError:
    """The error of a rating that is no number."""
    return StateError(f"week {world.week}: the rating {rating} is not a number for some dyads", [rating])


Verb = Callable[[World, np.ndarray], None]  # declared as steps (``verbs.Verb``), or any function of a world and rows

#: One session, in order.
SESSION: tuple[Verb, ...] = (rate_distress, meet, exchange, form_alliance, heal, consolidate, rate_alliance, leave)


def traced_quantities(world: World) -> list[str]:
    """Names of the quantities that ``world.trace`` holds."""
    return trace_columns(world.exchange_steps)


@lru_cache(maxsize=64)
def at_once(session: tuple[Verb, ...]) -> tuple[Callable[..., Any], tuple[str, ...]] | None:
    """The function that holds such a session in machine code, and the ratings that it leaves; none where a verb is not of this
    package or one is missing.

    Questionnaires, which decide nothing, are always among them: so there is one function for all.
    """
    questionnaires = {rate_distress, rate_alliance}
    if not {*SESSION} - questionnaires <= {*session} or session != tuple(verb for verb in SESSION if verb in session):
        return None
    before, after = STEPS
    return session_kernel(before, EXCHANGE, after), ratings_of((*before, *after))


#: Scores of its questionnaires, in the order in which ``hold`` leaves them.
SCORES = tuple(name.removeprefix("rating.") for name in RATINGS)
#: The steps of a session before its exchanges, and after them.
STEPS: tuple[tuple[Step | Ask, ...], tuple[Step | Ask, ...]] = tuple(  # type: ignore[assignment]
    tuple(step for verb in some for step in getattr(verb, "steps", ()))
    for some in (SESSION[: SESSION.index(exchange)], SESSION[SESSION.index(exchange) + 1 :])
)


@lru_cache(maxsize=64)
def _asked_for(session: tuple[Verb, ...]) -> tuple[str, ...]:
    """The scores of the questionnaires of such a session."""
    return ratings_of(step for verb in session for step in getattr(verb, "steps", ()))


def hold(
    world: World, rows: np.ndarray, session: tuple[Verb, ...], *, keep: bool = False, lean: bool = False
) -> np.ndarray | None:
    """One session of the dyads ``rows``: all at once in machine code, or verb by verb with the same numbers.

    A client stands once in ``rows``; a therapist may have several. Verb by verb where a verb or a step of the exchange is not of
    this package, where an experiment reaches into the session, where single responses are kept or may be missing, and where the
    plain engine is asked for (``World.engine``).

    Returns, where it was done at once and is asked to ``keep`` it, what the session table shows, one column a dyad: row, week,
    ratings, and the columns of ``engine.fused.TABLE``. ``lean``: of the dyads only what a later session reads is stored.
    """
    whole = at_once(session) if world.usual else None
    if whole is None:
        for verb in session:
            verb(world, rows)
        return None
    function, names = whole
    everything = session == SESSION
    ratings = world.room_for(names) if everything else np.full((len(names), len(world.dyads)), np.nan)
    table = np.empty((2 + len(names) + len(TABLE), rows.size if keep and everything else 0))
    if table.size:
        table[0], table[1] = rows, world.week
    who = (world.client_of, world.therapist_of, world.client_code, world.therapist_code, world.pair_code, world.planned_sessions)
    when = np.uint64(world.week), np.uint64(world.luck.seed), np.uint64(world.luck.replicate)
    row, column = function(
        world.dyads.data, world.clients.data, world.therapists.data, rows, *who, *when, world.values, world.n_exchanges,
        world.trace_row, world.trace, ratings, world.ending, table[2:], lean and everything,
        still=world.luck.still,
    )  # fmt: skip
    if row >= 0 and column < 0:
        raise no_number(world, names[-1 - column])
    if row >= 0:
        raise outside(world, row, column)
    if not everything:  # of the questionnaires only those that are asked for
        for name in _asked_for(session):
            world.rate(name, rows, ratings[names.index(name)][rows])
    return table if keep and everything else None
