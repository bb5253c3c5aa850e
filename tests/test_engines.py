"""Two engines walk the same tuples: the same bytes, whatever is asked for, and on every processor."""

from __future__ import annotations

import inspect
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvmlite import binding as llvm
from numba import njit

from sim.compiling import generated_module
from sim.engine import fused, native
from sim.engine.living import draw, numbers
from sim.errors import StateError, UsageError, WiringError
from sim.luck import Luck, person
from sim.people.life import LIFE
from sim.people.state import Column
from sim.scenario.people import Attachment
from sim.scenario.scenario import from_spec
from sim.simulation.build import build
from sim.theory import arithmetic
from sim.theory import equations as eq
from sim.theory.parameters import Parameter, Parameters
from sim.theory.steps import Draw, Step, step
from sim.therapy import session as sessions
from sim.therapy.course import Course, run_course
from sim.therapy.exchange import EXCHANGE, client, therapist
from sim.therapy.model import Model
from sim.therapy.session import SESSION, World, begin, exchange, hold
from sim.therapy.verbs import VERBS, Verb
from tests import same_bytes

ROOT = Path(__file__).parents[1]
FUSED = re.compile(r"\bv?fn?m(?:add|sub)(?:132|213|231)?[sp][sdh]\b|\bfn?m(?:add|sub)\s+[vdz]\d|\bfml[as]\b")


#: In every suite; the others in ``make deep``.
USUAL = ("styles", "lesion and policy", "items, some missing", "clinic")


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.deep) for name in same_bytes.SPECS]
)
def test_plain_and_native_give_the_same_bytes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {}
    for engine in ("native", "plain"):
        monkeypatch.setenv("ATTUNE_ENGINE", engine)
        found[engine] = same_bytes.digest(name)
    assert found["native"] == found["plain"]


@pytest.mark.parametrize("name", ["styles", "clinic"])
def test_threads_and_chunks_change_no_byte(name: str) -> None:
    assert len({same_bytes.digest(name, threads=threads, chunk=chunk) for threads, chunk in ((1, 2000), (2, 7), (3, 31))}) == 1


# ---------------------------------------------------------------------------------------- which way is taken, and why


