"""Take the chair: what a therapist can do at a rupture, each as data that a scenario's ``force`` takes.

Names after the strategies of safran_reviews: naming the rupture is a direct, changing course an indirect way to resolve it;
pressing on with the plan and stepping back are what trainees do instead. Which quantity stands for a response, and every
amount, is an *assumption*; what follows from it is the model's. What a response does later in the session has no effect
where the rupture is in the session's last exchange.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: What a quantity is set to, given what it is in this pair anyway (a share).
Amount = Callable[[float], float]


@dataclass(frozen=True)
class Response:
    """One response: quantities set in the exchange of the rupture, and from the next one to the end of the session."""

    now: Mapping[str, Amount]
    after: Mapping[str, Amount]


def at(value: float) -> Amount:
    """Just this value, whatever it would be otherwise."""
    return lambda own: value


RESPONSES: dict[str, Response] = {
    # Sees the strain for sure, says so, and asks, so that from then on the client says what is wrong (unless they say more
    # anyway). Whether that repairs it is still a matter of chance, which rests on how well this therapist understands, and on
    # their avoidance. What is said before the bond ruptures is not touched: it may be why it did.
    "name_it": Response(
        {"therapist_noticed": at(1.0), "client_noticed": at(1.0)}, {"client_disclosure": lambda own: max(own, 0.8)}
    ),
    # Turns to what the client needs now, without speaking of the strain: nothing is repaired for now, and of what the therapist
    # lacks of full warmth only a quarter is left.
    "change_course": Response({"repair_probability": at(0.0)}, {"therapist_warmth": lambda own: 1.0 - (1.0 - own) / 4.0}),
    # Goes on as planned, as if nothing had happened.
    "press_on": Response({"repair_probability": at(0.0)}, {}),
    # Leaves the client alone with it: half as warm as otherwise.
    "step_back": Response({"repair_probability": at(0.0)}, {"therapist_warmth": lambda own: own / 2.0}),
}


def forced(response: str, session: int, exchange: int, exchanges: int, own: Mapping[str, float]) -> list[dict[str, Any]]:
    """What a scenario says under ``force`` for this response at a rupture in an exchange (both counted from 1).

    ``own``: what the quantities in ``OWN`` are in that session without it (shares).
    """
    chosen = RESPONSES[response]

    def entries(amounts: Mapping[str, Amount], at_exchange: int) -> list[dict[str, Any]]:
        when = {"session": session, "exchange": at_exchange}
        return [{**when, "quantity": name, "value": round(amount(own.get(name, 0.0)), 3)} for name, amount in amounts.items()]

    later = range(exchange + 1, exchanges + 1)
    return entries(chosen.now, exchange) + [one for place in later for one in entries(chosen.after, place)]


#: Quantities of which a response needs to know what they are anyway, and the record's mean of a session.
OWN = {"client_disclosure": "mean_client_disclosure", "therapist_warmth": "mean_therapist_warmth"}
