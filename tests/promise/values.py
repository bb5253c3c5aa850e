"""Hashes of table values of every shipped scenario, to see that a change of the program changes nothing that is simulated.

    python -m tests.promise.values write     # keeps them in values.json, on purpose only; the present model is the first of them
    python -m tests.promise.values           # compares; exit status 1 and one line for every column that differs
    python -m tests.promise.values same      # compares, published patterns and claims too; where nothing differs, what is
                                             # kept of the evidence (sim/evidence/kept) counts as made with the present model

Values, not files: columns and labels are compared by name through the product's table of renamed things (``sim/renamed.yaml``),
so that a renamed one is still the same quantity. Sizes are small, but span several chunks of clients; every scenario is run with
one worker and with two, and both must agree."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import sim
from sim import naming
from sim.cli.printed.patterns import as_data
from sim.evidence import stored
from sim.evidence.claims import verdicts
from sim.evidence.claims.contrasts import findings
from sim.evidence.patterns.validation import validate
from sim.files import write_over

HERE = Path(__file__).parent
SCENARIOS = HERE.parents[1] / "scenarios"
KEPT = HERE / "values.json"
SEED = 4
#: Clients simulated together in plain runs, so that small runs have several chunks.
CHUNK = 16
#: Where a scenario is as it stands too large (or too small to have several chunks) for this comparison.
SMALLER: dict[str, dict[str, Any]] = {
    "clinic_large": {"clinic": {"therapists": 30, "arrivals_per_week": 12, "weeks": 40}},
    "earned_security_over_years": {"clinic": {"weeks": 60}},
    "two_uncertainties": {"clients_per_arm": 30, "parameters": {"ensemble": 3}},
    "sweep_repair": {"clients_per_arm": 30, "replicates": 2},
    "eeg_sites": {"clients_per_arm": 34},
}
USUAL = {"clients_per_arm": 36}
USUAL_CLINIC: dict[str, Any] = {"replicates": 2, "clinic": {"weeks": 40}}
WEEKS_OF = {"intake_weeks": 30, "training_from": 1}


#: Labels now -> as they were: names of measures, and units.
LABELS = {**naming.renamed()["labels"], **naming.renamed()["units"]}


#: Scenarios as they were called -> as they are.
NOW_CALLED = {then: now for now, then in naming.renamed()["scenarios"].items()}


def column_hash(values: pd.Series) -> str:
    """A hash of a column's values: labels as text, whole numbers with -1 for missing ones, numbers as they are in memory."""
    digest = hashlib.blake2b(digest_size=6)
    if values.dtype.kind == "O" or isinstance(values.dtype, (pd.CategoricalDtype, pd.StringDtype)):
        digest.update("\0".join("" if v is None or v != v else LABELS.get(str(v), str(v)) for v in values).encode())
    elif isinstance(values.array, pd.arrays.IntegerArray):
        digest.update(values.fillna(-1).to_numpy(np.int64).tobytes())
    else:
        digest.update(np.ascontiguousarray(values.to_numpy()).tobytes())
    return digest.hexdigest()


def small(path: Path) -> sim.Scenario:
    """A shipped scenario at a size for this comparison."""
    scenario = sim.load(path)
    if scenario.design == "clinic":
        spec = {**USUAL_CLINIC, **SMALLER.get(path.stem, {})}
        own = {key: weeks for key, weeks in WEEKS_OF.items() if key in (scenario.spec.get("clinic") or {})}
        return scenario.but(**{**spec, "clinic": {**USUAL_CLINIC["clinic"], **own, **spec["clinic"]}})
    fewer = dict({} if path.stem == "hello" else USUAL)
    record = scenario.spec.get("record") or {}
    if followed := (record.get("exchanges") or {}).get("clients"):
        record["exchanges"]["clients"] = [n for n in followed if n < USUAL["clients_per_arm"]]
        fewer["record"] = record
    if scenario.batch is not None:
        batch = dict(scenario.spec["batch"])
        if batch["design"] == "sobol":
            batch |= {"points": 4, "until": {**batch["until"], "every": 2, "most": 4}}
        return scenario.but(**{**fewer, **SMALLER.get(path.stem, {}), "batch": batch})
    return scenario.but(**{**fewer, **SMALLER.get(path.stem, {})})


def tables_of(scenario: sim.Scenario, workers: int) -> dict[str, pd.DataFrame]:
    """All tables of a scenario, by name."""
    if scenario.batch is None:
        return dict(sim.run(scenario, SEED, threads=workers, chunk=CHUNK).tables)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "batch"
        sim.run_batch(scenario, SEED, place, workers=workers, keep=["clients"])
        return {path.stem: pd.read_parquet(path) for path in sorted(place.glob("*.parquet"))}


