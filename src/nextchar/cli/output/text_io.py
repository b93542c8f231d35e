"""Texts that come in and go out: prompts from files, biases from options, output as it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from nextchar.errors import SettingsError, TextError

if TYPE_CHECKING:
    from nextchar.model.file import Model


def print_text(text: str | bytes) -> None:
    """Text to standard output as UTF-8, newlines as they are, at once; bytes as they are."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "replace")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def as_text(text: str | bytes) -> str:
    """A text to be shown, bytes that are no UTF-8 as U+FFFD."""
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def read_text(name: str, model: Model) -> str | bytes:
    """A whole file, or standard input (-), in the model's encoding; bytes for a model of bytes."""
    with _opened(name) as file:
        data = file.read()
    return data if model.vocabulary.is_bytes else _decoded(data, model.text.encoding, name)


def lines_of(name: str) -> Iterator[str]:
    """The lines of a file, or of standard input (-), without their ends, as UTF-8."""
    with _opened(name) as file:
        for number, line in enumerate(file, 1):
            text = _decoded(line, "utf-8-sig" if number == 1 else "utf-8", f"{name}: line {number}")
            yield text.removesuffix("\n").removesuffix("\r")


def biases_of(options: Sequence[str]) -> dict[str, float]:
    """What `--logit-bias CHAR=X` says; the character may be = itself."""
    biases = {}
    for option in options:
        rest, _, value = option[1:].partition("=")  # the first one may be = itself
        try:
            biases[option[:1] + rest] = float(value)
        except ValueError as error:
            told = f"logit_bias: wants CHAR=X, such as e=-100, got {option!r}"
            raise SettingsError(told) from error
    return biases


def _opened(name: str) -> BinaryIO:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise TextError(f"{name}: cannot be read ({reason})") from error


def _decoded(data: bytes, encoding: str, where: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise TextError(
            f"{where}: not {encoding}: byte 0x{data[error.start]:02x} at position {error.start}"
        ) from error
