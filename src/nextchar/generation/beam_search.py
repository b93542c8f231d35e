"""Beam search for the most probable text.

At each character every beam is tried with every next character, and the most probable results are
kept. Rules that ban or penalise apply to log-probabilities, as in transformers; temperature, top_k
and the other rules of sampling do not apply. A beam that ends (at the end of a record, a stop
string or a full match of the pattern) is finished; finished beams are compared by
log-probability / length ** length_penalty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.pattern.automaton import Automaton
from nextchar.generation.penalties import with_bias
from nextchar.generation.requests import Request, TextDelta
from nextchar.generation.sampling import apply_penalties
from nextchar.generation.scheduler import WEIGHTS_AS_BFLOAT16
from nextchar.generation.stepper import Stepper
from nextchar.generation.stop_strings import code_count, first_stop
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax

Array = NDArray[Any]


@dataclass(frozen=True)
class _Beam:
    """A text so far.

    codes and logprobs: (n,), the latter the model's own. score: sum of log-probabilities after the
    rules. state: state of the pattern's automaton.
    """

    codes: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    score: float = 0.0
    state: int = 0

    def extended(self, code: int, logprob: float, score: float, pattern: Automaton | None) -> _Beam:
        """Return the text with one more code."""
        state = 0
        if pattern is not None and pattern.classes[code] >= 0:  # the end of a record has no class
            state = int(pattern.table[self.state, pattern.classes[code]])
        return _Beam((*self.codes, code), (*self.logprobs, logprob), score, state)

    def without_last(self, count: int) -> _Beam:
        """Return the text without its last codes, with the same score."""
        kept = len(self.codes) - count
        return replace(self, codes=self.codes[:kept], logprobs=self.logprobs[:kept])


@dataclass(frozen=True)
class _FinishedBeam:
    """A text that ended. rank: score by which it is compared."""

    beam: _Beam
    reason: str
    rank: float


def beam_search(model: Model, request: Request) -> list[TextDelta]:
    """Return the `settings.samples` best texts of a request, the best first, one delta each.

    The most probable alternatives (`top_codes`) are not recorded.
    """
    finished = _BeamSearch(model, request).run()
    best = sorted(finished, key=lambda each: -each.rank)[: request.settings.samples]
    deltas = []
    for n, each in enumerate(best):
        text = model.vocabulary.decode(each.beam.codes)
        codes, logprobs = np.array(each.beam.codes, np.int64), np.array(each.beam.logprobs)
        deltas.append(TextDelta(n, text, codes, logprobs, finish_reason=each.reason))
    return deltas


class _BeamSearch:
    """One search; `_finished` fills while it runs."""

    def __init__(self, model: Model, request: Request) -> None:
        self._model, self._request, self._settings = model, request, request.settings
        self._vocabulary, self._pattern = model.vocabulary, request.automaton
        self._finished: list[_FinishedBeam] = []

    def run(self) -> list[_FinishedBeam]:
        """Return all finished texts."""
        settings, beams = self._settings, [_Beam()]
        bfloat16 = WEIGHTS_AS_BFLOAT16[settings.dtype]
        with Stepper(self._model, lanes=settings.num_beams, bfloat16=bfloat16) as stepper:
            stepper.read(self._request.prompt)
            for _ in range(settings.length):
                beams, sources = self._extend(beams, stepper.logits)
                if not beams or self._is_settled(beams):
                    return self._finished
                snapshots = stepper.snapshots()
                stepper.restore([snapshots[source] for source in sources])
                stepper.step(np.array([beam.codes[-1] for beam in beams]))
        for beam in beams:
            self._finish(beam, "length")
        return self._finished

    def _extend(self, beams: list[_Beam], logits: Array) -> tuple[list[_Beam], list[int]]:
        """Return the best extended beams, and the index of the beam that each one extends.

        Twice as many candidates as beams are tried, so that enough remain where some end; an end
        counts where it is among the best `num_beams`.
        """
        logprobs = log_softmax(logits)
        totals = self._ruled(beams, logprobs) + np.array([[beam.score] for beam in beams])
        wanted = self._settings.num_beams
        extended, sources = list[_Beam](), list[int]()
        order = np.argsort(-totals, axis=None, kind="stable")[: 2 * wanted].tolist()
        for rank, flat_index in enumerate(order):
            source, code = divmod(flat_index, totals.shape[1])
            score = float(totals[source, code])
            if len(extended) == wanted or score == -np.inf:
                break
            logprob = float(logprobs[source, code])
            beam = beams[source].extended(code, logprob, score, self._pattern)
            ended = self._ended(beam)
            if ended is None:
                extended.append(beam)
                sources.append(source)
            elif rank < wanted:
                self._finish(ended, "stop")
        return extended, sources

    def _ruled(self, beams: list[_Beam], logprobs: Array) -> Array:
        """Return log-probabilities (N, V) after all rules that ban or penalise."""
        request, settings = self._request, self._settings
        scores = logprobs if request.bias is None else with_bias(logprobs, request.bias)
        histories = [np.append(request.prompt, beam.codes).astype(np.int64) for beam in beams]
        scores = apply_penalties(scores, settings, histories).copy()
        if self._vocabulary.unknown_code is not None:
            scores[:, self._vocabulary.unknown_code] = -np.inf
        if self._model.end_code is not None and len(beams[0].codes) < settings.min_length:
            scores[:, self._model.end_code] = -np.inf
        if self._pattern is not None:
            for beam, row, raw in zip(beams, scores, logprobs, strict=True):
                self._mask_by_pattern(beam, row, raw)
        return np.asarray(scores)

    def _mask_by_pattern(self, beam: _Beam, row: Array, raw: Array) -> None:
        """Ban codes that the pattern rules out; finish a text that may end here.

        In a model without an end code, a text ends with the total probability of the banned codes.
        """
        assert self._pattern is not None
        left = self._settings.length - len(beam.codes)
        allowed = _allowed_codes(self._pattern, beam.state, left)
        if self._pattern.accepts[beam.state]:
            if self._model.end_code is not None:
                allowed[self._model.end_code] = True
            elif len(beam.codes) >= self._settings.min_length and not allowed.all():
                ends = np.logaddexp.reduce(raw[~allowed])
                self._finish(replace(beam, score=beam.score + float(ends)), "stop")
        row[~allowed] = -np.inf

    def _ended(self, beam: _Beam) -> _Beam | None:
        """Return the text without the codes that ended it; None if it has not ended."""
        if beam.codes[-1] == self._model.end_code:
            return beam.without_last(1)
        text = self._vocabulary.decode(beam.codes)
        stop = first_stop(text, self._request.stop, self._settings.min_length)
        if stop is not None:
            return beam.without_last(code_count(text[stop:], self._vocabulary))
        is_last = self._pattern is not None and (self._pattern.table[beam.state] < 0).all()
        return beam if is_last else None

    def _finish(self, beam: _Beam, reason: str) -> None:
        rank = beam.score / max(1, len(beam.codes)) ** self._settings.length_penalty
        self._finished.append(_FinishedBeam(beam, reason, rank))

    def _is_settled(self, beams: list[_Beam]) -> bool:
        """Return True if no beam can still overtake the finished texts that are requested.

        Without a bias a score only falls, and it weighs least at the full length.
        """
        ranks = sorted((each.rank for each in self._finished), reverse=True)
        if len(ranks) < self._settings.samples or self._request.bias is not None:
            return False
        best = max(beam.score for beam in beams)
        bound = best / self._settings.length**self._settings.length_penalty
        return bool(ranks[self._settings.samples - 1] >= bound)


def _allowed_codes(automaton: Automaton, state: int, left: int) -> NDArray[np.bool_]:
    """Return a mask (V,) of the codes that keep a full match possible within `left` codes."""
    after = np.where(automaton.classes < 0, -1, automaton.table[state, automaton.classes])
    return np.asarray((after >= 0) & (automaton.distance[after] < left))
