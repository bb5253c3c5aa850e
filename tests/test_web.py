"""The web engine: one WebAssembly module from the same tuples, the same bytes, in a browser, in node and under wasmtime."""

from __future__ import annotations

import ast
import gzip
import inspect
import json
import math
import os
import re
import shutil
import subprocess
import textwrap
from collections.abc import Callable, Iterator
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
from tests.browser.conftest import browser  # noqa: F401  (the system's Chromium)
from tests.web_host import Host, host
from tests.web_specs import digest, drawn
from tools.web import FILE, module

WEB = Path(__file__).parent / "web"
LOADER = FILE.with_name("model.js")
NODE, TSC = shutil.which("node"), shutil.which("tsc")
#: Bytes of both files together, compressed, that a page should have to load.
MOST_BYTES = 60_000
EQUATIONS = [
    one for room in (eq, arithmetic) for name, one in vars(room).items()
    if inspect.isfunction(getattr(one, "py_func", one)) and one.__module__ == room.__name__ and name != "read_off"
]  # fmt: skip


def needed(found: str | None, what: str) -> None:
    """Skip where a program is missing; fail where CI is set."""
    if found is None and os.environ.get("CI"):
        pytest.fail(f"no {what} here (Debian: apt install {what}), and CI is set")
    if found is None:
        pytest.skip(f"no {what} here (Debian: apt install {what})")


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
        assert np.array_equal(found[:601], 1 + 6 * low) and (np.diff(found) >= 0).all() and found[-1] > 6 > 2 > found[0]


