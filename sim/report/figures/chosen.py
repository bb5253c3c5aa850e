"""Every figure of a report by name, which of them a run shows, and why others are left out."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sim import measures
from sim.report.drawing import DECLARED, Shown
from sim.report.figures import change, courses, one_course, session, uncertainty
from sim.report.figures.clinic import service, therapists
from sim.report.figures.experiments import effects, paths
from sim.simulation.tables import Run

#: Where figures of a run are declared.
MODULES = (effects, paths, service, therapists, uncertainty, courses, change, one_course, session)


@lru_cache(maxsize=1)
def words() -> dict[str, dict[str, Any]]:
    """The words of every figure, in the order in which a report shows them."""
    found: dict[str, dict[str, Any]] = YAML(typ="safe").load(Path(__file__).with_name("figures.yaml").read_text(encoding="utf-8"))
    return found


#: Every figure by name, in the order in which a report shows them.
FIGURES: dict[str, Shown] = {name: DECLARED[name] for name in words()}

#: The usual figures, and those that a run has to ask for.
USUAL = tuple(name for name, figure in FIGURES.items() if figure.asked is None)
ASKED = tuple(name for name in FIGURES if name not in USUAL)


#: The figures of one client, who has to be followed exchange by exchange.
FOLLOWED = ("one_course", "one_session")


def asks_for(run: Run, name: str) -> bool:
    """Whether a run asks for a figure that not every run has."""
    asked = FIGURES[name].asked
    return asked is not None and asked(run)


def shown(run: Run) -> list[str]:
    """Names of the figures that have something to show in a run, in the order of the report."""
    out = left_out(run)
    return [name for name in FIGURES if asks_for(run, name) or (name in USUAL and name not in out)]


def left_out(run: Run) -> dict[str, str]:
    """The usual figures that would show nothing in this run, by name, and why each is left out.

    >>> sim.plots.left_out(small("hello", parameters={"dropout_base": -12.0, "dropout_outside": 0.0, "good_enough_prob": 0.0}))
    {'still_attending': 'nobody leaves before the planned end'}
    """
    out: dict[str, str] = {}
    for name, said in words().items():
        if "instead" in said and asks_for(run, name):
            out |= dict.fromkeys(said["instead"]["of"], said["instead"]["why"])
    if run.exchanges.empty:
        out |= dict.fromkeys(FOLLOWED, "nobody is followed exchange by exchange")
    if run.scenario.design == "clinic":
        return out | _left_out_of_clinics(run)
    if run.sessions.empty:
        out |= dict.fromkeys(("alliance_by_pairing", "alliance_curves", "attachment_to_therapist", "still_attending"),
                             "nobody has therapy")  # fmt: skip
    elif not run.clients["ending"].isin(["dropout", "improved"]).any():
        out.setdefault("still_attending", "nobody leaves before the planned end")
    if measures.paired_differences(run).empty:
        out.setdefault("pairing_differences", "no two arms with therapy hold the same clients")
    if not measures.untreated_differences(run):
        out.setdefault("attachment_without_therapy", "no arm leaves the same people without therapy")
    return out


def _left_out_of_clinics(run: Run) -> dict[str, str]:
    """Figures that make no sense for a clinic, whose tables were not kept, or for which its scenario does not ask."""
    out = {name: said["never_of_clinics"] for name, said in words().items() if "never_of_clinics" in said}
    if run.sessions.empty:
        out["alliance_curves"] = "nobody had a session" if run.scenario.keep_sessions else "the scenario does not keep sessions"
    if run.assessments.empty:
        kept = run.scenario.keep_assessments
        out["distress_course"] = "nobody came" if kept else "the scenario does not keep monthly questionnaires"
    return out | {name: said["absent"] for name, said in words().items() if "absent" in said and not asks_for(run, name)}
