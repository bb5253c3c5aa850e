"""What an experimenter can do inside an exchange: switch off, cut, clamp, force. Nothing else may change, and nothing leaks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sim
from sim.engine.native import kernel
from sim.engine.wiring import anatomy, trace_columns
from sim.errors import InterventionError
from sim.people.apply import applied
from sim.people.state import DYAD
from sim.scenario.scenario import Scenario, from_spec, json_schema, load
from sim.simulation import build as design
from sim.theory import equations as eq
from sim.theory.styles import STYLES
from sim.theory.triangle import CORNERS
from sim.therapy import interventions
from sim.therapy.course import Running
from sim.therapy.endings import DROPOUT
from sim.therapy.exchange import EXCHANGE
from sim.therapy.interventions import Intervening, Interventions
from sim.therapy.session import SESSION, World, begin, consolidate, exchange, form_alliance, heal, meet

PLACES = anatomy(EXCHANGE)
LINKS = interventions.links(PLACES)
QUANTITIES = interventions.quantity_names(PLACES)
CLIENTS = 5
#: Ruptures, repairs and people who leave all happen in this one.
SPEC: dict[str, Any] = {
    "question": "?",
    "clients_per_arm": CLIENTS,
    "sessions": 5,
    "exchanges": 4,
    "parameters": {"hazard_base": -1.5, "dropout_base": -3.5},
    "record": {"exchanges": {"clients": list(range(CLIENTS))}},
}
LESIONED = {"client.vlpfc": 0.0, "client.limbic": 0.3, "therapist.middle_prefrontal": 0.5}


def scenario(**more: Any) -> Scenario:
    return from_spec({**SPEC, **more}, "interventions")


@lru_cache(maxsize=None)
def usual() -> sim.Run:
    return sim.run(scenario(), seed=3)


def ran(**more: Any) -> sim.Run:
    return sim.run(scenario(**more), seed=3)


def assert_same(a: Mapping[str, pd.DataFrame], b: Mapping[str, pd.DataFrame]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        pd.testing.assert_frame_equal(a[name], b[name], check_exact=True)


def steps_of(*runs: sim.Run) -> list[pd.DataFrame]:
    """The exchange tables of runs, for the exchanges that all of them held."""
    tables = [run.exchanges.set_index(["client", "session", "exchange"]) for run in runs]
    common = tables[0].index
    for table in tables:
        common = common.intersection(table.index)
    assert len(common)
    return [table.loc[common] for table in tables]


# --------------------------------------------------------------------------------- nothing asked, nothing changed


@pytest.mark.parametrize("client", [*STYLES, "population"])
@pytest.mark.parametrize("lesions", [{}, LESIONED], ids=["intact", "lesioned"])
def test_the_surgical_exchange_is_the_usual_one_where_nothing_is_asked(client: str, lesions: dict[str, float]) -> None:
    """Byte for byte, all tables; what is forced in a session that nobody reaches brings the intervened exchange into use."""
    arms = {"a": {"therapist": "dismissing"}, "b": {}}
    plain = scenario(client=client, lesions=lesions, arms=arms)
    done = [arm.model_copy(update={"force": (interventions.Forced(1.0, session=500),)}) for arm in plain.arms]
    asked = plain.model_copy(update={"arms": tuple(done)})
    worlds = [design.build(s, s.arms[0], 0, 3) for s in (plain, asked)]
    assert [w.intervention is None for w in worlds] == [True, False]
    assert_same(sim.run(plain, seed=3).tables, sim.run(asked, seed=3).tables)


@pytest.mark.parametrize("name", interventions.can_be_clamped())
def test_what_is_just_held_changes_nothing(name: str) -> None:
    """Without a lesion or anything else that moves it, a quantity is at its baseline course anyway."""
    assert_same(ran(clamp={name: 0}).tables, usual().tables)


def test_everything_held_at_once_changes_nothing() -> None:
    every = {name: 0 for name in interventions.can_be_clamped() if name not in CORNERS}
    assert_same(ran(clamp=every).tables, usual().tables)


def test_untreated_people_have_no_exchanges_to_reach_into() -> None:
    arms = {"therapy": {}, "none": {"therapist": "none"}}
    doing: dict[str, Any] = {"clamp": {"empathy": 0.2}, "switch_off": ["heal"], "cut": {"therapist.response.warmth": 0.1},
                             "force": [{"value": 0.0}]}  # fmt: skip
    plain, done = ran(arms=arms), ran(arms=arms, **doing)
    for name in ("clients", "assessments"):
        a, b = (run.tables[name][run.tables[name]["arm"] == "none"] for run in (plain, done))
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    assert not plain.sessions["wai_client"].equals(done.sessions["wai_client"])


# -------------------------------------------------------------------------------------------------------- clamp


def _limits(quantity: str) -> tuple[float, float]:
    return (DYAD[quantity].low, DYAD[quantity].high) if quantity in DYAD else (0.0, 1.0)


@pytest.mark.parametrize(("name", "amount"), [("client_arousal", 0.0), ("client_arousal", 0.3), ("client_perceived", -0.2),
                                              ("therapist_response", 0.15), ("client_trust", -1.0), ("shared_meaning", 0.1),
                                              ("empathy", 0.1), ("attachment", -1.0), ("alliance", 1.0)])  # fmt: skip
def test_what_is_held_follows_its_baseline_exchange_by_exchange(name: str, amount: float) -> None:
    """Exactly: the course of the intact people plus the amount, kept in range; the lesion moves other things."""
    held, intact = steps_of(ran(clamp={name: amount}, lesions=LESIONED), usual())
    quantities = [q for q in interventions.clamped_quantities({name: amount}) if q in held]
    assert quantities
    for quantity in quantities:
        shift = interventions.clamped_quantities({name: amount})[quantity]
        expected = np.clip(intact[quantity] + shift, *_limits(quantity))
        assert (held[quantity] == expected).all(), quantity
        free, there = steps_of(ran(lesions=LESIONED), usual())
        assert (free[quantity] != there[quantity]).any(), "held for nothing"
    assert (held["client_labelling"] != intact["client_labelling"]).any(), "the rest moves on"


@pytest.mark.parametrize("amount", [0.0, 0.1, -0.4])
def test_what_a_session_ends_with_is_held_too(amount: float) -> None:
    """Every quantity of the dyad that can be held, after each week, while the lesion moves the rest."""
    names = [name for name in interventions.can_be_clamped() if name in DYAD and not interventions.counted(name)]
    for name in names:
        world = _world(clamp={name: amount}, lesions=LESIONED)
        running = Running(world)
        assert world.baseline is not None
        for _ in range(3):
            running.live_a_week()
            stayed = world.ending == 0
            expected = np.clip(world.baseline.dyads[name] + amount, DYAD[name].low, DYAD[name].high)
            assert (world.dyads[name][stayed] == expected[stayed]).all(), name
            assert (world.dyads.mean_client_labelling != world.baseline.dyads.mean_client_labelling).any()


def _world(**more: Any) -> World:
    s = scenario(**more)
    return design.build(s, s.arms[0], 0, 3)


def test_what_follows_from_the_held_follows_within_the_same_verb() -> None:
    """A pushed trust makes the bond of the very same session, and the first impression before the first."""
    world = _world(clamp={"client_trust": 0.3})
    running = Running(world, tuple(verb for verb in SESSION if verb is not consolidate))  # which moves what the bond rests on
    assert world.baseline is not None
    for _ in range(3):
        trust, every = world.dyads.client_trust, np.arange(CLIENTS)
        assert (trust == np.clip(world.baseline.dyads.client_trust + 0.3, 0, 1)).all()
        assert (world.dyads.client_bond == applied(eq.felt_bond, world.parameters, "client", world.dyads, every)).all()
        agreed = eq.alliance(world.dyads.client_bond, world.dyads.client_task, world.dyads.client_goal, world.dyads.client_moment)
        assert (world.dyads.client_alliance == agreed).all()
        running.live_a_week()
        world.ending[:] = 0  # everybody stays, so that everybody's columns are of this week


def test_a_held_alliance_is_what_engagement_follows() -> None:
    """With the alliance at its baseline, a lesion can reach engagement through nothing else where distress stays as it is."""
    still = {"healing_rate": 0.0, "relief_gain": 0.0, "rupture_distress_step": 0.0, "plasticity": 0.0}
    parameters = {**SPEC["parameters"], **still}
    free, held, intact = (
        ran(parameters=parameters, **more).sessions.set_index(["client", "session"])["engagement"]
        for more in ({"lesions": LESIONED}, {"lesions": LESIONED, "clamp": {"alliance": 0}}, {})
    )
    both = held.index.intersection(intact.index).intersection(free.index)
    assert (held[both] == intact[both]).all() and (free[both] != intact[both]).any()


def test_held_dropout_risk_is_what_people_leave_by() -> None:
    run = ran(clamp={"dropout_risk": 1})
    assert (run.clients["ending"] == "dropout").all() and (run.sessions["dropout_risk"] == 1.0).all()


def test_the_baseline_is_intact_and_nobody_leaves_it() -> None:
    doing = {"clamp": {"attachment": 0.5}, "switch_off": ["client.anxiety_learned"], "cut": {"therapist.response.warmth": 0.0},
             "force": [{"value": 0.0}], "lesions": LESIONED, "parameters": {"dropout_base": 3.0}}  # fmt: skip
    world, plain = _world(**doing), _world(parameters={"dropout_base": 3.0})
    baseline = world.baseline
    assert baseline is not None and set(baseline.strengths.values()) == {1.0}
    here, there = Running(world), Running(plain)
    for week in range(1, 4):
        world.ending[:], plain.ending[:] = 0, 0  # keep everybody, to see the whole course
        here.live_a_week()
        there.live_a_week()
        assert (world.ending == DROPOUT).any(), "people leave here"
        assert (baseline.ending == 0).all() and (baseline.dyads.session == week).all()
        for name in plain.dyads.declared:
            assert (baseline.dyads[name] == plain.dyads[name]).all(), name
        assert (baseline.clients.data == plain.clients.data).all()


def test_a_push_is_in_the_units_of_its_corner() -> None:
    pushed, plain = ran(clamp={"alliance": 0.6}), usual()
    a, b = (r.sessions.set_index(["client", "session"])["alliance_latent"] for r in (pushed, plain))
    both = a.index.intersection(b.index)
    assert (a[both] - b[both]).to_numpy() == pytest.approx(0.1), "0.6 points of 1-7 are 0.1 of the range"


# ---------------------------------------------------------------------------------------------------- switch off

LEARNING = {name: next(q for step, q in PLACES.writes if step == name)
            for name in sorted(PLACES.updates) if name.endswith("_learned")}  # fmt: skip


@pytest.mark.parametrize("name", LEARNING)
def test_a_learning_rule_that_is_off_leaves_its_quantity_still(name: str) -> None:
    quantity, others = LEARNING[name], {}
    if quantity in ("client_anxiety", "client_avoidance"):
        others = {"repair_attachment_step": 0.0, "rupture_attachment_step": 0.0}  # the other ways in which they move
    here, there = (
        ran(switch_off=off, parameters={**SPEC["parameters"], **others}).exchanges.groupby(["client", "session"])[quantity]
        for off in ([name], [])
    )
    assert (here.nunique() == 1).all() and (there.nunique() > 1).any()
    world = _world()
    begin(world)
    meet(world, np.arange(CLIENTS))
    came_with = world.dyads[quantity]  # the regulation that they bring, the attachment with which they meet this one
    assert (here.first().xs(1, level="session").to_numpy() == came_with).all(), "the first session begins with what people bring"


def test_all_six_learning_rules_can_be_off() -> None:
    assert len(LEARNING) == 6


@pytest.mark.parametrize("name", interventions.step_names(PLACES))
def test_every_step_and_verb_can_be_off(name: str) -> None:
    """Nothing leaves its range; a step that makes something new gives nothing, one that changes something leaves it."""
    run = ran(switch_off=[name])
    if name in interventions.VERBS or name in PLACES.updates:
        return
    last = {quantity: step for step, quantity in PLACES.writes}
    for quantity in (q for step, q in PLACES.writes if step == name and last[q] == name):
        assert (run.exchanges[quantity] == 0.0).all(), quantity


def test_a_verb_that_cannot_be_off_is_said_to_be_one() -> None:
    """Without it nobody would end."""
    with pytest.raises(sim.ScenarioError, match="the verb 'leave' cannot be switched off; of the verbs form_alliance, heal"):
        ran(switch_off=["leave"])


def test_an_alliance_that_is_not_formed_stays() -> None:
    quiet = {**SPEC["parameters"], "repair_trust_step": 0.0, "rupture_trust_step": 0.0}
    off, free = (ran(switch_off=verbs, parameters=quiet).sessions.groupby("client") for verbs in (["form_alliance"], []))
    for column in ("alliance_latent", "alliance_therapist_latent", "engagement", "capability"):
        assert (off[column].nunique() == 1).all() and (free[column].nunique() > 1).any(), column


def test_therapy_that_neither_heals_nor_consolidates_leaves_people_as_no_therapy_does() -> None:
    run = ran(switch_off=["heal", "consolidate"], arms={"therapy": {}, "none": {"therapist": "none"}}, record={})
    both = [run.assessments[run.assessments["arm"] == arm].set_index(["client", "month"]) for arm in ("therapy", "none")]
    assert len(both[0]) == 2 * CLIENTS
    for verb, columns in (("heal", ["distress_latent"]), ("consolidate", ["anxiety_latent", "avoidance_latent"])):
        assert (both[0][columns] == both[1][columns]).all().all(), verb
        one = ran(switch_off=[other for other in ("heal", "consolidate") if other != verb]).assessments
        assert (one.set_index(["client", "month"])[columns] != both[1][columns]).any().any(), f"{verb} does nothing"


# -------------------------------------------------------------------------------------------------------------- cut


@pytest.mark.parametrize("end", [0, 1], ids=["low", "high"])
def test_every_link_can_be_cut(end: int) -> None:
    """At either end of what it may be set to, each in an arm of its own."""
    arms = {link: {"cut": {link: interventions.settable(quantity)[end]}} for link, quantity in LINKS.items()}
    assert len(sim.run(scenario(arms=arms, clients_per_arm=1, sessions=1, record={}), seed=3).clients) == len(LINKS)


@pytest.mark.parametrize("link", ["therapist.response.warmth", "client.perceived.partner_warmth", "client.bid.arousal",
                                  "therapist.repair_probability.partner_noticed"])  # fmt: skip
def test_a_link_cut_at_what_is_seen_anyway_changes_nothing(link: str) -> None:
    """The quantity is forced to a constant; a reader that sees that constant sees what it would see."""
    quantity = LINKS[link]
    forced = {"force": [{"quantity": quantity, "value": 0.4}]}
    assert_same(ran(**forced).tables, ran(**forced, cut={link: 0.4}).tables)
    other = ran(**forced, cut={link: 0.9})
    assert not other.exchanges.equals(ran(**forced).exchanges), "a cut at another value is seen"


@pytest.mark.parametrize("link", interventions.SESSION_LINKS)
def test_a_link_of_the_session_is_one_and_its_value_is_seen(link: str) -> None:
    """Its equation has that argument, and what it sees there matters."""
    _, equation, argument = link.split(".")
    assert argument in inspect.signature(getattr(eq, equation)).parameters
    low, high = interventions.settable(LINKS[link])
    tables = [ran(cut={link: value}).sessions for value in (low, high)]
    assert not tables[0].equals(tables[1])


def test_with_every_link_into_healing_cut_it_is_the_same_for_all() -> None:
    links = [link for link in interventions.SESSION_LINKS if link.startswith("client.healing.")]
    lost = []
    for cut in ({}, dict.fromkeys(links, 0.5)):
        world, rows = _world(cut=cut), np.arange(CLIENTS)
        begin(world)
        for verb in (meet, exchange, form_alliance):
            verb(world, rows)
        for people in (world.clients, world.therapists):  # what people make of treatment is theirs, not a link
            people["treatment_gain"] = 0.0
        world.dyads["open_rupture"] = world.dyads["client_quality"] = 0.0  # nor is what a rupture adds, or a good session takes
        before = world.clients.distress.copy()
        heal(world, rows)
        lost.append(before - world.clients.distress)
    assert np.ptp(lost[0]) > 1e-3 and np.ptp(lost[1]) < 1e-12 and lost[1].min() > 0


def test_only_the_reader_that_is_cut_off_sees_the_value() -> None:
    """Cutting warmth from the response leaves warmth as it is, and what reads it elsewhere."""
    cut = ran(cut={"therapist.response.warmth": 0.0}, sessions=1)
    plain = ran(sessions=1)
    first = [r.exchanges[r.exchanges["exchange"] == 1].set_index("client") for r in (cut, plain)]
    assert (first[0]["therapist_response"] < first[1]["therapist_response"]).all()
    order = [quantity for _, quantity in PLACES.writes]
    before = [q for q in trace_columns(EXCHANGE) if len(order) - 1 - order[::-1].index(q) < order.index("therapist_response")]
    assert "therapist_warmth" in before
    assert (first[0][before] == first[1][before]).all().all()


def test_typical_is_the_number_that_the_model_calls_typical() -> None:
    assert scenario(cut={"therapist.response.warmth": "typical"}).arms[0].cut == {
        "therapist.response.warmth": sim.Parameters().warmth_typical
    }


# ------------------------------------------------------------------------------------------------------------- force


@pytest.mark.parametrize("quantity", ["therapist_response", "client_arousal", "client_anxiety", "client_labelling"])
def test_force_hits_just_the_named_place(quantity: str) -> None:
    run = ran(force=[{"quantity": quantity, "value": 0.37, "session": 2, "exchange": 3}])
    here, there = run.exchanges, usual().exchanges
    hit = (here["session"] == 2) & (here["exchange"] == 3)
    assert hit.any() and (here.loc[hit, quantity] == 0.37).all()
    before = (here["session"] < 2) | ((here["session"] == 2) & (here["exchange"] < 3))
    earlier = (there["session"] < 2) | ((there["session"] == 2) & (there["exchange"] < 3))
    pd.testing.assert_frame_equal(here[before].reset_index(drop=True), there[earlier].reset_index(drop=True), check_exact=True)
    first = run.sessions["session"] == 1
    pd.testing.assert_frame_equal(
        run.sessions[first].reset_index(drop=True),
        usual().sessions[usual().sessions["session"] == 1].reset_index(drop=True),
        check_exact=True,
    )
    assert (here.loc[~hit, quantity] != 0.37).any()


def test_the_narrower_force_counts() -> None:
    """Whatever the order in the file: session and exchange, then session, then exchange, then everywhere."""
    wide, exchange, session, narrow = {"value": 0.1}, {"value": 0.2, "exchange": 2}, {"value": 0.3, "session": 2}, {
        "value": 0.4, "session": 2, "exchange": 2}  # fmt: skip
    for order in ([wide, exchange, session, narrow], [narrow, session, exchange, wide]):
        table = ran(force=order).exchanges
        expected = np.where(table["session"] == 2, 0.3, 0.1)
        expected = np.where(table["exchange"] == 2, np.where(table["session"] == 2, 0.4, 0.2), expected)
        assert (table["therapist_response"] == expected).all()


def test_force_goes_before_clamp_and_switch_off() -> None:
    doing = {"force": [{"quantity": "client_labelling", "value": 0.7, "session": 2}], "switch_off": ["client.labelling"]}
    table = ran(**doing).exchanges
    assert (table["client_labelling"] == np.where(table["session"] == 2, 0.7, 0.0)).all()
    held, intact = steps_of(ran(**doing, clamp={"client_labelling": 0}), usual())
    second = held.index.get_level_values("session") == 2
    assert (held.loc[second, "client_labelling"] == 0.7).all()
    assert (held.loc[~second, "client_labelling"] == intact.loc[~second, "client_labelling"]).all()


def test_a_forced_rupture_is_one() -> None:
    run = ran(force=[{"quantity": "ruptured", "value": 1, "session": 2, "exchange": 4}], parameters={"hazard_base": -12.0})
    ruptures = run.sessions.set_index("session")["ruptures"]
    assert (ruptures[2] == 1).all() and (ruptures.drop(2) == 0).all()


def test_what_is_forced_for_all_comes_to_nothing_in_a_shorter_arm() -> None:
    arms = {"long": {"sessions": 5}, "short": {"sessions": 2}, "own": {"sessions": 2, "force": []}}
    run = ran(arms=arms, sessions=2, force=[{"value": 0.0, "session": 4}], record={})
    plain = ran(arms=arms, sessions=2, record={})
    for arm, same in (("long", False), ("short", True), ("own", True)):
        a, b = (r.sessions[r.sessions["arm"] == arm] for r in (run, plain))
        assert a.equals(b) is same, arm


# ----------------------------------------------------------------------------------------- threads, files, designs


def test_threads_and_chunks_change_nothing() -> None:
    doing: dict[str, Any] = {"clamp": {"attachment": 0.5, "client_arousal": 0}, "force": [{"value": 0.2, "session": 2}],
                             "lesions": LESIONED, "clients_per_arm": 9,
                             "arms": {"a": {}, "b": {"clamp": {"alliance": 0}}}}  # fmt: skip
    s = scenario(**doing)
    reference = sim.run(s, seed=3, threads=1)
    for threads, chunk in ((2, 2), (3, 4), (1, 1)):
        assert_same(sim.run(s, seed=3, threads=threads, chunk=chunk).tables, reference.tables)


def test_in_a_crossed_design_it_holds_for_every_pairing() -> None:
    s = scenario(design="crossed", client=["secure", "fearful"], therapist=["secure", "dismissing", "none"],
                 force=[{"value": 0.25}], clamp={"client_anxiety": 0}, switch_off=["heal"],
                 cut={"client.bid.arousal": 0.5})  # fmt: skip
    assert all(arm.interventions == s.arms[0].interventions and arm.interventions for arm in s.arms)
    run = sim.run(s, seed=3)
    assert run.exchanges["arm"].nunique() == 4 and (run.exchanges["therapist_response"] == 0.25).all()


ALL_KEYS = """question: What if?
switch_off: [client.anxiety_learned, heal]
cut: {therapist.response.warmth: typical, client.bid.arousal: 0.5}
clamp: {attachment: 0, client_arousal: 0.1}
force:
- {value: 0.2, session: 3, exchange: 5}
- {quantity: ruptured, value: 1, session: 2}
arms:
  usual: {}
  other:
    switch_off: []
    cut: {therapist.response.warmth: 0.9}
    clamp: {alliance: 1}
    force: []
