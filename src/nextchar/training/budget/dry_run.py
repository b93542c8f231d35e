"""What a run by time does before its clock starts: all that its end will take, once.

Compiling is no part of the run's time; what is measured here is kept back for the end.
"""

from __future__ import annotations

from collections.abc import Callable
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


def measure_final_costs(
    pace: TimeBudget,
    *,
    step: Callable[[], object],
    write: Callable[[], object],
    sample: Callable[[], object] | None,
    score: Callable[[int], object],
    length: int,
    chosen: int | None,
) -> int:
    """Measure what steps and the end will take; how many characters evaluations are to score.

    step: takes a step. write: writes a checkpoint. sample: draws one, where the run ends with one.
    score: scores the first so many characters of the `length` that there are.
    chosen: how many the evaluations so far scored; later ones are to be comparable with them.
    """
    with pace.timed("rehearsal"):
        step()
    for what in ("checkpoint", "models"):  # the best and the last model are about as much again
        with pace.timed(what):
            write()
    if sample:
        sample()
        with pace.timed("sample"):
            sample()
    if length < 2:
        return length
    score(2)
    few = min(FEWEST, length)
    with pace.timed("scoring"):
        score(few)
    return pace.choose_characters(few, length, chosen)


def step_on_copies(
    engine: Engine,
    parameters: Parameters,
    slots: Slots,
    batch: Batch,
    settings: TrainingSettings,
) -> Callable[[], None]:
    """What takes a whole training step and changes nothing: it works on copies."""
    copy = Parameters(parameters.architecture, parameters.flat.copy())
    their_slots = {name: slot.copy() for name, slot in slots.items()}
    state = copy.zero_state(batch.inputs.shape[1])

    def step() -> None:
        result = engine.loss_and_gradient(copy, batch, state, dropout=settings.dropout)
        gradient = result.gradient
        engine.update(copy, their_slots, gradient, learning_rate=0.0, step=1, settings=settings)

    return step


def warm_up(
    group: ProcessGroup, engine: Engine, parameters: Parameters, step: Callable[[], object]
) -> None:
    """Have compiled what a run needs, by one rank of each machine before the others."""
    with group.local_rank_zero_first():
        step()
        if group.all_reduce:  # else an evaluation would be compiled by all ranks at once
            engine.score(parameters, np.zeros(2, np.int64))
