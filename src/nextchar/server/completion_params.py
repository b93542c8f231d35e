"""From a request's shape to what generation is asked, held to the limits of the server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from nextchar.errors import SettingsError, UnknownCharacterError
from nextchar.generation.generate import choose_seed
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, RequestOptions, make_request
from nextchar.model.file import Model
from nextchar.server.http.api_errors import ApiError
from nextchar.server.schema import CompletionRequest
from nextchar.server.server_settings import ServerSettings

Prompt = str | list[int]

LONG = 1 << 16  # characters of prompts whose encoding takes time
LARGEST = 4 << 20  # bytes of a pattern's table, which is held as long as the request

RULES = (  # of generation, by the same names
    "temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "repeat_last_n",
    "presence_penalty", "frequency_penalty", "no_repeat_ngram_size", "min_length",
)  # fmt: skip
_ALIASES = {
    "max_tokens": "n_predict",
    "min_length": "min_tokens",
    "repetition_penalty": "repeat_penalty",
    "stop": "stop_strings",
}
_NOT_OFFERED = {
    "suffix": "a model that reads from left to right cannot complete a middle; leave it out",
    "num_beams": "beam search is not offered here; nextchar generate --num-beams has it",
    "include_stop_str_in_output": "is not offered; a stop string is never part of the text",
}
_AS_IT_IS = {"num_beams": 1, "include_stop_str_in_output": False}  # what may be asked of them
_CALLED = {"length": "max_tokens", "samples": "n"}  # of generation → of a request


@dataclass(frozen=True)
class CompletionParams:
    """What a client asked for.

    prompts: as they stand before the texts with echo. requests: one for each prompt.
    n: texts that are given for each prompt; of best_of there may be more.
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
        """Characters of all prompts that the client gave."""
        return sum(len(request.prompt) - request.primed for request in self.requests)


def is_slow_to_prepare(body: CompletionRequest) -> bool:
    """Whether `parse_completion_request` may take more than a few milliseconds."""
    prompt = body.prompt
    parts = [prompt] if isinstance(prompt, str) else [p for p in prompt if not isinstance(p, int)]
    return body.pattern is not None or sum(map(len, parts)) > LONG


