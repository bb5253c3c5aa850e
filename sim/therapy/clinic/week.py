"""A clinic, week by week: who comes, who waits, who meets whom, who tires, leaves and is replaced.

The tuple ``CLINIC`` is the order of a week. Sessions are those of ``session.SESSION``, on the same arrays: a course of
therapy is a dyad row; a therapist's row is shared by all their clients. Everybody who will come is drawn beforehand (luck is
addressed, so nobody's depends on who else comes) and lives from the week of arrival on.

A person is counted once: in any week, arrivals so far = waiting + in therapy + between therapists + lost while
waiting + ended. What is recorded is in ``book``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim.engine.asking import ecr
from sim.luck import pair
from sim.measurement.instruments import CORE_OM
from sim.people.apply import applied
from sim.people.state import Columns
from sim.theory import equations as eq
from sim.therapy.clinic.book import Book
from sim.therapy.clinic.foresight import foreseen_matches
from sim.therapy.clinic.matching import ORACLE, Seen, choice
from sim.therapy.clinic.plan import Plan
from sim.therapy.clinic.states import (
    BETWEEN,
    ENDED,
    FOLLOW_UPS,
    LOST,
    NOT_BEGUN,
    TREATED,
    WAITING,
    Standing,
    by_lot,
    months_since,
)
from sim.therapy.course import exchange_rows, session_rows
from sim.therapy.endings import IN_THERAPY, TRANSFERRED
from sim.therapy.interventions import without
from sim.therapy.session import SESSION, Verb, World, hold, meet_first
from sim.therapy.training import teach
from sim.therapy.verbs import HANDED_OVER
from sim.therapy.weeks import Weeks, life_goes_on

STAFF_QUESTIONNAIRES = 26  # weeks between the questionnaires that therapists fill in for the service


class Clinic(Standing, Weeks):
    """A clinic under way. One row a client, in the order of arrival; one row a therapist, those to come included.

    ``arriving``: clients who come in each week, from the first.
    ``draw_therapists``: from numbers to people and their random-number codes, for those who are hired later.
    """

    def __init__(
        self,
        world: World,
        plan: Plan,
        arriving: np.ndarray,
        draw_therapists: Callable[[np.ndarray], tuple[Columns, np.ndarray]],
        session: tuple[Verb, ...] = SESSION,
        *,
        keep_sessions: bool = True,
        keep_assessments: bool = True,
        traced: tuple[int, ...] = (),
    ) -> None:
        Standing.__init__(self, world, plan)
        Weeks.__init__(self, world, CLINIC)
        self.arriving = arriving
        self.draw_therapists = draw_therapists
        self.session = without(session, () if world.intervention is None else world.intervention.verbs_off)
        self.book = Book(len(world.clients), keep_sessions, keep_assessments)
        self.traced = np.array(traced, np.int64)
        world.ending[:] = NOT_BEGUN
        world.week = 0

    def in_use(self) -> tuple[int, int]:
        """How many courses have begun, and how many clients have come."""
        return self.courses, self.arrived

    def begin_courses(self, clients: np.ndarray, therapists: np.ndarray, sessions_left: np.ndarray) -> np.ndarray:
        """New courses of these clients with these therapists; returns their dyad rows."""
        _make_room(self, clients.size)
        w = self.world
        rows = np.arange(self.courses, self.courses + clients.size)
        self.courses += clients.size
        w.client_of[rows], w.therapist_of[rows] = clients, therapists
        w.pair_code[rows] = pair(w.client_code[clients], w.therapist_code[therapists])
        w.planned_sessions[rows] = sessions_left
        w.ending[rows] = IN_THERAPY
        for k, client in enumerate(self.traced):  # one row of the trace a client: they have one course at a time
            w.trace_row[rows[clients == client]] = k
        meet_first(w, rows, self.brought(clients))
        self.book.note_beginning(self, rows, clients, therapists)
        self.course[clients] = rows
        self.state[clients], self.since[clients] = TREATED, w.week
        for client, therapist in zip(clients.tolist(), therapists.tolist(), strict=True):
            # Weeks of the cycle are filled evenly, this week's first.
            order = np.roll(self.turns[therapist], -w.week)
            turn = (w.week + int(np.argmin(order))) % self.plan.session_every
            self.turn[client] = turn
            self.turns[therapist, turn] += 1
        np.add.at(self.load, therapists, 1)
        return rows

    def brought(self, clients: np.ndarray) -> dict[str, np.ndarray]:
        """What these clients bring from the therapist before (columns of ``HANDED_OVER``), NaN for who had none."""
        before, d = self.course[clients], self.world.dyads
        return {name: np.where(before >= 0, d[name][before], np.nan) for name in HANDED_OVER}

    def end_courses(self, rows: np.ndarray, state: int) -> None:
        """These courses are over (their ending says how); their clients are now in ``state``."""
        w, who, of = self.world, self.world.client_of[rows], self.world.therapist_of[rows]
        self.book.note_ends(w, rows)
        self.state[who], self.since[who], self.ended[who] = state, w.week, w.ending[rows]
        np.subtract.at(self.load, of, 1)
        np.subtract.at(self.turns, (of, self.turn[who]), 1)


ClinicVerb = Callable[[Clinic], None]


def _make_room(c: Clinic, courses: int) -> None:
    """Dyad rows for more courses: a client may have several, since therapists leave."""
    w = c.world
    if courses > len(w.dyads) - c.courses:
        more = max(courses, len(w.dyads) // 4 + 16)
        w.dyads = w.dyads.grown(len(w.dyads) + more)
        for name in ("client_of", "therapist_of", "pair_code", "planned_sessions"):
            old = getattr(w, name)
            setattr(w, name, np.concatenate([old, np.zeros(more, old.dtype)]))
        w.ending = np.concatenate([w.ending, np.full(more, NOT_BEGUN)])
        w.trace_row = np.concatenate([w.trace_row, np.full(more, -1)])
        w.ratings = {name: np.concatenate([values, np.full(more, np.nan)]) for name, values in w.ratings.items()}
    c.book.make_room(len(w.dyads))


def arrive(c: Clinic) -> None:
    """This week's arrivals fill in the intake questionnaires and go on the waiting list."""
    w = c.world
    n = int(c.arriving[w.week - 1]) if w.week <= c.arriving.size else 0
    new = np.arange(c.arrived, c.arrived + n)
    c.arrived += n
    c.state[new], c.since[new], c.arrival[new] = WAITING, w.week, w.week
    c.book.note_arrival(w, new)


