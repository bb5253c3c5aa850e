"""Equations: the limit or closed form each docstring promises, bounds, direction, and that one line serves three forms."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from sim.compiling import generated_module
from sim.people.state import DYAD, PERSON
from sim.theory import equations as eq
from sim.theory.parameters import PARAMETERS, Parameters
from sim.theory.regions import REGIONS

EQUATIONS: dict[str, Callable[..., Any]] = {
    name: f for name, f in vars(eq).items()
    if inspect.isfunction(f) and not name.startswith("_") and f.__module__ == eq.__name__ and name != "register_jitable"
}
every_equation = pytest.mark.parametrize("name", EQUATIONS)
P = Parameters()

# ------------------------------------------------------------------------- where arguments lie

#: Ranges of arguments that are neither a column nor a declared number under their own name.
RANGES = {
    "x": (-30, 30), "by": (-8, 8), "share": (0, 1), "step": (-0.25, 0.25), "value": (-6, 8), "target": (-6, 8), "rate": (0, 1),
    "habitual_anxiety": (0, 1), "habitual_avoidance": (0, 1), "partner_habitual_anxiety": (0, 1),
    "partner_habitual_avoidance": (0, 1), "general": (0, 1), "general_mean": (0.05, 0.95),
    "general_sd": (0, 0.3), "learned": (-1, 1), "mean_learning_gate": (0, 1), "felt_weight": (0, 50), "words_weight": (0, 100),
    "quality": (-8, 8), "moment": (-8, 8), "depth": (0, 1),
    "limbic": (0, 1), "mirrored": (0, 1), "felt": (0, 1), "mentalising": (0, 1), "self_other": (0, 1), "estimate": (0, 1),
    "attunement": (0, 1), "partner_attunement": (0, 1), "felt_understanding": (0, 1), "warmth": (0, 1), "partner_warmth": (0, 1),
    "partner_bid": (0, 1), "response": (0, 1), "partner_response": (0, 1), "disclosure": (0, 1), "partner_disclosure": (0, 1),
    "expectation": (0, 1), "surprise": (-1, 1), "learning_gate": (0, 1), "labelling": (0, 1), "control": (0, 1),
    "arousal_target": (0, 1), "confronted": (0, 1), "mean_perceived": (0, 1), "mean_attunement": (0, 1), "progress": (-4, 6),
    "bond": (0, 1), "task": (0, 1), "goal": (0, 1), "alliance": (0, 1), "engagement": (0, 1), "level": (0, 1),
    "level_typical": (0.05, 0.95), "attachment": (0, 1), "bid": (0, 1),
    "session": (1, 200), "tension": (0, 10), "compatibility": (-3, 3), "anxiety_z": (-3, 3), "avoidance_z": (-3, 3),
    "anxiety_path": (-1, 1), "avoidance_path": (-1, 1), "own": (-3, 3),
    "population_sd": (0, 0.3), "style": (-3, 3), "noise": (-3, 3),
    "prototype": (0, 1), "anchor": (0, 1), "conflict": (0, 1), "noticed": (0, 1), "partner_noticed": (0, 1),
    "week_noise": (-2, 2), "weeks_waiting": (0, 200), "first_score": (0, 40), "load": (0, 3), "carried": (-1, 1),
    "open_ruptures": (0, 3), "fresh": (0, 1), "before": (0, 1), "common": (-4, 4), "event": (0, 1),
    "population_mean": (0.4, 0.6), "shared_share": (0, 1), "treatment_gain": (-1, 6),
    "partner_anxiety_mean": (0, 1), "partner_avoidance_mean": (0, 1), "moves": (0, 1),
    "r": (-1, 1), "immature_sd": (0, 1), "neurotic_sd": (0, 1),
    "today": (0, 1), "early": (0, 1), "mean": (0, 1), "sd": (0, 0.3),
}


def lies(argument: str) -> tuple[float, float]:
    """Lowest and highest value of an argument, as declared for numbers, columns and regions, else as listed here."""
    if argument in RANGES:
        return RANGES[argument]
    if argument in REGIONS:
        return 0.0, 1.0
    if argument.endswith("_luck"):
        return -4.0, 4.0
    if argument.endswith("_chance"):
        return 0.0, 1.0
    bare = argument.removeprefix("partner_")
    for declared in (PARAMETERS, PERSON, DYAD):
        for name in (argument, f"client_{argument}", f"task_{argument}", f"anxiety_{argument}", bare, f"client_{bare}"):
            if name in declared:
                return max(declared[name].low, -8.0), min(declared[name].high, 1e3)
    raise AssertionError(f"nothing says where '{argument}' lies")


#: Values of arguments in a plain moment, where they are not the default of a number or the start of a column.
PLAIN = {
    "habitual_anxiety": 0.45, "habitual_avoidance": 0.36, "partner_habitual_anxiety": 0.45, "partner_habitual_avoidance": 0.36,
    "general": 0.5, "general_mean": 0.4, "general_sd": 0.2, "learned": 0.01,
    "mean_learning_gate": 0.8, "felt_weight": 2.0, "words_weight": 3.0, "depth": 0.2,
    "conflict": 0.1, "noticed": 0.7, "partner_noticed": 0.8, "week_noise": 0.0,
    "x": 0.3, "share": 0.4, "step": 0.1, "value": 1.0, "target": 2.0, "rate": 0.2, "mirrored": 0.4, "felt": 0.3,
    "mentalising": 0.6, "self_other": 0.9, "estimate": 0.3, "attunement": 0.8, "partner_attunement": 0.8,
    "felt_understanding": 0.8,
    "warmth": 0.7, "partner_warmth": 0.7, "partner_bid": 0.5, "response": 0.6, "partner_response": 0.6, "disclosure": 0.4,
    "partner_disclosure": 0.4, "expectation": 0.6, "surprise": 0.1, "learning_gate": 0.9, "labelling": 0.3, "control": 0.3,
    "arousal_target": 0.5, "confronted": 0.0, "mean_perceived": 0.6, "mean_attunement": 0.8, "progress": 0.2, "bond": 0.6,
    "task": 0.5,
    "goal": 0.5, "alliance": 0.55, "engagement": 0.55, "level": 0.6, "level_typical": 0.55, "session": 5.0,
    "tension": 0.2, "compatibility": 0.1, "bid": 0.5,
    "anxiety_z": 0.5, "avoidance_z": 0.5, "anxiety_path": 0.3, "avoidance_path": 0.1, "own": 0.2, "population_sd": 0.2,
    "style": 0.1, "noise": 0.1, "prototype": 0.4, "anchor": 0.5, "attachment": 0.45,
    "weeks_waiting": 4.0, "first_score": 18.0, "load": 1.2, "carried": 0.05, "open_ruptures": 0.2, "fresh": 0.4, "before": 0.7,
    "partner_anxiety_mean": 0.3, "partner_avoidance_mean": 0.2, "event": 0.0, "population_mean": 0.4, "common": 0.5,
    "shared_share": 0.4, "moves": 1.0,
    "r": 0.3, "immature_sd": 0.8, "neurotic_sd": 0.9,
    "today": 0.45, "early": 0.6, "mean": 0.4, "sd": 0.2,
}


def plain(argument: str) -> float:
    """The value of an argument in a plain moment."""
    if argument in PLAIN:
        return PLAIN[argument]
    if argument in REGIONS:
        return 1.0
    if argument.endswith("_luck"):
        return 0.0
    if argument.endswith("_chance"):
        return 0.5
    bare = argument.removeprefix("partner_")
    for name in (argument, f"client_{argument}", f"task_{argument}", f"anxiety_{argument}", bare, f"client_{bare}"):
        if name in PARAMETERS:
            return PARAMETERS[name].default
        for declared in (DYAD, PERSON):
            if name in declared:
                return declared[name].start
    raise AssertionError(f"nothing says what '{argument}' is in a plain moment")


def arguments(name: str) -> list[str]:
    """Names of an equation's arguments."""
    return list(inspect.signature(EQUATIONS[name]).parameters)


def value(equation: Callable[..., Any], **given: Any) -> Any:
    """The equation in a plain moment, with some arguments given."""
    unknown = set(given) - set(arguments(equation.__name__))
    assert not unknown, f"{equation.__name__} takes no {unknown}"
    return equation(**{a: given.get(a, plain(a)) for a in arguments(equation.__name__)})


def drawn(name: str, n: int, whole_range: bool) -> dict[str, np.ndarray]:
    """Random arguments, a third of them at an end of their range; numbers at their default unless ``whole_range``."""
    rng = np.random.default_rng(sum(map(ord, name)))
    out = {}
    for a in arguments(name):
        low, high = lies(a)
        named = any(p + a in PARAMETERS for p in ("", "client_", "task_", "anxiety_"))
        is_number = a not in RANGES and a not in REGIONS and named
        if is_number and not whole_range:
            out[a] = np.full(n, plain(a))
            continue
        at = rng.uniform(low, high, n)
        end = rng.random(n)
        out[a] = np.where(end < 1 / 6, low, np.where(end > 5 / 6, high, at))
    return out


# --------------------------------------------------------- bounds and direction: a table


@dataclass(frozen=True)
class Shape:
    """Where an equation's value lies, and in which arguments it never falls (rises) or never rises (falls)."""

    low: float
    high: float
    rises: str = ""
    falls: str = ""
    strict: str = ""  # arguments in which it really changes in a plain moment; default: all of rises and falls


INF = float("inf")

