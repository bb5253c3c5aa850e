"""What is measured on every client of an arm, to test claims: names such as ``late.wai_client`` to one value a client.

A name is a measure of clients in the catalogue, a column of the session table (its mean over a client's sessions) or of the
client table, or one of these with a prefix that says when or what: ``late`` (last third of the client's sessions),
``first_session``, ``first`` (the very first exchange), ``change`` (end minus start), ``moved`` (size of that change), ``swing``
(SD over exchanges), ``r`` and ``count`` (one number for the arm), ``mean`` (one number, with its interval over clients). What is
built from several columns stands in the tables of this file, with what it means and what it shows of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from sim.errors import EvidenceError
from sim.evidence.imaging import correlation, site_alliance
from sim.measures.outcomes import VALUES, blocks, by_arm, person_by_person
from sim.naming import nearest
from sim.people.state import LATENT, REGION_ACTIVITY, REGION_COLUMNS
from sim.simulation.tables import Run
from sim.theory.regions import ROLES, SITES

_WHO = ["replicate", "client"]
#: Prefixes that need the table of exchanges.
_INSIDE = ("first.", "swing.", "count.")
_FRIGHT = (3, 6)  # session and exchange at which a fright is looked at, three exchanges after it


@dataclass(frozen=True)
class Measured:
    """One measure in one arm: a value per client, or one value for the arm with its 95 % interval."""

    values: pd.Series | None = None
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True)
class Built:
    """What is no column: what it means, the columns or quantities of the model that it shows, and its function."""

    meaning: str
    shows: tuple[str, ...]
    of: Callable[[Any], Any]


def needs_exchanges(name: str) -> bool:
    """Whether a measure looks inside sessions."""
    return name.startswith(_INSIDE) or name == "fright_left"


def quantities(name: str) -> tuple[str, ...]:
    """The quantities of the model that a measure shows; empty for measures of the whole arm that show several."""
    prefix, _, rest = name.rpartition(".")
    if prefix in ("first", "swing"):
        return (rest,)
    built = (OF_SESSIONS | OF_CLIENTS | OF_ARMS).get(rest)
    found: list[str] = []
    for column in (rest,) if built is None else built.shows:
        if column in _MEASURED:
            found += _MEASURED[column]
        elif column in LATENT or column in REGION_COLUMNS:
            found.append(({**LATENT, **REGION_COLUMNS})[column].removeprefix("mean_"))
        elif built is not None:
            found.append(column)
    return tuple(dict.fromkeys(found))


def measured(run: Run, name: str) -> Measured:
    """A measure of a run of one arm. Raises ``EvidenceError``."""
    prefix, _, rest = name.rpartition(".")
    if prefix in ("r", "count") and rest in OF_ARMS:
        return Measured(None, *OF_ARMS[rest].of(run))
    if prefix in ("", "mean") and rest in OF_CLIENTS:
        return Measured(OF_CLIENTS[rest].of(run))
    if prefix in ("first", "swing"):
        return Measured(_inside(run, prefix, rest))
    if prefix in ("change", "moved"):
        change = _change(run, rest)
        return Measured(change.abs() if prefix == "moved" else change)
    if name in VALUES:
        return Measured(next(iter(by_arm(run, name).values())))
    if name in run.clients.columns and name not in run.sessions.columns:
        return Measured(run.clients.set_index(_WHO)[name])
    return Measured(_over_sessions(run, prefix, rest))


def _over_sessions(run: Run, when: str, name: str) -> pd.Series:
    """Mean over a client's sessions, the last third of them, or the first one."""
    if name not in OF_SESSIONS and name not in run.sessions.columns:
        known = [*run.sessions.columns, *OF_SESSIONS, *OF_CLIENTS, *_MEASURED]
        raise EvidenceError(f"no measure '{name}'{nearest(name, known)}")
    (block,) = blocks(run).values()
    among = {"": None, "late": block.late, "first_session": run.sessions["session"].to_numpy() == 1}
    if when not in among:
        raise EvidenceError(f"no measure '{when}.{name}'; known prefixes: late, first_session, first, change, moved, swing, r")
    values = OF_SESSIONS[name].of(run.sessions) if name in OF_SESSIONS else run.sessions[name]
    return person_by_person(block, block.session_mean(values.to_numpy(), among[when])).dropna()


def _change(run: Run, name: str) -> pd.Series:
    """End minus start: of general attachment over the course, or of attachment to the therapist over the sessions."""
    if name.endswith("_to_therapist"):
        rows = run.sessions.sort_values("session").groupby(_WHO)[f"{name}_latent"]
        return rows.last() - rows.first()
    people = run.clients.set_index(_WHO)
    if f"{name}_end_latent" not in people:
        raise EvidenceError(f"no measure 'change.{name}'")
    return people[f"{name}_end_latent"] - people[f"{name}_0_latent"]


def _inside(run: Run, kind: str, name: str) -> pd.Series:
    """Values from inside sessions, of the clients who were followed exchange by exchange."""
    rows = run.exchanges
    if name not in rows.columns:
        raise EvidenceError(f"no measure '{kind}.{name}'{nearest(name, rows.columns)}")
    if kind == "swing":
        return rows.groupby([*_WHO, "session"])[name].std().groupby(_WHO).mean()
    return rows[(rows["session"] == 1) & (rows["exchange"] == 1)].set_index(_WHO)[name]


def confrontation_share(run: Run) -> pd.Series:
    """Of a client's sessions with a rupture, the proportion with a confrontation."""
    ruptured = run.sessions[run.sessions["ruptures"] > 0].set_index(_WHO)
    return ruptured["rupture_type"].isin(["confrontation", "both"]).astype(float).groupby(_WHO).mean()


