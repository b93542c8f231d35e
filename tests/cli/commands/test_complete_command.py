"""`nextchar complete` as a user meets it, and `CharRNN.complete`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from nextchar import CharRNN
from nextchar.cli.main import run
from nextchar.generation.autocomplete import SuggestionSettings, complete
from nextchar.model.file import Model, save_model


@pytest.fixture
def model_file(tmp_path: Path, small_model: Model) -> str:
    path = tmp_path / "model.safetensors"
    save_model(path, small_model)
    return str(path)


def test_each_continuation_is_a_line_with_its_probability(
    model_file: str, small_model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["complete", model_file, "It was", "--length", "1", "--count", "9"]) == 0
    lines = capfd.readouterr().out.splitlines()
    wanted = complete(small_model, "It was", SuggestionSettings(length=1, count=9))
    assert [line[10:] for line in lines] == [json.dumps(each.text) + "…" for each in wanted]
    assert [float(line[:8]) for line in lines] == pytest.approx(
        [each.probability for each in wanted], abs=5e-5
    )


def test_small_probabilities_keep_their_digits(
    model_file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["complete", model_file, "It", "--to", "length", "--length", "6"]) == 0
    assert all("e-" in line[:8] for line in capfd.readouterr().out.splitlines())


def test_a_note_says_that_there_may_be_more_probable_ones(
    model_file: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["complete", model_file, "It", "--to", "line", "--beams", "1"]) == 0
    assert "note: more --beams may find more probable continuations" in capfd.readouterr().err
    assert run(["complete", model_file, "It", "--to", "line", "--beams", "1", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["exact"] is False


def test_the_json_has_the_prefix_and_the_continuations(
    model_file: str, small_model: Model, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["complete", model_file, "It", "--json", "--to", "line", "--length", "1"]) == 0
    wanted = complete(small_model, "It", SuggestionSettings(to="line", length=1))
    assert json.loads(capfd.readouterr().out) == {
        "prefix": "It",
        "to": "line",
        "exact": True,
        "completions": [
            {"text": each.text, "probability": each.probability, "ends": each.ends}
            for each in wanted
        ],
    }


def test_each_line_of_standard_input_is_answered_by_one_of_json(
    model_file: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    data = "It was\r\n\nage§".encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert run(["complete", model_file, "-", "--length", "2"]) == 1
    done = capfd.readouterr()
    assert [json.loads(line)["prefix"] for line in done.out.splitlines()] == ["It was", ""]
    assert done.err.startswith("nextchar: -: line 3: the character '§'")


def test_from_python_it_is_a_list(model_file: str) -> None:
    model = CharRNN.load(model_file)
    made = model.complete("It was", count=3, length=2, to="length")
    assert isinstance(made, list)
    assert made.exact
    assert [len(each.text) for each in made] == [2, 2, 2]
