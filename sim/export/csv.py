"""CSV as pandas, R, DuckDB and Excel read it without being told anything: one line of names, no comments; the note lies beside.

UTF-8 without a byte order mark (R would take it for a part of the first name), TRUE and FALSE (R does not read True), empty
fields for what is missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from sim.files import must_be_free, write_new_together


def as_csv(table: pd.DataFrame, header: bool = True) -> str:
    """A table as CSV, numbers with all their digits; without its line of names where it goes on (``header``).

    >>> as_csv(pd.DataFrame({"arm": ["usual", None], "in_therapy": [True, False]})).split()
    ['arm,in_therapy', 'usual,TRUE', ',FALSE']
    """
    said = {str(name): values.map({True: "TRUE", False: "FALSE"}) for name, values in table.items()
            if pd.api.types.infer_dtype(values, skipna=True) == "boolean"}  # fmt: skip
    return str(table.assign(**said).to_csv(index=False, header=header, lineterminator="\n"))


def note_of(path: Path) -> Path:
    """Where the note of a CSV file lies: ``inside.csv.txt`` beside ``inside.csv``."""
    return path.with_name(f"{path.name}.txt")


def note(said: Iterable[str], columns: Mapping[str, str]) -> str:
    """What the file beside a CSV file says: what it is, and what its ``columns`` mean."""
    return "\n".join([*said, "", *(f"{name}: {meaning}" for name, meaning in columns.items())]) + "\n"


def csv_free(path: Path) -> None:
    """Raise ``StoreError`` where a CSV file or its note is there already, before the work rather than after it."""
    must_be_free(path)
    must_be_free(note_of(path))


def write_csv(path: Path, table: pd.DataFrame, said: Iterable[str], columns: Mapping[str, str]) -> None:
    """Write a table that must not be there yet, and its note beside it. Raises ``StoreError``; then neither is there."""
    meanings = {name: columns[name] for name in map(str, table.columns)}
    write_new_together({note_of(path): note(said, meanings), path: as_csv(table)})
