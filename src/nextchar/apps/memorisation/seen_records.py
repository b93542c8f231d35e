"""Records that a model may have memorised: those that occur in its training text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from nextchar.apps.memorisation.training_text import training_text
from nextchar.errors import SettingsError
from nextchar.model.file import Model
from nextchar.settings.config import TextSettings
from nextchar.text.records import boundary_of
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import bytes_of


def records_seen(model: Model, candidates: Collection[str], texts: Sequence[str] = ()) -> set[str]:
    """Return the candidates that are records of the training text.

    The text is read once, in pieces; only the records of one piece are held in memory.
    texts: paths, folders or data sets to search instead; they may be other texts.
    Raises TextError if the training text is not found or has changed, SettingsError if the model
    was not trained on records.
    """
    boundary = boundary_of(model.text)
    if boundary is None:
        problem = "the model was not trained on records, so there are none to search for"
        raise SettingsError(problem, remedy="train it with --records")
    sought: dict[str | bytes, set[str]] = {}
    for candidate in filter(None, candidates):  # no record is empty
        sought.setdefault(_as_read(candidate, model.text), set()).add(candidate)
    seen = set[str]()
    longest = max(map(len, sought), default=0)
    for records in _records(training_text(model, texts), boundary, longest):
        for record in sought.keys() & records:
            seen |= sought[record]
    return seen


def _as_read(candidate: str, settings: TextSettings) -> str | bytes:
    """Return a record in the form that it has in the text."""
    if settings.alphabet == "bytes":
        return bytes_of(candidate)
    return "".join(normalized([candidate], settings.normalize))


def _records(pieces: Iterable[Any], boundary: str, longest: int) -> Iterator[Collection[Any]]:
    """Yield the records of a text in groups; records longer than `longest` are cut there."""
    rest: Any = None
    for piece in pieces:
        mark = boundary.encode("latin-1") if isinstance(piece, bytes) else boundary
        *whole, rest = (piece if rest is None else rest + piece).split(mark)
        rest = rest[: longest + 1]
        yield whole
