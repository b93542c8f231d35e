"""The encoded texts in the user's cache folder: found by name, kept whole or not at all.

A file is written under a temporary name and locked until it is whole; renaming it comes last. So
two processes that encode the same text each write their own file, and the last name wins; and what
a killed process left is known by its lock, which died with it. A name tells the files and settings
of a text from others', and then the state of these files, so that the entry of an older state goes
when that of a newer one comes.
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

if sys.platform != "win32":  # Windows removes no file that is open, which is as good as a lock
    import fcntl

SUFFIX = ".codes"


@dataclass(frozen=True)
class Entry:
    """An encoded text in the cache. made: seconds since 1970; inputs: of which text."""

    name: str
    size: int
    made: float
    inputs: str
    characters: int


def texts_folder() -> Path:
    """Where the encoded texts are."""
    return cache_folder() / "texts"


def name_of(sources: Sequence[Source], settings: TextSettings) -> str | None:
    """The name of these sources' entry; None where one of them cannot be read twice.

    Raises OSError where one is not there.
    """
    paths = [source.path for source in sources if source.path is not None]
    if len(paths) < len(sources):
        return None
    how = [settings.alphabet, settings.encoding, settings.normalize]
    if settings.records is not None:  # or else those that were made before there were any go on
        how.append(settings.records)
    where = [
        MAGIC.decode(),
        [os.path.abspath(path) for path in paths],  # noqa: PTH100 - resolve() would ask the disk
        how,
    ]
    states = [path.stat() for path in paths]
    if not all(stat.S_ISREG(status.st_mode) for status in states):  # a pipe, say
        return None
    state = [[s.st_size, s.st_mtime_ns, s.st_ctime_ns, s.st_ino, s.st_dev] for s in states]
    return f"{_digest(where)}-{_digest(state)}"


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:20]


def open_entry(name: str) -> tuple[IO[bytes], Index, NDArray[np.uint32], dict[str, Any]] | None:
    """The file of an entry, open, and what stands in its index; None where there is no such entry.

    Raises DamagedError, the entry removed, where it is not whole.
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
    """A file for codes under a temporary name, in the cache folder.

    is_kept: whether it shall become an entry. A file that shall not has no name where the system
    allows that, so that it lives as long as it is open and no kill leaves it behind.
    reason: why the cache folder cannot be used, where it cannot; then the file is in the system's
    folder for temporary files and is not kept. Raises TextError where neither can be used.
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
                raise unwritable(folder, error) from error
        if self.reason or not is_kept:
            self.hide()

    def keep(
        self, name: str, index: Index, points: NDArray[np.uint32], description: Mapping[str, Any]
    ) -> None:
        """Make it the entry of that name; those of older states of the same files go."""
        write_index(self.file, index, points, description)
        target = self.path.with_name(name + SUFFIX)
        if sys.platform == "win32":  # renames no file that is open
            self.file.close()
        with contextlib.suppress(FileNotFoundError):  # the cache was cleared meanwhile
            self.path.replace(target)
        if sys.platform == "win32":
            self.file = target.open("rb")
        for old in target.parent.glob(f"{name.split('-')[0]}-*{SUFFIX}"):
            if old != target:
                with contextlib.suppress(OSError):  # in use, on Windows
                    old.unlink()

    def hide(self) -> None:
        """Take its name away. Windows leaves it until the next file is made."""
        with contextlib.suppress(OSError):
            self.path.unlink()

    def discard(self) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(OSError):  # what was not yet written does not fit now either
            self.file.close()
        self.hide()


def unwritable(folder: Path, error: OSError) -> TextError:
    """The error of a folder that codes cannot be written to."""
    return TextError(
        f"{folder}: the encoded text cannot be kept there ({error.strerror or error}); make room, "
        f"or name another folder in the environment variable {VARIABLE}"
    )


def _create(folder: Path) -> tuple[IO[bytes], Path]:
    path = folder / f".nextchar-{os.getpid()}-{threading.get_ident()}-{os.urandom(4).hex()}.tmp"
    file = path.open("x+b")
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return file, path


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that are no more."""
    for path in folder.glob(".nextchar-*.tmp"):
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                path.unlink()
                continue
            with path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError: its process lives
                path.unlink()


def entries() -> Iterator[Entry]:
    """What the cache holds, the newest first."""
    folder = texts_folder()
    found = [(path.stat(), path) for path in folder.glob(f"*{SUFFIX}")]
    for status, path in sorted(found, key=lambda each: -each[0].st_mtime):
        inputs, characters = "(damaged)", 0
        with contextlib.suppress(OSError, DamagedError), path.open("rb") as file:
            index, _, description = read_index(file)
            inputs, characters = str(description["inputs"]), index.total
        yield Entry(path.stem, status.st_size, status.st_mtime, inputs, characters)


def clear() -> list[Entry]:
    """Remove every encoded text; those that were removed. Raises OSError."""
    folder = texts_folder()
    gone = list(entries())
    for entry in gone:
        (folder / (entry.name + SUFFIX)).unlink(missing_ok=True)
    remove_leftovers(folder)
    return gone
