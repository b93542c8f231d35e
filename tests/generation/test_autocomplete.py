"""Completions, compared with an enumeration of all texts."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.autocomplete import Completer, SuggestionSettings, complete
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.settings.groups import RESERVED, NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

LENGTH = 4
KINDS = ["word", "line", "record", "length"]
END = RESERVED  # of a record
LETTERS = f"\n 'ab{END}"


def tiny(vocabulary: Vocabulary, seed: int = 3) -> Model:
    """A model whose probabilities are far from uniform."""
    network = NetworkSettings(cell="gru", hidden_size=6, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), seed)
    parameters.flat[:] *= 6
    return Model(parameters, vocabulary)


@pytest.fixture
def model() -> Model:
    """A model of records."""
    text = TextSettings(records="file")
    return dataclasses.replace(tiny(Vocabulary.of_text(LETTERS)), text=text)


def next_probabilities(model: Model, codes: list[int]) -> np.ndarray[Any, Any]:
    inputs = np.array(codes, np.int64)[:, None]
    logits = forward(model.parameters, inputs, model.parameters.zero_state(1))[0]
    return np.asarray(np.exp(log_softmax(logits[-1].astype(np.float64)))[0])


def is_ended(text: str, then: str, to: str) -> bool:
    """Whether a continuation ends before a character, by an independent definition."""
    if then == END or to == "record":
        return then == END and (to != "word" or any(each in "ab" for each in text))
    if to == "line":
        return then == "\n"
    has_word = any(each in "ab" for each in text)
    joins = then in "ab" or (then == "'" and text[-1:] in ("a", "b"))
    return to == "word" and has_word and not joins


def all_completions(model: Model, prefix: str, to: str) -> dict[tuple[str, bool], float]:
    """Every continuation and its probability, by trying all texts."""
    lead = [int(model.end_code), *model.vocabulary.encode(prefix).tolist()]  # type: ignore[arg-type]
    found: dict[tuple[str, bool], float] = {}
    characters = model.vocabulary.decode(range(len(model.vocabulary)))

    def grow(text: str, probability: float) -> None:
        if len(text) == LENGTH:
            found[text, to == "length"] = probability
            return
        chances = next_probabilities(model, [*lead, *model.vocabulary.encode(text).tolist()])
        ends = 0.0
        for then, chance in zip(characters, chances.tolist(), strict=True):
            if to != "length" and is_ended(text, then, to):
                ends += chance
            elif then != END:
                grow(text + then, probability * chance)
        if ends:
            found[text, True] = probability * ends

    grow("", 1.0)
    return found


@pytest.mark.parametrize("to", KINDS)
@pytest.mark.parametrize("prefix", ["", "a", "b'"])
def test_they_are_the_most_probable_of_all(model: Model, prefix: str, to: str) -> None:
    wanted = all_completions(model, prefix, to)
    best = sorted(wanted.values(), reverse=True)
    for count in (1, 5, 40):
        made = complete(
            model, prefix, SuggestionSettings(count=count, length=LENGTH, to=to, beams=10**4)
        )
        assert made.exact
        assert [each.probability for each in made] == pytest.approx(best[:count], rel=1e-5)
        for each in made:
            assert each.probability == pytest.approx(wanted[each.text, each.ends], rel=1e-5)
        assert len({each.text for each in made}) == len(made)


def test_all_of_them_together_are_certain(model: Model) -> None:
    made = complete(model, "a", SuggestionSettings(count=1000, length=3, to="line"))
    assert sum(each.probability for each in made) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("to", KINDS)
def test_what_is_called_exact_is(model: Model, to: str) -> None:
    best = sorted(all_completions(model, "", to).values(), reverse=True)
    claims = set()
    for count, beams in itertools.product((1, 3, 10), (1, 2, 5, 60)):
        settings = SuggestionSettings(count=count, length=LENGTH, to=to, beams=beams)
        made = complete(model, "", settings)
        claims.add(made.exact)
        probabilities = [each.probability for each in made]
        assert probabilities == sorted(probabilities, reverse=True)
        if made.exact:
            assert probabilities == pytest.approx(best[:count], rel=1e-5)
    assert claims == {True, False}


def test_of_equally_probable_ones_there_are_as_many_as_asked() -> None:
    vocabulary = Vocabulary.of_text("\nab")
    model = tiny(vocabulary)
    model.parameters.flat[:] = 0
    made = complete(model, "a", SuggestionSettings(count=5, length=2, to="length"))
    assert [each.probability for each in made] == pytest.approx([1 / 9] * 5)
    assert made.exact
    assert len({each.text for each in made}) == 5
    assert made == complete(model, "a", SuggestionSettings(count=5, length=2, to="length"))


def test_fewer_there_are_than_asked_where_there_are_no_more() -> None:
    model = tiny(Vocabulary.of_text("ab"))
    made = complete(model, "a", SuggestionSettings(count=9, length=2, to="length"))
    assert (len(made), made.exact) == (4, True)


def test_a_word_is_letters_marks_digits_and_apostrophes_within() -> None:
    vocabulary = Vocabulary.of_text(" '’-_7aé\N{COMBINING ACUTE ACCENT}今")
    model = tiny(vocabulary)
    model.parameters.flat[:] = 0  # every possible word is found
    made = complete(model, "", SuggestionSettings(count=1000, length=3, beams=1000))
    assert all(each.text.strip(" '’-") for each in made if each.ends)
    assert not any("-" in each.text.strip(" '’-") for each in made)
    ended = {each.text for each in made if each.ends}
    assert {"_", "今", "-7", "a'", "a’", "é7", "a\N{COMBINING ACUTE ACCENT}"} <= ended
    assert "a'7" in {each.text for each in made}
    assert "a''" not in {each.text for each in made}


def test_a_model_of_running_text_completes_words_one_of_records_records(model: Model) -> None:
    with Completer(model) as completer:
        assert completer.to == "record"
        first = completer.complete("a")
        assert (
            completer.complete("b") != first == completer.complete("a")
        )  # the completer keeps no state


def test_the_unknown_symbol_is_never_written() -> None:
    vocabulary = Vocabulary.of_text("aab bb\n\nz", min_count=2)
    model = tiny(vocabulary)
    model.parameters["b_out"][vocabulary.unknown_code] = 9
    made = complete(model, "za", SuggestionSettings(count=200, length=3))
    assert made
    assert not any("\N{REPLACEMENT CHARACTER}" in each.text for each in made)
    assert sum(each.probability for each in made) < 0.5


def test_with_bytes_characters_are_put_together(bytes_model: Model) -> None:
    wanted = "é今"
    bytes_model.parameters["b_out"][list(wanted.encode())] += 3
    settings = SuggestionSettings(count=400, length=2, to="length", beams=10**4)
    made = complete(bytes_model, "It é", settings)
    assert "é" in {each.text for each in made}
    assert len({each.data for each in made}) == 400
    assert all(len(each.data) == 2 for each in made)
    words = complete(bytes_model, b"It \xff", SuggestionSettings(count=20))
    assert words
    with pytest.raises(SettingsError, match="to needs a model of records, got"):
        complete(bytes_model, "", SuggestionSettings(to="record"))


def test_unknown_characters_of_a_prefix_are_refused_or_skipped(model: Model) -> None:
    with pytest.raises(UnknownCharacterError, match="'x'"):
        complete(model, "ax")
    assert complete(model, "ax", unknown="skip") == complete(model, "a")


@pytest.mark.parametrize(
    ("letters", "to", "message"),
    [("ab", "line", "knows line breaks"), (" -", "word", "knows letters")],
)
def test_an_end_that_the_model_cannot_write_is_refused(letters: str, to: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        complete(tiny(Vocabulary.of_text(letters)), "", SuggestionSettings(to=to))


@pytest.mark.parametrize("wrong", [{"count": 0}, {"length": 0}, {"to": "page"}, {"beams": 0}])
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        SuggestionSettings(**wrong)
