"""Autocompletion: the most probable continuations of a prefix.

A continuation ends before the end of a record, of a word or of a line; its probability is that of
its characters times that of all next characters that end it. A continuation of the maximum length
is cut, and its probability is that of its characters alone.

Open prefixes are tried from the most probable one down (best-first beam search, Meister et al.,
2020), at most `beams` of each length. A continuation is never more probable than its beginning, so
the best ones are found as soon as no untried prefix is more probable than the last of them.
"""

from __future__ import annotations

import heapq
from bisect import insort
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.character_classes import CharacterClasses
from nextchar.generation.requests import RequestOptions, make_request
from nextchar.model.loss import log_softmax
from nextchar.settings.fields import Validated, setting

if TYPE_CHECKING:
    from nextchar.generation.stepper import Stepper
    from nextchar.kernels.decoding.decoder import Snapshot
    from nextchar.model.file import Model
    from nextchar.text.vocabulary import Unknown, Vocabulary

LANES = 16  # prefixes read in one step: a few in vain cost less than more steps

Array = NDArray[Any]


# a table of settings: default and help first, limits in the last line
# fmt: off
@dataclass(frozen=True, kw_only=True)
class SuggestionSettings(Validated):
    """Settings of autocompletion."""

    count: int = setting(
        5, "Number of continuations, the most probable ones.", low=1, high=1000, metavar="N"
    )
    length: int = setting(
        20, "Maximum length of a continuation, in characters.", low=1, high=10**4, metavar="N"
    )
    to: str | None = setting(
        None,
        "End of a continuation: that of its word, of the line, of the record, or --length "
        "characters.",
        choices=("word", "line", "record", "length"),
        unset="record in a model of records, otherwise word",
    )
    beams: int | None = setting(
        None,
        "Maximum number of prefixes to try for each length.",
        low=1,
        high=10**5,
        metavar="N",
        unset="8 for each continuation, at least 64",
    )


# fmt: on


DEFAULT_SUGGESTIONS = SuggestionSettings()


@dataclass(frozen=True)
class Suggestion:
    """One continuation.

    text: without the prefix. data: the same as bytes, exact with the bytes alphabet.
    probability: by the model's own distribution.
    ends: it is complete; False where it was cut at `length` characters.
    """

    text: str
    probability: float
    ends: bool
    data: bytes = field(compare=False, repr=False)


class Suggestions(list[Suggestion]):
    """Continuations, the most probable first.

    exact: no other continuation is more probable than the last of them.
    """

    exact: bool = True


class Completer:
    """Completion of any number of prefixes with a model; a context manager.

    Raises SettingsError where the model has no such end of a continuation.
    """

    def __init__(self, model: Model, settings: SuggestionSettings = DEFAULT_SUGGESTIONS) -> None:
        from nextchar.generation.stepper import Stepper  # Numba comes with it

        self._model, self._settings = model, settings
        self._terminators = _Terminators(model, settings.to)
        self._stepper = Stepper(model, lanes=LANES, bfloat16=False)
        self._beginning = self._stepper.snapshots()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stepper.__exit__(*error)

    @property
    def to(self) -> str:
        """End of a continuation: `word`, `line`, `record` or `length`."""
        return self._terminators.to

    def complete(self, prefix: str | bytes, *, unknown: Unknown = "error") -> Suggestions:
        """Return the most probable continuations of a prefix, which may be empty.

        Raises UnknownCharacterError for a character that the model does not know, unless `unknown`
        is `"skip"`.
        """
        options = RequestOptions(unknown=unknown)
        request = make_request(self._model, prefix, GenerationSettings(), options, seed=0)
        self._stepper.restore(self._beginning)
        self._stepper.read(request.prompt)
        search = _PrefixSearch(self._stepper, self._terminators, self._settings)
        return search.run(self._model.vocabulary)


def complete(
    model: Model,
    prefix: str | bytes,
    settings: SuggestionSettings = DEFAULT_SUGGESTIONS,
    *,
    unknown: Unknown = "error",
) -> Suggestions:
    """Return the most probable continuations of one prefix."""
    with Completer(model, settings) as completer:
        return completer.complete(prefix, unknown=unknown)


class _Terminators:
    """Codes that end or extend a continuation, as masks over the codes."""

    def __init__(self, model: Model, to: str | None) -> None:
        vocabulary, end = model.vocabulary, model.end_code
        self.to = to or ("word" if end is None else "record")
        self.classes = CharacterClasses(vocabulary)
        self._record = np.zeros(len(vocabulary), bool)  # no text continues after a record's end
        if end is not None:
            self._record[end] = True
        self._known = np.ones(len(vocabulary), bool)
        if vocabulary.unknown_code is not None:  # it stands for no character
            self._known[vocabulary.unknown_code] = False
        self._line = self.classes.ends_line | self._record
        has_letters, other = self.classes.is_word.any(), "choose another end"
        needs = {
            "record": (end is not None, "a model of records", "train with --records"),
            "line": (self._line.any(), "a model that knows line breaks", other),
            "word": (has_letters, "a model that knows letters", other),
        }
        is_possible, need, remedy = needs.get(self.to, (True, "", ""))
        if not is_possible:
            raise SettingsError(f"needs {need}", setting="to", value=self.to, remedy=remedy)

    def after(self, last: int, has_word: bool) -> tuple[Array, Array]:
        """Return the codes (V,) that end a continuation, and those that extend it.

        last: its last code. has_word: it contains a character of a word.
        """
        ends = np.zeros_like(self._known)
        if self.to == "record":
            ends = self._record
        elif self.to == "line":
            ends = self._line
        elif self.to == "word" and has_word:
            ends = (~self.classes.continues_word(last) | self._record) & self._known
        return ends, self._known & ~ends & ~self._record


