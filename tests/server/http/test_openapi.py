"""The OpenAPI document: a fuzzer that reads it finds no answer outside of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck
from schemathesis import checks
from schemathesis.specs.openapi import checks as spec

from nextchar.server.http.openapi import document
from nextchar.server.routes import ROUTES
from nextchar.server.server_settings import ServerSettings
from serving import Server, served

KEY = "a key"
LIMITS = {"max_tokens": 20, "max_prompt": 200, "max_choices": 8}


@pytest.fixture(scope="module")
def keyed(served_models: dict[str, Path]) -> Any:
    """A server with a key, which the document describes, and small limits."""
    with served(served_models, api_key=KEY, **LIMITS) as server:
        yield server


CHECKS = [
    checks.not_a_server_error,
    spec.status_code_conformance,
    spec.content_type_conformance,
    spec.response_headers_conformance,
    spec.response_schema_conformance,
    spec.negative_data_rejection,
    spec.missing_required_header,
    spec.unsupported_method,
]


@pytest.mark.slow
@pytest.mark.parametrize("operation", ROUTES, ids=lambda each: f"{each.method} {each.path}")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from dependencies of the fuzzer
def test_what_a_fuzzer_makes_of_the_document_is_answered_as_it_says(
    keyed: Server, operation: Any
) -> None:
    schema = schemathesis.openapi.from_dict(document(ServerSettings(api_key=KEY, **LIMITS)))
    schema.config.update(base_url=keyed.url)
    cases = schema[operation.path][operation.method].as_strategy(
        generation_mode=schemathesis.GenerationMode.POSITIVE
    ) | schema[operation.path][operation.method].as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )

    @hypothesis.settings(
        max_examples=40 if operation.body else 5,
        suppress_health_check=list(HealthCheck),
        deadline=None,
    )
    @hypothesis.given(case=cases)
    def answered(case: Any) -> None:
        case.call_and_validate(headers={"authorization": f"Bearer {KEY}"}, checks=CHECKS)

    answered()


def test_the_document_that_is_served_has_every_route(server: Server) -> None:
    described = server.client.get("/openapi.json").json()
    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) == {operation.path for operation in ROUTES}
    for path, methods in described["paths"].items():
        for method in methods:
            answer = server.client.request(method, path.replace("{id}", "prose"))
            assert answer.status_code in (200, 415), path
    names = set(re.findall(r"#/components/schemas/(\w+)", str(described)))
    assert names <= set(described["components"]["schemas"])


def test_the_document_states_the_limits_in_force() -> None:
    described = document(ServerSettings(**LIMITS))
    fields = described["components"]["schemas"]["CompletionRequest"]["properties"]
    assert fields["max_tokens"]["anyOf"][0]["maximum"] == 20
    assert fields["n"]["anyOf"][0]["maximum"] == 8
    assert "securitySchemes" not in described["components"]
