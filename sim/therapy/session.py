"""One session, for everybody who meets this week: the tuple ``SESSION`` is the order of verbs.

A verb reads columns, calls equations, and writes only the columns that its docstring names. Equations return
values; verbs compare them with random draws. ``rows`` are the dyads that meet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from sim.engine.native import kernel
from sim.engine.wiring import Step, trace_columns
from sim.errors import StateError
from sim.luck import Luck
from sim.measurement import instruments as ask
from sim.measurement.responses import Occasion, Respondents, may_be_missing
from sim.people.apply import applied
from sim.people.state import Columns
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.theory.regions import intact
from sim.theory.styles import share
from sim.therapy.exchange import EXCHANGE
from sim.therapy.interventions import Intervening
from sim.therapy.links import RULES, SessionRule

#: How a course can end. "in therapy" never reaches a table: it becomes "censored".
ENDINGS = ("in therapy", "planned", "improved", "dropout", "censored", "untreated", "transferred", "lost_waiting", "waiting")
IN_THERAPY, PLANNED, IMPROVED, DROPOUT, CENSORED, UNTREATED, TRANSFERRED, LOST_WAITING, STILL_WAITING = range(len(ENDINGS))


@dataclass
class World:
    """Everybody of one arm and replicate, and the week it is. Row ``i`` of the dyads is one course of therapy."""

    luck: Luck
    parameters: Parameters
    clients: Columns
    therapists: Columns
    dyads: Columns
    client_code: np.ndarray  # random-number codes, one per client row
    therapist_code: np.ndarray  # one per therapist row
    client_of: np.ndarray  # client row of each dyad
    therapist_of: np.ndarray  # therapist row of each dyad
    pair_code: np.ndarray  # one per dyad
    planned_sessions: np.ndarray  # one per dyad
    n_exchanges: int
    planned_weeks: int  # when therapy is planned to end
    strengths: dict[str, float] = field(default_factory=intact)
    exchange_steps: tuple[Step, ...] = EXCHANGE
    week: int = 0
    ratings: dict[str, np.ndarray] = field(default_factory=dict)  # this week's, one entry per dyad row
    occasions: list[Occasion] | None = None  # of questionnaires so far, where every response is kept
    trace_row: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))  # row of the trace, or -1
    trace: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1)))
    intervention: Intervening | None = None  # what an experimenter does inside the exchange
    baseline: World | None = None  # the same people without it, where something is held at its course there

    def __post_init__(self) -> None:
        n = len(self.dyads)
        self.ending = np.zeros(n, np.int64)
        self.record = np.array([self.parameters.record(self.strengths)])
        if not self.trace_row.size:
            self.trace_row = np.full(n, -1)

    @property
    def sides(self) -> tuple[tuple[str, Columns, np.ndarray], ...]:
        """Role, people, and their row for each dyad."""
        return ("client", self.clients, self.client_of), ("therapist", self.therapists, self.therapist_of)

    def rate(self, name: str, rows: np.ndarray, values: np.ndarray) -> None:
        """Keep a rating of this week for the dyads ``rows``. Raises ``StateError`` for one that is no number, except where
        questionnaires may be missing."""
        missing = may_be_missing(self.parameters)
        if not np.isfinite(values).all() and not (missing and not np.isinf(values).any()):
            raise StateError(f"week {self.week}: the rating {name} is not a number for some dyads", [name])
        self.ratings.setdefault(name, np.full(len(self.dyads), np.nan))[rows] = values

    def occasion(self, name: str, client: np.ndarray, therapist: np.ndarray | None = None, session: Any = -1) -> Occasion | None:
        """An occasion (one of ``OCCASIONS``) on which every response of these people (rows of their tables) is kept.

        None where this world keeps scores only."""
        if self.occasions is None:
            return None
        whom = np.full(client.size, -1) if therapist is None else therapist
        at = Occasion(name, self.week, client, whom, np.broadcast_to(np.asarray(session, np.int64), client.shape))
        self.occasions.append(at)
        return at

    def asked(self, role: str, rows: np.ndarray, at: Occasion | None = None) -> Respondents:
        """These clients or therapists (rows of their table) as they fill in questionnaires now."""
        code = (self.client_code if role == "client" else self.therapist_code)[rows]
        return Respondents(code, self.week, self.parameters, self.luck, role, at)

    def applied(self, equation: Callable[..., Any], rows: np.ndarray, role: str = "", **given: Any) -> Any:
        """An equation's value for the dyads ``rows``, wired by name (see ``people.apply``); links that are cut are not seen."""
        if self.intervention is not None:
            given |= self.intervention.seen(role, equation.__name__)
        return applied(equation, self.parameters, role, self.dyads, rows, **given)

    def write(self, column: str, rows: np.ndarray, values: Any) -> None:
        """Set a dyad column for the dyads ``rows``; where an experiment holds it, to its course in the baseline."""
        self.dyads[column][rows] = values
        if self.intervention is not None and self.baseline is not None:
            self.intervention.clamp_columns(self.dyads, self.baseline.dyads, rows, column)

    def quantity(self, name: str, rows: np.ndarray) -> np.ndarray:
        """A dyad column, or what is made of several: progress, and how the client takes part as a measure of capability."""
        d, p = self.dyads, self.parameters
        if name == "progress":
            return d.distress_intake[rows] - d.client_distress[rows]
        if name == "taking_part":
            return p.capability_typical + d.mean_therapist_perceived[rows] - p.therapist_perceived_typical
        return d[name][rows]

    def computed(self, rule: SessionRule, rows: np.ndarray, **given: Any) -> Any:
        """The value of a rule's equation for the dyads ``rows``."""
        carried = {argument: self.quantity(name, rows) for argument, name in rule.columns.items()}
        return self.applied(rule.equation, rows, rule.whose, **carried, **given)

    def follow(self, rule: SessionRule, rows: np.ndarray) -> None:
        """Write what a rule's equation gives, or move what is there toward it."""
        (column,), value = rule.writes, self.computed(rule, rows)
        for rate in rule.rates:
            value = eq.toward(self.dyads[column][rows], value, self.parameters[rate])
        self.write(column, rows, value)


