"""Every figure of a report by name, which of them a run has something to show in, and why others are left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure, SubFigure

from sim import measures
from sim.report.figures.change import attachment_plane, pairing_differences
from sim.report.figures.clinic.chosen import CLINIC_FIGURES, not_asked
from sim.report.figures.courses import alliance_by_pairing, alliance_curves, distress_course, still_attending
from sim.report.figures.experiments.effects import (
    asks_for_sites,
    eeg_sites,
    lesion_table,
    pushes_corners,
    removes_regions,
    triangle,
)
from sim.report.figures.experiments.pairs import crosses_kinds, interaction
from sim.report.figures.experiments.paths import affect_labelling, fixes_responses, learned_strategies, weakens_words
from sim.report.figures.session import one_session
from sim.report.figures.uncertainty import two_uncertainties
from sim.simulation.tables import Run

#: The figures, by name.
FIGURES: dict[str, Callable[..., Any]] = {
    f.__name__: f
    for f in (
        alliance_by_pairing,
        pairing_differences,
        alliance_curves,
        still_attending,
        distress_course,
        attachment_plane,
        one_session,
    )
}

#: Figures of experiments on the model, by name, and which runs have something to show in them.
EXPERIMENTS: dict[str, tuple[Callable[..., Figure | SubFigure], Callable[[Run], bool]]] = {
    "triangle": (triangle, pushes_corners),
    "lesion_table": (lesion_table, removes_regions),
    "affect_labelling": (affect_labelling, weakens_words),
    "learned_strategies": (learned_strategies, fixes_responses),
    "eeg_sites": (eeg_sites, asks_for_sites),
    "interaction": (interaction, crosses_kinds),
    **CLINIC_FIGURES,
    "two_uncertainties": (two_uncertainties, lambda run: len(run.ensemble) > 0),
}

_COURSES = ("pairing_differences", "alliance_curves", "still_attending", "distress_course", "attachment_plane")
#: Figures that a figure of an experiment makes superfluous, and why.
INSTEAD: dict[str, tuple[tuple[str, ...], str]] = {
    "triangle": (
        ("alliance_by_pairing", *_COURSES),
        "each arm pushes one quantity by definition; what that does to the others is shown by the triangle",
    ),
    "lesion_table": (_COURSES, "the table of lesions holds every arm, and lines for so many arms could not be told apart"),
}


def _left_out_of_clinics(run: Run) -> dict[str, str]:
    """Figures that make no sense for a clinic, whose tables were not kept, or for which its scenario does not ask."""
    shared = "clients of one clinic share therapists and a queue, so that arms are compared clinic by clinic"
    out = dict.fromkeys(("alliance_by_pairing", "pairing_differences"), shared)
    out["still_attending"] = "people come and leave all the time; the figure of flow shows where they are"
    out["attachment_plane"] = "a therapist's attachment is moved by all their clients, not by one course"
    if run.sessions.empty:
        out["alliance_curves"] = "nobody had a session" if run.scenario.keep_sessions else "the scenario does not keep sessions"
    if run.assessments.empty:
        kept = run.scenario.keep_assessments
        out["distress_course"] = "nobody came" if kept else "the scenario does not keep monthly questionnaires"
    if run.exchanges.empty:
        out["one_session"] = "nobody is followed exchange by exchange"
    return out | not_asked(run)


def left_out(run: Run) -> dict[str, str]:
    """The usual figures that would show nothing in this run, by name, and why each is left out.

    >>> sim.plots.left_out(run)
    {'still_attending': 'nobody leaves before the planned end'}
    """
    out: dict[str, str] = {}
    for name, (_, asked) in EXPERIMENTS.items():
        if name in INSTEAD and asked(run):
            out |= dict.fromkeys(INSTEAD[name][0], INSTEAD[name][1])
    if run.scenario.design == "clinic":
        return out | _left_out_of_clinics(run)
    if run.sessions.empty:
        out |= dict.fromkeys(("alliance_by_pairing", "alliance_curves", "still_attending"), "nobody has therapy")
    elif not run.clients["ending"].isin(["dropout", "improved"]).any():
        out.setdefault("still_attending", "nobody leaves before the planned end")
    if measures.paired_differences(run).empty:
        out.setdefault("pairing_differences", "no two arms with therapy hold the same clients")
    if run.exchanges.empty:
        out.setdefault("one_session", "nobody is followed exchange by exchange")
    return out
