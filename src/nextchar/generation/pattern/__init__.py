"""Constrained generation: regular expressions as automata over codes."""
