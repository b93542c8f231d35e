"""The vocabulary: which symbols there are, and the code of each.

A symbol is a code point of the training text, in code-point order, so that the same text always
gives the same codes; or, with the bytes alphabet, one of the 256 bytes. One more code, the last,
may stand for every character that is not in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError, SettingsError, TextError, UnknownCharacterError

Codes = NDArray[np.unsignedinteger[Any]]
Unknown = Literal["error", "skip"]

REPLACEMENT = 0xFFFD  # how the unknown symbol is shown
_MAX_POINT = 0x10FFFF


class Vocabulary:
    """The symbols of a model and their codes.

    points: code points, ascending, each once; not used with the bytes alphabet.
    has_unknown: whether the last code stands for everything else.
    """

    def __init__(
        self, points: Iterable[int] = (), *, has_unknown: bool = False, is_bytes: bool = False
    ) -> None:
        self.is_bytes = is_bytes
        self.points: NDArray[np.uint32] = (
            np.arange(256, dtype=np.uint32) if is_bytes else np.fromiter(points, dtype=np.uint32)
        )
        if len(self.points) > 1 and not np.all(self.points[1:] > self.points[:-1]):
            raise ValueError("points must ascend, each once")
        self.unknown_code: int | None = len(self.points) if has_unknown else None
        self._code_of: NDArray[np.int32] | None = None  # made when it is first needed

    @classmethod
    def of_text(cls, text: str, min_count: int = 1) -> Vocabulary:
        """The vocabulary of a text: its distinct characters, in code-point order."""
        return cls.of_counts(*np.unique(points_of(text), return_counts=True), min_count=min_count)

    @classmethod
    def of_counts(
        cls, points: NDArray[Any], counts: NDArray[Any], min_count: int = 1
    ) -> Vocabulary:
        """The vocabulary of the code points that were counted at least `min_count` times.

        Above 1, `min_count` folds the others into the unknown symbol.
        """
        kept = np.sort(points[counts >= min_count])
        if len(kept) == 0 and len(points) > 0:
            raise TextError(f"min_count: no character is there {min_count} times; give a lower one")
        return cls(kept.tolist(), has_unknown=min_count > 1)

    def extended(self, points: NDArray[Any], *, has_unknown: bool = False) -> Vocabulary:
        """A vocabulary of these symbols and more code points, still in order."""
        if self.is_bytes:
            return self
        more = self.unknown_code is not None or has_unknown
        return Vocabulary(np.union1d(self.points, points).tolist(), has_unknown=more)

    def __len__(self) -> int:
        return len(self.points) + (self.unknown_code is not None)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.is_bytes, self.unknown_code, self.points.tobytes()))

    def __contains__(self, character: object) -> bool:
        if not (isinstance(character, str) and len(character) == 1):
            return False
        # bytes write every character
        return self.is_bytes or bool(self.codes_of_points(points_of(character))[0] >= 0)

    def __repr__(self) -> str:
        what = "bytes" if self.is_bytes else "characters"
        unknown = " and an unknown symbol" if self.unknown_code is not None else ""
        return f"<Vocabulary of {len(self.points)} {what}{unknown}>"

    @property
    def symbols(self) -> list[str]:
        """What each code is called: its character; a byte beyond ASCII by its number, in hex."""
        if self.is_bytes:
            return [chr(code) if code < 128 else f"bytes:\\x{code:02x}" for code in range(256)]
        return [self.decode([code]) for code in range(len(self))]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every code."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    def encode(self, text: str | bytes, *, unknown: Unknown = "error", offset: int = 0) -> Codes:
        """The codes of a text, one a character (one a byte with the bytes alphabet).

        unknown: what to do with a character that is not in the vocabulary: `"skip"` leaves it
        out; `"error"` takes the unknown symbol where there is one, and raises
        UnknownCharacterError, with the character, its code point and its position, where not.
        offset: the position of the text's first character, where it is a piece of a longer one.
        """
        if unknown not in ("error", "skip"):
            raise SettingsError(f"unknown: wants one of error, skip, got {unknown!r}")
        if self.is_bytes:
            return np.frombuffer(bytes_of(text), dtype=np.uint8).copy()
        if isinstance(text, bytes):
            raise TextError("a model of characters wants a str, got bytes; decode them first")
        points = points_of(text)
        codes = self.codes_of_points(points)
        bad = codes < 0
        if bad.any():
            if unknown == "skip":
                codes = codes[~bad]
            elif self.unknown_code is not None:
                codes[bad] = self.unknown_code
            else:
                raise self._unknown_characters(points, bad, offset)
        return codes.astype(self.dtype)

    def codes_of_points(self, points: NDArray[np.uint32]) -> NDArray[np.int32]:
        """The code of each code point, -1 where it has none of its own."""
        if self._code_of is None:
            table = np.full(int(self.points[-1]) + 2 if len(self.points) else 1, -1, np.int32)
            table[self.points] = np.arange(len(self.points), dtype=np.int32)
            self._code_of = table  # its last entry is -1: everything past the end lands there
        return self._code_of[np.minimum(points, len(self._code_of) - 1)]

    def decode(self, codes: NDArray[np.integer[Any]] | Sequence[int]) -> str:
        """The text of some codes; the unknown symbol and bytes that are no UTF-8 show as U+FFFD."""
        if self.is_bytes:
            return self.decode_bytes(codes).decode("utf-8", "replace")
        points = np.append(self.points, np.uint32(REPLACEMENT))[self._checked(codes)]
        return bytes(points.astype("<u4").data).decode("utf-32-le", "surrogatepass")

    def decode_bytes(self, codes: NDArray[np.integer[Any]] | Sequence[int]) -> bytes:
        """The bytes of some codes: exact with the bytes alphabet, else the text's UTF-8."""
        if self.is_bytes:
            return self._checked(codes).astype(np.uint8).tobytes()
        return bytes_of(self.decode(codes))

    def to_json(self) -> dict[str, Any]:
        """What `from_json` makes this vocabulary of again."""
        if self.is_bytes:
            return {"alphabet": "bytes"}
        return {
            "alphabet": "characters",
            "points": self.points.tolist(),
            "unknown": self.unknown_code is not None,
        }

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Vocabulary:
        """The vocabulary that `to_json` wrote. Raises ModelFileError where it cannot be one."""
        try:
            if json["alphabet"] == "bytes":
                return cls(is_bytes=True)
            points, unknown = json["points"], json["unknown"]
            if json["alphabet"] != "characters" or not isinstance(unknown, bool):
                raise ValueError
            if not all(type(point) is int and 0 <= point <= _MAX_POINT for point in points):
                raise ValueError
            return cls(points, has_unknown=unknown)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError("the vocabulary in the file is damaged") from error

    def _checked(self, codes: NDArray[np.integer[Any]] | Sequence[int]) -> NDArray[Any]:
        array = np.asarray(codes, dtype=np.int64)
        if array.size and not (array.min() >= 0 and array.max() < len(self)):
            raise ValueError(f"codes must be in [0, {len(self)}), got {array.min()}…{array.max()}")
        return array

    def _unknown_characters(
        self, points: NDArray[np.uint32], bad: NDArray[np.bool_], offset: int
    ) -> UnknownCharacterError:
        character = chr(int(points[np.argmax(bad)]))
        position = offset + int(np.argmax(bad))
        others = [chr(int(p)) for p in np.unique(points[bad]) if chr(int(p)) != character]
        more = f" (and {', '.join(map(repr, others[:5]))}{' …' * (len(others) > 5)})"
        return UnknownCharacterError(
            f"the character {character!r} (U+{ord(character):04X}) at position {position}"
            f"{more if others else ''} is not in the model's vocabulary; leave it out, or skip "
            'what is unknown (unknown="skip", --unknown skip)',
            character,
            position,
        )


def bytes_of(text: str | bytes) -> bytes:
    """A text's UTF-8, lone surrogates and all; bytes as they are."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def points_of(text: str) -> NDArray[np.uint32]:
    """The code points of a text."""
    data = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype="<u4").astype(np.uint32, copy=False)
