"""Batches: every pair of characters, every window, exactly once; compared with plain twins."""

from __future__ import annotations

import itertools
import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.settings.config import TrainingSettings
from nextchar.text.batches import Batch, StreamBatches, WindowBatches, make_batches

lengths = st.integers(2, 200)
batch_sizes = st.integers(1, 12)
seq_lengths = st.integers(1, 24)


def positions(length: int) -> np.ndarray:
    """A text in which each code is its position."""
    return np.arange(length, dtype=np.uint16)


def same(a: Batch, b: Batch) -> bool:
    return (
        np.array_equal(a.inputs, b.inputs)
        and np.array_equal(a.targets, b.targets)
        and a.fresh == b.fresh
    )


# stream


def naive_stream(
    text: list[int], batch_size: int, seq_length: int
) -> list[tuple[list[list[int]], list[list[int]]]]:
    """The (inputs, targets) of one epoch, each a list of rows over time."""
    pairs = list(itertools.pairwise(text))
    seq_length = min(seq_length, len(pairs))
    while batch_size * seq_length > len(pairs):
        batch_size -= 1
    each = len(pairs) // batch_size
    lanes = [pairs[lane * each : (lane + 1) * each] for lane in range(batch_size)]
    batches = []
    for start in range(0, each, seq_length):
        rows = range(start, min(start + seq_length, each))
        batches.append(
            (
                [[lane[row][0] for lane in lanes] for row in rows],
                [[lane[row][1] for lane in lanes] for row in rows],
            )
        )
    return batches


@given(lengths, batch_sizes, seq_lengths)
@example(2, 1, 1)
@example(2, 12, 24)
@example(3, 2, 1)
@example(10, 9, 1)
def test_the_stream_is_what_its_naive_twin_gives(
    length: int, batch_size: int, seq_length: int
) -> None:
    codes = positions(length)
    stream = StreamBatches(codes, batch_size, seq_length)
    naive = naive_stream(codes.tolist(), batch_size, seq_length)
    assert stream.steps_per_epoch == len(naive)
    for step, (inputs, targets) in enumerate(naive):
        batch = stream.at(step)
        assert batch.inputs.tolist() == inputs
        assert batch.targets.tolist() == targets
        assert batch.fresh == (step == 0)
        assert same(batch, stream.at(step + 3 * len(naive)))  # all epochs are equal


@given(lengths, batch_sizes, seq_lengths, st.integers(0, 5), st.integers(1, 3))
def test_with_a_seed_each_later_pass_is_that_of_the_text_begun_elsewhere(
    length: int, batch_size: int, seq_length: int, seed: int, epoch: int
) -> None:
    codes = positions(length)
    shifted = StreamBatches(codes, batch_size, seq_length, seed)
    plain = StreamBatches(codes, batch_size, seq_length)
    steps = plain.steps_per_epoch
    assert all(same(shifted.at(step), plain.at(step)) for step in range(steps))
    first = int(shifted.at(epoch * steps).inputs[0, 0])
    for step in range(steps):
        batch, unshifted = shifted.at(epoch * steps + step), plain.at(step)
        expected = (unshifted.inputs.astype(int) + first) % (length - 1)
        assert batch.inputs.tolist() == expected.tolist()
        assert batch.targets.tolist() == (expected + 1).tolist()
        assert batch.fresh == (step == 0)


def test_the_seed_and_the_pass_choose_where_lanes_begin() -> None:
    def starts(seed: int) -> list[int]:
        stream = StreamBatches(positions(200), 4, 8, seed)
        return [int(stream.at(e * stream.steps_per_epoch).inputs[0, 0]) for e in range(8)]

    assert starts(1) == starts(1) != starts(2)
    assert len(set(starts(1))) == 8


@given(lengths, batch_sizes, seq_lengths)
def test_every_pair_of_the_used_part_is_read_once_an_epoch(
    length: int, batch_size: int, seq_length: int
) -> None:
    stream = StreamBatches(positions(length), batch_size, seq_length)
    pairs: Counter[tuple[int, int]] = Counter()
    for step in range(stream.steps_per_epoch):
        batch = stream.at(step)
        pairs.update(
            zip(batch.inputs.ravel().tolist(), batch.targets.ravel().tolist(), strict=True)
        )
    used = sum(pairs.values())
    assert pairs == Counter((i, i + 1) for i in range(used))
    assert 0 <= length - 1 - used < stream.batch_size  # the rest is less than one character a lane


