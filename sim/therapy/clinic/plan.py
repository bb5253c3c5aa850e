"""How a clinic is run: what a manager could decide, with the limits and the meaning of each."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sim.declared.kinds import Listed, OneOf, OrNothing
from sim.declared.values import Frozen
from sim.therapy.clinic.matching import meaning, rule_names
from sim.therapy.training import PROGRAMMES

_RULE = OneOf(
    "matching rule",
    lambda: {name: meaning(name) for name in rule_names()},
    ", or one of your own with the file that adds it (--with FILE)",
)
_PROGRAMME = OneOf("programme", lambda: {name: programme.meaning for name, programme in PROGRAMMES.items()})


class Plan(Frozen):
    """How the clinic of one arm is run. A full caseload is ``capacity * session_every`` clients.

    A scenario says what is not usual of all its clinics, an arm what is different there.
    """

    therapists: int = Field(20, ge=0, le=100_000, description="Posts for therapists.")
    weeks: int = Field(104, ge=1, le=2600, description="Weeks that the clinic is followed.")
    intake_weeks: int = Field(
        default_factory=lambda said: said["weeks"], ge=0, le=2600,
        description="Weeks in which new clients come, from the first; left out = all. Shorter leaves time for follow-up.",
    )  # fmt: skip
    arrivals_per_week: float = Field(8.0, ge=0, le=100_000, description="New clients a week, on average (Poisson).")
    capacity: int = Field(12, ge=0, le=200, description="Sessions a week that a post has room for.")
    session_every: int = Field(1, ge=1, le=12, description="Weeks from one session of a client to the next.")
    matching: Annotated[str, _RULE] = Field("first_free", description="Who gets which therapist, among those with room.")
    overbook: int = Field(
        0, ge=0, le=200, description="Sessions a week beyond capacity that a post takes on while somebody has waited too long."
    )
    overbook_after: int = Field(12, ge=0, le=2600, description="Weeks of waiting that are too long.")
    leave_prob: float = Field(0.1, ge=0, le=1, description="Probability that a therapist is away in a week.")
    turnover: bool = Field(False, description="Whether therapists quit and are replaced.")
    vacant_weeks: int = Field(8, ge=1, le=520, description="Weeks until a post that falls vacant is filled.")
    training: Annotated[Listed[Annotated[str, _PROGRAMME]], OrNothing()] = Field(
        (), description="Supervision and training on offer.", examples=[[next(iter(PROGRAMMES))]]
    )
    trained_share: float = Field(1.0, ge=0, le=1, description="Proportion of the therapists, by lot, who take part.")
    training_from: int = Field(1, ge=1, le=2600, description="Week in which it begins.")
    feedback: bool = Field(
        False, description="Whether therapists see the client's rating before each session and are told who is off track."
    )

    @property
    def most_places(self) -> int:
        """Sessions a week that there can ever be room for."""
        return self.therapists * (self.capacity + self.overbook)
