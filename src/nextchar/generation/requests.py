"""Requests for text, checked against a model, and the deltas that answer them."""

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
from nextchar.generation.stop_strings import checked_stops
from nextchar.model.file import Model
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import Unknown, Vocabulary

Codes = NDArray[Any]

MAX_BIAS = 100  # added to a logit; its negative bans


@dataclass(frozen=True)
class RequestOptions:
    """Options of a request besides prompt, settings and seed.

    stop: strings that end a text; they are not part of it.
    logit_bias: a character, or a code (an int, or a decimal number of two digits or more) → the
    number added to its logit, -100 to 100; -100 bans it.
    pattern: a regular expression that the whole text matches.
    unknown: `"skip"` leaves out characters of the prompt that the model does not know.
    prompt_logprobs: score the characters of the prompt too.
    """

    stop: str | Sequence[str] = ()
    logit_bias: Mapping[str, float] | Mapping[int, float] | None = None
    pattern: str | None = None
    unknown: Unknown = "error"
    prompt_logprobs: bool = False


NO_OPTIONS = RequestOptions()


@dataclass(frozen=True)
class Request:
    """Texts to generate from one prompt.

    prompt: (T,) codes that are read first; with an empty prompt, the beginning of a text.
    primed: number of codes at its start that the user did not give.
    seed: sample i draws from a stream derived from the seed and i.
    stop: strings that end a text; they are not part of it.
    bias: (V,) added to the logits, -inf for codes that are never drawn; None for no bias.
    automaton: restricts characters to those that keep a full match possible.
    prompt_logprobs: the prompt's characters are scored too.
    first_sample: number of its first sample; those before it were drawn by earlier requests.
    """

    prompt: Codes
    primed: int
    settings: GenerationSettings
    seed: int
    stop: tuple[str, ...] = ()
    bias: NDArray[np.float64] | None = None
    automaton: Automaton | None = None
    prompt_logprobs: bool = False
    first_sample: int = 0


@dataclass(frozen=True)
class TextDelta:
    """New text of one sample; all deltas of a sample together are its text.

    index: number of the sample; -1 for the prompt, which is scored once for all samples.
    text: text that is final; the possible start of a stop string is held back.
    codes: (n,) codes of the text, one a character, or one a byte with the bytes alphabet.
    logprobs: (n,) natural logarithm of each code's probability in the model, before any rule; NaN
    for a prompt's first character, which nothing predicts. None where not requested.
    top_codes, top_logprobs: (n, N) the N most probable codes, the best first.
    finish_reason: `"length"` or `"stop"` in the last delta, None before.
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
    options: RequestOptions = NO_OPTIONS,
    *,
    seed: int,
) -> Request:
    """Return a request that is checked against the model.

    Raises SettingsError, whose `setting` names the option at fault, or UnknownCharacterError.
    """
    codes, primed = _prompt_codes(model, prompt, options.unknown)
    automaton = None
    if options.pattern is not None:
        automaton = automaton_of(options.pattern, model.vocabulary, end_code=model.end_code)
        require_fits(automaton, settings.length)
    stop = checked_stops(options.stop)
    bias = _bias(options.logit_bias, model.vocabulary) if options.logit_bias else None
    scored = options.prompt_logprobs
    return Request(codes, primed, settings, seed, stop, bias, automaton, prompt_logprobs=scored)


def _prompt_codes(model: Model, prompt: str | bytes, unknown: Unknown) -> tuple[Codes, int]:
    """Return the codes to read: the beginning of a record or text, and the prompt.

    The second value is the number of codes that do not come from the prompt.
    """
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
    logit_bias: Mapping[str, float] | Mapping[int, float], vocabulary: Vocabulary
) -> NDArray[np.float64]:
    bias = np.zeros(len(vocabulary))
    for symbol, value in logit_bias.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (is_number and -MAX_BIAS <= value <= MAX_BIAS):
            problem = f"must have numbers from -{MAX_BIAS} to {MAX_BIAS}"
            raise SettingsError(problem, setting="logit_bias", value={symbol: value})
        bias[_code_of(symbol, vocabulary)] = -np.inf if value == -MAX_BIAS else value
    if np.isneginf(bias).all():
        remedy = "leave at least one"
        raise SettingsError("bans every character", setting="logit_bias", remedy=remedy)
    return bias


def _code_of(symbol: str | int, vocabulary: Vocabulary) -> int | Codes:
    """Return the code of a character or number; the codes of its bytes with the bytes alphabet."""
    if isinstance(symbol, str) and len(symbol) == 1 and symbol in vocabulary:
        return vocabulary.encode(symbol).astype(np.intp)
    if isinstance(symbol, int) or re.fullmatch("[0-9]{2,9}", symbol):
        code = int(symbol)
        if 0 <= code < len(vocabulary):
            return code
    problem = f"must name characters of the model or codes below {len(vocabulary)}"
    raise SettingsError(problem, setting="logit_bias", value=symbol)
