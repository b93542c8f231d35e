"""Ranks that encode a large text together leave what one process leaves, and say what it says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distributed import ranks
from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import sources
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import open_entry
from nextchar.text.reading import read_corpus

pytestmark = ranks.needs_mpi


@pytest.fixture
def folder(left: Callable[[int], Path]) -> Path:
    return left(4)


@pytest.fixture
def found(folder: Path) -> list[dict[str, Any]]:
    """What each rank says."""
    return [json.loads((folder / "encoded" / f"{rank}.json").read_text()) for rank in range(4)]


def content(entry: Path) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTCHAR_CACHE", str(entry.parent.parent))
        opened = open_entry(entry.stem)
    assert opened
    file, index, points, description = opened
    codes = CodeFile(file, index).read(0, index.total)
    return entry.name, codes.tolist(), points.tolist(), description


def test_the_entry_of_each_cache_is_that_of_one_process(
    folder: Path,
    found: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    monkeypatch.setattr(sources, "PIECE", 500)
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path))
    alone = read_corpus([folder / "good.txt"], TextSettings())
    expected = content(next((tmp_path / "texts").iterdir()))
    for cache in ("one", "other"):
        (only,) = (folder / "encoded" / cache / "texts").iterdir()  # nothing of those that failed
        assert content(only) == expected
    assert {each["said"]["good"] for each in found} == {alone.sha256}


def test_each_rank_encodes_a_part_and_none_the_second_time(
    found: list[dict[str, Any]], large_text: str
) -> None:
    first, again = zip(*(each["counts"] for each in found), strict=True)
    for group in (first[:2], first[2:]):
        assert sum(group) == len(large_text)
        assert min(group) > len(large_text) / 3
    assert again == (0, 0, 0, 0)
    assert {each["said"]["again"] for each in found} == {found[0]["said"]["good"]}


def test_progress_is_that_of_the_whole_text(found: list[dict[str, Any]], large_text: str) -> None:
    size = len(large_text.encode())
    assert found[0]["told"][-1] == [size, size]
    assert found[0]["told"] == sorted(found[0]["told"])


def test_a_bad_byte_is_told_as_one_process_tells_it(
    folder: Path, found: list[dict[str, Any]], large_text: str
) -> None:
    with pytest.raises(TextError, match=f"at byte {len(large_text.encode()) - ranks.BAD}") as error:
        read_corpus([folder / "bad.txt"], TextSettings())
    assert {each["said"]["bad"] for each in found} == {f"TextError: {error.value}"}


def test_a_rank_that_is_asked_to_stop_stops_all(found: list[dict[str, Any]]) -> None:
    assert {each["said"]["stopped"] for each in found} == {"InterruptedRun: stopped"}