@given(lengths, batch_sizes, seq_lengths)
def test_each_lane_goes_on_where_it_stopped(length: int, batch_size: int, seq_length: int) -> None:
    stream = StreamBatches(positions(length), batch_size, seq_length)
    for step in range(stream.steps_per_epoch - 1):
        before, after = stream.at(step), stream.at(step + 1)
        assert np.array_equal(before.targets[-1], after.inputs[0])
        assert not after.fresh
    assert stream.at(stream.steps_per_epoch).fresh


@given(lengths, batch_sizes, seq_lengths)
def test_only_the_last_batch_of_the_stream_is_shorter(
    length: int, batch_size: int, seq_length: int
) -> None:
    stream = StreamBatches(positions(length), batch_size, seq_length)
    shapes = [stream.at(step).inputs.shape for step in range(stream.steps_per_epoch)]
    assert set(shapes[:-1]) <= {(stream.seq_length, stream.batch_size)}
    assert shapes[-1][1] == stream.batch_size
    assert 1 <= shapes[-1][0] <= stream.seq_length


def test_a_text_that_fills_its_lanes_uses_all_that_was_asked() -> None:
    stream = StreamBatches(positions(8 * 16 + 1), 8, 16)
    assert (stream.batch_size, stream.seq_length, stream.steps_per_epoch) == (8, 16, 1)


def test_a_short_text_has_fewer_lanes() -> None:
    stream = StreamBatches(positions(50), 32, 16)
    assert (stream.batch_size, stream.seq_length) == (3, 16)


def test_a_text_shorter_than_a_sequence_is_one_lane_of_its_length() -> None:
    stream = StreamBatches(positions(5), 32, 64)
    assert (stream.batch_size, stream.seq_length, stream.steps_per_epoch) == (1, 4, 1)
    assert stream.at(0).inputs.ravel().tolist() == [0, 1, 2, 3]


def test_two_characters_are_enough_for_a_stream() -> None:
    batch = StreamBatches(positions(2), 1, 1).at(7)
    assert batch.inputs.tolist() == [[0]]
    assert batch.targets.tolist() == [[1]]
    assert batch.fresh


def test_one_lane_reads_the_text_from_left_to_right() -> None:
    stream = StreamBatches(positions(11), 1, 4)
    read = [stream.at(step).inputs.ravel().tolist() for step in range(3)]
    assert read == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


# windows


def epoch_of(windows: WindowBatches, epoch: int) -> list[Batch]:
    first = epoch * windows.steps_per_epoch
    return [windows.at(first + step) for step in range(windows.steps_per_epoch)]


def starts_of(windows: WindowBatches, epoch: int) -> list[int]:
    """The first character of each window in the order of an epoch."""
    return [start for batch in epoch_of(windows, epoch) for start in batch.inputs[0].tolist()]


@given(lengths, batch_sizes, seq_lengths, st.integers(1, 30), st.integers(0, 2**63 - 1))
@example(2, 1, 1, 1, 0)
@example(2, 12, 24, 30, 2**63 - 1)
def test_every_window_is_read_once_an_epoch(
    length: int, batch_size: int, seq_length: int, stride: int, seed: int
) -> None:
    windows = WindowBatches(positions(length), batch_size, seq_length, stride, seed)
    seq = min(seq_length, length - 1)
    naive = [
        list(range(start, start + seq + 1))  # with the last one's target
        for start in range(0, length, stride)
        if start + seq < length
    ]
    for epoch in 0, 1, 5:
        read = [
            [*batch.inputs[:, lane].tolist(), int(batch.targets[-1, lane])]
            for batch in epoch_of(windows, epoch)
            for lane in range(batch.inputs.shape[1])
        ]
        assert sorted(read) == naive


@given(lengths, batch_sizes, seq_lengths, st.integers(1, 30))
def test_targets_are_the_inputs_moved_by_one_and_every_window_is_fresh(
    length: int, batch_size: int, seq_length: int, stride: int
) -> None:
    for batch in epoch_of(WindowBatches(positions(length), batch_size, seq_length, stride, 1), 2):
        assert np.array_equal(batch.targets, batch.inputs + 1)
        assert batch.fresh


@given(lengths, batch_sizes, seq_lengths, st.integers(1, 30))
def test_only_the_last_batch_of_windows_has_fewer_lanes(
    length: int, batch_size: int, seq_length: int, stride: int
) -> None:
    windows = WindowBatches(positions(length), batch_size, seq_length, stride, 1)
    shapes = [batch.inputs.shape for batch in epoch_of(windows, 0)]
    assert set(shapes[:-1]) <= {(windows.seq_length, windows.batch_size)}
    assert shapes[-1][0] == windows.seq_length
    assert 1 <= shapes[-1][1] <= windows.batch_size
    assert sum(lanes for _, lanes in shapes) == windows.windows


