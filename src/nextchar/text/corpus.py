"""A corpus: pieces of text → codes, in one pass, at one to four bytes a character.

The vocabulary is known only after the text was read. Symbols therefore first get codes in order of
appearance; `prepare` then takes the vocabulary from the training part alone and renumbers. A large
text stays on disk: its codes are renumbered by a table when they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.settings.config import Settings, TextSettings
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import AnyCodes, CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.encoder import Encoder
from nextchar.text.records import boundary_of, shuffled_records, split_point_near
from nextchar.text.sources import PIECE, preprocess
from nextchar.text.vocabulary import Codes, Vocabulary, bytes_of

_SLICE = 1 << 16  # characters encoded at once: intermediate arrays stay in the CPU cache


@dataclass(frozen=True)
class Corpus:
    """A text as codes in order of first appearance.

    codes: (N,) indices into points. points: (K,) code points, or bytes.
    sha256: of the text's UTF-8, or of the bytes.
    """

    codes: AnyCodes
    points: NDArray[np.uint32]
    sha256: str


@dataclass(frozen=True)
class Prepared:
    """A text split and encoded for training.

    train, validation, test: codes of the vocabulary; the latter two may be empty.
    left_out: number of characters dropped from those two because the vocabulary lacks them.
    sha256: identifies the whole text, training and validation.
    by_position: the last records were held out for validation, because the text is too large to be
    shuffled.
    source: origin of the text, for `config.toml`.
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
    """Return the corpus of a text in memory."""
    whole = bytes_of(text) if settings.alphabet == "bytes" else text
    if isinstance(whole, bytes) and settings.alphabet != "bytes":
        remedy = 'use alphabet="bytes" to train on bytes'
        raise TextError("must be a str, not bytes", setting="text", remedy=remedy)
    pieces = (whole[start : start + PIECE] for start in range(0, len(whole), PIECE))
    return corpus_of_pieces(preprocess(pieces, settings))


def corpus_of_pieces(pieces: Iterable[str] | Iterable[bytes], limit: int | None = None) -> Corpus:
    """Return the corpus of preprocessed pieces that cannot be read a second time.

    limit: codes held in memory, twice for a moment; None for any number. More codes go to a file
    that exists as long as the corpus.
    """
    with SpooledCodes(limit) as spool:
        encoder = encode(pieces, spool)
        codes: AnyCodes | CodeFile = spool.finish()
    if isinstance(codes, CodeFile):
        codes = DiskCodes.whole(RepairingReader(codes))
    return Corpus(codes, encoder.points, encoder.sha256)


def encode(pieces: Iterable[str] | Iterable[bytes], spool: SpooledCodes) -> Encoder:
    """Append the codes of all pieces to a spool; return the encoder, which has their symbols."""
    encoder = Encoder()
    for piece in pieces:
        for start in range(0, len(piece), _SLICE):
            spool.append(encoder.encode(piece[start : start + _SLICE]))
    return encoder


def prepare(
    corpus: Corpus,
    settings: Settings,
    validation: Corpus | None = None,
    known: Vocabulary | None = None,
) -> Prepared:
    """Split a corpus and number its characters by the training part's vocabulary.

        training | test | validation

    The split is by position. Records are shuffled first if they fit into memory, and never cut.
    validation: a separate text to validate on; no validation part is split off then.
    known: a vocabulary that the new one must contain.
    Characters that occur only outside the training part become the unknown symbol; if the
    vocabulary has none, they are left out and counted.
    Raises TextError if there is nothing to train on.
    """
    boundary = _boundary(corpus, settings.text)
    shuffles = boundary is not None and len(corpus.codes) <= spooled.IN_MEMORY
    if boundary is not None and shuffles:
        in_memory = corpus.codes[0 : len(corpus.codes)]
        shuffled = shuffled_records(in_memory, boundary, settings.training.seed)
        corpus = replace(corpus, codes=shuffled)
    train, test, rest = _parts(corpus.codes, boundary, settings, splits=validation is None)
    if len(train) < 2:
        part = f"the training part has {len(train)} character{'' if len(train) == 1 else 's'}"
        raise TextError(f"{part}; at least 2 are needed, one to read and one to predict")
    vocabulary = _vocabulary(corpus.points, train, settings.text, known)
    train_codes, _ = _renumbered(replace(corpus, codes=train), vocabulary)
    validation_codes, left_out = _renumbered(validation or replace(corpus, codes=rest), vocabulary)
    test_codes, left_out_of_test = _renumbered(replace(corpus, codes=test), vocabulary)
    sha256 = corpus.sha256 + (f"+{validation.sha256}" if validation else "")
    by_position = boundary is not None and not shuffles and len(rest) > 1
    parts = train_codes, validation_codes, test_codes
    return Prepared(vocabulary, *parts, left_out + left_out_of_test, sha256, by_position)


def _boundary(corpus: Corpus, settings: TextSettings) -> int | None:
    boundary = boundary_of(settings)
    if boundary is None or not len(corpus.points):
        return None
    return int(np.flatnonzero(corpus.points == ord(boundary))[0])


def _parts(
    codes: AnyCodes, boundary: int | None, settings: Settings, *, splits: bool
) -> tuple[AnyCodes, AnyCodes, AnyCodes]:
    """The training, test and validation parts; those of records share the boundary between them.

    splits: whether a validation part is split off.
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
            end = split_point_near(codes, boundary, end - held, end)
        kept = split_point_near(codes, boundary, end - tested, end) if tested else end
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
    if boundary is not None:  # never folded into the unknown symbol, however few records there are
        counts[points == ord(boundary)] += settings.min_count
    seen = counts > 0
    if known is not None:
        frequent = points[counts >= settings.min_count]
        return known.extended(frequent, has_unknown=settings.min_count > 1)
    return Vocabulary.of_counts(points[seen], counts[seen], settings.min_count)


def _counts(codes: AnyCodes, symbols: int) -> NDArray[np.int64]:  # (K,)
    if isinstance(codes, DiskCodes):
        return codes.counts()
    counts = np.zeros(symbols, dtype=np.int64)
    for part in _slices(codes):  # bincount widens its argument to eight bytes a character
        counts += np.bincount(part, minlength=symbols)
    return counts


def _renumbered(corpus: Corpus, vocabulary: Vocabulary) -> tuple[AnyCodes, int]:
    """The codes of a corpus in a vocabulary, and the number of characters that were left out."""
    if vocabulary.is_bytes:
        code_of = corpus.points.astype(np.int32)
    else:
        code_of = vocabulary.codes_of_points(corpus.points)
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
