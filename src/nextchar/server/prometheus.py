"""Metrics of the server, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable

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
        self.prompt_tokens = Counter(
            "nextchar_prompt_tokens", "Characters of accepted prompts.", registry=registry
        )
        self.generated_tokens = Counter(
            "nextchar_generated_tokens", "Characters generated.", registry=registry
        )
        self.requests = Counter(
            "nextchar_requests", "Requests answered.", ("route", "status"), registry=registry
        )
        self.seconds = Histogram(
            "nextchar_request_seconds", "Time from a request to the end of its answer.", ("route",),
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self.first_seconds = Histogram(
            "nextchar_first_piece_seconds", "Time from a request to its first text.",
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip

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