FORMS = {
    "f(x) for what is no name": ("def f(x):\n    return (lambda y: y)(x)", "line 2"),
    "a list": ("def f(x):\n    y = [x]\n    return x", "line 2: f: there is no translation of '[x]'"),
    "a name that is nothing": ("def f(x):\n    return x + nothing", "'nothing' is nothing that is known here"),
    "a power": ("def f(x):\n    return x ** 3.5", "there is no translation of 'x ** 3.5'"),
    "a function of a library": ("def f(x):\n    return np.sin(x)", "no translation of a call of 'np.sin'"),
    "a loop over values": ("def f(x):\n    for y in x:\n        pass\n    return x", "a loop goes over range"),
    "a number that is no truth": ("def f(x):\n    if x:\n        return x\n    return x", "'x' is neither true nor false"),
    "two kinds in one name": ("def f(x):\n    y = 1\n    y = x\n    return y", "'x' is f64 where i64 is needed"),
    "too many values": ("def f(x):\n    a, b = x, x, x\n    return a", "3 values for 2 names"),
    "arguments by name": ("def f(x):\n    return minimum(x, most=1.0)", "given by their place"),
    "with": ("def f(x):\n    with x:\n        pass", "there is no translation of 'with x:'"),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_not_known_is_an_error_with_its_line(form: str) -> None:
    text, said = FORMS[form]
    known = sources(textwrap.dedent(text), {"np": np, "minimum": elementary.minimum}, "somewhere.py")
    with pytest.raises(EmitError, match=r"^somewhere\.py, line ") as caught:
        Module().function(known["f"], (DOUBLE,))
    assert said in str(caught.value)


def test_a_mechanism_of_several_values_and_loops_is_translated() -> None:
    """What the engine's own functions do not use in this order: loops left early, branches, columns written."""
    text = """
    def f(x, into, n):
        total, k = 0.0, 0
        while True:
            k += 1
            if k % 2 == 0:
                continue
            if k > n or not total < 100.0:
                break
            for j in range(k, 0, -1) if False else range(k):
                total += x * j if j > 1 else -x
        into[0], into[k] = total, float(k)
        return total, k
    """
    with pytest.raises(EmitError, match="a loop goes over range"):
        Module().function(sources(textwrap.dedent(text), {}, "here")["f"], (DOUBLE, Column(), SIGNED))
    text = textwrap.dedent(text).replace("range(k, 0, -1) if False else range(k)", "range(0, k, 1)")
    made = Made((sources(text, {}, "here")["f"], (DOUBLE, Column(), SIGNED), "f"))
    exec(text, mine := {})
    for x, n in ((0.3, 9), (-2.0, 40), (7.0, 3)):
        column = np.zeros(64)
        assert made.call("f", x, 1024, n) == list(mine["f"](x, column, n))


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
    usual = load(name)
    spec = {key: value for key, value in usual.spec.items() if key not in ("batch", "record")}
    spec |= {"clients_per_arm": 4, "sessions": min(usual.sessions, 6), "follow_up_months": min(usual.follow_up_months, 3)}
    for arm in (spec.get("arms") or {}).values():
        if arm and "sessions" in arm:
            arm["sessions"] = min(arm["sessions"], 6)
    if spec.get("parameters") == "ensemble" or "ensemble" in (spec.get("parameters") or {}):
        spec["parameters"] = {name: value for name, value in dict(spec["parameters"]).items() if name != "ensemble"} \
            if isinstance(spec["parameters"], dict) else {}  # fmt: skip
    compared(spec, 3, ("native",), monkeypatch)


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


def test_the_comparison_would_see_a_mechanism_that_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same program with one step's equation replaced: the courses are others."""
    other = Host.__new__(Host)
    changed = program.Program()
    changed.known[next(name for name in changed.known if name.endswith("__healing"))] = eq.rupture_distress
    with pytest.raises(EmitError, match="arguments"):
        _ = changed.wat
    changed = program.Program()
    changed.text = [line.replace("1.0 - s_miss / n", "1.0 + s_miss / n") for line in changed.text]
    other.start(changed)
    ((scenario, arm),) = arms_of({"clients_per_arm": 3, "sessions": 4})
    other.set_up(scenario, arm, 2)
    found = differences(lived(scenario, arm, 2, False), other.many(0, 3))
    assert found == ["sessions.accuracy_level"]


# ------------------------------------------------------------------------------------------------------- the files


def test_the_module_is_fresh() -> None:
    """What is committed is what the tuples make now; ``make web`` writes it."""
    assert module() == FILE.read_bytes(), "make web"


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
        asked.append([spec, seed, 1 if alone else 3, {"still": still, "exchanges": alone}])
    return asked, expected


def test_node_gives_the_same_bytes() -> None:
    """Read, checked and run by the loader from the scenario's own words."""
    asked, expected = asked_and_expected(range(60))
    assert in_node(asked)["found"] == expected


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:  # noqa: F811
    """A page that has the two files, and nothing else."""
    files = {"/model.js": LOADER, "/model.wasm": FILE, "/run.js": WEB / "run.js"}
    kinds = {".js": "text/javascript", ".wasm": "application/wasm"}

    def answer(route: Any) -> None:
        path = files.get("/" + route.request.url.rpartition("/")[2])
        if path is None:
            route.fulfill(body="<!doctype html><title>Attune</title>", content_type="text/html")
        else:
            route.fulfill(body=path.read_bytes(), content_type=kinds[path.suffix])

    opened = browser.new_page()
    opened.route("**/*", answer)
    opened.goto("https://attune.test/")
    yield opened
    opened.close()


def test_a_browser_gives_the_same_bytes(page: Any) -> None:
    asked, expected = asked_and_expected(range(60))
    found = page.evaluate(
        """async (asked) => {
            const {load} = await import("/model.js"), {answers} = await import("/run.js");
            return answers(await load(), asked);
        }""",
        asked,
    )
    assert found == expected


def in_a_page(page: Any, text: str) -> str:
    """What the examples say, once they have said it."""
    page.set_content(text)
    page.wait_for_function("() => /[0-9]/.test(document.getElementById('said')?.textContent ?? '')")
    return str(page.locator("#said").text_content())


def test_the_examples_of_the_page_run(page: Any) -> None:
    """Of docs/WEB.md: a page beside the two files, and the output of a notebook's cell."""
    text = (Path(__file__).parents[1] / "docs" / "WEB.md").read_text(encoding="utf-8")
    of_page, of_notebook = (re.findall(rf"```{kind}\n(.*?)```", text, re.S)[0] for kind in ("html", "python"))
    ((scenario, arm),) = arms_of({"client": "fearful", "therapist": "dismissing", "sessions": 12})
    host().set_up(scenario, arm, 1)
    course = host().many(0, 1)
    last = int(course["clients"]["sessions_attended"][0])
    alliance = " ".join(f"{x:.2f}" for x in course["sessions"]["wai_client"][0, :last])
    assert in_a_page(page, of_page) == f"Client 0 came {last} times; alliance (WAI, 1-7) {alliance}"
    *lines, shown = ast.parse(of_notebook).body
    assert isinstance(shown, ast.Expr)
    exec(compile(ast.Module(lines, []), "WEB.md", "exec"), known := {})
    html = eval(compile(ast.Expression(shown.value), "WEB.md", "eval"), known)._repr_html_()
    ((scenario, arm),) = arms_of({"client": "fearful", "sessions": 12})
    host().set_up(scenario, arm, 1)
    ends = host().many(0, 200)["clients"]["distress_end"]
    assert in_a_page(page, html) == f"mean distress at the end: {np.nanmean(ends):.1f}"


def courses_and_memory(n: int) -> tuple[int, int]:
    """Bytes of memory after one course and after ``n``, in node."""
    spec = {"sessions": 12, "client": "fearful"}
    return in_node([[spec, 1, 1, {}]])["bytes"], in_node([[spec, seed, 1, {}] for seed in range(n)])["bytes"]


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
        "lesions": [{"client.x": 0}, {"client.acc": 2}, {"client.acc": "x"}, 3],
        "switch_off": [["client.nothing"], "heal", [3], ["heal", "heal"], ["leave"]],
        "cut": [{"therapist.response.x": 1}, {"therapist.response.warmth": 3}, {"therapist.response.warmth": "x"},
                {"client.tension.surprise": "typical"}, 5],
        "clamp": [{"x": 1}, {"client_arousal": 3}, {"client_arousal": "x"}, {"attachment": 0, "client_anxiety": 0},
                  {"open_rupture": 0.5}, 3],
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


def test_bad_scenarios_get_the_words_of_check() -> None:
    """The same sentence, but for what was probably meant and what would be valid of long lists."""
    said = in_node([[spec, 1, 1, {}] for spec in BAD])["found"]
    for spec, ours in zip(BAD, said, strict=True):
        with pytest.raises(ScenarioError) as caught:
            from_spec({"question": "Bad?", **spec}, "web")
        theirs = str(caught.value).removeprefix("web: ")
        assert ours.startswith("ScenarioError: ") and theirs.startswith(ours.removeprefix("ScenarioError: ")), (
            spec,
            ours,
            theirs,
        )


def test_what_only_the_command_line_can_do_is_said() -> None:
    for spec, said in zip(NOT_HERE, in_node([[spec, 1, 1, {}] for spec in NOT_HERE])["found"], strict=True):
        assert said.startswith(f"ScenarioError: {next(iter(spec))}: ") and said.endswith("by attune, not here"), said


def test_nobody_fits_and_no_number_are_said_as_the_model_says_them() -> None:
    nobody = {"client": {"anxiety": [6.9, 7], "avoidance": [6.9, 7]}}
    with pytest.raises(AttuneError) as caught:
        build(*arms_of(nobody)[0], 0, 1)
    assert in_node([[nobody, 1, 1, {}]])["found"] == [f"StateError: {caught.value}"]
    for name in ("trust_rate", "wai_item_sd", "distress_return_rate"):
        ((scenario, arm),) = arms_of({"clients_per_arm": 1})
        world = build(scenario, arm, 0, 1)
        world.parameters._values[name] = math.nan
        world.values = world.parameters.array(world.strengths)
        with pytest.raises(StateError) as wrong:
            Running(world).live_a_week()
        assert in_node([[{}, 1, 1, {}]], spoilt=(name,))["found"] == [f"StateError: {wrong.value}"]


def test_seeds_and_numbers_that_are_none_are_refused() -> None:
    asked = [[{}, -1, 1, {}], [{}, 1.5, 1, {}], [{}, 1, 0, {}], [{}, 1, 1, {"client": -2}], [{}, 1, 1, {"arm": "B"}]]
    assert in_node(asked)["found"] == [
        "RangeError: the seed must be a whole number, 0 or more, not -1",
        "RangeError: the seed must be a whole number, 0 or more, not 1.5",
        "RangeError: n must be a whole number from 1 to 1000000, not 0",
        "RangeError: the client must be a whole number, 0 or more, not -2",
        "ScenarioError: arms: no arm 'B'; arms are: all",
    ]


def test_parameters_of_the_module_are_those_of_the_model() -> None:
    said = json.loads(FILE.read_bytes().rpartition(b"\x06attune")[2])
    assert {name: one[0] for name, one in said["parameters"].items()} == {name: p.default for name, p in PARAMETERS.items()}
