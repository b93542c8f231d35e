"""Predicting: from a prompt, one next character at a time."""
