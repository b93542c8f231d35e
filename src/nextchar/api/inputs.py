"""Inputs of `CharRNN.fit`: paths, open files, or the text itself."""

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

MAX_PATH = 4096  # characters; a longer string is a text


def text_input(X: Input | None, text: str | bytes | None, settings: Settings) -> TextInput | None:
    """The text to train on, or None if neither is given. Raises SettingsError, TextError."""
    if X is not None and text is not None:
        raise SettingsError("cannot be combined with a path", setting="text", remedy="give one")
    if text is not None:
        return TextInput(lambda text_settings, callbacks: text_corpus(text, text_settings))
    if X is None:
        return None
    if isinstance(X, bytes) or (isinstance(X, str) and ("\n" in X or len(X) > MAX_PATH)):
        raise SettingsError("must be a path", setting="X", value=X, remedy="give a text as text=")
    if isinstance(X, str | PathLike):
        return text_from_paths([X])
    if isinstance(X, Sequence):
        return text_from_paths(X)
    if not hasattr(X, "read"):
        raise SettingsError("must be a path, several paths or an open file", setting="X", value=X)
    return TextInput(lambda text_settings, callbacks: _from_open_file(X, text_settings))


def _from_open_file(file: IO[str] | IO[bytes], settings: TextSettings) -> Corpus:
    """The corpus of a file the caller opened: in text mode, or in binary mode for bytes."""
    return corpus_of_pieces(preprocess(_pieces(file, settings.alphabet), settings), IN_MEMORY)


def _pieces(file: IO[Any], alphabet: str) -> Iterator[Any]:
    kind, mode = (bytes, "binary") if alphabet == "bytes" else (str, "text")
    while piece := file.read(PIECE):
        if not isinstance(piece, kind):
            raise TextError(f"alphabet={alphabet!r} needs a file that is open in {mode} mode")
        yield piece
