"""Rounding to bfloat16: nearest, ties to even, NaN stays NaN; two rounds of a sum."""

from __future__ import annotations

from typing import Any

import numpy as np

from nextchar.distributed.compressed_allreduce import BFloat16, BFloat16Sum, to_bfloat16, to_float32


def test_what_has_eight_digits_is_kept() -> None:
    exact = np.array([0, -0.0, 1, -2.5, 255, 2.0**100, -(2.0**-100), np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(to_float32(to_bfloat16(exact)), exact)
    assert np.signbit(to_float32(to_bfloat16(exact)))[1]


def test_numbers_go_to_the_nearest_and_ties_to_the_even_one() -> None:
    given = np.array([1 + 2**-9, 1 + 2**-8, 1 + 3 * 2**-8, 1 + 2**-8 + 2**-20], np.float32)
    wanted = np.array([1, 1, 1 + 2**-6, 1 + 2**-7], np.float32)
    np.testing.assert_array_equal(to_float32(to_bfloat16(given)), wanted)


def test_the_error_is_at_most_half_of_the_last_digit(rng: np.random.Generator) -> None:
    given = rng.standard_normal(10_000).astype(np.float32)
    error = np.abs(to_float32(to_bfloat16(given)) - given)
    assert (error <= np.abs(given) * 2**-8).all()


def test_each_number_is_rounded_by_itself_however_many_there_are(rng: np.random.Generator) -> None:
    given = rng.standard_normal(70_001).astype(np.float32)
    given[[5, 40_000]] = np.nan
    rounded = to_bfloat16(given)
    some = [0, 5, 32_767, 32_768, 40_000, 65_536, 70_000]
    np.testing.assert_array_equal(rounded[some], [to_bfloat16(given[n : n + 1])[0] for n in some])


def test_not_a_number_stays_none_whatever_its_bits() -> None:
    given = np.array([0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001], np.uint32).view(np.float32)
    assert np.isnan(to_float32(to_bfloat16(given))).all()


def test_double_numbers_are_rounded_too() -> None:
    np.testing.assert_array_equal(to_float32(to_bfloat16(np.array([1.0, 3.0]))), [1, 3])


class Request:
    """The request of a message that a test ends."""

    is_done = False

    def Test(self) -> bool:  # noqa: N802
        return self.is_done


class Comm:
    """A communicator of one rank, with the messages that have started."""

    size = 1

    def __init__(self) -> None:
        self.started: list[Request] = []

    def Ialltoall(self, sent: BFloat16, received: BFloat16) -> Request:  # noqa: N802
        received[:] = sent
        self.started.append(Request())
        return self.started[-1]

    def Iallgather(self, sent: BFloat16, received: BFloat16) -> Request:  # noqa: N802
        received[:] = sent
        self.started.append(Request())
        return self.started[-1]


def test_the_second_round_has_a_communicator_of_its_own_and_begins_once() -> None:
    first, second, part = Comm(), Comm(), np.array([1.0, 2.5], np.float32)
    make_sum: Any = BFloat16Sum
    pending = make_sum(first, second, part)
    assert not pending.poll()
    assert (len(first.started), len(second.started)) == (1, 0)
    first.started[0].is_done = True
    assert pending.poll()
    assert (len(first.started), len(second.started)) == (1, 1)
    second.started[0].is_done = True
    assert pending.poll()
    assert pending.poll()
    assert (len(first.started), len(second.started)) == (1, 1)
    np.testing.assert_array_equal(part, [1, 2.5])
