"""Sums of many parts: their second rounds begin in the order of parts, on every rank."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from distributed import ranks
from nextchar.distributed.allreduce import MPIAllReduce


class Rounds:
    """A sum in two rounds, the first of which a test ends."""

    def __init__(self, number: int, started: list[int]) -> None:
        self.number, self.started, self.is_over = number, started, False

    def poll(self) -> bool:
        if self.is_over and self.number not in self.started:
            self.started.append(self.number)
        return self.number in self.started

    def wait(self) -> None:
        raise AssertionError


def test_second_rounds_begin_in_the_order_of_parts_however_the_first_ones_end() -> None:
    for order in permutations(range(4)):
        started: list[int] = []
        sums = [Rounds(number, started) for number in range(4)]
        waiting = iter(sums)
        comm: Any = SimpleNamespace(rank=0)
        start_sum: Any = lambda comm, part, waiting=waiting: next(waiting)  # noqa: E731
        exchange = MPIAllReduce(comm, start_sum)
        for _ in sums:
            exchange.begin(np.zeros(1))
        for ended in order:
            sums[ended].is_over = True
            exchange.poll()
            assert started == list(range(len(started)))
            assert all(sums[number].is_over for number in started)
            assert len(started) == 4 or not sums[len(started)].is_over  # none waits without need
        assert started == [0, 1, 2, 3]


@ranks.needs_mpi
def test_sums_are_exact_where_first_rounds_end_in_another_order_on_each_rank(
    left: Callable[[int], Path],
) -> None:
    assert (left(3) / "sums" / "2.json").read_text() == '"exact"'
