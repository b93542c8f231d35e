"""Reading a run directory, which takes nothing from whoever trains there.

Files are replaced atomically, so that a run can be looked at while it goes on.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import filelock

from nextchar.errors import RunError, in_one_line
from nextchar.runs.metrics_file import records_of
from nextchar.settings.config import Settings

FORMAT = 1  # of the directory; one without it is of the first
CONFIG, METRICS, CHECKPOINT = "config.toml", "metrics.jsonl", "checkpoint.safetensors"
SAMPLES, OWNER, LOCK = "samples.jsonl", ".owner.json", ".lock"


def is_held(path: Path) -> bool:
    """Whether a run is trained right now.

    A trainer notes who it is; only where that is so is its lock tried, which a dead one does not
    hold: whoever begins to train is never in the way.
    """
    if not (path / OWNER).exists():
        return False
    try:
        with filelock.FileLock(path / LOCK, blocking=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # a folder that nobody may write to
        return False


def read_config(path: Path) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run and where its text came from. Raises RunError where they are lost."""
    try:
        tables = tomllib.loads((path / CONFIG).read_text(encoding="utf-8"))
        _require_format(path, tables.pop("format", FORMAT))
        tables.pop("ranks", 1)
        source = _source(tables.pop("source"))
        for name, table in tables.items():
            if not isinstance(table, Mapping):
                raise ValueError(f"{name} is no table of settings")
        return Settings.from_tables(tables), source
    except FileNotFoundError:
        raise RunError(f"{path}: no run there (no {CONFIG})") from None
    except OSError as error:
        raise RunError(f"{path / CONFIG}: cannot be read ({_reason(error)})") from error
    except KeyError as error:
        raise RunError(f"{path / CONFIG}: cannot be read (no table {error})") from error
    except (TypeError, AttributeError, ValueError, RecursionError) as error:
        raise RunError(f"{path / CONFIG}: cannot be read ({in_one_line(error)})") from error


def read_ranks(path: Path) -> int:
    """How many trained together in a run whose `config.toml` can be read."""
    return int(tomllib.loads((path / CONFIG).read_text(encoding="utf-8")).get("ranks", 1))


def _require_format(path: Path, found: Any) -> None:
    if found != FORMAT:
        raise RunError(
            f"{path}: a run of format {found!r:.20}, this version of nextchar reads {FORMAT}; use "
            "the version that began it, or start anew with another --out"
        )


def _source(table: Mapping[str, Any]) -> dict[str, Any]:
    """Where the text came from: lists of names. Raises ValueError where it is something else."""
    for name in ("inputs", "validation"):
        value = table.get(name) if isinstance(table, Mapping) else None
        if not (isinstance(value, list) and all(isinstance(each, str) for each in value)):
            raise ValueError(f"source.{name} is no list of names")
    if not isinstance(table.get("from", ""), str):
        raise ValueError("source.from is no name")
    return dict(table)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The records of a run's `metrics.jsonl`, in order; none where nothing was evaluated yet."""
    try:
        return records_of((path / METRICS).read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path / METRICS}: cannot be read ({_reason(error)})") from error
    except ValueError as error:
        raise RunError(
            f"{path / METRICS}: cannot be read ({error}); mend it, or move it away to go on "
            "without its records"
        ) from error


def read_samples(path: Path) -> list[dict[str, Any]]:
    """What the model wrote in the course of a run: `step`, `fraction` of the run and `text`.

    A line that cannot be read is left out, and so is a file: nothing hangs on them.
    """
    try:
        lines = (path / SAMPLES).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [sample for line in lines if (sample := _sample(line))]


def _sample(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
        if type(found["step"]) is int and isinstance(found["text"], str):
            return {**found, "fraction": float(found["fraction"])}
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    return None


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
