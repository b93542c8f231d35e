"""The application: routes, and what stands before them."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from nextchar.server.http.docs_page import docs_page
from nextchar.server.http.middleware import AuthMiddleware, RequestMiddleware
from nextchar.server.http.openapi import OPERATIONS, document
from nextchar.server.http.static_files import Page, playground
from nextchar.server.prometheus import Metrics
from nextchar.server.registry import ModelRegistry
from nextchar.server.routes import Api
from nextchar.server.server_settings import ServerSettings

_OPEN = frozenset(op.path for op in OPERATIONS if op.is_open)


class App:
    """The ASGI application over some models."""

    def __init__(self, shelf: ModelRegistry, settings: ServerSettings) -> None:
        metrics = Metrics()
        metrics.watch(lambda: shelf.in_progress, lambda: shelf.waiting)
        api = Api(shelf, settings, metrics)
        described = document(settings)
        pages = {
            **playground(),
            "/docs": Page(docs_page(described).encode(), "text/html; charset=utf-8"),
            "/openapi.json": Page(msgspec.json.encode(described), "application/json"),
        }
        routes = [
            Route(
                op.path.replace("{id}", "{id:path}"),
                getattr(api, op.endpoint),
                methods=[op.method.upper()],
            )
            for op in OPERATIONS
        ]
        routes += [Route(path, each.__call__) for path, each in pages.items()]
        names = {route.endpoint: route.path.replace(":path", "") for route in routes}
        app: ASGIApp = AuthMiddleware(
            Router(routes, redirect_slashes=False), settings, _OPEN | frozenset(pages)
        )
        if settings.origins:
            app = CORSMiddleware(
                app,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST"],
                allow_headers=["*"],
                expose_headers=["x-request-id", "retry-after"],
            )
        self._app = RequestMiddleware(app, metrics, names)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)
