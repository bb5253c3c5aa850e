"""Claims put to the test: the table is sound, what it says comes out, and each test can fail."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import wraps
from typing import Any

import numpy as np
import pytest

from sim.cli import main as cli
from sim.engine.living import Living
from sim.engine.plain import walk
from sim.engine.wiring import wire
from sim.errors import EvidenceError
from sim.evidence import stored
from sim.evidence.claims import contrasts as tested
from sim.evidence.claims import verdicts
from sim.evidence.claims.contrasts import Contrast, Effect, Expected, Finding, contrasts, findings, overlaid
from sim.evidence.claims.effects import lesion_effects
from sim.evidence.claims.origins import distance, own_rules, rules
from sim.evidence.claims.quantities import measured, quantities
from sim.evidence.imaging import correlation
from sim.evidence.stored import kept
from sim.people.life import EARLY, LIFE, NUMBERS, beginning
from sim.people.population import DISTRESS, PLACE, TABLES, WANTED
from sim.people.state import ANYTHING, DYAD, OF_PEOPLE, PERSON
from sim.runs.run import run
from sim.scenario.scenario import from_spec, load
from sim.simulation.build import build
from sim.theory import equations as eq
from sim.theory.claims import claims
from sim.theory.parameters import PARAMETERS
from sim.theory.regions import REGIONS, ROLES
from sim.theory.steps import Step
from sim.therapy.exchange import EXCHANGE
from sim.therapy.interventions import clamped_quantities
from sim.therapy.session import SESSION, begin
from sim.therapy.verbs import BEFORE, FIRST_MEETING, VERBS, Verb
from tools.docs import claims as claims_doc

EVERY = contrasts()
every_contrast = pytest.mark.parametrize("contrast", EVERY, ids=[c.id for c in EVERY])


@pytest.fixture(scope="module")
def found() -> list[Finding]:
    """All contrasts as they are kept, which a change of the model would have made stale (``sim.evidence.stored``)."""
    return claims_doc.findings_of(kept("claims"))


# ------------------------------------------------------------------------------------------------------- the table


def test_every_claim_has_its_place() -> None:
    """A mechanism or read-out is tested by a contrast; what is taught says where."""
    of = {claim for c in EVERY for claim in c.claims}
    taught = set(tested.table()["taught"])
    assert of | taught == set(claims()) and not of & taught
    assert {c for c in claims().values() if c.kind == "teaching"} == {claims()[name] for name in taught}
    assert len({c.id for c in EVERY}) == len(EVERY)


@every_contrast
def test_contrast_is_sound(contrast: Contrast) -> None:
    """Known keys, claims and measures; sides that load; a size stated with its reason; an ablation for every difference."""
    row = next(r for r in tested.table()["contrasts"] if r["id"] == contrast.id)
    assert set(row) <= {"id", "claims", "says", "usual", "changed", "cells", "measure", "expected", "spares", "without", "unit",
                        "interaction", "coded", "why_not", "because", "amended"}  # fmt: skip
    assert set(contrast.claims) <= set(claims()) and contrast.because and contrast.says.endswith(".")
    for name in (contrast.measure, *contrast.spares):
        prefix = name.rpartition(".")[0]
        assert prefix in ("", "late", "first_session", "first", "change", "moved", "swing", "r", "count", "mean"), name
        if prefix not in ("r", "count"):
            assert quantities(name), f"{name} shows no quantity of the model"
    mechanisms = any(claims()[claim].kind == "mechanism" for claim in contrast.claims)
    lenient = contrast.expected.kind == "at_least" and contrast.expected.size <= 0.0
    if mechanisms and len(contrast.cells) > 1 and not lenient:
        assert contrast.without is not None, "nothing is taken out: how would one see that the mechanism does it?"
    for arm in tested._wanted([contrast], ablated=True):
        tested.scenario_of(json.loads(arm), 30)


def test_weights_of_four_sides_cancel() -> None:
    """A sum over more than one side is a difference: its weights add up to nothing."""
    for c in EVERY:
        assert sum(weight for weight, _ in c.cells) == (1.0 if len(c.cells) == 1 else 0.0)


def test_overlays_merge_what_is_numbers_and_replace_the_rest() -> None:
    """Numbers add up, lists do not."""
    a = {"parameters": {"plasticity": 0}, "policies": ["train_warmth"], "lesions": {"client.ofc": 0.5}}
    b = {"parameters": {"trust_rate": 0.1}, "policies": [], "lesions": {"client.ofc": 1}}
    assert overlaid(a, b) == {
        "parameters": {"plasticity": 0, "trust_rate": 0.1}, "policies": [], "lesions": {"client.ofc": 1},
    }  # fmt: skip
    assert a["parameters"] == {"plasticity": 0}  # the first is left as it was


# ------------------------------------------------------------------------------------------------------- the verdicts


@pytest.mark.parametrize(
    ("kind", "size", "effect", "verdict"),
    [
        ("at_least", 0.2, (0.3, 0.1, 0.5), "reproduced"),
        ("at_least", 0.2, (0.3, -0.1, 0.7), "not reproduced"),
        ("at_least", 0.2, (0.1, 0.05, 0.15), "weaker than stated"),
        ("at_least", 0.2, (-0.3, -0.4, -0.2), "not reproduced"),
        ("at_most", -0.2, (-0.3, -0.4, -0.1), "reproduced"),
        ("at_most", -0.2, (-0.1, -0.15, -0.05), "weaker than stated"),
        ("at_most", -0.2, (0.3, 0.2, 0.4), "not reproduced"),
        ("at_least", -0.2, (-0.1, -0.15, 0.1), "reproduced"),
        ("at_least", -0.2, (-0.1, -0.3, 0.1), "not reproduced"),
        ("at_least", -0.2, (-0.3, -0.4, -0.2), "not reproduced"),
        ("within", 0.1, (0.05, 0.0, 0.1), "reproduced"),
        ("within", 0.1, (0.05, -0.02, 0.12), "not reproduced"),
        ("at_most", 0.8, (0.7, 0.6, 0.78), "reproduced"),
        ("at_most", 0.8, (0.79, 0.75, 0.82), "not reproduced"),
        ("within", 0.1, (-0.2, -0.3, -0.1), "not reproduced"),
        ("at_least", 0.2, (float("nan"),) * 3, "not reproduced"),
        ("within", 0.2, (float("nan"),) * 3, "not reproduced"),
    ],
)
def test_verdict(kind: str, size: float, effect: tuple[float, float, float], verdict: str) -> None:
    """What is as large as stated and clear of zero is reproduced; nothing else is."""
    assert Expected(kind, size).met(Effect(*effect)) == verdict


def test_moving_what_must_not_change_is_not_specific() -> None:
    """A claim that is reproduced but touches what it should spare says so; a missing number counts as touched."""
    contrast = next(c for c in EVERY if c.id == "cold_but_accurate")
    good = Effect(-1.0, -1.1, -0.9)
    still = dict.fromkeys(contrast.spares, Effect(0.0, 0.0, 0.0))
    assert Finding(contrast, good, None, still, 1).verdict == "reproduced"
    name = next(iter(contrast.spares))
    for moved in (Effect(0.5, 0.4, 0.6), Effect(float("nan"), 0.0, 0.0)):
        finding = Finding(contrast, good, None, {**still, name: moved}, 1)
        assert (finding.verdict, finding.touched) == ("not specific", (name,))


# ------------------------------------------------------------------------------------------ coded in, or emergent


def test_distance_by_hand() -> None:
    """One: the measured quantity stands in the mechanism's own equation. Else so many equations along the wiring."""
    assert distance({"parameters": {"labelling_calm_rate": 0}}, ["client_arousal"]) == 1
    assert distance({"lesions": {"client.vlpfc": 0}}, ["client_labelling"]) == 1
    assert distance({"lesions": {"client.vlpfc": 0}}, ["client_disclosure"]) == 1  # stands there as an input
    assert distance({"lesions": {"client.vlpfc": 0}}, ["client_arousal"]) == 2
    assert distance({"lesions": {"therapist.insula": 0}}, ["therapist_response"]) == 3  # felt, understood, given
    # mirrored, felt, felt and understood, response, perceived, trust, bond
    assert distance({"lesions": {"therapist.mirror": 0}}, ["client_bond"]) == 7
    assert distance({"parameters": {"wai_item_sd": 0}}, ["client_bond"]) is None
    assert distance({"parameters": {"trust_rate": 0}}, ["client_trust"]) == 1
    assert distance({"parameters": {"healing_rate": 0}}, ["client_arousal"]) == 3  # distress, insecure, slow to calm
    assert distance({"force": [{"session": 1, "value": 0.5}]}, ["client_perceived"]) == 1
    assert distance({"client": "fearful"}, ["client_disclosure"]) == 1
    assert distance({"switch_off": ["heal"]}, ["distress"]) == 1


