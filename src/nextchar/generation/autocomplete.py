"""The most probable ways to go on from a prefix, for autocompletion.

A continuation comes to its end before the end of a record, of a word or of a line; its probability
is that of its characters times that of all that may come next and ends it. One that has as many
characters as there may be is cut there, and its probability is that of beginning so.

Prefixes are tried from the most probable one down (best-first beam search, Meister et al., 2020),
at most `beams` of each length. A continuation is never more probable than what it begins with, so
those that are found are the most probable ones as soon as no prefix that was not tried is more so.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.completion import DEFAULT, Suggestion, Suggestions, SuggestionSettings
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.interactive.character_classes import CharacterClasses
from nextchar.generation.requests import make_request
from nextchar.generation.stepper import Stepper
from nextchar.kernels.decoding.decoder import Snapshot
from nextchar.model.file import Model
from nextchar.model.loss import log_softmax
from nextchar.text.vocabulary import Unknown

AT_ONCE = 16  # prefixes read in one step: a few too many cost less than as many steps

Array = NDArray[Any]


class Completer:
    """Completes any number of prefixes with a model; a context manager.

    Raises SettingsError where the model cannot end a continuation as asked.
    """

    def __init__(self, model: Model, settings: SuggestionSettings = DEFAULT) -> None:
        self._model, self._settings = model, settings
        self._ends = _Terminators(model, self._settings.to)
        self._stepper = Stepper(model, most=AT_ONCE, bfloat16=False)
        self._beginning = self._stepper.snapshots()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stepper.__exit__(*error)

    @property
    def to(self) -> str:
        """What ends a continuation."""
        return self._ends.to

    def complete(self, prefix: str | bytes, *, unknown: Unknown = "error") -> Suggestions:
        """The most probable ways to go on from a prefix, which may be empty.

        Raises UnknownCharacterError for a character that the model never saw, unless `unknown`
        is `"skip"`.
        """
        request = make_request(self._model, prefix, GenerationSettings(), seed=0, unknown=unknown)
        self._stepper.go_on_from(self._beginning)
        self._stepper.read(request.prompt)
        search = _PrefixSearch(self._stepper, self._ends, self._settings)
        return search.run(self._model)


def complete(
    model: Model,
    prefix: str | bytes,
    settings: SuggestionSettings = DEFAULT,
    *,
    unknown: Unknown = "error",
) -> Suggestions:
    """The most probable ways to go on from one prefix."""
    with Completer(model, settings) as completer:
        return completer.complete(prefix, unknown=unknown)


class _Terminators:
    """What ends a continuation and what goes on with it, as masks over the codes."""

    def __init__(self, model: Model, to: str | None) -> None:
        vocabulary, end = model.vocabulary, model.end_code
        self.to = to or ("word" if end is None else "record")
        self.words = CharacterClasses(vocabulary)
        self._record = np.zeros(len(vocabulary), bool)  # no text goes on behind a record's end
        if end is not None:
            self._record[end] = True
        self._known = np.ones(len(vocabulary), bool)
        if vocabulary.unknown_code is not None:  # no one knows what it is, so it cannot be written
            self._known[vocabulary.unknown_code] = False
        self._line = self.words.ends_line | self._record
        if self.to == "record" and end is None:
            raise SettingsError("to: record wants a model of records (train --records)")
        if self.to == "line" and not self._line.any():
            raise SettingsError("to: line wants a model that knows a line break; give another end")
        if self.to == "word" and not self.words.is_word.any():
            raise SettingsError("to: word wants a model that knows letters; give another end")

    def after(self, last: int, is_begun: bool) -> tuple[Array, Array]:
        """Which codes (V,) end a continuation, and which go on with it.

        last: its last code. is_begun: whether there is a word in it.
        """
        ends = np.zeros_like(self._known)
        if self.to == "record":
            ends = self._record
        elif self.to == "line":
            ends = self._line
        elif self.to == "word" and is_begun:
            ends = (~self.words.goes_on(last) | self._record) & self._known
        return ends, self._known & ~ends & ~self._record


@dataclass(frozen=True)
class _Prefix:
    """A beginning that is not at its end.

    codes: those of it. logprob: of them together. is_begun: whether there is a word in it.
    before: what was read before its last code.
    """

    codes: tuple[int, ...] = ()
    logprob: float = 0.0
    is_begun: bool = False
    before: Snapshot | None = None


@dataclass(order=True)
class _FoundSuggestion:
    """A continuation; the best is the least."""

    cost: float
    codes: tuple[int, ...]
    ends: bool = field(compare=False)


class _PrefixSearch:
    """One search, from where the one text of the stepper stands."""

    def __init__(self, stepper: Stepper, ends: _Terminators, settings: SuggestionSettings) -> None:
        self._stepper, self._ends, self._settings = stepper, ends, settings
        self._beams = settings.beams or max(64, 8 * settings.count)
        self._open: list[tuple[float, int, _Prefix]] = []  # a heap, the most probable on top
        self._numbers = count()  # of equal ones the older is the less
        self._tried = [0] * settings.length  # by length
        self._found: list[_FoundSuggestion] = []  # sorted, `count` at the most
        self._left_out = -np.inf  # log-probability of the best prefix that was not tried

    def run(self, model: Model) -> Suggestions:
        self._grow([_Prefix()])
        while batch := self._next():
            self._stepper.go_on_from([each.before for each in batch if each.before is not None])
            self._stepper.step(np.array([each.codes[-1] for each in batch]))
            self._grow(batch)
        found = Suggestions(
            Suggestion(
                model.vocabulary.decode(each.codes),
                float(np.exp(-each.cost)),
                each.ends,
                model.vocabulary.decode_bytes(each.codes),
            )
            for each in self._found
        )
        found.exact = self._left_out <= self._least
        return found

    @property
    def _least(self) -> float:
        """The log-probability that a continuation has to exceed to be among the best."""
        is_full = len(self._found) == self._settings.count
        return -self._found[-1].cost if is_full else -np.inf

    def _next(self) -> list[_Prefix]:
        """The most probable prefixes that may still lead to something; none where all is found."""
        batch: list[_Prefix] = []
        while self._open and len(batch) < AT_ONCE and -self._open[0][0] > self._least:
            prefix = heapq.heappop(self._open)[2]
            if self._tried[len(prefix.codes)] == self._beams:
                self._leave_out(prefix.logprob)
            else:
                self._tried[len(prefix.codes)] += 1
                batch.append(prefix)
        return batch

    def _grow(self, prefixes: list[_Prefix]) -> None:
        """Note what ends after each prefix, and open what goes on with it."""
        rows = log_softmax(self._stepper.logits)
        for prefix, row, read in zip(prefixes, rows, self._stepper.snapshots(), strict=True):
            last = prefix.codes[-1] if prefix.codes else -1
            ends, goes = self._ends.after(last, prefix.is_begun)
            if ends.any():
                total = prefix.logprob + float(np.logaddexp.reduce(row[ends]))
                self._note(prefix.codes, total, ends=True)
            self._open_all(prefix, prefix.logprob + np.where(goes, row, -np.inf), read)

    def _open_all(self, prefix: _Prefix, logprobs: Array, read: Snapshot) -> None:
        """Open a prefix's longer ones, of which only the best `beams` can have a turn."""
        codes = np.flatnonzero(logprobs > self._least)
        codes = codes[np.argsort(-logprobs[codes], kind="stable")]
        is_cut = len(prefix.codes) + 1 == self._settings.length
        for code in codes[: self._settings.count if is_cut else self._beams].tolist():
            longer, logprob = (*prefix.codes, code), float(logprobs[code])
            if is_cut:
                self._note(longer, logprob, ends=self._ends.to == "length")
                continue
            begun = prefix.is_begun or bool(self._ends.words.is_word[code])
            opened = _Prefix(longer, logprob, begun, read)
            heapq.heappush(self._open, (-logprob, next(self._numbers), opened))
        if not is_cut and len(codes) > self._beams:
            self._leave_out(float(logprobs[codes[self._beams]]))

    def _note(self, codes: tuple[int, ...], logprob: float, *, ends: bool) -> None:
        if logprob > self._least:
            self._found.append(_FoundSuggestion(-logprob, codes, ends))
            self._found = sorted(self._found)[: self._settings.count]

    def _leave_out(self, logprob: float) -> None:
        self._left_out = max(self._left_out, logprob)
