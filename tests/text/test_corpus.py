"""The corpus: the same codes however the text is cut, split by position, in bounded memory."""

from __future__ import annotations

import hashlib
import tracemalloc
import unicodedata
import weakref
from collections import Counter
from itertools import chain, permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nextchar.errors import TextError
from nextchar.settings.config import Settings, TextSettings
from nextchar.text import corpus as corpus_module
from nextchar.text import sources
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.cache.spooled import _concatenated
from nextchar.text.corpus import Corpus, Prepared, corpus_of_pieces, prepare, text_corpus
from nextchar.text.reading import read_corpus

texts = st.text(st.characters(exclude_categories=()))
plain = TextSettings()
by_bytes = TextSettings(alphabet="bytes")


@st.composite
def in_pieces(draw: st.DrawFn, whole: st.SearchStrategy[Any]) -> tuple[Any, list[Any]]:
    """A text, and the same text cut anywhere; pieces may be empty."""
    text = draw(whole)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    return text, [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def text_of(corpus: Corpus) -> str:
    return "".join(map(chr, corpus.points[corpus.codes].tolist()))


def prepared(text: str | bytes, validation: str | bytes | None = None, **given: Any) -> Prepared:
    settings = Settings.make(**given)
    return prepare(
        text_corpus(text, settings.text),
        settings,
        None if validation is None else text_corpus(validation, settings.text),
    )


# corpus of pieces


@given(in_pieces(texts))
@example(("", []))
@example(("\ud83d\ude00", ["\ud83d", "\ude00"]))
def test_a_corpus_is_its_text_however_it_was_cut(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    corpus = corpus_of_pieces(iter(pieces))
    assert text_of(corpus) == text
    assert sorted(corpus.points.tolist()) == sorted({ord(c) for c in text})  # each once
    assert corpus.sha256 == hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@given(in_pieces(st.binary()))
def test_a_corpus_of_bytes_is_its_bytes_however_they_were_cut(
    case: tuple[bytes, list[bytes]],
) -> None:
    data, pieces = case
    corpus = corpus_of_pieces(iter(pieces))
    assert bytes(corpus.points[corpus.codes].tolist()) == data
    assert corpus.sha256 == hashlib.sha256(data).hexdigest()


@given(in_pieces(texts.filter(lambda text: len(text) > 3)))
def test_training_sees_the_same_however_the_text_was_cut(case: tuple[str, list[str]]) -> None:
    text, pieces = case
    settings = Settings.make(val_fraction=0.3)
    whole, cut = (
        prepare(corpus_of_pieces([text]), settings),
        prepare(corpus_of_pieces(pieces), settings),
    )
    assert cut.vocabulary == whole.vocabulary
    assert np.array_equal(cut.train, whole.train)
    assert np.array_equal(cut.validation, whole.validation)
    assert cut.train.dtype == whole.train.dtype
    assert (cut.left_out, cut.sha256) == (whole.left_out, whole.sha256)


def test_codes_are_in_order_of_appearance_from_piece_to_piece() -> None:
    corpus = corpus_of_pieces(["ba", "ab", "z", "ca"])
    assert "".join(map(chr, corpus.points.tolist())) == "abzc"
    assert corpus.codes.tolist() == [1, 0, 0, 1, 2, 3, 0]


@pytest.mark.parametrize(
    ("symbols", "dtype"), [(256, "u1"), (257, "u2"), (65_536, "u2"), (65_537, "u4")]
)
def test_codes_take_the_fewest_bytes(symbols: int, dtype: str) -> None:
    text = "".join(map(chr, range(symbols)))
    corpus = corpus_of_pieces([text[:100], text[100:], text[:1]])
    assert corpus.codes.dtype == np.dtype(dtype)
    assert text_of(corpus) == text + text[0]


def test_memory_stays_below_three_times_the_text() -> None:
    size, piece = 50_000_000, 1_000_000  # characters of one byte
    line = "it was the best of times, it was the worst of time\n"
    text = (line * (piece // len(line) + 1))[:piece]
    tracemalloc.start()
    corpus = corpus_of_pieces(text for _ in range(size // piece))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(corpus.codes) == corpus.codes.nbytes == size
    # the parts and their whole are twice the text, the rest is one piece and the code table
    assert peak < 3 * size


def test_the_parts_of_a_text_are_let_go_once_they_are_joined() -> None:
    parts = [np.full(1000, value, dtype=np.uint8) for value in range(5)]
    alive = [weakref.ref(part) for part in parts]
    whole = _concatenated(parts)
    assert np.array_equal(whole, np.repeat(np.arange(5), 1000))
    assert [each() for each in alive] == [None] * 5


# reading


def test_files_become_a_corpus(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("é\r\n".encode())
    (tmp_path / "b").write_bytes("中".encode())
    corpus = read_corpus([tmp_path / "a", str(tmp_path / "b")], plain)
    assert text_of(corpus) == "é\r\n中"
    assert corpus.sha256 == hashlib.sha256("é\r\n中".encode()).hexdigest()


def test_any_file_is_a_corpus_of_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 2
    (tmp_path / "a").write_bytes(data)
    corpus = read_corpus([tmp_path / "a"], by_bytes)
    assert corpus.codes.tolist() == list(data)
    assert corpus.sha256 == hashlib.sha256(data).hexdigest()


def test_the_digest_is_that_of_the_text_not_of_its_encoding(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("naïve", encoding="utf-8")
    (tmp_path / "b").write_text("naïve", encoding="utf-16")
    a = read_corpus([tmp_path / "a"], plain)
    b = read_corpus([tmp_path / "b"], TextSettings(encoding="utf-16"))
    assert a.sha256 == b.sha256


def test_a_text_in_memory_is_the_same_corpus_as_its_file(
    prose: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = prose.read_bytes().decode()
    whole = text_corpus(text, plain)
    monkeypatch.setattr(sources, "PIECE", 700)
    monkeypatch.setattr(corpus_module, "PIECE", 900)
    for corpus in read_corpus([prose], plain), text_corpus(text, plain):
        assert text_of(corpus) == text_of(whole) == text
        assert corpus.sha256 == whole.sha256


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_text_in_memory_is_normalised_as_its_file_is(
    form: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "cafe\u0301 \ufb01 \uac00\u11a8 n\u0303\u0323" * 9
    (tmp_path / "a").write_text(text, encoding="utf-8")
    settings = TextSettings(normalize=form)
    for piece in 1, 4, 1 << 20:
        monkeypatch.setattr(corpus_module, "PIECE", piece)
        corpus = text_corpus(text, settings)
        assert text_of(corpus) == unicodedata.normalize(form, text)
        assert corpus.sha256 == read_corpus([tmp_path / "a"], settings).sha256


def test_a_text_in_memory_may_be_bytes_with_the_bytes_alphabet() -> None:
    assert text_corpus(b"\xff\x00", by_bytes).points.tolist() == [0, 255]
    assert text_corpus("é", by_bytes).sha256 == text_corpus("é".encode(), by_bytes).sha256


def test_bytes_without_the_bytes_alphabet_are_refused() -> None:
    with pytest.raises(TextError, match=r'text must be a str, not bytes; use alphabet="bytes"'):
        text_corpus(b"abc", plain)


# preparing


@given(
    texts,
    st.floats(0, 0.99),
    st.integers(1, 3),
    st.one_of(st.none(), texts),
)
@example("aabbc", 0.2, 1, None)
@example("aabbc", 0.2, 2, None)
@example("ab", 0.0, 1, "")
def test_preparing_is_what_its_naive_twin_does(
    text: str, fraction: float, min_count: int, validation: str | None
) -> None:
    if validation is None:
        kept = len(text) - int(len(text) * fraction)
        train, held_out = text[:kept], text[kept:]
    else:
        train, held_out = text, validation
    symbols = sorted(c for c, count in Counter(train).items() if count >= min_count)
    settings = {"val_fraction": fraction, "min_count": min_count}
    if len(train) < 2 or not symbols:
        with pytest.raises(TextError):
            prepared(text, validation, **settings)
        return
    made = prepared(text, validation, **settings)
    code_of = {c: code for code, c in enumerate(symbols)}
    assert made.vocabulary.points.tolist() == [ord(c) for c in symbols]
    if min_count == 1:
        assert made.train.tolist() == [code_of[c] for c in train]
        assert made.validation.tolist() == [code_of[c] for c in held_out if c in code_of]
        assert made.left_out == sum(c not in code_of for c in held_out)
    else:
        unknown = len(symbols)
        assert made.vocabulary.unknown_code == unknown
        assert made.train.tolist() == [code_of.get(c, unknown) for c in train]
        assert made.validation.tolist() == [code_of.get(c, unknown) for c in held_out]
        assert made.left_out == 0
    assert made.train.dtype == made.validation.dtype == made.vocabulary.dtype


@given(st.binary(min_size=2), st.one_of(st.none(), st.binary()))
def test_bytes_stay_themselves(data: bytes, validation: bytes | None) -> None:
    made = prepared(data, validation, alphabet="bytes", val_fraction=0.0)
    assert made.train.tolist() == list(data)
    assert made.validation.tolist() == list(validation or b"")
    assert made.left_out == 0
    assert len(made.vocabulary) == 256


def test_the_last_part_of_the_text_is_held_out() -> None:
    made = prepared("abcdefghij" * 10, val_fraction=0.25)
    assert made.vocabulary.decode(made.train) == ("abcdefghij" * 10)[:75]
    assert made.vocabulary.decode(made.validation) == ("abcdefghij" * 10)[75:]


def test_the_vocabulary_is_that_of_the_training_part_alone() -> None:
    made = prepared("abababab" + "zb", val_fraction=0.2)
    assert "z" not in made.vocabulary
    assert made.vocabulary.decode(made.validation) == "b"
    assert made.left_out == 1


def test_rarity_is_counted_in_the_training_part_alone() -> None:
    made = prepared("aaaaaaac" + "cc", val_fraction=0.2, min_count=2)
    assert "c" not in made.vocabulary
    assert made.vocabulary.decode(made.validation) == "\ufffd\ufffd"


def test_a_validation_text_of_its_own_leaves_the_training_text_whole() -> None:
    made = prepared("abc" * 10, "cab?!", val_fraction=0.5)
    assert made.vocabulary.decode(made.train) == "abc" * 10
    assert made.vocabulary.decode(made.validation) == "cab"
    assert made.left_out == 2


def test_an_empty_validation_text_still_leaves_the_training_text_whole() -> None:
    made = prepared("abc" * 10, "", val_fraction=0.5)
    assert len(made.train) == 30
    assert len(made.validation) == 0


def test_the_test_part_stands_before_the_validation_part() -> None:
    text = "abcdefghij" * 10
    made = prepared(text, val_fraction=0.2, test_fraction=0.1)
    parts = [made.vocabulary.decode(part) for part in (made.train, made.test, made.validation)]
    assert parts == [text[:70], text[70:80], text[80:]]


def test_with_a_validation_text_of_its_own_the_test_part_is_the_last() -> None:
    made = prepared("abc" * 10, "cab", test_fraction=0.1)
    assert made.vocabulary.decode(made.test) == "abc"
    assert made.vocabulary.decode(made.train) == "abc" * 9


def test_characters_of_the_test_part_that_training_never_saw_are_counted_too() -> None:
    made = prepared("abababab" + "?a" + "!b", val_fraction=1 / 6, test_fraction=1 / 6)
    assert [len(made.test), len(made.validation), made.left_out] == [1, 1, 2]


def test_without_a_fraction_nothing_is_held_out() -> None:
    made = prepared("abc" * 10, val_fraction=0.0)
    assert len(made.train) == 30
    assert len(made.validation) == 0
    assert len(made.test) == 0


def test_the_digest_tells_both_texts() -> None:
    train, validation = (hashlib.sha256(text).hexdigest() for text in (b"abc", b"cab"))
    assert prepared("abc", val_fraction=0.0).sha256 == train
    assert prepared("abc", val_fraction=0.4).sha256 == train
    assert prepared("abc", "cab").sha256 == f"{train}+{validation}"


@pytest.mark.parametrize(
    ("text", "fraction", "said"),
    [
        ("", 0.1, "the training part has 0 characters"),
        ("a", 0.1, "the training part has 1 character;"),
        ("abcd", 0.8, "the training part has 1 character;"),
    ],
)
def test_a_text_too_short_to_train_on_is_an_error(text: str, fraction: float, said: str) -> None:
    with pytest.raises(TextError, match=said):
        prepared(text, val_fraction=fraction)


def test_two_characters_are_enough() -> None:
    assert len(prepared("ab", val_fraction=0.1).train) == 2


def test_a_text_without_frequent_characters_is_an_error() -> None:
    with pytest.raises(TextError, match=r"min_count must be at most \d, the count of .*, got 5"):
        prepared("abcd", min_count=5, val_fraction=0.0)


def test_preparing_does_not_change_the_corpus() -> None:
    corpus = text_corpus("zyx" * 5, plain)
    before = corpus.codes.tolist(), corpus.points.tolist()
    prepare(corpus, Settings.make())
    assert (corpus.codes.tolist(), corpus.points.tolist()) == before


@pytest.mark.shared
def test_shakespeare_is_what_everyone_knows(shakespeare: Path) -> None:
    corpus = read_corpus([shakespeare], plain)
    made = prepare(corpus, Settings.make())
    assert len(corpus.codes) == 1_115_394
    assert len(made.vocabulary) == 65
    assert (len(made.train), len(made.validation)) == (1_003_855, 111_539)
    assert made.left_out == 0
    assert made.vocabulary.decode(made.train[:14]) == "First Citizen:"


# records


def records_of(prepared: Prepared, codes: Any) -> list[str]:
    """The records of a part, checked to have a boundary at both ends and none twice."""
    text = prepared.vocabulary.decode(codes[0 : len(codes)])
    assert text[0] == text[-1] == "\n"
    return text.split("\n")[1:-1]


LIST = [f"{a}{b}{c}" for a in "ABCDEFGHIJ" for b in "aeiou" for c in "lmnrst"]  # sorted


def test_records_are_shuffled_before_a_part_is_kept() -> None:
    made = prepared("\n".join(LIST), records="line", val_fraction=0.2, test_fraction=0.1)
    parts = [records_of(made, part) for part in (made.train, made.test, made.validation)]
    assert sorted(chain(*parts)) == LIST
    assert [len(part) for part in parts] == [210, 30, 60]
    assert {name[0] for name in parts[2]} == set("ABCDEFGHIJ")  # not those of the end only
    assert made.left_out == 0
    assert not made.by_position


def test_the_order_of_records_follows_from_the_seed_alone() -> None:
    one, again, other = (prepared("\n".join(LIST), records="line", seed=s) for s in (1, 1, 2))
    assert np.array_equal(one.train, again.train)
    assert np.array_equal(one.validation, again.validation)
    assert not np.array_equal(one.validation, other.validation)
    assert one.sha256 == other.sha256


@given(
    st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=12),
    st.floats(0, 0.99),
    st.booleans(),
)
def test_no_record_is_cut_and_none_is_lost(
    records: list[str], share: float, by_position: bool
) -> None:
    text = "\n".join(records)
    with pytest.MonkeyPatch.context() as patch:
        if by_position:
            patch.setattr(spooled, "IN_MEMORY", 2)
        made = prepared(text, records="line", val_fraction=share, test_fraction=(1 - share) / 3)
    parts = [made.train, made.test, made.validation]
    found = [*chain(*(records_of(made, part) for part in parts if len(part) > 1))]
    if made.left_out == 0:
        assert sorted(found) == sorted(records)
        assert found == records or not by_position
    assert records_of(made, made.train)


def test_one_record_is_trained_on_whole() -> None:
    made = prepared("abc", records="line", val_fraction=0.5)
    assert records_of(made, made.train) == ["abc"]
    assert len(made.validation) < 2


def test_a_text_of_no_record_cannot_be_trained_on() -> None:
    with pytest.raises(TextError, match="the training part has 0 characters"):
        prepared("\n\n\r\n", records="line")


def test_the_boundary_is_never_too_rare_for_the_vocabulary() -> None:
    made = prepared("aaaa%%aaaa%%b", records="%%", min_count=5, val_fraction=0)
    assert made.vocabulary.points.tolist() == [ord("a"), 0xFDD0]


def test_records_may_be_validated_on_those_of_another_text() -> None:
    made = prepared("\n".join(LIST), "Jal\nAut", records="line")
    assert records_of(made, made.validation) == ["Jal", "Aut"]
    assert sorted(records_of(made, made.train)) == LIST


def test_records_on_disk_are_split_by_position(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spooled, "IN_MEMORY", 300)
    words = ["".join(letters) for letters in permutations("abcdef", 3)]
    (tmp_path / "list").write_text("\r\n".join(words) + "\r\n\r\n", encoding="utf-8", newline="")
    settings = Settings.make(records="line", val_fraction=0.2)
    for _ in range(2):  # encoded, and found again
        made = prepare(read_corpus([tmp_path / "list"], settings.text), settings)
        assert isinstance(made.train, DiskCodes)
        assert records_of(made, made.train) + records_of(made, made.validation) == words
        assert made.by_position
    in_memory = prepared("\n".join(words), records="line", val_fraction=0.2)
    assert np.array_equal(in_memory.train, made.train[0 : len(made.train)])
    assert in_memory.sha256 == made.sha256


def test_a_text_on_disk_that_memory_holds_is_shuffled_as_one_in_memory_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    text = "\n".join("".join(pair) for pair in permutations("赵钱孙李周吴", 2))
    (tmp_path / "list").write_text(text, encoding="utf-8", newline="")
    monkeypatch.setattr(spooled, "IN_MEMORY", 2 * len(text))  # bytes are three times as many
    settings = Settings.make(records="line")
    corpus = read_corpus([tmp_path / "list"], settings.text)
    assert isinstance(corpus.codes, DiskCodes)
    made, other = prepare(corpus, settings), prepared(text, records="line")
    assert np.array_equal(made.train, other.train)
    assert np.array_equal(made.validation, other.validation)
