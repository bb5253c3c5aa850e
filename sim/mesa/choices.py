"""What the Mesa page can show: a pairing of styles that is set with sliders, or a scenario file, as models with controls.

Mesa's page makes a model again from keyword arguments whenever Reset is pressed, so a model's arguments are its controls.
No Solara in here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sim.errors import ScenarioError
from sim.mesa.model import TherapyModel
from sim.people.attachment import POPULATION
from sim.people.population import ecr_score
from sim.scenario.arms import chosen_arm
from sim.scenario.scenario import Scenario, from_spec, load
from sim.theory.parameters import PARAMETERS
from sim.theory.styles import STYLES

#: The first choice: no file, two styles.
PAIRING = "a pairing of styles"
#: Numbers of the model that the pairing has sliders for.
SLIDERS = ("therapist_warmth_base", "therapist_skill_mean", "repair_effort")
#: More simulated people than this are no longer seen one by one, and a page with agents is the wrong tool for them.
MOST_PEOPLE = 5000
MOST_SEEDS = 200
#: Means of everybody hide the people: the middle half (quartiles) of these is drawn with them.
SPREAD = ("alliance", "distress")


class Shown(TherapyModel):
    """One arm of a scenario with what the page draws beside the usual: the spread of people, and where each one started.

    ``start``: shape (clients who have come, 2), attachment anxiety and avoidance (ECR, 1-7) of each when they came.
    ``lock`` is held while a week is lived: Mesa's page can step in one thread and draw in another.
    """

    def __init__(self, scenario: Scenario, arm: str | None = None, seed: int = 1, replicate: int = 0) -> None:
        quartiles = {f"{what}_{edge}": _quartile(what, q) for what in SPREAD for edge, q in (("low", 0.25), ("high", 0.75))}
        super().__init__(scenario, arm, seed, replicate, model_reporters=quartiles)
        self.lock = threading.Lock()
        self.start = np.empty((0, 2))
        self._note_who_came()

    def step(self) -> None:
        """Live one week. See ``TherapyModel.step``."""
        with self.lock:
            super().step()
            self._note_who_came()

    def seen_now(self, what: str) -> np.ndarray:
        """One value a client: latent alliance of this week's sessions, or latent distress of all who have come."""
        if what == "alliance":
            return np.asarray(self.world.dyads.client_alliance[self._setting.met])
        return np.asarray(self.world.clients.distress[: self._setting.present("client")])

    def _note_who_came(self) -> None:
        here = slice(len(self.start), self._setting.present("client"))
        came = [self.world.clients[name][here] for name in ("anxiety", "avoidance")]
        self.start = np.vstack([self.start, ecr_score(np.column_stack(came))])


def _quartile(what: str, share: float) -> Callable[[Shown], float]:
    def reported(model: Shown) -> float:
        values = model.seen_now(what)
        return float(np.quantile(values, share)) if values.size else float("nan")

    return reported


class Pairing(Shown):
    """Clients of one style with therapists of one style (or of the population, or none), by sliders instead of a file.

    ``kwargs``: parameters of the model by name (``sim.theory.parameters``); Mesa's page asks for this word.
    """

    def __init__(self, client: str = "fearful", therapist: str = "secure", clients: int = 60, sessions: int = 20,
                 seed: int = 1, **kwargs: float) -> None:  # fmt: skip
        spec = {
            "question": f"How do {client} clients fare with {therapist} therapists?",
            "client": client, "therapist": therapist, "clients_per_arm": clients, "sessions": sessions,
            "arms": {f"{client} clients, {therapist} therapists": {}}, "parameters": kwargs,
        }  # fmt: skip
        super().__init__(from_spec(spec, "pairing"), seed=seed)


class Offer(NamedTuple):
    """A model to show: its kind, and its arguments, those that can be set as Mesa describes controls."""

    kind: type[Shown]
    controls: dict[str, Any]

    def made(self) -> Shown:
        """The model as it is set before anybody has touched a control."""
        return self.kind(**{k: v["value"] if _is_control(v) else v for k, v in self.controls.items()})


def choices() -> list[str]:
    """What can be chosen: the pairing, then the scenario files of the folder ``scenarios`` here, by name."""
    return [PAIRING, *sorted(path.stem for path in Path("scenarios").glob("*.yaml"))]


def offered(choice: str) -> Offer:
    """The model behind a choice. Raises ``ScenarioError`` for a file that is wrong, gone, or about too many people."""
    if choice == PAIRING:
        return Offer(Pairing, _pairing_controls())
    scenario = load(Path("scenarios") / f"{choice}.yaml")
    people = max(_people(scenario))
    if people > MOST_PEOPLE:
        raise ScenarioError(
            f"{scenario.name}: is about {people:,.0f} simulated clients, and this page shows at most {MOST_PEOPLE:,} one by one; "
            f"choose another, or use 'attune run' for it"
        )
    arms = [arm.name for arm in scenario.arms]
    controls: dict[str, Any] = {"scenario": scenario, "arm": _one_of("Arm", chosen_arm(scenario, None, 0).name, arms)}
    if scenario.replicates > 1:
        controls["replicate"] = _whole("Replicate", 0, 0, scenario.replicates - 1)
    return Offer(Shown, {**controls, "seed": _seed()})


def _people(scenario: Scenario) -> list[float]:
    return [arm.clinic.arrivals_per_week * arm.clinic.intake_weeks if arm.clinic else scenario.clients_per_arm
            for arm in scenario.arms]  # fmt: skip


def _pairing_controls() -> dict[str, Any]:
    return {
        "client": _one_of("Clients' style", "fearful", [*STYLES, POPULATION]),
        "therapist": _one_of("Therapists' style", "secure", [*STYLES, POPULATION, "none"]),
        "clients": _whole("Clients", 60, 1, 300),
        "sessions": _whole("Sessions planned", 20, 1, 60),
        "seed": _seed(),
        **{name: _number(name) for name in SLIDERS},
    }


def _is_control(value: Any) -> bool:
    return isinstance(value, dict) and "type" in value


def _one_of(label: str, value: str, values: list[str]) -> dict[str, Any]:
    return {"type": "Select", "label": label, "value": value, "values": values}


def _whole(label: str, value: int, low: int, high: int) -> dict[str, Any]:
    return {"type": "SliderInt", "label": label, "value": value, "min": low, "max": high, "step": 1}


def _seed() -> dict[str, Any]:
    return _whole("Seed (another number: other random draws)", 1, 0, MOST_SEEDS)


def _number(name: str) -> dict[str, Any]:
    n = PARAMETERS[name]
    label = f"{n.meaning} ({n.unit}, {n.low:g} to {n.high:g})"
    return {"type": "SliderFloat", "label": label[0].upper() + label[1:], "value": n.default, "min": float(n.low),
            "max": float(n.high), "step": 0.01}  # fmt: skip
