"""Ways to go on from a prefix: what is asked for and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field

from nextchar.settings.fields import Validated, setting


@dataclass(frozen=True, kw_only=True)
class SuggestionSettings(Validated):
    """What is asked for."""

    count: int = setting(5, "How many continuations.", low=1, high=1000, metavar="N")
    length: int = setting(
        20, "Characters of a continuation at the most.", low=1, high=10**4, metavar="N"
    )
    to: str | None = setting(
        None,
        "What ends a continuation: the end of its word, of the line, of the record, or --length "
        "characters.  [default: record in a model of records, else word]",
        choices=("word", "line", "record", "length"),
    )
    beams: int | None = setting(
        None,
        "Prefixes tried of each length at the most.  [default: 8 for each continuation, 64 at the "
        "least]",
        low=1,
        high=10**5,
        metavar="N",
    )


DEFAULT = SuggestionSettings()


@dataclass(frozen=True)
class Suggestion:
    """One way to go on.

    text: without the prefix. data: the same as bytes, exact with the bytes alphabet.
    probability: by the model's own distribution.
    ends: whether it comes to its end; False where it was cut at `length` characters.
    """

    text: str
    probability: float
    ends: bool
    data: bytes = field(compare=False, repr=False)


class Suggestions(list[Suggestion]):
    """Ways to go on, the most probable first.

    exact: whether no other one is more probable than the last of them.
    """

    exact: bool = True
