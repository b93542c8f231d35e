"""HTTP: connections, middleware, request bodies, event streams, pages."""