def give_up_waiting(c: Clinic) -> None:
    """Some who have waited a week or more do not come back, for a first or another therapist: the longer they wait and the better
    they feel, the more."""
    w = c.world
    p = w.parameters
    for state, purpose, base, then in (
        (WAITING, "waiting_loss", p.waiting_loss_base, LOST),
        (BETWEEN, "between_loss", p.between_loss_base, ENDED),
    ):
        rows = np.flatnonzero((c.state == state) & (c.since < w.week))
        chance = applied(
            eq.waiting_loss_probability, w.parameters, "client", distress=w.clients.distress[rows],
            weeks_waiting=w.week - c.since[rows] - 1.0, waiting_loss_base=base,
        )  # fmt: skip
        lost = rows[w.luck.uniform(w.client_code[rows], purpose, w.week) <= chance]
        c.state[lost], c.since[lost] = then, w.week
        if state == BETWEEN:
            c.book.courses.gave_up_between[c.course[lost]] = 1.0


def come_and_go(c: Clinic) -> None:
    """Therapists are away for a week, or leave for good: their clients wait for another, the post is vacant and then filled."""
    w, plan = c.world, c.plan
    due = sum(week <= w.week for week in c.vacant)
    c.vacant = c.vacant[due:]
    hire(c, due)
    c.away = c.in_post & (w.luck.uniform(w.therapist_code, "leave", w.week) <= plan.leave_prob)
    if not plan.turnover:
        return
    chance = applied(eq.quitting_probability, w.parameters, columns=w.therapists)
    gone = np.flatnonzero(c.in_post & (w.luck.uniform(w.therapist_code, "quitting", w.week) <= chance))
    if not gone.size:
        return
    rows = np.flatnonzero((w.ending == IN_THERAPY) & np.isin(w.therapist_of, gone))
    w.ending[rows] = TRANSFERRED
    c.end_courses(rows, BETWEEN)
    c.in_post[gone] = False
    c.away[gone] = False
    c.vacant += [w.week + plan.vacant_weeks] * gone.size


