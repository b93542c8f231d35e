"""The preset `auto` at work: measure the machine where a time is given, choose, and say why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nextchar.config import Settings
from nextchar.text.corpus import Prepared
from nextchar.training.choice import Known, choose
from nextchar.training.events import Note, OnEvent
from nextchar.training.speed import Precision, measure_speed
from nextchar.validation import seconds_of


def settings_for(
    prepared: Prepared,
    given: Mapping[str, Any],
    settings: Settings,
    precision: Precision,
    on_event: OnEvent,
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
        speed = measure_speed(V, training.threads, precision)
        work = speed * seconds_of(training.time)
    known = Known(len(prepared.train), V, work, is_trained)
    choice = choose({**given, "threads": training.threads}, known)
    for reason in choice.reasons:
        on_event(Note(reason, is_by_the_way=True))
    return choice.settings
