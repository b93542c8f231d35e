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


# a table of settings: default and help first, limits in the last line
# fmt: off
@dataclass(frozen=True, kw_only=True)
class GenerationSettings(Validated):
    """Settings of sampling and of the search for probable texts.

    Rules apply in the order penalties, temperature, top_k, top_p, min_p, typical_p.
    """

    length: int = setting(500, "New characters to generate, not counting the prompt.", low=0)
    min_length: int = setting(
        0, "Ignore stop strings and the end of a record before N new characters.", low=0
    )
    temperature: float = setting(
        1.0,
        "Divide the logits by X: below 1 favours probable characters, above 1 improbable ones; 0 "
        "always takes the most probable.",
        low=0.0,
    )
    top_k: int = setting(
        0, "Sample from the N most probable characters; 0 or -1 disables it.", low=-1
    )
    top_p: float = setting(
        1.0,
        "Nucleus sampling: keep the most probable characters, up to total probability X; 1 is off.",
        above=0.0, high=1.0,
    )
    min_p: float = setting(
        0.0,
        "Keep characters that are at least X times as probable as the best one; 0 disables it.",
        low=0.0, high=1.0,
    )
    typical_p: float = setting(
        1.0,
        "Locally typical sampling: keep the characters whose surprisal is closest to the entropy, "
        "up to total probability X; 1 disables it.",
        above=0.0, high=1.0,
    )
    repetition_penalty: float = setting(
        1.0,
        "Make recent characters less likely: divide their logits by X, or multiply negative ones; "
        "1 disables it.",
        above=0.0,
    )
    presence_penalty: float = setting(
        0.0, "Subtract X from the logits of recent characters.", low=-2.0, high=2.0
    )
    frequency_penalty: float = setting(
        0.0, "Subtract X from the logit of a recent character for each of its occurrences.",
        low=-2.0, high=2.0,
    )
    repeat_last_n: int = setting(
        64,
        "Recent characters for the three penalties: the last N, those of the prompt included; -1 "
        "is all.",
        low=-1,
    )
    no_repeat_ngram_size: int = setting(
        0, "Never repeat a sequence of N characters; 0 disables it.", low=0
    )
    samples: int = setting(1, "Texts to generate, all in one batch.", low=1, high=10**5)
    best_of: int | None = setting(
        None, "Generate N texts and keep the samples with the highest mean log-probability.",
        low=1, high=10**5,
    )
    num_beams: int = setting(
        1, "Beam search for the most probable text, with N beams; 1 disables it.", low=1, high=1024
    )
    length_penalty: float = setting(1.0, "Rank beams by log-probability / length ** X.", low=0.0)
    logprobs: int | None = setting(
        None,
        "Report the log-probability of each character, and of the N most probable alternatives.",
        low=0, high=100,
    )
    dtype: str = setting(
        "auto", "Type of the weights in memory; auto is bfloat16 if they outgrow a core's cache.",
        choices=("auto", "float32", "bfloat16"),
    )
    seed: int | None = setting(
        None, "Seed of the random draws.",
        low=0, high=2**63 - 1, unset="a random one, which is reported",
    )

    # fmt: on
    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_beams > 1 and self.best_of is not None:
            problem = "cannot be combined with best_of"
            raise SettingsError(problem, setting="num_beams", remedy="give one of them")
        beams = self.num_beams if self.num_beams > 1 else None
        for name, value in (("best_of", self.best_of), ("num_beams", beams)):
            if value is not None and value < self.samples:
                problem = f"must be at least samples ({self.samples})"
                raise SettingsError(problem, setting=name, value=value)
        if self.min_length > self.length:
            problem = f"must be at most length ({self.length})"
            raise SettingsError(problem, setting="min_length", value=self.min_length)


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
            problem = f"is the same option as {own}"
            raise SettingsError(problem, setting=name, remedy="give one of them")
        given[own] = value
    return GenerationSettings(**given)
