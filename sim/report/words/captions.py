"""What stands under the figures of a report, and in place of the figures for those who cannot see them."""

from __future__ import annotations

from sim.report.drawing import Facts
from sim.report.figures.chosen import FIGURES, words
from sim.report.text import environment, paragraphs
from sim.simulation.tables import Run


def counted(run: Run) -> str:
    """How many courses, people and sessions the run holds."""
    c = run.clients
    if run.scenario.design == "clinic":
        came, held = len(c.drop_duplicates(["arm", "replicate", "client"])), int(c["sessions_attended"].sum())
        return f"{came:,} simulated arrivals in all arms, {int(c['course'].notna().sum()):,} courses, {held:,} sessions"
    people = c.drop_duplicates(["replicate", "client"]) if run.scenario.design == "crossed" else c
    of = f" of {len(people):,} simulated clients" if len(people) < len(c) else ""
    return f"{len(c):,} simulated courses{of}, {len(run.sessions):,} sessions"


def of_figure(run: Run, name: str, facts: Facts | None = None) -> dict[str, str]:
    """A figure's ``title``, its ``caption``, and what is to be ``seen`` in it, with its key numbers: the facts that it was drawn
    with, for which it is drawn here where there are none."""
    scenario = run.scenario
    design = {"scenario": scenario, "clinic": scenario.design == "clinic", "crossed": scenario.design == "crossed"}
    facts = {**design, **(facts if facts is not None else FIGURES[name].with_facts(run)[1])}
    templates = {part: environment().from_string(words()[name][part]) for part in ("title", "caption", "seen")}
    said = {part: " ".join(paragraphs(template.render(facts))) for part, template in templates.items()}
    caption = f"{said['caption']} Scenario {scenario.name}, seed {run.seed}; {counted(run)}. Synthetic data."
    return {**said, "caption": caption}
