"""Constraint of generation by a pattern, a finite automaton (generation/pattern/).

    state of a lane ──class of a code──→ next state        -1: the code is banned

Before a code is drawn, `mask_by_pattern` bans the codes that leave no way to a full match within
the remaining length; after it, `advance_pattern` follows the code.
"""

from __future__ import annotations

import numpy as np

from nextchar.kernels.jit import kernel


@kernel(inlined=True)
def mask_by_pattern(z, lane, lanes, banned):
    """Ban the codes that a lane's pattern does not allow; return whether it allows any.

    A text that is a full match may end. In a model with an end code, that code is then drawn as
    any other. In a model without one, drawing a banned code is the end: such codes, marked in
    `banned` (V,), keep their probability once `least` characters are drawn.
    """
    row, automata = lanes.rows[lane], lanes.automata
    state = row.state
    # the row of the state in the table: the next state for each class
    begin, end = automata.begins[state], automata.begins[state + 1]
    may_end = automata.accepts[state]
    # where texts have no end code, the banned codes stand for it together
    keeps = may_end and lanes.end < 0 and row.drawn >= row.least
    return _mask(
        z, automata.classes[row.pattern], automata.table[begin:end], automata.distance,
        row.most - row.drawn, lanes.end if may_end else -1, keeps, banned,
    )  # fmt: skip


@kernel()
def _mask(z, classes, table, distance, left, end, keeps, banned):
    """Mark banned codes, and set their logits to -inf unless `keeps`; return whether any remains.

    left: characters that may still be drawn. end: the end code where the text may end, else -1.
    """
    any_allowed = False
    # code → class → next state, -1 where the pattern has none
    for j in range(z.size):
        following = table[classes[j]] if classes[j] >= 0 else -1
        # after this code the match must be reachable with the characters that remain
        allowed = following >= 0 and distance[following] < left
        any_allowed = any_allowed or allowed
        banned[j] = not allowed and j != end
        if banned[j] and not keeps:
            z[j] = -np.inf
    return any_allowed


@kernel(inlined=True)
def advance_pattern(lane, lanes, code):
    """Follow a drawn code to the next state; return whether no code may follow it."""
    row, automata = lanes.rows[lane], lanes.automata
    place = automata.begins[row.state] + automata.classes[row.pattern, code]
    row.state = automata.table[place]
    return automata.is_last[row.state]
