"""Pages: the playground, and the description of the API. All in memory; no path reaches a disk."""

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
    "cache-control": "no-cache",  # ask whether it is still the same
}


class Page:
    """A file that is given as it is, or not at all to a client that has it."""

    def __init__(self, data: bytes, media_type: str) -> None:
        self._data = data
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        self._headers = {**_HEADERS, "content-type": media_type, "etag": tag}
        self._tag = tag

    async def __call__(self, request: Request) -> Response:
        """The answer to a GET or HEAD."""
        known = request.headers.get("if-none-match", "").split(",")
        if any(each.strip().removeprefix("W/") == self._tag for each in known):
            return Response(status_code=304, headers=self._headers)
        return Response(self._data, headers=self._headers)


def playground() -> dict[str, Page]:
    """The pages of the playground by their paths; `/` is the first one."""
    folder = resources.files("nextchar.server") / "playground"
    files = {each.name: each for each in folder.iterdir() if each.is_file()}
    pages = {
        f"/playground/{name}": Page(file.read_bytes(), _TYPES[suffix])
        for name, file in files.items()
        if (suffix := "." + name.rpartition(".")[2]) in _TYPES
    }
    pages["/"] = pages.pop("/playground/index.html")
    return pages
