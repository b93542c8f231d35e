"""Limits of a run: steps, time and memory."""
