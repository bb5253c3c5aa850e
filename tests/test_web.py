"""The web engine: one WebAssembly module from the same tuples, the same bytes, in a browser, in node and under wasmtime."""

from __future__ import annotations

import gzip
import inspect
import json
import math
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wasmtime
from numba import njit

from sim import elementary, luck
from sim.compiling import compiled
from sim.engine.web import program
from sim.engine.web.emit import Module
from sim.engine.web.kinds import DOUBLE, SIGNED, UNSIGNED, Column, EmitError, sources
from sim.errors import AttuneError, ScenarioError, StateError
from sim.people import quantiles
from sim.scenario.reading import shipped
from sim.scenario.scenario import Arm, Scenario, from_spec, load
from sim.simulation.build import arm_weeks, build
from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.parameters import PARAMETERS
from sim.therapy.course import Running
from tests.browser.conftest import needed
from tests.web_host import Host, host
from tests.web_specs import digest, drawn
from tools.web import FILE, said

ROOT = Path(__file__).parents[1]
WEB = ROOT / "tests" / "web"
LOADER = FILE.with_name("model.js")
NODE, TSC = shutil.which("node"), shutil.which("tsc")
#: Bytes of both files together, compressed, that a page should have to load.
MOST_BYTES = 70_000
EQUATIONS = [
    one for room in (eq, arithmetic) for name, one in vars(room).items()
    if inspect.isfunction(getattr(one, "py_func", one)) and one.__module__ == room.__name__ and name != "read_off"
]  # fmt: skip


# ----------------------------------------------------------------------------------------------- functions as they are


class Made:
    """A module of some functions, under wasmtime."""

    def __init__(self, *functions: tuple[Any, tuple[Any, ...], str]) -> None:
        made = Module()
        for function, kinds, name in functions:
            made.export(function, kinds, name)
        self.store = wasmtime.Store()
        assembled = wasmtime.Module(self.store.engine, wasmtime.wat2wasm(made.text()))
        self.exports = wasmtime.Instance(self.store, assembled, []).exports(self.store)

    def call(self, name: str, *given: Any) -> Any:
        return self.exports[name](self.store, *given)  # type: ignore[operator]


def bits(value: Any) -> np.ndarray:
    """The bits of one number or several, NaN as one."""
    found = np.atleast_1d(np.asarray(value, np.float64))
    return np.where(np.isnan(found), np.nan, found).view(np.uint64)


def taken(equation: Callable[..., Any]) -> int:
    """How many arguments it takes."""
    return len(inspect.signature(getattr(equation, "py_func", equation)).parameters)


@lru_cache(maxsize=1)
def equations() -> Made:
    return Made(*((one, (DOUBLE,) * taken(one), one.__name__) for one in (*EQUATIONS, elementary.exp, elementary.log)))


@pytest.mark.parametrize("equation", [*EQUATIONS, elementary.exp, elementary.log], ids=lambda one: one.__name__)
def test_every_equation_gives_the_same_bits(equation: Callable[..., Any]) -> None:
    """As numba's form: 300 calls with ordinary numbers, and some at the ends, infinite and missing."""
    n = taken(equation)
    names = ", ".join(f"a{k}" for k in range(n))
    exec(f"def call({names}):\n    return equation({names})", {"equation": equation}, made := {})
    machine, rng = njit(made["call"], error_model="numpy"), np.random.default_rng(n)
    odd = np.array([0.0, -0.0, 1.0, -1.0, 1e300, -1e300, np.inf, -np.inf, np.nan, 5e-324])
    for k in range(360):
        given = rng.choice(odd, n) if k >= 300 else rng.uniform(-1.5, 1.5, n) if k % 2 else rng.uniform(0, 1, n)
        found = equations().call(equation.__name__, *map(float, given))
        assert np.array_equal(bits(machine(*given)), bits(found)), given


def test_draws_are_the_same_numbers() -> None:
    """Normal and uniform numbers of 20,000 streams, those of the ziggurat's tail among them."""
    kinds = (UNSIGNED, UNSIGNED)
    made = Made((luck.normal_at, kinds, "normal"), (luck.uniform_at, kinds, "uniform"))
    streams = np.random.default_rng(8).integers(0, 2**64 - 1, 20_000, dtype=np.uint64)
    for name, function in (("normal", luck.normal_at), ("uniform", luck.uniform_at)):
        machine = njit(lambda stream, step, function=function: function(stream, step))
        theirs = np.array([machine(one, np.uint64(k)) for k, one in enumerate(streams)])
        ours = np.array([made.call(name, int(one.view(np.int64)), k) for k, one in enumerate(streams)])
        assert np.array_equal(theirs, ours)
        assert name == "uniform" or np.abs(ours).max() > 3.66, "beyond where the tail begins"


