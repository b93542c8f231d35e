"""File format of codes: the bytes, the index, and the detection of damage."""

from __future__ import annotations

import io
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextchar.text.cache import entry_format as module
from nextchar.text.cache.entry_format import (
    CodeWriter,
    DamagedError,
    Index,
    read_index,
    write_index,
)

POINTS = np.arange(4, dtype=np.uint32)


def written(parts: list[Any]) -> tuple[io.BytesIO, Index]:
    file = io.BytesIO()
    writer = CodeWriter(file)
    for part in parts:
        writer.append(part)
    return file, writer.finish()


def whole_file() -> bytes:
    file, index = written([np.arange(4, dtype=np.uint8)] * 9)
    write_index(file, index, POINTS, {"inputs": "a"})
    return file.getvalue()


def test_codes_widen_where_they_must_and_nothing_is_written_twice() -> None:
    file, index = written([np.array([1, 2], "u1"), np.array([300], "u2"), np.array([3], "u1")])
    assert index.segments.tolist() == [[0, 0, 1], [2, 2, 2]]
    assert file.getvalue() == b"\x01\x02\x2c\x01\x03\x00"
    assert (index.total, index.size) == (4, 6)


@given(st.lists(st.lists(st.integers(0, 5), max_size=30), max_size=30), st.integers(1, 40))
def test_the_spans_count_every_code_however_often_they_are_joined(
    parts: list[list[int]], most: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SPAN", 8)
        patch.setattr(module, "MOST_COUNTS", most)
        _, index = written([np.array(part, np.uint8) for part in parts])
    codes = [code for part in parts for code in part]
    assert index.ends.tolist() == sorted(set(index.ends.tolist()))
    assert (index.ends[-1] if codes else 0) == len(codes)
    for start, end, counts in zip([0, *index.ends], index.ends, index.counts, strict=False):
        assert counts.tolist() == np.bincount(codes[start:end], minlength=len(counts)).tolist()


def test_memory_does_not_grow_with_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPAN", 1 << 16)
    monkeypatch.setattr(module, "MOST_COUNTS", 1 << 14)

    class Nowhere(io.RawIOBase):
        def write(self, data: Any) -> int:
            return len(data)

    def peak(pieces: int) -> int:
        writer = CodeWriter(Nowhere())  # type: ignore[arg-type]
        part = np.arange(1 << 16, dtype=np.uint16) % 1024
        tracemalloc.start()
        for _ in range(pieces):
            writer.append(part)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    assert peak(400) < peak(50) + (1 << 17)  # 350 more pieces have 46 MB


def test_the_index_comes_back() -> None:
    file, index = written([np.array([0, 1, 1], "u1"), np.array([3, 700], "u2")])
    points = np.arange(701, dtype=np.uint32)
    write_index(file, index, points, {"inputs": "a", "sha256": "b"})
    again, same_points, description = read_index(file)
    assert description == {"inputs": "a", "sha256": "b"}
    assert np.array_equal(same_points, points)
    assert again.total == index.total
    for name in ("segments", "checksums", "ends", "counts"):
        assert np.array_equal(getattr(again, name), getattr(index, name))


def test_a_file_cut_off_anywhere_is_detected() -> None:
    data = whole_file()
    for length in range(len(data)):
        with pytest.raises(DamagedError):
            read_index(io.BytesIO(data[:length]))


def test_a_file_with_something_in_its_middle_taken_out_or_added_is_detected() -> None:
    data = whole_file()
    for other in (data[1:], b"\0" + data, data[:5] + data[6:]):
        with pytest.raises(DamagedError, match="length"):
            read_index(io.BytesIO(other))


def test_a_changed_byte_of_the_index_is_detected() -> None:
    data = whole_file()
    for place in range(36, len(data)):
        changed = bytearray(data)
        changed[place] ^= 0x10
        with pytest.raises(DamagedError):
            read_index(io.BytesIO(bytes(changed)))


def test_a_file_of_another_kind_is_detected() -> None:
    for data in (b"", b"text" * 100):
        with pytest.raises(DamagedError, match="cut off"):
            read_index(io.BytesIO(data))
