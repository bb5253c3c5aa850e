"""A face for people who come from Mesa 3: one arm of a scenario as a ``mesa.Model``, one ``step`` a week.

    model = TherapyModel("scenarios/hello.yaml", arm="secure therapist", seed=1)
    model.run_model()
    model.datacollector.get_model_vars_dataframe()

The numbers are the core's, to the byte; agents are views on its arrays, made when first asked for. A clinic
(``design: clinic``) is stepped in the same way; there clients come week by week. Everybody is simulated.
"""

from __future__ import annotations

import difflib
import inspect
import warnings
from collections.abc import Iterable, Mapping
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any, ClassVar

import mesa
import mesa.batchrunner
import numpy as np
from mesa.agent import AgentSet

from sim.catalogue.columns import CLINIC
from sim.naming import nearest
from sim.people.state import Columns
from sim.scenario.arms import arm_named, chosen_arm
from sim.scenario.scenario import Scenario, load
from sim.simulation.build import arm_weeks, build, build_clinic, client_numbers, therapist_numbers
from sim.simulation.limits import fits
from sim.simulation.tasks import checked_seed, run_of
from sim.theory.styles import HIGHEST, LOWEST, ecr_score, share, style_name
from sim.therapy.clinic.states import BETWEEN, LOST, STATES, WAITING, counts
from sim.therapy.clinic.week import Clinic
from sim.therapy.course import Running
from sim.therapy.endings import DROPOUT, ENDINGS, IN_THERAPY, LOST_WAITING, STILL_WAITING, UNTREATED
from sim.therapy.model import SHIPPED, Model
from sim.therapy.session import World

#: What every model reports, each a property of ``TherapyModel``.
REPORTED = ("in_therapy", "mean_alliance", "mean_distress", "dropouts", "ruptures")
#: What clinics report beside that, as in their table ``clinic``.
CLINIC_REPORTED = ("waiting", "arrivals_total", "between_therapists", "lost_waiting", "ended_total")


def _counted(name: str) -> Any:
    def count(self: TherapyModel) -> int:
        if self.clinic is None:
            raise AttributeError(f"'{name}' is counted in clinics only (design: clinic)")
        return counts(self.clinic)[name]

    return property(count, doc=f"{CLINIC[name][1]} (clinics only).".capitalize())


def _on_the_ecr(name: str) -> Any:
    def score(self: Person) -> float:
        return float(ecr_score(getattr(self, name)))

    def mark(self: Person, value: float) -> None:
        setattr(self, name, float(share(self._checked(f"ecr_{name}", value, LOWEST, HIGHEST, "ECR"))))

    return property(score, mark, doc=f"General attachment {name} on the ECR's scale, 1-7, latent (no questionnaire's error)")


