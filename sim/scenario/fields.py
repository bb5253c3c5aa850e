"""The format of scenario files: every key, its meaning and its limits, and the JSON Schema that says the same to editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from sim.declared.kinds import Distinct, Listed, OrNothing
from sim.declared.values import Frozen, Wrong
from sim.people.attachment import POPULATION
from sim.scenario.changes import ENSEMBLE, Doing, Parameters, ParametersOrEnsemble
from sim.scenario.people import Client, ClientOrClients, Therapist, TherapistOrTherapists, of_style
from sim.scenario.sweep import Batch
from sim.therapy.clinic.plan import Plan


def _arm_names(value: Any) -> Any:
    for name in value if isinstance(value, dict) else ():
        if not 1 <= len(name) <= 60 or "/" in name:
            raise Wrong((name,), "an arm's name must have 1 to 60 characters, all of them printable, and no '/'")
    return value


_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(lambda text: " ".join(text.split()))
]


_NOT_SAID: Any = None  # by an arm, which is like the scenario then


class ArmFile(Doing):
    """What one arm says; the rest it takes from the scenario."""

    client: Client = Field(_NOT_SAID, description="Who seeks help in this arm.")
    therapist: Therapist = Field(None, description="Who treats them in this arm; none = no therapy.")
    parameters: Parameters = Field({}, description="Numbers of the model that differ in this arm.")
    sessions: int | None = Field(None, ge=1, le=520, description="Planned sessions in this arm.")
    clinic: Annotated[Plan | None, OrNothing()] = Field(
        None, description="How this arm's clinic is run differently (design: clinic)."
    )


class ExchangesFile(Frozen):
    """Which clients are followed exchange by exchange."""

    clients: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Distinct(most=200)] = Field(
        description="Numbers of the clients of each arm (0 is the first).", examples=[[0, 3]]
    )
    arms: Listed[str] | None = Field(
        None, description="In which arms; left out = in all that have a therapist.", examples=[["usual"]]
    )


class RecordFile(Frozen):
    """What to keep beyond the usual tables."""

    exchanges: ExchangesFile | None = Field(None, description="Clients to follow exchange by exchange.")
    sessions: bool = Field(True, description="Whether to keep the table of sessions (design: clinic; off for very large ones).")
    assessments: bool = Field(
        True, description="Whether to keep the monthly questionnaires (design: clinic; off for very large ones)."
    )
    items: bool = Field(
        False,
        description="Whether to keep every single item response of the questionnaires (a table items, one row a questionnaire).",
    )


class Asked(Frozen):
    """What a scenario asks, and how large it is."""

    question: _Text = Field(description="The question that this scenario answers, in one sentence. Stands first.")
    title: _Text = Field("", description="A short title for figures and reports.")
    design: Literal["arms", "crossed", "clinic"] = Field(
        "arms",
        description="arms: each arm has its own therapists. crossed: the same clients meet every kind of therapist. "
        "clinic: clients come week by week, wait, and share therapists.",
    )
    clients_per_arm: int = Field(200, ge=1, le=1_000_000, description="Clients in each arm; in a crossed design, of each kind.")
    clients_per_therapist: int = Field(1, ge=1, le=1_000_000, description="Caseload of each therapist (design: arms only).")
    sessions: int = Field(20, ge=1, le=520, description="Planned sessions (weekly; in a clinic as it says).")
    exchanges: int = Field(10, ge=2, le=60, description="Exchanges (one speaks, the other responds) in each session.")
    replicates: int = Field(
        1, ge=1, le=100_000, description="How often the whole is repeated with other people and random draws."
    )
    follow_up_months: int = Field(0, ge=0, le=120, description="Months of assessment after the planned end.")
    report: Literal["usual", "interaction"] = Field(
        "usual",
        description="What the report answers first. usual: how arms or kinds of people differ. interaction "
        "(design: crossed): what two people do together beyond what each of them does (their statistical interaction).",
    )


class ScenarioFile(Doing, Asked):
    """A scenario of Attune: one question, and the simulated people, therapy and changes that answer it."""

    client: ClientOrClients = Field(
        default_factory=lambda: of_style(POPULATION, "client"),
        description="Who seeks help: a style, a place or spread on the attachment plane, or population (left out = population); "
        "in design: crossed several kinds.",
    )
    therapist: TherapistOrTherapists = Field(
        default_factory=lambda: of_style(POPULATION, "therapist"),
        description="Who treats them (left out = population); none = no therapy; in design: crossed several kinds.",
    )
    parameters: ParametersOrEnsemble = Field(
        {},
        description="Numbers of the model that differ from their defaults. ensemble: besides, run with many parameter sets that "
        "all agree with the published evidence; ensemble: 40 says how many, and parameters beside it are the same in all "
        "of them.",
    )
    clinic: Annotated[Plan | None, OrNothing()] = Field(None, description="How the clinic is run (design: clinic).")
    arms: Annotated[dict[str, Annotated[ArmFile, OrNothing()]], BeforeValidator(_arm_names), OrNothing()] = Field(
        {}, description="The conditions to compare, by name."
    )
    record: Annotated[RecordFile, OrNothing()] = Field(
        RecordFile(exchanges=None, sessions=True, assessments=True, items=False),
        description="What to keep beyond the usual tables.",
    )
    batch: Annotated[Batch | None, OrNothing()] = Field(
        None, description="Many runs from this file: what is varied, how often it is repeated, which tables are kept."
    )


KEYS = tuple(ScenarioFile.model_fields)


def json_schema() -> dict[str, Any]:
    """The file format as a JSON Schema, for editors."""
    schema = ScenarioFile.model_json_schema()
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario in the same folder; this file says only what differs.",
    }
    whole = schema["$defs"]["ParametersOrEnsemble"]["anyOf"][1]["properties"]
    whole |= {name: {"$ref": f"#/$defs/Parameters/properties/{name}"} for name in whole if name != ENSEMBLE}
    del schema["required"]  # a file that extends another may leave the question to it
    schema["anyOf"] = [{"required": ["question"]}, {"required": ["extends"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Attune scenario"}
