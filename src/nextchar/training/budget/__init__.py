"""Limits of a run: steps, time and memory.

    budget.py            when a run ends, evaluates and saves
    dry_run.py           compilation and timing before the clock starts
    memory_estimate.py   memory that a run needs, and memory there is

A run ends by one of steps, epochs and time.
"""
