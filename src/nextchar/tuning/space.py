"""The space that a sweep searches: a range or some choices for each setting that is not fixed.

Where nothing is said of a setting, its dimension lies around what the preset `auto` chose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from nextchar.errors import SettingsError
from nextchar.settings.config import BUDGETS, FIELDS, Settings, TextSettings
from nextchar.settings.fields import require_known

if TYPE_CHECKING:
    from optuna import Trial

# what would change the text that is scored, or how long a trial is, so that losses could not be
# compared; threads change the bits alone
APART = {
    *TextSettings.__dataclass_fields__,
    *BUDGETS,
    *("val_fraction", "test_fraction", "eval_characters", "threads"),
}
SIZE_STEP = 16  # hidden units: whole vectors of any CPU
DIGITS = 3  # of numbers that are tried: more change nothing and make commands hard to read


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; is_log: evenly by magnitude; step: from low on."""

    low: float
    high: float
    is_log: bool = False
    step: float | None = None

    def suggest(self, trial: Trial, name: str) -> Any:
        """The number that a trial is to take."""
        if _kind(name) == "int":
            low, high, step = int(self.low), int(self.high), int(self.step or 1)
            return trial.suggest_int(name, low, high, step=step, log=self.is_log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.is_log)

    def nearest(self, value: Any) -> Any:
        """The number of the range that is nearest to another."""
        inside = min(max(value, self.low), self.high)
        if self.step:
            inside = self.low + round((inside - self.low) / self.step) * self.step
        return type(value)(inside)


@dataclass(frozen=True)
class Choices:
    """Some values."""

    values: tuple[Any, ...]

    def suggest(self, trial: Trial, name: str) -> Any:
        """The value that a trial is to take."""
        return trial.suggest_categorical(name, self.values)

    def nearest(self, value: Any) -> Any:
        """The value itself, else the nearest number, else the first."""
        if value in self.values or isinstance(value, str | bool) or value is None:
            return value if value in self.values else self.values[0]
        return min(self.values, key=lambda each: abs(each - value))


Dimension = Range | Choices
Space = Mapping[str, Dimension]


def rounded(value: Any) -> Any:
    """A float to a few digits, 0.0123456 → 0.0123; anything else as it is."""
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value


