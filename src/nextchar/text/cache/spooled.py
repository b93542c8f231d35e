"""Codes as they come, in memory while they are few, and in a file from there on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import NewFile, unwritable
from nextchar.text.cache.entry_format import Writer
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.vocabulary import Codes

IN_MEMORY = 16 << 20  # codes; a text that is larger goes to disk


class SpooledCodes:
    """Collects the codes of a text; a context manager that leaves no file behind when it fails.

    limit: how many are held in memory; None for any number.
    name: under which the file is kept in the cache; None where it is not kept.
    listener: told where the cache cannot be used.
    Raises TextError where a file is needed and cannot be written.
    """

    def __init__(
        self, limit: int | None, name: str | None = None, listener: ReadCallbacks | None = None
    ) -> None:
        self._limit, self._name, self._listener = limit, name, listener or ReadCallbacks()
        self._held = 0
        self._parts: list[Codes] = []
        self._file: NewFile | None = None
        self._writer: Writer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and self._file is not None:
            self._file.discard()

    def append(self, codes: Codes) -> None:
        """Take the next codes, of the same type as those before or a wider one."""
        if self._writer is not None:
            with self._writing():
                self._writer.append(codes)
            return
        self._parts.append(codes)
        self._held += len(codes)
        if self._limit is not None and self._held > self._limit:
            self._begin_file()

    def finish(
        self, points: NDArray[np.uint32] | None = None, description: Mapping[str, Any] | None = None
    ) -> Codes | CodeFile:
        """All codes, in memory or in a file.

        points, description: what a file that is kept says of the text; without a description it
        is not kept.
        """
        if self._writer is None or self._file is None:
            return _joined(self._parts)
        with self._writing():
            index = self._writer.finish()
            if self._name is None or description is None or points is None:
                self._file.hide()
            else:
                self._file.keep(self._name, index, points, description)
        return CodeFile(self._file.file, index)

    def _begin_file(self) -> None:
        self._file = NewFile(is_kept=self._name is not None)
        if self._file.reason:
            self._name = None
            where = self._file.path.parent
            self._listener.note(
                f"{self._file.reason}; the encoded text is in {where} while it is used"
            )
        self._writer = Writer(self._file.file)
        parts, self._parts = self._parts, []
        for part in parts:
            self.append(part)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            assert self._file is not None
            raise unwritable(self._file.path.parent, error) from error


def _joined(parts: list[Codes]) -> Codes:
    """The parts as one array of the widest type among them, each let go once it is copied."""
    total = sum(len(part) for part in parts)
    joined = np.empty(total, dtype=parts[-1].dtype if parts else np.uint8)
    start = 0
    for index, part in enumerate(parts):
        joined[start : start + len(part)] = part
        start += len(part)
        parts[index] = np.empty(0, part.dtype)  # a slice would hold on to it
    return joined
