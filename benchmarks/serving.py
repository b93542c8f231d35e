"""Latency and throughput of `nextchar serve`: `python -m benchmarks.serving [--help]`.

Time to the first character; speed for one client, in turn with the library; total speed for many.
Clients and server share the machine, so clients do little work: they read events, and parse them
after the measurement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

if not __package__:  # run as a file
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from nextchar.generation.generate import stream
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.model.file import Model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

ALPHABET = string.ascii_letters + " ,.\n;:'!?-&$3"  # 65 characters, as in tiny Shakespeare
PROMPT = "First Citizen:\nBefore we proceed any further, "


@dataclass(frozen=True)
class Seen:
    """One streamed answer. first, whole: seconds until its first event, and its last."""

    first: float
    whole: float
    characters: int


def main(args: list[str]) -> int:
    """Measure, and print a table in Markdown."""
    options = _options(args)
    model = made_model(options.hidden_size, options.num_layers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_model(path, model)
        with serving(path) as port:
            rows = asyncio.run(measured(model, port, options))
    print(f"LSTM {options.hidden_size}×{options.num_layers}, {os.cpu_count()} CPUs\n")
    print("| measurement | |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    return 0


def _options(args: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serving", description=__doc__)
    parser.add_argument("--hidden-size", type=int, default=512)
    parser.add_argument("--num-layers", type=int, default=2)
    parser.add_argument("--length", type=int, default=2000, help="characters of a text")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args(args)


def made_model(hidden_size: int, num_layers: int) -> Model:
    """Return an untrained LSTM, which is as fast as a trained one."""
    network = NetworkSettings(hidden_size=hidden_size, num_layers=num_layers)
    vocabulary = Vocabulary.of_text(ALPHABET)
    return Model(initialise(Architecture(network, len(vocabulary)), 1), vocabulary, TextSettings())


@contextmanager
def serving(path: Path) -> Iterator[int]:
    """Run `nextchar serve` in a separate process; yield its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nextchar", "serve", str(path), "--port", "0"],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    try:
        while " at http://" not in (line := process.stderr.readline()):
            assert line, "the server did not start"
        yield int(line.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait()


async def measured(model: Model, port: int, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Rows of the table."""
    for length in (16, options.length):  # warm-up of both sides, which compiles
        await one(port, length, 0)
        library(model, length, 0)
    firsts: dict[str, list[float]] = {"": [], PROMPT: []}
    for seed in range(20 * options.rounds):
        for prompt, waits in firsts.items():
            waits.append((await one(port, 16, seed, prompt)).first)
            await asyncio.sleep(0.02)  # the engine is idle each time
    alone, own, together = [], [], []
    for seed in range(options.rounds):
        own.append(library(model, options.length, seed))
        seen = await one(port, options.length, seed)
        alone.append(seen.characters / seen.whole)
        together.append(await many(port, options.length, options.clients))
    rate, rates = statistics.median(alone), [rate for rate, _ in together]
    waits = [each for _, seen in together for each in seen]
    ratio = statistics.median(a / b for a, b in zip(alone, own, strict=True))
    gain = statistics.median(a / b for a, b in zip(rates, alone, strict=True))
    return [
        *(
            (
                f"first character after a prompt of {len(prompt)}, idle server: median, p99",
                f"{1e3 * statistics.median(waits):.1f} ms, {1e3 * quantile(waits, 0.99):.1f} ms",
            )
            for prompt, waits in firsts.items()
        ),
        ("one client", f"{rate:,.0f} characters/s"),
        ("the library itself, in turn", f"{statistics.median(own):,.0f} characters/s"),
        ("one client / library", f"{ratio:.2f}"),
        (f"{options.clients} clients", f"{statistics.median(rates):,.0f} characters/s"),
        (f"{options.clients} clients / one", f"{gain:.1f}"),
        ("their first character: median", f"{quantile([w.first for w in waits], 0.5):.3f} s"),
        ("their first character: p99", f"{quantile([w.first for w in waits], 0.99):.3f} s"),
        ("their whole text: p99", f"{quantile([w.whole for w in waits], 0.99):.3f} s"),
    ]


def library(model: Model, length: int, seed: int) -> float:
    """Return characters per second of a stream of the library."""
    begin = time.perf_counter()
    written = sum(map(len, stream(model, PROMPT, GenerationSettings(length=length), seed=seed)))
    return written / (time.perf_counter() - begin)


async def one(port: int, length: int, seed: int, prompt: str = PROMPT) -> Seen:
    """One streamed answer on a connection of its own, from the request on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(
        {"model": "model", "prompt": prompt, "max_tokens": length, "seed": seed, "stream": True}
    )
    begin = time.perf_counter()
    writer.write(
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    first, parts = 0.0, []
    while part := await reader.read(1 << 16):
        parts.append(part)
        if not first and b"data: " in part:
            first = time.perf_counter() - begin
    whole = time.perf_counter() - begin
    writer.close()
    return Seen(first, whole, _characters(b"".join(parts)))


def _characters(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 200"), answer[:500]
    events = [json.loads(line[6:]) for line in answer.splitlines() if line.startswith(b"data: {")]
    return sum(len(event["choices"][0]["text"]) for event in events)


async def many(port: int, length: int, clients: int) -> tuple[float, list[Seen]]:
    """Characters a second of many clients together, and what each saw."""
    begin = time.perf_counter()
    seen = await asyncio.gather(*(one(port, length, seed) for seed in range(clients)))
    seconds = time.perf_counter() - begin
    return sum(each.characters for each in seen) / seconds, seen


def quantile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
