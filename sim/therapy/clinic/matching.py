"""Who meets whom: rules by name. Each is one function of what a real service could see.

A rule gets :class:`Seen` and returns, for every client who waits (in that order), the number of a therapist with room, or -1.
Most rules are a score: the best therapist for a client, among those with room left. A new rule is an entry of ``MATCHING``,
which scenarios can name from then on (docs/EXTENDING.md):

    MATCHING["calm_for_anxious"] = by_score(lambda seen: -np.outer(seen.client_anxiety, seen.therapist_anxiety))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sim.errors import MatchingError

#: The matching that no service could have (``foresight``).
ORACLE = "oracle"


@dataclass(frozen=True)
class Seen:
    """What a service sees when it matches: questionnaires (with their error), waiting times, caseloads. One entry a person.

    Attachment is in ECR points (1-7), distress in CORE-OM points (0-40); ``room``: free places of each therapist.

    >>> sorted(MATCHING)[:2]
    ['dissimilar', 'first_free']
    """

    week: int
    client: np.ndarray
    client_anxiety: np.ndarray  # ECR 1-7, as filled in at intake
    client_avoidance: np.ndarray
    client_distress: np.ndarray  # CORE-OM 0-40, as filled in at intake
    weeks_waiting: np.ndarray
    therapist: np.ndarray  # those with room
    therapist_anxiety: np.ndarray  # ECR 1-7, as filled in for the service
    therapist_avoidance: np.ndarray
    caseload: np.ndarray
    room: np.ndarray
    lot: Callable[[str], np.ndarray]  # one uniform number per client, by purpose: for drawing lots

    def front(self) -> Seen:
        """The same, with no more of those who wait than there is room for, the longest waiting first."""
        return self.part(0, self.room)

    def part(self, first: int, room: np.ndarray) -> Seen:
        """The same from one client of the list on, as many as there is ``room`` for, and with that room."""
        some = slice(first, first + int(room.sum()))
        mine = ("client", "client_anxiety", "client_avoidance", "client_distress", "weeks_waiting")
        cut = {name: getattr(self, name)[some] for name in mine}
        return replace(self, **cut, room=room, lot=lambda purpose: self.lot(purpose)[some])


Rule = Callable[[Seen], np.ndarray]


def placed(seen: Seen, score: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    """Each client in turn gets the therapist with the highest score among those with room; ``score(client, room)``."""
    room, out = seen.room.copy(), np.full(seen.client.size, -1)
    left = int(room.sum())
    for k in range(seen.client.size):
        if not left:
            break
        scores = np.where(room > 0, score(k, room), -np.inf)
        best = int(np.argmax(scores))
        if scores[best] == -np.inf:  # nobody for this client
            continue
        out[k] = seen.therapist[best]
        room[best] -= 1
        left -= 1
    return out


def by_score(scores: Callable[[Seen], np.ndarray]) -> Rule:
    """A rule from a table of scores, (clients, therapists).

    ``scores``: from what is seen to one number a pair, the higher the better; -inf: never this pair. Add the rule to ``MATCHING``
    under a name, and a scenario can ask for it.

    >>> rule = by_score(lambda seen: -np.abs(seen.client_anxiety[:, None] - seen.therapist_anxiety))
    >>> callable(rule)
    True
    """

    def rule(seen: Seen) -> np.ndarray:
        room, out, first = seen.room.copy(), np.full(seen.client.size, -1), 0
        while first < out.size and room.sum():  # once, unless scores of -inf leave room for who stands further back
            part = seen.part(first, room)
            table = np.asarray(scores(part), float)
            if table.shape != (part.client.size, part.therapist.size):
                raise MatchingError(f"scores must be one row a client and one column a therapist, not of shape {table.shape}")
            if np.isnan(table).any():
                raise MatchingError("scores must be numbers (-inf = never this pair), not NaN")
            chosen = placed(part, lambda client, _room, table=table: table[client])  # type: ignore[misc]
            out[first : first + chosen.size] = chosen
            room = room - np.bincount(np.searchsorted(part.therapist, chosen[chosen >= 0]), minlength=room.size)
            first += chosen.size
        return out

    return rule


def first_free(seen: Seen) -> np.ndarray:
    """Whoever waits longest gets the first therapist on the list with room."""
    return placed(seen, lambda k, room: -np.arange(room.size, dtype=float))


def random(seen: Seen) -> np.ndarray:
    """Any therapist with room, by lot."""
    lot = seen.lot("matching")

    def score(k: int, room: np.ndarray) -> np.ndarray:
        free = np.flatnonzero(room > 0)
        return (np.arange(room.size) == free[int(lot[k] * free.size) % free.size]).astype(float)

    return placed(seen, score)


def least_loaded(seen: Seen) -> np.ndarray:
    """The therapist with most room left."""
    return placed(seen, lambda k, room: room.astype(float))


def _distance(seen: Seen) -> np.ndarray:
    """How far client and therapist are from each other on the attachment plane, (clients, therapists)."""
    anxiety = seen.client_anxiety[:, None] - seen.therapist_anxiety
    avoidance = seen.client_avoidance[:, None] - seen.therapist_avoidance
    return np.asarray(np.sqrt(anxiety * anxiety + avoidance * avoidance))


def similar(seen: Seen) -> np.ndarray:
    """The therapist whose attachment scores are nearest to the client's."""
    return by_score(lambda s: -_distance(s))(seen)


