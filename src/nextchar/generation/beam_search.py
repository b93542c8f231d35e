"""Beam search: the most probable text, as far as some beams find it.

At each character every beam is tried with every next character, and the most probable ones of all
those are kept. The rules that ban or penalise apply to log-probabilities, as in transformers;
temperature, top_k and so on say how to draw, and nothing is drawn here. A beam that comes to an end
(the end of a record, a stop string, a full match of the pattern) is finished; finished ones are
compared by log-probability / length ** length_penalty.
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
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.text.vocabulary import bytes_of

Array = NDArray[Any]


@dataclass(frozen=True)
class _Beam:
    """A text so far.

    codes and logprobs: (n,) of it, the latter the model's own. score: summed log-probability after
    the rules. state: of the pattern.
    """

    codes: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    score: float = 0.0
    state: int = 0

    def then(self, code: int, logprob: float, score: float, pattern: Automaton | None) -> _Beam:
        """The text with one more code."""
        state = 0
        if pattern is not None and pattern.classes[code] >= 0:  # the end of a record is in none
            state = int(pattern.table[self.state, pattern.classes[code]])
        return _Beam((*self.codes, code), (*self.logprobs, logprob), score, state)

    def without(self, count: int) -> _Beam:
        """The text without its last codes, its score what it is."""
        kept = len(self.codes) - count
        return replace(self, codes=self.codes[:kept], logprobs=self.logprobs[:kept])


@dataclass(frozen=True)
class _Finished:
    """A text that came to its end; rank: what it is compared by."""

    beam: _Beam
    reason: str
    rank: float


def beam_search(model: Model, request: Request) -> list[TextDelta]:
    """The `settings.samples` best texts of a request, the best first, a whole piece each.

    Their most probable alternatives (`top_codes`) are not noted.
    """
    finished = _BeamSearch(model, request).run()
    best = sorted(finished, key=lambda each: -each.rank)[: request.settings.samples]
    return [
        TextDelta(
            n,
            model.vocabulary.decode(each.beam.codes),
            np.array(each.beam.codes, np.int64),
            np.array(each.beam.logprobs),
            finish_reason=each.reason,
        )
        for n, each in enumerate(best)
    ]


class _BeamSearch:
    """One search; `_finished` fills while it runs."""

    def __init__(self, model: Model, request: Request) -> None:
        self._model, self._request, self._settings = model, request, request.settings
        self._vocabulary, self._pattern = model.vocabulary, request.automaton
        self._finished: list[_Finished] = []

    def run(self) -> list[_Finished]:
        """All texts that were finished."""
        settings, beams = self._settings, [_Beam()]
        bfloat16 = WEIGHTS_AS_BFLOAT16[settings.dtype]
        with Stepper(self._model, most=settings.num_beams, bfloat16=bfloat16) as stepper:
            stepper.read(self._request.prompt)
            for _ in range(settings.length):
                beams, sources = self._grow(beams, stepper.logits)
                if not beams or self._is_settled(beams):
                    return self._finished
                snapshots = stepper.snapshots()
                stepper.go_on_from([snapshots[source] for source in sources])
                stepper.step(np.array([beam.codes[-1] for beam in beams]))
        for beam in beams:
            self._finish(beam, "length")
        return self._finished

    def _grow(self, beams: list[_Beam], logits: Array) -> tuple[list[_Beam], list[int]]:
        """The best of all ways to go on, and which beam each goes on from.

        Of twice as many as are kept, so that ends leave enough that are none; an end counts where
        it is among the best.
        """
        logprobs = log_softmax(logits)
        totals = self._ruled(beams, logprobs) + np.array([[beam.score] for beam in beams])
        wanted = self._settings.num_beams
        grown, sources = list[_Beam](), list[int]()
        order = np.argsort(-totals, axis=None, kind="stable")[: 2 * wanted].tolist()
        for rank, place in enumerate(order):
            source, code = divmod(place, totals.shape[1])
            score = float(totals[source, code])
            if len(grown) == wanted or score == -np.inf:
                break
            beam = beams[source].then(code, float(logprobs[source, code]), score, self._pattern)
            ended = self._ended(beam)
            if ended is None:
                grown.append(beam)
                sources.append(source)
            elif rank < wanted:
                self._finish(ended, "stop")
        return grown, sources

    def _ruled(self, beams: list[_Beam], logprobs: Array) -> Array:
        """Log-probabilities (N, V) after all that bans or penalises."""
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
                self._confine(beam, row, raw)
        return np.asarray(scores)

    def _confine(self, beam: _Beam, row: Array, raw: Array) -> None:
        """Ban what the pattern does not let through; a text that may end there is finished.

        Without an end that is drawn, it ends with the probability of all that is banned.
        """
        assert self._pattern is not None
        left = self._settings.length - len(beam.codes)
        goes = _lets_through(self._pattern, beam.state, left)
        if self._pattern.accepts[beam.state]:
            if self._model.end_code is not None:
                goes[self._model.end_code] = True
            elif len(beam.codes) >= self._settings.min_length and not goes.all():
                ends = np.logaddexp.reduce(raw[~goes])
                self._finish(replace(beam, score=beam.score + float(ends)), "stop")
        row[~goes] = -np.inf

    def _ended(self, beam: _Beam) -> _Beam | None:
        """The text without what ended it, where something did."""
        if beam.codes[-1] == self._model.end_code:
            return beam.without(1)
        stop = self._stop_of(self._vocabulary.decode(beam.codes))
        if stop:
            return beam.without(len(bytes_of(stop)) if self._vocabulary.is_bytes else len(stop))
        is_last = self._pattern is not None and (self._pattern.table[beam.state] < 0).all()
        return beam if is_last else None

    def _stop_of(self, text: str) -> str:
        """The longest stop string that the text ends with."""
        stops = [stop for stop in self._request.stop if text.endswith(stop)]
        stops = [stop for stop in stops if len(text) - len(stop) >= self._settings.min_length]
        return max(stops, key=len, default="")

    def _finish(self, beam: _Beam, reason: str) -> None:
        rank = beam.score / max(1, len(beam.codes)) ** self._settings.length_penalty
        self._finished.append(_Finished(beam, reason, rank))

    def _is_settled(self, beams: list[_Beam]) -> bool:
        """Whether no beam can come before the finished ones that are asked for.

        A score only falls, where no bias lifts it, and counts least at the full length.
        """
        ranks = sorted((each.rank for each in self._finished), reverse=True)
        if len(ranks) < self._settings.samples or self._request.bias is not None:
            return False
        best = max(beam.score for beam in beams)
        bound = best / self._settings.length**self._settings.length_penalty
        return bool(ranks[self._settings.samples - 1] >= bound)


def _lets_through(automaton: Automaton, state: int, left: int) -> NDArray[np.bool_]:
    """Which codes (V,) keep a full match possible within `left` more of them."""
    there = np.where(automaton.classes < 0, -1, automaton.table[state, automaton.classes])
    return np.asarray((there >= 0) & (automaton.distance[there] < left))
