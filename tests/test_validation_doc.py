"""docs/VALIDATION.md and what is kept for it: fresh, honest, and in words that follow the numbers."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from sim.errors import StoreError
from sim.evidence import stored
from sim.evidence.calibration.search import standardised_residuals
from sim.evidence.calibration.simulated import found_in
from sim.evidence.patterns.published import patterns
from sim.evidence.patterns.validation import validate
from sim.evidence.stored import NAMES, keep, keep_with_product, kept, path_of, waiting
from tools.docs import validation as doc
from tools.docs.pages import rendered

PAGE = Path(__file__).parents[1] / doc.PAGE


def test_the_page_is_what_the_kept_results_make() -> None:
    """Fresh, with the honest score first of all sections, and every pattern of the table in it."""
    text = PAGE.read_text(encoding="utf-8")
    sections = [line for line in text.splitlines() if line.startswith("## ")]
    assert sections[0].startswith("## Leave-one-out") and len(sections) == 11
    for p in patterns().values():
        if p.tier != "prior":
            assert f"| {p.id} | {p.name} |" in text, p.id
    assert "must not be used for" in text and "Not for deciding about a person" in text


@pytest.mark.deep
@pytest.mark.parametrize("ids", [["16.1", "10.2", "a1"], ["5.1", "11.1", "13.1"]], ids=["community", "courses"])
def test_kept_table_is_of_this_model(ids: list[str]) -> None:
    """Simulated now on the same seed, these rows come out as they are kept (to a fraction of their own random draws)."""
    rows = {row["id"]: row for row in kept("validation")["patterns"]}
    for row in validate(1, ids).rows:
        was = rows[row.pattern.id]["simulated"]
        assert row.simulated.value == pytest.approx(was, abs=0.2 * row.simulated.error), row.pattern.id


def test_model_holds_on_luck_of_its_own() -> None:
    """A reduced, honest version of ``attune validate``: an unused seed, a third of the people; a residual counts with its own
    random draws.

    No row is far off, the joint score passes, and no direction goes the wrong way.
    """
    result = validate(31, size=0.35)
    values = result.of("calibrate")
    assert sum(row.residual**2 / (1.0 + row.error_share**2) for row in values) <= result.limit
    assert max(abs(row.residual) / (1.0 + row.error_share**2) ** 0.5 for row in values) <= 2.8
    assert not [row.pattern.id for row in result.of("direction") if row.verdict in ("wrong sign", "outside")]


def test_what_fails_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever row lies off, the page says so and gives a reason; what holds is not excused."""
    result: dict[str, Any] = kept("validation")
    rows = {row["id"]: dict(row) for row in result["patterns"]}
    rows["5.1"]["residual"], rows["x1"]["residual"] = -3.2, 0.1
    rows["9.6"]["verdict"] = "wrong sign"
    told = {one["id"]: one for one in doc.misgivings(rows)}
    assert told["5.1"]["what"] == ["lies off by -3.2"] and told["5.1"]["why"] == doc.WHY["5.1"]
    assert "x1" not in told and told["9.6"]["what"] == ["wrong sign"]
    rows["5.1"]["verdict"] = "outside"
    failing = rendered("validation.md.j2", **doc.context({**result, "score": 40.0, "score_passes": False}, rows))
    assert "**fails**" in failing and "uncertainty: 5.1." in failing and "9.6 (wrong sign)" in failing


def test_every_row_with_a_value_has_a_thought_or_holds() -> None:
    """No row that is talked about is without a reason."""
    for row in kept("validation")["patterns"]:
        if row["tier"] == "calibrate" and abs(row["residual"]) >= doc.NOTABLE:
            assert row["id"] in doc.WHY, row["id"]
    assert set(doc.WHY) <= set(patterns())


def test_kept_results_are_whole() -> None:
    """Each says with which model; rows predicted are all rows; every competing model is there; tables read back."""
    for name in set(NAMES) - set(waiting()):
        assert len(kept(name)["model"]) == 16, name
    values = [p.id for p in patterns().values() if p.tier == "calibrate"]
    if "leave_one_out" not in waiting():
        assert [row["id"] for row in kept("leave_one_out")["rows"]] == values
    if "competing" in waiting():
        return
    shipped = kept("competing")["models"][0]
    assert shipped["name"] == "shipped" and set(shipped["residuals"]) == set(values)
    assert shipped["score"] == pytest.approx(sum(m**2 for m in shipped["residuals"].values()), rel=1e-4)
    table = found_in(shipped["table"])
    assert standardised_residuals(table) == pytest.approx(shipped["residuals"], abs=1e-3)
    assert repr(found_in(asdict(table))) == repr(table)


def test_the_page_says_what_is_not_made_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no result of this model stands on the page by name, and nothing of what another model found is shown."""
    text = PAGE.read_text(encoding="utf-8")
    said = re.search(r"\*\*Not made yet with this model\*\*: (.*?)\.", text)
    assert (said.group(1).split(", ") if said else []) == [name.replace("_", " ") for name in waiting()]
    monkeypatch.setattr(doc, "current", lambda name: None)
    monkeypatch.setattr(doc, "waiting", lambda: NAMES)
    without = doc.page()
    assert without.count("\nNot made yet with this model") == 4 and "Root mean square" not in without


def test_results_are_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    """What cannot be written leaves what was there, and nothing beside it; what is no number is None."""
    target = tmp_path / "there" / "x.json"
    keep(target, {"a": [1.23456789, float("nan")], "b": {"c": (1, 2)}})
    import json

    assert json.loads(target.read_text()) | {"model": ""} == {"model": "", "a": [1.23457, None], "b": {"c": [1, 2]}}
    before = target.read_bytes()
    with pytest.raises(TypeError):
        keep(target, {"a": object()})
    assert target.read_bytes() == before and [p.name for p in target.parent.iterdir()] == ["x.json"]
    assert path_of("competing").name == "competing.json"


def test_results_are_kept_in_a_clone_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package is not written into."""
    monkeypatch.setattr(stored, "path_of", lambda name: tmp_path / "sim" / "evidence" / "kept" / f"{name}.json")
    with pytest.raises(StoreError, match="in a clone of the project only"):
        keep_with_product("claims", {})
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "DESIGN.md").touch()
    assert keep_with_product("claims", {"a": 1}).is_file()


def test_a_row_of_the_page_says_what_validate_says() -> None:
    """The kept residual is (simulated - published) over the row's uncertainty."""
    for row in kept("validation")["patterns"]:
        p = patterns()[row["id"]]
        if p.tier == "calibrate":
            assert row["residual"] == pytest.approx((row["simulated"] - p.value) / p.uncertainty, abs=1e-3)
            assert (row["verdict"] == "holds") == (abs(row["residual"]) <= 2.5)
