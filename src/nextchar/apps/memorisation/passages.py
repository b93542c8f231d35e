"""Passages of generated texts that are copied from the training text."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.memorisation.copy_search import copied
from nextchar.apps.memorisation.training_text import training_text
from nextchar.model.file import Model
from nextchar.text.vocabulary import Codes, points_of

MARKED = 30  # minimum length of a copied passage

Span = tuple[int, int]


@dataclass(frozen=True)
class Passages:
    """Copied passages of texts.

    spans: for each text, (start, end) of the characters covered by copied passages, in order.
    longest: the longest passage. share: of all generated characters.
    """

    spans: list[list[Span]]
    longest: str
    share: float


def copied_passages(model: Model, texts: Sequence[Codes], where: Sequence[str] = ()) -> Passages:
    """Find the passages of `MARKED` or more characters that occur in the training text.

    texts: codes of generated texts. where: files to search instead of the recorded ones. The
    training text is read in pieces and may be of any size.
    Raises TextError if the training text is not found or has changed.
    """
    (result,) = copied([texts], _codes(model, where), [MARKED])
    text, start, end = result.longest
    total = sum(map(len, texts))
    covered = sum(end - start for spans in result.spans for start, end in spans)
    return Passages(
        [in_text(model, *each) for each in zip(texts, result.spans, strict=True)],
        model.vocabulary.decode(texts[text][start:end]) if end - start >= MARKED else "",
        covered / total if total else 0.0,
    )


def _codes(model: Model, where: Sequence[str]) -> Iterator[NDArray[Any]]:
    """Yield the training text as codes; -1 for unknown characters, which match nothing."""
    for piece in training_text(model, where):
        if isinstance(piece, bytes):
            yield np.frombuffer(piece, np.uint8)
        else:
            yield model.vocabulary.codes_of_points(points_of(piece))


def in_text(model: Model, codes: Codes, spans: list[Span]) -> list[Span]:
    """Convert spans of codes to spans of characters, which may be several bytes each.

    A character is in a span only with all of its bytes.
    """
    if not model.vocabulary.is_bytes:
        return spans
    data = model.vocabulary.decode_bytes(codes)
    inside = [(_started(data[:start]), _complete(data[:end])) for start, end in spans]
    return [(start, end) for start, end in inside if start < end]


def _started(data: bytes) -> int:
    """Number of characters, including a truncated last one."""
    return len(data.decode("utf-8", "replace"))


def _complete(data: bytes) -> int:
    """Number of characters, excluding a truncated last one."""
    return len(codecs.getincrementaldecoder("utf-8")("replace").decode(data))
