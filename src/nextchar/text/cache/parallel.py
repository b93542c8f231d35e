"""The parts of a large text, each encoded by another process, as one entry of the cache.

    the leader  ─ the first part ─► the entry's file ◄─ codes of all, renumbered ◄─┐
    the others  ─ the other parts ─► a temporary file of the cache each ───────────┘

A symbol's code is its place among the symbols of all parts in their order, each the first time that
it comes: the same as where one process encodes the whole text, and so are the codes. The SHA-256
of a text cannot be cut: the leader computes it in a thread, of the files' bytes, which are what an
encoder would be given.

The name of the entry's file, while it is a temporary one, is the sign that all go on. Who fails
takes it away; the others look at it and stop, and the text is encoded by one process, which tells
what is wrong with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text.cache import spooled as collecting
from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import NewFile, has_entry, name_of, texts_folder
from nextchar.text.cache.entry_format import Index, Writer
from nextchar.text.cache.partition import Part, can_be_cut, cut
from nextchar.text.corpus import encode
from nextchar.text.encoder import Encoder
from nextchar.text.read_callbacks import ReadCallbacks, with_progress
from nextchar.text.reading import label_of
from nextchar.text.sources import PIECE, Source, find_sources, read_symbols
from nextchar.text.vocabulary import Codes

MERGING = 0.5  # of the time that encoding takes, for progress
_AT_ONCE = 1 << 17  # codes that are renumbered at once


class EncodingAbortedError(Exception):
    """Parts are not encoded any more, since one cannot be; caught by who began it."""


@dataclass(frozen=True)
class SplittableText:
    """A text that several may encode at once, where it is large: its names, how it is read."""

    inputs: Sequence[str | PathLike[str]]
    settings: TextSettings
    listener: ReadCallbacks

    def files(self) -> list[Source]:
        """Its files; none where it is small or cannot be cut.

        Raises what finding them does, and LookupError where there is no such encoding.
        """
        if not all(Path(name).exists() for name in self.inputs):  # data sets, standard input
            return []
        sources = find_sources(self.inputs, self.settings)
        if not can_be_cut(sources, self.settings):
            return []
        size = sum(path.stat().st_size for path in _paths(sources))
        return sources if size > collecting.IN_MEMORY else []

    def begun(self, number: int) -> MergedFile | None:
        """The text, to be encoded in so many parts; None where it need not or cannot.

        Raises what `files` does, and TextError where the cache cannot be used.
        """
        sources = self.files()
        name = name_of(sources, self.settings) if sources else None
        return MergedFile(self, name, sources, number) if name and not has_entry(name) else None


@dataclass(frozen=True)
class EncodingPlan:
    """Who encodes what. sign: the name of a file of the cache, there as long as all go on."""

    parts: Sequence[Part]
    settings: TextSettings
    sign: str

    def give_up(self) -> None:
        """Let all know that they need not go on."""
        with contextlib.suppress(OSError):
            (texts_folder() / self.sign).unlink(missing_ok=True)

    def listener(self, listener: ReadCallbacks, work: int) -> ReadCallbacks:
        """One that ends the reading where others gave up, and tells of the whole text.

        work: how much of it is done, of as much, is what it is told.
        """
        total, sign = sum(part.size for part in self.parts), texts_folder() / self.sign

        def encoding(done: int, _: object) -> None:
            if not sign.exists():
                raise EncodingAbortedError
            listener.encoding(round(total * done / work), total)

        return ReadCallbacks(encoding=encoding)


@dataclass(frozen=True)
class Encoded:
    """An encoded part. name: of its file in the cache; points: (K,) what its codes stand for."""

    name: str
    index: Index
    points: NDArray[np.uint32]


class _Temporary:
    """A file for codes in the cache, a context manager that leaves nothing of it behind.

    Raises TextError where the cache cannot be used.
    """

    def __init__(self) -> None:
        self.new = NewFile(is_kept=True)
        if self.new.reason:
            self.new.discard()
            raise TextError(self.new.reason)
        self.writer = Writer(self.new.file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.new.discard()

    def write(
        self, part: Part, settings: TextSettings, listener: ReadCallbacks
    ) -> NDArray[np.uint32]:
        """Encode a part; (K,) what its codes stand for. Raises TextError, OSError."""
        sources = with_progress(part.sources(), part.size, 0, listener)
        pieces = read_symbols(sources, settings)
        return encode(pieces, self.writer, Encoder(hashes=False)).points


class PartFile(_Temporary):
    """The codes of a part, until they are merged."""

    def encode(self, plan: EncodingPlan, number: int, listener: ReadCallbacks) -> Encoded:
        """Encode a part. Raises TextError, OSError, GivenUpError, what the listener raises."""
        part = plan.parts[number]
        points = self.write(part, plan.settings, plan.listener(listener, max(part.size, 1)))
        index = self.writer.finish()
        # other machines see what was written to a network's file system when a descriptor is
        # closed; the lock is the file's and stays
        os.close(os.dup(self.new.file.fileno()))
        return Encoded(self.new.path.name, index, points)


class MergedFile(_Temporary):
    """The leader's side: its own part, then all, as the entry of that name."""

    def __init__(
        self, text: SplittableText, name: str, sources: Sequence[Source], number: int
    ) -> None:
        self._text, self._name, self._sources = text, name, sources
        parts = cut(_paths(sources), number, is_bytes=text.settings.alphabet == "bytes")
        super().__init__()
        self.plan = EncodingPlan(parts, text.settings, self.new.path.name)
        self._given_up = threading.Event()
        self._hashing = ThreadPoolExecutor(1)
        self._sha256: Future[str] = self._hashing.submit(_sha256, _paths(sources), self._given_up)
        self._own = parts[0].size
        self._merging = round(MERGING * (sum(part.size for part in parts) - self._own))
        self._listener = self.plan.listener(text.listener, self._own + self._merging)
        self._code_of: dict[int, int] = {}

    def __exit__(self, *error: object) -> None:
        self._given_up.set()
        self._hashing.shutdown()
        super().__exit__(*error)

    def encode(self) -> None:
        """Encode the first part. Raises as `PartFile.encode` does."""
        self._number(self.write(self.plan.parts[0], self._text.settings, self._listener))

    def merge(self, others: Sequence[Encoded]) -> None:
        """Make the entry of this part and all others.

        Raises OSError, DamagedError, GivenUpError, what the listener raises, and TextError where
        the text is no longer the same.
        """
        done, total = 0, sum(each.index.total for each in others)
        for each in others:
            for merged in self._merged(each, self._number(each.points)):
                done += merged
                self._listener.encoding(self._own + self._merging * done // total, None)
        index, points = self.writer.finish(), np.fromiter(self._code_of, np.uint32)
        description = {"sha256": self._sha256.result(), "inputs": label_of(self._text.inputs)}
        if name_of(self._sources, self._text.settings) != self._name:
            raise TextError("the text has changed while it was encoded")
        self.new.keep(self._name, index, points, description)

    def _number(self, points: NDArray[np.uint32]) -> Codes:
        """(K,) the code, in the whole text, of each symbol of a part; new ones get the next."""
        for point in points.tolist():
            self._code_of.setdefault(point, len(self._code_of))
        most = np.min_scalar_type(max(len(self._code_of) - 1, 0))
        return np.array([self._code_of[point] for point in points.tolist()], most)

    def _merged(self, part: Encoded, code_of: Codes) -> Iterator[int]:
        """Write the codes of a part, renumbered; how many were, time and again."""
        file = CodeFile((texts_folder() / part.name).open("rb", buffering=0), part.index)
        start = 0
        for end, counts in zip(part.index.ends.tolist(), part.index.counts, strict=True):
            for place in range(start, end, _AT_ONCE):
                codes = code_of.take(file.read(place, min(place + _AT_ONCE, end)))
                # codes stay narrow up to where a symbol comes that needs more
                self.writer.write(codes.astype(np.min_scalar_type(codes.max()), copy=False))
                yield len(codes)
            of_all = np.zeros(len(self._code_of), np.int64)
            of_all[code_of[: len(counts)]] = counts
            self.writer.count(of_all)
            start = end


def _paths(sources: Sequence[Source]) -> list[Path]:
    return [source.path for source in sources if source.path is not None]


def _sha256(paths: Sequence[Path], given_up: threading.Event) -> str:
    """Of the bytes of files, one after the other. Raises OSError, GivenUpError."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                if given_up.is_set():
                    raise EncodingAbortedError
    return digest.hexdigest()
