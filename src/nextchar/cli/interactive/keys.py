"""Key bindings of interactive writing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from nextchar.cli.interactive.controller import TEMPERATURE_STEP, Controller
from nextchar.cli.interactive.screen import candidates_shown

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

CHARACTER_SECONDS = 1 / 40  # for each character of text that is generated: a pace to read at
PAGE = 5  # rows

Action = Callable[[], object]
EventAction = Callable[["KeyPressEvent"], object]


def bindings_for(controller: Controller) -> KeyBindings:
    """Return the bindings of all keys; while a question is open, those that edit the answer."""
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.key_binding import KeyBindings

    bindings = KeyBindings()
    asks = Condition(lambda: controller.question is not None)
    for keys, action in _commands(controller).items():
        bindings.add(*keys.split(), filter=~asks)(_handler(controller, _without_event(action)))
    for key, step in (("up", -1), ("down", 1)):
        move = partial(_move, controller=controller, step=step)
        bindings.add(key, filter=~asks)(_handler(controller, move))
    edits = {"enter": controller.enter, "c-j": controller.enter, "backspace": controller.erase}
    for keys, action in (edits | {"escape": controller.dismiss}).items():
        bindings.add(keys)(_handler(controller, _without_event(action)))
    for key in ("<any>", "<bracketed-paste>"):
        bindings.add(key)(_handler(controller, partial(_type, controller=controller)))
    for key in ("c-d", "c-q"):
        bindings.add(key)(_handler(controller, lambda event: event.app.exit()))
    for key in ("c-c", "<sigint>"):
        bindings.add(key)(
            _handler(controller, lambda event: event.app.exit(exception=KeyboardInterrupt()))
        )
    return bindings


def _commands(controller: Controller) -> dict[str, Action]:
    """Return the actions by key, or two keys in a row; `screen.HELP` describes them."""
    numbers: dict[str, Action] = {
        f"escape {digit}": partial(controller.pick, digit - 1) for digit in range(1, 10)
    }
    return numbers | {
        "tab": lambda: controller.pick(controller.chosen),
        "right": lambda: controller.start_generating("character"),
        "c-w": lambda: controller.start_generating("word"),
        "c-right": lambda: controller.start_generating("word"),
        "c-l": lambda: controller.start_generating("line"),
        "c-g": lambda: controller.start_generating("text"),
        "left": controller.undo,
        "c-z": controller.undo,
        "c-y": controller.redo,
        "f2": lambda: controller.change_temperature(-TEMPERATURE_STEP),
        "f3": lambda: controller.change_temperature(TEMPERATURE_STEP),
        "c-t": lambda: controller.ask_setting("temperature", float),
        "c-k": lambda: controller.ask_setting("top_k", int),
        "c-p": lambda: controller.ask_setting("top_p", float),
        "c-r": controller.ask_seed,
        "c-s": controller.ask_file,
        "pageup": lambda: controller.scroll(PAGE),
        "pagedown": lambda: controller.scroll(-PAGE),
        "f1": controller.toggle_help,
        "escape ?": controller.toggle_help,
    }


def _handler(controller: Controller, action: EventAction) -> Callable[[KeyPressEvent], None]:
    def handle(event: KeyPressEvent) -> None:
        controller.press(lambda: action(event))
        event.app.create_background_task(_keep_generating(event.app, controller))

    return handle


def _without_event(action: Action) -> EventAction:
    return lambda _: action()


def _move(event: KeyPressEvent, controller: Controller, step: int) -> None:
    shown = candidates_shown(event.app.output.get_size().rows)
    controller.move(step, min(shown, len(controller.session.model.vocabulary)))


def _type(event: KeyPressEvent, controller: Controller) -> None:
    from prompt_toolkit.keys import Keys

    key = event.key_sequence[0].key
    if not isinstance(key, Keys) or key == Keys.BracketedPaste:  # other keys have no character
        controller.type(event.data)


async def _keep_generating(application: Application[Any], controller: Controller) -> None:
    """Generate character by character until the text is complete or a key is pressed."""
    generating = controller.generating
    while generating is not None and controller.generating is generating:
        controller.tick()
        application.invalidate()
        await asyncio.sleep(CHARACTER_SECONDS)
