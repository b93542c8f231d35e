"""What the keys of an interactive session do, apart from any terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nextchar.errors import NextcharError, SettingsError, UnknownCharacterError
from nextchar.files import write_atomically
from nextchar.generation.generate import choose_seed
from nextchar.generation.interactive.writing_session import Unit, WritingSession

AT_ONCE = 200  # characters of a line that are written without a look at the keys
STEP = 0.1  # of the temperature


@dataclass
class Question:
    """A line that is typed at the foot of the screen. answer: what is done with it."""

    label: str
    answer: Callable[[str], None]
    typed: str = ""


class Controller:
    """A session and what is shown beside its text.

    chosen: the candidate that Tab takes. message: of the last key, for the foot of the screen.
    scrolled: rows that the text is moved down by, or the help up. writing: what goes on by itself.
    """

    def __init__(self, session: WritingSession, name: str) -> None:
        self.session, self.name = session, name
        self.chosen, self.scrolled = 0, 0
        self.message = ""
        self.helps = False
        self.question: Question | None = None
        self.writing: Iterator[None] | None = None

    @property
    def is_writing(self) -> bool:
        """Whether something goes on by itself."""
        return self.writing is not None

    def type(self, text: str) -> None:
        """A key, or what was pasted."""
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if self.question is not None:
            self.question.typed += text.replace("\n", "")
            return
        try:
            self.session.type(text)
        except UnknownCharacterError as error:
            self.message = f"the model never saw {error.character!r}"

    def pick(self, number: int) -> None:
        """Take a candidate, 0 the first."""
        candidates = self.session.candidates(number + 1)
        if number < len(candidates):
            self.session.pick(candidates[number].code)

    def choose(self, step: int, most: int) -> None:
        """Go up or down among as many candidates as are shown; in the help, scroll."""
        if self.helps:
            self.scroll(step)
        else:
            self.chosen = min(max(0, self.chosen + step), max(0, most - 1))

    def scroll(self, rows: int) -> None:
        """Show text that is further up, or help that is further down."""
        self.scrolled = max(0, self.scrolled + rows)

    def write(self, unit: Unit) -> None:
        """Let the model write; what takes longer is left in `writing`."""
        before = len(self.session.manuscript)
        writing = self.session.write(unit)
        at_once = 1 if unit == "text" else AT_ONCE
        for _ in range(at_once):
            if next(writing, self) is self:  # it is at its end
                break
        else:
            self.writing = writing
        if len(self.session.manuscript) == before:
            self.message = "nothing can be written here"
            if self.session.model.end_code is not None:
                self.message = "a record ends here; take its end to begin the next"

    def go_on(self) -> None:
        """Another character of what goes on by itself."""
        if self.writing is not None and next(self.writing, self) is self:
            self.writing = None
        self.show_end()

    def show_end(self) -> None:
        """Show where the text goes on, and the first candidate chosen."""
        self.chosen, self.scrolled, self.helps = 0, 0, False

    def erase(self) -> None:
        """Backspace."""
        if self.question is not None:
            self.question.typed = self.question.typed[:-1]
        else:
            self.session.erase()

    def undo(self) -> None:
        """Take the last thing back."""
        if not self.session.undo():
            self.message = "nothing to undo"

    def redo(self) -> None:
        """Do it again."""
        if not self.session.redo():
            self.message = "nothing to do again"

    def warm(self, step: float) -> None:
        """Change the temperature by so much."""
        temperature = max(0.0, round(self.session.settings.temperature + step, 6))
        self.session.change(temperature=temperature)

    def ask_setting(self, name: str, number: Callable[[str], float]) -> None:
        """Ask for a value of a setting."""

        def answer(typed: str) -> None:
            self.session.change(**{name: _number(name, number, typed)})

        self._ask(f"{name} ({getattr(self.session.settings, name)})", answer)

    def ask_seed(self) -> None:
        """Ask for a seed; none is one by chance."""

        def answer(typed: str) -> None:
            self.session.reseed(choose_seed(_number("seed", int, typed) if typed else None))

        self._ask("seed (empty: by chance)", answer)

    def ask_file(self) -> None:
        """Ask where to save the text."""
        self._ask("save as", lambda typed: self._save(Path(typed)) if typed else None)

    def enter(self) -> None:
        """Enter: the answer to a question, or a line break."""
        question, self.question = self.question, None
        if question is None:
            self.type("\n")
            return
        try:
            question.answer(question.typed.strip())
        except NextcharError as error:
            self.message = str(error)

    def leave(self) -> None:
        """Esc: away with the question, or the help."""
        self.question, self.helps, self.scrolled = None, False, 0

    def help(self) -> None:
        """Show the keys, or the text again."""
        self.helps, self.scrolled = not self.helps, 0

    def _ask(self, label: str, answer: Callable[[str], None]) -> None:
        self.question = Question(label, answer)

    def _save(self, path: Path, replaces: bool = False) -> None:
        if path.exists() and not replaces:

            def answer(typed: str) -> None:
                if typed.lower() in ("y", "yes"):
                    self._save(path, replaces=True)

            self._ask(f"{path} is there; replace it? (y/n)", answer)
            return
        try:
            write_atomically(path, self.session.data)
            self.message = f"saved as {path}"
        except (OSError, ValueError) as error:
            self.message = f"{path}: {getattr(error, 'strerror', None) or error}"


def _number(name: str, number: Callable[[str], float], typed: str) -> Any:
    try:
        return number(typed)
    except ValueError as error:
        raise SettingsError(f"{name}: wants a number, got {typed!r}") from error
