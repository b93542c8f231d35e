"""Errors on the command line: one line on standard error, and the exit status."""

from __future__ import annotations

import contextlib
import re

import click

from nextchar.errors import InterruptedRun, NextcharError, SettingsError

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def message_of(error: BaseException) -> str:
    """The message of an error, in one line."""
    if isinstance(error, NextcharError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}); use a smaller model, batch or text"
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else "output: "
        return f"{where}cannot be used ({error.strerror or error})"
    return (
        f"internal error ({type(error).__name__}: {error}); please report it together with the "
        "traceback from --debug"
    )


def status_of(error: BaseException) -> int:
    """The exit status of an error."""
    if isinstance(error, InterruptedRun):
        return 0 if error.is_expected else 128 + error.signal
    return 2 if isinstance(error, SettingsError) else 1


def print_error(message: str) -> None:
    """Print a message on standard error, in one line."""
    with contextlib.suppress(OSError):
        click.echo(f"nextchar: {_CONTROLS.sub(_escaped, message)}", err=True)


def _escaped(match: re.Match[str]) -> str:
    """A control character, of a file name for example, as an escape of Python."""
    return match[0].encode("unicode_escape").decode()


def report_rank_error(name: str, error: BaseException) -> int:
    """Print the error that ends a rank, and with it the job; return the exit status.

    name: of the rank.
    """
    message = message_of(error) if isinstance(error, Exception) else "interrupted"
    print_error(f"{name}: {message}")
    return status_of(error)
