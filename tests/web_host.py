"""The web engine under wasmtime: an arm's courses as the browser would compute them, for comparison with those of ``sim.run``."""

from __future__ import annotations

import ctypes
from functools import lru_cache
from typing import Any

import numpy as np
import wasmtime

from sim.engine.web.program import PLACES, SETTINGS, Program
from sim.people.population import WANTED, wanted_numbers
from sim.people.state import PERSON
from sim.scenario.scenario import Arm, Scenario
from sim.simulation.build import arm_parameters, arm_weeks
from sim.theory.regions import ROLES, lesioned
from sim.therapy.course import WEEKS_PER_MONTH
from sim.therapy.interventions import clamped_quantities
from sim.therapy.policies import POLICIES


class Host:
    """A module with its memory."""

    def __init__(self) -> None:
        self.start(Program())

    def start(self, program: Program) -> None:
        """Assemble a program, and begin with its memory as it is."""
        self.program = program
        store = wasmtime.Store()
        module = wasmtime.Module(store.engine, wasmtime.wat2wasm(self.program.wat))
        self.store, self.exports = store, wasmtime.Instance(store, module, []).exports(store)
        self.base = self.program.module.top

    def numbers(self, address: int, n: int, of: Any = np.float64) -> np.ndarray:
        """A part of the memory, as it is now."""
        memory = self.exports["memory"]
        pointer = ctypes.cast(memory.data_ptr(self.store), ctypes.c_void_p).value or 0
        raw = (ctypes.c_ubyte * (8 * n)).from_address(pointer + address)
        return np.frombuffer(raw, of)

    def column(self, name: str) -> np.ndarray:
        """A column that has a fixed place."""
        placed = self.program.memory[name]
        return self.numbers(placed.address, placed.column.size or 0, {"u64": np.uint64}.get(placed.column.of, np.float64))

    def set_up(self, scenario: Scenario, arm: Arm, seed: int, replicate: int = 0, still: bool = False) -> None:
        """Put an arm into the memory."""
        parameters, x = arm_parameters(arm), self.program.x
        self.column("ADDRESS")[:] = seed, replicate
        self.column("P0")[:] = [*parameters.array(lesioned(arm.lesions)), float(still)]
        for role in ROLES:
            who = arm.client if role == "client" else arm.therapist
            if who is None:
                continue
            wanted = wanted_numbers(role, who, parameters)
            self.column(f"WANTED_{role}")[:] = [wanted[name] for name in WANTED]
            self.column(f"EARLY_{role}")[:] = np.nan if who.early is None else who.early
            spreads = [parameters.of(role, f"{name}_{of}") for name in ("anxiety", "avoidance") for of in ("mean", "sd")]
            if who.kind == "normal":
                assert who.anxiety is not None and who.avoidance is not None
                spreads = [*who.anxiety, *who.avoidance]
            self.column(f"SPREAD_{role}")[:] = [who.kind == "normal", *spreads]
        wanted_ = arm.interventions
        self.column("X0")[:] = np.nan
        for name in x:
            if name.startswith(("off", "shift", "recording", "holding", "n_")):
                self.column("X0")[x[name]] = 0.0 if not name.startswith("off") else np.nan
            elif name.startswith(("place", "forced")):
                self.column("X0")[x[name]] = -1.0
        for link, value in wanted_.cut.items():
            self.column("X0")[x[f"cut {link}"]] = value
        for name in wanted_.switch_off:
            self.column("X0")[x[f"off {name}"]] = 0.0 if "." not in name else 1.0
        held = clamped_quantities(wanted_.clamp)
        n = 0
        for k, (_, quantity) in enumerate(PLACES.writes):
            if quantity in held:
                self.column("X0")[[x[f"place {k}"], x[f"shift {k}"]]] = n, held[quantity]
                n += 1
        for quantity, amount in held.items():
            if f"held {quantity}" in x:
                self.column("X0")[x[f"held {quantity}"]] = amount
        self.column("X0")[[x["holding"], x["n_held"]]] = bool(held), n
        writes = [k for k, (_, quantity) in enumerate(PLACES.writes) if quantity in {one.quantity for one in wanted_.force}]
        rows = [(place, one.session or 0, one.exchange or 0, one.value) for one in wanted_.force
                for place, k in enumerate(writes) if PLACES.writes[k][1] == one.quantity]  # fmt: skip
        for place, k in enumerate(writes):
            self.column("X0")[x[f"forced {k}"]] = place
        self.forced = np.ravel(rows).astype(np.float64) if rows else np.empty(0)
        self.column("X0")[x["n_forced"]] = len(writes)
        self.n_laid = len(writes) * arm.sessions * scenario.exchanges
        added = [(list(PERSON).index(name), amount) for policy in arm.policies for name, amount in POLICIES[policy].adds.items()]
        self.column("ADDED")[: 2 * len(added)] = np.ravel(added) if added else []
        settings = {
            "sessions": arm.sessions, "follow_up_months": scenario.follow_up_months, "weeks": 0, "exchanges": scenario.exchanges,
            "therapy": arm.therapist is not None, "experiment": bool(wanted_), "caseload": scenario.clients_per_therapist,
            "n_added": len(added), "followed": False,
        }  # fmt: skip
        self.column("S")[:] = [settings[name] for name in SETTINGS]
        self.settings = settings
        assert self.exports["prepare"](self.store) == 0
        settings["weeks"] = arm_weeks(scenario, arm)

    def many(self, first: int, n: int, followed: bool = False) -> dict[str, dict[str, np.ndarray]]:
        """The tables of ``n`` clients: name -> column -> (client) or (client, row); of exchanges (session, exchange)."""
        settings = self.settings
        months, sessions = settings["weeks"] // WEEKS_PER_MONTH + 1, settings["sessions"]
        rows = {"clients": (n,), "sessions": (n, sessions), "assessments": (n, months),
                "exchanges": (sessions if followed else 0, settings["exchanges"])}  # fmt: skip
        laid = self.base + 8 * self.forced.size
        places, end = {}, laid + 8 * self.n_laid
        for name, shape in rows.items():
            places[name], end = end, end + 8 * len(self.program.tables[name]) * int(np.prod(shape))
        memory = self.exports["memory"]
        if end > memory.data_len(self.store):
            memory.grow(self.store, -(-(end - memory.data_len(self.store)) // 65536))
        self.numbers(self.base, (end - self.base) // 8)[:] = np.nan
        self.numbers(self.base, self.forced.size)[:] = self.forced
        self.exports["lay_out"](self.store, self.base, self.forced.size // 4, laid)
        self.column("S")[SETTINGS.index("followed")] = followed
        failed = self.exports["many"](self.store, first, n, *places.values(), laid)
        if failed >= 0:
            raise ValueError((failed, self.column("ERROR").tolist()))
        found = {}
        for name, shape in rows.items():
            columns = self.program.tables[name]
            values = self.numbers(places[name], len(columns) * int(np.prod(shape))).reshape(len(columns), *shape)
            found[name] = {column: values[k].copy() for k, column in enumerate(columns)}
        return found


@lru_cache(maxsize=1)
def host() -> Host:
    """One module for all."""
    return Host()
