"""What is counted, for Prometheus to read."""

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
    """The counters of one server, all its models together."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # a line more for each counter
        self._registry = registry = CollectorRegistry()
        self.prompt_tokens = Counter(
            "nextchar_prompt_tokens", "Characters of prompts that were taken.", registry=registry
        )
        self.generated_tokens = Counter(
            "nextchar_generated_tokens", "Characters that were written.", registry=registry
        )
        self.requests = Counter(
            "nextchar_requests", "Requests that were answered.", ("route", "status"),
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "nextchar_request_seconds", "From a request to its answer's end.", ("route",),
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip
        self.first_seconds = Histogram(
            "nextchar_first_piece_seconds", "From a request to the first of its text.",
            registry=registry, buckets=_SECONDS,
        )  # fmt: skip

    def watch(self, in_progress: Callable[[], int], queued: Callable[[], int]) -> None:
        """Where the two gauges are read."""
        for name, text, read in (
            (
                "nextchar_requests_in_progress",
                "Prompts whose texts are being written.",
                in_progress,
            ),
            ("nextchar_requests_queued", "Prompts that wait for a lane.", queued),
        ):
            Gauge(name, text, registry=self._registry).set_function(read)

    def text(self) -> bytes:
        """All of it in Prometheus' text form."""
        return generate_latest(self._registry)