#: What of a course a client brings along, in part, to the next therapist.
HANDED_OVER = ("client_anxiety", "client_avoidance", "client_trust", "client_task", "client_goal")


def calm(world: World, role: str) -> float:
    """Arousal with which a person comes in: the typical one, as far as the limbic system is intact."""
    return world.parameters.of(role, "arousal_typical") * min(world.strengths[f"{role}_limbic"], 1.0)


def begin(world: World) -> None:
    """First impressions of everybody (``meet_first``), and room for the exchanges that are followed."""
    n_traced = int((world.trace_row >= 0).sum())
    world.trace = np.zeros((n_traced, world.n_exchanges, len(trace_columns(world.exchange_steps))))
    meet_first(world, np.arange(len(world.dyads)))


def meet_first(world: World, rows: np.ndarray, carried: Mapping[str, np.ndarray] | None = None) -> None:
    """First impressions: attachment to this partner starts from each person's history [K13].

    Writes every dyad column that does not start at its default. ``carried``: client columns of ``HANDED_OVER`` as they stood
    with another therapist before, NaN for who had none; of them a part carries over [K22].
    """
    d, p = world.dyads, world.parameters

    def write(column: str, values: Any) -> None:
        if carried is not None and column in carried:
            before = carried[column]
            after = applied(eq.handed_over, p, fresh=values, before=before)
            values = np.where(np.isnan(before), values, after)
        world.write(column, rows, values)

    for role, people, of in world.sides:
        for name in ("anxiety", "avoidance"):
            world.write(f"{role}_{name}", rows, people[name][of[rows]])
        fresh_trust = world.applied(eq.first_trust, rows, role)
        for name in ("anxiety", "avoidance"):
            write(f"{role}_{name}", people[name][of[rows]])
        world.write(f"{role}_perceived_mean", rows, world.applied(eq.expectation, rows, role))
        world.write(f"{role}_perceived", rows, d[f"{role}_perceived_mean"][rows])
        world.write(f"{role}_inconsistency", rows, p.of(role, "inconsistency_typical"))
        write(f"{role}_trust", fresh_trust)
        for name in ("task", "goal"):
            write(f"{role}_{name}", p.agreement_start)
        world.write(f"{role}_bond", rows, world.applied(eq.felt_bond, rows, role))
        world.write(f"{role}_alliance", rows, world.applied(eq.alliance, rows, role))
        world.write(f"{role}_arousal", rows, calm(world, role))
        world.write(f"{role}_expression", rows, world.applied(eq.expression, rows, role))
    who = world.client_of[rows]  # as they are in general, not with a therapist before
    names = [(f"{prefix}{name}_mean", role, f"{name}_mean") for prefix, role in (("", "client"), ("partner_", "therapist"))
             for name in ("anxiety", "avoidance")]  # fmt: skip
    pair = world.pair_code[rows]
    for role in ("client", "therapist"):  # each feels it in their own way
        luck = eq.partly_shared(
            world.luck.normal(pair, "match"), world.luck.normal(pair, f"{role}_match"), p.compatibility_shared_share
        )
        compatibility = world.applied(
            eq.dyadic_compatibility, rows, "client", compatibility_luck=luck,
            anxiety=world.clients.anxiety[who], avoidance=world.clients.avoidance[who],
            partner_anxiety=d.therapist_anxiety[rows], partner_avoidance=d.therapist_avoidance[rows],
            **{argument: share(p.of(role_of, number)) for argument, role_of, number in names},
        )  # fmt: skip
        d[f"{role}_compatibility"][rows] = np.clip(compatibility, -8, 8)
    d["distress_intake"][rows] = world.clients.distress[world.client_of[rows]]


