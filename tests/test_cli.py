"""The command: what it prints, what it writes, and one clear line for everything that is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from sim.cli.main import main
from sim.theory.parameters import PARAMETERS
from sim.version import __version__

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

ROOT = Path(__file__).parents[1]
HELLO = str(ROOT / "scenarios" / "hello.yaml")


@dataclass
class Done:
    """What a call of the command left."""

    status: int
    out: str
    err: str


Attune = Callable[..., Done]


@pytest.fixture
def attune(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Attune:
    """The command, called in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Done:
        with pytest.raises(SystemExit) as stop:
            main([str(w) for w in words])
        captured = capsys.readouterr()
        code = stop.value.code
        return Done(code if isinstance(code, int) else 0, captured.out, captured.err)

    return call


def wrong(done: Done, *said: str) -> None:
    """Exit status 2, one line on stderr that says all this, and nothing on the other side."""
    assert done.status == 2, done
    assert len(done.err.strip().splitlines()) == 1 and "Traceback" not in done.err, done.err
    for words in said:
        assert words in done.err, done.err


def test_run_writes_everything_and_prints_the_answer(attune: Attune, tmp_path: Path) -> None:
    """Tables, manifest, log, figures and report; the question, a table and the places on the screen."""
    done = attune("run", HELLO, "--seed", 7)
    assert done.status == 0 and "report.html" in done.out and "seed 7" in done.out and done.err == ""
    (folder,) = (tmp_path / "results" / "hello").iterdir()
    there = {p.name for p in folder.iterdir()}
    tables = {"clients.parquet", "sessions.parquet", "assessments.parquet", "exchanges.parquet"}
    assert there >= {"manifest.json", "scenario.yaml", "run.log", "figures", "report.html", *tables}
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["id"] == folder.name and manifest["seed"] == 7
    assert any((folder / "figures").glob("*.png"))
    again = attune("run", HELLO, "--seed", 7)
    assert again.status == 0 and "read from disk" in again.out
    elsewhere = attune("run", HELLO, "--seed", 7, "--out", "here/and there", "--workers", 1)
    assert elsewhere.status == 0
    for name in sorted(tables):
        assert (tmp_path / "here/and there" / name).read_bytes() == (folder / name).read_bytes()
    resolved = attune("run", folder / "scenario.yaml", "--seed", 7, "--out", "resolved")
    assert resolved.status == 0, "the resolved scenario is a scenario"
    wrong(attune("run", HELLO, "--out", "here/and there"), "not empty")


def test_report_is_written_anew(attune: Attune) -> None:
    """The report of a folder can be made again, and comes out the same."""
    attune("run", HELLO, "--out", "r")
    before = Path("r/report.html").read_bytes()
    Path("r/report.html").unlink()
    assert attune("report", "r").status == 0
    assert Path("r/report.html").read_bytes() == before
    wrong(attune("report", "nowhere"), "nowhere", "there is no such folder")


def test_check_says_what_would_run(attune: Attune) -> None:
    """Arms, people, weeks, changed numbers."""
    done = attune("check", ROOT / "scenarios" / "rupture_repair.yaml")
    assert done.status == 0 and "valid" in done.out and "repair_effort=0" in done.out


def test_new_writes_a_scenario_that_runs(attune: Attune) -> None:
    """The commented start is valid as it is, and never overwrites."""
    assert attune("new", "mine").status == 0
    assert attune("check", "mine.yaml").status == 0
    before = Path("mine.yaml").read_text()
    wrong(attune("new", "mine"), "already exists")
    assert Path("mine.yaml").read_text() == before
    for name in ("../up", "", ".hidden", "a/b"):
        wrong(attune("new", name), "cannot be a scenario's name")


