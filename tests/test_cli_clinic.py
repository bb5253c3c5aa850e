"""The command on clinics: what it lists and checks, rules from a file of one's own, and looking inside a session."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import sim
from sim.errors import MatchingError
from sim.scenario.scenario import load
from sim.simulation.trace import traced_course
from sim.storage.reading import open_run
from sim.therapy.clinic.matching import MATCHING
from sim.therapy.training import PROGRAMMES
from tests.test_cli import Attune, attune, wrong

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

__all__ = ["attune"]  # the fixture

SMALL = """question: Who should meet anxious clients?
design: clinic
sessions: 5
exchanges: 3
clinic: {therapists: 3, arrivals_per_week: 2, weeks: 12, intake_weeks: 10}
arms:
  usual: {}
  mine: {clinic: {matching: calm_for_anxious}}
"""
RULES = """import numpy as np
from sim.therapy.clinic.matching import MATCHING, by_score
MATCHING["calm_for_anxious"] = by_score(lambda seen: -np.outer(seen.front().client_anxiety, seen.therapist_anxiety))
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "mine.yaml").write_text(SMALL)
    (tmp_path / "rules.py").write_text(RULES)
    return tmp_path


def test_rules_of_ones_own_come_with_a_file(attune: Attune, written: Path) -> None:
    """Without the file the rule is unknown; with it the clinic runs, and another rule of that name is another run."""
    wrong(attune("check", "mine.yaml"), "mine.yaml:8: arms.mine.clinic.matching", "unknown matching rule 'calm_for_anxious'")
    checked = attune("check", "mine.yaml", "--with", "rules.py")
    assert checked.status == 0 and "matching: calm_for_anxious" in checked.out and "About 40 clients" in checked.out
    first = attune("run", "mine.yaml", "--with", "rules.py")
    assert first.status == 0 and len(list(written.glob("results/mine/*/therapists.parquet"))) == 1
    (written / "rules.py").write_text(RULES.replace("-np.outer", "np.outer"))
    assert attune("run", "mine.yaml", "--with", "rules.py").status == 0
    folders = sorted(written.glob("results/mine/*"))
    assert len(folders) == 2
    met = [pd.read_parquet(folder / "clients.parquet").query("arm == 'mine'")["therapist"].tolist() for folder in folders]
    assert met[0] != met[1]
    assert attune("report", folders[0], "--with", "rules.py").status == 0


