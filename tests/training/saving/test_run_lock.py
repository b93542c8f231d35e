"""The lock of a run directory: one holder, and the record of its owner."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import pytest

from nextchar.errors import RunError
from nextchar.runs.run_files import OWNER
from nextchar.training.saving.run_lock import RunLock, owner_of, remove_owner, write_owner


def test_a_lock_is_held_by_one_and_free_after_its_release(tmp_path: Path) -> None:
    lock = RunLock(tmp_path)
    with pytest.raises(
        RunError, match=f"another nextchar is training there .process {os.getpid()} "
    ):
        RunLock(tmp_path)
    lock.release()
    assert owner_of(tmp_path) == ""
    RunLock(tmp_path).release()


def test_the_owner_is_reported_with_process_host_and_time(tmp_path: Path) -> None:
    write_owner(tmp_path)
    assert re.fullmatch(
        rf" \(process {os.getpid()} on {re.escape(platform.node())}, "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\)",
        owner_of(tmp_path),
    )
    remove_owner(tmp_path)
    assert owner_of(tmp_path) == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"process": 1}', "\xff"])
def test_a_record_that_cannot_be_read_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / OWNER).write_bytes(content.encode("latin-1"))
    assert owner_of(tmp_path) == ""
