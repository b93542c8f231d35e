"""A text that several encode gives the entry of one that is encoded by one process."""

from __future__ import annotations

import random
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import corpus, sources
from nextchar.text.cache import block_reader, entry_format, parallel, spooled
from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import open_entry
from nextchar.text.cache.entry_format import DamagedError
from nextchar.text.cache.parallel import EncodingAbortedError, MergedFile, PartFile, SplittableText
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.reading import read_corpus

PIECE = 200
SYMBOLS = [chr(n) for n in range(32, 0xD800) if n != 0xFDD0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, with everything so small that a text of some thousand bytes is a large one."""
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    monkeypatch.setattr(sources, "PIECE", PIECE)
    monkeypatch.setattr(corpus, "_SLICE", 30)
    monkeypatch.setattr(parallel, "_AT_ONCE", 50)
    monkeypatch.setattr(entry_format, "BLOCK", 64)
    monkeypatch.setattr(block_reader, "BLOCK", 64)
    monkeypatch.setattr(entry_format, "SPAN", 300)
    return tmp_path / "cache" / "texts"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "text"
    path.write_text("".join(random.Random(1).choices("abcdé中\n", k=3000)), encoding="utf-8")
    return path


def cuttable(*inputs: Path, **given: Any) -> SplittableText:
    return SplittableText(inputs, TextSettings(**given), ReadCallbacks())


def begun(text: SplittableText, number: int, stack: ExitStack) -> MergedFile:
    whole = text.begun(number)
    assert whole
    return stack.enter_context(whole)


def encode_in_parts(text: SplittableText, number: int) -> None:
    """What so many processes do, one after the other."""
    with ExitStack() as stack:
        whole = begun(text, number, stack)
        whole.encode()
        others = [
            stack.enter_context(PartFile()).encode(whole.plan, n, text.listener)
            for n in range(1, number)
        ]
        whole.merge(others)


def only_entry(folder: Path) -> tuple[Any, ...]:
    """What is in the cache: the codes, how often each occurs, symbols, and what is said of it."""
    (file,) = folder.iterdir()
    found = open_entry(file.stem)
    assert found
    stream, index, points, description = found
    codes = CodeFile(stream, index).read(0, index.total)
    return codes.tolist(), index.counts.sum(axis=0).tolist(), points.tolist(), description


def growing(chance: random.Random, size: int) -> str:
    """A text in which ever more symbols appear, many of them at about the same place."""
    return "".join(SYMBOLS[chance.randrange(n // 4 + 1)] for n in range(size))


@pytest.mark.parametrize("number", [1, 2, 3, 8])
@pytest.mark.parametrize("alphabet", ["characters", "bytes"])
def test_the_entry_is_that_of_one_process(
    number: int, alphabet: str, folder: Path, tmp_path: Path
) -> None:
    chance = random.Random(number)
    for turn in range(3):
        inputs = [tmp_path / f"{turn}{name}" for name in "abc"]
        for path, size in zip(inputs, chance.sample([50, 1500, 4000], 3), strict=True):
            path.write_text(growing(chance, size), encoding="utf-8", newline="")
        encode_in_parts(cuttable(*inputs, alphabet=alphabet), number)
        together = only_entry(folder)
        (file,) = folder.iterdir()
        file.unlink()
        one = read_corpus(inputs, TextSettings(alphabet=alphabet))  # type: ignore[arg-type]
        assert together == only_entry(folder)
        assert together[-1]["sha256"] == one.sha256
        (file,) = folder.iterdir()
        file.unlink()


def test_codes_beyond_two_bytes_come_out_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "_SLICE", 1 << 12)
    monkeypatch.setattr(sources, "PIECE", 1 << 14)
    many = [chr(n) for n in range(0x20, 0x13000) if not 0xD800 <= n < 0xE000]
    random.Random(3).shuffle(many)
    (tmp_path / "a").write_text("abc" * 2000 + "".join(many) + "abc" * 5000, encoding="utf-8")
    encode_in_parts(cuttable(tmp_path / "a"), 3)
    together = only_entry(folder)
    next(folder.iterdir()).unlink()
    read_corpus([tmp_path / "a"], TextSettings())
    assert together == only_entry(folder)
    assert len(together[2]) > 1 << 16


def test_a_byte_order_mark_is_text(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf" + b"abc" * 1000)
    encode_in_parts(cuttable(tmp_path / "a"), 2)
    together = only_entry(folder)
    next(folder.iterdir()).unlink()
    read_corpus([tmp_path / "a"], TextSettings())
    assert together == only_entry(folder)


def test_progress_ends_at_the_whole_text(path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    listener = ReadCallbacks(encoding=lambda done, total: told.append((done, total)))
    text = SplittableText([path], TextSettings(), listener)
    with ExitStack() as stack:
        whole = begun(text, 3, stack)
        whole.encode()
        others = [
            stack.enter_context(PartFile()).encode(whole.plan, n, ReadCallbacks()) for n in (1, 2)
        ]
        whole.merge(others)
    size = path.stat().st_size
    assert told == sorted(told, key=lambda each: each[0])
    assert told[-1] == (size, size)
    assert len(told) > size / PIECE / 3


@pytest.mark.parametrize("text", ["a" * 999, None])
def test_what_is_small_or_encoded_already_is_left_alone(text: str | None, path: Path) -> None:
    if text:
        path.write_text(text)
    else:
        read_corpus([path], TextSettings())
    assert cuttable(path).begun(2) is None


def test_what_is_no_file_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("pydoc", "-", "nothing.txt"):
        assert cuttable(Path(name)).files() == []
    assert cuttable().files() == []


def test_a_part_that_fails_stops_the_others_and_nothing_is_left(folder: Path, path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\xff")
    with ExitStack() as stack:
        whole = begun(cuttable(path), 2, stack)
        other = stack.enter_context(PartFile())
        with pytest.raises(TextError, match="not utf-8"):
            other.encode(whole.plan, 1, ReadCallbacks())
        whole.plan.give_up()
        with pytest.raises(EncodingAbortedError):
            whole.encode()
    assert list(folder.iterdir()) == []


def test_a_text_that_changes_meanwhile_is_not_kept(folder: Path, path: Path) -> None:
    with ExitStack() as stack:
        whole = begun(cuttable(path), 2, stack)
        whole.encode()
        other = stack.enter_context(PartFile()).encode(whole.plan, 1, ReadCallbacks())
        path.write_text("other " * 1000)
        with pytest.raises(TextError, match="has changed"):
            whole.merge([other])
    assert list(folder.iterdir()) == []


def test_a_part_that_was_damaged_is_not_merged(folder: Path, path: Path) -> None:
    with ExitStack() as stack:
        whole = begun(cuttable(path), 2, stack)
        whole.encode()
        other = stack.enter_context(PartFile()).encode(whole.plan, 1, ReadCallbacks())
        with (folder / other.name).open("r+b") as file:
            file.seek(100)
            file.write(b"\xff")
        with pytest.raises(DamagedError):
            whole.merge([other])
    assert list(folder.iterdir()) == []


def test_without_a_cache_nothing_is_begun(folder: Path, path: Path) -> None:
    folder.parent.write_text("a file is in the way")
    with pytest.raises(TextError, match="cannot be used"):
        cuttable(path).begun(2)


def test_the_checksum_is_given_up_with_the_text(path: Path) -> None:
    given_up = threading.Event()
    given_up.set()
    with pytest.raises(EncodingAbortedError):
        parallel._sha256([path], given_up)
