"""Ctrl-C as a request: the step in hand is finished and a checkpoint written."""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from nextchar.errors import InterruptedRun


@contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Within this context SIGINT only makes the yielded function answer True; a second one raises.

    Outside the main thread, where Python does not let signals be handled, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def interrupted(step: int, directory: Path | None) -> InterruptedRun:
    """The error that ends an interrupted run: where it stands, and how to go on."""
    told = f"interrupted at step {step}"
    if directory is None:
        return InterruptedRun(told)
    again = f"nextchar train --out {shlex.quote(str(directory))} --resume"
    return InterruptedRun(f"{told}, nothing is lost; go on with: {again}")
