"""The Mesa page: what it offers and draws is the model's; it starts, keeps visitors apart, and asks nobody outside for anything.

What needs the extra ``mesa-page`` and a browser runs with ``make test-mesa-page``, and is skipped where they are missing.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.experiments.scenario import ScenarioError
from sim.theory.parameters import NUMBERS
from sim.views import mesa_page, mesa_shown
from sim.views.canvas import picture, styled
from sim.views.listening import AddressError, address_of, listening
from sim.views.mesa_model import TherapyModel
from sim.views.mesa_panels import PANELS, image, plane, some, week_in_words, where
from sim.views.mesa_shown import MOST_PEOPLE, PAIRING, Offer, Pairing, Shown, choices, offered

ROOT = Path(__file__).resolve().parents[1]
LEAVING = {"dropout_base": -2.0, "good_enough_prob": 0.3, "good_enough_sessions": 2}
CLINIC = {"therapists": 3, "arrivals_per_week": 2, "weeks": 12, "capacity": 3, "matching": "random"}


def scenario(**spec: Any) -> sim.Scenario:
    people = {"client": "population", "therapist": "population", "clients_per_arm": 30, "sessions": 6, "parameters": LEAVING}
    return sim.from_spec({"question": "Is it shown?", **people, **spec}, "shown")


def clinic() -> sim.Scenario:
    return sim.from_spec({"question": "Who waits?", "design": "clinic", "sessions": 4, "clinic": CLINIC}, "clinic")


def after(model: Shown, weeks: int) -> Shown:
    for _ in range(weeks):
        model.step()
    return model


# --------------------------------------------------------------------------------------------------- without the extra


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "solara"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "solara", None)  # importing it fails, as if it were not installed
    with pytest.raises(mesa_page.MissingExtra) as missing:
        mesa_page.serve("127.0.0.1", 0, False)
    said = str(missing.value)
    assert isinstance(missing.value, ValueError) and "(solara" in said
    extra = re.search(r"-m pip install -c constraints\.txt -e '\.\[(.+)\]'", said)
    assert extra and sys.executable in said
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert any(line.startswith("solara==") for line in extras[extra[1]])


# ---------------------------------------------------------------------------------------------------------- addresses


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with listening("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(AddressError, match=rf"--port: {port} is in use"):
            listening("127.0.0.1", port)
    listening("127.0.0.1", port).close()  # and is free again


@pytest.mark.parametrize(("host", "port", "said"), [
    ("127.0.0.1", 65536, "from 0"), ("127.0.0.1", -1, "from 0"), ("no.such.host.invalid", 0, "--host: 'no.such.host.invalid'"),
    ("192.0.2.1", 0, "--host: '192.0.2.1' is not an address of this machine"), ("a" * 70 + ".b", 0, "--host"),
])  # fmt: skip
def test_a_host_or_port_that_cannot_be_is_refused(host: str, port: int, said: str) -> None:
    with pytest.raises(AddressError, match=re.escape(said)):
        listening(host, port)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", None), ("0.0.0.0", "127.0.0.1"),
                                             ("::1", "[::1]")])  # fmt: skip
def test_the_address_that_is_told_leads_there(host: str, shown: str | None) -> None:
    try:
        listener = listening(host, 0)
    except AddressError:
        if host != "::1":
            raise
        pytest.skip("this machine has no IPv6")
    with listener:
        address = address_of(listener)
        inside = re.fullmatch(r"http://(\[?[^]]+?\]?):(\d+)/", address)
        assert inside and (shown is None or inside[1] == shown)
        socket.create_connection((inside[1].strip("[]"), int(inside[2])), timeout=5).close()


# ------------------------------------------------------------------------------------------------------ what is shown


def test_what_is_shown_is_the_usual_model() -> None:
    shown, usual = Shown(scenario(), seed=3), TherapyModel(scenario(), seed=3)
    while usual.running:
        usual.step()
        shown.step()
    assert not shown.running
    table = shown.datacollector.get_model_vars_dataframe()
    usual_table = usual.datacollector.get_model_vars_dataframe()
    assert table[usual_table.columns].equals(usual_table)
    assert shown.tables()["clients"].equals(usual.tables()["clients"])


def test_the_pairing_is_the_scenario_one_would_write() -> None:
    model = Pairing("fearful", "dismissing", clients=12, sessions=5, seed=4, repair_effort=0.25)
    written = sim.from_spec({"question": "Q?", "client": "fearful", "therapist": "dismissing", "clients_per_arm": 12,
                             "sessions": 5, "parameters": {"repair_effort": 0.25}}, "written")  # fmt: skip
    run, mine = sim.run(written, seed=4), after(model, 5).tables()
    for name in ("clients", "sessions"):
        columns = [c for c in run.tables[name] if c != "arm"]
        assert mine[name][columns].equals(run.tables[name][columns]), name
    assert {client.style for client in Pairing("fearful", clients=8).clients} == {"fearful"}


def test_the_middle_half_of_people_is_collected() -> None:
    model = after(Shown(scenario(), seed=2), 3)
    row = model.datacollector.get_model_vars_dataframe().iloc[-1]
    distress = [client.distress for client in model.clients]
    assert (row["distress_low"], row["distress_high"]) == tuple(np.quantile(distress, [0.25, 0.75]))
    assert row["alliance_low"] < row["mean_alliance"] < row["alliance_high"]
    assert np.mean(model.seen_now("alliance")) == pytest.approx(model.mean_alliance)


def test_where_people_started_is_kept() -> None:
    model = Shown(scenario(), seed=2)
    began = np.array([(c.ecr_anxiety, c.ecr_avoidance) for c in model.clients])
    assert np.array_equal(model.start, began)
    after(model, 6)
    now = np.array([(c.ecr_anxiety, c.ecr_avoidance) for c in model.clients])
    assert np.array_equal(model.start, began) and np.abs(now - began).max() > 0.1


def test_in_a_clinic_everybody_starts_on_arrival() -> None:
    model, came = Shown(clinic(), seed=1), 0
    assert model.start.shape == (0, 2)
    for _ in range(6):
        model.step()
        new = [(c.ecr_anxiety, c.ecr_avoidance) for c in list(model.clients)[came:]]
        assert np.allclose(model.start[came:], np.reshape(new, (-1, 2)), atol=0.7)  # a first week may move them a little
        came = len(model.clients)
    assert len(model.start) == came == model.arrivals_total > 5


# ----------------------------------------------------------------------------------------------------------- controls


def test_every_shipped_scenario_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert choices() == [PAIRING, *sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))]
    refused = []
    for choice in choices():
        try:
            check(offered(choice))
        except ScenarioError as e:
            refused.append((choice, str(e)))
    assert [choice for choice, _ in refused] == ["clinic_large"]
    assert f"at most {MOST_PEOPLE:,}" in refused[0][1] and "attune run" in refused[0][1]


def check(offer: Offer) -> None:
    """Every argument is one of the model's, and every control starts at one of its own values."""
    arguments = inspect.signature(offer.kind.__init__).parameters
    assert all(name in arguments or ("kwargs" in arguments and name in NUMBERS) for name in offer.controls)
    for control in offer.controls.values():
        if not isinstance(control, dict):
            continue
        if control["type"] == "Select":
            assert control["value"] in control["values"]
        else:
            assert control["min"] <= control["value"] <= control["max"] and control["step"] > 0
            places = (control["value"] - control["min"]) / control["step"]
            assert abs(places - round(places)) < 1e-6, "a slider moves to the next place that it has, and the value with it"
    assert isinstance(offer.made(), offer.kind)


