"""The response to a completion that is not streamed."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from nextchar.generation.generate import best_of
from nextchar.server.http.api_errors import encoded
from nextchar.server.in_flight import InFlightCompletion
from nextchar.server.schema import Choice


class CompletionResponse(Response):
    """A completion that runs when the response is sent, and stops if the client disconnects."""

    def __init__(self, in_flight: InFlightCompletion) -> None:
        super().__init__()
        self._in_flight = in_flight

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Generate all texts, then send them."""
        in_flight = self._in_flight
        async with in_flight.running(receive):
            async for _ in in_flight.updates():
                pass
            body = encoded(in_flight.body(list(_choices(in_flight)), in_flight.usage))
        await Response(body, media_type="application/json")(scope, receive, send)


def _choices(in_flight: InFlightCompletion) -> Iterator[Choice]:
    n = in_flight.params.n
    for prompt, states in enumerate(in_flight.choices):
        for rank, state in enumerate(states if len(states) == n else best_of(states, n)):
            number = prompt * n + rank
            text = in_flight.echo(number) + "".join(state.parts)
            yield in_flight.choice(number, state, text, state.reason)
