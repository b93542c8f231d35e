"""Fields of settings: help, limits and choices, and the check of a value against them."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nextchar.errors import SettingsError

_NOUNS = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "a string"}
MOST = 2**31 - 1  # upper bound of an integer without one: compiled code receives it


@dataclass(frozen=True)
class Setting:
    """Metadata of a field besides its name, type and default.

    low, high: inclusive bounds; above: an exclusive lower bound; below: an exclusive upper one.
    unset: the default in words, where it is None. metavar: placeholder of the value in the help, by
    default N for an int and X for a float.
    """

    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    metavar: str = ""
    unset: str = ""


def setting(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002
    """A dataclass field with a default that is a setting; limits as in `Setting`."""
    return dataclasses.field(default=default, metadata={"setting": Setting(help, **limits)})


def setting_of(field: dataclasses.Field[Any]) -> Setting:
    """The metadata of a field."""
    setting: Setting = field.metadata["setting"]
    return setting


class Validated:
    """A dataclass that checks its fields against their types and `Setting`s when it is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)


def require_known(name: str, known: Iterable[str], what: str) -> None:
    """Raise SettingsError, with the nearest known name, where `name` is not one of `known`.

    what: the kind of name, such as `setting`.
    """
    names = list(known)
    if name in names:
        return
    article = "an" if what[0] in "aeiou" else "a"
    remedy = suggestion(name, names) or f"choose from {', '.join(names)}"
    raise SettingsError(f"is not {article} {what}", setting=name, remedy=remedy)


def require_at_most_one(names: Sequence[str], values: Mapping[str, Any]) -> None:
    """Raise SettingsError where more than one of two or more settings is given."""
    first, *others = [name for name in names if values.get(name) is not None] or [""]
    if others:
        problem = f"cannot be combined with {' and '.join(others)}"
        remedy = f"give one of {', '.join(names[:-1])} and {names[-1]}"
        raise SettingsError(problem, setting=first, remedy=remedy)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """`did you mean NAME?` with the nearest known name, where one is near."""
    near = difflib.get_close_matches(str(name), list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the field's type, or a SettingsError that names the setting."""
    kind, optional = str(field.type).removesuffix(" | None"), "None" in str(field.type)
    if value is None and optional:
        return None
    setting = setting_of(field)
    typed = _as_type(kind, value)
    if kind == "int" and setting.high is None and typed is not None and typed > MOST:
        setting = dataclasses.replace(setting, high=MOST)
    if typed is None or not _in_range(setting, typed):
        raise SettingsError(f"must be {_accepted(kind, setting)}", setting=field.name, value=value)
    return typed


def _as_type(kind: str, value: Any) -> Any:
    """The value as int, float, bool or str, or None where the conversion would change it."""
    if kind in ("bool", "str"):
        return value if isinstance(value, bool if kind == "bool" else str) else None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number:
        return None
    try:  # NumPy's numbers, and 3.0 for 3, are accepted
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    if kind == "int":
        return int(value) if number == int(number) else None
    return number


def _in_range(setting: Setting, value: Any) -> bool:
    return not (
        (setting.choices and value not in setting.choices)
        or (setting.low is not None and value < setting.low)
        or (setting.high is not None and value > setting.high)
        or (setting.above is not None and value <= setting.above)
        or (setting.below is not None and value >= setting.below)
    )


def _accepted(kind: str, setting: Setting) -> str:
    """The accepted values in words: `a whole number from 1 to 1000`."""
    if setting.choices:
        return "one of " + ", ".join(setting.choices)
    noun = _NOUNS[kind]
    if setting.low is not None and setting.high is not None:
        return f"{noun} from {_plain(setting.low)} to {_plain(setting.high)}"
    words = {"of at least": setting.low, "above": setting.above, "at most": setting.high}
    words["below"] = setting.below
    bounds = [f"{word} {_plain(bound)}" for word, bound in words.items() if bound is not None]
    return " ".join([noun, " and ".join(bounds)]).strip()


def _plain(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else format(bound, "g")


_ESCAPE = re.compile(
    r"\\(?:[abfnrtv0\\]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4})", re.ASCII
)
_UNPRINTABLE = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")


def unescaped(text: str) -> str:
    r"""Replace the escapes of a text by their characters: `\n`, `\x41`, `\u5e8a`.

    A backslash that begins no escape stands for itself.
    """
    return _ESCAPE.sub(lambda match: match[0].encode().decode("unicode_escape"), text)


def escaped(text: str) -> str:
    """The inverse of `unescaped`: a text in characters that every file and console takes."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def seconds_of(duration: str, setting: str = "time") -> float:
    """Seconds of a duration: `"90s"` → 90.0, `"1.5h"` → 5400.0; a bare number is seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", duration.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        problem = "must be a duration such as 90s, 5m or 2h"
        raise SettingsError(problem, setting=setting, value=duration)
    return seconds
