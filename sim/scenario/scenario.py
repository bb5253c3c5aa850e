"""Scenarios: one YAML file, one question. Validated, frozen, and refused with one clear line where something is wrong.

usual = load("scenarios/style_pairings.yaml")
smaller = usual.but(clients_per_arm=50, avoidance_warmth_cost=0.2)
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sim.declared.values import Frozen, Location, Wrong, shown
from sim.errors import ScenarioError, UsageError
from sim.naming import nearest, unseen, written
from sim.people.attachment import Attachment
from sim.scenario.alike import Alike
from sim.scenario.changes import ENSEMBLE
from sim.scenario.fields import KEYS, ArmFile, Asked, ScenarioFile, json_schema
from sim.scenario.findings import first_finding
from sim.scenario.people import MANY, STYLE_POINT, no_such_people, of_style
from sim.scenario.reading import Reading, plain, read, to_text
from sim.scenario.sweep import Batch, changed, each_change, fits, may_be_kept
from sim.screen import html_table
from sim.theory.ensemble import usual_count
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import CONTAINS
from sim.theory.styles import STYLES
from sim.therapy.clinic.matching import ORACLE
from sim.therapy.clinic.plan import Plan
from sim.therapy.interventions import Forced, Interventions, clamped_quantities, overlap
from sim.therapy.policies import parameters_set_by

__all__ = ["STYLE_POINT", "Arm", "Attachment", "Scenario", "ScenarioError", "from_spec", "json_schema", "load"]


NO_ENSEMBLE = "'ensemble' and a batch do not go together; run the points that matter by themselves"
#: Sessions (millions) that the oracle foresees in about an hour on one core.
AN_HOURS_FORESIGHT = 400


class Arm(Frozen):
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
    clamp: dict[str, float] = {}
    force: tuple[Forced, ...] = ()
    clinic: Plan | None = None

    def notes(self) -> list[str]:
        """What is asked for and has no effect, or another one than might be expected."""
        regions = [name for name in self.lesions if name.partition(".")[2] in CONTAINS]
        inside = [
            (whole, part) for whole in regions for part in self.lesions
            if part.startswith(whole.partition(".")[0]) and part.partition(".")[2] in CONTAINS[whole.partition(".")[2]]
        ]  # fmt: skip
        said = self._clinic_notes()
        said += [f"{part} lies in {whole}; what is left of it is the product of both" for whole, part in inside]
        if self.therapist is None and (self.interventions or self.lesions):
            said.append("has no therapist, so that interventions and lesions have no effect")
        clamped = clamped_quantities(self.clamp)
        both = dict.fromkeys(one.quantity for one in self.force if one.quantity in clamped)
        said += [f"{quantity} is clamped and forced; force goes before clamp" for quantity in both]
        said += [
            f"{link} is cut in a step that is switched off" for link in self.cut if link.rpartition(".")[0] in self.switch_off
        ]
        return said

    def _clinic_notes(self) -> list[str]:
        plan = self.clinic
        if plan is None:
            return []
        said = []
        places = plan.most_places if self.therapist is not None else 0
        needed = plan.arrivals_per_week * self.sessions  # the same, however far apart they are
        if self.therapist is None or not plan.therapists:
            said.append("has no therapists: what becomes of the same people when nobody is seen")
        elif not places or plan.leave_prob == 1:
            said.append("has no room for anybody, so that everybody waits")
        elif needed > 1.3 * places:
            said.append(f"about {needed:.0f} sessions a week are asked for and there is room for {places}: waiting lists grow")
        longest = self.sessions * plan.session_every
        if places and longest > plan.weeks:
            said.append(f"a course takes {longest} weeks and the clinic is followed for {plan.weeks}: nobody can finish")
        if plan.trained_share < 1 and not plan.training:
            said.append("gives a proportion to be trained but no training")
        if plan.matching == ORACLE:
            foreseen = plan.arrivals_per_week * plan.intake_weeks * plan.therapists * self.sessions / 1e6
            if foreseen > AN_HOURS_FORESIGHT:
                said.append(f"asks the oracle to foresee up to {foreseen:,.0f} million sessions: more than an hour on one core")
            said.append("is matched by an oracle that knows what becomes of each pair: an upper bound, no service could do it")
        return said

    @property
    def interventions(self) -> Interventions:
        """What is done in this arm inside the exchange."""
        return Interventions(self.switch_off, self.cut, self.clamp, self.force)


class Scenario(Asked):
    """A scenario as it will be run, all arms spelled out.

    It does not change: ``but`` gives a changed copy, ``to_yaml`` the file. Every field has the meaning and the unit of the key of
    that name (``scenarios/schema.json``).

    >>> usual.but(sessions=4).sessions, usual.sessions
    (4, 6)
    """

    name: str
    title: str
    arms: tuple[Arm, ...]
    traced: dict[str, tuple[int, ...]]
    spec: dict[str, Any]
    keep_sessions: bool = True
    keep_assessments: bool = True
    keep_items: bool = False
    ensemble: int = 0  # with how many other parameter sets it is run besides
    batch: Batch | None = None

    def __repr__(self) -> str:
        return f"Scenario({self.name!r}: {self._size})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        rows = [
            (arm.name, arm.client.label, "none" if arm.therapist is None else arm.therapist.label, arm.sessions)
            for arm in self.arms
        ]
        return html_table(f"{self.name}: {self.question} ({self._size})", ("arm", "client", "therapist", "sessions"), rows)

    @property
    def _size(self) -> str:
        """How large it is, in a few words."""
        plans = [arm.clinic for arm in self.arms if arm.clinic is not None]
        who = f"clinics of {max(plan.weeks for plan in plans)} weeks" if plans else f"{self.clients_per_arm:,} clients each"
        often = "" if self.replicates == 1 else f", {self.replicates:,} replicates"
        points = "" if self.batch is None else ", with a batch"
        return f"{len(self.arms)} arm{'s' if len(self.arms) > 1 else ''}, {who}{often}{points}"

    def but(self, **changes: Any) -> Scenario:
        """A changed copy: ``but(sessions=10)`` for a key of the file, ``but(trust_rate=0.2)`` for a parameter of the model.

        ``but(clinic={"capacity": 8})`` changes what is named of the clinic; any other key gets the value given, as in
        ``but(parameters="ensemble")``.
        """
        spec = dict(self.spec)
        for name, value in changes.items():
            if name not in KEYS and name not in PARAMETERS:
                close = nearest(name, (*KEYS, *PARAMETERS))
                raise ScenarioError(f"{self.name}: {name}: is neither a key of a scenario nor a parameter{close}")
            if name == "clinic" and isinstance(value, Mapping) and isinstance(spec.get(name), Mapping):
                spec[name] = {**spec[name], **value}
            elif name in KEYS:
                spec[name] = value
        parameters = {name: value for name, value in changes.items() if name in PARAMETERS}
        if parameters:
            given = spec.get("parameters") or {}
            given = {ENSEMBLE: usual_count()} if given == ENSEMBLE else given
            spec["parameters"] = {**given, **parameters} if isinstance(given, Mapping) else given
        return from_spec(spec, self.name)

    def to_yaml(self) -> str:
        """The scenario as YAML that stands by itself (no ``extends``) and loads back as the same scenario."""
        return to_text(self.spec, ("question", "title"))


def a_scenario(given: Any) -> Scenario:
    """What was given, where it is a scenario. Raises ``UsageError`` that says how one is read."""
    if isinstance(given, Scenario):
        return given
    how = f"; sim.load({str(given)!r}) reads one" if isinstance(given, (str, Path)) else ""
    raise UsageError(f"a scenario is needed here, not {type(given).__name__}{how}")


def load(path: str | Path, name: str | None = None) -> Scenario:
    """A scenario from its file; it is called like the file unless ``name`` is given. Raises ``ScenarioError``.

    ``path``: a YAML file (docs: ``attune new``), with ``extends`` resolved, or the name of a shipped one (``attune list``).

    >>> sim.load("scenarios/hello.yaml")
    Scenario('hello': 3 arms, 20 clients each)
    """
    reading = read(path)
    return _built(reading, name or reading.name)


def from_spec(spec: Mapping[str, Any], name: str) -> Scenario:
    """A scenario from a mapping with the keys of a scenario file, as in a notebook. Raises ``ScenarioError``.

    ``spec``: as it would stand in the file; ``name``: what results are filed under.

    >>> sim.from_spec({"question": "Does it help?", "clients_per_arm": 30}, "mine")
    Scenario('mine': 1 arm, 30 clients each)
    """
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
    name = written(name)
    try:
        if said := "is not one that a folder can have" if name in ("", ".", "..") else unseen(name):
            raise Wrong((), f"its name {name!a} {said}")
        file = ScenarioFile.model_validate(reading.spec)
        _belongs(file)
        arms = tuple(_arms(file))
        _checked_batch(file, arms, reading)
        asked = {key: getattr(file, key) for key in Asked.model_fields}
        asked["title"] = file.title or re.sub(r"[_-]+", " ", name).capitalize()
        return Scenario(
            **asked,
            name=name,
            arms=arms,
            traced=_traced(file, arms),
            spec=reading.spec,
            keep_sessions=file.record.sessions,
            keep_assessments=file.record.assessments,
            keep_items=file.record.items,
            ensemble=int(file.parameters.get(ENSEMBLE, 0)),
            batch=file.batch,
        )
    except ValidationError as error:
        raise first_finding(error, reading) from None
    except Wrong as wrong:
        raise reading.error(wrong) from None


def _checked_batch(file: ScenarioFile, arms: tuple[Arm, ...], reading: Reading) -> None:
    """Every level of every factor is tried alone: a mistake shows now, with its line, not in the middle of the night."""
    batch = file.batch
    if batch is None:
        return
    fits(batch, tuple(arm.name for arm in arms), file.design == "clinic")
    if ENSEMBLE in file.parameters:
        raise Wrong(("parameters",), NO_ENSEMBLE)
    try:
        traced = file.record.exchanges is not None
        may_be_kept(batch.keep, file.design == "clinic", exchanges=traced, items=file.record.items)
    except Wrong as wrong:
        raise Wrong(("batch", "keep", *wrong.location), str(wrong)) from None
    if batch.until is not None and "replicates" in file.model_fields_set:
        raise Wrong(("replicates",), "is given beside batch.until, which decides how often; leave one of them out")
    alike = Alike(reading.spec)
    for at, changes in each_change(batch):
        try:
            if alike.seen(changes):
                continue
        except Wrong as wrong:
            raise Wrong(((*at[:2], *wrong.location) if batch.vary else (*at, *wrong.location)), str(wrong)) from None
        try:
            if from_spec(changed(reading.spec, changes, KEYS), reading.name).ensemble:
                raise Wrong(at, NO_ENSEMBLE)
        except Wrong as wrong:
            raise Wrong(at, str(wrong)) from None
        except ScenarioError as error:
            raise Wrong(at, error.told) from None


def _belongs(file: ScenarioFile) -> None:
    """Raise ``Wrong`` for keys that have no meaning in the scenario's design."""
    if file.report == "interaction" and file.design != "crossed":
        raise Wrong(("report",), f"'interaction' belongs to 'design: crossed'; this one is '{file.design}'")
    if file.design == "clinic":
        for key, instead in (
            ("clients_per_arm", "clinic.arrivals_per_week and clinic.weeks say how many come"),
            ("clients_per_therapist", "clinic.capacity says how many a therapist sees"),
            ("follow_up_months", "clinic.intake_weeks and clinic.weeks say how long people are followed"),
        ):
            if key in file.model_fields_set:
                raise Wrong((key,), f"does not belong to a clinic; {instead}")
        return
    only = f"belongs to 'design: clinic'; this one is '{file.design}'"
    if file.clinic is not None:
        raise Wrong(("clinic",), only)
    for name, arm in file.arms.items():
        if arm.clinic is not None:
            raise Wrong(("arms", name, "clinic"), only)
    for key in ("sessions", "assessments"):
        if not getattr(file.record, key):
            raise Wrong(("record", key), only)


