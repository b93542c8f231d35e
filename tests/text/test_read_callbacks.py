"""Progress of reading."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from nextchar.text.read_callbacks import ReadCallbacks, with_progress
from nextchar.text.sources import Source, read_bytes


def progress(
    sources: list[Source], total: int | None, threshold: int
) -> list[tuple[int, int | None]]:
    events: list[tuple[int, int | None]] = []
    callbacks = ReadCallbacks(encoding=lambda done, total: events.append((done, total)))
    list(read_bytes(with_progress(sources, total, threshold, callbacks)))
    return events


def test_bytes_are_counted_over_all_sources() -> None:
    sources = [Source("a", lambda: BytesIO(b"12345")), Source("b", lambda: BytesIO(b"678"))]
    assert [done for done, _ in progress(sources, 8, 3)] == [
        5,
        5,
        8,
        8,
    ]  # and the end
    assert {total for _, total in progress(sources, 8, 3)} == {8}


def test_a_small_text_reports_nothing() -> None:
    sources = [Source("a", lambda: BytesIO(b"12345")), Source("b", lambda: BytesIO(b"678"))]
    assert progress(sources, 8, 8) == []
    assert [done for done, _ in progress(sources, None, 6)] == [8, 8]  # only once it is large


def test_the_stream_is_closed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    opened = []

    def opening() -> object:
        opened.append((tmp_path / "a").open("rb"))
        return opened[-1]

    progress([Source("a", opening)], None, 0)  # type: ignore[arg-type]
    assert opened[0].closed