def world_of(**spec: Any) -> World:
    scenario = from_spec({"question": "Which way?", "clients_per_arm": 12, "sessions": 3, **spec}, "way")
    world = build(scenario, scenario.arms[0], 0, 5)
    begin(world)
    world.week = 1
    return world


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which ways a session was held in: all at once, or the verbs that were called."""
    ways: list[str] = []
    whole = sessions.at_once
    monkeypatch.setattr(
        sessions, "at_once", lambda session: (ways.append("at once"), whole(session))[1] if whole(session) else None
    )
    walked = sessions.Meeting

    def noted(world: World, rows: np.ndarray, verb: Verb, *more: Any) -> Any:
        ways.extend([verb.__name__] if verb in VERBS else [])
        return walked(world, rows, verb, *more)

    monkeypatch.setattr(sessions, "Meeting", noted)
    yield ways


def test_a_usual_session_is_held_at_once(held: list[str]) -> None:
    hold(world_of(), np.arange(12), SESSION)
    assert held == ["at once"]


@pytest.mark.parametrize(
    "spec", [{"record": {"items": True}}, {"parameters": {"missing_item_prob": 0.1}}, {"cut": {"client.felt_bond.trust": 0.5}}]
)
def test_what_reaches_into_a_session_is_done_verb_by_verb(held: list[str], spec: dict[str, Any]) -> None:
    hold(world_of(**spec), np.arange(12), SESSION)
    assert held == [verb.__name__ for verb in VERBS]


def test_a_verb_of_ones_own_is_done_verb_by_verb(held: list[str]) -> None:
    hold(world_of(), np.arange(12), (*SESSION, lambda world, rows: held.append("my own")))
    assert held == [*(verb.__name__ for verb in VERBS), "my own"]


def test_questionnaires_that_nobody_asks_for_change_nothing() -> None:
    """Without them the same function does the session: they draw and decide for nobody else."""
    bare, full = world_of(), world_of()
    hold(bare, np.arange(12), tuple(verb for verb in SESSION if not verb.__name__.startswith("rate_")))
    hold(full, np.arange(12), SESSION)
    assert np.array_equal(bare.dyads.data, full.dyads.data) and np.array_equal(bare.clients.data, full.clients.data)
    assert not bare.ratings and "wai_client" in full.ratings


@pytest.mark.parametrize("engine", ["native", "plain"])
@pytest.mark.parametrize("column, value", [("client_trust", np.nan), ("therapist_arousal", 1.5), ("client_distress", np.nan)])
def test_both_engines_stop_at_what_left_its_range(engine: str, column: str, value: float) -> None:
    world = world_of()
    world.engine = engine
    (world.clients["distress"] if column == "client_distress" else world.dyads[column])[7] = value
    if column == "therapist_arousal":  # what a session begins with is set anew
        hold(world, np.arange(12), SESSION)
        return
    with pytest.raises(StateError) as raised:
        hold(world, np.arange(12), SESSION)
    assert "week 1" in str(raised.value)
    if column == "client_trust":
        assert "dyad 7: client_trust is nan" in str(raised.value)


def test_the_first_who_failed_is_told_whatever_the_block() -> None:
    """Of several the first row, whichever half of the exchange it failed in, and those before it are done."""
    world, rows = world_of(clients_per_arm=300), np.arange(300)
    world.dyads["client_trust"][200], world.dyads["client_trust"][290] = 2.0, np.nan
    sessions.meet(world, rows)
    with pytest.raises(StateError, match="dyad 200: client_trust is 2"):
        exchange(world, rows)
    assert (world.dyads.mean_client_arousal[:200] > 0).all()


# ------------------------------------------------------------------------------------------------------ the mean field


PAIR = {"client": {"anxiety": 4, "avoidance": 3}, "therapist": {"anxiety": 2.5, "avoidance": 2.5}, "clients_per_arm": 3,
        "sessions": 12, "exchanges": 12,
        "parameters": {"dropout_base": -12.0, "dropout_outside": 0.0, "good_enough_prob": 0.0}}  # fmt: skip


def alliances(seed: int, still: bool, engine: str = "native") -> Course:
    """Courses of the same three pairs, who are drawn with another seed than what happens to them."""
    scenario = from_spec({"question": "Without noise?", **PAIR}, "still")
    world = build(scenario, scenario.arms[0], 0, 5, still=still)
    world.luck, world.engine = replace(world.luck, seed=seed), engine
    return run_course(world, 12)


def test_the_mean_field_is_the_same_in_both_engines() -> None:
    plain, other = (alliances(3, True, engine) for engine in ("plain", "native"))
    for table in ("clients", "sessions", "assessments"):
        one, two = getattr(plain, table), getattr(other, table)
        assert {*one} == {*two} and all(np.array_equal(one[name], two[name], equal_nan=True) for name in one), table


def test_the_mean_field_draws_nothing_and_lies_within_what_is_drawn() -> None:
    """Another seed changes nothing; a pair's course still moves, and ends among its noisy courses."""
    one, other = (alliances(seed, True).sessions for seed in (1, 2))
    assert all(np.array_equal(one[name], other[name], equal_nan=True) for name in one)
    level = one["alliance_latent"].reshape(3, 12)
    assert (np.ptp(level, axis=1) > 0.01).all()
    noisy = np.array([alliances(seed, False).sessions["alliance_latent"].reshape(3, 12)[:, -1] for seed in range(60)])
    assert (noisy.std(axis=0) > 0.005).all()
    assert (np.abs(level[:, -1] - np.median(noisy, axis=0)) < 1.5 * noisy.std(axis=0)).all()


# ------------------------------------------------------------------------------------- what a step may be, and where


@pytest.mark.parametrize(
    "odd, said",
    [
        (step("client", arithmetic.same, "client_more", "add", value="client_felt"), "sets what it writes"),
        (step("client", arithmetic.same, "client_trust", "toward", "trust_rate", value="client_felt"), "sets what it writes"),
        (step("client", eq.faded, "client_more", regulation=Draw("own", "therapist")), "'own' is not"),
        (step("client", eq.faded, "client_more", regulation=Draw("own", once=True)), "'own' is not"),
    ],
)
def test_a_step_that_an_exchange_cannot_do_is_refused(odd: Step, said: str) -> None:
    with pytest.raises(WiringError, match=said):
        Model().insert(odd, after="client.felt")


