"""The Mesa page itself, as Solara runs it: a scenario to choose, and Mesa's own page (``SolaraViz``) for its model.

Needs the extra ``mesa-page``; nothing imports this but ``mesa/page.py``. Everything that belongs to a visitor is made inside
a component: what stands at the level of this module is shared by all.
"""

from __future__ import annotations

from typing import Any

import solara
from matplotlib.figure import Figure
from mesa.visualization import SolaraViz, make_plot_component

from sim.errors import ScenarioError
from sim.mesa.choices import PAIRING, choices, made, offered, week_in_words
from sim.mesa.model import TherapyModel
from sim.report.drawing import quarters

TITLE = "Attune with Mesa"


@solara.component
def Page() -> None:
    """What a visitor sees."""
    choice = solara.use_reactive(PAIRING)
    solara.Title(TITLE)
    with solara.Sidebar(), solara.Card("What to show"):
        solara.Select("Scenario", values=choices(), value=choice)
        solara.Text("A step is a week. What is set further down counts from the next Reset on.")
    try:
        kind, controls = offered(choice.value)
    except (ScenarioError, OSError) as e:
        solara.Error(str(e))
    else:
        Running(kind, controls).key(choice.value)  # another choice is another page: else controls keep the last one's arguments


@solara.component
def Running(kind: type[TherapyModel], controls: dict[str, Any]) -> None:
    """Mesa's page for a model of this visitor's own."""
    model = solara.use_memo(lambda: made(kind, controls), [])
    counted = ["in_therapy", "dropouts", "ruptures", *(["waiting"] if model.arm.clinic else [])]
    plots = [make_plot_component(names) for names in ("mean_alliance", "mean_distress", counted)]
    SolaraViz(model, components=[(words, 0), (plane, 0), *plots], model_params=controls, name=TITLE)


def words(model: TherapyModel) -> Any:
    """The question, and this week in a sentence."""
    question = f"**{model.scenario.question}** (“{model.arm.name}”, seed {model.seed})"
    note = "Everybody here is simulated. This is not a clinical tool, and says nothing about any real person."
    return solara.Markdown("\n\n".join((question, week_in_words(model), note)))


def plane(model: TherapyModel) -> Any:
    """Everybody on the plane of general attachment."""
    figure = Figure()
    ax = figure.subplots()
    quarters(ax)
    here = [client for client in model.clients if client.in_therapy]
    others = [client for client in model.clients if not client.in_therapy]
    for label, people in (("in therapy", here), ("not in therapy", others), ("therapist", model.therapists)):
        ax.scatter([one.ecr_anxiety for one in people], [one.ecr_avoidance for one in people], alpha=0.6, label=label)
    ax.legend(title="Attachment now")
    return solara.FigureMatplotlib(figure, format="png", bbox_inches="tight")
