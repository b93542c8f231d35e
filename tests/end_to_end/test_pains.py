"""Twenty-one pains of the users of other character RNN programs, each one that we pass.

The numbers are those of the list of issues and threads that the project was planned with; each
test's docstring says what happened to people there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nextchar import CharRNN, DivergedError, InterruptedRun, UnknownCharacterError, Vocabulary
from nextchar.kernels.decoding.decoder import Decoder
from nextchar.model.file import Model, load_model
from nextchar.runs.run_files import read_metrics
from nextchar.training.run import RunRequest, text_from_paths, train
from nextchar.training.run_context import Hooks

Program = Callable[..., "subprocess.CompletedProcess[str]"]

TINY = {"hidden_size": 12, "num_layers": 1, "batch_size": 4, "steps": 10, "threads": 1}
CYRILLIC = "Мороз и солнце; день чудесный! Ещё ты дремлешь, друг прелестный.\n" * 20
CHINESE = "床前明月光，疑是地上霜。举头望明月，低头思故乡。\n" * 20
ENGLISH = "It was the best of times, it was the worst of times.\n" * 20


def fitted(text: str, **settings: object) -> CharRNN:
    return CharRNN(**{**TINY, **settings}).fit(text=text, verbose=False)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no getrusage to measure with")
def test_pain_01_a_large_text_does_not_take_many_times_its_size_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.5 GB of text: MemoryError, "needs about 20x the file size"; open since 2016."""
    program = (
        "import resource, sys; from nextchar import CharRNN\n"
        "CharRNN(hidden_size=8, num_layers=1, steps=2, eval_characters=1000).fit("
        "sys.argv[1], verbose=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    monkeypatch.setenv("NEXTCHAR_CACHE", str(tmp_path / "cache"))
    unit = 1 if sys.platform == "darwin" else 1024
    peaks = []
    for megabytes in (1, 61):
        path = tmp_path / f"{megabytes}.txt"
        with path.open("w", encoding="utf-8") as file:  # in pieces: what the parent held counts
            for _ in range(megabytes):
                file.write(ENGLISH[:1000] * 1000)
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, encoding="utf-8"
        )
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) * unit)
    assert peaks[1] - peaks[0] < 30e6  # 60 MB more text, which is read from disk


@pytest.mark.parametrize("text", [CYRILLIC, CHINESE], ids=["cyrillic", "chinese"])
def test_pain_04_a_prompt_in_any_script_works(text: str) -> None:
    """A non-ASCII start text crashes: the prompt is encoded byte by byte, the text was not."""
    assert len(fitted(text).generate(text[:7], length=20)) == 20


def test_pain_05_a_model_of_cyrillic_text_writes_cyrillic() -> None:
    """Only spaces came out, because the shipped vocabulary was Latin."""
    written = fitted(CYRILLIC, steps=60).generate(length=100, seed=1)
    assert set(written) <= set(CYRILLIC)
    assert any("а" <= character <= "я" for character in written)


@pytest.mark.parametrize("text", ["abcabcab" * 30, CHINESE.replace("\n", "")])
def test_pain_07_the_default_prompt_works_where_the_text_has_no_space(text: str) -> None:
    """KeyError: ' ' because the default prompt was not in the vocabulary."""
    assert len(fitted(text).generate(length=10)) == 10


def test_pain_08_a_prompt_with_unseen_characters_is_explained_or_skipped() -> None:
    """Priming with unseen characters: a crash, or silently another character."""
    model = fitted(ENGLISH)
    with pytest.raises(UnknownCharacterError, match=r"'é' \(U\+00E9\) at position 6"):
        model.generate("best wé", length=5)
    assert len(model.generate("best wé", length=5, unknown="skip")) == 5


def test_pain_09_a_saved_model_loads_with_nothing_but_its_path(tmp_path: Path) -> None:
    """Weights, vocabulary and configuration in three files; shape errors on reload."""
    model = fitted(ENGLISH)
    model.save(tmp_path / "m.safetensors")
    loaded = CharRNN.load(tmp_path / "m.safetensors")
    assert loaded.generate("It", length=40, seed=3) == model.generate("It", length=40, seed=3)


