"""A contender in a separate process, which is kept alive and runs for some seconds in turn.

One process works while the others wait for a line, so that thread pools do not compete. Lines are
JSON objects:

    → argv: the contender's name and the row      ← {"check": …, "parameters": …, "note": …}
    → {"seconds": 2.0}                            ← {"characters": …, "seconds": …, "peak": …}
    → end of input                                either may be {"failed": "one line"} instead
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, TextIO

from benchmarks.environment import ROOT, clean
from benchmarks.job import UnavailableError, timed
from benchmarks.memory import peak_bytes
from benchmarks.rows import CONTENDERS, Row

REST_SECONDS = 0.25  # until the threads of the previous contender sleep


class Running:
    """Handle of a contender's process in the process that conducts the run."""

    def __init__(self, name: str, row: Row, *, limit: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, name, json.dumps(dataclasses.asdict(row))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            cwd=ROOT,
            env=clean(),
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.name = name
        try:
            self.ready = self._answer(limit)
        except UnavailableError:
            self.close()
            raise

    def run(self, seconds: float, limit: float) -> dict[str, Any]:
        """Run one turn."""
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise UnavailableError("its process ended") from None
        return self._answer(limit)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe
            with suppress(OSError):  # a line for a process that ended may be buffered
                pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _answer(self, limit: float) -> dict[str, Any]:
        try:
            line = self._lines.get(timeout=limit)
        except queue.Empty:
            raise UnavailableError(f"no answer within {limit:.0f} s") from None
        if not line:
            raise UnavailableError(f"its process ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise UnavailableError(answer["failed"])
        return answer


def main(name: str, row: str) -> None:
    """Entry point of the process."""
    answers = _own_stdout()
    try:
        contender = CONTENDERS[name]
        side = importlib.import_module(f"benchmarks.{contender.module}")
        job = side.prepare(Row(**json.loads(row)), contender.variant)
        job.step()
        ready = {"check": job.check, "parameters": job.parameters, "note": job.note}
        print(json.dumps(ready), file=answers, flush=True)
        for line in sys.stdin:
            job.step()  # brings its data back into the CPU caches
            characters, seconds = timed(job.step, json.loads(line)["seconds"])
            turn = {"characters": characters, "seconds": seconds, "peak": peak_bytes()}
            print(json.dumps(turn), file=answers, flush=True)
    except Exception as error:  # of any kind; the run continues without this contender
        print(json.dumps({"failed": reason(error)}), file=answers, flush=True)


def reason(error: Exception) -> str:
    """Return the reason why a contender cannot take part, in one line."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{error.name.split('.')[0]} is not installed"
    lines = str(error).strip().splitlines()
    text = lines[0][:200] if lines else "no reason given"
    return text if isinstance(error, UnavailableError) else f"{type(error).__name__}: {text}"


def _own_stdout() -> TextIO:
    """Reserve standard output for answers; libraries print to standard error."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


if __name__ == "__main__":
    main(*sys.argv[1:3])
