"""Who comes: clients drawn from the community and selected on distress, therapists drawn from theirs.

A candidate is drawn (attachment, defences, distress), then kept if they lie where the scenario wants them and, for
clients, if they seek help; otherwise the next candidate of the same number is drawn. Random numbers are addressed by the
person's number and the attempt, so nobody's draw depends on anybody else's.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numba.extending import register_jitable

from sim.compiling import compiled
from sim.errors import PopulationError
from sim.luck import Luck, absorbed, normal_at, occasion, purpose_code, uniform_at
from sim.people.attachment import Attachment
from sim.people.quantiles import beta_quantiles
from sim.people.state import PERSON, Columns
from sim.theory import equations as eq
from sim.theory.parameters import Parameters
from sim.theory.regions import ROLES
from sim.theory.styles import WIDTH, ecr_score, share

MOST_ATTEMPTS = 200_000
#: Parameters that say where people lie on the attachment plane: of each role and dimension a mean and a spread.
SPREADS = tuple(f"{role}_{axis}_{of}" for role in ROLES for axis in ("anxiety", "avoidance") for of in ("mean", "sd"))
#: Parameters that decide who is among those that are drawn.
DRAWN_BY = (*SPREADS, "anxiety_avoidance_r", "help_seeking_threshold", "help_seeking_width")


#: The attachment score that belongs to a standard normal z is read off a table over this grid.
_Z_MOST, _Z_STEPS = 6.0, 1200


@register_jitable
def _read_off(z, table):  # type: ignore[no-untyped-def]
    """Value of a table over the z grid at ``z``, linear between its points."""
    at = (min(max(z, -_Z_MOST), _Z_MOST) + _Z_MOST) * (_Z_STEPS / (2.0 * _Z_MOST))
    left = min(int(at), _Z_STEPS - 1)
    return table[left] + (at - left) * (table[left + 1] - table[left])


def _concentration(mean: float, sd: float) -> float:
    """How narrow the beta distribution on 1-7 with this mean and SD is; 0 or less where there is none."""
    m, s = share(mean), sd / WIDTH
    return float(m * (1.0 - m) / (s * s) - 1.0)


def impossible(mean: float, sd: float, what: str) -> str:
    """What is wrong where no distribution on 1-7 has this mean and SD, and the SD that would do; else nothing."""
    if _concentration(mean, sd) > 0.0:
        return ""
    most = math.sqrt((mean - 1.0) * (7.0 - mean))
    below = math.floor(most * 100.0 - 1e-9) / 100.0
    advice = f"the SD must be smaller, {below:g} at most" if below > 0.0 else "the mean must lie between 1 and 7"
    return f"no distribution on 1-7 has mean {mean:g} and SD {sd:g} ({what}); {advice}"


@lru_cache(maxsize=64)
def _quantiles(kind: str, mean: float, sd: float, what: str) -> np.ndarray:
    """ECR scores over the z grid: a beta distribution on 1-7 with this mean and SD, or a plain normal for ``kind`` normal.

    Published ECR scores are close to beta-shaped (openpsychometrics); a normal cut at 1 would be too narrow.
    """
    z = (np.arange(_Z_STEPS + 1) - _Z_STEPS // 2) * (2.0 * _Z_MOST / _Z_STEPS)
    if kind == "normal":
        return mean + sd * z
    m, size = share(mean), _concentration(mean, sd)
    if size <= 0.0:
        raise PopulationError(impossible(mean, sd, what))
    return np.asarray(ecr_score(beta_quantiles(z, m * size, (1.0 - m) * size)))


def _candidates(  # type: ignore[no-untyped-def]
    code, seed, replicate, purposes, anxiety, avoidance, quantiles, draw_plane, r, means, sds, paths, noise, threshold, width,
    selected, fixed_distress, most, out,
):  # fmt: skip
    """For each person the first candidate who fits.

    ``out`` rows: anxiety, avoidance (ECR 1-7), immature, neurotic, distress, set point, attempts (-1: nobody fits), of immature
    and neurotic what is the person's own, distress that attachment and defences lead one to expect.
    """
    (immature_a, immature_v, neurotic_a, distress_a, distress_v, distress_i, distress_n) = paths
    (immature_noise, neurotic_noise, set_noise, state_noise) = noise
    zero = np.uint64(0)
    out[6, :] = -1.0
    for i in range(code.size):
        for attempt in range(most):
            here = occasion(seed, replicate, code[i], np.uint64(attempt))
            if draw_plane:
                z1 = normal_at(absorbed(here, purposes[0]), zero)
                z2 = r * z1 + math.sqrt(1.0 - r * r) * normal_at(absorbed(here, purposes[1]), zero)
                a, v = _read_off(z1, quantiles[0]), _read_off(z2, quantiles[1])
                # A region may be a line: a fixed value on one of the two dimensions.
                a = anxiety[0] if anxiety[0] == anxiety[1] else a
                v = avoidance[0] if avoidance[0] == avoidance[1] else v
                if not (anxiety[0] <= a <= anxiety[1] and avoidance[0] <= v <= avoidance[1]):
                    continue
            else:
                a, v = anxiety[0], avoidance[0]
            za, zv = (a - means[0]) / sds[0], (v - means[1]) / sds[1]
            immature_own = immature_noise * normal_at(absorbed(here, purposes[2]), zero)
            neurotic_own = neurotic_noise * normal_at(absorbed(here, purposes[3]), zero)
            immature = eq.defence(za, zv, immature_a, immature_v, immature_own)
            neurotic = eq.defence(za, zv, neurotic_a, 0.0, neurotic_own)
            expected = eq.expected_distress(za, zv, immature, neurotic, distress_a, distress_v, distress_i, distress_n)
            set_point = expected + set_noise * normal_at(absorbed(here, purposes[4]), zero)
            distress = set_point + state_noise * normal_at(absorbed(here, purposes[5]), zero)
            seeks_help = eq.logistic((distress - threshold) / width)
            if selected and not uniform_at(absorbed(here, purposes[6]), zero) <= seeks_help:
                continue
            if fixed_distress == fixed_distress:  # not NaN: the scenario states it
                distress, set_point = fixed_distress, fixed_distress
            out[0, i], out[1, i], out[2, i], out[3, i] = a, v, immature, neurotic
            out[4, i], out[5, i], out[6, i] = distress, set_point, attempt
            out[7, i], out[8, i], out[9, i] = immature_own, neurotic_own, expected
            break
        if out[6, i] < 0.0:
            return  # nobody fits: no need to try the others


_PURPOSES = (
    "candidate_anxiety",
    "candidate_avoidance",
    "candidate_immature",
    "candidate_neurotic",
    "candidate_set_point",
    "candidate_state",
    "candidate_seeks_help",
)


def _distress_paths(p: Parameters) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Paths from attachment and defences to distress, and the noise that makes every variable unit-variance."""
    r = p.anxiety_avoidance_r
    ia, iv, na = p.immature_anxiety_path, p.immature_avoidance_path, p.neurotic_anxiety_path
    immature_noise = math.sqrt(max(1.0 - ia * ia - iv * iv - 2.0 * r * ia * iv, 0.0))
    neurotic_noise = math.sqrt(max(1.0 - na * na, 0.0))
    a = p.distress_anxiety_path + p.distress_immature_path * ia + p.distress_neurotic_path * na
    v = p.distress_avoidance_path + p.distress_immature_path * iv
    explained = (
        a * a
        + v * v
        + 2.0 * r * a * v
        + p.distress_immature_path * immature_noise * (p.distress_immature_path * immature_noise)
        + p.distress_neurotic_path * neurotic_noise * (p.distress_neurotic_path * neurotic_noise)
    )
    left = max(1.0 - explained - p.distress_state_share, 0.0)
    return (
        (ia, iv, na, p.distress_anxiety_path, p.distress_avoidance_path, p.distress_immature_path, p.distress_neurotic_path),
        (immature_noise, neurotic_noise, math.sqrt(left), math.sqrt(p.distress_state_share)),
    )


