"""Texts from a model: prompts, rules, an end; one or many, whole or as they come."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.beam_search import beam_search
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import Request, TextDelta, make_request
from nextchar.generation.scheduler import BatchScheduler
from nextchar.model.file import Model
from nextchar.text.vocabulary import bytes_of

LANES = 256  # texts written at once where there are many
AHEAD = 2  # requests taken in advance, for each lane

Array = NDArray[Any]


@dataclass(frozen=True)
class Generated:
    """One text that a model wrote.

    text: the new characters, without the prompt and without the stop string.
    data: the same as bytes, exact with the bytes alphabet.
    finish_reason: `"length"`, or `"stop"` where it ended before its length.
    codes: (n,) that the text is made of. logprobs (n,), top_codes and top_logprobs (n, N): as in
    `TextDelta`, where they were asked for.
    """

    text: str
    data: bytes
    finish_reason: str
    codes: Array = field(compare=False, repr=False)
    logprobs: Array | None = field(default=None, compare=False, repr=False)
    top_codes: Array | None = field(default=None, compare=False, repr=False)
    top_logprobs: Array | None = field(default=None, compare=False, repr=False)

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of its characters in nats; of an empty text -inf."""
        assert self.logprobs is not None
        return float(self.logprobs.mean()) if len(self.logprobs) else -np.inf


def choose_seed(seed: int | None) -> int:
    """The seed that was given, or one by chance that is short enough to be typed again."""
    return secrets.randbelow(2**32) if seed is None else seed


def generate(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    **options: Any,
) -> list[Generated]:
    """Write `settings.samples` texts in one batch. options: those of `make_request`.

    Each sample draws from a stream of its own, made of the seed and its index, and what a lane
    computes does not depend on the others: it is the same text whether it is drawn alone or among
    any number.
    """
    request = make_request(model, prompt, settings, seed=seed, **options)
    return next(generate_many(model, [request]))


def generate_many(model: Model, requests: Iterable[Request]) -> Iterator[list[Generated]]:
    """Write the texts of many requests together, given in the order of the requests.

    Requests are taken from an iterator as there is room for them, so there may be any number.
    Those with beams are searched one after the other.
    """
    coming = iter(requests)
    first = list(islice(coming, LANES))
    everything = chain(first, coming)
    if first and first[0].settings.num_beams > 1:
        for request in everything:
            yield [_generated(model, [piece]) for piece in beam_search(model, request)]
    elif first:
        lanes = min(LANES, sum(_sampled(request).settings.samples for request in first))
        with BatchScheduler(model, lanes=lanes, dtype=first[0].settings.dtype) as batch:
            yield from _in_order(model, batch, everything)


def stream(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    **options: Any,
) -> Iterator[str]:
    """Write one text, yielded piece by piece as it is drawn. options: those of `make_request`.

    What might become a stop string, or is not yet a whole UTF-8 sequence, is held back until it
    is known. The pieces together are what `generate` gives.
    """
    for name, is_off in (("num_beams", settings.num_beams == 1), ("best_of", not settings.best_of)):
        if not is_off:
            raise SettingsError(f"{name}: is known when a text is whole; it cannot be streamed")
    request = make_request(model, prompt, replace(settings, samples=1), seed=seed, **options)
    return _pieces(model, request)  # a generator of its own, so that mistakes are told at once


def _pieces(model: Model, request: Request) -> Iterator[str]:
    with BatchScheduler(model, lanes=1, dtype=request.settings.dtype) as batch:
        batch.add(0, request)
        while len(batch):
            yield from (piece.text for _, piece in batch.advance() if piece.text)


class _GenerationRequest:
    """A request and what was written for it."""

    def __init__(self, request: Request) -> None:
        self.keep = request.settings.samples if request.settings.best_of else None
        self.request = request = _sampled(request)
        self.pieces: list[list[TextDelta]] = [[] for _ in range(request.settings.samples)]
        self.left = request.settings.samples

    def take(self, piece: TextDelta) -> None:
        self.pieces[piece.index].append(piece)
        self.left -= piece.finish_reason is not None


def _in_order(
    model: Model, batch: BatchScheduler, requests: Iterator[Request]
) -> Iterator[list[Generated]]:
    asked: dict[int, _GenerationRequest] = {}  # by number, in their order
    numbered = enumerate(requests)
    while True:
        for number, request in islice(numbered, AHEAD * LANES - len(asked)):
            asked[number] = _GenerationRequest(request)
            batch.add(number, asked[number].request, is_streamed=False)
        for key, piece in batch.advance():
            asked[key].take(piece)  # type: ignore[index]
        while asked and (first := next(iter(asked.values()))).left == 0:
            del asked[next(iter(asked))]
            made = [_generated(model, pieces) for pieces in first.pieces]
            yield _best(made, first.keep)
        if not asked:
            return


def _sampled(request: Request) -> Request:
    """The request with as many samples as have to be drawn, scored where the best are chosen."""
    settings = request.settings
    if settings.best_of is None:
        return request
    drawn = replace(settings, samples=settings.best_of, logprobs=settings.logprobs or 0)
    return replace(request, settings=drawn)


def _best(made: list[Generated], keep: int | None) -> list[Generated]:
    """The texts whose characters are the most probable, the best first."""
    if keep is None:
        return made
    return sorted(made, key=lambda each: -each.mean_logprob)[:keep]


def _generated(model: Model, pieces: list[TextDelta]) -> Generated:
    text = "".join(piece.text for piece in pieces)
    codes = np.concatenate([piece.codes for piece in pieces])
    logprobs, top_codes, top_logprobs = (
        _joined([getattr(piece, name) for piece in pieces])
        for name in ("logprobs", "top_codes", "top_logprobs")
    )
    data = bytes_of(text)
    if model.vocabulary.is_bytes:
        data = model.vocabulary.decode_bytes(codes)
    reason = pieces[-1].finish_reason
    assert reason is not None
    return Generated(text, data, reason, codes, logprobs, top_codes, top_logprobs)


def _joined(parts: list[Array | None]) -> Array | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
