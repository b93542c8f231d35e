"""Evaluations: the validation loss, scored over all ranks, and the record of it."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, cast

from nextchar.model.parameters import Parameters
from nextchar.model.scorer import Score
from nextchar.text.cache.disk_codes import AnyCodes
from nextchar.text.vocabulary import Codes
from nextchar.training.events import Evaluated
from nextchar.training.health.early_stopping import record_loss
from nextchar.training.health.rollback import require_finite
from nextchar.training.optim.gradient_norms import take_norms
from nextchar.training.process_group import ProcessGroup
from nextchar.training.saving.checkpoint import Progress

if TYPE_CHECKING:
    from nextchar.kernels.engine import Engine


def score_over_ranks(
    group: ProcessGroup, engine: Engine, parameters: Parameters, codes: AnyCodes
) -> Score | None:
    """Return the score of a text, the same on all ranks; None if it has no character to score.

    Raises RunError if the parameters are no longer the same on all ranks.
    """
    group.require_equal(lambda: {"weights": zlib.crc32(parameters.flat.data)})
    if len(codes) < 2:
        return None
    text = cast(Codes, codes)  # sliced like an array
    own = engine.score(parameters, text, share=group.share)
    nats, correct = group.sum_over_ranks(own.nats, own.correct)
    return Score(own.characters, nats, int(correct))


def record_evaluation(
    progress: Progress, score: Score | None, *, epoch: float, learning_rate: float, seconds: float
) -> Evaluated:
    """Return the record of an evaluation, and reset the sums since the last one.

    score: on the validation part; without one the training loss decides which model is best.
    epoch: passes over the text so far.
    seconds: of training so far, this evaluation included. Raises DivergedError.
    """
    train_loss = progress.loss_sum / progress.loss_characters
    val_loss = None if score is None else score.nats_per_char
    loss = train_loss if val_loss is None else val_loss
    require_finite(loss, "validation loss", progress.step)
    speed = progress.loss_characters / max(progress.seconds - progress.since_seconds, 1e-9)
    progress.loss_sum, progress.loss_characters = 0.0, 0
    progress.seconds = progress.since_seconds = seconds
    return Evaluated(
        step=progress.step,
        epoch=epoch,
        characters=progress.characters,
        seconds=seconds,
        train_loss=train_loss,
        val_loss=val_loss,
        learning_rate=learning_rate,
        chars_per_second=speed,
        is_best=record_loss(progress, loss),
        **take_norms(progress),
    )
