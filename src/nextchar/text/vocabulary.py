"""The vocabulary: the symbols of a model and the code of each.

A symbol is a code point of the training text or, with the bytes alphabet, one of the 256 bytes.
Symbols are in code-point order, so that the same text always gives the same codes. One more code,
the last, may stand for every character that is not in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import ModelFileError, SettingsError, TextError, UnknownCharacterError

Codes = NDArray[np.unsignedinteger[Any]]
Unknown = Literal["error", "skip"]

REPLACEMENT = 0xFFFD  # shown for the unknown symbol
_MAX_POINT = 0x10FFFF


class Vocabulary:
    """The symbols of a model and their codes.

    points: code points, strictly ascending; not used with the bytes alphabet.
    has_unknown: the last code stands for every other character.
    """

    def __init__(
        self, points: Iterable[int] = (), *, has_unknown: bool = False, is_bytes: bool = False
    ) -> None:
        self.is_bytes = is_bytes
        self.points = np.fromiter(range(256) if is_bytes else points, dtype=np.uint32)
        if len(self.points) > 1 and not np.all(self.points[1:] > self.points[:-1]):
            raise ValueError("points must ascend strictly")
        self.unknown_code: int | None = len(self.points) if has_unknown else None
        self._code_of: NDArray[np.int32] | None = None  # built when first needed

    @classmethod
    def of_text(cls, text: str, min_count: int = 1) -> Vocabulary:
        """Return the vocabulary of a text: its distinct characters, in code-point order."""
        return cls.of_counts(*np.unique(points_of(text), return_counts=True), min_count=min_count)

    @classmethod
    def of_counts(cls, points: NDArray[Any], counts: NDArray[Any], min_count: int = 1) -> Self:
        """Return the vocabulary of the code points that occur at least `min_count` times.

        A `min_count` above 1 folds the others into the unknown symbol.
        """
        kept = np.sort(points[counts >= min_count])
        if len(kept) == 0 and len(points) > 0:
            problem = f"must be at most {counts.max()}, the count of the most frequent character"
            raise TextError(problem, setting="min_count", value=min_count)
        return cls(kept.tolist(), has_unknown=min_count > 1)

    def extended(self, points: NDArray[Any], *, has_unknown: bool = False) -> Vocabulary:
        """Return a vocabulary of these symbols and more code points, still in order."""
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
        # bytes encode every character
        return self.is_bytes or bool(self.codes_of_points(points_of(character))[0] >= 0)

    def __repr__(self) -> str:
        kind = "bytes" if self.is_bytes else "characters"
        unknown = " and an unknown symbol" if self.unknown_code is not None else ""
        return f"<Vocabulary of {len(self.points)} {kind}{unknown}>"

    @property
    def symbols(self) -> list[str]:
        """The name of each code: its character; of a byte beyond ASCII, its number in hex."""
        if self.is_bytes:
            return [chr(code) if code < 128 else f"bytes:\\x{code:02x}" for code in range(256)]
        return [self.decode([code]) for code in range(len(self))]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest unsigned type that holds every code."""
        return np.min_scalar_type(max(len(self) - 1, 0))

    def encode(self, text: str | bytes, *, unknown: Unknown = "error", offset: int = 0) -> Codes:
        """Return the codes of a text, one a character (one a byte with the bytes alphabet).

        unknown: treatment of characters that are not in the vocabulary: `"skip"` leaves them out;
        `"error"` uses the unknown symbol if there is one and otherwise raises
        UnknownCharacterError with the character, its code point and its position.
        offset: position of the text's first character, if it is a piece of a longer text.
        """
        if unknown not in ("error", "skip"):
            raise SettingsError("must be one of error, skip", setting="unknown", value=unknown)
        if self.is_bytes:
            return np.frombuffer(bytes_of(text), dtype=np.uint8).copy()
        if isinstance(text, bytes):
            problem = "must be a str for a model of characters, not bytes"
            raise TextError(problem, setting="text", remedy="decode it first")
        points = points_of(text)
        codes = self.codes_of_points(points)
        is_unknown = codes < 0
        if is_unknown.any():
            if unknown == "skip":
                codes = codes[~is_unknown]
            elif self.unknown_code is not None:
                codes[is_unknown] = self.unknown_code
            else:
                raise _unknown_character_error(points, is_unknown, offset)
        return codes.astype(self.dtype)

    def codes_of_points(self, points: NDArray[np.uint32]) -> NDArray[np.int32]:
        """Return the code of each code point, -1 for those outside the vocabulary."""
        if self._code_of is None:
            table = np.full(int(self.points[-1]) + 2 if len(self.points) else 1, -1, np.int32)
            table[self.points] = np.arange(len(self.points), dtype=np.int32)
            self._code_of = table  # its last entry, -1, serves every point past the end
        return self._code_of[np.minimum(points, len(self._code_of) - 1)]

    def decode(self, codes: NDArray[np.integer[Any]] | Sequence[int]) -> str:
        """Return the text of codes; the unknown symbol and bytes of invalid UTF-8 give U+FFFD."""
        if self.is_bytes:
            return self.decode_bytes(codes).decode("utf-8", "replace")
        points = np.append(self.points, np.uint32(REPLACEMENT))[self._checked(codes)]
        return bytes(points.astype("<u4").data).decode("utf-32-le", "surrogatepass")

    def decode_bytes(self, codes: NDArray[np.integer[Any]] | Sequence[int]) -> bytes:
        """Return the bytes of codes: exact with the bytes alphabet, otherwise the text's UTF-8."""
        if self.is_bytes:
            return self._checked(codes).astype(np.uint8).tobytes()
        return bytes_of(self.decode(codes))

    def to_json(self) -> dict[str, Any]:
        """Return the form from which `from_json` restores this vocabulary."""
        if self.is_bytes:
            return {"alphabet": "bytes"}
        return {
            "alphabet": "characters",
            "points": self.points.tolist(),
            "unknown": self.unknown_code is not None,
        }

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> Vocabulary:
        """Restore a vocabulary that `to_json` wrote. Raises ModelFileError if it is invalid."""
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


def _unknown_character_error(
    points: NDArray[np.uint32], is_unknown: NDArray[np.bool_], offset: int
) -> UnknownCharacterError:
    index = int(np.argmax(is_unknown))
    character, position = chr(int(points[index])), offset + index
    others = [chr(int(p)) for p in np.unique(points[is_unknown]) if chr(int(p)) != character]
    more = f" (and {', '.join(map(repr, others[:5]))}{' …' * (len(others) > 5)})"
    return UnknownCharacterError(
        f"the character {character!r} (U+{ord(character):04X}) at position {position}"
        f"{more if others else ''} is not in the model's vocabulary",
        character,
        position,
        remedy='leave it out, or skip unknown characters (unknown="skip", --unknown skip)',
    )


def bytes_of(text: str | bytes) -> bytes:
    """Return a text's UTF-8, lone surrogates included; bytes unchanged."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def points_of(text: str) -> NDArray[np.uint32]:
    """Return the code points of a text."""
    data = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(data, dtype="<u4").astype(np.uint32, copy=False)
