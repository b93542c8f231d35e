"""The checkpoint: round trips, and refusal of anything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nextchar.errors import ModelFileError, RunError
from nextchar.model import container
from nextchar.model.file import Model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary
from nextchar.training.optim.optimizers import make_slots
from nextchar.training.saving.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)

SHA = "ab" * 32


def fresh(
    *, hidden: int = 8, optimizer: str = "adam", dtype: type = np.float32, sha256: str = SHA
) -> Checkpoint:
    """A fresh checkpoint."""
    network = NetworkSettings(hidden_size=hidden, num_layers=2)
    parameters = initialise(Architecture(network, 5), 1, dtype)
    slots = make_slots(optimizer, parameters.flat)
    return Checkpoint(parameters, slots, parameters.zero_state(3), Progress(), sha256)


@pytest.fixture
def saved(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, Checkpoint]:
    """A checkpoint in the middle of a run, in float32, and its file."""
    checkpoint = fresh()
    for array in (checkpoint.parameters.flat, checkpoint.state, *checkpoint.slots.values()):
        array[:] = rng.standard_normal(array.shape)
    progress = checkpoint.progress
    progress.step, progress.seconds, progress.characters = 7, 1 / 3, 96
    progress.smoothed_loss, progress.loss_sum, progress.best_loss = 0.1 + 0.2, 1e-300, None
    progress.evaluations_since_best, progress.done = 2, True
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, checkpoint)
    return path, checkpoint


def test_what_was_saved_is_loaded_to_the_bit(saved: tuple[Path, Checkpoint]) -> None:
    path, checkpoint = saved
    loaded = load_checkpoint(path, fresh())
    assert loaded.parameters.flat.tobytes() == checkpoint.parameters.flat.tobytes()
    assert loaded.state.tobytes() == checkpoint.state.tobytes()
    assert loaded.state.shape == checkpoint.state.shape
    assert {name: slot.tobytes() for name, slot in loaded.slots.items()} == {
        name: slot.tobytes() for name, slot in checkpoint.slots.items()
    }
    assert loaded.progress == checkpoint.progress
    assert loaded.text_sha256 == SHA


def test_what_was_loaded_can_be_trained_on(saved: tuple[Path, Checkpoint]) -> None:
    loaded = load_checkpoint(saved[0], fresh())
    for array in (loaded.parameters.flat, loaded.state, *loaded.slots.values()):
        array += 1  # not a view of a file
    assert loaded.parameters["b_out"][0] == loaded.parameters.flat[-5]


@pytest.mark.parametrize(
    "other", [fresh(hidden=9), fresh(dtype=np.float64), fresh(optimizer="rmsprop", hidden=7)]
)
def test_a_checkpoint_of_other_settings_is_refused(
    saved: tuple[Path, Checkpoint], other: Checkpoint
) -> None:
    with pytest.raises(ModelFileError, match="does not belong to this run's settings"):
        load_checkpoint(saved[0], other)


def test_a_checkpoint_of_another_optimizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, fresh(optimizer="momentum"))
    with pytest.raises(ModelFileError, match=r"slots\.mean"):
        load_checkpoint(path, fresh(optimizer="adam"))


def test_a_checkpoint_of_another_text_is_refused_whatever_its_shape(
    saved: tuple[Path, Checkpoint],
) -> None:
    for hidden in (8, 9):
        with pytest.raises(RunError, match=r"sha256 abababab…, now cdcdcdcd…\+efefefef…"):
            load_checkpoint(saved[0], fresh(hidden=hidden, sha256="cd" * 32 + "+" + "ef" * 32))


def test_a_checkpoint_cut_anywhere_is_refused(saved: tuple[Path, Checkpoint]) -> None:
    path = saved[0]
    whole = path.read_bytes()
    for length in {0, 4, 100, *range(0, len(whole), 1009), len(whole) - 1}:
        path.write_bytes(whole[:length])
        with pytest.raises(ModelFileError, match=str(path)):
            load_checkpoint(path, fresh())


def test_a_checkpoint_with_a_flipped_bit_is_refused(
    saved: tuple[Path, Checkpoint], rng: np.random.Generator
) -> None:
    path = saved[0]
    whole = path.read_bytes()
    numbers = sum(array.nbytes for array in (saved[1].state, saved[1].parameters.flat))
    for place in rng.integers(len(whole) - numbers, len(whole), 20):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(ModelFileError, match=str(path)):
            load_checkpoint(path, fresh())


def test_a_model_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_model(path, Model(fresh().parameters, Vocabulary.of_text("abcde"), TextSettings()))
    with pytest.raises(ModelFileError, match="is a model, not a checkpoint"):
        load_checkpoint(path, fresh())


@pytest.mark.parametrize("lacking", ["progress", "text_sha256", "state"])
def test_a_checkpoint_that_lacks_something_is_refused(
    saved: tuple[Path, Checkpoint], lacking: str
) -> None:
    path = saved[0]
    tensors, document = container.read(path, "checkpoint")
    document = {k: v for k, v in document.items() if k not in {"format", "kind", "sha256", lacking}}
    container.write(
        path, "checkpoint", {k: v for k, v in tensors.items() if k != lacking}, document
    )
    with pytest.raises(ModelFileError, match=lacking):
        load_checkpoint(path, fresh())


WRONG = [
    ("step", "7"), ("step", -1), ("step", 1.5), ("step", True), ("step", None), ("done", 1),
    ("seconds", "x"), ("smoothed_loss", []), ("best_loss", {}), ("stale", -3), ("colour", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_progress_of_other_types_or_names_is_refused(
    saved: tuple[Path, Checkpoint], name: str, value: object
) -> None:
    path = saved[0]
    tensors, document = container.read(path, "checkpoint")
    document = {k: v for k, v in document.items() if k not in {"format", "kind"}}
    document["progress"] = {**document["progress"], name: value}
    container.write(path, "checkpoint", tensors, document)
    with pytest.raises(ModelFileError, match="does not belong to this run's settings"):
        load_checkpoint(path, fresh())


@pytest.mark.parametrize(
    "state",
    [
        np.zeros(3, np.float32),
        np.zeros((2, 2, 3, 9), np.float32),
        np.zeros((2, 2, 3, 8)),
        np.zeros((2, 2, 3), np.float32),
    ],
)
def test_a_state_of_another_shape_or_type_is_refused(
    saved: tuple[Path, Checkpoint], state: np.ndarray
) -> None:
    path = saved[0]
    tensors, document = container.read(path, "checkpoint")
    document = {k: v for k, v in document.items() if k not in {"format", "kind"}}
    container.write(path, "checkpoint", {**tensors, "state": state}, document)
    with pytest.raises(ModelFileError, match="state has another shape or type"):
        load_checkpoint(path, fresh())


def test_an_invalid_digest_is_not_quoted(saved: tuple[Path, Checkpoint]) -> None:
    path = saved[0]
    save_checkpoint(path, replace(fresh(), text_sha256="\x1e\n"))
    with pytest.raises(ModelFileError, match="text_sha256 is not a digest"):
        load_checkpoint(path, fresh())


def test_the_settings_of_the_run_are_kept(tmp_path: Path) -> None:
    path, settings = tmp_path / "x", {"seed": 3, "normalize": None, "learning_rate": 0.1}
    save_checkpoint(path, replace(fresh(), settings=settings))
    seen: list[object] = []
    assert load_checkpoint(path, fresh(), seen.append).settings == settings
    assert seen == [settings]
