"""A server under mixed load: `python tests/load.py [--minutes 10]`, which is `make load`.

Normal, slow, vanishing and malicious clients run at once, on the local address. Every text must
be that of the library for its seed, every answer a documented one, and the memory of the server
must not grow. Prints the waiting times of clients and the characters per second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving import Server, save_models, served_by_process

CLIENTS = {"normal": 12, "slow": 4, "vanishing": 6, "malicious": 6}
QUEUE = ("--parallel", "8", "--queue", "8")  # small enough to be full at times
TEXTS = 40  # different requests
FLAT = 1.10  # most memory at the end, relative to that after the first third
PAGE = 4096

Body = dict[str, Any]


@dataclass
class Report:
    """Results of a load test.

    answers: counts of statuses by kind of client. first, whole: seconds until normal clients had
    the first of a text, and all of it. memory: that of the server, in bytes.
    """

    answers: dict[str, Counter[int]] = field(
        default_factory=lambda: {kind: Counter() for kind in CLIENTS}
    )
    wrong: list[str] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    characters: int = 0

    @property
    def growth(self) -> float:
        """Memory in the last tenth of the time, relative to that after the first third."""
        third, tenth = len(self.memory) // 3, max(len(self.memory) // 10, 1)
        early, late = self.memory[third : third + tenth], self.memory[-tenth:]
        return (sum(late) / len(late)) / (sum(early) / len(early))

    def lines(self, seconds: float) -> list[str]:
        """The report as text."""
        counts = [f"{kind}: {dict(sorted(each.items()))}" for kind, each in self.answers.items()]
        return [
            *counts,
            f"{self.characters / seconds:,.0f} characters/s to normal clients",
            f"first of a text: p50 {quantile(self.first, 0.5):.3f} s, "
            f"p99 {quantile(self.first, 0.99):.3f} s",
            f"whole text: p50 {quantile(self.whole, 0.5):.3f} s, "
            f"p99 {quantile(self.whole, 0.99):.3f} s",
            f"memory: {self.memory[-1] / 1e6:.0f} MB, {100 * (self.growth - 1):+.1f} % since the "
            "first third",
        ]


def quantile(values: list[float], share: float) -> float:
    """The quantile of some values."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def run(server: Server, seconds: float, chance: random.Random) -> Report:
    """Load a server for some seconds."""
    bodies = [_body(chance) for _ in range(TEXTS)]
    expected = [(body, _written(server, body)) for body in bodies]
    report = Report()
    asyncio.run(_load(server, expected, report, seconds, chance))
    return report


def _body(chance: random.Random) -> Body:
    model = chance.choice(["prose", "prose", "bytes"])
    return {
        "model": model,
        "prompt": chance.choice(["", "It was the", "age of wisdom, " * 20]),
        "max_tokens": chance.choice([1, 50, 200, 1000]),
        "seed": chance.randrange(2**32),
        "n": chance.choice([1, 1, 2]),
        "temperature": chance.choice([0.0, 0.8, 1.0]),
        "stop": chance.choice([None, "th", ["\n", " e"]]),
        "stream": chance.choice([True, False]),
    }


def _written(server: Server, body: Body) -> list[str]:
    stop = body["stop"] or ()
    return server.written(
        body["prompt"], body["max_tokens"], body["seed"], model=body["model"],
        samples=body["n"], temperature=body["temperature"], options={"stop": stop},
    )  # fmt: skip


async def _load(
    server: Server,
    expected: list[tuple[Body, list[str]]],
    report: Report,
    seconds: float,
    chance: random.Random,
) -> None:
    end = time.monotonic() + seconds
    kinds: dict[str, Callable[..., Awaitable[int | None]]] = {
        "normal": normal, "slow": slow, "vanishing": vanishing, "malicious": malicious
    }  # fmt: skip

    async def client(kind: str, own: random.Random) -> None:
        while time.monotonic() < end:
            body, texts = own.choice(expected)
            status = await kinds[kind](server, body, texts, report, own)
            if status is not None:
                report.answers[kind][status] += 1

    async def watch() -> None:
        while time.monotonic() < end:
            report.memory.append(_memory(server))
            await asyncio.sleep(max(seconds / 200, 0.1))

    clients = [
        client(kind, random.Random(chance.random()))
        for kind, count in CLIENTS.items()
        for _ in range(count)
    ]
    await asyncio.gather(watch(), *clients)


async def normal(
    server: Server, body: Body, texts: list[str], report: Report, chance: random.Random
) -> int:
    """Send, read at once, and compare; if the queue is full, wait."""
    begin = time.monotonic()
    first, answer = await _exchange(server, _post(json.dumps(body).encode()))
    status = _compared(answer, body, texts, report)
    if status == 200:
        report.first.append(first - begin)
        report.whole.append(time.monotonic() - begin)
        report.characters += sum(map(len, texts))
    else:
        await asyncio.sleep(chance.uniform(0, 0.2))
    return status


async def slow(
    server: Server, body: Body, texts: list[str], report: Report, chance: random.Random
) -> int:
    """Send and read in small pieces."""

    async def dawdle() -> None:
        await asyncio.sleep(chance.uniform(0, 0.02))

    _, answer = await _exchange(server, _post(json.dumps(body).encode()), dawdle)
    return _compared(answer, body, texts, report)


