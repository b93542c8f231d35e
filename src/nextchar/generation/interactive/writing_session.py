"""A text that a person and a model write together: type, pick, generate, undo.

The session does not depend on a terminal. Each generated character takes the next number of the
seed's stream, whatever is typed, picked or undone in between. A text that is only generated is
therefore that of `nextchar generate` with the same seed, whereas text that is undone and generated
again comes out differently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.character_classes import (
    MAX_SIZE,
    CharacterClasses,
    character_sizes,
)
from nextchar.generation.interactive.symbols import NOT_SCORED, Alternative, Edit, Symbol, mean_bits
from nextchar.generation.requests import Request
from nextchar.generation.sampling import probabilities, sample
from nextchar.generation.scheduler import WEIGHTS_AS_BFLOAT16
from nextchar.generation.stepper import DecoderUser
from nextchar.generation.stop_strings import code_count, first_stop
from nextchar.kernels.decoding.decoder import Decoder
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.settings.groups import RESERVED
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import bytes_of

Array = NDArray[Any]
Unit = Literal["character", "word", "line", "text"]

SNAPSHOT_INTERVAL = 64  # symbols between two states to which a cut returns without reading
PENALTIES = ["repetition_penalty", "presence_penalty", "frequency_penalty", "no_repeat_ngram_size"]
DEFAULT = GenerationSettings()
_RESERVED = bytes_of(RESERVED)


class WritingSession(DecoderUser):
    """One text in progress, and the model that has read it; a context manager.

    request: its prompt begins the text, its settings say how characters are drawn.
    symbols: the text. settings: those in force; `seed` is that of the current stream.
    Raises SettingsError for a pattern, since typed characters cannot be held to one.
    """

    def __init__(self, model: Model, request: Request) -> None:
        if request.automaton is not None:
            problem = "cannot be combined with interactive"
            raise SettingsError(problem, setting="pattern", remedy="leave it out")
        self.model, self.settings, self.symbols = model, request.settings, list[Symbol]()
        self._lead, prompt = request.prompt[: request.primed], request.prompt[request.primed :]
        self._classes = CharacterClasses(model.vocabulary)
        bfloat16 = WEIGHTS_AS_BFLOAT16[request.settings.dtype]
        self._decoder = Decoder(model.parameters, bfloat16=bfloat16)
        self._lane = self._decoder.enter()
        self._decoder.read(self._lead)
        self._snapshots = [self._decoder.snapshot(self._lane)]  # one each SNAPSHOT_INTERVAL symbols
        self._begin(prompt)
        self._prompt_length, self._stops, self._bias = len(prompt), request.stop, request.bias
        self._done: list[Edit] = []
        self._undone: list[Edit] = []
        self._uniform: float | None = None  # drawn and not yet used
        self.reseed(request.seed)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def text(self) -> str:
        """The text so far, including its prompt."""
        return self.model.vocabulary.decode(self._codes())

    @property
    def data(self) -> bytes:
        """The text as bytes, with a line break at the end of each record."""
        data = self.model.vocabulary.decode_bytes(self._codes())
        return data if self.model.vocabulary.is_bytes else data.replace(_RESERVED, b"\n")

    @property
    def bits(self) -> float:
        """Mean surprisal of the scored symbols, in bits for each code; NaN if there are none."""
        return mean_bits(self.symbols)

    @property
    def logprobs(self) -> Array:
        """The model's own log-probability of each next code, (V,)."""
        return np.asarray(log_softmax(self._logits())[0])

    def candidates(self, count: int) -> list[Alternative]:
        """Return the codes that are drawn most often, ties by the model's own probability."""
        own, drawn = np.exp(self.logprobs), self._probabilities()
        order = np.lexsort((-own, -drawn)).tolist()
        if self.model.vocabulary.unknown_code is not None:
            order.remove(self.model.vocabulary.unknown_code)
        return [Alternative(code, float(drawn[code]), float(own[code])) for code in order[:count]]

    def type(self, text: str) -> None:
        """Add typed text. Raises UnknownCharacterError with the text unchanged."""
        text = "".join(normalized([text], self.model.text.normalize))
        codes = self.model.vocabulary.encode(text).tolist()
        if self.model.vocabulary.unknown_code in codes:
            position = codes.index(self.model.vocabulary.unknown_code)
            problem = f"the character {text[position]!r} is not in the model's vocabulary"
            raise UnknownCharacterError(problem, text[position], position)
        if codes:
            self._edit(0, codes)

    def pick(self, code: int) -> None:
        """Add one of the candidates."""
        self._edit(0, [code])

    def generate(self, unit: Unit) -> Iterator[None]:
        """Let the model add a unit, one character for each step of the iterator.

        A unit is a character, the rest of a word, the rest of a line with its line break, or a
        text. It has at most `length` characters, and ends before a stop string and (except for a
        single character) before the end of a record. All of it is undone at once.
        """
        start, is_first = len(self.symbols), True
        while len(self.symbols) - start < self.settings.length:
            code = self._draw()
            if code < 0 or self._ends_before(code, unit, start):
                return
            if is_first:
                self._edit(0, [code])
            else:
                self._append(code)
            self._uniform, is_first = None, False  # the number is used up
            stop = self._stop_since(start)
            if stop is not None:
                self._cut(stop)
            self._done[-1] = Edit((), tuple(self.symbols[start:]))
            yield
            if stop is not None or unit == "character":
                return
            if unit == "line" and self._classes.ends_line[code]:
                return

    def erase(self) -> None:
        """Remove the last character, with the bytes alphabet all its bytes."""
        if self.symbols:
            count = 1
            if self.model.vocabulary.is_bytes:
                (*_, count) = character_sizes(bytes(self._codes()[-MAX_SIZE:]))
            self._edit(count, [])

    def undo(self) -> bool:
        """Undo the last edit; return False if there is none."""
        if not self._done:
            return False
        edit = self._done.pop()
        self._undone.append(edit)
        self._cut(len(self.symbols) - len(edit.added))
        self._extend(edit.removed)
        return True

    def redo(self) -> bool:
        """Redo the last undone edit; return False if there is none."""
        if not self._undone:
            return False
        edit = self._undone.pop()
        self._done.append(edit)
        self._cut(len(self.symbols) - len(edit.removed))
        self._extend(edit.added)
        return True

    def change(self, **settings: Any) -> None:
        """Change settings from now on. Raises SettingsError."""
        self.settings = replace(self.settings, **settings)

    def reseed(self, seed: int) -> None:
        """Draw from the stream of another seed, from its beginning."""
        self.change(seed=seed)
        self._stream = np.random.default_rng([seed, 0])  # that of the first sample
        self._uniform = None

    def warm_up(self) -> None:
        """Compile all that reading needs; the text is unchanged."""
        self._extend([Symbol(0, NOT_SCORED)])
        self._cut(len(self.symbols) - 1)

    # drawing

    def _probabilities(self) -> Array:
        """Return the probability of each code (V,) to be drawn next."""
        vocabulary, end = self.model.vocabulary, self.model.end_code
        allowed = np.ones(len(vocabulary), bool)
        if vocabulary.unknown_code is not None:
            allowed[vocabulary.unknown_code] = False
        if end is not None and len(self.symbols) - self._prompt_length < self.settings.min_length:
            allowed[end] = False
        histories = None
        if any(getattr(self.settings, name) != getattr(DEFAULT, name) for name in PENALTIES):
            histories = [np.append(self._lead, self._codes()).astype(np.int64)]
        rows = probabilities(self._logits(), self.settings, histories, self._bias, allowed[None])
        return np.asarray(rows[0])

    def _draw(self) -> int:
        """Draw the next code; its random number is kept until the code is used."""
        if self._uniform is None:
            self._uniform = float(self._stream.random())
        return int(sample(self._probabilities()[None], np.array([self._uniform]))[0])

    def _ends_before(self, code: int, unit: Unit, start: int) -> bool:
        """Return True if a unit that began at `start` is complete before a code."""
        if code == self.model.end_code and unit != "character":
            return True
        added = self._codes(start)
        if unit != "word" or not self._classes.is_word[added].any():
            return False
        return not self._classes.continues_word(added[-1])[code]

    def _stop_since(self, start: int) -> int | None:
        """Return the position of a stop string that was completed since `start`."""
        vocabulary, end = self.model.vocabulary, len(self.symbols)
        longest = max((code_count(stop, vocabulary) for stop in self._stops), default=0)
        start = max(start, self._prompt_length + self.settings.min_length, end - longest)
        text = vocabulary.decode(self._codes(start))
        stop = first_stop(text, self._stops)
        return None if stop is None else end - code_count(text[stop:], vocabulary)

    # the text and its reading

    def _codes(self, start: int = 0) -> list[int]:
        return [symbol.code for symbol in self.symbols[start:]]

    def _logits(self) -> Array:
        """Return the logits of the next code, (1, V) float64."""
        return np.array([self._decoder.logits(self._lane)], np.float64)

    def _edit(self, remove: int, codes: Sequence[int]) -> None:
        """Remove symbols from the end, add codes, and remember both for `undo`."""
        start = len(self.symbols) - remove
        removed = tuple(self.symbols[start:])
        self._cut(start)
        for code in codes:
            self._append(code)
        self._done.append(Edit(removed, tuple(self.symbols[start:])))
        self._undone.clear()

    def _append(self, code: int) -> None:
        self._extend([Symbol(code, float(self.logprobs[code]))])

    def _extend(self, symbols: Sequence[Symbol]) -> None:
        """Add symbols whose scores are known."""
        for symbol in symbols:
            self._decoder.read(np.array([symbol.code]))
            self.symbols.append(symbol)
            if len(self.symbols) % SNAPSHOT_INTERVAL == 0:
                self._snapshots.append(self._decoder.snapshot(self._lane))

    def _begin(self, codes: Array) -> None:
        """Begin the text with codes that are not scored."""
        for start in range(0, len(codes), SNAPSHOT_INTERVAL):
            part = codes[start : start + SNAPSHOT_INTERVAL]
            self._decoder.read(part)
            self.symbols += [Symbol(code, NOT_SCORED) for code in part.tolist()]
            if len(part) == SNAPSHOT_INTERVAL:
                self._snapshots.append(self._decoder.snapshot(self._lane))

    def _cut(self, length: int) -> None:
        """Keep only the first symbols."""
        if length == len(self.symbols):
            return
        number = length // SNAPSHOT_INTERVAL
        again = self.symbols[number * SNAPSHOT_INTERVAL : length]
        del self.symbols[number * SNAPSHOT_INTERVAL :], self._snapshots[number + 1 :]
        self._decoder.leave(self._lane)
        self._lane = self._decoder.enter(start=self._snapshots[number])
        self._extend(again)
