"""Samples of a model at several temperatures, and the share of them in its training text."""

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
SAMPLE_LENGTH = 400  # characters at each temperature
TEXTS, TEXT_LENGTH = 20, 1000  # for the memorisation: texts, and characters of each
LENGTHS = (5, 10, 15, 20, 30, 40, 50)  # of the pieces that are searched for
LONG = 20  # pieces of this length or more, of which a model that memorises copies
MARGIN = 0.05  # by which their share is then above that of held-out text
RECORDS = 30  # a model of records writes this many in place of one text
SEED = 1


@dataclass(frozen=True)
class TemperatureSample:
    """Text generated at a temperature. spans: (start, end) of its copied passages."""

    temperature: float
    text: str
    spans: list[tuple[int, int]]


@dataclass(frozen=True)
class Memorisation:
    """Shares of generated and of held-out text that occur in the training text.

    lengths: of the pieces. characters: of generated text. generated, held_out: the share of pieces
    of each length, NaN where the text is too short; held_out is empty without held-out text.
    longest: the longest copied passage; longest_held_out: length of that of held-out text.
    """

    lengths: tuple[int, ...]
    characters: int
    generated: list[float]
    held_out: list[float]
    longest: str
    longest_held_out: int

    @property
    def memorises(self) -> bool:
        """True if the model copies more long passages than held-out text shares by itself."""
        pairs = zip(self.lengths, self.generated, self.held_out, strict=False)
        return any(n >= LONG and ours - usual > MARGIN for n, ours, usual in pairs)


def _generate(model: Model) -> tuple[list[list[Codes]], list[Codes]]:
    """Generate the texts at each temperature, and those for the memorisation, in one batch."""
    many = 1 if model.end_code is None else RECORDS  # records are short
    settings = [
        GenerationSettings(length=SAMPLE_LENGTH, temperature=temperature, samples=many)
        for temperature in TEMPERATURES
    ]
    settings.append(GenerationSettings(length=TEXT_LENGTH, temperature=1.0, samples=many * TEXTS))
    requests = [make_request(model, "", each, seed=SEED) for each in settings]
    *samples, texts = ([each.codes for each in some] for some in generate_many(model, requests))
    return samples, texts


def temperature_samples(
    model: Model, training: AnyCodes | None, held_out: AnyCodes | None
) -> tuple[list[TemperatureSample], Memorisation | None]:
    """Return a text at each temperature, and the memorisation, in one pass over the text."""
    decode = model.vocabulary.decode
    drawn, generated = _generate(model)
    at_each = [_joined(model, texts) for texts in drawn]
    if training is None:
        pairs = zip(TEMPERATURES, map(decode, at_each), strict=True)
        return [TemperatureSample(*each, []) for each in pairs], None
    pieces = _pieces(held_out)
    of_samples, of_generated, of_held_out = copied(
        [at_each, generated, pieces], blocks_of(training), (*LENGTHS, MARKED)
    )
    samples = [
        TemperatureSample(temperature, decode(codes), in_text(model, codes, where))
        for temperature, codes, where in zip(TEMPERATURES, at_each, of_samples.spans, strict=True)
    ]
    text, start, end = of_generated.longest
    memorisation = Memorisation(
        LENGTHS,
        sum(map(len, generated)),
        of_generated.shares[: len(LENGTHS)],
        of_held_out.shares[: len(LENGTHS)] if pieces else [],
        decode(generated[text][start:end]),
        of_held_out.longest[2] - of_held_out.longest[1],
    )
    return samples, memorisation


def _joined(model: Model, texts: list[Codes]) -> Codes:
    """Return the text of a temperature; records are joined up to the length of a sample."""
    if model.end_code is None:
        return texts[0]
    lines = [np.append(text, model.end_code) for text in texts]
    return np.concatenate(lines)[:SAMPLE_LENGTH]


def _pieces(held_out: AnyCodes | None) -> list[Codes]:
    """Return as much held-out text as is generated, in pieces of the same length."""
    if held_out is None:
        return []
    text = held_out[: TEXTS * TEXT_LENGTH]
    return [text[start : start + TEXT_LENGTH] for start in range(0, len(text), TEXT_LENGTH)]
