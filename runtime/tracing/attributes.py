"""The attributes that a span may carry: words and numbers, never text that may quote a patient."""

import re
from collections.abc import Mapping
from typing import Final, Literal

Attributes = Mapping[str, str | int | None]
Kind = Literal["SERVER", "CLIENT", "PRODUCER", "CONSUMER", "INTERNAL"]

# All other attributes are dropped when a span is created or annotated.
ALLOWED_ATTRIBUTES: Final = frozenset(
    {
        "error.type",
        "gateway.authorization_id",
        "gateway.caller",
        "gateway.cause",
        "gateway.code",
        "gateway.command",
        "gateway.command_id",
        "gateway.event",
        "gateway.handoff_id",
        "gateway.operation",
        "gateway.problem",
        "gateway.redrive",
        "gateway.replayed",
        "gateway.result",
        "gateway.sequence",
        "gateway.tries",
        "gateway.waits_for",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "messaging.destination.name",
        "messaging.destination.partition.id",
        "messaging.kafka.offset",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.system",
    }
)

_WORD: Final = re.compile(r"[A-Za-z0-9._:/{}-]{1,200}")


def allowed_attributes(attributes: Attributes) -> dict[str, str | int]:
    """Return the attributes that a span may carry."""
    return {
        name: str(value) if isinstance(value, str) else value
        for name, value in attributes.items()
        if value is not None
        and name in ALLOWED_ATTRIBUTES
        and (not isinstance(value, str) or _WORD.fullmatch(value) is not None)
    }
