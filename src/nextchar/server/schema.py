"""The structs of requests and responses of the completion API.

The OpenAPI document is built from them. A null stands for the default.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Reason = Literal["stop", "length"]

MAX_STOPS, MAX_STOP_LENGTH, MAX_PATTERN_LENGTH, MAX_BEST_OF = 4, 1000, 1000, 20
Share = Annotated[float, Meta(ge=0, le=1)]
Part = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
CountOrAll = Annotated[int, Meta(ge=-1, le=2**31 - 1)]  # -1: all
Factor = Annotated[float, Meta(gt=0, le=100)]
Code = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Stop = Annotated[str, Meta(min_length=1, max_length=MAX_STOP_LENGTH)]
Stops = Annotated[list[Stop], Meta(max_length=MAX_STOPS)]
_TEXT, _CODE = {"type": "string"}, {"type": "integer", "minimum": 0}
_CODES = {"type": "array", "items": _CODE}


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": 1}


class StreamOptions(msgspec.Struct):
    """Options of a stream."""

    include_usage: bool = False


class CompletionRequest(msgspec.Struct, kw_only=True):
    """A prompt, and the settings of generation."""

    model: Annotated[str, Meta(description="A model of /v1/models.")]
    prompt: Annotated[
        str | list[str | Code | list[Code]],
        Meta(
            description="A text, several, or their codes by /tokenize; may be empty.",
            extra_json_schema={"anyOf": [_TEXT, *map(_list_of, (_TEXT, _CODE, _CODES))]},
        ),
    ]
    max_tokens: Count | None = None
    n_predict: Annotated[Count | None, Meta(description="Alias of max_tokens.")] = None
    min_length: Annotated[
        Count | None, Meta(description="The text does not end before this many characters.")
    ] = None
    min_tokens: Annotated[Count | None, Meta(description="Alias of min_length.")] = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[
        Annotated[int, Meta(ge=1, le=MAX_BEST_OF)] | None,
        Meta(description="Generate this many texts and return the n most probable ones."),
    ] = None
    echo: Annotated[bool | None, Meta(description="Put the prompt before the text.")] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: Annotated[
        Count | None,
        Meta(description="Return log-probabilities of each character and of the N most probable."),
    ] = None
    stop: Stop | Stops | None = None
    stop_strings: Annotated[Stop | Stops | None, Meta(description="Alias of stop.")] = None
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)] | None,
        Meta(description="The same seed gives the same text; each choice contains its seed."),
    ] = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_k: CountOrAll | None = None
    top_p: Part | None = None
    min_p: Share | None = None
    typical_p: Part | None = None
    repetition_penalty: Factor | None = None
    repeat_penalty: Annotated[
        Factor | None,
        Meta(description="Alias of repetition_penalty."),
    ] = None
    repeat_last_n: CountOrAll | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    no_repeat_ngram_size: Count | None = None
    logit_bias: Annotated[
        dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None,
        Meta(description="Value added to the logit of a character or a code; -100 bans it."),
    ] = None
    pattern: Annotated[
        Annotated[str, Meta(max_length=MAX_PATTERN_LENGTH)] | None,
        Meta(description="Regular expression that the whole text must match."),
    ] = None
    unknown: Annotated[
        Literal["error", "skip"] | None,
        Meta(description="Treatment of characters of the prompt that the model does not know."),
    ] = None
    user: Annotated[str | None, Meta(description="Ignored.")] = None
    suffix: Annotated[
        str | None, Meta(description="Not supported: the model reads from left to right.")
    ] = None
    num_beams: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Not supported above 1.")
    ] = None
    include_stop_str_in_output: Annotated[
        bool | None, Meta(description="Not supported: a stop string is never part of the text.")
    ] = None


class Logprobs(msgspec.Struct):
    """Natural logarithms of the model's probabilities, before temperature and other rules.

    text_offset: index of each character in the text of the choice.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Choice(msgspec.Struct):
    """One text. seed: generates the same text again."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Reason | None
    seed: int


class Usage(msgspec.Struct):
    """Numbers of characters read and generated; for a model of bytes, of bytes."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(msgspec.Struct):
    """The response to a request, or an event of its stream."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage | UnsetType | None = UNSET


class ModelMeta(msgspec.Struct):
    """Properties of a model. size: bytes of its parameters."""

    n_vocab: int
    n_params: int
    size: int
    cell: str
    num_layers: int
    hidden_size: int
    alphabet: str


class ModelCard(msgspec.Struct):
    """A served model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    meta: ModelMeta


class ModelList(msgspec.Struct):
    """The served models."""

    object: Literal["list"]
    data: list[ModelCard]


class Health(msgspec.Struct):
    """The server accepts requests."""

    status: Literal["ok"]


class TokenizeRequest(msgspec.Struct, kw_only=True):
    """A text to encode. with_pieces: return the characters with their codes."""

    content: str
    model: str | None = None
    with_pieces: bool = False


class TokenPiece(msgspec.Struct):
    """A code and its symbol."""

    id: int
    piece: str


class TokenizeAnswer(msgspec.Struct):
    """Codes of a text."""

    tokens: list[int | TokenPiece]


class DetokenizeRequest(msgspec.Struct, kw_only=True):
    """Codes to decode."""

    tokens: list[Code]
    model: str | None = None


class DetokenizeAnswer(msgspec.Struct):
    """The text of some codes."""

    content: str


class Props(msgspec.Struct):
    """Defaults, limits, and properties of a model."""

    build_info: str
    model: str
    total_slots: int
    default_generation_settings: dict[str, Any]
    limits: dict[str, Any]
    characters: str | None
    meta: ModelMeta