async def vanishing(
    server: Server, body: Body, texts: list[str], report: Report, chance: random.Random
) -> None:
    """Request a long text and disconnect before, during or after the answer."""
    data = _post(json.dumps({**body, "max_tokens": 10_000, "stop": None}).encode())
    _, writer = await asyncio.open_connection(*server.address)
    writer.write(data[: chance.choice([chance.randrange(len(data)), len(data)])])
    await asyncio.sleep(chance.uniform(0, 0.3))
    writer.transport.abort()


async def malicious(
    server: Server, body: Body, texts: list[str], report: Report, chance: random.Random
) -> int | None:
    """Send an invalid request."""
    data = chance.choice(_ATTACKS)(chance)
    try:
        _, answer = await _exchange(server, data)
    except OSError:  # the server closed the connection while the client was sending
        return None
    status = int(answer.split(b" ", 2)[1])
    if not 400 <= status < 500 or b'{"error":{"message":' not in answer:
        report.wrong.append(f"{data[:200]!r} was answered with {answer[:500]!r}")
    return status


_ATTACKS: list[Callable[[random.Random], bytes]] = [
    lambda chance: chance.randbytes(200) + b"\r\n\r\n",
    lambda chance: _post(chance.randbytes(1000)),
    lambda chance: _post(b'{"a":' * 50_000),
    lambda chance: _post(b'{"model":"prose","prompt":"It","x":' + b"[" * 50_000),
    lambda chance: _post(b" " * (9 << 20)),
    lambda chance: _post(b'{"model":"prose","prompt":"' + b"t" * 200_000 + b'"}'),
    lambda chance: _post(b'{"model":"prose","prompt":"It","temperature":NaN}'),
    lambda chance: _post(b'{"model":"prose","prompt":"It","max_tokens":1e999}'),
    lambda chance: _post(b'{"model":"prose","prompt":"\xff\xfe"}'),
    lambda chance: _post(b'{"model":"../../etc/passwd","prompt":"It"}'),
    lambda chance: _head("GET /playground/../../../etc/passwd HTTP/1.1"),
    lambda chance: _head("GET /playground/%2e%2e%2fetc%2fpasswd HTTP/1.1"),
    lambda chance: _head("DELETE /v1/completions HTTP/1.1"),
    lambda chance: _head("GET / HTTP/1.1\r\nHost: evil.example"),
    lambda chance: b"GET / HTTP/1.1\r\nx: " + b"y" * 300_000,
    lambda chance: _head("POST /v1/completions HTTP/1.1\r\nTransfer-Encoding: chunked") + b"zz\r\n",
]


def _head(lines: str) -> bytes:
    host = "" if "Host:" in lines else "\r\nHost: localhost"
    return f"{lines}{host}\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n".encode()


def _post(body: bytes) -> bytes:
    return _head(f"POST /v1/completions HTTP/1.1\r\nContent-Length: {len(body)}") + body


async def _exchange(
    server: Server, data: bytes, dawdle: Callable[[], Awaitable[None]] | None = None
) -> tuple[float, bytes]:
    """Send, and read to the end; returns the time of the first bytes, and all bytes."""
    reader, writer = await asyncio.open_connection(*server.address)
    step = len(data) if dawdle is None else max(len(data) // 20, 1)
    for start in range(0, len(data), step):
        writer.write(data[start : start + step])
        with contextlib.suppress(ConnectionError):  # rejected already: the answer has the reason
            await writer.drain()
        if dawdle is not None:
            await dawdle()
    first, parts = 0.0, []
    while part := await reader.read(1 << 16 if dawdle is None else 1024):
        first = first or time.monotonic()
        parts.append(part)
        if dawdle is not None:
            await dawdle()
    writer.close()
    return first, b"".join(parts)


def _compared(answer: bytes, body: Body, texts: list[str], report: Report) -> int:
    """The status of an answer, whose texts are compared with those of the library."""
    head, _, content = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    if status == 429:
        if b"retry-after: 1" not in head:
            report.wrong.append(f"no retry-after: {answer[:500]!r}")
    elif status != 200:
        report.wrong.append(f"{body} was answered with {answer[:500]!r}")
    elif (got := _streamed(content) if body["stream"] else _whole(content)) != texts:
        report.wrong.append(f"{body} wrote {got}, the library {texts}")
    return status


def _whole(content: bytes) -> list[str]:
    return [choice["text"] for choice in json.loads(content)["choices"]]


def _streamed(content: bytes) -> list[str]:
    lines = content.splitlines()
    assert b"data: [DONE]" in lines, content[-500:]
    texts: dict[int, str] = {}
    for line in lines:
        if line.startswith(b"data: {"):
            (choice,) = json.loads(line[6:])["choices"]
            texts[choice["index"]] = texts.get(choice["index"], "") + choice["text"]
    return [text for _, text in sorted(texts.items())]


def _memory(server: Server) -> int:
    """Resident memory of the server in bytes."""
    assert server.process is not None
    statm = Path(f"/proc/{server.process.pid}/statm").read_text(encoding="ascii")
    return int(statm.split()[1]) * PAGE


def main(args: list[str]) -> int:
    """Load a server for some minutes; returns 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(args)
    with tempfile.TemporaryDirectory() as folder:
        models = save_models(Path(folder))
        with served_by_process(models, *QUEUE) as server:
            report = run(server, 60 * options.minutes, random.Random(options.seed))
    sys.stdout.write("\n".join([*report.lines(60 * options.minutes), *report.wrong[:20], ""]))
    return int(bool(report.wrong) or report.growth > FLAT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
