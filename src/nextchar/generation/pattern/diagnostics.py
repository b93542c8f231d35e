"""Diagnosis of a pattern that no text of a model's characters can match."""

from __future__ import annotations

from typing import NoReturn

from nextchar.errors import SettingsError
from nextchar.generation.pattern.alphabet import Alphabet
from nextchar.generation.pattern.syntax_tree import (
    Branch,
    CharacterSet,
    Group,
    Item,
    Never,
    Nodes,
    PatternNode,
    Repeat,
)

MOST_ITEMS = 8  # of a set, in a message

# a part that matches nothing, and the set of which the model has no character
_Lacking = tuple[PatternNode, CharacterSet | None]


def refuse_impossible(pattern: str, nodes: Nodes, alphabet: Alphabet) -> NoReturn:
    """Raise SettingsError that names the first part that matches nothing."""
    lacking = _lacking(nodes, alphabet)
    if lacking is None:
        raise SettingsError(
            "matches no text", setting="pattern", remedy="check its ^, $, \\b and \\B"
        )
    node, characters = lacking
    where, text = f"at position {node.start}", node.text(pattern)
    if characters is None:
        raise SettingsError(
            f"has a part {where} that matches nothing",
            setting="pattern",
            value=text,
            remedy="remove it",
        )
    if characters.literal is not None:
        problem = f"needs a character {where} that the model does not know"
    else:
        are_digits = all(item in ((48, 57), r"\d") for item in characters.items)
        noun = "character" if characters.negated or not are_digits else "digit"
        problem = f"needs a {noun} {_description(characters)} {where}, and the model has none"
    raise SettingsError(problem, setting="pattern", value=text)


def _description(characters: CharacterSet) -> str:
    """A set for a message: `of '0'…'9', '-'`."""
    shown = [_shown(item) for item in characters.items]
    more = ["…"] if len(shown) > MOST_ITEMS else []
    preposition = "other than" if characters.negated else "of"
    return f"{preposition} {', '.join([*shown[:MOST_ITEMS], *more])}" if shown else "of any kind"


def _shown(item: Item) -> str:
    if isinstance(item, str):
        return item
    first, last = map(chr, item)
    return repr(first) if first == last else f"{first!r}…{last!r}"


def _lacking(nodes: Nodes, alphabet: Alphabet) -> _Lacking | None:
    """The first part without which nothing matches, and its set of characters, all unknown."""
    for node in nodes:
        lacking = _lacking_in(node, alphabet)
        if lacking:
            return lacking
    return None


def _lacking_in(node: PatternNode, alphabet: Alphabet) -> _Lacking | None:
    if isinstance(node, CharacterSet):
        return (node, node) if alphabet.is_empty(alphabet.root(node)) else None
    if isinstance(node, Never):
        return node, None
    if isinstance(node, Branch):
        each = [_lacking(alternative, alphabet) for alternative in node.alternatives]
        return each[0] if all(each) else None
    if isinstance(node, Group):
        return _lacking(node.nodes, alphabet)
    if isinstance(node, Repeat) and node.low > 0:
        lacking = _lacking(node.nodes, alphabet)
        return (node, lacking[1]) if lacking and lacking[0] is node.nodes[0] else lacking
    return None
