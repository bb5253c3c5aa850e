"""The classroom page in a real browser: every lesson clicked through, by mouse and by keyboard, at every size."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

import pytest

from sim.classroom.course.many import many_of
from sim.classroom.course.play import play_of, side_of
from sim.classroom.course.state import read
from sim.classroom.course.words import words
from sim.classroom.lessons import FIRST, LESSONS, SETUPS, outcome, told
from sim.theory.parameters import PARAMETERS
from sim.version import __version__
from tests.browser.conftest import started

pytest.importorskip("playwright")
from playwright.sync_api import expect

Visit = Callable[..., Any]
Found = TypeVar("Found")
TAUGHT = [name for name in LESSONS if name != "sandbox"]
SAID = words()
#: Loose: what the page may take here, where other tests run beside it. tests/benchmarks/app.py measures.
SECONDS_TO_CHARTS, MS_TO_DRAW, MS_TO_ANSWER = 6.0, 500.0, 3000.0


def to_end(page: Any) -> None:
    """Scrub to the last session until the page shows it: a key can be lost while the panel of a lesson is drawn again."""
    there = "() => Number(document.getElementById('at-shown').textContent) >= Number(document.getElementById('at').max)"
    for _ in range(50):
        page.locator("#at").press("End")
        if page.evaluate(there):
            return
        page.wait_for_timeout(100)
    raise AssertionError("the last session is not shown")


def computed(page: Any, act: Callable[[], Any]) -> None:
    """Do something that makes the page compute again, and wait until it has drawn the answer."""
    page.evaluate("() => { delete document.documentElement.dataset.drawnMs; }")
    act()
    page.wait_for_function("() => document.documentElement.dataset.drawnMs")


def end_values(page: Any) -> tuple[float, float]:
    """The alliance at which both lines end."""
    a, b = (float(page.locator(f"#alliance path[data-line={one}]").get_attribute("data-end")) for one in "ab")
    return a, b


def fan_is_there(page: Any) -> None:
    """Wait for the fan, which is asked for after the page has been drawn, and for what the lesson says of it."""
    expect(page.locator("#alliance [data-median=a]")).to_have_count(1)
    expect(page.locator("#many-outcome")).to_have_count(1)


def broken(side: str, query: str) -> list[tuple[int, int]]:
    """Sessions and exchanges in which a pair's bond ruptures, at an address."""
    here = read(query, SETUPS, FIRST)
    ruptures = side_of(getattr(here, side), here.shared)["ruptures"]
    return [(one["session"], one["exchange"]) for one in ruptures if one["kind"] != "repair"]


def with_own_mark(query: str) -> list[tuple[int, int]]:
    """Ruptures of pair B that are the only thing marked in their session, so that the mark stands for them and lies free."""
    played = play_of(read(query, SETUPS, FIRST))
    marked = [one["session"] for side in "ab" for one in played[side]["ruptures"]]
    return [(session, exchange) for session, exchange in broken("b", query) if marked.count(session) == 1]


def first_seed(looked_for: Callable[[str], Iterator[Found]]) -> tuple[str, Found]:
    """The address of the first lesson, with its own seed or one after it, that has what is looked for, and the first of it."""
    own = int(SETUPS[FIRST]["seed"])
    for query in (f"seed={seed}" for seed in range(own, own + 60)):
        for found in looked_for(query):
            return query, found
    raise AssertionError("no course of the first lesson has what this test needs")


