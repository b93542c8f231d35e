"""Counts, durations and sizes in memory as people read them."""

from __future__ import annotations


def short_number(number: float, digits: str = ".1f") -> str:
    """Return a count with a suffix: 1234 → 1.2 k, 12345678 → 12.3 M. digits: format of it."""
    for size, suffix in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:{digits}}{suffix}"
    return f"{number:.0f}"


def duration(seconds: float, digits: int = 0) -> str:
    """Return a time: 3725 → 1 h 02 min, 125 → 2 min 05 s, 9 → 9 s.

    digits: decimals of a time below a minute.
    """
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{seconds:.{digits}f} s"


def rough_duration(seconds: float) -> str:
    """Return an estimated time, above a minute without its seconds: 125 → 2 min."""
    return duration(seconds) if not 59.5 <= seconds < 3599.5 else f"{round(seconds / 60)} min"


def memory_size(size: float) -> str:
    """Return a number of bytes: 12345678901 → 12.3 GB, 12345678 → 12 MB."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else megabytes(size, 0)


def megabytes(size: float, digits: int = 1) -> str:
    """Return a number of bytes in megabytes, however many: 12345678901 → 12,345.7 MB."""
    return f"{size / 1e6:,.{digits}f} MB"
