"""Interface of a contender: a step to repeat, and facts about it for the report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Step = Callable[[], int]  # does some work and returns its number of characters

TRIAL_SECONDS = 0.3


class UnavailableError(Exception):
    """A contender cannot take part; the message is the reason, in one line."""


@dataclass(frozen=True)
class Job:
    """A contender that is ready to run.

    check: loss of the first batch with the initial weights, in nats per character, which must be
    the same for all contenders. parameters: size of the model. note: remark for the reader.
    """

    step: Step
    check: float
    parameters: int
    note: str = ""


def fastest(variants: Mapping[str, Callable[[], Step]]) -> tuple[str, Step]:
    """Return the fastest variant of a contender, after a short trial of each.

    variants: name → function that makes its step. The fastest is made again at the end, since
    making one may change global state (the number of threads).
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
    """Repeat a step for a time, at least once; return characters and seconds."""
    characters, start = 0, time.perf_counter()
    while True:
        characters += step()
        taken = time.perf_counter() - start
        if taken >= seconds:
            return characters, taken
