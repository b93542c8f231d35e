"""All that a text tells of a model, in numbers: surprise at once, the rest when it is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.context_loss import ContextLoss
from nextchar.apps.explain.code_labels import characters
from nextchar.apps.explain.context import (
    Influence,
    PositionInfluence,
    frequencies_of,
    influence,
    look,
    most_context_dependent_position,
    sampled_context_loss,
)
from nextchar.apps.explain.embeddings import SymbolSimilarity, compare, symbol_vectors
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.located_text import LocatedText, Position
from nextchar.apps.explain.neurons import Neurons, find_neurons, observe_units
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

MEMORY_CODES = 1_000_000  # of its beginning that the memory is tried on
OnProgress = Callable[[int, int], None]  # characters that are scored, and of how many
KEPT = 16 << 20  # codes; of a longer text only what is shown and the worst places are kept


@dataclass(frozen=True)
class Surprising:
    """A surprising place: where, how many bits, and what stands around it; `index` within that."""

    where: Position
    bits: float
    index: int
    passage: Passage


@dataclass(frozen=True)
class Memory:
    """How far back a model looks: on the average, and at one place."""

    influence: Influence
    context: ContextLoss
    look: PositionInfluence
    where: Position
    read: Codes  # (D,) what stands before the place, as `look.influence` is about
    next: int  # the code that follows


class TextAnalysis:
    """What a model knows and where a text surprises it.

    name: of the model; title: of the text. score: as `nextchar eval` has it.
    worst: the most surprising places, the worst first. shown: the text's beginning.
    neurons, memory, symbols: computed when they are first asked for.
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
            raise TextError(
                f"nothing to explain: the text has {len(text.codes)} known character"
                f"{'' if len(text.codes) == 1 else 's'}, and the first one is only read"
            )
        self.model, self.text, self.settings = model, text, settings
        self.name, self.title = name, title
        self._at = None if settings.at is None else _predicted(text, settings.at)
        self._bits: NDArray[np.float64] | None = None
        self._read(on_progress)

    @property
    def surprise(self) -> NDArray[np.float64]:
        """(N,) −log2 p of each known character in bits; NaN for the first, which is only read.

        Raises TextError for a text of more than 16 million characters: those are not kept.
        """
        if self._bits is None:
            raise TextError(f"surprise: is kept for texts of up to {KEPT} characters only")
        return self._bits

    @cached_property
    def neurons(self) -> Neurons:
        """What the hidden units track, over the text's beginning."""
        codes = self.text.codes[: observe_units(self.model.parameters)]
        text = characters(self.model.vocabulary, codes)
        return find_neurons(self.model.parameters, codes, text, seed=self.settings.seed)

    @cached_property
    def memory(self) -> Memory:
        """How far back the model looks."""
        codes, seed = self.text.codes, self.settings.seed
        part = codes[:MEMORY_CODES]
        frequencies = frequencies_of(part, len(self.model.vocabulary))
        with BatchPredictor(self.model.parameters) as reader:
            place = self._at or most_context_dependent_position(reader, part, seed=seed)
            seen = look(reader, codes, place, frequencies, seed=seed)
            return Memory(
                influence(reader, part, frequencies, seed=seed),
                sampled_context_loss(reader, part),
                seen,
                self.text.place(place),
                codes[place - len(seen.influence) : place],
                int(codes[place : place + 1][0]),
            )

    @cached_property
    def symbols(self) -> SymbolSimilarity:
        """Which characters are alike, the most frequent of the text first."""
        counts = np.bincount(self.text.codes[:MEMORY_CODES], minlength=len(self.model.vocabulary))
        order = np.argsort(-counts, kind="stable")
        return compare(
            symbol_vectors(self.model.parameters), order[counts[order] > 0].astype(np.int64)
        )

    def _read(self, on_progress: OnProgress) -> None:
        """Score the text, and look again at the beginning and at what is most surprising."""
        codes, settings = self.text.codes, self.settings
        worst = TopSurprises(settings.worst)
        if len(codes) <= KEPT:
            self._bits = np.full(len(codes), np.nan)

        done = 0

        def watch(chunk: Chunk) -> None:
            nonlocal done
            worst(chunk)
            done += int(chunk.own.sum())
            on_progress(done, len(codes) - 1)
            if self._bits is not None:
                self._bits[chunk.places[chunk.own]] = bits_of(chunk)[chunk.own]

        with BatchPredictor(self.model.parameters) as reader:
            self.score: Score = reader.watch(codes, watch, lanes=settings.lanes)
            if not math.isfinite(self.score.nats):
                raise ModelFileError(
                    "nothing to explain: what the model predicts is not finite, as after a "
                    "training that ran away; train it anew"
                )
            end = min(settings.characters, len(codes))
            self.shown = passage(reader, codes, 0, end)
            self.worst = [self._surprising(reader, each) for each in worst.places()]

    def _surprising(self, reader: BatchPredictor, found: PassageCandidate) -> Surprising:
        shown = around(reader, self.text.codes, found)
        index = found.place - shown.start
        return Surprising(self.text.place(found.place), found.bits, index, shown)


def _predicted(text: LocatedText, at: str) -> int:
    place = text.find(at)
    if place == 0:
        raise SettingsError(f"at: nothing stands before the first character, got {at!r}")
    return place
