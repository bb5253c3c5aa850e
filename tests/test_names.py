"""Names and texts that people choose: kept in one form, told apart, seen, and shown as they are wherever they go."""

from __future__ import annotations

import contextlib
import html
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib import font_manager
from matplotlib.text import Text

import sim
from sim import naming, screen
from sim.cli.main import main
from sim.errors import AddedError, Note, ScenarioError
from sim.report import letters
from sim.report.drawing import image
from sim.report.pages.run import write_report
from sim.storage.added import run_files
from sim.therapy.training import PROGRAMMES

Q = "question: Does it work?\n"
CASES = "batch:\n  design: cases\n  cases:\n    {0}: {{sessions: 2}}\n    {1}: {{sessions: 3}}\n"
PEOPLE = "design: crossed\ntherapist: [secure]\nclient:\n  {0}: secure\n  {1}: fearful\n"
WHERE = {"arms": "arms:\n  {0}: {{}}\n  {1}: {{}}\n", "cases": CASES, "kinds": PEOPLE}


def file(folder: Path, text: str, name: str = "s.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path


def refused(path: Path) -> str:
    with pytest.raises(ScenarioError) as caught:
        sim.load(path)
    return str(caught.value).replace(f"{path.parent}/", "")


ALIKE = {
    "composed": ("cafe\u0301", "caf\u00e9"), "blank before": ("a", "' a'"), "two blanks": ("a b", "a  b"),
    "capital": ("Dose", "dose"),
    "Cyrillic": ("\u0430bc", "abc"), "Greek": ("\u0391", "A"), "wide": ("\uff41", "a"), "ligature": ("\ufb01t", "fit"),
    "dash": ("a\u2013b", "a-b"), "superscript": ("x\u00b2", "x2"),
}  # fmt: skip


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("pair", ALIKE.values(), ids=list(ALIKE))
def test_names_that_look_alike_are_refused(tmp_path: Path, where: str, pair: tuple[str, str]) -> None:
    """Both are named, each with its line."""
    text = Q + WHERE[where].format(*pair)
    said = refused(file(tmp_path, text))
    line = text[: text.index(f" {pair[1]}:")].count("\n") + 1
    first, second = (naming.written(name.strip("'")) for name in pair)
    assert said.startswith(f"s.yaml:{line}: ") and f".{second}: looks like '" in said and f"(s.yaml:{line - 1})" in said
    assert first in naming.written(said)


def test_a_name_may_not_look_like_one_of_the_file_that_is_extended(tmp_path: Path) -> None:
    file(tmp_path, Q + "arms:\n  warm: {}\n  cold: {}\n", "first.yaml")
    child = file(tmp_path, "extends: first\n\narms:\n  WARM: {sessions: 3}\n")
    assert refused(child).startswith("s.yaml:4: arms.WARM: looks like 'warm' (first.yaml:3)")
    same = sim.load(file(tmp_path, "extends: first\narms:\n  ' warm ': {sessions: 3}\n"))
    assert [(arm.name, arm.sessions) for arm in same.arms] == [("warm", 3), ("cold", 20)]


def test_names_that_can_be_told_apart_are_kept(tmp_path: Path) -> None:
    names = [
        "dose [low]",
        "dose [high]",
        "[i]",
        "a b",
        "ab",
        "M\u00fcller",
        "\u65e5\u672c\u8a9e",
        "\U0001f642",
        "x_1 $a$",
        "=1+1",
        "-x",
    ]
    text = Q + "arms:\n" + "".join(f"  '{name}': {{}}\n" for name in names)
    assert [arm.name for arm in sim.load(file(tmp_path, text)).arms] == names


UNSEEN = ["\u202e", "\u200b", "\n", "\t", "\u00a0", "\u2066", "\u00ad", "\ufeff", "\ufe0f", "\u3164", "\u2800",
          "\x1b", "\ud83d", "\U000e0041"]  # fmt: skip


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("unseen", UNSEEN, ids=lambda c: f"{ord(c):x}")
def test_characters_that_nobody_sees_are_refused(tmp_path: Path, where: str, unseen: str) -> None:
    odd = f'"x\\U{ord(unseen):08x}y"'
    text = Q + WHERE[where].format("a", odd)
    line = text[: text.index(odd)].count("\n") + 1
    said = refused(file(tmp_path, text))
    assert said.startswith(f"s.yaml:{line}: ") and f"contains the character U+{ord(unseen):04X}" in said and said.isprintable()


def test_a_text_is_one_line_and_has_nothing_unseen(tmp_path: Path) -> None:
    long = sim.load(file(tmp_path, 'question: |\n  Does it\n  work,\u00a0 really?\ntitle: " cafe\u0301\\t\u65e5\u672c "\n'))
    assert (long.question, long.title) == ("Does it work, really?", "caf\u00e9 \u65e5\u672c")
    for key in ("question", "title"):
        spec = {"question": "q", key: "not \u202eereht"}
        with pytest.raises(ScenarioError, match=rf"{key}: contains the character U\+202E"):
            sim.from_spec(spec, "s")


def test_what_a_scenario_is_called_can_be_seen(tmp_path: Path) -> None:
    assert sim.load(file(tmp_path, Q, "cafe\u0301.yaml")).name == "caf\u00e9"
    assert "U+202E" in refused(file(tmp_path, Q, "a\u202eb.yaml"))
    with pytest.raises(ScenarioError, match=r"U\+000A"):
        sim.from_spec({"question": "q"}, "a\nb")


def test_an_arm_is_found_however_its_letters_are_composed(tmp_path: Path) -> None:
    text = (
        Q
        + "clients_per_arm: 2\nsessions: 1\narms:\n  caf\u00e9: {}\n  b: {}\n"
        + "record: {exchanges: {clients: [0], arms: ['cafe\u0301 ']}}\n"
    )
    scenario = sim.load(file(tmp_path, text))
    assert scenario.traced == {"caf\u00e9": (0,)}
    main_ends(["trace", str(tmp_path / "s.yaml"), "--arm", " cafe\u0301"], 0)


def main_ends(words: list[str], status: int) -> tuple[str, str]:
    """What the command prints: results, and remarks."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == status, err.getvalue()
    return out.getvalue(), err.getvalue()


# what is added


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("PROGRAMMES['Empathy'] = PROGRAMMES['empathy'] = one", "'empathy' looks like 'Empathy'"),
        ("PROGRAMMES['a\\nb'] = one", r"'a\nb' contains the character U+000A"),
        ("PROGRAMMES['a\\u202eb'] = one", r"'a\u202eb' contains the character U+202E"),
        ("PROGRAMMES['cafe\\u0301'] = one", r"'cafe\u0301' must be written 'caf\xe9'"),
        ("PROGRAMMES[' a'] = one", "' a' has blanks around it"),
        ("PROGRAMMES[''] = one", "'' must not be empty"),
    ],
)
def test_names_that_are_added_follow_the_rule(tmp_path: Path, line: str, said: str) -> None:
    code = f"from sim.extend import PROGRAMMES\none = next(iter(PROGRAMMES.values()))\n{line}\n"
    before = dict(PROGRAMMES)
    with pytest.raises(AddedError) as caught:
        run_files([file(tmp_path, code, "mine.py")])
    assert said in str(caught.value) and str(caught.value).startswith(f"{tmp_path / 'mine.py'}: the name of a programme: ")
    assert before.items() <= PROGRAMMES.items()


ENDS = {
    "raise SystemExit": "SystemExit", "import sys; sys.exit()": "SystemExit", "exit(0)": "SystemExit: 0", "quit()": "SystemExit",
    "def f():\n  f()\nf()": "RecursionError", "raise GeneratorExit": "GeneratorExit", "open('nowhere')": "FileNotFoundError",
    "raise BrokenPipeError": "BrokenPipeError", "class X(BaseException): pass\nraise X": "X",
}  # fmt: skip


@pytest.mark.parametrize("code", ENDS)
def test_a_file_that_ends_the_program_is_told_with_its_line(tmp_path: Path, code: str) -> None:
    scenario, added = file(tmp_path, Q), file(tmp_path, f"\n{code}\n", "mine.py")
    out, err = main_ends(["check", str(scenario), "--with", str(added)], 2)
    assert not out and err.startswith(f"attune: {added}:{2 + min(code.count(chr(10)), 1)}: {ENDS[code]}") and err.count("\n") == 1


RULE = "import sys\nfrom sim.extend import MATCHING\ndef mine(seen):\n    sys.exit(0)\nMATCHING['mine'] = mine\n"
CLINIC = Q + "design: clinic\nsessions: 2\nclinic: {therapists: 2, weeks: 6, arrivals_per_week: 2, matching: mine}\n"
OUTCOME = (
    "import sys\nfrom sim.catalogue.measures import CATALOGUE\nfrom sim.extend import add_outcome\n"
    "add_outcome('sessions', CATALOGUE['sessions'], lambda block: sys.exit(0))\n"
)


@pytest.mark.parametrize(("added", "scenario", "said"), [
    (RULE, CLINIC, "matching rule 'mine' failed in week"),
    (OUTCOME, Q + "clients_per_arm: 3\nsessions: 1\n", "mine.py:4: ends the program"),
], ids=["rule", "outcome"])  # fmt: skip
def test_what_is_added_cannot_end_a_run_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures_not_drawn: None, added: str, scenario: str, said: str
) -> None:
    """Neither alone nor in a batch, where the run counts as failed."""
    from sim.measures import outcomes

    monkeypatch.setattr(outcomes, "VALUES", outcomes.VALUES)
    before = dict(outcomes.VALUES)
    try:
        words = [str(file(tmp_path, scenario)), "--with", str(file(tmp_path, added, "mine.py"))]
        assert said in main_ends(["run", *words, "--out", str(tmp_path / "alone")], 2)[1] and not (tmp_path / "alone").exists()
        err = main_ends(["run", *words, "--batch", "--workers", "1", "--out", str(tmp_path / "batch")], 1)[1]
        assert "every run has failed" in err and "SystemExit" in (tmp_path / "batch" / "ledger.jsonl").read_text()
    finally:
        outcomes.VALUES.update(before)


# texts that are cut


@pytest.mark.parametrize(("line", "lost"), [
    ("question: Is #1 better?", "#1 better?"), ("question: Is # 1 better?", "# 1 better?"), ("question: Which is #1", "#1"),
    ("question: a\ntitle: How #hash works", "#hash works"), ("question: Why?  #2", "#2"),
])  # fmt: skip
def test_a_text_cut_by_a_comment_is_noted(tmp_path: Path, line: str, lost: str) -> None:
    path = file(tmp_path, f"{line}\nclients_per_arm: 3\n")
    key, row = line.split("\n")[-1].split(":")[0], 1 + line.count("\n")
    with pytest.warns(Note) as noted:
        sim.load(path)
    assert len(noted) == 1 and noted[0].filename == __file__
    out, err = main_ends(["check", str(path)], 0)
    assert err.startswith(f"Note: {path}:{row}: {key}: is ") and f"'{lost}'" in err and err.count("\n") == 1 and "valid" in out


@pytest.mark.parametrize("line", [
    "question: 'Is #1 better?'", 'question: "Is it?" # a comment', "question: Is it?   # a comment",
    "question: |\n  Is #1 better?",
    "# first\nquestion: C#1?\n# next", "question: Is it?\nsessions: 3 #weekly",
])  # fmt: skip
def test_a_comment_that_is_one_is_not_noted(tmp_path: Path, line: str, recwarn: pytest.WarningsRecorder) -> None:
    sim.load(file(tmp_path, f"{line}\n"))
    assert not recwarn.list


def test_a_comment_sign_that_breaks_the_file_is_told(tmp_path: Path) -> None:
    for text in (
        "question: Is #1 better\n  than #2?\n",
        Q + "arms:\n  dose #1: {}\n  dose #2: {}\n",
        Q + "arms: {dose #1: {}, b: {}}\n",
    ):
        assert "' #' begins a comment" in refused(file(tmp_path, text))
    assert "begins a comment" not in refused(file(tmp_path, "question: a: b\n# x\n"))


# on the screen


@pytest.mark.parametrize(
    "name", ["[/red]", "[i]", "dose [low]", "[bold red]x", "[link=x]y[/link]", ":smile:", "\\[x]", "{x}", "%s"]
)
def test_what_is_in_a_cell_is_shown_as_it_is(name: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        screen.show(screen.table(name, [name], [[f"({name})"]]))
        screen.heading(name)
    assert out.getvalue().count(name) == 4


def test_progress_shows_a_name_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where somebody watches."""
    err = io.StringIO()
    monkeypatch.setenv("FORCE_COLOR", "1")
    with contextlib.redirect_stderr(err), screen.progress() as tell:
        tell(1, 2, "[/red] first", "[/b] next")
    assert "[/red] first" in err.getvalue() and "[/b] next" in err.getvalue()


def test_the_terminal_obeys_no_text() -> None:
    out, obeyed = io.StringIO(), "a\x1b[31m\x07\u202eb"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        screen.say(obeyed)
        screen.note(obeyed)
        screen.show(screen.table(obeyed, [obeyed], [[obeyed]]))
    assert out.getvalue().count(r"a\x1b[31m\x07\u202eb") == 5 and not set("\x1b\x07\u202e") & set(out.getvalue())


# in figures, pages and tables

ODD = ["dose [low]", "x_1 $a$ $\\frac{1}", "_hidden", "<script>alert(1)<!--x>", "=1+1", 'a\\b, "c"; d', "{name} %s"]


@pytest.fixture(scope="module")
def odd() -> sim.Run:
    arms = {name: {"sessions": 2 + i % 2} for i, name in enumerate(ODD)}
    spec = {"question": "Is <b> $x_1$ [/i]?", "clients_per_arm": 4, "sessions": 2, "arms": arms}
    return sim.run(sim.from_spec(spec, "odd_$1$"), seed=1)


def texts(figure: Any) -> set[str]:
    return {text.get_text().strip() for text in figure.findobj(Text)}


def test_names_in_figures_are_what_they_are(odd: sim.Run) -> None:
    """No formula, nothing left out of the legend, in the house style and out of it."""
    figure = sim.plots.alliance_curves(odd)
    assert set(ODD) <= texts(figure.legends[0])
    for kind in ("svg", "png"):
        figure.savefig(io.BytesIO(), format=kind)
    assert not any(text.get_parse_math() or text.get_usetex() for text in figure.findobj(Text) if "$" in text.get_text())
    ElementTree.fromstring(image(figure, "svg"))
    assert set(ODD[1:]) <= texts(sim.plots.pairing_differences(odd))


def test_names_in_pages_and_tables_are_what_they_are(odd: sim.Run, tmp_path: Path, pictures_not_drawn: None) -> None:
    page = write_report(odd, tmp_path).read_text(encoding="utf-8")
    assert "<script>alert" not in page and "Is <b>" not in page
    assert all(name in html.unescape(page) for name in ODD)
    shown = odd._repr_html_()
    assert "<script>" not in shown and "<b>" not in shown
    odd.clients.to_csv(tmp_path / "c.csv", index=False)
    assert set(pd.read_csv(tmp_path / "c.csv")["arm"]) == set(ODD)


def font_with(letters: str, folder: Path, name: str) -> str:
    """A font file that has these letters, each an empty square."""
    made = FontBuilder(1000, isTTF=True)
    glyphs = [".notdef", *(f"u{ord(c):x}" for c in letters)]
    made.setupGlyphOrder(glyphs)
    made.setupCharacterMap({ord(c): f"u{ord(c):x}" for c in letters})
    pen = TTGlyphPen(None)
    for i, corner in enumerate([(0, 0), (0, 700), (700, 700), (700, 0)]):
        (pen.lineTo if i else pen.moveTo)(corner)
    pen.closePath()
    square = pen.glyph()
    made.setupGlyf(dict.fromkeys(glyphs, square))
    made.setupHorizontalMetrics(dict.fromkeys(glyphs, (800, 0)))
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": name, "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    made.save(folder / f"{name}.ttf")
    return str(folder / f"{name}.ttf")


#: Letters that no font has that comes with matplotlib.
TANGUT = "\U00017000\U00017001"


@pytest.fixture
def fonts_read_anew(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(font_manager.fontManager, "ttflist", list(font_manager.fontManager.ttflist))
    letters._fonts_with.cache_clear()
    yield
    letters._fonts_with.cache_clear()


def in_script(script: str) -> sim.Run:
    arms = {script: {}, "plain": {"sessions": 1}}
    return sim.run(sim.from_spec({"question": "q", "clients_per_arm": 3, "sessions": 2, "arms": arms}, "s"), seed=1)


def test_a_font_that_has_the_letters_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts_read_anew: None, recwarn: pytest.WarningsRecorder
) -> None:
    """Also one that was installed since matplotlib last looked."""
    font = font_with(TANGUT, tmp_path, "Tangut of ours")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [font])
    run = in_script(TANGUT)
    turned = sim.run(run.scenario.but(arms={"plain": {}, TANGUT: {}}), seed=1)
    for figure in (sim.plots.alliance_curves(run), sim.plots.pairing_differences(turned).figure):
        mine = [text for text in figure.findobj(Text) if TANGUT in text.get_text()]
        assert mine and all("Tangut of ours" in text.get_family() for text in mine)
        figure.savefig(io.BytesIO(), format="png")
        image(figure, "svg")
    assert not [one for one in recwarn if "Glyph" in str(one.message) or one.category is Note]


