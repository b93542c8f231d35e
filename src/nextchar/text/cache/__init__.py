"""Encoded texts on disk: the format, its readers and the folder they live in."""
