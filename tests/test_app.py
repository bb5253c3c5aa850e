"""The classroom page without a browser: what its server answers, that it is the model's own, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

import sim
from sim.classroom import chair, handout, page, server
from sim.classroom.course import many, notes, play
from sim.classroom.course.play import play_of, record_of, side_of
from sim.classroom.course.record import BY_SESSION, TRACED
from sim.classroom.course.responses import RESPONSES
from sim.classroom.course.scenarios import scenario_of
from sim.classroom.course.state import MOST_CHOICES, PAIRS, State, as_text, read
from sim.classroom.course.words import words
from sim.classroom.lessons import FIRST, LESSONS, SETUPS
from sim.cli import classroom as app_command
from sim.cli import main as cli
from sim.errors import AddressError, MissingExtra, StateError
from sim.mesa import page as mesa_page
from sim.runs.run import run
from sim.simulation.trace import traced_course
from sim.theory.claims import sources
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import REGIONS
from sim.theory.styles import STYLES
from sim.therapy.endings import ENDINGS

HOME = "http://127.0.0.1:8765"


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with TestClient(server.application(), base_url=HOME, raise_server_exceptions=False) as visitor:
        yield visitor


def state(query: str = "") -> State:
    return read(query, SETUPS, FIRST)


# --------------------------------------------------------------------------------------- the page's numbers are the model's

#: Column of the session table, and what the page's record calls it.
SAME = {
    "alliance_latent": "client_alliance", "alliance_therapist_latent": "therapist_alliance", "accuracy_level": "accuracy_level",
    "perceived_response": "mean_client_perceived", "labelling": "mean_client_labelling", "repairs": "repairs",
    "open_rupture": "open_rupture", "dropout_risk": "dropout_risk", "client_limbic": "mean_client_arousal",
    "engagement": "client_engagement",
}  # fmt: skip


@pytest.mark.parametrize("query", [
    "", "lesson=empathy", "lesson=repair&seed=3", "lesson=change&seed=2&sessions=10", "lesson=own_attachment&seed=8",
    "lesson=sandbox&b_insula=removed&a_do=2.7.name_it,4.3.step_back&seed=9", "lesson=opposites&pairs=alike&seed=4",
    "lesson=naming&exchanges=5&sessions=6&b.trust_rate=0.3",
])  # fmt: skip
def test_courses_of_the_page_are_those_of_a_direct_run(query: str) -> None:
    here = state(query)
    scenario = scenario_of(here.a, here.b, here.shared)
    direct = run(scenario.model_copy(update={"clients_per_arm": 3}), here.shared.seed, threads=1)
    for arm, side in (("A", here.a), ("B", here.b)):
        record = record_of(side, here.shared, 3, False)
        alone = record_of(side, here.shared, 1, True)
        for client in range(3):
            rows = direct.sessions[(direct.sessions.arm == arm) & (direct.sessions.client == client)]
            held = len(rows)
            assert record.held[client] == held
            for column, name in SAME.items():
                np.testing.assert_array_equal(record.session[name][:held, client], rows[column], err_msg=name)
                assert np.isnan(record.session[name][held:, client]).all()
            np.testing.assert_array_equal(record.week["distress"][:held, client], rows.distress_latent)
            np.testing.assert_array_equal(record.attachment("client", "anxiety")[:held, client], rows.anxiety_to_therapist_latent)
            ruptured = record.session["withdrawals"] + record.session["confrontations"]
            np.testing.assert_array_equal(ruptured[:held, client], rows.ruptures)
        first = direct.clients[direct.clients.arm == arm].iloc[0]
        assert play_of(here)[arm.lower()]["ending"] == first.ending
        for name in BY_SESSION:  # alone, with its exchanges kept, it is the same
            np.testing.assert_array_equal(alone.session[name][:, 0], record.session[name][:, 0])


def test_exchanges_of_the_page_are_those_of_a_trace() -> None:
    here = state("seed=4&sessions=5")
    exchanges, _, _ = traced_course(scenario_of(here.a, here.b, here.shared), 4, "B", 0)
    played = side_of(here.b, here.shared)
    for name, column in (("felt", "client_arousal"), ("read", "therapist_estimate"), ("perceived", "client_perceived")):
        expected = np.rint(100 * exchanges[column].to_numpy()).reshape(-1, here.shared.exchanges)
        np.testing.assert_array_equal(played["signals"][name], expected)
    assert np.shape(played["inside"]) == (played["held"], here.shared.exchanges, 2 * len(REGIONS))
    vlpfc = list(REGIONS).index("vlpfc")
    expected = np.rint(100 * exchanges["client_labelling"].to_numpy()).reshape(-1, here.shared.exchanges)
    np.testing.assert_array_equal(np.asarray(played["inside"])[:, :, vlpfc], expected)


def test_months_followed_are_those_of_the_assessments() -> None:
    here = state("lesson=change&seed=7&sessions=8&follow_up=3")
    months = run(scenario_of(here.a, here.b, here.shared), 7).assessments
    rows = months[(months.arm == "A") & (months.client == 0)]
    anxiety = record_of(here.a, here.shared, 1, True).attachment("general", "anxiety")[:, 0]
    np.testing.assert_array_equal(anxiety[rows.month * 4], rows.anxiety_latent)
    assert len(side_of(here.a, here.shared)["general"]) == 8 + 12 + 1


def test_the_scenario_file_reproduces_the_page_from_the_command_line(
    client: TestClient, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    query = "lesson=sandbox&b_repair=none&seed=11&sessions=6&clients=10&a_do=1.7.press_on"
    file = tmp_path / "classroom.yaml"
    answer = client.get(f"/scenario.yaml?{query}")
    file.write_bytes(answer.content)
    assert "attachment" in answer.headers["content-disposition"]
    command = client.get(f"/api/scenario?{query}").json()["command"].split()
    assert command[:2] == ["attune", "run"]
    monkeypatch.chdir(tmp_path)
    _main([*command[1:], "--out", "found"])
    capsys.readouterr()
    kept = sim.open_run(tmp_path / "found")
    played = play_of(state(query))
    for arm in "AB":
        rows = kept.sessions[(kept.sessions.arm == arm) & (kept.sessions.client == 0)]
        record = record_of(getattr(state(query), arm.lower()), state(query).shared, 1, True)
        np.testing.assert_array_equal(record.session["client_alliance"][: len(rows), 0], rows.alliance_latent)
        assert played[arm.lower()]["held"] == len(rows)


def _main(arguments: list[str]) -> None:
    try:
        cli.main(arguments)
    except SystemExit as stop:
        assert not stop.code, stop.code


# ------------------------------------------------------------------------------------------------------------- answers


def test_the_page_opens_on_a_story_that_is_already_there(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 200
    given = json.loads(re.search(r'<script type="application/json" id="given">(.*?)</script>', answer.text, re.S)[1])  # type: ignore[index]
    assert given["lesson"] == FIRST and given["error"] == []
    assert given["play"]["a"] == side_of(state().a, state().shared)
    assert given["play"]["b"]["ruptures"]


ANSWERS = ["/", "/api/play", "/api/many?clients=10", "/api/scenario", "/api/model", "/data.csv?sessions=3", "/scenario.yaml",
           "/static/main.js", "/static/page.css", "/nowhere", "/?seed=x", "/api/play?seed=x", "/static/../server.py",
           "/static/server.py"]  # fmt: skip


@pytest.mark.parametrize("place", ANSWERS)
def test_every_answer_carries_the_strict_headers(client: TestClient, place: str) -> None:
    headers = client.get(place).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"


def test_nothing_in_the_page_is_inline_or_from_elsewhere(client: TestClient) -> None:
    text = client.get("/").text
    assert not re.search(r"<script(?![^>]*(type=\"application/json\"|src=\"/static/))", text)
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", text)
    for name, source in page.STATIC.items():
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", source), name
        assert not re.search(r"\b(eval|Function)\s*\(|innerHTML|insertAdjacentHTML|document\.write", source), name


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8765", "", "attune.local"])
def test_another_hosts_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/play", headers={"host": host})
    assert answer.status_code == 400 and "own address" in answer.text


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost:1", "localhost", "[::1]:8765", "LOCALHOST:8765"])
def test_ones_own_name_is_answered(client: TestClient, host: str) -> None:
    assert client.get("/static/page.css", headers={"host": host}).status_code == 200


def test_bound_to_the_network_any_name_is_answered() -> None:
    with TestClient(server.application("0.0.0.0"), base_url="http://room12.example") as visitor:
        assert visitor.get("/static/page.css").status_code == 200


@pytest.mark.parametrize("method", ["post", "put", "delete", "patch", "options"])
def test_only_questions_are_answered(client: TestClient, method: str) -> None:
    assert getattr(client, method)("/api/play").status_code == 405


HOSTILE = ["<script>alert(1)</script>", "';DROP TABLE x;--", "{{7*7}}", "${7*7}", "../../etc/passwd", "%00", "\u202e", "A" * 3000,
           "__import__('os').system('true')", "</script><script>alert(1)</script>"]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["lesson", "seed", "a_client", "b_do", "a_lesions", "both.trust_rate", "whatever"])
def test_hostile_values_come_back_as_messages_and_as_text(client: TestClient, key: str, value: str) -> None:
    answer = client.get("/api/play", params={key: value})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] and "Traceback" not in answer.text
    text = client.get("/", params={key: value})
    assert text.status_code == 400 and "<script>alert" not in text.text and "49" not in re.findall(r"'(\d+)'", text.text)


@pytest.mark.parametrize("place", ["/", "/api/play", "/api/many", "/api/chair", "/data.csv", "/scenario.yaml"])
@pytest.mark.parametrize("query", ["a=1&" * 900, "&" * 3000, "=" * 3000, "side=" + "x" * 4500, "seed=%ff", "%"])
def test_odd_queries_are_answered_without_fault(client: TestClient, place: str, query: str) -> None:
    answer = client.get(f"{place}?{query}")
    assert answer.status_code in (200, 400) and "Traceback" not in answer.text


@pytest.mark.parametrize("query", ["side=c&session=1&exchange=1", "side=a&session=x&exchange=1", "side=b", "session=1&exchange=1",
                                   "side=b&session=1&exchange=1", "side=a&session=99999999&exchange=1"])  # fmt: skip
def test_the_chair_stands_at_ruptures_only(client: TestClient, query: str) -> None:
    answer = client.get(f"/api/chair?{query}")
    assert answer.status_code == 400 and answer.json()["error"]


def test_what_nobody_foresaw_is_told_without_detail(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: State) -> dict[str, Any]:
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr(server, "play_of", broken)
    answer = client.get("/api/play")
    assert answer.status_code == 500 and answer.json()["error"] == [words()["page"]["mistake"]] and "secret" not in answer.text


def test_numbers_that_break_the_model_are_told(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: State) -> dict[str, Any]:
        raise StateError("week 3: trust is nan")

    monkeypatch.setattr(server, "play_of", broken)
    answer = client.get("/api/play")
    assert answer.status_code == 422 and "week 3: trust is nan" in answer.json()["error"][0]


def test_people_who_cannot_exist_are_told(client: TestClient) -> None:
    answer = client.get("/api/play?both.client_anxiety_sd=4")
    assert answer.status_code == 400 and "SD" in answer.json()["error"][0]


def test_fifty_visitors_at_once_each_get_their_own(client: TestClient) -> None:
    """Different states, asked at the same time: each answer is the one that the state has when asked alone."""
    queries = [f"lesson=sandbox&seed={k % 25}&sessions=4&b_warmth=0.{20 + k}" for k in range(50)]
    with ThreadPoolExecutor(50) as visitors:
        answers = list(visitors.map(lambda query: client.get(f"/api/play?{query}"), queries))
    for k, (query, answer) in enumerate(zip(queries, answers, strict=True)):
        assert answer.status_code == 200
        assert answer.json()["seed"] == k % 25
        if k % 10 == 0:
            side_of.cache_clear()
            assert answer.json()["b"] == json.loads(json.dumps(side_of(state(query).b, state(query).shared)))


def test_the_table_of_sessions_is_stamped_and_that_of_the_run(client: TestClient) -> None:
    answer = client.get("/data.csv?seed=6&sessions=5")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows[0]["note"].startswith(f"Attune {sim.__version__}, seed 6. {words()['export']['stamp']}")
    assert (
        f"{HOME}/?lesson={FIRST}&seed=6&sessions=5 " in rows[0]["note"]
        and "attune run classroom.yaml --seed 6" in rows[0]["note"]
    )
    here = state("seed=6&sessions=5")
    for arm, side in (("A", here.a), ("B", here.b)):
        latent = [float(row["alliance_latent"]) for row in rows if row["arm"] == arm]
        np.testing.assert_array_equal(latent, record_of(side, here.shared, 1, True).session["client_alliance"][: len(latent), 0])
    assert {row["client"] for row in rows} == {"0"}
    everybody = client.get("/data.csv?seed=6&sessions=5&many=1&clients=12").text.splitlines()
    assert {row["client"] for row in csv.DictReader(everybody)} == {str(k) for k in range(12)}


def test_the_scenario_file_says_what_it_is(client: TestClient) -> None:
    head = client.get("/scenario.yaml?seed=12").text.splitlines()[:3]
    assert head[0].startswith(f"# Attune {sim.__version__}, seed 12.") and "Not advice" in head[0]
    assert "seed=12" in head[1] and "--seed 12" in head[2]


def test_the_model_is_described_whole(client: TestClient) -> None:
    found = client.get("/api/model").json()
    assert {one["name"] for one in found["parameters"]} == set(PARAMETERS)
    assert "response" in {one["name"] for one in found["equations"]} and all(one["says"] for one in found["equations"])


def test_the_map_is_the_mean_of_every_pairing(client: TestClient) -> None:
    found = client.get("/api/map?lesson=sandbox&clients=10&sessions=6&seed=3").json()
    here = state("lesson=sandbox&clients=10&sessions=6&seed=3&a_client=dismissing&a_therapist=fearful")
    row, column = found["styles"].index("dismissing"), found["styles"].index("fearful")
    expected = many.alliance_end(record_of(here.a, here.shared, 10, False)).mean()
    assert found["mean"][row][column] == pytest.approx(expected, abs=6e-4)


# ------------------------------------------------------------------------------------------- fan, notes, chair, words


def test_the_fan_holds_the_quantiles_of_whoever_is_there() -> None:
    here = state("sessions=15&clients=30")
    found = many.many_of(here, LESSONS[here.lesson])
    record = record_of(here.a, here.shared, 30, False)
    last = record.alliance()[14]
    there = last[~np.isnan(last)]
    assert found["a"]["attending"][15] == pytest.approx(there.size / 30, abs=1e-3)
    assert found["a"]["bands"][15] == pytest.approx(np.quantile(there, (0.025, 0.25, 0.5, 0.75, 0.975)), abs=6e-4)
    ends = np.array(found["a"]["ends"]) - np.array(found["b"]["ends"])
    assert found["difference"]["mean"] == pytest.approx(ends.mean(), abs=1e-3)
    assert found["a_won"] == (ends > LESSONS[FIRST].smallest).sum()


def test_where_too_few_are_left_there_is_no_band() -> None:
    here = state("sessions=60&clients=10&both.dropout_base=-1")
    bands = many.many_of(here, LESSONS[FIRST])["a"]["bands"]
    assert bands[0] is not None and bands[-1] is None


def test_overlap_says_nothing_where_a_group_does_not_spread() -> None:
    """Where nothing is learned, and nothing pulls people back to their early anchors, nobody changes."""
    found = many.many_of(state("lesson=change&clients=20&both.anchor_rate=0"), LESSONS["change"])
    assert found["overlap"] is None and found["overlap_words"] == words()["many"]["no_overlap"]
    assert set(found["b"]["ends"]) == {0.0} and len(set(found["a"]["ends"])) > 1
    found = many.many_of(state("lesson=change&clients=20"), LESSONS["change"])
    assert found["overlap"] is not None and len(set(found["b"]["ends"])) > 1, "the pull is not learning: it stays"


def test_every_session_has_its_note_and_the_last_says_how_it_ended() -> None:
    for query in ("", "seed=2", "lesson=own_attachment", "seed=57"):
        played = play_of(state(query))
        for one in "ab":
            assert len(played[one]["notes"]) == played[one]["held"]
            assert all(text and "{" not in text for note in played[one]["notes"] for text in note.values())
            if played[one]["ending"] in ("dropout", "improved"):
                assert played[one]["notes"][-1]["short"] == played[one]["ending_text"]


def test_notes_tell_ruptures_readings_and_what_was_heard() -> None:
    here = state()
    record = record_of(here.b, here.shared, 1, True)
    played = side_of(here.b, here.shared)
    said = words()["notes"]
    first = played["ruptures"][0]
    note = played["notes"][first["session"] - 1]
    assert f"exchange {first['exchange']} " in note["happened"]
    assert (said["unrepaired"] in note["happened"]) or (said["repaired"] in note["happened"])
    for session, note in enumerate(played["notes"]):
        bias = record.session["directional_bias"][session, 0]
        read_as = said["read_low"] if bias < -notes.READ else said["read_high"] if bias > notes.READ else said["read_right"]
        assert note["therapist"].startswith(read_as.split("(")[0])


def test_events_are_the_ruptures_repairs_styles_and_the_end() -> None:
    for query in ("", "seed=3", "lesson=naming"):
        here = state(query)
        for side in (here.a, here.b):
            played = side_of(side, here.shared)
            kinds = [one["kind"] for one in played["events"]]
            assert kinds.count("withdrawal") + kinds.count("confrontation") + kinds.count("repair") == len(played["ruptures"])
            assert played["events"][-1]["session"] == played["held"] and kinds.count(played["ending"]) == 1


def test_a_style_changes_in_the_log_where_the_client_has_clearly_moved() -> None:
    here = state("lesson=naming&seed=2")
    played = side_of(here.a, here.shared)
    moved = [one for one in played["events"] if one["kind"] == "style"]
    assert moved
    for one in moved:
        anxiety, avoidance = played["to_therapist"][one["session"]]
        assert min(abs(anxiety - 4), abs(avoidance - 4)) > notes.BEYOND


def test_all_futures_of_the_chair_share_everything_up_to_the_rupture() -> None:
    here = state()
    rupture = next(one for one in side_of(here.b, here.shared)["ruptures"] if one["kind"] != "repair" and one["session"] > 3)
    found = chair.futures(here, "b", rupture["session"], rupture["exchange"])["futures"]
    assert found.keys() == {"as_it_was", *RESPONSES}
    before = [one["alliance"][: rupture["session"]] for one in found.values()]
    assert all(one == before[0] for one in before)
    assert len({tuple(one["alliance"]) for one in found.values()}) > 2
    assert found["press_on"]["chance"] == 0 and not found["press_on"]["repaired"]
    assert found["name_it"]["chance"] > found["as_it_was"]["chance"]
    chosen = read(f"b_do={found['name_it']['do']}", SETUPS, FIRST)
    assert side_of(chosen.b, chosen.shared)["alliance"] == found["name_it"]["alliance"]


def test_a_choice_keeps_those_made_before() -> None:
    here = state("b_do=1.7.name_it")
    rupture = next(one for one in side_of(here.b, here.shared)["ruptures"] if one["kind"] != "repair" and one["session"] > 1)
    found = chair.futures(here, "b", rupture["session"], rupture["exchange"])["futures"]
    assert found["step_back"]["do"] == f"1.7.name_it,{rupture['session']}.{rupture['exchange']}.step_back"


def test_a_session_has_one_choice_and_it_can_be_made_anew() -> None:
    """At another rupture of a session in which a response was chosen, what would have been is not known: refused, in words."""
    usual = _broken(state("seed=3"))
    session, first = next(one for one, following in pairwise(usual) if one[0] == following[0])
    chosen = state(f"seed=3&b_do={session}.{first}.press_on")
    (_, later), *_ = [(s, e) for s, e in _broken(chosen) if s == session and e > first]
    assert (session, first) in _broken(chosen)
    with pytest.raises(AddressError, match=f"has a response in session {session} already, at exchange {first}; one a session"):
        chair.futures(chosen, "b", session, later)
    again = chair.futures(chosen, "b", session, first)["futures"]
    assert again["name_it"]["do"] == f"{session}.{first}.name_it"


def test_the_chair_offers_no_more_choices_than_an_address_can_hold() -> None:
    broken = _broken(state())
    session, exchange = broken[-1]
    calm = [one for one in range(1, session) if one not in {at for at, _ in broken}]
    quiet = [f"{one}.4.press_on" for one in calm[:MOST_CHOICES]]  # where nothing ruptures: they change nothing
    found = chair.futures(state(f"b_do={','.join(quiet[:-1])}"), "b", session, exchange)["futures"]["name_it"]["do"]
    assert len(quiet) == MOST_CHOICES == len(state(f"b_do={found}").b.do)
    with pytest.raises(AddressError, match=f"at most {MOST_CHOICES} can be chosen"):
        chair.futures(state(f"b_do={','.join(quiet)}"), "b", session, exchange)


def _broken(here: State) -> list[tuple[int, int]]:
    """Sessions and exchanges in which the bond of pair B ruptures."""
    return [(one["session"], one["exchange"]) for one in side_of(here.b, here.shared)["ruptures"] if one["kind"] != "repair"]


def test_what_is_kept_of_courses_has_a_bound() -> None:
    here = state("sessions=60&clients=200")
    record = record_of(here.a, here.shared, 200, False)
    assert record_of(here.a, here.shared, 200, False) is record
    arrays = [record.held, record.ending, *record.session.values(), *record.week.values(), *record.first.values()]
    assert play.MOST_RECORDS * sum(one.nbytes for one in arrays) < 100e6
    assert record_of.cache_info().maxsize == play.MOST_RECORDS


def test_the_map_keeps_no_courses(client: TestClient) -> None:
    before = record_of.cache_info()
    assert client.get("/api/map?lesson=sandbox&clients=40&sessions=7&seed=333").status_code == 200
    assert record_of.cache_info() == before


def _warmth_after(query: str, response: str | None) -> np.ndarray:
    """The therapist's warmth in session 2 of pair B, exchange by exchange, with a response in exchange 4 or as it was."""
    here = state(f"lesson=sandbox&{query}" + (f"&b_do=2.4.{response}" if response else ""))
    record = record_of(here.b, here.shared, 1, True)
    return record.trace[1, :, TRACED.index("therapist_warmth")]