def rate_distress(world: World, rows: np.ndarray) -> None:
    """The client fills in the CORE-OM before the session. Writes the rating ``distress``."""
    who = world.client_of[rows]
    at = world.occasion("session", who, world.therapist_of[rows], world.dyads.session[rows] + 1)  # the one that they come to
    world.rate("distress", rows, ask.core_om(world.clients.distress[who], world.asked("client", who, at)))


def meet(world: World, rows: np.ndarray) -> None:
    """Both people come in as they are today. Writes what each brings, and clears what counts one session."""
    d = world.dyads
    for role, people, of in world.sides:
        for name in ("distress", "skill", "warmth_trait", "regulation", "fatigue", "repair_skill", "adaptation"):
            d[f"{role}_{name}"][rows] = people[name][of[rows]]
        d[f"{role}_arousal"][rows] = calm(world, role)
        d[f"{role}_perceived"][rows] = d[f"{role}_perceived_mean"][rows]
    d.session[rows] += 1.0
    for name in ("withdrawals", "confrontations", "repairs"):
        d[name][rows] = 0.0


def exchange(world: World, rows: np.ndarray) -> None:
    """The exchanges of this session (``EXCHANGE``, compiled). Writes what its steps write, and the session means.

    Raises ``StateError`` when a quantity becomes NaN or leaves its range.
    """
    intervention = world.intervention
    columns = tuple(world.dyads.declared.values())
    run = kernel(world.exchange_steps, tuple(world.parameters), columns, intervened=intervention is not None)
    row, column = run(
        world.dyads.data,
        rows,
        world.client_code[world.client_of],
        world.pair_code,
        np.uint64(world.week),
        np.uint64(world.luck.seed),
        np.uint64(world.luck.replicate),
        world.record,
        world.n_exchanges,
        world.trace_row,
        world.trace,
        *(() if intervention is None else intervention.arguments()),
    )
    if row >= 0:
        at_fault = columns[column]
        raise StateError(
            f"week {world.week}, dyad {row}: {at_fault.name} is {world.dyads[at_fault.name][row]}, outside "
            f"{at_fault.low:g}..{at_fault.high:g} ({at_fault.unit})",
            [at_fault.name],
        )


def form_alliance(world: World, rows: np.ndarray) -> None:
    """Bond, task and goal follow what the session was like, for both people [K4, K11, K18].

    Writes trust, bond, capability, task, goal and alliance of both, and the client's engagement.
    """
    for rule in RULES["form_alliance"]:
        world.follow(rule, rows)


def heal(world: World, rows: np.ndarray) -> None:
    """Distress falls through alliance, engagement and words [K25, K20]; a rupture left unrepaired adds to it.

    Writes the client's distress, set point, own part.
    """
    who = world.client_of[rows]
    gain, partner_gain = world.clients.treatment_gain[who], world.therapists.treatment_gain[world.therapist_of[rows]]
    healing, rupture_distress = (
        world.computed(rule, rows, treatment_gain=gain, partner_treatment_gain=partner_gain) for rule in RULES["heal"]
    )
    lost = healing - rupture_distress
    world.clients.keep_within("distress", world.clients.distress[who] - lost, who)
    lasting = world.parameters.healing_lasting_share * lost
    world.clients.distress_own[who] -= lasting
    world.clients.keep_within("distress_set_point", world.clients.distress_set_point[who] - lasting, who)


def consolidate(world: World, rows: np.ndarray) -> None:
    """Between sessions the alliance works on attachment to this person, this and the general model pull on each other,
    and training stays, and fades [K15, K16, K22, K23].

    Writes both people's general model and regulation, and their attachment to each other.
    """
    d, p = world.dyads, world.parameters
    for (role, people, of), secured in zip(world.sides, RULES["consolidate"], strict=True):
        who = of[rows]
        for name in ("anxiety", "avoidance"):
            bond, general = d[f"{role}_{name}"], people[name]
            bond[rows] = world.computed(secured, rows, attachment=bond[rows])
            gap = bond[rows] - general[who]
            bond[rows] -= min(p.plasticity * p.session_carry_rate, 1.0) * gap
            # Added up, since a therapist may have met several clients.
            np.add.at(general, who, p.plasticity * p.prototype_learning_rate * gap)
            np.clip(general, 0.0, 1.0, out=general)
        trained = d[f"{role}_regulation"][rows] - people.regulation[who]
        np.add.at(people.regulation, who, trained)
        np.clip(people.regulation, 0.0, 1.0, out=people.regulation)


