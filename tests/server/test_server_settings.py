"""Settings of the server: local names, origins, and invalid values."""

from __future__ import annotations

import pytest

from nextchar.errors import SettingsError
from nextchar.server.server_settings import ServerSettings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_a_server_for_this_machine_alone_answers_to_local_names(host: str) -> None:
    assert ServerSettings(host=host).names == ["localhost"]
    assert ServerSettings(host=host, allowed_hosts="a, b").names == ["localhost", "a", "b"]
    assert ServerSettings(host=host, api_key="key").names is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "models.example"])
def test_a_server_for_others_answers_to_any_name(host: str) -> None:
    assert ServerSettings(host=host).names is None


def test_origins_are_listed_with_commas() -> None:
    assert ServerSettings().origins == []
    assert ServerSettings(cors_origins="*").origins == ["*"]
    assert ServerSettings(cors_origins="https://a, https://b,").origins == [
        "https://a",
        "https://b",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1), ("port", 65536), ("parallel", 0), ("queue", -1), ("timeout", 0.0),
        ("grace", -1.0), ("max_tokens", 0), ("default_max_tokens", 10_001), ("max_body", 10),
        ("api_key", ""), ("api_key", "ä"), ("api_key", "a\nb"), ("dtype", "float64"),
    ],
)  # fmt: skip
def test_a_value_of_no_use_is_named(name: str, value: object) -> None:
    with pytest.raises(SettingsError, match=f"^{name} ") as raised:
        ServerSettings(**{name: value})
    assert raised.value.setting == name
