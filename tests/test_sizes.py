"""What is known before anything is simulated: how large it is, whether it fits here, and all that a run would refuse."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import sim
from sim.batch.chunk import perform
from sim.batch.needs import fitting, needs
from sim.batch.plan import planned
from sim.cli.printed import rates
from sim.errors import ScenarioError
from sim.evidence.sensitivity.response import outcome
from sim.scenario import scenario as scenarios
from sim.scenario.points import points_of
from sim.scenario.scenario import from_spec
from sim.simulation import limits
from sim.simulation.machine import memory_here
from sim.simulation.sizes import sizes_of
from tests.test_cli import Attune, attune, wrong

__all__ = ["attune"]

SMALL = "question: Is it refused?\nclients_per_arm: 6\nsessions: 4\nexchanges: 4\n"
NOBODY = "{anxiety: [6.999, 7], avoidance: [1, 1.001]}"


@pytest.fixture(autouse=True)
def rates_as_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second for each thousand of everything, so that nothing is measured."""
    names = (*rates.WORK, "start", "value", "report", "task")
    monkeypatch.setattr(rates, "rates", lambda *_: dict.fromkeys(names, 0.001))


# ------------------------------------------------------------------------------------- what a run refuses, a check refuses


@pytest.mark.parametrize(
    ("more", "where", "said"),
    [
        ("parameters:\n  client_anxiety_sd: 4\n", "6: parameters.client_anxiety_sd", "2.96 at most"),
        ("parameters:\n  client_anxiety_mean: 7\n", "6: parameters.client_anxiety_mean", "between 1 and 7"),
        ("arms:\n  a: {}\n  b:\n    parameters: {therapist_avoidance_sd: 3.9}\n",
         "8: arms.b.parameters.therapist_avoidance_sd", "SD 3.9"),
        ("client: {anxiety: 2, avoidance: 2}\nparameters: {client_avoidance_sd: 4}\n",
         "6: parameters.client_avoidance_sd", "SD 4"),
        ("batch:\n  vary:\n    client_anxiety_sd: [1, 4]\n", "7: batch.vary.client_anxiety_sd[1]", "SD 4"),
        ("batch:\n  vary:\n    client_anxiety_sd: {from: 1, to: 4, steps: 3}\n", "7: batch.vary.client_anxiety_sd.to", "SD 4"),
        ("batch:\n  design: cases\n  cases:\n    x: {client_anxiety_sd: 4}\n", "8: batch.cases.x", "SD 4"),
        ("arms: {a: {}}\nbatch:\n  vary:\n    arms.a.client_anxiety_sd: [1, 4]\n",
         "8: batch.vary.arms.a.client_anxiety_sd[1]", "SD 4"),
        # neither end of either alone: the corner
        ("batch:\n  vary:\n    client_anxiety_sd: [1, 2.5]\n    client_anxiety_mean: [1.5, 4]\n",
         "7: ", "at the point client_anxiety_sd = 2.5"),
        ("batch:\n  design: sobol\n  points: 64\n  vary:\n    client_anxiety_sd: {from: 1, to: 2.5}\n"
         "    client_anxiety_mean: {from: 1.5, to: 4}\n", "9: ", "at the point"),
        (f"client: {NOBODY}\n", "5: client", "no client in 200000 candidates"),
        (f"arms:\n  a: {{}}\n  b:\n    therapist: {NOBODY}\n", "8: arms.b.therapist", "no therapist in 200000"),
        (f"batch:\n  vary:\n    client: [secure, {NOBODY}]\n", "7: client", "at the point client ="),
        ("batch:\n  vary:\n    trust_rat: {from: 0, to: 1, steps: 2}\n", "7: batch.vary.trust_rat: ", "mean 'trust_rate'"),
        ("batch:\n  design: cases\n  cases:\n    x: {trust_rat: 1}\n", "8: batch.cases.x.trust_rat: ", "mean 'trust_rate'"),
        ("batch:\n  vary:\n    sessions: {from: -1.7e+308, to: 1.7e+308, steps: 3}\n", "7: batch.vary.sessions.to", "too far"),
        ("batch:\n  vary:\n    trust_rate: {from: -1.7e+308, to: 1.7e+308, steps: 3}\n",
         "7: batch.vary.trust_rate.to", "too far"),
        ("batch:\n  vary:\n    parameters: [{}, ensemble]\n", "7: batch.vary.parameters[1]", "do not go together"),
        ("batch:\n  vary:\n    clamp.attachment: [0]\n    clamp.client_anxiety: [0]\n", "8: ", "clamps"),
        ("batch:\n  vary:\n    force: [[{value: true}]]\n", "7: batch.vary.force[0]", "must be a number, not true"),
        ("batch:\n  vary:\n    sessions: {from: 1, to: 500, steps: 400}\n    exchanges: {from: 2, to: 60, steps: 50}\n"
         "    trust_rate: {from: 0, to: 1, steps: 9}\n", "7: batch.vary.sessions.steps", "180,000 points"),
        ("therapist: none\nbatch:\n  until: {measure: alliance, se: 1}\n", "7: batch.until", "none in any arm"),
        ("replicates: 2000000\n", "5: replicates", "between 1 and 100000"),
        ("replicates: 100000\nbatch:\n  vary:\n    trust_rate: {from: 0, to: 1, steps: 11}\n",
         "5: replicates", "at most 90,909 replicates"),
    ],
)  # fmt: skip
def test_what_a_run_refuses_a_check_refuses_with_the_line(
    attune: Attune, tmp_path: Path, more: str, where: str, said: str
) -> None:
    """The same words from both, the file and the line of the key, and nothing is written."""
    Path("s.yaml").write_text(SMALL + more)
    checked, ran = attune("check", "s.yaml"), attune("run", "s.yaml")
    wrong(checked, f"s.yaml:{where}", said)
    assert (ran.status, ran.err) == (checked.status, checked.err)
    assert [path.name for path in tmp_path.iterdir()] == ["s.yaml"]


