"""The OpenAPI document of the HTTP API: `document.openapi` builds it from the parts in this package."""
