"""A little English, apart from conftest.py for programs that tests start."""

PROSE = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the\n"
    "age of foolishness, it was the epoch of belief, it was the epoch of incredulity.\n"
)