def test_rules_read_things_that_exist() -> None:
    """Every name in the wiring is a quantity that some equation writes, a number, a region, or what people bring."""
    written = {name for rule in rules() for name in rule.writes}
    named = {"x", "share", "step", *PARAMETERS, *(n.partition("_")[2] for n in PARAMETERS), *written}
    named |= {f"{role}_{region}" for role in ROLES for region in REGIONS} | set(PERSON) | set(DYAD)
    named |= {f"{role}_{number}" for role in ROLES for number in PARAMETERS} | {c.partition("_")[2] for c in DYAD}
    ends = ("_luck", "_chance", "exchange", "_z", "_path", "own", "progress", "mean_perceived", "mean_attunement", "anchor",
            "prototype",
            "population_sd", "population_mean", "distress_gain", "attachment", "typical", "treatment_gain", "event", "common",
            "shared_share")  # fmt: skip
    for rule in rules():
        lost = [name for name in rule.reads if not {name, name.partition("_")[2]} & named and not name.endswith(ends)]
        assert lost == [], f"{rule.name} reads {lost}"
    for role in ROLES:
        for region in REGIONS:
            assert own_rules({"lesions": {f"{role}.{region}": 0}}), f"{role}.{region} stands in no equation"
    assert {"client_bond", "dropout_risk", "distress", "capability", "client_task"} <= written


