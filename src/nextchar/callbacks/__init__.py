"""Callbacks of a run: console, terminal curves, TensorBoard."""
