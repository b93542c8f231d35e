"""The tree of errors. Every error that a user can meet is one of these, with a one-line message.

NextcharError
├── SettingsError     a setting has a wrong name, type or value          (exit status 2)
├── TextError         a text cannot be found, read, decoded or trained on
│   └── UnknownCharacterError   a character outside the vocabulary
├── ModelFileError    a model file or checkpoint is missing, damaged or of another program
├── RunError          a run directory cannot be used
├── MissingExtraError an optional package is not installed
├── NotFittedError    a CharRNN was used before it was fitted or loaded
├── DivergedError     the loss or the gradient became NaN or infinite
└── InterruptedRun    a run was stopped by a signal, after its checkpoint was written

The message is for people; `setting`, `path`, `value` and `remedy` are for code. The message is
built from them here and nowhere else, and no code takes a message apart again.
"""

from __future__ import annotations

import re
import reprlib
from pathlib import Path
from typing import Any, Self, TypeVar

_SHORT = reprlib.Repr()  # a value may be as long as a text
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxtuple = 8


class _NoValue:
    """The type of `NO_VALUE`, which no caller can pass by accident."""

    def __repr__(self) -> str:
        return "NO_VALUE"

    def __reduce__(self) -> str:
        return "NO_VALUE"  # a pickled copy is the same object


NO_VALUE = _NoValue()


class NextcharError(Exception):
    """Root of the errors of nextchar.

    problem: the message without subject, value and remedy; with a setting it is a predicate of it
    (`must be above 0`), otherwise a sentence.
    setting: name of the setting, option or field at fault, in snake_case as in `config.toml`.
    path: the file or folder at fault, or a place in one (`prompts.txt: line 2`).
    value: the offending value; NO_VALUE where there is none.
    remedy: an instruction to the user, such as `lower --learning-rate`.
    is_reported_elsewhere: another process of the same launch prints the error.

    The message reads `PATH: SETTING PROBLEM, got VALUE; REMEDY`, without the parts that are None.

    >>> str(SettingsError("must be above 0", setting="learning_rate", value=-1.0))
    'learning_rate must be above 0, got -1.0'
    """

    is_reported_elsewhere = False

    def __init__(
        self,
        problem: str,
        *,
        setting: str | None = None,
        path: str | Path | None = None,
        value: Any = NO_VALUE,
        remedy: str | None = None,
    ) -> None:
        self.problem = problem
        self.setting = setting
        self.path = None if path is None else str(path)
        self.value = value
        self.remedy = remedy
        place = "" if path is None else f"{path}: "
        is_plain = setting is None or (setting and setting.isprintable())  # not "" or a line break
        subject = "" if setting is None else f"{setting if is_plain else repr(setting)} "
        got = "" if value is NO_VALUE else f", got {_SHORT.repr(value)}"
        super().__init__(f"{place}{subject}{problem}{got}{f'; {remedy}' if remedy else ''}")

    def renamed(self, setting: str | None, remedy: str | None = None) -> Self:
        """Return the same error under a caller's own name for the setting, and its own remedy."""
        return self._with(setting=setting, remedy=remedy or self.remedy)

    def located(self, path: str | Path) -> Self:
        """Return the same error with the file, or the place in it, where it was met."""
        return self._with(path=path)

    def _with(self, **details: Any) -> Self:
        return _rebuilt(type(self), self._attributes() | details)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self._attributes())

    def _attributes(self) -> dict[str, Any]:
        """All attributes; ImportError keeps its `path` outside of `vars`."""
        return {name: getattr(self, name) for name in _DETAILS} | vars(self)


_DETAILS = ("problem", "setting", "path", "value", "remedy")
AnyError = TypeVar("AnyError", bound=NextcharError)


def _rebuilt(kind: type[AnyError], attributes: dict[str, Any]) -> AnyError:
    """An error from its attributes, past the constructor of its class, which takes others."""
    error = kind.__new__(kind)
    NextcharError.__init__(error, **{name: attributes.pop(name) for name in _DETAILS})
    vars(error).update(attributes)
    return error


class SettingsError(NextcharError, ValueError):
    """A setting has a wrong name, type or value."""


class TextError(NextcharError, ValueError):
    """A text cannot be found, read, decoded or trained on."""


class UnknownCharacterError(TextError):
    """A text contains a character that is not in the vocabulary.

    character: the offending character (a one-character str; for bytes an int).
    position: its index in the given text.
    """

    def __init__(self, problem: str, character: str | int, position: int, **details: Any) -> None:
        super().__init__(problem, **details)
        self.character = character
        self.position = position


class ModelFileError(NextcharError):
    """A model file or a checkpoint is missing, damaged or of another program."""


class RunError(NextcharError):
    """A run directory cannot be used."""


class MissingExtraError(NextcharError, ImportError):
    """A feature needs an optional package that is not installed.

    feature: the feature, such as `the server`. package: the missing package.
    extra: the extra of nextchar that lists it; the remedy names all packages of the extra.
    """

    def __init__(self, feature: str, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        names = " ".join(f'"{each}"' for each in requirements_of(extra)) or package
        remedy = f"install it with: pip install {names}"
        super().__init__(f"{feature} needs {package}", remedy=remedy)


class NotFittedError(NextcharError, AttributeError, ValueError):
    """A model was used before it was fitted or loaded."""


class DivergedError(NextcharError, ArithmeticError):
    """The loss or the gradient became NaN or infinite.

    step: the training step at which it was detected.
    """

    def __init__(self, problem: str, step: int, **details: Any) -> None:
        super().__init__(problem, **details)
        self.step = step


class InterruptedRun(NextcharError):  # noqa: N818 - being stopped is not an error
    """A run was stopped by a signal, after writing its checkpoint.

    signal: number of the signal. is_expected: a batch system sent it at the end of the job's time,
    which is not a failure of the job.
    """

    def __init__(
        self, problem: str, *, signal: int = 2, is_expected: bool = False, **details: Any
    ) -> None:
        super().__init__(problem, **details)
        self.signal = signal  # 2 is SIGINT, Ctrl-C
        self.is_expected = is_expected


def requirements_of(extra: str) -> list[str]:
    """Requirements of an extra in the installed metadata: `serve` → `["starlette>=1.0", …]`.

    Empty if nextchar is imported without being installed.
    """
    from importlib import metadata  # takes 15 ms, only for this error

    try:
        listed = metadata.requires("nextchar") or []
    except metadata.PackageNotFoundError:
        return []
    chosen = (re.fullmatch(rf"([^;]+);.*extra == ['\"]{extra}['\"].*", each) for each in listed)
    return [match[1].strip() for match in chosen if match]


def in_one_line(error: Exception) -> str:
    """The message of another library's error, without the line ends that it may quote."""
    return " ".join(str(error).split())[:500]
