"""A corpus in memory: pieces of text → codes, in one pass, at one to four bytes a character.

The vocabulary is not known before the text was read, so characters first get codes in order of
appearance; `prepare` then takes the vocabulary from the training part alone and renumbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.config import Settings, TextSettings
from nextchar.errors import TextError
from nextchar.text.sources import PIECE, find_sources, normalized, read_bytes, read_text
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of, points_of

_POINTS = 0x110000  # how many code points there are


@dataclass(frozen=True)
class Corpus:
    """A text as codes in order of first appearance, to within a piece.

    codes: (N,) indices into points.
    points: (K,) code points, or bytes.
    sha256: of the text's UTF-8, or of the bytes.
    """

    codes: Codes
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
    train: Codes
    validation: Codes
    test: Codes
    left_out: int
    sha256: str


def read_corpus(inputs: Sequence[str | PathLike[str]], settings: TextSettings) -> Corpus:
    """The corpus that paths, folders, `-` and data sets stand for, one after the other."""
    sources = find_sources(inputs, settings)
    if settings.alphabet == "bytes":
        return gather(read_bytes(sources))
    return gather(read_text(sources, settings))


def text_corpus(text: str | bytes, settings: TextSettings) -> Corpus:
    """The corpus of a text in memory."""
    if settings.alphabet == "bytes":
        return gather([bytes_of(text)])
    if isinstance(text, bytes):
        raise TextError('text: wants a str, got bytes; use alphabet="bytes" to train on bytes')
    pieces = (text[start : start + PIECE] for start in range(0, len(text), PIECE))
    return gather(normalized(pieces, settings.normalize))


def gather(pieces: Iterable[str] | Iterable[bytes]) -> Corpus:
    """The corpus of a text that comes in pieces; memory is that of its codes, twice at most."""
    digest = hashlib.sha256()
    code_of = np.full(_POINTS, -1, dtype=np.int32)
    points: list[int] = []
    parts: list[Codes] = []
    for piece in pieces:
        digest.update(bytes_of(piece))
        piece_points = _points(piece)
        codes = code_of[piece_points]
        if (codes < 0).any():
            fresh = np.unique(piece_points[codes < 0])
            code_of[fresh] = np.arange(len(points), len(points) + len(fresh), dtype=np.int32)
            points.extend(fresh.tolist())
            codes = code_of[piece_points]
        parts.append(codes.astype(np.min_scalar_type(max(len(points) - 1, 0))))
    return Corpus(_joined(parts), np.array(points, dtype=np.uint32), digest.hexdigest())


def _points(piece: str | bytes) -> NDArray[Any]:
    if isinstance(piece, bytes):
        return np.frombuffer(piece, dtype=np.uint8)
    return points_of(piece)


def _joined(parts: list[Codes]) -> Codes:
    """The parts as one array of the widest type among them, each let go once it is copied."""
    total = sum(len(part) for part in parts)
    joined = np.empty(total, dtype=parts[-1].dtype if parts else np.uint8)
    start = 0
    for index, part in enumerate(parts):
        joined[start : start + len(part)] = part
        start += len(part)
        parts[index] = np.empty(0, part.dtype)  # a slice would hold on to it
    return joined


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
    train = corpus.codes[:kept]
    if len(train) < 2:
        raise TextError(
            f"the training part has {len(train)} character{'' if len(train) == 1 else 's'}; at "
            "least 2 are needed, one to read and one to predict"
        )
    vocabulary = _vocabulary(corpus.points, train, settings.text)
    held_out = validation or Corpus(corpus.codes[end:], corpus.points, "")
    codes, left_out = _renumbered(held_out, vocabulary)
    test, more = _renumbered(Corpus(corpus.codes[kept:end], corpus.points, ""), vocabulary)
    sha256 = corpus.sha256 + (f"+{validation.sha256}" if validation else "")
    return Prepared(
        vocabulary,
        _renumbered(Corpus(train, corpus.points, ""), vocabulary)[0],
        codes,
        test,
        left_out + more,
        sha256,
    )


def _vocabulary(points: NDArray[np.uint32], train: Codes, settings: TextSettings) -> Vocabulary:
    if settings.alphabet == "bytes":
        return Vocabulary(is_bytes=True)
    counts = np.zeros(len(points), dtype=np.int64)
    for part in _slices(train):  # bincount widens its argument to eight bytes a character
        counts += np.bincount(part, minlength=len(points))
    seen = counts > 0
    return Vocabulary.of_counts(points[seen], counts[seen], settings.min_count)


def _renumbered(corpus: Corpus, vocabulary: Vocabulary) -> tuple[Codes, int]:
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
    if lacking.any():
        codes = np.concatenate([part[~lacking[part]] for part in _slices(codes)])
    return narrow[codes], len(corpus.codes) - len(codes)


def _slices(codes: Codes) -> Iterator[Codes]:
    for start in range(0, max(len(codes), 1), PIECE):
        yield codes[start : start + PIECE]
