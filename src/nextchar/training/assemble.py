"""What a run begins with: settings in force, a rank's share of batches, parameters, notes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches, Share, make_batches
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.corpus import Prepared
from nextchar.text.prefetch import ReadAhead
from nextchar.text.sanity import decoding_warning
from nextchar.training.auto.throughput import Precision
from nextchar.training.events import Note, OnEvent
from nextchar.training.fine_tuning import extended
from nextchar.training.optim.optimizers import make_slots
from nextchar.training.process_group import ProcessGroup
from nextchar.training.saving.checkpoint import Checkpoint, Progress

Array = NDArray[Any]

BY_POSITION = (
    "the text is too large for its records to be shuffled: the last ones are kept for validation; "
    "if it is sorted, shuffle it yourself (shuf)"
)


def batches_of(
    prepared: Prepared, settings: Settings, precision: Precision, share: Share
) -> Batches:
    """A rank's share of all batches. Refuses what would need more memory than there is."""
    from nextchar.training.budget.memory_estimate import require_memory

    batches = make_batches(prepared.train, settings.training, share)
    lanes = batches.batch_size
    if lanes < share.size:
        raise SettingsError(
            f"a batch of {lanes} lane{'' if lanes == 1 else 's'} cannot be cut over {share.size} "
            "ranks: give a larger --batch-size, a longer text or fewer ranks"
        )
    require_memory(
        Architecture(settings.network, len(prepared.vocabulary)),
        settings.training,
        T=batches.seq_length,
        B=-(-lanes // share.size),
        threads=threads_of(settings, lanes, share),
        dtype=precision.dtype,
        pairs=precision.bfloat16,
    )
    return ReadAhead(batches) if isinstance(prepared.train, DiskCodes) else batches


def threads_of(settings: Settings, lanes: int, share: Share) -> int:
    """As many as have a lane on every rank: sums are taken in the same order on all."""
    assert settings.training.threads is not None
    return min(settings.training.threads, lanes // share.size)


def lanes_of_rank(share: Share, state: Array) -> Array:
    """The states of a rank's lanes."""
    first, end = share.of(state.shape[2])
    return np.ascontiguousarray(state[:, :, first:end])


def resolve_threads(settings: Settings, group: ProcessGroup) -> Settings:
    """The settings with what depends on the machine filled in, as `config.toml` notes them."""
    threads = settings.training.threads or group.threads()
    return replace(settings, training=replace(settings.training, threads=threads))


def precision_of(settings: Settings, *, can_pair: bool) -> Precision:
    """The precision that the settings ask for; `auto` takes bfloat16 where the CPU has it."""
    asked = settings.training.dtype
    return Precision(
        _float_type(settings), bfloat16=asked == "bfloat16" or (asked == "auto" and can_pair)
    )


def _float_type(settings: Settings) -> Any:
    """Of parameters and sums."""
    return np.float64 if settings.training.dtype == "float64" else np.float32


def initial_checkpoint(
    prepared: Prepared, batches: Batches, settings: Settings, base: Model | None = None
) -> Checkpoint:
    """The first step is to come. base: the model whose weights are the first ones."""
    if base:
        parameters = extended(base, prepared.vocabulary, _float_type(settings))
    else:
        architecture = Architecture(settings.network, len(prepared.vocabulary))
        parameters = initialise(architecture, settings.training.seed, _float_type(settings))
    return Checkpoint(
        parameters,
        make_slots(settings.training.optimizer, parameters.flat),
        parameters.zero_state(batches.batch_size),
        Progress(),
        prepared.sha256,
        settings.flat(),
    )


def warn_about_data(
    prepared: Prepared, batches: Batches, settings: Settings, on_event: OnEvent
) -> None:
    """Say where the text did not allow what was asked, or is none."""
    asked = settings.training
    if told := decoding_warning(prepared.vocabulary, prepared.train, settings.text):
        on_event(Note(told))
    if prepared.by_position:
        on_event(Note(BY_POSITION))
    if prepared.left_out:
        on_event(
            Note(
                f"{prepared.left_out} characters of the validation part never occur in the "
                "training part; they are left out of the loss"
            )
        )
    if batches.batch_size < asked.batch_size or batches.seq_length < asked.seq_length:
        on_event(
            Note(
                f"the text is short: trained in {batches.batch_size} lane"
                f"{'' if batches.batch_size == 1 else 's'} of sequences of {batches.seq_length} "
                f"(asked for {asked.batch_size} and {asked.seq_length})"
            )
        )
    if len(prepared.validation) < 2:
        on_event(Note("no validation part: the training loss decides which model is best"))
