"""A completion in flight: clients that disconnect, and the timeout."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from serving import in_progress, served, until


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_lane_at_once(
    served_models: dict[str, Path], stream: bool
) -> None:
    body = b'{"model":"prose","prompt":"","max_tokens":1000000000,"stream":%s}'
    body %= b"true" if stream else b"false"
    with served(served_models, parallel=1, queue=0, max_tokens=10**9) as server:
        for _ in range(3):
            client = server.connected()
            client.sendall(
                b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\n"
                b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
                % (len(body), body)
            )
            until(lambda: in_progress(server) == 1)
            assert server.complete(prompt="It").status_code == 429
            client.close()
            until(lambda: in_progress(server) == 0)
            assert server.complete(prompt="It").status_code == 200
        gone = 'nextchar_requests_total{route="/v1/completions",status="499"}'
        assert server.metric(gone) == 3


def test_a_time_out_ends_a_text_with_what_there_is(served_models: dict[str, Path]) -> None:
    with served(served_models, timeout=0.5, max_tokens=10**9) as server:
        (choice,) = server.complete(prompt="It", max_tokens=10**9, seed=1).json()["choices"]
        assert choice["finish_reason"] == "length"
        length = len(choice["text"])
        assert [choice["text"]] == server.written("It", length, 1)
        answer = server.complete(prompt="It", max_tokens=10**9, seed=1, stream=True)
        assert answer.text.endswith("data: [DONE]\n\n")
        assert '"finish_reason":"length"' in answer.text
        until(lambda: in_progress(server) == 0)


def test_a_time_out_before_a_text_was_begun_is_a_503(served_models: dict[str, Path]) -> None:
    settings = {"parallel": 1, "queue": 5, "timeout": 0.5, "max_tokens": 10**9}
    with served(served_models, **settings) as server, ThreadPoolExecutor(1) as pool:
        pool.submit(server.complete, prompt="", max_tokens=10**9)
        until(lambda: in_progress(server) == 1)
        behind = server.complete(prompt=["It"] * 3, max_tokens=10**9)
        assert behind.status_code == 503, behind.text
        assert behind.headers["retry-after"] == "1"
        assert behind.json()["error"]["type"] == "unavailable_error"
