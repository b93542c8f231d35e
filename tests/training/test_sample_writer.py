"""Samples during training: when one is kept, the same ones after a resume, none for 0."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from nextchar.model.file import Model
from nextchar.runs.run_files import SAMPLES, read_samples
from nextchar.settings.config import Settings
from nextchar.training.events import Event, Sampled
from nextchar.training.run_context import Hooks, RunContext
from nextchar.training.sample_writer import SampleWriter, is_due
from nextchar.training.saving.run_directory import RunDirectory


def kept_of(most: int, evaluations: int) -> list[float]:
    """Fractions at which samples are kept in a run with this number of evaluations."""
    kept: list[float] = []
    for number in range(evaluations + 1):
        if is_due(number / evaluations, kept[-1] if kept else None, most):
            kept.append(number / evaluations)
    return kept


def test_samples_are_denser_in_the_beginning() -> None:
    assert kept_of(8, 20) == [0, 0.05, 0.1, 0.15, 0.25, 0.5, 1]
    assert kept_of(3, 20) == [0, 0.5, 1]
    assert kept_of(8, 1) == [0, 1]


@pytest.mark.parametrize("most", [0, 1, 2, 3, 8, 15])
def test_never_more_than_asked_for(most: int) -> None:
    assert len(kept_of(most, 2**14)) == most


def writer_of(
    directory: RunDirectory, events: list[Event], step: int = 0, **settings: int
) -> SampleWriter:
    training = Settings.make("medium", **settings).training
    write = lambda model, at: f"at {at}"  # noqa: E731
    context = RunContext(Hooks(events.append, make_sample=write), directory)
    return SampleWriter(training, context, lambda name: nullcontext(), step)


def test_samples_are_kept_shown_and_forgotten(tmp_path: Path, small_model: Model) -> None:
    events: list[Event] = []
    model = lambda: small_model  # noqa: E731
    with RunDirectory.create(tmp_path / "run") as directory:
        writer = writer_of(directory, events, sample_every=10)
        for step in (0, 10, 50, 100):
            writer.keep_if_due(step, step / 100, model)
            writer.show_if_due(step, step == 100, model)
        assert [each["step"] for each in read_samples(directory.path)] == [0, 10, 50, 100]
        assert events == [Sampled(step, f"at {step}") for step in (0, 10, 50, 100)]
        resumed = writer_of(directory, events, step=50)
        resumed.keep_if_due(60, 0.6, model)
        resumed.keep_if_due(100, 1.0, model)
        assert [each["step"] for each in read_samples(directory.path)] == [0, 10, 50, 100]
        resumed.rewind(10)
        resumed.keep_if_due(30, 0.3, model)
        assert [each["step"] for each in read_samples(directory.path)] == [0, 10, 30]


def test_none_are_kept_where_none_are_wanted(tmp_path: Path, small_model: Model) -> None:
    with RunDirectory.create(tmp_path / "run") as directory:
        writer = writer_of(directory, [], keep_samples=0)
        writer.keep_if_due(0, 0.0, lambda: small_model)
        assert writer.trial_sample(small_model) is None
        assert not (directory.path / SAMPLES).exists()


def test_lines_that_are_no_samples_are_left_out(tmp_path: Path) -> None:
    lines = [
        '{"step": 1, "fraction": 0, "text": "a"}', "{", "[]", '{"step": 1.5, "text": "b"}',
        '{"step": 2, "fraction": "x", "text": "c"}', '{"step": 3, "fraction": 1, "text": "d"}',
    ]  # fmt: skip
    (tmp_path / SAMPLES).write_text("\n".join(lines))
    assert [each["text"] for each in read_samples(tmp_path)] == ["a", "d"]
    assert read_samples(tmp_path / "nowhere") == []
