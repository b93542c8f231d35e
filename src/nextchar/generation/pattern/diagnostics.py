"""Why no text of a model's characters can match a pattern: which piece of it cannot be met."""

from __future__ import annotations

from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any, NoReturn

from nextchar.errors import SettingsError
from nextchar.generation.pattern.alphabet import Alphabet, description, wants_digits
from nextchar.generation.pattern.parser import (
    ATOMS,
    REPEATS,
    PatternNode,
    flags_within,
    never,
    piece,
)


def refuse_impossible(pattern: str, nodes: Any, flags: int, symbols: Alphabet) -> NoReturn:
    """Raise SettingsError that names the first piece that cannot be met."""
    found = _lacking(nodes, flags, symbols)
    if found is None:
        raise SettingsError("pattern: no text can match it; look at its ^, $, \\b and \\B")
    node, atom = found
    where = piece(pattern, node, flags)
    if atom is None:
        raise SettingsError(f"pattern: {where} matches nothing; leave it out")
    if atom[0] is sre.LITERAL:
        wants = "wants a character that the model does not know"
        raise SettingsError(f"pattern: {where} {wants}")
    noun = "digit" if wants_digits(atom) else "character"
    raise SettingsError(f"pattern: {where} wants a {noun}, and the model knows none {_of(atom)}")


def _of(atom: PatternNode) -> str:
    text = description(atom)
    return text if text.startswith(("other", "of")) else f"of {text}"


def _lacking(
    nodes: Any, flags: int, symbols: Alphabet
) -> tuple[PatternNode, PatternNode | None] | None:
    """The first piece without which nothing matches and its set of characters, all unknown."""
    for node in nodes:
        found = _lacking_in(node, flags, symbols)
        if found:
            return found
    return None


def _lacking_in(
    node: PatternNode, flags: int, symbols: Alphabet
) -> tuple[PatternNode, PatternNode | None] | None:
    kind, argument = node
    if kind in ATOMS:
        return (node, node) if symbols.is_empty(symbols.root(node, flags)) else None
    if never(node):
        return node, None
    if kind is sre.BRANCH:
        each = [_lacking(alternative, flags, symbols) for alternative in argument[1]]
        return each[0] if all(each) else None
    if kind is sre.SUBPATTERN:
        return _lacking(argument[3], flags_within(flags, *argument[1:3]), symbols)
    if kind is sre.ATOMIC_GROUP:
        return _lacking(argument, flags, symbols)
    if kind in REPEATS and argument[0] > 0:
        found = _lacking(argument[2], flags, symbols)
        return (node, found[1]) if found and found[0] is argument[2][0] else found
    return None