def test_quantiles_of_populations_are_the_same() -> None:
    one = host()
    half = np.ascontiguousarray((np.arange(1201) - 600)[:601] * 0.01)
    for k, (mean, sd) in enumerate(((3.56, 1.28), (1.4, 0.5), (6.0, 1.0), (4.0, 2.9))):
        one.set_up(*arms_of({"client": "population", "parameters": {"client_anxiety_mean": mean, "client_anxiety_sd": sd}})[0], k)
        m, size = (mean - 1) / 6, (mean - 1) / 6 * (1 - (mean - 1) / 6) / (sd / 6) ** 2 - 1
        low = np.empty(601)
        compiled(quantiles.lower_half)(half, m * size, (1 - m) * size, low)
        found = one.column("SCORES_client_anxiety")
        high = np.empty(601)
        compiled(quantiles.lower_half)(half, (1 - m) * size, m * size, high)
        assert (
            np.array_equal(found[:601], 1 + 6 * low)
            and np.array_equal(found[601:], (1 + 6 * (1 - high))[-2::-1])
            and (np.diff(found) >= 0).all()
            and found[-1] > 6 > 2 > found[0]
        )


#: Forms that have no translation, and what is said of them.
REFUSED = {
    "lambda": ("return (lambda y: y)(x)", "is nothing that is known here"),
    "list": ("y = [x]; return x", "there is no translation of '[x]'"),
    "unknown": ("return x + nothing", "'nothing' is nothing that is known here"),
    "power": ("return x ** 3.5", "there is no translation of 'x ** 3.5'"),
    "square of whole numbers": ("return float(n ** 2)", "there is no translation of 'n ** 2'"),
    "library": ("return np.sin(x)", "no translation of a call of 'np.sin'"),
    "loop over values": ("for y in x:\n    pass\nreturn x", "a loop goes over range"),
    "step that varies": ("for k in range(0, 9, n):\n    pass\nreturn x", "the step of a loop is a constant, and not 0"),
    "no step": ("for k in range(0, 9, 0):\n    pass\nreturn x", "the step of a loop is a constant, and not 0"),
    "no truth": ("if x:\n    return x\nreturn x", "'x' is neither true nor false"),
    "two kinds": ("y = 1\ny = x\nreturn y", "'x' is f64 where i64 is needed"),
    "too many values": ("a, b = x, x, x\nreturn a", "3 values for 2 names"),
    "arguments by name": ("return minimum(x, most=1.0)", "given by their place"),
    "three to choose from": ("return min(x, x, x)", "takes 2 arguments"),
    "one to choose from": ("return minimum(x)", "takes 2 arguments"),
    "none to convert": ("return float()", "takes 1 arguments"),
    "with": ("with x:\n    pass", "there is no translation of 'with x:'"),
    "in one branch only": ("if x > 0.0:\n    y = x\nreturn y", "'y' may have no value here"),
    "in a loop only": ("for k in range(n):\n    y = x\nreturn y", "'y' may have no value here"),
    "before it is there": ("y = z\nz = x\nreturn y", "'z' may have no value here"),
    "a global first": ("y = known\nknown = x\nreturn y", "'known' may have no value here"),
    "no value in the end": ("if x > 0.0:\n    return x", "may end without a value"),
    "nothing given back": ("if x > 0.0:\n    return\nreturn x", "another number of values"),
    "more given back": ("if x > 0.0:\n    return x, x\nreturn x, x, x", "another number of values"),
    "a column given back": ("return np.empty(3)", "a column is not given back"),
    "a constant written": ("table[0] = x\nreturn x", "'table' does not change"),
    "a place below": ("return c[-1]", "no whole number"),
    "a sum of two": ("u = np.uint64(n)\nreturn select(u > n, x, 0.0)", "with and without a sign do not meet"),
    "a remainder by what varies": ("return float(n % n)", "there is no translation of 'n % n'"),
    "division by nothing": ("return x + 1.0 / 0.0", "there is no translation of '1.0 / 0.0'"),
    "itself": ("return f(x, c, n)", "calls itself"),
    "columns to choose from": ("d = c if x > 0.0 else c\nreturn x", "there is no translation of"),
    "letters": ("h\u00f6he = x\nreturn h\u00f6he", "letters that WebAssembly does not know"),
    "added at a place that moves": ("c[g(c)] += x\nreturn x", "computed beforehand"),
}
#: Forms that mean what they mean in Python.
TRANSLATED = {
    "loops": """
total, k = 0.0, 0
while True:
    k += 1
    if k % 2 == 0:
        continue
    if k > n or not total < 100.0:
        break
    for j in range(0, k, 1):
        total += x * j if j > 1 else -x
c[0], c[k] = total, float(k)
return total + k""",
    "down": "t = 0.0\nfor k in range(n, -3, -2):\n    t = 10.0 * t + k\nreturn t",
    "a loop of its own name": "k = n\nt = 0.0\nfor k in range(k):\n    t += k\nreturn t",
    "its name changed": "t = 0.0\nfor k in range(n):\n    t += k\n    k = 100\nreturn t",
    "left in the middle": """
t = 0.0
for k in range(n):
    for j in range(n):
        if j == 2:
            break
        t += j
    t += 100.0
return t""",
    "the same name twice": "y, y = x, 2.0 * x\nreturn y",
    "a place that is moved to": "i = 0\ni, c[i] = 1, 5.0\nreturn c[0] + 10.0 * c[1] + i",
    "whole numbers into a column": "c[0], y = 1, x\nreturn c[0] + y",
    "swapped": "a, b = x, 1.0\na, b = b, a\nreturn a - 2.0 * b",
    "and": "y = select(x > 1e9 and g(c) > 0, 1.0, 2.0)\nreturn y + 10.0 * c[0]",
    "or": "y = select(x < 1e9 or g(c) > 0, 1.0, 2.0)\nreturn y + 10.0 * c[0]",
    "three and": "y = 0.0\nif x < 1e9 and n > 0 and g(c) == 1:\n    y = 1.0\nreturn y + 10.0 * c[0]",
    "in between": "y = 0.0\nif -1 < g(c) < 5:\n    y = 1.0\nreturn y + 10.0 * c[0]",
    "in between of four": "return select(0.0 <= x < 1.0 < x + 3.0, 1.0, select(-1.0 < x <= x != 5.0, 2.0, 3.0))",
    "divided": "t = 0.0\nfor k in range(-7, 8):\n    t = 31.0 * t + (k // 2) + 0.1 * (k % 3) + 0.01 * (-k // 4)\nreturn t",
    "smaller of smaller": "return min(max(x, 0.25), min(1.0 - x, max(0.5 * x, x * x)))",
    "nothing, of two": "return minimum(maximum(x - x / x, -1.0), 2.0)",
    "conditions": """
y = x if n > 2 else -x
if y > 0.0:
    z = 1.0
elif y < -1.0:
    z = 2.0
else:
    z = 3.0
return y * z""",
    "either": "if x > 0.0:\n    y = 1.0\nelse:\n    return -5.0\nreturn y",
    "bits": "return float((n << 3 | 5) ^ (n & 6) >> 1)",
    "of a table": "t = 0.0\nfor k in range(table.size):\n    t += table[k] * (k + 1)\nreturn t",
    "of another function": "a, b = h(x, n)\nc[2] = b\nreturn a + c[2]",
    "square": "return x ** 2 + 0.5 * (x - 1.0) ** 2",
    "added up": "c[1] += x\nc[1] *= 2.0\nk = 1\nk += n\nreturn c[1] + k",
}
BESIDE = """
def g(c):
    c[0] += 1.0
    return int(c[0])


def h(x, n):
    if n > 3:
        return 1.0, x
    return x, 2
"""


