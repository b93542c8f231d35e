"""Diagnosis of a pattern that no text of a model's characters can match."""

from __future__ import annotations

from typing import NoReturn

from nextchar.generation.pattern import syntax_tree as tree
from nextchar.generation.pattern.alphabet import Alphabet

MOST_ITEMS = 8  # of a set, in a message

# a part that matches nothing, and the set of which the model has no character
_Lacking = tuple[tree.PatternNode, tree.CharacterSet | None]


def refuse_impossible(pattern: str, nodes: tree.Nodes, alphabet: Alphabet) -> NoReturn:
    """Raise SettingsError that names the first part that matches nothing."""
    lacking = _lacking(nodes, alphabet)
    if lacking is None:
        raise tree.pattern_error("matches no text", "check its ^, $, \\b and \\B")
    node, characters = lacking
    where, text = f"at position {node.start}", node.text(pattern)
    if characters is None:
        raise tree.pattern_error(f"has a part {where} that matches nothing", "remove it", text)
    if characters.literal is not None:
        problem = f"needs a character {where} that the model does not know"
    else:
        are_digits = all(item in ((48, 57), r"\d") for item in characters.items)
        noun = "character" if characters.negated or not are_digits else "digit"
        problem = f"needs a {noun} {_description(characters)} {where}, and the model has none"
    raise tree.pattern_error(problem, value=text)


def _description(characters: tree.CharacterSet) -> str:
    """A set for a message: `of '0'…'9', '-'`."""
    shown = [_shown(item) for item in characters.items]
    more = ["…"] if len(shown) > MOST_ITEMS else []
    preposition = "other than" if characters.negated else "of"
    return f"{preposition} {', '.join([*shown[:MOST_ITEMS], *more])}" if shown else "of any kind"


def _shown(item: tree.Item) -> str:
    if isinstance(item, str):
        return item
    first, last = map(chr, item)
    return repr(first) if first == last else f"{first!r}…{last!r}"


def _lacking(nodes: tree.Nodes, alphabet: Alphabet) -> _Lacking | None:
    """The first part without which nothing matches, and its set of characters, all unknown."""
    each = (_lacking_in(node, alphabet) for node in nodes)
    return next(filter(None, each), None)


def _lacking_in(node: tree.PatternNode, alphabet: Alphabet) -> _Lacking | None:
    if isinstance(node, tree.CharacterSet):
        return (node, node) if alphabet.is_empty(alphabet.root(node)) else None
    if isinstance(node, tree.Never):
        return node, None
    if isinstance(node, tree.Branch):
        each = [_lacking(alternative, alphabet) for alternative in node.alternatives]
        return each[0] if all(each) else None
    if isinstance(node, tree.Group):
        return _lacking(node.nodes, alphabet)
    if isinstance(node, tree.Repeat) and node.low > 0:
        lacking = _lacking(node.nodes, alphabet)
        return (node, lacking[1]) if lacking and lacking[0] is node.nodes[0] else lacking
    return None
