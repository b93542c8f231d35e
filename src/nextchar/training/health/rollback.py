"""Where a run goes back to when its numbers run away, and on from with half the learning rate.

It goes back to its last good evaluation, or to its beginning: never to a checkpoint that was
written because time had passed or someone pressed Ctrl-C, for then the result would hang on the
clock. A checkpoint of such a moment carries the good point along.
"""

from __future__ import annotations

import copy
import math
from dataclasses import fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import DivergedError
from nextchar.model.parameters import Parameters
from nextchar.settings.config import TrainingSettings
from nextchar.training.events import Note, OnEvent
from nextchar.training.health.divergence import with_advice
from nextchar.training.saving.checkpoint import Checkpoint, Progress
from nextchar.training.saving.run_directory import RunDirectory

Array = NDArray[Any]

MOST = 3  # times that a run goes back
BACKED_OFF = 0.5  # what each time multiplies the learning rate by
BY_CHANCE = 2.0  # times the loss of guessing, ln V: what is worse is on its way to infinity
_GO_ON = ("seconds", "retries")  # of the progress: what does not go back


class Rollback:
    """Holds a copy of the last good point of a run, where the settings ask for it."""

    def __init__(
        self,
        settings: TrainingSettings,
        start: Checkpoint,
        directory: RunDirectory | None,
        on_event: OnEvent,
    ) -> None:
        self._settings, self._directory, self._on_event = settings, directory, on_event
        self._retry = settings.on_divergence == "retry"
        self._good = (start.good or _copy(start)) if self._retry else None

    def offer(self, now: Checkpoint, loss: float) -> None:
        """Keep a point that was just evaluated, unless its loss says that it is no good."""
        vocabulary_size = now.parameters.architecture.vocabulary_size
        if self._retry and loss <= BY_CHANCE * math.log(vocabulary_size):
            self._good = _copy(now)

    def carried(self, now: Checkpoint) -> Checkpoint:
        """A checkpoint that says where to go back to, where that is not the checkpoint itself."""
        if self._good is None or self._good.progress.step == now.progress.step:
            return now
        return replace(now, good=self._good)

    def go_back(self, now: Checkpoint, error: DivergedError) -> Array:
        """Make the arrays and the progress of a run those of its good point; the state there.

        Raises the error, with advice, where the run is to end by it.
        """
        directory, progress = self._directory, now.progress
        if self._good is None or progress.retries == MOST:
            has_checkpoint = directory is not None and directory.checkpoint.exists()
            raise with_advice(error, self._settings, has_checkpoint)
        _restore(self._good, now)
        progress.retries += 1
        rate = self._settings.learning_rate * factor(progress.retries)
        if directory:
            directory.note_divergence(progress, error, rate)
        told = (
            f"{error}: back to step {progress.step} and on with half the learning rate "
            f"({rate:g}; {progress.retries} of {MOST} times)"
        )
        self._on_event(Note(told))
        return self._good.state.copy()


def factor(retries: int) -> float:
    """What the learning rate is multiplied by after so many times."""
    return BACKED_OFF**retries


def _restore(good: Checkpoint, now: Checkpoint) -> None:
    np.copyto(now.parameters.flat, good.parameters.flat)
    for name, slot in now.slots.items():
        np.copyto(slot, good.slots[name])
    for each in fields(Progress):
        if each.name not in _GO_ON:
            setattr(now.progress, each.name, getattr(good.progress, each.name))
    now.progress.since_seconds = now.progress.seconds


def _copy(point: Checkpoint) -> Checkpoint:
    parameters = Parameters(point.parameters.architecture, point.parameters.flat.copy())
    slots = {name: slot.copy() for name, slot in point.slots.items()}
    return Checkpoint(
        parameters, slots, point.state.copy(), copy.copy(point.progress), point.text_sha256
    )
