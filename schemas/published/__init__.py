"""The published documents, which `make docs` writes: OpenAPI, AsyncAPI, and a JSON Schema for each message."""

from pathlib import Path

PUBLISHED = Path(__file__).parent


def read(path: str) -> bytes:
    """Return a published document as the ingress serves it."""
    return (PUBLISHED / path).read_bytes()
