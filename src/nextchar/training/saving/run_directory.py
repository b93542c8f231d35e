"""The run directory: what a run leaves on disk. Every file in it is replaced atomically.

config.toml              every setting in force, and the text
metrics.jsonl            one record per evaluation, and one for each time the run went back
samples.jsonl            what the model wrote in the course of the run
best.safetensors         the model that did best in validation
last.safetensors         the model at the last evaluation
start.safetensors        the model that the run started from (fine-tuning)
checkpoint.safetensors   all that resume needs
.owner.json              who holds it: process, host, since when
.lock                    held while a trainer owns the directory; a dead one's does not block
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import filelock
import tomli_w

from nextchar.errors import DivergedError, RunError
from nextchar.files import remove_leftovers, write_atomically
from nextchar.model.file import BEST, LAST, START, Model, save_model
from nextchar.runs.metrics_file import Content
from nextchar.runs.run_files import CHECKPOINT, CONFIG, FORMAT, LOCK, METRICS, SAMPLES, read_metrics
from nextchar.settings.config import Settings
from nextchar.training.saving.checkpoint import Progress
from nextchar.training.saving.owner import forget_owner, note_owner, owner_of
from nextchar.training.saving.write_errors import remedy_for


class RunDirectory:
    """A run directory owned by this process; a context manager that lets go of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checkpoint = path / CHECKPOINT
        self._metrics = Content()
        self._made = [each for each in (path, *path.parents) if not each.exists()]
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(path / LOCK, blocking=False)
            self._lock.acquire()
            note_owner(path)
            remove_leftovers(path)
        except filelock.Timeout:
            raise RunError(
                f"{path}: another nextchar is training there{owner_of(path)}; wait for it, or give "
                "another --out"
            ) from None
        except (OSError, ValueError) as error:  # ValueError: no name that a file can have
            raise RunError(
                f"{path}: cannot be used ({_reason(error)}); {remedy_for(error)}, "
                "or give another --out"
            ) from error

    @classmethod
    def create(cls, path: Path) -> Self:
        """A new run directory. Raises RunError where there is a run already."""
        directory = cls(path)
        if (path / CONFIG).exists():
            directory.close()
            raise RunError(
                f"{path}: holds a run already; go on with it (--resume), or give another --out"
            )
        return directory

    @classmethod
    def open(cls, path: Path) -> Self:
        """The directory of a run that was begun. Raises RunError where there is none."""
        if not (path / CONFIG).is_file():
            raise RunError(f"{path}: no run to resume there (no {CONFIG})")
        return cls(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others use the directory; nothing is left of one in which no run was begun."""
        forget_owner(self.path)
        self._lock.release()
        if self._made and not (self.path / CONFIG).exists():
            with contextlib.suppress(OSError):  # of what others put there in the meantime
                for name in (LOCK, START):
                    (self.path / name).unlink(missing_ok=True)
                for folder in self._made:
                    folder.rmdir()

    def write_config(self, settings: Settings, source: Mapping[str, Any], ranks: int = 1) -> None:
        """Write `config.toml`. source: where the text came from, as `read_config` gives it.

        It comes last: a file that lost its end lacks it. ranks: how many train together.
        """
        several = {"ranks": ranks} if ranks > 1 else {}
        tables = {"format": FORMAT, **several, **settings.tables(), "source": source}
        self._write(CONFIG, tomli_w.dumps(tables))

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a record to `metrics.jsonl`."""
        self._metrics.add(record)
        self._write(METRICS, bytes(self._metrics))

    def rewind_metrics(self, step: int, retries: int = 0) -> list[dict[str, Any]]:
        """Forget the records after a step, that of the checkpoint; the evaluations that are left.

        retries: how often the run had gone back by then; later times are forgotten too.
        """
        kept = [
            record
            for record in read_metrics(self.path)
            if record["step"] <= step and record.get("retries", 0) <= retries
        ]
        self._metrics = Content(kept)
        return [record for record in kept if "retries" not in record]

    def note_divergence(self, progress: Progress, error: DivergedError, rate: float) -> None:
        """Add to `metrics.jsonl` that the run went back, in place of what it is to do anew.

        progress: after going back. rate: the peak learning rate from here on.
        """
        self.rewind_metrics(progress.step, progress.retries - 1)
        self.append_metrics(
            {
                "step": progress.step,
                "diverged_at": error.step,
                "why": str(error),
                "retries": progress.retries,
                "peak_learning_rate": rate,
            }
        )

    def write_samples(self, samples: Sequence[Mapping[str, Any]]) -> None:
        """Replace `samples.jsonl`."""
        self._write(SAMPLES, "".join(json.dumps(sample) + "\n" for sample in samples))

    def save_model(self, name: str, model: Model) -> None:
        """Write `best.safetensors`, `last.safetensors` or `start.safetensors`."""
        assert name in {BEST, LAST, START}
        save_model(self.path / name, model)

    def _write(self, name: str, content: str | bytes) -> None:
        data = content.encode() if isinstance(content, str) else content
        try:
            write_atomically(self.path / name, data)
        except OSError as error:
            raise RunError(f"{self.path / name}: cannot be written ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def name_of(inputs: Sequence[str]) -> str:
    """What a run on a text is called: the first file's name without its ending."""
    first = inputs[0] if inputs else "text"
    try:
        name = Path(first).resolve().name
    except (OSError, ValueError, RuntimeError):  # reading it will say what is wrong with it
        name = ""
    return "stdin" if first == "-" else name.split(".")[0][:60] or "text"


def free_name(inputs: Sequence[str]) -> Path:
    """`runs/NAME` for a text, with a number where that name is taken."""
    stem = name_of(inputs)
    path, number = Path("runs") / stem, 1
    while path.exists() and not (path.is_dir() and not any(path.iterdir())):
        number += 1
        path = Path("runs") / f"{stem}-{number}"
    return path
