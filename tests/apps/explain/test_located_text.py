"""Lines and columns from codes, and codes from lines and columns."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.explain.planted import untrained
from nextchar.apps.explain.located_text import BLOCK, BitVector, read_files, read_string
from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.model.file import Model
from nextchar.settings.config import TextSettings
from nextchar.text.vocabulary import Vocabulary

MODEL = untrained("abc \n")
NO_LINES = untrained("abc ")  # a model without line ends in its vocabulary
BYTES = Model(
    untrained("".join(map(chr, range(256)))).parameters,
    Vocabulary(is_bytes=True),
    TextSettings(alphabet="bytes"),
)


def naive_place(text: str, index: int) -> tuple[int, int]:
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


@settings(max_examples=60)
@given(st.text(st.sampled_from("abЖ\n"), min_size=1, max_size=60), st.booleans())
def test_a_place_is_its_line_and_column_in_the_file(text: str, knows_lines: bool) -> None:
    model = MODEL if knows_lines else NO_LINES
    read = read_string(model, text, unknown="skip")
    known = [n for n, each in enumerate(text) if each in ("ab\n" if knows_lines else "ab")]
    assert len(read.codes) == len(known)
    assert read.left_out == len(text) - len(known)
    for code, index in enumerate(known):
        where = read.place(code)
        assert (where.line, where.column) == naive_place(text, index)
        assert read.find(f"{where.line}:{where.column}") == code


def test_positions_name_the_file_if_there_are_several(tmp_path: Path) -> None:
    for name, text in {"1": "ab\nc", "2": "", "3": "a\nbc\n"}.items():
        (tmp_path / name).write_text(text, newline="")
    read = read_files(MODEL, [tmp_path / name for name in "123"])
    places = [str(read.place(n)).replace(str(tmp_path), "") for n in range(len(read.codes))]
    assert places == [
        "/1:1:1", "/1:1:2", "/1:1:3", "/1:2:1",
        "/3:1:1", "/3:1:2", "/3:2:1", "/3:2:2", "/3:2:3",
    ]  # fmt: skip
    assert read.find(f"{tmp_path / '3'}:2:1") == 6
    assert read.find("1:2") == 1
    with pytest.raises(SettingsError, match=re.escape(f"{tmp_path / '2'}:1:1")):
        read.find(f"{tmp_path / '2'}:1:1")


def test_columns_of_bytes_count_characters() -> None:
    text = "é中a\n🙂b"
    read = read_string(BYTES, text)
    columns = [read.place(n).column for n in range(len(text.encode()))]
    assert columns == [1, 1, 2, 2, 2, 3, 4, 1, 1, 1, 1, 2]
    assert read.find("2:2") == len("é中a\n🙂".encode())
    assert read.find("1:2") == len("é".encode())


@pytest.mark.parametrize(
    ("at", "problem"),
    [
        ("3", "must be LINE:COLUMN"),
        ("0:1", "must be LINE:COLUMN"),
        ("a:b", "must be LINE:COLUMN"),
        ("9:1", "which has 3 lines"),
        ("1:4", "line 1, which ends at column 2"),
        ("3:2", "line 3, which ends at column 1"),
        ("other:1:1", "must name one of the files"),
    ],
)
def test_a_position_outside_the_text_is_refused(at: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        read_string(MODEL, "ab\nbc\nc").find(at)


def test_an_empty_line_at_the_end_is_no_line() -> None:
    with pytest.raises(SettingsError, match="which has 2 lines"):
        read_string(MODEL, "ab\nbc\n").find("3:1")
    with pytest.raises(SettingsError, match="which has 1 line,"):
        read_string(MODEL, "ab").find("2:1")


def test_what_is_unknown_is_an_error_unless_it_is_skipped() -> None:
    with pytest.raises(UnknownCharacterError, match="at position 2"):
        read_string(MODEL, "abЖ")


def test_an_unknown_symbol_has_its_own_position() -> None:
    model = untrained("ab")
    model = Model(model.parameters, Vocabulary.of_text("aab", min_count=2))
    read = read_string(model, "aЖa")
    assert [read.place(n).column for n in range(3)] == [1, 2, 3]


def test_bits_are_counted_and_found_across_blocks(rng: np.random.Generator) -> None:
    values = rng.random(2 * BLOCK + 1234) < 0.01
    bits = BitVector()
    for part in np.split(values, [5, 1000, BLOCK + 3]):
        bits.append(part)
    bits.finish()
    assert bits.size == len(values)
    for end in (0, 1, 5, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(values)):
        assert bits.count(end) == int(values[:end].sum())
    places = np.flatnonzero(values)
    for number in (0, 1, len(places) // 2, len(places) - 1):
        assert bits.find(number) == places[number]
    assert bits.find(len(places)) == len(values)
