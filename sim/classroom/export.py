"""What can be kept of a picture as data, each stamped with what it is, version and seed."""

from __future__ import annotations

import io

from sim.classroom.course.scenarios import run_command, scenario_of
from sim.classroom.course.state import State
from sim.classroom.course.words import words
from sim.runs.run import run
from sim.version import __version__


def name_of(state: State) -> str:
    """The name of a downloaded file, without its ending."""
    return f"attune-{state.lesson}-seed{state.shared.seed}"


def sessions_csv(state: State, address: str) -> str:
    """The table of sessions of the two courses that are shown (arms A and B), or with ``many`` of all clients of the fan."""
    clients = state.shared.clients if state.query["many"] == "1" else 1
    # Clients are numbered and their luck goes with the number: fewer of them change nothing for the others.
    scenario = scenario_of(state.a, state.b, state.shared).model_copy(update={"clients_per_arm": clients, "traced": {}})
    sessions = run(scenario, state.shared.seed, threads=1).sessions
    said = words()["export"]
    text = io.StringIO(newline="")
    for line in (
        f"{said['stamped'].format(version=__version__, seed=state.shared.seed)}. {said['stamp']}",
        said["address"].format(address=address),
        f"{said['reproduce'].format(command=run_command(state))}. {said['columns']}",
    ):
        text.write(f"# {line}\n")
    sessions.to_csv(text, index=False, lineterminator="\n")
    return text.getvalue()
