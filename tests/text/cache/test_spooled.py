"""Few codes stay in memory, many go to disk, and no file is left after an error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nextchar.errors import TextError
from nextchar.text.cache.disk_codes import CodeFile
from nextchar.text.cache.spooled import SpooledCodes
from nextchar.text.read_callbacks import ReadCallbacks


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "texts"


PARTS = [np.arange(100, dtype=np.uint8), np.arange(300, dtype=np.uint16)]


@pytest.mark.parametrize("limit", [None, 400])
def test_few_codes_touch_no_disk(limit: int | None, folder: Path) -> None:
    with SpooledCodes(limit, "a-1") as spool:
        for part in PARTS:
            spool.append(part)
        codes = spool.finish()
    assert isinstance(codes, np.ndarray)
    assert np.array_equal(codes, np.concatenate(PARTS))
    assert not folder.exists()


@pytest.mark.parametrize("limit", [0, 99, 100, 399])
def test_more_codes_are_in_a_file(limit: int, folder: Path) -> None:
    with SpooledCodes(limit, "a-1") as spool:
        for part in PARTS:
            spool.append(part)
        codes = spool.finish(np.arange(300, dtype=np.uint32), {"inputs": "a"})
    assert isinstance(codes, CodeFile)
    assert np.array_equal(codes.read(0, 400), np.concatenate(PARTS))
    assert [path.name for path in folder.iterdir()] == ["a-1.codes"]


@pytest.mark.parametrize(("name", "description"), [(None, {"inputs": "a"}), ("a-1", None)])
def test_what_shall_not_be_kept_leaves_nothing(
    name: str | None, description: dict[str, str] | None, folder: Path
) -> None:
    with SpooledCodes(0, name) as spool:
        for part in PARTS:
            spool.append(part)
        codes = spool.finish(np.arange(300, dtype=np.uint32), description)
    assert isinstance(codes, CodeFile)
    assert list(folder.iterdir()) == []
    assert np.array_equal(codes.read(0, 400), np.concatenate(PARTS))


def test_nothing_is_left_when_the_text_turns_out_to_be_unreadable(folder: Path) -> None:
    def fail() -> None:
        with SpooledCodes(0, "a-1") as spool:
            spool.append(PARTS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert list(folder.iterdir()) == []


def test_a_cache_that_cannot_be_used_is_reported_and_not_needed(folder: Path) -> None:
    folder.parent.write_text("a file is in the way")
    notes: list[str] = []
    with SpooledCodes(0, "a-1", ReadCallbacks(notes.append)) as spool:
        for part in PARTS:
            spool.append(part)
        codes = spool.finish(np.arange(300, dtype=np.uint32), {"inputs": "a"})
    assert isinstance(codes, CodeFile)
    assert np.array_equal(codes.read(0, 400), np.concatenate(PARTS))
    assert len(notes) == 1
    assert notes[0].startswith(f"{folder}: cannot be used (")


def test_a_full_disk_is_reported_in_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: object, codes: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("nextchar.text.cache.spooled.CodeWriter.append", full)
    with (
        pytest.raises(
            TextError, match=r"cannot be written there \(No space left on device\); free"
        ),
        SpooledCodes(0, "a-1") as spool,
    ):
        spool.append(PARTS[0])
    assert list(folder.iterdir()) == []
