"""Text analysis: bits of the scorer, texts on disk, refusals and progress."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from apps.explain.planted import SAYINGS, random_sayings, untrained
from nextchar.apps.evaluate import evaluate
from nextchar.apps.explain.explain_settings import ExplainSettings
from nextchar.apps.explain.explanation import explain_files, explain_string
from nextchar.errors import ModelFileError, TextError
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.model.network import forward
from nextchar.settings.config import TextSettings
from nextchar.text.cache import spooled
from nextchar.text.vocabulary import Vocabulary

MODEL = untrained(SAYINGS)
TEXT = random_sayings()


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
def test_the_bits_add_up_to_what_eval_says(lanes: int) -> None:
    made = explain_string(MODEL, TEXT, ExplainSettings(lanes=lanes))
    score, _ = evaluate(MODEL, [TEXT], lanes=lanes)
    assert made.score == score
    assert np.isnan(made.surprise[0])
    assert made.surprise[1:].mean() == pytest.approx(score.bits_per_char, rel=1e-12)


def test_a_text_on_disk_is_explained_as_one_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text"
    path.write_text(TEXT[:5000], encoding="utf-8", newline="")
    for name in ("PLACES", "TARGETS", "NEAR"):  # a small sample is enough here
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


def test_progress_is_reported_up_to_the_last_character(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text(TEXT, encoding="utf-8", newline="")
    calls: list[tuple[int, int]] = []
    explain_files(MODEL, [path], on_progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (len(TEXT) - 1, len(TEXT) - 1)
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
