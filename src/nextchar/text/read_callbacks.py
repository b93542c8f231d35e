"""What the reading of a text tells while it works. It prints nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from nextchar.text.sources import Source


@dataclass(frozen=True)
class ReadCallbacks:
    """Who is told.

    note: of what the user should know, in one line.
    encoding: of the bytes read so far and of all there are, None where that is not known. What it
    raises ends the reading.
    """

    note: Callable[[str], None] = lambda text: None
    encoding: Callable[[int, int | None], None] = lambda done, total: None


def with_progress(
    sources: Sequence[Source], total: int | None, least: int, listener: ReadCallbacks
) -> list[Source]:
    """The same sources, the listener told of each piece that is read past the `least` bytes.

    total: bytes of all sources together, None where that is not known.
    """
    done = 0

    def tell(size: int) -> None:
        nonlocal done
        done += size
        if (total or done) > least:
            listener.encoding(done, total)

    return [replace(source, open=_watching(source.open, tell)) for source in sources]


def _watching(
    opened: Callable[[], AbstractContextManager[IO[bytes]]], tell: Callable[[int], None]
) -> Callable[[], AbstractContextManager[IO[bytes]]]:
    @contextmanager
    def watching() -> Iterator[IO[bytes]]:
        with opened() as stream:
            yield cast(IO[bytes], _Watched(stream, tell))  # of which only `read` is called

    return watching


class _Watched:
    def __init__(self, stream: IO[bytes], tell: Callable[[int], None]) -> None:
        self._stream, self._tell = stream, tell

    def read(self, size: int) -> Any:
        piece = self._stream.read(size)
        self._tell(len(piece))
        return piece
