"""The command that repeats a run with its settings, text and starting model."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from nextchar.settings.config import BUDGETS, Settings, option_of
from nextchar.settings.presets import AUTO, PRESETS


def repeat_command(
    settings: Settings,
    inputs: Sequence[str],
    validation: Sequence[str] = (),
    start_from: str | None = None,
) -> str:
    """Return the `nextchar train` command that has these settings, quoted for a shell.

    It names the preset that needs the fewest options besides; `auto`, which chooses for the text
    and the time, is never that one. The budget is always given.
    inputs: files; without any the command has the placeholder TEXT. start_from: a model.
    """
    options = {name: _options(settings, name) for name in PRESETS if name != AUTO}
    preset = min(options, key=lambda name: len(options[name]))
    words = ["nextchar", "train", *(inputs or ["TEXT"]), "--preset", preset]
    for path in validation:
        words += ["--val", path]
    if start_from is not None:
        words += ["--from", start_from]
    for name, value in options[preset].items():
        words += [option_of(name)] if value is True else [option_of(name), str(value)]
    return shlex.join(words)


def _options(settings: Settings, preset: str) -> Mapping[str, Any]:
    """The settings to be given besides a preset."""
    base = Settings.make(preset).flat()
    return {
        name: value
        for name, value in settings.flat().items()
        if value is not None and (value != base[name] or name in BUDGETS)
    }
