"""A matching that knows the future: what would become of each waiting client with each therapist, on the draws that will come.

No service could have it. It marks how much there is to gain by matching at all, one week at a time (it does not foresee who
comes next week, nor what a fuller caseload does to a therapist): an upper bound for rules that act week by week.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim.luck import pair
from sim.people.state import Columns
from sim.therapy.clinic.feedback import heed_feedback
from sim.therapy.endings import IN_THERAPY
from sim.therapy.session import SESSION, Verb, World, hold, meet_first
from sim.therapy.verbs import rate_alliance
from sim.therapy.weeks import Weeks, clients_live

#: Pairs whose courses are simulated together.
MOST_AT_ONCE = 20_000


def without_questionnaires(session: tuple[Verb, ...]) -> tuple[Verb, ...]:
    """The verbs of a session that decide anything: without ``rate_alliance``, unless a verb was added that may ask for it."""
    shipped = set(session) <= {*SESSION, heed_feedback}
    return tuple(verb for verb in session if not (shipped and verb is rate_alliance))


def foreseen_matches(world: World, session: tuple[Verb, ...], waiting: np.ndarray, room: np.ndarray,
                     sessions: np.ndarray, brought: Mapping[str, np.ndarray]) -> np.ndarray:  # fmt: skip
    """For every waiting client a therapist row, or -1: the assignment with the least distress foreseen in all.

    ``room``: places of every therapist; ``sessions``: planned for every waiting client; ``brought``: what they bring from a
    therapist before (columns of ``verbs.HANDED_OVER``, NaN for who had none). As many as there are places are
    served, in the order in which they wait; so it differs from the rules by who meets whom, not by who is seen.
    """
    from scipy.optimize import linear_sum_assignment

    posts = np.flatnonzero(room > 0)
    served = min(int(room.sum()), waiting.size)
    front = {name: values[:served] for name, values in brought.items()}
    table = foreseen_distress(world, session, waiting[:served], posts, sessions[:served], front)
    places = np.repeat(np.arange(posts.size), np.minimum(room[posts], served))
    who, place = linear_sum_assignment(table[:, places])
    chosen = np.full(waiting.size, -1)
    chosen[who] = posts[places[place]]
    return chosen


def foreseen_distress(world: World, session: tuple[Verb, ...], clients: np.ndarray, posts: np.ndarray,
                      sessions: np.ndarray, brought: Mapping[str, np.ndarray] | None = None) -> np.ndarray:  # fmt: skip
    """Latent distress of each client in the week in which a course with each therapist is planned to end, whoever may have
    left before, therapists held as they are now.

    (clients, posts), in SDs of the community; weekly sessions, no leave. Random numbers are counter-based, so these are the draws
    that will be."""
    out = np.empty((clients.size, posts.size))
    step = max(MOST_AT_ONCE // posts.size, 1)
    for i in range(0, clients.size, step):
        some = slice(i, i + step)
        mine = {name: values[some] for name, values in (brought or {}).items()}
        out[some] = _courses(world, session, clients[some], posts, sessions[some], mine)
    return out


def _courses(world: World, session: tuple[Verb, ...], clients: np.ndarray, posts: np.ndarray,
             sessions: np.ndarray, brought: Mapping[str, np.ndarray]) -> np.ndarray:  # fmt: skip
    client, therapist = np.repeat(clients, posts.size), np.tile(posts, clients.size)
    rows = np.arange(client.size)
    held = world.therapists.rows(therapist)
    w = World(
        luck=world.luck, parameters=world.parameters, clients=world.clients.rows(client),
        therapists=world.therapists.rows(therapist),
        dyads=Columns(world.dyads.declared, rows.size), client_code=world.client_code[client],
        therapist_code=world.therapist_code[therapist], client_of=rows, therapist_of=rows,
        pair_code=pair(world.client_code[client], world.therapist_code[therapist]),
        planned_sessions=np.repeat(sessions, posts.size), n_exchanges=world.n_exchanges, planned_weeks=world.planned_weeks,
        strengths=world.strengths, exchange_steps=world.exchange_steps, week=world.week - 1, intervention=world.intervention,
        engine=world.engine,
    )  # fmt: skip
    w.trace = np.zeros((0, *world.trace.shape[1:]))
    meet_first(w, rows, {name: np.repeat(values, posts.size) for name, values in brought.items()})
    found = np.zeros(rows.size)
    verbs = without_questionnaires(session)
    before = w.week

    def meet(_: Weeks) -> None:
        going = np.flatnonzero(w.ending == IN_THERAPY)
        if going.size:
            hold(w, going, verbs)
        w.therapists.data[:] = held.data

    def note(_: Weeks) -> None:
        over = w.planned_sessions == w.week - before
        found[over] = w.clients.distress[over]

    weeks = Weeks(w, (meet, clients_live, note))
    for _ in range(int(sessions.max())):
        weeks.live_a_week()
    return found.reshape(clients.size, posts.size)
