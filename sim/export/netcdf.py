"""Tables as netCDF-4, labels and what is missing after the CF conventions: rows as variables, summaries as a labelled array."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sim.batch.chunk import SUMMARIES
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError
from sim.export.described import about, columns_described, unreadable
from sim.storage.reading import ResultFolder
from sim.storage.store import ROW_GROUP

#: Whole numbers that are missing, and labels that are.
MISSING, NO_LABEL = -(2**31), -1
_COMPRESSED: dict[str, Any] = {"zlib": True, "complevel": 4, "shuffle": True}
#: Bytes of a variable that wait in memory; there may be a hundred of them, and the library's own choice is sixteen times this.
_CACHE = 2**20
#: What there is of every measure: ending of the variable's name, and its meaning.
_OVER = {False: ("point", "arm", "replicate"), True: ("point", "arm", "minus", "replicate")}  # whether it is a difference
_PARTS = (("", "mean of {}"), ("_sd", "SD between clients of {}"), ("_n", "clients who have a value of {}"))


def netcdf_there() -> Any:
    """The library netCDF4. Raises ``StoreError`` where it is not installed."""
    try:
        import netCDF4
    except ImportError:
        raise StoreError("--to netcdf needs the extra 'netcdf': pip install 'attune[netcdf]' (--to csv needs nothing)") from None
    return netCDF4


def variable_names(columns: Sequence[str]) -> dict[str, str]:
    """Names for variables: letters, digits and underscores, none twice."""
    found: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"\W", "_", column, flags=re.ASCII)
        name = name if re.match(r"[A-Za-z]", name) else f"v_{name}"
        while name in found.values():
            name += "_"
        found[column] = name
    return found


def table(found: ResultFolder, name: str, path: Path) -> None:
    """A table: every column a variable over ``row``."""
    netcdf = netcdf_there()
    told = {one["column"]: one for one in columns_described(found, name)}
    with found.file(name) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    try:
        with netcdf.Dataset(path, "x", format="NETCDF4") as data:
            data.setncatts({**about(found), "table": name})
            data.createDimension("row", rows)
            variables: dict[str, Any] = {}
            at = 0
            for piece in found.pieces(name):
                if not variables:
                    for column, variable in variable_names(schema.names).items():
                        variables[column] = _variable(data, variable, schema.field(column), piece.column(column), rows)
                        _told(variables[column], column, told[column])
                for column, made in variables.items():
                    if len(piece):
                        made[at : at + len(piece)] = _values(piece.column(column), made)
                at += len(piece)
    except (OSError, RuntimeError) as e:
        raise e if isinstance(e, StoreError) else unreadable(e, path) from e


def _variable(data: Any, name: str, field: pa.Field, first: pa.ChunkedArray, rows: int) -> Any:
    kind = field.type
    how = {**_COMPRESSED, "chunksizes": (min(max(rows, 1), ROW_GROUP),)} if rows else {}
    if pa.types.is_dictionary(kind):
        made = data.createVariable(name, "i4", ("row",), fill_value=NO_LABEL, **how)
        _flags(made, first.combine_chunks().dictionary.to_pylist() if rows else [])
    elif pa.types.is_boolean(kind):
        made = data.createVariable(name, "i1", ("row",), fill_value=NO_LABEL, **how)
        _flags(made, ["no", "yes"])
    elif pa.types.is_floating(kind):
        made = data.createVariable(name, "f8", ("row",), fill_value=np.nan, **how)
    elif pa.types.is_integer(kind):
        made = data.createVariable(name, "i4" if kind.bit_width <= 32 else "i8", ("row",), fill_value=MISSING, **how)
    else:
        made = data.createVariable(name, str, ("row",))
    made.set_var_chunk_cache(size=_CACHE)
    return made


def _flags(variable: Any, labels: Sequence[str]) -> None:
    """What the numbers of a column of labels mean; ``flag_meanings`` is separated by blanks and so has none inside."""
    if labels:
        variable.flag_values = np.arange(len(labels), dtype=variable.dtype)
        variable.flag_meanings = " ".join(re.sub(r"\s+", "_", label) or "none" for label in labels)
        variable.labels = json.dumps(labels, ensure_ascii=False)


def _told(variable: Any, column: str, told: dict[str, str]) -> None:
    variable.long_name = told["meaning"] or column
    variable.units = told["unit"] or "1"
    if variable.name != column:
        variable.column = column


def _values(column: pa.ChunkedArray, variable: Any) -> Any:
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        codes, labels = array.indices.to_numpy(zero_copy_only=False), array.dictionary.to_pylist()
        known = json.loads(variable.labels) if "labels" in variable.ncattrs() else []
        if labels != known:
            raise StoreError(f"the labels of {variable.name} are not the same in all parts of its file; it cannot be exported")
        return np.where(np.isnan(codes), NO_LABEL, codes).astype(np.int32) if codes.dtype.kind == "f" else codes
    if pa.types.is_boolean(array.type):
        return array.cast(pa.int8()).fill_null(NO_LABEL).to_numpy()
    if pa.types.is_integer(array.type):
        return array.fill_null(MISSING).to_numpy()
    if pa.types.is_floating(array.type):
        return array.fill_null(np.nan).to_numpy()
    return np.array(["" if value is None else str(value) for value in array.to_pylist()], object)


# ----------------------------------------------------------------------------------------------------------- summaries


def summaries(found: ResultFolder, path: Path) -> None:
    """Summaries of a batch as one array a measure, over points, arms and replicates, with the factors beside the points."""
    netcdf = netcdf_there()
    points = pd.concat([piece.to_pandas() for piece in found.pieces("points")])
    arms, measures, differ = _what_is_there(found)
    replicates = int(points["replicates"].max())
    try:
        with netcdf.Dataset(path, "x", format="NETCDF4") as data:
            data.setncatts({**about(found), "table": SUMMARIES})
            for name, size in (("point", len(points)), ("arm", len(arms)), ("minus", len(arms)), ("replicate", replicates)):
                data.createDimension(name, size)
            factors = _coordinates(data, found, points, arms, replicates)
            made = _arrays(data, found, measures, differ, factors)
            for part in _by_points(found):
                _fill(made, part, arms, replicates)
    except (OSError, RuntimeError) as e:
        raise e if isinstance(e, StoreError) else unreadable(e, path) from e


def _what_is_there(found: ResultFolder) -> tuple[list[str], list[str], list[str]]:
    """Arms, measures that have a value, and measures that have a difference, in the order of the files."""
    arms: list[str] = []
    seen: dict[bool, set[str]] = {False: set(), True: set()}
    for piece in found.pieces(SUMMARIES):
        table = piece.select(["arm", "measure", "minus"]).to_pandas()
        arms = arms or [str(arm) for arm in table["arm"].cat.categories]
        minus = table["minus"].astype("str") != ""
        for is_difference in seen:
            seen[is_difference] |= set(table.loc[minus == is_difference, "measure"].astype("str").unique())
    order = known_measures(found.clinic)
    return arms, [m for m in order if m in seen[False]], [m for m in order if m in seen[True]]


def _coordinates(data: Any, found: ResultFolder, points: pd.DataFrame, arms: list[str], replicates: int) -> list[str]:
    """The coordinates; returns the names of those that stand over points."""
    told = {one["column"]: one for one in columns_described(found, "points")}
    point = data.createVariable("point", "i4", ("point",))
    point[:] = points["point"].to_numpy()
    _told(point, "point", told["point"])
    for name, words in (("arm", "arm of the scenario"), ("minus", "arm whose value is taken off")):
        labels = data.createVariable(name, str, (name,))
        labels[:] = np.array(arms, object)
        labels.long_name = words
    replicate = data.createVariable("replicate", "i4", ("replicate",))
    replicate[:] = np.arange(replicates)
    replicate.long_name = "repetition with other people and other random draws, from 0"
    columns = [column for column in points.columns if column != "point"]
    names = variable_names([*known_measures(found.clinic), "point", "arm", "minus", "replicate", *columns])
    for column in columns:
        values = points[column]
        if values.dtype.kind in "iuf":
            made = data.createVariable(names[column], "i4" if values.dtype.kind in "iu" else "f8", ("point",))
            made[:] = values.to_numpy()
        else:
            made = data.createVariable(names[column], str, ("point",))
            made[:] = np.array(["" if pd.isna(v) else str(v) for v in values], object)
        _told(made, column, told[column])
    return [names[column] for column in columns]


def _arrays(
    data: Any, found: ResultFolder, measures: list[str], differ: list[str], factors: list[str]
) -> dict[tuple[str, bool], tuple[Any, ...]]:
    """A variable each for mean, SD and number of every measure, and of every difference."""
    made = {}
    for is_difference, names in ((False, measures), (True, differ)):
        for measure in names:
            title, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
            what = f"{title}, arm less the arm 'minus', person by person" if is_difference else title
            base, three = f"{measure}_difference" if is_difference else measure, []
            for ending, words in _PARTS:
                one = data.createVariable(f"{base}{ending}", "i8" if ending == "_n" else "f8", _OVER[is_difference],
                                          fill_value=0 if ending == "_n" else np.nan, **_COMPRESSED)  # fmt: skip
                one.long_name, one.units = words.format(what), "count" if ending == "_n" else unit
                one.coordinates = " ".join(factors)
                one.set_var_chunk_cache(size=_CACHE)
                three.append(one)
            made[measure, is_difference] = tuple(three)
    return made


def _by_points(found: ResultFolder) -> Iterator[pd.DataFrame]:
    """The summaries in parts of whole points; they lie in the order of points."""
    waiting: list[pd.DataFrame] = []
    for piece in found.pieces(SUMMARIES):
        rows = piece.to_pandas()
        if not len(rows):
            continue
        last = rows["point"].iloc[-1]
        if waiting and last == waiting[0]["point"].iloc[0]:
            waiting.append(rows)
            continue
        yield pd.concat([*waiting, rows[rows["point"] < last]])
        waiting = [rows[rows["point"] == last]]
    if waiting:
        yield pd.concat(waiting)


def _fill(made: dict[tuple[str, bool], tuple[Any, ...]], rows: pd.DataFrame, arms: list[str], replicates: int) -> None:
    """Write the summaries of some neighbouring points."""
    if not len(rows):
        return
    first, last = int(rows["point"].iloc[0]), int(rows["point"].iloc[-1])
    place = {arm: i for i, arm in enumerate(arms)}
    minus = rows["minus"].astype("str")
    coded = rows.assign(
        point=rows["point"] - first, arm=rows["arm"].astype("str").map(place), minus=minus.map(place).fillna(-1).astype(int),
        measure=rows["measure"].astype("str"), is_difference=minus != "",
    )  # fmt: skip
    for (measure, is_difference), part in coded.groupby(["measure", "is_difference"], sort=False):
        at = tuple(part[name].to_numpy(int) for name in _OVER[bool(is_difference)])
        shape = (last - first + 1, len(arms), *((len(arms),) if is_difference else ()), replicates)
        for variable, column in zip(made[str(measure), bool(is_difference)], ("mean", "sd", "n"), strict=True):
            values = np.full(shape, 0 if column == "n" else np.nan)
            values[at] = part[column].to_numpy(float)
            variable[first : last + 1] = values