WHOEVER = ["", "b_warmth=0.05", "b_warmth=0.98", "b_therapist=secure&b_warmth=0.98", "b_therapist=fearful"]


@pytest.mark.parametrize("query", WHOEVER)
def test_changing_course_is_warmer_and_stepping_back_colder_whatever_the_therapist(query: str) -> None:
    usual = _warmth_after(query, None)
    for response, sign in (("change_course", 1), ("step_back", -1), ("press_on", 0)):
        found = _warmth_after(query, response)
        np.testing.assert_allclose(found[:4], usual[:4], atol=1e-12)
        assert (np.sign(np.round(found[4:] - usual[4:], 3)) == sign).all(), response


def test_naming_makes_the_client_say_more_and_never_less() -> None:
    for openness, least in (("", 0.1), ("&both.disclosure_base=4", -0.01)):
        said = [
            record_of(here.b, here.shared, 1, True).trace[1, 4, TRACED.index("client_disclosure")]  # from the next one on
            for here in (state(f"lesson=sandbox{openness}{do}") for do in ("", "&b_do=2.4.name_it"))
        ]
        assert said[1] - said[0] > least
        assert openness == "" or said[0] > 0.8


def test_at_the_last_exchange_three_responses_are_one() -> None:
    """As the words at the choice say."""
    ends = {
        name: side_of(state(f"b_do=2.10.{name}").b, state().shared)["alliance"]
        for name in ("press_on", "change_course", "step_back", "name_it")
    }
    assert ends["press_on"] == ends["change_course"] == ends["step_back"]
    earlier = {name: side_of(state(f"b_do=2.9.{name}").b, state().shared)["alliance"] for name in ("press_on", "step_back")}
    assert earlier["press_on"] != earlier["step_back"]


