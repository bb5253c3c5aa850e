# ruff: noqa: E501  (what is drawn at random reads best in one block)
"""Scenarios: all that are shipped load; whatever is wrong with one is said in one line, with file, line, key and a hint."""

from __future__ import annotations

import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim import naming
from sim.errors import ScenarioError
from sim.scenario.scenario import STYLE_POINT, Attachment, Scenario, from_spec, json_schema, load
from sim.theory.parameters import PARAMETERS
from sim.theory.styles import STYLE_BOX, STYLES, style_name

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SHIPPED = sorted(SCENARIOS.glob("*.yaml"))
Q = "question: Does it work?\n"


def written(folder: Path, text: str | bytes, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def loaded(folder: Path, text: str) -> Scenario:
    return load(written(folder, text))


def refusal(path: Path) -> str:
    """The message, without the folder."""
    with pytest.raises(ScenarioError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message.replace(f"{path.parent}/", "")


# What is shipped


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_scenarios_load(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0] == "# yaml-language-server: $schema=schema.json"
    assert lines[1].startswith("question: ")
    scenario = load(path)
    assert scenario.name == path.stem
    assert scenario.question.endswith("?")
    assert pickle.loads(pickle.dumps(scenario)) == scenario


def test_what_is_shipped() -> None:
    assert {path.stem for path in SHIPPED} >= {
        "style_pairings",
        "no_therapy",
        "fearful_client_close_up",
        "rupture_repair",
        "earned_secure_therapist",
        "empathy_training",
        "hello",
    }


def test_style_pairings_are_sixteen_and_four_untreated() -> None:
    scenario = load(SCENARIOS / "style_pairings.yaml")
    assert (len(scenario.arms), scenario.clients_per_arm, scenario.sessions, scenario.exchanges) == (20, 500, 20, 10)
    assert sum(arm.therapist is None for arm in scenario.arms) == 4
    arm = next(arm for arm in scenario.arms if arm.name == "fearful client, dismissing therapist")
    assert arm.cohort == STYLES.index("fearful")
    assert arm.client.kind == "box" and arm.client.label == "fearful"
    assert arm.therapist is not None and arm.therapist.style == "dismissing"
    assert scenario.traced == {arm.name: (0,) for arm in scenario.arms if arm.therapist is not None}


def test_the_waiting_arm_has_no_therapist_and_no_exchanges(tmp_path: Path) -> None:
    scenario = load(SCENARIOS / "no_therapy.yaml")
    assert {arm.name: arm.therapist is None for arm in scenario.arms} == {"therapy": False, "waiting": True}
    text = Q + "record: {exchanges: {clients: [0]}}\narms: {a: {}, b: {therapist: }, c: {therapist: none}}\n"
    assert loaded(tmp_path, text).traced == {"a": (0,)}


def test_the_earned_secure_therapist_differs_only_in_the_past() -> None:
    always, earned, insecure, _ = (arm.therapist for arm in load(SCENARIOS / "earned_secure_therapist.yaml").arms)
    assert always is not None and earned is not None and insecure is not None
    assert earned.early == STYLE_POINT["fearful"] and always.early is None
    assert earned.model_copy(update={"early": None}) == always


def test_the_schema_for_editors_is_fresh() -> None:
    fresh = json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert (SCENARIOS / "schema.json").read_text() == fresh, "write json_schema() to scenarios/schema.json"


def test_every_pointer_of_the_schema_leads_somewhere() -> None:
    schema = json_schema()

    def pointers(node: Any) -> list[str]:
        if isinstance(node, dict):
            return [v for k, v in node.items() if k == "$ref"] + [p for v in node.values() for p in pointers(v)]
        return [p for one in node for p in pointers(one)] if isinstance(node, list) else []

    found = {tuple(p.split("/")[1:]) for p in pointers(schema)}
    for path in found:
        node: Any = schema
        for part in path:
            node = node[part]
    assert {path[1] for path in found} == set(schema["$defs"])
    assert set(schema["$defs"]["Parameters"]["properties"]) == set(PARAMETERS)


# Who takes part


def test_typical_points_lie_in_their_styles() -> None:
    assert {name: style_name(*point) for name, point in STYLE_POINT.items()} == {name: name for name in STYLES}


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("population", Attachment()),
        ("secure", Attachment(kind="box", anxiety=STYLE_BOX["secure"][:2], avoidance=STYLE_BOX["secure"][2:], style="secure")),
        ("{style: fearful, distress: 2}", Attachment(kind="box", anxiety=(4, 7), avoidance=(4, 7), style="fearful", distress=2)),
        ("{anxiety: 5.5, avoidance: 2}", Attachment(kind="point", anxiety=(5.5, 5.5), avoidance=(2, 2))),
        ("{anxiety: [2, 3], avoidance: 2}", Attachment(kind="box", anxiety=(2, 3), avoidance=(2, 2))),
        (
            "{anxiety: {mean: 3, sd: 1}, avoidance: {mean: 2, sd: 0.5}}",
            Attachment(kind="normal", anxiety=(3, 1), avoidance=(2, 0.5)),
        ),
        ("{selected: false}", Attachment(selected=False)),
        ("{early: {anxiety: 6, avoidance: 5}}", Attachment(early=(6, 5))),
    ],
)
def test_ways_to_say_who(tmp_path: Path, client: str, expected: Attachment) -> None:
    assert loaded(tmp_path, f"{Q}client: {client}\n").arms[0].client == expected