def space_around(auto: Mapping[str, Any], fixed: Mapping[str, Any], asked: Space) -> Space:
    """What was asked for, and dimensions around auto's choice for what else makes a difference.

    auto: every setting by name. fixed: the settings that are to stay as they are.
    """
    size, rate = auto["hidden_size"], auto["learning_rate"]
    low = max(size // 2 // SIZE_STEP * SIZE_STEP, SIZE_STEP)
    around: dict[str, Dimension] = {
        "cell": _with("gru", "lstm", auto["cell"]),
        "hidden_size": Range(low, low + (2 * size - low) // SIZE_STEP * SIZE_STEP, step=SIZE_STEP),
        "num_layers": Range(1, auto["num_layers"] + 1),
        "seq_length": _with(32, 64, 128, auto["seq_length"]),
        "batch_size": _with(*(max(auto["batch_size"] * 2**k // 2, 1) for k in range(4))),
        "learning_rate": Range(rounded(rate / 4), rounded(rate * 4), is_log=True),
        "dropout": Range(0.0, max(0.5, auto["dropout"])),
    }
    if auto["optimizer"] == "adamw":  # to others' gradients the decay would be added
        around["weight_decay"] = _with(0.0, 0.03, 0.1, 0.3, auto["weight_decay"])
    kept = {name: each for name, each in around.items() if name not in fixed}
    return {**kept, **asked}


def _with(*values: Any) -> Choices:
    return Choices(tuple(sorted(set(values))))


def parse_range(text: str) -> tuple[str, tuple[Any, ...]]:
    """A range as it is typed: `learning_rate=0.001:0.03:log` or `hidden_size=64:256:32`."""
    name, value = _split(text, "range", "learning_rate=0.001:0.03:log")
    parts = value.split(":")
    if len(parts) not in {2, 3}:
        raise _unclear("range", text, "learning_rate=0.001:0.03:log")
    is_log = parts[2:] == ["log"]
    numbers = [_number(name, each) for each in parts[: 2 if is_log else 3]]
    return name, (*numbers, *(["log"] if is_log else []))


def make_range(name: str, parts: Sequence[Any]) -> Range:
    """A checked range of a setting, of (low, high), (low, high, "log") or (low, high, step)."""
    _require_tunable(name)
    if _kind(name) not in {"int", "float"}:
        raise SettingsError(f"range: {name} is no number; give --choices {name}=A,B")
    low, high = (_checked(name, each) for each in parts[:2])
    is_log, step = "log" in parts[2:], next((each for each in parts[2:] if each != "log"), None)
    if low >= high or (is_log and low <= 0) or (step is not None and step <= 0):
        wanted = "a low end above 0 that is less than the high one" if is_log else "low < high"
        raise SettingsError(f"range: {name} wants {wanted}, got {':'.join(map(str, parts))}")
    if step is not None:  # the last one that a step reaches
        step = _checked(name, step) if _kind(name) == "int" else float(step)
        high = low + int((high - low) / step + 1e-9) * step
    return Range(low, high, is_log, step)


def parse_choices(text: str) -> tuple[str, tuple[Any, ...]]:
    """Choices as they are typed: `hidden_size=128,192,256`."""
    name, value = _split(text, "choices", "hidden_size=128,192,256")
    return name, tuple(typed(name, each) for each in value.split(","))


def make_choices(name: str, values: Sequence[Any]) -> Choices:
    """Checked choices of a setting."""
    _require_tunable(name)
    return Choices(tuple(dict.fromkeys(_checked(name, each) for each in values)))


def parse_fix(text: str) -> tuple[str, Any]:
    """A fixed setting as it is typed: `cell=lstm`."""
    name, value = _split(text, "fix", "cell=lstm")
    require_known(name, FIELDS, "setting")
    return name, typed(name, value)


def typed(name: str, text: str) -> Any:
    """The value of a setting that was typed."""
    kind = _kind(name)
    if kind == "bool" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return _number(name, text) if kind in {"int", "float"} else text


def _number(name: str, text: str) -> Any:
    try:
        return int(text) if _kind(name) == "int" and text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise SettingsError(f"{name}: wants a number, got {text!r}") from None


def _split(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip().replace("-", "_")
    if not (equals and name and value):
        raise _unclear(option, text, example)
    require_known(name, FIELDS, "setting")
    return name, value.strip()


def _unclear(option: str, text: str, example: str) -> SettingsError:
    return SettingsError(f"{option}: wants such as {example}, got {text!r}")


def _require_tunable(name: str) -> None:
    require_known(name, FIELDS, "setting")
    if name in APART:
        raise SettingsError(
            f"{name}: is the same for all trials, else their losses could not be compared; "
            "leave it out of the ranges and choices"
        )


def _checked(name: str, value: Any) -> Any:
    """The value, if the setting may have it by itself."""
    if _kind(name) == "bool":  # tied wants more than itself: a trial will tell
        return value
    settings = Settings.make(None, **{name: value})
    return settings.flat()[name]


def _kind(name: str) -> str:
    return str(FIELDS[name].type).removesuffix(" | None")


def as_json(space: Space) -> dict[str, Any]:
    """A space as a JSON object keeps it."""
    made = {name: asdict(dimension) for name, dimension in space.items()}
    return {
        name: {"values": list(each["values"])} if "values" in each else each
        for name, each in made.items()
    }


def from_json(document: Mapping[str, Any]) -> Space:
    """The space that `as_json` made such an object of."""
    return {
        name: Choices(tuple(each["values"])) if "values" in each else Range(**each)
        for name, each in document.items()
    }