def test_the_order_of_windows_differs_between_epochs() -> None:
    windows = WindowBatches(positions(500), 8, 10, 10, seed=3)
    orders = {tuple(starts_of(windows, epoch)) for epoch in range(30)}
    assert len(orders) == 30
    assert tuple(range(0, 490, 10)) not in orders


@given(st.integers(0, 2**63 - 1), st.integers(0, 10))
def test_the_same_seed_gives_the_same_windows(seed: int, epoch: int) -> None:
    a, b = (WindowBatches(positions(80), 4, 5, 3, seed) for _ in range(2))
    assert all(map(same, epoch_of(a, epoch), epoch_of(b, epoch)))


def test_another_seed_gives_another_order() -> None:
    orders = {tuple(starts_of(WindowBatches(positions(500), 8, 10, 10, s), 0)) for s in range(30)}
    assert len(orders) == 30


def test_no_seed_repeats_the_epochs_of_the_one_before() -> None:
    a, b = (WindowBatches(positions(500), 8, 10, 10, seed) for seed in (1, 2))
    assert not {tuple(starts_of(a, epoch)) for epoch in range(9)} & {
        tuple(starts_of(b, epoch)) for epoch in range(9)
    }


def test_a_text_shorter_than_a_window_is_one_window() -> None:
    windows = WindowBatches(positions(6), 32, 64, 64, 1)
    assert (windows.batch_size, windows.seq_length, windows.steps_per_epoch) == (1, 5, 1)
    assert windows.at(4).inputs.ravel().tolist() == [0, 1, 2, 3, 4]


def test_a_stride_beyond_the_window_leaves_characters_out() -> None:
    windows = WindowBatches(positions(20), 1, 3, 8, 1)
    assert sorted(starts_of(windows, 0)) == [0, 8, 16]


def test_windows_of_a_long_text_are_not_made_before_they_are_used() -> None:
    codes = np.zeros(5_000_000, dtype=np.uint8)
    tracemalloc.start()
    windows = WindowBatches(codes, 32, 64, stride=1, seed=1)
    windows.at(0)
    windows.at(windows.steps_per_epoch * 3 - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert windows.windows == 5_000_000 - 64
    assert peak < 1_000_000  # bytes; all windows would be 320 MB, all starts 40 MB


def test_a_long_text_is_not_copied_for_the_stream() -> None:
    codes = np.zeros(5_000_000, dtype=np.uint8)
    tracemalloc.start()
    StreamBatches(codes, 32, 64).at(9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes; the text has five million


# either kind


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("batching", ["stream", "windows"])
def test_batches_keep_the_type_of_the_codes_and_lie_in_memory_by_time(
    batching: str, dtype: type
) -> None:
    batches = make_batches(np.arange(200, dtype=dtype), TrainingSettings(batching=batching))
    batch = batches.at(0)
    for array in batch.inputs, batch.targets:
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.shape == (batches.seq_length, batches.batch_size)


@given(lengths, st.sampled_from(["stream", "windows"]), st.integers(0, 10_000))
def test_a_batch_follows_from_its_step_alone(length: int, batching: str, step: int) -> None:
    settings = TrainingSettings(batching=batching, batch_size=3, seq_length=7)
    used, new = (make_batches(positions(length), settings) for _ in range(2))
    for other in 0, 99, step + 1:
        used.at(other)
    assert same(used.at(step), new.at(step))


def test_the_settings_choose_the_kind() -> None:
    codes = positions(100)
    stream = make_batches(codes, TrainingSettings(seq_length=9, batch_size=2))
    assert isinstance(stream, StreamBatches)
    assert (stream.seq_length, stream.batch_size) == (9, 2)
    windows = make_batches(
        codes, TrainingSettings(batching="windows", seq_length=9, batch_size=2, stride=4)
    )
    assert isinstance(windows, WindowBatches)
    assert sorted(starts_of(windows, 0)) == list(range(0, 91, 4))


def test_windows_are_adjacent_by_default() -> None:
    windows = make_batches(positions(100), TrainingSettings(batching="windows", seq_length=9))
    assert isinstance(windows, WindowBatches)
    assert sorted(starts_of(windows, 0)) == list(range(0, 91, 9))


def test_the_seed_of_the_settings_orders_the_windows() -> None:
    orders = []
    for seed in 1, 2, 1:
        settings = TrainingSettings(batching="windows", seq_length=2, seed=seed)
        windows = make_batches(positions(100), settings)
        assert isinstance(windows, WindowBatches)
        orders.append(starts_of(windows, 0))
    assert orders[0] == orders[2]
    assert orders[0] != orders[1]
