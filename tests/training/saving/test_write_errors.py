"""Errors of writing a run's files: cause, remedy, command to resume."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nextchar.errors import DivergedError, ModelFileError, RunError
from nextchar.runs.run_files import CHECKPOINT
from nextchar.training.saving.write_errors import explain_write_errors, remedy_for


def explained(folder: Path, number: int, kind: type[Exception] = ModelFileError) -> str:
    """Message for a system error in a run directory."""
    reason = OSError(number, os.strerror(number))
    with pytest.raises(RunError) as caught, explain_write_errors(folder):
        raise kind(f"x: cannot be written ({reason.strerror})") from reason
    assert caught.value.__cause__ is reason
    return str(caught.value)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "free some disk space"),
        (errno.EDQUOT, "free some of your disk quota"),
        (errno.EFBIG, "ulimit -f"),
        (errno.EROFS, "make it writable"),
        (errno.EACCES, "make it writable"),
        (errno.EIO, "fix that"),
    ],
)
def test_each_reason_has_its_remedy(tmp_path: Path, number: int, words: str) -> None:
    assert words in remedy_for(OSError(number, ""))
    assert words in explained(tmp_path, number)


def test_with_a_checkpoint_it_says_how_to_continue(tmp_path: Path) -> None:
    (tmp_path / "my run").mkdir()
    (tmp_path / "my run" / CHECKPOINT).touch()
    for kind in (ModelFileError, RunError):
        message = explained(tmp_path / "my run", errno.ENOSPC, kind)
        assert message.startswith("x: cannot be written (No space left on device); the last")
        assert message.endswith(f"continue with: nextchar train --out '{tmp_path}/my run' --resume")


def test_without_one_there_is_nothing_to_continue(tmp_path: Path) -> None:
    assert explained(tmp_path, errno.ENOSPC).endswith("; free some disk space and start again")


def test_a_directory_that_is_gone_is_named_as_such(tmp_path: Path) -> None:
    assert explained(tmp_path / "gone", errno.ENOENT).startswith(
        f"{tmp_path / 'gone'}: the run directory was deleted or moved during training"
    )


@pytest.mark.parametrize("error", [DivergedError("it diverged", 3), RunError("another reason")])
def test_other_errors_pass_as_they_are(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, explain_write_errors(tmp_path):
        raise error
    assert caught.value is error
