"""Where a corpus comes from: files, folders, standard input and named data sets.

`find_sources` says which streams of bytes a user's words stand for and in which order;
`read_text` and `read_bytes` turn those into pieces of bounded size, so that nothing here ever
holds a whole file.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import re
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any

from nextchar.config import TextSettings
from nextchar.errors import TextError
from nextchar.text import datasets

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 1 << 20  # bytes read at once: large enough for speed, small beside any model

# opened here, closed by read_bytes
_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".gz": lambda path: gzip.open(path, "rb"),  # noqa: SIM115
    ".bz2": lambda path: bz2.open(path, "rb"),  # noqa: SIM115
    ".xz": lambda path: lzma.open(path, "rb"),  # noqa: SIM115
    ".zst": lambda path: zstd.open(path, "rb"),
}
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError)


@dataclass(frozen=True)
class Source:
    """A named stream of bytes, opened when it is read."""

    name: str
    open: Callable[[], IO[bytes]]


def find_sources(inputs: Iterable[str | PathLike[str]], settings: TextSettings) -> list[Source]:
    """The sources that paths, folders, `-` and names of data sets stand for, in reading order.

    An existing path wins over a data set of the same name. A folder gives its files that match
    `settings.pattern`, at any depth, in path order; names that begin with a dot are passed over.
    Raises TextError for what is not there.
    """
    return [source for each in inputs for source in _find(str(each), settings)]


def _find(name: str, settings: TextSettings) -> list[Source]:
    path = Path(name)
    if name == "-":
        return [Source("standard input", lambda: sys.stdin.buffer)]
    if path.is_dir():
        return _in_folder(path, settings.pattern)
    if path.exists():
        return [_file(path)]
    if name in datasets.NAMES:
        data = datasets.load(name)
        encoded = data if settings.alphabet == "bytes" else _recode(data, settings.encoding)
        return [Source(name, lambda: BytesIO(encoded))]
    raise TextError(f"{name}: no such file or folder, nor a data set ({', '.join(datasets.NAMES)})")


def _recode(data: bytes, encoding: str) -> bytes:
    """Data sets are UTF-8; `--encoding` speaks of the user's files beside them."""
    return data if _codec(encoding).name == "utf-8" else data.decode().encode(encoding)


def _in_folder(folder: Path, pattern: str) -> list[Source]:
    found = sorted(
        path
        for path in folder.rglob(pattern)
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    if not found:
        raise TextError(f"{folder}: no file in this folder matches the pattern {pattern!r}")
    return [_file(path) for path in found]


def _file(path: Path) -> Source:
    opener = _OPENERS.get(path.suffix.lower())
    return Source(str(path), lambda: opener(path) if opener else path.open("rb"))


def read_bytes(sources: Sequence[Source]) -> Iterator[bytes]:
    """The bytes of all sources, one after the other, in pieces of at most `PIECE` bytes."""
    for source in sources:
        try:
            with source.open() as stream:
                while piece := stream.read(PIECE):
                    yield piece
        except _DAMAGED as error:
            raise TextError(f"{source.name}: damaged compressed file ({error})") from error
        except OSError as error:
            reason = error.strerror or str(error)
            raise TextError(f"{source.name}: cannot be read ({reason})") from error


def read_text(sources: Sequence[Source], settings: TextSettings) -> Iterator[str]:
    """The text of all sources in pieces, exactly as it stands: no newline is translated.

    Raises TextError with the file, the byte offset and the option to use where the bytes are not
    of `settings.encoding`.
    """
    pieces = (piece for source in sources for piece in _decode(source, settings.encoding))
    return _normalized(pieces, settings.normalize) if settings.normalize else pieces


def _codec(encoding: str) -> codecs.CodecInfo:
    try:
        codec = codecs.lookup(encoding)
    except LookupError:
        raise TextError(f"encoding: Python knows no encoding named {encoding!r}") from None
    if not codec._is_text_encoding:
        raise TextError(f"encoding: {encoding!r} is not an encoding of text")
    return codec


def _decode(source: Source, encoding: str) -> Iterator[str]:
    decoder = _codec(encoding).incrementaldecoder("strict")
    done = 0  # bytes handed to the decoder before this piece
    held: Any = b""  # of those, the bytes it keeps for a character cut by the piece's end
    try:
        for piece in read_bytes([source]):
            held = decoder.getstate()[0]
            yield decoder.decode(piece)
            done += len(piece)
        held = decoder.getstate()[0]
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        at = done - len(held) + getattr(error, "start", 0)
        raise TextError(
            f"{source.name}: not {encoding}: {getattr(error, 'reason', error)} at byte {at}; give "
            "the file's own encoding (--encoding NAME), or take any bytes (--alphabet bytes)"
        ) from None


_LAST_ASCII = re.compile(r"[\x00-\x7f][^\x00-\x7f]*\Z")


def _normalized(pieces: Iterable[str], form: Any) -> Iterator[str]:
    """Pieces in a normal form, the same as if the whole text were normalised at once.

    Normalisation never joins anything to the left of an ASCII character, so pieces are cut
    before their last one and the rest waits for the next piece.
    """
    rest = ""
    for piece in pieces:
        text = rest + piece
        last = _LAST_ASCII.search(text)
        cut = last.start() if last else 0
        rest = text[cut:]
        yield unicodedata.normalize(form, text[:cut])
    yield unicodedata.normalize(form, rest)
