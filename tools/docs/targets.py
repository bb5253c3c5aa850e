"""What the mechanism of the mission comes to, beside what is wanted of it; the table stands in docs/DESIGN.md.

Population from the priors, everybody who began, the same people with and without therapy (common random numbers). Sizes wanted
are judgements (docs/DESIGN.md says of what), but for the rows that name a published pattern.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from sim.measures import untreated_differences
from sim.people.population import DIMENSIONS
from sim.runs.run import run
from sim.scenario.scenario import from_spec
from sim.simulation.tables import Run
from tools.docs.markdown import table

SEEDS, CLIENTS, CASELOAD = (101, 102, 103), 4000, 20
WEEKS = 24  # sessions planned, one a week
END, YEAR_ON, TWO_YEARS = 6, 19, 26  # months (of four weeks) since intake: planned end, a year after it, two years in all
#: All learning within the bond, off: what is left is drift and return.
NO_LEARNING = {"client_other_model_rate": 0.0, "client_self_model_rate": 0.0, "alliance_security_rate": 0.0,
               "repair_attachment_step": 0.0, "rupture_attachment_step": 0.0}  # fmt: skip


@lru_cache(maxsize=64)
def _run(parameters: tuple[tuple[str, float], ...], clients: int, seed: int, months: int, lesions: tuple[str, ...]) -> Run:
    spec: dict[str, Any] = {
        "question": "What does being met change?", "clients_per_arm": clients, "sessions": WEEKS, "follow_up_months": months,
        "clients_per_therapist": CASELOAD, "parameters": dict(parameters), "lesions": dict.fromkeys(lesions, 0.0),
        "arms": {"therapy": {"therapist": "population"}, "nobody": {"therapist": "none"}},
    }  # fmt: skip
    return run(from_spec(spec, "targets"), seed)


def runs(
    clients: int = CLIENTS,
    seeds: Sequence[int] = SEEDS,
    months: int = 0,
    parameters: Mapping[str, float] | None = None,
    lesions: Sequence[str] = (),
) -> list[Run]:
    """The same people with and without therapy, one run a seed; ``months`` of follow-up."""
    changed = tuple(sorted((parameters or {}).items()))
    return [_run(changed, clients, seed, months, tuple(lesions)) for seed in seeds]


@dataclass(frozen=True)
class Change:
    """Change of general attachment by therapy, of one dimension: d of the questionnaire, half width of its interval, and the
    spread of the latent change between clients in SD of the latent score."""

    d: float
    half: float
    spread: float


def controlled(found: Sequence[Run], dimension: str, month: int = END) -> Change:
    """With therapy minus without it, the same people, a month after intake; d in SD of the questionnaire at intake."""

    def difference(one: Run, column: str) -> tuple[pd.Series, float]:
        return untreated_differences(one, column, month)["therapy"], float(_at(one, column, 0)["therapy"].std())

    parts = [difference(one, dimension) for one in found]
    latent = [part.std() / sd for part, sd in (difference(one, f"{dimension}_latent") for one in found)]
    each = pd.concat([part / sd for part, sd in parts])
    return Change(float(each.mean()), float(1.96 * each.std() / np.sqrt(each.size)), float(np.mean(latent)))


def _at(one: Run, column: str, month: int) -> pd.DataFrame:
    rows = one.assessments[one.assessments["month"] == month]
    return rows.pivot(index=["replicate", "client"], columns="arm", values=column)


def _sessions(found: Sequence[Run]) -> pd.DataFrame:
    parts = [one.sessions[one.sessions["arm"] == "therapy"].assign(seed=k) for k, one in enumerate(found)]
    return pd.concat(parts, ignore_index=True)


def stability(found: Sequence[Run], months: int) -> float:
    """Correlation of latent anxiety at intake with that some months later, without therapy."""
    return float(np.mean([np.corrcoef(_at(one, "anxiety_latent", 0)["nobody"], _at(one, "anxiety_latent", months)["nobody"])[0, 1]
                          for one in found]))  # fmt: skip


def with_general(found: Sequence[Run], column: str, of: str, session: int = 5) -> float:
    """Correlation of a column of a session with one of the client table, between clients."""
    each = []
    for one in found:
        rows = one.sessions[(one.sessions["arm"] == "therapy") & (one.sessions["session"] == session)]
        both = rows.merge(one.clients[one.clients["arm"] == "therapy"], on=["replicate", "client"], suffixes=("", "_of_client"))
        each.append(np.corrcoef(both[column], both[of])[0, 1])
    return float(np.mean(each))


def early_spread(found: Sequence[Run]) -> float:
    """SD of the latent alliance at session 1 over that at session 20."""
    rows = _sessions(found)
    first, late = (rows.loc[rows["session"] == k, "alliance_latent"].std() for k in (1, 20))
    return float(first / late)


def rupture_shares(found: Sequence[Run], sessions: int = 20) -> tuple[float, float]:
    """Of clients with so many sessions: the proportion without any rupture in them, and with one in nine of ten or more."""
    rows = _sessions(found)
    rows = rows[rows["session"] <= sessions]
    of = (rows["ruptures"] > 0).groupby([rows["seed"], rows["client"]])
    count = of.sum()[of.size() == sessions]
    return float((count == 0).mean()), float((count >= 0.9 * sessions).mean())


def rupture_fall(found: Sequence[Run]) -> tuple[float, float]:
    """Fall of the latent alliance, in points of the WAI, at a session with an unrepaired rupture beyond the change elsewhere; and
    what of it is left three sessions later."""
    rows = _sessions(found).sort_values(["seed", "client", "session"])
    of = rows.groupby(["seed", "client"])["alliance_latent"]
    broken, smooth = (rows["ruptures"] > 0) & (rows["repairs"] == 0), rows["ruptures"] == 0
    fell, later = of.diff(), of.shift(-3) - of.shift(1)
    return tuple(float(-6.0 * (x[broken].mean() - x[smooth].mean())) for x in (fell, later))  # type: ignore[return-value]


def true_share(found: Sequence[Run]) -> float:
    """Proportion of the variance of the client's WAI within persons that is of the latent alliance."""
    rows = _sessions(found)
    both = rows[["wai_client", "alliance_latent"]]
    within = both - both.groupby([rows["seed"], rows["client"]]).transform("mean")
    return float(np.corrcoef(within["wai_client"], within["alliance_latent"])[0, 1] ** 2)


