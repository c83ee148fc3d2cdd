"""A dead letter of a subscription: the event as it was on `events`, with one more header about its delivery.

So the topic's records are CloudEvents, and a redrive needs only the record. A redrive ends a dead letter with a record
that has the same key, an empty value and the header `delivery-ended`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pydantic_core import from_json, to_json

from schemas.cloudevents import KafkaHeaders

_HEADER: Final = "delivery"
_ENDED_HEADER: Final = "delivery-ended"


@dataclass(frozen=True, slots=True)
class FailedDelivery:
    """Why an event became a dead letter.

    Attributes:
        partition, offset: of the event on `events`.
        since: the time of the first try, Unix seconds.
        dead_at: the time of the dead letter, Unix seconds.
        result: of the last try: `status_5xx`, `read_timeout`, `unreadable` (it is no CloudEvent) and others.
        status: of the last response; None without a response.
    """

    partition: int
    offset: int
    since: float
    dead_at: float
    result: str
    status: int | None = None

    @property
    def position(self) -> str:
        """The event's place, as the command line takes it."""
        return f"{self.partition}:{self.offset}"


def dead_letter_headers(headers: KafkaHeaders, failed: FailedDelivery) -> KafkaHeaders:
    """Return the headers of the dead letter of an event with these headers."""
    own = {
        "partition": failed.partition,
        "offset": failed.offset,
        "since": failed.since,
        "deadAt": failed.dead_at,
        "result": failed.result,
        "status": failed.status,
    }
    return (*((name, value) for name, value in headers if name != _HEADER), (_HEADER, to_json(own)))


def ended_headers(position: str) -> KafkaHeaders:
    """Return the headers of the record that ends the dead letter of the event at this position."""
    return ((_ENDED_HEADER, position.encode()),)


def read_failed_delivery(headers: Iterable[tuple[str, bytes]]) -> FailedDelivery | None:
    """Return why the record's event became a dead letter; None if the record is no dead letter."""
    for name, value in headers:
        if name != _HEADER:
            continue
        try:
            own = from_json(value)
            return FailedDelivery(
                int(own["partition"]),
                int(own["offset"]),
                float(own["since"]),
                float(own["deadAt"]),
                str(own["result"]),
                None if own["status"] is None else int(own["status"]),
            )
        except (ValueError, TypeError, KeyError):
            return None
    return None


def read_ended(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the position whose dead letter the record ends; None for another record."""
    for name, value in headers:
        if name == _ENDED_HEADER:
            return value.decode("ascii", "replace")
    return None