def test_each_end_of_each_control_makes_a_model() -> None:
    offer = offered(PAIRING)
    usual = {name: control["value"] for name, control in offer.controls.items()} | {"clients": 4, "sessions": 2}
    for name, control in offer.controls.items():
        for value in control.get("values", [control.get("min"), control.get("max")]):
            model = after(offer.kind(**{**usual, name: value}), 1)
            assert model.steps == 1, (name, value)


def test_sliders_of_the_model_say_what_its_declaration_says() -> None:
    controls = offered(PAIRING).controls
    for name in mesa_shown.SLIDERS:
        number, control = NUMBERS[name], controls[name]
        assert number.meaning.lower() in control["label"].lower() and number.unit in control["label"]
        assert (control["value"], control["min"], control["max"]) == (number.default, number.low, number.high)


def test_a_file_offers_its_arms_and_replicates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert choices() == [PAIRING]
    folder = tmp_path / "scenarios"
    folder.mkdir()
    written = scenario(arms={"waiting": {"therapist": "none"}, "seen": {}}, replicates=3)
    (folder / "mine.yaml").write_text(written.to_yaml())
    (folder / "broken.yaml").write_text("question: [")
    assert choices() == [PAIRING, "broken", "mine"]
    controls = offered("mine").controls
    assert controls["arm"]["values"] == ["waiting", "seen"] and controls["arm"]["value"] == "seen"
    assert controls["replicate"]["max"] == 2
    with pytest.raises(ScenarioError, match=r"broken\.yaml:\d+: "):
        offered("broken")
    (folder / "mine.yaml").unlink()
    with pytest.raises(ScenarioError, match="mine"):
        offered("mine")


