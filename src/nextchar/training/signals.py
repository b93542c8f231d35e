"""Signals that stop a run: the current step is finished and a checkpoint written.

Ctrl-C, SIGTERM, which batch systems send some time before they kill a job, and SIGHUP, which a
terminal sends when it is closed.
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
    """Context in which a signal only makes the yielded function return True.

    also: handle SIGUSR1 too, which launchers of many processes pass on to all of them.
    A second Ctrl-C raises KeyboardInterrupt; the others are often sent twice, with one meaning.
    An InterruptedRun that leaves the context has the number of the first signal. Outside the main
    thread, where Python does not allow signal handlers, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if received and number == signal.SIGINT:
            raise KeyboardInterrupt
        received.append(number)

    before = {number: signal.signal(number, handle) for number in _handled(also=also)}
    try:
        yield lambda: bool(received)
    except InterruptedRun as error:
        if not received:
            raise
        problem, path, remedy = error.problem, error.path, error.remedy
        raise InterruptedRun(problem, path=path, remedy=remedy, signal=received[0]) from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _handled(*, also: bool) -> list[int]:
    """Return the signals that stop a run: not SIGHUP if `nohup` had it ignored."""
    names = (*_SIGNALS, *(["SIGUSR1"] if also else []))
    numbers = [number for name in names if (number := getattr(signal, name, None))]
    hangup = getattr(signal, "SIGHUP", None)
    return [n for n in numbers if n != hangup or signal.getsignal(n) != signal.SIG_IGN]


def interrupted(step: int, directory: Path | None, launcher: str = "") -> InterruptedRun:
    """Return the error that ends an interrupted run, with the command that resumes it.

    launcher: the command that started the ranks of the run (`mpiexec -n 4 `).
    """
    if directory is None:
        return InterruptedRun(f"interrupted at step {step}")
    resume = f"{launcher}nextchar train --out {shlex.quote(str(directory))} --resume"
    problem = f"interrupted at step {step}, nothing is lost"
    return InterruptedRun(problem, remedy=f"continue with: {resume}")
