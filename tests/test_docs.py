"""Docs: generated blocks are fresh, and every Python block of README and docs runs as it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib
import pytest

import sim
from sim.engine.native import source
from sim.engine.wiring import trace_columns
from sim.measurement.asked import Ask
from sim.people.life import LIFE
from sim.people.state import DYAD
from sim.theory.claims import claims, claims_of, public_equations
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import intact
from sim.theory.steps import Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.session import SESSION
from sim.therapy.verbs import SESSION_RULES, VERBS
from tools.docs.__main__ import BLOCKS, DOCS, WHOLE, refreshed
from tools.docs.tables import session_wiring_table, wiring_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
#: The examples of EXTENDING.md are run in test_extending, which also looks at what comes out.
EXAMPLES = [page for page in PAGES if page.name != "EXTENDING.md"]
CODE = [
    (page, i, block) for page in EXAMPLES for i, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(), re.S))
]


def written_by_hand(page: str) -> str:
    """A page without its generated blocks."""
    return re.sub(r"<!-- generated: .*?<!-- end -->", "", (DOCS / page).read_text(encoding="utf-8"), flags=re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_generated_blocks_are_fresh(page: Path) -> None:
    """``python -m tools.docs`` would change nothing."""
    text = page.read_text(encoding="utf-8")
    assert refreshed(text) == text, "run: python -m tools.docs"


@pytest.mark.parametrize("page", WHOLE, ids=lambda p: p.name)
def test_generated_files_are_fresh(page: Path) -> None:
    """Nor would it change what is made as a whole."""
    assert WHOLE[page]() == page.read_text(encoding="utf-8"), "run: python -m tools.docs"


def test_every_block_is_on_a_page() -> None:
    """No generator without a reader."""
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in BLOCKS if f"<!-- generated: {name} -->" not in text] == []


def test_odd_has_the_headings_of_the_protocol() -> None:
    """Seven elements, in the order of the second update, and the eleven design concepts."""
    text = (DOCS / "ODD.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.M) == [
        "1 Purpose and patterns", "2 Entities, state variables and scales", "3 Process overview and scheduling",
        "4 Design concepts", "5 Initialization", "6 Input data", "7 Submodels",
    ]  # fmt: skip
    concepts = text[text.index("## 4 ") : text.index("## 5 ")]
    assert re.findall(r"^\*\*(\w[\w ]+)\.\*\*", concepts, re.M) == [
        "Basic principles", "Emergence", "Adaptation", "Objectives", "Learning", "Prediction", "Sensing", "Interaction",
        "Stochasticity", "Collectives", "Observation",
    ]  # fmt: skip


def test_names_in_the_odd_exist() -> None:
    """Every name in the hand-written text occurs in the code; one that does not was renamed."""
    text = written_by_hand("ODD.md")
    code = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "sim").rglob("*.py"))
    named = set(re.findall(r"`(\w*[a-zA-Z0-9])`", text))
    assert "healing_lasting_share" in named
    assert named - set(re.findall(r"\w+", code)) == set()


def _equations(steps: Iterable[Step | Ask]) -> list[str]:
    """The names of the model's equations (not of plain arithmetic) among steps."""
    return [step.equation.__name__ for step in steps if isinstance(step, Step) and step.equation in public_equations()]


def test_the_odd_tells_every_verb_and_every_equation_of_a_session() -> None:
    """A verb, or an equation that a verb applies, is told in the hand-written text of 7.3: a table alone is not enough.

    So are equations of a week of life in 7.4, and those of what is asked in 7.6.
    """
    text = written_by_hand("ODD.md")
    asking = [verb for verb in VERBS if any(isinstance(step, Ask) for step in verb.steps)]
    others = [verb for verb in VERBS if verb not in asking]
    wanted = {
        "7.3": [verb.__name__ for verb in SESSION] + [name for verb in others for name in _equations(verb.steps)],
        "7.4": _equations(LIFE),
        "7.6": [name for verb in asking for name in _equations(verb.steps)],
    }
    assert {"consolidate", "secured", "generalised", "anchored"} <= set(wanted["7.3"]) and "faded" in wanted["7.4"]
    assert {"rated_share", "core_share"} <= set(wanted["7.6"])
    for section, names in wanted.items():
        told = re.split(r"^### ", text[text.index(f"### {section} ") + 4 :], maxsplit=1, flags=re.M)[0]
        assert [name for name in dict.fromkeys(names) if f"`{name}`" not in told] == [], section


