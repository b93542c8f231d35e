"""Codes spooled in memory while they are few, then in a file, like a SpooledTemporaryFile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.entries import NewFile, write_error
from nextchar.text.cache.entry_format import CodeWriter
from nextchar.text.read_callbacks import ReadCallbacks
from nextchar.text.vocabulary import Codes

IN_MEMORY = 16 << 20  # codes; a larger text goes to disk


class SpooledCodes:
    """Collects the codes of a text; a context manager that leaves no file behind after an error.

    limit: codes held in memory; None for any number.
    name: of the file's entry in the cache; None if the file is not kept.
    callbacks: receives a note if the cache cannot be used.
    Raises TextError if a file is needed and cannot be written.
    """

    def __init__(
        self, limit: int | None, name: str | None = None, callbacks: ReadCallbacks | None = None
    ) -> None:
        self._limit, self._name, self._callbacks = limit, name, callbacks or ReadCallbacks()
        self._held = 0
        self._parts: list[Codes] = []
        self._file: NewFile | None = None
        self._writer: CodeWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and self._file is not None:
            self._file.discard()

    def append(self, codes: Codes) -> None:
        """Append the next codes, of the same type as those before or a wider one."""
        if self._writer is not None:
            with self._write_errors_explained():
                self._writer.append(codes)
            return
        self._parts.append(codes)
        self._held += len(codes)
        if self._limit is not None and self._held > self._limit:
            self._roll_over()

    def finish(
        self, points: NDArray[np.uint32] | None = None, description: Mapping[str, Any] | None = None
    ) -> Codes | CodeFile:
        """Return all codes, in memory or in a file.

        points, description: metadata of a file that is kept; without a description it is not kept.
        """
        if self._writer is None or self._file is None:
            return _concatenated(self._parts)
        with self._write_errors_explained():
            index = self._writer.finish()
            if self._name is None or description is None or points is None:
                self._file.unlink()
            else:
                self._file.publish(self._name, index, points, description)
        return CodeFile(self._file.file, index)

    def _roll_over(self) -> None:
        self._file = NewFile(is_kept=self._name is not None)
        if self._file.reason:
            self._name = None
            place = f"the encoded text is in {self._file.path.parent} while it is used"
            self._callbacks.note(f"{self._file.reason}; {place}")
        self._writer = CodeWriter(self._file.file)
        parts, self._parts = self._parts, []
        for part in parts:
            self.append(part)

    @contextmanager
    def _write_errors_explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            assert self._file is not None
            raise write_error(self._file.path.parent, error) from error


def _concatenated(parts: list[Codes]) -> Codes:
    """The parts as one array of the widest type among them; each is freed once it is copied."""
    codes = np.empty(sum(map(len, parts)), dtype=parts[-1].dtype if parts else np.uint8)
    start = 0
    for index, part in enumerate(parts):
        codes[start : start + len(part)] = part
        start += len(part)
        parts[index] = np.empty(0, part.dtype)  # a slice would keep it alive
    return codes
