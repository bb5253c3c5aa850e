"""Two people who meet, as the plain engine walks on them: in the verbs of a session, and in its exchanges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from sim.engine.blocks import MOST, tracking
from sim.engine.plain import Ground, walk
from sim.engine.wiring import READ, Anatomy, anatomy, bounds, moment_of_reading, trace_columns
from sim.errors import WiringError
from sim.measurement.asked import Ask, filled_in
from sim.measurement.responses import Occasion, Respondents
from sim.people.state import ANYTHING, Column, Columns
from sim.theory.steps import Draw, Step
from sim.therapy.verbs import VERBS, Verb

_FINITE = replace(ANYTHING, low=-MOST, high=MOST)
#: Every score of a questionnaire that a verb writes.
RATINGS = tuple(name for verb in VERBS for step in verb.steps for name in step.writes if name.startswith("rating."))


class Meeting(Ground):
    """Dyads who meet this week, as the plain engine walks on them.

    ``before``: what clients bring from another therapist, by column.
    """

    def __init__(self, world: Any, rows: np.ndarray, verb: Verb, before: Mapping[str, np.ndarray] | None = None) -> None:
        self.world, self.rows, self.verb, self.before = world, rows, verb.__name__, before or {}
        self.left = Counter(name for step in verb.steps for name in step.writes)  # writes that are still to come
        self.columns, self.parameters = world.quantities, world.known
        if own := [name for name in self.left if name.startswith("rating.") and name not in self.columns]:
            self.columns = {**self.columns, **dict.fromkeys(own, ANYTHING)}
        self.who = {"client": world.client_of[rows], "therapist": world.therapist_of[rows]}

    def _people(self, name: str) -> tuple[Columns, str, np.ndarray]:
        """The table, the column and the rows that ``client.x`` or ``therapist.x`` means."""
        role, _, column = name.partition(".")
        return self.world.clients if role == "client" else self.world.therapists, column, self.who[role]

    def read(self, name: str) -> np.ndarray:
        """A quantity of the two, or of either."""
        if name == "planned_sessions":
            return self.world.planned_sessions[self.rows]
        if name.startswith("before."):
            return self.before.get(name.removeprefix("before."), np.full(self.rows.size, np.nan))
        if "." not in name:
            return self.world.dyads[name][self.rows]
        table, column, who = self._people(name)
        return table[column][who]

    def write(self, name: str, values: Any) -> None:
        """Set a quantity of the two, a rating of this week, or how the course goes on."""
        if "." in name and not name.startswith("rating."):
            table, column, who = self._people(name)
            if table is self.world.therapists:
                raise WiringError(f"{self.verb}: {name} can only be added to, since a therapist meets others too")
            table[column][who] = values
            self._keep(table, column)
        elif name == "ending":
            self.world.ending[self.rows] = values
        elif name.startswith("rating."):
            self.world.rate(name.removeprefix("rating."), self.rows, values)
        elif self.left[name] > 1:  # what is held is held when the verb has done with it, since so it stands in the baseline
            self.left[name] -= 1
            self.world.dyads[name][self.rows] = values
        else:
            self.world.write(name, self.rows, values)

    def add(self, name: str, values: Any) -> None:
        """Add to a quantity; a therapist may have met several clients."""
        if "." not in name:
            self.write(name, self.read(name) + values)
            return
        table, column, who = self._people(name)
        np.add.at(table[column], who, values)
        self._keep(table, column)

    @staticmethod
    def _keep(table: Columns, column: str) -> None:
        if table.declared[column].kept:
            table.keep_within(column, table[column])

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of the client, the therapist or the two."""
        w = self.world
        codes = {"client": w.client_code, "therapist": w.therapist_code}
        code = w.pair_code[self.rows] if draw.whose == "pair" else codes[draw.whose][self.who[draw.whose]]
        return w.luck.of_kind(draw.kind, code, draw.purpose, 0 if draw.once else w.week)

    def seen(self, step: Step) -> Mapping[str, float]:
        """What the step's equation sees where links are cut."""
        intervention = self.world.intervention
        return {} if intervention is None else intervention.seen(step.role, step.equation.__name__)

    @cached_property
    def occasion(self) -> Occasion | None:
        """The session, where every response is kept; before it begins it is the one that they come to."""
        w = self.world
        number = w.dyads.session[self.rows] + (self.verb == "rate_distress")
        return w.occasion("session", self.who["client"], self.who["therapist"], number)

    def ask(self, what: Ask, read: Callable[[str], Any]) -> None:
        """Have a questionnaire filled in: ratings by others than the client belong to the two."""
        w = self.world
        code = w.client_code[self.who["client"]] if what.rater == "client" else w.pair_code[self.rows]
        whom = Respondents(code, w.week, w.parameters, w.luck, what.rater, self.occasion)
        for name, scores in filled_in(what, read, whom).items():
            self.write(name, scores)


