"""Ctrl-C as a request: the step in hand is finished and a checkpoint written.

So are SIGTERM, which batch systems send some time before they kill, and SIGHUP, which comes when
a terminal is closed.
"""

from __future__ import annotations

import shlex
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from nextchar.errors import InterruptedRun

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@contextmanager
def stop_on_interrupt(*, also: bool = False) -> Iterator[Callable[[], bool]]:
    """Within this context a signal only makes the yielded function answer True.

    also: whether SIGUSR1 is one, which launchers of many processes pass on to all.
    A second Ctrl-C raises KeyboardInterrupt; the others are often sent twice, and mean the same.
    The InterruptedRun that follows is told which signal it was. Outside the main thread, where
    Python does not let signals be handled, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    asked: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, handle) for number in _requests(also=also)}
    try:
        yield lambda: bool(asked)
    except InterruptedRun as stopped:
        stopped.signal = asked[0] if asked else stopped.signal
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _requests(*, also: bool) -> list[int]:
    """The signals that ask a run to stop: not SIGHUP where `nohup` had it ignored."""
    names = (*_SIGNALS, *(["SIGUSR1"] if also else []))
    there = [number for name in names if (number := getattr(signal, name, None))]
    hangup = getattr(signal, "SIGHUP", None)
    return [n for n in there if n != hangup or signal.getsignal(n) != signal.SIG_IGN]


def interrupted(step: int, directory: Path | None, launcher: str = "") -> InterruptedRun:
    """The error that ends an interrupted run: where it stands, and how to go on.

    launcher: what started the ranks of the run (`mpiexec -n 4 `).
    """
    told = f"interrupted at step {step}"
    if directory is None:
        return InterruptedRun(told)
    again = f"{launcher}nextchar train --out {shlex.quote(str(directory))} --resume"
    return InterruptedRun(f"{told}, nothing is lost; go on with: {again}")
