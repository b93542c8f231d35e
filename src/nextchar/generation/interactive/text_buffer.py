"""A text that grows and is cut at its end, and the model that has read it up to there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.formatting.units import to_bits
from nextchar.generation.stepper import Stepper
from nextchar.kernels.decoding.decoder import Snapshot
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax

Array = NDArray[Any]

EVERY = 64  # symbols between two places that can be gone back to without reading
NOT_SCORED = float("nan")


@dataclass(frozen=True)
class Symbol:
    """A character, or byte, of a text. logprob: the model's own; NaN where it was not scored."""

    code: int
    logprob: float


class TextBuffer:
    """A text and what is expected after it; a context manager.

    lead: codes that are read before the text and are none of it. bfloat16: as in `Stepper`.
    """

    def __init__(self, model: Model, lead: Array, *, bfloat16: bool | None = None) -> None:
        self.model, self.lead, self.symbols = model, lead, list[Symbol]()
        self._stepper = Stepper(model, bfloat16=bfloat16)
        self._stepper.read(lead)
        self._places: list[Snapshot] = self._stepper.snapshots()  # one after EVERY symbols each

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stepper.__exit__(*error)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def codes(self) -> list[int]:
        """The text's codes."""
        return [symbol.code for symbol in self.symbols]

    @property
    def text(self) -> str:
        """The text so far."""
        return self.model.vocabulary.decode(self.codes)

    @property
    def data(self) -> bytes:
        """The same as bytes, exact with the bytes alphabet."""
        return self.model.vocabulary.decode_bytes(self.codes)

    @property
    def bits(self) -> float:
        """Mean surprise of all that was scored, in bits for each code; NaN where nothing was."""
        scored = [each.logprob for each in self.symbols if not np.isnan(each.logprob)]
        return -to_bits(float(np.mean(scored))) if scored else NOT_SCORED

    @property
    def logits(self) -> Array:
        """What is expected next, (1, V) float64."""
        return self._stepper.logits

    @property
    def logprobs(self) -> Array:
        """Log-probabilities of what is expected next, (V,)."""
        return np.asarray(log_softmax(self._stepper.logits)[0])

    def append(self, code: int) -> None:
        """Score a code and go on with it."""
        self.extend([Symbol(code, float(self.logprobs[code]))])

    def extend(self, symbols: Sequence[Symbol]) -> None:
        """Go on with symbols whose scores are known."""
        for symbol in symbols:
            self._stepper.step(np.array([symbol.code]))
            self.symbols.append(symbol)
            if len(self.symbols) % EVERY == 0:
                self._places += self._stepper.snapshots()

    def warm_up(self) -> None:
        """Have all compiled that reading needs; nothing is changed."""
        self.extend([Symbol(0, NOT_SCORED)])
        self.cut(len(self.symbols) - 1)

    def begin(self, codes: Array) -> None:
        """Begin the text, which is empty, with what is not scored."""
        for start in range(0, len(codes), EVERY):
            part = codes[start : start + EVERY]
            self._stepper.read(part)
            self.symbols += [Symbol(code, NOT_SCORED) for code in part.tolist()]
            if len(part) == EVERY:
                self._places += self._stepper.snapshots()

    def cut(self, length: int) -> None:
        """Leave only the first symbols."""
        if length == len(self.symbols):
            return
        place = length // EVERY
        again = self.symbols[place * EVERY : length]
        del self.symbols[place * EVERY :], self._places[place + 1 :]
        self._stepper.go_on_from([self._places[place]])
        self.extend(again)
