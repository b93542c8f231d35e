"""Runs as processes of their own: begun, waited for, killed, and what they leave on disk."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.numpy

from nextchar.model import container
from nextchar.model.file import BEST, LAST, load_model
from nextchar.runs.run_files import CHECKPOINT, CONFIG, METRICS, read_config, read_metrics

# every step ends with an evaluation, so that kills fall into the writing of files
SETTINGS = [
    "--preset", "medium",  # whatever the number of steps
    "--hidden-size", "12", "--num-layers", "1", "--batch-size", "8", "--seq-length", "8",
    "--steps", "60", "--eval-every", "1", "--dropout", "0.2", "--threads", "2", "--seed", "3",
]  # fmt: skip
# how many steps there are does not matter: for runs that are stopped and made longer
STEADY = [*SETTINGS, "--schedule", "constant", "--warmup", "0"]


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
    if (run / CHECKPOINT).exists():
        container.read(run / CHECKPOINT, "checkpoint")


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


def kill_again_and_again(
    folder: Path, text: str, settings: list[str], kills: int, moments: random.Random
) -> None:
    """Kill a run in `folder / "run"` so often, each time at a moment by chance; then end it.

    The run is to be long enough to be still under way at every one of them.
    """
    run, hits = folder / "run", 0
    for attempt in range(kills):
        process = begin(folder, text, "--out", "run", *settings, *resume_option(run))
        if attempt == 0:  # while Python still starts
            time.sleep(0.05)
        elif attempt == 1:  # as soon as there is anything to be spoilt
            wait_until(process, (run / CONFIG).exists)
        else:  # after an evaluation more, somewhere within a step or the writing of a file
            wait_until(process, changed(run / METRICS))
            time.sleep(moments.uniform(0, 0.03))
        process.kill()
        process.communicate()
        hits += process.returncode != 0
        assert_opens(run)
    assert hits > kills // 2, "the run is too short: it was over before most of the kills"
    finish(begin(folder, text, "--out", "run", *settings, *resume_option(run)))
    assert not list(run.glob(".*.tmp"))
