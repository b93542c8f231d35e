"""A corpus: pieces of text → codes, in one pass, at one to four bytes a character.

The vocabulary is not known before the text was read, so characters first get codes in order of
appearance; `prepare` then takes the vocabulary from the training part alone and renumbers. A large
text stays on disk all the while: there, renumbering is a table that is applied to what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.config import Settings, TextSettings
from nextchar.errors import TextError
from nextchar.text.collector import Collector
from nextchar.text.encoder import Encoder
from nextchar.text.sources import PIECE, normalized
from nextchar.text.stored import AnyCodes, CodeFile, Store, StoredCodes
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of

_SLICE = 1 << 16  # characters encoded at once: what is made of them on the way stays in the cache


@dataclass(frozen=True)
class Corpus:
    """A text as codes in order of first appearance, to within a piece.

    codes: (N,) indices into points.
    points: (K,) code points, or bytes.
    sha256: of the text's UTF-8, or of the bytes.
    """

    codes: AnyCodes
    points: NDArray[np.uint32]
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """What training needs of its text.

    train, validation, test: codes of the vocabulary; the latter two may be empty.
    left_out: characters of those two that the vocabulary lacks, left out of them.
    sha256: identifies the text that was read, training and validation.
    """

    vocabulary: Vocabulary
    train: AnyCodes
    validation: AnyCodes
    test: AnyCodes
    left_out: int
    sha256: str


def text_corpus(text: str | bytes, settings: TextSettings) -> Corpus:
    """The corpus of a text in memory."""
    if settings.alphabet == "bytes":
        return gather([bytes_of(text)])
    if isinstance(text, bytes):
        raise TextError('text: wants a str, got bytes; use alphabet="bytes" to train on bytes')
    pieces = (text[start : start + PIECE] for start in range(0, len(text), PIECE))
    return gather(normalized(pieces, settings.normalize))


def gather(pieces: Iterable[str] | Iterable[bytes], limit: int | None = None) -> Corpus:
    """The corpus of a text that comes in pieces and cannot be found again.

    limit: how many codes are held in memory, twice for a moment; None for any number. Beyond, they
    are in a file that lives as long as the corpus.
    """
    with Collector(limit) as collector:
        encoder = encode(pieces, collector)
        codes = collector.finish()
    if isinstance(codes, CodeFile):
        return Corpus(StoredCodes.whole(Store(codes)), encoder.points, encoder.sha256)
    return Corpus(codes, encoder.points, encoder.sha256)


def encode(pieces: Iterable[str] | Iterable[bytes], collector: Collector) -> Encoder:
    """Hand the codes of all pieces to a collector; the encoder knows what they stand for."""
    encoder = Encoder()
    for piece in pieces:
        for start in range(0, len(piece), _SLICE):
            collector.append(encoder.encode(piece[start : start + _SLICE]))
    return encoder


def prepare(corpus: Corpus, settings: Settings, validation: Corpus | None = None) -> Prepared:
    """Split a corpus by position and number its characters by the training part's vocabulary.

        training | test | validation

    validation: a text of its own to validate on; then no validation part is split off.
    Characters of the other parts that training never saw become the unknown symbol where the
    vocabulary has one and are left out, and counted, where not.
    Raises TextError where there is nothing to train on.
    """
    total, shares = len(corpus.codes), settings.training
    end = total if validation else total - int(total * shares.val_fraction)
    kept = end - int(total * shares.test_fraction)
    train = _part(corpus.codes, 0, kept)
    if len(train) < 2:
        raise TextError(
            f"the training part has {len(train)} character{'' if len(train) == 1 else 's'}; at "
            "least 2 are needed, one to read and one to predict"
        )
    vocabulary = _vocabulary(corpus.points, train, settings.text)
    held_out = validation or Corpus(_part(corpus.codes, end, total), corpus.points, "")
    codes, left_out = _renumbered(held_out, vocabulary)
    between = Corpus(_part(corpus.codes, kept, end), corpus.points, "")
    test, more = _renumbered(between, vocabulary)
    sha256 = corpus.sha256 + (f"+{validation.sha256}" if validation else "")
    return Prepared(
        vocabulary,
        _renumbered(Corpus(train, corpus.points, ""), vocabulary)[0],
        codes,
        test,
        left_out + more,
        sha256,
    )


def _part(codes: AnyCodes, start: int, stop: int) -> AnyCodes:
    return codes.part(start, stop) if isinstance(codes, StoredCodes) else codes[start:stop]


def _vocabulary(points: NDArray[np.uint32], train: AnyCodes, settings: TextSettings) -> Vocabulary:
    if settings.alphabet == "bytes":
        return Vocabulary(is_bytes=True)
    counts = _counts(train, len(points))
    seen = counts > 0
    return Vocabulary.of_counts(points[seen], counts[seen], settings.min_count)


def _counts(codes: AnyCodes, symbols: int) -> NDArray[np.int64]:
    """How often each code occurs."""
    if isinstance(codes, StoredCodes):
        return codes.counts()
    counts = np.zeros(symbols, dtype=np.int64)
    for part in _slices(codes):  # bincount widens its argument to eight bytes a character
        counts += np.bincount(part, minlength=symbols)
    return counts


def _renumbered(corpus: Corpus, vocabulary: Vocabulary) -> tuple[AnyCodes, int]:
    """The codes of a corpus by the vocabulary, and how many characters had to be left out."""
    code_of = (
        corpus.points.astype(np.int64)
        if vocabulary.is_bytes
        else vocabulary.codes_of_points(corpus.points)
    )
    if vocabulary.unknown_code is not None:
        code_of = np.where(code_of < 0, vocabulary.unknown_code, code_of)
    lacking = code_of < 0
    narrow = code_of.astype(vocabulary.dtype)
    codes = corpus.codes
    if isinstance(codes, StoredCodes):
        kept = codes.numbered(narrow, lacking)
        return kept, len(codes) - len(kept)
    if lacking.any():
        codes = np.concatenate([part[~lacking[part]] for part in _slices(codes)])
    return narrow[codes], len(corpus.codes) - len(codes)


def _slices(codes: Codes) -> Iterator[Codes]:
    for start in range(0, max(len(codes), 1), PIECE):
        yield codes[start : start + PIECE]
