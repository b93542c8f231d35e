"""A text that a person and a model write together."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.writing_session import (
    SNAPSHOT_INTERVAL,
    Unit,
    WritingSession,
)
from nextchar.generation.pattern.automaton import Automaton
from nextchar.generation.requests import Request, RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.settings.groups import RESERVED, NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary


def session_of(model: Model, prompt: str = "", **given: Any) -> WritingSession:
    names = [name for name in ("stop", "logit_bias") if name in given]
    options = RequestOptions(**{name: given.pop(name) for name in names})
    settings = GenerationSettings(**given)
    request = make_request(model, prompt, settings, options, seed=settings.seed or 1)
    return WritingSession(model, request)


def written(session: WritingSession, unit: Unit = "text") -> str:
    before = session.text
    for _ in session.generate(unit):
        pass
    assert session.text.startswith(before)
    return session.text[len(before) :]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"temperature": 0},
        {"temperature": 0.7, "top_k": 9, "top_p": 0.8},
        {"min_p": 0.02, "typical_p": 0.9},
        {"repetition_penalty": 1.3, "presence_penalty": 0.5, "frequency_penalty": 0.2},
        {"no_repeat_ngram_size": 2, "repeat_last_n": 5},
        {"logit_bias": {"e": -100, "t": 2.5}},
        {"stop": ("e", "th")},
        {"stop": ("e",), "min_length": 40},
    ],
)
@pytest.mark.parametrize("prompt", ["", "It was the "])
def test_a_text_that_is_only_generated_is_that_of_generate(
    small_model: Model, prompt: str, given: dict[str, Any]
) -> None:
    options = {name: given[name] for name in ("stop", "logit_bias") if name in given}
    rules = {name: value for name, value in given.items() if name not in options}
    settings = GenerationSettings(length=150, **rules)
    (wanted,) = generate(small_model, prompt, settings, RequestOptions(**options), seed=1)
    with session_of(small_model, prompt, length=150, **given) as session:
        assert written(session) == wanted.text


def test_it_is_the_same_whatever_units_it_is_written_in(small_model: Model) -> None:
    wanted = generate(small_model, "", GenerationSettings(length=300), seed=5)[0].text
    with session_of(small_model, seed=5) as session:
        units: list[Unit] = ["character", "word", "line", "word", "word", "character", "line"]
        for unit in units:
            assert written(session, unit)
        assert session.text == wanted[: len(session.text)]


def test_units_end_where_they_should(small_model: Model) -> None:
    with session_of(small_model, seed=5) as session:
        for _ in range(20):
            assert len(written(session, "character")) == 1
            word = written(session, "word").lstrip(" \n.,")
            assert word.isalpha()
            line = written(session, "line")
            assert line.endswith("\n")
            assert line.count("\n") == 1
        session.change(length=7)
        assert len(written(session)) == 7


def test_a_unit_can_be_left_in_the_middle_and_is_undone_at_once(small_model: Model) -> None:
    with session_of(small_model, "It", length=50) as session:
        steps = session.generate("text")
        for _ in range(9):
            next(steps)
        assert len(session.text) == 11
        text = session.text
        assert session.undo()
        assert session.text == "It"
        assert session.redo()
        assert session.text == text


def test_text_that_is_undone_and_generated_again_comes_out_differently(small_model: Model) -> None:
    with session_of(small_model, length=30) as session:
        first = written(session)
        session.undo()
        assert written(session) != first
        session.undo()
        session.reseed(1)
        assert written(session) == first


def test_undo_and_redo_go_through_everything_that_was_done(small_model: Model) -> None:
    with session_of(small_model, "It", length=70) as session:
        texts = [session.text]
        for do in (
            lambda: session.type(" was"),
            lambda: written(session),
            session.erase,
            lambda: session.pick(session.candidates(3)[2].code),
            lambda: written(session, "word"),
            session.erase,
            lambda: written(session),
        ):
            do()
            texts.append(session.text)
        for text in reversed(texts[:-1]):
            assert session.undo()
            assert session.text == text
        assert not session.undo()
        for text in texts[1:]:
            assert session.redo()
            assert session.text == text
        assert not session.redo()
        session.undo()
        session.type("a")
        assert not session.redo()  # a new edit discards the undone ones


def test_after_any_edits_the_model_has_read_the_text(small_model: Model) -> None:
    with session_of(small_model, "It was the age of wisdom. " * 6) as session:
        rng = np.random.default_rng(0)
        for _ in range(40):
            move = rng.integers(4)
            if move == 0:
                for _ in range(rng.integers(1, 2 * SNAPSHOT_INTERVAL)):
                    session.erase()
            elif move == 1:
                session.type("it was the best of times\n" * int(rng.integers(1, 4)))
            elif move == 2:
                session.undo()
            else:
                session.redo()
        codes = np.array([each.code for each in session.symbols])[:, None]
        state = small_model.parameters.zero_state(1)
        logprobs = log_softmax(forward(small_model.parameters, codes, state)[0][:, 0])
        assert session.logprobs == pytest.approx(logprobs[-1], abs=1e-4)
        for before, symbol in zip(logprobs, session.symbols[1:], strict=False):
            if not np.isnan(symbol.logprob):
                assert symbol.logprob == pytest.approx(before[symbol.code], abs=1e-4)


def test_erasing_nothing_does_nothing(small_model: Model) -> None:
    with session_of(small_model) as session:
        session.erase()
        assert session.text == ""
        assert not session.undo()


def test_candidates_are_those_of_the_rules_in_force(small_model: Model) -> None:
    with session_of(small_model, "It was") as session:
        for each in session.candidates(99):
            assert each.probability == pytest.approx(each.own)
        assert sum(each.own for each in session.candidates(99)) == pytest.approx(1)
        session.change(top_k=3, temperature=0.5)
        chances = [each.probability for each in session.candidates(5)]
        assert sum(chances[:3]) == pytest.approx(1)
        assert chances[3:] == [0, 0]
        own = [each.own for each in session.candidates(99)]
        assert own == sorted(own, reverse=True)
        with pytest.raises(SettingsError, match="temperature"):
            session.change(temperature=-1)
        assert session.settings.temperature == 0.5


def test_surprise_is_the_mean_of_what_was_scored(small_model: Model) -> None:
    with session_of(small_model, "It was") as session:
        assert np.isnan(session.bits)  # a prompt is not scored
        chance = {each.code: each.own for each in session.candidates(99)}
        code = int(small_model.vocabulary.encode("z" if "z" in small_model.vocabulary else "e")[0])
        session.pick(code)
        assert session.bits == pytest.approx(-np.log2(chance[code]))


def test_unknown_characters_change_nothing(small_model: Model) -> None:
    vocabulary = Vocabulary(small_model.vocabulary.points[1:].tolist(), has_unknown=True)
    for model in (small_model, Model(small_model.parameters, vocabulary)):
        with session_of(model, "It") as session:
            with pytest.raises(UnknownCharacterError) as told:
                session.type(" ß")
            assert told.value.character in ("ß", " ")
            assert session.text == "It"
            assert model.vocabulary.unknown_code not in [c.code for c in session.candidates(99)]


def test_a_record_ends_where_the_model_says_and_a_person_begins_the_next(
    small_model: Model,
) -> None:
    model = dataclasses.replace(small_model, text=TextSettings(records="line"))
    wanted = generate(model, "", GenerationSettings(length=200), seed=1)[0]
    assert wanted.finish_reason == "stop"
    with session_of(model, length=200) as session:
        assert written(session) == wanted.text
        assert written(session) == ""
        assert written(session, "word") == ""
        assert written(session, "character") == "\n"
        assert written(session)
    least = GenerationSettings(length=200, min_length=150)
    wanted = generate(model, "", least, seed=1)[0]
    with session_of(model, length=200, min_length=150) as session:
        assert written(session) == wanted.text


def test_what_stands_between_records_is_a_line_break_in_the_end() -> None:
    vocabulary = Vocabulary.of_text(f"ab{RESERVED}")
    architecture = Architecture(NetworkSettings(hidden_size=8, num_layers=1), len(vocabulary))
    model = Model(initialise(architecture, 1), vocabulary, TextSettings(records="file"))
    assert model.end_code is not None
    with session_of(model, "a") as session:
        session.pick(model.end_code)
        session.type("b")
        assert session.data == b"a\nb"


def test_with_bytes_a_character_is_erased_as_one(bytes_model: Model) -> None:
    with session_of(bytes_model, "It") as session:
        session.type("é今🙂")
        session.pick(0xE4)  # alone, it is not UTF-8
        for data in ("Ité今🙂", "Ité今", "Ité", "It", "I", ""):
            session.erase()
            assert session.data == data.encode()


def test_with_bytes_it_is_written_as_generate_does(bytes_model: Model) -> None:
    settings = GenerationSettings(length=60)
    wanted = generate(bytes_model, "é", settings, RequestOptions(stop=("é", "e")), seed=1)[0].data
    with session_of(bytes_model, "é", length=60, stop=("é", "e")) as session:
        for _ in session.generate("text"):
            pass
        assert session.data == "é".encode() + wanted


def test_a_pattern_is_refused(small_model: Model) -> None:
    request = make_request(small_model, "", GenerationSettings(), seed=1)
    nothing = np.zeros(0)
    automaton = Automaton(nothing, nothing, nothing, nothing)
    with pytest.raises(
        SettingsError, match="pattern cannot be combined with interactive; leave it out"
    ):
        WritingSession(small_model, Request(**{**vars(request), "automaton": automaton}))


def test_warming_up_changes_nothing(small_model: Model) -> None:
    with session_of(small_model, "It") as session:
        before = session.logprobs
        session.warm_up()
        assert session.text == "It"
        assert session.logprobs.tolist() == before.tolist()
