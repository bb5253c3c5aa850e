"""Directions: a number up, a measure up or down (or not moved by a bit), on paired luck; and the minimally different world."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numba.extending import register_jitable

from sim import luck
from sim.engine.wiring import draws
from sim.measurement.instruments import dsq
from sim.measurement.responses import Respondents
from sim.people.state import DYAD
from sim.runs.run import run
from sim.scenario.scenario import from_spec
from sim.simulation.build import build
from sim.simulation.tables import Run
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.steps import Step
from sim.therapy.course import run_course
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import World

SEED = 4
#: Kinds of dyads a row of the table may ask for.
KINDS: dict[str, dict[str, Any]] = {
    "usual": {"client": "population", "therapist": "population"},
    "dismissing therapists": {"client": "population", "therapist": "dismissing"},
    "dismissing clients": {"client": "dismissing", "therapist": "population"},
    "preoccupied clients": {"client": "preoccupied", "therapist": "population"},
    "untreated": {"client": "population", "therapist": "none"},
    "fearful clients": {"client": "fearful", "therapist": "population"},
}


@lru_cache(maxsize=None)
def ran(kind: str, parameters: tuple[tuple[str, float], ...] = (), sessions: int = 8, clients: int = 600) -> Run:
    """A small run of one kind of dyads with some numbers changed; always the same people and random draws."""
    spec = {"question": "?", "clients_per_arm": clients, "sessions": sessions, **KINDS[kind], "parameters": dict(parameters)}
    return run(from_spec(spec, kind), seed=SEED, threads=1)


Measure = Callable[[Run], float]


def mean(column: str) -> Measure:
    """Mean of a column of the session table."""
    return lambda r: float(r.sessions[column].mean())


def first(column: str) -> Measure:
    """Mean of a column in session 1, when nobody has left yet."""
    return lambda r: float(r.sessions.loc[r.sessions["session"] == 1, column].mean())


def spread(column: str) -> Measure:
    """SD over clients of a column in session 1."""
    return lambda r: float(r.sessions.loc[r.sessions["session"] == 1, column].std())


def dropouts(r: Run) -> float:
    """Proportion of clients who drop out."""
    return float((r.clients["ending"] == "dropout").mean())


def improved(r: Run) -> float:
    """Proportion of courses that end early as well enough."""
    return float((r.clients["ending"] == "improved").mean())


def distress_at_end(r: Run) -> float:
    """Latent distress at the end."""
    return float(r.clients["distress_end_latent"].mean())


def intake(column: str) -> Measure:
    """Mean of a column of the client table."""
    return lambda r: float(r.clients[column].mean())


def withdrawn(r: Run) -> float:
    """Proportion of ruptures that are withdrawals only."""
    ruptured = r.sessions.loc[r.sessions["ruptures"] > 0, "rupture_type"]
    return float((ruptured == "withdrawal").mean())


def repaired(r: Run) -> float:
    """Repairs per rupture."""
    return float(r.sessions["repairs"].sum() / r.sessions["ruptures"].sum())


def anxiety_spread(r: Run) -> float:
    """SD over clients of how far the general model (anxiety) moved."""
    return float((r.clients["client_anxiety_end_latent"] - r.clients["client_anxiety_0_latent"]).std())


def shown_range(r: Run) -> float:
    """SD of what a client shows over the sessions, mean over clients: how far the face follows what is felt."""
    return float(r.sessions.groupby("client")["expression"].std().mean())


def ruptured_distress(r: Run) -> float:
    """How much more distress the quarter has at the end who had most open of ruptures, than the others."""
    left_open = r.sessions.groupby("client")["open_rupture"].mean()
    often = left_open > left_open.quantile(0.75)
    ends = r.clients.set_index("client")["distress_end_latent"]
    return float(ends[often].mean() - ends[~often].mean())


def gain_spread(r: Run) -> float:
    """SD over clients of how far their distress fell."""
    return float((r.clients["distress_0_latent"] - r.clients["distress_end_latent"]).std())


def worth_of_alliance(r: Run) -> float:
    """How much more the distress of those fell whose alliance was the better one in session 1, than that of the others."""
    start = r.sessions[r.sessions["session"] == 1].set_index("client")["alliance_latent"]
    clients = r.clients.set_index("client")
    fell, good = clients["distress_0_latent"] - clients["distress_end_latent"], start > start.median()
    return float(fell[good[good].index].mean() - fell[good[~good].index].mean())


def swing(column: str) -> Measure:
    """SD of how a column changes from one session of a client to the next."""
    return lambda r: float(r.sessions.groupby("client")[column].diff().std())


def first_correlation(one: str, other: str) -> Measure:
    """Correlation over clients of two columns in session 1."""
    return lambda r: float(r.sessions.loc[r.sessions["session"] == 1, [one, other]].corr().iloc[0, 1])


def foreseen(r: Run) -> float:
    """Correlation over clients of the alliance in session 1 with that in the last."""
    by_session = r.sessions.pivot(index="client", columns="session", values="alliance_latent")
    return float(by_session[1].corr(by_session[8]))


def views_of_a_day(r: Run) -> float:
    """Correlation of how the alliance changes from session to session, as clients and as therapists rate it."""
    change = r.sessions.groupby("client")[["wai_client", "wai_therapist"]].diff()
    return float(change.corr().iloc[0, 1])


def taught(r: Run) -> float:
    """How far attachment anxiety in general fell from intake to the end, in those who stayed."""
    who = r.clients[r.clients["ending"] == "planned"]
    return float((who["client_anxiety_0_latent"] - who["client_anxiety_end_latent"]).mean())


def halo(r: Run) -> float:
    """Correlation of the alliance and empathy as the client rates them after session 1."""
    one = r.sessions[r.sessions["session"] == 1]
    return float(one["wai_client"].corr(one["empathy_client"]))


#: (number, from (None: its default), to, kind of dyads, what is measured, measure, sign of its change). 0: not moved by a bit.
TABLE: list[tuple[str, float | None, float, str, str, Measure, int]] = [
    ("avoidance_warmth_cost", None, 4.0, "dismissing therapists", "response", mean("response"), -1),
    ("therapist_warmth_base", None, 1.6, "usual", "response", mean("response"), +1),
    ("response_base", None, 0.9, "usual", "perceived", mean("perceived_response"), +1),
    ("response_base", None, 0.9, "usual", "alliance", mean("alliance_latent"), +1),
    ("response_reaching_cost", 0.0, 60.0, "dismissing clients", "response", mean("response"), -1),
    ("timing_lapse_cost", None, 3.0, "usual", "response", mean("response"), -1),
    ("timing_lapse_threshold", None, 3.0, "usual", "response", mean("response"), +1),
    ("repair_effort", None, 0.0, "usual", "repairs", mean("repairs"), -1),
    ("repair_base", None, 0.0, "usual", "repaired", repaired, +1),
    ("repair_avoidance_cost", None, 6.0, "dismissing therapists", "repaired", repaired, -1),
    ("repair_confrontation_gain", None, 4.0, "preoccupied clients", "repaired", repaired, +1),
    ("repair_trust_step", None, 0.15, "usual", "alliance", mean("alliance_latent"), +1),
    ("rupture_trust_step", None, 0.2, "usual", "alliance", mean("alliance_latent"), -1),
    ("hazard_base", None, -5.5, "usual", "ruptures", mean("ruptures"), -1),
    ("hazard_tension_gain", 0.0, 4.0, "usual", "ruptures", mean("ruptures"), +1),
    ("hazard_missed_gain", 0.0, 30.0, "usual", "ruptures", mean("ruptures"), +1),
    ("hazard_task_gain", 0.0, 6.0, "usual", "ruptures", mean("ruptures"), +1),
    ("tension_keep", None, 0.95, "usual", "ruptures", mean("ruptures"), +1),
    ("depth_base", None, 0.0, "usual", "depth of ruptures", mean("rupture_depth"), +1),
    ("depth_tension_gain", 0.0, 3.0, "usual", "depth of ruptures", mean("rupture_depth"), +1),
    ("depth_anxiety_gain", 0.0, 4.0, "preoccupied clients", "depth of ruptures", mean("rupture_depth"), +1),
    ("rupture_recovery", None, 0.9, "usual", "open ruptures", mean("open_rupture"), -1),
    ("repaired_share", 0.1, 1.0, "usual", "open ruptures", mean("open_rupture"), -1),
    ("repair_worth", None, 1.0, "usual", "repairs", mean("repairs"), -1),
    ("client_rupture_alliance_cost", 0.0, 5.0, "usual", "alliance", mean("alliance_latent"), -1),
    ("rupture_attachment_step", 0.0, 0.1, "usual", "anxiety with the therapist", mean("anxiety_to_therapist_latent"), +1),
    ("repair_attachment_step", 0.0, 0.1, "usual", "anxiety with the therapist", mean("anxiety_to_therapist_latent"), -1),
    ("confrontation_gain", None, 12.0, "dismissing clients", "withdrawn", withdrawn, +1),
    ("confrontation_gain", None, 12.0, "preoccupied clients", "withdrawn", withdrawn, -1),
    ("dropout_base", None, -4.0, "usual", "dropouts", dropouts, +1),
    ("dropout_outside", None, 0.05, "usual", "dropouts", dropouts, +1),
    ("dropout_alliance_gain", None, 15.0, "fearful clients", "dropouts", dropouts, +1),
    ("dropout_rupture_gain", None, 3.0, "usual", "dropouts", dropouts, +1),
    ("dropout_early_gain", None, 3.0, "usual", "dropouts", dropouts, +1),
    ("dropout_avoidance_gain", None, 4.0, "dismissing clients", "dropouts", dropouts, +1),
    ("good_enough_prob", None, 0.5, "usual", "improved", improved, +1),
    ("good_enough_sessions", None, 100.0, "usual", "improved", improved, -1),
    ("compatibility_sd", None, 1.2, "usual", "spread of perceived responses", spread("perceived_response"), +1),
    ("compatibility_sd", None, 1.2, "usual", "spread of alliance", spread("alliance_latent"), +1),
    ("expression_gain", 0.5, 1.5, "usual", "accuracy", first("tracking_accuracy"), +1),
    ("expression_avoidance_cost", None, 5.0, "dismissing clients", "expression", first("expression"), -1),
    ("expression_avoidance_cost", None, 5.0, "dismissing clients", "accuracy", first("tracking_accuracy"), -1),
    ("expression_flattening", 0.0, 5.0, "dismissing clients", "range of what shows", shown_range, -1),
    ("expression_flattening", 0.0, 5.0, "dismissing clients", "accuracy", first("tracking_accuracy"), -1),
    ("mirror_noise_sd", None, 1.5, "usual", "accuracy", first("tracking_accuracy"), -1),
    ("mirror_noise_avoidance_gain", 0.0, 8.0, "dismissing therapists", "accuracy", first("tracking_accuracy"), -1),
    ("felt_precision", 0.0, 12.0, "usual", "accuracy", first("tracking_accuracy"), +1),
    ("words_precision", 0.0, 24.0, "usual", "accuracy", first("tracking_accuracy"), +1),
    ("word_noise_sd", 0.0, 2.0, "usual", "accuracy", first("tracking_accuracy"), -1),
    ("concealment_gain", 0.0, 4.0, "dismissing clients", "arousal read too high", first("directional_bias"), -1),
    ("salience_gain", 0.0, 1.0, "usual", "arousal read too high", first("directional_bias"), +1),
    ("habit_share", 0.0, 1.0, "preoccupied clients", "bids", mean("bids"), +1),
    ("habit_share", 0.0, 1.0, "dismissing clients", "disclosure", mean("disclosure"), -1),
    ("attunement_width", None, 0.4, "usual", "attunement", first("attunement"), +1),
    ("therapist_skill_mean", None, 0.85, "dismissing clients", "attunement", mean("attunement"), +1),
    ("self_other_flood_cost", None, 4.0, "usual", "attunement", first("attunement"), -1),
    ("disclosure_avoidance_cost", None, 10.0, "dismissing clients", "disclosure", mean("disclosure"), -1),
    ("disclosure_fearful_cost", None, 16.0, "fearful clients", "disclosure", mean("disclosure"), -1),
    ("labelling_safety_gain", None, 5.0, "usual", "labelling", mean("labelling"), +1),
    ("bid_anxiety_gain", None, 6.0, "preoccupied clients", "bids", mean("bids"), +1),
    ("bid_avoidance_cost", None, 6.0, "dismissing clients", "bids", mean("bids"), -1),
    ("expectation_avoidance_cost", None, 4.0, "dismissing clients", "perceived", first("perceived_response"), -1),
    ("closeness_cost", None, 6.0, "dismissing clients", "perceived", first("perceived_response"), -1),
    ("client_tension_reading_gain", 0.0, 4.0, "usual", "spread of perceived responses", spread("perceived_response"), +1),
    ("co_regulation_rate", None, 0.5, "usual", "arousal", mean("client_limbic"), -1),
    ("labelling_calm_rate", None, 2.5, "usual", "arousal", mean("client_limbic"), -1),
    ("regulation_gain", None, 1.0, "usual", "arousal", mean("client_limbic"), -1),
    ("regulation_rate", None, 0.06, "usual", "regulation", mean("regulation_client"), +1),
    ("client_arousal_base", None, 1.0, "usual", "arousal", mean("client_limbic"), +1),
    ("contagion_anxiety_gain", None, 4.0, "usual", "therapist's arousal", spread("therapist_limbic"), +1),
    ("carried_share", 0.0, 1.0, "preoccupied clients", "anxiety with the therapist", first("anxiety_to_therapist_latent"), +1),
    ("bond_spread", 0.0, 1.5, "usual", "spread of anxiety with the therapist", spread("anxiety_to_therapist_latent"), +1),
    ("client_prototype_learning_rate", 0.0, 0.2, "preoccupied clients", "anxiety unlearned", taught, +1),
    ("general_trust_gain", 0.0, 8.0, "preoccupied clients", "anxiety unlearned", taught, +1),
    ("anchor_learning_share", 0.0, 1.0, "preoccupied clients", "anxiety unlearned", taught, +1),
    ("sustained_rate", 0.0, 1.0, "preoccupied clients", "anxiety unlearned", taught, +1),
    ("impression_accuracy", 0.0, 1.0, "usual", "alliance foreseen", foreseen, +1),
    ("trust_impression_gain", 0.0, 2.0, "usual", "spread of alliance", spread("alliance_latent"), +1),
    ("agreement_impression_gain", 0.0, 2.0, "usual", "spread of alliance", spread("alliance_latent"), +1),
    ("quality_luck_sd", 0.0, 2.0, "usual", "spread of session quality", spread("session_quality"), +1),
    # clients get better, so their weeks are better than those of late
    ("quality_distress_cost", 0.0, 3.0, "usual", "session quality", mean("session_quality"), +1),
    ("alliance_quality_gain", 0.0, 1.0, "usual", "swing of alliance", swing("alliance_latent"), +1),
    ("quality_shared_share", 0.0, 1.0, "usual", "views of one day", views_of_a_day, +1),
    ("trust_start", None, 0.7, "usual", "alliance at first", first("alliance_latent"), +1),
    ("trust_rate", None, 0.5, "usual", "trust in responses", first_correlation("alliance_latent", "perceived_response"), +1),
    ("capability_attunement_gain", None, 6.0, "usual", "spread of capability", spread("capability"), +1),
    ("engagement_base", None, 1.5, "usual", "engagement", mean("engagement"), +1),
    ("engagement_base", None, 1.5, "usual", "distress at the end", distress_at_end, -1),
    ("healing_rate", None, 0.2, "usual", "distress at the end", distress_at_end, -1),
    ("healing_reach", None, 3.0, "usual", "distress at the end", distress_at_end, -1),
    # fearful clients have a poorer alliance, though some a good one: far above 1 what these gain outweighs what the others lose
    ("healing_alliance_power", None, 1.0, "fearful clients", "distress at the end", distress_at_end, +1),
    ("healing_alliance_power", None, 4.0, "fearful clients", "worth of the alliance", worth_of_alliance, +1),
    ("relief_gain", 0.0, 0.4, "usual", "spread of gains", gain_spread, +1),
    ("rupture_distress_step", 0.0, 0.2, "fearful clients", "distress at the end", distress_at_end, +1),
    ("rupture_distress_step", 0.0, 0.2, "fearful clients", "distress of the ruptured", ruptured_distress, +1),
    ("client_treatment_gain_sd", 0.0, 1.0, "usual", "spread of gains", gain_spread, +1),
    ("therapist_treatment_gain_sd", 0.0, 1.0, "usual", "spread of gains", gain_spread, +1),
    ("distress_state_share", 0.1, 0.5, "untreated", "spread of changes of distress", gain_spread, +1),
    ("distress_return_rate", None, 0.3, "untreated", "distress at the end", distress_at_end, -1),
    ("life_event_sd", None, 0.3, "untreated", "change of attachment", anxiety_spread, +1),
    ("prototype_state_share", None, 0.8, "untreated", "change of attachment", anxiety_spread, +1),
    ("plasticity", None, 0.0, "untreated", "change of attachment", anxiety_spread, -1),
    ("help_seeking_threshold", None, 2.5, "untreated", "distress at intake", intake("distress_0_latent"), +1),
    ("client_leniency", None, 2.0, "usual", "WAI", mean("wai_client"), +1),
    ("therapist_leniency", None, 2.0, "usual", "WAI of therapists", mean("wai_therapist"), +1),
    ("response_style_shared_share", 0.0, 1.0, "usual", "halo", halo, +1),
    ("cats_trust_gain", 0.0, 3.0, "usual", "spread of secure attachment (CATS)", spread("cats_secure"), +1),
    ("cats_insecurity_gain", 0.0, 6.0, "dismissing clients", "avoidant attachment (CATS)", first("cats_avoidant"), +1),
    ("cats_closeness_gain", 0.0, 3.0, "preoccupied clients", "preoccupied attachment (CATS)", first("cats_preoccupied"), +1),
    ("bid_anxiety_gain", None, 6.0, "preoccupied clients", "preoccupied attachment (CATS)", first("cats_preoccupied"), +1),
    ("bid_avoidance_cost", None, 6.0, "dismissing clients", "preoccupied attachment (CATS)", first("cats_preoccupied"), -1),
    ("client_false_report_prob", None, 0.4, "usual", "reported ruptures", mean("ruptures_client_reported"), +1),
    ("core_base", None, -0.5, "usual", "CORE-OM", mean("distress"), +1),
    ("under_report_gain", 0.0, 2.0, "dismissing clients", "CORE-OM", mean("distress"), -1),
    *(
        (f"{by}_report_depth", None, 2.0, "usual", f"ruptures reported ({by})", mean(f"ruptures_{by}_reported"), -1)
        for by in ("client", "therapist", "observer")
    ),
    ("empathy_moment_share", 0.0, 1.0, "usual", "empathy by quality", first_correlation("empathy_client", "session_quality"), +1),
    ("cats_style_share", 0.0, 2.0, "usual", "spread of secure attachment (CATS)", spread("cats_secure"), +1),
    ("cats_longing_gain", 0.0, 3.0, "usual", "longing for the trusted", first_correlation("cats_preoccupied", "cats_secure"), +1),
    # what must not move
    ("healing_rate", None, 0.2, "usual", "perceived in session 1", first("perceived_response"), 0),
    ("dropout_base", None, -4.0, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("quality_distress_cost", None, 3.0, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("life_event_prob", None, 0.0, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("rupture_distress_step", None, 0.2, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("rupture_distress_step", None, 0.2, "untreated", "distress at the end", distress_at_end, 0),
    ("client_treatment_gain_sd", None, 1.0, "untreated", "distress at the end", distress_at_end, 0),
    ("client_treatment_gain_sd", None, 1.0, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("therapist_treatment_gain_sd", None, 1.0, "usual", "alliance in session 1", first("alliance_latent"), 0),
    ("life_event_distress_share", None, 0.9, "usual", "distress in session 1", first("distress_latent"), 0),
    ("life_event_distress_share", None, 0.9, "untreated", "distress at intake", intake("distress_0_latent"), 0),
    ("expression_flattening", None, 5.0, "untreated", "distress at the end", distress_at_end, 0),
    ("response_style_shared_share", None, 1.0, "usual", "alliance", mean("alliance_latent"), 0),
    ("response_style_shared_share", None, 1.0, "usual", "CORE-OM", mean("distress"), 0),
    ("client_leniency", None, 2.0, "usual", "alliance", mean("alliance_latent"), 0),
    ("core_base", None, -0.5, "usual", "dropouts", dropouts, 0),
    ("under_report_gain", None, 2.0, "usual", "distress at the end", distress_at_end, 0),
    ("alliance_quality_gain", None, 1.0, "usual", "perceived in session 1", first("perceived_response"), 0),
    ("client_prototype_learning_rate", None, 0.2, "untreated", "change of attachment", anxiety_spread, 0),
    ("ecr_item_sd", None, 2.5, "usual", "distress at the end", distress_at_end, 0),
    ("response_base", None, 0.9, "untreated", "distress at the end", distress_at_end, 0),
    ("trust_rate", None, 0.5, "usual", "perceived in session 1", first("perceived_response"), 0),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}->{row[4]} ({row[3]})")
def test_a_number_moves_what_it_should(row: tuple[Any, ...]) -> None:
    """From one value to the other, same people and random draws, the measure changes as stated (0: not by a bit)."""
    name, start, end, kind, _, measure, sign = row
    before = PARAMETERS[name].default if start is None else start
    low = measure(ran(kind, () if start is None else ((name, start),)))
    change = measure(ran(kind, ((name, end),))) - low
    assert np.sign(change) == sign, f"{name} {before:g} -> {end:g}: {low:.4f} changes by {change:+.4f}"


def test_the_table_is_broad() -> None:
    """At least thirty numbers, of at least six groups, and some that must not move anything."""
    assert len({row[0] for row in TABLE}) >= 30
    assert len({PARAMETERS[row[0]].group for row in TABLE}) >= 6
    assert sum(row[-1] == 0 for row in TABLE) >= 5


@pytest.mark.parametrize(
    ("cost", "high", "measure"),
    [("repair_avoidance_cost", 6.0, repaired), ("response_reaching_cost", 60.0, mean("response"))],
    ids=["repair", "response"],
)
def test_what_holds_therapists_back_is_habit(cost: str, high: float, measure: Measure) -> None:
    """Dismissing therapists repair and answer worse by what they are used to do with everybody, and hardly where only
    the bond counts, since few of their bonds are like that."""
    of_bond, of_habit = (
        measure(ran("dismissing therapists", ((cost, high), ("habit_share", share))))
        - measure(ran("dismissing therapists", ((cost, 0.0), ("habit_share", share))))
        for share in (0.0, 1.0)
    )
    assert of_habit < 0 and abs(of_bond) < 0.2 * abs(of_habit), f"{cost}: bond {of_bond:+.4f}, habit {of_habit:+.4f}"


def test_without_effort_no_repair() -> None:
    """Effort 0 is no repair at all, not just fewer."""
    assert (ran("usual", (("repair_effort", 0.0),)).sessions["repairs"] == 0).all()


# ------------------------------------------------------------------------------- what a number must not touch

LATENT = [
    "session",
    "week",
    "alliance_latent",
    "distress_latent",
    "disclosure",
    "labelling",
    "engagement",
    "ruptures",
    "repairs",
    "dropout_risk",
    "tracking_accuracy",
    "accuracy_level",
    "directional_bias",
    "perceived_response",
    "response",
    "attunement",
    "shared_meaning",
    "capability",
    "regulation_client",
    "regulation_therapist",
    "anxiety_to_therapist_latent",
]
#: Numbers of a questionnaire that no run asks, only the simulated studies of ``attune validate``.
IN_STUDIES_ONLY = ["dsq_mean", "dsq_sd", "dsq_item_sd"]
QUESTIONNAIRES = [name for name, number in PARAMETERS.items() if number.group == "questionnaires" and name not in IN_STUDIES_ONLY]


@pytest.mark.parametrize("name", QUESTIONNAIRES)
def test_questionnaires_only_look(name: str) -> None:
    """A number of the questionnaires changes some rating, and no latent column by a bit."""
    number = PARAMETERS[name]
    other = number.default + 0.3 * (number.high - number.default)
    plain, changed = ran("usual"), ran("usual", ((name, other),))
    pd.testing.assert_frame_equal(plain.sessions[LATENT], changed.sessions[LATENT], check_exact=True)
    latent = [c for c in plain.clients if c.endswith("_latent")] + ["sessions_attended", "ending"]
    pd.testing.assert_frame_equal(plain.clients[latent], changed.clients[latent], check_exact=True)
    same = plain.sessions.equals(changed.sessions) and plain.clients.equals(changed.clients)
    same &= plain.assessments.equals(changed.assessments)
    assert not same, f"{name} changes nothing at all"


@pytest.mark.parametrize("name", IN_STUDIES_ONLY)
def test_questionnaires_of_studies_move_their_marks_and_no_run(name: str) -> None:
    number = PARAMETERS[name]
    other = number.default + 0.3 * (number.high - number.default)
    plain, changed = ran("usual"), ran("usual", ((name, other),))
    for table in ("clients", "sessions", "assessments"):
        pd.testing.assert_frame_equal(getattr(plain, table), getattr(changed, table), check_exact=True)
    level, who = np.linspace(-2, 2, 200), luck.person("client", np.arange(200))
    marks = [dsq("immature", level, Respondents(who, 0, Parameters(change), luck.Luck(1, 0))) for change in ({}, {name: other})]
    assert not np.array_equal(*marks)


LIFE = [
    "life_event_prob",
    "life_event_moves_prob",
    "life_event_lasting_prob",
    "life_event_sd",
    "prototype_state_share",
    "distress_return_rate",
    "life_event_distress_share",
]


@pytest.mark.parametrize("name", LIFE)
def test_life_comes_after_the_first_session(name: str) -> None:
    """A number of life alone leaves session 1 as it was, bit for bit; later sessions differ."""
    number = PARAMETERS[name]
    other = 0.0 if name == "life_event_prob" else min(number.default * 3 + 0.05, number.high)
    plain, changed = ran("usual").sessions, ran("usual", ((name, other),)).sessions
    one, same = (s[s["session"] == 1].reset_index(drop=True) for s in (plain, changed))
    pd.testing.assert_frame_equal(one, same, check_exact=True)
    assert not plain.equals(changed)


def test_healing_leaves_the_first_session_alone() -> None:
    """Healing changes distress afterwards, not what happens in the first session."""
    plain, changed = (ran("usual", n).sessions for n in ((), (("healing_rate", 0.2),)))
    one, same = (s[s["session"] == 1].reset_index(drop=True) for s in (plain, changed))
    pd.testing.assert_frame_equal(one, same, check_exact=True)


# ---------------------------------------------------------------------------- the minimally different world


def small(**keys: Any) -> Run:
    """A run of 40 clients over 5 sessions, with some keys of the scenario changed."""
    spec = {"question": "?", "clients_per_arm": 40, "sessions": 5, "client": "population", "therapist": "population", **keys}
    return run(from_spec(spec, "small"), seed=SEED, threads=1)


def equal_rows(a: pd.DataFrame, b: pd.DataFrame) -> None:
    """Two tables are the same to the bit, whatever their arms are called."""
    a, b = (t.drop(columns="arm").reset_index(drop=True) for t in (a, b))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


TABLES = ("clients", "sessions", "assessments")


def test_more_clients_leave_the_others_as_they_were() -> None:
    """The rows of the first forty clients do not change when another forty come, one therapist each or a caseload."""
    for per_therapist in (1, 10):
        few = small(clients_per_therapist=per_therapist)
        many = small(clients_per_arm=80, clients_per_therapist=per_therapist)
        for name in TABLES:
            table = getattr(many, name)
            equal_rows(getattr(few, name), table[table["client"] < 40])


def test_another_arm_leaves_the_others_as_they_were() -> None:
    """Adding an arm, before or after, changes no row of the others; nor does another replicate."""
    arms = {"usual": {}, "warm": {"policies": ["train_warmth"]}}
    others = {"none": {"therapist": "none"}, "cold": {"parameters": {"therapist_warmth_base": 0.0}}}
    both, more = small(arms=arms), small(arms={"none": others["none"], **arms, "cold": others["cold"]})
    twice = small(arms=arms, replicates=2)
    for name in TABLES:
        for arm in arms:
            here, beside, again = (getattr(r, name) for r in (both, more, twice))
            equal_rows(here[here["arm"] == arm], beside[beside["arm"] == arm])
            equal_rows(here[here["arm"] == arm], again[(again["arm"] == arm) & (again["replicate"] == 0)])
    assert not twice.clients.query("replicate == 1")["distress_0"].equals(twice.clients.query("replicate == 0")["distress_0"])


def test_longer_courses_begin_alike() -> None:
    """Planning more sessions changes nothing before the end of the shorter course."""
    short, long = small(), small(sessions=9)
    equal_rows(short.sessions, long.sessions[long.sessions["week"] <= 5])


@register_jitable
def daydream(client_arousal, daydream_luck, wandering_chance):  # type: ignore[no-untyped-def]
    """A thought that passes through the therapist's mind and changes nothing."""
    return client_arousal * 0.0 + daydream_luck + wandering_chance


