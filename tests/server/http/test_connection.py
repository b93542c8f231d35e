"""Malformed, slow and vanishing clients: they get a JSON error, and their connection ends."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from nextchar.server.http import connection, request_body
from serving import WAIT, Server, served

ASK = (
    b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n%s"
)


def parted(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (each.partition(": ") for each in lines)}
    return int(first.split()[1]), headers, json.loads(body)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\nrubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 50,
        b"GET / HTTP/one\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nno colon here\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: a\x00b\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 300_000,
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n",
        b"G" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_no_http_is_answered_in_our_form(server: Server, data: bytes) -> None:
    status, headers, body = parted(server.raw(data))
    assert status in (400, 431, 501)
    assert body["error"]["type"] == "invalid_request_error"
    assert headers["x-request-id"]
    assert server.client.get("/health").status_code == 200


def test_a_broken_chunk_ends_the_request(server: Server) -> None:
    answer = server.raw(
        b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n\r\nnot a length\r\n"
    )
    assert parted(answer)[0] == 400
    assert server.client.get("/health").status_code == 200


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    head = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    last = b"GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    answer = server.raw(head + head + last)
    assert answer.count(b"HTTP/1.1 200") == 2
    assert answer.index(b"HTTP/1.1 404") > answer.rindex(b"HTTP/1.1 200")


def test_rubbish_while_an_answer_is_under_way_ends_the_connection(server: Server) -> None:
    body = b'{"model": "prose", "prompt": "", "max_tokens": 10000, "stream": true}'
    with server.connected() as client:
        client.sendall(ASK % (len(body), body))
        assert client.recv(15) == b"HTTP/1.1 200 OK"
        client.sendall(b"\x00rubbish\r\n\r\n")
        while client.recv(65536):
            pass
    assert server.client.get("/health").status_code == 200


def test_a_head_that_does_not_come_is_not_waited_for(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HEAD", 0.2)
    with served(served_models) as server:
        whole = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
        for begun in ([b""], [b"GET /health HT"], [whole, b"GET /hea"]):
            with server.connected() as client:
                for part in begun[:-1]:
                    client.sendall(part)
                    assert client.recv(65536).startswith(b"HTTP/1.1 200")
                client.sendall(begun[-1])
                got = b"".join(iter(lambda: client.recv(65536), b""))
            status, headers, body = parted(got[got.rindex(b"HTTP/1.1") :])
            assert (status, headers["connection"]) == (408, "close")
            assert body["error"]["type"] == "invalid_request_error"


def test_a_body_that_does_not_come_is_not_waited_for(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "SECONDS", 0.2)
    with served(served_models) as server:
        status, headers, body = parted(server.raw(ASK % (100, b'{"model": ')))
        assert (status, headers["connection"]) == (408, "close")
        assert body["error"]["type"] == "invalid_request_error"


def test_a_client_that_goes_away_before_its_body_is_whole_is_forgotten(server: Server) -> None:
    for _ in range(5):
        with server.connected() as client:
            client.sendall(ASK % (100, b'{"model": '))
    assert server.client.get("/health").status_code == 200


def test_too_many_connections_are_refused(served_models: dict[str, Path]) -> None:
    with served(served_models, max_connections=3) as server:
        held = [server.connected() for _ in range(3)]
        for each in held:
            each.sendall(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert each.recv(15) == b"HTTP/1.1 200 OK"
        status, headers, body = parted(server.raw(b""))
        assert (status, headers["retry-after"]) == (503, "1")
        assert body["error"]["type"] == "unavailable_error"
        for each in held:
            each.close()


def test_a_client_that_reads_nothing_is_given_up(
    served_models: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nextchar.server.http.sse.SLOW", 0.1)
    # larger than the buffers of the system
    body = {"model": "prose", "prompt": "It was" * 8_000, "n": 128, "echo": True}
    data = json.dumps({**body, "max_tokens": 1, "stream": True}).encode()
    with served(served_models, timeout=6.0) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(WAIT)
        client.connect(server.address)
        client.sendall(ASK % (len(data), data))
        route = 'nextchar_requests_total{route="/v1/completions",status="200"}'
        while not server.metric(route):
            time.sleep(0.05)
        got = b"".join(iter(lambda: client.recv(65536), b""))
        assert got.startswith(b"HTTP/1.1 200")
        assert not got.endswith(b"0\r\n\r\n")  # it was cut off