SHAPES = {
    "logistic": Shape(0, 1, "x"),
    "logit": Shape(-14, 14, "share"),
    "lifted": Shape(0, 1, "share by"),
    "arousal_target": Shape(0, 1, "limbic distress anxiety general_anxiety stress_luck mirrored", "perceived"),
    "control": Shape(0, 1, "regulation ofc"),
    "arousal": Shape(0, 1, "arousal arousal_target general_anxiety", "control"),
    "habitual_anxiety": Shape(0, 1, "anxiety general_anxiety"),
    "habitual_avoidance": Shape(0, 1, "avoidance general_avoidance"),
    "bid": Shape(0, 1, "arousal habitual_anxiety", "habitual_avoidance"),
    "expression": Shape(0, 1, "arousal habitual_anxiety trust", "habitual_avoidance"),
    "disclosure": Shape(0, 1, "expression trust", "habitual_avoidance habitual_anxiety"),
    "warmth": Shape(0, 1, "warmth_trait", "general_avoidance fatigue"),
    "mirrored": Shape(0, 1, "mirror partner_expression mirror_luck", "general_avoidance"),
    "felt": Shape(0, 1, "insula mirrored arousal"),
    "mentalising": Shape(0, 1, "dmpfc skill", "arousal general_avoidance fatigue"),
    "self_other": Shape(0, 1, "tpj", "arousal"),
    "said": Shape(0, 1, "arousal disclosure word_luck"),
    "felt_weight": Shape(0, 50, "felt"),
    "words_weight": Shape(0, 100, "partner_disclosure mentalising self_other"),
    "estimate": Shape(0, 1, "felt partner_said arousal partner_habitual_avoidance estimate_luck", "partner_habitual_anxiety"),
    "attunement": Shape(0, 1),
    "separation": Shape(0, 1, "self_other felt"),
    "felt_understanding": Shape(0, 1, "vmpfc attunement felt"),
    "response": Shape(0, 1, "attunement felt_understanding warmth trust partner_bid", "timing_luck habitual_avoidance"),
    "response_given": Shape(0, 1, "response"),
    "collaboration": Shape(0, 1, "disclosure trust engagement"),
    "expectation": Shape(0, 1, "impression", "anxiety avoidance"),
    "perceived": Shape(0, 1, "partner_response expectation compatibility", "estimate arousal"),
    "surprise": Shape(-1, 1, "perceived", "expectation"),
    "inconsistency": Shape(0, 1, "inconsistency"),
    "perceived_mean": Shape(0, 1, "perceived perceived_mean"),
    "conflict": Shape(0, 1, "acc"),
    "calmed_arousal": Shape(0, 1, "arousal", "perceived"),
    "labelling": Shape(0, 1, "vlpfc disclosure perceived"),
    "labelled_arousal": Shape(0, 1, "arousal", "labelling control"),
    "learning_gate": Shape(0, 1),
    "avoidance_learned": Shape(0, 1, "avoidance", "surprise"),
    "anxiety_learned": Shape(0, 1, "anxiety inconsistency", "surprise"),
    "regulation_learned": Shape(0, 1, "regulation labelling perceived learning_gate"),
    "shared_meaning": Shape(0, 1, "shared_meaning partner_attunement disclosure", "arousal"),
    "tension": Shape(0, INF, "tension", "surprise"),
    "rupture_hazard": Shape(0, 1, "tension bid perceived_mean", "perceived task"),
    "rupture_depth": Shape(0, 1, "depth_luck tension anxiety"),
    "confrontation_probability": Shape(0, 1, "anxiety", "avoidance"),
    "noticed": Shape(0, 1, "acc conflict"),
    "repair_probability": Shape(0, 1, "noticed partner_noticed mentalising attunement partner_disclosure confronted repair_skill",
                                "habitual_avoidance"),
    "moved_share": Shape(0, 1, "share step"),
    "calm": Shape(0, 1, "limbic arousal_typical"),
    "trust_target": Shape(0, 1, "mean_perceived"),
    "felt_bond": Shape(0, 1, "trust", "anxiety avoidance"),
    "secured": Shape(0, 1, "attachment", "alliance"),
    "carried_attachment": Shape(0, 1, "general general_mean"),
    "first_attachment": Shape(0, 1, "carried bond_luck"),
    "generalised": Shape(-12, 12, "attachment trust mean_learning_gate", "carried"),
    "anchored": Shape(-1, 1, "learned sustained"),
    "taking_part": Shape(-1, 2, "mean_perceived", "perceived_typical"),
    "toward": Shape(-6, 8, "value target rate"),
    "capability_target": Shape(0, 1, "mean_attunement progress trust"),
    "agreement_target": Shape(0, 1, "capability shared_meaning trust progress"),
    "session_quality": Shape(-INF, INF, "mean_perceived quality_luck distress_usual", "usual distress"),
    "momentary": Shape(-INF, INF, "quality", "open_rupture"),
    "as_felt": Shape(0, 1, "level moment"),
    "alliance": Shape(0, 1, "bond task goal moment"),
    "relief": Shape(-INF, INF, "quality"),
    "engagement_target": Shape(0, 1, "alliance distress"),
    "healing": Shape(0, 14, "distress alliance engagement labelling treatment_gain partner_treatment_gain"),
    "rupture_distress": Shape(0, 1, "open_rupture"),
    "dropout_probability": Shape(0, 1, "open_rupture avoidance", "alliance engagement session"),
    "well_enough": Shape(0, 1, "session", "distress good_enough_chance"),
    "dyadic_compatibility": Shape(-INF, INF, "compatibility_luck"),
    "waiting_loss_probability": Shape(0, 1, "weeks_waiting", "distress"),
    "expected_score": Shape(-INF, 40, "first_score", "session"),
    "fatigue_after": Shape(0, 1, "fatigue load carried open_ruptures"),
    "quitting_probability": Shape(0, 1, "fatigue"),
    "handed_over": Shape(0, 1, "fresh before"),
    "first_anchor": Shape(-INF, INF, "mean anchor_luck"),
    "earned_anchor": Shape(0, 1, "early today"),
    "defence": Shape(-INF, INF, "anxiety_z own"),
    "expected_distress": Shape(-INF, INF, "anxiety_z avoidance_z immature neurotic"),
    "defence_noise_sd": Shape(0, 2, "", "anxiety_path avoidance_path"),
    "set_point_noise_sd": Shape(0, 2, "", "immature_sd neurotic_sd distress_state_share"),
    "help_seeking_probability": Shape(0, 1, "distress", "help_seeking_threshold"),
    "correlated": Shape(-8, 8, "own"),
    "partly_shared": Shape(-8, 8, "common own"),
    "distress_drift": Shape(-INF, INF, "distress distress_set_point distress_luck"),
    "prototype_drift": Shape(0, 1, "prototype anchor prototype_luck distress"),
    "faded": Shape(0, 1, "regulation regulation_week_keep", "plasticity"),
    "shaken": Shape(0, 1, "attachment event_luck"),
    "response_style": Shape(-13, 13, "common own_luck"),
    "reported_rupture": Shape(0, 1, "depth", "report_chance"),
    "admitted": Shape(-11, 13, "distress", "avoidance"),
    "insecurity": Shape(-2, 2, "anxiety avoidance"),
    "first_impression": Shape(-INF, INF, "compatibility_luck impression_luck"),
    "first_trust": Shape(0, 1, "impression", "anxiety avoidance"),
    "first_agreement": Shape(0, 1, "impression agreement_start"),
    "core_share": Shape(0, 1, "distress week_noise"),
    "cats_secure_share": Shape(0, 1, "trust style", "anxiety avoidance"),
    "cats_avoidant_share": Shape(0, 1, "avoidance", "trust style"),
    "cats_preoccupied_share": Shape(0, 1, "bid trust"),
    "rated_share": Shape(0, 1, "level style noise"),
}

#: Where a promise holds under a condition on the drawn arguments.
ONLY_WHERE: dict[tuple[str, str], Callable[[dict[str, np.ndarray]], np.ndarray]] = {
    # moving further is upward only while the target lies above
    ("toward", "rate"): lambda a: a["target"] >= a["value"],
    # anxiety with this partner is alarmed by a response that fell short, and calmed by a better one
    ("arousal_target", "anxiety"): lambda a: a["perceived"] <= a["perceived_typical"],
    # flattening draws what shows to the typical moment: down above it, up below it
    ("expression", "habitual_avoidance"): lambda a: a["arousal"] >= a["arousal_typical"],
    # what blurs the mirror goes either way
    ("mirrored", "general_avoidance"): lambda a: a["mirror_luck"] <= 0,
    # trust and openness count for what is learned, whichever way that goes
    **{("generalised", more): lambda a: a["attachment"] >= a["carried"] for more in ("trust", "mean_learning_gate")},
    ("anchored", "sustained"): lambda a: a["learned"] >= 0,
    # a path may have either sign
    ("defence", "anxiety_z"): lambda a: a["anxiety_path"] >= 0,
    # what two paths explain together counts with the sign of both
    **{("defence_noise_sd", f"{one}_path"): lambda a: (a["anxiety_path"] >= 0) & (a["avoidance_path"] >= 0) & (a["r"] >= 0)
       for one in ("anxiety", "avoidance")},
}

#: Numbers whose declared range reaches beyond what the equation can bear; here they are drawn up to these values.
#: regulation_learned: more than a full step per exchange would overshoot; repair_probability: effort above 1 gives a
#: chance above 1.
NARROWED = {
    ("regulation_learned", "regulation_rate"): (0, 0.1),
    ("repair_probability", "repair_effort"): (0, 1.0),
}


@every_equation
def test_every_value_lies_where_it_must(name: str) -> None:
    """Shares stay in 0..1 and nothing becomes NaN, over the whole declared range of every argument and number."""
    given = drawn(name, 4000, whole_range=True)
    for (equation, argument), (low, high) in NARROWED.items():
        if equation == name:
            given[argument] = np.clip(given[argument], low, high)
    got = EQUATIONS[name](**given)
    shape = SHAPES[name]
    assert np.isfinite(got).all()
    assert got.min() >= shape.low - 1e-12 and got.max() <= shape.high + 1e-12


@every_equation
def test_every_value_moves_the_way_it_must(name: str) -> None:
    """More of an argument never lowers (raises) what it should raise (lower), and really moves it in a plain moment."""
    shape = SHAPES[name]
    for direction, listed in ((1.0, shape.rises), (-1.0, shape.falls)):
        for argument in listed.split():
            given = drawn(name, 2000, whole_range=False)
            low, high = lies(argument)
            given[argument] = np.minimum(given[argument], low + 0.9 * (high - low))
            more = {**given, argument: given[argument] + np.random.default_rng(1).uniform(0, 0.1, 2000) * (high - low)}
            change = direction * (EQUATIONS[name](**more) - EQUATIONS[name](**given))
            where = ONLY_WHERE.get((name, argument), lambda a: np.ones(2000, bool))(given)
            assert change[where].min() >= -1e-12, f"{name} goes the wrong way in {argument}"
            assert change[where].max() > 0, f"{name} does not depend on {argument}"


@every_equation
def test_one_line_serves_float_column_and_compiled_loop(name: str) -> None:
    """A float, a column and a compiled loop give the same value, to the last bit."""
    given = drawn(name, 60, whole_range=True)
    table = np.array(list(given.values()))
    column = np.asarray(EQUATIONS[name](**given))
    floats = np.array([EQUATIONS[name](*(float(x) for x in table[:, i])) for i in range(60)])
    loop = compiled_values()[name]
    assert np.array_equal(floats, column), "a float gives other bits than a column"
    assert np.array_equal(loop, column), "a compiled loop gives other bits than a column"


@lru_cache(maxsize=1)
def compiled_values() -> dict[str, np.ndarray]:
    """Every equation over the same drawn rows, in one compiled loop (kept on disk for these very sources)."""
    tables = [np.array(list(drawn(name, 60, whole_range=True).values())) for name in EQUATIONS]
    lines = ["from numba import njit", "from sim.theory import equations as eq", *(f"_{name} = eq.{name}" for name in EQUATIONS),
             "", "", "@njit(cache=True)", "def every(table, out):", "    for i in range(table.shape[1]):"]
    row = 0
    for k, name in enumerate(EQUATIONS):
        lines.append(f"        out[{k}, i] = _{name}({', '.join(f'table[{row + a}, i]' for a in range(len(tables[k])))})")
        row += len(tables[k])
    out = np.empty((len(EQUATIONS), 60))
    generated_module("equations_alone", "\n".join([*lines, ""])).every(np.concatenate(tables), out)
    return dict(zip(EQUATIONS, out, strict=True))


# -------------------------------------------------- what each docstring promises, equation by equation

PROMISES: dict[str, list[Callable[[], None]]] = {}


def promise(equation: Callable[..., Any]) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Marks a test as (one of) the promises of an equation."""

    def kept(test: Callable[[], None]) -> Callable[[], None]:
        PROMISES.setdefault(equation.__name__, []).append(test)
        return test

    return kept


def near(expected: float, tolerance: float = 1e-12) -> Any:
    """``expected`` to within rounding."""
    return pytest.approx(expected, abs=tolerance)


def grid(low: float = 0.02, high: float = 0.98) -> Iterator[float]:
    """A few values of a share."""
    yield from np.linspace(low, high, 9).tolist()


TYPICAL = {"anxiety": P.anxiety_typical, "avoidance": P.avoidance_typical}
HABITS = {f"habitual_{name}": typical for name, typical in TYPICAL.items()}


@promise(eq.logistic)
@promise(eq.logit)
def test_logit_undoes_logistic() -> None:
    """The two are each other's inverse, 0 means one half, and the logit is finite at the ends."""
    assert eq.logistic(0.0) == 0.5 and eq.logistic(np.log(3.0)) == near(0.75)
    for x in grid(-8, 8):
        assert eq.logit(eq.logistic(x)) == near(x, 1e-9)
    assert np.isfinite([eq.logit(0.0), eq.logit(1.0)]).all() and eq.logit(0.0) == near(-eq.logit(1.0), 1e-9)


@promise(eq.arousal_target)
def test_arousal_target_limits() -> None:
    """Nothing without the limbic system; without contagion what is mirrored does not matter; by hand for the typical person.

    Anxiety in general threatens and floods; anxiety with this partner answers only to what fell short.
    """
    assert value(eq.arousal_target, limbic=0.0, distress=5.0) == 0.0
    calm = {"contagion_share": 0.0, "distress": P.client_distress_typical, "distress_typical": P.client_distress_typical,
            "perceived": 0.6, "perceived_typical": 0.6, "arousal_base": -0.2, "general_anxiety": P.anxiety_typical}
    by_hand = near(1 / (1 + np.exp(0.2)))
    assert value(eq.arousal_target, mirrored=0.0, **calm) == value(eq.arousal_target, mirrored=1.0, **calm) == by_hand
    for bond in (0.1, 0.9):
        assert value(eq.arousal_target, anxiety=bond, **calm) == by_hand
        alarmed = value(eq.arousal_target, anxiety=bond, **{**calm, "perceived": 0.4})
        assert eq.logit(alarmed) == near(-0.2 + P.rejection_gain * bond * 0.2, 1e-9)
    stressed = {**calm, "distress": P.client_distress_typical + 1.5, "stress_luck": -0.5}
    by_hand = near(-0.2 + 1.5 * P.arousal_distress_gain - 0.5 * P.client_arousal_stress_sd, 1e-9)
    assert eq.logit(value(eq.arousal_target, **stressed)) == by_hand
    anxious = {"general_anxiety": P.anxiety_typical + 0.2}
    assert eq.logit(value(eq.arousal_target, **{**calm, **anxious})) == near(-0.2 + 0.2 * P.arousal_anxiety_gain, 1e-9)
    resonance = {"contagion_share": 1.0, "mirrored": 0.5, "contagion_base": 0.8}
    assert value(eq.arousal_target, **resonance, general_anxiety=P.anxiety_typical) == near(0.4)
    assert value(eq.arousal_target, **resonance, **anxious) == near(0.4 + 0.5 * 0.2 * P.contagion_anxiety_gain)


