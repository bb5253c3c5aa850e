"""A clinic, week by week: who comes, who waits, who meets whom, who tires, leaves and is replaced.

The tuple ``CLINIC`` is the order of a week. Sessions are those of ``session.SESSION``, on the same arrays: a course of
therapy is a dyad row; a therapist's row is shared by all their clients. Everybody who will come is drawn beforehand (luck is
addressed, so nobody's depends on who else comes) and lives from the week of arrival on.

A person is counted once: in any week, arrivals so far = waiting + in therapy + between therapists + lost while
waiting + ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.luck import pair
from sim.people import instruments as ask
from sim.people.apply import applied
from sim.people.life import live_a_week
from sim.people.state import DYAD, Columns
from sim.theory import equations as eq
from sim.therapy.course import WEEKS_PER_MONTH, assess, at_end, attachment_now, fading, session_rows
from sim.therapy.matching import MATCHING, Seen
from sim.therapy.session import CENSORED, IN_THERAPY, SESSION, TRANSFERRED, Verb, World, meet_first

#: Where a client stands. The last is said in more detail by how their course ended.
STATES = ("not yet there", "waiting", "in therapy", "between therapists", "lost while waiting", "ended")
NOT_YET, WAITING, TREATED, BETWEEN, LOST, ENDED = range(len(STATES))
NOT_BEGUN = -1  # of a course
END_COLUMNS = (
    *(f"{role}_{name}_end{kind}" for role in ("client", "therapist") for name in ("anxiety", "avoidance") for kind in ("", "_latent")),
    "distress_end", "distress_end_latent", "planned_sessions", "sessions_attended", "ending",
)  # fmt: skip


@dataclass(frozen=True)
class Service:
    """How a clinic is run: what a manager could decide.

    ``capacity``: clients a post has room for. ``every``: weeks between sessions. ``matching``: a rule of ``MATCHING``.
    ``overbook``: clients beyond capacity that a post takes when people have waited ``overbook_after`` weeks.
    ``leave_prob``: chance a week that a therapist is away. ``turnover``: whether therapists quit and are replaced.
    ``arriving``: clients who arrive in each week, from the first.
    """

    capacity: int
    arriving: np.ndarray
    every: int = 1
    matching: str = "first_free"
    overbook: int = 0
    overbook_after: int = 12
    leave_prob: float = 0.0
    turnover: bool = False


@dataclass
class Clinic:
    """A clinic under way. One row a client, in the order of arrival; one row a therapist, those to come included."""

    world: World
    service: Service
    draw_therapists: Callable[[np.ndarray], tuple[Columns, np.ndarray]]  # numbers -> people and their luck codes
    session: tuple[Verb, ...] = SESSION
    keep_sessions: bool = True
    keep_assessments: bool = True
    kept: dict[str, list[dict[str, np.ndarray]]] = field(
        default_factory=lambda: {"clients": [], "sessions": [], "assessments": [], "therapists": [], "clinic": []}
    )

    def __post_init__(self) -> None:
        n, m = len(self.world.clients), len(self.world.therapists)
        self.arrived = 0
        self.state = np.full(n, NOT_YET)
        self.since = np.zeros(n, np.int64)  # week since which a client is in this state
        self.course = np.full(n, -1)  # dyad row of the course they are in, or were in last
        self.seen_distress, self.seen_anxiety, self.seen_avoidance = (np.full(n, np.nan) for _ in range(3))
        self.in_post = np.ones(m, bool)
        self.away = np.zeros(m, bool)
        self.load = np.zeros(m, np.int64)
        self.courses = 0  # dyad rows in use
        self.ended = np.zeros(n, np.int64)  # how the last course ended
        self.arrival = np.zeros(n, np.int64)
        self.met = np.empty(0, np.int64)
        self.begun: dict[str, np.ndarray] = {}  # what is noted when a course begins, one entry a course

    def grow(self, courses: int) -> None:
        """Make room for more courses."""
        w, more = self.world, max(courses - (len(self.world.dyads) - self.courses), 0)
        if not more:
            return
        more = max(more, len(w.dyads) // 4 + 16)
        dyads = Columns(w.dyads.declared, len(w.dyads) + more)
        dyads.data[:, : len(w.dyads)] = w.dyads.data
        w.dyads = dyads
        for name in ("client_of", "therapist_of", "pair_code", "planned_sessions"):
            old = getattr(w, name)
            setattr(w, name, np.concatenate([old, np.zeros(more, old.dtype)]))
        w.ending = np.concatenate([w.ending, np.full(more, NOT_BEGUN)])
        w.trace_row = np.concatenate([w.trace_row, np.full(more, -1)])
        w.ratings = {name: np.concatenate([values, np.full(more, np.nan)]) for name, values in w.ratings.items()}

    def begin_courses(self, clients: np.ndarray, therapists: np.ndarray, sessions_left: np.ndarray) -> np.ndarray:
        """New courses of these clients with these therapists; returns their dyad rows."""
        self.grow(clients.size)
        w = self.world
        rows = np.arange(self.courses, self.courses + clients.size)
        self.courses += clients.size
        w.client_of[rows], w.therapist_of[rows] = clients, therapists
        w.pair_code[rows] = pair(w.client_code[clients], w.therapist_code[therapists])
        w.planned_sessions[rows] = sessions_left
        w.ending[rows] = IN_THERAPY
        meet_first(w, rows)
        self._note_beginning(rows, clients, therapists)
        self.course[clients] = rows
        self.state[clients], self.since[clients] = TREATED, w.week
        np.add.at(self.load, therapists, 1)
        return rows

    def _note_beginning(self, rows: np.ndarray, clients: np.ndarray, therapists: np.ndarray) -> None:
        """What the client table says of a course's beginning."""
        w = self.world
        now = {
            **attachment_now(w, "client", "0", clients), **attachment_now(w, "therapist", "0", therapists),
            "distress_0": ask.core_om(w.clients.distress[clients], w.client_code[clients], "core_begin", w.week, w.numbers, w.luck),
            "distress_0_latent": w.clients.distress[clients],
            "arrival_week": self.arrival[clients], "begin_week": np.full(rows.size, w.week),
            "weeks_waited": w.week - self.since[clients],
            "course": np.where(self.course[clients] >= 0, 2, 1),
        }  # fmt: skip
        for name, values in now.items():
            kept = self.begun.get(name, np.empty(0))
            if kept.size < len(w.dyads):
                kept = np.concatenate([kept, np.full(len(w.dyads) - kept.size, np.nan)])
            kept[rows] = values
            self.begun[name] = kept
        before = self.course[clients]
        again = before >= 0
        self.begun["course"][rows[again]] = self.begun["course"][before[again]] + 1

    def note_ends(self, rows: np.ndarray) -> None:
        """The client table's rows of courses that are over, or cut off by the end of the simulation."""
        w, over = self.world, {name: np.full(len(self.world.dyads), np.nan) for name in END_COLUMNS}
        if not rows.size:
            return
        at_end(w, rows, over, by_course=True)
        self.kept["clients"].append({
            "row": rows, **{name: values[rows] for name, values in self.begun.items()},
            **{name: values[rows] for name, values in over.items()}, "end_week": np.full(rows.size, w.week),
        })  # fmt: skip