def test_pain_10_a_model_keeps_its_own_vocabulary_whatever_is_trained_after(
    nextchar: Program, tmp_path: Path
) -> None:
    """KeyError in decode: the vocabulary lived in the data folder, and the data changed."""
    options = ("--hidden-size", 8, "--num-layers", 1, "--steps", 4, "--quiet")
    for name, text in (("a", ENGLISH), ("b", CHINESE)):
        (tmp_path / "input.txt").write_text(text, encoding="utf-8")
        assert nextchar("train", "input.txt", "--out", name, *options).returncode == 0
    written = nextchar("generate", "a", "--length", 50).stdout
    assert set(written) <= set(ENGLISH)


def test_pain_11_codes_do_not_depend_on_the_hash_seed() -> None:
    """A reloaded model looked untrained: set() order changed the codes between runs."""
    program = f"from nextchar import Vocabulary; print(Vocabulary.of_text({ENGLISH!r}).to_json())"
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1


def interrupted_and_resumed(path: Path, out: Path, at: int) -> None:
    """Train, stop after a step, go on."""
    settings = {**TINY, "steps": 12, "eval_every": 3, "optimizer": "adam"}
    seen = {"step": 0}

    def on_event(event: object) -> None:
        seen["step"] = getattr(event, "step", seen["step"])

    hooks = Hooks(on_event=on_event, should_stop=lambda: seen["step"] == at)
    with pytest.raises(InterruptedRun, match="--resume"):
        train(RunRequest(text_from_paths([path]), given=settings, out=out), hooks)
    train(RunRequest(None, out=out, resume=True))


def test_pain_12_resume_restores_optimizer_learning_rate_and_counter(
    prose: Path, tmp_path: Path
) -> None:
    """A power cut; "resume" restored the weights only."""
    interrupted_and_resumed(prose, tmp_path / "cut", at=5)
    train(
        RunRequest(
            text_from_paths([prose]),
            given={**TINY, "steps": 12, "eval_every": 3},
            out=tmp_path / "whole",
        )
    )
    cut, whole = (load_model(tmp_path / name / "last.safetensors") for name in ("cut", "whole"))
    assert cut.parameters.flat.tobytes() == whole.parameters.flat.tobytes()


def test_pain_13_resume_goes_on_with_the_next_batch_and_does_not_start_over(
    prose: Path, tmp_path: Path
) -> None:
    """Resume began at epoch 1 with loss 9.3, or replayed the same batches."""
    interrupted_and_resumed(prose, tmp_path / "run", at=7)
    records = read_metrics(tmp_path / "run")
    assert [record["step"] for record in records] == [3, 6, 9, 12]
    losses = [record["train_loss"] for record in records]
    assert losses == sorted(losses, reverse=True)


def test_pain_14_a_loss_that_becomes_nan_stops_with_advice(tmp_path: Path) -> None:
    """NaN from step 1 on; "this usually indicates a bug", or no word at all."""
    model = CharRNN(**{**TINY, "optimizer": "sgd", "clip": 0, "learning_rate": 1e6, "warmup": 0})
    with pytest.raises(DivergedError, match=r"lower --learning-rate .*--clip"):
        model.fit(text=ENGLISH, verbose=False)


@pytest.mark.parametrize("temperature", [0, 1e-300, 1e-5, 0.01, 100])
def test_pain_15_no_temperature_fails(temperature: float) -> None:
    """log(0) warnings, "pvals < 0, > 1 or contains NaNs" at low temperature."""
    written = fitted(ENGLISH).generate("It", length=50, temperature=temperature)
    assert len(written) == 50


@pytest.mark.parametrize("length", [2, 3, 10, 200, 5000])
@pytest.mark.parametrize("settings", [{}, {"val_fraction": 0.0}, {"batching": "windows"}])
def test_pain_16_a_small_text_trains(length: int, settings: dict[str, object]) -> None:
    """100 KB or val_frac 0: index errors, or zero batches."""
    model = fitted((ENGLISH * 5)[:length], batch_size=32, steps=3, **settings)
    assert np.isfinite(model.best_loss_)


