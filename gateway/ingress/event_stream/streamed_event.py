"""An event as it came from the topic, for streams and for waiting requests. It is rendered at most once."""

from dataclasses import dataclass, field

from schemas.cloudevents import CloudEventError, Envelope, from_kafka, to_http

KafkaHeaders = tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class StreamedEvent:
    """One event. `vector` has the next offsets of all partitions after the event, as the id of the stream."""

    partition: int
    offset: int
    authorization_id: str
    envelope: Envelope
    data: bytes
    vector: str = ""
    _structured: bytes | None = field(default=None, init=False)

    @property
    def type(self) -> str:
        """The event's CloudEvents type."""
        return self.envelope.type

    def structured(self) -> bytes:
        """Return the event as one JSON object (CloudEvents structured mode)."""
        if self._structured is None:
            self._structured = to_http(self.envelope)[1]
        return self._structured


def read_streamed_event(
    partition: int, offset: int, headers: KafkaHeaders, value: bytes | None
) -> StreamedEvent | None:
    """Return the record as an event, or None for another record, which the worker never writes."""
    try:
        envelope = from_kafka(headers, value)
    except CloudEventError:
        return None
    if envelope.subject is None or envelope.data is None:
        return None
    return StreamedEvent(partition, offset, envelope.subject, envelope, envelope.data)
