"""A pattern's tree → a nondeterministic automaton (Thompson, 1968).

A state has one role: it goes on without a character (to any number of states), or with one of a
set, or without one where a condition holds. What is no regular language is refused here.
"""

from __future__ import annotations

from re import _constants as sre  # type: ignore[attr-defined]
from typing import Any

from nextchar.errors import SettingsError
from nextchar.generation.pattern.alphabet import Alphabet
from nextchar.generation.pattern.assertions import OF_WORDS, condition_of
from nextchar.generation.pattern.parser import (
    ATOMS,
    REPEATS,
    PatternNode,
    flags_within,
    never,
    piece,
)
from nextchar.generation.pattern.work_limit import WorkLimit

MOST_STATES = 50_000


class NFA:
    """The states of a pattern; 0 is where it begins, `final` where it has been met.

    roots: of each state the root of the set with a character of which it goes to its target; -1.
    targets: where it goes with a character or under its condition.
    conditions: what must hold for it to go there without a character; 0 for none.
    free: where it goes without a character.
    """

    def __init__(self, pattern: str, nodes: list[PatternNode], flags: int, symbols: Alphabet,
                 budget: WorkLimit) -> None:  # fmt: skip
        self.roots: list[int] = []
        self.targets: list[int] = []
        self.conditions: list[int] = []
        self.free: list[list[int]] = []
        self._pattern, self._symbols, self._budget = pattern, symbols, budget
        self._global = flags
        self._repeats: list[PatternNode] = []  # that stand around what is being built
        self._greedy: list[
            tuple[int, PatternNode, int]
        ] = []  # possessive ones: state after it, flags
        self.final = self._sequence(nodes, flags, self._state())
        self._require_that_none_is_taken_back()

    def __len__(self) -> int:
        return len(self.roots)

    def _state(self) -> int:
        if len(self) >= MOST_STATES:
            where = piece(self._pattern, self._repeats[0], self._global) if self._repeats else ""
            raise SettingsError(
                f"pattern: {where or 'it'} is too long when its repeats are written out; repeat "
                "fewer times, or without an upper bound"
            )
        self.roots.append(-1)
        self.targets.append(-1)
        self.conditions.append(0)
        self.free.append([])
        return len(self) - 1

    def _sequence(self, nodes: Any, flags: int, at: int) -> int:
        """Build some nodes after a state without a role; the state in which they are met."""
        for node in nodes:
            self._budget.spend(8)
            at = self._build(node, flags, at)
        return at

    def _build(self, node: PatternNode, flags: int, at: int) -> int:
        kind, argument = node
        if kind in ATOMS:
            return self._atom(self._symbols.root(node, flags), at)
        if kind is sre.BRANCH:
            return self._branch(argument[1], flags, at)
        if kind is sre.SUBPATTERN:
            _, added, removed, inner = argument
            return self._sequence(inner, flags_within(flags, added, removed), at)
        if kind in REPEATS or kind is sre.ATOMIC_GROUP:
            return self._greedily(node, flags, at)
        if kind is sre.AT:
            return self._condition(node, flags, at)
        if never(node):
            return self._state()  # nothing leads there
        if kind is sre.ASSERT and not len(argument[1]):
            return at
        raise self._refusal(node, *_irregular(node))

    def _atom(self, root: int, at: int) -> int:
        end = self._state()
        self.roots[at], self.targets[at] = root, end
        return end

    def _branch(self, alternatives: Any, flags: int, at: int) -> int:
        ends = [self._sequence(each, flags, self._after(at)) for each in alternatives]
        return self._joined(ends)

    def _after(self, at: int) -> int:
        """A new state to which another goes without a character."""
        made = self._state()
        self.free[at].append(made)
        return made

    def _joined(self, ends: list[int]) -> int:
        made = self._state()
        for end in ends:
            self.free[end].append(made)
        return made

    def _condition(self, node: PatternNode, flags: int, at: int) -> int:
        condition = condition_of(node[1], flags)
        if condition in OF_WORDS and self._symbols.is_bytes:
            raise self._refusal(
                node,
                "looks at whole characters, which a model of bytes cannot",
                "after (?a) it looks at those of ASCII only, which it can",
            )
        end = self._state()
        self.conditions[at], self.targets[at] = condition, end
        return end

    def _greedily(self, node: PatternNode, flags: int, at: int) -> int:
        """A repeat or an atomic group.

        A possessive one gives nothing back. That changes nothing where it takes the same number
        of characters anyway, or where what comes after it cannot begin with what it repeats.
        """
        kind, argument = node
        if kind is sre.ATOMIC_GROUP:
            if not _has_one_width(argument, 1, 1):
                raise self._refusal(node, *_GIVES_NOTHING_BACK)
            return self._sequence(argument, flags, at)
        self._repeats.append(node)
        low, high, item = argument
        end = self._repeat(low, high, item, flags, at)
        self._repeats.pop()
        if kind is sre.POSSESSIVE_REPEAT and not _has_one_width(item, low, high):
            if len(item) != 1 or item[0][0] not in ATOMS:
                raise self._refusal(node, *_GIVES_NOTHING_BACK)
            self._greedy.append((end, node, flags))
        return end

    def _repeat(self, low: int, high: int, item: Any, flags: int, at: int) -> int:
        for _ in range(low):
            self._budget.spend(8)
            at = self._sequence(item, flags, at)
        if high == sre.MAXREPEAT:
            hub = self._after(at)
            self.free[self._sequence(item, flags, self._after(hub))].append(hub)
            return self._after(hub)
        ends = [at]  # after each further time it may be enough
        for _ in range(high - low):
            self._budget.spend(8)
            ends.append(self._sequence(item, flags, self._after(ends[-1])))
        return self._joined(ends)

    def _require_that_none_is_taken_back(self) -> None:
        for state, node, flags in self._greedy:
            item = node[1][2][0]
            for root in {self.roots[after] for after in self._reached(state)} - {-1}:
                if self._symbols.share_characters(item, flags, root):
                    raise self._refusal(node, *_GIVES_NOTHING_BACK)

    def _reached(self, state: int) -> set[int]:
        """Where one can be without a further character, conditions or not."""
        seen, todo = {state}, [state]
        while todo:
            here = todo.pop()
            self._budget.spend(1)
            there = [*self.free[here], *([self.targets[here]] * (self.conditions[here] > 0))]
            todo.extend(set(there) - seen)
            seen.update(there)
        return seen

    def _refusal(self, node: PatternNode, what: str, instead: str) -> SettingsError:
        return SettingsError(
            f"pattern: {piece(self._pattern, node, self._global)} {what}; {instead}"
        )


_GIVES_NOTHING_BACK = (
    "gives nothing back of what it took, which is not known while writing",
    "write it without the + or ?> that says so",
)


def _has_one_width(nodes: Any, low: int, high: int) -> bool:
    shortest, longest = nodes.getwidth()
    return bool(low == high and shortest == longest < sre.MAXREPEAT)


def _irregular(node: PatternNode) -> tuple[str, str]:
    """What a node is that no automaton knows, and what to do."""
    kind, argument = node
    if kind is sre.GROUPREF:
        what = "is a back-reference"
    elif kind is sre.GROUPREF_EXISTS:
        what = "is a conditional group"
    else:
        behind = "behind" if argument[0] < 0 else "ahead"
        what = f"is a {'negative ' * (kind is sre.ASSERT_NOT)}look-{behind}"
    return f"{what}, which cannot be followed while writing", "write the pattern without it"
