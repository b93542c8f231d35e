"""Samples by temperature: marks of copied passages, and shares that are copied."""

from __future__ import annotations

import numpy as np
import pytest

from nextchar.apps.report.temperature_samples import LENGTHS, Memorisation, temperature_samples
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary


def certain(vocabulary: Vocabulary, text: str) -> Model:
    """An RNN that repeats the characters of a text for ever."""
    codes = vocabulary.encode(text).tolist()
    H = len(vocabulary)
    network = NetworkSettings(cell="rnn", hidden_size=H, num_layers=1)
    parameters = initialise(Architecture(network, H), 1)
    parameters.flat[:] = 0
    for code, following in zip(codes, [*codes[1:], codes[0]], strict=True):
        parameters["layer0.W_ih"][code, following] = 20
        parameters["W_out"][following, following] = 50
    return Model(parameters, vocabulary)


def test_marks_are_at_characters_of_several_bytes() -> None:
    text = "字é\n"
    model = certain(Vocabulary(is_bytes=True), text)
    training = model.vocabulary.encode(text * 20)  # 120 bytes: longer passages are new
    samples, memory = temperature_samples(model, training, None)
    sample = samples[0]
    assert sample.text.startswith(text * 5)
    assert sample.text.endswith("\N{REPLACEMENT CHARACTER}")  # the last character is cut
    assert sample.spans == [(0, len(sample.text) - 1)]
    assert memory is not None
    assert len(memory.longest) <= 60
    assert memory.held_out == []


def test_shares_are_those_of_the_generated_text() -> None:
    model = certain(Vocabulary.of_text("abc\n"), "abc\n")
    training = model.vocabulary.encode("abc\n" * 5)  # 20 characters
    _, memory = temperature_samples(model, training, np.tile(training[::-1], 20))
    assert memory is not None
    assert dict(zip(LENGTHS, memory.generated, strict=True)) == {
        5: 1, 10: 1, 15: 1, 20: 246 / 981, 30: 0, 40: 0, 50: 0,
    }  # fmt: skip
    assert memory.held_out == [0] * 7
    assert memory.longest == "abc\n" * 5
    assert memory.memorises


@pytest.mark.parametrize(
    ("generated", "held_out", "memorises"),
    [([0.9, 0.3], [0.9, 0.1], True), ([0.9, 0.12], [0.1, 0.1], False), ([1.0, 1.0], [], False)],
)
def test_memorising_is_to_copy_more_long_passages_than_held_out_text(
    generated: list[float], held_out: list[float], memorises: bool
) -> None:
    assert Memorisation((10, 20), 100, generated, held_out, "x", 1).memorises is memorises
