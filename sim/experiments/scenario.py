"""Scenarios: one YAML file, one question. Validated, frozen, and refused with one clear line where something is wrong.

usual = load("scenarios/style_pairings.yaml")
smaller = usual.but(clients_per_arm=50, avoidance_warmth_cost=0.2)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from sim.experiments.scenario_file import Location, Reading, ScenarioError, Wrong, hint, plain, read, shown, to_text
from sim.experiments.scenario_format import (
    KEYS,
    MOST_CROSSED,
    POPULATION,
    ArmFile,
    ExchangesFile,
    RecordFile,
    ScenarioFile,
    json_schema,
    number,
)
from sim.theory.parameters import NUMBERS, nearest
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX, STYLES
from sim.therapy.interventions import Forced, Interventions
from sim.therapy.policies import numbers_set_by

__all__ = ["Arm", "Attachment", "Scenario", "ScenarioError", "from_spec", "json_schema", "load"]

#: A typical person of each style (anxiety, avoidance), used when an early anchor is given as a style name.
STYLE_POINT = {"secure": (2.5, 2.2), "preoccupied": (5.2, 2.5), "dismissing": (2.6, 5.0), "fearful": (5.2, 5.0)}

Kind = Literal["population", "box", "normal", "point"]

_PERSON_KEYS = ("style", "anxiety", "avoidance", "early", "selected", "distress")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Attachment(_Frozen):
    """Where on the attachment plane the people of one arm are, at present and, if it differs, early in life.

    ``kind`` says how to read the two pairs: *box* (lowest, highest), *point* (value, value), *normal* (mean, sd);
    for *population* both are None. All in ECR units, 1-7.
    """

    kind: Kind = "population"
    anxiety: tuple[float, float] | None = None
    avoidance: tuple[float, float] | None = None
    style: str | None = None
    early: tuple[float, float] | None = None
    selected: bool = True
    distress: float | None = None

    @property
    def label(self) -> str:
        """The style's name, or the present state in a few words."""
        if self.style is not None:
            return self.style
        if self.anxiety is None or self.avoidance is None:
            return POPULATION
        return ", ".join(
            f"{name} {self._axis(*pair)}" for name, pair in (("anxiety", self.anxiety), ("avoidance", self.avoidance))
        )

    def _axis(self, first: float, second: float) -> str:
        if self.kind == "normal":
            return f"{first:g} (sd {second:g})"
        return f"{first:g}" if first == second else f"{first:g}-{second:g}"


class Arm(_Frozen):
    """One arm: who meets whom, with which changes to the model. ``therapist`` None means no therapy."""

    name: str
    client: Attachment
    therapist: Attachment | None
    parameters: dict[str, float]
    lesions: dict[str, float]
    policies: tuple[str, ...]
    sessions: int
    cohort: int
    switch_off: tuple[str, ...] = ()
    cut: dict[str, float] = {}
    hold: dict[str, float] = {}
    force: tuple[Forced, ...] = ()

    @property
    def interventions(self) -> Interventions:
        """What is done in this arm inside the exchange."""
        return Interventions(self.switch_off, self.cut, self.hold, self.force)


class Scenario(_Frozen):
    """A scenario as it will be run, all arms spelled out."""

    name: str
    question: str
    title: str
    design: Literal["arms", "crossed"]
    clients_per_arm: int
    clients_per_therapist: int
    sessions: int
    exchanges: int
    replicates: int
    follow_up_months: int
    arms: tuple[Arm, ...]
    traced: dict[str, tuple[int, ...]]
    spec: dict[str, Any]

    def but(self, **changes: Any) -> Scenario:
        """A changed copy: ``but(sessions=10)`` for a key of the file, ``but(trust_rate=0.2)`` for a number of the model."""
        spec = dict(self.spec)
        for name, value in changes.items():
            if name not in KEYS and name not in NUMBERS:
                close = nearest(name, (*KEYS, *NUMBERS))
                raise ScenarioError(f"{self.name}: {name}: is neither a key of a scenario nor a parameter{close}")
            if name in KEYS:
                spec[name] = value
        numbers = {name: value for name, value in changes.items() if name in NUMBERS}
        if numbers:
            given = spec.get("parameters") or {}
            spec["parameters"] = {**given, **numbers} if isinstance(given, Mapping) else given
        return from_spec(spec, self.name)

    def to_yaml(self) -> str:
        """The scenario as YAML that stands by itself (no ``extends``) and loads back as the same scenario."""
        return to_text(self.spec, ("question", "title"))