def extras() -> Iterator[tuple[str, Callable[[int], dict[str, pd.DataFrame]]]]:
    """What no shipped scenario has: every mark with some missing, another model, one traced course."""
    hello = sim.load(SCENARIOS / "hello.yaml")
    items = hello.but(record={"items": True}, missing_item_prob=0.1, missing_form_prob=0.1, clients_per_arm=40)
    yield "items and missing answers", partial(tables_of, items)
    clinic = small(SCENARIOS / "clinic_first_free.yaml").but(
        record={"items": True, "exchanges": {"clients": [0, 3]}}, clinic={"turnover": True, "feedback": True}
    )
    yield "clinic with everything", partial(tables_of, clinic)


def found(progress: Callable[[str], None] = lambda line: None) -> dict[str, dict[str, dict[str, str]]]:
    """Scenario -> table -> column -> hash. Raises ``AssertionError`` where two workers give something else than one."""
    jobs = {path.stem: partial(tables_of, small(path)) for path in sorted(SCENARIOS.glob("*.yaml"))}
    out = {}
    for name, run in {**jobs, **dict(extras())}.items():
        one, two = ({t: {str(c): column_hash(f[c]) for c in f.columns} for t, f in run(workers).items()} for workers in (1, 2))
        assert one == two, f"{name}: one worker and two differ"
        out[name] = one
        progress(name)
    return out


def renamed() -> dict[tuple[str, str], tuple[str, str]]:
    """(table, column) as it was -> as it is now; what is not in the product's table of renamed things is called as it was."""
    return {(t, then): (t, now) for t, columns in naming.renamed()["columns"].items() for now, then in columns.items()}


def differences(kept: Any, now: Any) -> list[str]:
    """One line for every scenario, table or column that is missing, new or another."""
    names, lines = renamed(), []
    kept = {NOW_CALLED.get(name, name): tables for name, tables in kept.items()}
    for scenario in dict.fromkeys((*kept, *now)):
        if scenario not in now or scenario not in kept:
            lines.append(f"{scenario}: {'missing' if scenario not in now else 'new'}")
            continue
        was = {names.get((t, c), (t, c)): h for t, columns in kept[scenario].items() for c, h in columns.items()}
        is_now = {(t, c): h for t, columns in now[scenario].items() for c, h in columns.items()}
        for at in dict.fromkeys((*was, *is_now)):
            if was.get(at) != is_now.get(at):
                what = "missing" if at not in is_now else "new" if at not in was else "another"
                lines.append(f"{scenario}: {'.'.join(at)}: {what}")
    return lines


def patterns_differ(kept: Any, now: Any) -> list[str]:
    """One line for every published pattern that a study simulated on the same seed finds to be another."""
    rows = {row["id"]: row for row in kept["patterns"]}
    what = ("simulated", "error", "parts", "tau", "i2")
    return [f"pattern {row['id']}: another" for row in now["patterns"] if any(row[key] != rows[row["id"]][key] for key in what)]


def say_same() -> None:
    """Put the present model among those that find the same, with those that made what is kept of the evidence."""
    listed = json.loads(stored.path_of("same_model").read_text(encoding="utf-8"))
    made = [json.loads(path.read_text(encoding="utf-8"))["model"] for path in map(stored.path_of, stored.NAMES) if path.exists()]
    same = dict.fromkeys([*(model for model in made if model in listed), stored.model_hash()])
    write_over(stored.path_of("same_model"), json.dumps(list(same)) + "\n")


def main() -> int:
    """Write or compare."""
    wanted = sys.argv[1:]
    now = found(lambda name: print(f"  {name}", file=sys.stderr))
    if wanted == ["write"]:
        KEPT.write_text(json.dumps(now, indent=0) + "\n", encoding="utf-8")
        write_over(stored.path_of("same_model"), json.dumps([stored.model_hash()]) + "\n")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    lines = differences(kept, now)
    if wanted == ["same"]:
        was = json.loads(stored.path_of("validation").read_text(encoding="utf-8"))
        lines += verdicts.against_kept(findings(), json.loads(stored.path_of("claims").read_text(encoding="utf-8")))
        lines += patterns_differ(was, stored.plain(as_data(validate(was["seed"])), stored.DIGITS))
        if not lines:
            say_same()
    columns = sum(len(c) for tables in kept.values() for c in tables.values())
    print("\n".join([*lines, f"{len(kept)} scenarios, {columns} columns: {len(lines)} differ"]))
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
