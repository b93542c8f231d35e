"""Copied passages of generated text: in colour on a terminal, and in one line for everyone."""

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
    """A text whose copied passages are shaded. colours: of the terminal."""
    levels = [0] * len(text)
    for start, end in spans:
        levels[start:end] = [_SHADE] * (end - start)
    return shaded(text, levels, colours)


def copied_summary(passages: Passages) -> str:
    """How much was copied, and the longest passage."""
    from nextchar.apps.memorisation.passages import MARKED

    count = sum(map(len, passages.spans))
    what = f"of {MARKED} characters or more"
    if not count:
        return f"note: no passage {what} stands in the training text"
    longest = passages.longest
    shown = longest if len(longest) <= _SHOWN else longest[: _SHOWN - 1] + "…"
    return (
        f"note: {passages.share:.0%} of it, {count} passage{'' if count == 1 else 's'} {what}, "
        f"stand{'s' if count == 1 else ''} in the training text; the longest has "
        f"{len(longest)}: {json.dumps(shown, ensure_ascii=False)}"
    )
