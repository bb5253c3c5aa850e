"""Adding a mechanism, a measure, a policy or an instrument: the examples of docs/EXTENDING.md, and what must not go wrong."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.errors import ParameterError, StateError, WiringError
from sim.people.state import Column
from sim.report.pages.run import write_report
from sim.storage import store
from sim.theory import equations as eq
from sim.theory.parameters import Parameter
from sim.therapy.exchange import client, therapist
from sim.therapy.model import SHIPPED
from sim.therapy.policies import POLICIES, Policy
from sim.therapy.session import World

pytestmark = pytest.mark.usefixtures("pictures_not_drawn")

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "EXTENDING.md").read_text(encoding="utf-8")
#: Heading -> its Python block, the measure that the text names, and whether it says falls or rises.
EXAMPLES = {
    heading: (block, measure, direction)
    for heading, block, measure, direction in re.findall(
        r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```\n\nEffect: `(\w+)` (falls|rises)\.", PAGE, re.S | re.M
    )
}
SMALL = sim.from_spec(
    {
        "question": "?",
        "clients_per_arm": 6,
        "sessions": 5,
        "exchanges": 3,
        "arms": {"long": {}, "short": {"sessions": 2}, "none": {"therapist": "none"}},
        "record": {"exchanges": {"clients": [0]}},
    },
    "extending",
)
ONE = SMALL.but(clients_per_arm=1, sessions=1, arms={"long": {}}, record={})
#: An exchange of one step: compiled in a second.
TINY = sim.Model(exchange=(client(eq.habitual_anxiety),))


# ------------------------------------------------------------------------------------------------------ the examples


def test_the_page_has_one_example_of_each_kind() -> None:
    kinds = ["mechanism", "verb", "measure", "policy", "instrument", "matching"]
    assert [re.split(r"[ :]", heading)[1] for heading in EXAMPLES] == kinds
    assert PAGE.count("```python") == len(kinds)
    assert PAGE.count("assumption") >= len(kinds)
    assert "(ODD.md)" in PAGE and "(DESIGN.md)" in PAGE


@pytest.mark.parametrize("heading", EXAMPLES)
def test_an_example_is_short_and_does_what_the_text_says(heading: str, monkeypatch: pytest.MonkeyPatch) -> None:
    block, measure, direction = EXAMPLES[heading]
    assert len([line for line in block.splitlines() if line.strip()]) < 15
    assert "assumption" in block
    monkeypatch.chdir(ROOT)
    here: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(block, heading, "exec"), here)
    row = here["effect"].set_index("measure").loc[measure]
    assert (row["high"] < 0) if direction == "falls" else (row["low"] > 0), row.to_dict()


# ---------------------------------------------------------------------------------------------------------- mechanisms


def doubt(anxiety, doubt, doubt_luck, doubt_rate):  # type: ignore[no-untyped-def]
    """A mechanism that changes nothing else: doubt that comes and goes with anxiety and luck."""
    return min(max(doubt + doubt_rate * (anxiety + 0.1 * doubt_luck - doubt), 0.0), 1.0)


RATE = Parameter("doubt_rate", 0.5, "share", 0, 1, "assumption", "", "how fast doubt follows")
DOUBT = Column("client_doubt", 0.5, 0, 1, "share", "doubt")
MEAN = Column("mean_client_doubt", 0.0, 0, 1, "share", "session mean of doubt")
DOUBTING = sim.Model().insert(client(doubt), after="client.labelling", parameters=[RATE], columns=[DOUBT, MEAN])


def rate_every_third(world: World, rows: np.ndarray) -> None:
    """An instrument that is not given every week, and first after some weeks."""
    if world.week % 3 == 0:
        world.rate("third", rows, 10.0 * world.week + world.luck.normal(world.pair_code[rows], "third", world.week))


@pytest.fixture(scope="module")
def plain() -> sim.Run:
    return sim.run(SMALL, seed=5)


@pytest.fixture(scope="module")
def doubting() -> sim.Run:
    return sim.run(SMALL, seed=5, model=DOUBTING)


def test_a_mechanism_that_touches_nothing_changes_nothing_else(plain: sim.Run, doubting: sim.Run) -> None:
    """Its luck is its own: nobody else's draws move."""
    for name, table in plain.tables.items():
        pd.testing.assert_frame_equal(doubting.tables[name][table.columns], table, check_exact=True)
    assert set(doubting.sessions) - set(plain.sessions) == {"client_doubt", "mean_client_doubt"}
    assert set(doubting.exchanges) - set(plain.exchanges) == {"client_doubt"}