def test_letters_that_no_font_has_are_noted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fonts_read_anew: None) -> None:
    """The arm is named, and what to install; of matplotlib's own warnings none is shown."""
    monkeypatch.setattr(font_manager, "findSystemFonts", list)
    path = file(tmp_path, f"question: q\nclients_per_arm: 3\nsessions: 1\narms:\n  {TANGUT}: {{}}\n  b: {{}}\n")
    err = main_ends(["run", str(path), "--out", str(tmp_path / "out")], 0)[1]
    assert err.count("Note: ") == err.count("\n") == 1 and f"'{TANGUT}'" in err and "'b'" not in err and "Noto" in err
    batch = file(tmp_path, f"{path.read_text()}batch: {{design: cases, cases: {{{TANGUT} 1: {{sessions: 2}}}}}}\n", "b.yaml")
    err = main_ends(["run", str(batch), "--out", str(tmp_path / "batch"), "--workers", "1"], 0)[1]
    assert err.count("Note: ") == 1 and f"'{TANGUT}', '{TANGUT} 1'" in err and "Glyph" not in err


# attune new


@pytest.mark.parametrize(
    "name", ["x\ny", "x\n", "x/y", "..", ".", "-x", "", " ", ".yaml", "x.yaml.yaml", "a b", "x\u202ey", "x\0y", "x" * 300]
)
def test_new_refuses_what_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    err = main_ends(["new", "--", name], 2)[1]
    assert err.startswith("attune: ") and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_new_takes_letters_of_any_script_composed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    main_ends(["new", "cafe\u0301_\u65e5\u672c"], 0)
    assert [path.name for path in tmp_path.iterdir()] == ["caf\u00e9_\u65e5\u672c.yaml"]
