"""What a clinic keeps: one line a course, what was asked at arrival, and the weekly state of therapists and of the whole.

Nothing here changes anybody; verbs of ``clinic`` call it. All of it is written as the studies would: questionnaires with
their error, and beside them the latent values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.engine.asking import core_om
from sim.measurement.responses import item_table
from sim.people.state import Column, Columns
from sim.theory.styles import ecr_score
from sim.therapy.clinic.states import FOLLOW_UPS, LOST, Standing, counts
from sim.therapy.course import assess, at_end, attachment_now, joined
from sim.therapy.endings import CENSORED, IN_THERAPY, LOST_WAITING, STILL_WAITING
from sim.therapy.session import World

#: What is asked of everybody at arrival, and again some time after therapy; and what is kept of each answer.
ASKED, _KEPT = ("distress", "client_anxiety", "client_avoidance"), ("", "_latent")
#: One line of the book: a course, all in the units of the client table.
COURSE = (
    *(f"{role}_{name}_{when}{kind}" for role in ("client", "therapist") for name in ("anxiety", "avoidance")
      for when in ("0", "end") for kind in _KEPT),
    "distress_0", "distress_0_latent", "distress_end", "distress_end_latent", "planned_sessions", "sessions_attended", "ending",
    "begin_week", "end_week", "weeks_waited", "course", "wai_client_3", "wai_client_last", "wai_client_mean",
    "ruptures_total", "repairs_total", "sessions_off_track", "gave_up_between",
    *(f"{name}_{when}{kind}" for when in FOLLOW_UPS for name in ASKED for kind in _KEPT),
)  # fmt: skip


def _blank(n: int) -> Columns:
    return Columns({name: Column(name, float("nan"), -np.inf, np.inf, "", "") for name in COURSE}, n)


@dataclass
class Book:
    """A clinic's records so far. ``courses``: one line a dyad row; ``arrival``: one entry a client; the rest week by week."""

    n_clients: int
    keep_sessions: bool = True
    keep_assessments: bool = True
    courses: Columns = field(default_factory=lambda: _blank(0))
    rated: np.ndarray = field(default_factory=lambda: np.zeros(0))  # of each course, sessions whose alliance the client rated
    arrival: dict[str, np.ndarray] = field(default_factory=dict)
    sessions: list[dict[str, np.ndarray]] = field(default_factory=list)
    exchanges: list[dict[str, np.ndarray]] = field(default_factory=list)
    assessments: list[dict[str, np.ndarray]] = field(default_factory=list)
    therapists: list[dict[str, np.ndarray]] = field(default_factory=list)
    clinic: list[dict[str, np.ndarray]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.arrival = {f"{name}_arrival{kind}": np.full(self.n_clients, np.nan) for name in ASKED for kind in _KEPT}

    def make_room(self, courses: int) -> None:
        """Lines for so many courses."""
        if len(self.courses) < courses:
            self.courses = self.courses.grown(courses)
            self.rated = np.concatenate([self.rated, np.zeros(courses - self.rated.size)])

    def note_arrival(self, w: World, new: np.ndarray) -> None:
        """The intake questionnaires of who comes this week: also the first of their monthly ones."""
        table = assess(w, 0, new)
        for name, answers in self.arrival.items():
            answers[new] = table[name.replace("_arrival", "").removeprefix("client_")]
        if self.keep_assessments:
            self.assessments.append(table)

    def note_beginning(self, c: Standing, rows: np.ndarray, clients: np.ndarray, therapists: np.ndarray) -> None:
        """What the client table says of a course's beginning."""
        w, b = c.world, self.courses
        distress = w.clients.distress[clients]
        at = w.occasion("beginning", clients, therapists)
        now = {
            **attachment_now(w, "client", "begin", clients, at), **attachment_now(w, "therapist", "begin", therapists, at),
            "distress_0": core_om(w.clients.rows(clients), w.asked("client", clients, at), "begin"),
            "distress_0_latent": distress, "begin_week": w.week, "weeks_waited": w.week - c.since[clients],
        }  # fmt: skip
        before = c.course[clients]
        now["course"] = np.where(before >= 0, b.course[np.maximum(before, 0)] + 1.0, 1.0)
        for name, values in now.items():
            b[name.replace("_begin", "_0") if name != "begin_week" else name][rows] = values

    def note_sessions(self, w: World, rows: np.ndarray) -> None:
        """Alliance, ruptures, repairs and warnings of this week's sessions, added to their courses' lines."""
        b, number = self.courses, w.dyads.session[rows]
        ruptures = w.dyads.withdrawals + w.dyads.confrontations
        counted = {"ruptures_total": ruptures, "repairs_total": w.dyads.repairs, "sessions_off_track": w.dyads.off_track}
        for name, more in counted.items():
            b[name][rows] = np.nan_to_num(b[name][rows]) + more[rows]
        if "wai_client" not in w.ratings:
            return
        wai = w.ratings["wai_client"][rows]
        b.wai_client_3[rows] = np.where(number == 3, wai, b.wai_client_3[rows])
        rows, wai = rows[~np.isnan(wai)], wai[~np.isnan(wai)]  # of those who handed it in
        b.wai_client_last[rows] = wai
        self.rated[rows] += 1.0
        so_far = np.nan_to_num(b.wai_client_mean[rows])
        b.wai_client_mean[rows] = so_far + (wai - so_far) / self.rated[rows]

    def note_ends(self, w: World, rows: np.ndarray) -> None:
        """What the client table says of courses that end this week."""
        at_end(w, rows, self.courses, by_course=True)
        self.courses.end_week[rows], self.courses.gave_up_between[rows] = w.week, 0.0

    def ask_later(self, w: World, who: np.ndarray, rows: np.ndarray, when: str) -> None:
        """Clients ``who``, whose last course stands in ``rows``, are asked again some time after their therapy was over."""
        b = self.courses
        distress = w.clients.distress[who]
        at = w.occasion(when, who)
        b[f"distress_{when}"][rows] = core_om(w.clients.rows(who), w.asked("client", who, at), "later")
        b[f"distress_{when}_latent"][rows] = distress
        for key, values in attachment_now(w, "client", "later", who, at).items():
            b[key.replace("later", when)][rows] = values

    def note_month(self, w: World, rows: np.ndarray, months: np.ndarray, in_therapy: np.ndarray) -> None:
        """Monthly questionnaires of these clients."""
        if self.keep_assessments and rows.size:
            table = assess(w, 1, rows)
            table["month"], table["in_therapy"] = months, in_therapy
            self.assessments.append(table)

    def note_week(self, c: Standing) -> None:
        """This week's rows of the tables of therapists and of the clinic."""
        w, posts = c.world, np.flatnonzero(c.in_post)
        t = w.therapists
        self.therapists.append({
            "therapist": posts, "week": np.full(posts.size, w.week), "caseload": c.load[posts], "sessions_held": c.held[posts],
            "away": c.away[posts], "fatigue": t.fatigue[posts], "anxiety": ecr_score(t.anxiety[posts]),
            "avoidance": ecr_score(t.avoidance[posts]), "mentalising": t.skill[posts] * (1.0 - t.fatigue[posts]),
            "warmth": t.warmth_trait[posts], "repair_skill": t.repair_skill[posts], "adaptation": t.adaptation[posts],
            "supervised": c.taken[posts] > 0,
        })  # fmt: skip
        now = {"week": w.week, **counts(c), "in_post": posts.size, "away": int(c.away.sum()), "sessions_held": int(c.held.sum())}
        self.clinic.append({name: np.array([value]) for name, value in now.items()})


def tables(c: Standing, b: Book) -> dict[str, dict[str, Any]]:
    """The tables as if everything ended now, as columns; nothing is changed by asking. Who is in therapy is censored."""
    w = c.world
    asked = w.occasions
    w.occasions = None if asked is None else asked.copy()
    found: dict[str, dict[str, Any]] = {"clients": _clients(c, b)}
    found["items"], w.occasions = item_table(w.occasions or ()), asked
    found |= {name: joined(getattr(b, name)) for name in ("sessions", "exchanges", "assessments")}
    found |= {name: {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
              for name, parts in (("therapists", b.therapists), ("clinic", b.clinic)) if parts}  # fmt: skip
    out = {}
    for name, table in found.items():
        if not table:
            continue
        row, rest = table.get("row"), {key: values for key, values in table.items() if key != "row"}
        if row is not None and name in ("sessions", "exchanges"):
            rest = {"client": w.client_of[row], "therapist": w.therapist_of[row], **rest}
        elif row is not None:
            rest = {"client": row, **rest}
        n = next(iter(rest.values())).size
        out[name] = {"replicate": np.full(n, w.luck.replicate, np.int32), **rest}
    return out


def _clients(c: Standing, b: Book) -> dict[str, Any]:
    """One row a course, and one for everybody who came and has had none; by client, then course."""
    w = c.world
    still = np.flatnonzero(w.ending[: c.courses] == IN_THERAPY)
    lines, endings = _blank(c.courses), w.ending.copy()
    lines.data[:] = b.courses.data[:, : c.courses]
    at_end(w, still, lines, CENSORED, by_course=True)
    lines.end_week[still] = w.week
    w.ending[:] = endings
    had = np.zeros(c.arrived, bool)
    had[w.client_of[: c.courses]] = True
    none = np.flatnonzero(~had)
    without = _blank(none.size)
    lost = c.state[none] == LOST
    without["ending"] = np.where(lost, LOST_WAITING, STILL_WAITING)
    without["sessions_attended"], without["planned_sessions"] = 0.0, 0.0
    without["end_week"] = np.where(lost, c.since[none], w.week)
    without["weeks_waited"] = without.end_week - c.arrival[none]
    client = np.concatenate([w.client_of[: c.courses], none])
    therapist = np.concatenate([w.therapist_of[: c.courses], np.full(none.size, -1)])
    together = np.concatenate([lines.data, without.data], axis=1)
    order = np.lexsort((np.nan_to_num(together[lines.index["course"]]), client))
    client = client[order]
    return {
        "client": client, "therapist": therapist[order], **{name: together[k][order] for name, k in lines.index.items()},
        "arrival_week": c.arrival[client], **{name: values[client] for name, values in b.arrival.items()},
    }  # fmt: skip
