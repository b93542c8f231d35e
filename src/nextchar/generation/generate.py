"""Generation of texts: one or many requests, whole or streamed."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.beam_search import beam_search
from nextchar.generation.generation_settings import GenerationSettings
from nextchar.generation.requests import (
    NO_OPTIONS,
    Request,
    RequestOptions,
    TextDelta,
    make_request,
)
from nextchar.generation.scheduler import BatchScheduler
from nextchar.model.file import Model
from nextchar.text.vocabulary import bytes_of

LANES = 256  # most texts in the batch at once
QUEUED = 2  # requests taken in advance, for each lane

Array = NDArray[Any]


@dataclass(frozen=True)
class Generated:
    """One generated text.

    text: the new characters, without the prompt and without the stop string.
    data: the same as bytes, exact with the bytes alphabet.
    finish_reason: `"length"`, or `"stop"` if the text ended before its length.
    codes: (n,) codes of the text. logprobs (n,), top_codes and top_logprobs (n, N): as in
    `TextDelta`, where requested.
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
        """Mean log-probability of its characters in nats; -inf for an empty text."""
        assert self.logprobs is not None
        return float(self.logprobs.mean()) if len(self.logprobs) else -np.inf


class ScoredText(Protocol):
    """A text that `best_of` compares."""

    @property
    def mean_logprob(self) -> float:
        """Mean log-probability of its characters; -inf for an empty text."""


T = TypeVar("T", bound=ScoredText)


def choose_seed(seed: int | None) -> int:
    """Return the given seed, or a random one that is short enough to type."""
    return secrets.randbelow(2**32) if seed is None else seed


def generate(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    options: RequestOptions = NO_OPTIONS,
    *,
    seed: int,
) -> list[Generated]:
    """Generate `settings.samples` texts in one batch.

    Each sample draws from a separate stream, derived from the seed and its index, and a lane's
    results do not depend on the others: a sample is the same drawn alone or with any number.
    """
    request = make_request(model, prompt, settings, options, seed=seed)
    return next(generate_many(model, [request]))


def generate_many(model: Model, requests: Iterable[Request]) -> Iterator[list[Generated]]:
    """Generate the texts of many requests together, yielded in the order of the requests.

    Requests are taken from the iterable as lanes become free, so there may be any number.
    Requests with beams are searched one after the other.
    """
    coming = iter(requests)
    first = list(islice(coming, LANES))
    everything = chain(first, coming)
    if first and first[0].settings.num_beams > 1:
        for request in everything:
            yield [_generated(model, [delta]) for delta in beam_search(model, request)]
    elif first:
        lanes = min(LANES, sum(_with_all_samples(each).settings.samples for each in first))
        with BatchScheduler(model, lanes=lanes, dtype=first[0].settings.dtype) as scheduler:
            yield from _in_order(model, scheduler, everything)


def stream(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    options: RequestOptions = NO_OPTIONS,
    *,
    seed: int,
) -> Iterator[str]:
    """Generate one text, yielded in parts as it is drawn.

    Characters that may become a stop string, and incomplete UTF-8 sequences, are held back until
    they are decided. The parts together are the text of `generate`.
    """
    for name, is_off in (("num_beams", settings.num_beams == 1), ("best_of", not settings.best_of)):
        if not is_off:
            problem = "is decided when a text is whole, and cannot be streamed"
            raise SettingsError(problem, setting=name, value=getattr(settings, name))
    request = make_request(model, prompt, replace(settings, samples=1), options, seed=seed)
    return _parts(model, request)  # a separate generator, so that mistakes are raised at once


def best_of(texts: Sequence[T], count: int) -> list[T]:
    """Return the texts whose characters are the most probable on average, the best first."""
    return sorted(texts, key=lambda text: -text.mean_logprob)[:count]


def _parts(model: Model, request: Request) -> Iterator[str]:
    with BatchScheduler(model, lanes=1, dtype=request.settings.dtype) as scheduler:
        scheduler.add(0, request)
        while len(scheduler):
            yield from (delta.text for _, delta in scheduler.advance() if delta.text)


class _PendingRequest:
    """A request and its deltas so far."""

    def __init__(self, request: Request) -> None:
        self.keep = request.settings.samples if request.settings.best_of else None
        self.request = request = _with_all_samples(request)
        self.deltas: list[list[TextDelta]] = [[] for _ in range(request.settings.samples)]
        self.unfinished = request.settings.samples

    def add(self, delta: TextDelta) -> None:
        self.deltas[delta.index].append(delta)
        self.unfinished -= delta.finish_reason is not None


def _in_order(
    model: Model, scheduler: BatchScheduler, requests: Iterator[Request]
) -> Iterator[list[Generated]]:
    pending: dict[int, _PendingRequest] = {}  # by number, in their order
    numbered = enumerate(requests)
    while True:
        for number, request in islice(numbered, QUEUED * LANES - len(pending)):
            pending[number] = _PendingRequest(request)
            scheduler.add(number, pending[number].request, is_streamed=False)
        for key, delta in scheduler.advance():
            pending[key].add(delta)  # type: ignore[index]
        while pending and (first := next(iter(pending.values()))).unfinished == 0:
            del pending[next(iter(pending))]
            texts = [_generated(model, deltas) for deltas in first.deltas]
            yield texts if first.keep is None else best_of(texts, first.keep)
        if not pending:
            return


def _with_all_samples(request: Request) -> Request:
    """Return the request with `best_of` samples, scored, in place of those that are kept."""
    settings = request.settings
    if settings.best_of is None:
        return request
    drawn = replace(settings, samples=settings.best_of, logprobs=settings.logprobs or 0)
    return replace(request, settings=drawn)


def _generated(model: Model, deltas: list[TextDelta]) -> Generated:
    text = "".join(delta.text for delta in deltas)
    codes = np.concatenate([delta.codes for delta in deltas])
    logprobs, top_codes, top_logprobs = (
        _concatenated([getattr(delta, name) for delta in deltas])
        for name in ("logprobs", "top_codes", "top_logprobs")
    )
    data = model.vocabulary.decode_bytes(codes) if model.vocabulary.is_bytes else bytes_of(text)
    reason = deltas[-1].finish_reason
    assert reason is not None
    return Generated(text, data, reason, codes, logprobs, top_codes, top_logprobs)


def _concatenated(parts: list[Array | None]) -> Array | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None
