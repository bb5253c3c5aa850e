"""The promise of a change that only moves the house: no table value and no message is another, unless that is written down."""

from __future__ import annotations

import json

import pytest

from tests.promise import messages, values


def test_bad_scenario_files_are_refused_with_the_kept_messages() -> None:
    """Message and status of every kept file; one that was improved stands beside the one that it replaced."""
    kept = json.loads(messages.KEPT.read_text(encoding="utf-8"))
    now = {name: messages.said_of(data) for name, data in messages.cases().items()}
    assert messages.differences(kept, now) == []
    assert len(kept) >= 150 and all("\n" not in row["message"] and row["status"] == 2 for row in now.values())


def test_a_changed_value_is_seen() -> None:
    """One value another, one column more, one renamed: the first two are told, the last is the same quantity."""
    kept = {"s": {"sessions": {"accuracy_correlation": "a", "fit": "b"}}}
    assert values.differences(kept, {"s": {"sessions": {"tracking_accuracy": "a", "attunement": "b"}}}) == []
    assert values.differences(kept, {"s": {"sessions": {"tracking_accuracy": "x", "attunement": "b", "n": "c"}}}) == [
        "s: sessions.tracking_accuracy: another", "s: sessions.n: new",
    ]  # fmt: skip


@pytest.mark.deep
def test_no_table_value_has_moved() -> None:
    """Every shipped scenario, small, with one worker and with two."""
    assert values.differences(json.loads(values.KEPT.read_text(encoding="utf-8")), values.found()) == []