ClinicVerb = Callable[[Clinic], None]


def arrive(c: Clinic) -> None:
    """This week's arrivals fill in the intake questionnaires and go on the waiting list."""
    n = int(c.service.arriving[c.world.week - 1]) if c.world.week <= c.service.arriving.size else 0
    new = np.arange(c.arrived, c.arrived + n)
    c.arrived += n
    w = c.world
    c.state[new], c.since[new], c.arrival[new] = WAITING, w.week, w.week
    code = w.client_code[new]
    c.seen_distress[new] = ask.core_om(w.clients.distress[new], code, "core_0", w.week, w.numbers, w.luck)
    for name, kept in (("anxiety", c.seen_anxiety), ("avoidance", c.seen_avoidance)):
        marks = w.clients[f"ecr_style_{name}"][new]
        kept[new] = ask.ecr(w.clients[name][new], marks, code, f"ecr_{name}_0", w.week, w.numbers, w.luck)


def give_up_waiting(c: Clinic) -> None:
    """Some who wait do not come back: the longer they wait and the better they feel, the more."""
    w, rows = c.world, np.flatnonzero(c.state == WAITING)
    chance = applied(
        eq.waiting_loss_probability, w.numbers, "client", distress=w.clients.distress[rows],
        weeks_waiting=(w.week - c.since[rows]).astype(float),
    )  # fmt: skip
    lost = rows[w.luck.uniform(w.client_code[rows], "waiting_loss", w.week) <= chance]
    c.state[lost], c.since[lost] = LOST, w.week


