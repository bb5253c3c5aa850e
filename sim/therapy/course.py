"""A course: week after week until everybody has ended and the follow-up is over; what is recorded on the way.

Rows come out as plain dictionaries of arrays, one per table; ``simulation/tidy.py`` makes tables of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from sim.compiling import compiled
from sim.engine.asking import answers, core_om
from sim.engine.fused import TABLE
from sim.errors import WiringError
from sim.measurement.asked import attachment_asked, distress_asked
from sim.measurement.responses import Occasion, item_table
from sim.people.state import DYAD, LATENT, REGION_COLUMNS, Columns
from sim.theory.regions import ROLES
from sim.theory.styles import ecr_score
from sim.therapy.endings import CENSORED, DROPOUT, IN_THERAPY, UNTREATED
from sim.therapy.interventions import without
from sim.therapy.session import SCORES, Verb, World, begin, hold, traced_quantities
from sim.therapy.weeks import Weeks, life_goes_on

WEEKS_PER_MONTH = 4  # a "month" of the tables is four weeks


@dataclass
class Course:
    """What one arm and replicate leaves behind, as columns: clients, sessions, assessments, exchanges, items."""

    clients: dict[str, np.ndarray] = field(default_factory=dict)
    sessions: dict[str, np.ndarray] = field(default_factory=dict)
    assessments: dict[str, np.ndarray] = field(default_factory=dict)
    exchanges: dict[str, np.ndarray] = field(default_factory=dict)
    items: dict[str, np.ndarray] = field(default_factory=dict)


class Running(Weeks):
    """A course under way: ``live_a_week`` again and again, then ``finish``. A world without dyads is the untreated course.

    ``lean``: nobody looks at the dyads in between, so that only what lasts is stored there.
    """

    def __init__(self, world: World, session: tuple[Verb, ...] | None = None, *, lean: bool = False) -> None:
        session = world.session if session is None else session
        off = () if world.intervention is None else world.intervention.verbs_off
        super().__init__(world, COURSE)
        self.lean, self.session, self.left = lean, session, without(session, off)
        self.kept = Course()
        self.sessions: list[dict[str, np.ndarray]] = []
        self.traces: list[dict[str, np.ndarray]] = []
        world.week = 0
        if world.baseline is not None:
            begin(world.baseline)  # first, since what is held here is read off there
        begin(world)
        self.months = [assess(world, 0)]
        self.kept.clients = intake(world)

    def meet(self, rows: np.ndarray) -> np.ndarray | None:
        """One session, and what ``hold`` kept; where something is held, verb by verb beside the same session of the baseline."""
        world = self.world
        if world.baseline is None or world.intervention is None:
            return hold(world, rows, self.left, keep=True, lean=self.lean)
        baseline, everybody = world.baseline, np.arange(len(world.dyads))
        baseline.week = world.week
        for rating in baseline.ratings.values():
            rating[:] = np.nan
        for verb in self.session:
            verb(baseline, everybody)
            baseline.ending[:] = IN_THERAPY  # nobody leaves it: it has a course for whoever stays here
            if verb in self.left:
                verb(world, rows)
            world.intervention.clamp_columns(world.dyads, baseline.dyads, rows)
        baseline.live()
        return None

    def finish(self) -> Course:
        """What the course has left behind; whoever is still in therapy is counted as censored."""
        world = self.world
        if not len(world.dyads) and world.week < world.planned_weeks:
            end_untreated(world, self.kept.clients)
        at_end(world, np.flatnonzero(world.ending == IN_THERAPY), self.kept.clients, CENSORED)
        self.kept.sessions, self.kept.assessments, self.kept.exchanges = map(joined, (self.sessions, self.months, self.traces))
        self.kept.items = item_table(world.occasions or ())
        return self.kept

    def so_far(self) -> Course:
        """What ``finish`` would leave behind if it came now. Nothing ends by asking: the course can go on."""
        ending, kept, occasions = self.world.ending.copy(), self.kept, self.world.occasions
        if occasions is not None:
            self.world.occasions = occasions.copy()
        self.kept = Course(clients={name: values.copy() for name, values in kept.clients.items()})
        try:
            return self.finish()
        finally:
            self.world.ending[:], self.kept, self.world.occasions = ending, kept, occasions


def hold_sessions(c: Running) -> None:
    """A session for everybody in therapy."""
    world = c.world
    rows = np.flatnonzero(world.ending == IN_THERAPY)
    if rows.size:
        c.sessions.append(session_rows(world, rows, c.meet(rows)))
        c.traces.append(exchange_rows(world, rows))
        at_end(world, rows[world.ending[rows] != IN_THERAPY], c.kept.clients)


def end_without_therapy(c: Running) -> None:
    """Untreated people are asked when therapy would have ended."""
    if not len(c.world.dyads) and c.world.week == c.world.planned_weeks:
        end_untreated(c.world, c.kept.clients)


def ask_monthly(c: Running) -> None:
    """Monthly questionnaires of all clients."""
    if c.world.week % WEEKS_PER_MONTH == 0:
        c.months.append(assess(c.world, c.world.week // WEEKS_PER_MONTH))


#: A week of a course, in order.
COURSE: tuple[Callable[[Running], None], ...] = (hold_sessions, end_without_therapy, life_goes_on, ask_monthly)


def run_course(world: World, weeks: int, session: tuple[Verb, ...] | None = None) -> Course:
    """Live ``weeks`` weeks: a session for everybody in therapy, then a week of life for everybody.

    A world without dyads is the untreated course. Raises ``StateError`` when the state leaves its range.
    """
    running = Running(world, session)
    for _ in range(weeks):
        running.live_a_week()
    return running.finish()


class Rows(dict[str, np.ndarray]):
    """Columns of floats by name, which are the rows of one array, ``block``."""

    def __init__(self, names: tuple[str, ...], values: np.ndarray) -> None:
        super().__init__(zip(names, values, strict=True))
        self.names, self.block = names, values


def joined(parts: Sequence[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Columns put end to end, sorted by dyad or client first and time second."""
    parts = [p for p in parts if p]
    if not parts:
        return {}
    row = np.concatenate([part["row"] for part in parts]).astype(np.int64)
    blocks = [part for part in parts if isinstance(part, Rows)]
    if len(blocks) == len(parts) and len({block.names for block in blocks}) == 1:  # all at once
        values, begun = np.empty((len(blocks[0].names), row.size)), np.concatenate([[0], np.cumsum(np.bincount(row))])
        for one in blocks:
            compiled(_placed)(one.block, begun, values)
        table = dict(zip(blocks[0].names, values, strict=True))
    else:  # an instrument that is given later, or not every week, has no values before its first time
        names, order = dict.fromkeys(name for part in parts for name in part), np.argsort(row, kind="stable")
        table = {name: np.concatenate([_values(part, name) for part in parts])[order] for name in names}
    return {**table, "row": table["row"].astype(np.int64)}


