"""The attributes of spans about Kafka: the one table after OpenTelemetry's semantic conventions for messaging."""

from typing import Final, Literal

from runtime.tracing.attributes import Attributes

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the conventions that the names follow; the tracer names it."""

Operation = Literal["create", "send", "process", "commit"]


def messaging(
    operation: Operation, topic: str | None = None, partition: int | None = None, offset: int | None = None
) -> Attributes:
    """Return the attributes of a span about a record or a transaction."""
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        # The conventions have no type for the commit of a transaction.
        "messaging.operation.type": None if operation == "commit" else operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": None if partition is None else str(partition),
        "messaging.kafka.offset": offset,
    }
