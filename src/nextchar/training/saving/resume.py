"""Going on with a run: its checkpoint, its metrics, and settings that may or may not differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nextchar.errors import RunError
from nextchar.runs.run_files import CONFIG, METRICS, read_config, read_ranks
from nextchar.settings.config import BUDGETS, Settings, option_of
from nextchar.training.events import Evaluated, Note, OnEvent
from nextchar.training.saving.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)
from nextchar.training.saving.metric_records import evaluations_of
from nextchar.training.saving.run_directory import RunDirectory
from nextchar.training.saving.write_errors import explain_write_errors

_ENDS = {*BUDGETS, "patience"}  # settings by which a run ends
# what may differ when a run is resumed: where and how it ends, and what it tells on the way
_MAY_CHANGE = {*_ENDS, "eval_every", "sample_every", "keep_samples", "on_divergence"}


def resumed_settings(
    path: Path, given: Mapping[str, Any], ranks: int = 1
) -> tuple[Settings, dict[str, Any]]:
    """The settings of a run that is to go on, with the given ones laid over where they may change.

    Also where its text came from. Raises RunError that lists what may not change and differs.
    ranks: how many are to go on together; if they are others than before, so may threads be.
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
    """The directory's checkpoint, or the fresh start where it was stopped before its first one."""
    if not directory.checkpoint.exists():
        return fresh
    now, noted = settings.flat(), read_config(directory.path)[0].flat()
    kept = dict(now)
    if ranks > 1 or read_ranks(directory.path) > 1:
        del kept["threads"]
    checkpoint = load_checkpoint(
        directory.checkpoint, fresh, lambda before: _require_same(directory.path, before, kept)
    )
    before = checkpoint.settings or noted
    if changed := _differing(before, {name: noted[name] for name in _MAY_CHANGE}):
        on_event(Note(f"{CONFIG} was changed since the checkpoint: {changed}"))
    if any(before.get(name) != now[name] for name in _MAY_CHANGE):
        checkpoint.progress.done &= all(before.get(name) == now[name] for name in _ENDS)
        checkpoint = replace(checkpoint, settings=now)
        with explain_write_errors(directory.path, directory.checkpoint):
            save_checkpoint(directory.checkpoint, checkpoint)  # before config.toml says the new end
    return checkpoint


def load_history(directory: RunDirectory, progress: Progress, on_event: OnEvent) -> list[Evaluated]:
    """The evaluations up to the checkpoint, from the metrics; says where the last are lost."""
    try:
        before = evaluations_of(directory.rewind_metrics(progress.step, progress.retries))
    except ValueError as error:
        raise RunError(
            f"{directory.path / METRICS}: cannot be read ({error}); mend it, or move it away to go "
            "on without its records"
        ) from error
    evaluated = progress.characters - progress.loss_characters  # so many at the last one
    if evaluated and not (before and before[-1].characters == evaluated):
        on_event(Note(f"{METRICS} lacks evaluations that the checkpoint knows of"))
    return before


def _require_same(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise RunError that lists what differs of the settings that a resumed run must keep."""
    kept = {name: value for name, value in now.items() if name not in _MAY_CHANGE}
    if wrong := _differing(before, kept):
        raise RunError(f"{path}: cannot resume with other settings: {wrong}")


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What differs of two sets of settings, of those that both have; an empty text for nothing."""
    return "; ".join(
        f"{option_of(name)} was {' '.join(str(before[name]).split()):.60}, now {now[name]}"
        for name in sorted(now)
        if name in before and before[name] != now[name]
    )
