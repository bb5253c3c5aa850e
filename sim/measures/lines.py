"""What the lines of figures are made of: means by session, month and exchange, and who is still attending."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sim.measures.intervals import mean_interval

if TYPE_CHECKING:
    from sim.simulation.tables import Run


def spread(table: pd.DataFrame, by: str, value: str) -> pd.DataFrame:
    """Mean and middle half (quartiles) of a value at each time."""
    grouped = table.groupby(by)[value]
    return pd.DataFrame(
        {"mean": grouped.mean(), "low": grouped.quantile(0.25), "high": grouped.quantile(0.75), "n": grouped.size()}
    )


def attendance(clients: pd.DataFrame, planned: int) -> pd.DataFrame:
    """By session: proportion of an arm's clients who come to it, and proportion who have dropped out, or improved and ended,
    after it."""
    sessions = np.arange(1, planned + 1)
    if clients.empty:
        return pd.DataFrame(np.nan, index=sessions, columns=["attending", "dropped_out", "improved"])
    held = clients["sessions_attended"].to_numpy()
    left = {
        name: ((held <= sessions[:, None]) & (clients["ending"] == ending).to_numpy()).mean(axis=1)
        for name, ending in (("dropped_out", "dropout"), ("improved", "improved"))
    }
    return pd.DataFrame({"attending": (held >= sessions[:, None]).mean(axis=1), **left}, index=sessions)


def at_one_time(table: pd.DataFrame, by: str, at: int, value: str) -> dict[str, float]:
    """Mean of a value at one time in each arm."""
    return {str(arm): float(v) for arm, v in table[table[by] == at].groupby("arm", observed=True)[value].mean().items()}


def by_exchange(run: Run, arm: str, quantity: str) -> pd.DataFrame:
    """Mean of a quantity in each exchange of a session, over the sessions of those followed, with 95 % interval over clients."""
    rows = run.exchanges[run.exchanges["arm"] == arm]
    people = rows.groupby(["replicate", "client", "exchange"])[quantity].mean().unstack("exchange")
    return pd.DataFrame({exchange: mean_interval(people[exchange]) for exchange in people}).T


def course_of(run: Run, arm: str) -> pd.DataFrame:
    """Means by session of an arm: anxiety and avoidance with the therapist, bids, and expression less arousal."""
    rows = run.sessions[run.sessions["arm"] == arm]
    rows = rows.assign(shown_less_felt=rows["expression"] - rows["client_limbic"])
    return rows.groupby("session")[
        [*(f"{name}_to_therapist_latent" for name in ("anxiety", "avoidance")), "bids", "shown_less_felt"]
    ].mean()
