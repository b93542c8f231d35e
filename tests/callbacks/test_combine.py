"""Several callbacks behind one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nextchar.callbacks.combine import RunCallbacks, make_callbacks


class Recorder:
    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any) -> None:
        self.events.append(event)

    def close(self) -> None:
        self.events.append("closed")


def test_every_callback_gets_every_event_and_is_closed() -> None:
    recorders = [Recorder(), Recorder()]
    callbacks = RunCallbacks(recorders)
    callbacks("an event")
    callbacks.close()
    assert [each.events for each in recorders] == [["an event", "closed"]] * 2


def test_only_requested_callbacks_are_made(tmp_path: Path) -> None:
    names = [
        [type(each).__name__ for each in made._callbacks]
        for made in (
            make_callbacks(tmp_path, quiet=False, live=False, tensorboard=wanted)
            for wanted in (False, True)
        )
    ]
    assert names == [["ConsoleProgress"], ["ConsoleProgress", "TensorBoardWriter"]]
