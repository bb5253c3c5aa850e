"""What is known of each person and each dyad: one declaration per column, and the arrays that hold them.

The arrays are the truth. Internally attachment is held as a proportion, ``(ECR - 1) / 6``; tables show 1 to 7.
Both roles have the same person columns. A dyad row holds everything two people bring to, do in and take from
their sessions, so that compiled code needs this one array.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from sim.compiling import compiled
from sim.elementary import maximum, minimum
from sim.errors import StateError
from sim.theory.regions import REGIONS, ROLES


@dataclass(frozen=True)
class Column:
    """One state column: name, where it starts, its valid range, unit and meaning.

    ``start``, ``low`` and ``high`` are in ``unit``; a value outside stops the run.

    >>> Column("client_rumination", 0.0, 0, 1, "proportion", "how much the client goes over things").high
    1
    """

    name: str
    start: float
    low: float
    high: float
    unit: str
    meaning: str
    kept: bool = False  # whether every step that writes it keeps it within its range


def _columns(rows: Iterable[Sequence[Any]]) -> dict[str, Column]:
    return {row[0]: Column(*row) for row in rows}


_INF = float("inf")

#: One row per person, client or therapist.
PERSON = _columns([
    ("anxiety_anchor", 0.45, 0, 1, "proportion", "early anchor of attachment anxiety", True),
    ("avoidance_anchor", 0.36, 0, 1, "proportion", "early anchor of attachment avoidance", True),
    ("anxiety", 0.45, 0, 1, "proportion", "general model (prototype): attachment anxiety", True),
    ("avoidance", 0.36, 0, 1, "proportion", "general model (prototype): attachment avoidance", True),
    ("distress", 0, -6, 8, "community SD", "psychological distress", True),
    ("distress_set_point", 0, -6, 8, "community SD", "distress to which this person returns", True),
    ("immature", 0, -1000, 1000, "SD", "immature defences"),
    ("neurotic", 0, -1000, 1000, "SD", "neurotic defences"),
    ("immature_own", 0, -1000, 1000, "SD", "immature defences, the part that is not attachment"),
    ("neurotic_own", 0, -1000, 1000, "SD", "neurotic defences, the part that is not attachment"),
    ("distress_own", 0, -1000, 1000, "community SD", "set point of distress, the part that is neither attachment nor defences"),
    ("skill", 0.5, 0, 1, "proportion", "capacity to mentalise when calm"),
    ("warmth_trait", 0, -6, 6, "logit", "warmth beyond attachment"),
    ("regulation", 0.35, 0, 1, "proportion", "trained prefrontal regulation (affect regulation of K21)", True),
    ("fatigue", 0, 0, 1, "proportion", "tiredness from work"),
    ("repair_skill", 0, -6, 6, "logit", "trained readiness to repair ruptures; 0 = untrained"),
    ("treatment_gain", 0, -6, 6, "proportion; therapists: log", "what this person makes of the same treatment"),
    ("adaptation", 0, 0, 1, "proportion", "trained fitting of responses to the partner's attachment; 0 = untrained"),
    ("response_style", 0, -6, 6, "logit", "how favourably this person rates the therapy"),
    ("ecr_response_style_anxiety", 0, -6, 6, "scale points", "how this person responds to anxiety items"),
    ("ecr_response_style_avoidance", 0, -6, 6, "scale points", "how this person responds to avoidance items"),
    ("life_events", 0, 0, _INF, "events", "life events since the last assessment"),
])

#: What both people bring and take along, by the names that steps of a session use: ``client.distress``.
OF_PEOPLE = {f"{role}.{name}": column for role in ROLES for name, column in PERSON.items()}
#: What may be any number, or none: a rating, how a course goes on.
ANYTHING = Column("", float("nan"), -_INF, _INF, "", "")

_PER_ROLE = [
    ("anxiety", 0.45, 0, 1, "proportion", "anxiety with this partner (implicit memory of K21)"),
    ("avoidance", 0.36, 0, 1, "proportion", "avoidance of this partner (implicit memory of K21)"),
    ("general_anxiety", 0.45, 0, 1, "proportion", "attachment anxiety in general, as brought"),
    ("general_avoidance", 0.36, 0, 1, "proportion", "attachment avoidance in general, as brought"),
    ("distress", 0, -6, 8, "community SD", "distress, as brought to the session"),
    ("skill", 0.5, 0, 1, "proportion", "capacity to mentalise, as brought"),
    ("warmth_trait", 0, -6, 6, "logit", "warmth beyond attachment, as brought"),
    ("regulation", 0.35, 0, 1, "proportion", "trained regulation, as brought and changed"),
    ("fatigue", 0, 0, 1, "proportion", "tiredness, as brought"),
    ("repair_skill", 0, -6, 6, "logit", "readiness to repair ruptures, as brought"),
    ("adaptation", 0, 0, 1, "proportion", "fitting of responses to this partner's attachment, as brought"),
    ("arousal", 0.3, 0, 1, "proportion", "arousal now"),
    ("expression", 0.2, 0, 1, "proportion", "what was shown in the last exchange"),
    ("disclosure", 0, 0, 1, "proportion", "how much was said in the last exchange"),
    ("said", 0.3, 0, 1, "proportion", "the arousal that the last words told of"),
    ("perceived", 0.6, 0, 1, "proportion", "the partner's last response as perceived"),
    ("perceived_mean", 0.6, 0, 1, "proportion", "running mean of perceived responses"),
    ("inconsistency", 0.05, 0, 1, "proportion", "running inconsistency of the partner"),
    ("trust", 0.52, 0, 1, "proportion", "perceived trustworthiness of the partner"),
    ("sustained", 0, 0, 1, "proportion", "trust that has lasted in this bond: a slow running mean, from 0"),
    ("compatibility", 0, -8, 8, "logit", "lasting compatibility with the partner as this person feels it, unrelated to style"),
    ("distress_usual", 0, -6, 8, "community SD", "distress that this person has been used to of late"),
    ("usual", 0.6, 0, 1, "proportion", "session mean of perceived responses that this person is used to here"),
    ("quality", 0, -100, 100, "SD", "how good this session was for this person, against what they are used to"),
    ("moment", 0, -100, 100, "logit", "what this session adds to how the alliance is felt"),
    ("impression", 0, -8, 8, "SD", "what is left of the first impression of the partner"),
]

#: The quantity of an exchange that is a region's activity.
REGION_ACTIVITY = {
    "mirror": "mirrored", "limbic": "arousal", "insula": "felt", "acc": "conflict", "tpj": "separation",
    "dmpfc": "mentalising", "vmpfc": "felt_understanding", "ofc": "control", "vlpfc": "labelling",
}
assert list(REGION_ACTIVITY) == list(REGIONS)

_ALSO_KEPT = ("perceived", "response", "estimate", "attunement", "disclosure", "expression")

#: Quantities of an exchange whose session mean is kept.
MEANS = (
    *(f"{role}_{quantity}" for role in ROLES for quantity in (*REGION_ACTIVITY.values(), *_ALSO_KEPT)),
    "client_bid", "therapist_warmth", *(f"{role}_learning_gate" for role in ROLES),
)

#: One row per dyad (course of therapy).
DYAD = _columns([
    *((f"{role}_{name}", *rest) for role in ROLES for name, *rest in _PER_ROLE),
    ("client_bond", 0.52, 0, 1, "proportion", "the bond of the alliance, client's view"),
    ("therapist_bond", 0.52, 0, 1, "proportion", "the bond of the alliance, therapist's view"),
    ("shared_meaning", 0.2, 0, 1, "proportion", "meaning made together"),
    ("capability", 0.55, 0, 1, "proportion", "the therapist's capability as the client perceives it"),
    ("client_task", 0.52, 0, 1, "proportion", "agreement on tasks, client's view"),
    ("client_goal", 0.52, 0, 1, "proportion", "agreement on goals, client's view"),
    ("therapist_task", 0.52, 0, 1, "proportion", "agreement on tasks, therapist's view"),
    ("therapist_goal", 0.52, 0, 1, "proportion", "agreement on goals, therapist's view"),
    ("client_engagement", 0.55, 0, 1, "proportion", "the client's motivation and commitment"),
    ("client_alliance", 0.52, 0, 1, "proportion", "latent working alliance, client's view"),
    ("therapist_alliance", 0.52, 0, 1, "proportion", "latent working alliance, therapist's view"),
    ("client_tension", 0, 0, _INF, "proportion", "the client's disappointment, built up"),
    ("open_rupture", 0, 0, 1, "proportion", "what is open of ruptures: their depth, less what was repaired or has healed"),
    ("deepest_rupture", 0, 0, 1, "proportion", "depth of the deepest rupture in this session"),
    ("withdrawals", 0, 0, _INF, "count", "withdrawal ruptures in this session"),
    ("confrontations", 0, 0, _INF, "count", "confrontation ruptures in this session"),
    ("repairs", 0, 0, _INF, "count", "repairs in this session"),
    ("session", 0, 0, _INF, "count", "sessions held so far, this one included"),
    ("distress_intake", 0, -6, 8, "community SD", "distress at intake"),
    ("distress_first_rated", 0, 0, 40, "CORE-OM 0-40", "distress as rated before the first session of this course"),
    ("off_track", 0, 0, 1, "0 or 1", "whether the therapist has been told that this client is off track"),
    ("dropout_risk", 0, 0, 1, "probability", "probability of leaving after this session"),
    ("tracking_accuracy", 0, -1, 1, "correlation", "of the therapist's estimate with the client's arousal"),
    ("accuracy_level", 0, 0, 1, "proportion", "1 - mean absolute error of that estimate"),
    ("directional_bias", 0, -1, 1, "proportion", "mean error of that estimate; below 0: arousal is missed"),
    *((f"mean_{name}", 0, 0, 1, "proportion", f"session mean of {name}") for name in MEANS),
])


#: Dyad columns that go into the session table as they are: their names there -> here. What the catalogue of tables
#: (``catalogue/columns.py``) does not describe otherwise has the unit and meaning declared above.
LATENT = {
    "session": "session", "tracking_accuracy": "tracking_accuracy", "accuracy_level": "accuracy_level",
    "directional_bias": "directional_bias", "alliance_latent": "client_alliance",
    "alliance_therapist_latent": "therapist_alliance", "disclosure": "mean_client_disclosure",
    "labelling": "mean_client_labelling", "response": "mean_therapist_response", "warmth": "mean_therapist_warmth",
    "expression": "mean_client_expression", "therapist_expression": "mean_therapist_expression",
    "perceived_response": "mean_client_perceived", "collaboration": "mean_client_response",
    "perceived_collaboration": "mean_therapist_perceived", "attunement": "mean_therapist_attunement",
    "bids": "mean_client_bid", "shared_meaning": "shared_meaning", "capability": "capability",
    "engagement": "client_engagement", "repairs": "repairs", "open_rupture": "open_rupture",
    "rupture_depth": "deepest_rupture", "session_quality": "client_quality", "dropout_risk": "dropout_risk",
    "regulation_client": "client_regulation", "regulation_therapist": "therapist_regulation",
}
#: The same of the session mean of a region's activity.
REGION_COLUMNS = {f"{role}_{region}": f"mean_{role}_{quantity}" for role in ROLES for region, quantity in REGION_ACTIVITY.items()}


_LOW, _HIGH = attrgetter("low"), attrgetter("high")


class Columns:
    """Named float columns of equal length, held as the rows of one array: ``c.anxiety`` is a view, not a copy."""

    __slots__ = ("_ranges", "data", "declared", "index")

    def __init__(self, declared: dict[str, Column], n: int) -> None:
        self.declared = declared
        self._ranges: dict[tuple[str, ...] | None, tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]] = {}
        self.index = {name: i for i, name in enumerate(declared)}
        self.data = np.empty((len(declared), n))
        for i, column in enumerate(declared.values()):
            self.data[i] = column.start

    def ranges(self, names: tuple[str, ...] | None) -> tuple[tuple[str, ...], np.ndarray, np.ndarray, np.ndarray]:
        """These columns (all of them for none), where they stand, and the lowest and highest value of each."""
        if names not in self._ranges:
            chosen = tuple(self.declared) if names is None else names
            low, high = (np.array([end(self.declared[name]) for name in chosen], np.float64) for end in (_LOW, _HIGH))
            self._ranges[names] = chosen, np.array([self.index[name] for name in chosen], np.int64), low, high
        return self._ranges[names]

    def __getattr__(self, name: str) -> np.ndarray:
        try:
            return self.data[self.index[name]]
        except KeyError:
            raise AttributeError(f"no column '{name}'") from None

    def __getitem__(self, name: str) -> np.ndarray:
        return self.data[self.index[name]]

    def __setitem__(self, name: str, values: Any) -> None:
        self.data[self.index[name]] = values

    def keep_within(self, name: str, values: Any, rows: Any = slice(None)) -> None:
        """Set a column (for some rows) to values kept within its declared range."""
        column = self.declared[name]
        self.data[self.index[name], rows] = minimum(maximum(values, column.low), column.high)

    def first(self, n: int) -> Columns:
        """The first ``n`` rows as columns of their own: a view, so what is written there is written here."""
        part = object.__new__(Columns)
        part.declared, part.index, part._ranges, part.data = self.declared, self.index, self._ranges, self.data[:, :n]
        return part

    def rows(self, rows: np.ndarray) -> Columns:
        """Some rows as columns of their own: a copy."""
        part = object.__new__(Columns)
        part.declared, part.index, part._ranges = self.declared, self.index, self._ranges
        part.data = np.ascontiguousarray(self.data[:, rows])
        return part

    def grown(self, n: int) -> Columns:
        """These rows and more behind them, ``n`` in all; the new ones stand where columns start. A copy."""
        more = Columns(self.declared, n)
        more.data[:, : len(self)] = self.data
        return more

    def __len__(self) -> int:
        return int(self.data.shape[1])


def _first_outside(data, n, places, lows, highs):  # type: ignore[no-untyped-def]
    for k in range(places.size):
        wrong = 0
        for i in range(n):
            x = data[places[k], i]
            wrong += 0 if (x >= lows[k]) & (x <= highs[k]) else 1
        if wrong:
            for i in range(n):
                if not (data[places[k], i] >= lows[k] and data[places[k], i] <= highs[k]):
                    return k, i
    return -1, -1


def check_range(columns: Columns, names: tuple[str, ...] | None = None, where: str = "", n: int | None = None) -> None:
    """Raise ``StateError`` naming the first column (and row) that is NaN or outside its range; ``n``: of the first rows."""
    chosen, places, low, high = columns.ranges(names)
    k, row = compiled(_first_outside)(columns.data, len(columns) if n is None else n, places, low, high)
    if k >= 0:
        column = columns.declared[chosen[k]]
        raise StateError(f"{where}row {row}: {column.name} is {columns[column.name][row]}; "
                         f"it must lie in {column.low:g}..{column.high:g} ({column.unit})", [column.name])  # fmt: skip
