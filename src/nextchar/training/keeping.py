"""What a run leaves on disk, written by the first of those who train while the others wait."""

from __future__ import annotations

import dataclasses
from functools import partial

from nextchar.model.file import BEST, LAST, Model
from nextchar.training.checkpoint import Checkpoint, save_checkpoint, with_states
from nextchar.training.cohort import Cohort
from nextchar.training.directory import RunDirectory
from nextchar.training.events import Evaluated


def keep_evaluation(
    cohort: Cohort, directory: RunDirectory | None, record: Evaluated, model: Model
) -> None:
    """Write a record and the models it speaks of, where there is a directory."""

    def write() -> None:
        if directory:
            fields = dataclasses.asdict(record)
            del fields["is_best"]
            directory.append_metrics(fields)
            directory.save_model(LAST, model)
            if record.is_best:
                directory.save_model(BEST, model)

    cohort.first(write)


def keep_checkpoint(cohort: Cohort, directory: RunDirectory | None, checkpoint: Checkpoint) -> None:
    """Write a checkpoint with the states of all lanes, where there is a directory."""
    whole = with_states(cohort.whole, checkpoint)
    path = directory and directory.checkpoint
    cohort.first(partial(save_checkpoint, path, whole) if path else _nothing)


def _nothing() -> None:
    """What is written where there is no directory."""
