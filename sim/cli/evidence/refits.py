"""The long parts of ``attune validate``: rows predicted, competing models, claims over the ensemble.

Each shows its result; some keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sim import screen
from sim.cli.evidence.calibrate import keep_as, simulating
from sim.cli.evidence.options import shown, stoppable
from sim.errors import EvidenceError
from sim.evidence.calibration import competing as models
from sim.evidence.calibration.ensemble import signs_amiss
from sim.evidence.calibration.leave_one_out import predicted
from sim.evidence.calibration.search import Search, fit_of, standardised_residuals
from sim.evidence.calibration.signs import CLAIMS_LEDGER, claim_shares
from sim.evidence.calibration.simulated import Ledger
from sim.evidence.patterns.published import chosen, patterns
from sim.evidence.stored import kept
from sim.files import folder_at, must_be_free, write_new
from sim.report.drawing import image
from sim.report.figures.validation import COMPETING_FIGURE, competing_figure
from sim.theory.ensemble import spread


def leave_one_out(folder: Path, ids: Sequence[str], workers: int | None, keeping: bool, as_json: bool) -> None:
    """Every calibrate row (or some) predicted by a model fitted without it."""
    rows = [one.id for one in chosen(ids)] if ids else []
    for one in rows:
        if patterns()[one].tier != "calibrate":
            raise EvidenceError(f"pattern {one} has no value to predict; those with one are of tier calibrate")
    with simulating(folder, workers) as simulator:
        found = predicted(Search(simulator), fit_of(kept("calibration")), rows, say=screen.note)
    data = {"rows": [asdict(one) for one in found]}
    lines = [[one.id, patterns()[one.id].name, f"{one.value:.3f} ± {one.error:.3f}", f"{patterns()[one.id].value:g}",
              f"{one.residual:+.1f}", f"{one.fitted_residual:+.1f}",
              ", ".join(one.own_parameters)] for one in found]  # fmt: skip
    heads = ["id", "pattern", "predicted", "published", "residual", "when fitted", "leans on"]
    shown(data, as_json, [screen.table("Predicted by a model that never saw the row", heads, lines, left=2)])
    if keeping:
        keep_as("leave_one_out", data)


def competing(
    folder: Path, names: Sequence[str], rounds: int, workers: int | None, keeping: bool, as_json: bool, out: Path | None
) -> None:
    """Competing models refitted within one budget, side by side."""
    wanted = models.chosen(names)
    if out is not None:
        must_be_free(out / COMPETING_FIGURE, "choose another folder")
    with simulating(folder, workers) as simulator:
        refits = [models.refitted(one, simulator, rounds, say=screen.note) for one in wanted]
    found: list[dict[str, Any]] = [
        {
            "name": one.model.name, "score": one.score, "residuals": standardised_residuals(one.table),
            "wrong": list(dict.fromkeys(row for row, _, _ in signs_amiss(one.table))),
            "ended": one.fit.message, "loss": one.fit.loss, "parameters": dict(one.fit.values), "table": asdict(one.table),
        }
        for one in refits
    ]  # fmt: skip
    data = {"rounds": rounds, "models": found}
    ids = [p.id for p in patterns().values() if p.tier == "calibrate"]
    lines = [[i, patterns()[i].name, *(f"{one['residuals'][i]:+.1f}" for one in found)] for i in ids]
    lines += [["", "joint score", *(f"{one['score']:.0f}" for one in found)],
              ["", "directions that do not hold", *(", ".join(one["wrong"]) or "–" for one in found)]]  # fmt: skip
    heads = ["id", "pattern", *(one["name"] for one in found)]
    shown(data, as_json, [screen.table("Standardised residuals of each model after its refit", heads, lines, left=2)])
    if out is not None:
        write_new(folder_at(out) / COMPETING_FIGURE, image(competing_figure(found), "png", dpi=150))
        screen.note(f"Written: {out / COMPETING_FIGURE}")
    if keeping:
        keep_as("competing", data)


def claims(folder: Path, count: int, threads: int | None, keeping: bool, as_json: bool) -> None:
    """Every claim under the parameters of so many members."""
    members = spread(count)
    with stoppable(folder), Ledger(folder / CLAIMS_LEDGER) as ledger:
        found = claim_shares(members, threads=threads, say=screen.note, ledger=ledger)
    lines = [[c["contrast"], ", ".join(c["claims"]), c["expected"], f"{c['effect']:+.2f}", f"{100 * c['sign']:.0f} %",
              f"{100 * c['reproduced']:.0f} %"] for c in found]  # fmt: skip
    heads = ["contrast", "claims", "stated", "middle effect", "stated way", "as stated"]
    shown(found, as_json, [screen.table(f"Claims under {count} members", heads, lines, left=3)])
    if keeping:
        keep_as("claims_over_ensemble", {"contrasts": found})