# ------------------------------------------------------------------------------------------------------------ figures


def test_the_plane_shows_everybody_where_they_are() -> None:
    model = after(Shown(scenario(), seed=1), 4)
    with styled():
        ax = picture(4, 4).subplots()
        plane(model, ax)
    drawn = {c.get_label(): np.asarray(c.get_offsets()) for c in ax.collections if not c.get_label().startswith("_")}
    people = {"therapist": list(model.therapists)}
    for stand in ("in therapy", "finished", "dropped out", "not in therapy"):
        people[f"client, {stand}"] = [c for c in model.clients if where(c) == stand]
    assert set(drawn) == set(people)
    assert all(people[f"client, {stand}"] for stand in ("in therapy", "finished", "dropped out"))  # else little is tested
    for label, group in people.items():
        assert np.allclose(drawn[label], np.reshape([(p.ecr_anxiety, p.ecr_avoidance) for p in group], (-1, 2))), label
    (lines,) = (c for c in ax.collections if hasattr(c, "get_segments"))
    began, now = np.stack(lines.get_segments()).swapaxes(0, 1)
    assert np.allclose(began, model.start) and np.allclose(now, [(c.ecr_anxiety, c.ecr_avoidance) for c in model.clients])


@pytest.mark.parametrize("number", [0, 1, 299, 300, 301, 5000])
def test_too_many_people_are_thinned_evenly(number: int) -> None:
    people: list[Any] = list(range(number))
    kept = some(people)
    assert len(kept) <= 300 and (number > 300 or kept == people)
    assert len(kept) > min(number, 300) / 2 - 1 and len({b - a for a, b in zip(kept, kept[1:], strict=False)}) <= 1


def lines(panel: int, model: Shown) -> tuple[dict[str, Any], Any]:
    with styled():
        ax = picture(4, 4).subplots()
        PANELS[panel].draw(model, ax)
    return {line.get_label(): line.get_ydata() for line in ax.lines}, ax


@pytest.mark.parametrize(("panel", "column"), [(1, "mean_alliance"), (2, "mean_distress")])
def test_lines_are_what_was_collected(panel: int, column: str) -> None:
    model = after(Shown(scenario(), seed=1), 4)
    drawn, ax = lines(panel, model)
    table = model.datacollector.get_model_vars_dataframe()
    assert np.array_equal(drawn["mean"], table[column])
    assert ax.get_xlim() == (0, model.weeks)
    (band,) = ax.collections
    corners = band.get_paths()[0].vertices
    for edge in ("low", "high"):
        for week, value in enumerate(table[f"{column.removeprefix('mean_')}_{edge}"]):
            assert np.isclose(corners, [week, value]).all(axis=1).any()
    early = lines(panel, Shown(scenario(), seed=1))[1]
    assert early.get_ylim() == ax.get_ylim()  # the axis stays while the model runs


def test_counts_are_what_was_collected() -> None:
    drawn, _ = lines(3, after(Shown(clinic(), seed=1), 8))
    table = after(Shown(clinic(), seed=1), 8).datacollector.get_model_vars_dataframe()
    assert table["waiting"].max() > 0
    for label, column in {"in therapy": "in_therapy", "waiting": "waiting", "dropped out, so far": "dropouts"}.items():
        assert np.array_equal(drawn[label], table[column]), label
    assert np.isnan(drawn["ruptures this week"][0])  # at intake nobody has met
    assert np.array_equal(drawn["ruptures this week"][1:], table["ruptures"][1:])
    assert "waiting" not in lines(3, Shown(scenario(), seed=1))[0]


