"""Samples during training: shown at intervals, and kept in `samples.jsonl`.

A model learns most at the beginning, so a sample is kept before the first step, at the end, and at
the first evaluation past a half, a quarter, an eighth … of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from nextchar.model.file import Model
from nextchar.runs.run_files import read_samples
from nextchar.settings.config import TrainingSettings
from nextchar.training.events import Sampled
from nextchar.training.run_context import RunContext


class SampleWriter:
    """The samples of a run; without `make_sample` it does nothing.

    timed: context that records the duration of a named task. step: progress of the run.
    All ranks know which samples are kept, so that all know which are due.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        context: RunContext,
        timed: Callable[[str], AbstractContextManager[None]],
        step: int,
    ) -> None:
        self._context, self._timed = context, timed
        self._make = context.hooks.make_sample
        self._every = settings.sample_every or 0
        directory = context.directory
        kept = context.group.on_rank_zero(lambda: directory and read_samples(directory.path))
        self._most = 0 if kept is None else settings.keep_samples
        self._kept: list[dict[str, Any]] = kept or []
        self.rewind(step)

    def trial_sample(self, model: Model) -> Callable[[], object] | None:
        """Return a function that writes and discards a sample; None if the run ends without one."""
        make = self._make
        if make is None or not (self._every or self._most):
            return None
        return partial(self._context.group.on_rank_zero, partial(make, model, 0))

    def rewind(self, step: int) -> None:
        """Drop the samples after a step."""
        self._kept = [each for each in self._kept if each["step"] <= step]

    def keep_if_due(self, step: int, fraction: float, model: Callable[[], Model]) -> None:
        """Keep a sample of the model if one is due. fraction: of the run, 1 at its end."""
        last = self._kept[-1]["fraction"] if self._kept else None
        if self._make and is_due(fraction, last, self._most):
            sample = {"step": step, "fraction": fraction, "text": self._sample(step, model)}
            self._kept.append(sample)
            self._context.write(lambda directory: directory.write_samples(self._kept))

    def show_if_due(self, step: int, done: bool, model: Callable[[], Model]) -> None:
        """Report a sample if one is due."""
        if self._make and self._every and (step % self._every == 0 or done):
            self._context.hooks.on_event(Sampled(step, self._sample(step, model)))

    def _sample(self, step: int, model: Callable[[], Model]) -> str:
        assert self._make is not None
        if self._kept and self._kept[-1]["step"] == step:
            return str(self._kept[-1]["text"])
        with self._timed("sample"):
            return self._context.group.on_rank_zero(partial(self._make, model(), step))


def is_due(fraction: float, last: float | None, most: int) -> bool:
    """Return whether another sample is to be kept. last: the fraction of the last one kept."""
    places = [0.0, *(2.0**-n for n in range(max(most - 2, 0), -1, -1))][:most]
    passed = sum(place <= fraction for place in places)
    return passed > (0 if last is None else sum(place <= last for place in places))
