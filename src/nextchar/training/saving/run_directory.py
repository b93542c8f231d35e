"""The run directory: files of a run on disk, each replaced atomically.

config.toml              every setting in force, and the names of the text
metrics.jsonl            one record per evaluation, and one per rollback
samples.jsonl            texts that the model wrote during the run
best.safetensors         the model with the lowest validation loss
last.safetensors         the model at the last evaluation
start.safetensors        the model that the run started from (fine-tuning)
checkpoint.safetensors   everything that resume needs
.owner.json              process, host and start of the owner, for messages; the lock decides
.lock                    locked while a trainer owns the directory; that of a dead one is free
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import tomli_w

from nextchar.errors import DivergedError, RunError
from nextchar.files import remove_leftovers, write_atomically
from nextchar.model.file import BEST, LAST, START, Model, save_model
from nextchar.runs.metrics_file import MetricsFile
from nextchar.runs.run_files import CHECKPOINT, CONFIG, FORMAT, LOCK, METRICS, SAMPLES, read_metrics
from nextchar.settings.config import Settings
from nextchar.training.events import Evaluated
from nextchar.training.saving.checkpoint import Progress
from nextchar.training.saving.run_lock import RunLock
from nextchar.training.saving.write_errors import remedy_for


class RunDirectory:
    """A run directory owned by this process; a context manager that releases it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / CHECKPOINT
        self._metrics = MetricsFile()
        self._created = [each for each in (path, *path.parents) if not each.exists()]
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = RunLock(path)
            remove_leftovers(path)
        except (OSError, ValueError) as error:  # ValueError: not a valid file name
            problem = f"cannot be used ({getattr(error, 'strerror', None) or error})"
            remedy = f"{remedy_for(error)}, or give another --out"
            raise RunError(problem, path=path, remedy=remedy) from error

    @classmethod
    def create(cls, path: Path) -> Self:
        """Return a new run directory. Raises RunError if it holds a run already."""
        directory = cls(path)
        if (path / CONFIG).exists():
            directory.close()
            remedy = "continue it (--resume), or give another --out"
            raise RunError("holds a run already", path=path, remedy=remedy)
        return directory

    @classmethod
    def open(cls, path: Path) -> Self:
        """Return the directory of an earlier run. Raises RunError if it holds none."""
        if not (path / CONFIG).is_file():
            raise RunError(f"no run to resume there (no {CONFIG})", path=path)
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the directory; remove it if it was created here and holds no run."""
        self._lock.release()
        if self._created and not (self.path / CONFIG).exists():
            with contextlib.suppress(OSError):  # others may have put files there
                for name in (LOCK, START):
                    (self.path / name).unlink(missing_ok=True)
                for folder in self._created:
                    folder.rmdir()

    def write_config(self, settings: Settings, source: Mapping[str, Any], ranks: int = 1) -> None:
        """Write `config.toml`. ranks: processes that train together.

        source: names of the text, as `read_config` returns them. It comes last, so that a file
        without its end lacks it.
        """
        several = {"ranks": ranks} if ranks > 1 else {}
        tables = {"format": FORMAT, **several, **settings.tables(), "source": source}
        self._write(CONFIG, tomli_w.dumps(tables))

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a record to `metrics.jsonl`."""
        self._metrics.append(record)
        self._write(METRICS, bytes(self._metrics))

    def rewind_metrics(self, step: int, retries: int = 0) -> list[dict[str, Any]]:
        """Drop the records after a checkpoint's step; return the evaluations that are left.

        retries: rollbacks of the run by then; records of later rollbacks are dropped too.
        """
        kept = [
            record
            for record in read_metrics(self.path)
            if record["step"] <= step and record.get("retries", 0) <= retries
        ]
        self._metrics = MetricsFile(kept)
        return [record for record in kept if "retries" not in record]

    def append_divergence(self, progress: Progress, error: DivergedError, rate: float) -> None:
        """Add a rollback to `metrics.jsonl`, in place of the records that it undoes.

        progress: after the rollback. rate: the peak learning rate from here on.
        """
        self.rewind_metrics(progress.step, progress.retries - 1)
        record = {"step": progress.step, "diverged_at": error.step, "why": str(error)}
        record |= {"retries": progress.retries, "peak_learning_rate": rate}
        self.append_metrics(record)

    def save_evaluation(self, record: Evaluated, model: Model) -> None:
        """Write a record and the model that it scored."""
        self.append_metrics(record.to_record())
        self.save_model(LAST, model)
        if record.is_best:
            self.save_model(BEST, model)

    def save_model(self, name: str, model: Model) -> None:
        """Write `best.safetensors`, `last.safetensors` or `start.safetensors`."""
        assert name in {BEST, LAST, START}
        save_model(self.path / name, model)

    def write_samples(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Replace `samples.jsonl`."""
        self._write(SAMPLES, "".join(json.dumps(sample) + "\n" for sample in samples))

    def _write(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        try:
            write_atomically(self.path / name, data)
        except OSError as error:
            problem = f"cannot be written ({error.strerror or error})"
            raise RunError(problem, path=self.path / name) from error


def name_of(inputs: Sequence[str]) -> str:
    """Return the name of a run on a text: the first file's name without its suffixes."""
    first = inputs[0] if inputs else "text"
    try:
        name = Path(first).resolve().name
    except (OSError, ValueError, RuntimeError):  # reading the file reports the error
        name = ""
    return "stdin" if first == "-" else name.split(".")[0][:60] or "text"


def free_name(inputs: Sequence[str]) -> Path:
    """Return `runs/NAME` for a text, with a number if that name is taken."""
    stem = name_of(inputs)
    path, number = Path("runs") / stem, 1
    while path.exists() and not (path.is_dir() and not any(path.iterdir())):
        number += 1
        path = Path("runs") / f"{stem}-{number}"
    return path
