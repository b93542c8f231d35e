"""The text that a model was trained on, found again where its training found it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nextchar.errors import TextError
from nextchar.model.file import Model
from nextchar.text.sources import Source, find_sources, read_pieces
from nextchar.text.vocabulary import bytes_of

_GIVE_IT = "--training-text FILE"


def training_text(model: Model, texts: Sequence[str] = ()) -> Iterator[Any]:
    """The pieces of the text as training read it: all of it, the validation part too.

    texts: paths, folders or data sets to read instead; they may be other texts.
    Raises TextError where the text is not found, and after the last piece where it is no longer
    the one that the model was trained on.
    """
    digest = hashlib.sha256()
    sources = find_sources(texts, model.text) if texts else _recorded(model)
    for piece in read_pieces(sources, model.text):
        digest.update(bytes_of(piece))
        yield piece
    if not texts:
        _require_same(model, digest.hexdigest())


def _recorded(model: Model) -> list[Source]:
    """The sources of the training text, by what the model says of it."""
    names = _inputs(model)
    if not names or "-" in names:
        raise TextError(
            "the model does not say where its training text is, which was no file; give it: "
            f"{_GIVE_IT}"
        )
    try:
        return find_sources(names, model.text)
    except TextError as error:
        raise TextError(f"{error}; it was the training text: give it: {_GIVE_IT}") from error


def _inputs(model: Model) -> list[str]:
    source = model.training.get("source")
    names = source.get("inputs") if isinstance(source, Mapping) else None
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _require_same(model: Model, now: str) -> None:
    """Raise TextError where the text is no longer the one that the model was trained on."""
    before = str(model.training.get("text_sha256", "")).split("+")[0]
    if before and before != now:
        raise TextError(
            f"{', '.join(_inputs(model))}: no longer the text that the model was trained on "
            f"(sha256 {before[:8]}… now {now[:8]}…); give that: {_GIVE_IT}"
        )
