"""What is measured on every client of an arm, to test claims: names such as ``late.wai_client`` to one value a client.

A name is a column of the session table (its mean over a client's sessions), a column of the client table, or one of these
with a prefix that says when or what: ``late`` (last third of the client's sessions), ``first_session``, ``first`` (the very
first exchange), ``change`` (end minus start), ``moved`` (size of that change), ``swing`` (SD over exchanges), ``r`` and ``count``
(one number for the arm), ``mean`` (one number, with its interval over clients). A few names are built from several columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sim.errors import EvidenceError
from sim.evidence.imaging import correlation, site_alliance
from sim.measures.therapy import late_sessions, repaired_share
from sim.naming import nearest
from sim.people.state import LATENT, REGION_ACTIVITY, REGION_COLUMNS
from sim.simulation.tables import Run
from sim.theory.regions import ROLES

_WHO = ["replicate", "client"]
#: Prefixes that need the table of exchanges.
_INSIDE = ("first.", "swing.", "count.")
_FRIGHT = (3, 6)  # session and exchange at which a fright is looked at, three exchanges after it

#: Session measures built from several columns, and the columns.
_BUILT: dict[str, tuple[Callable[[pd.DataFrame], pd.Series], tuple[str, ...]]] = {
    "security": (
        lambda s: -(s["anxiety_to_therapist_latent"] + s["avoidance_to_therapist_latent"]) / 2.0,
        ("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"),
    ),
    "misreading": (lambda s: s["perceived_response"] - s["response"], ("perceived_response",)),
    "therapist_misreading": (lambda s: s["perceived_collaboration"] - s["collaboration"], ("perceived_collaboration",)),
    "task_minus_bond": (lambda s: s["wai_client_task"] - s["wai_client_bond"], ("wai_client_task", "wai_client_bond")),
    "leaving_logit": (lambda s: (s["dropout_risk"] / (1.0 - s["dropout_risk"])).map(math.log), ("dropout_risk",)),
    "shown_minus_felt": (lambda s: s["expression"] - s["client_limbic"], ("expression",)),
}
#: What questionnaire and client columns measure, as quantities of the model.
_MEASURED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("tracking_accuracy", "accuracy_level", "directional_bias"), ("therapist_estimate",)),
    "wai_client": ("client_bond", "client_task", "client_goal"),
    "wai_client_bond": ("client_bond",),
    "wai_client_task": ("client_task",),
    "anxiety_to_therapist_latent": ("client_anxiety",),
    "avoidance_to_therapist_latent": ("client_avoidance",),
    "anxiety_to_therapist": ("client_anxiety",),
    "avoidance_to_therapist": ("client_avoidance",),
    "distress_0": ("distress",),
    "distress_0_latent": ("distress",),
    "distress_end_latent": ("distress",),
    "client_anxiety": ("anxiety",),
    "client_avoidance": ("avoidance",),
    "client_avoidance_end_latent": ("avoidance",),
    "therapist_avoidance": ("avoidance",),
    "repaired_share": ("repairs",),
    "confrontation_share": ("confrontations",),
    "fright_left": ("client_arousal",),
    "early_late_alliance": ("client_bond", "client_task", "client_goal"),
    "bond_minus_general_moved": ("client_anxiety", "client_avoidance"),
}


#: What the names mean that are no columns of a result table (those are described in docs/TABLES.md).
MEANINGS: dict[str, str] = {
    "security": "minus the mean of anxiety and avoidance with the therapist, latent, ECR points",
    "misreading": "the response as the client perceives it less the response that was given (proportion of the scale)",
    "therapist_misreading": "the client's collaboration as the therapist perceives it less what was given",
    "task_minus_bond": "WAI task less WAI bond, client's ratings",
    "shown_minus_felt": "expression less arousal, client",
    "leaving_logit": "logit of the probability of leaving after a session",
    "repaired_share": "proportion of a client's ruptures that were repaired; clients without any are left out",
    "confrontation_share": "of a client's sessions with a rupture, the proportion with a confrontation",
    "fright_left": "arousal three exchanges after it was forced to .9, less the client's mean of the session before",
    "bond_minus_general_moved": "how much further attachment to the therapist moved than general attachment, ECR points",
    "early_late_alliance": "correlation over clients of the WAI after session 4 with the late one",
    "eeg_prefrontal": "correlation over clients of the site's mean signal (both people) and the mean WAI; other sites likewise",
    "three_parts": "largest absolute correlation over clients among security, attunement and trained regulation",
    "region_series": "regions, of both people, whose activity varies over exchanges",
}
PREFIXES = (
    "Without a prefix: mean over a client's sessions. `late.`: the last third of them (rounded up). `first_session.`: the first. "
    "`first.`: the very first exchange. `change.`: end minus start. `swing.`: SD over the exchanges of a session, mean over "
    "sessions. `r.`, `count.`: one number for the arm. `mean.`: the mean itself, not a difference."
)


@dataclass(frozen=True)
class Measured:
    """One measure in one arm: a value per client, or one value for the arm with its 95 % interval."""

    values: pd.Series | None = None
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


def needs_exchanges(name: str) -> bool:
    """Whether a measure looks inside sessions."""
    return name.startswith(_INSIDE) or name == "fright_left"


def quantities(name: str) -> tuple[str, ...]:
    """The quantities of the model that a measure shows; empty for measures of the whole arm that show several."""
    prefix, _, rest = name.rpartition(".")
    if prefix in ("first", "swing"):
        return (rest,)
    built = _BUILT[rest][1] if rest in _BUILT else (rest,)
    found: list[str] = []
    for column in built:
        if column in _MEASURED:
            found += _MEASURED[column]
        elif column in LATENT or column in REGION_COLUMNS:
            found.append(({**LATENT, **REGION_COLUMNS})[column].removeprefix("mean_"))
    return tuple(dict.fromkeys(found))


def measured(run: Run, name: str) -> Measured:
    """A measure of a run of one arm. Raises ``EvidenceError``."""
    prefix, _, rest = name.rpartition(".")
    if prefix in ("r", "count"):
        return _of_arm(run, rest)
    if prefix == "mean":
        return Measured(_bond_minus_general(run)) if rest == "bond_minus_general_moved" else _unknown(name)
    if prefix in ("first", "swing") or name == "fright_left":
        return Measured(_inside(run, prefix or name, rest))
    if prefix in ("change", "moved"):
        change = _change(run, rest)
        return Measured(change.abs() if prefix == "moved" else change)
    if name in ("repaired_share", "confrontation_share"):
        return Measured((repaired_share if name == "repaired_share" else _confrontation_share)(run.sessions))
    if name in run.clients.columns and name not in run.sessions.columns:
        return Measured(run.clients.set_index(_WHO)[name])
    return Measured(_over_sessions(run, prefix, rest))


def _unknown(name: str) -> Measured:
    raise EvidenceError(f"no measure '{name}'")


def _column(sessions: pd.DataFrame, name: str) -> pd.Series:
    if name in _BUILT:
        return _BUILT[name][0](sessions)
    if name not in sessions.columns:
        raise EvidenceError(f"no measure '{name}'{nearest(name, [*sessions.columns, *_BUILT, *_MEASURED])}")
    return sessions[name].astype(float)


def _over_sessions(run: Run, when: str, name: str) -> pd.Series:
    """Mean over a client's sessions, the last third of them, or the first one."""
    sessions = run.sessions
    values = _column(sessions, name)
    if when == "first_session":
        values = values[sessions["session"] == 1]
    elif when == "late":
        values = values[late_sessions(sessions)]
    elif when:
        raise EvidenceError(f"no measure '{when}.{name}'; known prefixes: late, first_session, first, change, moved, swing, r")
    rows = sessions.loc[values.index]
    return values.groupby([rows["replicate"], rows["client"]]).mean()


