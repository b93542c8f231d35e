"""Parts of a text are read in the very pieces of the undivided text."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import sources
from nextchar.text.cache.partition import Part, can_be_cut, cut
from nextchar.text.sources import find_sources, read_symbols

CHARACTERS = "ab \né中😀"  # of one to four bytes
PIECE = 64


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "PIECE", PIECE)


def pieces(some: list[sources.Source], settings: TextSettings) -> list[Any]:
    return [piece for piece in read_symbols(some, settings) if piece]


@pytest.mark.parametrize("alphabet", ["characters", "bytes"])
@pytest.mark.parametrize("number", [1, 2, 3, 5, 40])
def test_parts_give_the_pieces_of_the_whole(number: int, alphabet: str, tmp_path: Path) -> None:
    chance, settings = random.Random(number), TextSettings(alphabet=alphabet)  # type: ignore[arg-type]
    for turn in range(20):
        folder = tmp_path / f"{turn}"
        folder.mkdir()
        for name in "abcd":  # some are empty, some smaller than a piece
            text = "".join(chance.choices(CHARACTERS, k=chance.choice([0, 10, 500])))
            (folder / name).write_text(text, encoding="utf-8", newline="")
        whole = find_sources([folder], settings)
        parts = cut(
            [path for each in whole if (path := each.path)], number, is_bytes=alphabet == "bytes"
        )
        assert len(parts) == number
        assert sum(part.size for part in parts) == sum(
            path.stat().st_size for path in folder.iterdir()
        )
        found = [piece for part in parts for piece in pieces(part.sources(), settings)]
        assert found == pieces(whole, settings)


def test_parts_are_nearly_of_a_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("é" * 5000, encoding="utf-8")
    sizes = [part.size for part in cut([tmp_path / "a"], 7, is_bytes=False)]
    assert max(sizes) - min(sizes) <= 2 * PIECE


def test_a_part_begins_where_a_character_does(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for before in range(4):
        path.write_text("a" * before + "😀" * PIECE, encoding="utf-8")
        one, other = cut([path], 2, is_bytes=False)
        (begins,) = (each.start for each in other.ranges)
        assert (begins - before) % 4 == 0
        assert 0 <= 2 * PIECE - begins < 4
        assert one.size == begins


@pytest.mark.parametrize("bad", [b"\x80" * 300, b"a" * 127 + b"\xf0" + b"a" * 100])
def test_bytes_that_are_no_text_are_so_in_a_part(bad: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(bad)
    both = [each for part in cut([path], 2, is_bytes=False) for each in part.sources()]
    with pytest.raises(TextError, match="not utf-8"):
        list(read_symbols(both, TextSettings()))


def test_a_text_without_bytes_has_empty_parts(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert cut([tmp_path / "a"], 3, is_bytes=False) == [Part(())] * 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"encoding": "UTF8"}, True),
        ({"alphabet": "bytes"}, True),
        ({"encoding": "utf-8-sig"}, False),  # its first bytes are no text
        ({"encoding": "utf-16"}, False),
        ({"normalize": "NFC"}, False),
        ({"records": "line"}, False),
        ({"alphabet": "bytes", "records": "line"}, False),
    ],
)
def test_what_bytes_alone_tell_can_be_cut(
    given: dict[str, Any], expected: bool, tmp_path: Path
) -> None:
    settings = TextSettings(**given)
    (tmp_path / "a").write_text("abc")
    assert can_be_cut(find_sources([tmp_path / "a"], settings), settings) is expected


def test_what_is_no_plain_file_cannot_be_cut(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_text("abc")
    for name in [tmp_path / "a.gz", "-"]:
        assert not can_be_cut(find_sources([name], TextSettings()), TextSettings())
