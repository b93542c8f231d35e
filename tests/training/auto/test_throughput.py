"""FLOPs of the products with weights, and the throughput measured in them."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.training.auto.throughput import Precision, flops_per_character, measure_throughput


def of(V: int = 10, **network: object) -> int:
    return flops_per_character(Architecture(NetworkSettings(**network), V))  # type: ignore[arg-type]


def test_each_weight_that_multiplies_is_six_operations() -> None:
    # W_hh and W_out; a one-hot input is looked up
    assert of(cell="rnn", hidden_size=8, num_layers=1) == 6 * (8 * 8 + 8 * 10)
    assert of(cell="lstm", hidden_size=8, num_layers=1) == 6 * (4 * 8 * 8 + 8 * 10)
    assert of(cell="gru", hidden_size=8, num_layers=2) == 6 * (3 * 3 * 8 * 8 + 8 * 10)


def test_an_embedding_is_looked_up_and_what_it_goes_through_multiplies() -> None:
    expected = 6 * (5 * 8 + 8 * 8 + 8 * 10)
    assert of(cell="rnn", hidden_size=8, num_layers=1, embedding_size=5) == expected


def test_a_tied_embedding_multiplies_as_output() -> None:
    expected = 6 * (8 * 8 + 8 * 8 + 8 * 10)
    assert of(cell="rnn", hidden_size=8, num_layers=1, embedding_size=8, tied=True) == expected


@pytest.mark.parametrize("threads", [1, 2])
def test_a_speed_is_a_number_of_operations_that_a_cpu_can_do(threads: int) -> None:
    speed = measure_throughput(65, threads, Precision(np.float32, bfloat16=False))
    assert 1e6 < speed < 1e15