def come_and_go(c: Clinic) -> None:
    """Therapists are away for a week, or leave for good; their clients wait for another, and the post is filled anew."""
    w, s = c.world, c.service
    code = w.therapist_code[: c.in_post.size]
    c.away = c.in_post & (w.luck.uniform(code, "leave", w.week) <= s.leave_prob)
    if not s.turnover:
        return
    chance = applied(eq.quitting_probability, w.numbers, columns=w.therapists)
    quit_ = np.flatnonzero(c.in_post & (w.luck.uniform(code, "quitting", w.week) <= chance))
    if not quit_.size:
        return
    rows = np.flatnonzero((w.ending == IN_THERAPY) & np.isin(w.therapist_of, quit_))
    w.ending[rows] = TRANSFERRED
    c.note_ends(rows)
    who = w.client_of[rows]
    c.state[who], c.since[who] = BETWEEN, w.week
    c.in_post[quit_], c.load[quit_] = False, 0
    hire(c, quit_.size)


def hire(c: Clinic, n: int) -> None:
    """Put ``n`` new therapists into post."""
    w = c.world
    numbers = np.arange(len(w.therapists), len(w.therapists) + n)
    people, code = c.draw_therapists(numbers)
    together = Columns(w.therapists.declared, numbers[-1] + 1)
    together.data[:, : len(w.therapists)], together.data[:, numbers] = w.therapists.data, people.data
    w.therapists, w.therapist_code = together, np.concatenate([w.therapist_code, code])
    c.in_post = np.concatenate([c.in_post, np.ones(n, bool)])
    c.away = np.concatenate([c.away, np.zeros(n, bool)])
    c.load = np.concatenate([c.load, np.zeros(n, np.int64)])


def match(c: Clinic) -> None:
    """Those who wait for a therapist get one, as far as there is room: first who is between therapists, then by waiting time."""
    w, s = c.world, c.service
    waiting = np.concatenate([np.flatnonzero(c.state == BETWEEN), np.flatnonzero(c.state == WAITING)])
    room = np.where(c.in_post & ~c.away, s.capacity - c.load, 0)
    if s.overbook and waiting.size and (w.week - c.since[waiting]).max() > s.overbook_after:
        room = np.where(c.in_post & ~c.away, room + s.overbook, room)
    room = np.maximum(room, 0)
    if not waiting.size or not room.sum():
        return
    chosen = MATCHING[s.matching](_seen(c, waiting, room))
    placed = chosen >= 0
    clients, therapists = waiting[placed], chosen[placed]
    before = c.course[clients]
    carried = {
        name: w.dyads[f"client_{name}"][before] for name in ("anxiety", "avoidance")
    }  # of those who had a therapist
    again = before >= 0
    left = w.planned_sessions[before] - w.dyads.session[before]
    sessions = np.where(again, np.maximum(left, 1), w.planned_weeks).astype(np.int64)
    rows = c.begin_courses(clients, therapists, sessions)
    for name, bond in carried.items():
        general = w.clients[name][clients[again]]
        w.dyads[f"client_{name}"][rows[again]] = applied(eq.handed_over, w.numbers, general=general, bond=bond[again])


def _seen(c: Clinic, waiting: np.ndarray, room: np.ndarray) -> Seen:
    """What a real service could see of those who wait and of the therapists."""
    w = c.world
    posts = np.flatnonzero(room > 0)
    code = w.therapist_code[posts]
    marks = {
        name: ask.ecr(w.therapists[name][posts], w.therapists[f"ecr_style_{name}"][posts], code, f"ecr_{name}_staff", w.week // 26,
                      w.numbers, w.luck)
        for name in ("anxiety", "avoidance")
    }  # fmt: skip
    return Seen(
        week=w.week,
        client=waiting,
        client_anxiety=c.seen_anxiety[waiting],
        client_avoidance=c.seen_avoidance[waiting],
        client_distress=c.seen_distress[waiting],
        weeks_waiting=w.week - c.since[waiting],
        therapist=posts,
        therapist_anxiety=marks["anxiety"],
        therapist_avoidance=marks["avoidance"],
        caseload=c.load[posts],
        room=room[posts],
        luck=lambda purpose: w.luck.uniform(w.client_code[waiting], purpose, w.week),
    )


