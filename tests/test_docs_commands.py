"""What README and docs say that can be tried: every command is one, every number about the project is counted."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

import sim
from sim.batch.chunk import BLOCK
from sim.batch.plan import MOST_TASKS
from sim.classroom.course.words import words
from sim.classroom.lessons import LESSONS
from sim.cli.main import COMMANDS, app
from sim.evidence.calibration.free import FREE
from sim.evidence.claims.contrasts import contrasts
from sim.people.population import ecr_score
from sim.scenario.points import points_of
from tools.docs.house import MOST_FILES, MOST_LINES
from tools.docs.validation import BY_HAND

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in
         ("BATCHES", "DESIGN", "EXTENDING", "ODD", "TABLES", "TEACHING", "VALIDATION"))]  # fmt: skip
TEXT = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
EVERYTHING = "\n".join(TEXT.values())
#: Lines that a reader copies, and those in a sentence that say more than the name of the command.
COPIED = list(dict.fromkeys(re.findall(r"^    attune (.+?)(?:\s+#.*)?$", EVERYTHING, re.M)))
NAMED = list(dict.fromkeys(re.findall(r"`attune (\w+ [^`]+)`", EVERYTHING)))
#: Copied lines that the test of all does not run, and why.
NOT_RUN = {
    "app": "serves until it is stopped; test_app asks the page itself",
    "run scenarios/overnight.yaml --cluster tcp://the-scheduler:8786": "an hour or two, on a cluster; test_batch_cluster has one",
    "status results/overnight/batch-seed-1": "of that batch",
    "replay results/overnight/batch-seed-1": "of that batch",
}
#: What a copied line needs that no line before it makes.
BEFORE = {"compare": "run scenarios/sweep_repair.yaml --seed 2"}


@pytest.mark.parametrize("line", [*COPIED, *NAMED])
def test_every_command_of_the_docs_is_understood(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is there, and so is each of its options."""
    monkeypatch.chdir(ROOT)
    verb, *words = shlex.split(re.sub(r"<id>|\bN\b", "1", line))
    command = typer.main.get_command(app)
    context = command.make_context("attune", [verb, *words], resilient_parsing=False)
    name, found, rest = command.resolve_command(context, [verb, *words])  # type: ignore[attr-defined]
    found.make_context(name, list(rest))
    assert verb in COMMANDS


@pytest.mark.deep
def test_the_commands_of_the_docs_run(tmp_path: Path) -> None:
    """In the order in which they stand, in a folder with the scenarios and nothing else: each ends well."""
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    assert set(NOT_RUN) <= set(COPIED)
    for line in COPIED:
        if line in NOT_RUN:
            continue
        for one in filter(None, (BEFORE.get(line.split()[0]), line)):
            if "<id>" in one:
                (made,) = (tmp_path / "results" / "my_question").iterdir()
                one = one.replace("<id>", made.name)
            words = [sys.executable, "-m", "sim", *shlex.split(one)]
            done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, (one, done.stderr[-2000:])


def test_other_commands_of_the_docs_are_there() -> None:
    """``make`` has the targets, Python the modules."""
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"(?:`|^    )make ([a-z-]+)", EVERYTHING, re.M))
    assert {"run", "test", "locks"} <= named and named - targets == set()
    modules = set(re.findall(r"`python -m ([\w.]+)", EVERYTHING))
    assert {"sim", "tools.docs"} <= modules
    assert [name for name in modules if importlib.util.find_spec(name) is None] == []


def therapies(name: str) -> int:
    return len([arm for arm in sim.load(ROOT / "scenarios" / f"{name}.yaml").arms if arm.therapist is not None])


#: What a page says, and what it comes to.
COUNTED = [
    ("README.md", "runs sixteen pairings", lambda: therapies("style_pairings") == 16),
    ("README.md", "seconds, twenty clients", lambda: sim.load(ROOT / "scenarios" / "hello.yaml").clients_per_arm == 20),
    ("README.md", "Nine lessons", lambda: TEXT["TEACHING.md"].partition("| lesson |")[2].partition("\n\n")[0].count("\n| ") == 9),
    ("README.md", "a service of 5,000 therapists", lambda: clinic("therapists") == 5000),
    ("README.md", "(200,000 clients", lambda: abs(clinic("arrivals_per_week") * clinic("weeks") - 200_000) < 4000),
    ("README.md", "twelve points", lambda: len(points_of(sim.load(ROOT / "scenarios" / "sweep_repair.yaml"))) == 12),
    ("README.md", "1024 points", lambda: len(points_of(sim.load(ROOT / "scenarios" / "overnight.yaml"))) == 1024),
    ("README.md", "about a hundred such contrasts", lambda: 90 <= len(contrasts()) <= 110),
    ("README.md", "21 parameters", lambda: len(FREE) == 21),
    ("README.md", "(and 95 set by hand or by a search", lambda: len(BY_HAND) == 95),
    ("README.md", "(ECR scores, 1 to 7)", lambda: (ecr_score(0.0), ecr_score(1.0)) == (1.0, 7.0)),
    ("DESIGN.md", "at most 12 files and 2,700 lines", lambda: (MOST_FILES, MOST_LINES) == (12, 2700)),
    ("BATCHES.md", "in blocks of 2,000", lambda: BLOCK == 2000),
    ("BATCHES.md", "may be a million tasks at most", lambda: MOST_TASKS == 1_000_000),
]  # fmt: skip


def clinic(key: str) -> int:
    return int(sim.load(ROOT / "scenarios" / "clinic_large.yaml").spec["clinic"][key])


@pytest.mark.parametrize(("page", "said", "holds"), COUNTED, ids=[said for _, said, _ in COUNTED])
def test_a_number_on_a_page_is_what_there_is(page: str, said: str, holds: object) -> None:
    assert said in " ".join(TEXT[page].split()) and callable(holds) and holds()


def test_the_table_of_lessons_is_the_menu() -> None:
    """Every lesson by its title, in the order of the menu."""
    rows = re.findall(r"^\| ([^|]+) \| ", TEXT["TEACHING.md"].partition("## The lessons")[2].partition("## Practical")[0], re.M)
    titles = [words()["lessons"][name]["title"] for name in LESSONS if name != "sandbox"]
    assert rows[1:] == [re.sub(r"^\d+ +", "", title) for title in titles]


BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT["BATCHES.md"], re.S)


def test_the_yaml_of_the_page_of_batches_is_understood() -> None:
    """Each factor of the example by itself, with the arms and the design that it is about; then the rule to stop by."""
    first, until = (yaml.safe_load(block)["batch"] for block in BLOCKS)
    base = {"question": "Does it help?", "arms": {"usual": {}, "early repair": {}}}
    vary = first.pop("vary")
    assert len(vary) == 6
    for address, levels in vary.items():
        alone = {**base, "design": "clinic"} if address.startswith("clinic.") else base
        points = points_of(sim.from_spec({**alone, "batch": {**first, "vary": {address: levels}}}, "page"))
        assert len(points) == (levels["steps"] if isinstance(levels, dict) else len(levels))
    assert sim.from_spec({**base, "batch": until}, "page").batch.until.most == 500  # type: ignore[union-attr]
