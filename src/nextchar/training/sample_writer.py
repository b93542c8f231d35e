"""What the model writes in the course of a run: shown every so often, and kept to be looked at.

It learns most in the beginning, so a sample is kept before the first step, at the end, and at the
first evaluation past a half, a quarter, an eighth … of the run.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from nextchar.model.file import Model
from nextchar.runs.run_files import read_samples
from nextchar.settings.config import TrainingSettings
from nextchar.training.events import OnEvent, Sampled
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.saving.run_directory import RunDirectory

MakeSample = Callable[[Model, int], str]


class SampleWriter:
    """The samples of a run.

    directory: where they are kept, if anywhere. make_sample: writes some text with a model, given
    the step; without one nothing is done. timed: a context that notes how long what is named in it
    takes. step: where the run stands. group: who trains along; all know what is kept, so that all
    know what is due.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        directory: RunDirectory | None,
        make_sample: MakeSample | None,
        on_event: OnEvent,
        timed: Callable[[str], AbstractContextManager[None]],
        *,
        step: int,
        group: ProcessGroup = SINGLE_PROCESS,
    ) -> None:
        self._directory, self._make = directory, make_sample
        self._on_event, self._timed = on_event, timed
        self._every = settings.sample_every or 0
        self._group = group
        kept = group.on_rank_zero(lambda: read_samples(directory.path) if directory else None)
        self._most = 0 if kept is None else settings.keep_samples
        self._kept: list[dict[str, Any]] = kept or []
        self.rewind(step)

    def rehearsal(self, model: Model) -> Callable[[], object] | None:
        """What writes a sample that is thrown away; None where the run does not end with one."""
        make = self._make
        if make is None or not (self._every or self._most):
            return None
        return partial(self._group.on_rank_zero, partial(make, model, 0))

    def rewind(self, step: int) -> None:
        """Forget the samples after a step."""
        self._kept = [each for each in self._kept if each["step"] <= step]

    def keep_if_due(self, step: int, fraction: float, model: Callable[[], Model]) -> None:
        """Keep a sample of the model in its present state, where one is due.

        fraction: of the run, 1 at its end.
        """
        last = self._kept[-1]["fraction"] if self._kept else None
        if self._make and is_due(fraction, last, self._most):
            sample = {"step": step, "fraction": fraction, "text": self._written(step, model)}
            self._kept.append(sample)
            self._group.on_rank_zero(self._write)

    def _write(self) -> None:
        if self._directory:
            self._directory.write_samples(self._kept)

    def show_if_due(self, step: int, done: bool, model: Callable[[], Model]) -> None:
        """Show a sample, where one is due."""
        if self._make and self._every and (step % self._every == 0 or done):
            self._on_event(Sampled(step, self._written(step, model)))

    def _written(self, step: int, model: Callable[[], Model]) -> str:
        assert self._make is not None
        if self._kept and self._kept[-1]["step"] == step:
            return str(self._kept[-1]["text"])
        with self._timed("sample"):
            return self._group.on_rank_zero(partial(self._make, model(), step))


def is_due(fraction: float, last: float | None, most: int) -> bool:
    """Whether another sample is to be kept, `last` being the fraction of the last one."""
    places = [0.0, *(2.0**-n for n in range(max(most - 2, 0), -1, -1))][:most]
    passed = sum(place <= fraction for place in places)
    return passed > (0 if last is None else sum(place <= last for place in places))