def test_what_a_therapist_is_given_twice_in_a_session_is_refused() -> None:
    """All clients of a week are met at once, and what they add to a therapist is summed when all have met."""
    before, after = sessions.STEPS
    added = next(one for one in after if isinstance(one, Step) and one.writes[0].startswith("therapist."))
    reads = step("therapist", arithmetic.same, "therapist_repair_skill", value=added.writes[0])
    for more in (added, replace(added, how="set"), reads):
        with pytest.raises(WiringError, match=r"all have met|written otherwise"):
            fused.session_source(before, EXCHANGE, (*after, more))


def test_a_verb_of_ones_own_may_be_declared_as_steps() -> None:
    """It is done in both engines, travels to other processes, and another one has another identity."""

    def verb(rate: str) -> Verb:
        return Verb(
            "soothed",
            "The bond soothes.",
            (step("client", arithmetic.same, "client.skill", "toward", rate, value="client_bond"),),
        )

    one, other = (Model().insert(verb(rate), after="heal") for rate in ("agreement_rate", "trust_rate"))
    assert one.identity != other.identity != "" and pickle.loads(pickle.dumps(one)).identity == one.identity
    found = []
    for engine in ("native", "plain"):
        world = world_of()
        world.engine = engine
        hold(world, np.arange(12), one.session)
        found.append(world.clients.skill.copy())
    assert np.array_equal(*found) and not np.array_equal(found[0], world_of().clients.skill)


def mild(attunement):  # type: ignore[no-untyped-def]
    """In place of the shipped attunement: half of it, with an ``if`` that columns could not take."""
    return 0.5 * attunement if attunement > 0.5 else 0.4 * attunement


def timed(felt, own_luck, exchange):  # type: ignore[no-untyped-def]
    """A draw of one's own, and divisions by zero."""
    first = 1.0 / exchange
    return min(max(felt + 0.1 * own_luck + (0.1 if first > 2.0 else 0.0), 0.0), 1.0)


def turned(arousal, anxiety, rumination, rumination_rate):  # type: ignore[no-untyped-def]
    """Two quantities, one of which lasts."""
    rumination = rumination + rumination_rate * (anxiety * arousal - rumination)
    return rumination, arousal + 0.5 * rumination * (1.0 - arousal)


RATE = Parameter("rumination_rate", 0.5, "proportion", 0, 1, "assumption", "", "of rumination")
RUMINATION = Column("client_rumination", 0.0, 0, 1, "proportion", "how much the client goes over things")
OWN = (
    Model()
    .insert(therapist(mild, "therapist_attunement"), after="therapist.attunement")
    .insert(step("client", timed, "client_felt", own_luck=Draw("timing_of_ones_own", "pair")), after="client.felt")
    .insert(client(turned, "client_rumination", "client_arousal"), after="client.labelled_arousal", parameters=[RATE],
            columns=[RUMINATION])
)  # fmt: skip


def test_mechanisms_of_ones_own_give_the_same_bytes() -> None:
    """One in place of a step, one with a draw, one with a column that lasts; none could be computed on columns."""
    tables = {}
    scenario = from_spec({"question": "Mine?", "clients_per_arm": 9, "sessions": 3}, "mine")
    for engine in ("native", "plain"):
        world = build(scenario, scenario.arms[0], 0, 5, model=OWN)
        world.engine = engine
        tables[engine] = run_course(world, 3, OWN.session).sessions
    one, other = tables.values()
    assert {*one} == {*other} and all(np.array_equal(one[column], other[column], equal_nan=True) for column in one)
    usual = run_course(build(scenario, scenario.arms[0], 0, 5), 3).sessions
    assert not np.array_equal(one["alliance_latent"], usual["alliance_latent"])
    assert (one["client_rumination"] > 0).all()


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Draw("own", kind="gaussian"), "normal or uniform, not 'gaussian'"),
        (lambda: Draw("my own"), "one word"),
        (lambda: Draw("own", "observer"), "whose"),
        (lambda: step("client", arithmetic.same, "client_trust", "move", value=0.5), "not 'move'"),
        (lambda: step("client", arithmetic.same, "client_trust", "toward", value=0.5), "needs a rate"),
        (lambda: step("client", arithmetic.same, "client_trust", "set", "trust_rate", value=0.5), "and with no other"),
    ],
)
def test_what_no_step_can_be_is_refused(make: Any, said: str) -> None:
    with pytest.raises(WiringError, match=said):
        make()


