"""Ranks that encode a large text together leave what one process leaves, and say what it says."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from distributed import ranks
from nextchar.config import TextSettings
from nextchar.errors import TextError
from nextchar.text import collector, sources
from nextchar.text.entries import open_entry
from nextchar.text.reading import read_corpus
from nextchar.text.stored import CodeFile

RANKS = 4
TEXT = "".join(random.Random(2).choices("abcdé中😀\n", k=4000)) + "".join(map(chr, range(300, 700)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the ranks left of the scenario `encoded`."""
    folder = tmp_path_factory.mktemp("encoded")
    (folder / "good.txt").write_text(TEXT, encoding="utf-8", newline="")
    data = bytearray(TEXT.encode())
    data[-700] = 0xFF
    (folder / "bad.txt").write_bytes(data)
    (folder / "third.txt").write_text(TEXT * 2, encoding="utf-8")
    status, _, said = ranks.run(RANKS, str(ranks.PROGRAM), "encoded", str(folder))
    assert status == 0, said
    return folder


@pytest.fixture(scope="module")
def found(folder: Path) -> list[dict[str, Any]]:
    """What each rank says."""
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(RANKS)]


def content(entry: Path) -> tuple[Any, ...]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEXTCHAR_CACHE", str(entry.parent.parent))
        opened = open_entry(entry.stem)
    assert opened
    file, index, points, description = opened
    codes = CodeFile(file, index).read(0, index.total)
    return entry.name, codes.tolist(), points.tolist(), description


@ranks.needs_mpi
def test_the_entry_of_each_cache_is_that_of_one_process(
    folder: Path, found: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "IN_MEMORY", 1000)
    monkeypatch.setattr(sources, "PIECE", 500)
    monkeypatch.setenv("NEXTCHAR_CACHE", str(folder / "alone"))
    alone = read_corpus([folder / "good.txt"], TextSettings())
    expected = content(next((folder / "alone" / "texts").iterdir()))
    for cache in ("one", "other"):
        (only,) = (folder / cache / "texts").iterdir()  # nothing of the texts that failed
        assert content(only) == expected
    assert {each["said"]["good"] for each in found} == {alone.sha256}


@ranks.needs_mpi
def test_each_rank_encodes_a_part_and_none_the_second_time(found: list[dict[str, Any]]) -> None:
    first, again = zip(*(each["counts"] for each in found), strict=True)
    for group in (first[:2], first[2:]):
        assert sum(group) == len(TEXT)
        assert min(group) > len(TEXT) / 3
    assert again == (0, 0, 0, 0)
    assert len({each["said"]["again"] for each in found}) == 1


@ranks.needs_mpi
def test_progress_is_that_of_the_whole_text(found: list[dict[str, Any]]) -> None:
    size = len(TEXT.encode())
    assert found[0]["told"][-1] == [size, size]
    assert found[0]["told"] == sorted(found[0]["told"])


@ranks.needs_mpi
def test_a_bad_byte_is_told_as_one_process_tells_it(
    folder: Path, found: list[dict[str, Any]]
) -> None:
    with pytest.raises(TextError, match=f"at byte {len(TEXT.encode()) - 700}") as error:
        read_corpus([folder / "bad.txt"], TextSettings())
    assert {each["said"]["bad"] for each in found} == {f"TextError: {error.value}"}


@ranks.needs_mpi
def test_a_rank_that_is_asked_to_stop_stops_all(found: list[dict[str, Any]]) -> None:
    assert {each["said"]["stopped"] for each in found} == {"InterruptedRun: stopped"}
