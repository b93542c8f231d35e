"""Static pages: content, types, etags, and a policy that forbids external resources."""

from __future__ import annotations

import re
from importlib import resources

import pytest

from serving import Server

FILES = [
    each.name for each in (resources.files("nextchar.server") / "playground").iterdir()
]  # fmt: skip


def test_the_page_and_every_file_of_it_are_served_as_they_are(server: Server) -> None:
    folder = resources.files("nextchar.server") / "playground"
    for name in FILES:
        path = "/" if name == "index.html" else f"/playground/{name}"
        answer = server.client.get(path)
        assert answer.status_code == 200, path
        assert answer.content == (folder / name).read_bytes()


@pytest.mark.parametrize("path", ["/", "/docs", "/playground/reference.css", "/openapi.json"])
def test_pages_may_load_and_be_shown_nowhere_else(server: Server, path: str) -> None:
    headers = server.client.get(path).headers
    policy = dict(re.findall(r"([\w-]+) ([^;]+)", headers["content-security-policy"]))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_types_are_those_of_the_files(server: Server) -> None:
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/playground/reference.css", "text/css; charset=utf-8"),
        ("/openapi.json", "application/json"),
    ):
        assert server.client.get(path).headers["content-type"] == kind


def test_a_page_that_a_client_has_is_not_sent_again(server: Server) -> None:
    first = server.client.get("/docs")
    tag = first.headers["etag"]
    for known in (tag, f'"other", W/{tag}'):
        again = server.client.get("/docs", headers={"if-none-match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
    changed = server.client.get("/docs", headers={"if-none-match": '"other"'})
    assert changed.content == first.content


def test_a_head_request_gets_the_headers_alone(server: Server) -> None:
    answer = server.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"]