def hold_sessions(c: Clinic) -> None:
    """Everybody in therapy whose turn it is meets, as in a single course; some leave afterwards."""
    w = c.world
    rows = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
    begun = c.since[w.client_of[rows]]
    here = ~c.away[w.therapist_of[rows]] & ((w.week - begun) % c.service.every == 0)
    rows = rows[here]
    c.met = rows
    if not rows.size:
        return
    for verb in c.session:
        verb(w, rows)
    if c.keep_sessions:
        c.kept["sessions"].append(session_rows(w, rows))
    over = rows[w.ending[rows] != IN_THERAPY]
    c.note_ends(over)
    who = w.client_of[over]
    c.state[who], c.since[who], c.ended[who] = ENDED, w.week, w.ending[over]
    np.subtract.at(c.load, w.therapist_of[over], 1)


def tire(c: Clinic) -> None:
    """Work tires therapists: overload, distress carried home, ruptures left open; rest restores. Writes ``fatigue``."""
    w, m = c.world, c.in_post.size
    of, d = w.therapist_of[c.met], w.dyads
    held = np.bincount(of, minlength=m)
    share = np.maximum(held, 1)
    carried = np.bincount(of, weights=d.mean_therapist_arousal[c.met], minlength=m) / share - w.numbers.therapist_arousal_typical
    open_ = np.bincount(of, weights=d.open_rupture[c.met], minlength=m) / max(c.service.capacity, 1)
    w.therapists["fatigue"] = applied(
        eq.fatigue_after, w.numbers, columns=w.therapists, load=c.load / max(c.service.capacity, 1),
        carried=np.where(held > 0, carried, 0.0) * held / max(c.service.capacity, 1), open_ruptures=open_,
    )  # fmt: skip


def life_goes_on(c: Clinic) -> None:
    """A week of life for everybody who has come so far, and for the therapists."""
    w = c.world
    people = w.clients.first(c.arrived)
    for role, rows, code in (("client", people, w.client_code[: c.arrived]), ("therapist", w.therapists, w.therapist_code)):
        fading(rows, w)
        live_a_week(role, rows, code, w.week, w.numbers, w.luck)


def take_stock(c: Clinic) -> None:
    """This week's rows of the tables of therapists and of the clinic."""
    w = c.world
    posts = np.flatnonzero(c.in_post)
    t = w.therapists
    c.kept["therapists"].append({
        "therapist": posts, "week": np.full(posts.size, w.week), "caseload": c.load[posts], "away": c.away[posts],
        **{name: t[name][posts].copy() for name in ("fatigue", "anxiety", "avoidance", "skill")},
    })  # fmt: skip
    c.kept["clinic"].append({name: np.array([value]) for name, value in counts(c).items()} | {"week": np.array([w.week])})


def assess_all(c: Clinic) -> None:
    """Everybody who has come fills in the monthly questionnaires, every fourth week since their arrival, also afterwards."""
    w = c.world
    months = (w.week - c.arrival[: c.arrived]) // WEEKS_PER_MONTH
    rows = np.flatnonzero((w.week - c.arrival[: c.arrived]) % WEEKS_PER_MONTH == 0)
    if c.keep_assessments and rows.size:
        table = assess(w, 1, rows)
        table["month"], table["in_therapy"] = months[rows], c.state[rows] == TREATED
        c.kept["assessments"].append(table)


def counts(c: Clinic) -> dict[str, int]:
    """How many have come so far, and where they stand now."""
    in_state = np.bincount(c.state[: c.arrived], minlength=len(STATES))
    return {
        "arrivals_total": c.arrived, "waiting": int(in_state[WAITING]), "in_therapy": int(in_state[TREATED]),
        "between_therapists": int(in_state[BETWEEN]), "lost_waiting": int(in_state[LOST]), "ended_total": int(in_state[ENDED]),
    }  # fmt: skip


#: One week of a clinic, in order.
CLINIC: tuple[ClinicVerb, ...] = (
    arrive, give_up_waiting, come_and_go, match, hold_sessions, tire, life_goes_on, assess_all, take_stock,
)  # fmt: skip


def run_clinic(c: Clinic, weeks: int, order: tuple[ClinicVerb, ...] = CLINIC) -> Mapping[str, list[dict[str, Any]]]:
    """Live ``weeks`` weeks; returns what was kept of them."""
    for _ in range(weeks):
        c.world.week += 1
        for verb in order:
            verb(c)
    still = np.flatnonzero(c.world.ending[: c.courses] == IN_THERAPY)
    c.world.ending[still] = CENSORED
    c.note_ends(still)
    return c.kept


__all__ = ["CLINIC", "DYAD", "Clinic", "Service", "counts", "run_clinic"]
