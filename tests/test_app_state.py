"""The address of the classroom page: whatever stands in it becomes a state, or plain messages; what it says is what is run."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.classroom.course import scenarios
from sim.classroom.course.responses import RESPONSES, forced
from sim.classroom.course.state import MOST_CHARACTERS, PAIRS, Choice, State, defaults, query_of, read, with_changes
from sim.classroom.lessons import FIRST, SETUPS
from sim.errors import AddressError, ScenarioError
from sim.theory.parameters import PARAMETERS


def state(query: str = "") -> State:
    return read(query, SETUPS, FIRST)


def messages(query: str) -> str:
    with pytest.raises(AddressError) as caught:
        state(query)
    return " | ".join(caught.value.messages)


def test_nothing_said_is_the_first_lesson_as_it_is_set_up() -> None:
    found = state()
    assert found.lesson == FIRST
    assert {key: found.query[key] for key in SETUPS[FIRST]} == dict(SETUPS[FIRST])
    assert found.query.keys() == defaults().keys()


def test_what_an_address_says_goes_before_its_lesson() -> None:
    assert state("lesson=empathy&a_warmth=0.3").a.warmth == 0.3
    assert state("lesson=empathy").a.warmth == float(SETUPS["empathy"]["a_warmth"])


@pytest.mark.parametrize(("query", "said"), [
    ("seed=-1", "seed is '-1'; it must be a whole number from 0 to"),
    ("seed=1.5", "seed is '1.5'"),
    ("seed=99999999999999999999", "seed is"),
    ("seed=١٢", "seed is"),  # digits, but none of ours
    ("sessions=1", "sessions is '1'; it must be a whole number from 2 to 60"),
    ("clients=100000", "from 10 to 200"),
    ("a_warmth=nan", "a_warmth is 'nan'; it must be a number from 0.02 to 0.98"),
    ("a_warmth=1e999", "a_warmth is '1e999'"),
    ("b_accuracy=2", "b_accuracy is '2'; it must be a number from 0 to 1"),
    ("a_client=fearfull", "it must be one of secure, preoccupied, dismissing, fearful, or anxiety and avoidance"),
    ("a_client=5,9", "anxiety and avoidance as two numbers from 1 to 7, such as 5.5,5.2"),
    ("a_repair=never", "it must be one of usual, early, none"),
    ("pairs=both", "pairs: unknown reading 'both'; valid: neither, differ, alike"),
    ("lesson=secure_bace", "did you mean 'secure_base'?"),
    ("seeed=1", "'seeed' means nothing in an address of this page - did you mean 'seed'?"),
    ("seed=1&seed=2", "'seed' stands twice in the address; keep one"),
    ("a_lesions=therapist.insul:0", "did you mean 'therapist.insula'?"),
    ("a_lesions=therapist.acc:2", "a_lesions.therapist.acc: must be a number between 0 and 1, not 2.0"),
    ("a_lesions=client.acc:0,client.acc:1", "names client.acc twice"),
    ("a_lesions=therapist.insula:0.5&a_insula=removed", "a_lesions.therapist.insula: has a control of its own; change a_insula"),
    ("b_lesions=client.vlpfc:0", "b_lesions.client.vlpfc: has a control of its own"),
    ("a_do=3.4.shout", "a_do[0].response: unknown response 'shout'; valid: name_it, "),
    ("a_do=3.4", "each written like 12.4.name_it"),
    ("a_do=3.4.name_it,3.5.press_on", "a_do: chooses twice in a session"),
    ("a_do=50.1.name_it", "there is no exchange 1 of session 50"),
    ("a_do=" + ",".join(f"{k}.1.name_it" for k in range(1, 9)), "up to 6 choices"),
    ("both.trust_rat=1", "did you mean 'trust_rate'?"),
    ("both.trust_rate=7", "both.trust_rate: parameter 'trust_rate' is 7.0; it must lie between 0 and 1"),
    ("a.plasticity=0.5&a_learning=off", "a.plasticity: has a control of its own; change a_learning or b_learning instead"),
    ("both.plasticity=0", "both.plasticity: has a control"),
    ("both.therapist_skill_mean=0.1", "change a_accuracy or b_accuracy instead"),
    ("b.therapist_warmth_base=0.5", "b.therapist_warmth_base: has a control"),
    ("lesson=puzzle&a.therapist_skill_mean=0.5", "a.therapist_skill_mean: has a control"),
    ("both.complementarity_gain=1", "both.complementarity_gain: has a control of its own; change pairs instead"),
    ("%ff%fe=1", "cannot be read"),
    ("a=1&" * 300, "cannot be read"),
    ("x" * (MOST_CHARACTERS + 1), f"at most {MOST_CHARACTERS} can be read"),
])  # fmt: skip
def test_what_cannot_be_is_named_with_what_could(query: str, said: str) -> None:
    assert said in messages(query)


def test_several_mistakes_are_all_named() -> None:
    found = messages("seed=x&a_warmth=y&foo=1")
    assert "seed is 'x'" in found and "a_warmth is 'y'" in found and "'foo' means nothing" in found


def test_a_message_quotes_little_and_nothing_unprintable() -> None:
    found = messages(urlencode({"seed": "\x00\x1b<script>" + "z" * 1000}))
    assert len(found) < 200 and "\x00" not in found and "\x1b" not in found


anything = st.text(max_size=40)
keys = st.sampled_from([*defaults(), "lesson", "both.trust_rate", "a.plasticity", "b.healing_rate", "b.nothing", "c.x", ""])


@settings(deadline=None)
@given(st.lists(st.tuples(st.one_of(keys, anything), anything), max_size=8))
def test_any_query_is_a_state_or_messages(pairs: list[tuple[str, str]]) -> None:
    try:
        found = state(urlencode(pairs))
    except AddressError as error:
        assert 1 <= len(error.messages) <= 5
        assert all(len(one) < 400 and one.isprintable() for one in error.messages)
    else:
        scenarios.scenario_of(found.a, found.b, found.shared)  # and every state is a scenario


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_a_state_or_messages(text: str) -> None:
    with suppress(AddressError):
        state(text)


values = st.fixed_dictionaries({}, optional={
    "a_client": st.sampled_from(["secure", "fearful", "5.5,5.2", "1,7"]),
    "b_therapist": st.sampled_from(["preoccupied", "2.34,4.01"]),
    "a_accuracy": st.integers(0, 100).map(lambda k: f"{k / 100:g}"),
    "b_warmth": st.integers(2, 98).map(lambda k: f"{k / 100:g}"),
    "a_repair": st.sampled_from(["usual", "early", "none"]),
    "b_naming": st.sampled_from(["on", "off"]),
    "a_insula": st.sampled_from(["intact", "removed"]),
    "b_do": st.sampled_from(["", "2.3.name_it", "2.3.step_back,4.1.press_on"]),
    "pairs": st.sampled_from(list(PAIRS)),
    "seed": st.integers(0, 2**63 - 1).map(str),
    "sessions": st.integers(5, 60).map(str),
    "follow_up": st.integers(0, 24).map(str),
    "lesson": st.sampled_from(list(SETUPS)),
    "both.trust_rate": st.sampled_from(["0.1", "0.25"]),
})  # fmt: skip


@settings(deadline=None)
@given(values)
def test_the_shortest_address_of_a_state_gives_it_back(said: dict[str, str]) -> None:
    found = state(urlencode(said))
    again = state(query_of(found, SETUPS[found.lesson]))
    assert again == found and again.query == found.query


def test_a_changed_state_is_checked_like_an_address() -> None:
    assert with_changes(state(), seed="5").shared.seed == 5
    with pytest.raises(AddressError, match="seed is 'five'"):
        with_changes(state(), seed="five")


def test_defaults_are_those_of_the_model() -> None:
    """What is usual is not said in the scenario, so it must be what the model does anyway."""
    spec = scenarios.spec_of(state("lesson=sandbox&b_therapist=secure").a, state("lesson=sandbox&b_therapist=secure").b,
                             state("lesson=sandbox").shared)  # fmt: skip
    assert spec["arms"]["A"].keys() == {"client", "therapist"}
    assert float(defaults()["a_accuracy"]) == PARAMETERS["therapist_skill_mean"].default
    assert int(defaults()["exchanges"]) == spec["exchanges"]


@pytest.mark.parametrize(("query", "arm"), [
    ("a_accuracy=0.8", {"parameters": {"therapist_skill_mean": 0.8}}),
    ("a_warmth=0.5", {"parameters": {"therapist_warmth_base": 0.0}}),
    ("a_repair=early", {"policies": ["look_for_ruptures"]}),
    ("a_repair=none", {"policies": ["leave_ruptures_alone"]}),
    ("a_naming=off", {"lesions": {"client.vlpfc": 0.0}}),
    ("a_insula=removed", {"lesions": {"therapist.insula": 0.0}}),
    ("a_learning=off", {"parameters": {"plasticity": 0.0}}),
    ("a.trust_rate=0.1", {"parameters": {"trust_rate": 0.1}}),
    ("a_do=3.4.press_on", {"force": [{"session": 3, "exchange": 4, "quantity": "repair_probability", "value": 0.0}]}),
])  # fmt: skip
def test_every_control_is_something_that_a_scenario_says(query: str, arm: dict[str, object]) -> None:
    found = state(f"lesson=sandbox&{query}")
    said = scenarios.spec_of(found.a, found.b, found.shared)["arms"]["A"]
    assert {key: said[key] for key in said if key not in ("client", "therapist")} == arm


@pytest.mark.parametrize("response", RESPONSES)
def test_every_response_can_be_forced_at_the_last_exchange_and_the_first(response: str) -> None:
    for exchange in (1, 10):
        assert all(exchange <= one["exchange"] <= 10 for one in forced(response, 3, exchange, 10, {}))
        found = state(f"a_do=3.{exchange}.{response}")
        assert scenarios.scenario_of(found.a, found.b, found.shared).arms[0].force


def test_what_a_scenario_refuses_is_refused_in_its_own_words() -> None:
    """An address can be readable and yet make no scenario: then the scenario's own message says what is wrong."""
    found = state("exchanges=8")
    beyond = found.a.model_copy(update={"do": (Choice(3, 9, "press_on"),)})
    with pytest.raises(ScenarioError, match=r"classroom.*exchange"):
        scenarios.scenario_of(beyond, found.b, found.shared)
