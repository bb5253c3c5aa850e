"""The Mesa page itself, as Solara runs it: a scenario to choose, and Mesa's own page (``SolaraViz``) for its model.

Needs the extra ``mesa-page``; nothing imports this but ``mesa/page.py``. Everything that belongs to a visitor is made inside
a component: what stands at the level of this module is shared by all.
"""

from __future__ import annotations

from typing import Any

import solara
from mesa.visualization import SolaraViz, make_plot_component

from sim.errors import ScenarioError
from sim.mesa.choices import PAIRING, choices, made, offered, plane_of, week_in_words
from sim.mesa.model import TherapyModel

TITLE = "Attune with Mesa"


@solara.component
def Page() -> None:
    """What a visitor sees."""
    choice, shown = solara.use_reactive(PAIRING), solara.use_reactive(PAIRING)
    # Between two choices nothing is shown, so that Mesa's page is made again: else its controls keep the last one's arguments.
    solara.use_effect(lambda: shown.set(choice.value), [choice.value])
    solara.Title(TITLE)
    with solara.Sidebar(), solara.Card("What to show"):
        solara.Select("Scenario", values=choices(), value=choice)
        solara.Text("A step is a week. What is set further down counts from the next Reset on.")
    try:
        offer = offered(choice.value) if shown.value == choice.value else None
    except (ScenarioError, OSError) as e:
        solara.Error(str(e))
    else:
        if offer is not None:
            Running(*offer)


@solara.component
def Running(kind: type[TherapyModel], controls: dict[str, Any]) -> None:
    """Mesa's page for a model of this visitor's own."""
    model = solara.use_memo(lambda: made(kind, controls), [])
    counted = ["in_therapy", "dropouts", "ruptures", *(["waiting"] if model.arm.clinic else [])]
    plots = [make_plot_component(names) for names in ("mean_alliance", "mean_distress", counted)]
    SolaraViz(model, components=[(words, 0), (plane, 0), *plots], model_params=controls, name=TITLE)


def words(model: TherapyModel) -> Any:
    """The question, and this week in a sentence."""
    with solara.Column() as shown:
        solara.Text(f"{model.scenario.question} (“{model.arm.name}”, seed {model.seed})", style={"font-weight": "bold"})
        solara.Text(week_in_words(model))
        solara.Text("Everybody here is simulated. This is not a clinical tool, and says nothing about any real person.")
    return shown


def plane(model: TherapyModel) -> Any:
    """Everybody on the plane of general attachment."""
    return solara.FigureMatplotlib(plane_of(model), format="png", bbox_inches="tight")
