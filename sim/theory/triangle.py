"""The triangle of the review: empathy, attachment and alliance, each as quantities that an experiment can hold or push.

The three influence one another continuously [K23]. To measure one directed effect, one corner is pushed by a stated
amount and another held, while the third is free (``therapy/interventions.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Corner:
    """One corner: what it means, the unit in which it is pushed, and how much one unit moves each of its quantities.

    ``column`` is the result column (session table) in which it is measured, ``sign`` and ``per_unit`` bring that column to
    the corner's direction and unit.
    """

    name: str
    meaning: str
    unit: str
    moves: Mapping[str, float]
    columns: tuple[str, ...]
    sign: int = 1
    per_column: float = 1.0


CORNERS: dict[str, Corner] = {
    c.name: c
    for c in (
        Corner(
            "empathy",
            "the therapist's response, as given and as the client perceives it",
            "proportion of the response scale (0 to 1)",
            {"therapist_response": 1.0, "client_perceived": 1.0},
            ("perceived_response",),
        ),
        Corner(
            "attachment",
            "security of the client's attachment to this therapist: less anxiety and less avoidance",
            "ECR points (1 to 7), of anxiety and of avoidance",
            {"client_anxiety": -1.0 / 6.0, "client_avoidance": -1.0 / 6.0},
            ("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"),
            sign=-1,
        ),
        Corner(
            "alliance",
            "the working alliance as the client has it: trust, bond, task and goal",
            "points of the WAI's scale (1 to 7)",
            dict.fromkeys(("client_trust", "client_bond", "client_task", "client_goal", "client_alliance"), 1.0 / 6.0),
            ("alliance_latent",),
            per_column=6.0,
        ),
    )
}
