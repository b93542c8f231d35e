"""Baseline of a sweep: the settings that the preset `auto` chooses on this machine.

Errors in texts and settings, and a lack of memory, are reported here, before a study exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nextchar.errors import InterruptedRun
from nextchar.settings.presets import AUTO
from nextchar.training.auto.choose import choose_settings
from nextchar.training.rank_batches import make_rank_batches
from nextchar.training.run import RunRequest, compilation_reported, read_text, resolve_request
from nextchar.training.run_context import Hooks
from nextchar.tuning.sweep_texts import SweepTexts


def auto_baseline(texts: SweepTexts, given: Mapping[str, Any], hooks: Hooks) -> dict[str, Any]:
    """Return every setting by name. given: fixed settings, the budget of a trial among them."""
    request = RunRequest(texts.text, AUTO, given, texts.validation, texts.base)
    resolved = resolve_request(request)
    prepared = read_text(resolved, hooks)
    with compilation_reported(hooks):
        settings = choose_settings(
            prepared, resolved.settings, resolved.given, hooks, is_trained=resolved.base is not None
        )
    make_rank_batches(prepared, settings, hooks)
    if hooks.should_stop():
        raise InterruptedRun("interrupted before the first trial; nothing was started yet")
    return settings.flat()
