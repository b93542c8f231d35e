r"""Constrained generation: regular expressions as automata over the codes of a vocabulary.

`automaton` passes a pattern through `parser`, `nfa` and `dfa`.

    automaton.py     from a pattern to the table that generation follows
    parser.py        pattern to syntax tree
    escapes.py       escapes of single characters
    syntax_tree.py   nodes of the tree
    assertions.py    conditions on a position: ^ $ \A \Z \b \B
    alphabet.py      sets of characters as tables over codes
    utf8.py          sets of characters as trees over UTF-8 bytes
    nfa.py           syntax tree to nondeterministic automaton
    dfa.py           subset construction: nondeterministic to deterministic
    diagnostics.py   the part of a pattern that no character of the model can match
    work_limit.py    limit on the work that one pattern may cost
"""