def test_labels() -> None:
    def label(client: Any) -> str:
        return from_spec({"question": "?", "client": client}, "s").arms[0].client.label

    assert label("fearful") == "fearful"
    assert label("population") == "population"
    assert label({"anxiety": 5.5, "avoidance": 2}) == "anxiety 5.5, avoidance 2"
    assert label({"anxiety": [2, 3], "avoidance": 2}) == "anxiety 2-3, avoidance 2"
    assert label({"anxiety": {"mean": 2, "sd": 1}, "avoidance": {"mean": 2, "sd": 1}}) == "anxiety 2 (sd 1), avoidance 2 (sd 1)"


def test_named_people_in_a_crossed_design() -> None:
    spec = {
        "question": "?",
        "design": "crossed",
        "therapist": ["secure"],
        "client": {
            "mild": {"anxiety": 3, "avoidance": 3},
            "typical": "fearful",
            "changed": {"style": "fearful", "early": "secure"},
        },
    }
    arms = {arm.name: arm.cohort for arm in from_spec(spec, "s").arms}
    assert list(arms) == [f"{kind} client, secure therapist" for kind in ("mild", "typical", "changed")]
    assert arms["typical client, secure therapist"] == STYLES.index("fearful")
    assert (
        len(set(arms.values())) == 3 and min(arms["mild client, secure therapist"], arms["changed client, secure therapist"]) >= 4
    )
    more = {**spec, "client": {"new": {"anxiety": 6, "avoidance": 2}, **spec["client"]}}
    assert arms.items() <= {arm.name: arm.cohort for arm in from_spec(more, "s").arms}.items(), "another kind renumbers nobody"


def test_what_an_arm_says_goes_before_what_the_scenario_says_for_all() -> None:
    """A policy of an arm is not undone by a number of the scenario; a number beside a policy goes before it."""
    arms = {
        "usual": {},
        "alone": {"policies": ["leave_ruptures_alone"]},
        "half": {"policies": ["leave_ruptures_alone"], "parameters": {"repair_effort": 0.5}},
    }
    scenario = from_spec({"question": "?", "parameters": {"repair_effort": 1.0}, "arms": arms}, "s")
    assert [arm.parameters["repair_effort"] for arm in scenario.arms] == [1.0, 0.0, 0.5]


def test_arms_take_from_the_scenario_what_they_do_not_say() -> None:
    spec = {
        "question": "?",
        "sessions": 12,
        "policies": ["train_warmth"],
        "parameters": {"rejection_gain": 1, "mirror_gain": 1},
        "lesions": {"client.vlpfc": 0},
        "client": "fearful",
        "arms": {
            "as is": None,
            "other": {
                "sessions": 4,
                "policies": [],
                "parameters": {"mirror_gain": 2},
                "lesions": {"therapist.tpj": 0.5},
                "client": "secure",
            },
        },
    }
    as_is, other = from_spec(spec, "s").arms
    assert (as_is.sessions, as_is.policies, as_is.client.label) == (12, ("train_warmth",), "fearful")
    assert as_is.parameters == {"rejection_gain": 1, "mirror_gain": 1} and as_is.lesions == {"client.vlpfc": 0}
    assert (other.sessions, other.policies, other.client.label) == (4, (), "secure")
    assert other.parameters == {"rejection_gain": 1, "mirror_gain": 2}
    assert other.lesions == {"client.vlpfc": 0, "therapist.tpj": 0.5}