def test_words_say_the_same() -> None:
    model = after(Pairing(clients=20, sessions=3, seed=5), 3)
    counted = sum(client.ending == "dropout" for client in model.clients)
    assert week_in_words(model) == (
        f"Week 3 of 3: 0 of 20 simulated clients are in therapy, {counted} have dropped out ({5 * counted} %); "
        f"{model.ruptures} ruptures in this week's sessions. The end."
    )
    assert "nobody has met yet" in week_in_words(Pairing(clients=20))
    assert f"{20 - counted} finished" in PANELS[0].words(model)
    low, high = np.quantile([client.distress for client in model.clients], [0.25, 0.75])
    assert f"{low:.2f} to {high:.2f}".replace("-", "−") in PANELS[2].words(model)
    for panel in PANELS:
        assert panel.words(Shown(clinic(), seed=1))  # before anybody has come


@pytest.mark.parametrize("made", [clinic, lambda: scenario(arms={"waiting": {"therapist": "none"}}), scenario],
                         ids=["clinic", "waiting", "therapy"])  # fmt: skip
def test_every_figure_can_be_drawn_at_any_time_and_by_several_at_once(made: Any) -> None:
    models = [after(Shown(made(), "waiting" if len(made().arms) == 1 and made().arms[0].name == "waiting" else None), weeks)
              for weeks in (0, 2, 40)]  # fmt: skip
    for panel in PANELS:
        alone = [image(panel, model) for model in models]
        assert all(png.startswith(b"\x89PNG") for png in alone)
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(lambda model, p=panel: image(p, model), models * 2)) == alone * 2


# ------------------------------------------------------------------------------------- the page itself, in a real browser

_NO_EXTRA = importlib.util.find_spec("solara") is None
needs_extra = pytest.mark.skipif(_NO_EXTRA, reason="the extra mesa-page is not installed; `make test-mesa-page` runs this")

#: A server that tells on standard error of every connection or look-up beyond this machine.
SERVER = """
import sys
HERE = ("127.0.0.1", "localhost", "::1", "0.0.0.0", "", None)
def told(event, args):
    place = args[1] if event == "socket.connect" else args
    if event in ("socket.connect", "socket.getaddrinfo") and isinstance(place, tuple) and place[0] not in HERE:
        print("beyond this machine:", event, place[:2], file=sys.stderr, flush=True)
sys.addaudithook(told)
from sim.views.mesa_page import serve
serve("127.0.0.1", 0, False)
"""


class Served:
    """A Mesa page as a process of its own, started in a folder."""

    def __init__(self, folder: Path) -> None:
        self.errors = folder / "errors.txt"
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen([sys.executable, "-c", SERVER], cwd=folder, env=environment, text=True,
                                            stdout=subprocess.PIPE, stderr=errors)  # fmt: skip
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", said)
        assert found, said + self.errors.read_text()
        self.address = found[0]

    def stop(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(timeout=15)
        finally:
            self.process.kill()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "scenarios", folder / "scenarios")
    (folder / "scenarios" / "broken.yaml").write_text("question: [")
    server = Served(folder)
    yield server
    server.stop()
    assert server.errors.read_text() == ""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        said = "no Chromium here (Debian: apt install chromium)"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=options)
        yield started
        started.close()


