"""Simulated imaging studies: what an EEG or a scanner would see of a run, read off what the model's components do [K19, K26].

A read-out looks at a run and changes nothing in it. It is never written from the alliance, so that a correlation with the
alliance is a result; that the temporal site has none is not, since nothing of the model lies under it. The one number here,
electrode noise, is an assumption. Activity is a number of this model: these are studies to be planned, not brains.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import special

from sim import luck
from sim.luck import Luck
from sim.measures.courses import COURSE
from sim.measures.intervals import mean_interval
from sim.people.state import REGION_ACTIVITY
from sim.simulation.build import arm_parameters
from sim.theory.regions import REGIONS, ROLES, SITES

if TYPE_CHECKING:
    from sim.simulation.tables import Run

#: Whose signal: one person's, or the mean of both.
WHOSE = (*ROLES, "both")
_FACE = {"client": "therapist_expression", "therapist": "expression"}  # what each of them sees: the other's expression
LEAST_SESSIONS = 4  # for a correlation within one client
_WHEN = ["session", "week"]
_FOUND = ["arm", "role", "site", "r", "low", "high", "n", "within", "within_low", "within_high", "n_within"]


def under(role: str, site: str) -> list[str]:
    """The columns of the session table that a site of this person sees; none for the temporal site."""
    if site == "occipital":
        return [_FACE[role]]
    return [f"{role}_{region.name}" for region in REGIONS.values() if region.site == site]


def read_out(run: Run) -> pd.DataFrame:
    """The signal of every session at every site of both people: the mean of what lies under it, and electrode noise.

    One row per arm, replicate, client, session, role and site. The noise has the client's address, so that it is the same
    in every arm; its spread is the number ``eeg_noise_sd``.
    """
    parts = []
    for arm, replicate in product(run.scenario.arms, range(run.scenario.replicates)):
        rows = run.sessions[(run.sessions["arm"] == arm.name) & (run.sessions["replicate"] == replicate)]
        if rows.empty:
            continue
        parameters, here = arm_parameters(arm, run.model), Luck(run.seed, replicate)
        who, when = luck.person("client", rows["client"].to_numpy()), rows["week"].to_numpy()
        for role in ROLES:
            for site in SITES:
                seen = rows[under(role, site)].to_numpy(float)
                true = seen.mean(axis=1) if seen.shape[1] else np.zeros(len(rows))
                noise = parameters.eeg_noise_sd * here.normal(who, f"eeg_{role}_{site}", when)
                parts.append(rows[[*COURSE, *_WHEN]].assign(role=role, site=site, signal=true + noise))
    if not parts:
        return pd.DataFrame(columns=[*COURSE, *_WHEN, "role", "site", "signal"])
    return pd.concat(parts, ignore_index=True)


def site_alliance(run: Run) -> pd.DataFrame:
    """Does a site go with the alliance? Correlations of its signal with the client's WAI rating, by arm, role and site.

    Role ``both`` is the mean of the two people's signals. ``r``, ``low``, ``high``, ``n``: between clients, of a client's mean
    signal with their mean rating, 95 % interval by Fisher's z. ``within``, ``within_low``, ``within_high``, ``n_within``:
    from session to session in one client (Pearson's r), mean over clients with four sessions or more, interval by
    Student's t. Clients who share a therapist are counted as independent.
    """
    signals = read_out(run)
    if signals.empty:
        return pd.DataFrame(columns=_FOUND)
    both = signals.groupby([*COURSE, *_WHEN, "site"], observed=True, as_index=False)["signal"].mean().assign(role="both")
    every = pd.concat([signals, both], ignore_index=True)
    every = every.merge(run.sessions[[*COURSE, "session", "wai_client"]], on=[*COURSE, "session"])
    rows = []
    for arm, role, site in product(run.scenario.arms, WHOSE, SITES):
        mine = every[(every["arm"] == arm.name) & (every["role"] == role) & (every["site"] == site)]
        if mine.empty:
            continue
        people = mine.groupby(["replicate", "client"])[["signal", "wai_client"]]
        means = people.mean()
        between = correlation(means["signal"].to_numpy(), means["wai_client"].to_numpy())
        inside = mean_interval([pearson(*one.to_numpy().T) for _, one in people if len(one) >= LEAST_SESSIONS])
        within = (inside[name] for name in ("mean", "low", "high", "n"))
        rows.append((arm.name, role, site, *between, len(means), *within))
    return pd.DataFrame(rows, columns=_FOUND)


def pearson(x: np.ndarray, y: np.ndarray) -> float:
    """Pearson's correlation; missing where there are fewer than two values or one of the two does not vary."""
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def correlation(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Pearson's correlation with its 95 % interval (Fisher's z); no interval below four people."""
    r, n = pearson(x, y), x.size
    if n < 4 or np.isnan(r):
        return r, float("nan"), float("nan")
    z, half = np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12)), special.ndtri(0.975) / np.sqrt(n - 3)
    return r, float(np.tanh(z - half)), float(np.tanh(z + half))


def series(run: Run) -> pd.DataFrame:
    """Activity of every region of both people, exchange by exchange, for those followed so: what a scanner would be shown [K26].

    One row per arm, replicate, client, session, exchange, role and region, in the order of the session. Without noise and
    without the slowness of blood: both belong to the study that is simulated with it.
    """
    who = [*COURSE, "session", "exchange"]
    columns = {f"{role}_{activity}": (role, region) for role in ROLES for region, activity in REGION_ACTIVITY.items()}
    if run.exchanges.empty:
        return pd.DataFrame(columns=[*who, "role", "region", "activity"])
    parts = [
        run.exchanges[who].assign(role=role, region=region, activity=run.exchanges[name].to_numpy(float))
        for name, (role, region) in columns.items()
    ]
    return pd.concat(parts, ignore_index=True).sort_values([*who, "role"], kind="stable", ignore_index=True)