def load(path: str | Path, name: str | None = None) -> Scenario:
    """A scenario from its file; it is called like the file unless ``name`` is given. Raises ``ScenarioError``."""
    reading = read(path)
    return _built(reading, name or reading.name)


def from_spec(spec: Mapping[str, Any], name: str) -> Scenario:
    """A scenario from a mapping with the keys of a scenario file, as in a notebook. Raises ``ScenarioError``."""
    reading = Reading(name)
    try:
        if not isinstance(spec, Mapping):
            raise Wrong((), f"must be a mapping with the keys of a scenario file, not {shown(spec)}")
        reading.spec = plain(spec, (), reading.origins)
        reading.origins.clear()
        if "extends" in reading.spec:
            raise Wrong(("extends",), "works in files only; load the other scenario and change it with .but()")
    except Wrong as wrong:
        reading.origins.clear()
        raise reading.error(wrong) from None
    return _built(reading, name)


def _built(reading: Reading, name: str) -> Scenario:
    """The scenario that was read, checked key by key."""
    try:
        file = ScenarioFile.model_validate(reading.spec)
        arms = tuple(_crossed_arms(file) if file.design == "crossed" else _arms(file))
        return Scenario(
            name=name,
            question=file.question,
            title=file.title or re.sub(r"[_-]+", " ", name).capitalize(),
            design=file.design,
            clients_per_arm=file.clients_per_arm,
            clients_per_therapist=file.clients_per_therapist,
            sessions=file.sessions,
            exchanges=file.exchanges,
            replicates=file.replicates,
            follow_up_months=file.follow_up_months,
            arms=arms,
            traced=_traced(file, arms),
            spec=reading.spec,
        )
    except ValidationError as error:
        raise _first(error, reading) from None
    except Wrong as wrong:
        raise reading.error(wrong) from None


def _first(error: ValidationError, reading: Reading) -> ScenarioError:
    """Of all that is wrong the one to mention: a mistyped key before anything else, then what stands first in the file."""
    found: list[tuple[bool, int, Location, Any]] = []
    for e in error.errors(include_url=False):
        inner = e.get("ctx", {}).get("error")
        at: Location = (*e["loc"], *inner.location) if isinstance(inner, Wrong) else tuple(e["loc"])
        found.append((e["type"] != "extra_forbidden", reading.origins.get(at, ("", 0))[1], at, e))
    _, _, at, e = min(found, key=lambda entry: entry[:2])
    return reading.error(Wrong(at, _in_words(e, at)))


def _in_words(error: Any, at: Location) -> str:
    """Pydantic's finding in plain English."""
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is missing; it must be given" + (", as one sentence that the scenario answers" if at == ("question",) else "")
        case "extra_forbidden":
            keys = _keys_beside(at)
            if at[0] == "arms" and at[-1] in KEYS:
                return f"belongs to the whole scenario, not to one arm; an arm may say {', '.join(keys)}"
            where = "of a scenario" if len(at) == 1 else "that can stand here"
            return f"is not a key {where}{hint(at[-1], keys)}"
        case "literal_error":
            given = error["input"]
            return f"must be {error['ctx']['expected']}, not {shown(given)}{nearest(str(given), ('arms', 'crossed'))}"
        case "dict_type" | "model_type":
            return f"must be a mapping ('name: value' lines), not {shown(error['input'])}"
    return f"{error['msg']}, not {shown(error['input'])}"


def _keys_beside(at: Location) -> tuple[str, ...]:
    """The keys that may stand where a file has an unknown one."""
    if at[0] == "arms":
        return tuple(ArmFile.model_fields)
    if at[0] == "record" and len(at) > 1:
        return tuple((RecordFile if len(at) == 2 else ExchangesFile).model_fields)
    return (*KEYS, "extends")