class Exchanging(Ground):
    """Dyads in the exchanges of a session, as the plain engine walks on them; what an experiment does is done at every step.

    Every quantity is kept from one exchange to the next. ``held`` holds the session.
    """

    def __init__(self, world: Any, rows: np.ndarray) -> None:
        self.world, self.rows, self.exchange = world, rows, 0
        self.steps, declared = world.exchange_steps, world.dyads.declared
        self.places: Anatomy = anatomy(self.steps, tuple(world.parameters), tuple(declared.values()))
        self.traced = trace_columns(self.steps)
        self.columns: Mapping[str, Column] = {
            **declared,
            **dict.fromkeys((q for q in self.traced if q not in declared), ANYTHING),
        }
        self.parameters = world.known
        self.now: dict[str, np.ndarray] = {}
        self.sums: dict[str, Any] = {}
        behind = moment_of_reading(self.steps, declared)
        self.moment = sum(len(step.writes) for step in self.steps[: behind + 1]) - 1  # the last write of that step
        self.cut: dict[str, dict[str, float]] = {}
        if world.intervention is not None:
            for (name, argument, _), value in zip(self.places.links, world.intervention.cut.tolist(), strict=True):
                if value == value:
                    self.cut.setdefault(name, {})[argument] = value
            names = dict.fromkeys(name for name, _ in self.places.writes)
            self.off = {name for name, off in zip(names, world.intervention.off, strict=True) if off}

    def held(self) -> tuple[int, int]:
        """All exchanges of the session. Row and column of the first dyad with a quantity that is not within its range, or -1."""
        w, fault = self.world, Fault(self.rows.size)
        loaded = dict.fromkeys((*self.places.loaded, *(q for q in self.traced if q in w.dyads.index)))
        fault.among({name: self.read(name) for name in loaded}, self.columns)
        means = [name for name in self.traced if f"mean_{name}" in w.dyads.index]
        for self.exchange in range(w.n_exchanges):
            self.written = 0
            walk(self.steps, self)
            for name in means:
                self.sums[name] = self.sums.get(name, 0.0) + self.now[name]
            for row in np.flatnonzero(w.trace_row[self.rows] >= 0).tolist():
                w.trace[w.trace_row[self.rows[row]], self.exchange] = [self.now[name][row] for name in self.traced]
        found = {f"mean_{name}": self.sums[name] / w.n_exchanges for name in means}
        fault.among({name: self.now[name] for name in self.traced if name in w.dyads.index}, self.columns)
        fault.among(found, dict.fromkeys(found, _FINITE))
        for name, values in {**self.now, **found, **self._accuracy()}.items():
            if name in w.dyads.index:
                w.dyads[name][self.rows[: fault.row]] = values[: fault.row]
        if not fault.name:
            return -1, -1
        row = int(self.rows[fault.row])
        w.dyads[fault.name][row] = fault.value
        return row, w.dyads.index[fault.name]

    def read(self, name: str) -> Any:
        """A quantity as it is now, or as the session found it."""
        if name == "exchange":
            return self.exchange
        if name not in self.now:
            self.now[name] = self.world.dyads[name][self.rows]
        return self.now[name]

    def write(self, name: str, values: Any) -> None:
        """Set a quantity. Where its step is switched off it stays as it was, or is nothing; it may be held or forced."""
        new, reach = np.array(np.broadcast_to(values, self.rows.shape), np.float64), self.world.intervention
        if reach is not None:
            step = self.places.writes[self.written][0]
            if step in self.off:
                new = self.read(name).copy() if step in self.places.updates else np.zeros(self.rows.size)
            session = self.world.dyads.session[self.rows].astype(np.int64)
            new = reach.reached(self.written, new, self.rows, session, self.exchange, bounds(name, self.world.dyads.declared))
        self.now[name] = new
        if self.written == self.moment:
            self._add_reading()
        self.written += 1

    def draw(self, draw: Draw) -> np.ndarray:
        """Random numbers of this exchange: the client's, or the pair's."""
        w = self.world
        code = w.client_code[w.client_of[self.rows]] if draw.whose == "client" else w.pair_code[self.rows]
        return w.luck.of_kind(draw.kind, code, draw.purpose, w.week, self.exchange)

    def seen(self, step: Step) -> Mapping[str, float]:
        """What the step's equation sees where links are cut."""
        return self.cut.get(step.name, {})

    def _add_reading(self) -> None:
        """What the therapist's estimate has to do with the client's arousal, at the moment of reading."""
        e, arousal, x = (self.now[name] for name in READ)
        more = {"e": e, "l": arousal, "miss": abs(e - arousal), "x": x}
        more |= {"ee": e * e, "ll": arousal * arousal, "el": e * arousal, "xx": x * x}
        for name, values in more.items():
            self.sums[f"of {name}"] = self.sums.get(f"of {name}", 0.0) + values

    def _accuracy(self) -> dict[str, np.ndarray]:
        """How well the therapist read the client in this session."""
        if self.moment < 0:
            return {}
        n, s = float(self.world.n_exchanges), {name.removeprefix("of "): values for name, values in self.sums.items()}
        return {
            "tracking_accuracy": tracking(n, s["e"], s["l"], s["ee"], s["ll"], s["el"], s["x"], s["xx"]),
            "accuracy_level": 1.0 - s["miss"] / n,
            "directional_bias": (s["e"] - s["l"]) / n,
        }


class Fault:
    """The first of some dyads with a quantity that is no number or out of its range: its place, the quantity, its value."""

    def __init__(self, n: int) -> None:
        self.row, self.name, self.value = n, "", 0.0

    def among(self, quantities: Mapping[str, Any], columns: Mapping[str, Column]) -> None:
        """Look among these too: whoever comes before is the first; of one dyad's quantities the one that was looked at first."""
        for name, values in quantities.items():
            wrong = ~((values >= columns[name].low) & (values <= columns[name].high))
            row = int(np.argmax(wrong)) if wrong.any() else self.row
            if row < self.row:
                self.row, self.name, self.value = row, name, float(values[row])