def _change(run: Run, name: str) -> pd.Series:
    """End minus start: of general attachment over the course, or of attachment to the therapist over the sessions."""
    if name.endswith("_to_therapist"):
        rows = run.sessions.sort_values("session").groupby(_WHO)[f"{name}_latent"]
        return rows.last() - rows.first()
    people = run.clients.set_index(_WHO)
    if f"{name}_end_latent" not in people:
        raise EvidenceError(f"no measure 'change.{name}'")
    return people[f"{name}_end_latent"] - people[f"{name}_0_latent"]


def _confrontation_share(sessions: pd.DataFrame) -> pd.Series:
    """Of a client's sessions with a rupture, the proportion with a confrontation; clients without a rupture are left out."""
    ruptured = sessions[sessions["ruptures"] > 0]
    openly = ruptured["rupture_type"].isin(["confrontation", "both"]).astype(float)
    return openly.groupby([ruptured["replicate"], ruptured["client"]]).mean()


def _inside(run: Run, kind: str, name: str) -> pd.Series:
    """Values from inside sessions, of the clients who were followed exchange by exchange."""
    rows = run.exchanges
    if kind == "fright_left":
        session, exchange = _FRIGHT
        then = rows[(rows["session"] == session) & (rows["exchange"] == exchange)].set_index(_WHO)["client_arousal"]
        usual = rows[rows["session"] == session - 1].groupby(_WHO)["client_arousal"].mean()
        return then - usual
    if name not in rows.columns:
        raise EvidenceError(f"no measure '{kind}.{name}'{nearest(name, rows.columns)}")
    if kind == "swing":
        return rows.groupby([*_WHO, "session"])[name].std().groupby(_WHO).mean()
    return rows[(rows["session"] == 1) & (rows["exchange"] == 1)].set_index(_WHO)[name]


def _bond_minus_general(run: Run) -> pd.Series:
    """How much further attachment to the therapist moved than general attachment (ECR points, mean of both dimensions)."""
    far = [_change(run, f"{name}_to_therapist").abs() - _change(run, f"client_{name}").abs() for name in ("anxiety", "avoidance")]
    return (far[0] + far[1]) / 2.0


def _together(x: np.ndarray, y: np.ndarray) -> Measured:
    return Measured(None, *correlation(x, y))


def _of_arm(run: Run, name: str) -> Measured:
    if name == "early_late_alliance":
        early = run.sessions[run.sessions["session"] == 4].set_index(_WHO)["wai_client"]
        late = _over_sessions(run, "late", "wai_client").reindex(early.index)
        return _together(early.to_numpy(), late.to_numpy())
    if name.startswith("eeg_"):
        table = site_alliance(run)
        row = table[(table["site"] == name.removeprefix("eeg_")) & (table["role"] == "both")].iloc[0]
        return Measured(None, float(row["r"]), float(row["low"]), float(row["high"]))
    if name == "three_parts":
        parts = [_over_sessions(run, "", part).to_numpy() for part in ("security", "attunement", "regulation_client")]
        found = [_together(parts[i], parts[k]) for i in range(3) for k in range(i)]
        most = max(found, key=lambda one: abs(one.value))
        return most if most.value >= 0 else Measured(None, -most.value, -most.high, -most.low)
    if name == "region_series":
        series = [f"{role}_{activity}" for role in ROLES for activity in REGION_ACTIVITY.values()]
        varies = sum(float(run.exchanges[one].std()) > 1e-6 for one in series)
        return Measured(None, varies, varies, varies)
    return _unknown(name)