@pytest.mark.parametrize(
    "one, said",
    [
        (step("client", arithmetic.same, "client.skill", "add", value="client_bod"), "nothing is called 'client_bod'"),
        (step("client", arithmetic.same, "client.skill", "add", value=float("inf")), "finite"),
        (step("client", arithmetic.same, "client.skill", "toward", "trust_rat", value=1), "no parameter 'trust_rat'"),
    ],
)
def test_a_verb_is_looked_at_when_it_is_inserted(one: Step, said: str) -> None:
    with pytest.raises(WiringError, match=said):
        Model().insert(Verb("mine", "", (one,)), after="heal")


def in_words(client_felt):  # type: ignore[no-untyped-def]
    return "much"


def sometimes(client_felt):  # type: ignore[no-untyped-def]
    if client_felt > 0.5:
        return 1.0


def at_random(client_felt):  # type: ignore[no-untyped-def]
    return client_felt * np.random.rand()  # noqa: NPY002


@pytest.mark.parametrize("equation", [in_words, sometimes])
def test_an_equation_that_gives_no_number_is_told_in_both_engines(equation: Any) -> None:
    model = Model().insert(client(equation, "client_more"), after="client.felt")
    for engine in ("native", "plain"):
        world = world_of()
        world.exchange_steps, world.engine = model.exchange, engine
        sessions.meet(world, np.arange(12))
        with pytest.raises(WiringError, match=f"step client.{equation.__name__}: its equation must give numbers in every case"):
            exchange(world, np.arange(12))


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda: Model().insert(client(sometimes, "client_ruminations"), after="client.felt", columns=[RUMINATION]),
         "no step writes the column 'client_rumination' - did you mean 'client_ruminations'"),
        (lambda: step("client", mild, "client_more", atunement=0.3), "no argument 'atunement'"),
        (lambda: Model().insert(client(at_random, "client_more"), after="client.felt"), "no seed repeats"),
        (lambda: Verb("mine", "", step("client", mild, "client_more")), "a tuple of steps"),  # type: ignore[arg-type]
        (lambda: Model().insert(Verb("mine", "", (step("nurse", arithmetic.same, "x", value=1),)), after="heal"),
         "the observer's"),
        (lambda: Model().insert(Verb("mine", "", (step("", arithmetic.same, "x", value=Draw("a", "person")),)), after="heal"),
         "the pair"),
        (lambda: Model().insert(Verb("mine", "", (step("client", arithmetic.same, "client.skil", value=1),)), after="heal"),
         "there is no 'client.skil'"),
    ],
)  # fmt: skip
def test_mistakes_in_what_is_inserted_are_said(make: Any, said: str) -> None:
    with pytest.raises(WiringError, match=said):
        make()


def test_a_world_is_lived_with_the_verbs_of_its_model() -> None:
    model = Model().insert(Verb("mine", "", (step("client", arithmetic.same, "rating.mine", value=0.25),)), after="heal")
    scenario = from_spec({"question": "Mine?", "clients_per_arm": 3, "sessions": 2}, "mine")
    course = run_course(build(scenario, scenario.arms[0], 0, 5, model=model, still=True), 2)
    assert (course.sessions["mine"] == 0.25).all()


@pytest.mark.parametrize("writes", ["client.skil", "therapist.skill"])
def test_what_a_verb_cannot_write_is_said(writes: str) -> None:
    world = world_of()
    with pytest.raises(WiringError, match=writes):
        Verb("mine", "", (step("client", arithmetic.same, writes, value=0.5),))(world, np.arange(12))


def test_a_verb_may_write_a_rating_of_its_own() -> None:
    world = world_of()
    Verb("mine", "", (step("client", arithmetic.same, "rating.mine", value="client_trust"),))(world, np.arange(12))
    assert np.array_equal(world.ratings["mine"], world.dyads.client_trust)


def test_a_column_of_ones_own_is_tested_each_week() -> None:
    grows = Verb("grows", "", (step("client", arithmetic.same, "client_rumination", "add", value=0.6),))
    model = Model().insert(grows, after="heal", columns=[RUMINATION])
    scenario = from_spec({"question": "Mine?", "clients_per_arm": 4, "sessions": 3}, "mine")
    with pytest.raises(StateError, match=r"week 2, dyad row 0: client_rumination is 1\.2"):
        run_course(build(scenario, scenario.arms[0], 0, 5, model=model), 3, model.session)


def test_an_engine_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTUNE_ENGINE", "Plain")
    with pytest.raises(UsageError, match="native, plain"):
        world_of()


