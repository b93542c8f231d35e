"""Compiled generation: reading and drawing characters in lanes."""
