"""Who takes part, as scenario files say it: a style, a point, a region or a spread on the attachment plane."""

from __future__ import annotations

from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict

from sim.errors import ScenarioError
from sim.scenario.reading import Location, Wrong, hint, shown
from sim.scenario.rules import POPULATION, number
from sim.theory.styles import HIGHEST, LOWEST, STYLE_BOX, STYLES

#: Kinds of people in one role of a crossed design.
MOST_CROSSED = 100

#: A typical person of each style (anxiety, avoidance), used when an early anchor is given as a style name.
STYLE_POINT = {"secure": (2.5, 2.2), "preoccupied": (5.2, 2.5), "dismissing": (2.6, 5.0), "fearful": (5.2, 5.0)}

Kind = Literal["population", "box", "normal", "point"]

_PERSON_KEYS = ("style", "anxiety", "avoidance", "early", "selected", "distress")


def _refused(*_: Any, **__: Any) -> NoReturn:
    """What every method that would change a part of a scenario does."""
    raise ScenarioError("a scenario does not change; use its .but(...), which gives a changed copy")


class Fixed(dict[Any, Any]):
    """A mapping of a scenario, which does not change either."""

    __setitem__ = __delitem__ = __ior__ = update = clear = pop = popitem = setdefault = _refused

    def __reduce__(self) -> tuple[Any, ...]:
        return Fixed, (dict(self),)


class Frozen(BaseModel):
    """What was read from a scenario; it cannot be changed and has no other keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_post_init(self, _: Any) -> None:
        """Mappings are fixed too."""
        for name, value in self.__dict__.items():
            if type(value) is dict:
                self.__dict__[name] = Fixed(value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ScenarioError(f"a scenario does not change; use its .but({name}=...), which gives a changed copy")

    __delattr__ = _refused


class Attachment(Frozen):
    """Where on the attachment plane the people of one arm are, at present and, if it differs, early in life.

    ``kind`` says how to read the two pairs: *box* (lowest, highest), *point* (value, value), *normal* (mean, sd);
    for *population* both are None. All in ECR units, 1-7.
    """

    kind: Kind = "population"
    anxiety: tuple[float, float] | None = None
    avoidance: tuple[float, float] | None = None
    style: str | None = None
    early: tuple[float, float] | None = None
    selected: bool = True
    distress: float | None = None

    @property
    def label(self) -> str:
        """The style's name, or the present state in a few words."""
        if self.style is not None:
            return self.style
        if self.anxiety is None or self.avoidance is None:
            return POPULATION
        return ", ".join(
            f"{name} {self._axis(*pair)}" for name, pair in (("anxiety", self.anxiety), ("avoidance", self.avoidance))
        )

    def _axis(self, first: float, second: float) -> str:
        if self.kind == "normal":
            return f"{first:g} (sd {second:g})"
        return f"{first:g}" if first == second else f"{first:g}-{second:g}"


def crossed_people(value: Any, role: str) -> dict[str, Attachment | None]:
    """The people of one role in a crossed design, by name; None = no therapy."""
    people: dict[str, Attachment | None]
    one_of = one_therapist if role == "therapist" else one_client
    wanted = f"must be a list of styles ([{', '.join(STYLES)}]) or a mapping of names to people, since the design is crossed"
    if not isinstance(value, (list, dict)) or not value:
        raise Wrong((role,), f"{wanted}, not {shown(value)}")
    if len(value) > MOST_CROSSED:
        raise Wrong((role,), f"at most {MOST_CROSSED} kinds of {role} can be crossed, not {len(value)}")
    if isinstance(value, dict):
        single = [key for key in value if key in _PERSON_KEYS]
        if single:
            raise Wrong((role, single[0]), f"describes one person; in a crossed design '{role}' {wanted}")
        people = {name: one_of(one, (role, name)) for name, one in value.items()}
        for name in people:
            if not 1 <= len(name) <= 20 or not name.isprintable() or "/" in name:
                raise Wrong((role, name), "the name must have 1 to 20 characters and no '/'")
    else:
        people = {}
        for i, one in enumerate(value):
            if not isinstance(one, str):
                raise Wrong((role, i), f"must be a style, not {shown(one)}; to describe people use a mapping of names to people")
            if one in people:
                raise Wrong((role, i), f"'{one}' stands twice in the list")
            people[one] = one_of(one, (role, i))
    names = list(people)
    for i, name in enumerate(names):
        for other in names[:i]:
            if people[name] == people[other]:
                raise Wrong((role, name), f"describes the same people as '{other}'")
    return people


def of_style(name: str, role: str) -> Attachment:
    """Everybody of one style: the population cut to the style's region."""
    low_anxiety, high_anxiety, low_avoidance, high_avoidance = STYLE_BOX[name]
    return Attachment(
        kind="box",
        anxiety=(low_anxiety, high_anxiety),
        avoidance=(low_avoidance, high_avoidance),
        style=name,
        selected=role == "client",
    )


def one_client(value: Any, at: Location) -> Attachment:
    return _person(value, at, "client")


def one_therapist(value: Any, at: Location) -> Attachment | None:
    return None if value is None or value == "none" else _person(value, at, "therapist")


