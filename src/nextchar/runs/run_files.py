"""Readers of a run directory's files, which never block the process that trains there.

Files are replaced atomically, so that a run can be read while it is being trained.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import filelock

from nextchar.errors import RunError, in_one_line
from nextchar.runs.metrics_file import records_of
from nextchar.settings.config import Settings

FORMAT = 1  # of the directory; a directory without it has the first one
CONFIG, METRICS, CHECKPOINT = "config.toml", "metrics.jsonl", "checkpoint.safetensors"
SAMPLES, OWNER, LOCK = "samples.jsonl", ".owner.json", ".lock"


def is_held(path: Path) -> bool:
    """Return whether a run is being trained right now.

    A trainer writes an owner file, and only then is its lock tried, which a dead one does not
    hold: a process that starts to train never finds the lock taken by a reader.
    """
    if not (path / OWNER).exists():
        return False
    try:
        with filelock.FileLock(path / LOCK, blocking=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a read-only folder
        return False


def read_config(path: Path) -> tuple[Settings, dict[str, Any]]:
    """Return the settings of a run and the source of its text. Raises RunError if unreadable."""
    try:
        tables = tomllib.loads((path / CONFIG).read_text(encoding="utf-8"))
        _require_format(path, tables.pop("format", FORMAT))
        tables.pop("ranks", 1)
        source = _source(tables.pop("source"))
        for name, table in tables.items():
            if not isinstance(table, Mapping):
                raise ValueError(f"{name} is not a table of settings")
        return Settings.from_tables(tables), source
    except FileNotFoundError:
        raise RunError(f"no run there (no {CONFIG})", path=path) from None
    except OSError as error:
        raise _unreadable(path / CONFIG, error.strerror or str(error)) from error
    except KeyError as error:
        raise _unreadable(path / CONFIG, f"no table {error}") from error
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise _unreadable(path / CONFIG, in_one_line(error)) from error


def _unreadable(path: Path, reason: str, remedy: str | None = None) -> RunError:
    return RunError(f"cannot be read ({reason})", path=path, remedy=remedy)


def read_ranks(path: Path) -> int:
    """Return the number of processes that trained a run whose `config.toml` is readable."""
    return int(tomllib.loads((path / CONFIG).read_text(encoding="utf-8")).get("ranks", 1))


def _require_format(path: Path, number: Any) -> None:
    if number != FORMAT:
        problem = f"is a run of format {number!r:.20}, this version of nextchar reads {FORMAT}"
        remedy = "use the version that started it, or start again with another --out"
        raise RunError(problem, path=path, remedy=remedy)


def _source(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the source of a run's text, lists of names. Raises ValueError for anything else."""
    for name in ("inputs", "validation"):
        value = table.get(name) if isinstance(table, Mapping) else None
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise ValueError(f"source.{name} is not a list of names")
    if not isinstance(table.get("from", ""), str):
        raise ValueError("source.from is not a name")
    return dict(table)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Return the records of a run's `metrics.jsonl`, in order; none before an evaluation."""
    try:
        return records_of((path / METRICS).read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(path / METRICS, error.strerror or str(error)) from error
    except ValueError as error:
        raise unreadable_metrics(path, error) from error


def unreadable_metrics(path: Path, error: ValueError) -> RunError:
    """Return the error for a run whose `metrics.jsonl` is damaged."""
    remedy = "repair it, or move it away to continue without its records"
    return _unreadable(path / METRICS, str(error), remedy)


def read_samples(path: Path) -> list[dict[str, Any]]:
    """Return the samples of a run, with `step`, `fraction` of the run and `text`.

    Lines or a file that cannot be read are left out: nothing depends on them.
    """
    try:
        lines = (path / SAMPLES).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [sample for line in lines if (sample := _sample(line))]


def _sample(line: str) -> dict[str, Any] | None:
    with suppress(ValueError, KeyError, TypeError, RecursionError):
        sample = json.loads(line)
        if type(sample["step"]) is int and isinstance(sample["text"], str):
            return {**sample, "fraction": float(sample["fraction"])}
    return None
