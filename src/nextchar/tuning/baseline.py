"""What the preset `auto` chooses here, found by beginning a run and leaving it at its first step.

So what is wrong with texts, settings or memory is told before there is a study, as a run tells it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nextchar.errors import InterruptedRun
from nextchar.runs.run_files import read_config
from nextchar.settings.presets import AUTO
from nextchar.training.events import Event, Note, OnEvent, Started
from nextchar.training.run import start
from nextchar.training.session import Hooks
from nextchar.tuning.sweep_texts import Texts


class _Chosen(Exception):  # noqa: N818 - it is no error
    """All is chosen, and the first step is about to be taken."""


def auto_baseline(
    texts: Texts,
    given: Mapping[str, Any],
    folder: Path,
    on_event: OnEvent,
    should_stop: Callable[[], bool],
) -> dict[str, Any]:
    """Every setting by name. given: what is fixed, how a trial ends among it."""

    def listen(event: Event) -> None:
        if isinstance(event, Note):
            on_event(event)
        if isinstance(event, Started):
            raise _Chosen
        if should_stop():
            raise InterruptedRun("interrupted before the first trial; nothing is there yet")

    run = folder / ".auto"
    shutil.rmtree(run, ignore_errors=True)
    try:
        start(
            texts.text,
            preset=AUTO,
            given=given,
            validation=texts.validation,
            base=texts.base,
            out=run,
            hooks=Hooks(listen, should_stop),
        )
    except _Chosen:
        settings, _ = read_config(run)
    finally:
        shutil.rmtree(run, ignore_errors=True)
    return settings.flat()
