"""Sources of a text: files, folders, standard input and named data sets.

`find_sources` finds the streams of bytes that a user's inputs stand for, in reading order.
`read_text` and `read_bytes` read them in pieces of bounded size: nothing here holds a whole file.
`read_pieces` calls the one that the alphabet needs.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import os
import re
import sys
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import IO, Any

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import datasets
from nextchar.text.detect_encoding import suggest_encoding
from nextchar.text.records import append_boundary, split_records

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ANY_NAME = "*"  # the default pattern: every text file
PIECE = 1 << 20  # bytes read at once: large enough for speed, small compared with any model

_OPENERS: dict[str, Callable[..., Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".zst": zstd.open,
}
_DAMAGED = (EOFError, gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstd.ZstdError)


@dataclass(frozen=True)
class Source:
    """A named stream of bytes, opened when it is read.

    encoding: overrides that of the settings. path: of a file, None for other streams.
    is_compressed: the size of the file is not that of its text.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    encoding: str | None = None
    path: Path | None = None
    is_compressed: bool = False


def find_sources(inputs: Iterable[str | PathLike[str]], settings: TextSettings) -> list[Source]:
    """Return the sources of paths, folders, `-` and names of data sets, in reading order.

    An existing path takes precedence over a data set of the same name. A folder gives its files
    that match `settings.pattern`, at any depth, in path order. Names that begin with a dot are
    skipped; without a pattern, so are binary files (with a NUL near their beginning).
    Raises TextError for an input that does not exist.
    """
    sources: list[Source] = []
    for name in map(str, inputs):
        try:
            sources += _find(name, settings)
        except OSError as error:
            raise _unreadable(str(error.filename or name), error) from error
    return sources


def _find(name: str, settings: TextSettings) -> list[Source]:
    path = Path(name)
    if not name:  # an empty shell variable; Path would take it for the working folder
        raise TextError("a file's name is empty")
    if name == "-":
        return [Source("standard input", _standard_input)]
    if path.is_dir():
        return _in_folder(path, settings)
    if path.exists():
        return [_file(path)]
    if name in datasets.NAMES:
        data = datasets.load(name)
        return [Source(name, lambda: BytesIO(data), encoding="utf-8")]
    known = ", ".join(datasets.NAMES)
    raise TextError(f"no such file or folder, nor a data set ({known})", path=name)


def _standard_input() -> AbstractContextManager[IO[bytes]]:
    if sys.stdin is None:  # closed by the parent process
        raise TextError("is closed", path="standard input", remedy="give a file")
    return nullcontext(sys.stdin.buffer)  # not ours to close


def _in_folder(folder: Path, settings: TextSettings) -> list[Source]:
    pattern = settings.pattern
    try:
        matches = list(folder.rglob(pattern))
    except (ValueError, NotImplementedError):
        problem = "must match names inside the folder, such as *.txt"
        raise TextError(problem, setting="pattern", value=pattern) from None
    _require_listable(folder)
    is_utf8 = _codec(settings.encoding).name.startswith("utf-8")
    only_text = pattern == ANY_NAME and settings.alphabet != "bytes" and is_utf8
    names = ((path, path.relative_to(folder).parts) for path in matches)
    visible = sorted(path for path, parts in names if not any(p.startswith(".") for p in parts))
    for path in visible:
        if path.is_symlink() and not path.exists():
            remedy = "remove it, or choose files by name (--pattern GLOB)"
            raise TextError("cannot be read (broken symbolic link)", path=path, remedy=remedy)
    files = [path for path in visible if path.is_file() and not (only_text and _is_binary(path))]
    if not files:
        raise TextError(f"no file in this folder matches the pattern {pattern!r}", path=folder)
    return [_file(path) for path in files]


def _require_listable(folder: Path) -> None:
    """Raise OSError, with its name, for a subfolder that `rglob` skips because of permissions."""

    def fail(error: OSError) -> None:
        raise error

    for _, folders, _ in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]


def _is_binary(path: Path) -> bool:
    """Return whether a file's beginning contains a NUL, which real texts in UTF-8 do not."""
    if path.suffix.lower() in _OPENERS:
        return False
    with path.open("rb") as file:
        return b"\0" in file.read(8192)


