"""`CharRNN.generate`, `generate_many` and `stream`; the earlier forms of `generate` too."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nextchar.api.generation_mixin
from conftest import PROSE
from nextchar import CharRNN, NotFittedError, SettingsError, UnknownCharacterError
from nextchar.api.generation_mixin import GeneratedText


@pytest.fixture(scope="module")
def fitted() -> CharRNN:
    """A small model that was fitted, not to be changed."""
    model = CharRNN(hidden_size=8, num_layers=1, seq_length=8, batch_size=4, steps=12, threads=1)
    return model.fit(text=PROSE * 4, verbose=False)


def test_a_text_is_generated(fitted: CharRNN) -> None:
    text = fitted.generate("It was", length=30, seed=1)
    assert isinstance(text, str)
    assert len(text) == 30
    assert text == fitted.generate("It was", length=30, seed=1)
    assert len(fitted.generate(seed=1)) == 500


def test_several_samples_are_a_list(fitted: CharRNN) -> None:
    texts = fitted.generate("It", samples=3, length=20, seed=1)
    assert isinstance(texts, list)
    assert [len(text) for text in texts] == [20, 20, 20]
    one = fitted.generate("It", samples=1, length=20, seed=1)
    assert isinstance(one, list)
    assert len(one) == 1


def test_a_stream_is_an_iterator(fitted: CharRNN) -> None:
    pieces = fitted.generate("It", stream=True, length=20, seed=1)
    assert isinstance(pieces, Iterator)
    assert "".join(pieces) == fitted.generate("It", length=20, seed=1)
    with pytest.raises(SettingsError, match="stream cannot be combined with samples"):
        fitted.generate(stream=True, samples=2)


def test_the_seed_that_was_used_is_known(fitted: CharRNN) -> None:
    fitted.generate(seed=7, length=1)
    assert fitted.last_seed_ == 7
    text = fitted.generate(length=40)
    assert text == fitted.generate(length=40, seed=fitted.last_seed_)
    pieces = fitted.generate(length=40, stream=True)
    assert "".join(pieces) == fitted.generate(length=40, seed=fitted.last_seed_)


def test_stop_texts_are_one_or_several(fitted: CharRNN) -> None:
    whole = fitted.generate(length=200, seed=1)
    for stop in ("e", ["e"], ("e", "no such")):
        assert fitted.generate(length=200, seed=1, stop=stop) == whole[: whole.index("e")]


def test_sampling_options_are_heeded(fitted: CharRNN) -> None:
    assert fitted.generate(temperature=0, length=40) == fitted.generate(top_k=1, length=40)
    assert fitted.generate(temperature=0, length=40) == fitted.generate(top_p=1e-9, length=40)


def test_an_unknown_option_is_answered_with_the_nearest(fitted: CharRNN) -> None:
    with pytest.raises(
        SettingsError, match="temprature is not an option of generate; did you mean"
    ):
        fitted.generate(temprature=1)
    with pytest.raises(SettingsError, match="temperature must be a number of at least 0"):
        fitted.generate(temperature=-1)


def test_unknown_characters_of_the_prompt_are_named_or_skipped(fitted: CharRNN) -> None:
    with pytest.raises(UnknownCharacterError, match="'Ж'"):
        fitted.generate("Ж")
    assert fitted.generate("ItЖ", unknown="skip", seed=1) == fitted.generate("It", seed=1)


# many prompts, and records


def test_a_list_of_prompts_is_answered_with_a_list(fitted: CharRNN) -> None:
    prompts = ["It was", "", "the"]
    made = fitted.generate(prompts, length=12, seed=3)
    assert made == [fitted.generate(prompt, length=12, seed=3) for prompt in prompts]
    many = fitted.generate(prompts, samples=2, length=12, seed=3)
    assert many == [fitted.generate(prompt, samples=2, length=12, seed=3) for prompt in prompts]
    assert fitted.generate([]) == []


def test_records_that_are_not_in_the_text_come_as_a_list(tmp_path: Path) -> None:
    names = ["anna", "anta", "bena", "beta"]
    (tmp_path / "names.txt").write_text("\n".join(names * 20))
    model = CharRNN(hidden_size=8, num_layers=1, steps=40, batch_size=4, records="line")
    model.fit(tmp_path / "names.txt", verbose=False)
    made = model.generate(samples=4, novel=True, length=20, seed=1)
    assert len(set(made)) == 4
    assert not set(made) & set(names)


@pytest.mark.parametrize("given", [{"samples": 2}, {"novel": True}])
def test_one_text_alone_is_streamed(fitted: CharRNN, given: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="stream cannot be combined with"):
        fitted.generate("It", stream=True, **given)


# generate_many and stream


def test_many_texts_come_in_the_order_of_their_prompts(fitted: CharRNN) -> None:
    texts = fitted.generate_many(["It", "the"], samples=2, length=12, seed=3)
    assert all(isinstance(each, GeneratedText) for each in texts)
    assert [each.prompt for each in texts] == ["It", "It", "the", "the"]
    assert [each.text for each in texts[:2]] == fitted.generate("It", samples=2, length=12, seed=3)
    assert [each.text for each in texts[2:]] == fitted.generate("the", samples=2, length=12, seed=3)
    assert {each.finish_reason for each in texts} == {"length"}
    assert [each.data for each in texts] == [each.text.encode() for each in texts]
    assert fitted.generate_many([]) == []


def test_one_prompt_is_enough_for_many_texts(fitted: CharRNN) -> None:
    one, two = fitted.generate_many("It", samples=2, length=12, seed=3)
    assert one.text == fitted.generate("It", length=12, seed=3)
    assert one.text != two.text
    assert len(fitted.generate_many(length=5)) == 1


def test_each_of_many_texts_has_the_seed_that_generates_it_again(fitted: CharRNN) -> None:
    texts = fitted.generate_many("It", samples=2, length=12)
    assert {each.seed for each in texts} == {fitted.last_seed_}
    assert fitted.generate_many("It", samples=2, length=12, seed=texts[0].seed) == texts


def test_log_probabilities_are_there_where_they_are_given(fitted: CharRNN) -> None:
    (text,) = fitted.generate_many("It", length=12, logprobs=0)
    assert text.logprobs is not None
    assert text.logprobs.shape == (12,)
    assert fitted.generate_many("It", length=12)[0].logprobs is None


def test_many_new_records_are_not_in_the_training_text(tmp_path: Path) -> None:
    names = ["anna", "anta", "bena", "beta"]
    (tmp_path / "names.txt").write_text("\n".join(names * 20))
    model = CharRNN(hidden_size=8, num_layers=1, steps=40, batch_size=4, records="line")
    model.fit(tmp_path / "names.txt", verbose=False)
    made = model.generate_many(samples=4, novel=True, length=20, seed=1)
    assert [each.text for each in made] == model.generate(samples=4, novel=True, length=20, seed=1)
    assert not {each.text for each in made} & set(names)


def test_a_streamed_text_is_the_generated_one(fitted: CharRNN) -> None:
    parts = fitted.stream("It", length=40, stop="e", seed=1)
    assert isinstance(parts, Iterator)
    assert "".join(parts) == fitted.generate("It", length=40, stop="e", seed=1)
    assert "".join(fitted.stream(length=9)) == fitted.generate(length=9, seed=fitted.last_seed_)


def test_several_texts_cannot_be_streamed(fitted: CharRNN) -> None:
    with pytest.raises(SettingsError, match="samples must be 1, since one text is streamed, got 2"):
        fitted.stream("It", samples=2)


def test_a_mistake_is_raised_before_a_stream_begins(fitted: CharRNN) -> None:
    with pytest.raises(SettingsError, match="temperature"):
        fitted.stream("It", temperature=-1)
    with pytest.raises(UnknownCharacterError, match="'Ж'"):
        fitted.stream("Ж")


def test_no_text_comes_from_a_model_that_is_not_fitted() -> None:
    model = CharRNN()
    for use in (model.generate, model.generate_many, model.stream, model.complete):
        with pytest.raises(NotFittedError):
            use()


def test_the_example_of_the_documentation_works() -> None:
    failed, tried = doctest.testmod(nextchar.api.generation_mixin)
    assert failed == 0
    assert tried >= 3
