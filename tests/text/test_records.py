"""Records: one boundary between them and at both ends, however the text is cut."""

from __future__ import annotations

import gzip
import io
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.settings.groups import RESERVED, TextSettings
from nextchar.text import records as module
from nextchar.text import sources
from nextchar.text.cache.entries import entry_name
from nextchar.text.records import boundary_of, shuffled_records, split_point_near
from nextchar.text.sources import find_sources, preprocess, read_pieces

DELIMITERS = ["line", "file", "%%", r"\n\n", "aba", r"\r", "%", r"\n%\n"]
NAMES = ["赵钱孙李", "周吴郑王", "冯陈褚卫"]


def naive(text: str, records: str) -> str:
    """Return a text as records, all at once."""
    if records == "line":
        found = f"{text}\n".replace("\r\n", "\n").split("\n")  # the end of the text ends a line
    else:
        text = text.replace("\r\n", "\n")
        mark = records.encode().decode("unicode_escape")
        found = [each.strip("\n") for each in ([text] if records == "file" else text.split(mark))]
    mark = "\n" if records == "line" else RESERVED
    return "".join(mark + each for each in found if each) + mark * any(found)


def read(inputs: list[Path | str], **settings: Any) -> Any:
    how = TextSettings(**settings)
    pieces: list[Any] = list(read_pieces(find_sources(inputs, how), how))
    return b"".join(pieces) if how.alphabet == "bytes" else "".join(pieces)


def as_text(text: str | bytes, **settings: Any) -> Any:
    return text[:0].join(preprocess([text], TextSettings(**settings)))


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
    assert "".join(preprocess(pieces, TextSettings(records=records))) == naive(text, records)


@given(st.binary(max_size=60), st.integers(0, 60), st.sampled_from([0, 10, 200]))
def test_records_of_bytes_end_with_one_byte(data: bytes, cut: int, end: int) -> None:
    settings = TextSettings(alphabet="bytes", records=f"\\x{end:02x}")
    read = b"".join(preprocess([data[:cut], data[cut:]], settings))
    whole = (data + b"\n").replace(b"\r\n", b"\n") if end == 10 else data  # others are unchanged
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
    with pytest.raises(TextError, match=r"a\.txt: contains the code point U\+FDD0"):
        read([tmp_path / "a.txt"], records="file")
    assert read([tmp_path / "a.txt"], records="line") == f"\na{RESERVED}b\n"  # no boundary there


def test_the_cache_tells_records_from_others(prose: Path) -> None:
    def name(**settings: Any) -> str | None:
        how = TextSettings(**settings)
        return entry_name(find_sources([prose], how), how)

    names = [name(), name(records="line"), name(records="file"), name(records="%%")]
    assert len(set(names)) == len(names)


# records as codes, compared with a plain and slow version


lists = st.lists(st.text("bcd", min_size=1, max_size=9), min_size=1, max_size=30)


def codes_of(records: list[str]) -> np.ndarray:
    return np.frombuffer(("a" + "a".join(records) + "a").encode(), np.uint8) - 97


def records_of(codes: np.ndarray) -> list[str]:
    return bytes(codes + 97).decode().split("a")[1:-1]


@pytest.fixture(params=[1 << 20, 8])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All codes at once, or a few at a time."""
    monkeypatch.setattr(module, "CHUNK", request.param)


@pytest.mark.usefixtures("reading")
def test_shuffled_records_are_the_same_ones_in_another_order() -> None:
    @given(lists, st.integers(0, 2**63 - 1))
    def holds(records: list[str], seed: int) -> None:
        shuffled = shuffled_records(codes_of(records), 0, seed)
        assert Counter(records_of(shuffled)) == Counter(records)
        assert shuffled.dtype == np.uint8

    holds()


def test_the_order_follows_from_the_seed() -> None:
    names = [f"{chr(98 + n % 24)}{chr(98 + n // 24)}" for n in range(400)]
    codes = codes_of(names)
    one, again, other = (shuffled_records(codes, 0, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert records_of(one) != records_of(other)
    assert sum(a == b for a, b in zip(records_of(one), names, strict=True)) < 20
    assert records_of(codes) == names  # unchanged


@pytest.mark.usefixtures("reading")
def test_the_split_point_near_a_place_is_the_next_one_or_else_the_last_before() -> None:
    @given(lists, st.data())
    def holds(records: list[str], data: st.DataObject) -> None:
        codes = codes_of(records)
        end = len(codes) - 1
        position = data.draw(st.integers(0, end))
        inside = np.flatnonzero(codes == 0)[1:-1].tolist()
        after = [each for each in inside if each >= position]
        before = [each for each in inside if each < position]
        assert split_point_near(codes, 0, position, end) == (after[:1] or before[-1:] or [end])[0]

    holds()
