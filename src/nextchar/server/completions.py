"""The answer to a completion that is not streamed: all texts, when the last one is whole."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nextchar.generation.generate import best_of
from nextchar.server.http.api_errors import encoded
from nextchar.server.in_flight import InFlightCompletion
from nextchar.server.schema import Choice


class WholeAnswer(Response):
    """A completion that is computed when it is sent, and no more where the client goes away."""

    def __init__(self, writing: InFlightCompletion) -> None:
        super().__init__()
        self._writing = writing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Write, gather and send."""
        writing = self._writing
        async with writing.under_way(receive):
            async for _ in writing.arrivals():
                pass
            body = encoded(writing.completion(list(_choices(writing)), writing.usage))
        await Response(body, media_type="application/json")(scope, receive, send)


def _choices(writing: InFlightCompletion) -> Iterator[Choice]:
    n = writing.asked.n
    for prompt, texts in enumerate(writing.texts):
        best = texts if len(texts) == n else best_of(texts, n)
        for place, text in enumerate(best):
            number = prompt * n + place
            shown = writing.lead(number) + "".join(text.parts)
            yield writing.choice(number, text, shown, text.reason)
