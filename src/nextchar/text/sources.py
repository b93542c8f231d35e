"""Where a corpus comes from: files, folders, standard input and named data sets.

`find_sources` says which streams of bytes a user's words stand for and in which order; `read_text`
and `read_bytes` turn those into pieces of bounded size, so that nothing here ever holds a whole
file; `read_symbols` calls the one that the alphabet wants.
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
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import datasets
from nextchar.text.detect_encoding import suggest_encoding
from nextchar.text.records import ended, split

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ALL = "*"  # the pattern that chooses every text file
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
    """A named stream of bytes, opened when it is read.

    encoding: its own, where that of the settings does not speak of it.
    path: of the file, where it is one. is_compressed: whether its size is not that of its text.
    """

    name: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    encoding: str | None = None
    path: Path | None = None
    is_compressed: bool = False


def find_sources(inputs: Iterable[str | PathLike[str]], settings: TextSettings) -> list[Source]:
    """The sources that paths, folders, `-` and names of data sets stand for, in reading order.

    An existing path wins over a data set of the same name. A folder gives its files that match
    `settings.pattern`, at any depth, in path order; names that begin with a dot are passed over,
    and so are binary files (with a NUL near their beginning) where no pattern was given.
    Raises TextError for what is not there.
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
    if not name:  # a shell's empty variable; Path would take it for the working folder
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
    raise TextError(f"{name}: no such file or folder, nor a data set ({', '.join(datasets.NAMES)})")


def _standard_input() -> AbstractContextManager[IO[bytes]]:
    if sys.stdin is None:  # closed by whoever started us
        raise TextError("standard input: is closed; give a file")
    return nullcontext(sys.stdin.buffer)  # not ours to close


def _in_folder(folder: Path, settings: TextSettings) -> list[Source]:
    pattern = settings.pattern
    try:
        matching = list(folder.rglob(pattern))
    except (ValueError, NotImplementedError):
        raise TextError(
            f"pattern: wants one for names inside the folder, such as *.txt, got {pattern!r}"
        ) from None
    _require_listable(folder)
    chooses_text = pattern == ALL and settings.alphabet != "bytes" and _is_utf8(settings)
    shown = sorted(
        path
        for path in matching
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )
    for path in shown:
        if path.is_symlink() and not path.exists():
            raise TextError(
                f"{path}: cannot be read (a link that leads nowhere); remove it, or choose files "
                "by name (--pattern GLOB)"
            )
    found = [path for path in shown if path.is_file() and not (chooses_text and _is_binary(path))]
    if not found:
        raise TextError(f"{folder}: no file in this folder matches the pattern {pattern!r}")
    return [_file(path) for path in found]


def _require_listable(folder: Path) -> None:
    """`rglob` passes over what it may not list. Raises OSError that names such a folder."""

    def fail(error: OSError) -> None:
        raise error

    for _, folders, _ in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]


def _is_utf8(settings: TextSettings) -> bool:
    return _codec(settings.encoding).name.startswith("utf-8")


def _is_binary(path: Path) -> bool:
    """Whether a file's beginning holds a NUL, as no text in UTF-8 does that people write."""
    if path.suffix.lower() in _OPENERS:
        return False
    with path.open("rb") as file:
        return b"\0" in file.read(8192)


def _file(path: Path) -> Source:
    opener = _OPENERS.get(path.suffix.lower())
    return Source(
        str(path),
        lambda: opener(path) if opener else path.open("rb"),
        path=path,
        is_compressed=opener is not None,
    )


def read_symbols(
    sources: Sequence[Source], settings: TextSettings
) -> Iterator[str] | Iterator[bytes]:
    """The text of all sources as training and scoring read it: in pieces, and as records."""
    if settings.alphabet != "bytes":
        return read_text(sources, settings)
    pieces = (
        piece for source in sources for piece in ended(read_bytes([source]), settings, source.name)
    )
    return split(pieces, settings)


def as_symbols(
    pieces: Iterable[Any], settings: TextSettings, name: str = "the text"
) -> Iterator[Any]:
    """A text that is no file (str or bytes, in pieces) as `read_symbols` gives those of files."""
    pieces = ended(pieces, settings, name)
    if settings.alphabet != "bytes":
        pieces = normalized(pieces, settings.normalize)
    return split(pieces, settings)


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
            raise _unreadable(source.name, error) from error


def _unreadable(name: str, error: OSError) -> TextError:
    return TextError(f"{name}: cannot be read ({error.strerror or error})")


def read_text(sources: Sequence[Source], settings: TextSettings) -> Iterator[str]:
    """The text of all sources in pieces, exactly as it stands: no newline is translated.

    But for records, of which it is then a list (`text.records`).

    Raises TextError with the file, the byte offset and the option to use where the bytes are not
    of `settings.encoding`. Data sets have an encoding of their own.
    """
    _codec(settings.encoding)  # a wrong name is told even where no source needs it
    pieces = (
        piece
        for source in sources
        for piece in ended(
            _decode(source, source.encoding or settings.encoding), settings, source.name
        )
    )
    return split(normalized(pieces, settings.normalize), settings)


def _codec(encoding: str) -> codecs.CodecInfo:
    try:
        codec = codecs.lookup(encoding)
    except (LookupError, ValueError):  # ValueError: not even the characters of a name
        raise TextError(f"encoding: Python knows no encoding named {encoding!r}") from None
    if not codec._is_text_encoding:
        raise TextError(f"encoding: {encoding!r} is not an encoding of text")
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
        what, data, place = str(error), b"", 0
        if isinstance(error, UnicodeDecodeError):
            # error.object ends where the piece does; where it begins is the decoder's affair:
            # earlier by a character that was cut, later by a byte order mark
            data, place = error.object, error.start
            what = f"{error.reason} at byte {done - len(data) + place}"
            with suppress(TextError):  # a little more tells more of what it is
                data += next(pieces, b"")
        raise TextError(
            f"{source.name}: not {encoding}: {what}; {suggest_encoding(data, place, encoding)}"
        ) from None


_LAST_ASCII = re.compile(r"[\x00-\x7f][^\x00-\x7f]*\Z")


def normalized(pieces: Iterable[str], form: Any) -> Iterator[str]:
    """Pieces in a normal form, the same as if the whole text were normalised at once.

    form: `"NFC"` and so on, or None for the text as it is.
    Normalisation never joins anything to the left of an ASCII character, so pieces are cut
    before their last one and the rest waits for the next piece.
    """
    if form is None:
        yield from pieces
        return
    rest = ""
    for piece in pieces:
        text = rest + piece
        last = _LAST_ASCII.search(text)
        cut = last.start() if last else 0
        rest = text[cut:]
        yield unicodedata.normalize(form, text[:cut])
    yield unicodedata.normalize(form, rest)
