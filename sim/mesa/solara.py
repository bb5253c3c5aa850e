"""The Mesa page itself, as Solara runs it: a scenario to choose, and Mesa's own page (``SolaraViz``) for its model.

Needs the extra ``mesa-page``; nothing imports this but ``mesa/page.py``. Everything that belongs to a visitor is made inside
a component: what stands at the level of this module is shared by all.
"""

from __future__ import annotations

import base64
from typing import Any

import solara
from mesa.visualization import SolaraViz
from mesa.visualization.utils import update_counter

from sim.errors import ScenarioError
from sim.mesa.choices import PAIRING, Offer, Shown, choices, offered
from sim.mesa.panels import PANELS, Panel, image, week_in_words

TITLE = "Attune with Mesa"
#: SolaraViz has a tab for each of its pages, and here is one. A slider's label stands above it, and its value below.
_STYLE = """
.v-tabs { display: none }
.attune-panel { width: 100% }
.v-input__slider .v-input__slot { flex-wrap: wrap }
.v-input__slider .v-label { flex: 0 0 100%; height: auto !important }
.v-input__slider .v-slider { min-height: 52px }
.v-slider__thumb-container::after {
  content: attr(aria-valuenow); position: absolute; top: 9px; left: 0; transform: translateX(-50%); font-size: 12px }
"""


@solara.component
def Page() -> None:
    """What a visitor sees."""
    choice, shown = solara.use_reactive(PAIRING), solara.use_reactive(PAIRING)
    # Between two choices nothing is shown, so that Mesa's page is made again: else its controls keep the last one's arguments.
    solara.use_effect(lambda: shown.set(choice.value), [choice.value])
    solara.Title(TITLE)
    solara.Style(_STYLE)
    with solara.Sidebar(), solara.Card("What to show"):
        solara.Select("Scenario", values=choices(), value=choice)
        solara.Text("A step is a week. What is set further down counts from the next Reset on.")
    if shown.value == choice.value:
        Chosen(choice.value)


@solara.component
def Chosen(choice: str) -> None:
    """Mesa's page for one choice, or one sentence on why there is none."""
    offer = solara.use_memo(lambda: _tried(choice), [choice])
    if isinstance(offer, str):
        solara.Error(offer)
    else:
        Running(offer)


def _tried(choice: str) -> Offer | str:
    try:
        return offered(choice)
    except (ScenarioError, OSError) as e:
        return str(e)


@solara.component
def Running(offer: Offer) -> None:
    """Mesa's page for a model of this visitor's own."""
    first = solara.use_memo(offer.made, [])
    model = solara.use_reactive(first)
    Words(model.value)
    SolaraViz(model, components=[(_shown(panel), 0) for panel in PANELS], model_params=offer.controls, name=TITLE)


@solara.component
def Words(model: Shown) -> None:
    """The question, and this week in a sentence."""
    update_counter.get()  # Mesa counts it up with every step: read here, it brings this component up to date
    with solara.Column(gap="2px", style={"padding": "8px 16px 0"}):
        solara.Text(f"{model.scenario.question} (“{model.arm.name}”, seed {model.seed})", style={"font-weight": "bold"})
        solara.Text(week_in_words(model))
        solara.Text("Everybody here is simulated. This is not a clinical tool, and says nothing about any real person.")


def _shown(panel: Panel) -> Any:
    def component(model: Shown) -> Any:
        source = base64.b64encode(image(panel, model)).decode("ascii")
        attributes = {"src": f"data:image/png;base64,{source}", "alt": panel.words(model)}
        return solara.HTML("img", attributes=attributes, classes=["attune-panel"])

    return component
