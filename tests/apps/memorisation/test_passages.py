"""Copied passages: found in the training text, which must be unchanged."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nextchar import CharRNN
from nextchar.apps.memorisation.passages import MARKED, copied_passages
from nextchar.cli.main import run
from nextchar.errors import TextError
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model, load_model
from nextchar.text import sources

VERSE = "the owl looked up to the stars above and sang to a small guitar\n"
ALSO = "guitar small a to sang anßd above stars\n"  # the model does not know the ß


@pytest.fixture(scope="module")
def verses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A text that repeats one verse, with a run that memorised it in the same folder."""
    path = tmp_path_factory.mktemp("verses") / "verses.txt"
    path.write_text(VERSE * 60 + ALSO, encoding="utf-8")
    CharRNN(
        cell="gru", hidden_size=48, num_layers=1, batch_size=8, seq_length=64, steps=250,
        learning_rate=0.01, threads=1, dtype="float32",
    ).fit(path, out=path.parent / "run", verbose=False)  # fmt: skip
    return path


@pytest.fixture(scope="module")
def model(verses: Path) -> Model:
    return load_model(verses.parent / "run")


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
def test_passages_are_found_where_they_stand(
    model: Model, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "PIECE", piece)
    own = "a small small owl "
    text = own + VERSE + own + VERSE[: MARKED - 1] + own + VERSE[:MARKED]
    other = "and and and"
    found = copied_passages(model, [model.vocabulary.encode(each) for each in (text, other)])
    # the verse is preceded by a line break in the training text and by a space here
    first, last = len(own), len(text) - MARKED
    assert [(text[a:b], a) for a, b in found.spans[0]] == [(VERSE, first), (VERSE[:MARKED], last)]
    assert found.spans[1] == []
    assert found.longest == VERSE
    assert found.share == (len(VERSE) + MARKED) / (len(text) + len(other))


def test_what_the_model_does_not_know_equals_nothing(model: Model) -> None:
    codes = model.vocabulary.encode(ALSO.replace("ß", ""))
    assert copied_passages(model, [np.append(codes, codes)]).spans == [[]]


def test_nothing_written_is_nothing_copied(model: Model) -> None:
    found = copied_passages(model, [model.vocabulary.encode("")])
    assert (found.spans, found.longest, found.share) == ([[]], "", 0.0)


def test_of_bytes_the_spans_are_those_of_the_text(tmp_path: Path) -> None:
    line = "数風流人物還看今朝" * 3 + "\n"
    path = tmp_path / "poem.txt"
    path.write_text(line * 40, encoding="utf-8")
    CharRNN(alphabet="bytes", hidden_size=4, num_layers=1, steps=1, threads=1).fit(
        path, out=tmp_path / "run", verbose=False
    )
    model = load_model(tmp_path / "run")
    text = "新" + line + "新"  # whose first byte is that of 数
    found = copied_passages(model, [model.vocabulary.encode(text)])
    assert [text[a:b] for a, b in found.spans[0]] == [line]


def test_a_text_that_has_changed_is_refused_and_another_may_be_given(
    model: Model, verses: Path, tmp_path: Path
) -> None:
    codes = [model.vocabulary.encode(VERSE)]
    other = tmp_path / "other.txt"
    other.write_text("nothing of it", encoding="utf-8")
    assert copied_passages(model, codes, [str(other)]).spans == [[]]
    before = verses.read_bytes()
    verses.write_bytes(before + b"!")
    try:
        with pytest.raises(TextError, match="no longer the text that the model was trained on"):
            copied_passages(model, codes)
    finally:
        verses.write_bytes(before)


def test_generate_novel_reports_copied_passages(
    verses: Path, model: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["generate", str(verses.parent / "run"), "--length", "300", "--temperature", "0.1"]
    assert run([*how, "--seed", "1", "--novel", "--prompt", "the", "--echo"]) == 0
    printed = capsys.readouterr()
    (plain,) = generate(model, "the", GenerationSettings(length=300, temperature=0.1), seed=1)
    assert printed.out == f"the{plain.text}\n"  # unmarked: stdout is not a terminal
    spans = copied_passages(model, [plain.codes]).spans[0]
    assert spans
    longest = max((plain.text[a:b] for a, b in spans), key=len)
    assert f"the longest has {len(longest)}: " in printed.err
    assert "in the training text" in printed.err

    assert run([*how, "--seed", "1", "--novel", "--prompt", "the", "--echo", "--json"]) == 0
    (sample,) = json.loads(capsys.readouterr().out)["samples"]
    assert sample["copied"] == [[3 + a, 3 + b] for a, b in spans]
    assert sample["text"] == f"the{plain.text}"


def test_generate_novel_reports_that_nothing_is_copied(
    verses: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    how = ["generate", str(verses.parent / "run"), "--length", "20", "--samples", "2", "--novel"]
    assert run(how) == 0
    assert f"no passage of {MARKED} characters or more" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")
def test_on_a_terminal_copied_passages_are_in_colour(verses: Path) -> None:
    import os
    import pty

    main, side = pty.openpty()
    command = [
        sys.executable, "-m", "nextchar", "generate", str(verses.parent / "run"), "--novel",
        "--length", "200", "--temperature", "0.1", "--seed", "1", "--prompt", "the owl",
    ]  # fmt: skip
    environment = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": ""}
    environment.pop("COLORTERM", None)
    process = subprocess.Popen(command, stdout=side, stderr=subprocess.PIPE, env=environment)
    os.close(side)
    errors = process.communicate(timeout=120)[1]
    shown = os.read(main, 1 << 16).decode()
    os.close(main)
    assert process.returncode == 0, errors
    assert "\x1b[38;5;16;48;5;" in shown
    assert "\x1b[0m" in shown
