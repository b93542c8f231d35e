"""Log-probabilities of prompts and generated texts, in the form of the completion API."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence

from nextchar.generation.requests import TextDelta
from nextchar.server.schema import Logprobs

LOWEST = -9999.0  # stands for minus infinity, which JSON lacks


class LogprobsBuilder:
    """Collects the log-probabilities of one text, delta by delta.

    symbols: the token of each code. is_bytes: whether codes are bytes.
    Offsets are counted in characters from the start of the text.
    """

    def __init__(self, symbols: Sequence[str], *, is_bytes: bool) -> None:
        self._symbols = symbols
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace") if is_bytes else None
        self._end = 0  # offset of the next character
        self._pending = Logprobs([], [], [], [])

    def add(self, delta: TextDelta, skip: int = 0) -> None:
        """Add the codes of a delta, without the first `skip`."""
        codes = delta.codes.tolist()
        for n in range(skip, len(codes)):
            self._pending.tokens.append(self._symbols[codes[n]])
            self._pending.text_offset.append(self._offset(codes[n]))
            own = math.nan if delta.logprobs is None else float(delta.logprobs[n])
            # NaN: the first character of a text has no prediction
            is_known = not math.isnan(own)
            self._pending.token_logprobs.append(max(own, LOWEST) if is_known else None)
            top = self._top(delta, n, codes[n], own) if is_known else None
            self._pending.top_logprobs.append(top)

    def take(self) -> Logprobs:
        """Return those added since the last call."""
        taken, self._pending = self._pending, Logprobs([], [], [], [])
        return taken

    def _offset(self, code: int) -> int:
        start = self._end
        self._end += 1 if self._utf8 is None else len(self._utf8.decode(bytes([code])))
        return start

    def _top(self, delta: TextDelta, n: int, code: int, own: float) -> dict[str, float]:
        """The most probable tokens at a position, and its own."""
        top: dict[str, float] = {}
        if delta.top_codes is not None and delta.top_logprobs is not None:
            codes, values = delta.top_codes[n].tolist(), delta.top_logprobs[n].tolist()
            top = {self._symbols[c]: max(v, LOWEST) for c, v in zip(codes, values, strict=True)}
        top.setdefault(self._symbols[code], max(own, LOWEST))
        return top