# Bad input: what is said of each of many bad files is kept in tests/promise/messages.json


def test_an_arm_may_be_called_clinic(tmp_path: Path) -> None:
    """What it may say is what any arm may say."""
    said = refusal(written(tmp_path, Q + "arms:\n  clinic: {sesions: 3}\n"))
    assert "session_every" not in said and said.startswith("s.yaml:3: arms.clinic.sesions: is not a key")


def test_a_choice_is_nearest_to_one_of_its_own_key(tmp_path: Path) -> None:
    """What another key may be is no suggestion."""
    said = "s.yaml:2: report: must be 'usual' or 'interaction', not "
    assert refusal(written(tmp_path, Q + "report: interacton\n")) == f"{said}'interacton' - did you mean 'interaction'?"
    assert refusal(written(tmp_path, Q + "report: arms\n")) == f"{said}'arms'"
    batch = Q + "batch:\n  vary: {sessions: [2, 3]}\n  on_error: skp\n"
    assert refusal(written(tmp_path, batch)).endswith("not 'skp' - did you mean 'skip'?")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    written(tmp_path, Q, "hello.yaml")
    assert refusal(tmp_path / "helo.yaml").startswith("helo.yaml: there is no such file - did you mean 'hello.yaml'?")
    assert "is a folder; name a scenario file in it, such as hello.yaml" in refusal(tmp_path)
    assert "cannot be read" in refusal(tmp_path / "hello.yaml" / "x.yaml")
    for strange in ("a\0b", "a" * 5000):
        assert "cannot be read" in refusal(tmp_path / strange)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    assert load(written(tmp_path, b"\xef\xbb\xbfquestion: Why?\r\nsessions: 3\r\n")).sessions == 3


def test_a_key_that_is_no_text_is_named_where_it_stands(tmp_path: Path) -> None:
    assert refusal(written(tmp_path, "question: Why?\nsessions: 3\n\n2: 3\n")).startswith("s.yaml:4: the key 2 must be text")


def test_anchors_may_be_used(tmp_path: Path) -> None:
    arms = loaded(
        tmp_path, Q + "client: &who {anxiety: 2, avoidance: 2}\narms:\n  a: {therapist: *who}\n  b: {therapist: {<<: *who}}\n"
    ).arms
    assert arms[0].therapist == arms[1].therapist


# extends


def test_a_child_changes_what_it_says_and_keeps_the_rest(tmp_path: Path) -> None:
    written(
        tmp_path,
        Q + "sessions: 8\nparameters: {mirror_gain: 1, rejection_gain: 1}\npolicies: [train_warmth]\n"
        "arms: {a: {sessions: 3, therapist: secure}, b: {}}\n",
        "base.yaml",
    )
    written(tmp_path, "extends: base.yaml\nreplicates: 2\n", "middle.yaml")
    child = loaded(
        tmp_path,
        "question: And so?\nextends: middle\nparameters: {mirror_gain: 2}\npolicies: [look_for_ruptures]\n"
        "arms: {a: {sessions: 4}, c: {client: fearful}}\n",
    )
    assert (child.question, child.sessions, child.replicates) == ("And so?", 8, 2)
    assert child.spec["parameters"] == {"mirror_gain": 2, "rejection_gain": 1}
    assert [arm.name for arm in child.arms] == ["a", "b", "c"]
    assert child.arms[0].sessions == 4
    assert child.arms[0].therapist is not None and child.arms[0].therapist.style == "secure"
    assert all(arm.policies == ("look_for_ruptures",) for arm in child.arms)
    assert "extends" not in child.spec