def test_naming_mends_more_often_than_pressing_on_and_costs_nothing() -> None:
    """Over many ruptures: what the class can learn from the chair holds in the mean, not in each case."""
    repaired, ends = {name: [] for name in ("name_it", "press_on")}, {name: [] for name in ("name_it", "press_on")}
    for seed in range(1, 25):
        here = state(f"seed={seed}&b_therapist=secure")
        broken = [one for one in side_of(here.b, here.shared)["ruptures"] if one["kind"] != "repair"]
        if not broken:
            continue
        found = chair.futures(here, "b", broken[0]["session"], broken[0]["exchange"])["futures"]
        for name in repaired:
            repaired[name].append(found[name]["repaired"])
            ends[name].append(found[name]["alliance"][-1])
    assert len(repaired["name_it"]) > 8
    assert np.mean(repaired["name_it"]) > 0.2 and not any(repaired["press_on"])
    assert np.mean(np.array(ends["name_it"]) - np.array(ends["press_on"])) > 0


def test_every_word_that_the_page_asks_for_is_there() -> None:
    """``words.x.y`` in the modules and the template, against the table."""
    table = words()
    for name, text in {**page.STATIC, "page": (Path(page.__file__).parent / "page.html.j2").read_text(encoding="utf-8")}.items():
        for path in re.findall(r"\bwords((?:\.[a-z_]+)+)", text):
            here: Any = table
            for step in path.strip(".").split("."):
                assert not isinstance(here, dict) or step in here or step in ("items",), f"{name}: words{path}"
                here = here[step] if isinstance(here, dict) and step in here else None
                if here is None:
                    break


