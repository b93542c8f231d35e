"""Settings of generation, for `nextchar generate`, `CharRNN.generate` and the server.

Names, defaults and order are those of the common libraries; docs/generation.md has the formulas.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nextchar.errors import SettingsError
from nextchar.settings.fields import Validated, require_known, setting


@dataclass(frozen=True, kw_only=True)
class GenerationSettings(Validated):
    """Settings of sampling and of the search for probable texts.

    Rules apply in the order penalties, temperature, top_k, top_p, min_p, typical_p.
    """

    length: int = setting(500, "New characters; the prompt is not counted.", low=0, metavar="N")
    min_length: int = setting(
        0, "Neither a stop string nor a record's end before N new characters.", low=0, metavar="N"
    )
    temperature: float = setting(
        1.0, "Below 1 is safer, above 1 wilder; 0 takes the most probable.", low=0.0, metavar="X"
    )
    top_k: int = setting(
        0, "Draw from the N most probable characters; 0 or -1 is off.", low=-1, metavar="N"
    )
    top_p: float = setting(
        1.0,
        "Draw from the fewest characters that have probability X together; 1 is off.",
        above=0.0,
        high=1.0,
        metavar="X",
    )
    min_p: float = setting(
        0.0,
        "Only characters at least X times as probable as the best one; 0 is off.",
        low=0.0,
        high=1.0,
        metavar="X",
    )
    typical_p: float = setting(
        1.0,
        "Draw from the fewest characters that surprise about as much as is to be expected and "
        "have probability X together; 1 is off.",
        above=0.0,
        high=1.0,
        metavar="X",
    )
    repetition_penalty: float = setting(
        1.0, "Divides logits of characters that were there, above 1; 1 is off.", above=0.0,
        metavar="X",
    )  # fmt: skip
    presence_penalty: float = setting(
        0.0, "Taken from the logits of characters that were there.", low=-2.0, high=2.0, metavar="X"
    )
    frequency_penalty: float = setting(
        0.0, "The same for each time that they were there.", low=-2.0, high=2.0, metavar="X"
    )
    repeat_last_n: int = setting(
        64,
        "How many of the last characters the three penalties look at, the prompt's among them; "
        "-1 is all.",
        low=-1,
        metavar="N",
    )
    no_repeat_ngram_size: int = setting(
        0, "No N characters in a row come a second time; 0 is off.", low=0, metavar="N"
    )
    samples: int = setting(1, "Texts to write, all in one batch.", low=1, high=10**5, metavar="N")
    best_of: int | None = setting(
        None,
        "Write N texts and keep the samples whose characters are the most probable.",
        low=1,
        high=10**5,
        metavar="N",
    )
    num_beams: int = setting(
        1, "Beam search for the most probable text with N beams; 1 is off.", low=1, high=1024,
        metavar="N",
    )  # fmt: skip
    length_penalty: float = setting(
        1.0, "Beams are compared by log-probability / length ** X.", low=0.0, metavar="X"
    )
    logprobs: int | None = setting(
        None,
        "Give the log-probability of each character and of the N most probable ones.",
        low=0,
        high=100,
        metavar="N",
    )
    dtype: str = setting(
        "auto",
        "How weights are held: as bfloat16 where they outgrow a core's cache (auto), or always so.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int | None = setting(
        None,
        "Seed of the draws; without it one is chosen, and told.",
        low=0,
        high=2**63 - 1,
        metavar="N",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_beams > 1 and self.best_of is not None:
            raise SettingsError(
                "cannot be combined with best_of", setting="num_beams", remedy="give one of them"
            )
        for name, is_set in (
            ("best_of", self.best_of is not None),
            ("num_beams", self.num_beams > 1),
        ):
            if is_set and getattr(self, name) < self.samples:
                raise SettingsError(
                    f"must be at least samples ({self.samples})",
                    setting=name,
                    value=getattr(self, name),
                )
        if self.min_length > self.length:
            raise SettingsError(
                f"must be at most length ({self.length})",
                setting="min_length",
                value=self.min_length,
            )


# names in other libraries → ours; both are accepted
ALIASES = {
    "max_new_tokens": "length",
    "num_return_sequences": "samples",
    "repeat_penalty": "repetition_penalty",
}
NAMES: Mapping[str, Any] = {
    **{each.name: each for each in dataclasses.fields(GenerationSettings)},
    **dict.fromkeys(ALIASES),
}


def generation_settings(options: Mapping[str, Any]) -> GenerationSettings:
    """Return settings from options by name or alias.

    Raises SettingsError for an unknown name, with the most similar known one.
    """
    given: dict[str, Any] = {}
    for name, value in options.items():
        require_known(name, NAMES, "option of generate")
        own = ALIASES.get(name, name)
        if own in given:
            raise SettingsError(
                f"is the same option as {own}", setting=name, remedy="give one of them"
            )
        given[own] = value
    return GenerationSettings(**given)
