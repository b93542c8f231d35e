"""What is explained of a text, and how much of it is shown."""

from __future__ import annotations

from dataclasses import dataclass

from nextchar.settings.fields import Validated, setting


@dataclass(frozen=True)
class ExplainSettings(Validated):
    """What is explained of a text, and how much of it is shown."""

    characters: int = setting(
        4000, "How many characters of the beginning are shown.", low=2, high=20_000
    )
    worst: int = setting(20, "How many of the most surprising places are listed.", low=0, high=1000)
    at: str | None = setting(
        None,
        "The place whose memory is shown; by default one where much depends on what is far back.",
        metavar="[FILE:]LINE:COLUMN",
    )
    lanes: int = setting(
        1,
        "1 carries the state through the whole text, exactly; more score it in N parts at once, "
        "many times faster, and differ in the sixth digit or later.",
        low=1,
        high=4096,
        metavar="N",
    )
    seed: int = setting(0, "Of the replacements that the memory is tried with.", low=0)