def test_every_sentence_of_the_table_is_asked_for() -> None:
    """No word without a reader: its key is asked for somewhere in the page's code."""
    folder = Path(page.__file__).parent
    files = [*folder.rglob("*.py"), *folder.glob("*.j2"), *folder.glob("static/*.js")]
    code = {file.name: file.read_text(encoding="utf-8") for file in files}

    def asked_in(part: str, text: str) -> set[str]:
        """Keys that a file may ask a part of the table for: what it names at all, less what it asks other parts for."""
        if not re.search(rf"\bwords\.{part}\b|words\(\)\[[\"']{part}[\"']\]", text):
            return set()
        own = re.sub(rf"\bwords\.(?!{part}\b)[a-z_]+(\.[a-z_]+)*|\bArray\.\w+", "", text)
        return {*re.findall(r"\.([a-z_]+)", own), *re.findall(r"[\"']([a-z_]+)[\"']", own)}

    # Chosen as the page runs, by names of the model that are no words of the page's code.
    by_name = {"endings": ENDINGS, "endings_short": ENDINGS, "styles": STYLES, "regions": REGIONS, "measures": many.MEASURES,
               "quantities": (*page.about(), "assumption")}  # fmt: skip
    unread = {
        f"{part}.{key}"
        for part, table in words().items() if isinstance(table, dict) and part != "lessons"
        for key in table
        if key not in by_name.get(part, ()) and not key.endswith(("_ends", "_options"))
        and not any(key in asked_in(part, text) for text in code.values())
    }  # fmt: skip
    assert unread == set()