def test_what_was_added_is_read_back_without_its_file(attune: Attune, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with a rule and a programme of one's own: its tables and report can be had again; to run it the file is needed."""
    (written / "mine.yaml").write_text(SMALL.replace("calm_for_anxious}", "calm_for_anxious, training: [walks]}"))
    walks = "from sim.therapy.training import PROGRAMMES, Programme\n"
    walks += "PROGRAMMES['walks'] = Programme('Go out.', {'skill': 0.1}, 4)\n"
    (written / "rules.py").write_text(RULES + walks)
    assert attune("run", "mine.yaml", "--with", "rules.py", "--out", "kept").status == 0
    for registry, name in ((MATCHING, "calm_for_anxious"), (PROGRAMMES, "walks")):
        registry.pop(name)  # type: ignore[attr-defined]
    run = open_run(written / "kept")
    assert len(run.therapists) and PROGRAMMES["walks"].learned == {"skill": 0.1}
    assert attune("report", "kept").status == 0
    page = (written / "kept" / "report.html").read_text()
    assert "--with FILE" in page and "calm_for_anxious" in page
    with pytest.raises(MatchingError, match=r"calm_for_anxious.*not kept with a run"):
        sim.run(run.scenario, 1)


def test_a_report_that_fails_costs_no_tables(attune: Attune, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line that says where the tables are, status 1, and what went wrong in a file beside them."""

    def broken(*_: object) -> None:
        raise ValueError("a fault")

    monkeypatch.setattr("sim.report.pages.run.write_report", broken)
    done = attune("run", "mine.yaml", "--with", "rules.py", "--out", "kept")
    assert done.status == 1 and "the tables are in kept" in done.err and "a fault" in done.err
    assert len(open_run(written / "kept").clients)
    assert "ValueError: a fault" in (written / "kept" / "report-error.txt").read_text()


def test_clinics_are_compared_on_what_matters_to_clinics() -> None:
    """Waiting, losses, who is helped, fatigue: by default and by name; of other designs there are none."""
    spec = {
        "question": "q?",
        "design": "clinic",
        "sessions": 3,
        "exchanges": 2,
        "clinic": {"therapists": 2, "capacity": 2, "arrivals_per_week": 3, "weeks": 14},
    }
    usual = sim.from_spec(spec, "usual")
    table = sim.compare(usual, usual.but(clinic={"therapists": 4}), seeds=range(2)).set_index("measure")
    assert table.loc["weeks_waited", "difference"] < -1 and table.loc["weeks_waited", "a"] > 1
    assert {"lost_waiting", "helped", "helped_per_100_hours", "fatigue"} <= set(table.index)
    assert sim.compare(usual, usual, seeds=[1], measure="helped")["difference"].tolist() == [0.0]
    with pytest.raises(ValueError, match="seeds must be several numbers"):
        sim.compare(usual, usual, seeds=1)  # type: ignore[arg-type]


def test_a_file_that_fails_is_named(attune: Attune, written: Path) -> None:
    """A missing file, one with a mistake, and a rule that fails while the clinic runs: one line each, nothing written."""
    wrong(attune("run", "mine.yaml", "--with", "no.py"), "no.py", "cannot be read")
    wrong(attune("run", "mine.yaml", "--with", "."), "is a folder, not a Python file")
    (written / "rules.py").write_text("x = 1\nMATCHING = y\n")
    wrong(attune("run", "mine.yaml", "--with", "rules.py"), "rules.py:2", "NameError")
    (written / "rules.py").write_text("def half(:\n")
    wrong(attune("run", "mine.yaml", "--with", "rules.py"), "rules.py", "SyntaxError")
    (written / "rules.py").write_text(RULES.replace("seen.therapist_anxiety", "seen.therapist_soul"))
    wrong(attune("run", "mine.yaml", "--with", "rules.py"), "matching rule 'calm_for_anxious' failed in week", "therapist_soul")
    assert not list(written.glob("results/mine/*"))


def test_what_a_clinic_can_say_is_listed(attune: Attune) -> None:
    """Every key, rule and programme."""
    out = attune("params", "--clinic").out
    for word in ("intake_weeks", "vacant_weeks", "secure_to_insecure", "oracle", "regular_supervision", "empathy_training"):
        assert word in out


def test_the_template_of_a_clinic_checks(attune: Attune, tmp_path: Path) -> None:
    """What ``new --clinic`` writes is a valid clinic with its comments."""
    assert attune("new", "mine", "--clinic").status == 0
    assert load(tmp_path / "mine.yaml").design == "clinic"
    assert attune("check", "mine.yaml").status == 0
    plan = {"therapists": 2, "arrivals_per_week": 1, "weeks": 4, "intake_weeks": 4}
    small = load(tmp_path / "mine.yaml").but(replicates=1, sessions=2, clinic=plan)
    assert len(sim.run(small, seed=1).clinic) == 8


def test_notes_say_what_comes_to_nothing(attune: Attune, written: Path) -> None:
    """No room, too many clients, a share to train without training."""
    for plan, said in (
        ("therapists: 0", "has no therapists"),
        ("capacity: 0", "has no room for anybody"),
        ("therapists: 1, arrivals_per_week: 9", "waiting lists grow"),
        ("trained_share: 0.5", "gives a proportion to be trained but no training"),
        ("matching: oracle", "upper bound"),
    ):
        (written / "one.yaml").write_text("question: q?\ndesign: clinic\nclinic: {" + plan + "}\n")
        done = attune("check", "one.yaml")
        assert done.status == 0 and said in done.out, plan


def test_a_session_is_looked_into_across_a_hand_over(attune: Attune, written: Path) -> None:
    """Sessions of one client are numbered on when a therapist leaves; the traced course is the one of the run."""
    spec = {
        "question": "q?",
        "design": "clinic",
        "sessions": 12,
        "exchanges": 3,
        "parameters": {"quitting_base": -2.0},
        "clinic": {"therapists": 4, "arrivals_per_week": 1, "weeks": 30, "turnover": True, "vacant_weeks": 1},
    }
    scenario = sim.from_spec(spec, "turnover")
    run = sim.run(scenario, seed=1)
    handed_over = int(run.clients.query("course > 1")["client"].iloc[0])
    exchanges, sessions, _ = traced_course(scenario, 1, None, handed_over)
    mine = run.sessions.query("client == @handed_over").sort_values("week")
    assert sessions["session"].tolist() == list(range(1, len(mine) + 1))
    assert sessions["wai_client"].tolist() == mine["wai_client"].tolist()
    assert exchanges.groupby("session").size().tolist() == [3] * len(mine)
    assert mine["therapist"].nunique() > 1


def test_who_is_not_there_cannot_be_looked_into(attune: Attune, written: Path) -> None:
    """A client who never came, and one who was never seen."""
    plan = "{therapists: 1, weeks: 4, arrivals_per_week: 9, capacity: 1}"
    (written / "one.yaml").write_text(f"question: q?\ndesign: clinic\nclinic: {plan}\n")
    wrong(attune("trace", "one.yaml", "--client", 999), "client 999", "does not exist")
    wrong(attune("trace", "one.yaml", "--client", 20), "client 20", "never had a session")