def test_consolidation_is_told_in_its_order() -> None:
    """The alliance works on attachment before the general model learns from it, and it gives way a little."""
    text = written_by_hand("ODD.md")
    told = text[text.index("*Consolidation*") : text.index("*Ratings*")]
    parameters = ("`secured`", "`carried_attachment`", "`generalised`", "`anchored`", "`session_carry_rate`", "`sustained_rate`")
    assert sorted(parameters, key=told.index) == list(parameters)


def test_the_session_wiring_table_holds_every_rule() -> None:
    """One row for each rule, in the order of the verbs; every argument is a quantity read or a number."""
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in session_wiring_table().splitlines()[2:]]
    assert sorted(row[2].strip("`") for row in rows) == sorted(rule.name for rule in SESSION_RULES)
    verbs = [row[1].strip("`") for row in rows]
    order = [verb.__name__ for verb in SESSION]
    assert verbs == sorted(verbs, key=order.index)
    secured = [row for row in rows if row[2] == "`client.secured`"]
    numbers = "`plasticity`, `alliance_security_rate`, `alliance_typical`"
    assert [row[3:6] for row in secured] == [
        [f"`client_{name}`, `client_alliance`", numbers, f"`client_{name}`"] for name in ("anxiety", "avoidance")
    ]


def test_histories_are_told_as_they_end() -> None:
    """The styles that section 1 of the ODD names are those of the table of histories, in its order."""
    page = (DOCS / "DESIGN.md").read_text(encoding="utf-8")
    block = page.partition("<!-- generated: histories -->")[2].partition("<!-- end -->")[0]
    styles = [row.strip(" |").rpartition(" | ")[2] for row in block.strip().splitlines()[2:]]
    told = " ".join(written_by_hand("ODD.md").partition("- *Histories*:")[2].partition("\n- ")[0].split())
    assert f"teach the {', '.join(styles[:-1])} and {styles[-1]} strategies" in told


def _steps_of(text: str) -> list[tuple[str, list[str], list[str]]]:
    """Each step of a generated exchange, as its text alone says it: the equation, what it takes, and what it writes, by name.

    A place of the block means the dyad column that is loaded there, the draw that fills it, and what a trace keeps of it; where
    it has several of these, they agree.
    """
    columns, numbers, places = list(DYAD), (*PARAMETERS, *intact()), dict[str, str]()
    lists = {name: given.split(", ") for name, given in re.findall(r"^(\w+) = np\.array\(\[(.*)\], np\.int64\)$", text, re.M)}
    found = [(place, columns[int(k)]) for place, k in zip(lists["LOADED_SLOTS"], lists["LOADED_COLUMNS"], strict=True)]
    found += zip(lists["TRACED"], trace_columns(EXCHANGE), strict=True)
    drawn = dict(re.findall(r"streams\[_(\d+) \+ j\] = absorbed\(here\[_\d \+ j\], PURPOSE_(\w+)\)", text))
    found += [(place, drawn[stream]) for place, stream in re.findall(r"S\], \(f, (\d+), streams, (\d+) \* B, step", text)]
    for place, name in found:
        assert places.setdefault(place, name) == name
    steps = []
    for block in re.split(r"^    # (?=\w+\.\w+$)", text.partition("def sessions")[0], flags=re.M)[1:]:
        bound = {name: numbers[int(k)] for name, k in re.findall(r"^    (p_\w+) = p\[(\d+)\]$", block, re.M)}
        ((new, equation, taken),) = re.findall(r"^        ([\w, ]+) = \w+?__(\w+)\((.*)\)$", block, re.M)
        written = {name: places[place] for place, name in re.findall(r"f\[_(\d+) \+ j\] = (new_\d+)$", block, re.M)}
        takes = [re.sub(r"f\[_(\d+) \+ j\]", lambda at: places[at[1]], one) for one in taken.split(", ")]
        takes = [bound[one] if one.startswith("p_") else one for one in takes]
        steps.append((equation, takes, [written[name] for name in new.split(", ")]))
    return steps