def rate_alliance(world: World, rows: np.ndarray) -> None:
    """Both fill in the WAI after the session, rate empathy, and report ruptures; an observer does too. The client also says
    how attached to the therapist they are.

    Writes the ratings ``wai_*``, ``empathy_*``, ``*_to_therapist``, ``cats_*`` and ``ruptures_*_reported``.
    """
    d, p, luck = world.dyads, world.parameters, world.luck
    who, of = world.client_of[rows], world.therapist_of[rows]
    client = world.asked("client", who, world.occasion("session", who, of, d.session[rows]))
    therapist = replace(client, rater="therapist", code=world.pair_code[rows])
    observer = replace(therapist, rater="observer")
    raters = {  # whose style it is, and what all their ratings have in common
        "client": (client.code, world.clients.response_style[who]),
        "therapist": (world.therapist_code[of], world.therapists.response_style[of]),
        "observer": (observer.code, p.observer_response_style_sd * luck.normal(observer.code, "observer_rating_style")),
    }

    def style(rater: str, questionnaire: str) -> np.ndarray:
        code, common = raters[rater]
        return ask.style_with(questionnaire, common, p.of(rater, "response_style_sd"), code, p, luck)

    for whom in (client, therapist):
        latent = {scale: d[f"{whom.rater}_{scale}"][rows] for scale in ask.WAI_SCALE.scales}
        found = ask.working_alliance(latent, style(whom.rater, "wai"), whom)
        for scale in latent:
            world.rate(f"wai_{whom.rater}_{scale}", rows, found[scale])
        world.rate(f"wai_{whom.rater}", rows, found["total"])
    therapist_level = 0.5 * (d.mean_therapist_perceived[rows] + d.mean_therapist_warmth[rows])
    for whom, level, typical in (
        (client, d.mean_client_perceived[rows], p.client_perceived_typical),
        (therapist, therapist_level, 0.5 * (p.therapist_perceived_typical + p.warmth_typical)),
        (observer, d.mean_therapist_response[rows], p.client_perceived_typical),
    ):
        form = f"{whom.rater}_empathy"
        score = ask.rated(ask.EMPATHY, level, typical, style(whom.rater, "empathy"), whom, form)
        world.rate(f"empathy_{whom.rater}", rows, score)
    for name in ("anxiety", "avoidance"):
        of_ecr = world.clients[f"ecr_response_style_{name}"][who]
        world.rate(f"{name}_to_therapist", rows, ask.ecr_to_therapist(name, d[f"client_{name}"][rows], of_ecr, client))
    cats_style = style("client", "cats")  # not in preoccupied: longing for contact is neither praise nor complaint
    for scale, proportion in (
        ("secure", applied(eq.cats_secure_share, p, "client", d, rows, style=cats_style)),
        ("avoidant", applied(eq.cats_avoidant_share, p, "client", d, rows, style=cats_style)),
        ("preoccupied", applied(eq.cats_preoccupied_share, p, "client", d, rows, bid=d.mean_client_bid[rows])),
    ):
        world.rate(f"cats_{scale}", rows, ask.cats(scale, proportion, client))
    ruptures = d.withdrawals[rows] + d.confrontations[rows]
    world.rate("ruptures_client_reported", rows, ask.rupture_report(ruptures, d.open_rupture[rows], client))
    world.rate("ruptures_observer_reported", rows, ask.observed_rupture(ruptures, d.client_tension[rows], observer))


def leave(world: World, rows: np.ndarray) -> None:
    """Some do not come back, some are well enough, some have come to the planned end [K4, K18, A7].

    Writes ``dropout_risk`` and the ending.
    """
    d, p = world.dyads, world.parameters
    for rule in RULES["leave"]:
        world.follow(rule, rows)
    client = world.client_code[world.client_of[rows]]
    drops = world.luck.uniform(client, "dropout", world.week) <= d.dropout_risk[rows]
    well = (
        (world.clients.distress[world.client_of[rows]] < p.good_enough_distress)
        & (d.session[rows] >= p.good_enough_sessions)
        & (world.luck.uniform(client, "good_enough", world.week) <= p.good_enough_prob)
    )
    done = d.session[rows] >= world.planned_sessions[rows]
    world.ending[rows] = np.where(done, PLANNED, np.where(drops, DROPOUT, np.where(well, IMPROVED, IN_THERAPY)))


Verb = Callable[[World, np.ndarray], None]

#: One session, in order.
SESSION: tuple[Verb, ...] = (rate_distress, meet, exchange, form_alliance, heal, consolidate, rate_alliance, leave)


def traced_quantities(world: World) -> list[str]:
    """Names of the quantities that ``world.trace`` holds."""
    return trace_columns(world.exchange_steps)