def _plan(usual: Plan | None, own: Plan | None, at: Location) -> Plan:
    """The plan of one arm: what it says itself, else what the scenario says, else the defaults. Raises ``Wrong``."""
    said, mine = ({} if one is None else {key: getattr(one, key) for key in one.model_fields_set} for one in (usual, own))
    plan = Plan.model_validate({**said, **mine})
    for key in ("intake_weeks", "training_from"):
        value = getattr(plan, key)
        if value <= plan.weeks:
            continue
        if key not in mine and "weeks" in mine:
            raise Wrong((*at, "clinic", "weeks"), f"is {plan.weeks}, fewer than clinic.{key}, which is {value}")
        where = (*at, "clinic", key) if key in mine else ("clinic", key)
        raise Wrong(where, f"is {value}, beyond the {plan.weeks} weeks that the clinic is followed")
    return plan


def _arms(file: ScenarioFile) -> Iterable[Arm]:
    """The arms, each of which takes from the scenario what it does not say itself."""
    parameters = {name: value for name, value in file.parameters.items() if name != ENSEMBLE}
    common = {**parameters_set_by(file.policies), **parameters}
    usual = {"all": ArmFile.model_validate({})}
    arms = _crossed(file) if file.design == "crossed" else {name: (0, arm) for name, arm in (file.arms or usual).items()}
    sessions = {name: arm.sessions if arm.sessions is not None else file.sessions for name, (_, arm) in arms.items()}
    # What is forced for all must be possible in one of the arms that it holds for; in a shorter one it has no effect.
    meant = [sessions[name] for name, (_, arm) in arms.items() if "force" not in arm.model_fields_set]
    if meant:
        _within(file.force, (), max(meant), file.exchanges)
    for name, (cohort, arm) in arms.items():
        at: Location = ("arms", name)
        said = arm.model_fields_set
        keys = ("client", "therapist", "switch_off", "force", "policies")
        if "force" in said:
            _within(arm.force, at, sessions[name], file.exchanges)
        of_arm = {key: getattr(arm if key in said else file, key) for key in keys}
        # What an arm says, its policies first, goes before what the scenario says for all.
        here = {**(parameters if "policies" in said else common), **parameters_set_by(arm.policies), **arm.parameters}
        amiss = no_such_people({role: of_arm[role] for role in ("client", "therapist")}, here)
        if amiss is not None:
            raise Wrong(_said_where(amiss[:2], arm, at, parameters), amiss[2])
        yield Arm(
            **of_arm,
            name=name,
            parameters=here,
            lesions={**file.lesions, **arm.lesions},
            cut={**file.cut, **arm.cut},
            clamp=_clamped_in(arm, at, file),
            sessions=sessions[name],
            cohort=cohort,
            clinic=_plan(file.clinic, arm.clinic, at) if file.design == "clinic" else None,
        )


