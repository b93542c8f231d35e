"""Sanity check: detects a binary or wrongly decoded text before hours of training.

A bounded sample is examined. The result is a warning and nothing more: the text is trained on
unchanged.
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

WINDOWS, WINDOW = 10, 10_000  # number of sampled windows, characters of each
STRANGE = 0.01  # fraction of strange characters above which the text is suspect
_IN_TEXT = frozenset(map(ord, "\t\n\v\f\r\x1a\x1b\x85"))  # controls found in texts
_REMEDY = "give the right --encoding, or train on any bytes (--alphabet bytes)"


def decoding_warning(vocabulary: Vocabulary, codes: AnyCodes, settings: TextSettings) -> str | None:
    """Return a one-line warning about a text that was probably decoded wrongly, or None.

    codes: (N,) of the training part, in the vocabulary.
    """
    if vocabulary.is_bytes or not len(codes):
        return None
    starts = range(0, len(codes), max(len(codes) // WINDOWS, WINDOW))
    windows = [np.asarray(codes[start : start + WINDOW]) for start in starts]
    if boundary := boundary_of(settings):  # not a part of the text
        (code,) = vocabulary.codes_of_points(points_of(boundary))
        windows = [window[window != code] for window in windows]
    sample = np.concatenate(windows)
    counts = np.bincount(sample, minlength=len(vocabulary))[: len(vocabulary.points)]
    points = vocabulary.points
    first = points if boundary else points[sample[0] :][:1]  # records are shuffled
    if 0xFEFF in first.tolist():
        return (
            "the text begins with a byte order mark, which is kept as a character (U+FEFF); "
            "--encoding utf-8-sig leaves it out"
        )
    return (
        _nul_warning(points, counts)
        or _utf8_warning(vocabulary, windows[0], settings.encoding)
        or _strange_warning(points, counts)
        or _accent_warning(points, counts)
    )


def _nul_warning(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    """Detect UTF-16 read as UTF-8: in ASCII text, every second character is a NUL."""
    nuls = int(counts[points == 0].sum())
    if nuls <= 0.2 * counts.sum():
        return None
    problem = f"{_share(nuls, counts)} of the text are NUL characters: it is a binary file"
    encodings = "in another encoding (--encoding utf-16-le or utf-16-be)"
    return f"{problem} or {encodings}; or train on any bytes (--alphabet bytes)"


def _strange_warning(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    is_strange = np.fromiter(map(_is_strange, points.tolist()), bool, len(points))
    strange = int(counts[is_strange].sum())
    if strange <= STRANGE * counts.sum():
        return None
    examples = points[is_strange][np.argsort(-counts[is_strange], kind="stable")][:3]
    named = ", ".join(f"U+{point:04X}" for point in examples.tolist())
    return (
        f"{_share(strange, counts)} of the text are control, private or unassigned characters "
        f"({named}) among {len(points)} distinct ones: it looks binary or wrongly decoded; "
        f"{_REMEDY}"
    )


def _is_strange(point: int) -> bool:
    if point in _IN_TEXT:
        return False
    category = unicodedata.category(chr(point))
    # unassigned ones in planes 1 to 3 are accepted: emoji and rare Chinese characters are assigned
    # there every year, and this Python may be older than the text
    if category == "Cn":
        return point < 0x10000 or point >= 0x40000 or point & 0xFFFE == 0xFFFE
    return category in {"Cc", "Co", "Cs"} or point == 0xFFFD


def _utf8_warning(vocabulary: Vocabulary, window: Codes, encoding: str) -> str | None:
    """Detect UTF-8 read in another encoding: encoded again, the text is valid UTF-8."""
    if encoding.lower().replace("_", "-").startswith(("utf", "u8")):
        return None
    text = vocabulary.decode(window)
    try:
        decoder = codecs.getincrementaldecoder("utf-8")()  # accepts a character cut at the end
        decoded = decoder.decode(text.encode(encoding))
    except (UnicodeError, LookupError):
        return None
    if decoded.isascii():
        return None
    return f"the text is valid utf-8 and was read as {encoding}; give --encoding utf-8"


def _accent_warning(points: NDArray[np.uint32], counts: NDArray[np.int64]) -> str | None:
    """Detect another script read as Latin: accents and signs outnumber plain letters."""
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