def test_an_error_names_the_file_that_holds_it(tmp_path: Path) -> None:
    written(tmp_path, Q + "sessions: 8\nexchanges: 99\n", "base.yaml")
    assert refusal(written(tmp_path, "extends: base\nreplicates: 2\n")).startswith("base.yaml:3: exchanges: ")
    assert refusal(written(tmp_path, "extends: base\nexchanges: 98\n")).startswith("s.yaml:2: exchanges: ")
    written(tmp_path, Q + "client:\n  style: secure\n", "base.yaml")
    assert refusal(written(tmp_path, "extends: base\nclient:\n  anxiety: 3\n")).startswith("s.yaml:3: client.anxiety: cannot")
    assert refusal(written(tmp_path, "extends: bsae\n")).endswith("did you mean 'base'?")
    written(tmp_path, "a: [\n", "base.yaml")
    assert refusal(written(tmp_path, "extends: base\n")).startswith("base.yaml:2: is not valid YAML")


def test_a_circle_of_parents(tmp_path: Path) -> None:
    written(tmp_path, "extends: b\n", "a.yaml")
    written(tmp_path, "extends: s\n", "b.yaml")
    assert refusal(written(tmp_path, Q + "extends: a\n")) == (
        "b.yaml:1: extends: goes round in a circle (s.yaml -> a.yaml -> b.yaml -> s.yaml); a scenario cannot extend itself"
    )


# In a notebook


def test_but_changes_a_copy() -> None:
    usual = load(SCENARIOS / "hello.yaml")
    changed = usual.but(clients_per_arm=50, sessions=10, avoidance_warmth_cost=0.2)
    assert (changed.clients_per_arm, changed.sessions, changed.name) == (50, 10, "hello")
    assert all(arm.parameters == {"avoidance_warmth_cost": 0.2} for arm in changed.arms)
    assert usual == load(SCENARIOS / "hello.yaml")
    assert changed.but(mirror_gain=np.float64(1)).arms[0].parameters == {"avoidance_warmth_cost": 0.2, "mirror_gain": 1}
    assert usual.but(sessions=usual.sessions) == usual


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sesions": 3}, "hello: sesions: is neither a key of a scenario nor a parameter - did you mean 'sessions'?"),
        ({"mirror_gian": 3}, "hello: mirror_gian: is neither a key of a scenario nor a parameter - did you mean 'mirror_gain'?"),
        ({"mirror_gain": 99}, "hello: parameters.mirror_gain: parameter 'mirror_gain' is 99; it must lie between"),
        ({"mirror_gain": math.nan}, "hello: parameters.mirror_gain: must be a finite number, not nan"),
        ({"sessions": 0}, "hello: sessions: must be a whole number between 1 and 520, not 0"),
        ({"clients_per_arm": object()}, "hello: clients_per_arm: must be text, a number, true, false"),
        ({"parameters": 3, "mirror_gain": 1}, "hello: parameters: must be a mapping of parameter names"),
    ],
)
def test_but_refuses(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load(SCENARIOS / "hello.yaml").but(**changes)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("spec", [None, [], "x", {"question": "?", "extends": "hello"}, {1: 2}, {"question": b"x"}])
def test_from_spec_refuses(spec: Any) -> None:
    with pytest.raises(ScenarioError):
        from_spec(spec, "s")


def test_a_spec_that_contains_itself_is_refused() -> None:
    spec: dict[str, Any] = {"question": "?"}
    spec["client"] = spec
    with pytest.raises(ScenarioError, match="nested too deeply"):
        from_spec(spec, "s")


def test_a_scenario_does_not_change_with_the_mapping_it_came_from() -> None:
    spec: dict[str, Any] = {"question": "?", "parameters": {"mirror_gain": 1}}
    scenario = from_spec(spec, "s")
    spec["parameters"]["mirror_gain"] = 2
    assert scenario.spec["parameters"] == {"mirror_gain": 1}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_yaml_loads_back_to_the_same_scenario(tmp_path: Path, path: Path) -> None:
    scenario = load(path)
    text = scenario.to_yaml()
    assert text.startswith("question:")
    assert load(written(tmp_path, text, path.name)) == scenario
    assert load(written(tmp_path, text, "scenario.yaml"), name=scenario.name) == scenario


# Broken scenarios at random

FULL = b"""# a comment
question: "What if?"
design: arms
client: {anxiety: [2, 5], avoidance: 3, early: secure, selected: false}
therapist:
  anxiety: {mean: 3, sd: 1.5}
  avoidance: {mean: 3, sd: 1e-1}
clients_per_arm: 50
parameters: {mirror_gain: -0.5}
lesions: {client.vlpfc: 0}
policies: [train_warmth]
arms:
  usual: &u {sessions: 3}
  other: {client: fearful, therapist: none}
record: {exchanges: {clients: [0, 3], arms: [usual]}}
"""
CHUNKS = st.one_of(st.binary(max_size=4), st.sampled_from([
    b"\t", b"\n", b": ", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*u", b"!!int ", b"!x ", b"<<: *u", b"%", b"---\n", b"...", b"|", b">",
    b"? ", b"'", b'"', b"\\", b"#", b".nan", b"null", b"true", b"1e999", b"0x", b"2001-01-01", b"\xc2\x85", b"\xe2\x80\xa8", b"!!set ",
    b"!!binary ", b"\xef\xbb\xbf", b"extends: s\n"]))  # fmt: skip
CUTS = st.lists(st.tuples(st.integers(0, len(FULL)), st.integers(0, 12), CHUNKS), min_size=1, max_size=4)


def loads_or_refuses(path: Path) -> None:
    try:
        scenario = load(path)
    except ScenarioError as error:
        assert len(str(error).splitlines()) == 1
    else:
        back = path.with_name("back.yaml")
        back.write_text(scenario.to_yaml(), encoding="utf-8")
        assert load(back, name=scenario.name) == scenario


QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None, derandomize=True)