def as_function(lines: str) -> str:
    """A text with the function ``f`` of these lines, and what it may call."""
    return f"{BESIDE}\n\ndef f(x, c, n):\n{textwrap.indent(lines.strip(), '    ')}\n"


@pytest.mark.parametrize("form", REFUSED)
def test_a_form_that_is_not_known_is_an_error_with_its_line(form: str) -> None:
    lines, said = REFUSED[form]
    known = {"np": np, "minimum": elementary.minimum, "select": elementary.select, "known": 3.0, "table": np.array([1.0, 2.0])}
    functions = sources(as_function(lines), known, "somewhere.py")
    with pytest.raises(EmitError, match=r"^somewhere\.py, line \d+: f: ") as caught:
        Module().function(functions["f"], (DOUBLE, Column(), SIGNED))
    assert said in str(caught.value)


@pytest.mark.parametrize("form", TRANSLATED)
def test_a_form_that_is_known_means_what_it_means_in_python(form: str) -> None:
    text = as_function(TRANSLATED[form])
    known = {name: getattr(elementary, name) for name in ("minimum", "maximum", "select")} | {"table": np.array([1.0, 2.0, 5.0])}
    made = Made((sources(text, known, "here")["f"], (DOUBLE, Column(), SIGNED), "f"))
    exec(text, mine := dict(known))
    memory = made.exports["memory"]
    for x, n in ((0.3, 9), (-2.0, 4), (7.0, 3), (0.0, 1)):
        for place in range(8):
            memory.write(made.store, np.float64(0.0).tobytes(), 8192 + 8 * place)  # type: ignore[union-attr]
        column = np.zeros(64)
        with np.errstate(all="ignore"):
            expected = mine["f"](np.float64(x), column, n)
        assert np.array_equal(bits(made.call("f", x, 8192, n)), bits(expected)), (x, n)