@register_jitable
def dream_on(client_arousal, daydream_luck, wandering_chance):  # type: ignore[no-untyped-def]
    """A thought that passes through the therapist's mind and changes nothing."""
    return client_arousal * 0.0 + daydream_luck + wandering_chance


def _world(steps: tuple[Step, ...] = EXCHANGE) -> World:
    """Thirty dyads, after four sessions with these steps."""
    spec = {"question": "?", "clients_per_arm": 30, "sessions": 4, "client": "population", "therapist": "population"}
    scenario = from_spec(spec, "draws")
    world = build(scenario, scenario.arms[0], 0, SEED)
    world.exchange_steps = steps
    run_course(world, 4)
    return world


def test_a_new_draw_changes_nobodys_other_luck() -> None:
    """Steps that draw normals and uniforms of their own, at both ends and amid the exchange, leave every column as it was."""
    before, amid, after = (
        Step(role, dream, (f"{role}_daydream_{place}",))
        for role, place, dream in (("client", "first", daydream), ("therapist", "amid", daydream), ("client", "last", dream_on))
    )
    middle = len(EXCHANGE) // 2
    steps = (before, *EXCHANGE[:middle], amid, *EXCHANGE[middle:], after)
    own = {f"{role}_{draw}" for role in ("client", "therapist") for draw in ("daydream_luck", "wandering_chance")}
    assert set(draws(steps)) - set(draws(EXCHANGE)) == own
    plain, dreamt = _world(), _world(steps)
    for table in ("dyads", "clients", "therapists"):
        assert np.array_equal(getattr(plain, table).data, getattr(dreamt, table).data), table
    assert np.array_equal(plain.ending, dreamt.ending)
    for name, values in plain.ratings.items():
        assert np.array_equal(values, dreamt.ratings[name], equal_nan=True), name