# ------------------------------------------------------------------------------------------------------- how large it is


def of(**spec: Any) -> sim.Scenario:
    return sim.from_spec({"question": "How large?", **spec}, "large")


@pytest.mark.parametrize(
    "spec",
    [
        {"clients_per_arm": 30, "sessions": 5, "exchanges": 3, "follow_up_months": 2, "replicates": 2,
         "arms": {"a": {}, "b": {"sessions": 2}, "c": {"therapist": "none"}}, "record": {"exchanges": {"clients": [0, 7]}}},
        {"clients_per_arm": 20, "sessions": 3, "exchanges": 2, "record": {"items": True}},
        {"design": "clinic", "sessions": 4, "exchanges": 2, "replicates": 2, "record": {"exchanges": {"clients": [0, 1]}},
         "clinic": {"weeks": 16, "therapists": 3, "arrivals_per_week": 2}},
        {"design": "clinic", "sessions": 4, "record": {"sessions": False}, "clinic": {"weeks": 9, "therapists": 2}},
    ],
    ids=["arms", "items", "clinic", "clinic without sessions"],
)  # fmt: skip
def test_rows_are_no_more_than_was_said(spec: dict[str, Any]) -> None:
    """And not many times fewer: of what is sure as many, of a clinic about as many as come."""
    scenario = of(**spec)
    said, run = sizes_of(scenario).rows, sim.run(scenario, seed=1, threads=1)
    slack = 1.5 if scenario.design == "clinic" else 1.0  # arrivals are drawn
    for name, table in run.tables.items():
        assert len(table) <= slack * said[name], name
        assert 5 * len(table) >= said[name] or name == "exchanges", name
    assert scenario.design == "clinic" or (len(run.clients) == said["clients"] and len(run.assessments) == said["assessments"])


