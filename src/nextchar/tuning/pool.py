"""The workers of a sweep on this machine: begun, watched, replaced where one died, and stopped."""

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
MOST_DEATHS = 5  # of workers one after the other, no trial having ended in between
STOP_SECONDS = 60.0  # that a worker may take to end its step and write a checkpoint


@dataclass
class _Process:
    process: subprocess.Popen[bytes]
    log: Path

    def tell_to_stop(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()


class Pool:
    """So many workers; a context manager that leaves none behind.

    make_job: the job of a worker of a name.
    """

    def __init__(self, workers: int, make_job: Callable[[str], WorkerJob], logs: Path) -> None:
        self._make_job, self._logs = make_job, logs
        self._numbers = itertools.count(1)
        self._running: list[_Process] = []
        self._deaths = 0
        logs.mkdir(parents=True, exist_ok=True)
        for _ in range(workers):
            self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for each in self._running:
            each.process.kill()
            each.process.wait()
            each.tell_to_stop()

    def _begin(self) -> None:
        name = f"{next(self._numbers)}-{uuid.uuid4().hex[:8]}"
        log = self._logs / f"{name}.log"
        with log.open("wb") as said:
            process = subprocess.Popen(
                COMMAND, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, bufsize=0
            )
        self._running.append(_Process(process, log))
        assert process.stdin is not None
        try:
            process.stdin.write(self._make_job(name).as_line().encode())
            process.stdin.flush()
        except OSError:  # it is dead already: `deaths` will see it
            pass

    @property
    def size(self) -> int:
        """How many are running."""
        return len(self._running)

    def deaths(self) -> list[str]:
        """What there is to say of workers that died since; others take their places.

        Raises RunError where one could not go on, in its own words, or too many died.
        """
        told = []
        for each in [each for each in self._running if each.process.poll() is not None]:
            self._running.remove(each)
            each.tell_to_stop()  # its end of the pipe is closed, ours is not
            status = each.process.returncode
            said = _last_line(each.log)
            each.log.unlink(missing_ok=True)
            if status == 0:
                continue
            if status in {1, 2}:
                raise RunError(said or f"a worker ended with status {status}")
            self._deaths += 1
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            if self._deaths >= MOST_DEATHS:
                raise RunError(
                    f"{self._deaths} workers died one after the other, the last {how}: is there "
                    "memory enough for so many? Lower --workers or the sizes"
                )
            told.append(f"a worker {how}; its trial is tried again")
            self._begin()
        return told

    def forgive(self) -> None:
        """Forget deaths: a trial came to its end."""
        self._deaths = 0

    def stop(self) -> None:
        """Have all end the step in hand, and wait for them."""
        for each in self._running:
            each.tell_to_stop()
        for each in self._running:
            try:
                each.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                each.process.kill()
                each.process.wait()
            each.log.unlink(missing_ok=True)
        self._running.clear()


def _last_line(log: Path) -> str:
    """The last line that a worker said, without the program's name."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("nextchar: ") if lines else ""
