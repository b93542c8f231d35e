"""`nextchar generate --interactive`: a typewriter on the terminal, drawn by prompt_toolkit.

The screen is drawn on standard output, or on standard error where that is the terminal, so that
the text can be sent into a file. It is printed when the person leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.text_io import print_text
from nextchar.errors import InterruptedRun, MissingExtraError, SettingsError
from nextchar.generation.generation_settings import GenerationSettings

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from nextchar.cli.interactive.controller import Controller
    from nextchar.model.file import Model

ESCAPE = 0.3  # seconds in which a digit after Esc is one with it

COLOURS = {  # black on what is light, so that they serve light terminals and dark ones
    "likely": "bg:#fff3b0 fg:#000000",
    "unlikely": "bg:#ffc46b fg:#000000",
    "surprising": "bg:#ff8f7a fg:#000000",
}
NO_COLOURS = {"unlikely": "underline", "surprising": "reverse"}
ALWAYS = {"bar": "reverse", "chosen": "bold"}


def run_session(
    model: Model,
    name: str,
    prompt: str | bytes,
    settings: GenerationSettings,
    how: Mapping[str, Any],
    *,
    is_alone: bool,
) -> None:
    """Let a person write with a model, and print the text.

    name: what the model is called. how: arguments of `make_request`. is_alone: whether none of the
    options was given that ask for another form of output.
    Raises MissingExtraError without prompt_toolkit, SettingsError without a terminal.
    """
    if not is_alone:
        raise SettingsError("interactive: leave json, novel and prompts out")
    if settings.samples > 1 or settings.best_of is not None or settings.num_beams > 1:
        raise SettingsError(
            "interactive: one text is written; leave samples, best_of and num_beams out"
        )
    try:
        import prompt_toolkit  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("--interactive", "prompt_toolkit", "interactive") from None
    if not (_is_terminal(sys.stdin) and (_is_terminal(sys.stdout) or _is_terminal(sys.stderr))):
        raise SettingsError("interactive: wants a terminal to type at; leave it out")

    from nextchar.cli.interactive.controller import Controller
    from nextchar.generation.interactive.writing_session import WritingSession
    from nextchar.generation.requests import make_request

    with (
        announce_compilation_on_stderr(),
        WritingSession(model, make_request(model, prompt, settings, **how)) as session,
    ):
        session.manuscript.warm_up()  # so that nothing is told on the screen
        try:
            with contextlib.suppress(EOFError):  # the terminal is gone
                _application(Controller(session, name)).run()
        finally:
            data = session.data
            print_text(data if model.vocabulary.is_bytes else data + b"\n")


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _application(typewriter: Controller) -> Application[None]:
    from prompt_toolkit.application import Application
    from prompt_toolkit.data_structures import Point
    from prompt_toolkit.layout import FormattedTextControl, Layout, Window
    from prompt_toolkit.output import ColorDepth
    from prompt_toolkit.output.defaults import create_output
    from prompt_toolkit.styles import Style
    from prompt_toolkit.utils import get_cwidth

    from nextchar.cli.interactive.keys import bindings_for
    from nextchar.cli.interactive.screen import screen

    output = create_output(always_prefer_tty=True)
    is_plain = output.get_default_color_depth() == ColorDepth.DEPTH_1_BIT  # NO_COLOR, TERM=dumb
    cursor = [0, 0]

    def shown() -> StyleAndTextTuples:
        size = output.get_size()
        made = screen(typewriter, size.rows, size.columns, get_cwidth)
        cursor[:] = made.cursor
        fragments: StyleAndTextTuples = [
            fragment for row in made.rows for fragment in (*row, ("", "\n"))
        ]
        return fragments[:-1]

    control = FormattedTextControl(
        shown, focusable=True, get_cursor_position=lambda: Point(x=cursor[1], y=cursor[0])
    )
    application: Application[None] = Application(
        Layout(Window(control)),
        key_bindings=bindings_for(typewriter),
        style=Style.from_dict(ALWAYS | (NO_COLOURS if is_plain else COLOURS)),
        output=output,
        full_screen=True,
    )
    application.timeoutlen = ESCAPE
    application.ttimeoutlen = ESCAPE / 6
    application.pre_run_callables.append(lambda: _leave_on_signal(application))
    return application


def _leave_on_signal(application: Application[None]) -> None:
    """Give the terminal back, and print the text, when the program is told to end."""

    def leave(number: int) -> None:
        stopped = InterruptedRun("stopped; the text was printed")
        stopped.signal = number
        if not application.is_done:
            application.exit(exception=stopped)

    with contextlib.suppress(NotImplementedError):  # Windows
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name)
            asyncio.get_running_loop().add_signal_handler(number, leave, number)
