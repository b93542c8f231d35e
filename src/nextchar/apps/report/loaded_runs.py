"""A run as a report sees it: read from its directory, while it goes on or after."""

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
    "step",
    "epoch",
    "characters",
    "seconds",
    "train_loss",
    "val_loss",
    "learning_rate",
    "chars_per_second",
    "gradient_norm",
    "gradient_norm_max",
    "gradient_norm_clipped",
    "clipped_share",
)
# of the machine: nothing that the result hangs on, but for the bits
_APART = ("threads",)


@dataclass(frozen=True)
class Run:
    """What a run directory holds.

    records: by name, a number for each evaluation, NaN where it is not known.
    went_back: a record for each time that the numbers ran away. samples: what the model wrote.
    model: the best one so far, None where there is none yet. is_going: whether it is trained now.
    """

    path: Path
    name: str
    settings: Settings
    source: dict[str, Any]
    records: dict[str, Array]
    went_back: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    model: Model | None
    is_going: bool

    @property
    def best(self) -> int | None:
        """The evaluation with the lowest loss, None before the first one."""
        losses = self.losses
        return int(np.nanargmin(losses)) if np.isfinite(losses).any() else None

    @property
    def losses(self) -> Array:
        """By which the best model is chosen: of validation, or of training without such a part."""
        validation = self.records["val_loss"]
        return validation if np.isfinite(validation).any() else self.records["train_loss"]


def read_runs(paths: Sequence[Path]) -> list[Run]:
    """The runs of some directories, named so that no two have the same name.

    Raises RunError for what is no run.
    """
    return [_read(path, name) for path, name in zip(paths, names_of(paths), strict=True)]


def names_of(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of some paths that tell them apart."""
    parts = [path.resolve().parts for path in paths]
    names = []
    for own in parts:
        others = [other for other in parts if other != own]
        length = next(
            (n for n in range(1, len(own)) if all(other[-n:] != own[-n:] for other in others)),
            len(own),
        )
        names.append("/".join(own[-length:]))
    return names


def _read(path: Path, name: str) -> Run:
    going = is_held(path)
    settings, source = read_config(path)
    records = read_metrics(path)
    evaluations = [record for record in records if "retries" not in record]
    went_back = [record for record in records if "retries" in record]
    model: Model | None = None
    try:
        model = load_model(path)
    except ModelFileError:
        if any(path.glob("*.safetensors")) and not going:
            raise
    numbers = _columns(evaluations)
    return Run(path, name, settings, source, numbers, went_back, read_samples(path), model, going)


def _columns(records: list[dict[str, Any]]) -> dict[str, Array]:
    """The numbers of all records, by name; NaN for what is none."""
    try:
        rows = list(map(itemgetter(*COLUMNS), records))
        table = np.array(rows, np.float64).reshape(-1, len(COLUMNS))  # None becomes NaN
    except (KeyError, TypeError, ValueError):  # records of an earlier version, or by another hand
        rows = [tuple(_number(record.get(name)) for name in COLUMNS) for record in records]
        table = np.array(rows, np.float64).reshape(-1, len(COLUMNS))
    return dict(zip(COLUMNS, table.T.copy(), strict=True))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else np.nan


def differing(runs: Sequence[Run]) -> dict[str, list[Any]]:
    """The settings that are not the same in all runs, and their values; the text among them."""
    flat = [{"text": " ".join(run.source["inputs"]), **run.settings.flat()} for run in runs]
    return {
        name: [each[name] for each in flat]
        for name in flat[0]
        if name not in _APART and any(each[name] != flat[0][name] for each in flat)
    }