class Person(mesa.Agent):  # type: ignore[misc]  # Mesa has no types
    """A view on one person's row. Reading an attribute reads the arrays, writing one writes them.

    Any column can be named, in its own unit (``sim.people.state``): of the person (``distress``) and of their course of
    therapy (``client_bond``, ``open_rupture``), whose own side has a short name where the person has no column of that
    name: a client's ``bond`` is ``client_bond``. Latent attachment is a share: ``anxiety`` 0 to 1 in general,
    ``client_anxiety`` with this partner; ``ecr_anxiety`` is ``anxiety`` on the ECR's 1 to 7. Courses that there are not
    read as NaN. In a clinic a client's course is the one now, or else the last; a therapist's courses are read on the clients.

    Write between steps. What a week moves a little goes on from there: trust, task, goal, capability, attachment,
    ``distress`` and ``distress_own``, skill, regulation. What it works out again does not last: bond and alliance (from
    trust, task and goal), ``distress_set_point``, arousal, what a person brings to a session (``client_distress``).
    Raises ``ValueError`` outside a column's range, ``TypeError`` for what is no number, and ``AttributeError`` for what
    cannot be set or looks like a mistyped column; other names are your own notes.
    """

    role: ClassVar[str]
    model: TherapyModel
    ecr_anxiety, ecr_avoidance = _on_the_ecr("anxiety"), _on_the_ecr("avoidance")

    def __init__(self, model: TherapyModel, row: int) -> None:
        self.row = row  # in the columns of ``model.world``
        super().__init__(model)

    def __getattr__(self, name: str) -> Any:  # for what is not found in the usual way
        if name.startswith("_") or "model" not in self.__dict__:
            raise AttributeError(name)
        if place := self._place(name):
            columns, column, row = place
            return float("nan") if row is None else float(columns[column][row])
        raise AttributeError(f"{type(self).__name__} has no '{name}'{nearest(name, self._names())}")

    def __setattr__(self, name: str, value: Any) -> None:
        of_mesa = name in ("model", "row", "unique_id", "pos") or name.startswith("_") or hasattr(type(self), name)
        if of_mesa or (place := self._place(name)) is None:
            if not of_mesa and difflib.get_close_matches(name, self._names(), n=1, cutoff=0.8):
                raise AttributeError(f"{type(self).__name__} has no '{name}'{nearest(name, self._names())}")
            return super().__setattr__(name, value)
        columns, column, row = place
        if row is None:
            raise AttributeError(f"{self.role} {self.number} is in no therapy, so there is no '{name}' to set")
        c = columns.declared[column]
        columns[column][row] = self._checked(name, value, c.low, c.high, c.unit)

    def __dir__(self) -> Iterable[str]:
        return sorted({*super().__dir__(), *self._names()})

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number} of '{self.model.arm.name}'>"

    def remove(self) -> None:
        """Not possible: a person's row stays in the arrays. Raises ``TypeError``."""
        raise TypeError(f"{self!r} is a view on a row and cannot be removed; leave it out of your AgentSet instead")

    @property
    def number(self) -> int:
        """This person's number in the tables (column ``client`` or ``therapist``)."""
        model = self.model
        return self.row if model.clinic is not None else int(model.numbers[self.role][self.row])

    @property
    def style(self) -> str:
        """The region of the attachment plane in which the latent general model lies now."""
        return str(style_name(self.ecr_anxiety, self.ecr_avoidance))

    @property
    def in_therapy(self) -> bool:
        """Whether there will be a session next week, as far as is known."""
        return bool((self.model.world.ending[self._dyads] == IN_THERAPY).any())

    @property
    def _dyads(self) -> np.ndarray:
        """Rows of this person's courses; in a clinic a client's now, or else the last, and those of a therapist that go on."""
        clinic, world = self.model.clinic, self.model.world
        if clinic is None:  # everybody has one, in the row of their own
            return np.arange(len(world.dyads))[self.row : self.row + 1]
        if self.role == "client":
            return clinic.course[self.row : self.row + 1] if clinic.course[self.row] >= 0 else np.empty(0, np.int64)
        began = slice(clinic.courses)
        return np.flatnonzero((world.therapist_of[began] == self.row) & (world.ending[began] == IN_THERAPY))

    def _place(self, name: str) -> tuple[Columns, str, int | None] | None:
        """The columns, the column and the row of an attribute; nothing if it is no column, row None without a course."""
        world = self.model.world
        people = world.clients if self.role == "client" else world.therapists
        if name in people.index:
            return people, name, self.row
        for column in (name, f"{self.role}_{name}"):
            if column in world.dyads.index:
                if self.role == "therapist" and self.model.clinic is not None:  # whatever the caseload happens to be
                    raise AttributeError(f"{self!r} has a course with each client; read or set '{column}' on the clients")
                dyads = self._dyads
                return world.dyads, column, int(dyads[0]) if dyads.size else None
        return None

    def _names(self) -> list[str]:  # every column that can be named
        people, dyads = self.model.world.clients.index, self.model.world.dyads.index
        return list(dict.fromkeys([*people, *dyads, *(name.removeprefix(f"{self.role}_") for name in dyads)]))

    def _checked(self, name: str, value: Any, low: float, high: float, unit: str) -> float:
        if not isinstance(value, Real):
            raise TypeError(f"{self.role} {self.number}: {name} must be a number, not {value!r}")
        number = float(value)
        if not low <= number <= high:
            raise ValueError(f"{self.role} {self.number}: {name} must lie in {low:g}..{high:g} ({unit}), not {number:g}")
        return number


