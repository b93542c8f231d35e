"""Controller of interactive writing: the actions of the keys, without a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextchar.errors import NextcharError, SettingsError, UnknownCharacterError
from nextchar.files import write_atomically
from nextchar.generation.generate import choose_seed
from nextchar.generation.interactive.writing_session import Unit, WritingSession

AT_ONCE = 200  # characters of a word or line that are generated before keys are read again
TEMPERATURE_STEP = 0.1


@dataclass
class Question:
    """A line that is typed at the foot of the screen. on_answer: called with the answer."""

    label: str
    on_answer: Callable[[str], None]
    typed: str = ""


class Controller:
    """A session, and the state of the screen around its text.

    chosen: the candidate that Tab takes. message: result of the last key, for the foot.
    scrolled: rows by which the text is moved down, or the help up.
    generating: text that is generated until a key is pressed, one character a step.
    """

    def __init__(self, session: WritingSession, name: str) -> None:
        self.session, self.name = session, name
        self.chosen, self.scrolled = 0, 0
        self.message = ""
        self.shows_help = False
        self.question: Question | None = None
        self.generating: Iterator[None] | None = None

    def press(self, action: Callable[[], object]) -> None:
        """Run the action of a key; while text is generated, any key only stops that."""
        if self.generating is not None:
            self.generating = None
            return
        self.message = ""
        length = len(self.session)
        action()
        if len(self.session) != length:
            self.show_end()

    def type(self, text: str) -> None:
        """Add a typed character or pasted text to the text or the answer."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self.question is not None:
            self.question.typed += text.replace("\n", "")
            return
        try:
            self.session.type(text)
        except UnknownCharacterError as error:
            self.message = f"the model does not know {error.character!r}"

    def pick(self, number: int) -> None:
        """Take a candidate, 0 the first."""
        candidates = self.session.candidates(number + 1)
        if number < len(candidates):
            self.session.pick(candidates[number].code)

    def move(self, step: int, shown: int) -> None:
        """Choose another of the candidates that are shown; in the help, scroll."""
        if self.shows_help:
            self.scroll(step)
        else:
            self.chosen = min(max(0, self.chosen + step), max(0, shown - 1))

    def scroll(self, rows: int) -> None:
        """Show earlier text, or later help."""
        self.scrolled = max(0, self.scrolled + rows)

    def limit_scroll(self, rows: int) -> None:
        """Take back scrolling beyond the rows that the screen can show."""
        self.scrolled = min(self.scrolled, rows)

    def start_generating(self, unit: Unit) -> None:
        """Generate a unit; the rest of a long one is left in `generating`."""
        length = len(self.session)
        generating = self.session.generate(unit)
        for _ in range(1 if unit == "text" else AT_ONCE):
            if next(generating, self) is self:  # the unit is complete
                break
        else:
            self.generating = generating
        if len(self.session) == length:
            self.message = "nothing can be generated here"
            if self.session.model.end_code is not None:
                self.message = "the record ends here; take its end to begin the next one"

    def tick(self) -> None:
        """Generate one more character of a unit that is in progress."""
        if self.generating is not None and next(self.generating, self) is self:
            self.generating = None
        self.show_end()

    def show_end(self) -> None:
        """Show the end of the text, with the first candidate chosen."""
        self.chosen, self.scrolled, self.shows_help = 0, 0, False

    def erase(self) -> None:
        """Remove the last character of the text or of the answer."""
        if self.question is not None:
            self.question.typed = self.question.typed[:-1]
        else:
            self.session.erase()

    def undo(self) -> None:
        """Undo the last edit."""
        if not self.session.undo():
            self.message = "nothing to undo"

    def redo(self) -> None:
        """Redo the last undone edit."""
        if not self.session.redo():
            self.message = "nothing to redo"

    def change_temperature(self, step: float) -> None:
        """Raise the temperature by a step."""
        temperature = max(0.0, round(self.session.settings.temperature + step, 6))
        self.session.change(temperature=temperature)

    def ask_setting(self, name: str, convert: Callable[[str], float]) -> None:
        """Ask for a value of a setting."""

        def on_answer(typed: str) -> None:
            self.session.change(**{name: _number(name, convert, typed)})

        label = f"{name} ({getattr(self.session.settings, name)})"
        self.question = Question(label, on_answer)

    def ask_seed(self) -> None:
        """Ask for a seed; an empty answer chooses a random one."""

        def on_answer(typed: str) -> None:
            self.session.reseed(choose_seed(_number("seed", int, typed) if typed else None))

        self.question = Question("seed (empty: random)", on_answer)

    def ask_file(self) -> None:
        """Ask for a file to save the text in."""
        self.question = Question(
            "save as", lambda typed: self._save(Path(typed)) if typed else None
        )

    def enter(self) -> None:
        """Answer the question, or add a line break."""
        question, self.question = self.question, None
        if question is None:
            self.type("\n")
            return
        try:
            question.on_answer(question.typed.strip())
        except NextcharError as error:
            self.message = str(error)

    def dismiss(self) -> None:
        """Close the question or the help."""
        self.question, self.shows_help, self.scrolled = None, False, 0

    def toggle_help(self) -> None:
        """Show the help, or the text again."""
        self.shows_help, self.scrolled = not self.shows_help, 0

    def _save(self, path: Path, replaces: bool = False) -> None:
        if path.exists() and not replaces:

            def on_answer(typed: str) -> None:
                if typed.lower() in ("y", "yes"):
                    self._save(path, replaces=True)

            self.question = Question(f"{path} exists; replace it? (y/n)", on_answer)
            return
        try:
            write_atomically(path, self.session.data)
            self.message = f"saved as {path}"
        except (OSError, ValueError) as error:
            self.message = f"{path}: {getattr(error, 'strerror', None) or error}"


def _number(name: str, convert: Callable[[str], float], typed: str) -> Any:
    try:
        return convert(typed)
    except ValueError as error:
        raise SettingsError("must be a number", setting=name, value=typed) from error
