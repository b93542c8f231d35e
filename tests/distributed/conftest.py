"""Files that ranks write, for many tests from one start of MPI."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from distributed import ranks


@pytest.fixture(scope="session")
def large_text() -> str:
    """Text that ranks read; it has each kind of character in UTF-8, and many."""
    text = "".join(random.Random(2).choices("abcdé中😀\n", k=4000))
    return text + "".join(map(chr, range(300, 700)))


@pytest.fixture(scope="session")
def left(tmp_path_factory: pytest.TempPathFactory, large_text: str) -> Callable[[int], Path]:
    """The folder in which so many ranks left what their scenarios came to, one in each."""

    @cache
    def run(size: int) -> Path:
        folder = tmp_path_factory.mktemp(f"ranks{size}")
        (folder / "good.txt").write_text(large_text, encoding="utf-8", newline="")
        data = bytearray(large_text.encode())
        data[-ranks.BAD] = 0xFF
        (folder / "bad.txt").write_bytes(data)
        (folder / "third.txt").write_text(large_text * 2, encoding="utf-8", newline="")
        ranks.scenarios(size, folder)
        return folder

    return run
