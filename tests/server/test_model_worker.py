"""Requests that share a batch: equal texts, the queue, loading, and failures."""

from __future__ import annotations

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from nextchar.generation.scheduler import BatchScheduler
from nextchar.server import model_worker
from serving import WAIT, Server, served, until


def test_sixty_four_clients_share_a_batch_and_get_the_texts_of_the_library(server: Server) -> None:
    chance = random.Random(1)
    asked: list[dict[str, Any]] = [
        {
            "prompt": chance.choice(["", "It was", "the age of", "\n"]),
            "max_tokens": chance.randint(0, 200),
            "seed": chance.randrange(2**63),
            "temperature": chance.choice([0, 0.5, 1.0, 1.7]),
            "top_k": chance.choice([0, 0, 4]),
            "n": chance.choice([1, 1, 3]),
        }
        for _ in range(64)
    ]
    with ThreadPoolExecutor(64) as pool:
        got = list(pool.map(lambda body: server.texts(**body), asked))
    for body, texts in zip(asked, got, strict=True):
        rules = {"temperature": body["temperature"], "top_k": body["top_k"], "samples": body["n"]}
        wanted = server.written(body["prompt"], body["max_tokens"], body["seed"], **rules)
        assert texts == wanted, body


def test_both_models_write_at_once(server: Server) -> None:
    def ask(name: str) -> list[str]:
        return server.texts(model=name, prompt="It", max_tokens=500, seed=9)

    with ThreadPoolExecutor(2) as pool:
        prose, data = pool.map(ask, ["prose", "bytes"])
    assert prose == server.written("It", 500, 9)
    assert data == server.written("It", 500, 9, model="bytes")


def test_what_waits_is_queued_and_what_is_too_much_refused(served_models: dict[str, Path]) -> None:
    with served(served_models, parallel=1, queue=1, max_tokens=10**9) as server:
        hold = {"prompt": "", "max_tokens": 10**9, "stream": True}
        request = {"model": "prose", **hold}
        with server.client.stream("POST", "/v1/completions", json=request) as first:
            lines = first.iter_lines()  # the end of the iterator would close the response
            next(lines)
            with ThreadPoolExecutor(1) as pool:
                second = pool.submit(server.texts, prompt="It", seed=1)
                until(lambda: server.metric("nextchar_requests_queued") == 1)
                refused = server.complete(prompt="It")
                assert refused.status_code == 429
                assert refused.headers["retry-after"] == "1"
                assert refused.json()["error"]["type"] == "rate_limit_error"
                first.close()
                assert second.result(WAIT) == server.written("It", 16, 1)
        too_many = server.complete(prompt="It", n=3)  # can never fit
        assert (too_many.status_code, too_many.json()["error"]["param"]) == (400, "n")


def test_a_fault_in_the_engine_fails_its_requests_and_no_later_one(
    served_models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = threading.Event()

    class Breaking(BatchScheduler):
        def advance(self, most: int = 512) -> Any:
            if broken.is_set():
                broken.clear()
                raise ArithmeticError("a lane fell over")
            return super().advance(most)

    monkeypatch.setattr(model_worker, "BatchScheduler", Breaking)
    with served(served_models, max_tokens=10**9) as server:
        wanted = server.texts(prompt="It", seed=1)
        broken.set()
        answer = server.complete(prompt="It", seed=1)
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "server_error"
        assert "lane" not in answer.text
        assert "a lane fell over" in caplog.text
        assert server.texts(prompt="It", seed=1) == wanted
        request = {"model": "prose", "prompt": "", "max_tokens": 10**9, "stream": True}
        with server.client.stream("POST", "/v1/completions", json=request) as stream:
            lines = stream.iter_lines()
            next(lines)
            broken.set()
            last = [line for line in lines if line][-1]
            assert last.startswith('data: {"error":{"message":')
        assert server.texts(prompt="It", seed=1) == wanted


def test_a_request_that_cannot_be_taken_fails_alone(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky(BatchScheduler):
        def add(self, key: Any, request: Any) -> None:
            if request.seed == 13:
                raise ArithmeticError("not this one")
            super().add(key, request)

    monkeypatch.setattr(model_worker, "BatchScheduler", Picky)
    with served(served_models) as server, ThreadPoolExecutor(2) as pool:
        good = pool.submit(server.texts, prompt="It", seed=1, max_tokens=2000)
        bad = server.complete(prompt="It", seed=13)
        assert (bad.status_code, bad.json()["error"]["type"]) == (500, "server_error")
        assert good.result(WAIT) == server.written("It", 2000, 1)


def test_while_a_model_is_loaded_requests_are_put_off(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    class Slow(BatchScheduler):
        def __init__(self, *args: Any, **options: Any) -> None:
            go_on.wait(WAIT)
            super().__init__(*args, **options)

    monkeypatch.setattr(model_worker, "BatchScheduler", Slow)
    with served(served_models, wait=False) as server:
        for answer in (server.client.get("/health"), server.complete(prompt="It")):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["error"]["message"] == "Loading model"
        assert server.client.get("/v1/models").status_code == 200
        go_on.set()
        until(lambda: server.client.get("/health").status_code == 200)
        assert server.texts(prompt="It", seed=1) == server.written("It", 16, 1)


def test_an_engine_that_cannot_begin_ends_the_server(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nextchar.server.lifecycle import bind, serve
    from nextchar.server.registry import load_registry
    from nextchar.server.server_settings import ServerSettings

    def fail(*args: Any, **options: Any) -> None:
        raise MemoryError("no room for the lanes")

    monkeypatch.setattr(model_worker, "BatchScheduler", fail)
    settings = ServerSettings(port=0)
    registry = load_registry([str(served_models["prose"])], [], settings)
    with bind(settings) as listening, pytest.raises(MemoryError, match="no room"):
        serve(registry, settings, listening, lambda stop: None)