@dataclass(frozen=True)
class _Prefix:
    """The beginning of a continuation.

    logprob: of all its codes. has_word: it contains a character of a word.
    before: the state before its last code.
    """

    codes: tuple[int, ...] = ()
    logprob: float = 0.0
    has_word: bool = False
    before: Snapshot | None = None


class _FoundSuggestion(NamedTuple):
    """A continuation; the best has the lowest cost."""

    cost: float
    codes: tuple[int, ...]
    ends: bool


class _PrefixSearch:
    """One search, from the single text that the stepper has read."""

    def __init__(
        self, stepper: Stepper, terminators: _Terminators, settings: SuggestionSettings
    ) -> None:
        self._stepper, self._terminators, self._settings = stepper, terminators, settings
        self._beams = settings.beams or max(64, 8 * settings.count)
        self._open: list[tuple[float, int, _Prefix]] = []  # a heap, the most probable on top
        self._numbers = count()  # of equal ones the older comes first
        self._tried = [0] * settings.length  # by length
        self._found: list[_FoundSuggestion] = []  # sorted, at most `count`
        self._best_omitted = -np.inf  # log-probability of the best prefix that was not tried

    def run(self, vocabulary: Vocabulary) -> Suggestions:
        """Return the best continuations."""
        self._expand([_Prefix()])
        while batch := self._next_batch():
            self._stepper.restore([each.before for each in batch if each.before is not None])
            self._stepper.step(np.array([each.codes[-1] for each in batch]))
            self._expand(batch)
        suggestions = Suggestions()
        for each in self._found:
            text, data = vocabulary.decode(each.codes), vocabulary.decode_bytes(each.codes)
            suggestions.append(Suggestion(text, float(np.exp(-each.cost)), each.ends, data))
        suggestions.exact = self._best_omitted <= self._threshold
        return suggestions

    @property
    def _threshold(self) -> float:
        """Log-probability that a continuation must exceed to be among the best."""
        is_full = len(self._found) == self._settings.count
        return -self._found[-1].cost if is_full else -np.inf

    def _next_batch(self) -> list[_Prefix]:
        """Return the most probable prefixes that may still lead to a better continuation."""
        batch: list[_Prefix] = []
        while self._open and len(batch) < LANES and -self._open[0][0] > self._threshold:
            prefix = heapq.heappop(self._open)[2]
            if self._tried[len(prefix.codes)] == self._beams:
                self._omit(prefix.logprob)
            else:
                self._tried[len(prefix.codes)] += 1
                batch.append(prefix)
        return batch

    def _expand(self, prefixes: list[_Prefix]) -> None:
        """Record the continuations that end after each prefix, and open those that extend it."""
        rows = log_softmax(self._stepper.logits)
        for prefix, row, state in zip(prefixes, rows, self._stepper.snapshots(), strict=True):
            last = prefix.codes[-1] if prefix.codes else -1
            ends, extends = self._terminators.after(last, prefix.has_word)
            if ends.any():
                total = prefix.logprob + float(np.logaddexp.reduce(row[ends]))
                self._record(prefix.codes, total, ends=True)
            self._open_all(prefix, prefix.logprob + np.where(extends, row, -np.inf), state)

    def _open_all(self, prefix: _Prefix, logprobs: Array, state: Snapshot) -> None:
        """Open the extensions of a prefix; only the best `beams` of them can be tried."""
        codes = np.flatnonzero(logprobs > self._threshold)
        codes = codes[np.argsort(-logprobs[codes], kind="stable")]
        is_cut = len(prefix.codes) + 1 == self._settings.length
        for code in codes[: self._settings.count if is_cut else self._beams].tolist():
            longer, logprob = (*prefix.codes, code), float(logprobs[code])
            if is_cut:
                self._record(longer, logprob, ends=self._terminators.to == "length")
                continue
            has_word = prefix.has_word or bool(self._terminators.classes.is_word[code])
            opened = _Prefix(longer, logprob, has_word, state)
            heapq.heappush(self._open, (-logprob, next(self._numbers), opened))
        if not is_cut and len(codes) > self._beams:
            self._omit(float(logprobs[codes[self._beams]]))

    def _record(self, codes: tuple[int, ...], logprob: float, *, ends: bool) -> None:
        if logprob > self._threshold:
            insort(self._found, _FoundSuggestion(-logprob, codes, ends))
            del self._found[self._settings.count :]

    def _omit(self, logprob: float) -> None:
        self._best_omitted = max(self._best_omitted, logprob)
