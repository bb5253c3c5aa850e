"""Every lesson's sentence is put to the model, as strongly as the lesson says it and no stronger."""

from __future__ import annotations

import numpy as np
import pytest

import sim
from sim.experiments.run import run
from sim.theory.claims import claims, sources
from sim.views.app.lessons import FIRST, LESSONS, SETUPS, outcome, told
from sim.views.app.many import MEASURES, Both, both_of, many_of
from sim.views.app.scenarios import scenario_of
from sim.views.app.state import State, read
from sim.views.app.words import words

TAUGHT = [name for name in LESSONS if name != "sandbox"]
#: Beside each lesson's own seed.
SEEDS = (101, 202, 303)


def state(lesson: str, **changes: object) -> State:
    return read("&".join([f"lesson={lesson}", *(f"{key}={value}" for key, value in changes.items())]), SETUPS, FIRST)


@pytest.mark.parametrize("lesson", TAUGHT)
def test_the_sentence_holds_on_its_own_seed_and_on_others(lesson: str) -> None:
    assert LESSONS[lesson].holds(state(lesson))
    assert all(LESSONS[lesson].holds(state(lesson, seed=seed)) for seed in SEEDS)


#: A set-up with which each sentence must not hold, so that its check is seen to fail.
NOT_SO = {
    "secure_base": {"b_therapist": "secure"},
    "empathy": {"a_warmth": "0.95"},
    "opposites": {"a_therapist": "preoccupied"},
    "repair": {"a_repair": "none"},
    "naming": {"b_naming": "on"},
    "change": {"b_learning": "on"},
    "own_attachment": {"b_therapist": "secure"},
    "luck": {"b_therapist": "secure"},
    "puzzle": {"sessions": "2"},
}


@pytest.mark.parametrize("lesson", TAUGHT)
def test_the_check_of_a_sentence_can_fail(lesson: str) -> None:
    assert not LESSONS[lesson].holds(state(lesson, **NOT_SO[lesson]))


@pytest.mark.parametrize("lesson", TAUGHT)
def test_the_option_that_comes_out_is_one_that_was_offered(lesson: str) -> None:
    said, one = words()["lessons"][lesson], LESSONS[lesson]
    for seed in (int(one.setup["seed"]), *SEEDS):
        here = state(lesson, seed=seed)
        assert many_of(here, one)["answer"] in said["options"]
        played = outcome(here)["answer"]
        assert played in said["options"] if one.asked_of == "one" else played is None


@pytest.mark.parametrize("lesson", TAUGHT)
def test_what_comes_out_of_forty_agrees_with_the_lesson(lesson: str) -> None:
    """Which option the fan names is part of what a lesson teaches."""
    right = {"secure_base": "a", "empathy": "b", "opposites": "same", "repair": "some", "naming": "a", "change": "little",
             "own_attachment": "b", "luck": "often", "puzzle": "half"}  # fmt: skip
    for seed in SEEDS:
        assert many_of(state(lesson, seed=seed), LESSONS[lesson])["answer"] == right[lesson]


def test_attachment_moves_nearly_as_far_without_therapy() -> None:
    """What the lesson on change says of the same clients without any therapy (its limit), from the core itself."""
    here = state("change")
    treated = both_of(here.a, here.b, here.shared, "security_gained").a
    spec = dict(scenario_of(here.a, here.b, here.shared).spec)
    spec["arms"] = {"nobody": {"client": spec["arms"]["A"]["client"], "therapist": "none"}}
    del spec["record"]
    months = run(sim.from_spec(spec, "untreated"), here.shared.seed).assessments
    both = (months.anxiety_latent + months.avoidance_latent) / 2
    first, last = (both[months.month == month].to_numpy() for month in (0, months.month.max()))
    assert 0.7 * treated.mean() < (first - last).mean() < 1.15 * treated.mean()


@pytest.mark.parametrize("measure", MEASURES)
def test_measures_of_the_page_are_those_of_the_run(measure: str) -> None:
    """Each measure from the page's own record, and the same from the tables of a direct run."""
    here = state("change", seed=5, sessions=12, clients=10)
    found = both_of(here.a, here.b, here.shared, measure).a
    direct = run(scenario_of(here.a, here.b, here.shared), 5)
    sessions = direct.sessions[direct.sessions.arm == "A"].groupby("client")
    months = direct.assessments[direct.assessments.arm == "A"]
    insecure = (months.anxiety_latent + months.avoidance_latent) / 2
    expected = {
        "arousal": lambda: sessions.client_limbic.mean(),
        "ruptures": lambda: sessions.ruptures.mean(),
        "reached_security": lambda: sessions.apply(
            lambda s: float(((s.anxiety_to_therapist_latent < 4) & (s.avoidance_to_therapist_latent < 4)).any())),
        "security_gained": lambda: (insecure[months.month == 0].to_numpy()
                                    - insecure[months.month == months.month.max()].to_numpy()),
    }  # fmt: skip
    if measure in expected:
        np.testing.assert_allclose(found, np.asarray(expected[measure]()), atol=1e-9)
    elif measure == "alliance_end":  # the same order as the latent alliance, on another scale
        latent = sessions.alliance_latent.last().to_numpy()
        assert (np.argsort(found) == np.argsort(latent)).all() and found.min() > 1 and found.max() < 7
    else:
        assert measure == "relief" and found.min() > -40 and found.max() < 40


def test_upsets_and_wins_are_counted_right() -> None:
    both = Both(np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.5, 1.0]))
    assert both.won() == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert both.won(1.5) == (pytest.approx(1 / 3), 0.0)
    # pairs of different people in which B stands higher: b=2.5 over a=1; nothing else (1.0 over 1.0 is a draw)
    assert both.upset == pytest.approx(1 / 6)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_told_whole(lesson: str) -> None:
    found = told(lesson)
    assert list(words()["lessons"]) == list(LESSONS)
    for claim in LESSONS[lesson].claims:
        assert claim in claims()
    assert all(key in sources() for key in LESSONS[lesson].sources)
    if lesson != "sandbox":
        parts = ("title", "hook", "question", "options", "notice", "sentence", "why", "limit", "claims")
        assert all(found[part] for part in parts)
        assert len(found["options"]) >= 3