@settings(QUICK, max_examples=250)
@given(cuts=CUTS)
def test_damaged_files_load_or_are_refused(tmp_path: Path, cuts: list[tuple[int, int, bytes]]) -> None:
    text = FULL
    for start, length, chunk in cuts:
        text = text[:start] + chunk + text[start + length :]
    loads_or_refuses(written(tmp_path, text))


KEY = st.sampled_from(["question", "design", "client", "therapist", "sessions", "parameters", "lesions", "policies", "arms", "record",
                       "title", "anxiety", "avoidance", "early", "style", "exchanges", "clients", "mean", "sd", "mirror_gain"])  # fmt: skip
LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
                 st.sampled_from([*STYLES, "population", "none", "crossed", "arms", 1, 3.5, [2, 4], "train_warmth"]))  # fmt: skip
VALUE = st.recursive(LEAF, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEY, st.text(max_size=4)), inner, max_size=3)),
                     max_leaves=8)  # fmt: skip


@settings(QUICK, max_examples=250)
@given(spec=st.dictionaries(KEY, VALUE, max_size=4), question=st.text(max_size=20))
def test_random_specs_load_or_are_refused(tmp_path: Path, spec: dict[str, Any], question: str) -> None:
    try:
        scenario = from_spec({"question": question, **spec}, "s")
    except ScenarioError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert load(written(tmp_path, scenario.to_yaml())) == scenario


SEEN = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=8)
NAME = SEEN.map(naming.written).filter(lambda name: not naming.unseen(name))
TEXT = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1)
PERSON = st.one_of(
    st.sampled_from([*STYLES, "population"]),
    st.builds(lambda x, y: {"anxiety": x, "avoidance": sorted(y)}, st.floats(1, 7), st.tuples(st.floats(1, 7), st.floats(1, 7))),
    st.builds(
        lambda m, s: {"anxiety": {"mean": m, "sd": s}, "avoidance": {"mean": m, "sd": s}}, st.floats(1, 7), st.floats(0.01, 6)
    ),
)


@settings(QUICK, max_examples=100)
@given(
    question=TEXT.filter(lambda text: text.strip() and not naming.unseen("".join(text.split()))),
    gain=st.floats(-3, 3),
    arms=st.dictionaries(NAME, st.fixed_dictionaries({"client": PERSON, "therapist": PERSON | st.none()}), max_size=3).filter(
        lambda arms: not naming.wrong_names(arms)
    ),
)
def test_every_valid_spec_survives_being_written(tmp_path: Path, question: str, gain: float, arms: dict[str, Any]) -> None:
    scenario = from_spec({"arms": arms, "parameters": {"mirror_gain": gain}, "question": question}, "s")
    assert len(scenario.arms) == max(1, len(arms))
    assert load(written(tmp_path, scenario.to_yaml())) == scenario