class Visitor:
    """One person's browser on the page; notes what goes wrong and where it asks."""

    def __init__(self, browser: Any, address: str) -> None:
        self.wrong: list[str] = []
        self.context = browser.new_context(viewport={"width": 1366, "height": 768})
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on("console", lambda said: self.wrong.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else self.wrong.append(r.url))
        self.page.on("response", lambda r: self.wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        self.page.goto(address)

    def sees(self, text: str) -> None:
        self.page.get_by_text(text).first.wait_for()

    def press(self, label: str) -> None:
        self.page.get_by_role("button", name=label, exact=True).click()

    def choose(self, label: str, value: str) -> None:
        self.page.locator(f'.v-select:has(label:text-is("{label}"))').click()
        self.page.locator(".menuable__content__active .v-list-item").get_by_text(value, exact=True).click()


@pytest.fixture
def visitors(browser: Any, served: Served) -> Iterator[list[Visitor]]:
    two = [Visitor(browser, served.address) for _ in range(2)]
    yield two
    for visitor in two:
        visitor.context.close()
        assert visitor.wrong == []


@needs_extra
def test_the_page_answers_and_allows_its_own_files_only(served: Served) -> None:
    with urllib.request.urlopen(served.address, timeout=10) as answer:
        policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "http" not in policy
    started = time.monotonic()
    with pytest.raises(urllib.error.HTTPError, match="404"):  # not looked for elsewhere
        urllib.request.urlopen(f"{served.address}_solara/cdn/vega@0.0.0/none.js", timeout=10)
    assert time.monotonic() - started < 2


@needs_extra
def test_each_visitor_has_a_model_of_their_own(visitors: list[Visitor]) -> None:
    one, other = visitors
    mine = offered(PAIRING).made()
    for visitor in visitors:
        visitor.sees(week_in_words(mine))
    other.choose("Therapists' style", "dismissing")
    other.press("Reset")
    theirs = Pairing(therapist="dismissing")
    other.sees(theirs.scenario.question)
    for _ in range(2):
        mine.step()
        one.press("Step")
        one.sees(week_in_words(mine))
    theirs.step()
    other.press("Step")
    other.sees(week_in_words(theirs))
    one.sees(week_in_words(mine))
    assert week_in_words(mine) != week_in_words(after(theirs, 1))
    for panel in PANELS:
        drawn = one.page.get_by_alt_text(panel.words(mine), exact=True)
        drawn.wait_for()
        assert drawn.evaluate("picture => picture.complete && picture.naturalWidth > 300")


@needs_extra
def test_a_scenario_is_played_to_its_end_and_reset(visitors: list[Visitor]) -> None:
    one, other = visitors
    one.choose("Scenario", "hello")
    model = Shown(sim.load(ROOT / "scenarios" / "hello.yaml"))
    one.sees(week_in_words(model))
    one.choose("Arm", "dismissing therapist")
    one.press("Reset")
    model = Shown(model.scenario, "dismissing therapist")
    one.sees(f"“{model.arm.name}”")
    one.press("▶")
    one.sees(week_in_words(after(model, 6)))
    assert one.page.get_by_role("button", name="Step", exact=True).is_disabled()
    one.press("Reset")
    one.sees(week_in_words(Shown(model.scenario, "dismissing therapist")))
    other.sees("Week 0 of 20")  # nothing of this is theirs


@needs_extra
def test_a_scenario_that_cannot_be_shown_is_said_to_be(visitors: list[Visitor]) -> None:
    one, _ = visitors
    one.choose("Scenario", "broken")
    one.sees("broken.yaml:2: is not valid YAML")
    one.choose("Scenario", "clinic_large")
    one.sees(f"this page shows at most {MOST_PEOPLE:,}")
    one.choose("Scenario", "clinic_first_free")
    one.press("Step")
    one.sees("Week 1 of 156")


@needs_extra
def test_everything_is_reached_by_keyboard_and_has_a_name(visitors: list[Visitor]) -> None:
    one, _ = visitors
    one.sees("Week 0 of 20")
    slider = one.page.get_by_role("slider", name="Clients")
    slider.press("ArrowRight")
    assert slider.get_attribute("aria-valuenow") == "61"
    one.page.get_by_role("button", name="Reset", exact=True).press("Enter")
    one.sees(week_in_words(Pairing(clients=61)))


@needs_extra
def test_control_c_ends_it_quietly_with_a_page_open(browser: Any, tmp_path: Path) -> None:
    server = Served(tmp_path)
    visitor = Visitor(browser, server.address)
    visitor.sees("Week 0 of 20")
    visitor.press("▶")
    visitor.sees("Week 1 of 20")
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 10
    assert server.errors.read_text() == ""
    visitor.sees("Server disconnected")
    visitor.context.close()


@needs_extra
def test_without_its_files_the_page_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from solara.server import settings\n"
        f"settings.assets.proxy_cache_dir = Path({str(tmp_path)!r})\n"
        "from sim.views.mesa_page import serve, MissingExtra\n"
        "try: serve('127.0.0.1', 0, False)\n"
        "except MissingExtra as e: sys.exit(f'told: {e}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "told: the Mesa page needs packages" in done.stderr and "(solara-assets)" in done.stderr