"""


def test_what_an_arm_does_goes_before_what_the_scenario_does(tmp_path: Path) -> None:
    """Lists are replaced, mappings merged; so too when a file extends another."""
    (tmp_path / "base.yaml").write_text(ALL_KEYS)
    (tmp_path / "child.yaml").write_text("extends: base\nclamp: {client_arousal: -0.1}\nswitch_off: [consolidate]\n")
    usual_arm, other = load(tmp_path / "base.yaml").arms
    assert usual_arm.switch_off == ("client.anxiety_learned", "heal") and other.switch_off == ()
    assert other.cut == {"therapist.response.warmth": 0.9, "client.bid.arousal": 0.5}
    assert other.clamp == {"attachment": 0, "client_arousal": 0.1, "alliance": 1}
    assert [one.quantity for one in usual_arm.force] == ["therapist_response", "ruptured"] and other.force == ()
    child, _ = load(tmp_path / "child.yaml").arms
    assert child.clamp == {"attachment": 0, "client_arousal": -0.1} and child.switch_off == ("consolidate",)
    again = tmp_path / "again.yaml"
    again.write_text(load(tmp_path / "child.yaml").to_yaml())
    assert load(again, name="child") == load(tmp_path / "child.yaml")


def fits(value: Any, schema: Any, definitions: Any) -> bool:
    """Whether a JSON value fits a schema, for the words of JSON Schema that ours uses."""
    if "$ref" in schema and not fits(value, definitions[schema["$ref"].rpartition("/")[2]], definitions):
        return False
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None),
             "number": (int, float), "integer": int}  # fmt: skip
    wanted = schema.get("type", [])
    wanted = [wanted] if isinstance(wanted, str) else wanted
    if wanted and not any(
        isinstance(value, kinds[k]) and not (isinstance(value, bool) and k in ("number", "integer")) for k in wanted
    ):
        return False
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    for word, exact in (("anyOf", False), ("oneOf", True)):
        if word in schema:
            n = sum(fits(value, one, definitions) for one in schema[word])
            if n == 0 or (exact and n != 1):
                return False
    if isinstance(value, (int, float)) and not schema.get("minimum", -np.inf) <= value <= schema.get("maximum", np.inf):
        return False
    if isinstance(value, list):
        return all(fits(one, schema.get("items", {}), definitions) for one in value)
    if isinstance(value, dict):
        known, more = schema.get("properties", {}), schema.get("additionalProperties", {})
        unknown = [key for key in value if key not in known]
        return (
            all(key in value for key in schema.get("required", []))
            and not (unknown and more is False)
            and all(fits(one, known.get(key, more), definitions) for key, one in value.items())
        )
    return True


def test_the_schema_for_editors_knows_the_keys(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(ALL_KEYS)
    schema, spec = json_schema(), load(tmp_path / "all.yaml").spec
    assert fits(spec, schema, schema["$defs"])
    for wrong in ({"switch_off": ["hael"]}, {"cut": {"client.bid.arousal": 2}}, {"clamp": {"alliance": 7}},
                  {"clamp": {"repairs": 0.5}}, {"force": [{"session": 1}]}, {"force": [{"value": 1, "sesion": 1}]},
                  {"force": [{"value": 1, "quantity": "x"}]}, {"cut": {"client.arousal.control": "typical"}},
                  {"arms": {"a": {"clamp": {"allianc": 0}}}}):  # fmt: skip
        assert not fits({"question": "?", **wrong}, schema, schema["$defs"]), wrong
        with pytest.raises(sim.ScenarioError):
            from_spec({"question": "?", **wrong}, "s")


def test_an_intervention_on_what_a_changed_model_has_no_more_is_refused() -> None:
    """Instead of doing nothing without a word."""
    model = sim.Model().without("client.separation")
    for doing in ({"switch_off": ["client.separation"]}, {"clamp": {"client_separation": 0}},
                  {"cut": {"client.separation.felt": 0}},
                  {"force": [{"quantity": "client_separation", "value": 0}]}):  # fmt: skip
        s = scenario(**doing)
        with pytest.raises(InterventionError, match=r"this model has no client.separation"):
            design.build(s, s.arms[0], 0, 3, model=model)


def test_the_arguments_fit_the_kernel() -> None:
    """One entry per step, link and write; a wrong length would read beyond an array unnoticed."""
    world = _world(clamp={"empathy": 0})
    assert isinstance(world.intervention, Intervening)
    off, cut, touched, slot, shift, base, recording, forced = world.intervention.arguments()
    assert off.size == len({step for step, _ in PLACES.writes})
    assert cut.size == len(PLACES.links)
    assert touched.size == slot.size == shift.size == forced.shape[2] == len(PLACES.writes)
    assert base.shape == (CLIENTS, world.n_exchanges, touched.sum()) and not recording
    assert kernel(EXCHANGE, intervened=True) is not kernel(EXCHANGE)
    assert not Interventions() and Interventions(switch_off=("heal",))


# ------------------------------------------------------------------------------------------- whatever is combined


def _within_reach(quantity: str) -> st.SearchStrategy[float]:
    low, high = interventions.settable(quantity)
    if interventions.counted(quantity):
        return st.integers(int(low), int(min(high, 5))).map(float)
    return st.floats(low, high)


def _amount(name: str) -> st.SearchStrategy[float]:
    most = interventions.most_added(name)
    return st.integers(-int(most), int(most)).map(float) if interventions.counted(name) else st.floats(-most, most)


WHEN = {"session": st.integers(1, 3), "exchange": st.integers(1, 3)}
FORCED = st.sampled_from(QUANTITIES).flatmap(
    lambda q: st.fixed_dictionaries({"quantity": st.just(q), "value": _within_reach(q)}, optional=WHEN)
)
HELD = st.sampled_from([name for name in interventions.can_be_clamped() if name not in CORNERS])
DOING = st.fixed_dictionaries({}, optional={
    "switch_off": st.lists(st.sampled_from(interventions.step_names(PLACES)), unique=True, max_size=4),
    "cut": st.lists(st.sampled_from(list(LINKS)), unique=True, max_size=4).flatmap(
        lambda links: st.fixed_dictionaries({link: _within_reach(LINKS[link]) for link in links})),
    "clamp": st.lists(HELD, unique=True, max_size=4).flatmap(
        lambda names: st.fixed_dictionaries({name: _amount(name) for name in names})),
    "force": st.lists(FORCED, max_size=3, unique_by=lambda f: (f["quantity"], f.get("session"), f.get("exchange"))),
    "lesions": st.sampled_from([{}, LESIONED]),
})  # fmt: skip
QUICK = settings(deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@settings(QUICK, max_examples=30)
@given(doing=DOING, seed=st.integers(0, 1000))
def test_nothing_leaves_its_range_whatever_is_combined(doing: dict[str, Any], seed: int) -> None:
    """A quantity out of range, or no number, would raise; alone or in chunks, the same comes out."""
    s = scenario(**doing, sessions=3, exchanges=3, clients_per_arm=3, record={"exchanges": {"clients": [0, 1, 2]}})
    run = sim.run(s, seed=seed, threads=1)
    for table in (run.sessions, run.exchanges):
        assert np.isfinite(table.select_dtypes("number").astype(float)).all().all()
    for quantity in QUANTITIES:
        low, high = interventions.bounds(quantity)
        assert run.exchanges[quantity].between(low, high).all(), quantity
    assert_same(sim.run(s, seed=seed, threads=1, chunk=2).tables, run.tables)
