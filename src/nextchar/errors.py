"""The ways to fail. Every error a user can meet is one of these, with a one-line message.

NextcharError
├── SettingsError     a setting has a wrong name, type or value          (exit status 2)
├── TextError         a corpus cannot be found, read or decoded
│   └── UnknownCharacterError   a character outside the vocabulary
├── ModelFileError    a model file or checkpoint is missing, damaged or foreign
├── RunError          a run directory cannot be used as asked
├── MissingExtraError an extra is not installed, which says what to install
├── NotFittedError    a CharRNN was asked to predict before it was fitted or loaded
├── DivergedError     the loss or the gradient became NaN or infinite
└── InterruptedRun    the run was stopped from outside, after its checkpoint was written
"""


class NextcharError(Exception):
    """The root of all errors of nextchar.

    is_told_elsewhere: whether another process that trains along says it.
    """

    is_told_elsewhere = False


class SettingsError(NextcharError, ValueError):
    """A setting has a wrong name, type or value."""


class TextError(NextcharError, ValueError):
    """A corpus cannot be found, read, decoded or trained on."""


class UnknownCharacterError(TextError):
    """A text holds a character that is not in the vocabulary.

    character: the offending character (a one-character str; for bytes an int).
    position: its index in the text that was given.
    """

    def __init__(self, message: str, character: str | int, position: int) -> None:
        super().__init__(message)
        self.character = character
        self.position = position


class ModelFileError(NextcharError):
    """A model file or a checkpoint is missing, damaged or not one of ours."""


class RunError(NextcharError):
    """A run directory cannot be used as asked."""


class MissingExtraError(NextcharError, ImportError):
    """Something was asked for that needs a package which only some users want.

    what: was asked for; package: is missing; extra: of `pip install "nextchar[EXTRA]"`.
    """

    def __init__(self, what: str, package: str, extra: str) -> None:
        install = f'install it with: pip install "nextchar[{extra}]"'
        super().__init__(f"{what}: needs {package}; {install}")


class NotFittedError(NextcharError, AttributeError, ValueError):
    """A model was asked to predict before it was fitted or loaded."""


class DivergedError(NextcharError, ArithmeticError):
    """The loss or the gradient became NaN or infinite.

    step: the training step at which it was noticed.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class InterruptedRun(NextcharError):  # noqa: N818 - it is no error of anyone's
    """The run was asked to stop and did so, its checkpoint written.

    signal: the number of the signal that asked for it. is_expected: as by a batch system that ends
    the job of many ranks at its limit, which is no failure of the job.
    """

    signal = 2  # SIGINT, Ctrl-C
    is_expected = False


def in_one_line(error: Exception) -> str:
    """What an error of a library says, without line ends: it may quote what a file holds."""
    return " ".join(str(error).split())[:500]
