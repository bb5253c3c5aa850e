"""Every column of the result tables: its order, unit, meaning, kind and labels. Tables are typed, and files and docs describe
them, from here."""

from __future__ import annotations

from typing import Any, NamedTuple

from sim.engine.wiring import trace_columns
from sim.measurement.instruments import INSTRUMENTS
from sim.measurement.responses import MOST_ITEMS, OCCASIONS, RATERS
from sim.people.state import DYAD, LATENT
from sim.theory.regions import REGIONS, ROLES
from sim.theory.styles import STYLES
from sim.therapy.endings import ENDINGS
from sim.therapy.exchange import EXCHANGE

#: Kinds of column beside plain numbers: whole numbers, and whole numbers of which some may be missing.
WHOLE, SOME_WHOLE = "whole", "some whole"


class Column(NamedTuple):
    """One column of a table: unit, meaning, kind, and its labels where it has a fixed list of them."""

    unit: str
    meaning: str
    kind: str = ""
    labels: tuple[str, ...] = ()


#: The columns of a table by name, in order.
Described = dict[str, Column]


def _table(columns: dict[str, tuple[Any, ...]]) -> Described:
    return {name: Column(*one) for name, one in columns.items()}


_STYLES = (*STYLES, "none")
#: Questionnaires; those that were added come behind the shipped ones.
_FORMS = tuple(dict.fromkeys(one.form for one in INSTRUMENTS))

_WHO: Described = _table({
    "arm": ("label", "arm of the scenario; in a crossed design one client style with one therapist style"),
    "replicate": ("number", "repetition with other people and other random draws, from 0"),
    "client": ("number", "the client; in a crossed design each client style has its own million of numbers"),
    "therapist": ("number", "the therapist, missing where there is none; outside clinics each dyad has its own copy", SOME_WHOLE),
})  # fmt: skip


def _attachment(role: str, kind: str = "questionnaire") -> dict[str, tuple[Any, ...]]:
    return {
        f"{role}_{name}_{when}{'_latent' * (kind == 'latent')}": (
            "ECR 1-7",
            f"the {role}'s general attachment {name} {words}, {kind}",
        )
        for when, words in (("0", "at intake"), ("end", "when the course ends"))
        for name in ("anxiety", "avoidance")
    }


def _wai(role: str) -> dict[str, tuple[Any, ...]]:
    scales = {"": "the working alliance", "_bond": "the bond", "_task": "agreement on tasks", "_goal": "agreement on goals"}
    said = f"as the {role} rates it after the session"
    return {f"wai_{role}{key}": ("mean item 1-7", f"{words} {said}") for key, words in scales.items()}


CLIENTS: Described = _table({
    **_WHO,
    "client_style": ("label", "region of the attachment plane in which the client's latent scores lie at intake", "", _STYLES),
    "therapist_style": ("label", "the same for the therapist; none without therapy", "", _STYLES),
    **_attachment("client"),
    **_attachment("therapist"),
    "distress_0": ("CORE-OM 0-40", "distress at intake, clinical score"),
    "distress_end": ("CORE-OM 0-40",
        "distress at the end (untreated: when therapy would have ended); of dropouts the last rating"),
    "planned_sessions": ("count", "sessions planned", WHOLE),
    "sessions_attended": ("count", "sessions held", WHOLE),
    "ending": ("label",
        "planned, improved (well enough to stop), dropout (against plan), censored (still in therapy), untreated; in a "
        "clinic also transferred (handed over to another therapist), lost_waiting, waiting (had no session so far)", "",
        ENDINGS[1:]),
    **_attachment("client", "latent"),
    **_attachment("therapist", "latent"),
    "distress_0_latent": ("community SD", "latent distress at intake"),
    "distress_end_latent": ("community SD", "latent distress at the end"),
})  # fmt: skip