def _placed(block, begun, out):  # type: ignore[no-untyped-def]
    """Put rows behind those of the same dyad or client; ``begun``: where the next one of each comes to stand."""
    n = block.shape[1]
    there = np.empty(n, np.int64)
    for i in range(n):
        row = int(block[0, i])
        there[i] = begun[row]
        begun[row] += 1
    for k in range(block.shape[0]):
        for i in range(n):
            out[k, there[i]] = block[k, i]


def _values(part: dict[str, np.ndarray], name: str) -> np.ndarray:
    return part[name] if name in part else np.full(part["row"].size, np.nan)


#: Columns of the session table that are made of the last of ``engine.fused.TABLE``.
_MADE = (
    *(f"{name}_to_{partner}_latent" for partner in ROLES[::-1] for name in ("anxiety", "avoidance")), "ruptures", "rupture_type",
)  # fmt: skip


def session_rows(world: World, rows: np.ndarray, table: np.ndarray | None = None) -> Rows:
    """This week's rows of the session table; ``table``: what ``session.hold`` kept of it."""
    d, rated = world.dyads, tuple(world.ratings) if table is None else SCORES
    own = tuple(name for name in d.declared if name not in DYAD) if len(d.declared) > len(DYAD) else ()  # of added mechanisms
    shown = (*LATENT, *REGION_COLUMNS, "distress_latent", *_MADE, *own)
    if taken := {"row", "week", *LATENT, *REGION_COLUMNS, "distress_latent", *_MADE} & {*rated, *own} or {*rated} & {*own}:
        raise WiringError(f"the session table has a column '{min(taken)}' of its own; give the rating or column another name")
    values = np.empty((2 + len(rated) + len(shown), rows.size)) if table is None else table
    if table is None:
        values[0], values[1] = rows, world.week
        columns = (*(world.ratings[name] for name in rated), *(d[name] for name in (*TABLE, *own)))
        for into, column in zip(values[2:], columns, strict=True):
            column.take(rows, out=into, mode="clip")
    of = len(values) - len(own) - len(_MADE)
    values[of : of + 4] = ecr_score(values[of : of + 4])
    withdrawals, confrontations = values[of + 4], values[of + 5]
    kind = (withdrawals > 0) * 1 + (confrontations > 0) * 2  # labels: catalogue/columns.py
    values[of + 4], values[of + 5] = withdrawals + confrontations, kind
    return Rows(("row", "week", *rated, *shown), values)


