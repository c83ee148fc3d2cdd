"""CloudEvents in records of Kafka, in binary mode."""

from collections.abc import Iterable

from schemas.cloudevents.attributes import (
    CORE,
    attribute_pairs,
    envelope_of,
    put_attribute,
    require_binary,
    text_of,
    valid_traceparent,
)
from schemas.cloudevents.envelope import Envelope, KafkaHeaders

# The gateway's own headers need no check of their names.
_EXTENSIONS = ("caller", "handoffs", "redrive", "sequence", "causationid", "correlationid")
_WRITTEN = {f"ce_{name}": name for name in (*CORE, *_EXTENSIONS)}


def to_kafka(envelope: Envelope) -> tuple[KafkaHeaders, bytes | None]:
    """Return headers and value. Without data the value is None: in a compacted topic this deletes the key."""
    trace = () if envelope.traceparent is None else (("traceparent", envelope.traceparent.encode()),)
    headers = [(f"ce_{name}", value.encode()) for name, value in attribute_pairs(envelope)]
    if envelope.datacontenttype is not None:
        headers.append(("content-type", envelope.datacontenttype.encode()))
    return (*headers, *trace), envelope.data


def from_kafka(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Read a record in binary mode. Raises CloudEventError if it is no CloudEvent in this mode."""
    attributes: dict[str, str] = {}
    content_type = trace = None
    for header, raw in headers:
        if (name := _WRITTEN.get(header)) is not None and name not in attributes:
            attributes[name] = text_of(name, raw)
        elif (lower := header.lower()).startswith("ce_"):
            put_attribute(attributes, lower[3:], text_of(lower[3:], raw))
        elif lower == "content-type":
            content_type = text_of("datacontenttype", raw)
        elif lower == "traceparent":
            trace = valid_traceparent(raw.decode("ascii", "replace"))
    require_binary(content_type)
    return envelope_of(attributes, value, content_type, trace)
