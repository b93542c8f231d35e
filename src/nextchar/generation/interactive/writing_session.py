"""A text that a person and a model write together: type, pick, let write on, undo.

Knows nothing of terminals. Characters are drawn as `nextchar generate` draws them: each one that is
written takes the next number of the seed's stream, whatever was typed, picked or taken back in
between. So a text that is only written on is the one that `generate` writes with that seed, while
what is taken back and written again comes out differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.character_classes import CharacterClasses
from nextchar.generation.interactive.text_buffer import Symbol, TextBuffer
from nextchar.generation.requests import Request
from nextchar.generation.sampling import probabilities, sample
from nextchar.generation.scheduler import WEIGHTS_AS_BFLOAT16
from nextchar.model.file import Model
from nextchar.settings.config import RESERVED
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import bytes_of

Array = NDArray[Any]
Unit = Literal["character", "word", "line", "text"]

LOOKING_BACK = (
    "repetition_penalty",
    "presence_penalty",
    "frequency_penalty",
    "no_repeat_ngram_size",
)
DEFAULT = GenerationSettings()
_RESERVED = bytes_of(RESERVED)


@dataclass(frozen=True)
class Alternative:
    """What may come next. probability: to be drawn. own: the model's own, before all rules."""

    code: int
    probability: float
    own: float


@dataclass(frozen=True)
class _Edit:
    """What was done at the end of the text: some removed, then some added."""

    removed: tuple[Symbol, ...]
    added: tuple[Symbol, ...]