def test_no_two_draws_share_a_purpose() -> None:
    """Every draw of an exchange has a stream of its own: no two correlate, none is drawn twice under two names."""
    names = list(draws(EXCHANGE))
    assert len(names) == len(set(names))
    code = luck.person("client", np.arange(3000))
    values = np.array([luck.normal(SEED, 0, code, name, 1, 0) for name in names])
    off = np.corrcoef(values)[~np.eye(len(names), dtype=bool)]
    assert np.abs(off).max() < 0.08


def test_another_kind_of_therapist_leaves_the_clients_as_they_came() -> None:
    """Intake, untreated life and the clients' own random draws do not depend on whom they meet."""
    secure, dismissing = small(therapist="secure"), small(therapist="dismissing")
    at_intake = [c for c in secure.clients if c.startswith(("client_", "distress")) and "_0" in c]
    pd.testing.assert_frame_equal(secure.clients[at_intake], dismissing.clients[at_intake], check_exact=True)
    first_look = ["client", "week", "distress", "distress_latent"]
    one, other = (r.sessions.query("session == 1")[first_look].reset_index(drop=True) for r in (secure, dismissing))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    # What life does is common random numbers: without healing, relief or harm, and with attachment that neither distress nor what
    # is admitted of it follows, distress goes the same way with either.
    paths = {name: 0.0 for name in PARAMETERS if name.startswith("distress_") and name.endswith("_path")}
    still = ("healing_rate", "relief_gain", "rupture_distress_step", "under_report_gain", "dropout_outside", "good_enough_prob")
    frozen = {**dict.fromkeys(still, 0.0), "dropout_base": -12.0, **paths}
    one, other = (small(therapist=t, parameters=frozen).assessments for t in ("secure", "dismissing"))
    waiting = small(therapist="none", parameters=frozen).assessments
    for treated in (one, other):
        np.testing.assert_array_equal(treated["distress_latent"], waiting["distress_latent"])
        np.testing.assert_array_equal(treated["distress"], waiting["distress"])
        np.testing.assert_array_equal(treated["life_events"], waiting["life_events"])


