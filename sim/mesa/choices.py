"""What the Mesa page can show, with its controls as Mesa describes them: a pairing of styles, or a scenario file; and what is
drawn of it. No Solara here.

Mesa's page makes a model again from keyword arguments whenever Reset is pressed, so a model's arguments are its controls.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from sim.errors import ScenarioError
from sim.mesa.model import TherapyModel
from sim.people.attachment import POPULATION
from sim.report.drawing import quarters
from sim.scenario.arms import chosen_arm
from sim.scenario.reading import shipped
from sim.scenario.scenario import from_spec, load
from sim.theory.parameters import PARAMETERS
from sim.theory.styles import STYLES

#: The first choice: no file, two styles; and the parameters that it has sliders for.
PAIRING, SLIDERS = "a pairing of styles", ("therapist_warmth_base", "therapist_skill_mean", "repair_effort")
#: More simulated people than this are no longer seen one by one, and a page with agents is the wrong tool for them.
MOST_PEOPLE = 5000


def _select(label: str, value: str, values: list[str]) -> dict[str, Any]:
    return {"type": "Select", "label": label, "value": value, "values": values}


def _slider(label: str, value: float, low: float, high: float, step: float = 1) -> dict[str, Any]:
    kind = "SliderInt" if step == 1 else "SliderFloat"
    return {"type": kind, "label": label, "value": value, "min": low, "max": high, "step": step}


class Pairing(TherapyModel):
    """Clients of one style with therapists of one style; ``kwargs`` (a word of Mesa's page): parameters of the model by name."""

    def __init__(self, client: str = "fearful", therapist: str = "secure", clients: int = 60, sessions: int = 20,
                 seed: int = 1, **kwargs: float) -> None:  # fmt: skip
        who = {"client": client, "therapist": therapist, "clients_per_arm": clients, "sessions": sessions, "parameters": kwargs}
        question = f"How do {client} clients fare with {therapist} therapists?"
        super().__init__(from_spec({"question": question, **who}, "pairing"), seed=seed)


def choices() -> list[str]:
    """What can be chosen: the pairing, then scenario files by name (``_files``)."""
    return [PAIRING, *_files()]


def _files() -> dict[str, Path]:
    """The scenario files of the folder ``scenarios`` here, by name; where there is none, the shipped ones."""
    return {path.stem: path for path in sorted(Path("scenarios").glob("*.yaml"))} or shipped()


def offered(choice: str) -> tuple[type[TherapyModel], dict[str, Any]]:
    """The kind of model behind a choice and its arguments, those that can be set as controls of Mesa's.

    Raises ``ScenarioError`` for a file that is wrong, gone, or about too many people.
    """
    seed = _slider("Seed", 1, 0, 200)
    if choice == PAIRING:
        sliders = [PARAMETERS[name] for name in SLIDERS]
        return Pairing, {
            "client": _select("Clients' style", "fearful", [*STYLES, POPULATION]),
            "therapist": _select("Therapists' style", "secure", [*STYLES, POPULATION, "none"]),
            "clients": _slider("Clients", 60, 1, 300), "sessions": _slider("Sessions", 20, 1, 60), "seed": seed,
            **{n.name: _slider(n.name, n.default, float(n.low), float(n.high), 0.01) for n in sliders},
        }  # fmt: skip
    scenario = load(_files().get(choice, Path("scenarios") / f"{choice}.yaml"))
    people = max(one.clinic.arrivals_per_week * one.clinic.intake_weeks if one.clinic else scenario.clients_per_arm
                 for one in scenario.arms)  # fmt: skip
    if people > MOST_PEOPLE:
        shown = f"this page shows at most {MOST_PEOPLE:,} one by one; choose another, or use 'attune run' for it"
        raise ScenarioError(f"{scenario.name}: is about {people:,.0f} simulated clients, and {shown}")
    arm = _select("Arm", chosen_arm(scenario, None, 0).name, [one.name for one in scenario.arms])
    replicate = _slider("Replicate", 0, 0, scenario.replicates - 1) if scenario.replicates > 1 else 0
    return TherapyModel, {"scenario": scenario, "arm": arm, "replicate": replicate, "seed": seed}


def made(kind: type[TherapyModel], controls: dict[str, Any]) -> TherapyModel:
    """The model as it is set before anybody has touched a control."""
    return kind(**{name: one["value"] if isinstance(one, dict) else one for name, one in controls.items()})


def week_in_words(model: TherapyModel) -> str:
    """One sentence on this week, with the numbers that the figures show."""
    here = f"{model.in_therapy} of {len(model.clients)} simulated clients are in therapy, {model.dropouts} have dropped out"
    means = f"mean latent alliance {model.mean_alliance:.2f}, distress {model.mean_distress:.2f}"
    return f"Week {model.steps} of {model.weeks}: {here}; {means}.{'' if model.running else ' The end.'}"


def plane_of(model: TherapyModel) -> Figure:
    """Everybody on the plane of general attachment now: anxiety to the right, avoidance upwards, on the ECR's scale (1-7)."""
    figure = Figure(figsize=(6.4, 4.8))
    ax = figure.subplots()
    quarters(ax)
    here = [client for client in model.clients if client.in_therapy]
    others = [client for client in model.clients if not client.in_therapy]
    for label, people in (("in therapy", here), ("not in therapy", others), ("therapist", model.therapists)):
        ax.scatter([one.ecr_anxiety for one in people], [one.ecr_avoidance for one in people], alpha=0.6, label=label)
    ax.set_title("Attachment now")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure
