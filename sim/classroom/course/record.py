"""Courses recorded for the page: the model's own verbs, week by week, without the questionnaires that the page does not show.

Random numbers are counter-based, so what is left out changes nothing else: a course here is that of ``sim.run``, number by number
(a test compares them). What raters would answer is shown without the noise of answering, on the scale of the questionnaire."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.engine.wiring import trace_columns
from sim.measurement.instruments import CORE_OM, WAI_SCALE
from sim.people.apply import applied
from sim.scenario.scenario import Arm, Scenario
from sim.simulation.build import arm_weeks, build, client_numbers
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.theory.regions import ROLES
from sim.theory.styles import ecr_score
from sim.therapy.endings import CENSORED, IN_THERAPY
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import SESSION, begin, hold
from sim.therapy.verbs import rate_alliance, rate_distress
from sim.therapy.weeks import Weeks, life_goes_on

#: A session without its questionnaires.
_VERBS = tuple(verb for verb in SESSION if verb not in (rate_distress, rate_alliance))
#: Dyad columns kept of every session, as they are at its end.
BY_SESSION = (
    "client_alliance", "therapist_alliance", "client_trust", "client_engagement", "withdrawals", "confrontations", "repairs",
    "open_rupture", "dropout_risk", "accuracy_level", "directional_bias", "mean_client_perceived", "mean_therapist_response",
    "mean_client_labelling", "mean_client_disclosure", "mean_client_arousal", "mean_therapist_arousal",
    "mean_therapist_perceived", "mean_therapist_warmth",
    *(f"{role}_{name}" for role in ROLES for name in ("anxiety", "avoidance")),
)  # fmt: skip
#: Columns of the client kept of every week, week 0 before the first session.
BY_WEEK = ("distress", "anxiety", "avoidance")
TRACED = tuple(trace_columns(EXCHANGE))


@dataclass(frozen=True)
class Record:
    """The courses of some clients (n) in one arm.

    ``session`` holds arrays (sessions, n), NaN after the end; ``week`` arrays (weeks + 1, n), NaN where nobody was followed;
    ``first`` the dyads before the first session; ``trace`` (sessions, exchanges, quantities of ``TRACED``) of the first client,
    empty where not asked for; ``held`` sessions held and ``ending`` how it ended (position in ``ENDINGS``), one per client.
    """

    parameters: Parameters
    held: np.ndarray
    ending: np.ndarray
    session: dict[str, np.ndarray]
    week: dict[str, np.ndarray]
    first: dict[str, np.ndarray]
    trace: np.ndarray

    def alliance(self, role: str = "client") -> np.ndarray:
        """The alliance (sessions, n) on the WAI's scale, 1 to 7, without the noise of marking."""
        return on_wai(self.parameters, role, self.session[f"{role}_alliance"])

    def first_alliance(self) -> np.ndarray:
        """The same at first sight, before the first session (n)."""
        return on_wai(self.parameters, "client", self.first["client_alliance"])

    def distress(self) -> np.ndarray:
        """Distress (weeks + 1, n) on the CORE-OM's scale, 0 to 40, as people report it, without the noise of marking."""
        admitted = applied(eq.admitted, self.parameters, distress=self.week["distress"], avoidance=self.week["avoidance"])
        share = applied(eq.core_share, self.parameters, distress=admitted, week_noise=0.0)
        return 10.0 * (CORE_OM.low + (CORE_OM.high - CORE_OM.low) * np.asarray(share))

    def attachment(self, of: str, name: str) -> np.ndarray:
        """Anxiety or avoidance as an ECR score, 1 to 7.

        ``of``: "general" (the client's, by week), "client" or "therapist" (to the other person, by session).
        """
        values = self.week[name] if of == "general" else self.session[f"{of}_{name}"]
        return np.asarray(ecr_score(values))

    def to_other(self, of: str, held: int) -> list[np.ndarray]:
        """Anxiety and avoidance of the first client (or of the therapist) to the other at intake and after each session held."""
        names = ("anxiety", "avoidance")
        return [np.append(ecr_score(self.first[f"{of}_{name}"][0]), self.attachment(of, name)[:held, 0]) for name in names]


def on_wai(parameters: Parameters, role: str, level: np.ndarray) -> np.ndarray:
    """A latent alliance (0..1) on the WAI's scale, as a rater of usual response style rates it in the mean."""
    typical = parameters.alliance_typical
    share = applied(eq.rated_share, parameters, role, level=level, level_typical=typical, style=0.0, noise=0.0)
    return np.asarray(WAI_SCALE.low + (WAI_SCALE.high - WAI_SCALE.low) * np.asarray(share))


def recorded(scenario: Scenario, arm: Arm, seed: int, clients: int, traced: bool = False) -> Record:
    """The courses of the first ``clients`` clients of an arm, followed until all have ended and the follow-up is over.

    Raises ``StateError`` when a quantity leaves its range, ``PopulationError`` when nobody fits what the scenario wants.
    """
    numbers = client_numbers(scenario, arm)[:clients]
    world = build(scenario, arm, 0, seed, numbers)
    if not traced:
        world.trace_row[:] = -1
    begin(world)
    weeks = arm_weeks(scenario, arm)
    n, dyads = numbers.size, world.dyads
    kept, places = np.full((arm.sessions, len(BY_SESSION), n), np.nan), np.array([dyads.index[name] for name in BY_SESSION])
    session = {name: kept[:, k] for k, name in enumerate(BY_SESSION)}
    week = {name: np.full((weeks + 1, n), np.nan) for name in BY_WEEK}
    first = {name: dyads[name].copy() for name in BY_SESSION}
    trace = np.full((arm.sessions if traced else 0, scenario.exchanges, len(TRACED)), np.nan)
    followed = weeks > arm.sessions

    def meet(_: Weeks) -> None:
        rows = np.flatnonzero(world.ending == IN_THERAPY)
        if rows.size:
            hold(world, rows, _VERBS)
            kept[world.week - 1][:, rows] = dyads.data[places[:, None], rows]
            if traced and rows[0] == 0:
                trace[world.week - 1] = world.trace[0]

    def keep_week(_: Weeks) -> None:
        for name, values in week.items():
            values[world.week] = world.clients[name]

    under_way = Weeks(world, (meet, life_goes_on, keep_week))
    keep_week(under_way)
    while world.week < weeks and (followed or (world.ending == IN_THERAPY).any()):
        under_way.live_a_week()
    ending = np.where(world.ending == IN_THERAPY, CENSORED, world.ending)
    return Record(world.parameters, dyads.session.astype(np.int64), ending, session, week, first, trace)