class Client(Person):
    """One client, simulated. See ``Person`` for what can be read and written."""

    role = "client"

    @property
    def therapist(self) -> Therapist | None:
        """This client's therapist; None without therapy. Stays after the course has ended, until there is another."""
        dyads = self._dyads
        return self.model.people("therapist")[self.model.world.therapist_of[dyads[-1]]] if dyads.size else None

    @property
    def ending(self) -> str:
        """How the course ended: planned, improved or dropout; "in therapy" before that, "untreated" without therapy.

        In a clinic also "transferred" (the therapist has left), and without a course so far "waiting" or "lost_waiting".
        """
        dyads, clinic = self._dyads, self.model.clinic
        if dyads.size:
            return ENDINGS[self.model.world.ending[dyads[-1]]]
        without = UNTREATED if clinic is None else LOST_WAITING if clinic.state[self.row] == LOST else STILL_WAITING
        return ENDINGS[without]

    @property
    def state(self) -> str:
        """Where this client stands: in a clinic one of ``clinic.STATES``, else "in therapy", "ended" or "untreated"."""
        if self.model.clinic is not None:
            return STATES[self.model.clinic.state[self.row]]
        return "in therapy" if self.in_therapy else "ended" if self._dyads.size else "untreated"

    @property
    def weeks_waiting(self) -> int:
        """Weeks of waiting for a therapist so far; later those before the last course, or before the client was lost."""
        clinic, row = self.model.clinic, self.row
        if clinic is None:
            return 0
        if clinic.state[row] in (WAITING, BETWEEN):
            return int(self.model.world.week - clinic.since[row])
        if clinic.state[row] == LOST:
            return int(clinic.since[row] - clinic.arrival[row])
        return int(clinic.book.courses.weeks_waited[clinic.course[row]])


class Therapist(Person):
    """One therapist, simulated. In a clinic clients share therapists; elsewhere each client has their own copy of one, under one
    ``number``."""

    role = "therapist"

    @property
    def clients(self) -> AgentSet:
        """The clients of this therapist, as an ``AgentSet``; in a clinic those who are in therapy now."""
        everybody = self.model.people("client")
        return AgentSet([everybody[row] for row in self.model.world.client_of[self._dyads]], random=self.model.random)

    @property
    def caseload(self) -> int:
        """Clients in therapy with this therapist now."""
        return int((self.model.world.ending[self._dyads] == IN_THERAPY).sum())

    @property
    def in_post(self) -> bool:
        """Whether this therapist has not left the clinic; always true elsewhere."""
        clinic = self.model.clinic
        return clinic is None or bool(clinic.in_post[self.row])

    @property
    def away(self) -> bool:
        """Whether this therapist was away this week (clinics)."""
        clinic = self.model.clinic
        return clinic is not None and bool(clinic.away[self.row])

    @property
    def supervised(self) -> bool:
        """Whether this therapist has begun supervision or training (clinics)."""
        clinic = self.model.clinic
        return clinic is not None and bool(clinic.taken[self.row] > 0)


