"""The likely encoding of bytes that are not valid in the requested one.

A guess for a message, never acted upon: charset-normalizer finds the common encoding that gives the
most plausible text for a bounded sample.
"""

from __future__ import annotations

import codecs
import re

SAMPLE = 1 << 16  # bytes examined, at most

_MULTIBYTE = ("utf-8", "gb18030", "big5", "cp932", "euc_jp", "cp949")
_SINGLE_BYTE = ("cp1252", "cp1250", "cp1251", "iso8859_2", "koi8_r")
_COMMON = [*_MULTIBYTE, *_SINGLE_BYTE, "utf_16", "utf_16_le", "utf_16_be", "utf_32"]
# ą, ł, š, ś, ş, ť, ž, ź and ż inside a word, in either encoding; in cp1252 they are signs
_CENTRAL = re.compile(rb"[A-Za-z][\x9a\x9e\x9f\xb1\xb3\xb5\xb6\xb9\xba\xbc\xbe\xbf][A-Za-z]")
_ALIASES = {"cp932": "Shift-JIS", "cp949": "Korean", "cp1252": "Windows, Latin"}


def suggest_encoding(data: bytes, position: int, encoding: str) -> str:
    """Return the remedy for bytes that are not valid in an encoding.

    data: some of them, from an even offset in their file. position: of the first invalid one.
    """
    sample = _sample(data, position)
    likely = _likely(sample)
    if likely and codecs.lookup(likely).name != codecs.lookup(encoding).name:
        alias = f" ({_ALIASES[likely]})" if likely in _ALIASES else ""
        option = likely.replace("_", "-")
        verb = "may be" if _is_short(sample) else "looks like"
        return f"it {verb} {option}{alias}: give --encoding {option} if that is what it is"
    start = "give the file's own encoding (--encoding NAME), "
    if b"\0" in sample:
        start = "it contains NUL bytes and does not look like text; "
    rest = "choose files of a folder by name (--pattern GLOB), or train on any bytes"
    return f"{start}{rest} (--alphabet bytes)"


def _sample(data: bytes, position: int) -> bytes:
    """Bytes around the first invalid one, from the beginning of a character to the end of one."""
    begin = max(position - 1024, 0) & ~1
    if begin and b"\0" not in data[begin : begin + SAMPLE]:
        # except in UTF-16, an ASCII byte is a whole character
        begin = data.find(b"\n", begin, position) + 1 or begin
    sample = data[begin : begin + SAMPLE]
    if len(data) > begin + SAMPLE:  # a character may be cut at its end
        for cut in range(4):
            if any(_decodes(sample[: SAMPLE - cut], name) for name in _MULTIBYTE):
                return sample[: SAMPLE - cut]
    return sample


def _likely(sample: bytes) -> str | None:
    from charset_normalizer import from_bytes  # needed only after a failure

    best = from_bytes(sample, cp_isolation=_COMMON).best()
    if best is None:
        return None
    # Western and Central European letters share bytes; the detector prefers the latter
    doubtful = best.encoding in {"cp1250", "iso8859_2"}
    if doubtful and not _CENTRAL.search(sample) and _decodes(sample, "cp1252"):
        return "cp1252"
    return str(best.encoding)


def _is_short(sample: bytes) -> bool:
    """Return whether too few bytes are outside ASCII for a confident guess."""
    return sum(byte > 0x7F for byte in sample) < 12


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