def test_new_writes_among_the_scenarios(attune: Attune, tmp_path: Path) -> None:
    """Where a folder ``scenarios`` with a schema is, the new file goes there and names the schema."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "schema.json").write_text("{}")
    assert attune("new", "mine.yaml").status == 0
    assert (tmp_path / "scenarios" / "mine.yaml").read_text().startswith("# yaml-language-server: $schema=schema.json")


def test_params_lists_every_number(attune: Attune) -> None:
    """As JSON with all that is declared; a word narrows the list; an unknown word gets a hint."""
    every = json.loads(attune("params", "--json").out)
    assert [n["name"] for n in every] == list(PARAMETERS)
    assert set(every[0]) >= {"name", "default", "unit", "low", "high", "source", "status", "meaning"}
    assert "avoidance_warmth_cost" in attune("params", "warmth").out
    wrong(attune("params", "repair_efort"), "did you mean 'repair_effort'")
    wrong(attune("params", "warmth", "--policies"), "do not go with --policies")
    wrong(attune("params", "wrmth"), "did you mean 'warmth'")
    wrong(attune("params", "supervis"), "attune params --clinic lists regular_supervision")


def test_trace_looks_inside_a_session(attune: Attune, tmp_path: Path) -> None:
    """One row per exchange; every quantity goes to a CSV file, and beside it stands that it is synthetic."""
    done = attune("trace", HELLO, "--arm", "dismissing therapist", "--client", 3, "--session", 2, "--csv", "inside.csv")
    assert done.status == 0 and "client 3, session 2" in done.out and "WAI" in done.out
    assert "synthetic" in (tmp_path / "inside.csv.txt").read_text().splitlines()[0]
    table = pd.read_csv(tmp_path / "inside.csv")
    assert {"client_arousal", "therapist_felt", "therapist_response"} <= set(table.columns)
    wrong(attune("trace", HELLO, "--csv", "inside.csv"), "already exists")


@pytest.mark.parametrize(("words", "said"), [
    (("--arm", "dismising therapist"), "did you mean 'dismissing therapist'"),
    (("--client", 999), "numbered 0 to 19"),
    (("--replicate", 1), "numbered 0 to 0"),
    (("--session", 99), "--session must be 1 to"),
])  # fmt: skip
def test_trace_of_what_is_not_there(attune: Attune, words: tuple[object, ...], said: str) -> None:
    """An arm, client, replicate or session that does not exist is named, with what does."""
    wrong(attune("trace", HELLO, *words), said)


def test_trace_needs_a_therapist(attune: Attune, tmp_path: Path) -> None:
    """Nothing happens in a session that is not held."""
    (tmp_path / "s.yaml").write_text("question: q\ntherapist: none\n")
    wrong(attune("trace", "s.yaml"), "no therapist")


@pytest.mark.parametrize(("text", "said"), [
    ("question: q\nclient: fearfull\n", "s.yaml:2"),
    ("question: q\nsesions: 3\n", "did you mean 'sessions'"),
    ("question: q\nsessions: .nan\n", "sessions"), ("", "empty"), ("- 1\n- 2\n", "s.yaml"),
    ("question: q\nquestion: p\n", "s.yaml:2"),
    ("question: [\n", "s.yaml"),
    ("question: q\nextends: nowhere\n", "nowhere"), ("question: q\nextends: s\n", "s"),
    ("question: q\nparameters: {trust_rate: 7}\n", "between 0 and 1"),
    ("question: q\nparameters: {trust_rat: 0.1}\n", "'trust_rate'"),
    ("question: q\nlesions: {client.vlpcf: 0}\n", "'client.vlpfc'"), ("\x00\x01", "s.yaml"),
])  # fmt: skip
@pytest.mark.parametrize("verb", ["run", "check"])
def test_bad_scenarios_give_one_line_and_write_nothing(attune: Attune, tmp_path: Path, verb: str, text: str, said: str) -> None:
    """What, where, and what would be valid; status 2; nothing half-written."""
    (tmp_path / "s.yaml").write_text(text)
    wrong(attune(verb, "s.yaml"), said)
    assert [p.name for p in tmp_path.iterdir()] == ["s.yaml"]


def test_places_that_cannot_be_read_or_written(attune: Attune, tmp_path: Path) -> None:
    """No file, a folder for a file, an output under a file: one line each, found before the work is done."""
    wrong(attune("run", "nowhere.yaml"), "nowhere.yaml")
    wrong(attune("run", tmp_path), str(tmp_path))
    (tmp_path / "file").write_text("")
    wrong(attune("run", HELLO, "--out", "file/out"), "cannot be written")
    assert attune("run", HELLO, "--seed", -1).status == 2
    assert attune("run", HELLO, "--workers", 0).status == 2
    assert attune("walk").status == 2
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_crash_on_the_way_writes_nothing(attune: Attune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State out of range is status 1 and a sentence; Ctrl-C is 130; neither leaves a file."""
    import sim.runs.run as running
    from sim.errors import StateError

    def out_of_range(*_: object, **__: object) -> None:
        raise StateError("week 1, dyad 0: client_trust is nan")

    monkeypatch.setattr(running, "run", out_of_range)
    done = attune("run", HELLO)
    assert done.status == 1 and "client_trust is nan" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("words", "said"), [
    (("run", HELLO, "--anew"), "--anew is now called --restart (the table in docs/CHANGES.md"),
    (("validate", "--rivals"), "--rivals is now called --competing"),
    (("validate", "--write"), "--write is now called --keep"),
    (("run", HELLO, "--sed", 3), "Possible options: --seed"),
    (("run", HELLO, "--seed"), "--seed"),
    (("run", HELLO, "--seed", "x"), "--seed"),
    (("run", HELLO, "--force=1"), "--force"),
    (("rn", HELLO), "Did you mean 'run'?"),
    (("run",), "scenario"),
])  # fmt: skip
def test_options_that_cannot_be(attune: Attune, tmp_path: Path, words: tuple[object, ...], said: str) -> None:
    """Status 2, what is meant, and what an option of 0.1 is called now."""
    done = attune(*words)
    assert done.status == 2 and done.out == "" and said in done.err and "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["sim.cli.main", "numpy"])
def test_ctrl_c_is_answered_while_the_program_is_read(module: str) -> None:
    """Whatever is being imported: one line, status 130."""
    code = (
        "import sys\n"
        "class Stop:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == {module!r}: raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stop())\n"
        f"sys.argv = ['attune', 'run', {HELLO!r}, '--out', 'nowhere']\n"
        "from sim.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 130 and done.stderr == "attune: stopped; nothing is left half-written\n", done
    assert not (ROOT / "nowhere").exists()


def test_version_and_help(attune: Attune) -> None:
    """The version is that of the package; help names the verbs."""
    assert __version__ in attune("--version").out
    help_text = attune("--help").out
    for verb in ("run", "check", "new", "params", "trace", "report"):
        assert verb in help_text
    assert "not a clinical tool" in help_text


def test_help_reads_nothing_slow() -> None:
    """``attune --help`` lists every command with its first sentence, and imports none of them."""
    code = (
        "import sys\n"
        "from sim.cli.main import COMMANDS, main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print(set(COMMANDS.values()) & {m.removeprefix('sim.cli.') for m in sys.modules})\n"
        "print([m for m in ('pandas', 'numpy', 'numba', 'scipy.stats', 'matplotlib', 'mesa') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.endswith("set()\n[]\n") and "replay       Say where a run of a batch failed" in done.stdout, done


def test_python_m_sim_is_the_command() -> None:
    """``python -m sim`` does what ``attune`` does, and is quiet when not on a terminal."""
    done = subprocess.run([sys.executable, "-m", "sim", "--version"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0 and done.stdout.strip() == f"attune {__version__}" and done.stderr == ""
