"""Who meets whom: rules by name. Each is one function of what a real service could see.

A rule gets :class:`Seen` and returns, for every client who waits (in that order), the number of a therapist with room, or -1.
Most rules are a score: the best therapist for a client, among those with room left. A new rule is a function in ``MATCHING``:

    MATCHING["my_rule"] = by_score(lambda s: -np.abs(s.client_anxiety[:, None] - s.therapist_anxiety))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Seen:
    """What a service sees when it matches: questionnaires (with their error), waiting times, caseloads. One entry a person."""

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
    luck: Callable[[str], np.ndarray]  # one uniform number per client, by purpose


Rule = Callable[[Seen], np.ndarray]


def placed(seen: Seen, score: Callable[[int, np.ndarray], np.ndarray]) -> np.ndarray:
    """Each client in turn gets the therapist with the highest score among those with room; ``score(client, room)``."""
    room, out = seen.room.copy(), np.full(seen.client.size, -1)
    left = int(room.sum())
    for k in range(seen.client.size):
        if not left:
            break
        best = int(np.argmax(np.where(room > 0, score(k, room), -np.inf)))
        out[k] = seen.therapist[best]
        room[best] -= 1
        left -= 1
    return out


def by_score(scores: Callable[[Seen], np.ndarray]) -> Rule:
    """A rule from a table of scores, (clients, therapists)."""

    def rule(seen: Seen) -> np.ndarray:
        table = scores(seen)
        return placed(seen, lambda k, _: table[k])

    return rule


def first_free(seen: Seen) -> np.ndarray:
    """Whoever waits longest gets the first therapist on the list with room."""
    return placed(seen, lambda k, room: -np.arange(room.size, dtype=float))


def random(seen: Seen) -> np.ndarray:
    """Any therapist with room, by lot."""
    lot = seen.luck("matching")

    def score(k: int, room: np.ndarray) -> np.ndarray:
        free = np.flatnonzero(room > 0)
        return (np.arange(room.size) == free[int(lot[k] * free.size) % free.size]).astype(float)

    return placed(seen, score)


def least_loaded(seen: Seen) -> np.ndarray:
    """The therapist with most room left."""
    return placed(seen, lambda k, room: room.astype(float))


def _distance(seen: Seen) -> np.ndarray:
    """How far client and therapist are from each other on the attachment plane, (clients, therapists)."""
    return np.hypot(
        seen.client_anxiety[:, None] - seen.therapist_anxiety, seen.client_avoidance[:, None] - seen.therapist_avoidance
    )


def similar(seen: Seen) -> np.ndarray:
    """The therapist whose attachment scores are nearest to the client's."""
    return by_score(lambda s: -_distance(s))(seen)


def dissimilar(seen: Seen) -> np.ndarray:
    """The therapist whose attachment scores are farthest from the client's (complementary)."""
    return by_score(_distance)(seen)


def secure_to_insecure(seen: Seen) -> np.ndarray:
    """The most insecure clients choose first, and get the most secure therapists: a thought experiment, not a recommendation."""
    order = np.argsort(-(seen.client_anxiety + seen.client_avoidance), kind="stable")
    security = -(seen.therapist_anxiety + seen.therapist_avoidance)
    room, out = seen.room.copy(), np.full(seen.client.size, -1)
    for k in order[: int(room.sum())]:
        best = int(np.argmax(np.where(room > 0, security, -np.inf)))
        out[k], room[best] = seen.therapist[best], room[best] - 1
    return out


MATCHING: dict[str, Rule] = {
    rule.__name__: rule for rule in (first_free, random, least_loaded, similar, dissimilar, secure_to_insecure)
}
