"""Novel records: none is in the training text, none comes twice, the seed reproduces them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nextchar import CharRNN
from nextchar.apps.memorisation.novelty import AT_ONCE, TRIES, novel_records
from nextchar.cli.main import run
from nextchar.errors import SettingsError, TextError
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import RequestOptions
from nextchar.model.file import Model, load_model

NAMES = [first + last for first in ("an", "be", "ca", "do") for last in ("na", "ta", "ro", "li")]


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of names, with a run trained on it in the same folder."""
    path = tmp_path_factory.mktemp("names") / "names.txt"
    path.write_text("\n".join(NAMES * 20) + "\n", encoding="utf-8")
    CharRNN(
        hidden_size=16, num_layers=1, batch_size=8, steps=150, records="line", learning_rate=0.02
    ).fit(path, out=path.parent / "run", verbose=False)
    return path


@pytest.fixture(scope="module")
def model(names: Path) -> Model:
    return load_model(names.parent / "run")


def novel(model: Model, prompt: str = "", texts: Any = (), **given: Any) -> list[str]:
    settings = GenerationSettings(**{"length": 30, "samples": 5, **given})
    return [e.text for e in novel_records(model, prompt, settings, seed=3, texts=texts).records]


def test_records_begin_at_a_beginning_and_end_at_an_end(model: Model) -> None:
    made = generate(model, "", GenerationSettings(samples=40, length=60), seed=1)
    assert all("\n" not in each.text for each in made)
    assert {each.finish_reason for each in made} == {"stop"}
    known = sum(each.text in NAMES for each in made)
    assert known > 20  # it has learnt them


def test_none_is_in_the_training_text_and_none_comes_twice(model: Model) -> None:
    made = novel(model, samples=20)
    assert len(set(made)) == 20
    assert not set(made) & {*NAMES, ""}


def test_they_are_the_new_ones_among_the_samples_of_the_seed(model: Model) -> None:
    drawn = generate(model, "", GenerationSettings(samples=AT_ONCE, length=30), seed=3)
    new = dict.fromkeys(each.text for each in drawn if each.text and each.text not in NAMES)
    assert novel(model) == list(new)[:5]


def test_the_prompt_is_part_of_the_record(model: Model) -> None:
    for each in novel(model, "an"):
        assert "an" + each not in NAMES


def test_another_text_can_be_looked_in(model: Model, tmp_path: Path) -> None:
    before = novel(model)
    (tmp_path / "more.txt").write_text("\n".join([*NAMES, before[0]]))
    after = novel(model, texts=[str(tmp_path / "more.txt")])
    assert before[0] not in after
    assert after[:4] == before[1:]


def test_what_cannot_be_found_is_given_up(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nextchar.apps.memorisation.novelty.TRIES", 2)
    how = GenerationSettings(samples=3, length=30)
    found = novel_records(model, "", how, RequestOptions(pattern="anna|beta"), seed=1)
    assert found.records == []
    assert found.tries == 2 * AT_ONCE
    assert TRIES > 2


@pytest.mark.parametrize("given", [{"num_beams": 4, "samples": 1}, {"best_of": 9}])
def test_a_search_for_the_most_probable_is_not_for_new_ones(
    model: Model, given: dict[str, int]
) -> None:
    with pytest.raises(SettingsError, match="novel cannot be combined with num_beams or best_of"):
        novel(model, **given)


def test_a_model_of_running_text_knows_no_records(small_model: Model) -> None:
    with pytest.raises(SettingsError, match="not trained on records"):
        novel(small_model)


def test_a_missing_training_text_is_an_error(names: Path, model: Model, tmp_path: Path) -> None:
    moved = tmp_path / "moved.txt"
    names.rename(moved)
    try:
        with pytest.raises(TextError, match="give the training text with --training-text FILE"):
            novel(model)
        assert novel(model, texts=[str(moved)])
    finally:
        moved.rename(names)


def test_the_command_prints_one_a_line(names: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run_directory = str(names.parent / "run")
    assert run(["generate", run_directory, "--samples", "6", "--novel", "--seed", "3"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 6
    assert not set(lines) & set(NAMES)
    assert (
        run(["generate", run_directory, "--samples", "6", "--novel", "--seed", "3", "--json"]) == 0
    )
    samples = json.loads(capfd.readouterr().out)["samples"]
    assert [each["text"] for each in samples] == lines


def test_too_few_novel_records_are_reported(
    names: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextchar.apps.memorisation.novelty.TRIES", 1)
    run(["generate", str(names.parent / "run"), "--novel", "--samples", "2", "--pattern", "anna"])
    assert "only 0 of 2 were new in 256 tries" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--training-text", "x"], "training_text is used by --novel only; add --novel"),
        (
            ["--novel", "--prompts", "x"],
            "novel cannot be combined with prompts; give --prompt instead",
        ),
    ],
)
def test_wrong_usage_is_an_error(
    names: Path, options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", str(names.parent / "run"), *options]) == 2
    assert message in capfd.readouterr().err
