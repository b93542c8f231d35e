"""Terminal application of interactive writing, drawn by prompt_toolkit.

The screen is drawn on standard output, or on standard error if only that is a terminal, so that the
text can be redirected to a file. The text is printed at the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING, Any

from nextchar.cli.output.compile_notice import announce_compilation_on_stderr
from nextchar.cli.output.text_io import print_text
from nextchar.errors import InterruptedRun, MissingExtraError, SettingsError
from nextchar.generation.generation_settings import GenerationSettings

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.formatted_text import StyleAndTextTuples

    from nextchar.cli.interactive.controller import Controller
    from nextchar.generation.requests import RequestOptions
    from nextchar.model.file import Model

ESCAPE = 0.3  # seconds in which a digit after Esc belongs to it

COLOURS = {  # black on light colours, legible on light terminals and dark ones
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
    options: RequestOptions,
    *,
    seed: int,
    is_alone: bool,
) -> None:
    """Let a person write with a model, and print the text.

    name: name of the model on the screen. is_alone: no option asks for another form of output.
    Raises MissingExtraError without prompt_toolkit, SettingsError without a terminal.
    """
    _require_one_text(settings, is_alone)
    try:
        import prompt_toolkit  # noqa: F401
    except ModuleNotFoundError:
        raise MissingExtraError("--interactive", "prompt_toolkit", "interactive") from None
    if not (_is_terminal(sys.stdin) and (_is_terminal(sys.stdout) or _is_terminal(sys.stderr))):
        raise SettingsError("needs a terminal", setting="interactive", remedy="leave it out")

    from nextchar.cli.interactive.controller import Controller
    from nextchar.generation.interactive.writing_session import WritingSession
    from nextchar.generation.requests import make_request

    request = make_request(model, prompt, settings, options, seed=seed)
    with announce_compilation_on_stderr(), WritingSession(model, request) as session:
        session.warm_up()  # so that no notice of compilation disturbs the screen
        try:
            with contextlib.suppress(EOFError):  # the terminal is gone
                _application(Controller(session, name)).run()
        finally:
            data = session.data
            print_text(data if model.vocabulary.is_bytes else data + b"\n")


def _require_one_text(settings: GenerationSettings, is_alone: bool) -> None:
    others = "samples, best_of and num_beams"
    if not is_alone:
        others = "json, novel and prompts"
    elif settings.samples == 1 and settings.best_of is None and settings.num_beams == 1:
        return
    raise SettingsError(
        f"cannot be combined with {others}", setting="interactive", remedy="leave them out"
    )


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()


def _application(controller: Controller) -> Application[None]:
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

    def draw() -> StyleAndTextTuples:
        size = output.get_size()
        view = screen(controller, size.rows, size.columns, get_cwidth)
        cursor[:] = view.cursor
        controller.limit_scroll(view.scrolled)
        fragments: StyleAndTextTuples = [
            fragment for row in view.rows for fragment in (*row, ("", "\n"))
        ]
        return fragments[:-1]

    control = FormattedTextControl(
        draw, focusable=True, get_cursor_position=lambda: Point(x=cursor[1], y=cursor[0])
    )
    application: Application[None] = Application(
        Layout(Window(control)),
        key_bindings=bindings_for(controller),
        style=Style.from_dict(ALWAYS | (NO_COLOURS if is_plain else COLOURS)),
        output=output,
        full_screen=True,
    )
    application.timeoutlen = ESCAPE
    application.ttimeoutlen = ESCAPE / 6
    application.pre_run_callables.append(lambda: _leave_on_signal(application))
    return application


def _leave_on_signal(application: Application[None]) -> None:
    """Restore the terminal and print the text when the process receives a signal to end."""

    def leave(number: int) -> None:
        if not application.is_done:
            error = InterruptedRun("stopped; the text was printed", signal=number)
            application.exit(exception=error)

    with contextlib.suppress(NotImplementedError):  # Windows
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name)
            asyncio.get_running_loop().add_signal_handler(number, leave, number)
