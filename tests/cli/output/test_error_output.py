"""Errors on the command line: one line each, and the exit status."""

from __future__ import annotations

import pytest

from nextchar.cli.output.error_output import (
    message_of,
    print_error,
    report_rank_error,
    status_of,
)
from nextchar.errors import InterruptedRun, RunError, SettingsError, TextError


@pytest.mark.parametrize(
    ("error", "message", "status"),
    [
        (SettingsError("must be 1", setting="n", value=2), "n must be 1, got 2", 2),
        (TextError("is empty", path="a.txt"), "a.txt: is empty", 1),
        (RunError("cannot be used", remedy="leave it"), "cannot be used; leave it", 1),
        (
            FileNotFoundError(2, "No such file or directory", "x"),
            "x: cannot be used (No such file or directory)",
            1,
        ),
        (OSError(28, "No space left on device"), "output: cannot be used (No space left", 1),
        (MemoryError("8 GB"), "not enough memory (8 GB); use a smaller model, batch or text", 1),
        (
            ZeroDivisionError("no"),
            "internal error (ZeroDivisionError: no); please report it together with the "
            "traceback from --debug",
            1,
        ),
        (InterruptedRun("stopped", signal=15), "stopped", 143),
        (InterruptedRun("stopped", signal=15, is_expected=True), "stopped", 0),
    ],
)
def test_an_error_has_a_message_and_a_status(error: Exception, message: str, status: int) -> None:
    assert message_of(error).startswith(message)
    assert status_of(error) == status


def test_control_characters_are_escaped(capfd: pytest.CaptureFixture[str]) -> None:
    print_error("a\nb\x1b[2J")
    assert capfd.readouterr() == ("", "nextchar: a\\nb\\x1b[2J\n")


def test_the_error_of_a_rank_names_it(capfd: pytest.CaptureFixture[str]) -> None:
    assert report_rank_error("rank 1 on a", SettingsError("must be 1", setting="n")) == 2
    assert report_rank_error("rank 1 on a", KeyboardInterrupt()) == 1
    assert capfd.readouterr().err == (
        "nextchar: rank 1 on a: n must be 1\nnextchar: rank 1 on a: interrupted\n"
    )
