"""One lane of a batch: what it reads and draws by, and the pieces of text that it gives."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.detokenizer import IncrementalDetokenizer
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, TextDelta
from nextchar.kernels.decoding.decoder import FULL, LONGEST, STOPPED, Rules, Snapshot, Wrote
from nextchar.text.vocabulary import Vocabulary

Array = NDArray[Any]

STRONGEST = 1e30  # penalty for repetitions
PROMPT = -1  # the index of what reads a prompt for all samples of its request


@dataclass(frozen=True)
class _Noted:
    """Codes and, where they are asked for, their log-probabilities; as in `TextDelta`."""

    codes: Array
    scores: tuple[Array, ...] = ()  # logprobs, top_codes and top_logprobs

    def part(self, which: slice) -> _Noted:
        """Some of the codes, copied: what they come from is overwritten."""
        return _Noted(self.codes[which].copy(), tuple(each[which].copy() for each in self.scores))

    def then(self, other: _Noted) -> _Noted:
        """These and more, which are copied where there are none of these."""
        if len(self.codes) == 0:
            return other.part(slice(None))
        codes = np.concatenate([self.codes, other.codes])
        pairs = zip(self.scores, other.scores, strict=True)
        return _Noted(codes, tuple(np.concatenate(pair) for pair in pairs))


class SequenceState:
    """One sample of a request, or the reading of its prompt.

    start: where it goes on from, the prompt read; None is the beginning, with the prompt to read.
    is_streamed: whether its text is wanted as it comes, or whole will do.
    """

    def __init__(
        self,
        key: Hashable,
        request: Request,
        index: int,
        vocabulary: Vocabulary,
        start: Snapshot | None = None,
        *,
        is_streamed: bool = True,
    ) -> None:
        self.is_streamed = is_streamed
        self.key, self.request, self.index, self.start = key, request, index, start
        self.left = request.prompt if start is None else request.prompt[:0]
        self.is_done = False
        least = request.settings.min_length
        is_prompt = index == PROMPT
        self._writing = IncrementalDetokenizer(vocabulary, () if is_prompt else request.stop, least)
        self._held = _Noted(np.empty(0, np.int64))
        self._symbols = len(vocabulary)
        self.taken = 0  # codes taken since the lane was fed
        self._drawn = 0  # characters in all
        self._first = True  # nothing was taken yet
        self._stream: np.random.Generator | None = None  # made when it is first needed
        self._uniforms = np.empty(0)

    @property
    def is_reader(self) -> bool:
        """Whether it reads the prompt for all samples."""
        return self.index == PROMPT

    @property
    def rules(self) -> Rules:
        """How its lane draws and what is noted."""
        numbers = rule_values(self.request.settings) | {"top": self._top}
        if self.is_reader:
            numbers |= {"most": 0, "is_scored": 1}
        return Rules(numbers, self.request.bias)

    @property
    def _top(self) -> int:
        """How many most probable codes are noted with each; -1 where nothing is scored."""
        wanted = self.request.settings.logprobs
        if self.is_reader:
            return (wanted or 0) if self.request.prompt_logprobs else -1
        return -1 if wanted is None else wanted

    @property
    def is_watched(self) -> bool:
        """Whether what its lane does has to be looked at after every call."""
        return self.is_streamed or self.is_reader or bool(self.request.stop)

    def food(self) -> tuple[Array, Array]:
        """What the lane reads next, and the numbers that it draws by: for `LONGEST` codes."""
        self.taken = 0
        given = self.left[:LONGEST]
        wanted = min(LONGEST - len(given), self.request.settings.length - self._drawn)
        if self.is_reader or wanted == 0:
            return given, self._uniforms[:0]
        if self._stream is None:
            number = self.request.first + self.index
            self._stream = np.random.default_rng([self.request.seed, number])
        if len(self._uniforms) < wanted:
            more = self._stream.random(wanted - len(self._uniforms))
            self._uniforms = np.concatenate([self._uniforms, more])
        return given, self._uniforms[:wanted]

    def take(self, wrote: Wrote) -> TextDelta | None:
        """What is sure after some more codes; None if nothing is new."""
        noted = _Noted(wrote.codes)
        if self._top >= 0:
            top = slice(min(self._top, self._symbols))  # other lanes may want more of them
            tops = (wrote.top_codes[:, top], wrote.top_logprobs[:, top])
            noted = _Noted(wrote.codes, (wrote.logprobs, *tops))
        self.taken += len(wrote.codes)
        read = min(len(self.left), len(wrote.codes))
        self.left = self.left[read:]
        if self.is_reader:
            return self._read(noted)
        self._drawn += len(wrote.codes) - read
        self._uniforms = self._uniforms[len(wrote.codes) - read :]
        return self._wrote(noted.part(slice(read, None)), wrote.status)

    def _read(self, noted: _Noted) -> TextDelta | None:
        """The prompt's own piece, without what the user did not give."""
        skipped = self.request.primed if self._first else 0
        if self._first and not skipped and noted.scores:
            noted.scores[0][:1] = np.nan
        self._first, self.is_done = False, len(self.left) == 0
        text, count = self._writing.add(noted.codes[skipped:])
        self._held = self._held.then(noted.part(slice(skipped, None)))
        if self.is_done:
            rest, more = self._writing.finish()
            text, count = text + rest, count + more
        if not self.request.prompt_logprobs or not count:
            return None
        return self._piece(text, count)

    def _wrote(self, noted: _Noted, status: int) -> TextDelta | None:
        text, count = self._writing.add(noted.codes)
        self._held = self._held.then(noted)
        reason = "stop" if self._writing.stopped or status == STOPPED else None
        if status == FULL and not self._writing.stopped:
            reason = "length"
        if reason and not self._writing.stopped:
            rest, more = self._writing.finish()
            text, count = text + rest, count + more
        self.is_done = reason is not None
        return self._piece(text, count, reason) if count or reason else None

    def _piece(self, text: str, count: int, reason: str | None = None) -> TextDelta:
        given, self._held = self._held.part(slice(count)), self._held.part(slice(count, None))
        logprobs, top_codes, top_logprobs = given.scores or (None, None, None)
        return TextDelta(
            self.index, text, given.codes, logprobs, top_codes, top_logprobs, finish_reason=reason
        )


def rule_values(settings: GenerationSettings) -> dict[str, float]:
    """The rules as the kernels name them."""
    penalises = (
        settings.repetition_penalty != 1
        or settings.presence_penalty != 0
        or settings.frequency_penalty != 0
    )
    return {
        "temperature": settings.temperature,
        "top_k": settings.top_k,
        "top_p": settings.top_p,
        "min_p": settings.min_p,
        "typical_p": settings.typical_p,
        # what is stronger changes nothing but that float32 overflows
        "repetition": min(max(settings.repetition_penalty, 1 / STRONGEST), STRONGEST),
        "presence": settings.presence_penalty,
        "frequency": settings.frequency_penalty,
        "last_n": settings.repeat_last_n,
        "ngram": settings.no_repeat_ngram_size,
        "keeps_history": penalises or settings.no_repeat_ngram_size > 0,
        "least": settings.min_length,
        "most": settings.length,
    }