def _arms(file: ScenarioFile) -> Iterable[Arm]:
    """The arms of ``design: arms``: each takes from the scenario what it does not say itself."""
    client = _person(file.client, ("client",), "client")
    therapist = _therapist(file.therapist, ("therapist",))
    common = {**numbers_set_by(file.policies), **file.parameters}
    for name, arm in (file.arms or {"all": ArmFile.model_validate({})}).items():
        at: Location = ("arms", name)
        said = arm.model_fields_set
        yield Arm(
            name=name,
            client=_person(arm.client, (*at, "client"), "client") if "client" in said else client,
            therapist=_therapist(arm.therapist, (*at, "therapist")) if "therapist" in said else therapist,
            # What an arm says, its policies first, goes before what the scenario says for all.
            parameters={**(file.parameters if "policies" in said else common), **numbers_set_by(arm.policies), **arm.parameters},
            lesions={**file.lesions, **arm.lesions},
            switch_off=arm.switch_off if "switch_off" in said else file.switch_off,
            cut={**file.cut, **arm.cut},
            hold={**file.hold, **arm.hold},
            force=_within(arm.force, at, file) if "force" in said else _within(file.force, (), file),
            policies=arm.policies if "policies" in said else file.policies,
            sessions=arm.sessions if arm.sessions is not None else file.sessions,
            cohort=0,
        )


def _within(force: tuple[Forced, ...], at: Location, file: ScenarioFile) -> tuple[Forced, ...]:
    """What is forced, if there are such sessions and exchanges."""
    for i, one in enumerate(force):
        for key, given, last in (("session", one.session, file.sessions), ("exchange", one.exchange, file.exchanges)):
            if given is not None and given > last:
                raise Wrong((*at, "force", i, key), f"there is no {key} {given}; the last is {last}")
    return force


def _cohort(name: str, client: Attachment) -> int:
    """The number of a kind of client, the same whatever other kinds there are: a style's place, or a hash of the name."""
    if client.style is not None and client == _style(client.style, "client"):
        return STYLES.index(client.style)
    return len(STYLES) + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little") % 1_000_000


def _crossed_arms(file: ScenarioFile) -> Iterable[Arm]:
    """The arms of ``design: crossed``: the same clients with every therapist."""
    if file.arms:
        raise Wrong(
            ("arms",), "cannot be given in a crossed design, which makes its arms itself; leave it out or use 'design: arms'"
        )
    if file.clients_per_therapist != 1:
        raise Wrong(("clients_per_therapist",), "belongs to 'design: arms'; in a crossed design each pair has its own therapist")
    clients, therapists = (_people(getattr(file, role), role) for role in ("client", "therapist"))
    if all(therapist is None for therapist in therapists.values()):
        raise Wrong(("therapist",), "must have at least one kind of therapist beside none")
    cohorts: dict[int, str] = {}
    for client_name, client in clients.items():
        assert client is not None
        cohort = _cohort(client_name, client)
        other = cohorts.setdefault(cohort, client_name)
        if other != client_name:
            raise Wrong(("client", client_name), f"shares its number with '{other}' by chance; choose another name")
        for therapist_name, therapist in therapists.items():
            yield Arm(
                name=f"{client_name} client, {'no' if therapist is None else therapist_name} therapist",
                client=client,
                therapist=therapist,
                parameters={**numbers_set_by(file.policies), **file.parameters},
                lesions=file.lesions,
                switch_off=file.switch_off,
                cut=file.cut,
                hold=file.hold,
                force=_within(file.force, (), file),
                policies=file.policies,
                sessions=file.sessions,
                cohort=cohort,
            )


