"""Everything that can go wrong in a way that somebody can put right: one error class, and its children by what is wrong.

>>> from sim.errors import AttuneError
>>> str(AttuneError("must be at least 1, not 0", where="--workers", valid="use 1 or more"))
'--workers: must be at least 1, not 0; use 1 or more'
"""

from __future__ import annotations

from collections.abc import Iterable


class AttuneError(Exception):
    """What went wrong, where, and what would be valid; the command line says it in one line and ends with ``status``.

    ``message``: what is wrong. ``where``: file and line, key, option or folder. ``valid``: what would do instead.

    >>> str(AttuneError("must be at least 1, not 0", where="--workers", valid="use 1 or more"))
    '--workers: must be at least 1, not 0; use 1 or more'
    """

    status = 2
    #: What the command line says before the message.
    lead = ""

    def __init__(self, message: str, *, where: str = "", valid: str = "") -> None:
        self.message, self.where, self.valid = message, where, valid
        super().__init__((f"{where}: " if where else "") + message + (f"; {valid}" if valid else ""))

    @property
    def told(self) -> str:
        """The message without the place: what is wrong, and what would be valid."""
        return self.message + (f"; {self.valid}" if self.valid else "")

    def __reduce__(self) -> tuple[object, ...]:  # as it is said, wherever it travels
        return _again, (type(self), self.args, self.__dict__)


def _again(kind: type[AttuneError], args: tuple[object, ...], known: dict[str, object]) -> AttuneError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(known)
    return error


class Note(UserWarning):
    """Something to know about what was read or drawn that is no error; the command line says it in one line."""


class UsageError(AttuneError, ValueError):
    """An option or argument that cannot be, or does not go together with another."""


class ScenarioError(AttuneError, ValueError):
    """Something is wrong with a scenario: ``file:line: key: what is wrong; what would be valid``, on one line.

    >>> sim.from_spec({"question": "Does it help?", "sesions": 3}, "mine")
    Traceback (most recent call last):
        ...
    sim.errors.ScenarioError: mine: sesions: is not a key of a scenario - did you mean 'sessions'?

    ``key``: the key it is about, as a location (``("arms", "warm", "sessions")``), where whoever knows the file can add its line.
    """

    def __init__(self, message: str, *, where: str = "", valid: str = "", key: tuple[str | int, ...] = ()) -> None:
        super().__init__(" ".join(message.splitlines()), where=where, valid=valid)
        self.key = key


class ParameterError(AttuneError, ValueError):
    """A parameter that does not exist, or a value it cannot have."""


class PopulationError(AttuneError, ValueError):
    """Nobody in the population fits what the scenario asks for."""


class InterventionError(AttuneError, ValueError):
    """An intervention on something that does not exist, or with a value it cannot have."""


class WiringError(AttuneError, TypeError):
    """A step asks for a quantity that nothing provides, or cannot stand where it was put."""


class MatchingError(AttuneError, ValueError):
    """A matching rule gave an answer that no service could carry out."""


class AddedError(AttuneError, OSError):
    """A file that adds policies, programmes or matching rules and cannot be used."""


class AddressError(AttuneError, ValueError):
    """An address of the classroom page that cannot be; ``messages``: each thing that is wrong, and what would be valid."""

    def __init__(self, messages: Iterable[str]) -> None:
        self.messages = tuple(messages)
        super().__init__("; ".join(self.messages))


class ServingError(AttuneError, ValueError):
    """A host or port at which nothing can be served."""


class MissingExtra(AttuneError, ValueError):
    """The packages of an optional part are not installed; the message holds the command that installs them."""


class EvidenceError(AttuneError, ValueError):
    """A pattern, claim, contrast or measure that does not exist, or an analysis that cannot be made of it."""


class StateError(AttuneError, ArithmeticError):
    """A quantity is no number or left its valid range: the model, or a mechanism added to it, is at fault.

    ``quantities``: the columns at fault, by name; empty where the fault is not in a column.
    """

    status = 1
    lead = "the simulation left its valid range: "

    def __init__(self, message: str, quantities: Iterable[str] = ()) -> None:
        self.quantities = tuple(quantities)
        super().__init__(message)


class BatchStopped(AttuneError, RuntimeError):
    """A run failed in a batch that stops at the first failure (``on_error: stop``)."""

    status = 1


class Stopped(AttuneError, RuntimeError):
    """A command that was ended by Ctrl-C, or by whoever may, and says what is kept."""

    status = 130
    lead = "stopped; "


class ReportFailed(AttuneError, RuntimeError):
    """The tables are there whole, but their report could not be written."""

    status = 1


class WorkersError(AttuneError, OSError):
    """Workers that cannot be used, or that were lost again and again."""


class SearchError(AttuneError, OSError):
    """A folder of simulated tables that a search cannot use."""


class StoreError(AttuneError, OSError):
    """A file or folder of results that cannot be written or read."""


class TableError(StoreError):
    """A table whose file is missing or cannot be read."""


class UnknownTable(AttuneError, KeyError):
    """A table that a run does not have."""

    __str__ = Exception.__str__  # a KeyError shows its message in quotes


class BatchChanged(StoreError):
    """A folder holds a batch that was begun with something else than what is here now."""
