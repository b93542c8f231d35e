"""Worker processes of a sweep on this machine: started, watched, replaced if they die, stopped."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from nextchar.errors import RunError
from nextchar.tuning.worker import WorkerJob

COMMAND = (sys.executable, "-m", "nextchar", "tune", "--worker")
MAX_DEATHS = 5  # of workers, without a finished trial in between
STOP_SECONDS = 60.0  # that a worker may take to finish its step and write a checkpoint


@dataclass
class _WorkerProcess:
    process: subprocess.Popen[bytes]
    log: Path

    def request_stop(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()


class WorkerPool:
    """A number of workers; a context manager that kills those still running at its end.

    make_job: makes the job of a worker with a name. logs: folder of their standard error.
    """

    def __init__(self, workers: int, make_job: Callable[[str], WorkerJob], logs: Path) -> None:
        self._make_job, self._logs = make_job, logs
        self._numbers = itertools.count(1)
        self._running: list[_WorkerProcess] = []
        self._deaths = 0
        logs.mkdir(parents=True, exist_ok=True)
        for _ in range(workers):
            self._start_worker()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._running:
            each.process.kill()
            each.process.wait()
            each.request_stop()

    def _start_worker(self) -> None:
        name = f"{next(self._numbers)}-{uuid.uuid4().hex[:8]}"
        log = self._logs / f"{name}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr, bufsize=0
            )
        self._running.append(_WorkerProcess(process, log))
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it died already: `replace_dead` detects that
            process.stdin.write(self._make_job(name).as_line().encode())
            process.stdin.flush()

    @property
    def size(self) -> int:
        """Number of running workers."""
        return len(self._running)

    def replace_dead(self) -> list[str]:
        """Replace workers that died, and return a message for each.

        Raises RunError with the message of a worker that ended with an error, or if too many died.
        """
        messages = []
        for each in [each for each in self._running if each.process.poll() is not None]:
            self._running.remove(each)
            each.request_stop()  # closes this end of the pipe
            status = each.process.returncode
            message = _last_line(each.log)
            each.log.unlink(missing_ok=True)
            if status == 0:
                continue
            if status in {1, 2}:
                raise RunError(message or f"a worker ended with status {status}")
            self._deaths += 1
            reason = (
                f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            )
            if self._deaths >= MAX_DEATHS:
                raise RunError(
                    f"{self._deaths} workers died in a row, the last {reason}; the memory may not "
                    "be enough for all",
                    remedy="lower --workers or the sizes",
                )
            messages.append(f"a worker {reason}; its trial is run again")
            self._start_worker()
        return messages

    def reset_deaths(self) -> None:
        """Count deaths from zero, since a trial has finished."""
        self._deaths = 0

    def stop(self) -> None:
        """Have all workers finish their current step, and wait for them."""
        for each in self._running:
            each.request_stop()
        for each in self._running:
            try:
                each.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()
            each.log.unlink(missing_ok=True)
        self._running.clear()


def _last_line(log: Path) -> str:
    """Return the last line of a worker's log, without the program's name."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("nextchar: ") if lines else ""
