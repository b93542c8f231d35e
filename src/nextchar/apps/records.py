"""Which records a model may know by heart: those that stand in the text it was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from nextchar.config import TextSettings
from nextchar.errors import SettingsError, TextError
from nextchar.model.file import Model
from nextchar.text.records import boundary_of
from nextchar.text.sources import Source, find_sources, normalized, read_symbols
from nextchar.text.vocabulary import bytes_of

_GIVE_IT = "--training-text FILE"


def records_seen(model: Model, candidates: Collection[str], texts: Sequence[str] = ()) -> set[str]:
    """Those of the candidates that are records of the text that a model was trained on.

    The text is read once, in pieces: of its records no more are held than stand in one.
    texts: paths, folders or data sets to look in instead; they may be other texts.
    Raises TextError where the training text is not found or is no longer the same, SettingsError
    where the model was not trained on records.
    """
    boundary = boundary_of(model.text)
    if boundary is None:
        raise SettingsError(
            "the model was not trained on records, so that none can be looked for; train it with "
            "--records"
        )
    sought: dict[str | bytes, set[str]] = {}
    for candidate in filter(None, candidates):  # none is empty
        sought.setdefault(_as_read(candidate, model.text), set()).add(candidate)
    digest, seen = hashlib.sha256(), set[str]()
    for records in _records(
        _read(model, texts, digest), boundary, max(map(len, sought), default=0)
    ):
        for record in sought.keys() & records:
            seen |= sought[record]
    if not texts:
        _require_same(model, digest.hexdigest())
    return seen


def _as_read(candidate: str, settings: TextSettings) -> str | bytes:
    """A record as it would stand in the text."""
    if settings.alphabet == "bytes":
        return bytes_of(candidate)
    return "".join(normalized([candidate], settings.normalize))


def _read(model: Model, texts: Sequence[str], digest: Any) -> Iterator[Any]:
    """The pieces of the text, each of which the digest is told."""
    sources = find_sources(texts, model.text) if texts else _recorded(model)
    for piece in read_symbols(sources, model.text):
        digest.update(bytes_of(piece))
        yield piece


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


def _records(pieces: Iterable[Any], boundary: str, longest: int) -> Iterator[Collection[Any]]:
    """The records of a text, some at a time; of one that is longer than `longest` a beginning."""
    rest: Any = None
    for piece in pieces:
        mark = boundary.encode("latin-1") if isinstance(piece, bytes) else boundary
        *whole, rest = (piece if rest is None else rest + piece).split(mark)
        rest = rest[: longest + 1]
        yield whole


def _require_same(model: Model, now: str) -> None:
    """Raise TextError where the text is no longer the one that the model was trained on."""
    before = str(model.training.get("text_sha256", "")).split("+")[0]
    if before and before != now:
        raise TextError(
            f"{', '.join(_inputs(model))}: no longer the text that the model was trained on "
            f"(sha256 {before[:8]}… now {now[:8]}…); give that: {_GIVE_IT}"
        )
