"""What `CharRNN.fit` takes as a text: paths, open files, or the text itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import IO, Any

from nextchar.errors import SettingsError, TextError
from nextchar.settings.config import Settings, TextSettings
from nextchar.text.cache.spooled import IN_MEMORY
from nextchar.text.corpus import Corpus, corpus_of_pieces, text_corpus
from nextchar.text.sources import PIECE, preprocess
from nextchar.training.run import TextInput, text_from_paths

PathName = str | PathLike[str]
Input = PathName | Sequence[PathName] | IO[str] | IO[bytes]

LONGEST_PATH = 4096  # characters; what is longer is a text


def material_of(X: Input | None, text: str | bytes | None, settings: Settings) -> TextInput | None:
    """The material of what was given; None where nothing was. Raises SettingsError, TextError."""
    if X is not None and text is not None:
        raise SettingsError("fit: wants either a path or text=, not both")
    if text is not None:
        return TextInput(lambda how, listener: text_corpus(text, how))
    if X is None:
        return None
    if isinstance(X, bytes) or (isinstance(X, str) and ("\n" in X or len(X) > LONGEST_PATH)):
        raise SettingsError("fit: wants a path, got a text itself; give that as text=")
    if isinstance(X, str | PathLike):
        return text_from_paths([X])
    if isinstance(X, Sequence):
        return text_from_paths(X)
    if not hasattr(X, "read"):
        raise SettingsError(
            f"fit: wants a path, several paths or an open file, got {type(X).__name__}"
        )
    return TextInput(lambda how, listener: _from_open_file(X, how))


def _from_open_file(file: IO[str] | IO[bytes], settings: TextSettings) -> Corpus:
    """The corpus of a file the caller opened: in text mode, or in binary mode for bytes."""
    return corpus_of_pieces(preprocess(_pieces(file, settings.alphabet), settings), IN_MEMORY)


def _pieces(file: IO[Any], alphabet: str) -> Iterator[Any]:
    wanted, mode = (bytes, "binary") if alphabet == "bytes" else (str, "text")
    while piece := file.read(PIECE):
        if not isinstance(piece, wanted):
            raise TextError(f"alphabet={alphabet!r} wants a file that is open in {mode} mode")
        yield piece
