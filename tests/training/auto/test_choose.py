"""Finished settings: those of the machine, and the choices of `auto`, before a run starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from conftest import PROSE
from nextchar.kernels.isa import HOST
from nextchar.settings.config import Settings
from nextchar.text.corpus import prepare, text_corpus
from nextchar.training.auto import choose
from nextchar.training.auto.choose import choose_settings, precision_of, resolve_threads
from nextchar.training.auto.policy import DataFacts, choose_auto
from nextchar.training.events import Event, Note
from nextchar.training.process_group import ProcessGroup
from nextchar.training.run_context import Hooks

TEXT = PROSE * 20


def chosen(given: dict[str, Any], *, auto: bool = True) -> tuple[Settings, list[str]]:
    """Settings for TEXT, and the notes."""
    settings = Settings.make(None, **given)
    events: list[Event] = []
    prepared = prepare(text_corpus(TEXT, settings.text), settings)
    finished = choose_settings(prepared, settings, given if auto else None, Hooks(events.append))
    return finished, [event.text for event in events if isinstance(event, Note)]


def test_with_another_preset_only_the_threads_are_filled_in() -> None:
    given = {"dtype": "float32"}
    settings, notes = chosen(given, auto=False)
    assert settings == resolve_threads(Settings.make(None, **given))
    assert settings.training.threads is not None
    assert notes == []


def test_auto_chooses_by_the_measured_throughput(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "measure_throughput", lambda *args: 1e11)
    given = {"time": "60s", "threads": 2, "dtype": "float32", "hidden_size": 96}
    settings, notes = chosen(given)
    vocabulary_size, characters = len(set(TEXT)), len(TEXT) - int(len(TEXT) * 0.1)
    expected = choose_auto(given, DataFacts(characters, vocabulary_size, 60 * 1e11))
    assert settings == expected.settings
    assert notes == list(expected.reasons)


def test_given_threads_stay_and_advice_on_the_launch_is_passed_on() -> None:
    class Group(ProcessGroup):
        def threads(self) -> int:
            return 7

        def launch_advice(self) -> str:
            return "bind to none"

    notes: list[Event] = []
    settings = resolve_threads(Settings.make(), Hooks(notes.append), Group())
    assert settings.training.threads == 7
    assert notes == [Note("bind to none", is_by_the_way=True)]
    given = Settings.make(threads=3)
    assert resolve_threads(given, Hooks(notes.append), Group()) == given
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("dtype", "precision"),
    [
        ("float64", (np.float64, False)),
        ("float32", (np.float32, False)),
        ("bfloat16", (np.float32, True)),
        ("auto", (np.float32, HOST.has_bfloat16)),
    ],
)
def test_precision_follows_dtype(dtype: str, precision: tuple[Any, bool]) -> None:
    assert tuple(precision_of(Settings.make(dtype=dtype))) == precision
