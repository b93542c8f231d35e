"""Copies of the training text in generated text."""
