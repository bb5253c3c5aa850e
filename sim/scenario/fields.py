"""The format of scenario files: every key, its meaning and its limits, and the JSON Schema that says the same to editors."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from sim.scenario.changes import GIVEN_RULE, PARAMETERS_RULE, POLICIES_RULE, Doing, Given, definitions
from sim.scenario.clinic import YES_OR_NO, ClinicFile
from sim.scenario.reading import Wrong, shown
from sim.scenario.rules import POPULATION, SHARED, Rule, Strict, object_of, whole
from sim.scenario.sweep import BatchFile
from sim.theory.styles import HIGHEST, LOWEST, STYLES

MOST_TRACED = 200


def _sentence(value: Any) -> str:
    if not isinstance(value, str):
        quotes = "; put it in quotes" if isinstance(value, (bool, int, float)) else ""
        raise Wrong((), f"must be text, not {shown(value)}{quotes}")
    if not value.strip():
        raise Wrong((), "must not be empty")
    return value.strip()


def _clients(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise Wrong((), f"must be a list of client numbers, such as [0, 3], not {shown(value)}")
    if len(value) > MOST_TRACED:
        raise Wrong((), f"at most {MOST_TRACED} clients can be followed exchange by exchange, not {len(value)}")
    for i, one in enumerate(value):
        if isinstance(one, bool) or not isinstance(one, int) or one < 0:
            raise Wrong((i,), f"must be a client number (0 is the first), not {shown(one)}")
        if one in value[:i]:
            raise Wrong((i,), f"client {one} stands twice in the list")
    return tuple(value)


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise Wrong((), f"must be a list of names of arms, not {shown(value)}")
    if len(set(value)) < len(value):
        i, name = next((i, name) for i, name in enumerate(value) if name in value[:i])
        raise Wrong((i,), f"{shown(name)} stands twice in the list")
    return tuple(value)


def _empty_is_none_said(value: Any) -> Any:
    """A key with nothing after it (``usual:``) is a mapping without entries."""
    return {} if value is None else value


def _arm_names(value: Any) -> Any:
    value = _empty_is_none_said(value)
    for name in value if isinstance(value, dict) else ():
        if not 1 <= len(name) <= 60 or not name.isprintable() or not name.strip() or "/" in name:
            raise Wrong((name,), "an arm's name must have 1 to 60 characters, all of them printable, and no '/'")
    return value


_TEXT = Rule(_sentence, {"type": "string", "minLength": 1})


class ArmFile(Doing):
    """What one arm says; the rest it takes from the scenario."""

    client: Annotated[Any, WithJsonSchema({SHARED: "client"})] = Field(None, description="Who seeks help in this arm.")
    therapist: Annotated[Any, WithJsonSchema({SHARED: "therapist"})] = Field(
        None, description="Who treats them in this arm; none = no therapy."
    )
    parameters: Annotated[dict[str, float], PARAMETERS_RULE] = Field(
        {}, description="Numbers of the model that differ in this arm."
    )
    policies: Annotated[tuple[str, ...], POLICIES_RULE] = Field((), description="What this arm's therapists are told to do.")
    sessions: Annotated[int | None, whole(1, 520)] = Field(None, description="Planned sessions in this arm.")
    clinic: Annotated[ClinicFile | None, BeforeValidator(_empty_is_none_said)] = Field(
        None, description="How this arm's clinic is run differently (design: clinic)."
    )


class ExchangesFile(Strict):
    """Which clients are followed exchange by exchange."""

    clients: Annotated[
        tuple[int, ...],
        Rule(
            _clients, {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": MOST_TRACED, "uniqueItems": True}
        ),
    ] = Field(description="Numbers of the clients of each arm (0 is the first).")
    arms: Annotated[tuple[str, ...] | None, Rule(_names, {"type": "array", "items": {"type": "string"}, "uniqueItems": True})] = (
        Field(None, description="In which arms; left out = in all that have a therapist.")
    )


class RecordFile(Strict):
    """What to keep beyond the usual tables."""

    exchanges: ExchangesFile | None = Field(None, description="Clients to follow exchange by exchange.")
    sessions: Annotated[bool, YES_OR_NO] = Field(
        True, description="Whether to keep the table of sessions (design: clinic; off for very large ones)."
    )
    assessments: Annotated[bool, YES_OR_NO] = Field(
        True, description="Whether to keep the monthly questionnaires (design: clinic; off for very large ones)."
    )
    items: Annotated[bool, YES_OR_NO] = Field(
        False,
        description="Whether to keep every single item response of the questionnaires (a table items, one row a questionnaire).",
    )


class ScenarioFile(Doing):
    """A scenario of Attune: one question, and the simulated people, therapy and changes that answer it."""

    question: Annotated[str, _TEXT] = Field(description="The question that this scenario answers, in one sentence. Stands first.")
    title: Annotated[str, _TEXT] = Field("", description="A short title for figures and reports.")
    design: Literal["arms", "crossed", "clinic"] = Field(
        "arms",
        description="arms: each arm has its own therapists. crossed: the same clients meet every kind of therapist. "
        "clinic: clients come week by week, wait, and share therapists.",
    )
    client: Annotated[Any, WithJsonSchema({"anyOf": [{SHARED: "client"}, {SHARED: "clients"}]})] = Field(
        POPULATION, description="Who seeks help: a style, a place or spread on the attachment plane, or population."
    )
    therapist: Annotated[Any, WithJsonSchema({"anyOf": [{SHARED: "therapist"}, {SHARED: "therapists"}]})] = Field(
        POPULATION, description="Who treats them; none = no therapy."
    )
    clients_per_arm: Annotated[int, whole(1, 1_000_000)] = Field(
        200, description="Clients in each arm; in a crossed design, of each kind."
    )
    clients_per_therapist: Annotated[int, whole(1, 1_000_000)] = Field(
        1, description="Caseload of each therapist (design: arms only)."
    )
    sessions: Annotated[int, whole(1, 520)] = Field(20, description="Planned sessions (weekly; in a clinic as it says).")
    exchanges: Annotated[int, whole(2, 60)] = Field(10, description="Exchanges (one speaks, the other responds) in each session.")
    replicates: Annotated[int, whole(1, 100_000)] = Field(
        1, description="How often the whole is repeated with other people and random draws."
    )
    follow_up_months: Annotated[int, whole(0, 120)] = Field(0, description="Months of assessment after the planned end.")
    parameters: Annotated[Given, GIVEN_RULE] = Field(
        Given(),
        description="Numbers of the model that differ from their defaults. ensemble: besides, run with many parameter sets that "
        "all agree with the published evidence; ensemble: 40 says how many, and parameters beside it are the same in all "
        "of them.",
    )
    policies: Annotated[tuple[str, ...], POLICIES_RULE] = Field((), description="What the therapists are told to do.")
    clinic: Annotated[ClinicFile | None, BeforeValidator(_empty_is_none_said)] = Field(
        None, description="How the clinic is run (design: clinic)."
    )
    arms: Annotated[dict[str, Annotated[ArmFile, BeforeValidator(_empty_is_none_said)]], BeforeValidator(_arm_names)] = Field(
        {}, description="The conditions to compare, by name."
    )
    record: Annotated[RecordFile, BeforeValidator(_empty_is_none_said)] = Field(
        RecordFile(exchanges=None, sessions=True, assessments=True, items=False),
        description="What to keep beyond the usual tables.",
    )
    report: Literal["usual", "interaction"] = Field(
        "usual",
        description="What the report answers first. usual: how arms or kinds of people differ. interaction "
        "(design: crossed): what two people do together beyond what each of them does (their statistical interaction).",
    )
    batch: Annotated[BatchFile | None, BeforeValidator(_empty_is_none_said)] = Field(
        None, description="Many runs from this file: what is varied, how often it is repeated, which tables are kept."
    )


KEYS = tuple(ScenarioFile.model_fields)
#: What an arm may say, its own keys before those that it shares with the scenario.
ARM_KEYS = tuple(sorted(ArmFile.model_fields, key=lambda key: key in Doing.model_fields))


def json_schema() -> dict[str, Any]:
    """The file format as a JSON Schema, for editors."""
    schema = _pointed(ScenarioFile.model_json_schema())
    schema["$defs"] = {**schema["$defs"], **_shared_definitions()}
    schema["properties"]["extends"] = {
        "type": "string",
        "description": "Another scenario in the same folder; this file says only what differs.",
    }
    schema["properties"]["arms"]["additionalProperties"] = {"anyOf": [{"$ref": "#/$defs/ArmFile"}, {"type": "null"}]}
    del schema["required"]  # a file that extends another may leave the question to it
    schema["anyOf"] = [{"required": ["question"]}, {"required": ["extends"]}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Attune scenario"}


def _shared_definitions() -> dict[str, Any]:
    """The parts that the models above point to by name."""
    style = {"enum": list(STYLES)}
    score = {"type": "number", "minimum": LOWEST, "maximum": HIGHEST}
    spread = object_of({"mean": score, "sd": {"type": "number", "minimum": 0.01, "maximum": 6}}, ["mean", "sd"])
    axis = {"anyOf": [score, {"type": "array", "items": score, "minItems": 2, "maxItems": 2}, spread]}
    early = {
        "anyOf": [style, object_of({"anxiety": score, "avoidance": score}, ["anxiety", "avoidance"])],
        "description": "Where the person stood early in life, if elsewhere than now.",
    }
    therapist = {"style": {"enum": [*STYLES, POPULATION]}, "anxiety": axis, "avoidance": axis, "early": early}
    client = {
        **therapist,
        "selected": {"type": "boolean", "description": "true = as at a clinic; false = community."},
        "distress": {"type": "number", "minimum": -3, "maximum": 5, "description": "Latent distress at intake, community SD."},
    }
    people = {"client": client, "therapist": therapist}
    named = {role: {"anyOf": [{"enum": [*STYLES, POPULATION]}, object_of(keys)]} for role, keys in people.items()}
    nobody = {"client": [], "therapist": ["none"]}  # a kind of therapist may be none: no therapy
    return {
        "client": named["client"],
        "therapist": {"anyOf": [{"enum": [*STYLES, POPULATION, "none", None]}, object_of(therapist)]},
        **{
            f"{role}s": {
                "anyOf": [
                    {
                        "type": "array",
                        "items": {"enum": [*STYLES, POPULATION, *nobody[role]]},
                        "minItems": 1,
                        "uniqueItems": True,
                    },
                    {"type": "object", "additionalProperties": named[role], "minProperties": 1},
                ],
                "description": "For design: crossed.",
            }
            for role in people
        },
        **definitions(),
    }


def _pointed(schema: Any) -> Any:
    """The schema with every ``SHARED`` name turned into a pointer to its definition."""
    if isinstance(schema, dict):
        return {
            ("$ref" if key == SHARED else key): (f"#/$defs/{value}" if key == SHARED else _pointed(value))
            for key, value in schema.items()
        }
    return [_pointed(one) for one in schema] if isinstance(schema, list) else schema