def _person(value: Any, at: Location, role: str) -> Attachment:
    """Any of the ways in which a file can say who takes part."""
    if isinstance(value, str):
        if value == POPULATION:
            return Attachment(selected=role == "client")
        if value not in STYLES:
            known = (*STYLES, POPULATION, *(("none",) if role == "therapist" else ()))
            raise Wrong(at, f"unknown style {shown(value)}{hint(value, known)}")
        return of_style(value, role)
    if isinstance(value, list):
        raise Wrong(at, "a list of people needs 'design: crossed'; here it must be one style or one description")
    if not isinstance(value, dict) or not value:
        raise Wrong(at, f"must be a style, {POPULATION} or a mapping with anxiety and avoidance, not {shown(value)}")
    for key in value:
        if key not in _PERSON_KEYS:
            raise Wrong((*at, key), f"is not a key of a {role}{hint(key, _PERSON_KEYS)}")
        if role == "therapist" and key in ("selected", "distress"):
            raise Wrong((*at, key), "can be said of clients only")
    return _present(value, at, role).model_copy(update=_particulars(value, at))


def _present(value: dict[str, Any], at: Location, role: str) -> Attachment:
    """The present state that a mapping describes."""
    axes = [key for key in ("anxiety", "avoidance") if key in value]
    if "style" in value:
        if axes:
            raise Wrong((*at, axes[0]), "cannot be given together with 'style'; say one or the other")
        if not isinstance(value["style"], str):
            raise Wrong((*at, "style"), f"must be one of {', '.join(STYLES)}, {POPULATION}, not {shown(value['style'])}")
        if value["style"] == "none":
            raise Wrong((*at, "style"), "'none' is not a style; for no therapy write 'therapist: none'")
        return _person(value["style"], (*at, "style"), role)
    if not axes:
        return Attachment(selected=role == "client")
    if len(axes) == 1:
        missing = "avoidance" if axes == ["anxiety"] else "anxiety"
        raise Wrong(at, f"'{axes[0]}' is given but '{missing}' is not; add it (a number, [low, high] or {{mean: , sd: }})")
    first, second = (_axis(value[key], (*at, key)) for key in ("anxiety", "avoidance"))
    if first[0] != second[0] and "normal" in (first[0], second[0]):
        odd = "avoidance" if first[0] == "normal" else "anxiety"
        raise Wrong((*at, odd), "must be {mean: , sd: } as the other dimension is; a spread goes with a spread")
    one_place = first[1][0] == first[1][1] and second[1][0] == second[1][1]
    kind: Kind = "point" if first[0] == "box" and one_place else first[0]
    return Attachment(kind=kind, anxiety=first[1], avoidance=second[1], selected=role == "client")


def _axis(value: Any, at: Location) -> tuple[Literal["box", "normal"], tuple[float, float]]:
    """One dimension of a description: a number, a range, or a mean and spread."""
    if isinstance(value, list):
        if len(value) != 2:
            raise Wrong(at, f"a range has two numbers, [low, high], not {len(value)}")
        low, high = (number(one, LOWEST, HIGHEST, (*at, i)) for i, one in enumerate(value))
        if low > high:
            raise Wrong(at, f"the range is the wrong way round; write [{high:g}, {low:g}]")
        return "box", (low, high)
    if isinstance(value, dict):
        for key in value:
            if key not in ("mean", "sd"):
                raise Wrong((*at, key), f"is not a key that can stand here{hint(key, ('mean', 'sd'))}")
        if len(value) != 2:
            raise Wrong(at, "needs both 'mean' and 'sd'")
        return "normal", (number(value["mean"], LOWEST, HIGHEST, (*at, "mean")), number(value["sd"], 0.01, 6, (*at, "sd")))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Wrong(at, f"must be a number from 1 to 7, a range [low, high] or {{mean: , sd: }}, not {shown(value)}")
    exact = number(value, LOWEST, HIGHEST, at)
    return "box", (exact, exact)


def _particulars(value: dict[str, Any], at: Location) -> dict[str, Any]:
    """What a description says beside the present state: early anchor, selection, distress."""
    said: dict[str, Any] = {}
    if "early" in value:
        said["early"] = _early(value["early"], (*at, "early"))
    if "selected" in value:
        if not isinstance(value["selected"], bool):
            raise Wrong((*at, "selected"), f"must be true or false, not {shown(value['selected'])}")
        said["selected"] = value["selected"]
    if "distress" in value:
        said["distress"] = number(value["distress"], -3, 5, (*at, "distress"))
    return said


def _early(value: Any, at: Location) -> tuple[float, float]:
    """The early anchor: a style's typical point, or a point."""
    if isinstance(value, str):
        if value not in STYLE_POINT:
            raise Wrong(at, f"unknown style {shown(value)}{hint(value, STYLES)}")
        return STYLE_POINT[value]
    if not isinstance(value, dict):
        raise Wrong(at, f"must be a style or {{anxiety: 1-7, avoidance: 1-7}}, not {shown(value)}")
    for key in value:
        if key not in ("anxiety", "avoidance"):
            raise Wrong((*at, key), f"is not a key that can stand here{hint(key, ('anxiety', 'avoidance'))}")
    if len(value) != 2:
        raise Wrong(at, "needs both 'anxiety' and 'avoidance'")
    return (
        number(value["anxiety"], LOWEST, HIGHEST, (*at, "anxiety")),
        number(value["avoidance"], LOWEST, HIGHEST, (*at, "avoidance")),
    )
