"""Continuous batching: requests enter and leave a running batch between characters.

Each sample has one lane of the decoder. Where several samples continue one prompt, or the prompt is
scored, a separate lane reads it once, and the samples start from its snapshot.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator

import numpy as np

from nextchar.generation.requests import Request, TextDelta
from nextchar.generation.sequence import PROMPT, SequenceState
from nextchar.generation.stepper import DecoderUser
from nextchar.kernels.decoding.decoder import LONGEST, RUNNING, Decoder, Lane, Snapshot
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model

WEIGHTS_AS_BFLOAT16 = {"auto": None, "float32": False, "bfloat16": True}  # by dtype
MIN_FREE = LONGEST // 4  # a lane with space for fewer codes is fed again before a call
PATIENCE = 8  # a call returns when more than one lane in this many has ended

KeyedDelta = tuple[Hashable, TextDelta]


class BatchScheduler(DecoderUser):
    """Requests that a model generates together; a context manager.

    The text of a request does not depend on the others in the batch. Not thread-safe: one thread
    calls it, though `advance` releases the interpreter while it computes.

    lanes: samples generated at once; requests beyond them wait in order.
    threads: worker threads, by default one for each usable physical core.
    dtype: format of the weights, as in `GenerationSettings`.
    """

    def __init__(
        self, model: Model, *, lanes: int = 64, threads: int | None = None, dtype: str = "auto"
    ) -> None:
        unknown, end = model.vocabulary.unknown_code, model.end_code
        self._vocabulary = model.vocabulary
        self._decoder = Decoder(
            model.parameters, lanes=lanes, threads=threads or usable_cores(),
            bfloat16=WEIGHTS_AS_BFLOAT16[dtype],
            unknown=-1 if unknown is None else unknown, end=-1 if end is None else end,
        )  # fmt: skip
        self._waiting: deque[SequenceState] = deque()
        self._running: list[tuple[SequenceState, Lane]] = []

    def __len__(self) -> int:
        """Return the number of requests, running and waiting."""
        return len({sequence.key for sequence in self._waiting} | self._running_keys())

    @property
    def waiting(self) -> int:
        """Number of requests without a lane."""
        return len({sequence.key for sequence in self._waiting} - self._running_keys())

    @property
    def lanes(self) -> int:
        """Number of lanes in use."""
        return len(self._running)

    def add(self, key: Hashable, request: Request, *, is_streamed: bool = True) -> None:
        """Queue a request; `advance` returns its deltas under the key.

        is_streamed: return text as it comes, rather than in large deltas at a lower cost.
        """
        needs_reader = request.settings.samples > 1 or request.prompt_logprobs
        if needs_reader and len(request.prompt) == 0:
            start = self._decoder.beginning
            self._waiting += self._samples(key, request, start, is_streamed)
            return
        index = PROMPT if needs_reader else 0
        first = SequenceState(key, request, index, self._vocabulary, is_streamed=is_streamed)
        self._waiting.append(first)

    def cancel(self, key: Hashable) -> None:
        """Remove a request, if it is there; its lanes are free at once."""
        self._waiting = deque(each for each in self._waiting if each.key != key)
        for sequence, lane in self._running:
            if sequence.key == key:
                self._decoder.leave(lane)
        self._running = [pair for pair in self._running if pair[0].key != key]

    def advance(self, limit: int = LONGEST) -> list[KeyedDelta]:
        """Draw up to `limit` characters in every lane and return the text that is final.

        A call lasts some milliseconds to tens of them. A request is done when each of its samples
        has had a delta with a finish_reason.
        """
        deltas = list(self._admit())
        if not self._running:
            return deltas
        readers = (len(sequence.unread) for sequence, _ in self._running if sequence.is_reader)
        n = min(limit, self._decoder.block, *readers)
        used = 0
        for sequence, lane in self._running:
            if self._decoder.progress(lane)[0] + min(n, MIN_FREE) > LONGEST:
                deltas += self._accept(sequence, lane)
                self._decoder.feed(lane, *sequence.next_input())
            used = max(used, self._decoder.progress(lane)[0])
        self._decoder.write(min(n, LONGEST - used), patience=len(self._running) // PATIENCE)
        for sequence, lane in self._running:
            if sequence.is_polled or self._decoder.progress(lane)[1] != RUNNING:
                deltas += self._accept(sequence, lane)
        self._release_finished()
        return deltas

    def _accept(self, sequence: SequenceState, lane: Lane) -> list[KeyedDelta]:
        delta = sequence.accept(self._decoder.wrote(lane, sequence.accepted))
        return [] if delta is None else [(sequence.key, delta)]

    def _admit(self) -> Iterator[KeyedDelta]:
        """Give free lanes to waiting sequences; yield deltas of samples that need none."""
        while self._waiting and self._decoder.free:
            sequence = self._waiting.popleft()
            if sequence.request.settings.length == 0 and not sequence.is_reader:
                empty = np.empty(0, np.int64)
                yield sequence.key, TextDelta(sequence.index, "", empty, finish_reason="length")
                continue
            automaton = None if sequence.is_reader else sequence.request.automaton
            lane = self._decoder.enter(sequence.rules, sequence.start, automaton)
            self._decoder.feed(lane, *sequence.next_input())
            self._running.append((sequence, lane))

    def _release_finished(self) -> None:
        """Free the lanes of finished sequences; queue the samples of prompts that were read."""
        for sequence, lane in self._running:
            if not sequence.is_done:
                continue
            if sequence.is_reader:
                start = self._decoder.snapshot(lane)
                samples = self._samples(sequence.key, sequence.request, start, sequence.is_streamed)
                self._waiting.extendleft(reversed(samples))
            self._decoder.leave(lane)
        self._running = [pair for pair in self._running if not pair[0].is_done]

    def _samples(
        self, key: Hashable, request: Request, start: Snapshot, is_streamed: bool
    ) -> list[SequenceState]:
        return [
            SequenceState(key, request, index, self._vocabulary, start, is_streamed=is_streamed)
            for index in range(request.settings.samples)
        ]

    def _running_keys(self) -> set[Hashable]:
        return {sequence.key for sequence, _ in self._running}