def hire(c: Clinic, n: int) -> None:
    """Put ``n`` new therapists into post."""
    if not n:
        return
    w = c.world
    new = np.arange(len(w.therapists), len(w.therapists) + n)
    people, code = c.draw_therapists(new)
    w.therapists, w.therapist_code = w.therapists.grown(len(w.therapists) + n), np.concatenate([w.therapist_code, code])
    w.therapists.data[:, new] = people.data
    c.chosen = np.concatenate([c.chosen, by_lot(w, new, c.plan.trained_share, exactly=False)])
    c.responses = {name: np.concatenate([given, np.full(n, np.nan)]) for name, given in c.responses.items()}
    for name in ("in_post", "away", "load", "held", "taken", "turns"):
        old = getattr(c, name)
        setattr(c, name, np.concatenate([old, np.full((n, *old.shape[1:]), name == "in_post", old.dtype)]))


def train(c: Clinic) -> None:
    """Therapists who take part in supervision or training learn a little more. Writes what the programmes name."""
    if c.plan.training and c.world.week >= c.plan.training_from:
        c.taken[c.chosen & c.in_post] += 1
        teach(c.world.therapists, c.plan.training, np.where(c.in_post, c.taken, 0))


def match(c: Clinic) -> None:
    """Those who wait for a therapist get one, as far as there is room: first who is between therapists, then by waiting time."""
    w, plan = c.world, c.plan
    _ask_staff(c)
    waiting = np.flatnonzero(np.isin(c.state, (BETWEEN, WAITING)))
    waiting = waiting[np.lexsort((c.since[waiting], c.state[waiting] != BETWEEN))]
    sessions = plan.capacity
    if plan.overbook and waiting.size and (w.week - c.since[waiting]).max() > plan.overbook_after:
        sessions += plan.overbook
    room = np.where(c.in_post & ~c.away, np.maximum(sessions * plan.session_every - c.load, 0), 0)
    if not waiting.size or not room.sum():
        return
    if plan.matching == ORACLE:
        chosen = foreseen_matches(w, c.session, waiting, room, _sessions_left(c, waiting), c.brought(waiting))
    else:
        chosen = choice(plan.matching, _seen(c, waiting, room))
    clients, therapists = waiting[chosen >= 0], chosen[chosen >= 0]
    c.begin_courses(clients, therapists, _sessions_left(c, clients))


def _sessions_left(c: Clinic, clients: np.ndarray) -> np.ndarray:
    """Sessions planned for these clients' next course: all of them, or what another therapist has left of them."""
    w, before = c.world, np.maximum(c.course[clients], 0)
    left = np.maximum(w.planned_sessions[before] - w.dyads.session[before].astype(np.int64), 1)
    return np.where(c.course[clients] >= 0, left, w.planned_weeks)


