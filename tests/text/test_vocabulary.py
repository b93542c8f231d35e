"""The vocabulary: the same text gives the same codes, and decoding restores every text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.errors import ModelFileError, TextError, UnknownCharacterError
from nextchar.text.vocabulary import Vocabulary

# any code point, lone surrogates included
texts = st.text(st.characters(exclude_categories=()))
BYTES = Vocabulary(is_bytes=True)
ABC = Vocabulary.of_text("cab")
ABC_OR_UNKNOWN = Vocabulary.of_text("aabbccd", min_count=2)


def symbols(vocabulary: Vocabulary) -> str:
    return "".join(map(chr, vocabulary.points.tolist()))


# order


@given(texts)
def test_symbols_are_the_distinct_characters_in_code_point_order(text: str) -> None:
    assert symbols(Vocabulary.of_text(text)) == "".join(sorted(set(text)))


@given(texts.flatmap(lambda text: st.tuples(st.just(text), st.permutations(text))))
def test_the_order_of_a_text_does_not_matter(pair: tuple[str, list[str]]) -> None:
    text, mixed = pair
    assert Vocabulary.of_text(text) == Vocabulary.of_text("".join(mixed))


def test_code_point_order_is_not_the_order_of_utf_16() -> None:
    assert symbols(Vocabulary.of_text("\U0001f600\uffeeab")) == "ab\uffee\U0001f600"


def test_the_codes_do_not_depend_on_the_hash_seed() -> None:
    program = (
        "from nextchar.text.vocabulary import Vocabulary\n"
        "v = Vocabulary.of_text('the quick brown fox \\u4e2d\\U0001f600', min_count=2)\n"
        "print(v.to_json(), v.encode('the fox').tolist())"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=True,
            timeout=60,
        ).stdout
        for seed in ("0", "12345")
    }
    assert len(said) == 1


def test_symbols_out_of_order_or_twice_are_refused() -> None:
    for points in [2, 1], [1, 1]:
        with pytest.raises(ValueError, match="ascend"):
            Vocabulary(points)


# rare characters


@given(texts, st.integers(2, 4))
@example("aabbc", 2)
def test_rarer_characters_become_one_unknown_symbol(text: str, min_count: int) -> None:
    kept = sorted(c for c, n in Counter(text).items() if n >= min_count)
    if text and not kept:
        with pytest.raises(TextError, match=rf"min_count must be at most \d+, .*, got {min_count}"):
            Vocabulary.of_text(text, min_count)
        return
    vocabulary = Vocabulary.of_text(text, min_count)
    assert symbols(vocabulary) == "".join(kept)
    assert len(vocabulary) == len(kept) + 1
    assert vocabulary.unknown_code == len(kept)
    code_of = {c: code for code, c in enumerate(kept)}
    assert vocabulary.encode(text).tolist() == [code_of.get(c, len(kept)) for c in text]


def test_without_a_minimum_there_is_no_unknown_symbol() -> None:
    assert ABC.unknown_code is None
    assert len(ABC) == 3


def test_the_unknown_symbol_is_shown_as_the_replacement_character() -> None:
    codes = ABC_OR_UNKNOWN.encode("abd中")
    assert codes.tolist() == [0, 1, 3, 3]
    assert ABC_OR_UNKNOWN.decode(codes) == "ab\ufffd\ufffd"


def test_the_replacement_character_itself_may_be_a_symbol() -> None:
    vocabulary = Vocabulary.of_text("aa\ufffd\ufffdb", min_count=2)
    assert vocabulary.encode("a\ufffdb").tolist() == [0, 1, 2]
    assert vocabulary.decode([0, 1, 2]) == "a\ufffd\ufffd"


# round trips


@given(texts)
@example("\ud83d\ude00 \ud800 \udfff \U0001f600\x00\r\n\ufeff\U0010ffff")
def test_every_text_comes_back_exactly(text: str) -> None:
    vocabulary = Vocabulary.of_text(text)
    codes = vocabulary.encode(text)
    assert len(codes) == len(text)
    assert vocabulary.decode(codes) == text
    assert vocabulary.decode(codes.tolist()) == text
    assert vocabulary.decode_bytes(codes) == text.encode("utf-8", "surrogatepass")


@given(st.binary())
@example(bytes(range(256)))
def test_any_bytes_come_back_exactly(data: bytes) -> None:
    codes = BYTES.encode(data)
    assert codes.tolist() == list(data)
    assert BYTES.decode_bytes(codes) == data
    assert BYTES.decode(codes) == data.decode("utf-8", "replace")


@given(st.text())
def test_a_text_comes_back_through_bytes(text: str) -> None:
    assert BYTES.decode(BYTES.encode(text)) == text


@given(texts)
def test_a_text_becomes_its_utf_8_with_the_bytes_alphabet(text: str) -> None:
    assert BYTES.decode_bytes(BYTES.encode(text)) == text.encode("utf-8", "surrogatepass")


def test_the_codes_of_bytes_are_their_own() -> None:
    data = bytearray(b"abc")
    codes = BYTES.encode(bytes(data))
    codes[0] = 0  # writable, unlike a view of the bytes
    assert codes.tolist() == [0, 98, 99]


def test_a_model_of_characters_refuses_bytes() -> None:
    with pytest.raises(TextError, match="text must be a str for a model of characters, not bytes"):
        ABC.encode(b"abc")


def test_a_text_of_eleven_million_characters_is_encoded() -> None:
    text = "abcdefghijklmnopqrs\n中" * (11_000_000 // 21)
    vocabulary = Vocabulary.of_text(text)
    codes = vocabulary.encode(text)
    assert codes.dtype == np.uint8
    assert codes.nbytes == len(text)
    assert np.array_equal(codes.reshape(-1, 21), np.tile(codes[:21], (len(codes) // 21, 1)))
    assert vocabulary.decode(codes) == text


# unknown characters


def test_an_unknown_character_is_shown_with_code_point_and_position() -> None:
    with pytest.raises(UnknownCharacterError) as caught:
        ABC.encode("abé")
    assert "'é' (U+00E9) at position 2 is not in" in str(caught.value)
    assert 'unknown="skip"' in str(caught.value)
    assert "--unknown skip" in str(caught.value)
    assert (caught.value.character, caught.value.position) == ("é", 2)


@given(st.text("abc"), st.characters(exclude_characters="abc", exclude_categories=()), st.text())
def test_the_first_unknown_character_is_the_one_reported(head: str, bad: str, tail: str) -> None:
    with pytest.raises(UnknownCharacterError) as caught:
        ABC.encode(head + bad + tail, offset=1000)
    message = str(caught.value)
    assert caught.value.character == bad
    assert caught.value.position == 1000 + len(head)
    assert f"(U+{ord(bad):04X}) at position {1000 + len(head)}" in message
    assert "\n" not in message
    message.encode()  # a lone surrogate can be printed


def test_the_other_unknown_characters_are_named_but_not_all() -> None:
    with pytest.raises(UnknownCharacterError, match=r"\(and 'd', 'f'\) is not"):
        ABC.encode("aefdfd")
    with pytest.raises(UnknownCharacterError, match=r"\(and '1', '2', '3', '4', '5' …\)"):
        ABC.encode("0123456789")


@given(texts)
def test_skip_leaves_unknown_characters_out(text: str) -> None:
    kept = "".join(c for c in text if c in "abc")
    assert ABC.decode(ABC.encode(text, unknown="skip")) == kept
    assert ABC_OR_UNKNOWN.decode(ABC_OR_UNKNOWN.encode(text, unknown="skip")) == kept


@given(texts)
def test_a_vocabulary_with_an_unknown_symbol_encodes_every_text(text: str) -> None:
    codes = ABC_OR_UNKNOWN.encode(text)
    assert codes.tolist() == ["abc".find(c) % 4 for c in text]  # -1 → 3


def test_an_empty_vocabulary_knows_nothing() -> None:
    empty = Vocabulary.of_text("")
    assert len(empty) == 0
    assert "a" not in empty
    assert empty.encode("").tolist() == []
    assert empty.decode([]) == ""
    with pytest.raises(UnknownCharacterError):
        empty.encode("a")


@pytest.mark.parametrize("codes", [[3], [-1], [0, 1, 4], np.array([255], np.uint8)])
def test_a_code_out_of_range_is_refused(codes: list[int]) -> None:
    with pytest.raises(ValueError, match=r"codes must be in \[0, 3\)"):
        ABC.decode(codes)


def test_a_code_beyond_a_byte_is_refused() -> None:
    with pytest.raises(ValueError, match=r"codes must be in \[0, 256\)"):
        BYTES.decode_bytes([256])


def test_membership_is_that_of_single_characters() -> None:
    assert "a" in ABC
    assert "d" not in ABC
    assert "\U0010ffff" not in ABC
    assert "\ud800" not in ABC
    assert "" not in ABC
    assert "ab" not in ABC
    assert 97 not in ABC
    assert "d" not in ABC_OR_UNKNOWN  # encoded nevertheless, as the unknown symbol


def test_bytes_write_every_character() -> None:
    assert all(character in BYTES for character in "a\né中😀")
    assert "ab" not in BYTES


# types and sizes


@pytest.mark.parametrize(
    ("symbols", "dtype"),
    [(1, "u1"), (255, "u1"), (256, "u1"), (257, "u2"), (65_536, "u2"), (65_537, "u4")],
)
def test_codes_have_the_smallest_type_that_holds_them(symbols: int, dtype: str) -> None:
    text = "".join(map(chr, range(symbols)))
    vocabulary = Vocabulary.of_text(text)
    assert vocabulary.dtype == np.dtype(dtype)
    codes = vocabulary.encode(text)
    assert codes.dtype == np.dtype(dtype)
    assert np.array_equal(codes, np.arange(symbols))
    assert vocabulary.decode(codes) == text


def test_the_unknown_symbol_counts_for_the_type() -> None:
    points = range(256)
    assert Vocabulary(points).dtype == np.uint8
    vocabulary = Vocabulary(points, has_unknown=True)
    assert vocabulary.dtype == np.uint16
    assert vocabulary.encode("中").tolist() == [256]


def test_bytes_are_always_256_symbols_of_one_byte() -> None:
    assert len(BYTES) == 256
    assert BYTES.dtype == np.uint8
    assert BYTES.unknown_code is None


# written and read again


@given(texts, st.integers(1, 2), texts)
def test_a_vocabulary_read_again_behaves_the_same(text: str, min_count: int, other: str) -> None:
    doubled = text + text if min_count == 2 else text
    before = Vocabulary.of_text(doubled, min_count)
    after = Vocabulary.from_json(json.loads(json.dumps(before.to_json())))
    assert after == before
    assert hash(after) == hash(before)
    assert len(after) == len(before)
    assert after.dtype == before.dtype
    assert repr(after) == repr(before)
    skipped = before.encode(other, unknown="skip")
    assert np.array_equal(after.encode(other, unknown="skip"), skipped)
    codes = before.encode(doubled)
    assert np.array_equal(after.encode(doubled), codes)
    assert after.encode(doubled).dtype == codes.dtype
    assert after.decode(codes) == before.decode(codes) == doubled


def test_the_bytes_alphabet_read_again_is_itself() -> None:
    after = Vocabulary.from_json(json.loads(json.dumps(BYTES.to_json())))
    assert after == BYTES
    assert after.encode(b"\xff").tolist() == [255]


def test_different_vocabularies_are_not_equal() -> None:
    different = [ABC, ABC_OR_UNKNOWN, BYTES, Vocabulary.of_text("ab"), Vocabulary(range(256))]
    assert len(set(different)) == len(different)
    assert ABC != "abc"


def test_a_vocabulary_says_what_it_is() -> None:
    assert repr(ABC) == "<Vocabulary of 3 characters>"
    assert repr(ABC_OR_UNKNOWN) == "<Vocabulary of 3 characters and an unknown symbol>"
    assert repr(BYTES) == "<Vocabulary of 256 bytes>"


@pytest.mark.parametrize(
    "damage",
    [
        {"alphabet": "runes"},
        {"alphabet": None},
        {"points": None},
        {"points": 5},
        {"points": "123"},
        {"points": ["a"]},
        {"points": [1.5]},
        {"points": [True]},
        {"points": [float("inf")]},
        {"points": [float("nan")]},
        {"points": [-1]},
        {"points": [0x110000]},
        {"points": [10**30]},
        {"points": [98, 97]},
        {"points": [97, 97]},
        {"points": [[97]]},
        {"unknown": None},
        {"unknown": "false"},
    ],
    ids=str,
)
def test_a_damaged_vocabulary_is_an_error_of_the_file(damage: dict[str, object]) -> None:
    with pytest.raises(ModelFileError, match="the vocabulary in the file is damaged"):
        Vocabulary.from_json({**ABC.to_json(), **damage})


@pytest.mark.parametrize("missing", ["alphabet", "points", "unknown"])
def test_a_vocabulary_that_lacks_a_part_is_an_error_of_the_file(missing: str) -> None:
    rest = {name: value for name, value in ABC.to_json().items() if name != missing}
    with pytest.raises(ModelFileError):
        Vocabulary.from_json(rest)


@pytest.mark.parametrize("foreign", [None, [], "abc", 3])
def test_what_is_no_vocabulary_at_all_is_an_error_of_the_file(foreign: object) -> None:
    with pytest.raises(ModelFileError):
        Vocabulary.from_json(foreign)  # type: ignore[arg-type]