def test_an_error_in_an_equation_of_ones_own_is_told() -> None:
    def strict(client_felt):  # type: ignore[no-untyped-def]
        if client_felt > -1.0:
            raise ValueError("too strict")
        return client_felt

    model = Model().insert(client(strict), after="client.felt")
    for engine in ("native", "plain"):
        world = world_of()
        world.exchange_steps, world.engine = model.exchange, engine
        sessions.meet(world, np.arange(12))
        with pytest.raises(ValueError, match="too strict"):
            exchange(world, np.arange(12))


def test_the_shipped_model_is_the_usual_one_after_a_journey() -> None:
    """A worker is handed a pickled model: it must still be held at once."""
    model = pickle.loads(pickle.dumps(Model()))
    assert sessions.at_once(model.session) is not None and model.exchange == EXCHANGE


# --------------------------------------------------------------------------------------------- blocks and processors


@pytest.mark.deep
def test_the_size_of_a_block_changes_no_byte() -> None:
    code, p, luck = person("client", np.arange(300)), Parameters(), Luck(4, 0)
    found = set()
    for block in (1, 37, fused.BLOCK):
        module = generated_module("life_blocks", fused.life_source(LIFE, block))
        life = native.handed(module.life, module.PARTS, module.NUMBERS)
        people = draw("client", Attachment(), code, p, luck)
        for week in range(1, 4):
            life(people.data, code, np.uint64(week), np.uint64(4), np.uint64(0), numbers(p, "client"))
        found.add(people.data.tobytes())
    assert len(found) == 1


@pytest.mark.deep
@pytest.mark.parametrize("block", [1, 33, 500])
def test_the_size_of_a_block_changes_no_byte_of_a_session(block: int) -> None:
    worlds = [world_of(clients_per_arm=300) for _ in range(2)]
    before, after = sessions.STEPS
    for world, size in zip(worlds, (block, fused.BLOCK), strict=True):
        module = generated_module("session_blocks", fused.session_source(before, EXCHANGE, after, size))
        ratings = world.room_for(fused.ratings_of((*before, *after)))
        native.handed(module.session, module.PARTS, module.NUMBERS)(
            world.dyads.data, world.clients.data, world.therapists.data, np.arange(300), world.client_of, world.therapist_of,
            world.client_code, world.therapist_code, world.pair_code, world.planned_sessions, np.uint64(1), np.uint64(5),
            np.uint64(0), world.values, world.n_exchanges, world.trace_row, world.trace, ratings, world.ending,
            np.empty((len(ratings) + len(fused.TABLE), 0)), False,
        )  # fmt: skip
    one, other = worlds
    assert one.dyads.data.tobytes() == other.dyads.data.tobytes() and one.clients.data.tobytes() == other.clients.data.tobytes()
    assert all(np.array_equal(one.ratings[name], other.ratings[name]) for name in one.ratings)


def digests_with(place: Path, names: tuple[str, ...], **setting: str) -> str:
    """What a fresh process with these settings prints; with a cache of its own where the machine code is another."""
    own = {"ATTUNE_CACHE": str(place)} if any(key.startswith("NUMBA") for key in setting) else {}
    done = subprocess.run([sys.executable, "-m", "tests.same_bytes", *names], cwd=ROOT, env={**os.environ, **own, **setting},
                          capture_output=True, text=True, timeout=1500)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


NO_VECTORS = {"NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4"}


def test_what_numpy_may_use_of_a_processor_changes_no_byte(tmp_path: Path) -> None:
    names = ("population", "clinic", "items, some missing")
    here = "".join(f"{name}\t{same_bytes.digest(name)}\n" for name in names)
    assert digests_with(tmp_path, names, **NO_VECTORS) == here


@pytest.mark.deep
@pytest.mark.parametrize(
    "setting",
    [{"NUMBA_CPU_NAME": "generic"}, {"NUMBA_CPU_NAME": "haswell"}, {"NUMBA_CPU_NAME": "x86-64-v4"}, {"NUMBA_OPT": "0"},
     {"NUMBA_OPT": "1"}, {"NUMBA_LOOP_VECTORIZE": "0"}],
    ids=str,
)  # fmt: skip
def test_what_the_machine_code_is_made_for_changes_no_byte(setting: dict[str, str], tmp_path: Path) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split()) if Path("/proc/cpuinfo").exists() else set()
    if setting.get("NUMBA_CPU_NAME") == "x86-64-v4" and not {"avx512f", "avx512vl", "avx512bw", "avx512dq"} <= flags:
        pytest.skip("this processor cannot run it; its assembly is looked at below")
    names = tuple(same_bytes.SPECS)
    here = "".join(f"{name}\t{same_bytes.digest(name)}\n" for name in names)
    assert digests_with(tmp_path, names, **{**setting, **NO_VECTORS}) == here


