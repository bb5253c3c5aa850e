"""Take the chair: what a therapist can do at a rupture, each as data that a scenario's ``force`` takes.

Names after the strategies of safran_reviews: naming the rupture is a direct, changing course an indirect way to resolve it;
pressing on with the plan and stepping back are what trainees do instead. Which quantity stands for a response, and every
amount, is an *assumption*; what follows from it is the model's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Response:
    """One response: quantities set in the exchange of the rupture, and from the next one to the end of the session."""

    now: Mapping[str, float]
    after: Mapping[str, float]


RESPONSES: dict[str, Response] = {
    # Sees the strain for sure, says so, and asks, so that the client says what is wrong. Whether that mends it is still a matter
    # of chance, which rests on how well this therapist understands, and on their avoidance.
    "name_it": Response({"therapist_noticed": 1.0, "client_noticed": 1.0, "client_disclosure": 0.8}, {}),
    # Turns to what the client needs now, without speaking of the strain: warmer, and nothing is mended for now.
    "change_course": Response({"repair_probability": 0.0}, {"therapist_warmth": 0.95}),
    # Goes on as planned, as if nothing had happened.
    "press_on": Response({"repair_probability": 0.0}, {}),
    # Leaves the client room: says little, shows little.
    "step_back": Response({"repair_probability": 0.0}, {"therapist_warmth": 0.35, "therapist_expression": 0.05}),
}


def forced(response: str, session: int, exchange: int, exchanges: int) -> list[dict[str, Any]]:
    """What a scenario says under ``force`` for this response at a rupture in an exchange (both counted from 1)."""
    chosen = RESPONSES[response]
    now = [{"session": session, "exchange": exchange, "quantity": name, "value": value} for name, value in chosen.now.items()]
    after = [
        {"session": session, "exchange": later, "quantity": name, "value": value}
        for later in range(exchange + 1, exchanges + 1)
        for name, value in chosen.after.items()
    ]
    return now + after