def no_findings(page: Any) -> None:
    """axe has nothing to say."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    assert found == [], [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]


# ------------------------------------------------------------------------------------------------------------- opening


def test_it_opens_on_charts_and_one_obvious_button(visit: Visit) -> None:
    page = visit()
    assert float(page.evaluate("() => document.documentElement.dataset.ready")) < 1000 * SECONDS_TO_CHARTS
    for chart in ("plane", "alliance", "distress", "inside"):
        assert page.locator(f"#{chart} svg").count() == 1
    expect(page.locator("button.primary:visible")).to_have_count(1)
    expect(page.locator("#play")).to_have_text(SAID["play"]["play"])
    expect(page.locator("#lesson-panel")).to_contain_text(SAID["lessons"][FIRST]["hook"])
    assert page.locator("#alliance path[data-ghost]").count() == 0  # what is to come is hidden in a lesson


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (1920, 1080)])
def test_it_fits_without_scrolling(visit: Visit, width: int, height: int) -> None:
    page = visit("/?at=40&many=1", width, height)
    fan_is_there(page)
    whole = "() => [document.documentElement.scrollHeight <= innerHeight, document.documentElement.scrollWidth <= innerWidth]"
    assert page.evaluate(whole) == [True, True]
    boxes = {one: page.locator(f"#{one}").bounding_box() for one in
             ("controls", "plane-panel", "alliance-panel", "inside-panel", "lesson-panel", "log-panel")}  # fmt: skip
    names = list(boxes)
    for i, first in enumerate(names):
        for second in names[i + 1 :]:
            a, b = boxes[first], boxes[second]
            apart = a["x"] + a["width"] <= b["x"] + 1 or b["x"] + b["width"] <= a["x"] + 1 or a["y"] + a["height"] <= b["y"] + 1 \
                or b["y"] + b["height"] <= a["y"] + 1  # fmt: skip
            assert apart, f"{first} overlaps {second}"


def test_no_sentence_is_cut_or_moves_the_page(visit: Visit) -> None:
    """Session by session: both sentences fit on their line, and the charts stay where they are."""
    page = visit()
    top = page.locator("footer").bounding_box()["y"]
    for _ in range(39):
        page.keyboard.press("ArrowRight")
        spans = page.locator("#sentence span")
        cut = spans.evaluate_all("(all) => all.filter((one) => one.scrollWidth > one.clientWidth).length")
        assert cut == 0, page.locator("#sentence").inner_text()
        assert page.locator("footer").bounding_box()["y"] == top


def test_it_is_usable_on_a_phone(visit: Visit) -> None:
    page = visit("/", 390, 844, has_touch=True)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    expect(page.locator("#play")).to_be_in_viewport()
    expect(page.locator("#lesson-panel .predict")).to_be_in_viewport()
    idle = page.locator("#inside text", has_text=SAID["inside"]["nothing"][0]).bounding_box()
    regions = [one.bounding_box() for one in page.locator("#inside [data-region]").all()]
    assert len(regions) == 18 and all(one["y"] + one["height"] < idle["y"] for one in regions)  # words lie over nobody's brain
    page.locator("#play").tap()
    expect(page.locator("#play")).to_have_text(SAID["play"]["pause"])
    no_findings(page)


def test_words_twice_as_long_do_not_break_it(visit: Visit) -> None:
    """A translation may be longer than the English."""
    page = visit("/?at=12")
    page.evaluate("""() => {
      for (const one of document.querySelectorAll("button, label > span:first-child, h2, legend, option, .hook, .guess"))
        for (const node of one.childNodes) if (node.nodeType === 3) node.textContent += " " + node.textContent;
    }""")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    for name in ("play", "step", "reset", "help"):
        expect(page.locator(f"#{name}")).to_be_in_viewport()


def test_space_plays_after_a_prediction_was_clicked(visit: Visit) -> None:
    """As the ten-minute script says; by keyboard the options stay the options' own."""
    page = visit()
    page.locator("label.guess").first.click()
    expect(page.locator("#play")).to_be_focused()
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text(SAID["play"]["pause"])
    page.locator("label.stop").click()
    expect(page.locator("#play")).to_be_focused()


def test_the_end_is_not_given_away_before_it_is_played(visit: Visit) -> None:
    """A lesson's scrubber goes to the sessions planned until the end has been seen."""

    def early(query: str) -> Iterator[int]:
        played = play_of(read(query, SETUPS, FIRST))
        held = max(played[one]["held"] for one in "ab")
        if held < 40:
            yield held

    query, held = first_seed(early)
    page = visit(f"/?{query}")
    expect(page.locator("#last-shown")).to_have_text("40")
    to_end(page)
    expect(page.locator("#last-shown")).to_have_text(str(held))


def test_larger_type_for_the_projector(visit: Visit) -> None:
    page = visit()
    size = "() => Number.parseFloat(getComputedStyle(document.body).fontSize)"
    drawn = "() => Number(document.querySelector('#alliance text').getAttribute('font-size'))"
    before = page.evaluate(size), page.evaluate(drawn)
    page.keyboard.press("p")
    after = page.evaluate(size), page.evaluate(drawn)
    assert after[0] > 1.25 * before[0] and after[1] > 1.25 * before[1]
    assert "projector=1" in page.url


# ------------------------------------------------------------------------------------------------------------- lessons


@pytest.mark.parametrize(
    "lesson",
    [
        lesson if lesson in ("secure_base", "repair", "puzzle") else pytest.param(lesson, marks=pytest.mark.deep)
        for lesson in TAUGHT
    ],
)
def test_a_lesson_clicked_through(visit: Visit, lesson: str) -> None:
    """Predict, play to the end, see what came out (that of a direct run), ask whether it holds, read why, go on."""
    page = visit(f"/?lesson={lesson}")
    said = told(lesson)
    panel = page.locator("#lesson-panel")
    guess = list(said["options"])[-1]
    page.locator(f"#guess-{guess}").check()
    expect(page.locator("#outcome")).to_have_count(0)
    to_end(page)
    state = read(f"lesson={lesson}", SETUPS, FIRST)
    played, came_out = play_of(state), outcome(state)
    a, b = end_values(page)
    assert (a, b) == (played["a"]["alliance"][-1], played["b"]["alliance"][-1])
    expect(page.locator("#outcome")).to_contain_text(SAID["measures"][came_out["measure"]]["name"])
    digits = 2 if abs(came_out["a"]) < 2 and abs(came_out["b"]) < 2 else 1
    measure, text = SAID["measures"][came_out["measure"]], page.locator("#outcome").inner_text()
    for one in "ab":
        found = re.search(rf"{one.upper()} (−?[\d.]+|{measure.get('yes')}|{measure.get('no')})", text)
        assert found is not None
        if "yes" in measure:
            assert found[1] == measure["yes" if came_out[one] else "no"]
        else:
            assert float(found[1].rstrip(".").replace("−", "-")) == pytest.approx(came_out[one], abs=0.6 * 10**-digits)
    computed(page, page.locator("#lesson-many").click)
    expect(panel).to_contain_text(said["sentence"])
    expect(panel).to_contain_text(said["why"])
    expect(panel).to_contain_text(said["limit"])
    for claim in LESSONS[lesson].claims:
        expect(panel).to_contain_text(f"Claim {claim} ")
    expect(page.locator("#alliance [data-median=a]")).to_have_count(1)
    expect(page.locator("#verdict")).to_contain_text(said["options"][guess])
    if LESSONS[lesson].asked_of == "many":
        expect(page.locator("#verdict")).to_contain_text("40 clients")
    page.locator("#lesson-next").click()
    following = list(LESSONS)[list(LESSONS).index(lesson) + 1]
    expect(panel).to_contain_text(SAID["lessons"][following]["title"])


