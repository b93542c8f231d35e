"""The preset `auto` at work: measure the machine where a time is given, choose, and say why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nextchar.config import Settings
from nextchar.text.corpus import Prepared
from nextchar.training.choice import Known, choose
from nextchar.training.cohort import SINGLE, Cohort
from nextchar.training.events import Note, OnEvent
from nextchar.training.speed import Precision, measure_speed
from nextchar.validation import seconds_of


def settings_for(
    prepared: Prepared,
    given: Mapping[str, Any],
    settings: Settings,
    precision: Precision,
    on_event: OnEvent,
    cohort: Cohort = SINGLE,
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
        speed = _speed(V, training.threads, precision, cohort)
        work = speed * seconds_of(training.time)
    known = Known(len(prepared.train), V, work, is_trained)
    choice = cohort.first(lambda: choose({**given, "threads": training.threads}, known))
    for reason in choice.reasons:
        on_event(Note(reason, is_by_the_way=True))
    return choice.settings


def _speed(vocabulary_size: int, threads: int, precision: Precision, cohort: Cohort) -> float:
    """Operations in a second of all who train along, each at work at the same time."""

    def measure() -> float:
        return measure_speed(vocabulary_size, threads, precision, cohort.exchange)

    if cohort.exchange:
        with cohort.leaders_first():
            measure()
    with cohort.alone():
        return cohort.total(measure())[0]