@promise(eq.control)
def test_control_needs_the_orbitofrontal_cortex() -> None:
    """Trained regulation is at hand as far as the orbitofrontal cortex applies it."""
    assert eq.control(0.4, 1.0) == 0.4 and eq.control(0.4, 0.0) == 0.0 and eq.control(0.4, 0.5) == near(0.2)


@promise(eq.arousal)
def test_arousal_limits() -> None:
    """Stays at its target; by hand up and down; regulation slows the way up and speeds the way down; anxiety slows it."""
    for level in grid():
        assert value(eq.arousal, arousal=level, arousal_target=level) == level
    parameters = {"arousal_rise_rate": 0.5, "arousal_fall_rate": 0.4, "regulation_gain": 0.5,
                  "general_anxiety": P.anxiety_typical}
    assert value(eq.arousal, arousal=0.2, arousal_target=0.6, control=0.4, **parameters) == near(0.2 + 0.5 * 0.8 * 0.4)
    assert value(eq.arousal, arousal=0.6, arousal_target=0.2, control=0.4, **parameters) == near(0.6 - 0.4 * 1.2 * 0.4)
    anxious = {**parameters, "general_anxiety": P.anxiety_typical + 0.3}
    slowed = 0.4 * np.exp(-0.3 * P.recovery_anxiety_cost)
    assert value(eq.arousal, arousal=0.6, arousal_target=0.2, control=0.0, **anxious) == near(0.6 - slowed * 0.4)
    assert value(eq.arousal, arousal=0.2, arousal_target=0.6, control=0.0, **anxious) == near(0.4)


@promise(eq.habitual_anxiety)
@promise(eq.habitual_avoidance)
def test_habits_are_learned_with_many_and_anew_with_each() -> None:
    """The person's in general for a share of 1, this bond's for 0, in between the mean so weighed."""
    for share, left in ((1.0, 0.7), (0.0, 0.2), (0.6, 0.5)):
        assert eq.habitual_anxiety(0.2, 0.7, share) == eq.habitual_avoidance(0.2, 0.7, share) == near(left)


@promise(eq.bid)
def test_bid_of_the_typical_person() -> None:
    """One half for the typical person at typical arousal; threat and anxiety raise bids, avoidance mutes them."""
    usual = {"arousal": P.client_arousal_typical, **HABITS}
    for moved, more in (({}, 0.0), ({"arousal": P.client_arousal_typical + 0.2}, 0.2 * P.bid_arousal_gain), *(
        ({habit: HABITS[habit] + 0.3}, 0.3 * by)
        for habit, by in (("habitual_anxiety", P.bid_anxiety_gain), ("habitual_avoidance", -P.bid_avoidance_cost))
    )):
        assert value(eq.bid, **{**usual, **moved}) == near(eq.logistic(more))


@promise(eq.expression)
def test_expression_limits() -> None:
    """Shows just what is there for the typical person; constant without gain."""
    for level in grid():
        assert value(eq.expression, arousal=level, trust=0.5, expression_offset=0.0, **HABITS) == near(level, 1e-9)
        assert value(eq.expression, arousal=level, expression_gain=0.0) == value(eq.expression, arousal=0.5, expression_gain=0.0)
    person = {"habitual_anxiety": P.anxiety_typical + 0.2, "habitual_avoidance": P.avoidance_typical + 0.1, "trust": 0.8}
    magnified = 0.2 * P.expression_anxiety_gain - 0.1 * P.expression_avoidance_cost + 0.3 * P.expression_trust_gain
    shown = value(eq.expression, arousal=P.client_arousal_typical, expression_offset=-0.8, **person)
    assert eq.logit(shown) == near(eq.logit(P.client_arousal_typical) - 0.8 + magnified, 1e-9)
    # The face of avoidant people follows what they feel less, and not at all from a third of a unit above the typical on.
    hiding = {"expression_avoidance_cost": 0.0, "expression_flattening": 3.0, "trust": 0.5, "expression_offset": 0.0,
              "habitual_anxiety": P.anxiety_typical}
    middle = eq.logit(plain("arousal_typical"))
    for more, kept in ((-0.1, 1.3), (0.0, 1.0), (0.2, 0.4), (0.4, 0.0)):
        shown = value(eq.expression, arousal=0.6, habitual_avoidance=P.avoidance_typical + more, **hiding)
        assert eq.logit(shown) - middle == near(kept * (eq.logit(0.6) - middle), 1e-9)


@promise(eq.disclosure)
def test_disclosure_of_the_typical_person() -> None:
    """The base for the typical person at trust .5; by hand elsewhere: high on both dimensions costs more than the sum of each."""
    usual = {"trust": 0.5, "expression": P.expression_typical, **HABITS}
    for trust, shown in ((0.5, 0.0), (0.8, 0.0), (0.5, -0.2)):
        given = {**usual, "trust": trust, "expression": P.expression_typical + shown}
        prompted = (trust - 0.5) * P.disclosure_trust_gain + shown * P.disclosure_expression_gain
        assert value(eq.disclosure, **given) == near(eq.logistic(P.disclosure_base + prompted))
    for anxious, avoidant in ((0.3, 0.0), (0.0, 0.2), (-0.2, -0.1), (0.3, 0.2), (-0.3, 0.2)):
        given = {**usual, "habitual_anxiety": P.anxiety_typical + anxious, "habitual_avoidance": P.avoidance_typical + avoidant}
        fearful = max(anxious, 0.0) * max(avoidant, 0.0)
        held_back = avoidant * P.disclosure_avoidance_cost + fearful * P.disclosure_fearful_cost
        assert eq.logit(value(eq.disclosure, **given)) == near(P.disclosure_base - held_back, 1e-9)


@promise(eq.warmth)
def test_warmth_of_the_unavoidant_and_the_typical_person() -> None:
    """S(h0) for a rested person without avoidance or trait; the declared typical warmth is that of the typical therapist."""
    base = P.therapist_warmth_base
    assert value(eq.warmth, general_avoidance=0.0, fatigue=0.0, warmth_trait=0.0, warmth_base=base) == near(eq.logistic(base))
    typical = value(eq.warmth, general_avoidance=P.avoidance_typical, fatigue=0.0, warmth_trait=0.0, warmth_base=base)
    assert P.warmth_typical == near(typical, 0.02)
    cold = value(eq.warmth, general_avoidance=0.5, fatigue=0.4, warmth_trait=0.2, warmth_base=base)
    assert eq.logit(cold) == near(base + 0.2 - 0.5 * P.avoidance_warmth_cost - 0.4 * P.fatigue_warmth_cost, 1e-9)


@promise(eq.mirrored)
def test_mirror_limits() -> None:
    """The other's expression itself without gain, cost and noise; nothing without the mirror system; avoidance damps, blurs."""
    for shown in grid():
        plainly = value(eq.mirrored, partner_expression=shown, mirror_gain=0.0, general_avoidance=P.avoidance_typical)
        assert plainly == near(shown, 1e-9)
    assert value(eq.mirrored, mirror=0.0) == 0.0
    for more in (0.0, -0.2, 0.3):
        avoidant = {"partner_expression": 0.4, "mirror_gain": 0.0, "general_avoidance": P.avoidance_typical + more}
        clear, blurred = (eq.logit(value(eq.mirrored, mirror_luck=luck, **avoidant)) for luck in (0.0, -1.5))
        assert clear == near(eq.logit(0.4) - P.mirror_avoidance_cost * more, 1e-9)
        assert clear - blurred == near(1.5 * P.mirror_noise_sd * np.exp(P.mirror_noise_avoidance_gain * more), 1e-9)


@promise(eq.felt)
def test_felt_needs_insula_mirror_and_own_arousal() -> None:
    """Nothing is felt without any one of the three; at full own arousal just what was mirrored; by hand at the half point."""
    assert value(eq.felt, insula=0.0) == value(eq.felt, mirrored=0.0) == value(eq.felt, arousal=0.0) == 0.0
    for m in grid():
        assert value(eq.felt, mirrored=m, arousal=1.0) == near(m)
    assert value(eq.felt, mirrored=0.5, arousal=P.insula_half) == near(0.25 * (1 + P.insula_half))


@promise(eq.mentalising)
def test_mentalising_limits() -> None:
    """The skill itself when calm, rested and typical; 1/e of it one width too aroused; nothing without the region."""
    calm = {"fatigue": 0.0, "general_avoidance": P.avoidance_typical}
    for skill in grid():
        assert value(eq.mentalising, skill=skill, arousal=0.0, **calm) == near(skill)
    loaded = value(eq.mentalising, skill=0.6, arousal=P.mentalising_threshold + P.mentalising_width, **calm)
    assert loaded == near(0.6 / np.e)
    avoidant = value(eq.mentalising, skill=0.6, arousal=0.0, fatigue=0.0, general_avoidance=P.avoidance_typical + 0.3)
    assert avoidant == near(0.6 * np.exp(-0.3 * P.mentalising_avoidance_cost))
    assert value(eq.mentalising, dmpfc=0.0) == 0.0
    assert value(eq.mentalising, skill=0.6, fatigue=1.0) == 0.0


@promise(eq.self_other)
def test_self_other_limits() -> None:
    """Whole when intact and calm, gone without the temporoparietal junction."""
    assert value(eq.self_other, arousal=0.0) == 1.0 and value(eq.self_other, arousal=P.mentalising_threshold) == 1.0
    assert value(eq.self_other, tpj=0.0, arousal=0.2) == 0.0


@promise(eq.said)
def test_words_tell_of_what_is_felt() -> None:
    """The arousal itself at typical disclosure, without noise; who says less makes it smaller; noise on the logit scale."""
    for felt in grid():
        assert value(eq.said, arousal=felt, disclosure=P.disclosure_typical) == near(felt)
    told = value(eq.said, arousal=0.6, disclosure=P.disclosure_typical - 0.2, word_luck=0.5)
    assert eq.logit(told) == near(eq.logit(0.6) - 0.2 * P.concealment_gain + 0.5 * P.word_noise_sd, 1e-9)


@promise(eq.felt_weight)
def test_a_strong_signal_is_relied_on() -> None:
    """Nothing where nothing is felt, half at ``felt_half``, the whole precision for a strong signal."""
    for felt, weight in ((0.0, 0.0), (0.3, 3.0), (0.9, 5.4)):
        assert eq.felt_weight(felt, 6.0, 0.3) == near(weight)
    assert eq.felt_weight(1.0, 6.0, 1e-3) == near(6.0, 1e-4)


@promise(eq.words_weight)
def test_words_have_to_be_said_and_understood_as_anothers() -> None:
    """Nothing where any of the three is missing, the whole precision where none is, their product between."""
    given = {"partner_disclosure": 1.0, "mentalising": 1.0, "self_other": 1.0}
    assert value(eq.words_weight, **given) == near(P.words_precision)
    for missing in given:
        assert value(eq.words_weight, **{**given, missing: 0.0}) == 0.0
    assert eq.words_weight(0.5, 0.6, 0.9, 12.0) == near(3.24)


#: A therapist who neither feels nor hears anything of a typical partner, and reads nothing too high.
UNAWARE = {"felt_weight": 0.0, "words_weight": 0.0, "self_other": 1.0, "estimate_typical": 0.4, "felt_typical": 0.3,
           "salience_base": 0.0, "salience_gain": 0.0, **{f"partner_{habit}": typical for habit, typical in HABITS.items()}}


