"""CloudEvents in records of Kafka."""

from collections.abc import Iterable

from schemas.cloudevents.attributes import CORE, attribute_pairs, envelope_of, put_attribute, text_of, valid_traceparent
from schemas.cloudevents.envelope import STRUCTURED, Envelope, KafkaHeaders, Mode
from schemas.cloudevents.json_format import from_structured, is_structured, to_structured

# The gateway's own headers need no check of their names.
_EXTENSIONS = ("caller", "handoffs", "redrive", "sequence", "causationid", "correlationid")
_WRITTEN = {f"ce_{name}": name for name in (*CORE, *_EXTENSIONS)}


def to_kafka(envelope: Envelope, mode: Mode = "binary") -> tuple[KafkaHeaders, bytes | None]:
    """Return headers and value. Without data the value is None: in a compacted topic this deletes the key."""
    trace = () if envelope.traceparent is None else (("traceparent", envelope.traceparent.encode()),)
    if mode == "structured":
        return (("content-type", STRUCTURED.encode()), *trace), to_structured(envelope)
    headers = [(f"ce_{name}", value.encode()) for name, value in attribute_pairs(envelope)]
    if envelope.datacontenttype is not None:
        headers.append(("content-type", envelope.datacontenttype.encode()))
    return (*headers, *trace), envelope.data


def from_kafka(headers: Iterable[tuple[str, bytes]], value: bytes | None) -> Envelope:
    """Read a record in either mode. Raises CloudEventError if the record is not a CloudEvent."""
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
    if content_type is not None and is_structured(content_type):
        return from_structured(value or b"", trace)
    return envelope_of(attributes, value, content_type, trace)
