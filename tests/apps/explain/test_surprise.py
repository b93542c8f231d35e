"""Surprise: the figures of the scorer, and the worst places of a text of any size."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.explain.planted import SAYINGS, untrained
from nextchar.apps.batch_predictor import BatchPredictor
from nextchar.apps.evaluate import evaluate
from nextchar.apps.explain import surprise
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.explanation import explain_files, explain_string
from nextchar.apps.explain.surprise import APART, TopSurprises, around, passage
from nextchar.errors import ModelFileError, TextError
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.settings.config import TextSettings
from nextchar.text.cache import spooled
from nextchar.text.vocabulary import Vocabulary

MODEL = untrained(SAYINGS)


@pytest.fixture(scope="module")
def text() -> str:
    """Some 12,000 characters, of which no two stretches are alike."""
    letters = np.random.default_rng(5).choice(list(SAYINGS), 12_000)
    return "".join(letters.tolist())


def naive(text: str) -> np.ndarray:
    """−log2 p of each character, one after the other; NaN for the first."""
    codes, state = MODEL.vocabulary.encode(text), MODEL.parameters.zero_state(1)
    bits = [math.nan]
    for code, following in pairwise(codes):
        logits, state, _ = forward(MODEL.parameters, np.array([[code]]), state)
        bits.append(-log_softmax(logits[0])[0, following] / math.log(2))
    return np.array(bits)


def test_surprise_is_what_a_loop_over_characters_finds() -> None:
    made = explain_string(MODEL, SAYINGS)
    np.testing.assert_allclose(made.surprise, naive(SAYINGS), rtol=1e-9)
    np.testing.assert_allclose(made.shown.bits, made.surprise, rtol=1e-9)


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_bits_add_up_to_what_eval_says(text: str, lanes: int) -> None:
    made = explain_string(MODEL, text, ExplainSettings(lanes=lanes))
    score, _ = evaluate(MODEL, [text], lanes=lanes)
    assert made.score == score
    assert np.isnan(made.surprise[0])
    assert made.surprise[1:].mean() == pytest.approx(score.bits_per_char, rel=1e-12)


def expected_worst(bits: np.ndarray, count: int) -> list[int]:
    """The worst places, each `APART` from those before it."""
    chosen: list[int] = []
    for place in np.argsort(-np.nan_to_num(bits), kind="stable").tolist():
        if all(abs(place - other) >= APART for other in chosen):
            chosen.append(place)
    return chosen[:count]


@pytest.mark.parametrize("lanes", [1, 4])
def test_the_worst_places_are_those_of_the_whole_text(text: str, lanes: int) -> None:
    codes = MODEL.vocabulary.encode(text)
    bits = explain_string(MODEL, text, ExplainSettings(lanes=lanes)).surprise
    with BatchPredictor(MODEL.parameters) as reader:
        worst = TopSurprises(10)
        reader.watch(codes, worst, lanes=lanes)
        found = worst.places()
        assert [each.place for each in found] == expected_worst(bits, 10)
        assert [each.bits for each in found] == [bits[each.place] for each in found]
        for each in found:  # what stands around is read again, from the state that was kept
            seen = around(reader, codes, each)
            assert seen.start <= each.place - min(surprise.BEFORE, each.place)
            here = slice(seen.start, seen.start + len(seen.codes))
            # lanes are warmed up on 512 characters, and so are what is read again
            np.testing.assert_allclose(seen.bits, bits[here], rtol=1e-6)
            np.testing.assert_array_equal(seen.codes, codes[here])


def test_a_heap_of_a_few_is_enough_for_a_text_full_of_trouble() -> None:
    # every second line is trouble: far more places than are kept
    text = ("fire " * 12 + "\n" + "”(,.“)”.,(“" * 3 + "\n") * 40
    codes = MODEL.vocabulary.encode(text)
    bits = explain_string(MODEL, text).surprise
    with BatchPredictor(MODEL.parameters) as reader:
        worst = TopSurprises(3)
        reader.watch(codes, worst)
    found = worst.places()
    assert found[0].place == int(np.nanargmax(bits))
    assert len(found) == 3


def test_the_guesses_are_the_most_probable_characters() -> None:
    codes = MODEL.vocabulary.encode(SAYINGS)
    with BatchPredictor(MODEL.parameters) as reader:
        seen = passage(reader, codes, 50, 90)
    logits, _, _ = forward(MODEL.parameters, codes[:, None], MODEL.parameters.zero_state(1))
    p = np.exp(log_softmax(logits[49:89, 0]))
    assert seen.guesses.shape == seen.chances.shape == (40, surprise.GUESSES)
    np.testing.assert_array_equal(seen.guesses[:, 0], p.argmax(axis=1))
    np.testing.assert_allclose(seen.chances[:, 0], p.max(axis=1), rtol=1e-9)
    assert (np.diff(seen.chances, axis=1) <= 0).all()
    assert np.isfinite(seen.bits).all()


def test_a_text_on_disk_is_explained_as_one_in_memory(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text"
    path.write_text(text[:5000], encoding="utf-8", newline="")
    for name in ("PLACES", "TARGETS", "NEAR"):  # a little of the memory says enough
        monkeypatch.setattr(f"nextchar.apps.explain.context.{name}", 3)
    in_memory = explain_files(MODEL, [path])
    monkeypatch.setattr(spooled, "IN_MEMORY", 1000)
    monkeypatch.setattr("nextchar.apps.explain.text_analysis.KEPT", 1000)
    on_disk = explain_files(MODEL, [path])
    assert not isinstance(on_disk.text.codes, np.ndarray)
    assert on_disk.score == in_memory.score
    assert [(str(e.where), e.bits) for e in on_disk.worst] == [
        (str(e.where), e.bits) for e in in_memory.worst
    ]
    assert on_disk.as_json() == in_memory.as_json()
    with pytest.raises(TextError, match="kept only for texts of up to 1000 characters"):
        on_disk.surprise  # noqa: B018


def test_bytes_are_shown_as_the_characters_they_make() -> None:
    bytes_model = Model(
        untrained("".join(map(chr, range(256)))).parameters,
        Vocabulary(is_bytes=True),
        TextSettings(alphabet="bytes"),
    )
    made = explain_string(bytes_model, "é中🙂 and \xff".encode() + b"\xff\x00")
    assert made.score == evaluate(bytes_model, ["é中🙂 and \xff".encode() + b"\xff\x00"])[0]
    assert "中" in made.html
    assert r"\xff" in made.html


@pytest.mark.parametrize("text", ["", "S"])
def test_a_text_with_nothing_to_predict_is_refused(text: str) -> None:
    with pytest.raises(TextError, match="nothing to explain"):
        explain_string(MODEL, text)


def test_a_model_of_no_numbers_is_refused() -> None:
    model = untrained(SAYINGS)
    model.parameters.flat[:] = np.nan
    with pytest.raises(ModelFileError, match="not finite"):
        explain_string(model, SAYINGS)


def test_progress_is_told_up_to_the_last_character(text: str, tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text(text, encoding="utf-8", newline="")
    told: list[tuple[int, int]] = []
    explain_files(MODEL, [path], on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (len(text) - 1, len(text) - 1)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
