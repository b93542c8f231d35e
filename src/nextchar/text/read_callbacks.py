"""Callbacks of reading: notes to the user and progress. Nothing is printed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from nextchar.text.sources import Source

Opener = Callable[[], AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class ReadCallbacks:
    """Callbacks while a text is read and encoded.

    note: receives a line that the user should read.
    encoding: receives the bytes read so far and in total (None if unknown). An error that it raises
    ends the reading.
    """

    note: Callable[[str], None] = lambda text: None
    encoding: Callable[[int, int | None], None] = lambda done, total: None


def with_progress(
    sources: Sequence[Source], total: int | None, threshold: int, callbacks: ReadCallbacks
) -> list[Source]:
    """Return the same sources, which report each piece once more than `threshold` bytes are read.

    total: bytes of all sources, None if unknown; a known total decides instead of the bytes read.
    """
    done = 0

    def report(size: int) -> None:
        nonlocal done
        done += size
        if (total or done) > threshold:
            callbacks.encoding(done, total)

    return [replace(source, open=_reporting(source.open, report)) for source in sources]


def _reporting(opener: Opener, report: Callable[[int], None]) -> Opener:
    @contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with opener() as stream:
            yield cast(IO[bytes], _ReportingStream(stream, report))  # only `read` is called

    return opened


class _ReportingStream:
    def __init__(self, stream: IO[bytes], report: Callable[[int], None]) -> None:
        self._stream, self._report = stream, report

    def read(self, size: int) -> Any:
        piece = self._stream.read(size)
        self._report(len(piece))
        return piece
