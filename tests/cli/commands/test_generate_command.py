"""`nextchar generate`: sources of prompts and forms of output."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from nextchar.cli.main import run
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model, save_model


@pytest.fixture
def model_file(tmp_path: Path, small_model: Model) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(path, small_model)
    return path


class Call:
    """A call of the program: status and output."""

    def __init__(self, capfd: pytest.CaptureFixture[str], *args: object) -> None:
        capfd.readouterr()
        self.status = run(["generate", *map(str, args)])
        self.out, self.err = capfd.readouterr()

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def expected(model: Model, prompt: str, **given: Any) -> str:
    seed = given.pop("seed", 1)
    return generate(model, prompt, GenerationSettings(**given), seed=seed)[0].text


def test_a_prompt_comes_from_a_file_or_from_standard_input(
    model_file: Path,
    small_model: Model,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "prompt.txt").write_bytes(b"It was\nthe")
    wanted = expected(small_model, "It was\nthe", length=30) + "\n"
    options = ("--length", 30, "--seed", 1)
    assert Call(capfd, model_file, "--prompt-file", tmp_path / "prompt.txt", *options).out == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"It was\nthe")))
    assert Call(capfd, model_file, "--prompt-file", "-", *options).out == wanted


def test_many_prompts_are_answered_in_order_as_lines_of_json(
    model_file: Path, small_model: Model, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    prompts = ["It was", "", "the age of", "best"] * 80
    (tmp_path / "prompts.txt").write_text("\r\n".join(prompts) + "\n", newline="")
    call = Call(
        capfd, model_file, "--prompts", tmp_path / "prompts.txt", "--length", 9, "--seed", 4
    )
    assert call.status == 0
    assert call.err.endswith("seed 4\n")
    assert [line["prompt"] for line in call.lines] == prompts
    for prompt, line in zip(prompts[:4], call.lines, strict=False):
        (sample,) = line["samples"]
        assert sample["text"] == expected(small_model, prompt, length=9, seed=4)
        assert sample["finish_reason"] == "length"


def test_prompts_keep_their_samples_and_scores(
    model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.txt").write_text("It\nwas\n")
    call = Call(
        capfd, model_file, "--prompts", tmp_path / "p.txt", "--samples", 3, "--logprobs", 2,
        "--length", 5, "--echo",
    )  # fmt: skip
    for prompt, line in zip(("It", "was"), call.lines, strict=True):
        assert len(line["samples"]) == 3
        for sample in line["samples"]:
            assert sample["text"].startswith(prompt)
            assert len(sample["logprobs"]["token_logprobs"]) == 5
            assert [len(top) for top in sample["logprobs"]["top_logprobs"]] == [2] * 5


def test_a_prompt_that_is_wrong_is_named_by_its_line(
    model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p.txt").write_text("It\nwa€\n", encoding="utf-8")
    call = Call(capfd, model_file, "--prompts", tmp_path / "p.txt", "--length", 2)
    assert call.status == 1
    assert "p.txt: line 2: the character '€'" in call.err


def test_scores_are_those_of_the_characters(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = Call(capfd, model_file, "--length", 12, "--logprobs", 3, "--json", "--seed", 2)
    (sample,) = call.json["samples"]
    assert "".join(sample["logprobs"]["tokens"]) == sample["text"]
    assert all(value < 0 for value in sample["logprobs"]["token_logprobs"])
    for top in sample["logprobs"]["top_logprobs"]:
        assert list(top.values()) == sorted(top.values(), reverse=True)


def test_biases_come_as_options(model_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    call = Call(
        capfd, model_file, "--length", 40, "--logit-bias", "e=-100", "--logit-bias", ".=100",
        "--seed", 1,
    )  # fmt: skip
    assert call.out == "." * 40 + "\n"


def test_names_of_other_libraries_are_understood(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours = ("--length", 9, "--samples", 2, "--repetition-penalty", 1.5, "--seed", 1)
    theirs = (
        "--max-new-tokens", 9, "--num-return-sequences", 2, "--repeat-penalty", 1.5, "--seed", 1
    )  # fmt: skip
    assert Call(capfd, model_file, *theirs).out == Call(capfd, model_file, *ours).out


def test_beams_and_the_best_of_many_are_written_whole(
    model_file: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    beams = Call(capfd, model_file, "--length", 8, "--num-beams", 3, "--samples", 2, "--seed", 1)
    assert [len(text) for text in beams.out.split("\n" + "-" * 40 + "\n")] == [8, 9]
    assert len(Call(capfd, model_file, "--length", 8, "--best-of", 4).out) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--prompt", "a", "--prompt-file", "b"],
            "prompt cannot be combined with prompt_file; give one of",
        ),
        (["--logprobs", "2"], "logprobs is printed by --json only; add --json"),
        (["--logit-bias", "e"], "logit_bias must be CHAR=X, such as e=-100, got 'e'"),
        (["--logit-bias", "e=x"], "logit_bias must be CHAR=X, such as e=-100, got 'e=x'"),
        (["--logit-bias", "€=1"], "logit_bias must name characters of the model or codes below"),
        (["--min-length", "9", "--length", "5"], "min_length must be at most length (5), got 9"),
        (["--best-of", "1", "--samples", "2"], "best_of must be at least samples (2), got 1"),
        (
            ["--num-beams", "2", "--best-of", "2"],
            "num_beams cannot be combined with best_of; give one",
        ),
        (["--num-beams", "2", "--samples", "3"], "num_beams must be at least samples (3), got 2"),
    ],
)
def test_wrong_usage_is_reported(
    model_file: Path, options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    call = Call(capfd, model_file, *options)
    assert call.status == 2
    assert message in call.err
    assert call.out == ""


@pytest.mark.parametrize("option", ["--prompt-file", "--prompts"])
def test_a_file_of_prompts_that_is_not_there_is_named(
    model_file: Path, option: str, capfd: pytest.CaptureFixture[str]
) -> None:
    call = Call(capfd, model_file, option, "nowhere.txt")
    assert (call.status, call.out) == (1, "")
    assert "nowhere.txt: cannot be read (No such file or directory)" in call.err


def test_a_prompt_file_in_another_encoding_is_reported(
    model_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for option in ("--prompt-file", "--prompts"):
        call = Call(capfd, model_file, option, tmp_path / "latin.txt")
        assert call.status == 1
        assert "not utf-8" in call.err
        assert "byte 0xe9 at position 3" in call.err