def candidates(role: str, wanted: Attachment, code: np.ndarray, p: Parameters, luck: Luck) -> Columns:
    """People of one role who fit what is wanted, as state columns: their attachment, defences and distress.

    ``code`` are their random-number codes. What else they bring is given to them by ``life.beginning``.

    Raises ``PopulationError`` when nobody fits the wanted place within ``MOST_ATTEMPTS`` candidates.
    """
    people = Columns(PERSON, code.size)
    means = (p.client_anxiety_mean, p.client_avoidance_mean)
    sds = (p.client_anxiety_sd, p.client_avoidance_sd)
    own = tuple(p.of(role, n) for n in ("anxiety_mean", "anxiety_sd", "avoidance_mean", "avoidance_sd"))
    anxiety, avoidance = (1.0, 7.0), (1.0, 7.0)
    if wanted.anxiety is not None and wanted.avoidance is not None:
        if wanted.kind == "normal":
            own = (*wanted.anxiety, *wanted.avoidance)
        else:
            anxiety, avoidance = wanted.anxiety, wanted.avoidance
    quantiles = np.stack(
        [_quantiles(wanted.kind, own[0], own[1], f"{role} anxiety"), _quantiles(wanted.kind, own[2], own[3], f"{role} avoidance")]
    )
    paths, noise = _distress_paths(p)
    out = np.empty((10, code.size))
    compiled(_candidates)(
        code,
        np.uint64(luck.seed),
        np.uint64(luck.replicate),
        np.array([purpose_code(n) for n in _PURPOSES]),
        anxiety,
        avoidance,
        quantiles,
        wanted.kind != "point",
        0.0 if wanted.kind == "normal" else p.anxiety_avoidance_r,
        means,
        sds,
        paths,
        noise,
        p.help_seeking_threshold,
        p.help_seeking_width,
        role == "client" and wanted.selected and wanted.distress is None,
        float("nan") if wanted.distress is None else float(wanted.distress),
        MOST_ATTEMPTS,
        out,
    )
    if code.size and out[6].min() < 0:
        raise PopulationError(
            f"no {role} in {MOST_ATTEMPTS} candidates fits anxiety {anxiety[0]:g}-{anxiety[1]:g}, "
            f"avoidance {avoidance[0]:g}-{avoidance[1]:g}: widen the region or give a point"
        )
    people["anxiety"], people["avoidance"] = share(out[0]), share(out[1])
    people["immature"], people["neurotic"] = out[2], out[3]
    people.keep_within("distress", out[4])
    people.keep_within("distress_set_point", out[5])
    people["immature_own"], people["neurotic_own"] = out[7], out[8]
    people["distress_own"] = people.distress_set_point - out[9]
    return people