def _people(value: Any, role: str) -> dict[str, Attachment | None]:
    """The people of one role in a crossed design, by name; None = no therapy."""
    people: dict[str, Attachment | None]
    one_of = _therapist if role == "therapist" else _client
    wanted = f"must be a list of styles ([{', '.join(STYLES)}]) or a mapping of names to people, since the design is crossed"
    if not isinstance(value, (list, dict)) or not value:
        raise Wrong((role,), f"{wanted}, not {shown(value)}")
    if len(value) > MOST_CROSSED:
        raise Wrong((role,), f"at most {MOST_CROSSED} kinds of {role} can be crossed, not {len(value)}")
    if isinstance(value, dict):
        single = [key for key in value if key in _PERSON_KEYS]
        if single:
            raise Wrong((role, single[0]), f"describes one person; in a crossed design '{role}' {wanted}")
        people = {name: one_of(one, (role, name)) for name, one in value.items()}
        for name in people:
            if not 1 <= len(name) <= 20 or not name.isprintable() or "/" in name:
                raise Wrong((role, name), "the name must have 1 to 20 characters and no '/'")
    else:
        people = {}
        for i, one in enumerate(value):
            if not isinstance(one, str):
                raise Wrong((role, i), f"must be a style, not {shown(one)}; to describe people use a mapping of names to people")
            if one in people:
                raise Wrong((role, i), f"'{one}' stands twice in the list")
            people[one] = one_of(one, (role, i))
    names = list(people)
    for i, name in enumerate(names):
        for other in names[:i]:
            if people[name] == people[other]:
                raise Wrong((role, name), f"describes the same people as '{other}'")
    return people


def _style(name: str, role: str) -> Attachment:
    """Everybody of one style: the population cut to the style's region."""
    low_anxiety, high_anxiety, low_avoidance, high_avoidance = STYLE_BOX[name]
    return Attachment(
        kind="box",
        anxiety=(low_anxiety, high_anxiety),
        avoidance=(low_avoidance, high_avoidance),
        style=name,
        selected=role == "client",
    )


def _client(value: Any, at: Location) -> Attachment:
    return _person(value, at, "client")


def _therapist(value: Any, at: Location) -> Attachment | None:
    return None if value is None or value == "none" else _person(value, at, "therapist")


def _person(value: Any, at: Location, role: str) -> Attachment:
    """Any of the ways in which a file can say who takes part."""
    if isinstance(value, str):
        if value == POPULATION:
            return Attachment(selected=role == "client")
        if value not in STYLES:
            known = (*STYLES, POPULATION, *(("none",) if role == "therapist" else ()))
            raise Wrong(at, f"unknown style {shown(value)}{hint(value, known)}")
        return _style(value, role)
    if isinstance(value, list):
        raise Wrong(at, "a list of people needs 'design: crossed'; here it must be one style or one description")
    if not isinstance(value, dict) or not value:
        raise Wrong(at, f"must be a style, {POPULATION} or a mapping with anxiety and avoidance, not {shown(value)}")
    for key in value:
        if key not in _PERSON_KEYS:
            raise Wrong((*at, key), f"is not a key of a {role}{hint(key, _PERSON_KEYS)}")
        if role == "therapist" and key in ("selected", "distress"):
            raise Wrong((*at, key), "can be said of clients only")
    return _present(value, at, role).model_copy(update=_particulars(value, at))


def _present(value: dict[str, Any], at: Location, role: str) -> Attachment:
    """The present state that a mapping describes."""
    axes = [key for key in ("anxiety", "avoidance") if key in value]
    if "style" in value:
        if axes:
            raise Wrong((*at, axes[0]), "cannot be given together with 'style'; say one or the other")
        if not isinstance(value["style"], str):
            raise Wrong((*at, "style"), f"must be one of {', '.join(STYLES)}, {POPULATION}, not {shown(value['style'])}")
        if value["style"] == "none":
            raise Wrong((*at, "style"), "'none' is not a style; for no therapy write 'therapist: none'")
        return _person(value["style"], (*at, "style"), role)
    if not axes:
        return Attachment(selected=role == "client")
    if len(axes) == 1:
        missing = "avoidance" if axes == ["anxiety"] else "anxiety"
        raise Wrong(at, f"'{axes[0]}' is given but '{missing}' is not; add it (a number, [low, high] or {{mean: , sd: }})")
    first, second = (_axis(value[key], (*at, key)) for key in ("anxiety", "avoidance"))
    if first[0] != second[0] and "normal" in (first[0], second[0]):
        odd = "avoidance" if first[0] == "normal" else "anxiety"
        raise Wrong((*at, odd), "must be {mean: , sd: } as the other dimension is; a spread goes with a spread")
    one_place = first[1][0] == first[1][1] and second[1][0] == second[1][1]
    kind: Kind = "point" if first[0] == "box" and one_place else first[0]
    return Attachment(kind=kind, anxiety=first[1], avoidance=second[1], selected=role == "client")