# -------------------------------------------------------------------------------------------------- what comes out


@pytest.mark.deep
def test_the_kept_results_are_fresh() -> None:
    """What is kept is what comes out now (``attune claims --keep`` keeps it again), of every contrast."""
    assert verdicts.against_kept(findings(), kept("claims")) == []


def test_some_kept_results_are_fresh() -> None:
    """The same for one contrast in twenty, of people, regions and coded read-outs."""
    some = [c.id for c in EVERY[::20]]
    data = kept("claims")
    assert verdicts.against_kept(findings(some), data) == [] and len(some) >= 4


def test_what_is_kept_is_of_every_contrast_and_reads_back(found: Sequence[Finding]) -> None:
    """Each contrast once, on the first seed, with the verdict that its own numbers give."""
    rows = kept("claims")["findings"]
    assert [row["contrast"] for row in rows] == [c.id for c in EVERY] == [f.contrast.id for f in found]
    assert all(f.seed == 1 for f in found) and [f.verdict for f in found] == [row["verdict"] for row in rows]


def test_taking_the_mechanism_out_takes_the_effect_away(found: Sequence[Finding]) -> None:
    """The named test of every mechanism fails once the mechanism is zero."""
    still_there = [f.contrast.id for f in found if f.depends is False]
    assert still_there == []
    assert sum(f.depends is True for f in found) > 60


def test_what_fails_says_why(found: Sequence[Finding]) -> None:
    """Nothing is passed over: what is not reproduced has its reason, and what is reproduced needs none."""
    for f in found:
        assert bool(f.contrast.why_not) == (f.verdict != "reproduced"), f.contrast.id


def test_most_claims_hold(found: Sequence[Finding]) -> None:
    """The bulk is reproduced, and not all of it was coded in."""
    good = [f for f in found if f.verdict == "reproduced"]
    assert len(good) > 0.85 * len(found)
    assert sum(f.origin.startswith("emerges") for f in good) >= 12


def test_threads_do_not_matter() -> None:
    """One thread or two: the same parameters, to the last digit."""
    with pytest.raises(ValueError, match="at least 1"):
        findings(["K20"], clients=30, threads=0)
    one, two = (findings(["K20"], clients=30, threads=n) for n in (1, 2))
    assert [(f.effect, f.without, f.spared) for f in one] == [(f.effect, f.without, f.spared) for f in two]


def test_another_seed_is_another_answer_with_the_same_sign() -> None:
    """The seed matters to the digits, not to a large effect."""
    a, b = (findings(["insula_needed"], seed=seed, clients=60, ablated=False)[0] for seed in (1, 2))
    assert a.effect != b.effect and a.verdict == b.verdict == "reproduced" and a.without is None


