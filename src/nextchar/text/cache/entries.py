"""Entries of the cache: encoded texts, found by name, written whole or not at all.

A file is written under a temporary name, locked, and renamed last. Two processes that encode the
same text therefore write separate files, of which the last one renamed stays. A file that a killed
process left is recognised by its lock, which ended with the process.
The first part of a name identifies the files and settings of a text, the second the state of the
files. An entry of a newer state replaces that of an older one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text.cache.entry_format import MAGIC, DamagedError, Index, read_index, write_index
from nextchar.text.cache.folder import VARIABLE, cache_folder
from nextchar.text.sources import Source

if sys.platform != "win32":  # Windows cannot remove an open file, which serves as a lock
    import fcntl

SUFFIX = ".codes"


@dataclass(frozen=True)
class Entry:
    """An encoded text in the cache. made: seconds since 1970; inputs: the name of the text."""

    name: str
    size: int
    made: float
    inputs: str
    characters: int


def texts_folder() -> Path:
    """Return the folder of the encoded texts."""
    return cache_folder() / "texts"


def entry_name(sources: Sequence[Source], settings: TextSettings) -> str | None:
    """Return the name of the entry of a text; None if one of its sources cannot be read twice.

    Raises OSError if a file does not exist.
    """
    paths = [source.path for source in sources if source.path is not None]
    if len(paths) < len(sources):
        return None
    relevant = [settings.alphabet, settings.encoding, settings.normalize]
    if settings.records is not None:  # entries written before this setting existed stay valid
        relevant.append(settings.records)
    absolute = [os.path.abspath(path) for path in paths]  # noqa: PTH100 - resolve() reads the disk
    identity = [MAGIC.decode(), absolute, relevant]
    statuses = [path.stat() for path in paths]
    if not all(stat.S_ISREG(status.st_mode) for status in statuses):  # a pipe, for example
        return None
    state = [[s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev] for s in statuses]
    return f"{_digest(identity)}-{_digest(state)}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:20]


def open_entry(name: str) -> tuple[IO[bytes], Index, NDArray[np.uint32], dict[str, Any]] | None:
    """Open an entry: its file, index, points and description; None if there is no such entry.

    A damaged entry is removed; then DamagedError is raised.
    """
    path = texts_folder() / (name + SUFFIX)
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        return None
    try:
        return (file, *read_index(file))
    except (DamagedError, OSError) as error:
        file.close()
        with contextlib.suppress(OSError):
            path.unlink()
        raise DamagedError(str(error)) from error


class NewFile:
    """A new file for codes, under a temporary name in the cache folder.

    is_kept: the file is to become an entry. Otherwise it is unlinked at once, if the system allows
    that: it then exists as long as it is open, and a killed process leaves nothing behind.
    reason: why the cache folder cannot be used, otherwise empty. With a reason, the file is in the
    system's folder for temporary files and is not kept.
    Raises TextError if neither folder can be used.
    """

    def __init__(self, *, is_kept: bool) -> None:
        self.reason = ""
        folder = texts_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            remove_leftovers(folder)
            self.file, self.path = _create(folder)
        except OSError as error:
            self.reason = f"{folder}: cannot be used ({error.strerror or error})"
            try:
                self.file, self.path = _create(Path(tempfile.gettempdir()))
            except OSError:
                raise write_error(folder, error) from error
        if self.reason or not is_kept:
            self.unlink()

    def publish(
        self, name: str, index: Index, points: NDArray[np.uint32], description: Mapping[str, Any]
    ) -> None:
        """Make the file the entry of a name; remove entries of older states of the text's files."""
        write_index(self.file, index, points, description)
        target = self.path.with_name(name + SUFFIX)
        if sys.platform == "win32":  # cannot rename an open file
            self.file.close()
        with contextlib.suppress(FileNotFoundError):  # the cache was cleared meanwhile
            self.path.replace(target)
        if sys.platform == "win32":
            self.file = target.open("rb")
        for old in target.parent.glob(f"{name.split('-')[0]}-*{SUFFIX}"):
            if old != target:
                with contextlib.suppress(OSError):  # in use, on Windows
                    old.unlink()

    def unlink(self) -> None:
        """Remove the file's name. Windows keeps it until the next file is created."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def discard(self) -> None:
        """Close and remove the file."""
        with contextlib.suppress(OSError):  # closing writes the rest, which may not fit
            self.file.close()
        self.unlink()


def write_error(folder: Path, error: OSError) -> TextError:
    """Return the error of a folder that codes cannot be written to."""
    problem = f"the encoded text cannot be written there ({error.strerror or error})"
    remedy = f"free some space, or name another folder in the environment variable {VARIABLE}"
    return TextError(problem, path=folder, remedy=remedy)


def _create(folder: Path) -> tuple[IO[bytes], Path]:
    path = folder / f".nextchar-{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}.tmp"
    file = path.open("x+b")
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file, path


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that have ended."""
    for path in folder.glob(".nextchar-*.tmp"):
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                path.unlink()
                continue
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: its process is alive
                path.unlink()


def entries() -> Iterator[Entry]:
    """Yield the entries of the cache, the newest first."""
    files = [(path.stat(), path) for path in texts_folder().glob(f"*{SUFFIX}")]
    for status, path in sorted(files, key=lambda each: -each[0].st_mtime):
        inputs, characters = "(damaged)", 0
        with contextlib.suppress(OSError, DamagedError), path.open("rb") as file:
            index, _, description = read_index(file)
            inputs, characters = str(description["inputs"]), index.total
        yield Entry(path.stem, status.st_size, status.st_mtime, inputs, characters)


def clear() -> list[Entry]:
    """Remove every encoded text and return the removed entries. Raises OSError."""
    folder = texts_folder()
    removed = list(entries())
    for entry in removed:
        (folder / (entry.name + SUFFIX)).unlink(missing_ok=True)
    remove_leftovers(folder)
    return removed
