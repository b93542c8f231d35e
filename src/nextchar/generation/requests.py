"""What is asked for, a prompt, rules and an end, and what comes of it, piece by piece."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.pattern.automaton import Automaton, automaton_of, require_fits
from nextchar.model.file import Model
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import Unknown, Vocabulary

Codes = NDArray[Any]

BIAS = 100  # the most that is added to a logit; minus that bans


@dataclass(frozen=True)
class Request:
    """Texts to be written after one prompt.

    prompt: (T,) codes that are read first; where the user gave none, what a text begins with.
    primed: how many codes at its beginning the user did not give.
    seed: sample i draws from a stream made of the seed and i.
    stop: strings that end a text; they are not part of it.
    bias: (V,) added to the logits, -inf for what is never drawn; None for none.
    automaton: lets only those characters through that keep a full match possible.
    prompt_logprobs: whether the prompt's characters are scored too.
    first: the number of its first sample, where those before it were written already.
    """

    prompt: Codes
    primed: int
    settings: GenerationSettings
    seed: int
    stop: tuple[str, ...] = ()
    bias: NDArray[np.float64] | None = None
    automaton: Automaton | None = None
    prompt_logprobs: bool = False
    first: int = 0


@dataclass(frozen=True)
class TextDelta:
    """What one sample of a request wrote in a while; all pieces of it together are its text.

    index: which sample; -1 for the prompt itself, which is scored once for all samples.
    text: what is sure by now; what might become a stop string is held back.
    codes: (n,) that the text is made of: one a character, or one a byte.
    logprobs: (n,) natural logarithm of each one's probability as the model has it, before any rule;
    NaN for a prompt's first character, which nothing predicts. None where it was not asked for.
    top_codes, top_logprobs: (n, N) of the N most probable ones, the best first.
    finish_reason: `"length"` or `"stop"` with the last piece, None before.
    """

    index: int
    text: str
    codes: Codes
    logprobs: NDArray[np.float64] | None = None
    top_codes: Codes | None = None
    top_logprobs: NDArray[np.float64] | None = None
    finish_reason: str | None = None


def make_request(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    stop: str | Sequence[str] = (),
    logit_bias: Mapping[str, float] | Mapping[int, float] | None = None,
    pattern: str | None = None,
    unknown: Unknown = "error",
    prompt_logprobs: bool = False,
) -> Request:
    """The request of a prompt and rules, checked against the model.

    logit_bias: a character, or a code (an int, or a decimal number of two digits or more) → what
    is added to its logit, -100 to 100; -100 bans.
    pattern: a regular expression that the whole text matches.
    Raises SettingsError or UnknownCharacterError; the former's message begins with the name of
    what is wrong.
    """
    codes, primed = _prompt_codes(model, prompt, unknown)
    automaton = None
    if pattern is not None:
        automaton = automaton_of(pattern, model.vocabulary, end_code=model.end_code)
        require_fits(automaton, settings.length)
    return Request(
        prompt=codes,
        primed=primed,
        settings=settings,
        seed=seed,
        stop=checked_stops(stop),
        bias=_bias(logit_bias, model.vocabulary) if logit_bias else None,
        automaton=automaton,
        prompt_logprobs=prompt_logprobs,
    )


def checked_stops(stop: str | Sequence[str]) -> tuple[str, ...]:
    """Stop strings as a tuple."""
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(isinstance(each, str) and each for each in stops):
        raise SettingsError(f"stop: wants texts that are not empty, got {stop!r}")
    return stops


def _prompt_codes(model: Model, prompt: str | bytes, unknown: Unknown) -> tuple[Codes, int]:
    """What is read first: the prompt, behind what begins a record; or else a line break."""
    vocabulary = model.vocabulary
    if isinstance(prompt, str):
        prompt = "".join(normalized([prompt], model.text.normalize))
    codes = vocabulary.encode(prompt, unknown=unknown)
    if model.end_code is not None:
        begin = np.array([model.end_code], codes.dtype)
    elif len(codes) == 0 and (vocabulary.is_bytes or "\n" in vocabulary):
        begin = vocabulary.encode("\n")
    else:
        begin = codes[:0]
    return np.concatenate([begin, codes]), len(begin)


def _bias(
    given: Mapping[str, float] | Mapping[int, float], vocabulary: Vocabulary
) -> NDArray[np.float64]:
    bias = np.zeros(len(vocabulary))
    for symbol, value in given.items():
        if isinstance(value, bool) or not (
            isinstance(value, int | float) and -BIAS <= value <= BIAS
        ):
            raise SettingsError(
                f"logit_bias: wants numbers of -{BIAS} to {BIAS}, got {value!r} for {symbol!r}"
            )
        bias[_code_of(symbol, vocabulary)] = -np.inf if value == -BIAS else value
    if np.isneginf(bias).all():
        raise SettingsError("logit_bias: bans every character; nothing is left to draw")
    return bias


def _code_of(symbol: str | int, vocabulary: Vocabulary) -> int | Codes:
    """The code, or with the bytes alphabet the codes, of what a user names."""
    if isinstance(symbol, str) and len(symbol) == 1 and symbol in vocabulary:
        return vocabulary.encode(symbol).astype(np.intp)
    if isinstance(symbol, int) or re.fullmatch("[0-9]{2,9}", symbol):
        code = int(symbol)
        if 0 <= code < len(vocabulary):
            return code
    raise SettingsError(
        f"logit_bias: {symbol!r} is neither a character of the model nor a code below "
        f"{len(vocabulary)}"
    )