def _warn_of_repeats(seed: int) -> None:
    """Warn where Mesa's ``batch_run`` makes a model again that it has run: the same arguments are the same run."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not mesa.batchrunner._model_run_func.__code__:
        frame = frame.f_back
    if frame is not None and frame.f_locals["run"][1]:
        said = f"mesa.batch_run(iterations=...) repeats the run of seed {seed} exactly; give seeds instead: seed=range(1, 4)"
        warnings.warn(said, stacklevel=3)


class TherapyModel(mesa.Model):  # type: ignore[misc]
    """One arm and replicate of a scenario, week by week: ``step`` is a week, ``steps`` the weeks lived so far.

    ``scenario``: a ``Scenario`` or the path of its file. ``arm``: its name; if None the first that has a therapist.
    ``seed``: a whole number from 0; with ``replicate`` it addresses all random draws of the simulated people, which no draw from
    Mesa's ``model.random`` or ``model.rng`` can move. Those two are started from ``seed`` too and serve Mesa's own
    shuffling only. ``model``: another than the shipped one (``sim.Model``). Reporters are added to those named in
    ``REPORTED``, in clinics also ``CLINIC_REPORTED``; data are collected at intake and after every week, so row ``k`` is
    week ``k``. Agent reporters are possible but make the agents, which costs far more than the simulation.

    ``running`` turns False when sessions and follow-up are over; further steps then do nothing. ``tables()`` gives the
    core's tables. ``world`` holds the arrays (``world.clients.distress``), for reading or changing everybody at once; ``clinic``
    what a clinic knows besides.

    In a clinic (``design: clinic``) nobody has come before the first step; clients become agents in the week of their arrival,
    therapists when they are hired, and both stay. ``world`` has rows for those still to come, behind those who are there, and
    its ``dyads`` and ``therapists`` are replaced when the clinic grows: take them from ``world`` each time.

    ``mesa.batch_run`` works but is the long way round: give seeds, ``{"seed": range(1, 4)}``, and no ``iterations``, which repeat
    one run exactly (a warning says so), and know that Mesa 3.3.1 leaves out the last week. ``sim.run`` is faster, runs all
    arms and keeps every week.

    Raises ``ScenarioError`` (also for an unknown arm or replicate) and ``ValueError`` for a seed that is none.
    """

    def __init__(self, scenario: Scenario | str | Path, arm: str | None = None, seed: int = 1, replicate: int = 0,
                 model: Model = SHIPPED, *, model_reporters: Mapping[str, Any] | None = None,
                 agent_reporters: Mapping[str, Any] | None = None,
                 agenttype_reporters: Mapping[type[Person], Mapping[str, Any]] | None = None) -> None:  # fmt: skip
        self.seed = checked_seed(seed)
        _warn_of_repeats(self.seed)
        self.scenario = scenario if isinstance(scenario, Scenario) else load(scenario)
        self.arm = chosen_arm(self.scenario, arm, replicate)
        self.replicate, self.core = int(replicate), model
        fits(self.scenario, of=lambda one: one.model_copy(update={"arms": (arm_named(one, self.arm.name),), "replicates": 1}))
        super().__init__(seed=self.seed)
        told = (self.scenario, self.arm, self.replicate, self.seed)
        self.clinic: Clinic | None = None
        if self.arm.clinic is not None:
            self._lived: Clinic | Running = build_clinic(*told, model)
            self.clinic, self.weeks = self._lived, self.arm.clinic.weeks
        else:
            self._lived, self.weeks = Running(build(*told, model=model), model.session), arm_weeks(self.scenario, self.arm)
        #: Rows in ``world.dyads`` of this week's sessions; at intake, of first impressions.
        self.met = np.arange(len(self.world.dyads)) if self.clinic is None else self.clinic.met
        self._people: dict[str, list[Any]] = {"client": [], "therapist": []}  # agents by row, as far as they are made
        reported = (*REPORTED, *(CLINIC_REPORTED if self.clinic is not None else ()))
        reporters = {name: name for name in reported} | dict(model_reporters or {})
        self.datacollector = mesa.DataCollector(reporters, agent_reporters, agenttype_reporters)
        self.datacollector.collect(self)

    def step(self) -> None:
        """Live one week: a session for everybody in therapy, then life. Nothing happens when everything is over.

        Raises ``StateError`` when a quantity leaves its range.
        """
        if self.world.week < self.weeks:
            in_therapy = np.flatnonzero(self.world.ending == IN_THERAPY)
            self._lived.live_a_week()
            self.met = in_therapy if self.clinic is None else self.clinic.met
            self.datacollector.collect(self)
        self.steps = self.world.week
        if self.world.week >= self.weeks:
            self.running = False

    def tables(self) -> dict[str, Any]:
        """The tables of ``sim.run`` for this arm, by name, as if everything ended now (who is in therapy: censored)."""
        left = self._lived.so_far() if isinstance(self._lived, Running) else self._lived
        return run_of(self.scenario, self.arm, self.replicate, self.seed, left, self.core).tables

    @property
    def world(self) -> World:
        """The arrays of everybody, which are the truth."""
        return self._lived.world

    @cached_property
    def numbers(self) -> dict[str, np.ndarray]:
        """Of each row of clients and of therapists the number in the tables; in a clinic it is that of the row."""
        client = client_numbers(self.scenario, self.arm)
        return {"client": client, "therapist": therapist_numbers(self.scenario, self.arm, client)}

    @property
    def agents(self) -> AgentSet:
        """Everybody who is there: clients by number, then therapists, then agents of your own. Made when first asked for.

        Whoever comes to a clinic later stands behind those who were asked for before.
        """
        for role in ("client", "therapist"):
            self.people(role)
        return super().agents

    @property
    def agents_by_type(self) -> dict[type[Any], AgentSet]:
        """The agents of each kind, ``Client`` and ``Therapist``."""
        return super().agents_by_type if len(self.agents) else {}

    @property
    def agent_types(self) -> list[type[Any]]:
        """The kinds of agents that there are."""
        return list(self.agents_by_type)

    @property
    def clients(self) -> AgentSet:
        """All clients who have come, in therapy or not, by number."""
        return self.agents_by_type.get(Client, AgentSet([], random=self.random))

    @property
    def therapists(self) -> AgentSet:
        """All therapists, in a clinic those who have left as well; none in an arm without therapy."""
        return self.agents_by_type.get(Therapist, AgentSet([], random=self.random))

    @property
    def in_therapy(self) -> int:
        """Clients who are in therapy now."""
        return int((self.world.ending == IN_THERAPY).sum())

    @property
    def mean_alliance(self) -> float:
        """Latent alliance as clients see it (proportion, 0-1), mean of this week's sessions; at intake of first impressions.

        NaN in a week without sessions.
        """
        met = self.met
        return float(self.world.dyads.client_alliance[met].mean()) if met.size else float("nan")

    @property
    def mean_distress(self) -> float:
        """Latent distress (SDs of the community) of all clients who have come, in therapy or not; NaN before anybody has."""
        n = self.present("client")
        return float(self.world.clients.distress[:n].mean()) if n else float("nan")

    @property
    def dropouts(self) -> int:
        """Clients who have left against plan so far."""
        return int((self.world.ending == DROPOUT).sum())

    @property
    def ruptures(self) -> int:
        """Ruptures in this week's sessions."""
        d, met = self.world.dyads, self.met
        return int((d.withdrawals[met] + d.confrontations[met]).sum())

    waiting, arrivals_total, between_therapists = map(_counted, CLINIC_REPORTED[:3])
    lost_waiting, ended_total = map(_counted, CLINIC_REPORTED[3:])

    def present(self, role: str) -> int:
        """How many clients have come, or therapists have been in post, so far: the first rows of ``world``."""
        if role == "therapist":
            return len(self.world.therapists)
        return len(self.world.clients) if self.clinic is None else self.clinic.arrived

    def people(self, role: str) -> list[Any]:
        """The agents of all clients, or of all therapists, by row; made for who is there and has none yet."""
        made, kind = self._people[role], Client if role == "client" else Therapist
        made += [kind(self, row) for row in range(len(made), self.present(role))]
        return made