def _said_where(names: Iterable[str], arm: ArmFile, at: Location, parameters: Mapping[str, float]) -> Location:
    """Where the first of these parameters is said, in the arm or for all; where none is, a policy has set it."""
    for name in names:
        for given, where in ((arm.parameters, (*at, "parameters", name)), (parameters, ("parameters", name))):
            if name in given:
                return where
    return (*at, "policies") if "policies" in arm.model_fields_set else ("policies",)


def _clamped_in(arm: ArmFile, at: Location, file: ScenarioFile) -> dict[str, float]:
    """What an arm clamps: what the scenario clamps, and what the arm says, which must not be the same quantity twice."""
    clamped = {**file.clamp, **arm.clamp}
    if clamped and file.design == "clinic":
        where = (*at, "clamp") if arm.clamp else ("clamp",)
        raise Wrong(where, "is not possible in a clinic, where who meets whom depends on the course; use 'design: arms'")
    twice = overlap(clamped)
    if twice is not None:
        mine, other = twice if twice[0] in arm.clamp else (twice[1], twice[0])
        raise Wrong(
            (*at, "clamp", mine), f"clamps a quantity that '{other}' of the whole scenario clamps already; clamp one of them"
        )
    return clamped


def _within(force: tuple[Forced, ...], at: Location, sessions: int, exchanges: int) -> None:
    """Raise ``Wrong`` for what is forced at a session or exchange that there is not."""
    for i, one in enumerate(force):
        for key, given, last in (("session", one.session, sessions), ("exchange", one.exchange, exchanges)):
            if given is not None and given > last:
                raise Wrong((*at, "force", i, key), f"there is no {key} {given}; the last is {last}")


