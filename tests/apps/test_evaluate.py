"""Evaluation: the state is carried through the whole text, however it is cut."""

from __future__ import annotations

import gzip
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import PROSE
from nextchar import CharRNN
from nextchar.apps.evaluate import as_json, evaluate, evaluate_files
from nextchar.errors import TextError, UnknownCharacterError
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.model.parameters import Architecture
from nextchar.model.scorer import Score
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary


def untrained(vocabulary: Vocabulary, text: TextSettings | None = None) -> Model:
    network = NetworkSettings(hidden_size=8, num_layers=2)
    parameters = initialise(Architecture(network, len(vocabulary)), 1, np.float64)
    parameters.flat[:] *= 3  # so that the context matters
    return Model(parameters, vocabulary, text or TextSettings())


MODEL = untrained(Vocabulary.of_text(PROSE))
BYTES = untrained(Vocabulary(is_bytes=True), TextSettings(alphabet="bytes"))


def test_the_state_is_carried_through_the_whole_text() -> None:
    result, left_out = evaluate(MODEL, [PROSE])
    codes = MODEL.vocabulary.encode(PROSE)
    state, nats, correct = MODEL.parameters.zero_state(1), 0.0, 0
    for code, following in pairwise(codes):
        logits, state, _ = forward(MODEL.parameters, np.array([[code]]), state)
        nats -= log_softmax(logits[0])[0, following]
        correct += int(logits[0, 0].argmax() == following)
    assert result.nats == pytest.approx(nats, rel=1e-12)  # float64; sums in another order
    assert result.correct == correct
    assert left_out == 0


def test_every_character_but_the_first_counts_once() -> None:
    for text in ("It", "It was", PROSE * 15):
        assert evaluate(MODEL, [text])[0].characters == len(text) - 1
    assert evaluate(BYTES, ["é中"])[0].characters == 5 - 1


@settings(max_examples=40)
@given(cuts=st.lists(st.integers(0, len(PROSE)), max_size=6))
def test_pieces_make_no_difference(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(PROSE)]
    pieces = [PROSE[start:end] for start, end in pairwise(ends)]
    assert evaluate(MODEL, pieces) == evaluate(MODEL, [PROSE])


def test_lanes_come_close() -> None:
    text = PROSE * 30
    exact, fast = (evaluate(MODEL, [text], lanes=lanes)[0] for lanes in (1, 2))
    assert fast.characters == exact.characters
    # characters before the warm-up of 512 hardly matter
    assert fast.nats_per_char == pytest.approx(exact.nats_per_char, rel=1e-3)


def test_an_unknown_character_is_named_with_its_position_in_the_whole_text() -> None:
    with pytest.raises(UnknownCharacterError, match="at position 8") as caught:
        evaluate(MODEL, ["It was ", "tЖe"])
    assert (caught.value.character, caught.value.position) == ("Ж", 8)


def test_unknown_characters_can_be_left_out_and_are_counted() -> None:
    skipped = evaluate(MODEL, ["It ЖЖwas", "Ж the"], unknown="skip")
    assert skipped == (evaluate(MODEL, ["It was the"])[0], 3)


def test_the_unknown_symbol_stands_for_unknown_characters() -> None:
    model = untrained(Vocabulary.of_text("aabbz", min_count=2))
    result, left_out = evaluate(model, ["abzЖ"])
    assert (result.characters, left_out) == (3, 0)


def test_no_byte_is_unknown() -> None:
    for text in ("é中🙂", "é中🙂".encode(), b"\xff\x00"):
        assert evaluate(BYTES, [text])[1] == 0
    assert evaluate(BYTES, ["é中"]) == evaluate(BYTES, ["é中".encode()])


@pytest.mark.parametrize("text", ["", "I"])
def test_a_text_with_nothing_to_predict_is_refused(text: str) -> None:
    with pytest.raises(TextError, match="nothing to score"):
        evaluate(MODEL, [text])
    with pytest.raises(TextError, match="nothing to score"):
        evaluate(MODEL, [])