@promise(eq.estimate)
def test_what_is_assumed_where_nothing_is_felt_or_said() -> None:
    """The typical person and noise; oneself instead, where self and other are not kept apart."""
    for own in grid():
        assert value(eq.estimate, **UNAWARE, arousal=own) == near(0.4)
        assert value(eq.estimate, **{**UNAWARE, "self_other": 0.0}, arousal=own) == near(own)
    assert value(eq.estimate, **{**UNAWARE, "self_other": 0.5}, arousal=0.8) == near(0.6)
    guessed = value(eq.estimate, **UNAWARE, estimate_luck=-1.5)
    assert eq.logit(guessed) == near(eq.logit(0.4) - 1.5 * P.estimate_noise_sd, 1e-9)


@promise(eq.estimate)
def test_feeling_and_words_are_two_routes() -> None:
    """Each tells alone where the other is cut off, whatever that one says; together they are weighed, and err less."""
    for told in grid(0.1, 0.9):
        by_words = value(eq.estimate, **{**UNAWARE, "words_weight": 1e6}, partner_said=told, felt=0.9)
        by_feeling = value(eq.estimate, **{**UNAWARE, "felt_weight": 1e6}, felt=told, partner_said=0.9)
        assert by_words == near(told, 1e-5)
        assert eq.logit(by_feeling) - eq.logit(0.4) == near(eq.logit(told) - eq.logit(0.3), 1e-5)
    both = {**UNAWARE, "felt_weight": 2.0, "words_weight": 1.0, "felt": 0.6, "partner_said": 0.2}
    signs = 2 * (eq.logit(0.6) - eq.logit(0.3) + eq.logit(0.4)) + eq.logit(0.2)
    for luck in (0.0, 0.5):
        got = eq.logit(value(eq.estimate, **both, estimate_luck=luck))
        assert got == near((eq.logit(0.4) + signs) / 4 + P.estimate_noise_sd * luck / 2, 1e-9)


@promise(eq.estimate)
def test_who_hides_is_corrected_for() -> None:
    """What a partner hides or magnifies out of habit is made good as far as one mentalises and keeps a picture of them (OFC); of
    feelings alone: words have no such cover."""
    hiding = {"partner_habitual_avoidance": P.avoidance_typical + 0.3, "partner_habitual_anxiety": P.anxiety_typical - 0.1}
    hidden = 0.3 * P.expression_avoidance_cost + 0.1 * P.expression_anxiety_gain
    feeling, usual = {**UNAWARE, **hiding, "felt_weight": 3.0, "felt": 0.3}, eq.logit(0.4)
    assert value(eq.estimate, **feeling, mentalising=0.0) == value(eq.estimate, **feeling, ofc=0.0) == near(0.4)
    for half in (1.0, 0.5):
        corrected = value(eq.estimate, **feeling, mentalising=0.6, ofc=half)
        assert eq.logit(corrected) == near(usual + 0.75 * 0.6 * half * P.estimate_correction * hidden, 1e-9)
    told = {**UNAWARE, **hiding, "words_weight": 3.0, "partner_said": 0.4}
    assert value(eq.estimate, **told, mentalising=1.0) == near(0.4)


@promise(eq.estimate)
def test_strong_affect_stands_out() -> None:
    """What is read as more than typical is read as still more, what is less as it is; a base lifts all."""
    for felt, more in ((0.7, 0.3), (0.2, 0.0)):
        told = {**UNAWARE, "words_weight": 1e6, "partner_said": felt, "salience_gain": 0.3, "salience_base": 0.1}
        beyond = eq.logit(felt) - eq.logit(0.4)
        assert eq.logit(value(eq.estimate, **told)) == near(eq.logit(felt) + 0.1 + more * beyond, 1e-4)


@promise(eq.attunement)
def test_attunement_limits() -> None:
    """1 for a perfect estimate, 1/e one width off on either side, never more for a larger miss."""
    for level in grid():
        assert value(eq.attunement, estimate=level, partner_arousal=level) == 1.0
    for off in (-P.attunement_width, P.attunement_width):
        assert value(eq.attunement, estimate=0.5 + off, partner_arousal=0.5) == near(1 / np.e)
    misses = value(eq.attunement, estimate=np.linspace(0, 1, 30), partner_arousal=0.0)
    assert (np.diff(misses) < 0).all()


@promise(eq.separation)
def test_separation_limit() -> None:
    """No work of keeping apart when nothing is felt."""
    assert eq.separation(0.7, 0.0) == 0.0 and eq.separation(0.5, 0.4) == near(0.2)


@promise(eq.felt_understanding)
def test_felt_understanding_limits() -> None:
    """The attunement itself once enough is felt; nothing without a felt signal or the ventral medial cortex."""
    assert value(eq.felt_understanding, attunement=0.7, felt=0.5) == 0.7
    assert value(eq.felt_understanding, attunement=0.7, felt=P.felt_enough / 2) == near(0.35)
    assert value(eq.felt_understanding, felt=0.0) == value(eq.felt_understanding, vmpfc=0.0) == 0.0


@promise(eq.response)
def test_response_limits() -> None:
    """S(r0) in a typical moment; a lapse only beyond the threshold; only an avoidant therapist depends on bids."""
    typical = {"attunement": P.attunement_typical, "felt_understanding": P.felt_understanding_typical, "warmth": P.warmth_typical,
               "trust": 0.5, "habitual_avoidance": P.avoidance_typical, "partner_bid": 0.5}
    base = eq.logistic(P.response_base)
    assert value(eq.response, **typical) == near(base)
    assert value(eq.response, timing_luck=P.timing_lapse_threshold, **typical) == near(base)
    late = value(eq.response, timing_luck=P.timing_lapse_threshold + 1.0, **typical)
    assert late == near(eq.logistic(P.response_base - P.timing_lapse_cost))
    assert value(eq.response, **{**typical, "partner_bid": 0.9}) == near(base)
    assert value(eq.response, **{**typical, "partner_bid": 0.1}) == near(base)
    waiting = {**typical, "habitual_avoidance": 0.8, "bid_enough": 0.3}
    assert value(eq.response, **{**waiting, "partner_bid": 0.4}) == near(base)
    by_hand = eq.logistic(P.response_base - P.response_reaching_cost * (0.8 - P.avoidance_typical) * 0.2)
    assert value(eq.response, **{**waiting, "partner_bid": 0.1}) == near(by_hand)


@promise(eq.response_given)
def test_response_given_limits() -> None:
    """The response itself when nothing is forced; the low one or the high one, by the sign of the luck, when all is."""
    for r in grid():
        assert value(eq.response_given, response=r, forced_response_share=0.0) == r
    forced = {"forced_response_share": 1.0, "forced_response_low": 0.1, "forced_response_high": 0.9}
    luck = np.array([-1.0, -1e-9, 1e-9, 1.0])
    np.testing.assert_allclose(value(eq.response_given, timing_luck=luck, **forced), [0.1, 0.1, 0.9, 0.9], atol=1e-12)
    steady = value(eq.response_given, timing_luck=luck, **{**forced, "forced_response_high": 0.1})
    np.testing.assert_allclose(steady, 0.1, atol=1e-12)


@promise(eq.collaboration)
def test_collaboration_of_the_typical_client() -> None:
    """S(o0) for typical openness and engagement at trust .5."""
    assert value(eq.collaboration, disclosure=P.disclosure_typical, trust=0.5, engagement=P.engagement_typical) == near(
        eq.logistic(P.collaboration_base))


@promise(eq.expectation)
def test_the_typical_person_expects_the_typical_response() -> None:
    """So that nothing drifts in the typical dyad; by hand for insecurity of either kind and a good first impression."""
    for typical in grid(0.1, 0.9):
        assert value(eq.expectation, perceived_typical=typical, **TYPICAL) == near(typical, 1e-9)
    person = {"anxiety": P.anxiety_typical + 0.1, "avoidance": P.avoidance_typical - 0.3, "impression": 1.5}
    moved = 0.3 * P.expectation_avoidance_cost - 0.1 * P.expectation_anxiety_cost + 1.5 * P.expectation_impression_gain
    assert eq.logit(value(eq.expectation, perceived_typical=0.6, **person)) == near(eq.logit(0.6) + moved, 1e-9)


@promise(eq.perceived)
def test_perceived_limits() -> None:
    """The response itself without pull and at typical arousal and estimate; the expectation alone under full pull."""
    still = {"compatibility": 0.0, "arousal": P.client_arousal_typical, "estimate": P.client_estimate_typical,
             "partner_warmth": P.warmth_typical, "perception_pull_gain": 0.0, "perception_mentalising_gain": 0.0}
    for given in grid():
        assert value(eq.perceived, partner_response=given, perception_pull_base=0.0, **still) == near(given, 1e-9)
        assert value(eq.perceived, expectation=given, perception_pull_base=1.0, **still) == near(given, 1e-9)
    good, bad = (value(eq.perceived, partner_response=0.7, expectation=x, anxiety=0.8) for x in (0.7, 0.3))
    better, worse = (value(eq.perceived, partner_response=0.7, expectation=x, anxiety=0.1) for x in (0.7, 0.3))
    assert eq.logit(good) - eq.logit(bad) > eq.logit(better) - eq.logit(worse)  # pulled more when insecure


@promise(eq.perceived)
def test_perceived_by_hand() -> None:
    """Pull, alarm, uneasiness with warmth, sensed tension; a fully adapted partner takes alarm and uneasiness away."""
    here = {"anxiety": 0.8, "avoidance": 0.7, "partner_response": 0.7, "expectation": 0.4, "compatibility": 0.3,
            "arousal": P.client_arousal_typical + 0.3, "estimate": P.client_estimate_typical - 0.1,
            "mentalising": P.client_mentalising_typical + 0.2, "partner_warmth": P.warmth_typical + 0.1}
    pull = P.perception_pull_base + P.perception_pull_gain * 0.75 - P.perception_mentalising_gain * 0.2
    arrives = (1 - pull) * eq.logit(0.7) + pull * eq.logit(0.4) + 0.3 + 0.1 * P.client_tension_reading_gain
    uneasy = 0.3 * 0.8 * P.threat_gain + 0.1 * (0.7 - P.avoidance_typical) * P.closeness_cost
    for adaptation in (0.0, 0.4, 1.0):
        got = value(eq.perceived, **here, partner_adaptation=adaptation)
        assert eq.logit(got) == near(arrives - (1 - adaptation) * uneasy, 1e-9)


@promise(eq.surprise)
def test_surprise_is_a_difference() -> None:
    """Nothing surprises that was expected."""
    assert eq.surprise(0.7, 0.5) == near(0.2) and eq.surprise(0.5, 0.5) == 0.0


@promise(eq.inconsistency)
def test_a_steady_partner_becomes_reliable() -> None:
    """Tends to 0 for a steady partner whatever the level, and to the mean absolute deviation of an erratic one."""
    for level in (0.1, 0.9):
        u = 0.4
        for _ in range(400):
            u = eq.inconsistency(u, level, level, 0.05)
        assert u == near(0.0, 1e-8)
    u = 0.0
    for k in range(400):
        u = eq.inconsistency(u, 0.9 if k % 2 else 0.1, 0.5, 0.05)
    assert u == near(0.4, 1e-8)


@promise(eq.perceived_mean)
@promise(eq.secured)
def test_secured_limits() -> None:
    """Unchanged without plasticity or at the typical alliance; by hand for a good one; a poor one makes insecure."""
    for x in grid():
        assert value(eq.secured, attachment=x, plasticity=0.0) == x
        assert value(eq.secured, attachment=x, alliance=P.alliance_typical) == x
    got = value(eq.secured, attachment=0.5, alliance=P.alliance_typical + 0.1)
    assert got == near(0.5 - P.alliance_security_rate * 0.1)
    assert value(eq.secured, attachment=0.5, alliance=0.2) > 0.5


@promise(eq.carried_attachment)
def test_a_bond_is_expected_as_one_is_in_general() -> None:
    """As in general for a share of 1, as everybody for 0, in between the proportion of the way."""
    for share, left in ((1.0, 0.8), (0.0, 0.3), (0.4, 0.5)):
        assert eq.carried_attachment(0.8, 0.3, share) == near(left)


