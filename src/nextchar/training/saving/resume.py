"""Resuming a run: its checkpoint, its earlier evaluations, settings that may or may not change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nextchar.errors import RunError
from nextchar.runs.run_files import CONFIG, METRICS, read_config, read_ranks, unreadable_metrics
from nextchar.settings.config import BUDGETS, Settings, option_of
from nextchar.training.events import Evaluated, Note, OnEvent
from nextchar.training.saving.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.saving.write_errors import explain_write_errors

_ENDS = {*BUDGETS, "patience"}  # settings that end a run
# settings that a resumed run may change: how it ends, and what it reports on the way
_MAY_CHANGE = {*_ENDS, "eval_every", "sample_every", "keep_samples", "on_divergence"}


def resumed_settings(
    path: Path, given: Mapping[str, Any], ranks: int = 1
) -> tuple[Settings, dict[str, Any]]:
    """Return the settings of a run that is resumed, and the source of its text.

    given: settings laid over the run's; RunError lists those that differ and must not change.
    ranks: processes that train from now on; if their number changes, threads may change too.
    """
    settings, source = read_config(path)
    old = settings.flat()
    if ranks != read_ranks(path):
        old["threads"] = given.get("threads")
    _require_same(path, old, given)
    if given.keys() & set(BUDGETS):
        old = {name: value for name, value in old.items() if name not in BUDGETS}
    return Settings.make(**{**old, **given}), source


def load_or_start(
    directory: RunDirectory,
    settings: Settings,
    fresh: Checkpoint,
    on_event: OnEvent,
    ranks: int = 1,
) -> Checkpoint:
    """Return the directory's checkpoint, or the fresh one if the run stopped before its first."""
    if not directory.checkpoint.exists():
        return fresh
    now, config = settings.flat(), read_config(directory.path)[0].flat()
    required = dict(now)
    if ranks > 1 or read_ranks(directory.path) > 1:
        del required["threads"]
    checkpoint = load_checkpoint(
        directory.checkpoint, fresh, lambda before: _require_same(directory.path, before, required)
    )
    before = checkpoint.settings or config
    if changed := _differing(before, {name: config[name] for name in _MAY_CHANGE}):
        on_event(Note(f"{CONFIG} was changed since the checkpoint: {changed}"))
    if any(before.get(name) != now[name] for name in _MAY_CHANGE):
        checkpoint.progress.done &= all(before.get(name) == now[name] for name in _ENDS)
        checkpoint = replace(checkpoint, settings=now)
        with explain_write_errors(directory.path):
            save_checkpoint(directory.checkpoint, checkpoint)  # before config.toml has the new end
    return checkpoint


def load_history(directory: RunDirectory, progress: Progress, on_event: OnEvent) -> list[Evaluated]:
    """Return the evaluations up to the checkpoint, from the metrics; report missing ones."""
    records = directory.rewind_metrics(progress.step, progress.retries)
    try:
        evaluations = [Evaluated.from_record(record) for record in records]
    except ValueError as error:
        raise unreadable_metrics(directory.path, error) from error
    at_last_one = progress.characters - progress.loss_characters
    if at_last_one and not (evaluations and evaluations[-1].characters == at_last_one):
        on_event(Note(f"{METRICS} lacks evaluations that the checkpoint includes"))
    return evaluations


def _require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise RunError that lists changed settings among those that a resumed run must keep."""
    required = {name: value for name, value in now.items() if name not in _MAY_CHANGE}
    if changed := _differing(before, required):
        raise RunError(f"cannot resume with other settings: {changed}", path=path)


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """List the settings that both have with different values; an empty string for none."""
    return "; ".join(
        f"{option_of(name)} was {' '.join(str(before[name]).split()):.60}, now {now[name]}"
        for name in sorted(now)
        if name in before and before[name] != now[name]
    )
