"""Runs for a report, read from their directories during or after training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from nextchar.apps.html.charts import Array
from nextchar.errors import ModelFileError
from nextchar.model.file import Model, load_model
from nextchar.runs.run_files import is_held, read_config, read_metrics, read_samples
from nextchar.settings.config import Settings

COLUMNS = (
    "step", "epoch", "characters", "seconds", "train_loss", "val_loss", "learning_rate",
    "chars_per_second", "gradient_norm", "gradient_norm_max", "gradient_norm_clipped",
    "clipped_share",
)  # fmt: skip
_IGNORED = ("threads",)  # a setting of the machine; it changes a result by rounding at most


@dataclass(frozen=True)
class Run:
    """Contents of a run directory.

    records: by name, a number for each evaluation, NaN where it is unknown.
    rollbacks: a record for each rollback after a divergence. samples: texts that the model wrote.
    model: the best one so far, or None. is_training: a process trains it now.
    """

    path: Path
    name: str
    settings: Settings
    source: dict[str, Any]
    records: dict[str, Array]
    rollbacks: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    model: Model | None
    is_training: bool

    @property
    def best(self) -> int | None:
        """Number of the evaluation with the lowest loss; None before the first evaluation."""
        return int(np.nanargmin(self.losses)) if np.isfinite(self.losses).any() else None

    @property
    def best_loss(self) -> float | None:
        """Lowest loss; None before the first evaluation."""
        return None if self.best is None else float(self.losses[self.best])

    @property
    def losses(self) -> Array:
        """Losses that choose the best model: of validation, or of training without validation."""
        validation = self.records["val_loss"]
        return validation if np.isfinite(validation).any() else self.records["train_loss"]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """Read the runs of some directories, each under a unique name.

    Raises RunError where a directory is not a run.
    """
    return [_read(path, name) for path, name in zip(paths, names_of(paths), strict=True)]


def names_of(paths: Sequence[Path]) -> list[str]:
    """Return the shortest unique ends of some paths."""
    parts = [path.resolve().parts for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        ends = (own[-n:] for n in range(1, len(own)))
        unique = (end for end in ends if all(end != other[-len(end) :] for other in others))
        names.append("/".join(next(unique, own)))
    return names


def _read(path: Path, name: str) -> Run:
    is_training = is_held(path)
    settings, source = read_config(path)
    records = read_metrics(path)
    evaluations = [record for record in records if "retries" not in record]
    rollbacks = [record for record in records if "retries" in record]
    model: Model | None = None
    try:
        model = load_model(path)
    except ModelFileError:
        if any(path.glob("*.safetensors")) and not is_training:
            raise
    columns, samples = _columns(evaluations), read_samples(path)
    return Run(path, name, settings, source, columns, rollbacks, samples, model, is_training)


def _columns(records: list[dict[str, Any]]) -> dict[str, Array]:
    """Return the numbers of all records by name; NaN stands for anything else."""
    try:
        table = np.array(list(map(itemgetter(*COLUMNS), records)), np.float64)  # None becomes NaN
    except (KeyError, TypeError, ValueError):  # records of an earlier version or of another program
        table = np.array([[_number(each.get(name)) for name in COLUMNS] for each in records])
    columns = table.reshape(-1, len(COLUMNS)).T.copy()
    return dict(zip(COLUMNS, columns, strict=True))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """Return the settings that differ between runs with their values; the text is one of them."""
    flat = [{"text": " ".join(run.source["inputs"]), **run.settings.flat()} for run in runs]
    return {
        name: [each[name] for each in flat]
        for name in flat[0]
        if name not in _IGNORED and any(each[name] != flat[0][name] for each in flat)
    }
