"""Files that are whole or not there, whatever fails on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nextchar.files import remove_leftovers, write_atomically


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file with old content, alone in its folder."""
    path = tmp_path / "model.bin"
    path.write_bytes(b"old")
    return path


def test_a_file_is_made(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"\x00\r\n\xff")
    assert (tmp_path / "a").read_bytes() == b"\x00\r\n\xff"
    assert listing(tmp_path) == ["a"]


def test_a_file_is_replaced_whole(old: Path) -> None:
    for content in b"much longer than before", b"", b"x":
        write_atomically(old, content)
        assert old.read_bytes() == content
    assert listing(old.parent) == ["model.bin"]


def test_who_has_the_old_file_open_reads_the_old_one(old: Path) -> None:
    with old.open("rb") as reader:
        write_atomically(old, b"new")
        assert reader.read() == b"old"


def test_the_content_is_on_disk_before_the_name_is_changed(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        flushed.append(old.read_bytes())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", watched)
    write_atomically(old, b"new")
    assert flushed[0] == b"old"
    assert flushed[1:] in ([], [b"new"])  # the folder's turn, where folders can be flushed


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_changes_and_leaves_nothing(
    error: BaseException, old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        write_atomically(old, b"new")
    assert old.read_bytes() == b"old"
    assert listing(old.parent) == ["model.bin"]


def test_a_rename_that_fails_leaves_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Path, target: Path) -> None:
        raise PermissionError(13, "in use by another program")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError):
        write_atomically(old, b"new")
    assert old.read_bytes() == b"old"
    assert listing(old.parent) == ["model.bin"]


def test_a_folder_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "runs" / "a").mkdir(parents=True)
    with pytest.raises(OSError):
        write_atomically(tmp_path / "runs", b"new")
    assert listing(tmp_path) == ["runs"]
    assert listing(tmp_path / "runs") == ["a"]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "a", b"new")
    assert listing(tmp_path) == []


def test_a_folder_that_cannot_be_flushed_does_not_matter(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "open", refuse)  # opens the folder; files are opened by Path
    write_atomically(old, b"new")
    assert old.read_bytes() == b"new"


def test_readers_and_writers_at_once_see_only_whole_files(tmp_path: Path) -> None:
    path = tmp_path / "a"
    contents = [bytes([letter]) * 200_000 for letter in b"xyz"]
    write_atomically(path, contents[0])

    def write(content: bytes) -> None:
        for _ in range(20):
            write_atomically(path, content)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    seen = []
    while any(writer.is_alive() for writer in writers):
        seen.append(path.read_bytes() in contents)
    for writer in writers:
        writer.join()
    assert all(seen)
    assert listing(tmp_path) == ["a"]


def test_what_a_killed_process_leaves_is_found_and_removed(old: Path) -> None:
    program = (
        "import os, sys, pathlib\n"
        "from nextchar.files import write_atomically\n"
        "os.fsync = lambda handle: os._exit(9)  # as if killed with the content half on disk\n"
        "write_atomically(pathlib.Path(sys.argv[1]), b'new')"
    )
    killed = subprocess.run([sys.executable, "-c", program, str(old)], check=False, timeout=60)
    assert killed.returncode == 9
    assert old.read_bytes() == b"old"
    assert len(listing(old.parent)) == 2
    remove_leftovers(old.parent)
    assert listing(old.parent) == ["model.bin"]


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    names = [".hidden", ".lock", ".mine.tmp", "a.tmp", "model.123-4.tmp", "run.toml"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / ".model.bin.123-456.tmp").touch()
    remove_leftovers(tmp_path)
    assert listing(tmp_path) == names


def test_a_folder_without_leftovers_stays_as_it_is(old: Path) -> None:
    remove_leftovers(old.parent)
    assert listing(old.parent) == ["model.bin"]
