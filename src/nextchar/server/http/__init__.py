"""HTTP: connections, middleware, request bodies, event streams, pages.

    api_errors.py     errors as statuses and JSON bodies
    connection.py     HTTP/1.1 connections with limits
    docs_page.py      the reference of the API as a page
    middleware.py     request ids, access, metrics, internal errors
    openapi.py        the OpenAPI document
    request_body.py   reading and decoding of a request's body
    sse.py            the streamed response to a completion
    static_files.py   pages served from memory

The handlers of the routes are in `routes.py` of the server.
"""
