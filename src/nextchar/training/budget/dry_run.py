"""Dry run before the clock starts: compiles, and times once each task of the run's end.

Compilation does not count towards a run's time; the measured cost is reserved for the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nextchar.model.parameters import Parameters
from nextchar.settings.config import TrainingSettings
from nextchar.text.batches import Batch
from nextchar.training.budget.budget import FEWEST, TimeBudget
from nextchar.training.optim.optimizers import Slots
from nextchar.training.process_group import ProcessGroup

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine


@dataclass(frozen=True)
class FinalTasks:
    """Tasks of a run's end, and a step, as functions that can be timed.

    step: takes a step. write: writes a checkpoint. sample: writes one; None if the run does not
    end with one. score: scores the first so many characters of the validation part.
    """

    step: Callable[[], object]
    write: Callable[[], object]
    sample: Callable[[], object] | None
    score: Callable[[int], object]


def measure_final_costs(
    budget: TimeBudget, tasks: FinalTasks, length: int, chosen: int | None
) -> int:
    """Time a step and the tasks of the end; return how many characters evaluations score.

    length: characters of the validation part. chosen: the number that evaluations have scored so
    far; later ones must be comparable with them.
    """
    with budget.timed("dry run"):
        tasks.step()
    for name in ("checkpoint", "models"):  # the best and the last model cost about as much again
        with budget.timed(name):
            tasks.write()
    if tasks.sample:
        tasks.sample()
        with budget.timed("sample"):
            tasks.sample()
    if length < 2:
        return length
    tasks.score(2)
    few = min(FEWEST, length)
    with budget.timed("scoring"):
        tasks.score(few)
    return budget.choose_characters(few, length, chosen)


def step_on_copies(
    engine: Engine, parameters: Parameters, slots: Slots, batch: Batch, settings: TrainingSettings
) -> Callable[[], None]:
    """Return a function that takes a whole training step on copies and changes nothing."""
    copy = parameters.copy()
    slots = {name: slot.copy() for name, slot in slots.items()}
    state = copy.zero_state(batch.inputs.shape[1])

    def step() -> None:
        gradient = engine.loss_and_gradient(copy, batch, state, dropout=settings.dropout).gradient
        engine.update(copy, slots, gradient, learning_rate=0.0, step=1, settings=settings)

    return step


def warm_up(
    group: ProcessGroup, engine: Engine, parameters: Parameters, step: Callable[[], object]
) -> None:
    """Compile everything that a run needs, on one rank of each machine before the others."""
    with group.local_rank_zero_first():
        step()
        if group.all_reduce:  # otherwise all ranks would compile the evaluation at once
            engine.score(parameters, np.zeros(2, np.int64))
