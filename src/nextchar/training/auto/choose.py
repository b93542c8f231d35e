"""Settings of a run, all decided before it starts: the machine's and those that `auto` chooses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from nextchar.kernels.precision import Precision
from nextchar.settings.config import Settings
from nextchar.settings.fields import seconds_of
from nextchar.text.corpus import Prepared
from nextchar.training.auto.policy import DataFacts, choose_auto
from nextchar.training.auto.throughput import measure_throughput
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup
from nextchar.training.run_context import Hooks

BFLOAT16 = "products in bfloat16, which this CPU multiplies faster; --dtype float32 for more digits"


def choose_settings(
    prepared: Prepared,
    settings: Settings,
    given: Mapping[str, Any] | None,
    hooks: Hooks,
    group: ProcessGroup = SINGLE_PROCESS,
    *,
    is_trained: bool = False,
) -> Settings:
    """Return the finished settings of a run over a text, and report the reasons.

    settings: the given ones laid over the preset's.
    given: settings that the preset `auto` must keep; None with another preset, where nothing is
    left to choose.
    is_trained: whether the run starts from a trained model, whose network is among the given.
    """
    settings = resolve_threads(settings, hooks, group)
    precision = precision_of(settings)
    if precision.bfloat16 and settings.training.dtype == "auto":
        hooks.note(BFLOAT16, is_by_the_way=True)
    if given is None:
        return settings
    threads, time, flops = settings.training.threads, settings.training.time, None
    assert threads is not None
    vocabulary_size = len(prepared.vocabulary)
    if time is not None:
        flops = _throughput(vocabulary_size, threads, precision, group) * seconds_of(time)
    facts = DataFacts(len(prepared.train), vocabulary_size, flops, is_trained)
    choice = group.on_rank_zero(lambda: choose_auto({**given, "threads": threads}, facts))
    for reason in choice.reasons:
        hooks.note(reason, is_by_the_way=True)
    return choice.settings


def resolve_threads(
    settings: Settings, hooks: Hooks | None = None, group: ProcessGroup = SINGLE_PROCESS
) -> Settings:
    """Return the settings with the number of threads filled in, as `config.toml` records it."""
    if settings.training.threads:
        return settings
    threads = group.threads()
    if (advice := group.launch_advice()) and hooks:
        hooks.note(advice, is_by_the_way=True)
    return replace(settings, training=replace(settings.training, threads=threads))


def precision_of(settings: Settings) -> Precision:
    """Precision of a run: `auto` takes bfloat16 where the CPU multiplies it."""
    from nextchar.kernels.isa import HOST  # brings Numba along: half a second

    dtype = settings.training.dtype
    return Precision(
        np.float64 if dtype == "float64" else np.float32,
        bfloat16=dtype == "bfloat16" or (dtype == "auto" and HOST.has_bfloat16),
    )


def _throughput(
    vocabulary_size: int, threads: int, precision: Precision, group: ProcessGroup
) -> float:
    """FLOP/s of all ranks together, each measured while the others compute too."""

    def measure() -> float:
        return measure_throughput(vocabulary_size, threads, precision, group.all_reduce)

    if group.all_reduce:
        with group.local_rank_zero_first():
            measure()
    with group.no_sync():
        return group.sum_over_ranks(measure())[0]
