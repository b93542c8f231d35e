"""Generation: length, seeds, stop strings, streaming, many prompts and patterns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generate import (
    LANES,
    Generated,
    choose_seed,
    generate,
    generate_many,
    stream,
)
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, RequestOptions, make_request
from nextchar.kernels.decoding.decoder import Decoder
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

EXTRA = ("stop", "unknown", "pattern", "logit_bias")  # fields of RequestOptions
NO_BYTE = -1e9  # logit of a byte that is never drawn


def untrained(vocabulary: Vocabulary) -> Model:
    network = NetworkSettings(hidden_size=8, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), 1, np.float64)
    return Model(parameters, vocabulary, TextSettings())


LETTERS = untrained(Vocabulary.of_text("abc"))
# bytes of é, 中 and 🙂 in any order: mostly invalid UTF-8
BYTES = untrained(Vocabulary(is_bytes=True))
BYTES.parameters["b_out"][:] = NO_BYTE
BYTES.parameters["b_out"][list("aé中🙂".encode())] = 0.0


def write(model: Model = LETTERS, prompt: str | bytes = "", **given: Any) -> Generated:
    """Generate one text; the other arguments are settings of generation."""
    options = RequestOptions(**{name: given.pop(name) for name in EXTRA if name in given})
    seed = given.pop("seed", 1)
    return generate(model, prompt, GenerationSettings(**given), options, seed=seed)[0]


def pieces(model: Model = LETTERS, prompt: str | bytes = "", **given: Any) -> list[str]:
    """Stream the text of `write`."""
    options = RequestOptions(**{name: given.pop(name) for name in EXTRA if name in given})
    seed = given.pop("seed", 1)
    return list(stream(model, prompt, GenerationSettings(**given), options, seed=seed))


# length


@pytest.mark.parametrize("length", [0, 1, 2, 77])
@pytest.mark.parametrize("prompt", ["", "a", "cab" * 20])
def test_a_text_has_exactly_the_requested_length_without_the_prompt(
    length: int, prompt: str
) -> None:
    made = write(prompt=prompt, length=length)
    assert len(made.text) == length
    assert made.finish_reason == "length"
    assert made.data == made.text.encode()


def test_the_prompt_is_read(small_model: Model) -> None:
    small_model.parameters.flat[:] *= 5  # an untrained model depends little on its input
    texts = {write(small_model, prompt, length=40).text for prompt in ("It was ", "the age", "")}
    assert len(texts) == 3


def test_a_prompt_longer_than_the_text_works() -> None:
    assert len(write(prompt="abc" * 1000, length=3).text) == 3


def test_an_empty_prompt_begins_after_a_line_break_where_there_is_one(small_model: Model) -> None:
    assert write(small_model, "").text == write(small_model, "\n").text
    bytes_model = untrained(Vocabulary(is_bytes=True))
    assert write(bytes_model, "").data == write(bytes_model, b"\n").data


def test_an_empty_prompt_works_where_there_is_no_line_break() -> None:
    made = write(temperature=0, length=1)
    assert made.codes[0] == LETTERS.parameters["b_out"].argmax()


def test_a_vocabulary_of_one_character_writes_it() -> None:
    assert write(untrained(Vocabulary.of_text("x")), length=5).text == "xxxxx"


# seeds


def test_the_same_seed_writes_the_same_text_and_another_another() -> None:
    assert write(seed=5).text == write(seed=5).text
    assert len({write(seed=seed, length=50).text for seed in range(20)}) == 20


def test_the_greatest_seed_works() -> None:
    assert len(write(seed=2**63 - 1, length=5).text) == 5


def test_greedy_text_does_not_depend_on_the_seed(small_model: Model) -> None:
    texts = {write(small_model, "It", temperature=0, seed=seed).text for seed in range(3)}
    assert len(texts) == 1


@pytest.mark.parametrize("given", [{}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.8}])
def test_a_sample_is_the_same_alone_and_among_others(given: dict[str, Any]) -> None:
    many = generate(LETTERS, "ab", GenerationSettings(samples=8, length=60, **given), seed=3)
    for samples in (1, 2, 5):
        how = GenerationSettings(samples=samples, length=60, **given)
        assert generate(LETTERS, "ab", how, seed=3) == many[:samples]


def test_samples_differ() -> None:
    made = generate(LETTERS, "", GenerationSettings(samples=8, length=30), seed=3)
    assert len({each.text for each in made}) == 8


def test_a_seed_is_chosen_where_none_is_given_and_kept_where_one_is() -> None:
    assert choose_seed(7) == 7
    assert choose_seed(0) == 0
    chosen = [choose_seed(None) for _ in range(20)]
    assert len(set(chosen)) == 20
    assert all(0 <= seed < 2**32 for seed in chosen)


def test_a_model_is_not_changed_by_writing(small_model: Model) -> None:
    before = small_model.parameters.flat.copy()
    write(small_model, "It was", samples=3)
    assert small_model.parameters.flat.tobytes() == before.tobytes()


# streaming


@given(
    seed=st.integers(0, 99),
    length=st.integers(0, 60),
    stop=st.lists(st.text("abc", min_size=1, max_size=5), max_size=3),
)
def test_the_pieces_together_are_the_text(seed: int, length: int, stop: list[str]) -> None:
    made = write(seed=seed, length=length, stop=stop)
    came = pieces(seed=seed, length=length, stop=stop)
    assert "".join(came) == made.text
    assert all(came)


def test_without_a_stop_text_every_block_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Decoder, "block", 7)
    assert [len(piece) for piece in pieces(length=30)] == [7, 7, 7, 7, 2]


def test_a_stream_draws_no_more_than_is_asked_of_it() -> None:
    how = GenerationSettings(length=10**9)
    first = next(stream(LETTERS, "", how, seed=1))
    assert first == write(length=len(first)).text


@given(seed=st.integers(0, 99), length=st.integers(0, 40))
def test_bytes_stream_as_the_whole_decodes(seed: int, length: int) -> None:
    made = write(BYTES, seed=seed, length=length)
    assert len(made.data) == length
    assert made.text == made.data.decode("utf-8", "replace")
    assert "".join(pieces(BYTES, seed=seed, length=length)) == made.text


def test_a_character_of_several_bytes_is_held_back_until_it_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Decoder, "block", 1)
    came = "".join(pieces(BYTES, seed=2, length=2000))
    whole = [piece for piece in pieces(BYTES, seed=2, length=2000) if piece == "é"]
    assert whole
    assert "é" in came
    assert "\ufffd" in came


# stop strings


def cut(text: str, stops: list[str]) -> tuple[str, str]:
    """The text before the stop string that is complete first, by a plain search; and the reason."""
    for end in range(len(text) + 1):
        starts = [end - len(stop) for stop in stops if text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)], "stop"
    return text, "length"


@given(
    seed=st.integers(0, 99),
    stop=st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=4),
)
@settings(max_examples=60)
def test_a_text_ends_before_the_first_stop_text(seed: int, stop: list[str]) -> None:
    whole = write(seed=seed, length=60).text
    made = write(seed=seed, length=60, stop=stop)
    assert (made.text, made.finish_reason) == cut(whole, stop)
    assert made.data == made.text.encode()
    assert not any(each in made.text for each in stop)


@pytest.mark.parametrize("stop", [["b", "ab"], ["ab", "b"], ["aab", "ab", "b"]])
def test_no_part_of_a_stop_text_is_left_whatever_the_order(stop: list[str]) -> None:
    for seed in range(30):
        whole = write(seed=seed, length=60).text
        assert write(seed=seed, length=60, stop=stop).text == cut(whole, stop)[0]


def test_a_stop_text_at_the_very_start_leaves_nothing() -> None:
    whole = write(length=20).text
    made = write(length=20, stop=whole[:3])
    assert made == Generated("", b"", "stop", made.codes)
    assert len(made.codes) == 0
    assert pieces(length=20, stop=whole[:3]) == []


def test_the_beginning_of_a_stop_text_is_held_back_and_given_when_it_came_to_nothing() -> None:
    whole = write(length=20).text
    longer = whole + "a"  # its last character never comes
    assert pieces(length=20, stop=longer) == [whole]
    assert write(length=20, stop=longer).finish_reason == "length"


def test_a_stop_text_in_the_prompt_is_no_reason_to_stop() -> None:
    assert len(write(prompt="abcabc", length=0, stop="abc").text) == 0
    assert write(prompt="ab", length=9, stop="x").finish_reason == "length"


def test_each_sample_stops_by_itself() -> None:
    how = GenerationSettings(samples=6, length=40)
    whole = generate(LETTERS, "", how, seed=4)
    made = generate(LETTERS, "", how, RequestOptions(stop=["ca"]), seed=4)
    assert [(each.text, each.finish_reason) for each in made] == [
        cut(each.text, ["ca"]) for each in whole
    ]
    assert len({len(each.text) for each in made}) > 1


@pytest.mark.parametrize("stop", ["a", "é", "中"])
def test_bytes_before_a_stop_text_are_exact(stop: str) -> None:
    whole = write(BYTES, seed=2, length=1500)
    made = write(BYTES, seed=2, length=1500, stop=stop)
    assert made.finish_reason == "stop"
    assert made.data == whole.data[: whole.data.index(stop.encode())]
    assert made.text == made.data.decode("utf-8", "replace")
    assert "".join(pieces(BYTES, seed=2, length=1500, stop=stop)) == made.text


@pytest.mark.parametrize("stop", [[""], ["a", ""], [1], [b"a"]])
def test_an_empty_stop_text_is_refused(stop: list[Any]) -> None:
    with pytest.raises(SettingsError, match="stop"):
        write(stop=stop)


# unknown characters


def test_an_unknown_character_of_the_prompt_is_named() -> None:
    for way in (write, pieces):
        with pytest.raises(UnknownCharacterError, match=r"'é' \(U\+00E9\) at position 2") as caught:
            way(prompt="abéc")
        assert (caught.value.character, caught.value.position) == ("é", 2)


def test_unknown_characters_of_the_prompt_can_be_skipped() -> None:
    assert write(prompt="aéb", unknown="skip").text == write(prompt="ab").text
    assert write(prompt="é", unknown="skip").text == write(prompt="").text


def test_the_unknown_symbol_is_never_drawn() -> None:
    vocabulary = Vocabulary.of_text("aabbz", min_count=2)
    model = untrained(vocabulary)
    assert vocabulary.unknown_code is not None
    model.parameters["b_out"][vocabulary.unknown_code] = 100.0
    rules: list[dict[str, Any]] = [
        {}, {"temperature": 0}, {"temperature": 100}, {"top_k": 1}, {"top_p": 0.1},
    ]  # fmt: skip
    for rule in rules:
        assert set(write(model, "az", length=200, **rule).text) <= {"a", "b"}


# many prompts


def test_many_prompts_are_answered_in_their_order_each_as_alone() -> None:
    prompts = ["ab"[: n % 3] * (1 + n % 5) for n in range(LANES + 50)]
    how = [GenerationSettings(length=1 + n % 7) for n in range(len(prompts))]
    asked = (
        make_request(LETTERS, prompt, settings, seed=n)
        for n, (prompt, settings) in enumerate(zip(prompts, how, strict=True))
    )
    made = [each.text for (each,) in generate_many(LETTERS, asked)]
    assert len(made) == len(prompts)
    for n in (0, 1, 2, 57, LANES, LANES + 49):
        assert made[n] == write(LETTERS, prompts[n], length=how[n].length, seed=n).text


def test_no_prompts_give_no_texts() -> None:
    assert list(generate_many(LETTERS, [])) == []


def test_prompts_are_taken_as_there_is_room_for_them() -> None:
    taken = []

    def requests() -> Iterator[Request]:
        for n in itertools.count():
            taken.append(n)
            yield make_request(LETTERS, "a", GenerationSettings(length=3), seed=n)

    made = generate_many(LETTERS, requests())
    for _ in range(5):
        next(made)
    assert len(taken) <= 4 * LANES


# patterns


@pytest.mark.parametrize("num_beams", [1, 4])
@pytest.mark.parametrize("pattern", ["a(bc)+", "[ab]{3,9}c?", "(?i)CAB|abc", "a|b|c", "[^a]*a"])
def test_a_text_matches_its_pattern_as_a_whole(pattern: str, num_beams: int) -> None:
    for seed in range(10):
        made = write(seed=seed, length=12, pattern=pattern, num_beams=num_beams)
        assert re.fullmatch(pattern, made.text), made.text


def test_texts_of_a_pattern_stream_as_they_are_written() -> None:
    made = write(length=30, pattern="(ab|c)+", stop="cc")
    assert "".join(pieces(length=30, pattern="(ab|c)+", stop="cc")) == made.text


def test_characters_of_several_bytes_match_a_pattern_whole() -> None:
    for seed in range(10):
        made = write(BYTES, seed=seed, length=40, pattern="(é|中a)+🙂")
        assert re.fullmatch("(é|中a)+🙂", made.text)


def test_a_pattern_that_does_not_fit_the_length_is_refused() -> None:
    with pytest.raises(SettingsError, match="pattern has no match of fewer than 5 characters"):
        write(length=4, pattern="a{5}")