@promise(eq.first_attachment)
def test_the_rest_of_a_new_bond_is_two_peoples_own() -> None:
    """What is carried over without a rest or its spread, or in the middle; else so far from it as the general spread says."""
    for carried in grid():
        for still in ({"carried_share": 1.0}, {"bond_spread": 0.0}, {"bond_luck": 0.0}):
            assert value(eq.first_attachment, carried=carried, **{"bond_luck": 2.0, **still}) == near(carried)
    new = {"carried_share": 0.6, "bond_spread": 0.5, "general_mean": 0.4, "general_sd": 0.12, "bond_luck": -2.0}
    assert eq.logit(value(eq.first_attachment, carried=0.7, **new)) == near(eq.logit(0.7) - 2 * 0.5 * 0.8 * 0.5, 1e-9)
    # Near the mean that rest is as large as the part of the general spread that is not carried over.
    z = np.random.default_rng(8).standard_normal(100_000)
    bonds = value(eq.first_attachment, **{**new, "bond_spread": 1.0, "general_sd": 0.02, "bond_luck": z}, carried=0.4)
    assert bonds.std() == near(0.8 * 0.02, 2e-4) and bonds.mean() == near(0.4, 3e-4)


@promise(eq.generalised)
def test_the_general_model_learns_of_what_it_did_not_expect() -> None:
    """Nothing without plasticity, without learning, or from a bond as expected; by hand at typical trust, of either sign."""
    for bond in (0.1, 0.5, 0.8):
        new = {"attachment": bond, "carried": 0.4}
        assert value(eq.generalised, attachment=bond, carried=bond) == 0.0
        assert value(eq.generalised, **new, plasticity=0.0) == value(eq.generalised, **new, mean_learning_gate=0.0) == 0.0
        usual = {**new, "trust": P.trust_typical, "mean_learning_gate": 0.5, "prototype_learning_rate": 0.03}
        assert value(eq.generalised, **usual, plasticity=2.0) == near(0.03 * (bond - 0.4))


@promise(eq.generalised)
def test_who_is_trusted_teaches_most() -> None:
    """Twice the typical lesson at most, nothing of somebody who is not trusted at all; trust is one factor for gain 0."""
    bond = {"attachment": 0.2, "carried": 0.4, "trust_typical": 0.5, "mean_learning_gate": 1.0, "prototype_learning_rate": 0.1}
    for trust, factor in ((1.0, 2.0), (0.75, 1.5), (0.5, 1.0), (0.25, 0.5), (0.0, 0.0)):
        assert value(eq.generalised, **bond, trust=trust, general_trust_gain=1.0) == near(-0.02 * factor, 1e-6)
        assert value(eq.generalised, **bond, trust=trust, general_trust_gain=0.0) == near(-0.02)


@promise(eq.anchored)
def test_only_a_relation_that_lasts_reaches_the_anchor() -> None:
    """Nothing for a share of 0 or in a bond that has just begun; else their product of what was learned, of either sign."""
    for learned in (-0.04, 0.02):
        assert eq.anchored(learned, 0.7, 0.0) == eq.anchored(learned, 0.0, 0.9) == 0.0
        assert eq.anchored(learned, 0.5, 0.9) == near(0.45 * learned) and eq.anchored(learned, 1.0, 1.0) == learned


@promise(eq.taking_part)
def test_the_typical_client_takes_part_as_capability_is_typical() -> None:
    """The typical capability for the typical collaboration; as far above or below it as that is."""
    typical = P.therapist_perceived_typical
    for more in (-0.2, 0.0, 0.3):
        taken = value(eq.taking_part, mean_perceived=typical + more, perceived_typical=typical)
        assert taken == near(P.capability_typical + more)


@promise(eq.toward)
def test_closed_form_of_moving_toward() -> None:
    """After n steps: target + (x0 - target)*(1 - rate)^n; and it never passes its target."""
    x = m = 0.2
    for _ in range(17):
        x, m = eq.toward(x, 0.9, 0.13), eq.perceived_mean(m, 0.9, 0.13)
    assert x == near(0.9 - 0.7 * 0.87**17) and m == near(0.9 - 0.7 * 0.87**17)
    assert eq.toward(3.0, 5.0, 1.0) == 5.0 and eq.toward(3.0, 5.0, 0.0) == 3.0


@promise(eq.conflict)
def test_conflict_needs_the_cingulate() -> None:
    """Registers surprise of either sign; nothing without the cingulate."""
    assert eq.conflict(1.0, -0.3) == eq.conflict(1.0, 0.3) == 0.3 and eq.conflict(0.0, 0.3) == 0.0


@promise(eq.calmed_arousal)
def test_co_regulation_limits() -> None:
    """Unchanged without co-regulation or without a response."""
    assert eq.calmed_arousal(0.4, 0.8, 0.0) == eq.calmed_arousal(0.4, 0.0, 0.5) == 0.4
    assert eq.calmed_arousal(0.4, 1.0, 0.5) == near(0.4 * np.exp(-0.5))


@promise(eq.labelling)
def test_labelling_limits() -> None:
    """Nothing said, nothing labelled; nothing without the ventrolateral cortex; never more than is said."""
    assert value(eq.labelling, disclosure=0.0) == value(eq.labelling, vlpfc=0.0) == 0.0
    for y in grid():
        assert value(eq.labelling, disclosure=y) < y


@promise(eq.labelled_arousal)
def test_labelled_arousal_limits() -> None:
    """Unchanged when nothing is labelled; an untrained part at once, more with training."""
    assert value(eq.labelled_arousal, arousal=0.5, labelling=0.0) == 0.5
    untrained = value(eq.labelled_arousal, arousal=0.5, labelling=0.4, control=0.0)
    assert untrained == near(0.5 * np.exp(-P.labelling_calm_rate * 0.4 * P.labelling_untrained_share))
    assert value(eq.labelled_arousal, arousal=0.5, labelling=0.4, control=0.6) < untrained < 0.5


@promise(eq.learning_gate)
def test_learning_gate_is_open_at_its_centre() -> None:
    """1 at the centre, 1/e one width away, the same on both sides, and lower ever further out."""
    c, w = P.gate_centre, P.gate_width
    assert value(eq.learning_gate, arousal=c) == 1.0
    assert value(eq.learning_gate, arousal=c + w) == near(1 / np.e) == value(eq.learning_gate, arousal=c - w)
    assert (np.diff(value(eq.learning_gate, arousal=np.linspace(c, 1, 20))) < 0).all()


@promise(eq.avoidance_learned)
def test_avoidance_learned_limits() -> None:
    """Unchanged without plasticity, surprise or an open gate; by hand in a plain moment; the ends are fixed."""
    for v in grid():
        assert value(eq.avoidance_learned, avoidance=v, plasticity=0.0) == v
        assert value(eq.avoidance_learned, avoidance=v, surprise=0.0) == v
        assert value(eq.avoidance_learned, avoidance=v, learning_gate=0.0) == v
    by_hand = 0.5 - P.client_other_model_rate * 0.8 * 0.2 * (1.0 + P.safety_value_gain * 0.3)
    assert value(eq.avoidance_learned, avoidance=0.5, learning_gate=0.8, surprise=0.2, trust=0.8) == near(by_hand)
    less = 0.5 + P.client_other_model_rate * 0.8 * 0.2
    assert value(eq.avoidance_learned, avoidance=0.5, learning_gate=0.8, surprise=-0.2, trust=0.8) == near(less)
    assert value(eq.avoidance_learned, avoidance=0.0) == 0.0 and value(eq.avoidance_learned, avoidance=1.0) == 1.0
    erratic = {"avoidance": 0.5, "learning_gate": 0.8, "surprise": -0.2, "inconsistency": P.client_inconsistency_typical + 0.1}
    doubted = (less - 0.5) / (1 + 0.1 * P.other_model_doubt_gain)
    assert value(eq.avoidance_learned, **erratic) == near(0.5 + doubted)
    no_ofc = value(eq.avoidance_learned, avoidance=0.5, surprise=0.2, ofc=0.0, trust=0.9)
    assert no_ofc == value(eq.avoidance_learned, avoidance=0.5, surprise=0.2, ofc=0.0, trust=0.1)


@promise(eq.anxiety_learned)
def test_anxiety_learned_limits() -> None:
    """Unchanged without plasticity; as reliable as usual and as expected: still; by hand for an erratic partner."""
    still = {"inconsistency": P.client_inconsistency_typical, "surprise": 0.0}
    for a in grid():
        assert value(eq.anxiety_learned, anxiety=a, plasticity=0.0) == a
        assert value(eq.anxiety_learned, anxiety=a, **still) == near(a)
        assert value(eq.anxiety_learned, anxiety=a, vmpfc=0.0, inconsistency=0.4) == a
    worth = P.self_model_reliability_gain * (P.client_inconsistency_typical - 0.3) + P.self_model_surprise_gain * 0.1
    got = value(eq.anxiety_learned, anxiety=0.5, learning_gate=0.8, inconsistency=0.3, surprise=0.1)
    assert got == near(0.5 - P.client_self_model_rate * 0.8 * worth)


@promise(eq.regulation_learned)
@pytest.mark.parametrize(("activity", "keep", "known"), [(0.5, 0.9, 0.714), (0.8, 0.9, 0.865), (0.5, 0.8, 0.556)])
def test_hebbian_weight_settles_where_it_should(activity: float, keep: float, known: float) -> None:
    """Constant activity V and persistence mu: W* = V^2/(1 - mu + V^2), from above and from below; .714 and .865 for mu = .9."""
    for start in (0.0, 1.0):
        w = start
        for _ in range(2000):
            w = value(eq.regulation_learned, regulation=w, learning_gate=1.0, labelling=0.0, perceived=activity,
                      regulation_perceived_share=1.0, regulation_keep=keep, regulation_rate=0.05)
        assert w == near(activity**2 / (1 - keep + activity**2), 1e-9) and w == near(known, 5e-4)
    assert value(eq.regulation_learned, regulation=0.4, plasticity=0.0) == 0.4


@promise(eq.shared_meaning)
def test_shared_meaning_tends_to_its_limit() -> None:
    """Tends to attunement * said * calm."""
    m = 0.9
    for _ in range(400):
        m = eq.shared_meaning(m, 0.8, 0.5, 0.25, 0.1)
    assert m == near(0.8 * 0.5 * 0.75)


@promise(eq.tension)
def test_tension_fades_and_builds() -> None:
    """Fades by ``keep`` when nothing disappoints; constant disappointment d settles at d/(1 - keep)."""
    t = 1.0
    for _ in range(5):
        t = eq.tension(t, 0.3, 0.8)
    assert t == near(0.8**5)
    for _ in range(300):
        t = eq.tension(t, -0.1, 0.8)
    assert t == near(0.5)


@promise(eq.rupture_hazard)
def test_no_therapy_is_without_ruptures() -> None:
    """S(b) where nothing disappoints, bids are met and the task is agreed on; by hand where any of the three is not so."""
    agreed = float(eq.logistic(P.agreement_base))
    smooth = {"tension": 0.0, "bid": 0.8, "perceived": 0.6, "perceived_mean": 0.6, "task": agreed}
    base = P.hazard_base
    assert value(eq.rupture_hazard, **smooth) == near(eq.logistic(base))
    for nothing in ({"perceived": 0.9}, {"task": 1.0}, {"bid": 0.0, "perceived": 0.1}):  # better than usual; not asked for
        assert value(eq.rupture_hazard, **{**smooth, **nothing}) == near(eq.logistic(base))
    for strain, more in (({"tension": 0.5}, 0.5 * P.hazard_tension_gain), ({"task": agreed - 0.3}, 0.3 * P.hazard_task_gain),
                         ({"perceived": 0.5}, 0.8 * 0.1 * P.hazard_missed_gain)):
        assert value(eq.rupture_hazard, **{**smooth, **strain}) == near(eq.logistic(base + more))


@promise(eq.rupture_depth)
def test_the_middle_rupture_is_as_deep_as_stated() -> None:
    """S(b) in the middle without disappointment; deeper after much of it, in anxious people, and by chance."""
    middle = {"depth_luck": 0.0, "tension": 0.0, "anxiety": P.anxiety_typical}
    assert value(eq.rupture_depth, **middle) == near(eq.logistic(P.depth_base))
    for deeper, more in (({"tension": 0.4}, 0.4 * P.depth_tension_gain), ({"depth_luck": -1.0}, -P.depth_sd),
                         ({"anxiety": P.anxiety_typical + 0.3}, 0.3 * P.depth_anxiety_gain)):
        assert value(eq.rupture_depth, **{**middle, **deeper}) == near(eq.logistic(P.depth_base + more))


