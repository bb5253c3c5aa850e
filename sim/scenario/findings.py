"""What pydantic finds wrong with a scenario, in plain English: the one thing to mention, with its line."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from sim.errors import ScenarioError
from sim.naming import nearest
from sim.scenario.clinic import ClinicFile
from sim.scenario.fields import ARM_KEYS, KEYS, ArmFile, ExchangesFile, RecordFile, ScenarioFile
from sim.scenario.reading import Location, Reading, Wrong, hint, shown
from sim.scenario.sweep import BatchFile, Until


def first_finding(error: ValidationError, reading: Reading) -> ScenarioError:
    """Of all that is wrong the one to mention: a mistyped key before anything else, then what stands first in the file."""
    found: list[tuple[bool, int, Location, Any]] = []
    for e in error.errors(include_url=False):
        inner = e.get("ctx", {}).get("error")
        at: Location = (*e["loc"], *inner.location) if isinstance(inner, Wrong) else tuple(e["loc"])
        found.append((e["type"] != "extra_forbidden", reading.origins.get(at, ("", 0))[1], at, e))
    _, _, at, e = min(found, key=lambda entry: entry[:2])
    return reading.error(Wrong(at, _in_words(e, at)))


def _in_words(error: Any, at: Location) -> str:
    """Pydantic's finding in plain English."""
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "missing":
            return "is missing; it must be given" + (", as one sentence that the scenario answers" if at == ("question",) else "")
        case "extra_forbidden":
            keys = _keys_beside(at)
            if at[0] == "arms" and at[-1] in KEYS and not _of_a_clinic(at):
                return f"belongs to the whole scenario, not to one arm; an arm may say {', '.join(keys)}"
            if at[-1] in ClinicFile.model_fields and not _of_a_clinic(at):
                return f"is said under 'clinic:', as in clinic: {{{at[-1]}: ...}}"
            where = "of a scenario" if len(at) == 1 else "that can stand here"
            return f"is not a key {where}{hint(at[-1], keys)}"
        case "literal_error":
            given = error["input"]
            known = get_args(_model_at(at).model_fields[str(at[-1])].annotation)
            return f"must be {error['ctx']['expected']}, not {shown(given)}{nearest(str(given), known)}"
        case "dict_type" | "model_type":
            return f"must be a mapping ('name: value' lines), not {shown(error['input'])}"
    return f"{error['msg']}, not {shown(error['input'])}"


def _keys_beside(at: Location) -> tuple[str, ...]:
    """The keys that may stand where a file has an unknown one."""
    model = _model_at(at)
    return (*KEYS, "extends") if model is ScenarioFile else ARM_KEYS if model is ArmFile else tuple(model.model_fields)


def _of_a_clinic(at: Location) -> bool:
    """Whether this is a key of a clinic, of the whole scenario or of an arm (which may be called clinic itself)."""
    return "clinic" in (at[2:-1] if at[0] == "arms" else at[:1] if len(at) > 1 else ())


def _model_at(at: Location) -> type[BaseModel]:
    """The part of a file of which the last of these names is a key."""
    if _of_a_clinic(at):
        return ClinicFile
    if at[0] == "arms":
        return ArmFile
    if at[0] == "batch" and len(at) > 1:
        return BatchFile if len(at) == 2 else Until
    if at[0] == "record" and len(at) > 1:
        return RecordFile if len(at) == 2 else ExchangesFile
    return ScenarioFile
