"""Entries of the cache: names, whole entries, temporary files of ended and running processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text.cache import entries
from nextchar.text.cache.entries import NewFile, clear, entry_name, open_entry, remove_leftovers
from nextchar.text.cache.entry_format import CodeWriter, DamagedError
from nextchar.text.sources import Source, find_sources

plain = TextSettings()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "texts"


def keep(name: str, inputs: str = "a.txt") -> None:
    new = NewFile(is_kept=True)
    writer = CodeWriter(new.file)
    writer.append(np.zeros(100, np.uint8))
    new.publish(name, writer.finish(), np.zeros(1, np.uint32), {"inputs": inputs, "sha256": "x"})
    new.file.close()


def name(*paths: Path, **settings: object) -> str | None:
    how = TextSettings(**settings)  # type: ignore[arg-type]
    return entry_name(find_sources(paths, how), how)


def test_a_name_tells_files_and_settings(prose: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_bytes(prose.read_bytes())
    names = [
        name(prose), name(other), name(prose, other), name(other, prose),
        name(prose, encoding="latin-1"), name(prose, normalize="NFC"),
        name(prose, alphabet="bytes"),
    ]  # fmt: skip
    assert len(set(names)) == len(names)
    assert name(prose) == name(prose, min_count=5)  # does not affect the codes on disk


def test_a_name_changes_with_the_file(prose: Path) -> None:
    before = name(prose)
    assert name(prose) == before
    status = prose.stat()
    prose.write_bytes(prose.read_bytes().replace(b"best", b"last"))
    os.utime(prose, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if unchanged
    after = name(prose)
    assert before is not None
    assert after is not None
    assert after != before or os.name == "nt"
    assert after.split("-")[0] == before.split("-")[0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_what_cannot_be_read_twice_has_no_name(prose: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert name(prose, tmp_path / "pipe") is None
    assert entry_name([*find_sources([prose], plain), *find_sources(["-"], plain)], plain) is None
    assert entry_name([Source("x", open)], plain) is None  # type: ignore[arg-type]


def test_an_entry_is_found_under_its_name_only(folder: Path) -> None:
    keep("a-1")
    found = open_entry("a-1")
    assert found is not None
    assert found[3]["inputs"] == "a.txt"
    found[0].close()
    assert open_entry("a-2") is None
    assert [path.name for path in folder.iterdir()] == ["a-1.codes"]


def test_a_newer_state_of_the_same_files_takes_the_place_of_the_older(folder: Path) -> None:
    keep("a-1")
    keep("b-1")
    keep("a-2")
    assert sorted(path.name for path in folder.iterdir()) == ["a-2.codes", "b-1.codes"]


def test_a_damaged_entry_is_removed(folder: Path) -> None:
    keep("a-1")
    (folder / "a-1.codes").write_bytes((folder / "a-1.codes").read_bytes()[:-1])
    with pytest.raises(DamagedError):
        open_entry("a-1")
    assert open_entry("a-1") is None


def test_nothing_is_left_of_a_file_that_is_discarded(folder: Path) -> None:
    new = NewFile(is_kept=True)
    new.file.write(b"abc")
    assert len(list(folder.iterdir())) == 1
    new.discard()
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps the name of an open file")
def test_a_file_that_shall_not_be_kept_has_no_name(folder: Path) -> None:
    new = NewFile(is_kept=False)
    assert list(folder.iterdir()) == []
    new.file.write(b"abc")
    new.discard()


def test_files_of_the_living_are_left_and_those_of_the_dead_removed(folder: Path) -> None:
    code = (
        "import os, sys; from nextchar.text.cache.entries import NewFile\n"
        "new = NewFile(is_kept=True); print(new.path.name, flush=True)\n"
        "sys.stdin.read(1); os._exit(9)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert other.stdout is not None
    there = folder / other.stdout.readline().strip()
    own = NewFile(is_kept=True)
    remove_leftovers(folder)
    assert there.exists()
    assert own.path.exists()
    other.communicate("x")
    remove_leftovers(folder)
    assert not there.exists()
    own.discard()


def test_the_cache_is_cleared_of_whole_and_damaged_entries(folder: Path) -> None:
    keep("a-1", "novel.txt")
    (folder / "b-1.codes").write_bytes(b"no")
    assert sorted((entry.name, entry.inputs, entry.characters) for entry in clear()) == [
        ("a-1", "novel.txt", 100),
        ("b-1", "(damaged)", 0),
    ]
    assert list(folder.iterdir()) == []
    assert clear() == []


def test_where_there_is_no_cache_there_is_nothing_in_it(folder: Path) -> None:
    assert list(entries.entries()) == []
    assert clear() == []
    assert not folder.exists()


def test_a_cache_that_cannot_be_used_is_done_without(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    new = NewFile(is_kept=True)
    assert new.reason.startswith(f"{folder}: cannot be used (")
    assert not new.path.exists()
    new.discard()


def test_with_no_usable_folder_the_error_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(
        TextError, match=r"cannot be written there .*; free some space, or name another"
    ):
        NewFile(is_kept=True)