def test_the_wiring_table_is_the_compiled_exchange() -> None:
    """What the table says of each step the generated loop takes and writes, in all and step by step in its order."""
    steps = _steps_of(source(EXCHANGE))
    rows = [[cell.strip() for cell in row.strip("|").split(" | ")] for row in wiring_table().splitlines()[2:]]
    assert [row[1].partition(".")[2].strip("`") for row in rows] == [equation for equation, _, _ in steps]
    for row, (_, takes, writes) in zip(rows, steps, strict=True):
        assert sorted(re.findall(r"\w+", " ".join(row[2:5]))) == sorted(takes)
        assert re.findall(r"\w+", row[5]) == writes


def _tags(docstring: str | None) -> set[str]:
    """The claims that a docstring names."""
    groups = re.findall(r"\[([KA]\d+(?:, [KA]\d+)*)\]", docstring or "")
    return {tag for group in groups for tag in group.split(", ")}


def test_docstrings_name_the_claims_that_functions_carry() -> None:
    """Equations, steps and verbs say in tags ([K9, A2]) what claims.yaml says of them, and nobody else is said to carry one."""
    said: dict[str, set[str]] = {}
    for room in ("theory", "people", "therapy"):
        for path in (ROOT / "sim" / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                    said.setdefault(node.name, set()).update(_tags(ast.get_docstring(node)))
    for verb in VERBS:  # which are declared, not written
        said.setdefault(verb.__name__, set()).update(_tags(verb.__doc__))
    assert {name: found for name, found in said.items() if found} == {
        name: set(claims_of(name)) for claim in claims().values() for name in claim.carriers
    }


@pytest.mark.parametrize(("page", "number", "block"), CODE, ids=[f"{p.name}-{i}" for p, i, _ in CODE])
def test_python_blocks_run(
    page: Path, number: int, block: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a reader copies into a notebook works, from the top folder; where an effect is printed, its interval is seen."""
    matplotlib.use("agg")
    monkeypatch.chdir(ROOT)
    exec(compile(block, f"{page.name}, block {number}", "exec"), {"__name__": "__main__"})
    heads = [line.split() for line in capsys.readouterr().out.splitlines() if re.search(r"\b(measure|difference|value)\b", line)]
    assert [head for head in heads if not {"low", "high"} <= set(head)] == []


YAML = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("block", YAML, ids=lambda block: block.split(":")[0])
def test_yaml_blocks_of_the_readme_are_scenarios(block: str, tmp_path: Path) -> None:
    """As they stand, or as part of one."""
    (tmp_path / "s.yaml").write_text(block if block.startswith("question") else f"question: Does it help?\n{block}")
    sim.load(tmp_path / "s.yaml")


def test_the_commands_of_the_readme_exist() -> None:
    """Every ``attune`` verb that the README names is a verb."""
    from sim.cli.main import app

    verbs = {c.name or c.callback.__name__.replace("_command", "") for c in app.registered_commands}  # type: ignore[union-attr]
    named = set(re.findall(r"^\s+attune (\w+)", (ROOT / "README.md").read_text(), re.M))
    assert named <= verbs
    assert verbs >= {"run", "check", "new", "params", "trace", "report"}


def test_every_shipped_scenario_is_in_the_readme() -> None:
    """A scenario that nobody hears of is not shipped."""
    text = (ROOT / "README.md").read_text()
    assert [p.stem for p in sorted((ROOT / "scenarios").glob("*.yaml")) if f"`{p.stem}`" not in text] == []


def _named_files() -> Iterator[tuple[str, str]]:
    """Every path in the docs, and in docstrings and comments of the product that name a file of a room: (where, path)."""
    for page in [*DOCS.glob("*.md"), ROOT / "README.md"]:
        text = (
            page.read_text(encoding="utf-8").partition("\n## 0.1")[0]
            if page.name == "CHANGES.md"
            else page.read_text(encoding="utf-8")
        )
        for path in re.findall(r"`([\w./]+/[\w.]+\.(?:py|yaml|csv|json|md))`", text):
            yield page.name, path
    for file in (ROOT / "sim").rglob("*.py"):
        for path in re.findall(r"``([a-z_]+/[a-z_/]+(?:\.[a-z]+)?)``", file.read_text(encoding="utf-8")):
            yield file.relative_to(ROOT).as_posix(), path


def test_files_that_are_named_exist() -> None:
    """A path in the docs, or in a docstring, is one of the project or of ``sim/``."""
    named = list(_named_files())
    assert len(named) > 80
    gone = [(where, path) for where, path in named if not any((root / path).exists() for root in (ROOT, ROOT / "sim"))]
    assert gone == []
