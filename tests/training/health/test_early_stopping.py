"""Early stopping: the best evaluation, and patience with those after it."""

from __future__ import annotations

import pytest

from nextchar.training.health.early_stopping import is_out_of_patience, record_loss
from nextchar.training.saving.checkpoint import Progress


def test_the_lowest_loss_is_the_best_and_the_first_of_equal_ones() -> None:
    progress = Progress()
    is_best = []
    for step, loss in enumerate([3.0, 2.0, 2.5, 2.0, 1.0], 1):
        progress.step = step
        is_best.append(record_loss(progress, loss))
    assert is_best == [True, True, False, False, True]
    assert (progress.best_loss, progress.best_step) == (1.0, 5)
    assert progress.evaluations_since_best == 0


@pytest.mark.parametrize(("patience", "after"), [(1, 1), (3, 3), (None, None)])
def test_patience_ends_after_as_many_evaluations(patience: int | None, after: int | None) -> None:
    progress = Progress()
    record_loss(progress, 1.0)
    assert not is_out_of_patience(progress, patience)
    ended = []
    for number in range(1, 6):
        record_loss(progress, 2.0)
        if is_out_of_patience(progress, patience):
            ended.append(number)
    assert ended == ([] if after is None else list(range(after, 6)))