def _seen(c: Clinic, waiting: np.ndarray, room: np.ndarray) -> Seen:
    """What a real service could see of those who wait and of the therapists.

    Of whose questionnaire did not come back it takes what is typical: the mean ECR of their role's population, and the CORE-OM of
    the typical client.
    """
    w, posts = c.world, np.flatnonzero(room > 0)
    arrival, p = c.book.arrival, w.parameters
    typical = applied(eq.core_share, p, distress=p.client_distress_typical, week_noise=0.0)
    usual = {"anxiety": p.client_anxiety_mean, "avoidance": p.client_avoidance_mean,
             "distress": 10.0 * CORE_OM.high * typical}  # fmt: skip

    def or_typical(answers: np.ndarray, otherwise: float) -> np.ndarray:
        return np.where(np.isnan(answers), otherwise, answers)

    return Seen(
        week=w.week,
        client=waiting.copy(),  # what is handed out can be changed without changing anything here
        client_anxiety=or_typical(arrival["client_anxiety_arrival"][waiting], usual["anxiety"]),
        client_avoidance=or_typical(arrival["client_avoidance_arrival"][waiting], usual["avoidance"]),
        client_distress=or_typical(arrival["distress_arrival"][waiting], usual["distress"]),
        weeks_waiting=w.week - c.since[waiting],
        therapist=posts,
        therapist_anxiety=or_typical(c.responses["anxiety"][posts], p.therapist_anxiety_mean),
        therapist_avoidance=or_typical(c.responses["avoidance"][posts], p.therapist_avoidance_mean),
        caseload=c.load[posts],
        room=room[posts],
        lot=lambda purpose: w.luck.uniform(w.client_code[waiting], f"matching {purpose}", w.week),  # no luck of the model's
    )


def _ask_staff(c: Clinic) -> None:
    """Therapists fill in the ECR for the service: at their start, until they have, and again every half year."""
    w, again = c.world, c.world.week % STAFF_QUESTIONNAIRES == 0
    for name, given in c.responses.items():
        rows = np.flatnonzero(c.in_post & (np.isnan(given) | again))
        if rows.size:
            style = w.therapists[f"ecr_response_style_{name}"][rows]
            now = ecr(name, w.therapists[name][rows], style, w.asked("therapist", rows), "staff")
            given[rows] = np.where(np.isnan(now), given[rows], now)


def hold_sessions(c: Clinic) -> None:
    """Everybody in therapy whose turn it is meets, as in a single course; some leave afterwards."""
    w = c.world
    rows = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
    turn = c.turn[w.client_of[rows]] == w.week % c.plan.session_every
    rows = rows[turn & ~c.away[w.therapist_of[rows]]]
    c.met, c.held = rows, np.bincount(w.therapist_of[rows], minlength=c.in_post.size)
    if not rows.size:
        return
    hold(w, rows, c.session)
    c.book.note_sessions(w, rows)
    if c.book.keep_sessions:
        c.book.sessions.append(session_rows(w, rows))
    if c.traced.size:
        c.book.exchanges.append(exchange_rows(w, rows))
    c.end_courses(rows[w.ending[rows] != IN_THERAPY], ENDED)


def tire(c: Clinic) -> None:
    """Work tires therapists: overload, distress carried home, unrepaired ruptures; rest restores. Writes ``fatigue``."""
    w, d, m = c.world, c.world.dyads, c.in_post.size
    of, full = w.therapist_of[c.met], max(c.plan.capacity, 1)
    above = d.mean_therapist_arousal[c.met] - w.parameters.therapist_arousal_typical
    w.therapists["fatigue"] = applied(
        eq.fatigue_after, w.parameters, columns=w.therapists, load=c.held / full,
        carried=np.bincount(of, weights=above, minlength=m) / full,
        open_ruptures=np.bincount(of, weights=d.open_rupture[c.met], minlength=m) / full,
    )  # fmt: skip


def ask_again(c: Clinic) -> None:
    """Monthly questionnaires of everybody who has come, also afterwards, and follow-up of those whose therapy has ended."""
    rows, months = months_since(c)
    c.book.note_month(c.world, rows, months, c.state[rows] == TREATED)
    over = np.flatnonzero(c.state[: c.arrived] == ENDED)
    for when, weeks in FOLLOW_UPS.items():
        due = over[c.since[over] == c.world.week - weeks + 1]  # the week in which it ended has been lived as well
        if due.size:
            c.book.ask_later(c.world, due, c.course[due], when)


def take_stock(c: Clinic) -> None:
    """This week's rows of the tables of therapists and of the clinic."""
    c.book.note_week(c)


#: One week of a clinic, in order.
CLINIC: tuple[ClinicVerb, ...] = (
    arrive, give_up_waiting, come_and_go, train, match, hold_sessions, tire, life_goes_on, ask_again, take_stock,
)  # fmt: skip
