"""Errors of the library as responses: names of fields, remedies, and JSON of any text."""

from __future__ import annotations

import json

import pytest

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.server.http.api_errors import ApiError, api_error, encoded, field_error


def detail(error: ApiError) -> dict[str, object]:
    return dict(json.loads(error.data)["error"])


@pytest.mark.parametrize(
    ("setting", "field"),
    [("length", "max_tokens"), ("samples", "n"), ("top_k", "top_k"), ("pattern", "pattern")],
)
def test_an_error_of_the_library_names_the_field_of_the_request(setting: str, field: str) -> None:
    answer = api_error(SettingsError("must be at most 16", setting=setting, value=20))
    assert answer.status == 400
    assert detail(answer) == {
        "message": f"{field} must be at most 16, got 20",
        "type": "invalid_request_error",
        "param": field,
        "code": None,
    }


def test_an_error_without_a_setting_has_no_param_but_the_callers() -> None:
    error = SettingsError("something is wrong: with a colon")
    assert detail(api_error(error))["message"] == "something is wrong: with a colon"
    assert detail(api_error(error))["param"] is None
    assert detail(api_error(error, param="prompt"))["param"] == "prompt"


def test_the_remedy_of_the_request_replaces_that_of_the_library() -> None:
    error = UnknownCharacterError("'Z' is unknown", "Z", 3, remedy="use --unknown skip")
    answer = detail(api_error(error, param="prompt", remedy='give "unknown": "skip"'))
    assert answer["message"] == '\'Z\' is unknown; give "unknown": "skip"'
    assert detail(api_error(error))["message"] == "'Z' is unknown; use --unknown skip"


def test_an_invalid_field_keeps_the_name_that_the_client_used() -> None:
    answer = detail(field_error("length", "is not a field of this request"))
    assert answer["param"] == "length"
    assert answer["message"] == "length is not a field of this request"


@pytest.mark.parametrize(("status", "kind"), [(429, "rate_limit_error"), (418, None)])
def test_the_status_gives_the_type_and_the_retry_header(status: int, kind: str | None) -> None:
    error = ApiError(status, "no")
    assert detail(error)["type"] == (kind or "invalid_request_error")
    assert error.headers == ({"retry-after": "1"} if status == 429 else {})


def test_lone_surrogates_that_a_model_learnt_do_not_break_an_answer() -> None:
    value = {"text": "a\ud800b", "tokens": ["\udfff", {"\ud800": 1.0}], "n": 1}
    assert json.loads(encoded(value)) == {"text": "a?b", "tokens": ["?", {"?": 1.0}], "n": 1}
