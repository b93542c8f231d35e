"""HTTP server: the completion API over models that generate the texts of many requests together.

    app.py                 the ASGI application: routes and middleware
    completion_params.py   parsing of a completion request
    completions.py         the response that is not streamed
    http/                  connections, middleware, bodies, streams, pages
    in_flight.py           a completion in flight and its choices
    lifecycle.py           listening, serving and shutting down
    logprobs.py            log-probabilities in the form of the API
    model_worker.py        the thread of a model
    prometheus.py          metrics
    registry.py            the served models by name
    routes.py              the table of routes and their handlers
    schema.py              the structs of requests and responses
    server_settings.py     addresses, limits and access

The event loop never computes: networks run on the threads of the workers. Needs the extra
`serve`; only `nextchar serve` imports this package.
"""