def test_crossed_clients_meet_every_therapist_as_the_same_people() -> None:
    """In a crossed design the four courses of one client start from the same intake."""
    spec = {
        "question": "?",
        "design": "crossed",
        "client": ["secure", "fearful"],
        "therapist": ["secure", "dismissing"],
        "clients_per_arm": 30,
        "sessions": 3,
    }
    crossed = run(from_spec(spec, "crossed"), seed=SEED, threads=1).clients
    for style in ("secure", "fearful"):
        arms = [
            crossed[crossed["arm"] == f"{style} client, {therapist} therapist"].reset_index(drop=True)
            for therapist in ("secure", "dismissing")
        ]
        for column in ("client_anxiety_0", "client_avoidance_0", "distress_0", "distress_0_latent"):
            pd.testing.assert_series_equal(arms[0][column], arms[1][column])


# -------------------------------------------------------------------------------------------- two insecure partners


@lru_cache(maxsize=1)
def _crossed() -> dict[tuple[str, str], float]:
    """Mean latent alliance in sessions 8 to 12 of every pairing; nobody leaves."""
    styles = ["secure", "preoccupied", "dismissing"]
    spec = {
        "question": "?",
        "design": "crossed",
        "client": styles,
        "therapist": styles,
        "clients_per_arm": 800,
        "sessions": 12,
        "parameters": {"dropout_base": -12.0, "dropout_outside": 0.0, "good_enough_prob": 0.0},
    }
    table = run(from_spec(spec, "crossed"), seed=SEED).sessions.query("8 <= session <= 12")
    means = table.groupby("arm", observed=True)["alliance_latent"].mean()
    return {(c, t): float(means[f"{c} client, {t} therapist"]) for c in styles for t in styles}