@promise(eq.confrontation_probability)
def test_confrontation_of_the_typical_person() -> None:
    """As likely as withdrawal for the typical person, and for one equally far above on both dimensions."""
    assert value(eq.confrontation_probability, **TYPICAL) == near(0.5)
    assert value(eq.confrontation_probability, anxiety=0.75, avoidance=0.66) == near(0.5)


@promise(eq.repair_probability)
def test_repair_limits() -> None:
    """Never by a therapist who notices nothing or makes no effort; the client's noticing counts for its share only; by hand."""
    assert value(eq.repair_probability, noticed=0.0) == value(eq.repair_probability, repair_effort=0.0) == 0.0
    sure = {"noticed": 1.0, "partner_noticed": 1.0}
    whole, without = value(eq.repair_probability, **sure), value(eq.repair_probability, noticed=1.0, partner_noticed=0.0)
    assert without / whole == near(1 - P.repair_client_share)
    logit = P.repair_base + P.repair_understanding_gain * 0.6 * 0.5 + P.repair_confrontation_gain
    for more in (0.0, 0.3):
        repaired = value(eq.repair_probability, mentalising=0.6, attunement=0.5, confronted=1.0,
                         habitual_avoidance=P.avoidance_typical + more, partner_disclosure=P.disclosure_typical, **sure)
        assert repaired == near(eq.logistic(logit - more * P.repair_avoidance_cost))


@promise(eq.lifted)
def test_lifted_is_a_move_on_the_logit_scale() -> None:
    """The proportion itself for no move; in between what logistic and logit make of it; never beyond 0 and 1."""
    for s in grid():
        assert eq.lifted(s, 0.0) == near(s, 1e-12)
        for by in (-3.0, -0.4, 0.7, 2.5):
            assert eq.lifted(s, by) == near(eq.logistic(eq.logit(s) + by), 1e-12)
    assert 0.0 < eq.lifted(0.0, -5.0) < eq.lifted(1.0, 5.0) < 1.0


@promise(eq.moved_share)
def test_moved_share_keeps_to_its_range() -> None:
    """A full step at one half; the ends do not move; in 0..1 also for larger steps, which count as a quarter."""
    assert eq.moved_share(0.5, 0.1) == near(0.6) and eq.moved_share(0.0, 0.2) == 0.0 and eq.moved_share(1.0, -0.2) == 1.0
    s, step = np.meshgrid(np.linspace(0, 1, 101), np.linspace(-0.25, 0.25, 51))
    assert eq.moved_share(s, step).min() >= 0 and eq.moved_share(s, step).max() <= 1 + 1e-15
    assert eq.moved_share(0.7, 0.4) == eq.moved_share(0.7, 0.25) <= 1


@promise(eq.noticed)
def test_nothing_is_noticed_without_the_cingulate() -> None:
    """Without it there is neither watchfulness nor conflict; a strong conflict signal is noticed for sure."""
    assert value(eq.noticed, acc=0.0, conflict=0.0) == 0.0
    assert value(eq.noticed, acc=1.0, conflict=0.0) == near(P.notice_floor) and value(eq.noticed, acc=1.0, conflict=1.0) == 1.0


@promise(eq.insecurity)
def test_the_typical_person_is_not_insecure() -> None:
    """0 at the typical place; the sum of both distances elsewhere."""
    assert value(eq.insecurity, anxiety=P.anxiety_typical, avoidance=P.avoidance_typical) == 0.0
    assert value(eq.insecurity, anxiety=P.anxiety_typical + 0.2, avoidance=P.avoidance_typical - 0.05) == near(0.15)


@promise(eq.first_impression)
def test_first_impressions_see_a_part_of_what_will_be() -> None:
    """The draw of compatibility itself for an accuracy of 1, chance for 0; between, of spread 1 and so far right."""
    assert eq.first_impression(0.5, 1.7, 1.0) == near(0.5) and eq.first_impression(0.5, 1.7, 0.0) == 1.7
    fit, chance = np.random.default_rng(4).standard_normal((2, 100_000))
    struck = eq.first_impression(fit, chance, 0.35)
    assert struck.std() == near(1.0, 0.01) and np.corrcoef(fit, struck)[0, 1] == near(0.35, 0.01)


@promise(eq.first_trust)
def test_first_trust_of_the_typical_person() -> None:
    """The declared start for the typical person who makes no impression; insecurity lowers it, a good impression lifts it."""
    assert value(eq.first_trust, impression=0.0, **TYPICAL) == near(P.trust_start)
    person = {"anxiety": P.anxiety_typical + 0.3, "avoidance": P.avoidance_typical - 0.1, "impression": -1.5}
    moved = -0.2 * P.trust_start_security_gain - 1.5 * P.trust_impression_gain
    assert eq.logit(value(eq.first_trust, **person)) == near(eq.logit(P.trust_start) + moved, 1e-9)


@promise(eq.first_agreement)
def test_first_agreement_follows_the_first_impression() -> None:
    """The declared start without an impression; by hand with one."""
    assert value(eq.first_agreement, impression=0.0) == near(P.agreement_start)
    struck = eq.logit(value(eq.first_agreement, impression=-1.5))
    assert struck == near(eq.logit(P.agreement_start) - 1.5 * P.agreement_impression_gain, 1e-9)


@promise(eq.core_share)
def test_core_of_the_average_person() -> None:
    """S(base) for nobody in particular in an ordinary week."""
    assert value(eq.core_share, distress=0.0, week_noise=0.0) == near(eq.logistic(P.core_base))


@promise(eq.calm)
def test_people_come_in_as_aroused_as_is_typical() -> None:
    """The typical arousal; less with a part of the limbic system, nothing without it, and no more with more of it."""
    for limbic, left in ((1.0, 0.3), (0.5, 0.15), (0.0, 0.0), (1.4, 0.3)):
        assert value(eq.calm, limbic=limbic, arousal_typical=0.3) == near(left)


@promise(eq.trust_target)
def test_trust_of_the_typical_person() -> None:
    """The typical trust for the typical response; better responses, more trust."""
    assert value(eq.trust_target, mean_perceived=P.client_perceived_typical) == near(P.trust_typical, 1e-9)


@promise(eq.felt_bond)
def test_the_bond_of_the_typical_person_is_their_trust() -> None:
    """The trust itself for the typical person; less of it becomes a bond in insecure ones."""
    assert value(eq.felt_bond, trust=0.6, **TYPICAL) == near(0.6, 1e-9)
    assert value(eq.felt_bond, trust=0.6, anxiety=0.8, avoidance=0.8) < 0.6


@promise(eq.capability_target)
def test_capability_of_the_typical_therapist() -> None:
    """The typical value when understood and trusted as usual and nothing has changed yet."""
    seems = value(eq.capability_target, mean_attunement=P.attunement_typical, progress=0.0, trust=P.trust_typical)
    assert seems == near(P.capability_typical, 1e-9)


@promise(eq.agreement_target)
def test_agreement_of_the_typical_dyad() -> None:
    """S(b) in the typical dyad."""
    assert value(eq.agreement_target, capability=P.capability_typical, shared_meaning=P.shared_meaning_typical,
                 trust=P.trust_typical, progress=0.0) == near(eq.logistic(P.agreement_base))


@promise(eq.session_quality)
def test_a_session_is_good_against_what_one_is_used_to() -> None:
    """Luck alone in a session like the others; by hand for better responses than usual, and for a bad week."""
    usual = {"mean_perceived": 0.7, "usual": 0.7, "distress": 2.0, "distress_usual": 2.0, "quality_luck": -0.5}
    luck = -0.5 * P.quality_luck_sd
    assert value(eq.session_quality, **usual) == near(luck)
    better = value(eq.session_quality, **{**usual, "mean_perceived": 0.8})
    assert better == near(luck + P.quality_response_gain * (eq.logit(0.8) - eq.logit(0.7)))
    assert value(eq.session_quality, **{**usual, "distress": 2.5}) == near(luck - 0.5 * P.quality_distress_cost)


@promise(eq.momentary)
def test_a_session_like_the_others_adds_nothing() -> None:
    """0 then, with nothing open; a good one adds, what is open of ruptures takes away."""
    assert value(eq.momentary, quality=0.0, open_rupture=0.0) == 0.0
    got = value(eq.momentary, quality=1.5, open_rupture=0.4, alliance_quality_gain=0.2, rupture_alliance_cost=2.0)
    assert got == near(1.5 * 0.2 - 0.4 * 2.0)


@promise(eq.as_felt)
@promise(eq.alliance)
def test_alliance_is_the_mean_of_three_as_the_day_colours_it() -> None:
    """Bond, task and goal weigh the same; each of them, and their mean, as it is in a session like the others, else moved."""
    assert eq.alliance(0.3, 0.6, 0.9, 0.0) == near(0.6) == eq.alliance(0.9, 0.3, 0.6, 0.0)
    for level in grid():
        assert eq.as_felt(level, 0.0) == near(level)
        for moment in (-1.2, 0.4):
            felt, whole = eq.as_felt(level, moment), eq.alliance(level, level, level, moment)
            assert eq.logit(felt) == near(eq.logit(level) + moment, 1e-9) and whole == near(felt)


@promise(eq.relief)
def test_a_good_session_relieves_and_a_bad_one_adds() -> None:
    """Nothing in a session like the others, else in proportion, either way."""
    for quality in (-2.0, 0.0, 1.0):
        assert value(eq.relief, quality=quality) == near(quality * P.relief_gain)


@promise(eq.engagement_target)
def test_engagement_of_the_typical_client() -> None:
    """S(b) at the typical alliance and distress."""
    assert value(eq.engagement_target, alliance=P.alliance_typical, distress=P.client_distress_typical) == near(
        eq.logistic(P.engagement_base))


@promise(eq.healing)
def test_healing_limits() -> None:
    """Nothing without engagement or below healthy distress; in a typical session rate*excess near health, rate*reach for the
    very ill, half of either where excess and reach are the same."""
    typical = {"alliance": P.alliance_typical, "engagement": P.engagement_typical, "labelling": P.labelling_typical}
    healthy, rate = P.healthy_distress, P.healing_rate
    assert value(eq.healing, engagement=0.0) == value(eq.healing, distress=healthy - 1) == 0.0
    assert value(eq.healing, distress=healthy + 1e-6, **typical) == near(rate * 1e-6, 1e-10)
    assert value(eq.healing, distress=healthy + 1e9, healing_reach=0.6, **typical) == near(rate * 0.6, 1e-9)
    for reach in (0.6, 3.0):
        assert value(eq.healing, distress=healthy + reach, healing_reach=reach, **typical) == near(rate * reach / 2)
    # What the two make of the same treatment multiplies it; a few clients are harmed by it.
    usual = value(eq.healing, distress=1.0, **typical)
    for factor, given in ((2**P.healing_alliance_power, {"alliance": 2 * P.alliance_typical}),
                          (1.5, {"engagement": 1.5 * P.engagement_typical}),
                          (1 + P.healing_labelling_share, {"labelling": 2 * P.labelling_typical}),
                          (1.3 * np.exp(-0.1), {"treatment_gain": 0.3, "partner_treatment_gain": -0.1}),
                          (-0.5, {"treatment_gain": -1.5})):
        assert value(eq.healing, distress=1.0, **{**typical, **given}) == near(factor * usual)
    # However strong the treatment, it takes away no more than all that can be reached, nor adds more.
    for much, most in ((1e6, 1.0), (-1e6, -1.0)):
        assert value(eq.healing, distress=1.0, **typical, treatment_gain=much) == near(most * usual / rate)


@promise(eq.rupture_distress)
def test_only_an_open_rupture_hurts() -> None:
    """Nothing where all is repaired; the step as far as one is open."""
    assert value(eq.rupture_distress, open_rupture=0.0) == 0.0
    for open_, adds in ((1.0, 0.07), (0.3, 0.021)):
        assert value(eq.rupture_distress, open_rupture=open_, rupture_distress_step=0.07) == near(adds)


