"""Prefetching changes no batch and hides no error."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.errors import TextError
from nextchar.settings.config import Settings
from nextchar.text.batches import Batch, make_batches
from nextchar.text.prefetch import AHEAD, PrefetchedBatches


def test_the_batches_are_the_same_in_any_order_of_steps() -> None:
    codes = np.arange(1000).astype(np.uint8)
    training = Settings.make(batch_size=4, seq_length=9, batching="windows").training
    batches = make_batches(codes, training)
    ahead = PrefetchedBatches(batches)
    assert ahead.steps_per_epoch == batches.steps_per_epoch
    for step in [0, 0, 1, 2, 3, 4, 5, 100, 101, 3, 4, 200]:
        one, other = ahead.at(step), batches.at(step)
        assert np.array_equal(one.inputs, other.inputs)
        assert np.array_equal(one.targets, other.targets)
        assert one.fresh == other.fresh


class Counting:
    batch_size = seq_length = steps_per_epoch = 1

    def __init__(self) -> None:
        self.asked: list[int] = []

    def at(self, step: int) -> Batch:
        self.asked.append(step)
        if step == 20:
            raise TextError("damaged")
        return Batch(np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), fresh=True)


def test_each_batch_is_made_once_and_a_few_are_ready() -> None:
    batches = Counting()
    ahead = PrefetchedBatches(batches)
    for step in range(6):
        ahead.at(step)
    ahead._thread.shutdown()
    assert batches.asked == list(range(6 + AHEAD))


def test_an_error_comes_at_its_own_step() -> None:
    ahead = PrefetchedBatches(Counting())
    for step in range(15, 20):
        ahead.at(step)
    with pytest.raises(TextError, match="damaged"):
        ahead.at(20)
