"""Which encoding bytes are likely in, where they are not in the one that was asked for.

A guess to be told, never to be acted upon: charset-normalizer says which of the common encodings
makes the most plausible text of a bounded sample.
"""

from __future__ import annotations

import codecs
import re

SAMPLE = 1 << 16  # bytes that are looked at, at most

_WHOLE = ("utf-8", "gb18030", "big5", "cp932", "euc_jp", "cp949")  # of several bytes a character
_COMMON = [
    *_WHOLE,
    "cp1252",
    "cp1250",
    "cp1251",
    "iso8859_2",
    "koi8_r",
    "utf_16",
    "utf_16_le",
    "utf_16_be",
    "utf_32",
]
# ą, ł, š, ś, ş, ť, ž, ź and ż inside a word, in either encoding; in cp1252 they are signs
_CENTRAL = re.compile(rb"[A-Za-z][\x9a\x9e\x9f\xb1\xb3\xb5\xb6\xb9\xba\xbc\xbe\xbf][A-Za-z]")
_ALSO_CALLED = {"cp932": "Shift-JIS", "cp949": "Korean", "cp1252": "Windows, Latin"}


def suggest_encoding(data: bytes, place: int, encoding: str) -> str:
    """What to do about bytes that are not in an encoding: the end of a message.

    data: some of them, from an even offset in their file on; place: of the first wrong one.
    """
    sample = _sample(data, place)
    likely = _likely(sample)
    if likely and codecs.lookup(likely).name != codecs.lookup(encoding).name:
        called = f" ({_ALSO_CALLED[likely]})" if likely in _ALSO_CALLED else ""
        option = likely.replace("_", "-")
        verb = "may be" if _is_short(sample) else "looks like"
        return f"it {verb} {option}{called}: give --encoding {option} if that is what it is"
    if b"\0" in sample:
        return (
            "it holds NUL bytes and looks like no text; choose files of a folder by name "
            "(--pattern GLOB), or train on any bytes (--alphabet bytes)"
        )
    return (
        "give the file's own encoding (--encoding NAME), choose files of a folder by name "
        "(--pattern GLOB), or train on any bytes (--alphabet bytes)"
    )


def _sample(data: bytes, place: int) -> bytes:
    """Bytes around the first wrong one, from the beginning of a character to the end of one."""
    begin = max(place - 1024, 0) & ~1
    if begin and b"\0" not in data[begin : begin + SAMPLE]:
        begin = data.find(b"\n", begin, place) + 1 or begin  # an ASCII byte is a border, but UTF-16
    sample = data[begin : begin + SAMPLE]
    if len(data) > begin + SAMPLE:  # a character may be cut at its end
        for cut in range(4):
            if any(_decodes(sample[: SAMPLE - cut], name) for name in _WHOLE):
                return sample[: SAMPLE - cut]
    return sample


def _likely(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # wanted on failure only

    best = from_bytes(sample, cp_isolation=_COMMON).best()
    if best is None:
        return None
    # Western and Central European letters share bytes, and the detector prefers the latter
    doubtful = best.encoding in {"cp1250", "iso8859_2"}
    if doubtful and not _CENTRAL.search(sample) and _decodes(sample, "cp1252"):
        return "cp1252"
    return str(best.encoding)


def _is_short(sample: bytes) -> bool:
    """Whether there is too little beside ASCII to be sure of anything."""
    return sum(byte > 0x7F for byte in sample) < 12


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
