"""The ASGI application: the routes behind their middleware."""

from __future__ import annotations

from types import MethodType
from typing import Any

import msgspec
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from nextchar.server.http.docs_page import docs_page
from nextchar.server.http.middleware import AuthMiddleware, RequestMiddleware
from nextchar.server.http.openapi import document
from nextchar.server.http.static_files import Page, playground
from nextchar.server.prometheus import Metrics
from nextchar.server.registry import ModelRegistry
from nextchar.server.routes import ROUTES, Api
from nextchar.server.server_settings import ServerSettings


class App:
    """The ASGI application over the models of a registry."""

    def __init__(self, registry: ModelRegistry, settings: ServerSettings) -> None:
        metrics = Metrics()
        metrics.watch(lambda: registry.in_progress, lambda: registry.waiting)
        api = Api(registry, settings, metrics)
        openapi = document(settings)
        pages = {
            **playground(),
            "/docs": Page(docs_page(openapi).encode(), "text/html; charset=utf-8"),
            "/openapi.json": Page(msgspec.json.encode(openapi), "application/json"),
        }
        routes = [Route(path, page.__call__) for path, page in pages.items()]
        for each in ROUTES:
            path = each.path.replace("{id}", "{id:path}")
            routes.append(Route(path, MethodType(each.handler, api), methods=[each.method]))
        names = {route.endpoint: route.path.replace(":path", "") for route in routes}
        open_paths = frozenset({*pages, *(each.path for each in ROUTES if each.is_open)})
        router = Router(routes, redirect_slashes=False)
        app: ASGIApp = AuthMiddleware(router, settings, open_paths)
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
