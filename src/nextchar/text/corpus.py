"""A corpus: pieces of text → codes, in one pass, at one to four bytes a character.

The vocabulary is not known before the text was read, so characters first get codes in order of
appearance; `prepare` then takes the vocabulary from the training part alone and renumbers. A large
text stays on disk all the while: there, renumbering is a table that is applied to what is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.settings.config import Settings, TextSettings
from nextchar.text.borders import border_near, shuffled_records
from nextchar.text.cache import spooled as collecting
from nextchar.text.cache.disk_codes import AnyCodes, CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.encoder import Encoder
from nextchar.text.records import boundary_of
from nextchar.text.sources import PIECE, as_symbols
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
    by_position: whether records were kept for validation by their place in a text too large to be
    shuffled.
    source: where the text came from, as a run notes it.
    """

    vocabulary: Vocabulary
    train: AnyCodes
    validation: AnyCodes
    test: AnyCodes
    left_out: int
    sha256: str
    by_position: bool = False
    source: Mapping[str, Any] = field(default_factory=dict)


def text_corpus(text: str | bytes, settings: TextSettings) -> Corpus:
    """The corpus of a text in memory."""
    whole = bytes_of(text) if settings.alphabet == "bytes" else text
    if isinstance(whole, bytes) and settings.alphabet != "bytes":
        raise TextError('text: wants a str, got bytes; use alphabet="bytes" to train on bytes')
    pieces = (whole[start : start + PIECE] for start in range(0, len(whole), PIECE))
    return gather(as_symbols(pieces, settings))


def gather(pieces: Iterable[str] | Iterable[bytes], limit: int | None = None) -> Corpus:
    """The corpus of a text that comes in pieces and cannot be found again.

    limit: how many codes are held in memory, twice for a moment; None for any number. Beyond, they
    are in a file that lives as long as the corpus.
    """
    with SpooledCodes(limit) as collector:
        encoder = encode(pieces, collector)
        codes = collector.finish()
    if isinstance(codes, CodeFile):
        return Corpus(DiskCodes.whole(RepairingReader(codes)), encoder.points, encoder.sha256)
    return Corpus(codes, encoder.points, encoder.sha256)


def encode(pieces: Iterable[str] | Iterable[bytes], collector: SpooledCodes) -> Encoder:
    """Hand the codes of all pieces to a collector; the encoder knows what they stand for."""
    encoder = Encoder()
    for piece in pieces:
        for start in range(0, len(piece), _SLICE):
            collector.append(encoder.encode(piece[start : start + _SLICE]))
    return encoder


def prepare(
    corpus: Corpus,
    settings: Settings,
    validation: Corpus | None = None,
    known: Vocabulary | None = None,
) -> Prepared:
    """Split a corpus and number its characters by the training part's vocabulary.

        training | test | validation

    By position; records are shuffled first, where they are few enough to be held in memory, and
    none is cut.
    validation: a text of its own to validate on; then no validation part is split off.
    known: a vocabulary that is to be a part of the new one.
    Characters of the other parts that training never saw become the unknown symbol where the
    vocabulary has one and are left out, and counted, where not.
    Raises TextError where there is nothing to train on.
    """
    boundary = _boundary(corpus, settings.text)
    shuffles = boundary is not None and len(corpus.codes) <= collecting.IN_MEMORY
    if boundary is not None and shuffles:
        in_memory = corpus.codes[0 : len(corpus.codes)]
        shuffled = shuffled_records(in_memory, boundary, settings.training.seed)
        corpus = replace(corpus, codes=shuffled)
    train, between, rest = _parts(corpus.codes, boundary, settings, splits=validation is None)
    if len(train) < 2:
        raise TextError(
            f"the training part has {len(train)} character{'' if len(train) == 1 else 's'}; at "
            "least 2 are needed, one to read and one to predict"
        )
    vocabulary = _vocabulary(corpus.points, train, settings.text, known)
    codes, left_out = _renumbered(validation or replace(corpus, codes=rest), vocabulary)
    test, more = _renumbered(replace(corpus, codes=between), vocabulary)
    sha256 = corpus.sha256 + (f"+{validation.sha256}" if validation else "")
    return Prepared(
        vocabulary,
        _renumbered(replace(corpus, codes=train), vocabulary)[0],
        codes,
        test,
        left_out + more,
        sha256,
        by_position=boundary is not None and not shuffles and len(rest) > 1,
    )


def _boundary(corpus: Corpus, settings: TextSettings) -> int | None:
    """The code of what stands between records; None where the text is none of records."""
    boundary = boundary_of(settings)
    if boundary is None or not len(corpus.points):
        return None
    return int(np.flatnonzero(corpus.points == ord(boundary))[0])


def _parts(
    codes: AnyCodes, boundary: int | None, settings: Settings, *, splits: bool
) -> tuple[AnyCodes, AnyCodes, AnyCodes]:
    """The training, test and validation parts. Those of records share the boundary between them.

    splits: whether there is a validation part.
    """
    total, shares = len(codes), settings.training
    held = int(total * shares.val_fraction) * splits
    tested = int(total * shares.test_fraction)
    if boundary is None:
        end, last = total - held, 0
        kept = end - tested
    else:
        end, last = total - 1, 1
        if held:
            end = border_near(codes, boundary, end - held, end)
        kept = border_near(codes, boundary, end - tested, end) if tested else end
    return _part(codes, 0, kept + last), _part(codes, kept, end + last), _part(codes, end, total)


def _part(codes: AnyCodes, start: int, stop: int) -> AnyCodes:
    return codes.part(start, stop) if isinstance(codes, DiskCodes) else codes[start:stop]


def _vocabulary(
    points: NDArray[np.uint32], train: AnyCodes, settings: TextSettings, known: Vocabulary | None
) -> Vocabulary:
    if settings.alphabet == "bytes":
        return Vocabulary(is_bytes=True)
    counts = _counts(train, len(points))
    boundary = boundary_of(settings)
    if boundary is not None:  # which is no rare character, however few records there are
        counts[points == ord(boundary)] += settings.min_count
    seen = counts > 0
    if known is not None:
        often = points[counts >= settings.min_count]
        return known.extended(often, has_unknown=settings.min_count > 1)
    return Vocabulary.of_counts(points[seen], counts[seen], settings.min_count)


def _counts(codes: AnyCodes, symbols: int) -> NDArray[np.int64]:
    """How often each code occurs."""
    if isinstance(codes, DiskCodes):
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
    if isinstance(codes, DiskCodes):
        kept = codes.numbered(narrow, lacking)
        return kept, len(codes) - len(kept)
    if lacking.any():
        codes = np.concatenate([part[~lacking[part]] for part in _slices(codes)])
    return narrow[codes], len(corpus.codes) - len(codes)


def _slices(codes: Codes) -> Iterator[Codes]:
    for start in range(0, max(len(codes), 1), PIECE):
        yield codes[start : start + PIECE]