@pytest.mark.parametrize("style", ["preoccupied", "dismissing"])
def test_two_insecure_partners_struggle_beyond_the_sum_of_both(style: str) -> None:
    """Alliance of two people of one insecure style lies below what both main effects add up to [A7]."""
    m = _crossed()
    interaction = m[style, style] - m[style, "secure"] - m["secure", style] + m["secure", "secure"]
    assert interaction < 0, f"{style}: {interaction:+.4f}"
    assert m[style, style] < min(m[style, "secure"], m["secure", style]) < m["secure", "secure"]


def test_every_column_of_the_dyad_was_compared() -> None:
    """The comparison of whole tables covers every declared column."""
    assert _world().dyads.data.shape[0] == len(DYAD)


def test_what_is_called_warmer_is_warmer() -> None:
    """The change that the README and the commented scenario call warmer raises therapists' warmth, in every kind of therapist."""
    import sim

    template = sim.load(Path(sim.__file__).parent / "scenario" / "templates" / "arms.yaml").but(clients_per_arm=60, sessions=3)
    worlds = {arm.name: build(template, arm, 0, 1) for arm in template.arms if arm.therapist is not None}
    for world in worlds.values():
        run_course(world, 3)
    warmth = {name: world.dyads.mean_therapist_warmth for name, world in worlds.items()}
    assert (warmth["warmer"] > warmth["usual"]).all() and (warmth["distant"] < warmth["usual"]).all()
    hello = sim.load(Path(__file__).parents[1] / "scenarios" / "hello.yaml")
    for arm in hello.arms[:2]:
        changed = hello.but(avoidance_warmth_cost=0.2)
        usual, warmer = (build(s, next(a for a in s.arms if a.name == arm.name), 0, 1) for s in (hello, changed))
        for world in (usual, warmer):
            run_course(world, 2)
        assert warmer.dyads.mean_therapist_warmth.mean() > usual.dyads.mean_therapist_warmth.mean()
