"""Parsing of a completion request into requests to generation, within the server's limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generate import choose_seed
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.server.http.api_errors import api_error
from nextchar.server.schema import CompletionRequest
from nextchar.server.server_settings import ServerSettings

Prompt = str | list[int]

SLOW_PROMPT = 1 << 16  # characters of prompts from which on encoding takes time
MAX_PATTERN_TABLE = 4 << 20  # bytes of a pattern's table, which is held as long as the request

GENERATION_FIELDS = (  # named as in GenerationSettings
    "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "repeat_last_n",
    "presence_penalty", "frequency_penalty", "no_repeat_ngram_size", "min_length",
)  # fmt: skip
_ALIASES = {
    "max_tokens": "n_predict",
    "min_length": "min_tokens",
    "repetition_penalty": "repeat_penalty",
    "stop": "stop_strings",
}
_UNSUPPORTED = {  # field → the values that ask for nothing, and the reason
    "suffix": ((), "the model reads from left to right and cannot complete a middle"),
    "num_beams": ((1,), "use nextchar generate --num-beams for beam search"),
    "include_stop_str_in_output": ((False,), "a stop string is never part of the text"),
}


@dataclass(frozen=True)
class CompletionParams:
    """A parsed completion request.

    prompts: the texts that echo puts before the generated ones. requests: one for each prompt.
    n: texts returned for each prompt; with best_of more are generated.
    """

    model: str
    prompts: list[str]
    requests: list[Request]
    n: int
    echo: bool
    logprobs: int | None
    stream: bool
    include_usage: bool

    @property
    def prompt_tokens(self) -> int:
        """Characters of all prompts of the client."""
        return sum(len(request.prompt) - request.primed for request in self.requests)


def is_slow_to_prepare(body: CompletionRequest) -> bool:
    """Return whether `parse_completion_request` may take more than a few milliseconds."""
    prompt = body.prompt
    parts = [prompt] if isinstance(prompt, str) else [p for p in prompt if not isinstance(p, int)]
    return body.pattern is not None or sum(map(len, parts)) > SLOW_PROMPT


def parse_completion_request(
    model: Model, body: CompletionRequest, limits: ServerSettings
) -> CompletionParams:
    """Parse a request to a model. Raises ApiError, 400, that names the invalid field."""
    try:
        return _parse(model, body, limits)
    except UnknownCharacterError as error:
        remedy = 'leave it out, or give "unknown": "skip"'
        raise api_error(error, param="prompt", remedy=remedy) from None
    except SettingsError as error:
        raise api_error(error) from None


def _parse(model: Model, body: CompletionRequest, limits: ServerSettings) -> CompletionParams:
    for name, (defaults, reason) in _UNSUPPORTED.items():
        if getattr(body, name) not in (None, *defaults):
            raise SettingsError("is not supported", setting=name, remedy=reason)
    prompts = _prompts(body.prompt)
    for prompt in prompts:
        # normalisation may shorten a text, but not to less than a quarter
        _require_short(len(prompt) // 4, limits)
    n = body.n or 1
    samples = n if body.best_of is None else body.best_of
    _require_within_limits(body, len(prompts) * max(n, samples), limits)
    if samples < n:
        raise SettingsError(f"must be at least n ({n})", setting="best_of", value=samples)
    if body.stream and samples > n:
        problem = "cannot be streamed, because the best texts are known only at the end"
        raise SettingsError(problem, setting="best_of")
    settings = _generation_settings(body, samples, samples > n, limits)
    requests = _requests(model, prompts, settings, body, limits)
    return CompletionParams(
        model=body.model,
        prompts=[_text(model, prompt) for prompt in prompts],
        requests=requests,
        n=n,
        echo=bool(body.echo),
        logprobs=body.logprobs,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
    )


def _prompts(prompt: str | Sequence[Any]) -> list[Prompt]:
    """A prompt of any form as a list of prompts."""
    if isinstance(prompt, str):
        return [prompt]
    kinds = {type(each) for each in prompt}
    if len(kinds) != 1:
        problem = "must be a text, or a list of texts, codes or lists of codes, all of one kind"
        raise SettingsError(problem, setting="prompt")
    return cast(list[Prompt], [prompt] if kinds == {int} else prompt)


def _require_short(characters: int, limits: ServerSettings) -> None:
    if characters > limits.max_prompt:
        problem = f"must have at most {limits.max_prompt} characters here"
        raise SettingsError(problem, setting="prompt", value=characters)


def _require_within_limits(body: CompletionRequest, choices: int, limits: ServerSettings) -> None:
    max_choices = min(limits.max_choices, limits.parallel + limits.queue)
    for name, limit in (("max_tokens", limits.max_tokens), ("logprobs", limits.max_logprobs)):
        value = _value_of(body, name)
        if value is not None and value > limit:
            raise SettingsError(f"must be at most {limit} here", setting=name, value=value)
    if choices > max_choices:
        problem = f"or best_of, times the number of prompts, must be at most {max_choices} here"
        raise SettingsError(problem, setting="n", value=choices)


def _generation_settings(
    body: CompletionRequest, samples: int, is_ranked: bool, limits: ServerSettings
) -> GenerationSettings:
    values = {name: _value_of(body, name) for name in (*GENERATION_FIELDS, "max_tokens")}
    given = {name: value for name, value in values.items() if value is not None}
    length = given.pop("max_tokens", limits.default_max_tokens)
    if given.get("min_length", 0) > length:
        problem = f"must be at most max_tokens ({length})"
        raise SettingsError(problem, setting="min_length", value=given["min_length"])
    logprobs = 0 if is_ranked and body.logprobs is None else body.logprobs  # texts are ranked by it
    return GenerationSettings(length=length, samples=samples, logprobs=logprobs, **given)


def _requests(
    model: Model,
    prompts: list[Prompt],
    settings: GenerationSettings,
    body: CompletionRequest,
    limits: ServerSettings,
) -> list[Request]:
    """One request for each prompt; the automaton of a pattern is built once for all of them."""
    first = _request(model, prompts[0], settings, body, body.pattern)
    automaton = first.automaton
    if automaton is not None and automaton.table.nbytes > MAX_PATTERN_TABLE:
        problem, remedy = "needs too much memory here", "repeat less, or simplify it"
        raise SettingsError(problem, setting="pattern", remedy=remedy)
    others = [_request(model, prompt, settings, body, None) for prompt in prompts[1:]]
    requests = [first, *(replace(each, automaton=automaton) for each in others)]
    for request in requests:
        _require_short(len(request.prompt) - request.primed, limits)
    return requests


def _request(
    model: Model,
    prompt: Prompt,
    settings: GenerationSettings,
    body: CompletionRequest,
    pattern: str | None,
) -> Request:
    request = make_request(
        model,
        prompt if isinstance(prompt, str) else _decoded(model, prompt),
        settings,
        RequestOptions(
            stop=_value_of(body, "stop") or (),
            logit_bias=body.logit_bias,
            pattern=pattern,
            unknown=(body.unknown or "error") if isinstance(prompt, str) else "skip",
            prompt_logprobs=bool(body.echo) and body.logprobs is not None,
        ),
        seed=choose_seed(body.seed),
    )
    if isinstance(prompt, str) or not prompt:
        return request
    codes = np.array(prompt, model.vocabulary.dtype)  # used as given, whereas a text is normalised
    return replace(request, prompt=np.concatenate([request.prompt[: request.primed], codes]))


def _decoded(model: Model, codes: list[int]) -> str | bytes:
    vocabulary = model.vocabulary
    invalid = next((code for code in codes if code >= len(vocabulary)), None)
    if invalid is not None:
        problem = f"must have codes below {len(vocabulary)}"
        raise SettingsError(problem, setting="prompt", value=invalid)
    return vocabulary.decode_bytes(codes) if vocabulary.is_bytes else vocabulary.decode(codes)


def _text(model: Model, prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else model.vocabulary.decode(prompt)


def _value_of(body: CompletionRequest, name: str) -> Any:
    """The value of a field that may have an alias."""
    alias = _ALIASES.get(name)
    value, other = getattr(body, name), getattr(body, alias) if alias else None
    if value is not None and other is not None and value != other:
        raise SettingsError(f"cannot be combined with {name}, its other name", setting=alias)
    return other if value is None else value
