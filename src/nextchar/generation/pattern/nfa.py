"""Nondeterministic automaton of a syntax tree (Thompson, 1968).

A state has one role: it leads to any number of states without a character, or to one with a
character of a set, or to one without a character if a condition holds. Possessive repeats and
atomic groups are refused unless they match the same texts as plain ones.
"""

from __future__ import annotations

from nextchar.errors import NO_VALUE, SettingsError
from nextchar.generation.pattern import syntax_tree as tree
from nextchar.generation.pattern.alphabet import Alphabet
from nextchar.generation.pattern.assertions import OF_WORDS
from nextchar.generation.pattern.work_limit import WorkLimit

MOST_STATES = 50_000


class NFA:
    """States of a pattern, from 0 to `final`.

    roots: root of the set of which a state reads a character; -1 if it reads none.
    targets: state after that character, or after the condition.
    conditions: condition that must hold to reach the target without a character; 0 for none.
    free: states reached without a character.
    """

    def __init__(
        self, pattern: str, nodes: tree.Nodes, alphabet: Alphabet, limit: WorkLimit
    ) -> None:
        self.roots: list[int] = []
        self.targets: list[int] = []
        self.conditions: list[int] = []
        self.free: list[list[int]] = []
        self._pattern, self._alphabet, self._limit = pattern, alphabet, limit
        self._repeats: list[tree.Repeat] = []  # around the node that is being built
        self._possessive: list[tuple[int, tree.Repeat]] = []  # with the state after each
        self.final = self._sequence(nodes, self._state())
        self._require_nothing_given_back()

    def __len__(self) -> int:
        return len(self.roots)

    def _state(self) -> int:
        if len(self) >= MOST_STATES:
            repeat = self._repeats[0] if self._repeats else None
            where = f"at position {repeat.start} " if repeat else ""
            problem = f"is too long {where}when its repeats are written out"
            remedy = "repeat fewer times, or without an upper bound"
            raise tree.pattern_error(
                problem, remedy, repeat.text(self._pattern) if repeat else NO_VALUE
            )
        self.roots.append(-1)
        self.targets.append(-1)
        self.conditions.append(0)
        self.free.append([])
        return len(self) - 1

    def _sequence(self, nodes: tree.Nodes, at: int) -> int:
        """Build some nodes after a state without a role, and return the state after them."""
        for node in nodes:
            self._limit.spend(8)
            at = self._build(node, at)
        return at

    def _build(self, node: tree.PatternNode, at: int) -> int:
        if isinstance(node, tree.CharacterSet):
            return self._atom(self._alphabet.root(node), at)
        if isinstance(node, tree.Branch):
            return self._branch(node, at)
        if isinstance(node, tree.Group):
            return self._group(node, at)
        if isinstance(node, tree.Repeat):
            return self._repeat(node, at)
        if isinstance(node, tree.Assertion):
            return self._assertion(node, at)
        return self._state()  # Never: no state leads there

    def _atom(self, root: int, at: int) -> int:
        end = self._state()
        self.roots[at], self.targets[at] = root, end
        return end

    def _branch(self, node: tree.Branch, at: int) -> int:
        return self._joined([self._sequence(each, self._after(at)) for each in node.alternatives])

    def _after(self, at: int) -> int:
        """Return a new state that another reaches without a character."""
        state = self._state()
        self.free[at].append(state)
        return state

    def _joined(self, ends: list[int]) -> int:
        state = self._state()
        for end in ends:
            self.free[end].append(state)
        return state

    def _assertion(self, node: tree.Assertion, at: int) -> int:
        if node.condition in OF_WORDS and self._alphabet.is_bytes:
            raise tree.pattern_error(
                f"needs whole characters at position {node.start}, which a model of bytes lacks",
                "put (?a) in front of the pattern for boundaries of ASCII words",
                node.text(self._pattern),
            )
        end = self._state()
        self.conditions[at], self.targets[at] = node.condition, end
        return end

    def _group(self, node: tree.Group, at: int) -> int:
        """Build a group; an atomic one must take the same number of characters anyway."""
        if node.is_atomic and not _has_one_width(node):
            raise self._gives_nothing_back(node, "an atomic group", "write (?: in place of (?>")
        return self._sequence(node.nodes, at)

    def _repeat(self, node: tree.Repeat, at: int) -> int:
        """Build a repeat.

        That a possessive one gives no character back changes nothing where it takes the same number
        of characters anyway, or where no text after it can begin with what it repeats.
        """
        self._repeats.append(node)
        end = self._copies(node, at)
        self._repeats.pop()
        if node.is_possessive and not _has_one_width(node):
            if len(node.nodes) != 1 or not isinstance(node.nodes[0], tree.CharacterSet):
                raise self._possessive_error(node)
            self._possessive.append((end, node))
        return end

    def _copies(self, node: tree.Repeat, at: int) -> int:
        for _ in range(node.low):
            self._limit.spend(8)
            at = self._sequence(node.nodes, at)
        if node.high == tree.UNLIMITED:
            hub = self._after(at)
            self.free[self._sequence(node.nodes, self._after(hub))].append(hub)
            return self._after(hub)
        ends = [at]  # the repeat may end after each further copy
        for _ in range(node.high - node.low):
            self._limit.spend(8)
            ends.append(self._sequence(node.nodes, self._after(ends[-1])))
        return self._joined(ends)

    def _require_nothing_given_back(self) -> None:
        for state, node in self._possessive:
            (characters,) = node.nodes
            assert isinstance(characters, tree.CharacterSet)
            for root in {self.roots[after] for after in self._reached(state)} - {-1}:
                if self._alphabet.share_characters(characters, root):
                    raise self._possessive_error(node)

    def _reached(self, state: int) -> set[int]:
        """The states reached without a further character, whether or not conditions hold."""
        seen, todo = {state}, [state]
        while todo:
            here = todo.pop()
            self._limit.spend(1)
            there = [*self.free[here], *([self.targets[here]] * (self.conditions[here] > 0))]
            todo.extend(set(there) - seen)
            seen.update(there)
        return seen

    def _possessive_error(self, node: tree.Repeat) -> SettingsError:
        remedy = "write it without the + that makes it possessive"
        return self._gives_nothing_back(node, "a possessive repeat", remedy)

    def _gives_nothing_back(self, node: tree.PatternNode, what: str, remedy: str) -> SettingsError:
        problem = f"has {what} at position {node.start}, whose end is not known while generating"
        return tree.pattern_error(problem, remedy, node.text(self._pattern))


def _has_one_width(node: tree.PatternNode) -> bool:
    """Return True if all matches have the same number of characters, in the same repeats."""
    shortest, longest = node.width
    is_fixed = not isinstance(node, tree.Repeat) or node.low == node.high
    return is_fixed and shortest == longest < tree.UNLIMITED
