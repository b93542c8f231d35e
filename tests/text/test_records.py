"""Records: one boundary between them and at both ends, however the text comes in."""

from __future__ import annotations

import gzip
import io
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.settings.config import RESERVED, TextSettings
from nextchar.text import sources
from nextchar.text.cache.entries import name_of
from nextchar.text.records import boundary_of
from nextchar.text.sources import as_symbols, find_sources, read_symbols

DELIMITERS = ["line", "file", "%%", r"\n\n", "aba", r"\r", "%", r"\n%\n"]
NAMES = ["赵钱孙李", "周吴郑王", "冯陈褚卫"]


def naive(text: str, records: str) -> str:
    """A text as records, all at once."""
    if records == "line":
        found = f"{text}\n".replace("\r\n", "\n").split("\n")  # its end is a line's
    else:
        text = text.replace("\r\n", "\n")
        mark = records.encode().decode("unicode_escape")
        found = [each.strip("\n") for each in ([text] if records == "file" else text.split(mark))]
    mark = "\n" if records == "line" else RESERVED
    return "".join(mark + each for each in found if each) + mark * any(found)


def read(inputs: list[Path | str], **settings: Any) -> Any:
    how = TextSettings(**settings)
    pieces: list[Any] = list(read_symbols(find_sources(inputs, how), how))
    return b"".join(pieces) if how.alphabet == "bytes" else "".join(pieces)


def as_text(text: str | bytes, **settings: Any) -> Any:
    return text[:0].join(as_symbols([text], TextSettings(**settings)))


@given(
    st.sampled_from(DELIMITERS),
    st.text("ab\n\r%", max_size=40),
    st.lists(st.integers(0, 40), max_size=5),
)
@example(r"\n\n", "a\n\n\nb\r\n\r\nc\n", [2, 3, 6, 7])
@example("aba", "%\r\r\r\n\r", [4])
@example("%%", "\n%%\n%%%\n", [])
def test_records_are_what_a_naive_split_gives_however_the_text_is_cut(
    records: str, text: str, cuts: list[int]
) -> None:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(places)]
    assert "".join(as_symbols(pieces, TextSettings(records=records))) == naive(text, records)


@given(st.binary(max_size=60), st.integers(0, 60), st.sampled_from([0, 10, 200]))
def test_records_of_bytes_end_with_one_byte(data: bytes, cut: int, end: int) -> None:
    settings = TextSettings(alphabet="bytes", records=f"\\x{end:02x}")
    read = b"".join(as_symbols([data[:cut], data[cut:]], settings))
    whole = (data + b"\n").replace(b"\r\n", b"\n") if end == 10 else data  # others stay as they are
    mark = bytes([end])
    assert read.strip(mark).split(mark) == [each for each in whole.split(mark) if each] or [b""]
    assert mark * 2 not in read
    assert read[:1] == read[-1:] == (mark if any(whole.split(mark)) else b"")


def test_without_records_a_text_stays_as_it_is() -> None:
    assert as_text("\r\n\n%%\n") == "\r\n\n%%\n"
    assert boundary_of(TextSettings()) is None


def test_each_file_ends_a_record(tmp_path: Path) -> None:
    for name, text in {"a": "Anna\nBerta", "b": "\r\nCarl\r\n\r\n", "c": ""}.items():
        (tmp_path / name).write_bytes(text.encode())
    assert read([tmp_path], records="line") == "\nAnna\nBerta\nCarl\n"
    assert read([tmp_path], records="file") == "▮Anna\nBerta▮Carl▮".replace("▮", RESERVED)
    assert read([tmp_path], records="er") == "▮Anna\nB▮ta▮Carl▮".replace("▮", RESERVED)
    assert read([tmp_path], records="line", alphabet="bytes") == b"\nAnna\nBerta\nCarl\n"


def test_short_lines_of_chinese_are_records(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES), encoding="gb18030")
    path = tmp_path / "names.txt"
    assert read([path], records="line", encoding="gb18030") == "\n" + "\n".join(NAMES) + "\n"
    assert as_text("。".join(NAMES), records="。") == RESERVED + RESERVED.join(NAMES) + RESERVED


def test_records_come_from_compressed_files_standard_input_and_data_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a\n\nb"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"c\nd")))
    whole = read([tmp_path / "a.gz", "-", "pydoc"], records="line")
    assert whole.startswith("\na\nb\nc\nd\n")
    assert "\n\n" not in whole
    assert whole.endswith("\n")


def test_a_long_text_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("one\n\n\ntwo\r\n\r\nthree" * 50, encoding="utf-8", newline="")
    whole = read([tmp_path / "a"], records=r"\n\n", normalize="NFC")
    monkeypatch.setattr(sources, "PIECE", 7)
    assert read([tmp_path / "a"], records=r"\n\n", normalize="NFC") == whole


def test_a_delimiter_is_normalised_as_the_text_is() -> None:
    assert as_text("ae\u0301b", records="\u00e9", normalize="NFC") == "▮a▮b▮".replace("▮", RESERVED)
    assert as_text("a\u00e9b", records="\u00e9", normalize="NFD") == "▮a▮b▮".replace("▮", RESERVED)


def test_a_text_that_holds_the_boundary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(f"a{RESERVED}b", encoding="utf-8")
    with pytest.raises(TextError, match=r"a\.txt: holds the code point U\+FDD0"):
        read([tmp_path / "a.txt"], records="file")
    assert read([tmp_path / "a.txt"], records="line") == f"\na{RESERVED}b\n"  # no boundary there


def test_the_cache_tells_records_from_others(prose: Path) -> None:
    def name(**settings: Any) -> str | None:
        how = TextSettings(**settings)
        return name_of(find_sources([prose], how), how)

    names = [name(), name(records="line"), name(records="file"), name(records="%%")]
    assert len(set(names)) == len(names)
