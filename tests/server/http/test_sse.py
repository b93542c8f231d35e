"""Streaming: events whose texts add up to the whole, in the form of the completion API."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import httpx2
import pytest

from nextchar.server.http import sse
from serving import Server, served


def events(answer: httpx2.Response) -> list[Any]:
    """The data of the events of an answer; `[DONE]` is the last."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-accel-buffering"] == "no"
    parts = answer.text.split("\n\n")
    assert parts.pop() == ""
    carried = [part.removeprefix("data: ") for part in parts if not part.startswith(":")]
    assert carried.pop() == "[DONE]"
    return [json.loads(each) for each in carried]


def texts(chunks: list[Any]) -> dict[int, str]:
    joined: dict[int, str] = defaultdict(str)
    for chunk in chunks:
        for choice in chunk["choices"]:
            joined[choice["index"]] += choice["text"]
    return dict(joined)


def test_the_pieces_together_are_the_text_of_the_library(server: Server) -> None:
    chunks = events(server.complete(prompt="It was", max_tokens=400, seed=3, stream=True))
    assert texts(chunks) == {0: server.written("It was", 400, 3)[0]}
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "usage" not in chunks[0]


def test_the_last_event_of_a_choice_has_the_reason_and_no_text(server: Server) -> None:
    chunks = events(server.complete(prompt="It", max_tokens=50, seed=1, n=3, stream=True))
    ends = defaultdict(list)
    for chunk in chunks:
        (choice,) = chunk["choices"]
        ends[choice["index"]].append((choice["finish_reason"], choice["text"]))
    assert set(ends) == {0, 1, 2}
    for texts_of_one in ends.values():
        assert texts_of_one[-1] == ("length", "")
        assert all(reason is None and text for reason, text in texts_of_one[:-1])


def test_several_prompts_and_texts_stream_side_by_side(server: Server) -> None:
    body = {"prompt": ["It", "age"], "max_tokens": 60, "seed": 2, "n": 2}
    chunks = events(server.complete(**body, stream=True))
    assert texts(chunks) == dict(enumerate(server.texts(**body)))


def test_usage_comes_last_if_it_is_requested(server: Server) -> None:
    body = {"prompt": "It was", "max_tokens": 20, "seed": 1, "stream": True}
    chunks = events(server.complete(**body, stream_options={"include_usage": True}))
    assert chunks[-1]["choices"] == []
    usage = {"prompt_tokens": 6, "completion_tokens": 20, "total_tokens": 26}
    assert chunks[-1]["usage"] == usage
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_a_stop_string_is_held_back_and_never_shown_in_part(server: Server) -> None:
    (whole,) = server.written("It was", 300, 11)
    stop = whole[40:43]
    chunks = events(
        server.complete(prompt="It was", max_tokens=300, seed=11, stop=stop, stream=True)
    )
    assert texts(chunks) == {0: whole[: whole.index(stop)]}
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_no_piece_holds_part_of_a_character(server: Server) -> None:
    body = {"model": "bytes", "prompt": "春眠", "max_tokens": 500, "seed": 1}
    chunks = events(server.complete(**body, stream=True))
    (whole,) = server.written("春眠", 500, 1, model="bytes")
    assert texts(chunks) == {0: whole}


def test_echo_and_log_probabilities_stream_as_well(server: Server) -> None:
    body = {"prompt": "It was", "max_tokens": 40, "seed": 1, "echo": True, "logprobs": 2}
    (whole,) = server.complete(**body).json()["choices"]
    chunks = events(server.complete(**body, stream=True))
    assert texts(chunks) == {0: whole["text"]}
    joined: dict[str, list[Any]] = defaultdict(list)
    for chunk in chunks:
        for name, values in (chunk["choices"][0]["logprobs"] or {}).items():
            joined[name] += values
    assert joined == whole["logprobs"]


def test_best_of_more_than_n_cannot_be_streamed(server: Server) -> None:
    answer = server.complete(prompt="It", best_of=3, stream=True)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "best_of"
    assert server.complete(prompt="It", best_of=2, n=2, stream=True).status_code == 200


def test_nothing_that_readers_take_for_a_line_end_stands_in_an_event() -> None:
    data = sse.event(json.dumps("a\x85b\u2028c\u2029d", ensure_ascii=False).encode())
    assert len(data.decode().splitlines()) == 2
    assert json.loads(data[6:]) == "a\x85b\u2028c\u2029d"


def test_silence_is_broken_by_comments(served_models: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "PAUSE", 0.0)
    with served(served_models) as server:
        answer = server.complete(prompt="It was", max_tokens=2000, seed=1, stream=True)
        assert ": ping" in answer.text.split("\n\n")
        assert texts(events(answer)) == {0: server.written("It was", 2000, 1)[0]}
