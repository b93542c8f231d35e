"""The keys of an interactive session, bound to what they do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nextchar.cli.interactive.controller import STEP, Controller
from nextchar.cli.interactive.screen import candidates_shown

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

PACE = 1 / 40  # seconds for a character that is written by itself: as fast as can be read
PAGE = 5  # rows

Does = Callable[[], object]


def bindings_for(typewriter: Controller) -> KeyBindings:
    """What each key does; without a question at the foot, or with one."""
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    asks = Condition(lambda: typewriter.question is not None)
    for keys, does in _commands(typewriter).items():
        bindings.add(*keys.split(), filter=~asks)(_handler(typewriter, _without_event(does)))
    for key, step in (("up", -1), ("down", 1)):
        chooses = partial(_choose, typewriter=typewriter, step=step)
        bindings.add(key, filter=~asks)(_handler(typewriter, chooses))
    for keys, does in {
        "enter": typewriter.enter,
        "c-j": typewriter.enter,
        "backspace": typewriter.erase,
        "escape": typewriter.leave,
    }.items():
        bindings.add(keys)(_handler(typewriter, _without_event(does)))
    for key in ("<any>", "<bracketed-paste>"):
        bindings.add(key)(_handler(typewriter, lambda event: _type(event, typewriter)))
    for key in ("c-d", "c-q"):
        bindings.add(key)(_handler(typewriter, lambda event: event.app.exit()))
    for key in ("c-c", "<sigint>"):
        bindings.add(key)(
            _handler(typewriter, lambda event: event.app.exit(exception=KeyboardInterrupt()))
        )
    return bindings


def _commands(typewriter: Controller) -> dict[str, Does]:
    """Keys, two of them one after the other, and what they do; `screen.HELP` tells of them."""
    numbers: dict[str, Does] = {
        f"escape {digit}": partial(typewriter.pick, digit - 1) for digit in range(1, 10)
    }
    return numbers | {
        "tab": lambda: typewriter.pick(typewriter.chosen),
        "right": lambda: typewriter.write("character"),
        "c-w": lambda: typewriter.write("word"),
        "c-right": lambda: typewriter.write("word"),
        "c-l": lambda: typewriter.write("line"),
        "c-g": lambda: typewriter.write("text"),
        "left": typewriter.undo,
        "c-z": typewriter.undo,
        "c-y": typewriter.redo,
        "f2": lambda: typewriter.warm(-STEP),
        "f3": lambda: typewriter.warm(STEP),
        "c-t": lambda: typewriter.ask_setting("temperature", float),
        "c-k": lambda: typewriter.ask_setting("top_k", int),
        "c-p": lambda: typewriter.ask_setting("top_p", float),
        "c-r": typewriter.ask_seed,
        "c-s": typewriter.ask_file,
        "pageup": lambda: typewriter.scroll(PAGE),
        "pagedown": lambda: typewriter.scroll(-PAGE),
        "f1": typewriter.help,
        "escape ?": typewriter.help,
    }


def _handler(
    typewriter: Controller, does: Callable[[KeyPressEvent], object]
) -> Callable[[KeyPressEvent], None]:
    """What a key does, around what all keys do."""

    def handle(event: KeyPressEvent) -> None:
        if typewriter.is_writing:
            typewriter.writing = None  # any key stops, and does nothing else
            return
        typewriter.message = ""
        before = len(typewriter.session.manuscript)
        does(event)
        if len(typewriter.session.manuscript) != before:
            typewriter.show_end()
        event.app.create_background_task(_go_on(event.app, typewriter))

    return handle


def _without_event(does: Does) -> Callable[[KeyPressEvent], object]:
    return lambda _: does()


def _choose(event: KeyPressEvent, typewriter: Controller, step: int) -> None:
    shown = candidates_shown(event.app.output.get_size().rows)
    typewriter.choose(step, min(shown, len(typewriter.session.model.vocabulary)))


def _type(event: KeyPressEvent, typewriter: Controller) -> None:
    from prompt_toolkit.keys import Keys

    key = event.key_sequence[0].key
    if not isinstance(key, Keys) or key == Keys.BracketedPaste:  # the others have no character
        typewriter.type(event.data)


async def _go_on(application: Application[Any], typewriter: Controller) -> None:
    """Write by itself, at a pace that can be read, until a key is pressed."""
    writing = typewriter.writing
    while writing is not None and typewriter.writing is writing:
        typewriter.go_on()
        application.invalidate()
        await asyncio.sleep(PACE)