def test_files_are_scored_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "1.txt").write_text(PROSE[:50], newline="")
    (tmp_path / "2.txt.gz").write_bytes(gzip.compress(PROSE[50:].encode()))
    paths = [tmp_path / "1.txt", tmp_path / "2.txt.gz"]
    assert evaluate_files(MODEL, paths) == evaluate(MODEL, [PROSE])
    assert evaluate_files(MODEL, [tmp_path]) == evaluate(MODEL, [PROSE])
    assert evaluate_files(BYTES, [tmp_path]) == evaluate(BYTES, [PROSE])


def test_files_are_read_in_the_encoding_of_the_training_text_by_default(tmp_path: Path) -> None:
    model = untrained(Vocabulary.of_text("äöü"), TextSettings(encoding="latin-1"))
    expected = evaluate(model, ["äöüä"])
    (tmp_path / "text").write_bytes("äöüä".encode("latin-1"))
    assert evaluate_files(model, [tmp_path / "text"]) == expected
    (tmp_path / "text").write_bytes("äöüä".encode())
    assert evaluate_files(model, [tmp_path / "text"], encoding="utf-8") == expected


def test_files_are_normalised_as_the_training_text_was(tmp_path: Path) -> None:
    model = untrained(Vocabulary.of_text("aé"), TextSettings(normalize="NFC"))
    (tmp_path / "text").write_text("ae\N{COMBINING ACUTE ACCENT}a", encoding="utf-8")
    assert evaluate_files(model, [tmp_path / "text"]) == evaluate(model, ["aéa"])


def test_the_figures_have_exactly_the_promised_names() -> None:
    result, left_out = evaluate(MODEL, [PROSE])
    figures = as_json(result, left_out)
    assert list(figures) == [
        "characters", "nats_per_char", "bits_per_char", "perplexity", "accuracy",
    ]  # fmt: skip
    assert json.loads(json.dumps(figures)) == figures


def test_the_figures_are_what_their_names_say() -> None:
    figures = as_json(Score(characters=4, nats=8 * math.log(2), correct=1))
    assert figures["characters"] == 4
    assert figures["nats_per_char"] == pytest.approx(2 * math.log(2))
    assert figures["bits_per_char"] == pytest.approx(2)
    assert figures["perplexity"] == pytest.approx(4)
    assert figures["accuracy"] == 0.25


def test_skipped_characters_are_among_the_figures() -> None:
    assert as_json(Score(4, 1.0, 1), 3)["left_out"] == 3


def test_a_model_of_records_scores_a_text_as_records(tmp_path: Path) -> None:
    names = ["Anna", "Berta", "Bea"]
    model = untrained(Vocabulary.of_text("\n".join(names)), TextSettings(records="line"))
    whole = evaluate(model, ["\nAnna\nBerta\nBea\n"])[0]
    assert whole.characters == sum(map(len, names)) + len(names)  # an end for each
    (tmp_path / "names").write_bytes(b"Anna\r\n\r\nBerta\r\nBea")
    assert evaluate_files(model, [tmp_path / "names"]) == (whole, 0)
    (tmp_path / "more").write_bytes("Anna\nBörta\n".encode())
    with pytest.raises(UnknownCharacterError) as error:
        evaluate_files(model, [tmp_path / "more"])
    assert error.value.position == 6
    assert evaluate_files(model, [tmp_path / "more"], unknown="skip")[1] == 1


@pytest.mark.parametrize("alphabet", ["characters", "bytes"])
def test_validation_and_scoring_of_records_agree(alphabet: str, tmp_path: Path) -> None:
    (tmp_path / "train").write_text("one\ntwo\nthree\n" * 20)
    (tmp_path / "val").write_text("\ntwo\r\n\r\neight\none")
    model = CharRNN(
        "medium", records="line", alphabet=alphabet, hidden_size=8, num_layers=1, steps=3,
        batch_size=2, threads=1, dtype="float32",
    )  # fmt: skip
    (tmp_path / "train").write_text("one\ntwo\neight\n" * 20)
    model.fit(tmp_path / "train", validation=tmp_path / "val", verbose=False)
    text = (tmp_path / "val").read_bytes()
    scored = model.score(text if alphabet == "bytes" else text.decode())
    # the engine sums lanes in another order: float32 roundings
    assert model.validation_scores_[-1] == pytest.approx(-scored, rel=1e-5)
    assert evaluate_files(model.model_, [tmp_path / "val"])[0].nats_per_char == -scored
