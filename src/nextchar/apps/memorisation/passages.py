"""Passages of what a model wrote that stand in the text that it was trained on."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.memorisation.copy_search import copied
from nextchar.apps.memorisation.training_text import training_text
from nextchar.model.file import Model
from nextchar.text.vocabulary import Codes, Vocabulary, points_of

MARKED = 30  # characters from which a copied passage is marked

Span = tuple[int, int]


@dataclass(frozen=True)
class Passages:
    """What some texts copy.

    spans: for each text, (start, end) in its characters of what copied passages cover, in order.
    longest: the longest passage. share: of all characters that were written.
    """

    spans: list[list[Span]]
    longest: str
    share: float


def copied_passages(model: Model, texts: Sequence[Codes], where: Sequence[str] = ()) -> Passages:
    """The passages of `MARKED` or more characters that stand in the training text.

    texts: codes of what the model wrote. where: files to look in instead of where the training
    found its text. The text passes by in pieces, so it may be of any size.
    Raises TextError where the training text is not found or is no longer the same.
    """
    (found,) = copied([texts], _codes(model, where), [MARKED])
    text, start, end = found.longest
    written = sum(map(len, texts))
    marked = sum(end - start for spans in found.spans for start, end in spans)
    return Passages(
        [in_text(model, *each) for each in zip(texts, found.spans, strict=True)],
        model.vocabulary.decode(texts[text][start:end]) if end - start >= MARKED else "",
        marked / written if written else 0.0,
    )


def _codes(model: Model, where: Sequence[str]) -> Iterator[NDArray[np.int64]]:
    """The training text as codes, -1 for what the model does not know: nothing equals that."""
    for piece in training_text(model, where):
        yield _known(model.vocabulary, piece)


def _known(vocabulary: Vocabulary, piece: str | bytes) -> NDArray[np.int64]:
    if isinstance(piece, bytes):
        return np.frombuffer(piece, np.uint8).astype(np.int64)
    return vocabulary.codes_of_points(points_of(piece)).astype(np.int64)


def in_text(model: Model, codes: Codes, spans: list[Span]) -> list[Span]:
    """Spans of codes as spans of the text, whose characters may be of several bytes.

    A character of which only some bytes are in a span is not.
    """
    if not model.vocabulary.is_bytes:
        return spans
    data = model.vocabulary.decode_bytes(codes)
    found = [(_begun(data[:start]), _whole(data[:end])) for start, end in spans]
    return [(start, end) for start, end in found if start < end]


def _begun(data: bytes) -> int:
    """Characters that have begun, the one that is cut off too."""
    return len(data.decode("utf-8", "replace"))


def _whole(data: bytes) -> int:
    """Characters without the one that is cut off."""
    return len(codecs.getincrementaldecoder("utf-8")("replace").decode(data))
