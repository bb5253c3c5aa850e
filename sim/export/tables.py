"""The tables of a folder for other programs: CSV, or netCDF with labels and units. Row group by row group, whole or not."""

from __future__ import annotations

import csv as csv_files
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from sim.batch.chunk import SUMMARIES
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError, TableError
from sim.export import netcdf
from sim.export.described import about, columns_described
from sim.files import whole, write_here
from sim.storage.reading import ResultFolder, opened, scenario_of

#: What can be exported to.
FORMATS = ("csv", "netcdf")
_ENDING = {"csv": "csv", "netcdf": "nc"}


def export(
    folder: str | Path,
    to: str,
    out: str | Path | None = None,
    tables: Sequence[str] = (),
    progress: Callable[[str], None] = lambda line: None,
) -> Path:
    """Write the tables of a finished batch or run for other programs; returns the folder they are in.

    ``to``: ``csv`` or ``netcdf``. ``out``: a folder that is not there yet; default: beside ``folder``, with the format in its
    name. ``tables``: only these. ``progress`` is called with the name of each file. Memory does not grow with the tables. Raises
    ``StoreError`` for a folder that cannot be read, a table that is not there, a place that is taken, and without netCDF4.
    """
    if to not in FORMATS:
        raise StoreError(f"--to must be {' or '.join(FORMATS)}, not '{to}'")
    found = opened(folder)
    scenario_of(found)  # tables of another scenario than the file beside them says would be told wrongly
    names = found.chosen(tuple(tables))
    place = Path(out) if out is not None else found.folder.resolve().with_name(f"{found.folder.resolve().name}-{to}")
    if to == "netcdf":
        netcdf.netcdf_there()
    unreadable: list[TableError] = []  # which is another thing than a place that cannot be written
    try:
        with whole(place) as making:
            try:
                _written(found, names, to, making, progress)
            except TableError as e:
                unreadable.append(e)
                raise
    except StoreError as e:
        raise unreadable[0] if unreadable else e from None
    return place


def _written(found: ResultFolder, names: Sequence[str], to: str, making: Path, progress: Callable[[str], None]) -> None:
    """Every table, and what its columns mean."""
    for name in names:
        progress(f"{name}.{_ENDING[to]}")
        if to == "csv":
            csv_table(found, name, making / f"{name}.csv")
            continue
        if found.is_batch and name == SUMMARIES:
            netcdf.summaries(found, making / f"{name}.nc")
        else:
            netcdf.table(found, name, making / f"{name}.nc")
    _dictionary(found, names, making / "columns.csv")
    _read_me(found, names, to, making)


# ----------------------------------------------------------------------------------------------------------------- CSV


def csv_table(found: ResultFolder, name: str, path: Path) -> None:
    """A table as CSV: UTF-8, one line of names, labels as text, numbers with all their digits, what is missing left empty."""
    with found.file(name) as file:
        schema = pa.schema([_as_text(f) for f in file.schema_arrow])
    with pyarrow.csv.CSVWriter(path, schema) as writer:
        for piece in found.pieces(name):
            if len(piece):
                writer.write_table(pa.table([_plain(piece.column(f.name), f.type) for f in schema], schema=schema))


def _as_text(column: pa.Field) -> pa.Field:
    text = pa.types.is_dictionary(column.type) or pa.types.is_large_string(column.type)
    return pa.field(column.name, pa.string() if text else column.type)


def _plain(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    column = column.cast(kind)
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, kind), column)
    return column


# ------------------------------------------------------------------------------------------------------------ what it is


def _dictionary(found: ResultFolder, names: Sequence[str], path: Path) -> None:
    """What every column means, and every measure of the summaries."""
    rows = [row for name in names for row in columns_described(found, name)]
    if found.is_batch and SUMMARIES in names:
        for measure in known_measures(found.clinic):
            meaning, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
            rows.append({"table": SUMMARIES, "column": f"measure = {measure}", "unit": unit, "meaning": meaning})
    text = io.StringIO()
    writer = csv_files.DictWriter(text, ["table", "column", "unit", "meaning"])
    writer.writeheader()
    writer.writerows(rows)
    write_here(path, text.getvalue())


def _read_me(found: ResultFolder, names: Sequence[str], to: str, making: Path) -> None:
    told = about(found)
    lines = [
        told["synthetic"], "",
        f"Question: {told['title']}",
        f"Scenario {told['scenario']}, seed {told['seed']}; {told['source']}.", "",
        *(f"{name}.{_ENDING[to]}: {found.manifest['tables'][name]['rows']:,} rows" for name in names),
        "columns.csv: unit and meaning of every column",
        "",
        "CSV: UTF-8; what is missing is an empty field." if to == "csv" else
        "netCDF-4: one variable a column over the dimension 'row'; labels are numbers with flag_values and flag_meanings,\n"
        "and the attribute 'labels' has them as they are; _FillValue marks what is missing.",
    ]  # fmt: skip
    if found.is_batch:
        lines.append("'point' in every table is the row of that number in 'points', where the factors stand.")
        if to == "netcdf" and SUMMARIES in names:
            lines.append("summaries.nc: measures over (point, arm, replicate), differences over (point, arm, minus, replicate).")
    write_here(making / "README.txt", "\n".join(lines) + "\n")
