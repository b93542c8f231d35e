"""The preset `auto` at work: measure the machine where a time is given, choose, and say why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nextchar.settings.config import Settings
from nextchar.settings.fields import seconds_of
from nextchar.text.corpus import Prepared
from nextchar.training.auto.policy import DataFacts, choose_auto
from nextchar.training.auto.throughput import Precision, measure_throughput
from nextchar.training.events import Note, OnEvent
from nextchar.training.process_group import SINGLE_PROCESS, ProcessGroup


def choose_settings(
    prepared: Prepared,
    given: Mapping[str, Any],
    settings: Settings,
    precision: Precision,
    on_event: OnEvent,
    group: ProcessGroup = SINGLE_PROCESS,
    *,
    is_trained: bool = False,
) -> Settings:
    """The settings of a run over a text: what was given, and what is chosen beside it.

    settings: what was given laid over the defaults, with the threads filled in.
    is_trained: whether the run starts from a trained model; its network is among what is given.
    """
    training, work = settings.training, None
    assert training.threads is not None
    V = len(prepared.vocabulary)
    if training.time is not None:
        speed = _speed(V, training.threads, precision, group)
        work = speed * seconds_of(training.time)
    known = DataFacts(len(prepared.train), V, work, is_trained)
    choice = group.on_rank_zero(lambda: choose_auto({**given, "threads": training.threads}, known))
    for reason in choice.reasons:
        on_event(Note(reason, is_by_the_way=True))
    return choice.settings


def _speed(vocabulary_size: int, threads: int, precision: Precision, group: ProcessGroup) -> float:
    """Operations in a second of all who train along, each at work at the same time."""

    def measure() -> float:
        return measure_throughput(vocabulary_size, threads, precision, group.all_reduce)

    if group.all_reduce:
        with group.local_rank_zero_first():
            measure()
    with group.no_sync():
        return group.sum_over_ranks(measure())[0]
