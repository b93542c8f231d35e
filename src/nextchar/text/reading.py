"""From what a user named to a corpus: in memory where it is small, else through the cache."""

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
from nextchar.text.cache import spooled as collecting
from nextchar.text.cache.disk_codes import CodeFile, DiskCodes, RepairingReader
from nextchar.text.cache.entries import name_of, open_entry
from nextchar.text.cache.entry_format import DamagedError
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.corpus import Corpus, encode
from nextchar.text.read_callbacks import ReadCallbacks, with_progress
from nextchar.text.sources import Source, find_sources, read_symbols
from nextchar.text.vocabulary import Codes

PACKED = 4  # a compressed file's text may well be this many times as large


def read_corpus(
    inputs: Sequence[str | PathLike[str]],
    settings: TextSettings,
    listener: ReadCallbacks | None = None,
) -> Corpus:
    """The corpus that paths, folders, `-` and data sets stand for, one after the other.

    A text of more than `collector.IN_MEMORY` characters is encoded into a file: in the cache,
    where it is found the next time, unless a part of it comes from a pipe or a data set.
    """
    sources = find_sources(inputs, settings)
    return _Reading(sources, settings, listener or ReadCallbacks(), label_of(inputs)).corpus()


def label_of(inputs: Sequence[str | PathLike[str]]) -> str:
    """What a text is called that the user gave these names."""
    more = f" and {len(inputs) - 1:,} more" if len(inputs) > 1 else ""
    return "".join(os.path.abspath(name) for name in inputs[:1]) + more  # noqa: PTH100


class _Text(NamedTuple):
    """An encoded text: codes in memory or in a file, what they stand for, its SHA-256."""

    codes: Codes | CodeFile
    points: NDArray[np.uint32]
    sha256: str


@dataclass(frozen=True)
class _Reading:
    """How a text is read: once, and again where its file was damaged."""

    sources: Sequence[Source]
    settings: TextSettings
    listener: ReadCallbacks
    label: str

    def corpus(self) -> Corpus:
        name = self._name()
        text = (self._found(name) if name else None) or self._encoded(name)
        codes = text.codes
        if not isinstance(codes, CodeFile):
            return Corpus(codes, text.points, text.sha256)
        store = RepairingReader(
            codes, partial(self._mended, text.points, text.sha256) if name else None
        )
        return Corpus(DiskCodes.whole(store), text.points, text.sha256)

    def _name(self) -> str | None:
        """Under which the cache holds the text; None where it is small or cannot be read twice."""
        try:
            if _size(self.sources, PACKED) <= collecting.IN_MEMORY:
                return None
            return name_of(self.sources, self.settings)
        except OSError:  # a file is not there any more: reading it will say so
            return None

    def _found(self, name: str) -> _Text | None:
        try:
            found = open_entry(name)
        except DamagedError as error:
            self._tell_damage(error)
            return None
        if found is None:
            return None
        file, index, points, description = found
        return _Text(CodeFile(file, index), points, str(description["sha256"]))

    def _encoded(self, name: str | None) -> _Text:
        limit = 0 if name else collecting.IN_MEMORY
        with SpooledCodes(limit, name, self.listener) as collector:
            encoder = encode(self._pieces(), collector)
            points, sha256 = encoder.points, encoder.sha256
            description = {"sha256": sha256, "inputs": self.label}
            unchanged = name is not None and self._name() == name
            codes = collector.finish(points, description if unchanged else None)
        return _Text(codes, points, sha256)

    def _pieces(self) -> Iterable[str] | Iterable[bytes]:
        known = not any(source.path is None or source.is_compressed for source in self.sources)
        total = _size(self.sources, 1) if known else 0
        sources = with_progress(self.sources, total or None, collecting.IN_MEMORY, self.listener)
        return read_symbols(sources, self.settings)

    def _mended(self, points: NDArray[np.uint32], sha256: str) -> CodeFile:
        """The file once more. Raises TextError where the text is no longer the same."""
        self._tell_damage("")
        quiet = replace(
            self, listener=ReadCallbacks(self.listener.note)
        )  # a run shows its own progress
        text = quiet._encoded(self._name())
        same = text.sha256 == sha256 and np.array_equal(text.points, points)
        if not (same and isinstance(text.codes, CodeFile)):
            raise TextError(
                f"{self.label}: the encoded text in the cache is damaged, and the text itself has "
                "changed since; start again"
            )
        return text.codes

    def _tell_damage(self, error: DamagedError | str) -> None:
        why = f" ({error})" if str(error) else ""
        self.listener.note(
            f"{self.label}: the encoded text in the cache is damaged{why}; encoding it anew"
        )


def _size(sources: Sequence[Source], packed: int) -> int:
    """Bytes of all sources that are files. packed: what those of compressed ones count."""
    return sum(
        source.path.stat().st_size * (packed if source.is_compressed else 1)
        for source in sources
        if source.path is not None
    )