def _file(path: Path) -> Source:
    opener = _OPENERS.get(path.suffix.lower())
    open_file: Callable[[], Any] = partial(opener or Path.open, path, mode="rb")
    return Source(str(path), open_file, path=path, is_compressed=opener is not None)


def read_pieces(
    sources: Sequence[Source], settings: TextSettings
) -> Iterator[str] | Iterator[bytes]:
    """Read all sources as training and scoring need them: characters or bytes, split by records."""
    if settings.alphabet != "bytes":
        return read_text(sources, settings)
    texts = (append_boundary(read_bytes([each]), settings, each.name) for each in sources)
    return split_records(chain.from_iterable(texts), settings)


def preprocess(
    pieces: Iterable[Any], settings: TextSettings, name: str = "the text"
) -> Iterator[Any]:
    """Return a text that is not a file (str or bytes, in pieces) in the form of `read_pieces`."""
    pieces = append_boundary(pieces, settings, name)
    if settings.alphabet != "bytes":
        pieces = normalized(pieces, settings.normalize)
    return split_records(pieces, settings)


def read_bytes(sources: Sequence[Source]) -> Iterator[bytes]:
    """Yield the bytes of all sources, one after the other, in pieces of at most `PIECE` bytes."""
    for source in sources:
        try:
            with source.open() as stream:
                while piece := stream.read(PIECE):
                    yield piece
        except _DAMAGED as error:
            raise TextError(f"damaged compressed file ({error})", path=source.name) from error
        except OSError as error:
            raise _unreadable(source.name, error) from error


def _unreadable(name: str, error: OSError) -> TextError:
    return TextError(f"cannot be read ({error.strerror or error})", path=name)


def read_text(sources: Sequence[Source], settings: TextSettings) -> Iterator[str]:
    """Read all sources in pieces, unchanged except for records: no newline is translated.

    Raises TextError with the file, the byte offset and the option to use if bytes are not valid in
    `settings.encoding`. Data sets have their own encoding.
    """
    _codec(settings.encoding)  # an unknown name is an error even if no source needs it
    texts = (
        append_boundary(_decode(each, each.encoding or settings.encoding), settings, each.name)
        for each in sources
    )
    pieces = chain.from_iterable(texts)
    return split_records(normalized(pieces, settings.normalize), settings)


def _codec(encoding: str) -> codecs.CodecInfo:
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):  # ValueError: characters that no name contains
        problem = "must be an encoding that Python knows, such as utf-8 or gb18030"
        raise TextError(problem, setting="encoding", value=encoding) from None
    if not codec._is_text_encoding:
        raise TextError("must be an encoding of text", setting="encoding", value=encoding)
    return codec


def _decode(source: Source, encoding: str) -> Iterator[str]:
    decoder = _codec(encoding).incrementaldecoder("strict")
    done = 0  # bytes handed to the decoder
    pieces = read_bytes([source])
    try:
        for piece in pieces:
            done += len(piece)
            yield decoder.decode(piece)
        yield decoder.decode(b"", final=True)
    except UnicodeError as error:
        reason, data, position = str(error), b"", 0
        if isinstance(error, UnicodeDecodeError):
            # error.object ends where the piece does, but it may begin earlier, by the bytes of a
            # character that was cut, or later, by a byte order mark
            data, position = error.object, error.start
            reason = f"{error.reason} at byte {done - len(data) + position}"
            with suppress(TextError):  # a larger sample allows a better guess
                data += next(pieces, b"")
        remedy = suggest_encoding(data, position, encoding)
        raise TextError(f"not {encoding}: {reason}", path=source.name, remedy=remedy) from None


_LAST_ASCII = re.compile(r"[\x00-\x7f][^\x00-\x7f]*\Z")


def normalized(pieces: Iterable[str], form: Any) -> Iterator[str]:
    """Yield pieces in a normal form, equal to normalising the whole text at once.

    form: `"NFC"` and so on, or None to leave the text unchanged.
    Normalisation never joins anything to the left of an ASCII character. A piece is therefore
    normalised up to its last one, and the rest waits for the next piece.
    """
    if form is None:
        yield from pieces
        return
    rest = ""
    for piece in pieces:
        text = rest + piece
        last = _LAST_ASCII.search(text)
        end = last.start() if last else 0
        rest = text[end:]
        yield unicodedata.normalize(form, text[:end])
    yield unicodedata.normalize(form, rest)