def test_does_it_hold_with_new_luck(visit: Visit) -> None:
    page = visit("/?at=40")
    before = end_values(page)
    computed(page, page.locator("#lesson-luck").click)
    expect(page.locator("#at-shown")).to_have_text("0")
    to_end(page)
    assert end_values(page) != before
    seed = int(SETUPS[FIRST]["seed"]) + 1
    assert dict(parse_qsl(urlsplit(page.url).query))["seed"] == str(seed)
    played = play_of(read(f"seed={seed}", SETUPS, FIRST))
    assert end_values(page) == (played["a"]["alliance"][-1], played["b"]["alliance"][-1])


# ------------------------------------------------------------------------------------------------------------- playing


def test_play_pause_step_and_back(visit: Visit) -> None:
    page = visit()
    page.locator("#speed").select_option("fast")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text(SAID["play"]["pause"])
    page.wait_for_function("() => Number(document.getElementById('at').value) >= 3")
    page.locator("#play").click()
    stopped = int(page.locator("#at").input_value())
    page.wait_for_timeout(300)
    assert int(page.locator("#at").input_value()) == stopped
    page.locator("#step").click()
    expect(page.locator("#at-shown")).to_have_text(str(stopped + 1))
    axis = page.locator("#alliance text").all_inner_texts()[:7]
    page.locator("#reset").click()
    expect(page.locator("#at-shown")).to_have_text("0")
    assert page.locator("#alliance text").all_inner_texts()[:7] == axis  # axes do not move


