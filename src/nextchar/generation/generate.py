"""Text from a model: prompt, draw, feed back, until the length or a stop string is reached."""

from __future__ import annotations

import codecs
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nextchar.errors import SettingsError
from nextchar.generation.settings import GenerationSettings
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model
from nextchar.text.sources import normalized
from nextchar.text.vocabulary import Unknown

Codes = NDArray[Any]

HELD = {"auto": None, "float32": False, "bfloat16": True}  # dtype → weights as bfloat16


@dataclass(frozen=True)
class Generated:
    """One text that a model wrote.

    text: the new characters, without the prompt and without the stop string.
    data: the same as bytes, exact with the bytes alphabet.
    finish_reason: `"length"` or `"stop"`.
    """

    text: str
    data: bytes
    finish_reason: str


def choose_seed(seed: int | None) -> int:
    """The seed that was given, or one by chance that is short enough to be typed again."""
    return secrets.randbelow(2**32) if seed is None else seed


def generate(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    stop: Sequence[str] = (),
    unknown: Unknown = "error",
) -> list[Generated]:
    """Write `settings.samples` texts in one batch.

    Each sample draws from a stream of its own, made of the seed and its index, and what a lane
    computes does not depend on the others: it is the same text whether it is drawn alone or among
    any number.
    """
    stops = _checked_stops(stop)
    lanes: list[list[Codes]] = [[] for _ in range(settings.samples)]
    ends = [_Text(model, stops) for _ in lanes]
    for block in draw_codes(model, prompt, settings, seed=seed, unknown=unknown):
        for lane, end, codes in zip(lanes, ends, block.T, strict=True):
            if not end.stopped:
                lane.append(codes)
                if stops:  # else there is no need to look at the text before it is whole
                    end.add(codes)
        if all(end.stopped for end in ends):
            break
    return [
        _generated(model, np.concatenate([*lane, np.empty(0, int)]), end)
        for lane, end in zip(lanes, ends, strict=True)
    ]


def stream(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    stop: Sequence[str] = (),
    unknown: Unknown = "error",
) -> Iterator[str]:
    """Write one text, yielded piece by piece as it is drawn.

    What might become a stop string, or is not yet a whole UTF-8 sequence, is held back until it
    is known. The pieces together are what `generate` gives.
    """
    text = _Text(model, _checked_stops(stop))
    drawn = draw_codes(model, prompt, settings, seed=seed, unknown=unknown)
    return _pieces(text, drawn)  # a generator of its own, so that mistakes are told at once


def _pieces(text: _Text, drawn: Iterator[Codes]) -> Iterator[str]:
    for block in drawn:
        if piece := text.add(block[:, 0]):
            yield piece
        if text.stopped:
            return
    if rest := text.finish():
        yield rest


def draw_codes(
    model: Model,
    prompt: str | bytes,
    settings: GenerationSettings,
    *,
    seed: int,
    unknown: Unknown = "error",
) -> Iterator[Codes]:
    """The next `settings.length` codes of every sample, in blocks of shape (n, samples).

    An empty prompt begins as after a line break where the vocabulary has one, else from the zero
    state. The unknown symbol is never drawn.
    """
    vocabulary = model.vocabulary
    if isinstance(prompt, str):
        prompt = "".join(normalized([prompt], model.text.normalize))
    codes = vocabulary.encode(prompt, unknown=unknown)
    if len(codes) == 0 and (vocabulary.is_bytes or "\n" in vocabulary):
        codes = vocabulary.encode("\n")
    return _drawn(model, codes, settings, seed)


def _drawn(model: Model, prompt: Codes, settings: GenerationSettings, seed: int) -> Iterator[Codes]:
    from nextchar.kernels.decoder import Decoder  # it brings Numba along
    from nextchar.kernels.draw import Rules

    unknown = model.vocabulary.unknown_code
    rules = Rules(
        -1 if unknown is None else unknown, settings.temperature, settings.top_k, settings.top_p
    )
    streams = [np.random.default_rng([seed, index]) for index in range(settings.samples)]
    threads = min(usable_cores(), settings.samples)
    with Decoder(model.parameters, threads=threads, bfloat16=HELD[settings.dtype]) as decoder:
        decoder.read(prompt)
        decoder.split(settings.samples)
        left = settings.length
        while left:
            count = min(left, decoder.block)
            left -= count
            yield decoder.write(np.stack([each.random(count) for each in streams], axis=1), rules)


class _Text:
    """Codes → text as they come, up to a stop string."""

    def __init__(self, model: Model, stops: Sequence[str]) -> None:
        self.stopped = False
        self.length = 0  # characters handed out
        self._stops = stops
        self._held = ""
        self._vocabulary = model.vocabulary
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, codes: Codes) -> str:
        """The text that is sure after some more codes."""
        return self._sure(self._decoded(codes))

    def finish(self) -> str:
        """What was held back, nothing more coming."""
        rest, self._held = self._held + self._utf8.decode(b"", final=True), ""
        self.length += len(rest)
        return rest

    def _decoded(self, codes: Codes) -> str:
        if self._vocabulary.is_bytes:
            return self._utf8.decode(bytes(codes.tolist()))
        return self._vocabulary.decode(codes)

    def _sure(self, new: str) -> str:
        text = self._held + new
        starts = [text.index(stop) for stop in self._stops if stop in text]
        if starts:  # of two that end together the longer one counts: none is given in part
            self.stopped = True
            text, self._held = text[: min(starts)], ""
            self.length += len(text)
            return text
        hold = max((_overlap(text, stop) for stop in self._stops), default=0)
        cut = len(text) - hold
        self._held = text[cut:]
        self.length += cut
        return text[:cut]


def _overlap(text: str, stop: str) -> int:
    """How long an end of the text is a beginning of the stop string."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)


def _generated(model: Model, codes: Codes, end: _Text) -> Generated:
    data = model.vocabulary.decode_bytes(codes)
    if not end.stopped:
        return Generated(model.vocabulary.decode(codes), data, "length")
    text = model.vocabulary.decode(codes)[: end.length]
    if not model.vocabulary.is_bytes:
        return Generated(text, text.encode("utf-8", "surrogatepass"), "stop")
    return Generated(text, _bytes_of(data, text), "stop")


def _bytes_of(data: bytes, text: str) -> bytes:
    """The most of the data that reads as the text, which is how its decoding begins."""
    ends = range(len(data), -1, -1)
    return next(data[:end] for end in ends if data[:end].decode("utf-8", "replace") == text)


def _checked_stops(stop: Sequence[str]) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    if not all(isinstance(each, str) and each for each in stops):
        raise SettingsError(f"stop: wants texts that are not empty, got {stop!r}")
    return stops