def _specific_under(mutation: Contrast, others: Sequence[Contrast], clients: int) -> list[str]:
    """Which contrasts of other claims move what they should spare once one claim's mechanism is zero."""
    assert mutation.without is not None
    clamped = set(clamped_quantities(mutation.without.get("clamp", {})))
    named = [
        c.id for c in others
        if c.spares and not set(c.claims) & set(mutation.claims)
        # What is clamped already cannot be clamped once more.
        and not any(clamped & set(clamped_quantities(cell.get("clamp", {}))) for _, cell in c.cells)
    ]  # fmt: skip
    assert len(named) > 10
    found = findings(named, clients=clients, ablated=False, under=mutation.without)
    # With so few clients an interval is wide: what has moved for certain counts.
    return [
        f"{f.contrast.id}: {name} {effect}" for f in found for name, effect in f.spared.items()
        if max(effect.low, -effect.high) > f.contrast.spares[name]
    ]  # fmt: skip


def test_other_claims_stay_specific_under_a_mutation() -> None:
    """With one mechanism zero, the contrasts of the other claims still spare what they should; of every mechanism below."""
    mutation = next(c for c in EVERY if c.id == "attunement_builds_regulation")
    assert _specific_under(mutation, EVERY, clients=60) == []


@pytest.mark.deep
@pytest.mark.parametrize("contrast", [c for c in EVERY if c.without is not None], ids=lambda c: c.id)
def test_other_claims_stay_specific_under_every_mutation(contrast: Contrast) -> None:
    """The same for every mechanism there is."""
    assert _specific_under(contrast, EVERY, clients=60) == []


# -------------------------------------------------------------------------------------------------- the measures


def test_measures_by_hand() -> None:
    """Prefixes say when: all sessions, the last third, the first one, the first exchange; changes are end minus start."""
    spec = {
        "question": "q", "clients_per_arm": 12, "sessions": 7, "parameters": {"dropout_base": -12, "good_enough_prob": 0},
        "record": {"exchanges": {"clients": list(range(12))}},
    }  # fmt: skip
    result = run(from_spec(spec, "measures"), 3)
    one = result.sessions[result.sessions["client"] == 4]
    assert measured(result, "wai_client").values[0, 4] == pytest.approx(one["wai_client"].mean())
    assert measured(result, "late.wai_client").values[0, 4] == pytest.approx(one["wai_client"].iloc[-3:].mean())
    assert measured(result, "first_session.wai_client").values[0, 4] == one["wai_client"].iloc[0]
    inside = result.exchanges[(result.exchanges["client"] == 4)]
    assert measured(result, "first.client_arousal").values[0, 4] == inside["client_arousal"].iloc[0]
    change = measured(result, "change.anxiety_to_therapist").values[0, 4]
    assert change == one["anxiety_to_therapist_latent"].iloc[-1] - one["anxiety_to_therapist_latent"].iloc[0]
    person = result.clients[result.clients["client"] == 4].iloc[0]
    general = person["client_avoidance_end_latent"] - person["client_avoidance_0_latent"]
    assert measured(result, "change.client_avoidance").values[0, 4] == general
    assert measured(result, "moved.client_avoidance").values[0, 4] == abs(general)
    assert measured(result, "distress_0").values[0, 4] == person["distress_0"]
    for unknown in ("wai_clint", "early.wai_client", "first.nothing", "change.shoe_size", "mean.shoe_size", "r.shoe_size"):
        with pytest.raises(EvidenceError, match=r"no measure"):
            measured(result, unknown)


