"""Codes on disk equal the same codes in memory, or are reported as damaged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.text.batches import StreamBatches
from nextchar.text.cache import block_reader
from nextchar.text.cache import disk_codes as module
from nextchar.text.cache import entry_format as store_module
from nextchar.text.cache.disk_codes import CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.entry_format import CodeWriter


@pytest.fixture(autouse=True)
def small_blocks() -> Iterator[None]:
    """Blocks and spans so small that a few codes fill many of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "BLOCK", 16)
        patch.setattr(block_reader, "BLOCK", 16)
        patch.setattr(block_reader, "SLOTS", 8)
        patch.setattr(module, "CHUNK", 10)
        patch.setattr(store_module, "SPAN", 7)
        yield


def in_file(path: Path, parts: list[Any]) -> CodeFile:
    file = path.open("w+b")
    writer = CodeWriter(file)
    for part in parts:
        writer.append(part)
    return CodeFile(file, writer.finish())


@st.composite
def widening(draw: st.DrawFn) -> list[Any]:
    """Parts of codes that become wider."""
    parts = []
    for dtype, high in (("u1", 255), ("u2", 400), ("u4", 70_000)):
        for part in draw(st.lists(st.lists(st.integers(0, high), max_size=40), max_size=3)):
            parts.append(np.array(part, dtype))
    return parts


@given(widening(), st.data())
def test_any_part_reads_as_it_does_in_memory(parts: list[Any], data: st.DataObject) -> None:
    codes = np.concatenate([*parts, np.zeros(1, "u4")])
    with tempfile.TemporaryDirectory() as folder:
        store = RepairingReader(in_file(Path(folder) / "codes", [*parts, np.zeros(1, "u4")]))
        start = data.draw(st.integers(0, len(codes)))
        stop = data.draw(st.integers(start, len(codes)))
        assert np.array_equal(store.read(start, stop), codes[start:stop])
        counts = store.counts(start, stop)
        assert np.array_equal(counts, np.bincount(codes[start:stop], minlength=len(counts)))
        whole = DiskCodes.whole(store)
        assert len(whole) == len(codes)
        assert np.array_equal(whole[start:stop], codes[start:stop])
        length = data.draw(st.integers(1, min(len(codes), 40)))
        starts = data.draw(st.lists(st.integers(0, len(codes) - length), min_size=1, max_size=12))
        places = np.array(starts) + np.arange(length)[:, None]
        for _ in range(2):  # from the file, then from memory
            assert np.array_equal(whole[places], codes[places])
        part = whole.part(start, stop)
        assert np.array_equal(part[1:], codes[start:stop][1:])
        del store, whole, part


@pytest.fixture
def codes(rng: np.random.Generator) -> Any:
    return rng.integers(0, 5, 500).astype(np.uint8)


@pytest.fixture
def stored(codes: Any, tmp_path: Path) -> DiskCodes:
    return DiskCodes.whole(RepairingReader(in_file(tmp_path / "codes", [codes])))


def test_windows_are_those_of_an_array(codes: Any, stored: DiskCodes) -> None:
    places = np.array([0, 100, 483]) + np.arange(17)[:, None]
    assert np.array_equal(stored[places], codes[places])
    held = np.minimum(places, 490)  # a lane that ends before the others
    assert np.array_equal(stored[held], codes[held])


def test_codes_are_renumbered_where_they_are_read(codes: Any, stored: DiskCodes) -> None:
    code_of = np.array([9, 8, 7, 6, 5], np.uint8)
    numbered = stored.part(50, 450).numbered(code_of, np.zeros(5, bool))
    expected = code_of[codes[50:450]]
    places = np.array([3, 200]) + np.arange(9)[:, None]
    assert np.array_equal(numbered[:], expected)
    assert np.array_equal(numbered[places], expected[places])
    assert numbered.dtype == expected.dtype
    assert numbered.min() <= expected.min() <= expected.max() <= numbered.max()


def test_lanes_that_begin_elsewhere_read_the_same_past_the_texts_end(
    codes: Any, stored: DiskCodes
) -> None:
    on_disk, in_memory = (StreamBatches(each, 3, 7, seed=5) for each in (stored, codes))
    for step in range(6 * in_memory.steps_per_epoch):
        one, other = on_disk.at(step), in_memory.at(step)
        assert np.array_equal(one.inputs, other.inputs)
        assert np.array_equal(one.targets, other.targets)


@pytest.mark.parametrize("others", [[], [30, 100, 170, 240, 310, 380]], ids=["few", "many"])
def test_a_column_that_goes_on_at_the_beginning_reads_as_it_does_in_memory(
    others: list[int], codes: Any, stored: DiskCodes
) -> None:
    places = (np.array([490, *others]) + np.arange(25)[:, None]) % 500  # in more blocks than SLOTS
    assert np.array_equal(stored[places], codes[places])


def test_what_is_lacking_is_left_out(codes: Any, stored: DiskCodes) -> None:
    lacking = np.array([False, True, False, False, True])
    numbered = stored.part(33, 477).numbered(np.arange(5, dtype=np.uint8), lacking)
    expected = codes[33:477][~lacking[codes[33:477]]]
    assert len(numbered) == len(expected)
    for part in (slice(None), slice(0, 10), slice(25, 90), slice(0, 10_000), slice(5, 5)):
        assert np.array_equal(numbered[part], expected[part])


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("place", [0, 15, 16, 250, 499])
def test_a_changed_byte_is_noticed_where_it_is_read(
    place: int, codes: Any, stored: DiskCodes, tmp_path: Path
) -> None:
    flip(tmp_path / "codes", place)
    far = 400 if place < 300 else 100
    assert np.array_equal(stored[far : far + 10], codes[far : far + 10])
    with pytest.raises(TextError, match=r"damaged while it was used .* has changed"):
        stored[place : place + 1]
    with pytest.raises(TextError, match="--resume"):
        stored[:]


def test_a_file_that_became_shorter_is_noticed(stored: DiskCodes, tmp_path: Path) -> None:
    with (tmp_path / "codes").open("r+b") as file:
        file.truncate(300)
    stored[:100]
    with pytest.raises(TextError, match="cut off"):
        stored[290:310]


def test_a_damaged_file_is_made_anew_where_it_can_be(codes: Any, tmp_path: Path) -> None:
    made = []

    def repair() -> CodeFile:
        made.append(1)
        return in_file(tmp_path / "again", [codes])

    stored = DiskCodes.whole(RepairingReader(in_file(tmp_path / "codes", [codes]), repair))
    flip(tmp_path / "codes", 77)
    assert np.array_equal(stored[:], codes)
    assert np.array_equal(stored[70:80], codes[70:80])
    assert made == [1]
