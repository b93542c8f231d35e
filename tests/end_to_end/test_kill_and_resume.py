"""Runs that are killed or interrupted in earnest and gone on with, until they are done.

`make torture` kills two hundred times (tests/torture/test_kills.py).
"""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import pytest

from end_to_end.processes import (
    SETTINGS,
    STEADY,
    assert_same_run,
    begin,
    finish,
    kill_again_and_again,
    wait_until,
)
from nextchar.runs.run_files import METRICS, read_metrics

KILLS = 15


@pytest.mark.slow
def test_resume_after_kill_gives_the_same_bits(tmp_path: Path, prose: Path) -> None:
    """Each kill comes at a moment by chance; what comes out must not depend on which it is."""
    settings = [*SETTINGS, "--steps", "120"]
    kill_again_and_again(tmp_path, prose.name, settings, KILLS, random.Random(1))
    finish(begin(tmp_path, prose.name, "--out", "whole", *settings))
    assert_same_run(tmp_path / "whole", tmp_path / "run")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process only")
def test_ctrl_c_writes_a_checkpoint_and_resume_gives_the_same_bits(
    tmp_path: Path, prose: Path
) -> None:
    """The run is too long to end before the signal comes; then it is made as short as need be."""
    run = tmp_path / "run"
    process = begin(tmp_path, prose.name, "--out", "run", *STEADY, "--steps", "1000000")
    wait_until(process, (run / METRICS).exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    last = said.splitlines()[-1]
    step = int(last.split("interrupted at step ")[1].split(",")[0])
    assert last == (
        f"nextchar: interrupted at step {step}, nothing is lost; "
        "continue with: nextchar train --out run --resume"
    )
    assert read_metrics(run)[-1]["step"] == step
    steps = ["--steps", str(step + 20)]
    finish(begin(tmp_path, "--out", "run", "--resume", *steps))
    finish(begin(tmp_path, prose.name, "--out", "whole", *STEADY, *steps))
    assert_same_run(tmp_path / "whole", run)