SESSIONS: Described = _table({
    **_WHO,
    "session": ("number", "session of this course, from 1", WHOLE),
    "week": ("number", "week since intake, from 1; in a clinic week of the clinic", WHOLE),
    "distress": ("CORE-OM 0-40", "distress, rated before the session"),
    **_wai("client"),
    **_wai("therapist"),
    "empathy_client": ("mean item 1-7", "the therapist's empathy as the client rates it"),
    "empathy_therapist": ("mean item 1-7", "the therapist's empathy as the therapist rates it"),
    "empathy_observer": ("mean item 1-7", "the therapist's empathy as an observer rates it"),
    "tracking_accuracy": ("correlation", DYAD["tracking_accuracy"].meaning + "; 0 by rule where expression is constant"),
    "accuracy_level": ("proportion", DYAD["accuracy_level"].meaning + "; high by itself when a client stays calm"),
    "directional_bias": ("proportion", DYAD["directional_bias"].meaning),
    "alliance_latent": ("proportion", DYAD["client_alliance"].meaning),
    "distress_latent": ("community SD", "latent distress brought to the session"),
    "disclosure": ("proportion", "how much the client said of what they felt, session mean"),
    "labelling": ("proportion", "how much the client put feelings into words, session mean"),
    "engagement": ("proportion", DYAD["client_engagement"].meaning),
    "anxiety_to_therapist": ("ECR 1-7", "the client's anxiety with this therapist, questionnaire"),
    "avoidance_to_therapist": ("ECR 1-7", "the client's avoidance of this therapist, questionnaire"),
    "cats_secure": ("mean item 1-6", "the client's secure attachment to this therapist (CATS), questionnaire"),
    "cats_avoidant": ("mean item 1-6", "the client's avoidant-fearful attachment to this therapist (CATS), questionnaire"),
    "cats_preoccupied": ("mean item 1-6", "the client's preoccupied-merger attachment to this therapist (CATS), questionnaire"),
    "ruptures": ("count", "ruptures in this session", WHOLE),
    "rupture_type": ("label", "none, withdrawal, confrontation or both", "",
        ("none", "withdrawal", "confrontation", "both")),
    "ruptures_client_reported": ("0 or 1", "whether the client reports a rupture of this session", WHOLE),
    "ruptures_therapist_reported": ("0 or 1", "whether the therapist reports one", WHOLE),
    "ruptures_observer_reported": ("0 or 1", "whether an observer codes one", WHOLE),
    "rupture_depth": ("proportion", DYAD["deepest_rupture"].meaning),
    "repairs": ("count", DYAD["repairs"].meaning, WHOLE),
    "dropout_risk": ("probability", DYAD["dropout_risk"].meaning),
    "alliance_therapist_latent": ("proportion", DYAD["therapist_alliance"].meaning),
    "anxiety_to_therapist_latent": ("ECR 1-7", "the client's anxiety with this therapist, latent"),
    "avoidance_to_therapist_latent": ("ECR 1-7", "the client's avoidance of this therapist, latent"),
    "anxiety_to_client_latent": ("ECR 1-7", "the therapist's anxiety with this client, latent"),
    "avoidance_to_client_latent": ("ECR 1-7", "the therapist's avoidance of this client, latent"),
    "bids": ("proportion", "bids for support, session mean"),
    "response": ("proportion", "the therapist's response, session mean"),
    "perceived_response": ("proportion", "the response as the client perceives it, session mean"),
    "collaboration": ("proportion", "what the client gives back to the therapist (collaboration), session mean"),
    "perceived_collaboration": ("proportion", "the collaboration as the therapist perceives it, session mean"),
    "warmth": ("proportion", "warmth that the therapist conveys, session mean"),
    "expression": ("proportion", "what the client shows without words, session mean"),
    "therapist_expression": ("proportion", "what the therapist shows without words, session mean"),
    "attunement": ("proportion", "how well the therapist's estimate agrees with the client's arousal, session mean"),
    "shared_meaning": ("proportion", DYAD["shared_meaning"].meaning),
    "capability": ("proportion", DYAD["capability"].meaning),
    "open_rupture": ("proportion", DYAD["open_rupture"].meaning),
    "session_quality": ("SD", "how good this session was for the client, against what they are used to here; 0 = as usual"),
    "regulation_client": ("proportion", "the client's trained regulation"),
    "regulation_therapist": ("proportion", "the therapist's trained regulation"),
    **{
        f"{role}_{region.name}": ("proportion", f"model index: {region.title} of the {role}, session mean activity; not a scan")
        for role in ROLES
        for region in REGIONS.values()
    },
})  # fmt: skip
SESSIONS |= {name: Column(DYAD[column].unit, DYAD[column].meaning) for name, column in LATENT.items() if name not in SESSIONS}

ASSESSMENTS: Described = _table({
    **{name: _WHO[name] for name in ("arm", "replicate", "client")},
    "month": ("number", "months (of four weeks) since intake", WHOLE),
    "in_therapy": ("yes/no", "whether the client is in therapy at this time"),
    "distress": ("CORE-OM 0-40", "distress, questionnaire"),
    "anxiety": ("ECR 1-7", "general attachment anxiety, questionnaire"),
    "avoidance": ("ECR 1-7", "general attachment avoidance, questionnaire"),
    "life_events": ("count", "life events since the last assessment", WHOLE),
    "anxiety_latent": ("ECR 1-7", "general attachment anxiety, latent"),
    "avoidance_latent": ("ECR 1-7", "general attachment avoidance, latent"),
    "distress_latent": ("community SD", "distress, latent"),
})  # fmt: skip