def _axis(value: Any, at: Location) -> tuple[Literal["box", "normal"], tuple[float, float]]:
    """One dimension of a description: a number, a range, or a mean and spread."""
    if isinstance(value, list):
        if len(value) != 2:
            raise Wrong(at, f"a range has two numbers, [low, high], not {len(value)}")
        low, high = (number(one, LOWEST, HIGHEST, (*at, i)) for i, one in enumerate(value))
        if low > high:
            raise Wrong(at, f"the range is the wrong way round; write [{high:g}, {low:g}]")
        return "box", (low, high)
    if isinstance(value, dict):
        for key in value:
            if key not in ("mean", "sd"):
                raise Wrong((*at, key), f"is not a key that can stand here{hint(key, ('mean', 'sd'))}")
        if len(value) != 2:
            raise Wrong(at, "needs both 'mean' and 'sd'")
        return "normal", (number(value["mean"], LOWEST, HIGHEST, (*at, "mean")), number(value["sd"], 0.01, 6, (*at, "sd")))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Wrong(at, f"must be a number from 1 to 7, a range [low, high] or {{mean: , sd: }}, not {shown(value)}")
    exact = number(value, LOWEST, HIGHEST, at)
    return "box", (exact, exact)


def _particulars(value: dict[str, Any], at: Location) -> dict[str, Any]:
    """What a description says beside the present state: early anchor, selection, distress."""
    said: dict[str, Any] = {}
    if "early" in value:
        said["early"] = _early(value["early"], (*at, "early"))
    if "selected" in value:
        if not isinstance(value["selected"], bool):
            raise Wrong((*at, "selected"), f"must be true or false, not {shown(value['selected'])}")
        said["selected"] = value["selected"]
    if "distress" in value:
        said["distress"] = number(value["distress"], -3, 5, (*at, "distress"))
    return said


def _early(value: Any, at: Location) -> tuple[float, float]:
    """The early anchor: a style's typical point, or a point."""
    if isinstance(value, str):
        if value not in STYLE_POINT:
            raise Wrong(at, f"unknown style {shown(value)}{hint(value, STYLES)}")
        return STYLE_POINT[value]
    if not isinstance(value, dict):
        raise Wrong(at, f"must be a style or {{anxiety: 1-7, avoidance: 1-7}}, not {shown(value)}")
    for key in value:
        if key not in ("anxiety", "avoidance"):
            raise Wrong((*at, key), f"is not a key that can stand here{hint(key, ('anxiety', 'avoidance'))}")
    if len(value) != 2:
        raise Wrong(at, "needs both 'anxiety' and 'avoidance'")
    return (
        number(value["anxiety"], LOWEST, HIGHEST, (*at, "anxiety")),
        number(value["avoidance"], LOWEST, HIGHEST, (*at, "avoidance")),
    )


def _traced(file: ScenarioFile, arms: tuple[Arm, ...]) -> dict[str, tuple[int, ...]]:
    """Which clients of which arms are followed exchange by exchange. Arms without a therapist have no exchanges."""
    wanted = file.record.exchanges
    if wanted is None:
        return {}
    at: Location = ("record", "exchanges")
    for i, client in enumerate(wanted.clients):
        if client >= file.clients_per_arm:
            last = file.clients_per_arm - 1
            raise Wrong((*at, "clients", i), f"there is no client {client}; the first is 0, the last {last}")
    treated = {arm.name: arm.therapist is not None for arm in arms}
    if wanted.arms is None:
        return {name: wanted.clients for name, therapy in treated.items() if therapy and wanted.clients}
    for i, name in enumerate(wanted.arms):
        if name not in treated:
            raise Wrong((*at, "arms", i), f"there is no arm {shown(name)}{nearest(name, treated)}")
        if not treated[name]:
            raise Wrong((*at, "arms", i), f"the arm '{name}' has no therapist, so there are no exchanges to record")
    return {name: wanted.clients for name in wanted.arms if wanted.clients}
