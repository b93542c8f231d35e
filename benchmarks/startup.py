"""Start-up time: wall time of whole processes, medians over several runs.

The first training step is the command `nextchar train` with one step; cold with an empty folder for
compiled code, warm with the folder that a cold run left.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.environment import clean
from benchmarks.rows import matches
from nextchar.runs.metrics_file import MetricsFile, records_of
from nextchar.runs.run_files import METRICS

Command = list[str]

PYTHON = [sys.executable]
NEXTCHAR = [sys.executable, "-m", "nextchar"]
TEXT = "It was the best of times, it was the worst of times, it was the age of wisdom.\n" * 2000

# name → description, limit in seconds
ROWS = {
    "startup/python": ("python -c pass, to compare with", None),
    "startup/import": ("import nextchar", 0.05),
    "startup/help": ("nextchar --help", 0.15),
    "startup/generate": ("nextchar generate, 500 characters, warm", 1.0),
    "startup/report": ("nextchar report of 100,000 evaluations, warm", 3.0),
    "startup/first-step-warm": ("nextchar train --steps 1, warm", 1.5),
    "startup/first-step-cold": ("nextchar train --steps 1, cold", 20.0),
}
COLD_RUNS = 3  # at most: each compiles everything


def measure(pattern: str, runs: int) -> list[dict[str, Any]]:
    """Measure the rows that a glob matches."""
    names = [name for name in ROWS if matches(name, pattern)]
    if not names:
        return []
    with tempfile.TemporaryDirectory(prefix="nextchar-bench-") as folder:
        bench = _Bench(Path(folder))
        return [_row(name, bench, runs) for name in names]


def _row(name: str, bench: _Bench, runs: int) -> dict[str, Any]:
    title, target = ROWS[name]
    try:
        seconds = list(bench.times(name, runs))
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or "").strip().splitlines()
        return {"row": name, "title": title, "failed": lines[-1] if lines else str(error)}
    return {
        "row": name,
        "title": title,
        "target": target,
        "seconds": seconds,
        "median": median(seconds),
    }


class _Bench:
    """A folder with a text and, once it is needed, a model file."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._runs = folder, 0
        (folder / "input.txt").write_text(TEXT, encoding="utf-8")

    def times(self, name: str, runs: int) -> Iterator[float]:
        """Return the wall time of each run, after one more if they are to be warm."""
        what = name.removeprefix("startup/")
        if what == "first-step-cold":
            for _ in range(min(runs, COLD_RUNS)):
                yield self._train(self._empty())
            return
        once = self._warm(what)
        once()
        for _ in range(runs):
            yield once()

    def _warm(self, what: str) -> Callable[[], float]:
        if what == "first-step-warm":
            kept = self._empty()
            return lambda: self._train(kept)
        if what == "generate":
            model = self._model()
            return lambda: self._time([*NEXTCHAR, "generate", model, "--length", "500"])
        if what == "report":
            run = self._long_run()
            return lambda: self._time([*NEXTCHAR, "report", run])
        commands = {
            "python": [*PYTHON, "-c", "pass"],
            "import": [*PYTHON, "-c", "import nextchar"],
            "help": [*NEXTCHAR, "--help"],
        }
        return lambda: self._time(commands[what])

    def _model(self) -> str:
        self._train(self._empty(), out="model")
        return "model"

    def _long_run(self) -> str:
        """Make a run of one step with the records of a very long one."""
        self._train(self._empty(), out="long", keep_validation=True)
        path = self._folder / "long" / METRICS
        (first,) = records_of(path.read_bytes())
        records = (
            {**first, "step": n, "seconds": n / 10, "train_loss": 1 + 2 / n**0.5}
            for n in range(1, 100_001)
        )
        path.write_bytes(bytes(MetricsFile(records)))
        return "long"

    def _train(self, cache: Path, out: str = "", *, keep_validation: bool = False) -> float:
        """Train one step at the default size, without evaluation unless requested."""
        out = out or f"run{self._next()}"
        command = [*NEXTCHAR, "train", "input.txt", "--out", out, "--steps", "1"]
        return self._time(command if keep_validation else [*command, "--val-fraction", "0"], cache)

    def _time(self, command: Command, cache: Path | None = None) -> float:
        environment = clean()
        if cache:
            environment["NUMBA_CACHE_DIR"] = str(cache)
        start = time.perf_counter()
        subprocess.run(
            command,
            cwd=self._folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=True,
        )
        return time.perf_counter() - start

    def _empty(self) -> Path:
        folder = self._folder / f"cache{self._next()}"
        folder.mkdir()
        return folder

    def _next(self) -> int:
        self._runs += 1
        return self._runs