EXCHANGES: Described = _table({
    **_WHO,
    "session": ("number", "session of this course, from 1", WHOLE),
    "exchange": ("number", "exchange of this session, from 1", WHOLE),
    **{
        name: (DYAD[name].unit if name in DYAD else "0 or 1" if name in ("ruptured", "confronted")
               else "weight" if name.endswith("_weight") else "proportion",
            f"{name.replace('_', ' ')}, as the step of that name in sim/therapy/exchange.py computes it",
            WHOLE if name == "repairs" else "")
        for name in trace_columns(EXCHANGE)
    },
})  # fmt: skip

ITEMS: Described = _table({
    **{name: _WHO[name] for name in ("arm", "replicate")},
    "client": ("number", "the client, who fills it in or is the one it is about"),
    "therapist": ("number", "therapist of the course; missing where no course is meant (intake, month, follow-up)", SOME_WHOLE),
    "when": ("label", f"occasion: {', '.join(OCCASIONS)}", "", OCCASIONS),
    "week": ("number", "week in which it was filled in, 0 before the first; in a clinic week of the clinic", WHOLE),
    "session": ("number", "session of the course; missing where it was not filled in at a session", SOME_WHOLE),
    "rater": ("label", f"who filled it in: {', '.join(RATERS)}", "", RATERS),
    "instrument": ("label", "the questionnaire; one that did not come back (unit nonresponse) has no row", "", _FORMS),
    **{
        f"item_{k}": ("item response",
            f"response to item {k}, scale after scale; missing by item nonresponse, or where there is no such item", SOME_WHOLE)
        for k in range(1, MOST_ITEMS + 1)
    },
})  # fmt: skip

_LATER = {"6_months": "half a year after therapy ended", "12_months": "a year after therapy ended"}
_ASKED = {
    "distress": ("CORE-OM 0-40", "community SD", "distress"),
    "client_anxiety": ("ECR 1-7", "ECR 1-7", "the client's general attachment anxiety"),
    "client_avoidance": ("ECR 1-7", "ECR 1-7", "the client's general attachment avoidance"),
}


def _asked_at(when: str, words: str) -> dict[str, tuple[Any, ...]]:
    out: dict[str, tuple[Any, ...]] = {}
    for name, (unit, latent_unit, what) in _ASKED.items():
        out[f"{name}_{when}"] = (unit, f"{what} {words}, questionnaire")
        out[f"{name}_{when}_latent"] = (latent_unit, f"{what} {words}, latent")
    return out


#: What ``design: clinic`` adds to the table of clients, one row a course there (and one for who had none).
CLINIC_CLIENTS: Described = _table({
    "course": ("number", "the client's course, from 1: another after a hand-over; missing for who had none"),
    "arrival_week": ("week", "week of the clinic in which the client came, from 1", WHOLE),
    "weeks_waited": ("weeks", "weeks on the waiting list, or between two therapists, before this course"),
    "begin_week": ("week", "week in which the course began; missing for who had none"),
    "end_week": ("week", "week in which it ended, or the client was lost from the waiting list, or the simulation ended"),
    **_asked_at("arrival", "at arrival"),
    "wai_client_3": ("mean item 1-7", "working alliance as the client rates it after the third session of the course"),
    "wai_client_last": ("mean item 1-7", "the same after the last session"),
    "wai_client_mean": ("mean item 1-7", "the same, mean of all sessions of the course"),
    "ruptures_total": ("count", "ruptures in the course"),
    "repairs_total": ("count", "repairs in the course"),
    "gave_up_between": ("0 or 1", "whether the client gave up waiting for another therapist after this course was handed over"),
    "sessions_off_track": ("count",
        "sessions of the course in which the therapist knew that the client was off track; 0 without feedback"),
    **{name: entry for when, words in _LATER.items() for name, entry in _asked_at(when, words).items()},
})  # fmt: skip

THERAPISTS: Described = _table({
    **{name: _WHO[name] for name in ("arm", "replicate")},
    "therapist": ("number", "the therapist; who is hired later has a higher number", WHOLE),
    "week": ("week", "week of the clinic, from 1; therapists in post at its end", WHOLE),
    "caseload": ("clients", "clients in therapy with this therapist at the end of the week", WHOLE),
    "sessions_held": ("sessions", "sessions held this week", WHOLE),
    "away": ("yes/no", "whether the therapist was away this week"),
    "fatigue": ("proportion", "tiredness from work, latent"),
    "anxiety": ("ECR 1-7", "general attachment anxiety, latent"),
    "avoidance": ("ECR 1-7", "general attachment avoidance, latent"),
    "mentalising": ("proportion", "capacity to mentalise when calm, as far as fatigue leaves it"),
    "warmth": ("logit", "warmth beyond attachment"),
    "repair_skill": ("logit", "trained readiness to repair ruptures"),
    "adaptation": ("proportion", "trained fitting of responses to a client's attachment"),
    "supervised": ("yes/no", "whether the therapist has begun supervision or training"),
})  # fmt: skip

