"""Parts of a file as values: what cannot be and where it stands, how a value is shown, and models that do not change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict

from sim.errors import ScenarioError
from sim.naming import nearest

#: Where a value stands: ``("arms", "warm", "policies", 0)``.
Location = tuple[str | int, ...]


class Wrong(ValueError):
    """A value that cannot be, and where it stands; becomes a ``ScenarioError`` once file and line are known."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def hint(name: Any, known: Sequence[str]) -> str:
    """`` - did you mean 'x'?``, or all that would be valid."""
    return nearest(str(name), known) or f"; valid: {', '.join(known)}"


def shown(value: Any) -> str:
    """A value as a person wrote it, on one line and cut if long."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = "a mapping" if isinstance(value, Mapping) else repr(value)
    return text if len(text) <= 50 else f"{text[:46]} ..."


def _refused(*_: Any, **__: Any) -> NoReturn:
    """What every method that would change a part of a scenario does."""
    raise ScenarioError("a scenario does not change; use its .but(...), which gives a changed copy")


class Fixed(dict[Any, Any]):
    """A mapping of a scenario, which does not change either."""

    __setitem__ = __delitem__ = __ior__ = update = clear = pop = popitem = setdefault = _refused

    def __reduce__(self) -> tuple[Any, ...]:
        return Fixed, (dict(self),)


class Frozen(BaseModel):
    """A part of a scenario: unknown keys and values of another type are refused, and nothing of it changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def model_post_init(self, _: Any) -> None:
        """Mappings are fixed too."""
        for name, value in self.__dict__.items():
            if type(value) is dict:
                self.__dict__[name] = Fixed(value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ScenarioError(f"a scenario does not change; use its .but({name}=...), which gives a changed copy")

    __delattr__ = _refused