def test_what_a_mechanism_keeps_lasts_from_exchange_to_exchange_and_week_to_week(doubting: sim.Run) -> None:
    inside = doubting.exchanges[doubting.exchanges["arm"] == "long"]
    assert inside["client_doubt"].nunique() == len(inside) == 15
    sessions = doubting.sessions[(doubting.sessions["arm"] == "long") & (doubting.sessions["client"] == 0)]
    by_session = inside.groupby("session")["client_doubt"]
    assert sessions["client_doubt"].to_numpy() == pytest.approx(by_session.last().to_numpy(), abs=0)
    assert sessions["mean_client_doubt"].to_numpy() == pytest.approx(by_session.mean().to_numpy())


def test_own_numbers_are_changed_by_but_and_reach_the_equation(doubting: sim.Run) -> None:
    still = sim.run(SMALL, seed=5, model=DOUBTING.but(doubt_rate=0.0))
    assert (still.sessions["client_doubt"] == DOUBT.start).all()
    assert (doubting.sessions["client_doubt"] != DOUBT.start).any()
    with pytest.raises(ParameterError, match="doubt_rate' is 2"):
        DOUBTING.but(doubt_rate=2.0)
    with pytest.raises(ParameterError, match="did you mean 'doubt_rate'"):
        DOUBTING.but(doubt_rte=0.1)


def test_an_edited_mechanism_is_not_the_old_one() -> None:
    """In a notebook a function is edited and run again under its name: what runs is the new one."""
    found = []
    for value in (0.25, 0.75):
        here: dict[str, Any] = {"__name__": "__main__"}
        exec(f"def fixed(anxiety):\n    return {value} + 0.0 * anxiety\n", here)
        column = Column("client_fixed", 0, 0, 1, "share", "fixed")
        model = TINY.insert(client(here["fixed"]), after="client.habitual_anxiety", columns=[column])
        run = sim.run(ONE, seed=1, model=model)
        found.append((run.sessions["client_fixed"].unique().tolist(), model.identity))
    assert [values for values, _ in found] == [[0.25], [0.75]]
    assert found[0][1] != found[1][1]


def test_a_step_behind_another_can_take_its_place() -> None:
    def cold(attunement):  # type: ignore[no-untyped-def]
        return 0.2 + 0.0 * attunement

    model = sim.Model().insert(therapist(cold, "therapist_warmth"), after="therapist.warmth")
    run = sim.run(SMALL, seed=5, model=model)
    assert run.sessions["warmth"].to_numpy() == pytest.approx(0.2)
    assert (run.exchanges["therapist_warmth"] == 0.2).all()


def broken(anxiety):  # type: ignore[no-untyped-def]
    """A mechanism that a compiled exchange cannot hold."""
    return pd.Series([anxiety]).mean()


def astray(anxiety):  # type: ignore[no-untyped-def]
    """A mechanism that leaves its range."""
    return 2.0 + anxiety


def test_what_cannot_be_compiled_or_leaves_its_range_is_named() -> None:
    column = Column("client_astray", 0, 0, 1, "share", "too much")
    with pytest.raises(WiringError, match=r"step client\.broken cannot be compiled"):
        sim.run(ONE, 1, model=sim.Model().insert(client(broken), after="client.labelling"))
    with pytest.raises(StateError, match="client_astray is 2"):
        sim.run(ONE, 1, model=TINY.insert(client(astray), after="client.habitual_anxiety", columns=[column]))