@promise(eq.dropout_probability)
def test_dropout_limits() -> None:
    """Without reasons outside S(b) late in a typical course, S(b + early) at first; the early excess fades by e in ``fade``
    sessions. Where nothing inside makes leave, only those outside; of those who would stay, their share."""
    typical = {"alliance": P.alliance_typical, "engagement": P.engagement_typical, "open_rupture": 0.0,
               "avoidance": P.avoidance_typical, "dropout_outside": 0.0}
    assert value(eq.dropout_probability, session=500.0, **typical) == near(eq.logistic(P.dropout_base))
    assert value(eq.dropout_probability, session=1.0, **typical) == near(eq.logistic(P.dropout_base + P.dropout_early_gain))
    later = value(eq.dropout_probability, session=1.0 + P.dropout_early_fade, **typical)
    assert later == near(eq.logistic(P.dropout_base + P.dropout_early_gain / np.e))
    for name, moved, gain in (("open_rupture", 0.4, P.dropout_rupture_gain), ("alliance", 0.1, -P.dropout_alliance_gain),
                              ("engagement", -0.1, -P.dropout_engagement_gain), ("avoidance", 0.3, P.dropout_avoidance_gain)):
        left = value(eq.dropout_probability, session=500.0, **{**typical, name: typical[name] + moved})
        assert left == near(eq.logistic(P.dropout_base + moved * gain))
    for base, leave in ((-800.0, 0.02), (0.0, 0.51)):
        outside = {**typical, "dropout_base": base, "dropout_outside": 0.02}
        assert value(eq.dropout_probability, session=500.0, **outside) == near(leave)


@promise(eq.well_enough)
def test_well_enough_limits() -> None:
    """Never for p = 0; below the distress that is good enough, from the stated session on, as often as stated."""
    well = {"good_enough_distress": 0.3, "good_enough_sessions": 6.0, "distress": 0.2, "session": 6.0}
    chances = 1.0 - np.arange(1000) / 1000  # uniform draws lie above 0, and reach 1
    assert value(eq.well_enough, **well, good_enough_chance=chances, good_enough_prob=0.0).sum() == 0
    assert value(eq.well_enough, **well, good_enough_chance=chances, good_enough_prob=0.25).sum() == 250
    sure = {"good_enough_chance": chances, "good_enough_prob": 1.0}
    assert value(eq.well_enough, **well, **sure).sum() == 1000
    assert value(eq.well_enough, **{**well, "session": 5.0}, **sure).sum() == 0
    assert value(eq.well_enough, **{**well, "distress": 0.3}, **sure).sum() == 0


@promise(eq.dyadic_compatibility)
def test_dyadic_compatibility_is_luck_alone_unless_a_reading_is_chosen() -> None:
    """Luck alone at gain 0 and for a partner at the mean of their role.

    Above 0 unlike pairs get on better, below 0 alike ones.
    """
    mean = {"anxiety_mean": 0.4, "avoidance_mean": 0.3, "partner_anxiety_mean": 0.3, "partner_avoidance_mean": 0.2}
    for a, v, pa, pv in ((0.9, 0.1, 0.2, 0.8), (0.1, 0.9, 0.9, 0.9)):
        here = {"anxiety": a, "avoidance": v, "partner_anxiety": pa, "partner_avoidance": pv, **mean}
        drawn = value(eq.dyadic_compatibility, compatibility_luck=1.5, complementarity_gain=0.0, **here)
        assert drawn == near(1.5 * P.compatibility_sd)
    still = {"partner_anxiety": 0.3, "partner_avoidance": 0.2, "anxiety": 0.9, "avoidance": 0.9, **mean}
    assert value(eq.dyadic_compatibility, compatibility_luck=0.0, complementarity_gain=20.0, **still) == 0.0
    alike = {"anxiety": 0.7, "partner_anxiety": 0.6, "avoidance": 0.3, "partner_avoidance": 0.2, **mean}
    assert value(eq.dyadic_compatibility, compatibility_luck=0.0, complementarity_gain=10.0, **alike) == near(-0.9)
    assert value(eq.dyadic_compatibility, compatibility_luck=0.0, complementarity_gain=-10.0, **alike) == near(0.9)


@promise(eq.waiting_loss_probability)
def test_waiting_loses_about_one_in_a_hundred_at_first() -> None:
    """S(b) in the first week for the typical client; a year of waiting multiplies the odds by exp(52 gain)."""
    typical = {"distress": P.client_distress_typical, "distress_typical": P.client_distress_typical}
    assert value(eq.waiting_loss_probability, weeks_waiting=0.0, **typical) == near(eq.logistic(P.waiting_loss_base))
    late = value(eq.waiting_loss_probability, weeks_waiting=52.0, **typical)
    assert eq.logit(late) == near(P.waiting_loss_base + 52 * P.waiting_loss_week_gain)


@promise(eq.expected_score)
def test_expected_scores_fall_and_then_stay() -> None:
    """The first score at first; so many points a session less, and never less than ``most`` below."""
    for first in (10.0, 25.0):
        assert value(eq.expected_score, first_score=first, session=1.0) == first
        assert value(eq.expected_score, first_score=first, session=5.0) == near(first - 4 * P.expected_points)
        assert value(eq.expected_score, first_score=first, session=500.0) == near(first - P.expected_points_most)


@promise(eq.fatigue_after)
def test_fatigue_fades_in_rest_and_grows_by_what_is_carried_home() -> None:
    """Rest leaves ``keep``; a caseload that fits adds nothing; distress carried home adds more than one client too many."""
    calm = {"load": 1.0, "carried": 0.0, "open_ruptures": 0.0}
    assert value(eq.fatigue_after, fatigue=0.5, **calm) == near(0.5 * P.fatigue_week_keep)
    assert value(eq.fatigue_after, fatigue=0.5, **{**calm, "load": 0.2, "carried": -0.4}) == near(0.5 * P.fatigue_week_keep)
    x, steady = 0.0, {"load": 1.5, "carried": 0.1, "open_ruptures": 0.1}
    for _ in range(400):
        x = value(eq.fatigue_after, fatigue=x, **steady)
    added = 0.5 * P.fatigue_load_gain + 0.1 * (P.fatigue_carried_gain + P.fatigue_rupture_gain)
    assert x == near(added / (1 - P.fatigue_week_keep), 1e-9)


@promise(eq.quitting_probability)
def test_quitting_of_the_rested_is_its_base() -> None:
    """S(b) when rested; the odds grow by exp(g*fatigue)."""
    assert value(eq.quitting_probability, fatigue=0.0) == near(eq.logistic(P.quitting_base))
    assert eq.logit(value(eq.quitting_probability, fatigue=0.4)) == near(P.quitting_base + 0.4 * P.quitting_fatigue_gain)


@promise(eq.handed_over)
def test_a_hand_over_carries_a_share() -> None:
    """A stranger at 0, everything at 1, in between the proportion of the difference."""
    for share, left in ((0.0, 0.2), (1.0, 0.8), (0.25, 0.35)):
        assert value(eq.handed_over, fresh=0.2, before=0.8, hand_over_share=share) == near(left)


@promise(eq.first_anchor)
def test_an_anchor_fits_where_a_person_stands() -> None:
    """Today itself where life does not disturb, the mean where it is all there is; less what distress adds; spread between."""
    where = {"today": 0.7, "mean": 0.4, "sd": 0.2, "distress": 0.0, "anchor_luck": 1.0}
    assert value(eq.first_anchor, **where, prototype_state_share=0.0) == near(0.7)
    assert value(eq.first_anchor, **where, prototype_state_share=1.0) == near(0.4)
    assert value(eq.first_anchor, **where, prototype_state_share=0.2) == near(0.4 + 0.8 * 0.3 + 0.2 * 0.4)
    pushed = {**where, "distress": 2.0, "distress_gain": 0.005, "prototype_state_share": 0.0}
    assert value(eq.first_anchor, **pushed, anchor_rate=0.1) == near(0.7 - 0.005 * 2.0 * 4 * 0.7 * 0.3 / 0.1)
    assert value(eq.first_anchor, **pushed, anchor_rate=0.0) == near(0.7)


@promise(eq.earned_anchor)
def test_security_that_was_earned_holds() -> None:
    """Where they stood early at 0, where they stand today at 1, in between the proportion of the way."""
    for share, left in ((0.0, 0.2), (1.0, 0.8), (0.25, 0.35)):
        assert value(eq.earned_anchor, early=0.2, today=0.8, earned_share=share) == near(left)


@promise(eq.defence)
def test_defences_are_own_and_learned() -> None:
    """The own part alone for the average person; each dimension adds its path."""
    assert value(eq.defence, anxiety_z=0.0, avoidance_z=0.0, own=-0.7) == -0.7
    assert value(eq.defence, anxiety_z=2.0, avoidance_z=-1.0, anxiety_path=0.34, avoidance_path=0.1, own=0.5) == near(1.08)


@promise(eq.expected_distress)
def test_expected_distress_is_a_sum_of_paths() -> None:
    """The average person is expected at 0; each cause adds its path."""
    zero = {"anxiety_z": 0.0, "avoidance_z": 0.0, "immature": 0.0, "neurotic": 0.0}
    assert value(eq.expected_distress, **zero) == 0.0
    for cause, path in (("anxiety_z", P.distress_anxiety_path), ("avoidance_z", P.distress_avoidance_path),
                        ("immature", P.distress_immature_path), ("neurotic", P.distress_neurotic_path)):
        assert value(eq.expected_distress, **{**zero, cause: 2.0}) == near(2 * path)


@promise(eq.distress_drift)
@pytest.mark.parametrize("rate", [0.02, 0.06, 0.5])
def test_distress_has_the_variance_it_should(rate: float) -> None:
    """Stationary variance around the set point equals the state share, whatever the pull and the proportion of events in it."""
    for events in (0.0, 0.7):
        step = {"distress_return_rate": rate, "distress_state_share": 0.3, "distress_set_point": 1.0, "life_event_prob": 0.05,
                "life_event_distress_share": events, "event": 0.0, "event_luck": 0.0}  # fmt: skip
        mean, variance = 4.0, 0.0
        kept = value(eq.distress_drift, distress=1.0, **step) - value(eq.distress_drift, distress=0.0, **step)
        small = value(eq.distress_drift, distress_luck=1.0, **step) - value(eq.distress_drift, distress_luck=0.0, **step)
        hit = {**step, "event": 1.0}
        large = value(eq.distress_drift, **{**hit, "event_luck": 1.0}) - value(eq.distress_drift, **hit)
        for _ in range(2000):
            mean, variance = value(eq.distress_drift, distress=mean, **step), kept**2 * variance + small**2 + 0.05 * large**2
        assert mean == near(1.0, 1e-9) and variance == near(0.3, 1e-9)
        rng = np.random.default_rng(3)
        x = np.full(4000, 1.0)
        for _ in range(300):
            luck = {"distress_luck": rng.standard_normal(4000), "event_luck": rng.standard_normal(4000),
                    "event": (rng.random(4000) < 0.05) * 1.0}  # fmt: skip
            x = value(eq.distress_drift, distress=x, **{**step, **luck})
        assert x.mean() == near(1.0, 0.05) and x.var() == near(0.3, 0.04)


@promise(eq.correlated)
def test_two_draws_go_together_as_stated() -> None:
    """Unit variance, and the correlation that is asked for, of either sign; alone for 0, the same for 1."""
    rng = np.random.default_rng(6)
    common, own = rng.standard_normal((2, 100_000))
    for r in (-0.5, 0.0, 0.3):
        both = eq.correlated(common, own, r)
        assert both.std() == near(1.0, 0.01) and np.corrcoef(common, both)[0, 1] == near(r, 0.01)
    assert eq.correlated(0.7, -1.0, 0.0) == -1.0 and eq.correlated(0.7, -1.0, 1.0) == 0.7