def test_it_plays_to_the_end_by_the_clock(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&sessions=4")
    page.locator("#speed").select_option("fast")
    page.locator("#play").click()
    expect(page.locator("#play")).to_have_text(SAID["play"]["play"], timeout=5000)
    assert page.locator("#at").input_value() == page.locator("#at").get_attribute("max")


def test_it_stops_at_ruptures_where_that_is_wished(visit: Visit) -> None:
    page = visit()
    played = play_of(read("", SETUPS, FIRST))
    ruptures = [one["session"] for side in "ab" for one in played[side]["ruptures"] if one["kind"] != "repair"]
    page.locator("#stop").check()
    page.locator("#speed").select_option("fast")
    for session in sorted(set(ruptures))[:2]:
        page.locator("#play").click()
        expect(page.locator("#at-shown")).to_have_text(str(session))
        expect(page.locator("#play")).to_have_text(SAID["play"]["play"])
    page.locator("#chair").click()
    expect(page.locator("#dialog")).to_contain_text(f"session {sorted(set(ruptures))[1]},")


def test_by_keyboard(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#at-shown")).to_have_text("2")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#at-shown")).to_have_text("1")
    page.keyboard.press("r")
    expect(page.locator("#at-shown")).to_have_text("0")
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text(SAID["play"]["pause"])
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text(SAID["play"]["play"])
    page.keyboard.press("?")
    expect(page.locator("#dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).not_to_be_visible()


def test_letters_choose_in_a_menu(visit: Visit) -> None:
    page = visit("/?lesson=sandbox")
    menu = page.locator("[data-key=a_client]")
    menu.focus()
    computed(page, lambda: page.keyboard.press("p"))
    expect(menu).to_have_value("preoccupied")
    assert "projector" not in page.url


def test_new_luck_starts_anew_while_it_plays(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&at=20")
    page.locator("#play").click()
    page.wait_for_function("() => Number(document.getElementById('at').value) >= 21")
    computed(page, page.locator("#new-luck").click)
    expect(page.locator("#play")).to_have_text(SAID["play"]["play"])
    page.wait_for_timeout(700)
    expect(page.locator("#at-shown")).to_have_text("0")


def test_a_course_that_gets_shorter_while_it_plays_ends_there(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&at=20")
    page.locator("#play").click()
    page.locator("[data-key=sessions]").evaluate("(one) => { one.value = 12; one.dispatchEvent(new Event('change')); }")
    expect(page.locator("#last-shown")).to_have_text("12")
    expect(page.locator("#play")).to_have_text(SAID["play"]["play"])
    expect(page.locator("#at-shown")).to_have_text("12")


def test_the_focus_is_seen(visit: Visit) -> None:
    page = visit()
    for _ in range(6):
        page.keyboard.press("Tab")
        style, width = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle, Number.parseFloat(s.outlineWidth)]; }"
        )
        assert style != "none" and width >= 2


def test_less_motion_where_that_is_wished(visit: Visit) -> None:
    page = visit("/", reduced_motion="reduce")
    page.locator("#speed").select_option("slow")
    page.locator("#play").click()
    page.wait_for_function("() => Number(document.getElementById('at').value) >= 1")
    page.wait_for_timeout(500)
    assert page.locator("#exchange-shown").inner_text() == "1"  # exchanges do not run through


# ------------------------------------------------------------------------------------------------------------- changing


def test_a_slider_by_keyboard_changes_every_chart(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&at=40")
    charts = {one: page.locator(f"#{one}").inner_html() for one in ("plane", "alliance", "distress", "inside")}
    slider = page.locator("[data-key=b_warmth]")
    slider.focus()
    computed(page, lambda: page.keyboard.press("Home"))
    page.wait_for_function("() => document.querySelector('output[data-for=b_warmth]').textContent === '0.02'")
    for one, before in charts.items():
        assert page.locator(f"#{one}").inner_html() != before, one
    times = page.evaluate("() => ({...document.documentElement.dataset})")
    assert float(times["drawnMs"]) < MS_TO_DRAW and float(times["askedMs"]) < MS_TO_ANSWER
    assert "b_warmth=0.02" in page.url


def test_rings_on_the_plane_move_people(visit: Visit) -> None:
    page = visit("/?lesson=sandbox")
    ring = page.locator("[data-ring=b_therapist]")
    ring.focus()
    computed(page, lambda: page.keyboard.press("ArrowUp"))
    assert dict(parse_qsl(urlsplit(page.url).query))["b_therapist"] == "2.6,5.1"
    expect(page.locator("[data-ring=b_therapist]")).to_be_focused()
    for _ in range(12):  # a key that is held, while the page computes
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(30)
    expect(page.locator("#at-shown")).to_have_text("0")
    expect(page.locator("[data-ring=b_therapist]")).to_be_focused()
    assert float(dict(parse_qsl(urlsplit(page.url).query))["b_therapist"].split(",")[0]) > 2.7
    computed(page, lambda: page.locator("[data-key=b_therapist]").select_option("dismissing"))
    computed(page, lambda: page.locator("[data-ring=b_therapist]").press("ArrowUp"))
    expect(page.locator("[data-ring=b_therapist]")).to_be_visible()  # the drawing is made anew
    box = page.locator("[data-ring=b_therapist]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    computed(page, lambda: page.mouse.move(box["x"] + 80, box["y"] + 90, steps=4))
    page.mouse.up()
    moved = dict(parse_qsl(urlsplit(page.url).query))["b_therapist"].split(",")
    assert float(moved[0]) > 3 and float(moved[1]) < 4.6


def test_the_same_address_gives_the_same_picture(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&b_client=5.5,5.2&a_repair=early&seed=77&at=9")
    slider = page.locator("[data-key=a_accuracy]")
    slider.focus()
    computed(page, lambda: page.keyboard.press("End"))
    again = visit(page.url.replace(page.url.split("/?")[0], ""))
    for chart in ("plane", "alliance", "distress", "inside"):
        assert again.locator(f"#{chart}").inner_html() == page.locator(f"#{chart}").inner_html()
    expect(again.locator("[data-key=a_accuracy]")).to_have_value("1")
    expect(again.locator("[data-key=b_client]")).to_have_value("5.5,5.2")
    assert again.locator("#sentence").inner_html() == page.locator("#sentence").inner_html()


def test_two_visitors_do_not_see_each_other(visit: Visit) -> None:
    one, other = visit("/?lesson=sandbox&at=40"), visit("/?lesson=sandbox&at=40")
    before = other.locator("#alliance").inner_html()
    computed(one, lambda: one.locator("[data-key=a_therapist]").select_option("fearful"))
    assert one.locator("#alliance").inner_html() != before
    computed(other, lambda: other.locator("#many").click())
    computed(other, lambda: other.locator("#many").click())
    assert other.locator("#alliance").inner_html() == before


def test_the_way_back_to_the_set_up(visit: Visit) -> None:
    page = visit(f"/?lesson={FIRST}&b_warmth=0.3&seed=4")
    expect(page.locator("#lesson-panel")).to_contain_text(SAID["controls"]["changed"])
    computed(page, page.locator("#lesson-back").click)
    assert dict(parse_qsl(urlsplit(page.url).query)) == {"lesson": FIRST}
    expect(page.locator("[data-key=b_warmth]")).to_have_value("0.81")
    expect(page.locator("#lesson-back")).to_have_count(0)


def test_opposites_turns_over_by_its_switch(visit: Visit) -> None:
    page = visit("/?lesson=opposites&at=40&many=1")
    page.wait_for_function("() => document.documentElement.dataset.drawnMs")
    won = {}
    for pairs in ("differ", "alike"):
        computed(page, lambda pairs=pairs: page.locator(f"#lesson-pairs-{pairs}").click())
        found = re.search(r"for (\d+) of 40, B for (\d+)", page.locator("#fan-words").inner_text())
        assert found is not None
        won[pairs] = [int(n) for n in found.groups()]
    assert won["differ"][0] > won["differ"][1] and won["alike"][0] < won["alike"][1]


# ------------------------------------------------------------------------------------------------- what opens over the page


def test_reading_a_session(visit: Visit) -> None:
    page = visit("/?at=9")
    page.locator("#read").click()
    notes = play_of(read("", SETUPS, FIRST))["b"]["notes"][8]
    for part in ("happened", "client", "therapist"):
        expect(page.locator("#dialog")).to_contain_text(notes[part])


def test_taking_the_chair(visit: Visit) -> None:
    def before_the_last_exchange(query: str) -> Iterator[tuple[int, int]]:
        last = dict(broken("b", query))  # of each session: the one the chair stands at
        exchanges = read(query, SETUPS, FIRST).shared.exchanges
        yield from (place for place in last.items() if place[0] > 3 and place[1] < exchanges)

    query, (session, exchange) = first_seed(before_the_last_exchange)
    page = visit(f"/?{query}&at={session}")
    page.locator("#chair").click()
    expect(page.locator("#dialog")).to_contain_text(f"Pair B, session {session}, exchange {exchange}:")
    expect(page.locator("#at-last")).to_have_count(0)
    for name in ("press_on", "step_back", "change_course", "name_it"):
        page.locator(f"#do-{name}").click()
        expect(page.locator(f"#future-{name}")).to_be_visible()
        expect(page.locator("#future-as_it_was")).to_be_visible()
    computed(page, page.locator("#watch").click)
    asked = dict(parse_qsl(urlsplit(page.url).query))
    assert asked["a_do"] == f"{session}.{exchange}.name_it" and asked["a_therapist"] == "dismissing"
    expect(page.locator("#chosen")).to_contain_text(SAID["chair_panel"]["name_it"])
    to_end(page)
    played = play_of(read(urlsplit(page.url).query, SETUPS, FIRST))
    assert end_values(page) == (played["a"]["alliance"][-1], played["b"]["alliance"][-1])
    a, b = (played[one]["alliance"] for one in "ab")
    assert a[:session] == b[:session] and a != b


def test_the_chair_says_what_comes_to_nothing_at_the_last_exchange(visit: Visit) -> None:
    def at_the_last(query: str) -> Iterator[tuple[int, int]]:
        exchanges = read(query, SETUPS, FIRST).shared.exchanges
        yield from (place for place in with_own_mark(query) if place[1] == exchanges)

    query, (session, exchange) = first_seed(at_the_last)
    page = visit(f"/?{query}&at={session}")
    page.locator(f"#alliance [data-mark='b-{session}']").click()
    expect(page.locator("#dialog")).to_contain_text(f"session {session}, exchange {exchange}:")
    expect(page.locator("#at-last")).to_have_text(SAID["chair_panel"]["at_last"])


def test_a_rupture_on_the_chart_opens_the_chair(visit: Visit) -> None:
    """By mouse at the latest one, by keyboard at one before it."""
    query, ((earlier, at_earlier), (later, at_later)) = first_seed(lambda query: iter(pairwise(with_own_mark(query))))
    page = visit(f"/?{query}&at={later}")
    page.locator(f"#alliance [data-mark='b-{later}']").click()
    expect(page.locator("#dialog")).to_contain_text(f"Pair B, session {later}, exchange {at_later}:")
    page.keyboard.press("Escape")
    mark = page.locator(f"#alliance [data-mark='b-{earlier}']")
    expect(mark).to_have_attribute("aria-label", re.compile(rf"Pair B, rupture in session {earlier}\b"))
    mark.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).to_contain_text(f"Pair B, session {earlier}, exchange {at_earlier}:")


def test_the_chair_is_taken_at_the_latest_rupture_of_either_pair(visit: Visit) -> None:
    def of_a_alone(query: str) -> Iterator[tuple[int, int]]:
        """In a session in which B's bond holds; both bonds have ruptured in earlier ones."""
        a, b = (dict(broken(side, query)) for side in "ab")  # the last of each session
        if a and b:
            yield from (place for place in a.items() if place[0] > max(min(a), min(b)) and place[0] not in b)

    query, (session, exchange) = first_seed(of_a_alone)
    page = visit(f"/?{query}&at={session}")
    page.locator("#chair").click()
    expect(page.locator("#dialog")).to_contain_text(f"Pair A, session {session}, exchange {exchange}:")


def test_a_second_choice_in_a_session_is_told_not_to_be_possible(visit: Visit) -> None:
    def twice(query: str) -> Iterator[tuple[int, int, int]]:
        """A session whose bond ruptures at one exchange, and after pressing on there at another."""
        for session, exchange in broken("b", query):
            there = [at for week, at in broken("b", f"{query}&b_do={session}.{exchange}.press_on") if week == session]
            if exchange in there and there[-1] > exchange:
                yield session, exchange, there[-1]

    query, (session, exchange, again) = first_seed(twice)
    page = visit(f"/?{query}&at={session}&b_do={session}.{exchange}.press_on", expected="400 (Bad Request)")
    page.locator("#chair").click()
    expect(page.locator("#dialog")).to_contain_text(f"Pair B, session {session}, exchange {again}:")
    page.locator("#do-name_it").click()
    expect(page.locator("#message")).to_contain_text(f"has a response in session {session} already, at exchange {exchange};")


def test_a_choice_is_said_only_as_long_as_it_is_all_that_differs(visit: Visit) -> None:
    query = "lesson=sandbox&a_therapist=dismissing"
    session, exchange = broken("a", query)[0]
    page = visit(f"/?{query}&a_do={session}.{exchange}.name_it&at={session}")
    said = SAID["chair_panel"]
    named = {"response": said["name_it"], "session": session}
    expect(page.locator("#chosen")).to_have_text(said["now"].format(**named))
    slider = page.locator("[data-key=b_warmth]")
    slider.focus()
    computed(page, lambda: page.keyboard.press("Home"))
    expect(page.locator("#chosen")).to_have_text(said["still"].format(**named))
    computed(page, page.locator("#many").click)
    expect(page.locator("#fan-words")).to_contain_text(SAID["many"]["chosen"])


def test_the_figure_is_kept_with_its_stamp(visit: Visit, tmp_path: Path) -> None:
    page = visit("/?at=20&seed=9")
    page.locator("#figure").click()
    expect(page.locator("#save-png")).to_be_visible()
    for link, start in (("#save-svg", b"<svg"), ("#save-png", b"\x89PNG")):
        with page.expect_download() as got:
            page.locator(link).click()
        path = tmp_path / got.value.suggested_filename
        got.value.save_as(path)
        assert path.read_bytes().startswith(start) and "seed9" in path.name
    text = next(tmp_path.glob("*.svg")).read_text(encoding="utf-8")
    assert f"Attune {__version__}, seed 9" in text and SAID["export"]["stamp"] in text
    assert "data-line" in text and "http://www.w3.org/2000/svg" in text


def test_a_figure_holds_its_whole_address(visit: Visit, tmp_path: Path) -> None:
    numbers = "&".join(f"both.{one}={PARAMETERS[one].default:g}1" for one in ("trust_rate", "healing_rate", "repair_base"))
    page = visit(f"/?lesson=sandbox&at=7&a_client=5.5,5.2&b_client=2.1,6.3&a_do=1.7.name_it&b_repair=none&{numbers}")
    page.keyboard.press("ArrowRight")  # the address is written again
    page.locator("#figure").click()
    with page.expect_download() as got:
        page.locator("#save-svg").click()
    got.value.save_as(tmp_path / "figure.svg")
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", (tmp_path / "figure.svg").read_text(encoding="utf-8"))
    assert len(page.url) > 180 and page.url in html.unescape("".join(texts))


def test_data_and_scenario_are_kept_with_their_stamp(visit: Visit, tmp_path: Path) -> None:
    page = visit("/?seed=5&sessions=6")
    page.locator("#data").click()
    links = page.locator("#dialog a.download")
    for k, ending in ((0, ".csv"), (2, ".yaml")):
        with page.expect_download() as got:
            links.nth(k).click()
        path = tmp_path / f"{k}{ending}"
        got.value.save_as(path)
        text = path.read_text(encoding="utf-8")
        assert got.value.suggested_filename.endswith(ending) and SAID["export"]["stamp"] in text and "seed=5" in text


def test_the_researchers_tab_changes_any_number(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&at=40&many=1")
    page.wait_for_function("() => document.documentElement.dataset.drawnMs")
    page.locator("#research").click()
    expect(page.locator("#command")).to_have_text(f"attune run classroom.yaml --seed {SETUPS['sandbox']['seed']}")
    page.locator("#find").fill("trust_rate")
    row = page.locator("#found tr", has_text="trust_rate").first
    row.locator("input").fill("0.9")
    row.locator("select").select_option("b")
    computed(page, row.locator("button").click)
    assert dict(parse_qsl(urlsplit(page.url).query))["b.trust_rate"] == "0.9"
    expect(page.locator("#changed-numbers")).to_contain_text("b.trust_rate = 0.9")
    shown = many_of(read("lesson=sandbox&b.trust_rate=0.9", SETUPS, FIRST), LESSONS["sandbox"])["difference"]["mean"]
    expect(page.locator(".research table").first).to_contain_text(f"{shown:.3f}".replace("-", "\u2212"))  # the fan of now
    page.locator("#find").fill("plasticity")
    expect(page.locator("#found tr", has_text="plasticity").first).to_contain_text(SAID["research"]["own_control"])
    expect(page.locator("#found tr", has_text="plasticity").first.locator("input")).to_have_count(0)
    computed(page, page.locator("#changed-numbers button").click)
    assert "trust_rate" not in page.url


def test_a_value_that_cannot_be_is_told_and_the_way_back_is_open(visit: Visit) -> None:
    page = visit("/?lesson=sandbox", expected="400 (Bad Request)")
    page.locator("[data-key=seed]").fill("-5")
    page.locator("[data-key=seed]").press("Enter")
    expect(page.locator("#message")).to_contain_text("seed is '-5'; it must be a whole number")
    computed(page, lambda: (page.locator("[data-key=seed]").fill("5"), page.locator("[data-key=seed]").press("Enter")))
    expect(page.locator("#message")).to_be_hidden()


def test_the_map_of_pairings_sets_pair_a(visit: Visit) -> None:
    page = visit("/?lesson=sandbox&clients=10&sessions=5")
    page.locator("#lesson-map").click()
    cells = page.locator("#map .cell")
    expect(cells).to_have_count(16)
    computed(page, cells.nth(6).click)  # preoccupied client, dismissing therapist
    query = dict(parse_qsl(urlsplit(page.url).query))
    assert (query["a_client"], query["a_therapist"]) == ("preoccupied", "dismissing")


def test_hovering_says_what_it_is_and_from_where(visit: Visit) -> None:
    page = visit("/?at=5")
    page.locator("#alliance-title").hover()
    expect(page.locator("#about")).to_contain_text(SAID["quantities"]["alliance"]["means"])
    expect(page.locator("#about")).to_contain_text("Bordin")
    page.locator("[data-about='region:insula']").first.hover()
    expect(page.locator("#about")).to_contain_text("not a scan")


def test_what_hovering_says_is_said_to_the_keyboard_too(visit: Visit) -> None:
    page = visit("/?at=5")
    for place, quantity in {
        "#alliance-title": "alliance", "#distress": "distress", "#alliance [data-mark='b-4']": "rupture",
        "[data-attends=a]": "attending", "#inside [data-about=read]": "read",
    }.items():  # fmt: skip
        page.locator(place).focus()
        expect(page.locator("#about")).to_contain_text(SAID["quantities"][quantity]["means"])
        expect(page.locator(place)).to_have_attribute("aria-describedby", "about")
        expect(page.locator(place)).to_have_attribute("tabindex", "0")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#at-shown")).to_have_text("6")
    expect(page.locator("#inside [data-about=read]")).to_be_focused()  # drawn again, it keeps the focus


def test_below_the_fan_it_is_attendance_that_is_explained(visit: Visit) -> None:
    page = visit("/?at=40&many=1")
    expect(page.locator("#alliance [data-median=a]")).to_have_count(1)
    page.locator("#distress").focus()
    expect(page.locator("#about")).to_contain_text(SAID["quantities"]["attending"]["means"])


# --------------------------------------------------------------------------------------------------- access, doubt, failure


def test_axe_finds_nothing_in_what_opens(visit: Visit) -> None:
    page = visit("/?at=9")
    for opens in ("help", "research", "data", "figure", "read", "chair"):
        page.locator(f"#{opens}").click()
        expect(page.locator("#dialog")).to_be_visible()
        if opens == "research":
            expect(page.locator("#found")).to_be_visible()
        no_findings(page)
        page.keyboard.press("Escape")
        expect(page.locator("#dialog")).to_be_hidden()


def test_the_help_has_info_model_limits_and_keys(visit: Visit) -> None:
    page = visit()
    page.locator("#help").click()
    for tab, said in (("Model", "felt_understanding"), ("Limits", "2-3 %"), ("Keys", "play or pause"), ("Info", "What is it?")):
        page.locator("#dialog").get_by_role("button", name=tab, exact=True).click()
        expect(page.locator("#dialog-body")).to_contain_text(said)


@pytest.mark.parametrize("query", ["seed=x&foo=1", "lesson=<img src=x onerror=window.hit=1>", "seed=" + "9" * 3900,
                                   "a_client=%3Cscript%3Ewindow.hit=1%3C/script%3E"])  # fmt: skip
def test_a_bad_address_gets_a_message_and_a_page(visit: Visit, query: str) -> None:
    page = visit(f"/?{query}", expected="400 (Bad Request)")
    expect(page.locator("#message")).to_contain_text(SAID["page"]["wrong_address"])
    assert page.evaluate("() => window.hit") is None
    page.keyboard.press("ArrowRight")
    expect(page.locator("#at-shown")).to_have_text("1")


def test_a_server_that_is_gone_is_said_in_words(browser: Any) -> None:
    process, address = started()
    page = browser.new_page()
    unforeseen: list[str] = []
    page.on("pageerror", lambda error: unforeseen.append(f"{error}"))
    page.goto(f"{address}/?lesson=sandbox&at=3")
    page.wait_for_function("() => document.documentElement.dataset.ready")
    process.terminate()
    process.wait(10)
    page.locator("#chair").click()
    page.locator("#do-name_it").click()
    expect(page.locator("#dialog")).not_to_be_visible()
    expect(page.locator("#message")).to_contain_text(SAID["page"]["lost"])
    page.locator("#help").click()
    page.locator("#dialog").get_by_role("button", name="Model", exact=True).click()
    expect(page.locator("#dialog")).not_to_be_visible()
    page.locator("[data-key=a_therapist]").select_option("fearful")
    expect(page.locator("#message")).to_contain_text(SAID["page"]["lost"])
    page.keyboard.press("ArrowRight")  # what is there can still be played
    page.locator("#retry").click()
    expect(page.locator("#message")).to_contain_text(SAID["page"]["lost"])
    page.close()
    assert unforeseen == []


def test_a_number_that_cannot_be_locks_nobody_out(visit: Visit) -> None:
    """The message is in sight, the number is not kept, and the next change works."""
    page = visit("/?lesson=sandbox&at=9", expected="400 (Bad Request)")
    page.locator("#research").click()
    page.locator("#find").fill("trust_rate")
    row = page.locator("#found tr", has_text="trust_rate").first
    row.locator("input").fill("7")
    row.locator("button").click()
    expect(page.locator("#message")).to_contain_text("both.trust_rate: parameter 'trust_rate' is 7.0")
    expect(page.locator("#dialog")).not_to_be_visible()
    expect(page.locator("#retry")).to_have_count(0)  # again would be refused again
    assert "trust_rate" not in page.url and "at=9" in page.url
    computed(page, lambda: page.locator("[data-key=a_therapist]").select_option("fearful"))
    expect(page.locator("#message")).to_be_hidden()


def test_the_latest_wish_counts_after_one_that_is_refused(visit: Visit) -> None:
    page = visit("/?lesson=sandbox", expected="400 (Bad Request)")
    page.locator("[data-key=seed]").evaluate("""(one) => {
      for (const value of ["-5", "5"]) { one.value = value; one.dispatchEvent(new Event("change")); }
    }""")
    page.wait_for_function("() => document.documentElement.dataset.seed === '5'")
    expect(page.locator("#message")).to_be_hidden()
    assert dict(parse_qsl(urlsplit(page.url).query))["seed"] == "5"


def test_an_answer_that_comes_too_late_is_not_shown_in_the_next_lesson(visit: Visit) -> None:
    page = visit("/?lesson=change&at=88")
    page.evaluate("""() => {
      const panel = document.getElementById("lesson-panel");
      window.seen = [];
      new MutationObserver(() => window.seen.push(panel.textContent)).observe(panel, { childList: true });
      for (const [place, value] of [["[data-key=seed]", "1234"], ["#lesson", "luck"]]) {
        const control = document.querySelector(place);
        control.value = value;
        control.dispatchEvent(new Event("change"));
      }
    }""")
    expect(page.locator("#lesson-panel")).to_contain_text(SAID["lessons"]["luck"]["title"])
    expect(page.locator("#lesson-panel .predict")).to_be_visible()
    texts = page.evaluate("() => window.seen")
    assert len(texts) == 1 and "undefined" not in texts[0]


# ------------------------------------------------------------------------------------------------------------- handout


def test_a_handout_plays_and_snaps_without_a_server(visit: Visit, tmp_path: Path) -> None:
    from sim.classroom.handout import handout_of

    path = tmp_path / "lesson.html"
    path.write_text(handout_of(FIRST), encoding="utf-8")
    page = visit(path.as_uri())
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    slider = page.locator("[data-key=b_warmth]")
    shown = page.locator("output[data-for=b_warmth]")
    slider.focus()
    computed(page, lambda: page.keyboard.press("End"))
    expect(shown).to_have_text("0.95")
    for step in ("0.81", "0.40"):  # from one value that is there to the next
        computed(page, lambda: page.keyboard.press("ArrowLeft"))
        expect(shown).to_have_text(step)
    assert slider.get_attribute("aria-valuetext") == "0.4"
    to_end(page)
    played = play_of(read("b_warmth=0.4", SETUPS, FIRST))
    assert end_values(page) == (played["a"]["alliance"][-1], played["b"]["alliance"][-1])
    computed(page, page.locator("#lesson-many").click)
    expect(page.locator("#lesson-panel")).to_contain_text(told(FIRST)["sentence"])
    computed(page, page.locator("#new-luck").click)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#at-shown")).to_have_text("1")
    page.locator("[data-key=seed]").fill("5000")
    computed(page, lambda: page.locator("[data-key=seed]").press("Enter"))
    expect(page.locator("[data-key=seed]")).to_have_value(str(int(SETUPS[FIRST]["seed"]) + 2))
    expect(page.locator("[data-key=a_client]")).to_be_disabled()
    page.locator("#read").click()
    expect(page.locator("#dialog")).to_be_visible()
    assert requests == []
    page.keyboard.press("Escape")
    no_findings(page)


def test_a_handout_has_its_switch_and_names_only_what_it_can_do(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sim.classroom import handout
    from sim.classroom.handout import handout_of

    for name, one in (("ACCURACY", (0.65,)), ("WARMTH", (0.81,)), ("SEEDS", 1)):  # nobody moves a slider here
        monkeypatch.setattr(handout, name, one)
    for lesson in ("opposites", "repair"):
        (tmp_path / f"{lesson}.html").write_text(handout_of(lesson), encoding="utf-8")
    page = visit((tmp_path / "opposites.html").as_uri())
    to_end(page)
    for pairs in ("differ", "alike", "neither"):
        computed(page, lambda pairs=pairs: page.locator(f"#lesson-pairs-{pairs}").click())
        played = play_of(read(f"lesson=opposites&pairs={pairs}", SETUPS, FIRST))
        assert end_values(page) == (played["a"]["alliance"][-1], played["b"]["alliance"][-1])
    computed(page, page.locator("#lesson-many").click)
    computed(page, page.locator("#lesson-pairs-differ").click)
    expect(page.locator("#fan-words")).to_contain_text("of 40")
    extra = told("repair")["notice_server"][0]
    expect(visit("/?lesson=repair").locator("#lesson-panel")).to_contain_text(extra)
    expect(visit((tmp_path / "repair.html").as_uri()).locator("#lesson-panel")).not_to_contain_text(extra)


# ------------------------------------------------------------------------------------------------------- main states, as pictures

STATES = {
    "open": ("/", 1366, 768), "end": ("/?at=40", 1366, 768), "many": ("/?at=40&many=1", 1366, 768),
    "sandbox": ("/?lesson=sandbox&at=12", 1366, 768), "projector": ("/?at=40&projector=1", 1920, 1080),
    "phone": ("/?at=20", 390, 844),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_pictures_of_the_main_states(visit: Visit, name: str, tmp_path: Path) -> None:
    """There is something on them, and axe has nothing to say. Kept for looking at where ATTUNE_SCREENSHOTS names a folder."""
    place, width, height = STATES[name]
    page = visit(place, width, height)
    if "many=1" in place:
        fan_is_there(page)
    folder = Path(os.environ.get("ATTUNE_SCREENSHOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.png"
    page.screenshot(path=path)
    from matplotlib.image import imread

    picture = imread(path)
    assert picture.shape[:2] == (height, width)
    assert 0.02 < (picture[..., :3].mean(axis=2) < 0.75).mean() < 0.5  # ink, and not too much of it
    if name in ("open", "many", "sandbox", "projector"):
        no_findings(page)


def test_words_in_the_page_are_those_of_the_table(visit: Visit) -> None:
    given = json.loads(visit().locator("#given").text_content())
    assert given["words"]["play"] == SAID["play"]
