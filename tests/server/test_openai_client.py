"""The official client, unchanged: plain, streaming and async, with its retries and errors."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from serving import Server, served

KEY = "sk-" + "x" * 20


@pytest.fixture
def client(server: Server) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
        yield client


def test_it_completes(client: openai.OpenAI, server: Server) -> None:
    done = client.completions.create(model="prose", prompt="It was", max_tokens=50, seed=1)
    assert [done.choices[0].text] == server.written("It was", 50, 1)
    assert done.choices[0].finish_reason == "length"
    assert done.usage is not None
    assert done.usage.total_tokens == 56
    assert done._request_id


def test_it_streams(client: openai.OpenAI, server: Server) -> None:
    stream = client.completions.create(
        model="prose", prompt="It was", max_tokens=300, seed=1, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    chunks = list(stream)
    assert chunks[-1].usage is not None
    text = "".join(chunk.choices[0].text for chunk in chunks[:-1])
    assert [text] == server.written("It was", 300, 1)


def test_further_rules_go_in_the_extra_body(client: openai.OpenAI, server: Server) -> None:
    done = client.completions.create(
        model="prose", prompt="It", max_tokens=40, seed=1, extra_body={"top_k": 2}
    )
    assert [done.choices[0].text] == server.written("It", 40, 1, top_k=2)


def test_it_scores(client: openai.OpenAI) -> None:
    done = client.completions.create(
        model="prose", prompt="It was", max_tokens=0, echo=True, logprobs=1
    )
    scores = done.choices[0].logprobs
    assert scores is not None
    assert scores.tokens == list("It was")
    assert scores.token_logprobs is not None
    assert scores.token_logprobs[0] is None


def test_the_async_client_is_served_side_by_side(server: Server) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none") as client:

            async def one(seed: int) -> str:
                stream = await client.completions.create(
                    model="prose", prompt="It", max_tokens=80, seed=seed, stream=True
                )
                return "".join([chunk.choices[0].text async for chunk in stream])

            return await asyncio.gather(*map(one, range(8)))

    assert asyncio.run(ask()) == [server.written("It", 80, seed)[0] for seed in range(8)]


def test_models_are_listed_and_described(client: openai.OpenAI) -> None:
    assert {each.id for each in client.models.list()} == {"prose", "bytes"}
    model = client.models.retrieve("prose")
    assert model.owned_by == "nextchar"
    assert model.meta["n_vocab"] > 20  # type: ignore[attr-defined]


def test_mistakes_raise_the_clients_own_errors(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as wrong:
        client.completions.create(model="prose", prompt="It", temperature=5)
    assert wrong.value.param == "temperature"
    assert wrong.value.type == "invalid_request_error"
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="gpt", prompt="It")
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id


def test_a_key_is_required_and_compared(served_models: dict[str, Path]) -> None:
    with served(served_models, api_key=KEY) as server:
        for key in ("wrong", KEY + "x", "sk-"):
            with (
                openai.OpenAI(base_url=f"{server.url}/v1", api_key=key) as client,
                pytest.raises(openai.AuthenticationError) as refused,
            ):
                client.completions.create(model="prose", prompt="It")
            assert refused.value.code == "invalid_api_key"
        with openai.OpenAI(base_url=f"{server.url}/v1", api_key=KEY) as client:
            assert len(client.completions.create(model="prose", prompt="It").choices[0].text) == 16
        assert server.client.get("/health").status_code == 200
        assert server.client.get("/v1/health").status_code == 200
        assert server.client.get("/").status_code == 200
        for path in ("/v1/models", "/metrics", "/props", "/v1/models/prose", "/v1/completions"):
            assert server.client.get(path).status_code == 401


def test_a_full_queue_raises_and_is_tried_again(served_models: dict[str, Path]) -> None:
    with served(served_models, parallel=1, queue=0) as server:
        url = f"{server.url}/v1"
        with (
            openai.OpenAI(base_url=url, api_key="none", max_retries=0) as hasty,
            openai.OpenAI(base_url=url, api_key="none", max_retries=5) as patient,
        ):
            running = hasty.completions.create(
                model="prose", prompt="It", max_tokens=10_000, stream=True
            )
            next(iter(running))
            with pytest.raises(openai.RateLimitError) as refused:
                hasty.completions.create(model="prose", prompt="It")
            assert refused.value.response.headers["retry-after"] == "1"
            running.close()  # frees the lane for the retry
            done = patient.completions.create(model="prose", prompt="It", seed=1)
            assert [done.choices[0].text] == server.written("It", 16, 1)
