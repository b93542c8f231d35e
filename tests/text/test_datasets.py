"""Named data sets: two without a network, one over a real local server that misbehaves."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import socket
import sys
import sysconfig
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pooch
import pytest

from nextchar.errors import TextError
from nextchar.settings.config import TextSettings
from nextchar.text import datasets
from nextchar.text.datasets import SHAKESPEARE_SHA256, download, load
from nextchar.text.reading import read_corpus

BODY = b"First Citizen:\nBefore we proceed any further, hear me speak.\n" * 2000
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers each path in its own way; requests are kept in `asked` of the server."""

    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.path == "/whole":
            self.answer(200, len(BODY), BODY)
        elif self.path == "/broken":  # the connection ends in the middle of the body
            self.answer(200, len(BODY), BODY[: len(BODY) // 2])
        elif self.path == "/other":
            self.answer(200, 8, b"captured")
        elif self.path == "/empty":
            self.answer(200, 0, b"")
        elif self.path == "/no-gzip":
            self.answer(200, 8, b"not gzip", ("Content-Encoding", "gzip"))
        elif self.path == "/endless-redirect":
            self.answer(302, 0, b"", ("Location", self.path))
        elif self.path == "/mute":
            pass  # closes without a response
        else:
            self.send_error(404)

    def answer(self, status: int, length: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in [("Content-Length", str(length)), *headers]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """A local server that records its requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in "no_proxy", "NO_PROXY":
        monkeypatch.setenv(name, "127.0.0.1")
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def fails(url: str, folder: Path, sha256: str = SHA256) -> str:
    """The one-line error of a download."""
    with pytest.raises(TextError) as caught:
        download(url, sha256, "text.txt", folder)
    message = str(caught.value)
    assert message.startswith(f"{url}: ")
    assert "\n" not in message
    return message


# in every Python


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(("name", "word"), [("pydoc", "lambda"), ("stdlib", "def ")])
def test_what_comes_with_python_loads_without_a_network(name: str, word: str) -> None:
    text = load(name).decode()  # UTF-8
    assert len(text) > 100_000
    assert word in text
    assert load(name).decode() == text


@pytest.mark.usefixtures("no_network")
def test_a_data_set_is_a_corpus_by_its_name() -> None:
    corpus = read_corpus(["pydoc"], TextSettings())
    assert corpus.sha256 == hashlib.sha256(load("pydoc")).hexdigest()


def test_the_standard_library_comes_without_installed_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "b.py", "a/c.py", "test/x.py", "a/tests/y.py", "site-packages/z.py", "notes.txt":
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<{name}>")
    (tmp_path / "c.py").write_bytes("# coding: latin-1\nß".encode("latin-1"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert load("stdlib").decode() == "<a/c.py><b.py># coding: latin-1\nß"


def test_a_python_without_its_sources_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path / "nowhere"))
    with pytest.raises(TextError, match=r"^stdlib: this Python came without"):
        load("stdlib")


def test_a_python_without_its_documentation_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data", None)
    with pytest.raises(TextError, match=r"^pydoc: this Python came without"):
        load("pydoc")


# downloads


def test_a_download_is_put_into_the_folder_whole(server: Server, tmp_path: Path) -> None:
    path = download(server.url("/whole"), SHA256, "text.txt", tmp_path / "new" / "cache")
    assert path == tmp_path / "new" / "cache" / "text.txt"
    assert path.read_bytes() == BODY
    assert listing(path.parent) == ["text.txt"]


def test_a_second_call_downloads_nothing(server: Server, tmp_path: Path) -> None:
    for _ in range(2):
        download(server.url("/whole"), SHA256, "text.txt", tmp_path)
    assert server.asked == ["/whole"]


def test_what_is_in_the_cache_needs_no_server(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(BODY)
    download(server.url("/mute"), SHA256, "text.txt", tmp_path)
    assert server.asked == []


def test_a_damaged_file_in_the_cache_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_bytes(BODY[:100])
    assert download(server.url("/whole"), SHA256, "text.txt", tmp_path).read_bytes() == BODY
    assert server.asked == ["/whole"]


@pytest.mark.parametrize("path", ["/other", "/empty"])
def test_another_file_than_expected_is_an_error_and_not_kept(
    path: str, server: Server, tmp_path: Path
) -> None:
    message = fails(server.url(path), tmp_path)
    assert "SHA-256 differs" in message
    assert listing(tmp_path) == []


def test_a_connection_that_breaks_in_the_middle_is_an_error_and_leaves_nothing(
    server: Server, tmp_path: Path
) -> None:
    fails(server.url("/broken"), tmp_path)
    assert server.asked == ["/broken"]
    assert listing(tmp_path) == []
    # and the next attempt succeeds
    assert download(server.url("/whole"), SHA256, "text.txt", tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("path", ["/missing", "/mute", "/no-gzip", "/endless-redirect"])
def test_a_server_that_does_not_deliver_is_an_error_and_leaves_nothing(
    path: str, server: Server, tmp_path: Path
) -> None:
    message = fails(server.url(path), tmp_path)
    assert "could not be downloaded" in message
    assert "check the network" in message
    assert listing(tmp_path) == []


@pytest.mark.parametrize("path", ["/other", "/broken", "/missing", "/mute"])
def test_a_failed_download_does_not_touch_other_files(
    path: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "other.txt").write_text("mine")
    fails(server.url(path), tmp_path)
    assert listing(tmp_path) == ["other.txt"]


def test_without_a_network_the_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    message = fails(f"http://127.0.0.1:{port}/", tmp_path)
    assert "check the network, or give the path of a text file" in message
    assert listing(tmp_path) == []


def test_a_cache_folder_that_cannot_be_made_is_an_error(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands in the way")
    fails(server.url("/whole"), tmp_path / "cache")
    assert listing(tmp_path) == ["cache"]


def test_no_connection_is_left_open(server: Server, tmp_path: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in "/whole", "/other", "/broken", "/missing", "/mute":
            with contextlib.suppress(TextError):
                download(server.url(path), SHA256, f"{path[1:]}.txt", tmp_path)
            gc.collect()
    assert caught == []


# Shakespeare


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary cache folder."""
    place: Callable[[str], Path] = lambda name: tmp_path / name  # noqa: E731
    monkeypatch.setattr(pooch, "os_cache", place)
    return tmp_path / "nextchar"


def test_shakespeare_is_downloaded_once_into_the_users_cache(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "SHAKESPEARE_URL", server.url("/whole"))
    monkeypatch.setattr(datasets, "SHAKESPEARE_SHA256", SHA256)
    assert load("shakespeare") == load("shakespeare") == BODY
    assert server.asked == ["/whole"]
    assert listing(cache) == ["tinyshakespeare.txt"]


def test_shakespeare_out_of_reach_names_what_else_to_do(
    cache: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "SHAKESPEARE_URL", server.url("/mute"))
    with pytest.raises(TextError, match="give the path of a text file of your own"):
        read_corpus(["shakespeare"], TextSettings())
    assert listing(cache) == []


@pytest.mark.shared
def test_the_checksum_is_that_of_tiny_shakespeare(shakespeare: Path, cache: Path) -> None:
    data = shakespeare.read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHAKESPEARE_SHA256
    cache.mkdir()
    (cache / "tinyshakespeare.txt").write_bytes(data)
    assert load("shakespeare") == data  # no download: the file is the one expected
