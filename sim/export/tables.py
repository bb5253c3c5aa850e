"""The tables of a folder for other programs: CSV, an Excel workbook, or netCDF with labels and units. Whole or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from sim.batch.chunk import SUMMARIES
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError
from sim.export import excel, netcdf
from sim.export.csv import as_csv
from sim.export.netcdf import about, columns_of
from sim.files import expanded, whole, write_here
from sim.storage.reading import ResultFolder, opened, scenario_of

#: What can be exported to, and how its files end; and the one that holds all sheets.
FORMATS, WORKBOOK = {"csv": "csv", "excel": "xlsx", "netcdf": "nc"}, "tables.xlsx"


def export(
    folder: str | Path,
    to: str,
    out: str | Path | None = None,
    tables: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write the tables of a finished batch or run for other programs; returns the folder they are in.

    ``to``: ``csv``, ``excel`` or ``netcdf``. ``out``: a folder that is not there yet; default: beside ``folder``, with the
    format in its name. ``tables``: only these. ``progress`` is called with the name of each file. In memory are a row group at
    a time for CSV and Excel, a column or a measure for netCDF. Raises ``StoreError`` for a folder that cannot be read, a table
    that is not there or (for Excel) too long, a place that is taken, and without the libraries of the format.
    """
    if to not in FORMATS:
        raise StoreError(f"--to must be one of {', '.join(FORMATS)}, not '{to}'")
    found = opened(folder)
    scenario_of(found)  # tables of another scenario than the file beside them says would be told wrongly
    names = found.chosen(tuple(tables))
    place = expanded(out) if out is not None else found.folder.resolve().with_name(f"{found.folder.resolve().name}-{to}")
    if to == "netcdf":
        netcdf.needed()
    if to == "excel":
        excel.needed()
        excel.must_fit(found, names)
    with whole(place) as making:
        for name in names:
            path = making / f"{name}.{FORMATS[to]}"
            progress(name if to == "excel" else path.name)
            if to != "excel":
                (_csv if to == "csv" else netcdf.written)(found, name, path)
        columns = pd.DataFrame(_dictionary(found, names))
        if to == "excel":
            told = pd.DataFrame({"about": [line for line in _read_me(found, names, to) if line]})
            excel.write(found, names, {"about": told, "columns": columns}, making / WORKBOOK)
        else:
            write_here(making / "columns.csv", as_csv(columns))
        write_here(making / "README.txt", "\n".join(_read_me(found, names, to)) + "\n")
    return place


def _csv(found: ResultFolder, name: str, path: Path) -> None:
    """A table as CSV: UTF-8, one line of names, labels as text, numbers with all their digits, what is missing left empty."""
    for i, rows in enumerate(found.pieces(name, integer_object_nulls=True)):
        write_here(path, as_csv(rows, header=not i), more=i > 0)


def _dictionary(found: ResultFolder, names: Sequence[str]) -> list[dict[str, str]]:
    """What every column means, and every measure of the summaries."""
    rows = [row for name in names for row in columns_of(found, name)]
    if found.is_batch and SUMMARIES in names:
        for measure in known_measures(found.clinic):
            meaning, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
            rows.append({"table": SUMMARIES, "column": f"measure = {measure}", "unit": unit, "meaning": meaning})
    return rows


def _read_me(found: ResultFolder, names: Sequence[str], to: str) -> list[str]:
    told, ending = about(found), "" if to == "excel" else f".{FORMATS[to]}"
    lines = [
        told["synthetic"], "",
        f"Question: {told['title']}",
        f"Scenario {told['scenario']}, seed {told['seed']}; {told['source']}.", "",
        *(f"{name}{ending}: {found.manifest['tables'][name]['rows']:,} rows" for name in names),
        f"columns{'.csv' * bool(ending)}: unit and meaning of every column",
        "",
        "CSV: UTF-8; what is missing is an empty field; formulas are not made harmless (--to excel does that, and keeps umlauts)."
        if to == "csv" else
        f"{WORKBOOK}: a sheet a table; text is text and numbers (16 digits) are numbers, whatever they look like; what is "
        "missing is an empty cell." if to == "excel" else
        "netCDF-4: one variable a column over the dimension 'row'; labels are numbers with flag_values and flag_meanings,\n"
        "and the attribute 'labels' has them as they are; _FillValue marks what is missing.",
    ]  # fmt: skip
    if found.is_batch:
        lines.append("'point' in every table is the row of that number in 'points', where the factors stand.")
        if to == "netcdf" and SUMMARIES in names:
            lines.append("summaries.nc: measures over (point, arm, replicate), differences over (point, arm, minus, replicate).")
    return lines
