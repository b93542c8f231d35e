"""Middleware: ids, unknown paths and methods, hosts, origins, internal errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextchar.server.registry import ModelRegistry
from serving import Server, served


def test_every_answer_has_a_new_id_or_the_clients(server: Server) -> None:
    first, second = (server.client.get("/health").headers["x-request-id"] for _ in range(2))
    assert first != second
    for path in ("/health", "/nothing", "/", "/v1/models/none"):
        answer = server.client.get(path, headers={"x-request-id": "mine-1.2:3"})
        assert answer.headers.get_list("x-request-id") == ["mine-1.2:3"]


@pytest.mark.parametrize("rubbish", [b"", b"a b", b"x" * 200, b"\xff\xfe", b"<script>"])
def test_an_id_that_is_rubbish_is_replaced(server: Server, rubbish: bytes) -> None:
    answer = server.client.get("/health", headers=[(b"x-request-id", rubbish)])
    assert answer.headers["x-request-id"].startswith("req-")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v1/completions/",
        "//",
        "/playground",
        "/playground/",
        "/playground/../../etc/passwd",
        "/playground/..%2f..%2fetc%2fpasswd",
        "/playground/%2e%2e/%2e%2e/etc/passwd",
        "/playground/%2fetc%2fpasswd",
        "/playground/index.html%00",
        "/playground//etc/passwd",
        "/playground/..\\..\\etc\\passwd",
        "/%c0%ae%c0%ae/etc/passwd",
        "/docs/../openapi.json",
        "/v1/models/../../../etc/passwd",
        "/" + "a/" * 5000,
        "http://localhost/health",
        "*",
    ],
)
def test_a_path_that_leads_nowhere_is_a_404_and_never_a_file(server: Server, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    answer = server.raw(request.encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'{"error":{"message":' in answer
    assert b"root:" not in answer


def test_a_method_that_a_path_does_not_take_is_a_405(server: Server) -> None:
    for method, path in (("GET", "/v1/completions"), ("POST", "/v1/models"), ("DELETE", "/")):
        answer = server.client.request(method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"]
        assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("192.168.1.7:8000", 200),
        ("app.localhost", 200),
        ("evil.example", 403),
        ("localhost.evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
    ],
)
def test_a_local_server_answers_to_local_names_only(server: Server, host: str, status: int) -> None:
    answer = server.client.get("/health", headers={"host": host})
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["error"]["type"] == "permission_error"


def test_other_names_can_be_allowed_and_a_key_lets_in_all(served_models: dict[str, Path]) -> None:
    headers = {"host": "models.example"}
    with served(served_models, allowed_hosts="a.example, models.example") as server:
        assert server.client.get("/health", headers=headers).status_code == 200
    with served(served_models, api_key="secret") as server:
        assert server.client.get("/health", headers=headers).status_code == 200


def test_pages_of_other_origins_may_not_read_unless_they_are_named(
    server: Server, served_models: dict[str, Path]
) -> None:
    origin = {"origin": "https://app.example"}
    assert "access-control-allow-origin" not in server.client.get("/health", headers=origin).headers
    with served(served_models, cors_origins="https://app.example", api_key="secret") as other:
        allowed = other.client.get("/v1/models", headers=origin)
        assert allowed.status_code == 401  # the page may read that it needs a key
        assert allowed.headers["access-control-allow-origin"] == "https://app.example"
        asked = {**origin, "access-control-request-method": "POST"}
        asked["access-control-request-headers"] = "authorization, content-type"
        assert other.client.options("/v1/completions", headers=asked).status_code == 200
        stranger = other.client.get("/health", headers={"origin": "https://evil.example"})
        assert "access-control-allow-origin" not in stranger.headers


def test_an_internal_error_is_a_500_with_a_json_body_and_logged(
    served_models: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(self: ModelRegistry, name: str) -> None:
        raise KeyError("a secret of ours")

    monkeypatch.setattr(ModelRegistry, "model", broken)
    with served(served_models) as server:
        answer = server.client.get("/props")
        assert answer.status_code == 500
        assert answer.json()["error"]["type"] == "server_error"
        assert "secret" not in answer.text
        assert answer.headers["x-request-id"] in caplog.text
        assert server.client.get("/health").status_code == 200


def test_requests_are_counted_by_route_and_status(server: Server) -> None:
    def count(route: str, status: int) -> float:
        wanted = f'nextchar_requests_total{{route="{route}",status="{status}"}}'
        return server.metric(wanted)

    before = count("/v1/models/{id}", 404), count("other", 404), count("/props", 200)
    server.client.get("/v1/models/none")
    server.client.get("/nothing/at/all")
    server.client.get("/props")
    after = count("/v1/models/{id}", 404), count("other", 404), count("/props", 200)
    assert after == tuple(each + 1 for each in before)
