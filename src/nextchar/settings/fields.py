"""Settings that check themselves: what a field says of itself, and how its value is held to it."""

from __future__ import annotations

import dataclasses
import difflib
import math
import numbers
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.errors import SettingsError

MOST = 2**31 - 1  # of a whole number without a bound of its own: compiled code is handed it


@dataclass(frozen=True)
class Setting:
    """What a field says of itself beside its name, type and default.

    low, high: inclusive bounds; above: an exclusive lower bound; below: an exclusive upper one.
    """

    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    metavar: str = ""


def setting(default: Any, help: str, **limits: Any) -> Any:  # noqa: A002
    """A dataclass field with a default that is a setting; limits as in `Setting`."""
    return dataclasses.field(default=default, metadata={"setting": Setting(help, **limits)})


class Validated:
    """A dataclass whose fields are checked against their type and `Setting` when it is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = _checked(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)


def require_known(name: str, known: Mapping[str, Any], what: str) -> None:
    """Raise SettingsError, with the nearest known name, where `name` is none of `known`."""
    if name in known:
        return
    near = difflib.get_close_matches(str(name), list(known), n=1)
    hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
    raise SettingsError(f"unknown {what} {name!r}; {hint}")


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """The value as the field's type, or a SettingsError that names the setting."""
    kind, optional = str(field.type).removesuffix(" | None"), "None" in str(field.type)
    if value is None and optional:
        return None
    setting: Setting = field.metadata["setting"]
    typed = _as_type(kind, value)
    if kind == "int" and setting.high is None and typed is not None and typed > MOST:
        setting = dataclasses.replace(setting, high=MOST)
    if typed is None or not _in_range(setting, typed):
        raise SettingsError(f"must be {_wanted(kind, setting)}", setting=field.name, value=value)
    return typed


def _as_type(kind: str, value: Any) -> Any:
    """The value as int, float, bool or str, or None where that would change it."""
    if kind == "bool":
        return bool(value) if isinstance(value, bool) else None
    if kind == "str":
        return value if isinstance(value, str) else None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number:
        return None
    try:  # NumPy's numbers and 3.0 for 3 are welcome
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


def _wanted(kind: str, setting: Setting) -> str:
    if setting.choices:
        return "one of " + ", ".join(setting.choices)
    noun = {"int": "a whole number", "float": "a number", "bool": "True or False", "str": "a text"}
    bounds = [
        f"{word} {bound if isinstance(bound, int) else format(bound, 'g')}"
        for word, bound in (
            ("of at least", setting.low),
            ("above", setting.above),
            ("of at most", setting.high),
            ("below", setting.below),
        )
        if bound is not None
    ]
    return " ".join([noun[kind], " and ".join(bounds)]).strip()


_ESCAPE = re.compile(
    r"\\(?:[abfnrtv0\\]|x[\da-fA-F]{2}|u[\da-fA-F]{4}|U00(?:0[\da-fA-F]|10)[\da-fA-F]{4})",
    re.ASCII,
)
_UNPRINTABLE = re.compile(r"[\\\x00-\x1f\x7f\ud800-\udfff]")


def unescaped(text: str) -> str:
    """A text with its escapes as what they stand for: a backslash and n are a line break.

    A backslash that begins none stands for itself.
    """
    return _ESCAPE.sub(lambda match: match[0].encode().decode("unicode_escape"), text)


def escaped(text: str) -> str:
    """What `unescaped` makes the text of again, in characters that any file and console takes."""
    return _UNPRINTABLE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def seconds_of(duration: str) -> float:
    """Seconds of a duration: `"90s"` → 90.0, `"1.5h"` → 5400.0; a bare number is seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", duration.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds < math.inf:
        raise SettingsError(f"time: wants a duration such as 90s, 5m or 2h, got {duration!r}")
    return seconds