def needs(arousel):  # type: ignore[no-untyped-def]
    """A mechanism with a mistyped argument."""
    return arousel


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "place": (client(doubt), {"after": "client.labeling"}, "did you mean 'client.labelling'"),
    "argument": (client(needs), {"after": "client.labelling"}, "nothing provides 'arousel' - did you mean"),
    "too early": (client(lambda: 0.0, "x"), {"after": "client.labelling"}, "needs a name of its own"),
    "a verb's place": (client(doubt), {"after": "heal"}, "'heal' is a verb of the session, and what is inserted is none"),
    "no step": (doubt, {"after": "client.labelling"}, r"written client\(equation\)"),
    "neither": (3, {"after": "heal"}, "not 3"),
    "there already": (client(eq.labelling), {"after": "client.labelling"}, "is there already"),
    "number taken": (client(doubt), {"after": "client.labelling", "parameters": [RATE, RATE]}, "'doubt_rate' is taken"),
    "shipped number": (
        client(doubt),
        {"after": "client.labelling", "parameters": [Parameter("trust_rate", 0.1, "", 0, 1, "assumption", "", "")]},
        "'trust_rate' is taken",
    ),
    "column taken": (
        client(doubt),
        {"after": "client.labelling", "columns": [Column("client_trust", 0, 0, 1, "", "")]},
        "'client_trust' is taken",
    ),
    "column's start": (
        client(doubt),
        {"after": "client.labelling", "columns": [Column("client_doubt", 2, 0, 1, "", "")]},
        "starts at 2, outside its range",
    ),
    "mean of nothing": (
        client(doubt),
        {"after": "client.labelling", "parameters": [RATE], "columns": [DOUBT, Column("mean_client_dout", 0, 0, 1, "", "")]},
        "no step writes 'client_dout'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mechanism_that_does_not_fit_is_refused_at_once(case: str) -> None:
    part, how, message = BAD[case]
    with pytest.raises(WiringError, match=message):
        sim.Model().insert(part, **how)


def test_without() -> None:
    with pytest.raises(WiringError, match="nothing provides"):
        sim.Model().without("client.mirrored")
    with pytest.raises(WiringError, match="did you mean 'heal'"):
        sim.Model().without("heel")
    run = sim.run(SMALL, seed=5, model=sim.Model().without("rate_alliance"))
    assert run.sessions["wai_client"].isna().all() and run.sessions["distress"].notna().all()


def test_a_number_that_cannot_be_is_refused() -> None:
    with pytest.raises(ParameterError):
        wrong = Parameter("doubt_rate", 5, "share", 0, 1, "assumption", "", "")
        sim.Model().insert(client(doubt), after="client.labelling", parameters=[wrong], columns=[DOUBT])


# --------------------------------------------------------------------------------------------- instruments and policies


def test_an_instrument_need_not_be_given_every_week(plain: sim.Run) -> None:
    """Weeks without it are empty, not last week's; a course too short for it has the column all the same."""
    run = sim.run(SMALL, seed=5, model=sim.Model().insert(rate_every_third, after="rate_alliance"))
    asked = run.sessions["week"] == 3
    assert asked.any() and (run.sessions.loc[asked, "third"] > 20).all()
    assert run.sessions.loc[~asked, "third"].isna().all()
    pd.testing.assert_frame_equal(run.sessions[plain.sessions.columns], plain.sessions, check_exact=True)


def rate_week(world: World, rows: np.ndarray) -> None:
    """An instrument under a name that the table needs for itself."""
    world.rate("week", rows, np.zeros(rows.size))


def rate_nothing(world: World, rows: np.ndarray) -> None:
    """An instrument that gives no number."""
    world.rate("nothing", rows, np.full(rows.size, np.nan))


def test_an_instrument_cannot_take_a_column_or_give_no_number() -> None:
    with pytest.raises(WiringError, match="the session table has a column 'week' of its own"):
        sim.run(SMALL, 1, model=sim.Model().insert(rate_week, after="heal"))
    with pytest.raises(StateError, match="the rating nothing is not a number"):
        sim.run(SMALL, 1, model=sim.Model().insert(rate_nothing, after="heal"))


def test_a_policy_can_be_added_and_is_checked() -> None:
    POLICIES["train_both"] = Policy("Practise both.", parameters={"repair_effort": 0.5}, adds={"skill": 0.1})
    scenario = SMALL.but(policies=["train_both"])
    assert scenario.arms[0].parameters == {"repair_effort": 0.5}
    assert sim.run(scenario, 1).sessions["attunement"].mean() > sim.run(SMALL, 1).sessions["attunement"].mean()
    before = store.run_id(scenario, 1)
    POLICIES["train_both"] = Policy("Practise both.", parameters={"repair_effort": 0.5}, adds={"skill": 0.2})
    assert store.run_id(scenario, 1) != before
    with pytest.raises(ParameterError, match="did you mean 'skill'"):
        Policy("Practise.", adds={"skil": 0.1})
    with pytest.raises(ParameterError, match="did you mean 'repair_effort'"):
        Policy("Practise.", parameters={"repair_efort": 0.1})


# ------------------------------------------------------------------------------------------------ saving and comparing


def test_a_run_of_another_model_is_saved_reported_and_read_back(doubting: sim.Run, tmp_path: Path) -> None:
    folder = store.save(doubting, tmp_path / "out", report=write_report)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["model"] == {
        "added": ["client.doubt after client.labelling"],
        "parameters": {"doubt_rate": 0.5},
        "columns": ["client_doubt", "mean_client_doubt"],
    }
    assert (folder / "report.html").stat().st_size > 10_000
    again = sim.open_run(folder)
    pd.testing.assert_frame_equal(again.sessions, doubting.sessions)


def test_runs_of_different_models_have_different_ids() -> None:
    models = [SHIPPED, DOUBTING, DOUBTING.but(doubt_rate=0.1), sim.Model().without("heal"),
              sim.Model().insert(client(doubt), after="client.felt", parameters=[RATE], columns=[DOUBT, MEAN]),
              sim.Model().insert(rate_every_third, after="heal"), sim.Model().insert(rate_every_third, after="meet")]  # fmt: skip
    ids = [store.run_id(SMALL, 1, model) for model in models]
    assert len(set(ids)) == len(ids)
    assert ids[0] == store.run_id(SMALL, 1) and SHIPPED.identity == "" and sim.Model().own == {}
    assert pickle.loads(pickle.dumps(DOUBTING)).identity == DOUBTING.identity


def test_the_id_of_a_model_is_the_same_in_every_process() -> None:
    """Hash randomisation, addresses and order of import must not show in it."""
    code = "from tests.test_extending import DOUBTING; print(DOUBTING.identity)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": "."})  # fmt: skip
    assert done.stdout.strip() == DOUBTING.identity


def test_runs_can_be_pickled(plain: sim.Run) -> None:
    """For process pools."""
    again = pickle.loads(pickle.dumps(plain))
    pd.testing.assert_frame_equal(again.sessions, plain.sessions)


def test_two_models_are_compared_on_shared_luck() -> None:
    def mean_doubt(run: sim.Run) -> float:
        return float(run.sessions["client_doubt"].mean()) if "client_doubt" in run.sessions else 0.0

    def distress(run: sim.Run) -> float:
        return float(run.sessions["distress"].mean())

    table = sim.compare(SMALL, SMALL, [1, 2, 3], [mean_doubt, distress], model_b=DOUBTING).set_index("measure")
    assert table.loc["mean_doubt", "low"] > 0.1 and table.loc["distress", "difference"] == 0.0
    both = sim.compare(SMALL, SMALL, [1, 2], mean_doubt, model=DOUBTING)
    assert both.loc[0, "difference"] == 0.0 and both.loc[0, "a"] > 0.1
    slower = sim.compare(SMALL, SMALL, [1, 2], mean_doubt, model=DOUBTING, model_b=DOUBTING.but(doubt_rate=0.01))
    assert slower.loc[0, "difference"] != 0.0