def exchange_rows(world: World, rows: np.ndarray) -> dict[str, np.ndarray]:
    """This week's rows of the exchange table, for the traced dyads."""
    traced = rows[world.trace_row[rows] >= 0]
    if not traced.size:
        return {}
    values = world.trace[world.trace_row[traced]]
    n = values.shape[1]
    out = {
        "row": np.repeat(traced, n),
        "session": np.repeat(world.dyads.session[traced], n),
        "exchange": np.tile(np.arange(1, n + 1), traced.size),
    }
    for k, name in enumerate(traced_quantities(world)):
        out[name] = values[:, :, k].reshape(-1)
    return out


def assess(world: World, month: int, who: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """The monthly questionnaires of clients (all, or those ``who``), in or out of therapy.

    Their life events are counted again.
    """
    who = np.arange(len(world.clients)) if who is None else who
    c, n = world.clients.rows(who), who.size
    in_therapy = np.isin(who, world.client_of[world.ending == IN_THERAPY])
    whom = world.asked("client", who, world.occasion("month" if month else "intake", who))
    purpose = "month" if month else "0"  # the first assessment is the intake questionnaire itself
    out = {
        "row": who,
        "month": np.full(n, month),
        "in_therapy": in_therapy,
        **answers((*distress_asked(purpose), *attachment_asked(purpose)), whom, c.__getitem__),
    }
    out |= {f"{name}_latent": ecr_score(c[name]) for name in ("anxiety", "avoidance")}
    out |= {"distress_latent": c.distress.copy(), "life_events": c.life_events.copy()}  # not the whole of ``c``
    world.clients["life_events"][who] = 0.0
    return out


def attachment_now(world: World, role: str, purpose: str, who: np.ndarray, at: Occasion | None = None) -> dict[str, np.ndarray]:
    """ECR questionnaires of these people (rows of their table), and what the ECR tries to measure."""
    people, out = world.clients if role == "client" else world.therapists, {}
    scores = answers(attachment_asked(purpose), world.asked(role, who, at), lambda name: people[name][who])
    for name, score in scores.items():
        out[f"{role}_{name}_{purpose}"] = score
        out[f"{role}_{name}_{purpose}_latent"] = ecr_score(people[name][who])
    return out


def intake(world: World) -> dict[str, np.ndarray]:
    """The client table as it stands at intake; what happens later is filled in when a course ends."""
    n, everybody = len(world.clients), np.arange(len(world.clients))
    # The same questionnaires as of the first assessment, and kept there.
    out = attachment_now(world, "client", "0", everybody)
    out["distress_0"] = core_om(world.clients, world.asked("client", everybody), "0")
    out["distress_0_latent"] = world.clients.distress.copy()
    if len(world.dyads):
        at = world.occasion("beginning", world.client_of, world.therapist_of)
        out |= attachment_now(world, "therapist", "0", world.therapist_of, at)
    else:
        out |= {
            f"therapist_{name}_0{suffix}": np.full(n, np.nan) for name in ("anxiety", "avoidance") for suffix in ("", "_latent")
        }
    for key in [k for k in out if "_0" in k]:
        out[key.replace("_0", "_end")] = np.full(n, np.nan)
    out["planned_sessions"] = np.zeros(n)
    out["sessions_attended"] = np.zeros(n)
    out["ending"] = np.full(n, UNTREATED)
    return out


def at_end(world: World, rows: np.ndarray, clients: dict[str, np.ndarray] | Columns, ending: int | None = None, *,
           by_course: bool = False) -> None:  # fmt: skip
    """Fill in the client table for courses that end this week; ``by_course``: one entry a course, not a client.

    People who drop out fill in nothing more: their last distress rating stands for the end (missing where that is).
    """
    if ending is not None:
        world.ending[rows] = ending
    if not rows.size:
        return
    who, of = world.client_of[rows], world.therapist_of[rows]
    at = world.occasion("end", who, of)
    now = attachment_now(world, "client", "end", who, at) | attachment_now(world, "therapist", "end", of, at)
    distress = world.clients.distress[who]
    now["distress_end"] = world.ratings.get("distress", np.full(len(world.dyads), np.nan))[rows]
    stayed = world.ending[rows] != DROPOUT
    whom = world.asked("client", who[stayed], world.occasion("end", who[stayed], of[stayed]))
    now["distress_end"][stayed] = core_om(world.clients.rows(who[stayed]), whom, "end")
    now["distress_end_latent"] = distress
    now["planned_sessions"], now["sessions_attended"] = world.planned_sessions[rows], world.dyads.session[rows]
    now["ending"] = world.ending[rows]
    for key, values in now.items():
        clients[key][rows if by_course else who] = values


def end_untreated(world: World, clients: dict[str, np.ndarray]) -> None:
    """Fill in the client table for people who had no therapy, at the time when therapy would have ended."""
    everybody = np.arange(len(world.clients))
    at = world.occasion("end", everybody)
    clients |= attachment_now(world, "client", "end", everybody, at)
    clients["distress_end"] = core_om(world.clients, world.asked("client", everybody, at), "end")
    clients["distress_end_latent"] = world.clients.distress.copy()
