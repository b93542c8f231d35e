"""Block reader: the same numbers from the file and from memory, a bounded number of blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nextchar.text.cache import block_reader as module
from nextchar.text.cache import entry_format
from nextchar.text.cache.block_reader import BlockReader
from nextchar.text.cache.entry_format import CodeWriter, DamagedError

CODES = np.arange(300, 700, dtype=np.uint16)  # 800 bytes: 50 blocks of 16


@pytest.fixture
def blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BlockReader]:
    for each in (module, entry_format):
        monkeypatch.setattr(each, "BLOCK", 16)
    monkeypatch.setattr(module, "SLOTS", 8)
    with (tmp_path / "codes").open("w+b") as file:
        writer = CodeWriter(file)
        writer.append(CODES)
        yield BlockReader(file, writer.finish())


def test_bytes_are_those_of_the_file(blocks: BlockReader, tmp_path: Path) -> None:
    data = (tmp_path / "codes").read_bytes()
    for first, last in ((0, 1), (5, 16), (15, 17), (31, 700), (799, 800), (0, 800)):
        assert blocks.read(first, last) == data[first:last]


def test_numbers_are_the_same_when_their_block_has_gone_and_come_back(blocks: BlockReader) -> None:
    for start in (0, 100, 200, 300, 0, 7, 380, 0):
        places = np.arange(start, start + 20)[:, None]  # in at most 4 blocks
        gathered = blocks.gather(places, 2)
        assert gathered is not None
        assert np.array_equal(gathered, CODES[places])


def test_what_is_in_more_blocks_than_are_kept_is_not_gathered(blocks: BlockReader) -> None:
    assert blocks.gather(np.arange(0, 400, 8), 2) is None
    assert blocks.gather(np.arange(0, 32, 8), 2) is not None
    assert blocks.gather(np.arange(0, 72, 8), 2) is None  # one block too many


def test_what_is_kept_is_not_read_again(blocks: BlockReader, tmp_path: Path) -> None:
    places = np.arange(20)
    blocks.gather(places, 2)
    (tmp_path / "codes").write_bytes(bytes(800))
    gathered = blocks.gather(places, 2)
    assert gathered is not None
    assert np.array_equal(gathered, CODES[places])
    with pytest.raises(DamagedError, match="block 5 has changed"):
        blocks.gather(places + 40, 2)
    with pytest.raises(DamagedError, match="block 0 has changed"):
        blocks.read(0, 1)