def test_traced_exchanges_are_part_of_what_is_needed(attune: Attune, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 of them over 520 sessions, a hundred times: the key that makes it so large, and a value with which it fits."""
    monkeypatch.setattr(limits, "memory_here", lambda: 16 * limits.GIB)
    text = "question: q\nclients_per_arm: 200\nsessions: 520\nexchanges: 60\n"
    Path("s.yaml").write_text(f"{text}record: {{exchanges: {{clients: {list(range(200))}}}}}\nreplicates: 100\n")
    done = attune("check", "s.yaml")
    wrong(done, "s.yaml:6: replicates: 624,000,000 exchanges", "at most replicates: 1 would fit")
    assert attune("run", "s.yaml").err == done.err
    Path("s.yaml").write_text(f"{text}record: {{exchanges: {{clients: {list(range(200))}}}}}\n")
    assert attune("check", "s.yaml").status == 0
    assert "exchanges 6,240,000" in attune("check", "s.yaml").out


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ("replicates: 90000\n", "3: replicates"), ("clients_per_arm: 1000000\nsessions: 300\n", "3: clients_per_arm"),
        ("arms: {a: {}, b: {sessions: 520}}\nclients_per_arm: 400000\n", "4: clients_per_arm"),
        ("follow_up_months: 120\nclients_per_arm: 900000\nsessions: 1\n", "4: clients_per_arm"),
        ("sessions: 400\nbatch: {vary: {clients_per_arm: [10, 2000], exchanges: [60]}, keep: [sessions]}\n", "3: sessions"),
        ("exchanges: 3\nbatch: {vary: {clients_per_arm: [10, 2000], sessions: [5, 500]}}\n", "4: sessions"),
        ("batch: {vary: {trust_rate: [0.1, 0.2]}, keep: [sessions]}\nreplicates: 50000\n", "4: replicates"),
        ("batch:\n  vary: {trust_rate: {from: 0, to: 1, steps: 90000}}\n  keep: [sessions]\n", "4: batch.vary.trust_rate"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_a_value_that_does(
    attune: Attune, monkeypatch: pytest.MonkeyPatch, more: str, key: str
) -> None:
    """On a small machine: the line of the key, and with what is advised it fits."""
    monkeypatch.setattr("sim.batch.needs.memory_here", lambda: 2 * limits.GIB)
    monkeypatch.setattr(limits, "memory_here", lambda: 2 * limits.GIB)
    monkeypatch.setattr("sim.batch.needs.disk_at", lambda folder: 3 * limits.GIB)
    monkeypatch.setattr(limits, "disk_at", lambda folder: 3 * limits.GIB)
    monkeypatch.setattr("sim.batch.needs.cores", lambda: 1)
    Path("s.yaml").write_text("question: q\ntitle: large\n" + more)
    done = attune("check", "s.yaml")
    wrong(done, f"s.yaml:{key}", "would need about", "would fit")
    assert attune("run", "s.yaml", "--workers", 1).err == done.err


def test_many_cores_with_little_memory_use_fewer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody asked for so many processes; where somebody did it is refused."""
    plan = planned(from_spec({"question": "q", "clients_per_arm": 3, "sessions": 2, "batch": {}}, "s"), 1)
    monkeypatch.setattr("sim.batch.needs.cores", lambda: 64)
    monkeypatch.setattr("sim.batch.needs.memory_here", lambda: 5 * limits.GIB)
    assert 1 < fitting(plan, None, tmp_path).workers < 20
    with pytest.raises(ScenarioError, match=r"--workers: 64 processes .* would fit"):
        fitting(plan, 64, tmp_path)


def test_a_batch_that_was_begun_is_not_refused_for_its_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(from_spec({"question": "q", "clients_per_arm": 3, "sessions": 2, "batch": {}}, "s"), 1)
    monkeypatch.setattr("sim.batch.needs.disk_at", lambda folder: 10.0)
    with pytest.raises(ScenarioError, match="of disk"):
        fitting(plan, 1, Path())
    assert fitting(plan, 1, None).disk > 10


def test_what_is_advised_for_a_part_fits_that_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A measure of one arm simulates that arm alone, so that more clients fit than in all arms together."""
    monkeypatch.setattr(limits, "memory_here", lambda: 2 * limits.GIB)
    arms = {f"a{i}": {} for i in range(20)}
    large = from_spec({"question": "q", "clients_per_arm": 500_000, "arms": arms}, "s")
    most = []
    for of in (lambda one: one, *outcome(large, "alliance", "a0").simulated):
        with pytest.raises(ScenarioError, match=r"at most clients_per_arm: \d+ would fit") as refused:
            limits.fits(large, of=of)
        most.append(int(re.findall(r"clients_per_arm: (\d+) would", str(refused.value))[0]))
    assert most[1] > 10 * most[0]
    assert limits.fits(large.but(clients_per_arm=most[1]), of=outcome(large, "alliance", "a0").simulated[0])


def test_nobody_has_to_be_like_a_base_that_is_no_point(attune: Attune) -> None:
    """A client that every point replaces is looked at in none of them."""
    Path("s.yaml").write_text(
        "question: q\nclients_per_arm: 3\nsessions: 2\nclient: {anxiety: [1, 1.0001], avoidance: [6.9999, 7]}\n"
        "batch: {vary: {client: [secure, fearful]}}\n"
    )
    assert attune("check", "s.yaml").status == 0


def test_who_is_drawn_is_looked_at_at_each_point(tmp_path: Path) -> None:
    """Numbers of which one is as good as another elsewhere decide here whether there is anybody at all."""
    both = {"anxiety": [6.2, 7], "avoidance": [6.2, 7]}
    for levels in ([-0.9], [0.0, -0.9]):
        spec = {"question": "q", "client": both, "batch": {"vary": {"anxiety_avoidance_r": levels}}}
        with pytest.raises(ScenarioError, match=r"at the point .*-0\.9"):
            fitting(planned(from_spec(spec, "s"), 1), 1, tmp_path)


def test_the_disk_is_looked_at_where_the_results_would_lie(
    attune: Attune, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where --out says, or else under results; the folder need not be there."""
    asked = list[Path]()
    monkeypatch.setattr(limits, "disk_at", lambda folder: asked.append(folder) or 1e6)
    Path("s.yaml").write_text(SMALL)
    wrong(attune("check", "s.yaml"), "of disk, and at results/s there is")
    wrong(attune("run", "s.yaml", "--out", tmp_path / "there"), "of disk")
    assert asked == [Path("results/s"), tmp_path / "there"]
    monkeypatch.undo()
    assert limits.disk_at(tmp_path / "not" / "there") == limits.disk_at(tmp_path)


def test_a_limit_of_a_control_group_counts(tmp_path: Path) -> None:
    """Of both versions, of the group itself or one above it, also where a container shows its group as the top."""
    groups, all_of_it = tmp_path / "sys/fs/cgroup", memory_here(tmp_path)
    (groups / "a" / "b").mkdir(parents=True)
    (groups / "memory").mkdir()
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("4:memory:/x\n0::/a/b\n")
    assert memory_here(tmp_path) == all_of_it
    (groups / "a" / "b" / "memory.max").write_text("max\n")
    (groups / "a" / "memory.max").write_text("2000\n")
    assert memory_here(tmp_path) == 2000
    (groups / "memory" / "memory.limit_in_bytes").write_text("1500\n")
    assert memory_here(tmp_path) == 1500


# ------------------------------------------------------------------------------------------------------- how long it takes


def test_rates_are_measured_once_and_kept(attune: Attune, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept is read; what is damaged, or asked for anew, is measured; nothing else is written."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    counted = Counter[str]()
    names = (*rates.WORK, "start", "value", "report", "task")
    monkeypatch.setattr(rates, "cache_place", lambda: tmp_path)
    monkeypatch.setattr("platform.node", lambda: "here")
    monkeypatch.setattr(rates, "_measured", lambda: counted.update(["measured"]) or dict.fromkeys(names, 0.5))
    Path("s.yaml").write_text(SMALL)
    for n, words in enumerate((("check", "s.yaml"), ("check", "s.yaml"), ("check", "s.yaml", "--time")), 1):
        assert attune(*words).status == 0 and counted["measured"] == (2 if n == 3 else 1)
    for damaged in ("", "[]", "{}", json.dumps(dict.fromkeys(names, -1)), json.dumps(dict.fromkeys(names, "x"))):
        (tmp_path / "rates-here.json").write_text(damaged)
        counted.clear()
        assert attune("check", "s.yaml").status == 0 and counted["measured"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rates-here.json", "s.yaml"]


def test_more_work_takes_longer() -> None:
    """Each kind of work counts: exchanges, sessions, weeks, clinics, tables, points, replicates, parameter sets."""
    rate = {**dict.fromkeys((*rates.WORK, "start", "report", "task"), 1e-3), "value": 1e-6}

    def took(**more: Any) -> float:
        scenario = of(**{"clients_per_arm": 50, "sessions": 5, "exchanges": 4, **more})
        if scenario.batch is not None:
            plan = planned(scenario, 0)
            return rates.of_batch(plan, needs(plan, 1), rate)
        return rates.of_run(scenario, sizes_of(scenario), rate)

    alone, batch = took(), took(batch={})
    for more in ({"exchanges": 40}, {"sessions": 20}, {"follow_up_months": 3}, {"replicates": 20}, {"clamp": {"alliance": 0}},
                 {"parameters": {"ensemble": 3}}, {"record": {"items": True}}, {"arms": dict.fromkeys("abcd")}):  # fmt: skip
        assert took(**more) > 1.05 * alone, more
    for more in ({"vary": {"trust_rate": [0.1, 0.2, 0.3, 0.4]}}, {"vary": {"sessions": [5, 50]}},
                 {"until": {"measure": "alliance", "se": 0.1, "most": 100}}):  # fmt: skip
        assert took(batch=more) > 1.5 * batch, more


# ---------------------------------------------------------------------------------------------------- many points at once


@pytest.mark.parametrize(
    ("batch", "built"),
    [
        ({"vary": {"trust_rate": {"from": 0.1, "to": 0.4, "steps": 50}, "therapist": ["secure", "fearful"],
                   "lesions.therapist.insula": [0, 1]}}, 4),
        ({"design": "sobol", "points": 256,
          "vary": {"trust_rate": {"from": 0.1, "to": 0.4}, "repair_base": {"from": -2, "to": 0}}}, 4),
        ({"design": "cases", "cases": {f"c{i}": {"trust_rate": 0.1 + i / 1000} for i in range(300)}}, 3),
        ({"vary": {"trust_rate": [0.1 + i / 1000 for i in range(300)]}}, 3),
    ],
    ids=["grid", "sobol", "cases", "levels"],
)  # fmt: skip
def test_of_points_that_differ_in_numbers_alone_one_is_built(
    monkeypatch: pytest.MonkeyPatch, batch: dict[str, Any], built: int
) -> None:
    """So many points are planned in seconds; all are planned as if each were built."""
    count, usual = Counter[str](), scenarios._built
    monkeypatch.setattr(scenarios, "_built", lambda *a: count.update(["built"]) or usual(*a))
    scenario = of(clients_per_arm=5, sessions=2, batch=batch)
    plan = planned(scenario, 0)
    assert count["built"] <= 2 * built + 3 and len(plan.points) == len(points_of(scenario)) > 150
    alone = sizes_of(of(clients_per_arm=5, sessions=2)).times(len(plan.points))
    assert plan.sizes.rows == alone.rows and set(plan.blocks) == {1}


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"trust_rate": [0.1, 0.2, 9]}, r"batch.vary.trust_rate\[2\]: parameters.trust_rate: .* is 9; it must lie"),
        ({"lesions.therapist.insula": [0, 0.5, 2]}, r"vary.lesions.therapist.insula\[2\]: lesions.therapist.insula: must be"),
        ({"cut.therapist.response.warmth": [0.1, "typical", "x"]}, r"batch.vary.cut.therapist.response.warmth\[2\]"),
        ({"trust_rate": [0.1, True]}, r"batch.vary.trust_rate\[1\]: parameters.trust_rate: .* must be a number, not True"),
        ({"trust_rate": [0.1, 0.1]}, "stands twice"),
        ({"policies": [["repair_ruptures"], ["repair_ruptures"]]}, "stands twice"),
        ({"client": [{"anxiety": 2, "avoidance": 3}, {"avoidance": 3.0, "anxiety": 2.0}]}, "stands twice"),
    ],
)  # fmt: skip
def test_every_number_is_looked_at_though_its_point_is_not_built(vary: dict[str, Any], said: str) -> None:
    """The second and third of their kind too."""
    with pytest.raises(ScenarioError, match=said):
        of(batch={"vary": vary})


