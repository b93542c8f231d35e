"""Reading: from the inputs that a user named to a corpus, in memory if it is small, else cached."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from os import PathLike
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text.cache import spooled
from nextchar.text.cache.disk_codes import CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.entries import entry_name, open_entry
from nextchar.text.cache.entry_format import DamagedError
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.corpus import Corpus, encode
from nextchar.text.read_callbacks import ReadCallbacks, with_progress
from nextchar.text.sources import Source, find_sources, read_pieces
from nextchar.text.vocabulary import Codes

COMPRESSION = 4  # a compressed file's text may well be this many times as large


def read_corpus(
    inputs: Sequence[str | PathLike[str]],
    settings: TextSettings,
    callbacks: ReadCallbacks | None = None,
) -> Corpus:
    """Read paths, folders, `-` and data sets, one after the other, into a corpus.

    A text of more than `spooled.IN_MEMORY` characters is encoded into a file. The file stays in the
    cache, where it is found the next time, unless a part of the text is a pipe or a data set.
    """
    sources = find_sources(inputs, settings)
    return _Reader(sources, settings, callbacks or ReadCallbacks(), _label_of(inputs)).corpus()


def _label_of(inputs: Sequence[str | PathLike[str]]) -> str:
    """Return the name of a text in messages and in the list of the cache."""
    more = f" and {len(inputs) - 1:,} more" if len(inputs) > 1 else ""
    return "".join(os.path.abspath(name) for name in inputs[:1]) + more  # noqa: PTH100


class _Text(NamedTuple):
    """An encoded text: codes in memory or in a file, the symbol of each code, the SHA-256."""

    codes: Codes | CodeFile
    points: NDArray[np.uint32]
    sha256: str


@dataclass(frozen=True)
class _Reader:
    """Reads a text, and reads it again if its file in the cache is damaged."""

    sources: Sequence[Source]
    settings: TextSettings
    callbacks: ReadCallbacks
    label: str

    def corpus(self) -> Corpus:
        name = self._entry_name()
        text = (self._cached(name) if name else None) or self._encode(name)
        codes = text.codes
        if not isinstance(codes, CodeFile):
            return Corpus(codes, text.points, text.sha256)
        repair = partial(self._encode_again, text.points, text.sha256) if name else None
        reader = RepairingReader(codes, repair)
        return Corpus(DiskCodes.whole(reader), text.points, text.sha256)

    def _entry_name(self) -> str | None:
        """Name of the entry in the cache; None if the text is small or cannot be read twice."""
        try:
            if _size(self.sources, COMPRESSION) <= spooled.IN_MEMORY:
                return None
            return entry_name(self.sources, self.settings)
        except OSError:  # a file no longer exists: reading it raises the error
            return None

    def _cached(self, name: str) -> _Text | None:
        try:
            entry = open_entry(name)
        except DamagedError as error:
            self._report_damage(str(error))
            return None
        if entry is None:
            return None
        file, index, points, description = entry
        return _Text(CodeFile(file, index), points, str(description["sha256"]))

    def _encode(self, name: str | None) -> _Text:
        limit = 0 if name else spooled.IN_MEMORY
        with SpooledCodes(limit, name, self.callbacks) as spool:
            encoder = encode(self._pieces(), spool)
            points, sha256 = encoder.points, encoder.sha256
            description = {"sha256": sha256, "inputs": self.label}
            is_unchanged = name is not None and self._entry_name() == name
            codes = spool.finish(points, description if is_unchanged else None)
        return _Text(codes, points, sha256)

    def _pieces(self) -> Iterable[str] | Iterable[bytes]:
        is_known = not any(source.path is None or source.is_compressed for source in self.sources)
        total = _size(self.sources, 1) if is_known else 0
        sources = with_progress(self.sources, total or None, spooled.IN_MEMORY, self.callbacks)
        return read_pieces(sources, self.settings)

    def _encode_again(self, points: NDArray[np.uint32], sha256: str) -> CodeFile:
        """Replace the damaged file. Raises TextError if the text has changed."""
        self._report_damage("")
        callbacks = ReadCallbacks(self.callbacks.note)  # without progress: a run shows its own
        text = replace(self, callbacks=callbacks)._encode(self._entry_name())
        is_same = text.sha256 == sha256 and np.array_equal(text.points, points)
        if not (is_same and isinstance(text.codes, CodeFile)):
            change = "the text itself has changed since"
            problem = f"the encoded text in the cache is damaged, and {change}"
            raise TextError(problem, path=self.label, remedy="start again")
        return text.codes

    def _report_damage(self, error: str) -> None:
        problem = "the encoded text in the cache is damaged" + (f" ({error})" if error else "")
        self.callbacks.note(f"{self.label}: {problem}; encoding it again")


def _size(sources: Sequence[Source], compression: int) -> int:
    """Bytes of the text of all sources that are files. compression: factor for compressed ones."""
    return sum(
        source.path.stat().st_size * (compression if source.is_compressed else 1)
        for source in sources
        if source.path is not None
    )