def test_correlation_interval() -> None:
    """Fisher's interval: for r = .5 and n = 103 it is .5 -> [.34, .63]."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=103)
    y = rng.normal(size=103)
    x, y = x - x.mean(), y - y.mean()
    y -= x * (x @ y) / (x @ x)
    mixed = 0.5 * x / x.std() + np.sqrt(0.75) * y / y.std()
    assert correlation(x, mixed) == (pytest.approx(0.5), pytest.approx(0.339, abs=2e-3), pytest.approx(0.632, abs=2e-3))


# -------------------------------------------------------------------------------------------------- page and command


def test_differences_are_found(found: Sequence[Finding]) -> None:
    """A changed number, a changed verdict and a missing row are each named."""
    data = verdicts.to_keep([found])
    assert verdicts.against_kept(found, data) == []
    first, second, third = (f.contrast.id for f in found[:3])
    rows = {row["contrast"]: row for row in data["findings"]}
    rows[first]["effect"]["value"] += 1.0
    rows[second]["verdict"] = "not specific"
    del rows[third]
    said = verdicts.against_kept(found, {"findings": list(rows.values())})
    assert [line.partition(":")[0] for line in said] == [first, second, third]


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Words for a terminal, data for a program; wrong names and mixed-up options are refused in one line."""
    cli.app(["claims", "K8", "--clients", "40"], standalone_mode=False)
    told = capsys.readouterr().out
    assert "K8 (mechanism)" in told and "mirror_alone" in told and "must not change" in told and "emerges" in told
    cli.app(["claims", "mirror_alone", "--clients", "40", "--json"], standalone_mode=False)
    row = json.loads(capsys.readouterr().out)[0]
    assert row["contrast"] == "mirror_alone" and row["effect"]["value"] == 0.0 and row["verdict"] == "reproduced"
    for bad, message in (
        (["K99"], "no claim or contrast 'K99'"),
        (["insula_neded"], "did you mean 'insula_needed'"),
        (["--check", "--seed", "2"], "leave out --seed"),
        (["--keep", "K1"], "leave out the names"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(["claims", *bad])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_check_fails_where_the_kept_results_differ(tmp_path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Exit status 1 when a result is not the kept one; 2 where nothing is kept."""
    text = stored.path_of("claims").read_text(encoding="utf-8")
    there = tmp_path / "claims.json"
    there.write_text(text, encoding="utf-8")
    usual = stored.path_of
    monkeypatch.setattr(stored, "path_of", lambda name: there if name == "claims" else usual(name))
    cli.app(["claims", "region_series_kept", "--check"], standalone_mode=False)
    assert "1 contrasts agree" in capsys.readouterr().out
    assert text.count('"value":18.0,') == 1
    there.write_text(text.replace('"value":18.0,', '"value":17.0,'), encoding="utf-8")
    with pytest.raises(SystemExit) as stop:
        cli.main(["claims", "region_series_kept", "--check"])
    assert stop.value.code == 1 and "region_series_kept" in capsys.readouterr().out
    there.write_text(text.replace('"model":"', '"model":"0', 1), encoding="utf-8")
    with monkeypatch.context() as patched:
        patched.setattr("sim.cli.evidence.claims.findings", lambda *_, **__: pytest.fail("worked before it looked"))
        with pytest.raises(SystemExit) as stop:
            cli.main(["claims", "region_series_kept", "--check"])
    assert stop.value.code == 2 and "made with another model" in capsys.readouterr().err
    there.unlink()
    with pytest.raises(SystemExit) as stop:
        cli.main(["claims", "region_series_kept", "--check"])
    assert stop.value.code == 2


def test_unknown_claim_is_an_error_of_its_own() -> None:
    """Callers can tell a mistyped name from anything else."""
    with pytest.raises(EvidenceError, match="did you mean 'K1"):
        contrasts(["K1x"])


@every_contrast
def test_origin_is_said(contrast: Contrast) -> None:
    """Coded in, emerges, or read-out: each contrast has one, and a hand-made mark is only ever the stricter one."""
    finding = Finding(contrast, Effect(0, 0, 0), None, {}, 1)
    assert re.fullmatch(r"coded in|emerges, \d+ equations on|read-out|no way leads there", finding.origin)
    if contrast.coded:
        assert finding.origin == "coded in"


def test_no_region_is_decoration() -> None:
    """Each region of each person changes, when removed, something that is no region's activity, by a visible amount.

    The client's insula and dorsal medial cortex do least: clients need to read therapists less than therapists need to read them,
    and each of the two routes is left when the other is gone.
    """
    wanted = load("scenarios/region_lesions.yaml").but(clients_per_arm=80, sessions=8)
    table = lesion_effects(run(wanted, 1))
    table = table[~table["own"] & ~table["process"].str.contains("arousal")]  # arousal is the limbic system's activity
    table = table[(table["low"] > 0) | (table["high"] < 0)]
    most = table["effect"].abs().groupby([table["role"], table["region"]]).max()
    for role in ROLES:
        for region in REGIONS:
            least = 0.02 if (role, region) in (("client", "insula"), ("client", "dmpfc")) else 0.08
            assert most[role, region] > least, f"{role}.{region} moves nothing by more than {most[role, region]:.2f} SD"
            assert own_rules({"lesions": {f"{role}.{region}": 0}})


def test_the_coded_mark_of_the_lesion_table() -> None:
    """A process whose equation takes the region is marked as coded in; one further away is not."""
    wanted = load("scenarios/region_lesions.yaml").but(clients_per_arm=12, sessions=3)
    table = lesion_effects(run(wanted, 1)).set_index(["role", "region", "process"])
    assert not table.loc[("therapist", "vmpfc", "response"), "coded"]
    assert table.loc[("client", "vmpfc", "client's security"), "coded"]
    assert not table.loc[("therapist", "mirror", "alliance"), "coded"]


def test_no_contrast_stands_twice() -> None:
    """The same sides and measure under two names would count twice."""
    seen = [(json.dumps(c.cells, sort_keys=True), c.measure) for c in EVERY]
    assert len(set(seen)) == len(seen)


def test_amended_rows_are_marked(found: Sequence[Finding]) -> None:
    """What was changed after the first run says so, in the table and on the page."""
    text = claims_doc.page()
    for f in found:
        assert (f"`{f.contrast.id}`† |" in text) == bool(f.contrast.amended), f.contrast.id


def test_the_unit_is_the_spread_of_the_population() -> None:
    """A contrast between styles is told in SD of the population's clients, not of one style's."""
    contrast = next(c for c in EVERY if c.id == "preoccupied_seek")
    assert contrast.scale == {} and not contrast.same_people
    assert next(c for c in EVERY if c.id == "labelling_calms").same_people


def _after_a_week(changed: Step | None = None) -> list[np.ndarray]:
    """All that five clients and their therapists are after a session and a week, where one step gives something else."""
    scenario = from_spec({"question": "q", "clients_per_arm": 5, "sessions": 2}, "steps")
    world = build(scenario, scenario.arms[0], 0, 1)
    begin(world)
    world.week, rows = 1, np.arange(5)

    def otherwise(equation: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(equation)
        def other(*given: Any) -> Any:
            return 1.1 * equation(*given) + 0.1

        return other

    def with_change(steps: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(replace(step, equation=otherwise(step.equation)) if step is changed else step for step in steps)

    for verb in SESSION:
        (Verb(verb.__name__, "", with_change(verb.steps)) if isinstance(verb, Verb) else verb)(world, rows)
    walk(with_change(LIFE), Living("client", world.clients, world.parameters, world.client_code, 1, world.luck))
    return [world.dyads.data, world.clients.data, world.therapists.data, world.ending, *world.ratings.values()]


STEPS = [
    step for steps in (*(verb.steps for verb in VERBS), LIFE)
    for step in steps if isinstance(step, Step) and step.equation.__module__ == eq.__name__
]  # fmt: skip


@pytest.mark.parametrize("step", STEPS, ids=[f"{step.name}-{step.writes[0]}" for step in STEPS])
def test_every_step_beside_the_exchange_moves_something(step: Step) -> None:
    usual, other = _after_a_week(), _after_a_week(step)
    assert any(not np.array_equal(a, b, equal_nan=True) for a, b in zip(usual, other, strict=True))


def test_every_parameter_of_a_course_is_named_by_a_step() -> None:
    """Others belong to a service, or a study's instruments."""
    named = set(wire(EXCHANGE)[1].parameters)
    for steps, columns in (
        *((verb.steps, {**DYAD, **OF_PEOPLE, **dict.fromkeys(BEFORE, ANYTHING)}) for verb in (*FIRST_MEETING, *VERBS)),
        (beginning(), PERSON), (beginning(elsewhere=True), PERSON), (LIFE, PERSON),
        ((*PLACE, *DISTRESS), dict.fromkeys(TABLES, ANYTHING)),
    ):  # fmt: skip
        only = tuple(step for step in steps if isinstance(step, Step))
        numbers = wire(only, (*NUMBERS, *WANTED, *EARLY), columns)[1].parameters
        named |= {*numbers, *(rate for step in only for rate in step.rates)}
    named |= {f"{role}_{name.removeprefix('own_')}" for name in named if name.startswith("own_") for role in ROLES}
    left = {name for name, parameter in PARAMETERS.items() if name not in named and parameter.group not in ELSEWHERE}
    assert left == set()


#: Groups of parameters that steps of a week need not name: a questionnaire's items are drawn by its declaration.
ELSEWHERE = ("service", "questionnaires", "instruments that see activity")