# ------------------------------------------------------------------------------------------------------- machine code


def built(text: str) -> dict[str, Any]:
    """What a generated text defines, compiled here and not kept, so that it can be looked at."""
    known: dict[str, Any] = {}
    exec(compile(text.replace("cache=True", "cache=False"), "<looked at>", "exec"), known)
    return known


def assembly(function: Any) -> str:
    return "\n".join(function.inspect_asm().values())


@pytest.fixture(scope="module")
def exchange_module() -> dict[str, Any]:
    return built(native.source(EXCHANGE))


def parts(module: dict[str, Any]) -> list[Any]:
    return list(module["PARTS"])


def test_steps_are_vector_instructions_and_nothing_is_fused(exchange_module: dict[str, Any]) -> None:
    """Packed multiplications outnumber single ones in every part; no multiply-add, which rounds once where others round twice."""
    for function in parts(exchange_module):
        text = assembly(function)
        packed, single = (
            len(re.findall(rf"\bv?mul{kind}\b|\bfmul\s+{vector}", text)) for kind, vector in (("pd", "v"), ("sd", "d"))
        )
        assert packed > 5 * single, function
        assert not FUSED.search(text)


@pytest.mark.deep
def test_sessions_and_life_are_vector_instructions_too() -> None:
    before, after = sessions.STEPS
    for text in (fused.session_source(before, EXCHANGE, after), fused.life_source(LIFE)):
        for function in parts(built(text)):
            made = assembly(function)
            multiplies = re.search(r"\bv?mul[sp]d\b|\bfmul\b", made)  # some only bring along what is there
            assert re.search(r"\bv?mulpd\b|\bfmul\s+v", made) if multiplies else re.search(r"\bv?mov[au]p[sd]\b|\bstp\s+q", made)
            assert not FUSED.search(made)


OTHERS = [
    ("x86_64-unknown-linux-gnu", "haswell"), ("x86_64-unknown-linux-gnu", "x86-64-v4"),
    ("aarch64-unknown-linux-gnu", "neoverse-n1"), ("aarch64-unknown-linux-gnu", "apple-m1"),
]  # fmt: skip


def made_for(function: Any, triple: str, cpu: str) -> str:
    """Assembly for another processor, from what the compiler here made of a function."""
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    machine = llvm.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    (text,) = function.inspect_llvm().values()
    text = re.sub(r'target (triple|datalayout) = ".*"', "", text)
    text = re.sub(r"= (?:tail )?call i8 @llvm\.x86\.atomic\.sub\.cc.*", "= add i8 0, 0", text)  # of the counts of references
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = triple, str(machine.target_data)
    return str(machine.emit_assembly(module))


@pytest.mark.parametrize("triple, cpu", OTHERS[1:3])
def test_nothing_is_fused_for_processors_that_could(triple: str, cpu: str, exchange_module: dict[str, Any]) -> None:
    """A processor with a fused multiply-add must not be given one."""
    for function in parts(exchange_module):
        made = made_for(function, triple, cpu)
        assert re.search(r"\bv?mulpd\b|\bfmul\s+v", made)
        assert not FUSED.search(made)


@pytest.mark.parametrize("triple, cpu", OTHERS)
def test_a_fused_multiply_add_would_be_seen(triple: str, cpu: str) -> None:
    fast = njit(fastmath=True, error_model="numpy")(lambda x, y, z: x * y + z)
    fast(1.0, 2.0, 3.0)
    assert FUSED.search(made_for(fast, triple, cpu))


def test_equations_take_nothing_from_a_mathematical_library() -> None:
    """Of NumPy the equations use what is exact everywhere: absolute values and square roots."""
    assert set(re.findall(r"\bnp\.(\w+)", inspect.getsource(eq))) <= {"abs", "sqrt"}
    assert not re.search(r"\*\* ?0\.5|\bmath\.", inspect.getsource(eq))
