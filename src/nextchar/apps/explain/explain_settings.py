"""Settings of an explanation."""

from __future__ import annotations

from dataclasses import dataclass

from nextchar.settings.fields import Validated, setting


@dataclass(frozen=True)
class ExplainSettings(Validated):
    """Settings of an explanation."""

    characters: int = setting(
        4000, "Number of characters shown from the beginning of the text.", low=2, high=20_000
    )
    worst: int = setting(20, "Number of most surprising characters to list.", low=0, high=1000)
    at: str | None = setting(
        None,
        "Position whose context influence is shown; by default one that depends on distant "
        "characters.",
        metavar="[FILE:]LINE:COLUMN",
    )
    lanes: int = setting(
        1, "Score the text in N parts in parallel, many times faster; results differ in the sixth "
        "digit or later. 1 carries the state through the whole text, exactly.",
        low=1, high=4096, metavar="N",
    )  # fmt: skip
    seed: int = setting(
        0, "Seed of the replacement characters and of the shifts behind the chance level.", low=0
    )
