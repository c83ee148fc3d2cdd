"""HTTP of the ingress: server limits, middleware, request helpers, responses and problems."""
