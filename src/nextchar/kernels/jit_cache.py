"""Cache of compiled kernels on disk: one file for each kernel and signature, with its checksum.

Numba's own cache has an index file that two processes may write at once, and does not notice
damage. Here the name of a file covers everything that its content depends on: the signature, and a
digest of the sources of all kernels, since a kernel contains the kernels that it calls. A file
that is damaged, missing or cannot be written costs a compilation.

    STEM.SOURCES.KEY.kernel    | sha256 of the rest, 32 bytes | pickled machine code |
"""

from __future__ import annotations

import hashlib
import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache
from numba.core.serialize import dumps

from nextchar.files import write_atomically

SUFFIX = ".kernel"
_CHECKSUM = 32  # bytes at the beginning of a file


def _digest_of_sources() -> str:
    digest = hashlib.sha256(numba.__version__.encode())  # another version, other machine code
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


SOURCES = _digest_of_sources()


class KernelCache(FunctionCache):
    """Numba's cache of the compiled forms of a function, with other files.

    Raises RuntimeError where no folder is writable.
    """

    def __init__(self, function: Any) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        files: Any = _Files(Path(self._cache_path), self._impl.filename_base)
        self._cache_file = files


class _Files:
    """Files of one function, with the methods that Numba's cache calls."""

    def __init__(self, folder: Path, stem: str) -> None:
        self._folder, self._stem = folder, stem

    def load(self, key: Any) -> Any:
        """Return the value saved under a key; None where it is missing or damaged."""
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        # the checksum first: damaged data is never unpickled
        checksum, data = content[:_CHECKSUM], content[_CHECKSUM:]
        return pickle.loads(data) if hashlib.sha256(data).digest() == checksum else None

    def save(self, key: Any, value: Any) -> None:
        """Save a value, and delete those of other sources."""
        data = dumps(value)  # type: ignore[no-untyped-call]
        with suppress(OSError):  # such as a full disk: it is compiled again next time
            write_atomically(self._path(key), hashlib.sha256(data).digest() + data)
            for path in self._folder.glob(f"{self._stem}.*{SUFFIX}"):
                if f".{SOURCES}." not in path.name:
                    path.unlink()

    def flush(self) -> None:
        """Delete all files of the function."""
        for path in self._folder.glob(f"{self._stem}.*{SUFFIX}"):
            path.unlink(missing_ok=True)

    def _path(self, key: Any) -> Path:
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:24]
        return self._folder / f"{self._stem}.{SOURCES}.{digest}{SUFFIX}"
