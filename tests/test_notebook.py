"""What a notebook shows: public names only, small displays, one line for a repr, and advice where somebody assigns."""

from __future__ import annotations

import copy
import pickle
import pydoc
import re
from pathlib import Path
from typing import Any

import pytest

import sim
import sim.extend
from sim.catalogue.measures import CATALOGUE
from sim.errors import AttuneError, StoreError
from sim.screen import MOST_ROWS, html_table

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

USUAL = sim.from_spec({"question": "Does <it> help?", "arms": {"a & b": {}, "none": {"therapist": "none"}}, "clients_per_arm": 8,
                       "sessions": 3, "exchanges": 3}, "small")  # fmt: skip


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> Any:
    spec = {"batch": {"vary": {"trust_rate": [0.1, 0.3]}}}
    return sim.open_batch(sim.run_batch(USUAL.but(**spec), 1, tmp_path_factory.mktemp("shown") / "batch", workers=1))


@pytest.mark.parametrize("face", [sim, sim.extend, sim.measures, sim.plots], ids=lambda face: face.__name__)
def test_completion_offers_the_public_names_alone(face: Any) -> None:
    measures = CATALOGUE if face is sim.measures else ()  # each a function by its name
    assert dir(face) == sorted({*face.__all__, *measures})
    assert all(getattr(face, name) is not None for name in dir(face))


def test_everything_shows_small(batch: Any) -> None:
    """One line as text, a table of a few rows in a notebook, nothing in it read as markup."""
    run = sim.run(USUAL, seed=1)
    for shown in (USUAL, run, run.tables, batch):
        assert len(repr(shown)) < 160 and "\n" not in repr(shown), repr(shown)
        html = shown._repr_html_()
        assert html.startswith("<table>") and html.count("<tr>") <= MOST_ROWS + 2 and len(html) < 4000
    assert "Does &lt;it&gt; help?" in USUAL._repr_html_() and "a &amp; b" in run._repr_html_()
    assert repr(USUAL) == "Scenario('small': 2 arms, 8 clients each)"
    assert all(repr(thing).count("\n") == 0 and len(repr(thing)) < 120 for thing in (sim.Model(), sim.Parameters()))


def test_a_run_shows_what_its_tables_say() -> None:
    """Clients, who began, sessions attended and who dropped out, arm by arm."""
    run = sim.run(USUAL.but(dropout_base=-1.0), seed=2)
    mine = run.clients[run.clients["arm"] == "a & b"]
    left = f"{100 * (mine['ending'] == 'dropout').mean():.0f} %"
    attended = f"{mine['sessions_attended'].mean():.1f}"
    assert f"<td>{attended}</td><td>{left}</td>" in run._repr_html_() and left not in ("0 %", "100 %")
    assert '<td>none</td><td align="right">8</td><td align="right">0</td><td>–</td>' in run._repr_html_()


def test_a_run_of_nobody_shows_itself() -> None:
    """Without a client, and of a clinic to which nobody comes."""
    clinic = {"question": "?", "design": "clinic", "clinic": {"therapists": 1, "weeks": 4, "arrivals_per_week": 0}, "sessions": 2}
    nobody = sim.run(sim.from_spec(clinic, "empty"), 1)
    assert "clients: 0 x" in repr(nobody) and nobody._repr_html_().startswith("<table>")
    assert "clinics of 4 weeks" in repr(nobody.scenario)


def test_many_rows_are_not_all_shown() -> None:
    html = html_table("t", ["n"], [[i] for i in range(MOST_ROWS + 5)])
    assert "and 5 more" in html and html.count("<td") == MOST_ROWS + 1


def test_help_of_run_fits_on_a_screen() -> None:
    lines = pydoc.render_doc(sim.run, renderer=pydoc.plaintext).splitlines()  # type: ignore[attr-defined]
    assert len(lines) <= 24 and max(map(len, lines)) <= 240


def test_assigning_to_a_scenario_says_what_to_do() -> None:
    with pytest.raises(sim.ScenarioError, match=r"a scenario does not change; use its \.but\(sessions=\.\.\.\)"):
        USUAL.sessions = 4  # type: ignore[misc]
    with pytest.raises(sim.ScenarioError, match=r"use its \.but\(policies=\.\.\.\)"):
        USUAL.arms[0].policies = ()
    with pytest.raises(sim.ScenarioError, match=r"use its \.but"):
        del USUAL.sessions
    parameters = USUAL.arms[0].parameters
    changes = (lambda: parameters.update(trust_rate=0.9), lambda: parameters.pop("x", None), lambda: parameters.clear(),
               lambda: parameters.__setitem__("trust_rate", 0.9), lambda: parameters.setdefault("trust_rate", 0.9))  # fmt: skip
    for change in changes:
        with pytest.raises(sim.ScenarioError, match=r"use its \.but"):
            change()
    for again in (pickle.loads(pickle.dumps(USUAL)), copy.deepcopy(USUAL)):
        assert again == USUAL and again.arms[0].parameters == parameters
    assert USUAL.sessions == 3


