"""Analysis of a model on a text, in numbers: surprisal at once, the other figures on demand.

`TextAnalysis` computes and knows nothing of HTML or JSON; `render/` draws it, and `Explanation`
(explanation.py) is an analysis together with its drawings.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.explain import context
from nextchar.apps.explain.code_labels import characters
from nextchar.apps.explain.context import Influence, PositionInfluence
from nextchar.apps.explain.embeddings import SymbolSimilarity, compare, symbol_vectors
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.located_text import LocatedText, Position
from nextchar.apps.explain.neurons import Neurons, find_neurons, observed_characters
from nextchar.apps.explain.surprise import (
    Passage,
    PassageCandidate,
    TopSurprises,
    around,
    bits_of,
    passage,
)
from nextchar.errors import ModelFileError, SettingsError, TextError
from nextchar.model.file import Model
from nextchar.model.scorer import Chunk, Score
from nextchar.text.vocabulary import Codes

MEMORY_CODES = 1_000_000  # from the beginning of the text, analysed for memory and symbols
OnProgress = Callable[[int, int], None]  # scored characters, total
KEPT = 16 << 20  # codes; of a longer text only the shown part and the worst positions are kept


@dataclass(frozen=True)
class Surprising:
    """A surprising character: its position, its bits and the passage around it.

    index: of the character within the passage.
    """

    where: Position
    bits: float
    index: int
    passage: Passage


@dataclass(frozen=True)
class Memory:
    """Dependence of predictions on distant context: averages, and one position.

    look: the influence at that position, `where`. read: (D,) codes before it, one for each value
    of `look.influence`. next: the code at the position.
    """

    influence: Influence
    context: ContextLoss
    look: PositionInfluence
    where: Position
    read: Codes
    next: int


class TextAnalysis:
    """Figures of a model on a text.

    name: of the model; title: of the text. score: the figures of `nextchar eval`.
    worst: the most surprising characters, the worst first. shown: the beginning of the text.
    neurons, memory, symbols: computed on first access.
    Raises TextError for a text without a predicted character and ModelFileError for a model with
    predictions that are not finite.
    """

    def __init__(
        self,
        model: Model,
        text: LocatedText,
        settings: ExplainSettings,
        *,
        name: str,
        title: str,
        on_progress: OnProgress = lambda done, total: None,
    ) -> None:
        if len(text.codes) < 2:
            known = "1 known character" if len(text.codes) else "0 known characters"
            problem = f"nothing to explain: the text has {known}, and the first one is only read"
            raise TextError(problem)
        self.model, self.text, self.settings = model, text, settings
        self.name, self.title = name, title
        self._at = None if settings.at is None else _predicted(text, settings.at)
        keeps_bits = len(text.codes) <= KEPT
        self._bits = np.full(len(text.codes), np.nan) if keeps_bits else None
        top = TopSurprises(settings.worst)
        with BatchPredictor(model.parameters) as predictor:
            self.score: Score = self._score(predictor, top, on_progress)
            end = min(settings.characters, len(text.codes))
            self.shown = passage(predictor, text.codes, 0, end)
            self.worst = [self._surprising(predictor, each) for each in top.places()]

    @property
    def surprise(self) -> NDArray[np.float64]:
        """(N,) −log2 p of each known character in bits; NaN for the first, which is only read.

        Raises TextError for a text of more than 16 million characters, for which it is not kept.
        """
        if self._bits is None:
            raise TextError(f"surprisal is kept only for texts of up to {KEPT} characters")
        return self._bits

    @cached_property
    def neurons(self) -> Neurons:
        """Features that the hidden units track, over the beginning of the text."""
        codes = self.text.codes[: observed_characters(self.model.parameters)]
        text = characters(self.model.vocabulary, codes)
        return find_neurons(self.model.parameters, codes, text, seed=self.settings.seed)

    @cached_property
    def memory(self) -> Memory:
        """Dependence of predictions on distant context."""
        codes, seed = self.text.codes, self.settings.seed
        part = codes[:MEMORY_CODES]
        frequencies = context.frequencies_of(part, len(self.model.vocabulary))
        with BatchPredictor(self.model.parameters) as predictor:
            place = self._at or context.most_context_dependent_position(predictor, part)
            at_place = context.influence_at(predictor, codes, place, frequencies, seed=seed)
            return Memory(
                context.influence(predictor, part, frequencies, seed=seed),
                context.sampled_context_loss(predictor, part),
                at_place,
                self.text.place(place),
                codes[place - len(at_place.influence) : place],
                int(codes[place : place + 1][0]),
            )

    @cached_property
    def symbols(self) -> SymbolSimilarity:
        """Similarity of the characters of the text, the most frequent first."""
        counts = np.bincount(self.text.codes[:MEMORY_CODES], minlength=len(self.model.vocabulary))
        order = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
        return compare(symbol_vectors(self.model.parameters), order)

    def _score(
        self, predictor: BatchPredictor, top: TopSurprises, on_progress: OnProgress
    ) -> Score:
        """Score the text; collect the bits of each character and the most surprising ones."""
        codes, done = self.text.codes, 0

        def watch(chunk: Chunk) -> None:
            nonlocal done
            top(chunk)
            done += int(chunk.own.sum())
            on_progress(done, len(codes) - 1)
            if self._bits is not None:
                self._bits[chunk.places[chunk.own]] = bits_of(chunk)[chunk.own]

        score = predictor.watch(codes, watch, lanes=self.settings.lanes)
        if not math.isfinite(score.nats):
            raise ModelFileError(
                "nothing to explain: the predictions of the model are not finite, as after a "
                "training that diverged",
                remedy="train it again",
            )
        return score

    def _surprising(self, predictor: BatchPredictor, candidate: PassageCandidate) -> Surprising:
        seen = around(predictor, self.text.codes, candidate)
        where = self.text.place(candidate.place)
        return Surprising(where, candidate.bits, candidate.place - seen.start, seen)


def _predicted(text: LocatedText, at: str) -> int:
    """The index of a predicted character, any but the first. Raises SettingsError."""
    place = text.find(at)
    if place == 0:
        raise SettingsError("must be after the first character", setting="at", value=at)
    return place
