"""Many requests written together: they enter and leave the batch between characters.

A sample has a lane of the decoder to itself. Where several go on from one prompt, or the prompt is
scored, a lane of its own reads it once, and the samples go on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterator
from typing import Self

import numpy as np

from nextchar.generation.requests import Request, TextDelta
from nextchar.generation.sequence import PROMPT, SequenceState
from nextchar.kernels.decoding.decoder import LONGEST, RUNNING, Decoder, Lane, Snapshot
from nextchar.kernels.threads import usable_cores
from nextchar.model.file import Model

WEIGHTS_AS_BFLOAT16 = {
    "auto": None,
    "float32": False,
    "bfloat16": True,
}  # dtype → weights as bfloat16
LEAST_ROOM = LONGEST // 4  # a lane with room for fewer codes is fed anew before a call
PATIENCE = 8  # a call returns when more than one lane in so many is at its end

Given = tuple[Hashable, TextDelta]


class BatchScheduler:
    """Requests that a model writes together; a context manager.

    A request's text is the same whoever shares the batch. Not safe for threads: one thread calls
    it, though `advance` itself leaves the interpreter to others while it computes.

    lanes: how many samples are written at once; requests beyond them wait in order.
    threads: worker threads, the usable physical cores by default. dtype: how weights are held.
    """

    def __init__(
        self, model: Model, *, lanes: int = 64, threads: int | None = None, dtype: str = "auto"
    ) -> None:
        unknown, end = model.vocabulary.unknown_code, model.end_code
        self._vocabulary = model.vocabulary
        self._decoder = Decoder(
            model.parameters,
            lanes=lanes,
            threads=threads or usable_cores(),
            bfloat16=WEIGHTS_AS_BFLOAT16[dtype],
            unknown=-1 if unknown is None else unknown,
            end=-1 if end is None else end,
        )
        self._waiting: deque[SequenceState] = deque()
        self._running: list[tuple[SequenceState, Lane]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._decoder.__exit__(*error)

    def __len__(self) -> int:
        """How many requests are being written or wait."""
        return len({task.key for task in self._waiting} | self._begun())

    @property
    def waiting(self) -> int:
        """How many of them have no lane yet."""
        return len({task.key for task in self._waiting} - self._begun())

    @property
    def lanes(self) -> int:
        """How many lanes are in use."""
        return len(self._running)

    def add(self, key: Hashable, request: Request, *, is_streamed: bool = True) -> None:
        """Take a request; key names it in what `advance` gives.

        is_streamed: whether its text is given as it comes; else in large pieces, at less cost.
        """
        wants_reader = request.settings.samples > 1 or request.prompt_logprobs
        if wants_reader and len(request.prompt) == 0:
            start = self._decoder.beginning
            self._waiting += self._samples(key, request, start, is_streamed)
            return
        index = PROMPT if wants_reader else 0
        self._waiting.append(
            SequenceState(key, request, index, self._vocabulary, is_streamed=is_streamed)
        )

    def cancel(self, key: Hashable) -> None:
        """Forget a request; its lanes are free at once. One that is done is no error."""
        self._waiting = deque(task for task in self._waiting if task.key != key)
        for task, lane in self._running:
            if task.key == key:
                self._decoder.leave(lane)
        self._running = [pair for pair in self._running if pair[0].key != key]

    def advance(self, most: int = LONGEST) -> list[Given]:
        """Write some characters in every lane and give what is sure of them.

        A call lasts some milliseconds to tens of them; most: characters of a lane at the most.
        A request is done when each of its samples has had a piece with a finish_reason.
        """
        pieces = list(self._admit())
        if not self._running:
            return pieces
        readers = (len(task.left) for task, _ in self._running if task.is_reader)
        n = min(most, self._decoder.block, *readers)
        made = 0
        for task, lane in self._running:
            if self._decoder.progress(lane)[0] + min(n, LEAST_ROOM) > LONGEST:
                pieces += self._taken(task, lane)
                self._decoder.feed(lane, *task.food())
            made = max(made, self._decoder.progress(lane)[0])
        self._decoder.write(min(n, LONGEST - made), patience=len(self._running) // PATIENCE)
        for task, lane in self._running:
            if task.is_watched or self._decoder.progress(lane)[1] != RUNNING:
                pieces += self._taken(task, lane)
        self._let_go()
        return pieces

    def _taken(self, task: SequenceState, lane: Lane) -> list[Given]:
        """What is new of a task."""
        piece = task.take(self._decoder.wrote(lane, task.taken))
        return [] if piece is None else [(task.key, piece)]

    def _admit(self) -> Iterator[Given]:
        """Give lanes to those that wait; pieces of samples that need none."""
        while self._waiting and self._decoder.free:
            task = self._waiting.popleft()
            if task.request.settings.length == 0 and not task.is_reader:
                yield (
                    task.key,
                    TextDelta(task.index, "", np.empty(0, np.int64), finish_reason="length"),
                )
                continue
            automaton = None if task.is_reader else task.request.automaton
            lane = self._decoder.enter(task.rules, task.start, automaton)
            self._decoder.feed(lane, *task.food())
            self._running.append((task, lane))

    def _let_go(self) -> None:
        """Free the lanes of what is done; samples go on from a prompt that was read."""
        for task, lane in self._running:
            if not task.is_done:
                continue
            if task.is_reader:
                start = self._decoder.snapshot(lane)
                samples = self._samples(task.key, task.request, start, task.is_streamed)
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

    def _begun(self) -> set[Hashable]:
        return {task.key for task, _ in self._running}
