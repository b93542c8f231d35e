"""What a model writes: at several temperatures, and how much of it stands in its training text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nextchar.apps.memorisation.copy_search import blocks_of, copied
from nextchar.apps.memorisation.passages import MARKED, in_text
from nextchar.generation.generate import generate_many
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import make_request
from nextchar.model.file import Model
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.vocabulary import Codes

TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.2)
LADDER, SAMPLES, LENGTH = 400, 20, 1000  # characters a rung; texts to judge, characters of each
LENGTHS = (5, 10, 15, 20, 30, 40, 50)
RECITING, LONG = 0.05, 20  # so much more than held-out text shares, of pieces of this or more
RECORDS = 30  # of a list, in place of one text
SEED = 1


@dataclass(frozen=True)
class TemperatureSample:
    """A text written at a temperature. spans: (start, end) of its copied passages."""

    temperature: float
    text: str
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class Memorisation:
    """How much of generated and of held-out text stands in the training text.

    lengths: of the pieces. generated, held_out: the share of those that stand there, NaN where the
    text is too short; held_out is empty where there is no such text.
    longest: the longest copied passage, and how long that of held-out text is.
    """

    lengths: tuple[int, ...]
    characters: int
    generated: list[float]
    held_out: list[float]
    longest: str
    longest_held_out: int

    @property
    def recites(self) -> bool:
        """Whether the model copies passages that such a text does not share by itself."""
        pairs = zip(self.lengths, self.generated, self.held_out, strict=False)
        return any(n >= LONG and made - own > RECITING for n, made, own in pairs)


def _written(model: Model) -> tuple[list[list[Codes]], list[Codes]]:
    """The codes of texts at each temperature, and of those to judge: all drawn in one batch."""
    many = 1 if model.end_code is None else RECORDS  # records are short
    wanted = [(temperature, many, LADDER) for temperature in TEMPERATURES]
    wanted.append((1.0, many * SAMPLES, LENGTH))
    requests = [
        make_request(
            model,
            "",
            GenerationSettings(length=length, temperature=temperature, samples=samples),
            seed=SEED,
        )
        for temperature, samples, length in wanted
    ]
    *rungs, judged = ([each.codes for each in made] for made in generate_many(model, requests))
    return rungs, judged


def temperature_samples(
    model: Model, training: AnyCodes | None, held_out: AnyCodes | None
) -> tuple[list[TemperatureSample], Memorisation | None]:
    """A text at each temperature, and how much the model copies, in one pass over its text."""
    drawn, made = _written(model)
    rungs = [_rung(model, texts) for texts in drawn]
    if training is None:
        texts = [model.vocabulary.decode(codes) for codes in rungs]
        return [
            TemperatureSample(*each, []) for each in zip(TEMPERATURES, texts, strict=True)
        ], None
    own = _pieces(held_out)
    of_rungs, of_made, of_own = copied([rungs, made, own], blocks_of(training), (*LENGTHS, MARKED))
    ladder = [
        TemperatureSample(temperature, model.vocabulary.decode(codes), in_text(model, codes, where))
        for temperature, codes, where in zip(TEMPERATURES, rungs, of_rungs.spans, strict=True)
    ]
    text, start, end = of_made.longest
    memory = Memorisation(
        LENGTHS,
        sum(map(len, made)),
        of_made.shares[: len(LENGTHS)],
        of_own.shares[: len(LENGTHS)] if own else [],
        model.vocabulary.decode(made[text][start:end]),
        of_own.longest[2] - of_own.longest[1],
    )
    return ladder, memory


def _rung(model: Model, texts: list[Codes]) -> Codes:
    """What is written at a temperature; records one a line, as many as fill it."""
    if model.end_code is None:
        return texts[0]
    lines = [np.append(text, model.end_code) for text in texts]
    return np.concatenate(lines)[:LADDER]


def _pieces(held_out: AnyCodes | None) -> list[Codes]:
    """As much held-out text as is generated, in pieces of the same length."""
    if held_out is None:
        return []
    text = held_out[: SAMPLES * LENGTH]
    return [text[start : start + LENGTH] for start in range(0, len(text), LENGTH)]
