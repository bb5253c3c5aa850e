"""Tables as netCDF-4, labels and what is missing after the CF conventions: rows as variables, summaries as a labelled array.

A file is made by xarray variable by variable, so that a long table is never in memory as a whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sim.batch.chunk import SUMMARIES
from sim.catalogue.columns import NOTHING, POINTS
from sim.catalogue.measures import CATALOGUE, known_measures
from sim.errors import StoreError
from sim.storage.reading import ResultFolder
from sim.storage.store import SYNTHETIC
from sim.theory.parameters import PARAMETERS
from sim.version import __version__

#: Whole numbers that are missing, and labels that are.
MISSING, NO_LABEL = -(2**31), -1
_COMPRESSED: dict[str, Any] = {"zlib": True, "complevel": 4, "shuffle": True}
#: What there is of every measure, by column of the summaries: ending of the variable's name, its meaning, and what is missing.
_PARTS = {"value": ("", "mean of {}", np.nan), "sd": ("_sd", "SD between clients of {}", np.nan),
          "n": ("_n", "clients who have a value of {}", 0)}  # fmt: skip


def needed() -> Any:
    """The library xarray, with netCDF4 behind it. Raises ``StoreError`` where one is not installed."""
    try:
        import netCDF4  # noqa: F401
        import xarray
    except ImportError:
        raise StoreError("--to netcdf needs the extra 'netcdf': pip install 'attune[netcdf]' (--to csv needs nothing)") from None
    return xarray


def about(found: ResultFolder) -> dict[str, str]:
    """What an exported file says of itself."""
    m = found.manifest
    return {
        "title": str(m["question"]), "synthetic": SYNTHETIC, "scenario": str(m["scenario"]), "seed": str(found.seed),
        "source": f"Attune {m['versions']['attune']}, sources {m['sources']}", "exported_by": f"Attune {__version__}",
    }  # fmt: skip


def columns_of(found: ResultFolder, table: str) -> list[dict[str, str]]:
    """The columns of a table: name, unit and meaning, as the file itself tells them; factors of a batch by what they address."""
    rows = []
    with found.file(table) as file:
        for field in file.schema_arrow:
            told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
            unit, meaning = told.get("unit", ""), told.get("meaning", "")
            if table == "points" and field.name not in POINTS:
                number = PARAMETERS.get(field.name.rpartition(".")[2])
                unit = "label" if number is None else number.unit
                of = "key of the scenario, by address; empty where a point leaves it as it stands"
                meaning = f"factor: {of if number is None else number.meaning}"
            rows.append({"table": table, "column": field.name, "unit": unit, "meaning": meaning})
    return rows


def variable_names(columns: Iterable[str]) -> dict[str, str]:
    """Names for variables: letters, digits and underscores, none twice."""
    found: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"\W", "_", column, flags=re.ASCII)
        name = name if re.match(r"[A-Za-z]", name) else f"v_{name}"
        while name in found.values():
            name += "_"
        found[column] = name
    return found


def written(found: ResultFolder, table: str, path: Path) -> None:
    """Write a table: every column a variable over ``row``; the summaries of a batch as arrays."""
    xarray = needed()
    try:
        if found.is_batch and table == SUMMARIES:
            _summaries(xarray, found, path)
            return
        xarray.Dataset(attrs={**about(found), "table": table}).to_netcdf(path, engine="netcdf4")
        told = columns_of(found, table)
        names = variable_names(one["column"] for one in told)
        for one in told:
            values = pa.chunked_array([piece.column(0) for piece in found.row_groups(table, [one["column"]])])
            _add(path, xarray.Dataset({names[one["column"]]: _variable(xarray, values, "row", one)}))
    except (OSError, RuntimeError) as e:
        if isinstance(e, StoreError):
            raise
        raise OSError(f"{path.name}: {' '.join(str(e).split())}") from e


def _add(path: Path, data: Any) -> None:
    """Add variables to a file that has been begun; those of numbers are compressed."""
    for variable in data.variables.values():
        if variable.size and variable.dtype.kind in "if":
            variable.encoding.update(_COMPRESSED)
    data.to_netcdf(path, mode="a", engine="netcdf4")


def _variable(xarray: Any, values: pa.ChunkedArray, dim: str, told: dict[str, str]) -> Any:
    """A column as a variable over ``dim``, with its unit, its meaning, and what its numbers mean where they stand for labels."""
    attributes: dict[str, Any] = {"long_name": told["meaning"] or told["column"], "units": told["unit"] or "1"}
    if told["column"] not in variable_names([told["column"]]).values():
        attributes["column"] = told["column"]
    kind, labels = values.type, []
    missing: float | None = None
    if pa.types.is_dictionary(kind):
        column = values.to_pandas()
        data, labels, missing = column.cat.codes.to_numpy(np.int32), list(column.cat.categories), NO_LABEL
    elif pa.types.is_boolean(kind):
        data, labels, missing = values.cast(pa.int8()).fill_null(NO_LABEL).to_numpy(), ["no", "yes"], NO_LABEL
    elif pa.types.is_integer(kind):
        data, missing = values.fill_null(MISSING).to_numpy().astype("i4" if kind.bit_width <= 32 else "i8"), MISSING
    elif pa.types.is_floating(kind):
        data, missing = values.fill_null(np.nan).to_numpy().astype("f8"), np.nan
    else:
        data = np.array(["" if value is None else str(value) for value in values.to_pylist()], str)
    if labels:  # flag_meanings is separated by blanks and so has none inside
        attributes["flag_values"] = np.arange(len(labels), dtype=data.dtype)
        attributes["flag_meanings"] = " ".join(re.sub(r"\s+", "_", label) or "none" for label in labels)
        attributes["labels"] = json.dumps(labels, ensure_ascii=False)
    return xarray.Variable(dim, data, attributes, {} if missing is None else {"_FillValue": data.dtype.type(missing)})


def _summaries(xarray: Any, found: ResultFolder, path: Path) -> None:
    """Summaries of a batch as one array a measure, over points, arms and replicates, with the factors beside the points."""
    points = pa.concat_tables(found.row_groups("points"))
    arms = [str(arm) for arm in next(iter(found.row_groups(SUMMARIES, ["arm"]))).to_pandas()["arm"].cat.categories]
    places = {
        "point": points["point"].to_numpy(), "arm": arms, "minus": arms,
        "replicate": np.arange(int(points["replicates"].to_numpy().max()), dtype=np.int32),
    }  # fmt: skip
    names = variable_names([*known_measures(found.clinic), *places, *(n for n in points.column_names if n != "point")])
    told = {one["column"]: one for one in columns_of(found, "points")}
    coordinates = {names[name]: _variable(xarray, points[name], "point", told[name]) for name in points.column_names}
    coordinates["point"].encoding["_FillValue"] = None  # an index has nothing missing
    for name, words in (("arm", "arm of the scenario"), ("minus", "arm whose value is taken off"),
                        ("replicate", "repetition with other people and other random draws, from 0")):  # fmt: skip
        coordinates[name] = xarray.Variable(name, places[name], {"long_name": words})
    xarray.Dataset(coords=coordinates, attrs={**about(found), "table": SUMMARIES}).to_netcdf(path, engine="netcdf4")
    beside = " ".join(names[name] for name in points.column_names if name != "point")
    for measure in known_measures(found.clinic):
        rows = found.table(SUMMARIES, filters=[("measure", "==", measure)]).astype({"arm": str, "minus": str})
        title, unit = CATALOGUE[measure].title, CATALOGUE[measure].plain_unit
        for dims, part, base, what in (
            (("point", "arm", "replicate"), rows[rows["minus"] == NOTHING], measure, title),
            (tuple(places), rows[rows["minus"] != NOTHING], f"{measure}_difference",
             f"{title}, arm less the arm 'minus', person by person"),
        ):  # fmt: skip
            if not len(part):
                continue
            cube = part.set_index(list(dims))[list(_PARTS)].to_xarray().reindex({dim: places[dim] for dim in dims})
            data = {}
            for column, (ending, words, missing) in _PARTS.items():
                values = cube[column].fillna(0).astype("i8") if column == "n" else cube[column]
                attributes = {"long_name": words.format(what), "units": "count" if column == "n" else unit}
                encoding = {"_FillValue": missing, "coordinates": beside}
                data[f"{base}{ending}"] = xarray.Variable(dims, values.to_numpy(), attributes, encoding)
            _add(path, xarray.Dataset(data))