class WritingSession:
    """One text in the making; a context manager.

    request: its prompt is what the text begins with, its settings say how characters are drawn.
    settings: those in force; `seed` is that of the present stream.
    Raises SettingsError for a pattern, which typed characters could not be held to.
    """

    def __init__(self, model: Model, request: Request) -> None:
        if request.automaton is not None:
            raise SettingsError("pattern: what is typed cannot be held to one; leave it out")
        lead, prompt = request.prompt[: request.primed], request.prompt[request.primed :]
        self.model, self.settings = model, request.settings
        self.words = CharacterClasses(model.vocabulary)
        self.manuscript = TextBuffer(
            model, lead, bfloat16=WEIGHTS_AS_BFLOAT16[request.settings.dtype]
        )
        self.manuscript.begin(prompt)
        self._given, self._stop, self._bias = len(prompt), request.stop, request.bias
        self._done: list[_Edit] = []
        self._undone: list[_Edit] = []
        self._uniform: float | None = None  # drawn and not yet used
        self.reseed(request.seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.manuscript.__exit__(*error)

    @property
    def text(self) -> str:
        """The text so far, its prompt at the front."""
        return self.manuscript.text

    @property
    def data(self) -> bytes:
        """The same as bytes; what stands between records and is no character is a line break."""
        data = self.manuscript.data
        return data if self.model.vocabulary.is_bytes else data.replace(_RESERVED, b"\n")

    def candidates(self, most: int) -> list[Alternative]:
        """What may come next, what is drawn most often first, and of that what is most probable."""
        own, chances = np.exp(self.manuscript.logprobs), self._chances()
        order = np.lexsort((-own, -chances)).tolist()
        if self.model.vocabulary.unknown_code is not None:
            order.remove(self.model.vocabulary.unknown_code)
        return [Alternative(code, float(chances[code]), float(own[code])) for code in order[:most]]

    def type(self, text: str) -> None:
        """Add what a person typed. Raises UnknownCharacterError with nothing changed."""
        text = "".join(normalized([text], self.model.text.normalize))
        codes = self.model.vocabulary.encode(text).tolist()
        if self.model.vocabulary.unknown_code in codes:
            place = codes.index(self.model.vocabulary.unknown_code)
            raise UnknownCharacterError(
                f"the character {text[place]!r} is not in the model's vocabulary",
                text[place],
                place,
            )
        if codes:
            self._do((), codes)

    def pick(self, code: int) -> None:
        """Add one of the candidates."""
        self._do((), [code])

    def write(self, unit: Unit) -> Iterator[None]:
        """Let the model write, a character with each step of the iterator; undone at once.

        A character; on to the end of a word, or of a line with its line break; or a text. No unit
        has more than `length` characters; it ends before a record's end (a single character
        excepted) and before a stop string.
        """
        start, is_first = len(self.manuscript), True
        while len(self.manuscript) - start < self.settings.length:
            code = self._drawn()
            if code < 0 or self._ends_before(code, unit, start):
                return
            if is_first:
                self._do((), [code])
            else:
                self.manuscript.append(code)
            self._uniform, is_first = None, False  # the number is used up
            stop = self._stop_from(start)
            if stop is not None:
                self.manuscript.cut(stop)
            self._done[-1] = _Edit((), tuple(self.manuscript.symbols[start:]))
            yield
            if stop is not None or unit == "character":
                return
            if unit == "line" and self.words.ends_line[code]:
                return

    def erase(self) -> None:
        """Remove the last character, with the bytes alphabet all its bytes."""
        symbols = self.manuscript.symbols
        count = 1
        if self.model.vocabulary.is_bytes:
            count = _size_of_last(bytes(each.code for each in symbols[-4:]))
        if symbols:
            self._do(tuple(symbols[len(symbols) - count :]), [])

    def undo(self) -> bool:
        """Take the last thing back that was done; whether there was one."""
        if not self._done:
            return False
        edit = self._done.pop()
        self._undone.append(edit)
        self.manuscript.cut(len(self.manuscript) - len(edit.added))
        self.manuscript.extend(edit.removed)
        return True

    def redo(self) -> bool:
        """Do again what was taken back; whether there was something."""
        if not self._undone:
            return False
        edit = self._undone.pop()
        self._done.append(edit)
        self.manuscript.cut(len(self.manuscript) - len(edit.removed))
        self.manuscript.extend(edit.added)
        return True

    def change(self, **settings: Any) -> None:
        """Draw by other settings from now on. Raises SettingsError."""
        self.settings = replace(self.settings, **settings)

    def reseed(self, seed: int) -> None:
        """Draw from the stream of another seed, from its beginning."""
        self.change(seed=seed)
        self._stream = np.random.default_rng([seed, 0])  # that of the first sample
        self._uniform = None

    def _chances(self) -> Array:
        """With what probability each code (V,) is drawn."""
        vocabulary, end = self.model.vocabulary, self.model.end_code
        allowed = np.ones(len(vocabulary), bool)
        if vocabulary.unknown_code is not None:
            allowed[vocabulary.unknown_code] = False
        if end is not None and len(self.manuscript) - self._given < self.settings.min_length:
            allowed[end] = False
        histories = None
        if any(getattr(self.settings, name) != getattr(DEFAULT, name) for name in LOOKING_BACK):
            codes = np.append(self.manuscript.lead, self.manuscript.codes)
            histories = [codes.astype(np.int64)]
        logits = self.manuscript.logits
        rows = probabilities(logits, self.settings, histories, self._bias, allowed[None])
        return np.asarray(rows[0])

    def _drawn(self) -> int:
        """What is drawn next; its number of the stream is kept until the code is taken."""
        if self._uniform is None:
            self._uniform = float(self._stream.random())
        return int(sample(self._chances()[None], np.array([self._uniform]))[0])

    def _ends_before(self, code: int, unit: Unit, start: int) -> bool:
        """Whether what is written since `start` ends before a code."""
        if code == self.model.end_code and unit != "character":
            return True
        written = [each.code for each in self.manuscript.symbols[start:]]
        if unit != "word" or not self.words.is_word[written].any():
            return False
        return not self.words.goes_on(written[-1])[code]

    def _stop_from(self, start: int) -> int | None:
        """Where a stop string begins that what was written since `start` ends with."""
        vocabulary, end = self.model.vocabulary, len(self.manuscript)
        least = max(start, self._given + self.settings.min_length)
        for stop in sorted(self._stop, key=len, reverse=True):
            begin = end - (len(bytes_of(stop)) if vocabulary.is_bytes else len(stop))
            if begin >= least and vocabulary.decode(self.manuscript.codes[begin:]) == stop:
                return begin
        return None

    def _do(self, removed: tuple[Symbol, ...], codes: Sequence[int]) -> None:
        self.manuscript.cut(len(self.manuscript) - len(removed))
        start = len(self.manuscript)
        for code in codes:
            self.manuscript.append(code)
        self._done.append(_Edit(removed, tuple(self.manuscript.symbols[start:])))
        self._undone.clear()


def _size_of_last(data: bytes) -> int:
    """How many bytes the last character of some bytes has: one, where they are no UTF-8."""
    for size in range(1, len(data) + 1):
        try:
            data[-size:].decode()
        except UnicodeDecodeError:
            continue
        return size
    return 1