def test_numbers_between_two_that_may_be_are_looked_at() -> None:
    """A quantity that is counted cannot lie half way."""
    ends = {"cut.client.repair.ruptured": {"from": 0, "to": 1}}
    with pytest.raises(ScenarioError, match="whole number"):
        planned(of(batch={"design": "sobol", "points": 4, "vary": ends}), 0)


def test_a_chunk_does_not_carry_the_points_of_others() -> None:
    """A worker gets what it simulates, however many cases the file lists; the numbers are the same."""
    cases = {f"c{i}": {"trust_rate": 0.1 + i / 1000} for i in range(100)}
    plan = planned(of(clients_per_arm=2, sessions=1, exchanges=2, batch={"design": "cases", "cases": cases}), 3)
    chunk = next(plan.chunks(plan.tasks(7, 0, 1)))
    assert "batch" not in chunk.scenario.spec and list(chunk.changes) == [7]
    assert not perform(chunk).failures


def test_a_batch_fits_with_fewer_processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where each alone has room, and all together have not, it is said how many have."""
    plan = planned(of(clients_per_arm=2000, sessions=200, batch={}), 0)
    monkeypatch.setattr("sim.batch.needs.memory_here", lambda: needs(plan, 1).memory * 3.2)
    assert fitting(plan, 2, tmp_path).tasks == 1
    with pytest.raises(ScenarioError, match=r"--workers: 8 processes would need .*; --workers 2 would fit"):
        fitting(plan, 8, tmp_path)
