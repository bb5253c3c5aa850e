"""One client's course exchange by exchange, simulated as it is in the whole run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sim.errors import ScenarioError
from sim.scenario.arms import chosen_arm
from sim.scenario.scenario import Scenario
from sim.simulation import build
from sim.simulation.tasks import Task, simulated_part
from sim.simulation.tidy import frame
from sim.therapy.endings import ENDINGS
from sim.therapy.model import SHIPPED, Model


def _numbered_on(part: dict[str, dict[str, Any]]) -> None:
    """Number the sessions of one client on through all courses, in a clinic where a course may be handed over."""
    sessions, exchanges = part["sessions"], part["exchanges"]
    mine = np.flatnonzero(sessions["client"] == exchanges["client"][0])
    mine = mine[np.argsort(sessions["week"][mine], kind="stable")]
    places = {
        (therapist, session): number
        for number, (therapist, session) in enumerate(zip(sessions["therapist"][mine], sessions["session"][mine], strict=True), 1)
    }
    old = zip(exchanges["therapist"], exchanges["session"], strict=True)
    exchanges["session"] = np.array([places[pair] for pair in old])
    sessions["session"] = sessions["session"].copy()
    sessions["session"][mine] = np.arange(1, mine.size + 1)


def traced_course(
    scenario: Scenario, seed: int, arm: str | None, client: int, replicate: int = 0, model: Model = SHIPPED
) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Every exchange of one client's course, their sessions, and the arm's name.

    The client is simulated alone; random numbers are counter-based, so this is exactly their course in the whole run. The ending
    is in ``sessions.attrs["ending"]``. Raises ``ScenarioError`` for an arm or client that does not exist.
    """
    arm_here = chosen_arm(scenario, arm, replicate)
    arms, chosen = [a.name for a in scenario.arms], arm_here.name
    if arm_here.therapist is None:
        raise ScenarioError(f"{scenario.name}: arm '{chosen}' has no therapist, so there are no sessions to look into")
    in_clinic = arm_here.clinic is not None
    if not in_clinic and not 0 <= client < scenario.clients_per_arm:
        raise ScenarioError(f"{scenario.name}: no client {client}; clients are numbered 0 to {scenario.clients_per_arm - 1}")
    update: dict[str, Any] = {"traced": {chosen: (client,)}, "keep_items": False}
    if in_clinic:  # who shares therapists cannot be simulated alone
        update |= {"keep_sessions": True, "keep_assessments": False}
    numbers = np.empty(0, np.int64) if in_clinic else build.client_numbers(scenario, arm_here)[client : client + 1]
    client_number = client if in_clinic else int(numbers[0])
    part = simulated_part(scenario.model_copy(update=update), seed, Task(arm_here, replicate, numbers), model)
    if in_clinic and "exchanges" not in part:
        n = int(part["clinic"]["arrivals_total"][-1])
        what = "never had a session" if 0 <= client < n else f"does not exist; {n} came, numbered from 0"
        raise ScenarioError(f"{scenario.name}: client {client} of arm '{chosen}' {what}")
    if in_clinic:
        _numbered_on(part)
    exchanges = frame([(chosen, part["exchanges"])], "exchanges", arms)
    exchanges["session"] = exchanges["session"].astype("int32")
    mine = {name: values[part["sessions"]["client"] == client_number] for name, values in part["sessions"].items()}
    sessions = frame([(chosen, mine)], "sessions", arms)
    sessions.attrs["ending"] = ENDINGS[int(part["clients"]["ending"][part["clients"]["client"] == client_number][-1])]
    return exchanges, sessions, chosen