def dissimilar(seen: Seen) -> np.ndarray:
    """The therapist whose attachment scores are farthest from the client's (complementary)."""
    return by_score(_distance)(seen)


def secure_to_insecure(seen: Seen) -> np.ndarray:
    """Of those whose turn it is, the most insecure get the most secure therapists: a thought experiment, not advice."""
    front = seen.front()
    order = np.argsort(-(front.client_anxiety + front.client_avoidance), kind="stable")
    security = -(front.therapist_anxiety + front.therapist_avoidance)
    room, out = front.room.copy(), np.full(seen.client.size, -1)
    for k in order:
        best = int(np.argmax(np.where(room > 0, security, -np.inf)))
        out[k], room[best] = front.therapist[best], room[best] - 1
    return out


MATCHING: dict[str, Rule] = {
    rule.__name__: rule for rule in (first_free, random, least_loaded, similar, dissimilar, secure_to_insecure)
}

#: The rules as shipped, whatever is added to ``MATCHING`` or put in place of one.
SHIPPED = dict(MATCHING)


def rule_names() -> tuple[str, ...]:
    """Every matching that a scenario can name, those that were added included."""
    return (*MATCHING, ORACLE)


def meaning(name: str) -> str:
    """A matching rule in one sentence."""
    if name == ORACLE:
        return "Knows what would become of each client with each therapist, as no service could: an upper bound."
    return (MATCHING[name].__doc__ or "A rule that was added.").strip().splitlines()[0]


def choice(name: str, seen: Seen) -> np.ndarray:
    """What a rule chooses: a therapist for every client who waits, or -1. Raises ``MatchingError`` with the rule's name."""
    as_given = replace(seen, therapist=seen.therapist.copy(), room=seen.room.copy())  # whatever the rule does to what it sees
    try:
        chosen = MATCHING[name](seen)
    except MatchingError as e:
        raise MatchingError(f"matching rule '{name}': {e}") from e
    except (Exception, SystemExit) as e:  # whatever somebody's own rule may do
        raise MatchingError(f"matching rule '{name}' failed in week {seen.week} with {type(e).__name__}: {e}") from e
    return checked_choice(name, as_given, chosen)


def checked_choice(name: str, seen: Seen, chosen: np.ndarray) -> np.ndarray:
    """What a rule chose, if it can be carried out: one entry a client, therapists with room, no more clients than room."""
    chosen = np.asarray(chosen)
    if chosen.shape != seen.client.shape or chosen.dtype.kind not in "iu":
        raise MatchingError(f"matching rule '{name}' must return one whole number a waiting client (a therapist, or -1)")
    taken = chosen[chosen >= 0]
    unknown = taken[~np.isin(taken, seen.therapist)]
    if unknown.size or (chosen < -1).any():
        odd = unknown if unknown.size else chosen[chosen < -1]
        raise MatchingError(f"matching rule '{name}' chose therapist {odd[0]}, who has no room or does not exist")
    over = np.bincount(np.searchsorted(seen.therapist, taken), minlength=seen.therapist.size) > seen.room
    if over.any():
        full = seen.therapist[over][0]
        raise MatchingError(f"matching rule '{name}' gave therapist {full} more clients than there is room for")
    return chosen
