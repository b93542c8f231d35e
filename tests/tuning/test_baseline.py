"""The baseline of a sweep: the choice of `auto`, made without starting a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nextchar.errors import InterruptedRun, SettingsError, TextError
from nextchar.training.events import Event, Note
from nextchar.training.run import RunRequest, train
from nextchar.training.run_context import Hooks
from nextchar.tuning.baseline import auto_baseline
from nextchar.tuning.sweep_texts import SweepTexts, sweep_texts_from_paths

GIVEN: dict[str, Any] = {"steps": 1, "threads": 1, "dtype": "float32", "hidden_size": 8}


@pytest.fixture
def texts(prose: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SweepTexts:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return sweep_texts_from_paths([str(prose)], [], None)


def test_it_is_the_choice_of_a_run_and_leaves_nothing_behind(texts: SweepTexts) -> None:
    events: list[Event] = []
    baseline = auto_baseline(texts, GIVEN, Hooks(events.append))
    assert baseline == train(RunRequest(texts.text, given=GIVEN)).settings.flat()
    assert any("parameters, the most that this run" in str(event) for event in events)
    assert all(isinstance(event, Note) for event in events)
    assert list(Path().iterdir()) == []


def test_a_text_that_is_not_there_is_reported() -> None:
    with pytest.raises(TextError):
        auto_baseline(sweep_texts_from_paths(["no such file"], [], None), GIVEN, Hooks())


def test_settings_that_need_too_much_memory_are_reported(texts: SweepTexts) -> None:
    with pytest.raises(SettingsError, match="memory"):
        auto_baseline(texts, {**GIVEN, "hidden_size": 100_000, "num_layers": 9}, Hooks())


def test_it_can_be_interrupted(texts: SweepTexts) -> None:
    with pytest.raises(InterruptedRun, match="before the first trial"):
        auto_baseline(texts, GIVEN, Hooks(should_stop=lambda: True))
