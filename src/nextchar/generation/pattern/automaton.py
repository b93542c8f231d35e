"""Automaton of a pattern: the codes that may come next so that a full match stays possible.

    pattern ─ parser ─► tree ─ nfa ─► NFA over sets of characters ─ dfa ─► DFA over classes of codes

Equivalent codes form one class, so that the table stays small however many characters the model
knows. States from which no match can be reached are removed; if none remains, `diagnostics` names
the part of the pattern at fault.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nextchar.generation.pattern.alphabet import NONE, Alphabet
from nextchar.generation.pattern.assertions import ASCII_WORD, NEWLINE, WORD, bits_for
from nextchar.generation.pattern.dfa import Determinizer, equal_columns
from nextchar.generation.pattern.diagnostics import refuse_impossible
from nextchar.generation.pattern.nfa import NFA
from nextchar.generation.pattern.parser import parse
from nextchar.generation.pattern.syntax_tree import pattern_error
from nextchar.generation.pattern.work_limit import WorkLimit
from nextchar.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Automaton:
    """Deterministic automaton over codes; state 0 is the start.

    classes: (V,) class of each code; -1 if it is never allowed.
    table: (S, C) next state; -1 if no full match is possible.
    accepts: (S,) True if the text so far is a full match.
    distance: (S,) fewest codes from the state to a full match.
    """

    classes: NDArray[np.int32]
    table: NDArray[np.int32]
    accepts: NDArray[np.bool_]
    distance: NDArray[np.int32]


def automaton_of(pattern: str, vocabulary: Vocabulary, *, end_code: int | None = None) -> Automaton:
    """Return the automaton of all texts that `re.fullmatch(pattern, text)` matches.

    With the bytes alphabet the UTF-8 of a text is matched, byte by byte.
    end_code: code of a text's end; like the unknown symbol it is never allowed.
    Raises SettingsError if the pattern is invalid, is not a regular language, grows too large, or
    matches no text, or only the empty one, of the characters in the vocabulary.
    """
    try:
        return _automaton(pattern, vocabulary, end_code)
    except RecursionError:
        raise pattern_error("has groups nested too deeply") from None


def require_fits(automaton: Automaton, length: int) -> None:
    """Raise SettingsError if every match is longer than length."""
    shortest = automaton.distance[0]
    if shortest > length:
        problem = f"has no match of fewer than {shortest} characters, and length is {length}"
        raise pattern_error(problem, "raise the length")


def _automaton(pattern: str, vocabulary: Vocabulary, end_code: int | None) -> Automaton:
    limit = WorkLimit()
    nodes = parse(pattern)
    alphabet = Alphabet(vocabulary, end_code, limit)
    nfa = NFA(pattern, nodes, alphabet, limit)
    steps = alphabet.table()
    bits = _bits(nfa, vocabulary)
    codes = np.flatnonzero((steps != NONE).any(axis=0))  # the others are never allowed
    which, firsts = equal_columns(np.vstack([steps, bits])[:, codes])
    table, accepts = Determinizer(nfa, steps[:, codes[firsts]], bits[codes[firsts]], limit).run()
    table, accepts, distance = _only_alive(table, accepts)
    if len(table) == 0:
        refuse_impossible(pattern, nodes, alphabet)
    if (table < 0).all():
        raise pattern_error("matches only the empty text", "let it match some character")
    classes = np.full(len(vocabulary), -1, dtype=np.int32)
    kept, firsts = equal_columns(table)
    used = (table[:, firsts] >= 0).any(axis=0)
    classes[codes] = np.where(used, np.cumsum(used) - 1, -1)[kept[which]]
    return Automaton(classes, np.ascontiguousarray(table[:, firsts[used]]), accepts, distance)


def _bits(nfa: NFA, vocabulary: Vocabulary) -> NDArray[np.int16]:
    """Return the bits (V,) of each code by which the assertions of a pattern are judged."""
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


def _only_alive(
    table: NDArray[np.int32], accepts: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.int32]]:
    """Remove states from which no match is reached (all, if 0 is one), and add the distances."""
    distance = _distances(table, accepts)
    alive = distance >= 0
    if not alive[0]:
        return table[:0], accepts[:0], distance[:0]
    new = np.append(np.where(alive, np.cumsum(alive) - 1, -1), -1).astype(np.int32)  # -1 stays -1
    return new[table[alive]], accepts[alive], distance[alive]


def _distances(table: NDArray[np.int32], accepts: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the fewest steps from each state to one that accepts, or -1."""
    sources: list[list[int]] = [[] for _ in table]
    for state, row in enumerate(table):
        for there in {*row.tolist()} - {-1}:
            sources[there].append(state)
    distance = np.where(accepts, 0, -1).tolist()
    todo = np.flatnonzero(accepts).tolist()
    for state in todo:  # the list grows, by distance
        for source in sources[state]:
            if distance[source] < 0:
                distance[source] = distance[state] + 1
                todo.append(source)
    return np.array(distance, dtype=np.int32)
