"""What a run leaves on disk, written by the first of those who train while the others wait."""

from __future__ import annotations

import dataclasses
from functools import partial

from nextchar.model.file import BEST, LAST, Model
from nextchar.training.events import Evaluated
from nextchar.training.process_group import ProcessGroup
from nextchar.training.saving.checkpoint import Checkpoint, save_checkpoint, with_states
from nextchar.training.saving.run_directory import RunDirectory


def keep_evaluation(
    group: ProcessGroup, directory: RunDirectory | None, record: Evaluated, model: Model
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

    group.on_rank_zero(write)


def keep_checkpoint(
    group: ProcessGroup, directory: RunDirectory | None, checkpoint: Checkpoint
) -> None:
    """Write a checkpoint with the states of all lanes, where there is a directory."""
    whole = with_states(group.gather_state, checkpoint)
    path = directory and directory.checkpoint
    group.on_rank_zero(partial(save_checkpoint, path, whole) if path else _nothing)


def _nothing() -> None:
    """What is written where there is no directory."""