def test_old_folders_are_refused_with_the_version_and_the_table(batch: Any, tmp_path: Path) -> None:
    """A run, a finished and an unfinished batch of 0.1: one message each that names the version and where the names stand."""
    import json

    from sim.storage import ledger, store
    from sim.storage.reading import opened

    folder = store.save(sim.run(USUAL, 1), tmp_path / "run")
    for place in (folder, batch.folder):
        path = place / "manifest.json"
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps({**manifest, "versions": {**manifest["versions"], "attune": "0.1.0"}}))
        for read in (opened, sim.open_run if place == folder else sim.open_batch):
            with pytest.raises(StoreError, match=r"was written by Attune 0\.1\.0.*docs/CHANGES\.md"):
                read(place)
        path.write_text(json.dumps(manifest))
    half = tmp_path / "half"
    half.mkdir()
    with ledger.held(half) as kept:
        kept.append({"begun": {"versions": {"attune": "0.1.0"}}, "on_error": "skip"})
    with pytest.raises(StoreError, match=r"was written by Attune 0\.1\.0.*docs/CHANGES\.md"):
        ledger.read(half)


@pytest.mark.parametrize(("text", "said"), [
    ("hold: {attachment: 0}\n", "hold: is not a key of a scenario - now called 'clamp' (the table in"),
    ("parameters: {fit_width: 0.2}\n", "unknown parameter 'fit_width' - now called 'attunement_width'"),
    ("cut: {therapist.response.fit: 0.2}\n", "there is no link 'therapist.response.fit' - now called "),
    ("batch: {vary: {match_sd: [0.1, 0.2]}}\n", "- now called 'compatibility_sd'"),
    ("batch: {vary: {trust_rate: [0.1, 0.2]}, luck: own}\n", "- now called 'random_numbers'"),
])  # fmt: skip
def test_old_names_in_a_scenario_say_what_they_are_called_now(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "old.yaml").write_text(f"question: Does it help?\n{text}")
    with pytest.raises(sim.ScenarioError) as refused:
        sim.load(tmp_path / "old.yaml")
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_old_names_in_a_page_address_say_what_they_are_called_now() -> None:
    from sim.classroom.course.state import read
    from sim.classroom.lessons import LESSONS
    from sim.errors import AddressError

    with pytest.raises(AddressError, match=r"'?fit_width'?.*now called 'attunement_width'"):
        read("both.fit_width=0.2", {name: {} for name in LESSONS}, next(iter(LESSONS)))


@pytest.mark.parametrize(("call", "said"), [
    (lambda: sim.run("hello.yaml", 1), r"a scenario is needed here, not str; sim\.load\(.hello\.yaml.\) reads one"),
    (lambda: sim.compare(USUAL, 3, [1]), "a scenario is needed here, not int"),
    (lambda: sim.compare(USUAL, USUAL, [1, 2, 1]), "seed 1 is given more than once"),
    (lambda: sim.compare(USUAL, USUAL, None), "seeds must be several numbers"),
    (lambda: sim.compare(USUAL, USUAL, [1], measure=[]), "name at least one measure"),
    (lambda: sim.plots.alliance_curves(USUAL), "alliance_curves draws a run, not Scenario"),
    (lambda: sim.extend.Policy("x", {}, {"warmth_trait": "a"}), "must be a number, not 'a'"),
    (lambda: sim.compare(USUAL, USUAL, [1], measure=3), "measure must be a name, a function of a run"),
    (lambda: sim.compare(USUAL, USUAL, [1], measure=[lambda _: 1.0, lambda _: 2.0]), "two measures are called '<lambda>'"),
    (lambda: sim.run_batch(USUAL, 1, "nowhere", workers="two"), "workers must be a whole number, not 'two'"),
    (lambda: sim.run_batch(USUAL, 1, "nowhere", chunk=0), "chunk must be at least 1, not 0"),
    (lambda: sim.Model().but(trust_rate=0.1), "this model has no parameters of its own"),
    (lambda: sim.run(USUAL, 1).tables["client"], "there is no table 'client' - did you mean 'clients'"),
])  # fmt: skip
def test_what_is_given_wrongly_in_python_gets_one_sentence(call: Any, said: str) -> None:
    with pytest.raises(AttuneError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value) and not Path("nowhere").exists()


def test_a_folder_whose_scenario_was_edited_is_not_read(batch: Any, tmp_path: Path) -> None:
    """Its tables are not those of that scenario."""
    from sim.storage import store

    folder = store.save(sim.run(USUAL, 1), tmp_path / "run")
    for place, read in ((folder, sim.open_run), (batch.folder, sim.open_batch)):
        path = place / "scenario.yaml"
        text = path.read_text()
        path.write_text(re.sub(r"^question: .*", "question: Something else?", text, flags=re.M))
        with pytest.raises(StoreError, match=r"scenario\.yaml: is not the scenario that was run"):
            read(place)
        path.write_text(text)
        read(place)


def test_a_run_and_a_batch_are_told_apart(batch: Any, tmp_path: Path) -> None:
    from sim.storage import store

    folder = store.save(sim.run(USUAL, 1), tmp_path / "run")
    for place, read, other in ((folder, sim.open_batch, "open_run"), (batch.folder, sim.open_run, "open_batch")):
        with pytest.raises(StoreError, match=rf"read it with sim\.{other}"):
            read(place)


def test_a_point_that_is_not_there_is_no_empty_table(batch: Any) -> None:
    with pytest.raises(AttuneError, match="there is no point 99; points are 0 to"):
        batch.against(99)
