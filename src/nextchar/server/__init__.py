"""HTTP: the completion API that clients speak, over models that write many requests together.

    settings.py     limits, addresses and the rest of what an operator chooses
    protocol.py     the shapes of requests and answers; refusals.py: of errors
    bodies.py       from bytes to a shape, whatever the bytes
    asking.py       from a shape to what generation is asked
    engine.py       one thread a model: requests in, pieces of text out
    job.py          where a request's pieces arrive
    models.py       the models that are served
    writing.py      a request that is being answered; scores.py: its log-probabilities
    completions.py  the answer as a whole; streams.py: as it is written
    routes.py       what each route does; site.py: pages
    openapi.py      what there is, for programs; reference.py: for people
    front.py        what every request passes: its id, the key, errors as bodies, counts
    metrics.py      what is counted; app.py: all of it together
    connection.py   HTTP/1.1 by uvicorn, with the limits that it lacks
    run.py          listening, and stopping when asked to

The event loop does no work that lasts: networks are computed on the engines' threads. Needs the
extra `serve`; nothing here is imported unless `nextchar serve` is called.
"""
