"""CloudEvents in HTTP requests and responses."""

import re
from collections.abc import Iterable
from urllib.parse import quote, unquote_to_bytes

from schemas.cloudevents.attributes import (
    attribute_pairs,
    checked_text,
    envelope_of,
    put_attribute,
    text_of,
    valid_traceparent,
)
from schemas.cloudevents.envelope import STRUCTURED, CloudEventError, Envelope, Mode
from schemas.cloudevents.json_format import from_structured, is_structured, to_structured


def to_http(envelope: Envelope, mode: Mode = "binary") -> tuple[list[tuple[str, str]], bytes]:
    """Return headers and body."""
    trace = [] if envelope.traceparent is None else [("traceparent", envelope.traceparent)]
    if mode == "structured":
        return [("content-type", STRUCTURED), *trace], to_structured(envelope)
    headers = [(f"ce-{name}", _percent(value)) for name, value in attribute_pairs(envelope)]
    if envelope.datacontenttype is not None:
        headers.append(("content-type", envelope.datacontenttype))
    return headers + trace, envelope.data or b""


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> Envelope:
    """Read a request in either mode. Raises CloudEventError if the request is not a CloudEvent."""
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
    if content_type is not None and is_structured(content_type):
        return from_structured(body, trace)
    return envelope_of(attributes, body or None, content_type, trace)


def _percent(value: str) -> str:
    # HTTP binding 3.1.3.2: printable ASCII is not encoded, except space, double quote and percent.
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^`{|}~")


def _unpercent(name: str, raw: str) -> str:
    text = raw.strip(" \t")
    if not text.isascii():
        # Servers decode header bytes as Latin-1, so the caller's encoding is unknown.
        raise CloudEventError(name, "percent-encoded text")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text_of(name, unquote_to_bytes(text)) if "%" in text else checked_text(name, text)
