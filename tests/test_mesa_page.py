"""The Mesa page without a browser: what it offers is the model's. In a browser: ``test_mesa_browser``."""

from __future__ import annotations

import inspect
import re
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sim
from sim.classroom.serving import address_of, listening
from sim.errors import MissingExtra, ScenarioError, ServingError
from sim.mesa.choices import MOST_PEOPLE, PAIRING, SLIDERS, Pairing, choices, made, offered, plane_of, week_in_words
from sim.mesa.model import TherapyModel
from sim.mesa.page import application
from sim.scenario.reading import shipped
from sim.theory.parameters import PARAMETERS
from sim.therapy.endings import IN_THERAPY
from sim.version import __version__

ROOT = Path(__file__).resolve().parents[1]
LEAVING = {"dropout_base": -2.0, "good_enough_prob": 0.3, "good_enough_sessions": 2}


def scenario(**spec: Any) -> sim.Scenario:
    people = {"client": "population", "therapist": "population", "clients_per_arm": 30, "sessions": 6, "parameters": LEAVING}
    return sim.from_spec({"question": "Is it shown?", **people, **spec}, "shown")


def after(model: TherapyModel, weeks: int) -> TherapyModel:
    for _ in range(weeks):
        model.step()
    return model


# --------------------------------------------------------------------------------------------------- without the extra


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "solara"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "solara", None)  # importing it fails, as if it were not installed
    with pytest.raises(MissingExtra) as missing:
        application("127.0.0.1")
    said = str(missing.value)
    assert isinstance(missing.value, ValueError) and "(solara" in said
    extra = re.search(rf"-m pip install 'attune\[(.+)\]=={re.escape(__version__)}'", said)
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


def test_the_pairing_is_the_scenario_one_would_write() -> None:
    model = Pairing("fearful", "dismissing", clients=12, sessions=5, seed=4, repair_effort=0.25)
    written = sim.from_spec({"question": "Q?", "client": "fearful", "therapist": "dismissing", "clients_per_arm": 12,
                             "sessions": 5, "parameters": {"repair_effort": 0.25}}, "written")  # fmt: skip
    run, mine = sim.run(written, seed=4), after(model, 5).tables()
    for name in ("clients", "sessions"):
        columns = [c for c in run.tables[name] if c != "arm"]
        assert mine[name][columns].equals(run.tables[name][columns]), name
    assert {client.style for client in Pairing("fearful", clients=8).clients} == {"fearful"}


# ----------------------------------------------------------------------------------------------------------- controls


def test_every_shipped_scenario_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert choices() == [PAIRING, *sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))]
    refused = []
    for choice in choices():
        try:
            check(*offered(choice))
        except ScenarioError as e:
            refused.append((choice, str(e)))
    assert [choice for choice, _ in refused] == ["clinic_large"]
    assert f"at most {MOST_PEOPLE:,}" in refused[0][1] and "attune run" in refused[0][1]


def check(kind: type[TherapyModel], controls: dict[str, Any]) -> None:
    """Every argument is one of the model's, and every control starts at one of its own values."""
    arguments = inspect.signature(kind.__init__).parameters
    assert all(name in arguments or ("kwargs" in arguments and name in PARAMETERS) for name in controls)
    for control in controls.values():
        if not isinstance(control, dict):
            continue
        if control["type"] == "Select":
            assert control["value"] in control["values"]
        else:
            assert control["min"] <= control["value"] <= control["max"] and control["step"] > 0
            places = (control["value"] - control["min"]) / control["step"]
            assert abs(places - round(places)) < 1e-6, "a slider moves to the next place that it has, and the value with it"
    assert isinstance(made(kind, controls), kind)


def test_each_end_of_each_control_makes_a_model() -> None:
    kind, controls = offered(PAIRING)
    usual = {name: control["value"] for name, control in controls.items()} | {"clients": 4, "sessions": 2}
    for name, control in controls.items():
        for value in control.get("values", [control.get("min"), control.get("max")]):
            model = after(kind(**{**usual, name: value}), 1)
            assert model.steps == 1, (name, value)


def test_sliders_of_the_model_have_the_range_of_its_declaration() -> None:
    _, controls = offered(PAIRING)
    for name in SLIDERS:
        number, control = PARAMETERS[name], controls[name]
        assert (control["value"], control["min"], control["max"]) == (number.default, number.low, number.high)


def test_a_file_offers_its_arms_and_replicates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)

    assert choices() == [PAIRING, *shipped()]
    folder = tmp_path / "scenarios"
    folder.mkdir()
    written = scenario(arms={"waiting": {"therapist": "none"}, "seen": {}}, replicates=3)
    (folder / "mine.yaml").write_text(written.to_yaml())
    (folder / "broken.yaml").write_text("question: [")
    assert choices() == [PAIRING, "broken", "mine"]  # where there are some, theirs
    _, controls = offered("mine")
    assert controls["arm"]["values"] == ["waiting", "seen"] and controls["arm"]["value"] == "seen"
    assert controls["replicate"]["max"] == 2
    with pytest.raises(ScenarioError, match=r"broken\.yaml:\d+: "):
        offered("broken")
    (folder / "mine.yaml").unlink()
    with pytest.raises(ScenarioError, match="mine"):
        offered("mine")


# ------------------------------------------------------------------------------------------------------------ words


def test_words_say_what_the_model_counts() -> None:
    model = after(Pairing(clients=20, sessions=3, seed=5), 3)
    counted = sum(client.ending == "dropout" for client in model.clients)
    distress = sum(client.distress for client in model.clients) / 20
    said = week_in_words(model)
    assert said.startswith(f"Week 3 of 3: 0 of 20 simulated clients are in therapy, {counted} have dropped out; ")
    assert said.endswith(f"distress {distress:.2f}. The end.")
    assert "The end" not in week_in_words(Pairing(clients=20))


def test_the_plane_shows_anxiety_to_the_right_and_avoidance_upwards() -> None:
    model = after(TherapyModel(scenario(), seed=3), 4)
    ax = plane_of(model).axes[0]
    shown = {str(dots.get_label()): np.asarray(dots.get_offsets()) for dots in ax.collections}
    clients, here = model.world.clients, model.world.ending == IN_THERAPY
    assert here.any() and not here.all()
    for label, rows in (("in therapy", here), ("not in therapy", ~here)):
        assert shown[label] == pytest.approx(1 + 6 * np.column_stack([clients.anxiety[rows], clients.avoidance[rows]])), label
    therapists = model.world.therapists
    assert shown["therapist"] == pytest.approx(1 + 6 * np.column_stack([therapists.anxiety, therapists.avoidance]))
    assert "anxiety" in ax.get_xlabel() and "avoidance" in ax.get_ylabel()
