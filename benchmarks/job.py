"""What a contender's side hands over: a step to be repeated, and what is to be told about it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Step = Callable[[], int]  # does some work; how many characters that was

TRIAL_SECONDS = 0.3


class UnavailableError(Exception):
    """A contender cannot take part; the message says why, in one line."""


@dataclass(frozen=True)
class Job:
    """A contender that is ready to run.

    check: the loss of the first batch with the weights that all begin with, in nats per
    character, by which the harness sees that all compute the same thing.
    parameters: how many it trains, or predicts with. note: what a reader should know.
    """

    step: Step
    check: float
    parameters: int
    note: str = ""


def fastest(variants: Mapping[str, Callable[[], Step]]) -> tuple[str, Step]:
    """The best form of a contender: each is made, warmed up and tried for a moment.

    variants: name → what makes its step. The best is made once more at the end, since making
    one may change what is global (the number of threads).
    """
    if len(variants) == 1:
        ((name, make),) = variants.items()
        return name, make()
    speeds = {name: _speed(make()) for name, make in variants.items()}
    best = max(speeds, key=lambda name: speeds[name])
    return best, variants[best]()


def _speed(step: Step) -> float:
    step()
    step()
    characters, seconds = timed(step, TRIAL_SECONDS)
    return characters / seconds


def timed(step: Step, seconds: float) -> tuple[int, float]:
    """Repeat a step for at least so long, once at least: characters and seconds."""
    characters, start = 0, time.perf_counter()
    while True:
        characters += step()
        taken = time.perf_counter() - start
        if taken >= seconds:
            return characters, taken
