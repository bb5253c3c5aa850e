"""The Mesa page without a browser: what it offers and draws is the model's. In a browser: ``test_mesa_browser``."""

from __future__ import annotations

import inspect
import re
import socket
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

import sim
from sim.errors import ScenarioError, ServingError
from sim.mesa import choices as mesa_shown
from sim.mesa import page as mesa_page
from sim.mesa.choices import MOST_PEOPLE, PAIRING, Offer, Pairing, Shown, choices, offered
from sim.mesa.model import TherapyModel
from sim.mesa.panels import PANELS, Panel, image, plane, some, week_in_words
from sim.report.drawing import picture, styled
from sim.serving import address_of, listening
from sim.theory.parameters import PARAMETERS

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
        with pytest.raises(ServingError, match=rf"--port: {port} is in use"):
            listening("127.0.0.1", port)
    listening("127.0.0.1", port).close()  # and is free again


@pytest.mark.parametrize(("host", "port", "said"), [
    ("127.0.0.1", 65536, "from 0"), ("127.0.0.1", -1, "from 0"), ("no.such.host.invalid", 0, "--host: 'no.such.host.invalid'"),
    ("192.0.2.1", 0, "--host: '192.0.2.1' is not an address of this machine"), ("a" * 70 + ".b", 0, "--host"),
])  # fmt: skip
def test_a_host_or_port_that_cannot_be_is_refused(host: str, port: int, said: str) -> None:
    with pytest.raises(ServingError, match=re.escape(said)):
        listening(host, port)


@pytest.mark.parametrize(("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("localhost", None), ("0.0.0.0", "127.0.0.1"),
                                             ("::1", "[::1]")])  # fmt: skip
def test_the_address_that_is_told_leads_there(host: str, shown: str | None) -> None:
    try:
        listener = listening(host, 0)
    except ServingError:
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
    assert all(name in arguments or ("kwargs" in arguments and name in PARAMETERS) for name in offer.controls)
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
        number, control = PARAMETERS[name], controls[name]
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
    stands = {"censored": "in therapy", "planned": "finished", "improved": "finished", "dropout": "dropped out"}
    ended = model.tables()["clients"].set_index("client")["ending"]
    assert set(ended) == {"censored", "improved", "dropout"}  # else little is tested
    for stand in ("in therapy", "finished", "dropped out", "not in therapy"):
        people[f"client, {stand}"] = [c for c in model.clients if stands[ended[c.number]] == stand]
    assert set(drawn) == set(people)
    for label, group in people.items():
        assert np.array_equal(drawn[label], np.reshape([(p.ecr_anxiety, p.ecr_avoidance) for p in group], (-1, 2))), label
    (lines,) = (c for c in ax.collections if hasattr(c, "get_segments"))
    began, now = np.stack(lines.get_segments()).swapaxes(0, 1)
    assert np.allclose(began, model.start) and np.allclose(now, [(c.ecr_anxiety, c.ecr_avoidance) for c in model.clients])


@pytest.mark.parametrize("number", [0, 1, 299, 300, 301, 5000])
def test_too_many_people_are_thinned_evenly(number: int) -> None:
    people: list[Any] = list(range(number))
    kept = some(people)
    assert len(kept) <= 300 and (number > 300 or kept == people)
    assert len(kept) > min(number, 300) / 2 - 1 and len({b - a for a, b in pairwise(kept)}) <= 1


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


@pytest.mark.parametrize(("arm", "weeks"), [(None, 0), (None, 40), ("waiting", 2), ("clinic", 0), ("clinic", 2)])
def test_every_figure_can_be_drawn_at_any_time(arm: str | None, weeks: int) -> None:
    both = scenario(arms={"waiting": {"therapist": "none"}, "seen": {}})
    model = after(Shown(clinic()) if arm == "clinic" else Shown(both, arm), weeks)
    for panel in PANELS:
        assert image(panel, model).startswith(b"\x89PNG")
    said = {text.get_text() for text in lines(1, model)[1].texts}
    empty = "nobody has come yet" if (arm, weeks) == ("clinic", 0) else "no sessions so far"
    assert (empty in said) == (arm == "waiting" or (arm, weeks) == ("clinic", 0))


def test_figures_are_drawn_one_at_a_time_and_never_while_a_week_is_lived() -> None:
    at_work, most = [0], [0]
    models = [Shown(scenario(), seed=seed) for seed in (1, 2)]

    def draw(model: Shown, ax: Any) -> None:
        at_work[0] += 1
        most[0] = max(most[0], at_work[0])
        assert model.lock.locked()
        time.sleep(0.02)
        at_work[0] -= 1

    with ThreadPoolExecutor(4) as threads:
        assert len({*threads.map(lambda model: image(Panel(draw, week_in_words), model), models * 4)}) == 2
    assert most == [1]
    world, step = models[0].world, Thread(target=models[0].step, daemon=True)
    with models[0].lock:  # as if it were being drawn
        step.start()
        step.join(timeout=0.5)
        assert step.is_alive() and world.week == 0
    step.join(timeout=60)
    assert world.week == 1
