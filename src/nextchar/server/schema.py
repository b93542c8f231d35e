"""The shapes of requests and answers: the completion API, as its clients know it.

The OpenAPI document is made of these structs. A null stands for the default wherever it may.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

Reason = Literal["stop", "length"]

MOST_STOPS, LONGEST_STOP, LONGEST_PATTERN, MOST_BEST = 4, 1000, 1000, 20
Share = Annotated[float, Meta(ge=0, le=1)]
Part = Annotated[float, Meta(gt=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Code = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Stop = Annotated[str, Meta(min_length=1, max_length=LONGEST_STOP)]
Stops = Annotated[list[Stop], Meta(max_length=MOST_STOPS)]


class StreamOptions(msgspec.Struct):
    """How a text is streamed."""

    include_usage: bool = False


class CompletionRequest(msgspec.Struct, kw_only=True):
    """What to go on from, and how."""

    model: Annotated[str, Meta(description="Which of /v1/models writes.")]
    prompt: Annotated[
        str | list[str | Code | list[Code]],
        Meta(
            description="A text, several, or the same as codes of /tokenize; may be empty.",
            extra_json_schema={
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 1},
                    {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1},
                    {
                        "type": "array",
                        "items": {"type": "array", "items": {"type": "integer", "minimum": 0}},
                        "minItems": 1,
                    },
                ]
            },
        ),
    ]
    max_tokens: Count | None = None
    n_predict: Annotated[Count | None, Meta(description="Another name of max_tokens.")] = None
    min_length: Annotated[Count | None, Meta(description="No end before so many characters.")] = (
        None
    )
    min_tokens: Annotated[Count | None, Meta(description="Another name of min_length.")] = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[
        Annotated[int, Meta(ge=1, le=MOST_BEST)] | None,
        Meta(description="Write so many texts and keep the n most probable ones."),
    ] = None
    echo: Annotated[bool | None, Meta(description="Put the prompt before the text.")] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: Annotated[
        Count | None,
        Meta(description="Log-probabilities of the characters and of the N most probable ones."),
    ] = None
    stop: Stop | Stops | None = None
    stop_strings: Annotated[Stop | Stops | None, Meta(description="Another name of stop.")] = None
    seed: Annotated[
        Annotated[int, Meta(ge=0, le=2**63 - 1)] | None,
        Meta(description="The same seed gives the same text; each choice tells its own."),
    ] = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    top_p: Part | None = None
    min_p: Share | None = None
    typical_p: Part | None = None
    repetition_penalty: Annotated[float, Meta(gt=0, le=100)] | None = None
    repeat_penalty: Annotated[
        Annotated[float, Meta(gt=0, le=100)] | None,
        Meta(description="Another name of repetition_penalty."),
    ] = None
    repeat_last_n: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    no_repeat_ngram_size: Count | None = None
    logit_bias: Annotated[
        dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None,
        Meta(description="What is added to the logit of a character or a code; -100 bans."),
    ] = None
    pattern: Annotated[
        Annotated[str, Meta(max_length=LONGEST_PATTERN)] | None,
        Meta(description="A regular expression that the whole text must match."),
    ] = None
    unknown: Annotated[
        Literal["error", "skip"] | None,
        Meta(description="What to do with characters of the prompt that the model never saw."),
    ] = None
    user: Annotated[str | None, Meta(description="Ignored.")] = None
    suffix: Annotated[
        str | None, Meta(description="Not offered: a left-to-right model completes no middle.")
    ] = None
    num_beams: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="Beam search is not offered.")
    ] = None
    include_stop_str_in_output: Annotated[
        bool | None, Meta(description="Not offered: a stop string is left out.")
    ] = None


class Logprobs(msgspec.Struct):
    """Natural logarithms of probabilities as the model has them, before any rule.

    text_offset: where each character stands in the choice's text.
    """

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Choice(msgspec.Struct):
    """One text. seed: with it, the same is written again."""

    text: str
    index: int
    logprobs: Logprobs | None
    finish_reason: Reason | None
    seed: int


class Usage(msgspec.Struct):
    """Characters, or bytes with such a model, that were read and written."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(msgspec.Struct):
    """The answer to a request, or, streamed, a part of it."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage | UnsetType | None = UNSET


class ModelMeta(msgspec.Struct):
    """What a model is. size: bytes of its parameters."""

    n_vocab: int
    n_params: int
    size: int
    cell: str
    num_layers: int
    hidden_size: int
    alphabet: str


class ModelCard(msgspec.Struct):
    """A model that is served."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    meta: ModelMeta


class ModelList(msgspec.Struct):
    """The models that are served."""

    object: Literal["list"]
    data: list[ModelCard]


class Health(msgspec.Struct):
    """The server answers."""

    status: Literal["ok"]


class TokenizeRequest(msgspec.Struct, kw_only=True):
    """A text. with_pieces: give the characters beside their codes."""

    content: str
    model: str | None = None
    with_pieces: bool = False


class TokenPiece(msgspec.Struct):
    """A code and what it stands for."""

    id: int
    piece: str


class TokenizeAnswer(msgspec.Struct):
    """Codes."""

    tokens: list[int | TokenPiece]


class DetokenizeRequest(msgspec.Struct, kw_only=True):
    """Codes."""

    tokens: list[Code]
    model: str | None = None


class DetokenizeAnswer(msgspec.Struct):
    """The text of some codes."""

    content: str


class Props(msgspec.Struct):
    """What a request gets where it says nothing, the limits, and the model's facts."""

    build_info: str
    model: str
    total_slots: int
    default_generation_settings: dict[str, Any]
    limits: dict[str, Any]
    characters: str | None
    meta: ModelMeta
