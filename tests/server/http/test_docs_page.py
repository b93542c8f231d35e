"""The page `/docs`: every route and field of the OpenAPI document."""

from __future__ import annotations

from serving import Server


def test_the_page_of_the_document_shows_every_route_and_field(server: Server) -> None:
    page = server.client.get("/docs").text
    described = server.client.get("/openapi.json").json()
    for path in described["paths"]:
        assert f" {path}</code>" in page
    for schema in described["components"]["schemas"].values():
        for field in schema["properties"]:
            assert f"<code>{field}</code>" in page
    assert "://" not in page