def lesion_shares(clients: int, seeds: Sequence[int]) -> Mapping[str, tuple[float, float]]:
    """Lesion -> what of the therapist's felt signal and of tracking accuracy is left, as proportions of the intact."""

    def both(lesions: Sequence[str]) -> np.ndarray:
        rows = _sessions(runs(clients, seeds, lesions=lesions))
        return rows[["therapist_insula", "tracking_accuracy"]].mean().to_numpy()

    intact = both(())
    return {lesion: tuple(both((lesion,)) / intact) for lesion in ("therapist.insula", "therapist.dmpfc", "therapist.tpj")}


def targets_table(clients: int = CLIENTS, seeds: Sequence[int] = SEEDS) -> str:
    """The whole table, run."""
    found = runs(clients, seeds, months=TWO_YEARS - END)
    still = runs(clients, seeds, parameters=NO_LEARNING)
    now, later, limit = (
        {d: controlled(some, d, month) for d in DIMENSIONS} for some, month in ((found, END), (found, YEAR_ON), (still, END))
    )
    none, nearly_all = rupture_shares(found)
    fall, left = rupture_fall(found)
    lesions = lesion_shares(clients // 4, seeds[:1])

    def pair(of: Callable[[str], Any], form: str = ".2f") -> str:
        return " / ".join(f"{of(d):{form}}" for d in DIMENSIONS)

    half = max(one.half for one in now.values())
    rows = [
        ("change of general ECR after 24 weekly sessions, therapy minus none, same people, d", "-.04 / -.02",
         "-.15 to -.30 / -.10 to -.25", f"{pair(lambda d: now[d].d)} (± {half:.2f})"),
        ("of that left a year on", ".24", "at least .70", pair(lambda d: later[d].d / now[d].d)),
        ("the same with all learning within the bond off", "-", "0 within .05", pair(lambda d: limit[d].d)),
        ("SD of that change between clients, in latent SD", ".09", "at most .5", pair(lambda d: now[d].spread)),
        ("untreated stability of latent ECR: six weeks / two years", ".94 / .72", ".90-.96 / .60-.80",
         f"{stability(found, 1) ** 0.5 * stability(found, 2) ** 0.5:.2f} / {stability(found, TWO_YEARS):.2f}"),
        ("latent r of anxiety to the therapist with general anxiety, the same of avoidance, session 5", ".98 / .94", ".20-.45",
         pair(lambda d: with_general(found, f"{d}_to_therapist_latent", f"client_{d}_0_latent"))),
        ("CATS-secure with WAI (session 8), with ECR avoidance, with ECR anxiety (session 5)", ".63, -.40, -.32",
         ".71 [.62, .79], -.12 [-.21, -.06], -.11 [-.17, -.03]",
         f"{with_general(found, 'cats_secure', 'wai_client', 8):.2f}, "
         f"{with_general(found, 'cats_secure', 'client_avoidance_0'):.2f}, "
         f"{with_general(found, 'cats_secure', 'client_anxiety_0'):.2f}"),
        ("SD of latent alliance at session 1 over that at session 20", ".14", "at least .6", f"{early_spread(found):.2f}"),
        ("clients without any rupture in 20 sessions; with one in 18 or more", "63 %; 11 %", "under 15 %; under 2 %",
         f"{100 * none:.1f} %; {100 * nearly_all:.1f} %"),
        ("latent fall at an unrepaired rupture beyond the change elsewhere, WAI points; left three sessions later", ".1",
         "at least .3, recovering", f"{fall:.2f}; {left:.2f}"),
        *(
            (f"{lesion} removed: what is left of felt signal, tracking accuracy", "0, 0", wanted,
             ", ".join(f"{share:.2f}" for share in lesions[lesion]))
            for lesion, wanted in (
                ("therapist.insula", "at most .7, at least .6"), ("therapist.dmpfc", "at least .6, at most .7"),
                ("therapist.tpj", "at least .6, at most .7 (this region or the one before)"),
            )
        ),
        ("share of true variance in the WAI within persons", ".15", "at least .4", f"{true_share(found):.2f}"),
    ]  # fmt: skip
    return table(("what", "first edition", "wanted", "now"), rows)
