"""nextchar: the training step of its trainer, and `generate`."""

from __future__ import annotations

from itertools import count

import numpy as np

from benchmarks import material
from benchmarks.job import Job, UnavailableError
from benchmarks.rows import Row
from nextchar.errors import SettingsError
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.stepper import Stepper
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model
from nextchar.settings.config import Settings
from nextchar.text.vocabulary import Vocabulary


def prepare(row: Row, variant: str) -> Job:
    """Prepare a step. variant: the precision."""
    return _training(row, variant) if row.kind == "train" else _generation(row)


def _training(row: Row, precision: str) -> Job:
    from nextchar.kernels.engine import Engine
    from nextchar.training.optim.optimizers import make_slots

    settings = Settings.make(dtype=precision, clip=material.CLIP, optimizer="adam").training
    parameters, batches = material.parameters(row), material.batches(row)
    slots = make_slots(settings.optimizer, parameters.flat)
    threads = min(usable_cores(), row.batch_size)
    try:
        engine = Engine(
            parameters.architecture,
            threads=threads,
            dtype=parameters.dtype,
            bfloat16=precision == "bfloat16",
        )
    except SettingsError as error:
        raise UnavailableError(str(error)) from None
    state, steps = parameters.zero_state(row.batch_size), count()

    def step() -> int:
        nonlocal state
        number = next(steps)
        batch = batches.at(number)
        if batch.fresh:
            state = parameters.zero_state(row.batch_size)
        _, state, gradient = engine.loss_and_gradient(parameters, batch, state, seed=1, step=number)
        engine.update(
            parameters,
            slots,
            gradient,
            learning_rate=material.LEARNING_RATE,
            step=number + 1,
            settings=settings,
        )
        return int(batch.inputs.size)

    loss = engine.loss_and_gradient(parameters, batches.at(0), state).loss
    return Job(step, loss, parameters.architecture.size, f"{threads} thread{'s' * (threads > 1)}")


def _generation(row: Row) -> Job:
    vocabulary = Vocabulary(range(0x4E00, 0x4E00 + row.vocabulary_size))
    model = Model(material.parameters(row), vocabulary)
    settings = GenerationSettings(length=row.seq_length, samples=row.batch_size)
    seeds = count()

    def step() -> int:
        made = generate(model, "", settings, seed=next(seeds))
        return sum(len(each.text) for each in made)

    return Job(step, _check(row, model), model.architecture.size)


def _check(row: Row, model: Model) -> float:
    text = material.check_codes(row)
    logits = []
    with Stepper(model) as stepper:
        for code in text[:-1]:
            stepper.read(np.array([code]))
            logits.append(stepper.logits[0])
    return material.mean_loss(np.array(logits), text[1:].astype(int))
