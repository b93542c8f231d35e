"""Cost of each sampling rule, and throughput with many prompts.

    python -m benchmarks.sampling [--seconds S] [--rounds N]

Each network generates with no rule and with each of them in turn, round after round, so that other
load on the machine affects all equally. Figures are medians over the rounds, relative to generation
with no rule.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import numpy as np

from nextchar.generation.generate import LANES, generate, generate_many
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, make_request
from nextchar.model.file import Model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings
from nextchar.text.vocabulary import Vocabulary

NETWORKS = (("rnn", 100, 1), ("lstm", 128, 1), ("gru", 256, 2), ("lstm", 512, 2))
RULES: dict[str, dict[str, Any]] = {
    "none": {},
    "temperature 0.8": {"temperature": 0.8},
    "top-k 40": {"top_k": 40},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.05": {"min_p": 0.05},
    "typical-p 0.9": {"typical_p": 0.9},
    "repetition 1.2": {"repetition_penalty": 1.2},
    "presence 0.5": {"presence_penalty": 0.5},
    "log-probabilities": {"logprobs": 0},
    "with 5 alternatives": {"logprobs": 5},
}
PROMPTS, LENGTH = 10_000, 40


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--seconds", type=float, default=0.5, help="duration of a turn")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    print("| network | " + " | ".join(RULES) + " |")
    print("|---" * (len(RULES) + 1) + "|")
    for cell, hidden, layers in NETWORKS:
        model = model_of(cell, hidden, layers)
        print(row(f"{cell} {hidden}×{layers}", speeds(model, given.seconds, given.rounds)))
    print(f"\n| network | {PROMPTS:,} prompts, char/s | one long batch, char/s | ratio |")
    print("|---|---|---|---|")
    for cell, hidden, layers in NETWORKS[1:3]:
        many, batch = throughput(model_of(cell, hidden, layers), given.rounds)
        print(f"| {cell} {hidden}×{layers} | {many:,.0f} | {batch:,.0f} | {many / batch:.2f} |")


def model_of(cell: str, hidden: int, layers: int, symbols: int = 65) -> Model:
    """Return an untrained network over some letters."""
    network = NetworkSettings(cell=cell, hidden_size=hidden, num_layers=layers)
    parameters = initialise(Architecture(network, symbols), 1, np.float32)
    return Model(parameters, Vocabulary(range(0x4E00, 0x4E00 + symbols)))


def row(name: str, measured: dict[str, float]) -> str:
    """Return a line of the table: characters per second with no rule, then each rule's cost."""
    plain = measured["none"]
    cells = [f"{plain:,.0f} char/s"]
    cells += [f"{100 * (plain / speed - 1):+.0f} %" for speed in list(measured.values())[1:]]
    return f"| {name} | " + " | ".join(cells) + " |"


def speeds(model: Model, seconds: float, rounds: int) -> dict[str, float]:
    """Return characters per second by rule, one text at a time."""
    length = calibrated(lambda n: write(model, n, {}), seconds)
    turns: dict[str, list[float]] = {name: [] for name in RULES}
    for _ in range(rounds):
        for name, rules in RULES.items():
            turns[name].append(length / timed(lambda rules=rules: write(model, length, rules)))
    return {name: median(made) for name, made in turns.items()}


def throughput(model: Model, rounds: int) -> tuple[float, float]:
    """Return characters read and generated per second: many prompts, and as many lanes of one."""
    prompts = [model.vocabulary.decode(np.arange(5 + n % 20) % 65) for n in range(PROMPTS)]
    total = sum(map(len, prompts)) + PROMPTS * LENGTH
    length = total // LANES
    turns = [
        (
            total / timed(lambda: list(generate_many(model, requests(model, prompts)))),
            length * LANES / timed(lambda: write(model, length, {"samples": LANES})),
        )
        for _ in range(min(rounds, 3))
    ]
    many, batch = zip(*turns, strict=True)
    return median(many), median(batch)


def requests(model: Model, prompts: list[str]) -> Iterator[Request]:
    """Return a request for each prompt."""
    settings = GenerationSettings(length=LENGTH)
    return (make_request(model, each, settings, seed=n) for n, each in enumerate(prompts))


def write(model: Model, length: int, rules: dict[str, Any]) -> None:
    """Generate texts of a length."""
    generate(model, "", GenerationSettings(length=length, **rules), seed=1)


def calibrated(work: Callable[[int], object], seconds: float) -> int:
    """Return a length that takes about a number of seconds."""
    work(10)
    length = 200
    while (took := timed(partial(work, length))) < seconds / 2:
        length = int(length * min(10.0, 1.2 * seconds / took))
    return length


def timed(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
