"""Search space of a sweep: a range or choices for each setting that is not fixed.

A setting without a range or choices of the user's is searched around the choice of `auto`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nextchar.errors import SettingsError
from nextchar.settings.config import BUDGETS, FIELDS, Settings, TextSettings
from nextchar.settings.fields import require_known

if TYPE_CHECKING:
    from optuna import Trial

# settings that change the scored text or the length of a trial, so that losses would not be
# comparable; threads change only the last bits
NOT_TUNABLE = {
    *TextSettings.__dataclass_fields__,
    *BUDGETS,
    *("val_fraction", "test_fraction", "eval_characters", "threads"),
}
SIZE_STEP = 16  # hidden units: whole vectors of any CPU
DIGITS = 3  # of sampled numbers: more change nothing and make commands hard to read


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included. is_log: log scale. step: spacing, from low on."""

    low: float
    high: float
    is_log: bool = False
    step: float | None = None

    def suggest(self, trial: Trial, name: str) -> Any:
        """Return a number for a trial."""
        if _kind(name) == "int":
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(name, low, high, step=step, log=self.is_log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.is_log)

    def nearest(self, value: Any) -> Any:
        """Return the number of the range that is nearest to a value."""
        inside = min(max(value, self.low), self.high)
        if self.step:
            inside = self.low + round((inside - self.low) / self.step) * self.step
        return type(value)(inside)


