"""``attune run`` for batches: what it prints, the report it writes, and one clear line for everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

import sim
from sim.batch.results import BatchResults
from sim.batch.run import run_batch
from sim.cli.batch import MOST_ROWS
from sim.cli.main import main
from sim.report.figures import sweep as plots_batch
from sim.report.pages import batch as batch_report
from sim.report.text import number, with_interval
from sim.report.words.sweep import results_table
from tests.test_batch import CLINIC, SPEC, failing, small
from tests.test_cli import Attune, attune, wrong

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

__all__ = ["attune"]  # a fixture


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., BatchResults]:
    """A batch with changes, in a folder of its own."""

    def batch(spec: dict[str, Any], **how: Any) -> BatchResults:
        place = tmp_path_factory.mktemp("batch") / "b"
        return sim.open_batch(run_batch(sim.from_spec(spec, "small"), 5, place, workers=1, **how))

    return batch


def test_the_command_runs_tells_and_goes_on(attune: Attune, tmp_path: Path) -> None:
    """The question, a row per point and arm, where everything is; again: read from disk, nothing simulated."""
    file = tmp_path / "small.yaml"
    file.write_text(small(question="Is <it> & so?").to_yaml())
    done = attune("run", file, "--seed", 5, "--workers", 1)
    assert done.status == 0, done.err
    assert "Is <it> & so?" in done.out and done.out.count("dismissing") == 4 and "over replicates" in done.out
    folder = tmp_path / "results" / "small" / "batch-seed-5"
    assert "12 of 12 tasks" in done.err and "failed run" in done.err
    page = (folder / "report.html").read_text()
    assert "Is &lt;it&gt; &amp; so?" in page and "<it>" not in page
    found = sim.open_batch(folder)
    row = found.effects().query("point == 3 and arm == 'dismissing' and measure == 'alliance' and minus == 'nothing'").iloc[0]
    assert with_interval(row, name="value") in done.out
    again = attune("run", file, "--seed", 5, "--workers", 1)
    assert again.status == 0 and "read from disk" in again.out and again.out.startswith(done.out[:200])
    assert len(results_table(found)) == 12 <= MOST_ROWS


def test_any_scenario_can_be_a_batch(attune: Attune, tmp_path: Path) -> None:
    """With --batch and --keep; without a point to name."""
    file = tmp_path / "plain.yaml"
    file.write_text(sim.from_spec({k: v for k, v in SPEC.items() if k != "batch"}, "plain").to_yaml())
    done = attune("run", file, "--batch", "--keep", "clients", "--out", "here", "--workers", 1, "--chunk", 2)
    assert done.status == 0, done.err
    found = sim.open_batch(tmp_path / "here")
    assert len(found.table("clients")) == 3 * 3 * 7 and found.factors == []
    page = (tmp_path / "here" / "report.html").read_text()
    assert "attune run plain.yaml --seed 1 --batch --keep clients" in page


def test_failures_are_told_everywhere(made: Callable[..., BatchResults], capsys: pytest.CaptureFixture[str]) -> None:
    """On the screen, in the report with the replay command."""
    from sim.cli import batch as batch_run

    found = made(SPEC, model=failing())
    batch_run.show(found)
    n = len(found.failures)
    assert f"{n} runs failed" in capsys.readouterr().out
    page = batch_report.write_batch_report(found).read_text()
    assert page.count("attune replay") == n and "client_trust" in page


@pytest.mark.parametrize(
    "batch",
    [
        {"vary": {"trust_rate": [0.1, 0.3]}},
        {"vary": {"trust_rate": [0.1, 0.3], "therapist": ["secure", "fearful"]}},
        {"design": "one_at_a_time", "vary": {"trust_rate": [0.1, 0.3], "policies": [[], ["train_warmth"]]}},
        {"design": "cases", "cases": {"usual": {}, "slow": {"trust_rate": 0.1}}},
        {"design": "sobol", "points": 4, "vary": {"trust_rate": {"from": 0.1, "to": 0.3}, "plasticity": {"from": 0, "to": 1}}},
        {},
    ],
    ids=lambda b: b.get("design", f"grid of {len(b.get('vary', {}))}"),
)
def test_figures_show_what_was_measured(made: Callable[..., BatchResults], batch: dict[str, Any]) -> None:
    """A panel a factor; a drawn mean for every point and arm; report and alt texts without gaps."""
    found = made({**SPEC, "replicates": 2, "batch": batch})
    fig = plots_batch.over_factors(found, "alliance")
    factors = plots_batch.shown_factors(found)
    assert len(fig.axes) == max(len(factors), 1)
    ax = fig.axes[0]
    lines = [container[0] for container in ax.containers] or ax.get_lines()  # not the caps of the intervals
    drawn = {round(float(y), 6) for line in lines for y in line.get_ydata()}
    table = plots_batch.measured(found, "alliance")
    wanted = table[table[factors[0]].notna()] if factors else table
    assert {round(v, 6) for v in wanted["value"]} <= drawn
    plt.close(fig)
    page = batch_report.write_batch_report(found).read_text()
    assert not re.search(r"\bnan\b|None", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page.split('<h2 id="again">')[0]))
    lowest = number(table["value"].min())
    assert f"means from {lowest} to" in page and page.count("<img") == 3


@pytest.mark.parametrize("batch", [{"vary": {"trust_rate": [0.1, 0.3]}}, {}], ids=["a factor", "no factor"])
def test_bars_reach_as_far_as_their_intervals(made: Callable[..., BatchResults], batch: dict[str, Any]) -> None:
    """An interval that is cut off at an end of the scale is drawn so, not as wide on both sides."""
    found = made({**SPEC, "replicates": 4, "batch": batch})
    table = plots_batch.measured(found, "dropout")
    assert (abs((table["high"] - table["value"]) - (table["value"] - table["low"])) > 1e-6).any()  # some are cut off here
    fig = plots_batch.over_factors(found, "dropout")
    segments = [s[:, 1] for c in fig.axes[0].containers for bar in c[2] for s in bar.get_segments()]
    assert {(round(a, 6), round(b, 6)) for a, b in segments} == {
        (round(a, 6), round(b, 6)) for a, b in zip(table["low"], table["high"], strict=True)
    }
    plt.close(fig)


def test_one_arm_at_one_point_has_a_report(made: Callable[..., BatchResults]) -> None:
    found = made({"question": "q", "clients_per_arm": 3, "sessions": 2, "replicates": 2, "batch": {}})
    assert "Late alliance" in batch_report.write_batch_report(found).read_text()


def test_a_batch_of_clinics_has_a_report(made: Callable[..., BatchResults]) -> None:
    """With the measures of clinics."""
    found = made(CLINIC)
    page = batch_report.write_batch_report(found).read_text()
    assert "on the waiting list" in page and "matched minus usual" in page


def test_precision_as_a_rule_is_said(made: Callable[..., BatchResults]) -> None:
    """How often each point was repeated, in the report."""
    spec = {**SPEC, "batch": {"until": {"measure": "alliance", "se": 1e-6, "every": 2, "most": 4}}}
    del spec["replicates"]
    page = batch_report.write_batch_report(made(spec)).read_text()
    assert "each repeated 4 times" in page


def test_check_says_what_a_batch_would_do(attune: Attune, tmp_path: Path) -> None:
    """Points, levels, tasks; with a rule between least and most."""
    file = tmp_path / "small.yaml"
    file.write_text(small().to_yaml())
    done = attune("check", file)
    assert done.status == 0 and "4 points" in done.out and "trust_rate: 0.1, 0.3" in done.out and "12 tasks" in done.out
    spec = {**SPEC, "batch": {"until": {"measure": "alliance", "se": 0.1, "every": 5, "most": 20}}}
    del spec["replicates"]
    file.write_text(sim.from_spec(spec, "small").to_yaml())
    assert "5 to 20 tasks" in attune("check", file).out


def test_wrong_options_are_one_line(attune: Attune, tmp_path: Path) -> None:
    """What belongs to batches only, unknown tables, and a batch changed under way."""
    plain, file = tmp_path / "plain.yaml", tmp_path / "small.yaml"
    plain.write_text(sim.from_spec({k: v for k, v in SPEC.items() if k != "batch"}, "plain").to_yaml())
    file.write_text(small().to_yaml())
    for option in (("--keep", "clients"), ("--chunk", 2), ("--force",), ("--restart",), ("--on-error", "skip")):
        wrong(attune("run", plain, *option), option[0], "belongs to a batch", "--batch")
    wrong(attune("run", file, "--keep", "client"), "did you mean 'clients'")
    wrong(attune("run", file, "--on-error", "never"), "skip, stop or raise")
    assert attune("run", file, "--workers", 1, "--out", "b").status == 0
    file.write_text(small(sessions=4).to_yaml())
    wrong(attune("run", file, "--workers", 1, "--out", "b"), "sessions was 5 and is 4", "--restart")
    wrong(attune("run", file, "--out", "small.yaml"), "is a file")
    assert not (tmp_path / "results").exists()


def test_stopping_at_a_failure_is_status_1(attune: Attune, tmp_path: Path) -> None:
    """A policy from a file that raises for clinics; the message names the run and what to do."""
    (tmp_path / "rules.py").write_text(
        "from sim.therapy.clinic.matching import MATCHING\n"
        "def touchy(seen):\n"
        "    '''Fails.'''\n"
        "    raise RuntimeError('the rule is tired')\n"
        "MATCHING['touchy'] = touchy\n"
    )
    spec = {**CLINIC, "replicates": 1, "batch": {"vary": {"arms.matched.clinic.matching": ["similar", "touchy"]}}}
    text = "\n".join(f"{key}: {value!r}".replace("True", "true") for key, value in spec.items())
    (tmp_path / "c.yaml").write_text(text)
    done = attune("run", "c.yaml", "--with", "rules.py", "--workers", 2, "--on-error", "stop")
    assert done.status == 1 and "the rule is tired" in done.err and "attune replay" in done.err
    done = attune("run", "c.yaml", "--with", "rules.py", "--workers", 1)
    assert done.status == 0 and "1 run failed" in done.out
    assert (tmp_path / "results" / "c" / "batch-seed-1" / "with" / "rules.py").exists()


def test_one_point_can_be_run_and_looked_into_alone(attune: Attune, tmp_path: Path) -> None:
    """As a single run with its report, and exchange by exchange; the values are those of the batch."""
    file = tmp_path / "small.yaml"
    file.write_text(small().to_yaml())
    assert attune("run", file, "--seed", 5, "--point", 3, "--out", "alone").status == 0
    alone = sim.open_run(tmp_path / "alone")
    found = sim.open_batch(run_batch(small(), 5, tmp_path / "b", workers=1))
    one = "point == 3 and replicate == 0 and arm == 'dismissing' and measure == 'sessions' and minus == 'nothing'"
    mean = found.summaries.query(one)["value"]
    clients = alone.clients.query("replicate == 0 and arm == 'dismissing'")
    assert clients["sessions_attended"].mean() == pytest.approx(mean.iloc[0])
    assert "client 0, session 1" in attune("trace", file, "--seed", 5, "--point", 3, "--arm", "dismissing").out
    wrong(attune("run", file, "--point", 4), "--point 4", "points 0 to 3")


def test_a_report_is_written_anew_and_its_faults_cost_no_table(
    attune: Attune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``attune report`` knows a batch; a fault in the report leaves the tables, a file that says where, and status 1."""
    file = tmp_path / "small.yaml"
    file.write_text(small(replicates=1).to_yaml())
    real = batch_report.write_batch_report
    monkeypatch.setattr(batch_report, "write_batch_report", lambda found: 1 / 0)
    done = attune("run", file, "--workers", 1, "--out", "b")
    assert done.status == 1 and "report failed (division by zero)" in done.err
    assert "ZeroDivisionError" in (tmp_path / "b" / "report-error.txt").read_text()
    monkeypatch.setattr(batch_report, "write_batch_report", real)
    assert attune("run", file, "--workers", 1, "--out", "b").status == 0  # what was missing is made up for
    page = tmp_path / "b" / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert attune("report", "b").status == 0 and page.read_bytes() == before


def test_main_is_the_command() -> None:
    """``attune run`` without a file says so."""
    with pytest.raises(SystemExit) as stop:
        main(["run"])
    assert stop.value.code == 2