def _cohort(name: str, client: Attachment) -> int:
    """The number of a kind of client, the same whatever other kinds there are: a style's place, or a hash of the name."""
    if client.style is not None and client == of_style(client.style, "client"):
        return STYLES.index(client.style)
    return len(STYLES) + int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "little") % 1_000_000


def _crossed(file: ScenarioFile) -> dict[str, tuple[int, ArmFile]]:
    """What the arms of ``design: crossed`` say, the same clients with every therapist, and their clients' number as a kind."""
    if file.arms:
        raise Wrong(
            ("arms",), "cannot be given in a crossed design, which makes its arms itself; leave it out or use 'design: arms'"
        )
    if file.clients_per_therapist != 1:
        raise Wrong(("clients_per_therapist",), "belongs to 'design: arms'; in a crossed design each pair has its own therapist")
    for role in ("client", "therapist"):
        if role not in file.model_fields_set:
            raise Wrong((role,), f"is missing; it must be {MANY}")
    if all(therapist is None for therapist in file.therapist.values()):
        raise Wrong(("therapist",), "must have at least one kind of therapist beside none")
    arms, cohorts = {}, dict[int, str]()
    for client_name, client in file.client.items():
        cohort = _cohort(client_name, client)
        other = cohorts.setdefault(cohort, client_name)
        if other != client_name:
            raise Wrong(("client", client_name), f"shares its number with '{other}' by chance; choose another name")
        for therapist_name, therapist in file.therapist.items():
            name = f"{client_name} client, {'no' if therapist is None else therapist_name} therapist"
            arms[name] = cohort, ArmFile.model_construct({"client", "therapist"}, client=client, therapist=therapist)
    return arms


def _traced(file: ScenarioFile, arms: tuple[Arm, ...]) -> dict[str, tuple[int, ...]]:
    """Which clients of which arms are followed exchange by exchange. Arms without a therapist have no exchanges."""
    wanted = file.record.exchanges
    if wanted is None:
        return {}
    at: Location = ("record", "exchanges")
    for i, client in enumerate(wanted.clients if file.design != "clinic" else ()):
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
