"""Log-probabilities of what was read and written, in the form that clients know."""

from __future__ import annotations

import codecs
import math
from collections.abc import Sequence

from nextchar.generation.requests import TextDelta
from nextchar.server.schema import Logprobs

LEAST = -9999.0  # stands for minus infinity, which JSON has not


class Scores:
    """The log-probabilities of one text, which comes in pieces.

    symbols: what each code is called. is_bytes: whether codes are bytes.
    Places are counted in characters from the beginning of the text.
    """

    def __init__(self, symbols: Sequence[str], *, is_bytes: bool) -> None:
        self._symbols = symbols
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace") if is_bytes else None
        self._place = 0
        self._new = Logprobs([], [], [], [])

    def add(self, piece: TextDelta, skip: int = 0) -> None:
        """What comes next. skip: codes at its beginning that are left out."""
        codes = piece.codes.tolist()
        for n in range(skip, len(codes)):
            self._new.tokens.append(self._symbols[codes[n]])
            self._new.text_offset.append(self._offset(codes[n]))
            chosen = math.nan if piece.logprobs is None else float(piece.logprobs[n])
            known = not math.isnan(chosen)  # nothing predicts a text's first character
            self._new.token_logprobs.append(max(chosen, LEAST) if known else None)
            self._new.top_logprobs.append(self._top(piece, n, codes[n], chosen) if known else None)

    def take(self) -> Logprobs:
        """Those that were added since the last call."""
        taken, self._new = self._new, Logprobs([], [], [], [])
        return taken

    def _offset(self, code: int) -> int:
        before = self._place
        self._place += 1 if self._utf8 is None else len(self._utf8.decode(bytes([code])))
        return before

    def _top(self, piece: TextDelta, n: int, code: int, chosen: float) -> dict[str, float]:
        """The most probable ones and the chosen one."""
        top: dict[str, float] = {}
        if piece.top_codes is not None and piece.top_logprobs is not None:
            codes, values = piece.top_codes[n].tolist(), piece.top_logprobs[n].tolist()
            top = {self._symbols[c]: max(v, LEAST) for c, v in zip(codes, values, strict=True)}
        top.setdefault(self._symbols[code], max(chosen, LEAST))
        return top
