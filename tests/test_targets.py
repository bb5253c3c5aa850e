"""The mission's mechanism: attachment changes by being met. Each cut kills what it must and spares what it must (docs/DESIGN.md).

Small here; the sizes wanted, at full size, in ``make deep``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from sim.people.population import DIMENSIONS
from sim.simulation.tables import Run
from tools.docs.targets import (
    CLIENTS,
    END,
    NO_LEARNING,
    SEEDS,
    TWO_YEARS,
    YEAR_ON,
    Change,
    controlled,
    early_spread,
    lesion_shares,
    runs,
    rupture_fall,
    rupture_shares,
    stability,
    true_share,
    with_general,
)

FEW, ONE = 700, (104,)


def found(parameters: Mapping[str, float] | None = None, months: int = 0) -> list[Run]:
    return runs(FEW, ONE, months, parameters)


def change(parameters: Mapping[str, float] | None = None) -> Mapping[str, Change]:
    return {d: controlled(found(parameters), d) for d in DIMENSIONS}


def accuracy(some: Sequence[Run]) -> float:
    return float(np.mean([one.sessions["tracking_accuracy"].mean() for one in some]))


# ------------------------------------------------------------------------------------------------ attachment changes


def test_attachment_changes_by_being_met() -> None:
    """Against the same people without therapy; the whole interval lies below 0, and the wanted sizes lie within reach of it."""
    for d, one in change().items():
        assert one.d + one.half < 0, d
        assert one.d - one.half < -0.10 and one.d + one.half > -0.30, (d, one)


@pytest.mark.parametrize(
    ("cut", "left"),
    [
        (NO_LEARNING, 0.05),  # nothing is learned within the bond: regression to the mean must not look like therapy
        ({"client_prototype_learning_rate": 0.0}, 0.05),  # what was learned stays in this bond
        ({"plasticity": 0.0}, 1e-9),
    ],
    ids=["learning within the bond", "generalisation", "plasticity"],
)
def test_where_it_is_cut_attachment_does_not_change_by_therapy(cut: Mapping[str, float], left: float) -> None:
    for d, one in change(cut).items():
        assert abs(one.d) < left + one.half, (d, one)


def test_what_generalisation_is_cut_from_spares_the_bond() -> None:
    """The bond becomes secure all the same: attachment to the therapist falls as far as uncut."""
    whole, cut = (some[0].sessions for some in (found(), found({"client_prototype_learning_rate": 0.0})))
    for d in DIMENSIONS:
        last, first = ([x.loc[x["session"] == k, f"{d}_to_therapist_latent"].mean() for x in (whole, cut)] for k in (24, 1))
        fell = np.subtract(last, first)
        assert fell[0] < -0.05 and fell[1] == pytest.approx(fell[0], abs=0.1), d


def test_what_is_learned_stays_by_way_of_the_anchor() -> None:
    """A year on most of it is left; without learning of the anchor most is gone, and the change at the end is as large."""
    whole, cut = found(months=YEAR_ON - END), found({"anchor_learning_share": 0.0}, months=YEAR_ON - END)
    for d in DIMENSIONS:
        end, later = (controlled(whole, d, month).d for month in (END, YEAR_ON))
        cut_end, cut_later = (controlled(cut, d, month).d for month in (END, YEAR_ON))
        assert later / end > 0.6 and cut_later / cut_end < 0.45, d
        assert cut_end < 0.6 * end, d  # both negative: at least six tenths of it


def test_untreated_attachment_is_as_stable_as_published_and_plasticity_does_not_hold_it_to_the_anchor() -> None:
    some = found(months=TWO_YEARS - END)
    assert 0.85 < stability(some, 2) < 0.96 and 0.58 < stability(some, TWO_YEARS) < 0.80
    # Nobody is moved by life or therapy: who stands away from the anchor returns, which is no learning.
    still = found({"plasticity": 0.0}, months=TWO_YEARS - END)
    assert stability(still, 2) > stability(some, 2) and stability(still, TWO_YEARS) < 0.95


def test_a_bond_is_its_own() -> None:
    """Attachment to the therapist goes with general attachment in part; with all of it carried over, nearly whole."""
    for d in DIMENSIONS:
        names = f"{d}_to_therapist_latent", f"client_{d}_0_latent"
        assert 0.2 < with_general(found(), *names) < 0.5, d
        assert with_general(found({"carried_share": 1.0}), *names) > 0.75, d
    secure = "cats_secure", "client_avoidance_0"
    assert with_general(found({"carried_share": 1.0}), *secure) < with_general(found(), *secure) - 0.1


# ---------------------------------------------------------------------------------------- alliance, words, ruptures


def test_first_impressions_spread_early_alliances() -> None:
    cut = {"trust_impression_gain": 0.0, "agreement_impression_gain": 0.0, "expectation_impression_gain": 0.0}
    assert early_spread(found()) > 0.6 and early_spread(found(cut)) < 0.75 * early_spread(found())


def test_two_routes_of_empathy() -> None:
    """Each region takes its own and leaves the other: without the insula nothing is felt and words are left; without the dorsal
    medial cortex all is felt and less is understood. Without words, accuracy falls, and the insula is all there is."""
    left = lesion_shares(FEW, ONE)
    assert left["therapist.insula"][0] < 0.01 and left["therapist.insula"][1] > 0.55
    assert left["therapist.dmpfc"][0] > 0.9 and left["therapist.dmpfc"][1] < 0.75
    silent = {"words_precision": 0.0}
    felt = accuracy(found(silent))
    nothing = accuracy(runs(FEW, ONE, parameters=silent, lesions=("therapist.insula",)))
    assert abs(nothing) < 0.1 < felt < 0.85 * accuracy(found())


def test_a_rupture_is_an_event() -> None:
    """Nearly everybody has one, hardly anybody always; the alliance falls at it, and recovers. Without what a rupture costs the
    alliance of the day, it does not fall."""
    none, always = rupture_shares(found())
    assert none < 0.15 and always < 0.02
    fall, later = rupture_fall(found())
    assert fall > 0.3 and later < 0.6 * fall
    free = {"client_rupture_alliance_cost": 0.0, "rupture_trust_step": 0.0}
    assert rupture_fall(found(free))[0] < 0.5 * fall
    safe = {"hazard_base": -12.0, "hazard_missed_gain": 0.0, "hazard_tension_gain": 0.0, "hazard_task_gain": 0.0}
    assert rupture_shares(found(safe))[0] > 0.95


def test_a_good_session_is_felt() -> None:
    """How the alliance differs from session to session is more than noise, most of it the day's; and a good session takes
    distress off for a while."""
    assert true_share(found()) > 0.4
    assert true_share(found({"client_rupture_alliance_cost": 0.0, "alliance_quality_gain": 0.0})) < true_share(found()) - 0.1

    def relieved(some: Sequence[Run]) -> float:
        """Within persons: how distress goes with the quality of the session before."""
        rows = some[0].sessions.sort_values(["client", "session"])
        rows = rows[rows["arm"] == "therapy"]
        before = rows.groupby("client")["session_quality"].shift(1)
        change = rows.groupby("client")["distress_latent"].diff()
        return float(np.corrcoef(before[before.notna()], change[before.notna()])[0, 1])

    assert relieved(found()) < relieved(found({"relief_gain": 0.0})) - 0.1


# ------------------------------------------------------------------------------------------------------- full size


@pytest.mark.deep
def test_the_sizes_wanted_at_full_size() -> None:
    """The table of docs/DESIGN.md: 4,000 clients an arm, three seeds, intervals of at most .02 either way."""
    whole = runs(months=TWO_YEARS - END)
    wanted = {"anxiety": (-0.30, -0.15), "avoidance": (-0.25, -0.10)}
    for d, (low, high) in wanted.items():
        one = controlled(whole, d)
        assert one.half <= 0.02 and low <= one.d <= high and one.spread <= 0.5, (d, one)
        assert controlled(whole, d, YEAR_ON).d / one.d >= 0.70, d
        assert abs(controlled(runs(parameters=NO_LEARNING), d).d) <= 0.05, d
        assert 0.20 <= with_general(whole, f"{d}_to_therapist_latent", f"client_{d}_0_latent") <= 0.45, d
    six_weeks = (stability(whole, 1) * stability(whole, 2)) ** 0.5
    assert 0.90 <= six_weeks <= 0.96 and 0.60 <= stability(whole, TWO_YEARS) <= 0.80
    assert early_spread(whole) >= 0.6 and true_share(whole) >= 0.4
    none, always = rupture_shares(whole)
    assert none < 0.15 and always < 0.02 and rupture_fall(whole)[0] >= 0.3
    left = lesion_shares(CLIENTS, SEEDS)
    assert left["therapist.insula"][0] <= 0.7 and left["therapist.insula"][1] >= 0.6
    assert left["therapist.dmpfc"][1] <= 0.7 and left["therapist.dmpfc"][0] >= 0.6
