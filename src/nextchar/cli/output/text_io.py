"""Input and output of texts: prompts from files, biases from options, exact output."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nextchar.errors import SettingsError, TextError

if TYPE_CHECKING:
    from nextchar.model.file import Model


def print_text(text: str | bytes) -> None:
    """Write a text to standard output and flush it: UTF-8 with its newlines, or the bytes."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def as_text(text: str | bytes) -> str:
    """A text for display; bytes that are not UTF-8 become U+FFFD."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def read_text(name: str, model: Model) -> str | bytes:
    """Read a file, or standard input (-), in the model's encoding; bytes for a bytes model."""
    with _opened(name) as file:
        data = file.read()
    return data if model.vocabulary.is_bytes else _decoded(data, model.text.encoding, name)


def lines_of(name: str) -> Iterator[str]:
    """The lines of a UTF-8 file, or of standard input (-), without their line ends."""
    with _opened(name) as file:
        for number, line in enumerate(file, 1):
            text = _decoded(line, "utf-8-sig" if number == 1 else "utf-8", f"{name}: line {number}")
            yield text.removesuffix("\n").removesuffix("\r")


def biases_of(options: Sequence[str]) -> dict[str, float]:
    """Biases of the option `--logit-bias CHAR=X`; the character may be = itself."""
    biases = {}
    for option in options:
        rest, _, value = option[1:].partition("=")  # the first one may be = itself
        try:
            biases[option[:1] + rest] = float(value)
        except ValueError as error:
            raise SettingsError(
                "must be CHAR=X, such as e=-100", setting="logit_bias", value=option
            ) from error
    return biases


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextError(f"cannot be read ({reason})", path=name) from error


def _decoded(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TextError(
            f"not {encoding}: byte 0x{data[error.start]:02x} at position {error.start}", path=where
        ) from error
