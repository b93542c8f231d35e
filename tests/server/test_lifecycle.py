"""Starting and stopping `nextchar serve`: one line with the address, and status 0 at the end."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import httpx2
import pytest

from nextchar.errors import RunError
from nextchar.server.lifecycle import bind, url_of
from nextchar.server.server_settings import ServerSettings
from serving import WAIT, Server, served, served_by_process


def begun_stream(server: Server, **body: object) -> tuple[httpx2.Response, object]:
    """A stream after its first event, and the rest of its lines."""
    request = server.client.build_request(
        "POST", "/v1/completions", json={"model": "prose", "prompt": "", "stream": True, **body}
    )
    answer = server.client.send(request, stream=True)
    lines = answer.iter_lines()
    assert next(lines).startswith("data: ")
    return answer, lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_stopped_finishes_what_runs(
    served_models: dict[str, Path], number: signal.Signals
) -> None:
    with served_by_process(served_models) as server:
        assert server.process is not None
        answer, lines = begun_stream(server, max_tokens=10_000, seed=1)
        server.process.send_signal(number)
        events = [line.removeprefix("data: ") for line in lines if line]
        assert events[-1] == "[DONE]"
        ends = [json.loads(each)["choices"][0]["finish_reason"] for each in events[:-1]]
        assert ends[-1] == "length"
        answer.close()
        assert server.process.wait(WAIT) == 0
        assert server.process.stderr is not None
        assert server.process.stderr.read() == ""
        with pytest.raises(httpx2.ConnectError):
            server.client.get("/health")


def test_a_request_that_does_not_end_in_time_ends_with_an_error(
    served_models: dict[str, Path],
) -> None:
    with served_by_process(served_models, "--grace", "0", "--max-tokens", "1000000") as server:
        assert server.process is not None
        _, lines = begun_stream(server, max_tokens=1_000_000)
        server.process.send_signal(signal.SIGTERM)
        last = [line for line in lines if line][-1]
        assert json.loads(last.removeprefix("data: "))["error"]["type"] == "unavailable_error"
        assert server.process.wait(WAIT) == 0


def until_it_listens_no_more(server: Server) -> None:
    with contextlib.suppress(OSError):
        while True:
            server.connected().close()


def test_a_request_that_comes_while_it_stops_is_put_off(served_models: dict[str, Path]) -> None:
    body = b'{"model": "prose", "prompt": ""}'
    head = b"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    with served_by_process(served_models) as server, server.connected() as client:
        assert server.process is not None
        client.sendall(head + b"content-length: %d\r\n\r\n" % len(body))
        server.client.get("/health")  # by now the server has read the head
        server.process.send_signal(signal.SIGTERM)
        until_it_listens_no_more(server)
        client.sendall(body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert server.process.wait(WAIT) == 0


def test_a_second_ctrl_c_does_not_wait(served_models: dict[str, Path]) -> None:
    with served_by_process(served_models, "--max-tokens", "10000000") as server:
        assert server.process is not None
        held = begun_stream(server, max_tokens=10_000_000)
        server.process.send_signal(signal.SIGINT)
        until_it_listens_no_more(server)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(WAIT) == 130
        held[0].close()


def test_the_environment_sets_the_address_and_options_take_precedence(
    served_models: dict[str, Path],
) -> None:
    environment = {"NEXTCHAR_PORT": "1", "NEXTCHAR_API_KEY": "from-outside"}
    with served_by_process(served_models, env=environment) as server:  # --port 0 takes precedence
        assert server.client.get("/v1/models").status_code == 401
        headers = {"authorization": "Bearer from-outside"}
        assert server.client.get("/v1/models", headers=headers).status_code == 200


def test_a_port_in_use_is_one_line_and_status_1(served_models: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "nextchar",
                "serve",
                str(served_models["prose"]),
                "--port",
                str(port),
            ],
            capture_output=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUTF8": "1"},
            check=False,
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"nextchar: cannot listen on 127.0.0.1:{port} (")
    assert done.stderr.count("\n") == 1


def test_names_and_both_kinds_of_address_can_be_listened_on() -> None:
    for host, shown in (("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")):
        try:
            with bind(ServerSettings(host=host, port=0)) as listening:
                assert url_of(listening).startswith((f"http://{shown}:", "http://[::1]:"))
        except RunError as error:
            assert host == "::1", error  # noqa: PT017 - a machine may be without IPv6
    with pytest.raises(RunError, match=r"cannot listen on no\.such\.host\.invalid:0 "):
        bind(ServerSettings(host="no.such.host.invalid", port=0))


def test_several_servers_run_in_threads_of_one_process(served_models: dict[str, Path]) -> None:
    before = threading.active_count()
    with served(served_models) as one, served(served_models) as other:
        assert one.url != other.url
        assert one.texts(prompt="It", seed=1) == other.texts(prompt="It", seed=1)
    assert threading.active_count() == before


def test_without_the_extra_one_line_says_what_to_install(
    served_models: dict[str, Path], tmp_path: Path
) -> None:
    bare = 'raise ModuleNotFoundError("No module named " + repr(__name__), name=__name__)\n'
    (tmp_path / "starlette.py").write_text(bare, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "nextchar", "serve", str(served_models["prose"])],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 1
    message = 'nextchar: serve needs starlette; install it with: pip install "'
    assert done.stderr.startswith(message)
    assert '"starlette>=' in done.stderr
    assert done.stderr.count("\n") == 1


def test_requests_are_logged_with_access_log(
    served_models: dict[str, Path],
) -> None:
    with served_by_process(served_models, "--access-log") as server:
        assert server.process is not None
        server.client.get("/health%1b[31m")
        server.process.send_signal(signal.SIGTERM)
        _, log = server.process.communicate(timeout=WAIT)
        assert re.fullmatch(r"nextchar: GET /health\\x1b\[31m 404 \d+\.\d ms\n", log), log
