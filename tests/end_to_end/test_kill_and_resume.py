"""Runs that are killed or interrupted in earnest and gone on with, until they are done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy

from nextchar.model.file import BEST, LAST, load_model
from nextchar.training.directory import CHECKPOINT, CONFIG, METRICS, read_config, read_metrics

# every step ends with an evaluation, so that kills fall into the writing of files
SETTINGS = [
    "--hidden-size", "12", "--num-layers", "1", "--batch-size", "8", "--seq-length", "8",
    "--steps", "60", "--eval-every", "1", "--dropout", "0.2", "--threads", "2", "--seed", "3",
]  # fmt: skip
KILLS = 8


def begin(folder: Path, *args: str) -> subprocess.Popen[str]:
    """Start `nextchar train`; it is not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "nextchar", "train", *args],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1"},
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for it to end well; what it said."""
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


def wait_until(process: subprocess.Popen[str], happened: Callable[[], bool]) -> None:
    """Wait for something to happen, or for the process to end before it does."""
    while process.poll() is None and not happened():
        time.sleep(0.002)


def bits(path: Path) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in safetensors.numpy.load_file(path).items()}


def metrics(run: Path) -> list[dict[str, Any]]:
    clock = {"seconds", "chars_per_second"}
    return [{k: v for k, v in record.items() if k not in clock} for record in read_metrics(run)]


def assert_same_run(one: Path, other: Path) -> None:
    assert bits(one / LAST) == bits(other / LAST)
    assert bits(one / BEST) == bits(other / BEST)
    assert bits(one / CHECKPOINT) == bits(other / CHECKPOINT)
    assert metrics(one) == metrics(other)


def assert_opens(run: Path) -> None:
    """Whatever a kill left is whole, or was not begun."""
    if (run / CONFIG).exists():
        read_config(run)
    read_metrics(run)
    for name in (BEST, LAST):
        if (run / name).exists():
            load_model(run / name)


def resume_option(run: Path) -> list[str]:
    return ["--resume"] if (run / CONFIG).exists() else []


def changed(path: Path) -> Callable[[], bool]:
    """Whether a file was replaced since now."""

    def identity() -> tuple[int, int] | None:
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns

    before = identity()
    return lambda: identity() != before


@pytest.mark.slow
def test_resume_after_kill_gives_the_same_bits(tmp_path: Path, prose: Path) -> None:
    """Each kill comes at a moment by chance; what comes out must not depend on which it is."""
    moments = random.Random(1)
    run = tmp_path / "run"
    for attempt in range(KILLS):
        process = begin(tmp_path, prose.name, "--out", "run", *SETTINGS, *resume_option(run))
        if attempt == 0:  # while Python still starts
            time.sleep(0.05)
        elif attempt == 1:  # as soon as there is anything to be spoilt
            wait_until(process, (run / CONFIG).exists)
        else:  # after an evaluation more, somewhere within a step or the writing of a file
            wait_until(process, changed(run / METRICS))
            time.sleep(moments.uniform(0, 0.05))
        process.kill()
        process.communicate()
        assert_opens(run)
    finish(begin(tmp_path, prose.name, "--out", "run", *SETTINGS, *resume_option(run)))
    finish(begin(tmp_path, prose.name, "--out", "whole", *SETTINGS))
    assert_same_run(tmp_path / "whole", run)
    assert not list(run.glob(".*.tmp"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process only")
def test_ctrl_c_writes_a_checkpoint_and_resume_gives_the_same_bits(
    tmp_path: Path, prose: Path
) -> None:
    """The run is too long to end before the signal comes; then it is made as short as need be."""
    run = tmp_path / "run"
    steady = [*SETTINGS, "--schedule", "constant", "--warmup", "0"]
    process = begin(tmp_path, prose.name, "--out", "run", *steady, "--steps", "1000000")
    wait_until(process, (run / METRICS).exists)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=240)
    assert process.returncode == 130, said
    last = said.splitlines()[-1]
    step = int(last.split("interrupted at step ")[1].split(",")[0])
    assert last == (
        f"nextchar: interrupted at step {step}, nothing is lost; "
        "go on with: nextchar train --out run --resume"
    )
    assert read_metrics(run)[-1]["step"] == step
    steps = ["--steps", str(step + 20)]
    finish(begin(tmp_path, "--out", "run", "--resume", *steps))
    finish(begin(tmp_path, prose.name, "--out", "whole", *steady, *steps))
    assert_same_run(tmp_path / "whole", run)