def test_what_hovering_says_has_a_source() -> None:
    said = words()["quantities"]
    for name, one in said.items():
        if isinstance(one, dict):
            assert one["source"] == "assumption" or one["source"] in sources(), name
    assert set(page.about()) >= {f"region:{name}" for name in REGIONS}
    asked = set(re.findall(r'data-about="([a-z]+)"', (Path(page.__file__).parent / "page.html.j2").read_text(encoding="utf-8")))
    assert asked <= set(page.about())


# ------------------------------------------------------------------------------------------------------- handout, commands


@pytest.fixture(scope="module")
def one_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("handout") / "lesson.html"
    _main(["handout", "naming", "--out", str(path)])
    return path


def test_a_handout_is_one_file_that_asks_nobody(one_file: Path) -> None:
    text = one_file.read_text(encoding="utf-8")
    assert 5e5 < len(text) < 8e6
    assert not re.search(r'\s(src|href)="(?!data:,|#)', text.split('id="given"')[0])
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None and "connect-src" not in policy[1] and "default-src 'none'" in policy[1] and "sha256-" in policy[1]
    assert words()["page"]["simulated"] in text


def test_courses_of_a_handout_are_those_of_the_page(one_file: Path) -> None:
    text = one_file.read_text(encoding="utf-8")
    given = json.loads(re.search(r'id="given">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    plays = given["handout"]["plays"]
    seed = SETUPS["naming"]["seed"]
    assert plays["a"][f"{seed}|neither|0.65|0.81"] == given["play"]["a"]
    here = state(f"lesson=naming&seed={int(seed) + 1}&b_warmth=0.4&b_accuracy=0.9")
    assert plays["b"][f"{int(seed) + 1}|neither|0.9|0.4"] == json.loads(json.dumps(side_of(here.b, here.shared)))
    assert set(given["handout"]["many"]) == {f"{one}|neither" for one in given["handout"]["seeds"]}


def test_a_handout_says_and_offers_only_what_it_can_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its switch has the courses of all three values; what needs a server is not among what to try."""
    for name, one in (("ACCURACY", (0.65,)), ("WARMTH", (0.81,)), ("SEEDS", 1)):  # a grid of the lesson's own values
        monkeypatch.setattr(handout, name, one)
    here = state("lesson=opposites")
    found = handout.courses(here)
    seed = SETUPS["opposites"]["seed"]
    for pairs in PAIRS:
        there = state(f"lesson=opposites&pairs={pairs}")
        key = "|".join([seed, pairs, as_text(there.a.accuracy), as_text(there.a.warmth)])
        assert found["plays"]["a"][key] == side_of(there.a, there.shared)
        assert found["many"][f"{seed}|{pairs}"] == many.many_of(there, LESSONS["opposites"])
    for name, said in words()["lessons"].items():
        assert not re.search(r"chair|strain", " ".join(said["notice"])), name


def test_the_grid_of_a_handout_holds_the_lessons_own_values() -> None:
    for lesson in LESSONS:
        here = state(f"lesson={lesson}")
        for one in "ab":
            assert getattr(here, one).warmth in handout._with_own(handout.WARMTH, getattr(here, one).warmth)


def test_modules_are_bundled_each_once_and_after_what_they_need() -> None:
    text = handout.bundle()
    order = re.findall(r'^modules\["(\w+)"\]', text, re.M)
    assert sorted(order) == sorted(name.removesuffix(".js") for name in page.STATIC if name.endswith(".js"))
    assert order[0] == "given" and order[-1] == "main"
    assert not re.search(r"^(import|export) ", text, re.M)


def test_a_handout_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "there.html"
    path.write_text("mine")
    for out, said in ((path, "already exists"), (tmp_path, "is a folder"), (path / "below.html", "cannot be written")):
        with pytest.raises(SystemExit) as stop:
            cli.main(["handout", FIRST, "--out", str(out)])
        assert stop.value.code == 2 and said in capsys.readouterr().err
    assert path.read_text() == "mine"


def test_an_unknown_lesson_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["handout", "secure_bace"])
    assert stop.value.code == 2 and "did you mean 'secure_base'?" in capsys.readouterr().err


def test_the_handout_of_the_server_is_the_same_file(client: TestClient, one_file: Path) -> None:
    answer = client.get("/handout/naming.html")
    assert answer.text == one_file.read_text(encoding="utf-8")
    assert client.get("/handout/nothing.html").status_code == 404


def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(SystemExit) as stop:
            cli.main(["app", "--no-browser", "--port", str(port)])
    assert stop.value.code == 2
    assert f"{port} is in use by another program" in capsys.readouterr().err


def test_an_address_that_is_none_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["app", "--no-browser", "--host", "no such host"])
    assert stop.value.code == 2 and "is no name or address of this machine" in capsys.readouterr().err


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_the_command_says_where_the_page_is_and_stops_quietly(
    host: str, warned: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    def stopped(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        assert sockets[0].getsockname()[1] > 0
        raise KeyboardInterrupt

    monkeypatch.setattr(uvicorn.Server, "run", stopped)
    _main(["app", "--no-browser", "--port", "0", "--host", host])
    said = capsys.readouterr()
    assert re.search(r"http://127.0.0.1:\d+/", said.out) and "Stopped." in said.out
    assert ("through the network" in said.err) == warned


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("0.0.0.0", True)])
def test_mesas_page_says_who_can_open_it(
    host: str, warned: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import uvicorn

    monkeypatch.setattr(mesa_page, "application", lambda host: None)
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, sockets: None)
    _main(["app", "--mesa", "--no-browser", "--port", "0", "--host", host])
    assert ("through the network" in capsys.readouterr().err) == warned


def test_without_its_extra_mesas_page_is_not_shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(host: str) -> None:
        raise MissingExtra("pip install it")

    monkeypatch.setattr(mesa_page, "application", refused)
    with pytest.raises(SystemExit) as stop:
        cli.main(["app", "--mesa", "--port", "0"])
    assert stop.value.code == 2 and "pip install it" in capsys.readouterr().err


def test_the_server_of_the_page_gives_little_away() -> None:
    assert not app_command.SERVER["server_header"] and not app_command.SERVER["access_log"]


def test_an_unreadable_choice_of_a_side_is_told() -> None:
    with pytest.raises(AddressError, match="side must be a or b"):
        chair.futures(state(), "c", 1, 1)
