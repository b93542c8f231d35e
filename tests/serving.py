"""Servers for tests: `nextchar serve` as a process, or the same in a thread of this process."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np

from conftest import PROSE
from nextchar.generation.generate import generate
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import RequestOptions
from nextchar.kernels import COMPILING
from nextchar.model.file import Model, load_model, save_model
from nextchar.model.initialise import initialise
from nextchar.model.parameters import Architecture
from nextchar.server.lifecycle import bind, serve, url_of
from nextchar.server.registry import load_registry
from nextchar.server.server_settings import ServerSettings
from nextchar.settings.config import NetworkSettings, TextSettings
from nextchar.text.vocabulary import Vocabulary

WAIT = 60.0  # seconds until a test fails


def made_model(vocabulary: Vocabulary, seed: int = 1, hidden_size: int = 16) -> Model:
    """An untrained LSTM, with weights large enough for a varied distribution."""
    network = NetworkSettings(hidden_size=hidden_size, num_layers=1)
    parameters = initialise(Architecture(network, len(vocabulary)), seed)
    parameters.flat *= 3
    return Model(parameters, vocabulary, TextSettings())


def character_model(hidden_size: int = 16) -> Model:
    return made_model(Vocabulary.of_text(PROSE + "déjà vu 春眠不觉晓"), hidden_size=hidden_size)


def byte_model() -> Model:
    """A model of bytes that often writes characters of several bytes."""
    model = made_model(Vocabulary(is_bytes=True))
    likely = np.r_[32:127, 0x80:0xC0, 0xE4:0xE8, 0xE4:0xE8]
    model.parameters["b_out"][likely] += 4
    return model


def save_models(folder: Path) -> dict[str, Path]:
    """Save both models; returns the files by name."""
    paths = {name: folder / f"{name}.safetensors" for name in ("prose", "bytes")}
    save_model(paths["prose"], character_model())
    save_model(paths["bytes"], byte_model())
    return paths


@dataclass
class Server:
    """A running server. models: the served files by name."""

    url: str
    models: dict[str, Path]
    process: subprocess.Popen[str] | None = None
    _loaded: dict[str, Model] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.client = httpx2.Client(base_url=self.url, timeout=WAIT)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)

    def complete(self, **body: Any) -> httpx2.Response:
        """POST /v1/completions with these fields."""
        return self.client.post("/v1/completions", json={"model": "prose", "prompt": "", **body})

    def texts(self, **body: Any) -> list[str]:
        answer = self.complete(**body)
        assert answer.status_code == 200, answer.text
        return [choice["text"] for choice in answer.json()["choices"]]

    def metric(self, name: str) -> float:
        lines = self.client.get("/metrics").text.splitlines()
        return sum(
            float(line.split()[-1]) for line in lines if line.startswith((f"{name} ", f"{name}{{"))
        )

    def model(self, name: str = "prose") -> Model:
        if name not in self._loaded:
            self._loaded[name] = load_model(self.models[name])
        return self._loaded[name]

    def written(
        self, prompt: str, length: int, seed: int, *, model: str = "prose",
        options: dict[str, Any] | None = None, **rules: Any,
    ) -> list[str]:  # fmt: skip
        """The texts of the library; options are those of `RequestOptions`."""
        settings = GenerationSettings(length=length, **rules)
        given = RequestOptions(**(options or {}))
        made = generate(self.model(model), prompt, settings, given, seed=seed)
        return [each.text for each in made]

    def connected(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=WAIT)

    def raw(self, data: bytes) -> bytes:
        """Send bytes and read until the server closes the connection."""
        with self.connected() as connection:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65536), b""))


@contextlib.contextmanager
def served_by_process(
    models: dict[str, Path], *options: str, env: dict[str, str] | None = None
) -> Iterator[Server]:
    """Run `nextchar serve`, as a user does, on a free port."""
    paths = [str(path) for path in models.values()]
    names = [word for name in models for word in ("--alias", name)]
    process = subprocess.Popen(
        [sys.executable, "-m", "nextchar", "serve", *paths, *names, "--port", "0", *options],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env={**os.environ, "PYTHONUTF8": "1", **(env or {})},
    )
    assert process.stderr is not None
    line = process.stderr.readline()
    while COMPILING in line:
        line = process.stderr.readline()
    assert " at http://" in line, line + process.stderr.read()
    server = Server(line.split(" at ")[1].strip(), models, process)
    try:
        yield server
    finally:
        server.client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@contextlib.contextmanager
def served(models: dict[str, Path], *, wait: bool = True, **settings: Any) -> Iterator[Server]:
    """Run a server in a thread of this process, which starts faster but handles no signals.

    wait: until requests are accepted.
    """
    chosen = ServerSettings(port=0, **settings)
    registry = load_registry(list(map(str, models.values())), list(models), chosen)
    ready, stops = threading.Event(), []

    def on_ready(stop: Any) -> None:
        stops.append(stop)
        ready.set()

    with bind(chosen) as listening:
        url = url_of(listening)
        thread = threading.Thread(target=serve, args=(registry, chosen, listening, on_ready))
        thread.start()
        try:
            assert not wait or ready.wait(WAIT)
            server = Server(url, models)
            try:
                yield server
            finally:
                server.client.close()  # otherwise the next test would report the open sockets
        finally:
            assert ready.wait(WAIT)
            for stop in stops:
                stop()
            thread.join(WAIT)
            assert not thread.is_alive()


def until(happened: Callable[[], bool]) -> None:
    """Wait for something to happen."""
    end = time.monotonic() + WAIT
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def in_progress(server: Server) -> float:
    """Prompts that are being answered."""
    return server.metric("nextchar_requests_in_progress")
