"""Constrained generation: which codes may come next so that a full match stays possible.

    pattern ─ tree ─► NFA over sets of characters ─ nfa ─► DFA over classes of codes ─ dfa ─►

Codes that behave alike are one class, so that the table stays small however many characters the
model knows. States from which no match can be reached with them are left out; where it is none at
all, the piece that cannot be met is named.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.pattern.alphabet import NONE, Alphabet
from nextchar.generation.pattern.assertions import ASCII_WORD, NEWLINE, WORD, bits_for
from nextchar.generation.pattern.dfa import Determinizer
from nextchar.generation.pattern.diagnostics import refuse_impossible
from nextchar.generation.pattern.nfa import NFA
from nextchar.generation.pattern.parser import parse
from nextchar.generation.pattern.work_limit import WorkLimit
from nextchar.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Automaton:
    """What may come next after each beginning of a match; state 0 is the start.

    classes: (V,) the class of each code; -1 where it is allowed nowhere.
    table: (S, C) the next state; -1 where no full match is possible any more.
    accepts: (S,) whether the text so far is a full match.
    distance: (S,) the fewest codes from here to a full match.
    """

    classes: NDArray[np.int32]
    table: NDArray[np.int32]
    accepts: NDArray[np.bool_]
    distance: NDArray[np.int32]


def automaton_of(pattern: str, vocabulary: Vocabulary, *, end_code: int | None = None) -> Automaton:
    """The automaton of all texts that `re.fullmatch(pattern, text)` matches.

    With the bytes alphabet they are matched by their UTF-8, byte by byte.
    end_code: a code that stands for a text's end; like the unknown symbol's it is allowed nowhere.
    Raises SettingsError where the pattern has a mistake, is no regular language, grows too large,
    or cannot be met, or by the empty text only, with the characters that there are.
    """
    try:
        return _automaton(pattern, vocabulary, end_code)
    except RecursionError:
        raise SettingsError("has groups nested too deeply", setting="pattern") from None


def require_fits(automaton: Automaton, length: int) -> None:
    """Raise SettingsError where no match is as short as length."""
    shortest = automaton.distance[0]
    if shortest > length:
        raise SettingsError(
            f"has no match of fewer than {shortest} characters, and length is {length}",
            setting="pattern",
            remedy="raise the length",
        )


def _automaton(pattern: str, vocabulary: Vocabulary, end_code: int | None) -> Automaton:
    budget = WorkLimit()
    nodes = parse(pattern)
    alphabet = Alphabet(vocabulary, end_code, budget)
    nfa = NFA(pattern, nodes, alphabet, budget)
    steps = alphabet.table()
    bits = _bits(nfa, vocabulary)
    codes = np.flatnonzero((steps != NONE).any(axis=0))  # the others are allowed nowhere
    which, firsts = _equal_columns(np.vstack([steps, bits])[:, codes])
    table, accepts = Determinizer(nfa, steps[:, codes[firsts]], bits[codes[firsts]], budget).run()
    table, accepts, distance = _only_alive(table, accepts)
    if len(table) == 0:
        refuse_impossible(pattern, nodes, alphabet)
    if (table < 0).all():
        raise SettingsError(
            "matches only the empty text",
            setting="pattern",
            remedy="let it match some character",
        )
    classes = np.full(len(vocabulary), -1, dtype=np.int32)
    kept, firsts = _equal_columns(table)
    used = (table[:, firsts] >= 0).any(axis=0)
    classes[codes] = np.where(used, np.cumsum(used) - 1, -1)[kept[which]]
    return Automaton(classes, np.ascontiguousarray(table[:, firsts[used]]), accepts, distance)


def _bits(nfa: NFA, vocabulary: Vocabulary) -> NDArray[np.int16]:
    """(V,) what the conditions of a pattern ask of each code."""
    if not any(nfa.conditions):
        return np.zeros(len(vocabulary), dtype=np.int16)
    points = np.full(len(vocabulary), -1)
    points[: len(vocabulary.points)] = vocabulary.points
    letters = [chr(point) if point >= 0 else "" for point in points]
    words = [letter.isalnum() or letter == "_" for letter in letters]
    ascii_words = [word and ord(letter) < 128 for word, letter in zip(words, letters, strict=True)]
    bits = NEWLINE * (points == ord("\n")) + WORD * np.array(words, int)
    bits += ASCII_WORD * np.array(ascii_words, int)
    return np.asarray(bits & bits_for(set(nfa.conditions)), dtype=np.int16)


def _equal_columns(rows: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Which columns are equal, as a number for each, and the first column of each number."""
    if rows.shape[1] == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    columns = np.ascontiguousarray(rows.T)
    whole = columns.view(np.dtype((np.void, columns.dtype.itemsize * columns.shape[1]))).ravel()
    _, firsts, which = np.unique(whole, return_index=True, return_inverse=True)
    return which, firsts


def _only_alive(
    table: NDArray[np.int32], accepts: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.int32]]:
    """Without states from which none accepts, all empty if 0 is one; and the distances."""
    distance = _distances(table, accepts)
    alive = distance >= 0
    if not alive[0]:
        return table[:0], accepts[:0], distance[:0]
    new = np.append(np.where(alive, np.cumsum(alive) - 1, -1), -1).astype(np.int32)  # -1 stays -1
    return new[table[alive]], accepts[alive], distance[alive]


def _distances(table: NDArray[np.int32], accepts: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The fewest steps from each state to one that accepts, -1 where there is no way."""
    sources: list[list[int]] = [[] for _ in table]
    for state, row in enumerate(table):
        for there in {*row.tolist()} - {-1}:
            sources[there].append(state)
    distance = np.where(accepts, 0, -1).tolist()
    todo = np.flatnonzero(accepts).tolist()
    for state in todo:  # it grows, by distance
        for source in sources[state]:
            if distance[source] < 0:
                distance[source] = distance[state] + 1
                todo.append(source)
    return np.array(distance, dtype=np.int32)
