"""What the reading of a text tells."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from nextchar.text.read_callbacks import ReadCallbacks, with_progress
from nextchar.text.sources import Source, read_bytes


def told(sources: list[Source], total: int | None, least: int) -> list[tuple[int, int | None]]:
    events: list[tuple[int, int | None]] = []
    listener = ReadCallbacks(encoding=lambda done, total: events.append((done, total)))
    list(read_bytes(with_progress(sources, total, least, listener)))
    return events


def test_bytes_are_counted_over_all_sources() -> None:
    sources = [Source("a", lambda: BytesIO(b"12345")), Source("b", lambda: BytesIO(b"678"))]
    assert [done for done, _ in told(sources, 8, 3)] == [5, 5, 8, 8]  # and that there is no more
    assert {total for _, total in told(sources, 8, 3)} == {8}


def test_nothing_is_told_of_a_small_text() -> None:
    sources = [Source("a", lambda: BytesIO(b"12345")), Source("b", lambda: BytesIO(b"678"))]
    assert told(sources, 8, 8) == []
    assert [done for done, _ in told(sources, None, 6)] == [8, 8]  # not before it is large


def test_the_stream_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    opened = []

    def opening() -> object:
        opened.append((tmp_path / "a").open("rb"))
        return opened[-1]

    told([Source("a", opening)], None, 0)  # type: ignore[arg-type]
    assert opened[0].closed
