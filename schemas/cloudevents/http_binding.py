"""CloudEvents in HTTP requests and responses."""

import re
from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

from schemas.cloudevents.attributes import (
    checked_text,
    envelope_of,
    put_attribute,
    require_binary,
    text_of,
    valid_traceparent,
)
from schemas.cloudevents.envelope import STRUCTURED, CloudEventError, Envelope
from schemas.cloudevents.json_format import to_structured


def to_http(envelope: Envelope) -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body, in structured mode. Raises CloudEventError if its data should be JSON and are not."""
    trace = [] if envelope.traceparent is None else [("traceparent", envelope.traceparent)]
    return [("content-type", STRUCTURED), *trace], to_structured(envelope)


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> Envelope:
    """Read a request in binary mode. Raises CloudEventError if it is no CloudEvent in this mode."""
    attributes: dict[str, str] = {}
    content_type = trace = None
    for name, raw in headers:
        lower = name.lower()
        if lower.startswith("ce-"):
            put_attribute(attributes, lower[3:], _unpercent(lower[3:], raw))
        elif lower == "content-type":
            content_type = raw
        elif lower == "traceparent":
            trace = valid_traceparent(raw)
    require_binary(content_type)
    return envelope_of(attributes, body or None, content_type, trace)


def _unpercent(name: str, raw: str) -> str:
    text = raw.strip(" \t")
    if not text.isascii():
        # Servers decode header bytes as Latin-1, so the caller's encoding is unknown.
        raise CloudEventError(name, "percent-encoded text")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text_of(name, unquote_to_bytes(text)) if "%" in text else checked_text(name, text)
