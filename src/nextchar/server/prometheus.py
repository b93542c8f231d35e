"""Metrics of the server, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class Metrics:
    """Counters of one server, over all its models."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a line more for each counter
        self._registry = registry = CollectorRegistry()
        counter = partial(Counter, registry=registry)
        self.prompt_tokens = counter("nextchar_prompt_tokens", "Characters of accepted prompts.")
        self.generated_tokens = counter("nextchar_generated_tokens", "Characters generated.")
        self.requests = counter("nextchar_requests", "Requests answered.", ("route", "status"))
        seconds = partial(Histogram, registry=registry, buckets=_SECONDS)
        text = "Time from a request to the end of its answer."
        self.seconds = seconds("nextchar_request_seconds", text, ("route",))
        text = "Time from a request to its first text."
        self.first_seconds = seconds("nextchar_first_piece_seconds", text)

    def watch(self, in_progress: Callable[[], int], queued: Callable[[], int]) -> None:
        """Add the two gauges and the functions that read them."""
        for name, text, read in (
            ("nextchar_requests_in_progress", "Prompts that are being answered.", in_progress),
            ("nextchar_requests_queued", "Prompts that wait for a lane.", queued),
        ):
            Gauge(name, text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All metrics as text."""
        return generate_latest(self._registry)