def fright_left(run: Run) -> pd.Series:
    """The client's arousal some exchanges after a fright, less their mean of the session before."""
    rows, (session, exchange) = run.exchanges, _FRIGHT
    then = rows[(rows["session"] == session) & (rows["exchange"] == exchange)].set_index(_WHO)["client_arousal"]
    return then - rows[rows["session"] == session - 1].groupby(_WHO)["client_arousal"].mean()


def bond_minus_general(run: Run) -> pd.Series:
    """How much further attachment to the therapist moved than general attachment (ECR points, mean of both dimensions)."""
    far = [_change(run, f"{name}_to_therapist").abs() - _change(run, f"client_{name}").abs() for name in ("anxiety", "avoidance")]
    return (far[0] + far[1]) / 2.0


def early_late_alliance(run: Run) -> tuple[float, float, float]:
    """Correlation over clients of the WAI after session 4 with the late one."""
    early = run.sessions[run.sessions["session"] == 4].set_index(_WHO)["wai_client"]
    return correlation(early.to_numpy(), _over_sessions(run, "late", "wai_client").reindex(early.index).to_numpy())


def three_parts(run: Run) -> tuple[float, float, float]:
    """The largest of three correlations over clients, with its sign turned to plus."""
    parts = [_over_sessions(run, "", part).to_numpy() for part in ("security", "attunement", "regulation_client")]
    value, low, high = max((correlation(parts[i], parts[k]) for i in range(3) for k in range(i)), key=lambda one: abs(one[0]))
    return (value, low, high) if value >= 0 else (-value, -high, -low)


def region_series(run: Run) -> tuple[float, float, float]:
    """How many regions, of both people, vary over exchanges."""
    series = [f"{role}_{activity}" for role in ROLES for activity in REGION_ACTIVITY.values()]
    varies = float(sum(float(run.exchanges[one].std()) > 1e-6 for one in series))
    return varies, varies, varies


def _at_site(run: Run, site: str) -> tuple[float, float, float]:
    table = site_alliance(run)
    row = table[(table["site"] == site) & (table["role"] == "both")].iloc[0]
    return float(row["r"]), float(row["low"]), float(row["high"])


#: Of sessions: built from their columns.
OF_SESSIONS: dict[str, Built] = {
    "security": Built("minus the mean of anxiety and avoidance with the therapist, latent, ECR points",
                      ("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"),
                      lambda s: -(s["anxiety_to_therapist_latent"] + s["avoidance_to_therapist_latent"]) / 2.0),
    "misreading": Built("the response as the client perceives it less the response that was given (proportion of the scale)",
                        ("perceived_response",), lambda s: s["perceived_response"] - s["response"]),
    "therapist_misreading": Built("the client's collaboration as the therapist perceives it less what was given",
                                  ("perceived_collaboration",), lambda s: s["perceived_collaboration"] - s["collaboration"]),
    "task_minus_bond": Built("WAI task less WAI bond, client's ratings", ("wai_client_task", "wai_client_bond"),
                             lambda s: s["wai_client_task"] - s["wai_client_bond"]),
    "leaving_logit": Built("logit of the probability of leaving after a session", ("dropout_risk",),
                           lambda s: (s["dropout_risk"] / (1.0 - s["dropout_risk"])).map(math.log)),
    "shown_minus_felt": Built("expression less arousal, client", ("expression",), lambda s: s["expression"] - s["client_limbic"]),
}  # fmt: skip
#: Of clients: from a run of one arm.
OF_CLIENTS: dict[str, Built] = {
    "confrontation_share": Built("of a client's sessions with a rupture, the proportion with a confrontation",
                                 ("confrontations",), confrontation_share),
    "fright_left": Built("arousal three exchanges after it was forced to .9, less the client's mean of the session before",
                         ("client_arousal",), fright_left),
    "bond_minus_general_moved": Built("how much further attachment to the therapist moved than general attachment, ECR points",
                                      ("anxiety_to_therapist_latent", "avoidance_to_therapist_latent"), bond_minus_general),
}  # fmt: skip
#: Of the whole arm: value, low and high.
OF_ARMS: dict[str, Built] = {
    "early_late_alliance": Built("correlation over clients of the WAI after session 4 with the late one", ("wai_client",),
                                 early_late_alliance),
    **{f"eeg_{site}": Built("correlation over clients of the site's mean signal (both people) and the mean WAI", (),
                            partial(_at_site, site=site)) for site in SITES},
    "three_parts": Built("largest absolute correlation over clients among security, attunement and trained regulation", (),
                         three_parts),
    "region_series": Built("regions, of both people, whose activity varies over exchanges", (), region_series),
}  # fmt: skip
#: What questionnaire and client columns measure, as quantities of the model.
_MEASURED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("tracking_accuracy", "accuracy_level", "directional_bias"), ("therapist_estimate",)),
    "wai_client": ("client_bond", "client_task", "client_goal"),
    "wai_client_bond": ("client_bond",),
    "wai_client_task": ("client_task",),
    **{f"{name}_to_therapist{kind}": (f"client_{name}",) for name in ("anxiety", "avoidance") for kind in ("", "_latent")},
    **dict.fromkeys(("distress_0", "distress_0_latent", "distress_end_latent"), ("distress",)),
    "client_anxiety": ("anxiety",),
    "repaired": ("repairs",),
    **dict.fromkeys(("client_avoidance", "client_avoidance_end_latent", "therapist_avoidance"), ("avoidance",)),
}
