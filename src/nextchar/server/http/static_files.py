"""Static pages, the playground among them, served from memory: no path reaches the disk."""

from __future__ import annotations

import hashlib
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",  # revalidate by the etag
}


class Page:
    """A file; a client that has it already gets 304."""

    def __init__(self, data: bytes, media_type: str) -> None:
        self._data = data
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        self._headers = {**_HEADERS, "content-type": media_type, "etag": tag}
        self._tag = tag

    async def __call__(self, request: Request) -> Response:
        """Answer a GET or HEAD."""
        known = request.headers.get("if-none-match", "").split(",")
        if any(each.strip().removeprefix("W/") == self._tag for each in known):
            return Response(status_code=304, headers=self._headers)
        return Response(self._data, headers=self._headers)


def playground() -> dict[str, Page]:
    """Return the files of the playground by path; `/` is its page."""
    folder = resources.files("nextchar.server") / "playground"
    files = {each.name: each for each in folder.iterdir() if each.is_file()}
    pages = {
        f"/playground/{name}": Page(file.read_bytes(), _TYPES[suffix])
        for name, file in files.items()
        if (suffix := "." + name.rpartition(".")[2]) in _TYPES
    }
    pages["/"] = pages.pop("/playground/index.html")
    return pages
