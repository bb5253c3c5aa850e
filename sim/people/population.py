"""Who comes: clients drawn from the community and selected on distress, therapists drawn from theirs.

A candidate is drawn (attachment, defences, distress: the tuples ``PLACE`` and ``DISTRESS``), then kept if they lie where the
scenario wants them and, for clients, if they seek help; otherwise the next candidate of the same number is drawn. Random numbers
are addressed by the person's number and the attempt, so nobody's draw depends on anybody else's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from sim.errors import PopulationError
from sim.people.attachment import Attachment
from sim.people.life import EXPECTED
from sim.people.quantiles import beta_quantiles
from sim.people.state import PERSON
from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.arithmetic import Z_MOST, Z_STEPS
from sim.theory.parameters import Parameters
from sim.theory.regions import ROLES
from sim.theory.steps import Draw, Step, Table, step
from sim.theory.styles import HIGHEST, LOWEST, WIDTH, ecr_score, share

MOST_ATTEMPTS = 200_000
#: The two dimensions of the attachment plane.
DIMENSIONS = ("anxiety", "avoidance")
_SET_POINT = PERSON["distress_set_point"]
#: Parameters that say where people lie on the attachment plane: of each role and dimension a mean and a spread.
SPREADS = tuple(f"{role}_{axis}_{of}" for role in ROLES for axis in DIMENSIONS for of in ("mean", "sd"))
#: Parameters that decide who is among those that are drawn.
DRAWN_BY = (*SPREADS, "anxiety_avoidance_r", "help_seeking_threshold", "help_seeking_width")


def concentration(mean, sd):  # type: ignore[no-untyped-def]
    """How narrow the beta distribution on 1-7 with this mean and SD is; 0 or less where there is none."""
    m, s = (mean - LOWEST) / WIDTH, sd / WIDTH
    return m * (1.0 - m) / (s * s) - 1.0


def widest_sd(mean):  # type: ignore[no-untyped-def]
    """The SD, in hundredths rounded down, below which there is a distribution on 1-7 with this mean; 0 or less for none."""
    return np.floor(np.sqrt((mean - LOWEST) * (HIGHEST - mean)) * 100.0 - 1e-9) / 100.0


def impossible(mean: float, sd: float, what: str) -> str:
    """What is wrong where no distribution on 1-7 has this mean and SD, and the SD that would do; else nothing."""
    if concentration(mean, sd) > 0.0:
        return ""
    below = float(widest_sd(mean))
    advice = f"the SD must be smaller, {below:g} at most" if below > 0.0 else "the mean must lie between 1 and 7"
    return f"no distribution on 1-7 has mean {mean:g} and SD {sd:g} ({what}); {advice}"


@lru_cache(maxsize=64)
def _quantiles(kind: str, mean: float, sd: float, what: str) -> np.ndarray:
    """ECR scores over the z grid: a beta distribution on 1-7 with this mean and SD, or a plain normal for ``kind`` normal.

    Published ECR scores are close to beta-shaped (openpsychometrics); a normal cut at 1 would be too narrow.
    """
    z = (np.arange(Z_STEPS + 1) - Z_STEPS // 2) * (2.0 * Z_MOST / Z_STEPS)
    if kind == "normal":
        return mean + sd * z
    m, size = share(mean), concentration(mean, sd)
    if size <= 0.0:
        raise PopulationError(impossible(mean, sd, what))
    return np.asarray(ecr_score(beta_quantiles(z, m * size, (1.0 - m) * size)))


def _normal(purpose: str) -> Draw:
    return Draw(f"candidate_{purpose}", "person")


#: Where on the attachment plane a candidate stands today (ECR scores), and whether that is where people are wanted: 1 or 0.
PLACE: tuple[Step, ...] = (
    step("", arithmetic.same, "anxiety_draw", value=_normal("anxiety")),
    step("", eq.correlated, "avoidance_draw", common="anxiety_draw", own=_normal("avoidance"), r="wanted_r"),
    *(
        each for name in DIMENSIONS
        for each in (
            step("", arithmetic.read_off, f"{name}_drawn", z=f"{name}_draw", table=Table(name)),
            step("", arithmetic.unless_fixed, f"{name}_score", value=f"{name}_drawn", low=f"{name}_low", high=f"{name}_high"),
            step("", arithmetic.lies_within, f"{name}_fits", value=f"{name}_score", low=f"{name}_low", high=f"{name}_high"),
            step("", arithmetic.proportion, name, score=f"{name}_score"),
        )
    ),
    step("", arithmetic.product, "fits", one="anxiety_fits", other="avoidance_fits"),
)  # fmt: skip
#: Defences and distress of a candidate who stands there [A8], and whether they come.
DISTRESS: tuple[Step, ...] = (
    *(step("", arithmetic.standardised, f"{name}_z", value=f"{name}_score", mean=f"client_{name}_mean", sd=f"client_{name}_sd")
      for name in DIMENSIONS),
    step("immature", eq.defence_noise_sd, "immature_sd", r="anxiety_avoidance_r"),
    step("neurotic", eq.defence_noise_sd, "neurotic_sd", r="anxiety_avoidance_r", avoidance_path=0.0),
    *(step("", arithmetic.product, f"{name}_own", one=f"{name}_sd", other=_normal(name)) for name in ("immature", "neurotic")),
    *EXPECTED,
    step("", eq.set_point_noise_sd, "set_point_sd", r="anxiety_avoidance_r"),
    step("", arithmetic.drawn, "set_point_drawn", mean="expected", sd="set_point_sd", luck=_normal("set_point")),
    step("", arithmetic.root, "state_sd", value="distress_state_share"),
    step("", arithmetic.drawn, "distress_drawn", mean="set_point_drawn", sd="state_sd", luck=_normal("state")),
    step("", eq.help_seeking_probability, "seeks_help", distress="distress_drawn"),
    step("", arithmetic.total, "comes", one="seeks_help", other="everybody_comes"),
    step("", arithmetic.happens, "fits", chance=Draw("candidate_seeks_help", "person", "uniform"), prob="comes"),
    step("", arithmetic.known, "distress", value="stated_distress", otherwise="distress_drawn"),
    step("", arithmetic.known, "set_point", value="stated_distress", otherwise="set_point_drawn"),
    step("", arithmetic.within, "distress_set_point", value="set_point", low=_SET_POINT.low, high=_SET_POINT.high),
    step("", arithmetic.difference, "distress_own", one="distress_set_point", other="expected"),
)  # fmt: skip
#: The tables that these steps read off, by what stands for them where steps are wired.
TABLES = tuple(Table(name).name for name in DIMENSIONS)
#: What is kept of the candidate who fits: columns of the person.
KEPT = tuple(name for name in PERSON if any(name in step.writes for step in (*PLACE, *DISTRESS)))
#: What is wanted of people of one kind, as numbers that these steps may name.
WANTED = (*(f"{name}_{end}" for name in DIMENSIONS for end in ("low", "high")), "wanted_r", "stated_distress", "everybody_comes")


def wanted_numbers(role: str, wanted: Attachment, p: Parameters) -> dict[str, float]:
    """What is wanted, by the names in ``WANTED``."""
    ends: tuple[tuple[float, float], ...] = ((LOWEST, HIGHEST),) * 2
    if wanted.kind != "normal" and wanted.anxiety is not None and wanted.avoidance is not None:
        ends = wanted.anxiety, wanted.avoidance
    chosen = role == "client" and wanted.selected and wanted.distress is None
    values = (
        *(end for both in ends for end in both),
        0.0 if wanted.kind == "normal" else p.anxiety_avoidance_r,
        math.nan if wanted.distress is None else float(wanted.distress),
        0.0 if chosen else 1.0,
    )
    return dict(zip(WANTED, values, strict=True))


def wanted_tables(role: str, wanted: Attachment, p: Parameters) -> dict[str, np.ndarray]:
    """The scores of anxiety and of avoidance that belong to standard normal numbers (``arithmetic.read_off``)."""
    spreads = {name: (p.of(role, f"{name}_mean"), p.of(role, f"{name}_sd")) for name in DIMENSIONS}
    if wanted.kind == "normal" and wanted.anxiety is not None and wanted.avoidance is not None:
        spreads = dict(zip(DIMENSIONS, (wanted.anxiety, wanted.avoidance), strict=True))
    return {name: _quantiles(wanted.kind, *spread, f"{role} {name}") for name, spread in spreads.items()}


def nobody_fits(role: str, numbers: Mapping[str, float]) -> PopulationError:
    """The error where nobody is found."""
    ends = ", ".join(f"{name} {numbers[f'{name}_low']:g}-{numbers[f'{name}_high']:g}" for name in DIMENSIONS)
    return PopulationError(f"no {role} in {MOST_ATTEMPTS} candidates fits {ends}: widen the region or give a point")