def parse_completion_request(
    model: Model, body: CompletionRequest, limits: ServerSettings
) -> CompletionParams:
    """What a request asks of a model. Raises Refusal, 400, that names the field."""
    for name, why in _NOT_OFFERED.items():
        if getattr(body, name) not in (None, _AS_IT_IS.get(name)):
            raise _wrong(name, why)
    prompts = _prompts(body.prompt)
    for prompt in prompts:
        _require_short(len(prompt) // 4, limits)  # normalising may make it shorter, not so much
    n = body.n or 1
    samples = n if body.best_of is None else body.best_of
    _require_within_limits(body, len(prompts) * max(n, samples), limits)
    if body.best_of is not None and body.best_of < n:
        raise _wrong("best_of", f"wants at least n, got {body.best_of} of {n}")
    if body.stream and samples > n:
        raise _wrong(
            "best_of", "which texts are the best is known at the end; it cannot be streamed"
        )
    settings = _settings(body, samples, samples > n, limits)
    stop = _either(body, "stop")
    options = RequestOptions(
        stop=() if stop is None else stop,
        logit_bias=body.logit_bias,
        pattern=body.pattern,
        unknown=body.unknown or "error",
        prompt_logprobs=bool(body.echo) and body.logprobs is not None,
    )
    first = _request(model, prompts[0], settings, body.seed, options)
    _require_small(first)
    requests = [first] + [
        dataclasses.replace(
            _request(
                model, prompt, settings, body.seed, dataclasses.replace(options, pattern=None)
            ),
            automaton=first.automaton,
        )
        for prompt in prompts[1:]
    ]
    for request in requests:
        _require_short(len(request.prompt) - request.primed, limits)
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
    """A prompt, in any of its forms, as a list of prompts."""
    if isinstance(prompt, str):
        return [prompt]
    kinds = {type(each) for each in prompt}
    if len(kinds) != 1:
        raise _wrong(
            "prompt", "wants a text, texts, codes or lists of codes, not a mixture of them or none"
        )
    return cast(list[Prompt], [prompt] if kinds == {int} else prompt)


def _require_short(characters: int, limits: ServerSettings) -> None:
    if characters > limits.max_prompt:
        raise _wrong("prompt", f"wants at most {limits.max_prompt} characters, got {characters}")


def _require_small(request: Request) -> None:
    if request.automaton is not None and request.automaton.table.nbytes > LARGEST:
        raise _wrong(
            "pattern", "takes too much memory here; repeat fewer times, or make it simpler"
        )


def _require_within_limits(body: CompletionRequest, choices: int, limits: ServerSettings) -> None:
    tokens = _either(body, "max_tokens")
    if tokens is not None and tokens > limits.max_tokens:
        raise _wrong("max_tokens", f"wants at most {limits.max_tokens} here, got {tokens}")
    if body.logprobs is not None and body.logprobs > limits.max_logprobs:
        raise _wrong("logprobs", f"wants at most {limits.max_logprobs} here, got {body.logprobs}")
    most = min(limits.max_choices, limits.parallel + limits.queue)
    if choices > most:
        raise _wrong("n", f"a request may have {most} texts here, this one asks for {choices}")


def _settings(
    body: CompletionRequest, samples: int, picks: bool, limits: ServerSettings
) -> GenerationSettings:
    given = {name: value for name in RULES if (value := _either(body, name)) is not None}
    length = _either(body, "max_tokens")
    if length is None:
        length = limits.default_max_tokens
    # the most probable texts are found by their log-probabilities
    logprobs = 0 if picks and body.logprobs is None else body.logprobs
    try:
        return GenerationSettings(length=length, samples=samples, logprobs=logprobs, **given)
    except SettingsError as error:
        raise _named(error) from None


def _request(
    model: Model,
    prompt: Prompt,
    settings: GenerationSettings,
    seed: int | None,
    options: RequestOptions,
) -> Request:
    seed = choose_seed(seed)
    try:
        if isinstance(prompt, str):
            return make_request(model, prompt, settings, options, seed=seed)
        codes = _codes(model, prompt)
        text = (
            model.vocabulary.decode_bytes(codes)
            if model.vocabulary.is_bytes
            else _text(model, prompt)
        )
        options = dataclasses.replace(options, unknown="skip")
        read = make_request(model, text, settings, options, seed=seed)
        if not prompt:
            return read
        # codes are taken as they are; a text is normalised
        return dataclasses.replace(read, prompt=np.concatenate([read.prompt[: read.primed], codes]))
    except UnknownCharacterError as error:
        raise ApiError(
            400,
            str(error).split("; leave")[0] + '; leave it out, or give "unknown": "skip"',
            param="prompt",
        ) from None
    except SettingsError as error:
        raise _named(error) from None


def _codes(model: Model, codes: list[int]) -> Any:
    size = len(model.vocabulary)
    wrong = next((code for code in codes if code >= size), None)
    if wrong is not None:
        raise _wrong("prompt", f"wants codes below {size}, got {wrong}")
    return np.array(codes, model.vocabulary.dtype)


def _text(model: Model, prompt: Prompt) -> str:
    return prompt if isinstance(prompt, str) else model.vocabulary.decode(prompt)


def _either(body: CompletionRequest, name: str) -> Any:
    """The value of a field that may go by another name."""
    alias = _ALIASES.get(name)
    value, other = getattr(body, name), getattr(body, alias) if alias else None
    if value is not None and other is not None and value != other:
        raise _wrong(alias or name, f"is another name of {name}; give one of them")
    return other if value is None else value


def _wrong(field: str, told: str) -> ApiError:
    return ApiError(400, f"{field}: {told}", param=field)


def _named(error: SettingsError) -> ApiError:
    """A mistake that generation found, under the request's own name for the field."""
    if error.setting is None:
        return ApiError(400, str(error))
    name = _CALLED.get(error.setting, error.setting)
    return ApiError(400, str(error.renamed(name)), param=name)
