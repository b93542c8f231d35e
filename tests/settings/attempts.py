"""Settings of any group, made for a test, and the message by which they are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from nextchar.errors import SettingsError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.settings.config import BUDGETS, GROUPS, TrainingSettings

KINDS = (*GROUPS.values(), GenerationSettings)
Field = dataclasses.Field[Any]


def made(kind: type[Any], **given: Any) -> Any:
    """Settings of one kind; a budget switches the default one off."""
    if "test_fraction" in given:  # the two parts must leave one to train on
        given = {"val_fraction": 0.0, **given}
    if kind is TrainingSettings and not given.keys().isdisjoint(BUDGETS):
        given = {**dict.fromkeys(BUDGETS), **given}
    return kind(**given)


def refused(kind: type[Any], **given: Any) -> str:
    """The one-line message by which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        made(kind, **given)
    message = str(caught.value)
    assert "\n" not in message
    return message
