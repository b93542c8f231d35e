"""Whether a text looks like text: a binary or wrongly decoded one is told before hours go by.

A judgement from a bounded sample, for a note and nothing more: whatever it says, the text is
trained on as it stands.
"""

from __future__ import annotations

import codecs
import unicodedata

import numpy as np
from numpy.typing import NDArray

from nextchar.settings.config import TextSettings
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.records import boundary_of
from nextchar.text.vocabulary import Codes, Vocabulary, points_of

WINDOWS, WINDOW = 10, 10_000  # how many stretches of how many characters are looked at
STRANGE = 0.01  # a share of characters above which it is no accident
_IN_TEXT = frozenset(map(ord, "\t\n\v\f\r\x1a\x1b\x85"))  # controls that texts hold
_REMEDY = "give the right --encoding, or train on any bytes (--alphabet bytes)"


def decoding_warning(vocabulary: Vocabulary, codes: AnyCodes, settings: TextSettings) -> str | None:
    """What speaks against a text's being what it was taken for, in one line; None where nothing.

    codes: (N,) of the training part, by the vocabulary.
    """
    if vocabulary.is_bytes or not len(codes):
        return None
    places = range(0, len(codes), max(len(codes) // WINDOWS, WINDOW))
    windows = [np.asarray(codes[place : place + WINDOW]) for place in places]
    if boundary := boundary_of(settings):  # which is no part of the text
        (code,) = vocabulary.codes_of_points(points_of(boundary))
        windows = [window[window != code] for window in windows]
    sample = np.concatenate(windows)
    counts = np.bincount(sample, minlength=len(vocabulary))[: len(vocabulary.points)]
    points = vocabulary.points
    first = points if boundary else points[sample[0] :][:1]  # records are in another order
    if 0xFEFF in first.tolist():
        return (
            "the text begins with a byte order mark, which is kept as a character (U+FEFF); "
            "--encoding utf-8-sig leaves it out"
        )
    return (
        _nuls(points, counts)
        or _misread(vocabulary, windows[0], settings.encoding)
        or _strange(points, counts)
        or _only_accents(points, counts)
    )


def _nuls(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    """ASCII in UTF-16 is valid UTF-8, every second character a NUL."""
    nuls = int(counts[points == 0].sum())
    if nuls <= 0.2 * counts.sum():
        return None
    return (
        f"{_share(nuls, counts)} of the text are NUL characters: it is a binary file or in "
        "another encoding (--encoding utf-16-le or utf-16-be); or train on any bytes "
        "(--alphabet bytes)"
    )


def _strange(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    is_strange = np.fromiter(map(_is_strange, points.tolist()), bool, len(points))
    strange = int(counts[is_strange].sum())
    if strange <= STRANGE * counts.sum():
        return None
    examples = points[is_strange][np.argsort(-counts[is_strange], kind="stable")][:3]
    named = ", ".join(f"U+{point:04X}" for point in examples.tolist())
    return (
        f"{_share(strange, counts)} of the text are control, private or unassigned characters "
        f"({named}) among {len(points)} different ones: it looks binary or wrongly decoded; "
        f"{_REMEDY}"
    )


def _is_strange(point: int) -> bool:
    """Whether a code point is none that people write.

    Emoji and rare Chinese characters are assigned every year, in planes 1 to 3, and this Python
    may be older than the text.
    """
    if point in _IN_TEXT:
        return False
    category = unicodedata.category(chr(point))
    if category == "Cn":
        return point < 0x10000 or point >= 0x40000 or point & 0xFFFE == 0xFFFE
    return category in {"Cc", "Co", "Cs"} or point == 0xFFFD


def _misread(vocabulary: Vocabulary, window: Codes, encoding: str) -> str | None:
    """UTF-8 that was read as something else gives its bytes back, and they are valid UTF-8."""
    if encoding.lower().replace("_", "-").startswith(("utf", "u8")):
        return None
    text = vocabulary.decode(window)
    try:
        again = codecs.getincrementaldecoder("utf-8")().decode(text.encode(encoding))  # may be cut
    except (UnicodeError, LookupError):
        return None
    if again.isascii():
        return None
    return f"the text is valid utf-8 and was read as {encoding}; give --encoding utf-8"


def _only_accents(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    """Bytes of any other script, read as Latin: accents and signs follow one another."""
    accents = int(counts[(points >= 0xA0) & (points <= 0xFF)].sum())
    letters = int(counts[((points | 32) >= ord("a")) & ((points | 32) <= ord("z"))].sum())
    if len(points) < 16 or accents <= 0.3 * counts.sum() or accents <= letters:
        return None
    return (
        f"{_share(accents, counts)} of the text are letters with accents and signs, more than "
        f"plain letters: it looks wrongly decoded; {_REMEDY}"
    )


def _share(part: int, counts: NDArray[np.int64]) -> str:
    return f"{100 * part / counts.sum():.0f} %"
