"""Metrics: their names, types and values."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from serving import Server


def test_counters_are_in_the_form_of_prometheus_under_their_promised_names(server: Server) -> None:
    before = server.metric("nextchar_generated_tokens_total")
    asked = server.metric("nextchar_prompt_tokens_total")
    server.texts(prompt="It was", max_tokens=30, n=2)
    assert server.metric("nextchar_generated_tokens_total") == before + 60
    assert server.metric("nextchar_prompt_tokens_total") == asked + 6
    answer = server.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {each.name: each.type for each in text_string_to_metric_families(answer.text)}
    assert families == {
        "nextchar_prompt_tokens": "counter",
        "nextchar_generated_tokens": "counter",
        "nextchar_requests": "counter",
        "nextchar_request_seconds": "histogram",
        "nextchar_first_piece_seconds": "histogram",
        "nextchar_requests_in_progress": "gauge",
        "nextchar_requests_queued": "gauge",
    }
