"""The readable reference: its gradients, its limits, and the engine compared with it."""

from __future__ import annotations

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.gradient_check import assert_same_gradient, differences
from nextchar import reference
from nextchar.kernels.engine import Engine
from nextchar.model.parameters import Architecture, Parameters
from nextchar.settings.config import NetworkSettings, TrainingSettings
from nextchar.text.batches import StreamBatches
from nextchar.text.vocabulary import Vocabulary
from nextchar.training.optim.optimizers import clip, make_slots, update

CELLS = ("rnn", "lstm")
SOURCE = Path(reference.__file__)
TEXT = "the quick brown fox jumps over the lazy dog and the dog jumps over the fox\n" * 4
SEQ_LENGTH, HIDDEN, STEPS = 11, 12, 100


def reference_parameters(cell, V):
    """Weights large enough for gradients through many steps."""
    return reference.make_parameters(cell, V, HIDDEN, np.random.default_rng(1), scale=0.5)


def ours(cell, theirs):
    """The reference's parameters under our names; both have the same layout."""
    network = NetworkSettings(cell=cell, hidden_size=HIDDEN, num_layers=1)
    parameters = Parameters(Architecture(network, len(theirs["b_out"])), dtype=np.float64)
    for name, view in parameters.views.items():
        view[:] = theirs[name.removeprefix("layer0.")]
    return parameters


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("cell", CELLS)
def test_the_engine_trains_as_the_reference_does(cell, threads):
    """A hundred training steps over three epochs, each with a short last batch."""
    codes, characters = reference.prepare(TEXT)
    theirs = reference_parameters(cell, len(characters))
    parameters = ours(cell, theirs)
    batches = StreamBatches(codes, 1, SEQ_LENGTH)
    settings = TrainingSettings(optimizer="sgd", clip=5.0, clip_by="value")
    slots = make_slots("sgd", parameters.flat)
    assert 2 * batches.steps_per_epoch < STEPS
    assert batches.at(batches.steps_per_epoch - 1).inputs.shape[0] < SEQ_LENGTH

    losses = reference.train_steps(cell, theirs, codes, SEQ_LENGTH)
    with Engine(parameters.architecture, threads=threads, dtype=np.float64) as engine:
        for step, expected in zip(range(STEPS), losses, strict=False):
            batch = batches.at(step)
            state = parameters.zero_state(1) if batch.fresh else state  # noqa: F821 - not at 0
            loss, state, gradient = engine.loss_and_gradient(parameters, batch, state)
            clip(gradient.flat, settings.clip, settings.clip_by)
            update(
                parameters.flat,
                gradient.flat,
                slots,
                learning_rate=0.1,
                step=step + 1,
                settings=settings,
                matrix_size=parameters.architecture.matrix_size,
            )
            # a rounding error of 1e-16 grows from step to step but stays far below this
            assert loss == pytest.approx(expected, rel=1e-10)
    for name, view in parameters.views.items():
        value = theirs[name.removeprefix("layer0.")]
        assert np.linalg.norm(view - value) <= 1e-10 * np.linalg.norm(value), name


@pytest.mark.parametrize("cell", CELLS)
def test_its_gradients_are_those_of_the_differences(cell, rng):
    V = 5
    p = reference_parameters(cell, V)
    inputs, targets = rng.integers(V, size=6), rng.integers(V, size=6)
    state = (rng.normal(size=HIDDEN), rng.normal(size=HIDDEN))

    def loss():
        return reference.loss_of(reference.forward(cell, p, inputs, state)[0], targets)

    logits, _, cache = reference.forward(cell, p, inputs, state)
    gradient = reference.gradients(cell, p, logits, targets, cache)
    assert gradient.keys() == p.keys()
    for name, value in p.items():
        assert_same_gradient(name, gradient[name], differences(loss, value))


def test_its_codes_are_those_of_the_vocabulary():
    codes, characters = reference.prepare(TEXT)
    vocabulary = Vocabulary.of_text(TEXT)
    np.testing.assert_array_equal(codes, vocabulary.encode(TEXT))
    assert "".join(characters) == vocabulary.decode(range(len(vocabulary)))


def test_it_writes_only_what_it_knows_and_as_much_as_it_is_asked_for(rng):
    p = reference_parameters("lstm", 5)
    written = reference.predict("lstm", p, np.array([0, 1]), 40, rng)
    assert len(written) == 40
    assert set(written) <= set(range(5))


@pytest.mark.parametrize("cell", CELLS)
def test_it_learns(cell):
    codes, characters = reference.prepare("abcd" * 20)
    p = reference_parameters(cell, len(characters))
    losses = list(itertools.islice(reference.train_steps(cell, p, codes, 20), 400))
    assert losses[-1] < 0.2 < losses[0]


def test_it_stays_short():
    assert len(SOURCE.read_text(encoding="utf-8").splitlines()) <= 190


def test_it_imports_numpy_and_the_standard_library_only():
    imported = set()
    for node in ast.walk(ast.parse(SOURCE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module)
    roots = {name.split(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names == {"numpy"}


@pytest.mark.parametrize("cell", CELLS)
def test_main_prints_the_loss_and_a_text_now_and_then(cell, tmp_path, capsys):
    (tmp_path / "text.txt").write_text("hello world", encoding="utf-8")
    reference.main(tmp_path / "text.txt", cell, steps=500)
    heads = [line for line in capsys.readouterr().out.splitlines() if line.startswith("--- step ")]
    assert [head.split(":")[0] for head in heads] == ["--- step 0", "--- step 500"]
    first, last = (float(head.split()[4]) for head in heads)
    assert last < first


def test_it_runs_on_its_own(tmp_path):
    """A text of eleven characters, on which 2,000 steps are fast."""
    (tmp_path / "text.txt").write_text("hello world", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "nextchar.reference", "text.txt", "rnn"],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    heads = [line for line in done.stdout.splitlines() if line.startswith("--- step ")]
    assert len(heads) == 5
    assert float(heads[-1].split()[4]) < 0.5