# -------------------------------------------------------------------------------------------------- whole courses


def arms_of(spec: dict[str, Any]) -> list[tuple[Scenario, Arm]]:
    scenario = from_spec({"question": "The same?", **spec}, "web")
    return [(scenario, arm) for arm in scenario.arms]


def lived(scenario: Scenario, arm: Arm, seed: int, still: bool) -> dict[str, dict[str, np.ndarray]]:
    """The tables of an arm's clients as ``sim.run`` has them, in the web engine's form."""
    running = Running(build(scenario, arm, 0, seed, still=still), lean=True)
    for _ in range(arm_weeks(scenario, arm)):
        running.live_a_week()
    course, n = running.finish(), scenario.clients_per_arm
    rows = {"sessions": arm.sessions, "assessments": arm_weeks(scenario, arm) // 4 + 1}
    found = {"clients": {name: np.asarray(course.clients[name], float) for name in host().program.tables["clients"]}}
    for table, length in rows.items():
        part = getattr(course, table)
        row = part.get("row", np.empty(0, np.int64))
        place = np.concatenate([np.arange((row == k).sum()) for k in range(n)]).astype(int)
        assert not part or set(part) - {"row"} == set(host().program.tables[table])
        found[table] = {}
        for name in host().program.tables[table]:
            found[table][name] = np.full((n, length), np.nan)
            found[table][name][row, place] = part.get(name, np.empty(0))
    found["exchanges"] = {name: np.empty(0) for name in host().program.tables["exchanges"]}
    return found


def differences(one: dict[str, dict[str, np.ndarray]], other: dict[str, dict[str, np.ndarray]]) -> list[str]:
    """Columns that are not the same, number for number."""
    return [f"{table}.{name}" for table in ("clients", "sessions", "assessments") for name, values in one[table].items()
            if not np.array_equal(values, other[table][name], equal_nan=True)]  # fmt: skip


def compared(spec: dict[str, Any], seed: int, engines: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    still = seed % 7 == 0
    for scenario, arm in arms_of(spec):
        host().set_up(scenario, arm, seed, still=still)
        web = host().many(0, scenario.clients_per_arm)
        for engine in engines:
            monkeypatch.setenv("ATTUNE_ENGINE", engine)
            assert differences(lived(scenario, arm, seed, still), web) == [], (engine, seed, arm.name)


def valid(seed: int) -> dict[str, Any]:
    """The scenario of a seed, or of the next that is one."""
    spec = drawn(seed)
    try:
        from_spec(spec, "web")
    except ScenarioError:
        return valid(seed + 100_000)
    return spec


@pytest.mark.parametrize("seed", range(40))
def test_random_scenarios_have_the_same_courses(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """People of every kind, lesions, switched-off steps, cuts, clamps, forced values, policies, numbers; each seventh without
    draws. The others of 300 are in ``make deep``."""
    compared(valid(seed), seed, ("native", "plain") if seed % 5 == 0 else ("native",), monkeypatch)


@pytest.mark.deep
def test_three_hundred_random_scenarios_have_the_same_courses(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [key for seed in range(300) for key in valid(seed)]
    for key in ("policies", "parameters", "lesions", "switch_off", "cut", "clamp", "force"):
        assert kinds.count(key) > 60, key
    for seed in range(300):
        compared(valid(seed), seed, ("native", "plain"), monkeypatch)


ARMS = [name for name in shipped() if load(name).design == "arms"]


@pytest.mark.parametrize("name", ARMS)
def test_shipped_scenarios_have_the_same_courses(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every arm of every scenario of the design ``arms``, with fewer clients and sessions."""
    compared(smaller(name), 3, ("native",), monkeypatch)


@pytest.mark.deep
def test_shipped_scenarios_have_the_same_courses_in_the_plain_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ARMS:
        compared(smaller(name), 4, ("plain",), monkeypatch)


def smaller(name: str) -> dict[str, Any]:
    """A shipped scenario with few clients and sessions."""
    usual = load(name)
    spec = {key: value for key, value in usual.spec.items() if key not in ("batch", "record")}
    spec |= {"clients_per_arm": 4, "sessions": min(usual.sessions, 6), "follow_up_months": min(usual.follow_up_months, 3)}
    for arm in (spec.get("arms") or {}).values():
        if arm and "sessions" in arm:
            arm["sessions"] = min(arm["sessions"], 6)
    if spec.get("parameters") == "ensemble" or "ensemble" in (spec.get("parameters") or {}):
        spec["parameters"] = {name: value for name, value in dict(spec["parameters"]).items() if name != "ensemble"} \
            if isinstance(spec["parameters"], dict) else {}  # fmt: skip
    return spec


def test_every_exchange_can_be_kept() -> None:
    """What a trace of the first client has, exchange by exchange."""
    spec = {"clients_per_arm": 2, "sessions": 5, "exchanges": 7, "client": "fearful", "record": {"exchanges": {"clients": [1]}}}
    for more in ({}, {"switch_off": ["client.anxiety_learned"], "clamp": {"empathy": 0.1}}):
        ((scenario, arm),) = arms_of({**spec, **more})
        running = Running(build(scenario, arm, 0, 4))
        for _ in range(5):
            running.live_a_week()
        theirs = running.finish().exchanges
        host().set_up(scenario, arm, 4)
        ours = host().many(1, 1, followed=True)["exchanges"]
        sessions = int(theirs["session"].max())
        for name, values in ours.items():
            assert np.array_equal(values[:sessions].ravel(), theirs[name]) and np.isnan(values[sessions:]).all()


def unlearned(avoidance, learning_gate, surprise, inconsistency, ofc, trust, plasticity, other_model_rate, safety_value_gain,
              inconsistency_typical, other_model_doubt_gain):  # type: ignore[no-untyped-def]  # fmt: skip
    """In place of what is learned of a response: nothing."""
    return avoidance


def test_the_comparison_would_see_a_mechanism_that_is_cut() -> None:
    """The same program with one step's equation replaced: what depends on it is another, and the rest is not."""
    other = Host.__new__(Host)
    changed = program.Program()
    assert changed.known["equations__avoidance_learned"] is eq.avoidance_learned
    changed.known["equations__avoidance_learned"] = unlearned
    other.start(changed)
    ((scenario, arm),) = arms_of({"clients_per_arm": 3, "sessions": 4})
    other.set_up(scenario, arm, 2)
    found = differences(lived(scenario, arm, 2, False), other.many(0, 3))
    assert {"sessions.avoidance_to_therapist_latent", "sessions.alliance_latent"} <= {*found}
    assert not {"clients.client_anxiety_0", "sessions.week", "assessments.month"} & {*found}


# ------------------------------------------------------------------------------------------------------- the files


def test_the_module_is_fresh() -> None:
    """What is committed is what the tuples make now; ``make web`` writes it."""
    done = subprocess.run([sys.executable, "-m", "tools.web", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_two_files_are_small() -> None:
    size = len(gzip.compress(FILE.read_bytes(), 9)) + len(gzip.compress(LOADER.read_bytes(), 9))
    assert size <= MOST_BYTES


def test_the_loader_is_typed() -> None:
    needed(TSC, "node-typescript")
    options = [
        "--noEmit",
        "--allowJs",
        "--checkJs",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "es2022",
        "--lib",
        "es2022,dom",
    ]
    done = subprocess.run([str(TSC), *options, str(LOADER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def in_node(asked: list[Any], spoilt: tuple[str, ...] = ()) -> dict[str, Any]:
    needed(NODE, "nodejs")
    done = subprocess.run(
        [str(NODE), str(WEB / "node.mjs")], input=json.dumps({"asked": asked, "spoilt": spoilt}), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def asked_and_expected(seeds: range) -> tuple[list[Any], list[str]]:
    """Random scenarios as a page asks for them, and the digests of their courses."""
    asked, expected = [], []
    for seed in seeds:
        spec, still = valid(seed), seed % 7 == 0
        ((scenario, arm),) = arms_of(spec)
        host().set_up(scenario, arm, seed, still=still)
        alone = seed % 2 == 0
        expected.append(digest(host().many(0, 1 if alone else 3, followed=alone and arm.therapist is not None)))
        asked.append([spec, seed, 1 if alone else 3, {"still": still, "exchanges": True} if alone else {"still": still}])
    return asked, expected


SOME, ALL = range(60), pytest.param(range(300), marks=pytest.mark.deep)


@pytest.mark.parametrize("seeds", [SOME, ALL], ids=len)
def test_node_gives_the_same_bytes(seeds: range) -> None:
    """Read, checked and run by the loader from the scenario's own words."""
    asked, expected = asked_and_expected(seeds)
    assert in_node(asked)["found"] == expected


def courses_and_memory(n: int) -> tuple[int, int]:
    """Bytes of memory after the largest of some courses, and after ``n`` of all kinds, some of them refused, in node."""
    largest = {"sessions": 40, "exchanges": 20, "client": "fearful"}
    others = [
        largest,
        {"sessions": 3},
        {"client": {"anxiety": [6.99, 7], "avoidance": [6.99, 7]}},
        {"therapist": "none"},
        {"x": 1},
    ]
    each = [[others[seed % 5], seed, 1, {"exchanges": seed % 5 == 0}] for seed in range(n)]
    return in_node([[largest, 1, 1, {"exchanges": True}]])["bytes"], in_node(each)["bytes"]


def test_memory_stays_as_it_is() -> None:
    first, last = courses_and_memory(300)
    assert first == last


@pytest.mark.deep
def test_memory_stays_as_it_is_over_ten_thousand_courses() -> None:
    first, last = courses_and_memory(10_000)
    assert first == last


# ------------------------------------------------------------------------------------------------- what is refused

NOT_HERE = [{"design": "crossed"}, {"batch": {}}, {"parameters": "ensemble"}, {"extends": "hello"}]
_SPREAD = {"mean": 3, "sd": 1}
BAD: list[dict[str, Any]] = [
    *({key: value} for key, values in {
        "nonsense": [1], "sesions": [4], "trust_rate": [0.3], "capacity": [3], "design": ["x", 3], "clinic": [{}],
        "sessions": [0, 521, 2.5, "many", True, None], "exchanges": [1, 61], "follow_up_months": [-1],
        "clients_per_therapist": [0],
        "client": [
            "happy", "none", 5, None, ["secure"], {}, {"age": 3}, {"anxiety": 3}, {"anxiety": 8, "avoidance": 2},
            {"anxiety": [5, 2], "avoidance": 2}, {"anxiety": [1, 2, 3], "avoidance": 2}, {"anxiety": ["a", 2], "avoidance": 2},
            {"anxiety": "high", "avoidance": 2}, {"anxiety": True, "avoidance": 2}, {"anxiety": None, "avoidance": 2},
            {"anxiety": {"mean": 3, "sd": 0}, "avoidance": _SPREAD}, {"anxiety": {"mean": 3}, "avoidance": _SPREAD},
            {"anxiety": {"mean": 3, "sd": 1, "n": 2}, "avoidance": _SPREAD}, {"anxiety": _SPREAD, "avoidance": 3},
            {"anxiety": 3, "avoidance": _SPREAD}, {"style": "secure", "anxiety": 3, "avoidance": 3}, {"style": "happy"},
            {"early": "happy"}, {"early": {"anxiety": 1}}, {"early": {"anxiety": 1, "avoidance": 9}}, {"early": 4},
            {"selected": "yes"}, {"distress": 9}, {"distress": "x"},
        ],
        "therapist": ["happy", 3, ["secure"], {"style": "none"}, {"distress": 1}, {"selected": True}, {}],
        "parameters": [
            {"trust_rat": 1}, {"trust_rate": 5}, {"trust_rate": -0.5}, {"trust_rate": "x"}, {"trust_rate": True},
            {"trust_rate": None}, [1], "x", {"client_anxiety_sd": 2.99, "client_anxiety_mean": 2},
        ],
        "lesions": [{"client.x": 0}, {"insula": 0}, {"client.acc": 2}, {"client.acc": "x"}, 3],
        "switch_off": [["client.nothing"], "heal", [3], ["heal", "heal"], ["leave"]],
        "cut": [{"therapist.response.x": 1}, {"therapist.response.warmth": 3}, {"therapist.response.warmth": "x"},
                {"client.tension.surprise": "typical"}, 5],
        "clamp": [{"x": 1}, {"client_arousal": 3}, {"client_arousal": "x"}, {"attachment": 0, "client_anxiety": 0},
                  {"repairs": 0.5}, 3],
        "force": [[{"value": 2}], [{"session": 3}], [{"value": 0.2, "session": 99}], [{"value": 0.2, "exchange": 0}],
                  [{"value": 0.2, "exchange": 11}], [{"value": 0.2, "quantity": "x"}], 3, [3], [{"value": 0.2}, {"value": 0.3}],
                  [{"value": 0.5, "quantity": "ruptured"}], [{"value": 0.5, "why": "x"}], [{"value": "x"}]],
        "policies": [["x"], "train_warmth", ["train_warmth", "train_warmth"], [3]],
        "arms": [
            [1], {"A": 3}, {"": {}}, {"a/b": {}}, {"A": {"exchanges": 3}}, {"A": {"client": "x"}},
            {"A": {"parameters": {"trust_rate": 9}}}, {"A": {"sessions": 0}}, {"A": {"force": [{"value": 0.2, "session": 30}]}},
            {"A": {"parameters": {"therapist_avoidance_sd": 2.9}}}, {"A": {"policies": ["y"]}},
            {"A": {"parameters": {"ensemble": 4}}}, {"A": {"why": 3}},
        ],
    }.items() for value in values),
    {"clamp": {"attachment": 0}, "arms": {"A": {"clamp": {"client_anxiety": 0}}}},
    {"force": [{"value": 0.2, "session": 9}], "arms": {"A": {"sessions": 5}, "B": {"sessions": 8}}},
]  # fmt: skip


#: What `attune check` may say more: what was probably meant, what would be valid, and that a whole number is a float.
MORE = (" - did you mean ", "; valid: ", "; one is written like ", "; a region is written like ", "; whose? write ", ".0")


def test_bad_scenarios_get_the_words_of_check() -> None:
    """The same sentence about the same place, but for hints."""
    for spec, ours in zip(BAD, in_node([[spec, 1, 1, {}] for spec in BAD])["found"], strict=True):
        with pytest.raises(ScenarioError) as caught:
            from_spec({"question": "Bad?", **spec}, "web")
        theirs, ours = str(caught.value).removeprefix("web: "), ours.removeprefix("ScenarioError: ")
        ours = ours.partition("; valid: ")[0]  # a hint, which may be another one
        assert len(ours.partition(": ")[2]) > 10 and theirs.startswith(ours), (spec, ours, theirs)
        assert theirs == ours or theirs.removeprefix(ours).startswith(MORE), (spec, ours, theirs)


def test_what_only_the_command_line_can_do_is_said() -> None:
    for spec, told in zip(NOT_HERE, in_node([[spec, 1, 1, {}] for spec in NOT_HERE])["found"], strict=True):
        assert told.startswith(f"ScenarioError: {next(iter(spec))}: ") and told.endswith("by attune, not here"), told


def test_nobody_fits_and_no_number_are_said_as_the_model_says_them() -> None:
    nobody = {"client": {"anxiety": [6.9, 7], "avoidance": [6.9, 7]}}
    with pytest.raises(AttuneError) as caught:
        build(*arms_of(nobody)[0], 0, 1)
    assert in_node([[nobody, 1, 1, {}]])["found"] == [f"StateError: {caught.value}"]


def said_of_no_number(name: str) -> str:
    """What the model says where a parameter becomes no number behind its checks; nothing where that changes nothing."""
    ((scenario, arm),) = arms_of({"clients_per_arm": 1})
    world = build(scenario, arm, 0, 1)
    world.parameters._values[name] = math.nan
    world.values = world.parameters.array(world.strengths)
    running = Running(world)
    try:
        for _ in range(arm_weeks(scenario, arm)):
            running.live_a_week()
    except StateError as wrong:
        return f"StateError: {wrong}"
    return ""


@pytest.mark.parametrize("name", ["trust_rate", "wai_item_sd", "distress_return_rate"])
def test_no_number_is_said_as_the_model_says_it(name: str) -> None:
    assert in_node([[{}, 1, 1, {}]], spoilt=(name,))["found"] == [said_of_no_number(name)]


@pytest.mark.deep
def test_no_number_is_never_passed_over() -> None:
    """Every parameter in turn: an error wherever the native engine has one, nearly always in its words.

    Where neither has one, the parameter is only compared with (a threshold), or nothing of this course depends on it. What people
    are drawn by is spoilt here behind their drawing, there before it: of these the words differ.
    """
    found = {name: in_node([[{}, 1, 1, {}]], spoilt=(name,))["found"][0] for name in PARAMETERS}
    told = {name: said if said.startswith(("StateError: ", "ScenarioError: ")) else "" for name, said in found.items()}
    theirs = {name: said_of_no_number(name) for name in PARAMETERS}
    assert [name for name in PARAMETERS if theirs[name] and not told[name]] == []
    assert sum(told[name] == theirs[name] for name in PARAMETERS) > 0.85 * len(PARAMETERS)


def test_seeds_and_numbers_that_are_none_are_refused() -> None:
    must = "must be a whole number from 0 to 2^63 - 1 (a BigInt from 2^53 on), not"
    refused = [
        ([{}, -1, 1, {}], f"RangeError: the seed {must} -1"),
        ([{}, 1.5, 1, {}], f"RangeError: the seed {must} 1.5"),
        ([{}, "1", 1, {}], f"RangeError: the seed {must} '1'"),
        ([{}, 2**53, 1, {}], f"RangeError: the seed {must} {2**53}"),
        ([{}, 1, 0, {}], "RangeError: n must be a whole number from 1 to 1000000, not 0"),
        ([{}, 1, "10", {}], "RangeError: n must be a whole number from 1 to 1000000, not '10'"),
        ([{}, 1, 1, {"client": -2}], f"RangeError: the client {must} -2"),
        ([{}, 1, 1, {"arm": "B"}], "ScenarioError: arms: no arm 'B'; arms are: all"),
        ([{}, 1, 1, {"amr": "B"}], "TypeError: there is no option 'amr'; known: arm, client, replicate, still, exchanges"),
        ([{}, 1, 1, {"still": "no"}], "TypeError: the option still is a boolean, not 'no'"),
        ([{}, 1, 1, {"arm": 12}], "TypeError: the option arm is a string, not 12"),
        ([{}, 1, 1, "B"], "TypeError: options are an object, such as {arm: \"a\"}, not 'B'"),
        ([{}, 1, 2, {"exchanges": True}], "TypeError: there is no option 'exchanges'; known: arm, client, replicate, still"),
        ([[], 1, 1, {}], "ScenarioError: must be a mapping with the keys of a scenario file, not []"),
        ([{"sessions": 520}, 1, 1_000_000, {}], "RangeError: 1000000 clients need 298783 MB"),
    ]  # fmt: skip
    for (_, expected), found in zip(refused, in_node([one for one, _ in refused])["found"], strict=True):
        assert found.startswith(expected), found


def test_after_an_error_everything_is_as_before_and_each_arm_is_itself() -> None:
    """Good and bad scenarios in turn, of several sizes, arms, first clients and replicates, in one module: as each alone."""
    spec = {"arms": {"a": {"client": "secure"}, "b": {"client": {"anxiety": 6, "avoidance": 5}, "lesions": {"client.acc": 0.2}},
                     "c": {"therapist": "none"}}, "sessions": 5, "follow_up_months": 1}  # fmt: skip
    bad = {"client": {"anxiety": [6.99, 7], "avoidance": [6.99, 7]}}
    asked, expected = [], []
    for arm in ("c", "a", "b", "a"):
        scenario, wanted = next(pair for pair in arms_of(spec) if pair[1].name == arm)
        for first, n, replicate in ((7, 1, 0), (2, 3, 5)):
            host().set_up(scenario, wanted, 11, replicate)
            expected += ["StateError: no client", digest(host().many(first, n))]
            asked += [[bad, 1, 1, {}], [spec, 11, n, {"arm": arm, "client": first, "replicate": replicate}]]
    assert all(found.startswith(one) for found, one in zip(in_node(asked)["found"], expected, strict=True))


def test_parameters_of_the_module_are_those_of_the_model() -> None:
    assert {name: one[0] for name, one in said()["parameters"].items()} == {name: p.default for name, p in PARAMETERS.items()}
