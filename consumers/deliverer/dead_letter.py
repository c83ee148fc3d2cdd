"""A dead letter of a subscription: the event as it was on `events`, with one more header about its delivery.

So the topic's records are CloudEvents, and a redrive needs only the record. A redrive ends a dead letter with a record
that has the same key, an empty value and the header `delivery-ended`.
"""

from collections.abc import Iterable
from typing import Final

from pydantic import ValidationError

from consumers.engine.core.tail import NUMBER_HEADER
from schemas.cloudevents import KafkaHeaders
from schemas.model import OpenModel, Public

_HEADER: Final = "delivery"
_ENDED_HEADER: Final = "delivery-ended"


class FailedDelivery(OpenModel):
    """Why an event became a dead letter.

    Attributes:
        partition, offset: of the event on `events`.
        since: the time of the first try, Unix seconds.
        dead_at: the time of the dead letter, Unix seconds.
        result: of the last try: `status_5xx`, `read_timeout`, `unreadable` (`delivery.message_of`) and others.
        status: of the last response; None without a response.
    """

    partition: Public[int]
    offset: Public[int]
    since: Public[float]
    dead_at: Public[float]
    result: Public[str]
    status: Public[int | None] = None

    @property
    def position(self) -> str:
        """The event's place, as the command line takes it."""
        return f"{self.partition}:{self.offset}"


def dead_letter_headers(headers: KafkaHeaders, failed: FailedDelivery) -> KafkaHeaders:
    """Return the headers of the dead letter of an event with these headers."""
    return (
        *((name, value) for name, value in headers if name not in {_HEADER, NUMBER_HEADER}),
        (_HEADER, failed.model_dump_json().encode()),
    )


def ended_headers(position: str) -> KafkaHeaders:
    """Return the headers of the record that ends the dead letter of the event at this position."""
    return ((_ENDED_HEADER, position.encode()),)


def read_failed_delivery(headers: Iterable[tuple[str, bytes]]) -> FailedDelivery | None:
    """Return why the record's event became a dead letter; None if the record is no dead letter."""
    value = next((value for name, value in headers if name == _HEADER), None)
    try:
        return None if value is None else FailedDelivery.from_record(value)
    except ValidationError:
        return None


def read_ended(headers: Iterable[tuple[str, bytes]]) -> str | None:
    """Return the position whose dead letter the record ends; None for another record."""
    for name, value in headers:
        if name == _ENDED_HEADER:
            return value.decode("ascii", "replace")
    return None
