"""A CloudEvent as a value, its media types, and the error of an input that is none."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

KafkaHeaders = tuple[tuple[str, bytes], ...]
JSON = "application/json"
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


class CloudEventError(ValueError):
    """The input is not a CloudEvent. `field` is the attribute, `expected` describes a valid value."""

    def __init__(self, field: str, expected: str) -> None:
        super().__init__(f"{field}: expected {expected}")
        self.field = field
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Envelope:
    """A CloudEvent. `traceparent` is a separate W3C header, not an attribute."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    extensions: Mapping[str, str] = field(default_factory=dict)
    data: bytes | None = field(default=None, repr=False)
    datacontenttype: str | None = JSON
    dataschema: str | None = None
    traceparent: str | None = None
