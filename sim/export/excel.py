"""Tables as one Excel workbook: a sheet a table. A cell is text or a number by what it is, never by how it looks.

So no label becomes a formula, a date or a number, and umlauts are what they are, in whatever country Excel stands. Numbers are
written with 16 digits.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from sim.errors import StoreError
from sim.storage.reading import ResultFolder

#: What one sheet, and one cell, can hold.
MOST_ROWS, MOST_COLUMNS, MOST_LETTERS = 1_048_576, 16_384, 32_767
#: What Excel would take for a formula if somebody typed it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def needed() -> Any:
    """The library openpyxl. Raises ``StoreError`` where it is not installed."""
    try:
        import openpyxl
    except ImportError:
        raise StoreError("--to excel needs the extra 'excel': pip install 'attune[excel]' (--to csv needs nothing)") from None
    return openpyxl


def must_fit(found: ResultFolder, names: Sequence[str]) -> None:
    """Raise ``StoreError`` for tables that a sheet cannot hold, before anything is written."""
    for name in names:
        table = found.manifest["tables"][name]
        for count, most, what in ((table["rows"] + 1, MOST_ROWS, "rows, its heads among them"),
                                  (len(table["columns"]), MOST_COLUMNS, "columns")):  # fmt: skip
            if count > most:
                said = f"table '{name}' needs {count:,} {what}, and a sheet of Excel has {most:,}"
                others = " ".join(f"--table {other}" for other in names if other != name)
                without = f", or leave it out ({others})" if others else ""
                raise StoreError(said, where=str(found.folder), valid=f"use --to csv{without}")


def write(found: ResultFolder, names: Sequence[str], others: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write a workbook: the sheets in ``others``, then the tables, row group by row group. Raises ``StoreError``."""
    book = needed().Workbook(write_only=True)
    try:
        for name, table in others.items():
            _add(book.create_sheet(name), name, [table])
        for name in names:
            _add(book.create_sheet(name), name, found.pieces(name, integer_object_nulls=True))
        book.save(path)
    finally:  # a sheet that is left open complains when Python ends
        for sheet in book.worksheets:
            with contextlib.suppress(Exception):
                sheet.close()


def _add(sheet: Any, name: str, pieces: Any) -> None:
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    def cell(value: Any, column: str) -> Any:
        if not isinstance(value, str):
            return None if pd.isna(value) else value
        if len(value) > MOST_LETTERS:
            raise StoreError(f"table '{name}', column '{column}': a text of {len(value):,} letters, and a cell of Excel holds "
                             f"{MOST_LETTERS:,}", valid="use --to csv")  # fmt: skip
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\N{REPLACEMENT CHARACTER}", value))
        made.data_type = "s"
        made.quotePrefix = value.startswith(_FORMULA)  # stays text when somebody edits it
        return made

    sheet.freeze_panes = "A2"
    for i, rows in enumerate(pieces):
        columns = [str(column) for column in rows.columns]
        if not i:
            sheet.append([cell(column, column) for column in columns])
        for row in zip(*(rows[column].tolist() for column in rows.columns), strict=True):
            sheet.append([cell(value, column) for value, column in zip(row, columns, strict=True)])
