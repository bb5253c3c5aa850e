# ruff: noqa: E501  (the table of bad input reads best with one case on a line)
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
    assert set(schema["$defs"]["parameters"]["properties"]) == set(PARAMETERS)


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


# Bad input

BAD: dict[str, tuple[str | bytes, str]] = {
    "unknown key": (Q + "sesions: 3\n", "s.yaml:2: sesions: is not a key of a scenario - did you mean 'sessions'?"),
    "mistyped question": ("questoin: x\nsessions: 3\n", "s.yaml:1: questoin: is not a key of a scenario - did you mean 'question'?"),
    "no question": ("sessions: 3\n", "s.yaml:1: question: is missing; it must be given, as one sentence that the scenario answers"),
    "question not first": ("title: a\n" + Q, "s.yaml:2: question: must be the first key of the file; 'title' stands before it"),
    "empty question": ("question: ''\n", "s.yaml:1: question: must not be empty"),
    "question a number": ("question: 3\n", "s.yaml:1: question: must be text, not 3; put it in quotes"),
    "wrong type": (Q + "sessions: abc\n", "s.yaml:2: sessions: must be a whole number between 1 and 520, not 'abc'"),
    "true for a number": (Q + "sessions: true\n", "s.yaml:2: sessions: must be a whole number between 1 and 520, not true"),
    "part of a session": (Q + "sessions: 2.5\n", "s.yaml:2: sessions: must be a whole number between 1 and 520, not 2.5"),
    "out of range": (Q + "\n\nexchanges: 61\n", "s.yaml:4: exchanges: must be a whole number between 2 and 60, not 61"),
    "no clients": (Q + "clients_per_arm: 0\n", "s.yaml:2: clients_per_arm: must be a whole number between 1 and 1000000, not 0"),
    "huge": (Q + f"sessions: {'9' * 30}\n", "s.yaml:2: sessions: is far too large a number"),
    "too huge to read": (Q + f"sessions: {'9' * 5000}\n", "s.yaml:2: is not valid YAML"),
    "huge parameter": (Q + f"parameters: {{mirror_gain: 1{'0' * 400}}}\n", "s.yaml:2: parameters.mirror_gain: is far too large"),
    "NaN": (Q + "parameters: {mirror_gain: .nan}\n", "s.yaml:2: parameters.mirror_gain: must be a finite number, not nan"),
    "infinite": (Q + "client:\n  anxiety: .inf\n  avoidance: 2\n", "s.yaml:3: client.anxiety: must be a finite number, not inf"),
    "empty": ("", "s.yaml:1: is empty; a scenario begins with 'question:'"),
    "comments only": ("# hello\n", "s.yaml:1: is empty; a scenario begins with 'question:'"),
    "a list": ("- a\n- b\n", "s.yaml:1: must hold 'key: value' lines, beginning with 'question:', not a list"),
    "a word": ("hello\n", "s.yaml:1: must hold 'key: value' lines, beginning with 'question:', not a single value"),
    "binary": (b"\x7fELF\0\1\2", "s.yaml: is not a text file; a scenario is YAML text in UTF-8"),
    "not UTF-8": (b"question: caf\xe9\n", "s.yaml:1: is not UTF-8 text; save the file as UTF-8"),
    "too large": (b"#" * 1_000_001, "s.yaml: is larger than 1 MB; a scenario is a short text"),
    "duplicate key": (Q + "sessions: 3\nsessions: 4\n", "s.yaml:3: sessions: appears twice; keep one of the two"),
    "duplicate arm": (Q + "arms:\n  a: {}\n  a: {}\n", "s.yaml:4: a: appears twice; keep one of the two"),
    "syntax": (Q + "client: [secure\n", "s.yaml:3: is not valid YAML"),
    "colon in text": ("question: one: two\n", "s.yaml:1: is not valid YAML here; if a text contains ': ', put the whole text in quotes"),
    "tab": (Q + "record:\n\texchanges: 3\n", "s.yaml:3: a tab stands where YAML needs spaces; indent with spaces"),
    "control character": (b"question: a\x07\n", "s.yaml:1: is not valid YAML"),
    "escaped control character": ('question: "a\\x07"\n', "s.yaml:1: question: contains the character '\\x07', which cannot be"),
    "half a character": ('question: "a\\uD800"\n', "s.yaml:1:"),
    "two documents": (Q + "---\n" + Q, "s.yaml:2: a second document begins ('---'); a file holds one scenario"),
    "undefined alias": (Q + "client: *x\n", "s.yaml:2: is not valid YAML (found undefined alias"),
    "tag": (Q + "client: !!python/object:os.system x\n", "s.yaml:2: client: the YAML tag"),
    "tagged mapping": (Q + "client: !me {anxiety: 2, avoidance: 2}\n", "s.yaml:2: client: the YAML tag '!me' has no place"),
    "date": (Q + "title: 2001-01-01\n", "s.yaml:2: title: was read as a date (2001-01-01); put it in quotes to mean text"),
    "impossible date": (Q + "title: 2001-13-01\n", "s.yaml:2: is not valid YAML (month must be in 1..12)"),
    "a key that is a number": (Q + "arms: {1: {}}\n", "s.yaml:2: arms: the key 1 must be text; put it in quotes"),
    "deep": (Q + f"client: {'[' * 40}{']' * 40}\n", "s.yaml:2: client[0][0][0]: is nested too deeply"),
    "very deep": (Q + f"client: {'[' * 900}\n", "s.yaml: is nested too deeply for a scenario"),
    "anchors that multiply": (
        Q + "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 10)}]\n" for a, b in zip("abcdef", "bcdefg", strict=True)),
        "s.yaml:6: e: holds more than 100,000 entries (repeated anchors?)"),
    "wrong design": (Q + "design: crosed\n", "s.yaml:2: design: must be 'arms', 'crossed' or 'clinic', not 'crosed' - did you mean 'crossed'?"),
    "unknown style": (Q + "client: fearfull\n", "s.yaml:2: client: unknown style 'fearfull' - did you mean 'fearful'?"),
    "nothing like a style": (
        Q + "therapist: xyz\n",
        "s.yaml:2: therapist: unknown style 'xyz'; valid: secure, preoccupied, dismissing, fearful, population, none"),
    "client none": (Q + "client: none\n", "s.yaml:2: client: unknown style 'none'"),
    "client nothing": (Q + "client:\n", "s.yaml:2: client: must be a style, population or a mapping with anxiety and avoidance, not nothing"),
    "empty person": (Q + "client: {}\n", "s.yaml:2: client: must be a style, population or a mapping"),
    "mistyped axis": (Q + "client:\n  anxeity: 5\n  avoidance: 3\n", "s.yaml:3: client.anxeity: is not a key of a client - did you mean 'anxiety'?"),
    "one axis": (Q + "client: {anxiety: 5}\n", "s.yaml:2: client: 'anxiety' is given but 'avoidance' is not; add it"),
    "off the scale": (Q + "client:\n  anxiety: 8\n  avoidance: 3\n", "s.yaml:3: client.anxiety: must be a number between 1 and 7, not 8"),
    "backwards": (Q + "client: {anxiety: [5, 2], avoidance: 3}\n", "s.yaml:2: client.anxiety: the range is the wrong way round; write [2, 5]"),
    "three ends": (Q + "client: {anxiety: [1, 2, 3], avoidance: 3}\n", "s.yaml:2: client.anxiety: a range has two numbers, [low, high], not 3"),
    "no sd": (Q + "client: {anxiety: {mean: 2}, avoidance: {mean: 2, sd: 1}}\n", "s.yaml:2: client.anxiety: needs both 'mean' and 'sd'"),
    "mistyped mean": (Q + "client: {anxiety: {men: 2}, avoidance: 2}\n", "s.yaml:2: client.anxiety.men: is not a key that can stand here - did you mean 'mean'?"),
    "spread and number": (Q + "client:\n  anxiety: {mean: 2, sd: 1}\n  avoidance: 2\n", "s.yaml:4: client.avoidance: must be {mean: , sd: } as the other"),
    "axis a word": (Q + "client: {anxiety: high, avoidance: 2}\n", "s.yaml:2: client.anxiety: must be a number from 1 to 7, a range [low, high] or"),
    "style and point": (Q + "client: {style: secure, anxiety: 2}\n", "s.yaml:2: client.anxiety: cannot be given together with 'style'"),
    "style none": (Q + "therapist: {style: none}\n", "s.yaml:2: therapist.style: 'none' is not a style"),
    "style a number": (Q + "client: {style: 3}\n", "s.yaml:2: client.style: must be one of secure, preoccupied, dismissing, fearful, population, not 3"),
    "early style": (Q + "client: {style: secure, early: fearfull}\n", "s.yaml:2: client.early: unknown style 'fearfull' - did you mean 'fearful'?"),
    "early number": (Q + "client: {style: secure, early: 3}\n", "s.yaml:2: client.early: must be a style or {anxiety: 1-7, avoidance: 1-7}, not 3"),
    "early half": (Q + "client: {early: {anxiety: 3}}\n", "s.yaml:2: client.early: needs both 'anxiety' and 'avoidance'"),
    "early key": (Q + "client: {early: {anxity: 3}}\n", "s.yaml:2: client.early.anxity: is not a key that can stand here - did you mean 'anxiety'?"),
    "selected yes": (Q + "client: {selected: yes}\n", "s.yaml:2: client.selected: must be true or false, not 'yes'"),
    "distress": (Q + "client: {distress: 9}\n", "s.yaml:2: client.distress: must be a number between -3 and 5, not 9"),
    "therapist selected": (Q + "therapist: {selected: true}\n", "s.yaml:2: therapist.selected: can be said of clients only"),
    "list in arms": (Q + "client: [secure]\n", "s.yaml:2: client: a list of people needs 'design: crossed'"),
    "no list in crossed": (Q + "design: crossed\nclient: secure\n", "s.yaml:3: client: must be a list of styles ([secure, preoccupied"),
    "one person in crossed": (Q + "design: crossed\nclient: {style: secure}\n", "s.yaml:3: client.style: describes one person; in a crossed"),
    "crossed without": (Q + "design: crossed\n", "s.yaml:1: client: must be a list of styles"),
    "crossed none": (Q + "design: crossed\nclient: [secure]\ntherapist: [none]\n", "s.yaml:4: therapist: must have at least one kind of therapist beside none"),
    "crossed twice": (Q + "design: crossed\nclient:\n- secure\n- secure\n", "s.yaml:5: client[1]: 'secure' stands twice in the list"),
    "crossed number": (Q + "design: crossed\nclient: [3]\n", "s.yaml:3: client[0]: must be a style, not 3"),
    "crossed same": (Q + "design: crossed\nclient: {a: secure, b: {style: secure}}\n", "s.yaml:3: client.b: describes the same people as 'a'"),
    "crossed name": (Q + "design: crossed\nclient: {a/b: secure}\n", "s.yaml:3: client.a/b: the name must have 1 to 20 characters and no '/'"),
    "crossed many": (Q + f"design: crossed\nclient: {{{', '.join(f'c{i}: secure' for i in range(101))}}}\n", "s.yaml:3: client: at most 100 kinds of client can be crossed, not 101"),
    "crossed arms": (Q + "design: crossed\narms: {a: {}}\n", "s.yaml:3: arms: cannot be given in a crossed design"),
    "crossed caseload": (Q + "design: crossed\nclients_per_therapist: 3\n", "s.yaml:3: clients_per_therapist: belongs to 'design: arms'"),
    "parameter": (Q + "parameters:\n  mirror_gian: 1\n", "s.yaml:3: parameters.mirror_gian: unknown parameter 'mirror_gian' - did you mean 'mirror_gain'?"),
    "parameter range": (Q + "parameters: {mirror_gain: 99}\n", "s.yaml:2: parameters.mirror_gain: parameter 'mirror_gain' is 99; it must lie between -3 and 3"),
    "parameter type": (Q + "parameters: {mirror_gain: true}\n", "s.yaml:2: parameters.mirror_gain: parameter 'mirror_gain' must be a number, not True"),
    "parameter list": (Q + "parameters: [mirror_gain]\n", "s.yaml:2: parameters: must be a mapping of parameter names to numbers"),
    "lesion": (Q + "lesions: {client.vlpcf: 0}\n", "s.yaml:2: lesions.client.vlpcf: unknown region - did you mean 'client.vlpfc'?"),
    "lesion nothing near": (Q + "lesions: {q: 0}\n", "s.yaml:2: lesions.q: unknown region; a region is written like client.vlpfc"),
    "lesion range": (Q + "lesions: {client.vlpfc: 3}\n", "s.yaml:2: lesions.client.vlpfc: must be a number between 0 and 1, not 3"),
    "policy": (Q + "policies: [train_wamth]\n", "s.yaml:2: policies[0]: unknown policy 'train_wamth' - did you mean 'train_warmth'?"),
    "policy alone": (Q + "policies: train_warmth\n", "s.yaml:2: policies: must be a list, such as [leave_ruptures_alone], not 'train_warmth'"),
    "policy twice": (Q + "policies:\n- train_warmth\n- train_warmth\n", "s.yaml:4: policies[1]: 'train_warmth' stands twice in the list"),
    "arms a list": (Q + "arms: [a]\n", "s.yaml:2: arms: must be a mapping ('name: value' lines), not ['a']"),
    "arm a word": (Q + "arms:\n  a: b\n", "s.yaml:3: arms.a: must be a mapping ('name: value' lines), not 'b'"),
    "arm key": (Q + "arms:\n  a:\n    therapst: secure\n", "s.yaml:4: arms.a.therapst: is not a key that can stand here - did you mean 'therapist'?"),
    "arm key of a scenario": (Q + "arms:\n  a:\n    design: arms\n", "s.yaml:4: arms.a.design: belongs to the whole scenario, not to one arm; an arm may say client, therapist"),
    "switch off": (Q + "switch_off:\n- client.anxety_learned\n", "s.yaml:3: switch_off[0]: there is no step or verb 'client.anxety_learned' - did you mean 'client.anxiety_learned'?"),
    "switch off nothing near": (Q + "switch_off: [q]\n", "s.yaml:2: switch_off[0]: there is no step or verb 'q'; one is written like client.anxiety_learned or heal"),
    "switch off a verb that must stay": (Q + "switch_off: [exchange]\n", "s.yaml:2: switch_off[0]: there is no step or verb 'exchange'"),
    "switch off alone": (Q + "switch_off: heal\n", "s.yaml:2: switch_off: must be a list of steps or verbs, such as [client.anxiety_learned], not 'heal'"),
    "switch off a number": (Q + "switch_off: [3]\n", "s.yaml:2: switch_off[0]: must be a name, not 3"),
    "switch off twice": (Q + "switch_off:\n- heal\n- heal\n", "s.yaml:4: switch_off[1]: 'heal' stands twice in the list"),
    "cut link": (Q + "cut:\n  therapist.response.warmt: 0.5\n", "s.yaml:3: cut.therapist.response.warmt: there is no link 'therapist.response.warmt' - did you mean 'therapist.response.warmth'?"),
    "cut range": (Q + "cut: {therapist.response.warmth: 2}\n", "s.yaml:2: cut.therapist.response.warmth: must be a number from 0 to 1, not 2"),
    "cut type": (Q + "cut: {therapist.response.warmth: true}\n", "s.yaml:2: cut.therapist.response.warmth: must be a number from 0 to 1, not True"),
    "cut nothing": (Q + "cut: {therapist.response.warmth: }\n", "s.yaml:2: cut.therapist.response.warmth: must be a number from 0 to 1, not None"),
    "cut word": (Q + "cut: {therapist.response.warmth: typicl}\n", "s.yaml:2: cut.therapist.response.warmth: must be a number from 0 to 1, not 'typicl'"),
    "cut not typical": (Q + "cut: {client.arousal.control: typical}\n", "s.yaml:2: cut.client.arousal.control: no parameter of the model says what is typical of client_control; give the value"),
    "cut a part of a flag": (Q + "cut: {client.repair.ruptured: 0.5}\n", "s.yaml:2: cut.client.repair.ruptured: must be a whole number from 0 to 1, not 0.5"),
    "cut a list": (Q + "cut: [therapist.response.warmth]\n", "s.yaml:2: cut: must be a mapping of links to what is seen in their place, such as"),
    "clamp": (Q + "clamp:\n  attachmnt: 0\n", "s.yaml:3: clamp.attachmnt: there is no corner or quantity 'attachmnt' - did you mean 'attachment'?"),
    "hold distress": (Q + "clamp: {q: 0}\n", "s.yaml:2: clamp.q: there is no corner or quantity 'q'; one is written like attachment or client_arousal"),
    "hold far": (Q + "clamp: {attachment: 7}\n", "s.yaml:2: clamp.attachment: must be a number between -6 and 6, not 7"),
    "hold a word": (Q + "clamp: {attachment: yes please}\n", "s.yaml:2: clamp.attachment: must be a number between -6 and 6, not 'yes please'"),
    "hold twice": (Q + "clamp:\n  client_anxiety: 0\n  attachment: 0\n", "s.yaml:4: clamp.attachment: clamps a quantity that 'client_anxiety' clamps already; clamp one of them"),
    "hold part of a flag": (Q + "clamp: {open_rupture: 0.5}\n", "s.yaml:2: clamp.open_rupture: is counted, so that what is added must be a whole number, not 0.5"),
    "hold twice between arm and scenario": (
        Q + "clamp: {client_anxiety: 0}\narms:\n  a:\n    clamp:\n      attachment: 0\n",
        "s.yaml:6: arms.a.clamp.attachment: clamps a quantity that 'client_anxiety' of the whole scenario clamps already"),
    "force": (Q + "force: {value: 1}\n", "s.yaml:2: force: must be a list, such as [{session: 3, exchange: 5, value: 0.2}], not a mapping"),
    "force a number": (Q + "force: [3]\n", "s.yaml:2: force[0]: must be a mapping with value, and session, exchange or quantity, not 3"),
    "force nothing": (Q + "force: [{session: 3}]\n", "s.yaml:2: force[0]: needs 'value'"),
    "force key": (Q + "force:\n- value: 1\n  sesion: 3\n", "s.yaml:4: force[0].sesion: is not a key that can stand here - did you mean 'session'?"),
    "force quantity": (Q + "force: [{value: 1, quantity: client_arousl}]\n", "s.yaml:2: force[0].quantity: there is no quantity 'client_arousl' - did you mean 'client_arousal'?"),
    "force corner": (Q + "force: [{value: 1, quantity: attachment}]\n", "s.yaml:2: force[0].quantity: there is no quantity 'attachment'"),
    "force value": (Q + "force:\n- value: 1.5\n", "s.yaml:3: force[0].value: must be a number from 0 to 1, not 1.5"),
    "force flag": (Q + "force: [{value: 0.5, quantity: ruptured}]\n", "s.yaml:2: force[0].value: must be a whole number from 0 to 1, not 0.5"),
    "force huge": (Q + "force: [{value: 1e12, quantity: client_tension}]\n", "s.yaml:2: force[0].value: must be a number from 0 to 1000, not 1000000000000.0"),
    "force session": (Q + "force:\n- value: 1\n  session: 0\n", "s.yaml:4: force[0].session: must be a whole number between 1 and 520, not 0"),
    "force part of an exchange": (Q + "force:\n- value: 1\n  exchange: 1.5\n", "s.yaml:4: force[0].exchange: must be a whole number between 1 and 60, not 1.5"),
    "force beyond the last session": (Q + "sessions: 4\nforce: [{value: 1, session: 5}]\n", "s.yaml:3: force[0].session: there is no session 5; the last is 4"),
    "force beyond the last exchange": (Q + "exchanges: 4\nforce: [{value: 1, exchange: 5}]\n", "s.yaml:3: force[0].exchange: there is no exchange 5; the last is 4"),
    "force beyond an arm's last session": (
        Q + "sessions: 9\narms:\n  a:\n    sessions: 4\n    force:\n    - value: 1\n      session: 5\n",
        "s.yaml:8: arms.a.force[0].session: there is no session 5; the last is 4"),
    "force beyond every arm that it holds for": (
        Q + "sessions: 9\nforce: [{value: 1, session: 5}]\narms: {a: {sessions: 4}, b: {force: []}}\n",
        "s.yaml:3: force[0].session: there is no session 5; the last is 4"),
    "force twice": (
        Q + "force:\n- {value: 1, session: 2}\n- {value: 0, session: 2, quantity: therapist_response}\n",
        "s.yaml:4: force[1]: forces therapist_response a second time at the same session and exchange; keep one of the two"),
    "force in a crossed design": (
        Q + "design: crossed\nclient: [secure]\ntherapist: [secure]\nsessions: 3\nforce: [{value: 1, session: 4}]\n",
        "s.yaml:6: force[0].session: there is no session 4; the last is 3"),
    "arm value": (Q + "arms:\n  a:\n    sessions: 0\n", "s.yaml:4: arms.a.sessions: must be a whole number between 1 and 520, not 0"),
    "arm style": (Q + "arms:\n  a:\n    therapist: secur\n", "s.yaml:4: arms.a.therapist: unknown style 'secur' - did you mean 'secure'?"),
    "arm name": (Q + "arms:\n  a/b: {}\n", "s.yaml:3: arms.a/b: an arm's name must have 1 to 60 characters"),
    "record": (Q + "record: {exchange: {}}\n", "s.yaml:2: record.exchange: is not a key that can stand here - did you mean 'exchanges'?"),
    "record key": (Q + "record: {exchanges: {client: [0]}}\n", "s.yaml:2: record.exchanges.client: is not a key that can stand here - did you mean 'clients'?"),
    "record nothing": (Q + "record: {exchanges: {}}\n", "s.yaml:2: record.exchanges.clients: is missing; it must be given"),
    "no such client": (Q + "clients_per_arm: 3\nrecord: {exchanges: {clients: [3]}}\n", "s.yaml:3: record.exchanges.clients[0]: there is no client 3; the first is 0, the last 2"),
    "negative client": (Q + "record: {exchanges: {clients: [-1]}}\n", "s.yaml:2: record.exchanges.clients[0]: must be a client number (0 is the first), not -1"),
    "client twice": (Q + "record: {exchanges: {clients: [1, 1]}}\n", "s.yaml:2: record.exchanges.clients[1]: client 1 stands twice in the list"),
    "clients a number": (Q + "record: {exchanges: {clients: 1}}\n", "s.yaml:2: record.exchanges.clients: must be a list of client numbers, such as [0, 3], not 1"),
    "too many traced": (Q + f"clients_per_arm: 300\nrecord: {{exchanges: {{clients: {list(range(201))}}}}}\n", "s.yaml:3: record.exchanges.clients: at most 200 clients"),
    "no such arm": (Q + "arms: {warm: {}}\nrecord: {exchanges: {clients: [0], arms: [wram]}}\n", "s.yaml:3: record.exchanges.arms[0]: there is no arm 'wram' - did you mean 'warm'?"),
    "arm traced twice": (Q + "arms: {a: {}}\nrecord: {exchanges: {clients: [0], arms: [a, a]}}\n", "s.yaml:3: record.exchanges.arms[1]: 'a' stands twice in the list"),
    "untreated traced": (Q + "arms: {a: {therapist: none}}\nrecord: {exchanges: {clients: [0], arms: [a]}}\n", "s.yaml:3: record.exchanges.arms[0]: the arm 'a' has no therapist"),
    "missing parent": (Q + "extends: nobody\n", "s.yaml:2: extends: there is no scenario 'nobody' in"),
    "own parent": (Q + "extends: s\n", "s.yaml:2: extends: goes round in a circle (s.yaml -> s.yaml); a scenario cannot extend itself"),
    "parent elsewhere": (Q + "extends: ../s\n", "s.yaml:2: extends: must be the name of a scenario in the same folder, without a path"),
    "parent a number": (Q + "extends: 3\n", "s.yaml:2: extends: must be the name of one scenario in the same folder, not 3"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    text, expected = BAD[case]
    message = refusal(written(tmp_path, text))
    assert message.startswith(expected), message
    assert len(message) < 300


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


NAME = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/"), min_size=1, max_size=8)
PERSON = st.one_of(
    st.sampled_from([*STYLES, "population"]),
    st.builds(lambda x, y: {"anxiety": x, "avoidance": sorted(y)}, st.floats(1, 7), st.tuples(st.floats(1, 7), st.floats(1, 7))),
    st.builds(
        lambda m, s: {"anxiety": {"mean": m, "sd": s}, "avoidance": {"mean": m, "sd": s}}, st.floats(1, 7), st.floats(0.01, 6)
    ),
)


@settings(QUICK, max_examples=100)
@given(
    question=st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip),
    gain=st.floats(-3, 3),
    arms=st.dictionaries(NAME, st.fixed_dictionaries({"client": PERSON, "therapist": PERSON | st.none()}), max_size=3),
)
def test_every_valid_spec_survives_being_written(tmp_path: Path, question: str, gain: float, arms: dict[str, Any]) -> None:
    scenario = from_spec({"arms": arms, "parameters": {"mirror_gain": gain}, "question": question}, "s")
    assert len(scenario.arms) == max(1, len(arms))
    assert load(written(tmp_path, scenario.to_yaml())) == scenario
