"""Files for other programs: every CSV opens in pandas, DuckDB and R as it is, a workbook holds what the tables hold."""

from __future__ import annotations

import inspect
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from starlette.testclient import TestClient

import sim
from sim.catalogue import columns
from sim.classroom.server import application
from sim.cli.main import main
from sim.cli.printed import indices
from sim.errors import ScenarioError, StoreError
from sim.export import excel
from sim.export.csv import as_csv
from sim.export.tables import export
from sim.files import write_new_together
from sim.folders import compare
from sim.storage import store
from sim.storage.reading import opened
from sim.storage.schema import manifest_text

#: Names as people give them: an umlaut, and what Excel takes for a formula, a date, a number.
ARMS = {"Müller": {}, "=1+1": {"sessions": 2}, "+49": {"sessions": 2}, "@home": {"sessions": 2}, "1-2": {"sessions": 2},
        "007": {"therapist": "none"}}  # fmt: skip
SPEC = {"question": "=cmd|' /C calc'!A0", "clients_per_arm": 4, "sessions": 3, "exchanges": 2, "replicates": 2, "arms": ARMS}
VARIED = {**SPEC, "batch": {"vary": {"trust_rate": [0.1, 0.3]}, "keep": ["clients", "assessments"]}}
HELLO = Path(__file__).parents[1] / "scenarios" / "hello.yaml"