@dataclass(frozen=True)
class Choices:
    """A set of values."""

    values: tuple[Any, ...]

    def suggest(self, trial: Trial, name: str) -> Any:
        """Return a value for a trial."""
        return trial.suggest_categorical(name, self.values)

    def nearest(self, value: Any) -> Any:
        """Return the value if it is a choice, otherwise the nearest number, otherwise the first."""
        if value in self.values or isinstance(value, str | bool) or value is None:
            return value if value in self.values else self.values[0]
        return min(self.values, key=lambda each: abs(each - value))


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def rounded(value: Any) -> Any:
    """Round a float to `DIGITS` digits (0.0123456 → 0.0123); return anything else unchanged."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def space_around(auto: Mapping[str, Any], fixed: Mapping[str, Any], requested: Space) -> Space:
    """Return the requested dimensions, and dimensions around the choice of `auto` for the rest.

    auto: every setting by name. fixed: settings that are not searched.
    """
    size, rate = auto["hidden_size"], auto["learning_rate"]
    low = max(size // 2 // SIZE_STEP * SIZE_STEP, SIZE_STEP)
    around: dict[str, Dimension] = {
        "cell": _choices("gru", "lstm", auto["cell"]),
        "hidden_size": Range(low, low + (2 * size - low) // SIZE_STEP * SIZE_STEP, step=SIZE_STEP),
        "num_layers": Range(1, auto["num_layers"] + 1),
        "seq_length": _choices(32, 64, 128, auto["seq_length"]),
        "batch_size": _choices(*(max(auto["batch_size"] * 2**k // 2, 1) for k in range(4))),
        "learning_rate": Range(rounded(rate / 4), rounded(rate * 4), is_log=True),
        "dropout": Range(0.0, max(0.5, auto["dropout"])),
    }
    if auto["optimizer"] == "adamw":  # other optimizers would add the decay to the gradient
        around["weight_decay"] = _choices(0.0, 0.03, 0.1, 0.3, auto["weight_decay"])
    free = {name: each for name, each in around.items() if name not in fixed}
    return {**free, **requested}


def _choices(*values: Any) -> Choices:
    return Choices(tuple(sorted(set(values))))


def parse_range(text: str) -> tuple[str, tuple[Any, ...]]:
    """Parse a range such as `learning_rate=0.001:0.03:log` or `hidden_size=64:256:32`."""
    example = "learning_rate=0.001:0.03:log"
    name, value = _split(text, "range", example)
    parts = value.split(":")
    if len(parts) not in {2, 3}:
        raise _syntax_error("range", text, example)
    is_log = parts[2:] == ["log"]
    numbers = [_number(name, each) for each in parts[: 2 if is_log else 3]]
    return name, (*numbers, *(["log"] if is_log else []))


def make_range(name: str, parts: Sequence[Any]) -> Range:
    """Make a validated range from (low, high), (low, high, "log") or (low, high, step)."""
    _require_tunable(name)
    if _kind(name) not in {"int", "float"}:
        remedy = f"search it with --choices {name}=A,B"
        raise SettingsError("is not a number", setting=name, remedy=remedy)
    low, high = (_validated(name, each) for each in parts[:2])
    is_log, step = "log" in parts[2:], next((each for each in parts[2:] if each != "log"), None)
    if low >= high or (is_log and low <= 0) or (step is not None and step <= 0):
        accepted = "0 < low < high" if is_log else "low < high"
        positive = " and a step above 0" if step is not None else ""
        problem = f"must have a range with {accepted}{positive}"
        raise SettingsError(problem, setting=name, value=":".join(map(str, parts)))
    if step is not None:  # `high` becomes the last number that a step reaches
        step = _validated(name, step) if _kind(name) == "int" else float(step)
        high = low + int((high - low) / step + 1e-9) * step
    return Range(low, high, is_log, step)


def parse_choices(text: str) -> tuple[str, tuple[Any, ...]]:
    """Parse choices such as `hidden_size=128,192,256`."""
    name, value = _split(text, "choices", "hidden_size=128,192,256")
    return name, tuple(parse_value(name, each) for each in value.split(","))


def make_choices(name: str, values: Sequence[Any]) -> Choices:
    """Make validated choices of a setting."""
    _require_tunable(name)
    return Choices(tuple(dict.fromkeys(_validated(name, each) for each in values)))


def parse_fix(text: str) -> tuple[str, Any]:
    """Parse a fixed setting such as `cell=lstm`."""
    name, value = _split(text, "fix", "cell=lstm")
    if name == "time":
        raise SettingsError("cannot be fixed", setting=name, remedy="give --trial-time")
    return name, parse_value(name, value)


def parse_value(name: str, text: str) -> Any:
    """Parse a value of a setting, without validating it."""
    kind = _kind(name)
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return _number(name, text) if kind in {"int", "float"} else text


def _number(name: str, text: str) -> Any:
    try:
        return int(text) if _kind(name) == "int" and text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise SettingsError("must be a number", setting=name, value=text) from None


def _split(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not (equals and name and value):
        raise _syntax_error(option, text, example)
    require_known(name, FIELDS, "setting")
    return name, value.strip()


def _syntax_error(option: str, text: str, example: str) -> SettingsError:
    return SettingsError(f"must have the form {example}", setting=option, value=text)


def _require_tunable(name: str) -> None:
    require_known(name, FIELDS, "setting")
    if name in NOT_TUNABLE:
        problem = "cannot be searched, since losses of the trials would not be comparable"
        remedy = "leave it out of the ranges and choices"
        raise SettingsError(problem, setting=name, remedy=remedy)


def _validated(name: str, value: Any) -> Any:
    """Return a value if the setting accepts it by itself."""
    if _kind(name) == "bool":  # tied depends on other settings, which are known in a trial
        return value
    return Settings.make(None, **{name: value}).flat()[name]


def _kind(name: str) -> str:
    return str(FIELDS[name].type).removesuffix(" | None")


def as_json(space: Space) -> dict[str, Any]:
    """Convert a space to an object as it comes back from JSON, with lists in place of tuples."""
    return dict(json.loads(json.dumps({name: asdict(each) for name, each in space.items()})))


def from_json(document: Mapping[str, Any]) -> Space:
    """Convert a JSON object of `as_json` back to a space."""
    return {
        name: Choices(tuple(each["values"])) if "values" in each else Range(**each)
        for name, each in document.items()
    }