@promise(eq.defence_noise_sd)
@promise(eq.set_point_noise_sd)
def test_defences_and_distress_have_unit_variance_in_the_community() -> None:
    """Whatever the paths: of correlated attachment, defences and distress come out with variance 1; of too strong ones nothing is
    left for chance."""
    rng, n = np.random.default_rng(7), 200_000
    a, own_v, *z = rng.standard_normal((6, n))
    some = {"distress_anxiety_path": 0.3, "distress_immature_path": 0.3}
    for r, paths in ((0.2, some), (-0.4, {"distress_neurotic_path": 0.2})):
        v, two, one = eq.correlated(a, own_v, r), (0.35, 0.15), 0.4
        sd = {"immature": value(eq.defence_noise_sd, anxiety_path=two[0], avoidance_path=two[1], r=r),
              "neurotic": value(eq.defence_noise_sd, anxiety_path=one, avoidance_path=0.0, r=r)}  # fmt: skip
        immature, neurotic = two[0] * a + two[1] * v + sd["immature"] * z[0], one * a + sd["neurotic"] * z[1]
        assert immature.var() == near(1.0, 0.02) and neurotic.var() == near(1.0, 0.02)
        size = value(eq.set_point_noise_sd, immature_anxiety_path=two[0], immature_avoidance_path=two[1], r=r,
                     neurotic_anxiety_path=one, immature_sd=sd["immature"], neurotic_sd=sd["neurotic"], **paths)  # fmt: skip
        expected = value(eq.expected_distress, anxiety_z=a, avoidance_z=v, immature=immature, neurotic=neurotic, **paths)
        distress = expected + size * z[2] + np.sqrt(P.distress_state_share) * z[3]
        assert distress.var() == near(1.0, 0.02)
    assert value(eq.defence_noise_sd, anxiety_path=1.0, avoidance_path=0.5, r=0.0) == 0.0
    assert value(eq.set_point_noise_sd, distress_state_share=1.0) == 0.0


@promise(eq.help_seeking_probability)
def test_who_suffers_more_comes_sooner() -> None:
    """One half at the threshold; nearly nobody far below it, nearly everybody far above."""
    at, far = P.help_seeking_threshold, 8 * P.help_seeking_width
    below, there, above = (value(eq.help_seeking_probability, distress=x) for x in (at - far, at, at + far))
    assert below < 0.001 and there == 0.5 and above > 0.999


@promise(eq.partly_shared)
def test_two_views_share_as_much_as_stated() -> None:
    """Unit variance each, and their correlation is the share."""
    rng = np.random.default_rng(5)
    common, mine, theirs = rng.standard_normal((3, 100_000))
    for shared in (0.0, 0.3, 1.0):
        a, b = (eq.partly_shared(common, own, shared) for own in (mine, theirs))
        assert a.std() == near(1.0, 0.01) and np.corrcoef(a, b)[0, 1] == near(shared, 0.01)


@promise(eq.prototype_drift)
def test_prototype_limits() -> None:
    """Without plasticity, or when nothing happens, only the pull to the anchor; distress feeds insecurity, by plasticity."""
    for x in grid():
        pulled = near(eq.toward(x, 0.7, P.anchor_rate))
        for still in ({"plasticity": 0.0, "prototype_luck": 3.0, "distress": 4.0}, {"plasticity": 2.0, "distress": 0.0}):
            assert value(eq.prototype_drift, prototype=x, anchor=0.7, **still) == pulled
    for plasticity in (1.0, 2.5):
        fed = value(eq.prototype_drift, prototype=0.5, anchor=0.5, distress=2.0, plasticity=plasticity)
        assert fed == near(0.5 + plasticity * 2 * plain("distress_gain"))
    # The average person is disturbed by just the share of the variance that comes and goes.
    given = {"population_mean": 0.4, "population_sd": 0.2, "prototype_state_share": 0.3, "anchor_rate": 0.1, "distress": 0.0}
    stirred = value(eq.prototype_drift, prototype=0.4, anchor=0.4, prototype_luck=1.0, **given) - 0.4
    assert stirred**2 / (1 - 0.9**2) == near(0.3 * 0.2**2)


@promise(eq.faded)
def test_training_fades_without_practice() -> None:
    """Unchanged without plasticity or for keep = 1; keep^n of it is left after n weeks; never below nothing."""
    for trained in grid():
        assert value(eq.faded, regulation=trained, plasticity=0.0, regulation_week_keep=0.5) == trained
        assert value(eq.faded, regulation=trained, plasticity=2.0, regulation_week_keep=1.0) == trained
    left = 0.8
    for _ in range(17):
        left = value(eq.faded, regulation=left, plasticity=1.0, regulation_week_keep=0.9)
    assert left == near(0.8 * 0.9**17)
    assert value(eq.faded, regulation=0.8, plasticity=0.5, regulation_week_keep=0.9) == near(0.8 * 0.95)
    assert value(eq.faded, regulation=0.8, plasticity=3.0, regulation_week_keep=0.5) == 0.0


@promise(eq.shaken)
def test_only_an_event_that_moves_attachment_shakes_it() -> None:
    """Unchanged without such an event or without plasticity; by hand either way; the ends are fixed."""
    for x in grid():
        assert value(eq.shaken, attachment=x, moves=0.0, event_luck=2.0) == x
        assert value(eq.shaken, attachment=x, moves=1.0, event_luck=2.0, plasticity=0.0) == x
        for luck in (-1.5, 1.5):
            moved = value(eq.shaken, attachment=x, moves=1.0, event_luck=luck, plasticity=0.5, life_event_sd=0.04)
            assert moved == near(x + 0.5 * 0.04 * luck * 4 * x * (1 - x))
    assert value(eq.shaken, attachment=0.0, event_luck=3.0) == 0.0 and value(eq.shaken, attachment=1.0, event_luck=3.0) == 1.0


@pytest.mark.parametrize(("rho", "weeks", "known"), [(0.0, 10, 0.851), (0.0, 60, 0.008), (0.5, 10, 0.964), (0.5, 60, 0.930)])
def test_an_anchored_prototype_keeps_its_past(rho: float, weeks: int, known: float) -> None:
    """Free drift forgets (.851, .008), drift with an anchor does not (.964, .930): exact."""
    state = np.zeros(weeks + 1)
    state[0] = 1.0  # S_0; entry t is the weight of that week's u
    for t in range(1, weeks + 1):
        u = np.zeros(weeks + 1)
        u[0], u[t] = rho, np.sqrt(1 - rho**2)
        state = eq.toward(state, u, 0.1)
    correlation = state[0] / np.linalg.norm(state)
    assert correlation == near(known, 5e-4)
    if rho == 0.0:
        left = 0.9 ** (2 * weeks)
        assert correlation == near(0.9**weeks / np.sqrt(left + 0.01 * (1 - left) / (1 - 0.81)), 1e-9)


@promise(eq.response_style)
def test_a_style_is_in_part_a_raters_own() -> None:
    """The common part alone for s = 1, the questionnaire's own alone for s = 0; between, the spread of both, sharing s."""
    shares = {"common": 0.7, "response_style_sd": 0.5, "own_luck": -1.2}
    assert value(eq.response_style, **shares, response_style_shared_share=1.0) == 0.7
    assert value(eq.response_style, **shares, response_style_shared_share=0.0) == near(-0.6)
    rng = np.random.default_rng(5)
    common, mine, theirs = rng.standard_normal((3, 100_000))
    given = {"common": 0.5 * common, "response_style_sd": 0.5, "response_style_shared_share": 0.3}
    a, b = (value(eq.response_style, **given, own_luck=luck) for luck in (mine, theirs))
    assert a.std() == near(0.5, 0.005) and np.corrcoef(a, b)[0, 1] == near(0.3, 0.01)


@promise(eq.reported_rupture)
def test_deep_ruptures_are_reported() -> None:
    """The false reports alone in a smooth session; 1 - 1/e of the others' at the stated depth; nobody misses a very deep one."""
    chances = 1.0 - np.arange(100_000) / 100_000  # uniform draws lie above 0, and reach 1
    given = {"report_chance": chances, "false_report_prob": 0.25, "report_depth": 0.2}
    for depth, share in ((0.0, 0.25), (0.2, 1 - 0.75 / np.e), (0.5, 1 - 0.75 * np.exp(-2.5)), (10.0, 1.0)):
        got = value(eq.reported_rupture, depth=depth, **given)
        assert set(np.unique(got)) <= {0.0, 1.0} and got.mean() == near(share, 1e-5)
    assert value(eq.reported_rupture, depth=0.0, **{**given, "false_report_prob": 0.0}).sum() == 0


@promise(eq.admitted)
def test_deactivating_people_report_less_than_they_have() -> None:
    """All of it for the typical person; less by the gain, more who avoid less."""
    for distress in (-1.0, 2.0):
        assert value(eq.admitted, distress=distress, avoidance=P.avoidance_typical) == distress
        for more in (-0.2, 0.4):
            got = value(eq.admitted, distress=distress, avoidance=P.avoidance_typical + more, under_report_gain=0.5)
            assert got == near(distress - 0.5 * more)


@promise(eq.rated_share)
def test_rating_limits() -> None:
    """The level itself with gain 1 and nothing added; a lift alone for the typical level."""
    for x in grid():
        assert value(eq.rated_share, level=x, rating_gain=1.0, leniency=0.0, style=0.0, noise=0.0) == near(x, 1e-9)
    lifted = value(eq.rated_share, level=0.55, level_typical=0.55, leniency=0.8, style=0.1, noise=-0.2)
    assert lifted == near(eq.logistic(eq.logit(0.55) + 0.7), 1e-9)


@promise(eq.cats_secure_share)
def test_secure_attachment_of_the_typical_client() -> None:
    """The base; trust, security and a favourable style each raise what is marked."""
    base = value(eq.cats_secure_share, trust=P.trust_typical, style=0.0, **TYPICAL)
    assert base == near(eq.logistic(P.cats_secure_base))
    person = {"anxiety": P.anxiety_typical + 0.1, "avoidance": P.avoidance_typical - 0.3}
    moved = value(eq.cats_secure_share, trust=0.8, style=0.2, **person)
    trusting = P.cats_trust_gain * (eq.logit(0.8) - eq.logit(P.trust_typical))
    style = 0.2 * P.cats_style_share
    assert eq.logit(moved) == near(P.cats_secure_base + trusting + 0.2 * P.cats_insecurity_gain + style, 1e-9)


@promise(eq.cats_avoidant_share)
def test_avoidant_attachment_of_the_typical_client() -> None:
    """The base; the mirror image of security in trust, avoidance and style, while anxiety does not enter."""
    base = value(eq.cats_avoidant_share, trust=P.trust_typical, style=0.0, avoidance=P.avoidance_typical)
    assert base == near(eq.logistic(P.cats_avoidant_base))
    moved = value(eq.cats_avoidant_share, trust=0.8, style=0.2, avoidance=P.avoidance_typical + 0.3)
    trusting = P.cats_trust_gain * (eq.logit(0.8) - eq.logit(P.trust_typical))
    style = 0.2 * P.cats_style_share
    assert eq.logit(moved) == near(P.cats_avoidant_base - trusting + 0.3 * P.cats_insecurity_gain - style, 1e-9)
    assert "anxiety" not in arguments("cats_avoidant_share")


@promise(eq.cats_preoccupied_share)
def test_preoccupied_attachment_is_closeness_wanted() -> None:
    """The base where bids are those of a typical moment and trust is typical; by hand elsewhere; style does not enter."""
    usual = {"bid": 0.5, "trust": P.trust_typical}
    assert value(eq.cats_preoccupied_share, **usual) == near(eq.logistic(P.cats_preoccupied_base))
    closer, longing = P.cats_closeness_gain * np.log(4.0), P.cats_longing_gain * (eq.logit(0.8) - eq.logit(P.trust_typical))
    for given, more in (({"bid": 0.8}, closer), ({"trust": 0.8}, longing)):
        assert eq.logit(value(eq.cats_preoccupied_share, **{**usual, **given})) == near(P.cats_preoccupied_base + more, 1e-9)
    assert "style" not in arguments("cats_preoccupied_share")


# ---------------------------------------------------------------------------------- none is missing


def test_every_equation_has_its_promise_and_its_shape() -> None:
    """No public equation is left without a test of its limit and a line in the table of shapes."""
    assert set(PROMISES) == set(EQUATIONS) == set(SHAPES)
    assert all(SHAPES[name].rises or SHAPES[name].falls or name in ("attunement", "learning_gate") for name in SHAPES)


def test_typical_numbers_in_a_typical_moment_stand_still() -> None:
    """Both expectations and trust of a typical client stay where they are after a typical response."""
    p = P.client_perceived_typical
    assert value(eq.avoidance_learned, surprise=0.0, avoidance=P.avoidance_typical) == P.avoidance_typical
    assert value(eq.expectation, perceived_typical=p, **TYPICAL) - p == near(0.0)
    assert value(eq.tension, tension=0.0, surprise=0.0) == 0.0
