"""Who holds a run directory: told to who finds it taken, and of no account once dead."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nextchar.errors import RunError
from nextchar.training.saving.owner import OWNER, forget_owner, note_owner, owner_of
from nextchar.training.saving.run_directory import RunDirectory

HOLD = (
    "import sys, time; from pathlib import Path\n"
    "from nextchar.training.saving.run_directory import RunDirectory\n"
    "held = RunDirectory(Path(sys.argv[1])); print('held', flush=True); time.sleep(600)"
)


def test_the_owner_is_told_with_process_host_and_time(tmp_path: Path) -> None:
    note_owner(tmp_path)
    assert re.fullmatch(
        rf" \(process {os.getpid()} on {re.escape(platform.node())}, "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d[+-]\d\d:\d\d\)",
        owner_of(tmp_path),
    )
    forget_owner(tmp_path)
    assert owner_of(tmp_path) == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"process": 1}', "\xff"])
def test_a_note_that_cannot_be_read_tells_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / OWNER).write_bytes(content.encode("latin-1"))
    assert owner_of(tmp_path) == ""


def test_the_second_is_told_who_the_first_is_until_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(RunError) as caught:
            RunDirectory(tmp_path / "run")
        assert f"process {holder.pid} on {platform.node()}, since" in str(caught.value)
        holder.kill()
    assert json.loads((tmp_path / "run" / OWNER).read_text())["process"] == holder.pid
    with RunDirectory(tmp_path / "run"):  # the dead one's note and lock do not block
        assert f"process {os.getpid()} " in owner_of(tmp_path / "run")
    assert owner_of(tmp_path / "run") == ""
