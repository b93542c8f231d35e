"""Training text of a model, read again from its recorded sources."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nextchar.errors import TextError
from nextchar.model.file import Model
from nextchar.text.sources import Source, find_sources, read_pieces
from nextchar.text.vocabulary import bytes_of

_REMEDY = "give the training text with --training-text FILE"


def training_text(model: Model, texts: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the pieces of the text as training read it, including the validation part.

    texts: paths, folders or data sets to read instead; they may be other texts.
    Raises TextError if the text is not found, and after the last piece if it has changed.
    """
    digest = hashlib.sha256()
    sources = find_sources(texts, model.text) if texts else _recorded(model)
    for piece in read_pieces(sources, model.text):
        digest.update(bytes_of(piece))
        yield piece
    if not texts:
        _require_same(model, digest.hexdigest())


def _recorded(model: Model) -> list[Source]:
    """Find the recorded sources of the training text."""
    names = _inputs(model)
    if not names or "-" in names:
        problem = "the model does not record where its training text is, which was not a file"
        raise TextError(problem, remedy=_REMEDY)
    try:
        return find_sources(names, model.text)
    except TextError as error:
        raise error.renamed(error.setting, _REMEDY) from error


def _inputs(model: Model) -> list[str]:
    source = model.training.get("source")
    names = source.get("inputs") if isinstance(source, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _require_same(model: Model, now: str) -> None:
    """Raise TextError if the text differs from the one that the model was trained on."""
    before = str(model.training.get("text_sha256", "")).split("+")[0]
    if before and before != now:
        change = f"(sha256 {before[:8]}… now {now[:8]}…)"
        problem = f"is no longer the text that the model was trained on {change}"
        raise TextError(problem, path=", ".join(_inputs(model)), remedy=_REMEDY)
