"""Copied passages of generated text: shaded on a terminal, and summarised in a line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nextchar.cli.output.colours import LEVELS, shaded

if TYPE_CHECKING:
    from nextchar.apps.memorisation.passages import Passages, Span

_SHADE = LEVELS // 2 + 1
_SHOWN = 120  # characters of the longest passage


def mark_copied(text: str, spans: Sequence[Span], colours: int) -> str:
    """A text with its copied passages shaded. colours: number that the terminal has."""
    levels = [0] * len(text)
    for start, end in spans:
        levels[start:end] = [_SHADE] * (end - start)
    return shaded(text, levels, colours)


def copied_summary(passages: Passages) -> str:
    """A note with the copied share and the longest passage."""
    from nextchar.apps.memorisation.passages import MARKED

    count = sum(map(len, passages.spans))
    size = f"of {MARKED} characters or more"
    if not count:
        return f"note: no passage {size} occurs in the training text"
    longest = passages.longest
    shown = longest if len(longest) <= _SHOWN else longest[: _SHOWN - 1] + "…"
    return (
        f"note: {passages.share:.0%} of the generated text occurs in the training text, in {count} "
        f"passage{'' if count == 1 else 's'} {size}; the longest has {len(longest)}: "
        f"{json.dumps(shown, ensure_ascii=False)}"
    )