CLINIC: Described = _table({
    **{name: _WHO[name] for name in ("arm", "replicate")},
    "week": ("week", "week of the clinic, from 1; all counts are at its end", WHOLE),
    "arrivals_total": ("clients",
        "clients who have come so far: waiting + in_therapy + between_therapists + lost_waiting + ended_total", WHOLE),
    "waiting": ("clients", "on the waiting list", WHOLE),
    "in_therapy": ("clients", "in therapy", WHOLE),
    "between_therapists": ("clients", "waiting for another therapist, since theirs has left", WHOLE),
    "lost_waiting": ("clients", "who gave up on the waiting list, so far", WHOLE),
    "ended_total": ("clients", "whose therapy is over, so far", WHOLE),
    "ended_planned": ("clients", "of these: as planned", WHOLE),
    "ended_improved": ("clients", "of these: well enough to stop", WHOLE),
    "ended_dropout": ("clients", "of these: against plan", WHOLE),
    "ended_between": ("clients", "of these: gave up between two therapists", WHOLE),
    "transferred_total": ("courses", "courses that were handed over, so far", WHOLE),
    "in_post": ("therapists", "therapists in post", WHOLE),
    "away": ("therapists", "of these: away this week", WHOLE),
    "sessions_held": ("sessions", "sessions held this week", WHOLE),
})  # fmt: skip

#: What ``parameters: ensemble`` adds: a row per arm, member and measure (``uncertainty.over_members``).
ENSEMBLE: Described = _table({
    "arm": _WHO["arm"],
    "member": ("number",
        "which of the shipped parameter sets was run, from 0; people and random draws are the same in all of them"),
    "measure": ("label", "measure of the arm; ending in _difference: less that of the arm it is compared with"),
    "value": ("see unit", "what this arm comes to with this parameter set; proportions in percent"),
    "unit": ("label", "unit of the value"),
})  # fmt: skip

TABLES: dict[str, Described] = {"clients": CLIENTS, "sessions": SESSIONS, "assessments": ASSESSMENTS, "exchanges": EXCHANGES,
                                "items": ITEMS}  # fmt: skip
#: What a clinic leaves behind beside those, and its own columns of the table of clients.
CLINIC_TABLES: dict[str, Described] = {"therapists": THERAPISTS, "clinic": CLINIC}
#: Tables of single runs that a batch can keep beside its own.
TABLES_KEPT = (*TABLES, *CLINIC_TABLES)
#: The tables of a batch. What is kept of single runs has the columns above, with the point before them.
POINT: Described = _table({"point": ("number", "point of the design, from 0; see the table of points")})
POINTS: Described = _table({
    **POINT,
    "name": ("label", "the point as people read it"),
    "replicates": ("count", "how often the point was repeated; the columns behind it are its factors, by address"),
})  # fmt: skip
#: What ``minus`` says where no arm is taken off; an arm of a batch cannot have this name.
NOTHING = "nothing"
SUMMARIES: Described = _table({
    **POINT,
    "replicate": _WHO["replicate"],
    "arm": _WHO["arm"],
    "measure": ("label", "outcome of the clients of this arm and replicate"),
    "minus": ("label", f"{NOTHING}, or the arm whose value is taken off, person by person (of a clinic: of the whole)"),
    "n": ("count", "clients who have a value (of a clinic 1: the whole)"),
    "value": ("see measure", "mean of the outcome, or of the difference"),
    "sd": ("see measure", "SD between clients; missing for fewer than two"),
})  # fmt: skip
FAILURES: Described = _table({
    **POINT,
    "name": ("label", "the point as people read it"),
    **{name: _WHO[name] for name in ("arm", "replicate")},
    "block": ("number", "which clients were simulated together, from 0; of a clinic all"),
    "parameters": ("JSON", "what the point changes, by address"),
    "error": ("text", "kind and message of the error"),
    "traceback": ("text", "where it happened"),
    "replay": ("text", "the command that shows this one and what repeats it"),
})  # fmt: skip
BATCH_TABLES: dict[str, Described] = {"points": POINTS, "summaries": SUMMARIES, "failures": FAILURES}
#: What is there only where the scenario asks for the ensemble.
ENSEMBLE_TABLES: dict[str, Described] = {"ensemble": ENSEMBLE}


def columns_of(table: str, clinic: bool = False) -> Described:
    """The columns of a table, in order; of a clinic's with what it adds."""
    if clinic and table == "clients":
        return {**CLIENTS, **CLINIC_CLIENTS}
    return (TABLES | CLINIC_TABLES | ENSEMBLE_TABLES | BATCH_TABLES)[table]
