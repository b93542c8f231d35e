"""Surroundings of a run: callbacks, run directory, process group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from nextchar.model.file import Model
from nextchar.training.events import Note, OnEvent
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.saving.run_directory import RunDirectory

MakeSample = Callable[[Model, int], str]


@dataclass(frozen=True)
class Hooks:
    """Callbacks of a run.

    on_event: receives every event. should_stop: asked after every step.
    make_sample: writes some text with a model, given the step; None writes no samples.
    """

    on_event: OnEvent = lambda event: None
    should_stop: Callable[[], bool] = lambda: False
    make_sample: MakeSample | None = None

    def note(self, text: str, *, is_by_the_way: bool = False) -> None:
        """Report a line of text."""
        self.on_event(Note(text, is_by_the_way))


@dataclass(frozen=True)
class RunContext:
    """Callbacks, directory and process group of a run.

    directory: None keeps the run in memory; only rank 0 has one.
    """

    hooks: Hooks = field(default_factory=Hooks)
    directory: RunDirectory | None = None
    group: ProcessGroup = SINGLE_PROCESS

    def write(self, work: Callable[[RunDirectory], object]) -> None:
        """Let rank 0 write to the run directory, if there is one; raise its error on all ranks."""
        directory = self.directory
        self.group.on_rank_zero(lambda: work(directory) if directory else None)
