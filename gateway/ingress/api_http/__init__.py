"""The HTTP of the API: its port, middleware, readers of requests, responses and problems."""
