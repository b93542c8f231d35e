"""The batches of one rank, and warnings about a text that limits them."""

from __future__ import annotations

from nextchar.errors import SettingsError
from nextchar.model.parameters import Architecture
from nextchar.settings.config import Settings
from nextchar.text.batches import Batches, Share, make_batches
from nextchar.text.cache.disk_codes import DiskCodes
from nextchar.text.corpus import Prepared
from nextchar.text.prefetch import PrefetchedBatches
from nextchar.text.sanity import decoding_warning
from nextchar.training.auto.choose import precision_of
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.run_context import Hooks

BY_POSITION = (
    "the text is too large for its records to be shuffled: the last ones are kept for validation; "
    "if it is sorted, shuffle it first (shuf)"
)


def make_rank_batches(
    prepared: Prepared, settings: Settings, hooks: Hooks, group: ProcessGroup = SINGLE_PROCESS
) -> Batches:
    """Return a rank's share of all batches, and report where the text limits them.

    Raises SettingsError where the run needs more memory than there is.
    """
    batches = group.on_all_ranks(lambda: _batches_of_share(prepared, settings, group.share))
    _report_limits(prepared, batches, settings, hooks)
    return batches


def _batches_of_share(prepared: Prepared, settings: Settings, share: Share) -> Batches:
    from nextchar.training.budget.memory_estimate import estimate_memory, require_memory

    batches = make_batches(prepared.train, settings.training, share)
    lanes = batches.batch_size
    if lanes < share.size:
        batch = f"a batch of {lanes} lane{'' if lanes == 1 else 's'}"
        remedy = "give a larger --batch-size, a longer text or fewer ranks"
        problem = f"{batch} cannot be split over {share.size} ranks"
        raise SettingsError(problem, remedy=remedy)
    architecture = Architecture(settings.network, len(prepared.vocabulary))
    T, B, threads = batches.seq_length, -(-lanes // share.size), threads_of(settings, lanes, share)
    dtype, pairs = precision_of(settings)
    need = estimate_memory(
        architecture, settings.training, T=T, B=B, threads=threads, dtype=dtype, pairs=pairs
    )
    require_memory(need, settings.network, T=T, B=B)
    return PrefetchedBatches(batches) if isinstance(prepared.train, DiskCodes) else batches


def threads_of(settings: Settings, lanes: int, share: Share) -> int:
    """Number of threads that have a lane on every rank: all ranks sum in the same order."""
    assert settings.training.threads is not None
    return min(settings.training.threads, lanes // share.size)


def _report_limits(prepared: Prepared, batches: Batches, settings: Settings, hooks: Hooks) -> None:
    training = settings.training
    if warning := decoding_warning(prepared.vocabulary, prepared.train, settings.text):
        hooks.note(warning)
    if prepared.by_position:
        hooks.note(BY_POSITION)
    if prepared.left_out:
        hooks.note(
            f"{prepared.left_out} characters of the validation part never occur in the training "
            "part; they are left out of the loss"
        )
    if batches.batch_size < training.batch_size or batches.seq_length < training.seq_length:
        lanes = f"{batches.batch_size} lane{'' if batches.batch_size == 1 else 's'}"
        hooks.note(
            f"the text is short: training uses {lanes} and sequences of {batches.seq_length} "
            f"characters, not {training.batch_size} and {training.seq_length}"
        )
    if len(prepared.validation) < 2:
        hooks.note("no validation part: the training loss decides which model is best")