def test_pain_17_validation_needs_no_files_of_its_own_and_any_text_can_be_evaluated(
    nextchar: Program, prose: Path, tmp_path: Path
) -> None:
    """ "Can't evaluate without a train/val/test split"; some never split at all."""
    options = ("--hidden-size", 8, "--num-layers", 1, "--steps", 4, "--quiet", "--out", "run")
    assert nextchar("train", prose, *options).returncode == 0
    assert all(record["val_loss"] > 0 for record in read_metrics(tmp_path / "run"))
    figures = json.loads(nextchar("eval", "run", "-", "--json", input="it was wisdom").stdout)
    assert figures["characters"] == len("it was wisdom") - 1


def test_pain_18_learning_by_heart_is_told_and_stopped_and_the_best_model_kept(
    nextchar: Program, tmp_path: Path
) -> None:
    """Output is copied training text; the model collapses after 5 epochs with no warning."""
    noise = np.random.default_rng(0).choice(list("abcdefgh"), 2000)  # nothing to learn but by heart
    (tmp_path / "noise.txt").write_text("".join(noise))
    options = ("--hidden-size", 64, "--num-layers", 1, "--eval-every", 10, "--schedule", "constant")
    done = nextchar("train", "noise.txt", "--out", "run", *options, "--steps", 400, "--patience", 5)
    assert "stopped early" in done.stderr
    assert "overfitting: " in done.stderr
    records = read_metrics(tmp_path / "run")
    best = min(records, key=lambda record: record["val_loss"])
    assert records[-1]["step"] < 400
    assert load_model(tmp_path / "run").training["step"] == best["step"]


def test_pain_20_characters_come_as_they_are_drawn_up_to_a_stop_text() -> None:
    """Nothing to see for an hour; no way to stop at a given string."""
    model = fitted(ENGLISH)
    pieces = model.generate("It", length=1_000_000, stream=True, seed=1)
    begun = ""
    while len(begun) < 30:  # a million would take minutes
        begun += next(pieces)
    stopped = model.generate("It", length=30, stop=begun[10:12], seed=1)
    assert stopped == begun[: begun.index(begun[10:12])]


def test_pain_21_many_texts_are_drawn_in_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """18–32 s for each short text; "does it support parallel generation?"; no answer."""
    model, together = fitted(ENGLISH), []
    write = Decoder.write

    def counted(self: Decoder, n: int, patience: int = 0) -> None:
        together.append(len(self))
        write(self, n, patience)

    monkeypatch.setattr(Decoder, "write", counted)
    assert len(model.generate("It", length=20, samples=8)) == 8
    assert together == [1, 8]  # the prompt is read once, then all are written at once


def test_pain_22_the_seed_fixes_the_text_in_every_face_of_the_program(
    nextchar: Program, tmp_path: Path
) -> None:
    """Same checkpoint and prompt, another text; no seed, or one that fixes nothing."""
    model = fitted(ENGLISH)
    model.save(tmp_path / "m.safetensors")
    told = nextchar("generate", "m.safetensors", "--length", 60, "--prompt", "It")
    seed = int(told.stderr.removeprefix("seed "))
    assert model.generate("It", length=60, seed=seed) + "\n" == told.stdout


def test_pain_23_any_sentence_can_be_scored() -> None:
    """Perplexity of a given sentence: asked in every repository, merged in none."""
    model = fitted(ENGLISH, steps=150)
    assert model.score("It was the best") > model.score("ts. Iebt hesae ")
    figures = model.evaluate("It was the best")
    assert figures.perplexity == pytest.approx(np.exp(-model.score("It was the best")))


def test_pain_24_nothing_but_small_wheels_is_imported_to_predict(small_model: Model) -> None:
    """The package stopped importing when a framework moved on."""
    program = (
        "import sys; from nextchar import CharRNN; import nextchar.cli.commands.train_command\n"
        "print(' '.join(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, encoding="utf-8", check=True
    )
    frameworks = {"torch", "tensorflow", "jax", "keras", "h5py", "onnxruntime", "numba", "scipy"}
    assert not frameworks & set(done.stdout.split())


def test_pain_24_the_vocabulary_of_a_model_is_data_and_not_code(small_model: Model) -> None:
    """Pickled objects of moved classes could not be read any more."""
    again = Vocabulary.from_json(json.loads(json.dumps(small_model.vocabulary.to_json())))
    assert again == small_model.vocabulary