def attune(*words: object) -> None:
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    assert not stop.value.code


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch and a run with such names, and one of each kind of CSV file that the program writes."""
    folder = tmp_path_factory.mktemp("elsewhere")
    for seed in (1, 2):
        sim.run_batch(sim.from_spec(VARIED, "names"), seed, folder / f"batch-{seed}", workers=1)
    store.save(sim.run(sim.from_spec({**SPEC, "record": {"exchanges": {"clients": [0]}}}, "names"), 1), folder / "run")
    csv = folder / "csv"
    csv.mkdir()
    attune("trace", HELLO, "--csv", csv / "trace.csv")
    attune("compare", folder / "batch-1", folder / "batch-2", "--csv", csv / "compare.csv")
    wanted = ("--measure", "alliance_all_sessions", "--parameters", "trust_rate", "--parameters", "trust_response_gain")
    sizes = ("--method", "morris", "--trajectories", 4, "--replicates", 2)
    attune("sensitivity", HELLO, *wanted, *sizes, "--out", folder / "sensitivity")
    shutil.copy(folder / "sensitivity" / "sensitivity.csv", csv)
    (csv / "page.csv").write_bytes(TestClient(application(), base_url="http://127.0.0.1").get("/data.csv?sessions=3").content)
    for name in ("batch-1", "run"):
        for path in export(folder / name, "csv", folder / f"{name}-csv").glob("*.csv"):
            shutil.copy(path, csv / f"{name}-{path.name}")
    return folder


def written(place: Path) -> list[Path]:
    found = sorted((place / "csv").glob("*.csv"))
    assert len(found) >= 12
    return found


# ---------------------------------------------------------------------------------------------------------------- CSV


def test_no_column_has_a_name_that_a_data_frame_owns() -> None:
    """``table.mean`` is a method of pandas; a column of that name is there and cannot be reached so."""
    owned = set(dir(pd.DataFrame)) | {"mean", "count", "index", "where"}
    tables = {**columns.TABLES, **columns.CLINIC_TABLES, **columns.ENSEMBLE_TABLES, **columns.BATCH_TABLES}
    described = {name: list(table) for name, table in tables.items()} | {"clinic's clients": list(columns.CLINIC_CLIENTS)}
    described |= {"compare": list(compare.COLUMNS), "sensitivity": list(indices.COLUMNS)}
    assert {name: sorted(owned & set(names)) for name, names in described.items() if owned & set(names)} == {}


def test_pandas_reads_every_csv_as_it_is(place: Path) -> None:
    """The first line has the names; no row is lost, and nothing that says something is missing."""
    for path in written(place):
        table, lines = pd.read_csv(path), path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == ",".join(table.columns) and table.shape[1] > 2 and len(table) > 0, path.name
        assert not set(dir(pd.DataFrame)) & set(table.columns), path.name
        labels = [name for name in ("arm", "measure", "minus", "point_name", "note", "parameter") if name in table]
        assert not table[labels].isna().any().any(), path.name
    summaries = pd.read_csv(place / "csv" / "batch-1-summaries.csv")
    kept = sim.open_batch(place / "batch-1").summaries
    assert (
        summaries.query("minus == 'nothing'")["value"].to_numpy() == kept[kept["minus"] == "nothing"]["value"].to_numpy()
    ).all()
    assert set(summaries["minus"]) == {"nothing", "Müller", "007"}


def test_duckdb_reads_every_csv_as_it_is(place: Path) -> None:
    """Names, rows, and yes and no as such."""
    duckdb = pytest.importorskip("duckdb", reason="DuckDB is not installed")
    for path in written(place):
        table = pd.read_csv(path)
        found = duckdb.sql(f"SELECT * FROM read_csv('{path}')")
        assert found.columns == list(table.columns) and found.shape == table.shape, path.name
        types = dict(zip(found.columns, map(str, found.types), strict=True))
        assert {types[name] for name in ("arm", "measure", "minus") if name in types} <= {"VARCHAR"}, path.name
        assert types.get("in_therapy", "BOOLEAN") == "BOOLEAN"
    minus = f"SELECT count(*) FROM read_csv('{place / 'csv' / 'batch-1-summaries.csv'}') WHERE minus = 'nothing'"
    assert duckdb.sql(minus).fetchall()[0][0] > 0


def test_r_reads_every_csv_as_it_is(place: Path) -> None:
    """``read.csv`` without an option: names, rows, numbers as numbers, yes and no as logical."""
    if not shutil.which("Rscript"):
        pytest.skip("R is not installed")
    script = """for (f in commandArgs(TRUE)) { d <- read.csv(f, check.names = FALSE)
      kinds <- paste(sapply(d, class), collapse = ",")
      cat(basename(f), nrow(d), paste(names(d), collapse = ","), kinds, sep = "\\t"); cat("\\n") }"""
    said = subprocess.run(["Rscript", "-e", script, *map(str, written(place))], capture_output=True, text=True, check=True)
    rows = {name: rest for name, *rest in (line.split("\t") for line in said.stdout.splitlines())}
    for path in written(place):
        table, (count, names, classes) = pd.read_csv(path), rows[path.name]
        assert (int(count), names.split(",")) == (len(table), list(table.columns)), path.name
        for (name, values), r in zip(table.items(), classes.split(","), strict=True):
            if values.notna().any():
                kind = {"b": "logical", "i": "integer", "f": "numeric"}.get(values.dtype.kind, "character")
                assert r == kind or {r, kind} == {"integer", "numeric"}, (path.name, name, r)


def test_truth_that_may_be_missing_is_said_as_any_other() -> None:
    assert as_csv(pd.DataFrame({"held": [True, None, False]})).split() == ["held", "TRUE", '""', "FALSE"]
    assert as_csv(pd.DataFrame({"n": [1, 0], "t": ["True", "x"]})).split() == ["n,t", "1,True", "0,x"]


def test_a_damaged_table_is_no_place_that_cannot_be_written(place: Path, tmp_path: Path) -> None:
    """One message, of the table, whatever it is exported to."""
    folder = Path(shutil.copytree(place / "run", tmp_path / "damaged"))
    (folder / "sessions.parquet").write_bytes(b"PAR1")
    said = []
    for to in ("csv", "excel"):
        with pytest.raises(StoreError) as refused:
            export(folder, to, tmp_path / to)
        said.append(str(refused.value))
        assert not (tmp_path / to).exists()
    edited = Path(shutil.copytree(place / "run", tmp_path / "edited"))
    table = pd.read_parquet(edited / "sessions.parquet")
    table.assign(alliance_latent=table["alliance_latent"] + 1).to_parquet(edited / "sessions.parquet")
    command = [sys.executable, "-m", "sim", "export", edited, "--to", "excel"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "vouches for" in done.stderr and "Exception ignored" not in done.stderr
    assert said[0] == said[1] and "sessions.parquet" in said[0]


def test_a_note_lies_beside_a_csv_and_explains_every_column(place: Path) -> None:
    """Synthetic, of which scenario, on which seed; both files or none."""
    for name, said in (("trace", "hello, seed 1"), ("compare", "B minus A")):
        text = (place / "csv" / f"{name}.csv.txt").read_text(encoding="utf-8")
        assert "imulated people" in text and said in text
        told = dict(line.split(": ", 1) for line in text.split("\n\n")[1].splitlines())
        assert list(told) == list(pd.read_csv(place / "csv" / f"{name}.csv").columns) and all(told.values())
    assert (place / "sensitivity" / "sensitivity.csv.txt").exists()


def test_files_are_written_together_or_not(tmp_path: Path) -> None:
    """A place that is taken, one that cannot be written: the other is not there either."""
    (tmp_path / "t.csv").write_text("mine")
    for last in ("t.csv", "no/such/folder.csv"):
        with pytest.raises(StoreError, match=r"already exists|cannot be written"):
            write_new_together({tmp_path / "note.txt": "a", tmp_path / last: "b"})
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"] and (tmp_path / "t.csv").read_text() == "mine"


def test_an_arm_of_a_batch_cannot_have_the_word_for_no_difference(tmp_path: Path) -> None:
    spec = {**VARIED, "arms": {"usual": {}, "nothing": {"therapist": "none"}}}
    with pytest.raises(ScenarioError, match="no arm of a batch can be called 'nothing'"):
        sim.run_batch(sim.from_spec(spec, "taken"), 1, tmp_path / "out", workers=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("of", ["effects", "against"])
def test_what_a_batch_returns_says_its_columns(place: Path, of: str) -> None:
    """In the order in which they come."""
    method: Callable[..., pd.DataFrame] = getattr(sim.open_batch(place / "batch-1"), of)
    said = " ".join((inspect.getdoc(method) or "").split())
    assert f"Columns: {', '.join(method().columns)}." in said


# -------------------------------------------------------------------------------------------------------------- Excel


@pytest.mark.parametrize("name", ["batch-1", "run"])
def test_a_workbook_holds_what_the_tables_hold(place: Path, tmp_path: Path, name: str) -> None:
    """Every number to 16 digits, every text as text whatever it looks like, an empty cell where something is missing."""
    folder = export(place / name, "excel", tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == ["README.txt", "tables.xlsx"]
    book = openpyxl.load_workbook(folder / "tables.xlsx")
    found = opened(place / name)
    assert book.sheetnames == ["about", "columns", *found.tables]
    assert any("=cmd" in str(row[0].value) for row in book["about"])
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            assert {cell.data_type for cell in row} <= {"s", "n", "b"}, sheet.title  # no formula, no date
    for table in found.tables:
        kept, again = found.table(table), pd.read_excel(folder / "tables.xlsx", table, keep_default_na=False, na_values=[""])
        assert list(again.columns) == list(kept.columns)
        for column, values in kept.items():
            if values.dtype.kind in "fiub":
                np.testing.assert_allclose(
                    again[column].to_numpy(float), values.to_numpy(float), 1e-15, 0, err_msg=f"{table}.{column}"
                )
            else:
                assert [str(v) for v in again[column].dropna()] == [str(v) for v in values.dropna()], f"{table}.{column}"
    arms = [row[found.table("clients").columns.get_loc("arm")] for row in book["clients"].iter_rows(min_row=2)]
    assert {cell.quotePrefix for cell in arms if cell.value in ("=1+1", "+49", "@home")} == {True}
    assert {cell.quotePrefix for cell in arms if cell.value in ("Müller", "007")} == {False}


@pytest.mark.parametrize(("what", "said"), [("rows", "needs 1,048,577 rows"), ("columns", "needs 16,385 columns")])
def test_what_a_sheet_cannot_hold_is_told_before_anything_is_written(
    place: Path, tmp_path: Path, what: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(place / "batch-1", tmp_path / "long"))
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    clients = manifest["tables"]["clients"]
    manifest["tables"]["clients"] |= {"rows": 1_048_576} if what == "rows" else {"columns": clients["columns"] * 600}
    manifest["tables"]["clients"]["columns"] = manifest["tables"]["clients"]["columns"][:16_385]
    (folder / "manifest.json").write_text(manifest_text(manifest))
    monkeypatch.setattr(excel, "write", lambda *all_of_it: pytest.fail("was written"))
    with pytest.raises(StoreError, match=said) as refused:
        export(folder, "excel", tmp_path / "out")
    assert "--to csv" in str(refused.value) and "--table summaries" in str(refused.value)
    assert [path.name for path in tmp_path.iterdir()] == ["long"]


def test_a_text_that_no_cell_holds_is_told(tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(excel, "MOST_LETTERS", 3)
    with pytest.raises(StoreError, match=r"column '\w+': a text of \d+ letters.*--to csv"):
        export(place / "run", "excel", tmp_path / "out")
    assert not list(tmp_path.iterdir())
