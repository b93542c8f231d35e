"""State of one sample in the batch: its input, its random numbers and its text so far."""

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

MAX_PENALTY = 1e30  # a larger repetition penalty changes nothing, but overflows float32
PROMPT = -1  # index of the sequence that reads a prompt for all samples of its request


@dataclass(frozen=True)
class _ScoredCodes:
    """Codes and, where requested, their log-probabilities; as in `TextDelta`."""

    codes: Array
    scores: tuple[Array, ...] = ()  # logprobs, top_codes and top_logprobs

    def part(self, which: slice) -> _ScoredCodes:
        """Return a copy of some of the codes, since their source is overwritten."""
        return _ScoredCodes(
            self.codes[which].copy(), tuple(each[which].copy() for each in self.scores)
        )

    def concat(self, other: _ScoredCodes) -> _ScoredCodes:
        """Return these codes and more."""
        if len(self.codes) == 0:
            return other.part(slice(None))
        codes = np.concatenate([self.codes, other.codes])
        pairs = zip(self.scores, other.scores, strict=True)
        return _ScoredCodes(codes, tuple(np.concatenate(pair) for pair in pairs))


class SequenceState:
    """One sample of a request, or the reading of its prompt (`index` is PROMPT).

    start: snapshot after the prompt, to continue from; None to read the prompt first.
    is_streamed: text is returned as it comes, not in large deltas.
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
        self.unread = request.prompt if start is None else request.prompt[:0]
        self.is_done = False
        stops = () if index == PROMPT else request.stop
        self._detokenizer = IncrementalDetokenizer(vocabulary, stops, request.settings.min_length)
        self._held = _ScoredCodes(np.empty(0, np.int64))
        self._V = len(vocabulary)
        self.accepted = 0  # codes accepted since the lane was fed
        self._drawn = 0  # characters in all
        self._is_first = True  # no code was accepted yet
        self._stream: np.random.Generator | None = None  # created when first needed
        self._uniforms = np.empty(0)

    @property
    def is_reader(self) -> bool:
        """True if it reads the prompt for all samples."""
        return self.index == PROMPT

    @property
    def rules(self) -> Rules:
        """Sampling rules of its lane, and the figures that the lane records."""
        values = rule_values(self.request.settings) | {"top": self._top}
        if self.is_reader:
            values |= {"most": 0, "is_scored": 1}
        return Rules(values, self.request.bias)

    @property
    def _top(self) -> int:
        """Number of most probable codes recorded with each code; -1 to score nothing."""
        wanted = self.request.settings.logprobs
        if self.is_reader:
            return (wanted or 0) if self.request.prompt_logprobs else -1
        return -1 if wanted is None else wanted

    @property
    def is_polled(self) -> bool:
        """True if its codes must be accepted after every call of the decoder."""
        return self.is_streamed or self.is_reader or bool(self.request.stop)

    def next_input(self) -> tuple[Array, Array]:
        """Return the next codes to read and uniform numbers to draw by, together `LONGEST`."""
        self.accepted = 0
        codes = self.unread[:LONGEST]
        wanted = min(LONGEST - len(codes), self.request.settings.length - self._drawn)
        if self.is_reader or wanted == 0:
            return codes, self._uniforms[:0]
        if self._stream is None:
            number = self.request.first_sample + self.index
            self._stream = np.random.default_rng([self.request.seed, number])
        if len(self._uniforms) < wanted:
            more = self._stream.random(wanted - len(self._uniforms))
            self._uniforms = np.concatenate([self._uniforms, more])
        return codes, self._uniforms[:wanted]

    def accept(self, wrote: Wrote) -> TextDelta | None:
        """Add codes that the lane read or drew; return the text that is now final, if any."""
        scored = _ScoredCodes(wrote.codes)
        if self._top >= 0:
            top = slice(min(self._top, self._V))  # other lanes may record more of them
            tops = (wrote.top_codes[:, top], wrote.top_logprobs[:, top])
            scored = _ScoredCodes(wrote.codes, (wrote.logprobs, *tops))
        self.accepted += len(wrote.codes)
        read = min(len(self.unread), len(wrote.codes))
        self.unread = self.unread[read:]
        if self.is_reader:
            return self._accept_prompt(scored)
        self._drawn += len(wrote.codes) - read
        self._uniforms = self._uniforms[len(wrote.codes) - read :]
        return self._accept_drawn(scored.part(slice(read, None)), wrote.status)

    def _accept_prompt(self, scored: _ScoredCodes) -> TextDelta | None:
        """Return a delta of the prompt, without the codes that the user did not give."""
        skipped = self.request.primed if self._is_first else 0
        if self._is_first and not skipped and scored.scores:
            scored.scores[0][:1] = np.nan
        self._is_first, self.is_done = False, len(self.unread) == 0
        text, count = self._detokenizer.add(scored.codes[skipped:])
        self._held = self._held.concat(scored.part(slice(skipped, None)))
        if self.is_done:
            rest, more = self._detokenizer.finish()
            text, count = text + rest, count + more
        if not self.request.prompt_logprobs or not count:
            return None
        return self._delta(text, count)

    def _accept_drawn(self, scored: _ScoredCodes, status: int) -> TextDelta | None:
        text, count = self._detokenizer.add(scored.codes)
        self._held = self._held.concat(scored)
        reason = "stop" if self._detokenizer.stopped or status == STOPPED else None
        if status == FULL and not self._detokenizer.stopped:
            reason = "length"
        if reason and not self._detokenizer.stopped:
            rest, more = self._detokenizer.finish()
            text, count = text + rest, count + more
        self.is_done = reason is not None
        return self._delta(text, count, reason) if count or reason else None

    def _delta(self, text: str, count: int, reason: str | None = None) -> TextDelta:
        final, self._held = self._held.part(slice(count)), self._held.part(slice(count, None))
        logprobs, top_codes, top_logprobs = final.scores or (None, None, None)
        return TextDelta(
            self.index, text, final.codes, logprobs, top_codes, top_logprobs, finish_reason=reason
        )


def rule_values(settings: GenerationSettings) -> dict[str, float]:
    """Return the settings under the names of the kernels."""
    adds = settings.presence_penalty != 0 or settings.frequency_penalty != 0
    penalises = settings.repetition_penalty != 1 or adds
    same_names = ("temperature", "top_k", "top_p", "min_p", "typical_p")
    return {
        **{name: getattr(settings, name) for name in same_names},
        "repetition": min(max(settings.repetition_penalty, 1 / MAX_PENALTY), MAX_PENALTY),
        "presence": settings.presence_penalty,
        "frequency": settings.frequency_penalty,
        "last_n": settings.repeat_last_n,
        "ngram": settings.no_repeat_ngram_size,
        "keeps_history": penalises or settings.no_repeat_ngram_size > 0,
        "least": settings.min_length,
        "most": settings.length,
    }
