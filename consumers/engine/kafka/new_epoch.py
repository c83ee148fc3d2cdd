"""The request that replaces a producer's epoch, which fences every request of the old epoch that still arrives.

aiokafka speaks version 0 of InitProducerId, which takes the id from any owner. Version 3 names the producer id and the
epoch that it replaces (KIP-360): the coordinator refuses it if another producer has initialised the id meanwhile.

    code                                   reaction
    14 coordinator loads                   retry
    15, 16 another coordinator             find it
    51 a late request began a transaction  retry soon: the coordinator aborts it. That raises the epoch, so the
                                           retry gets 90: the session starts again. (0 with `transaction.version` 2)
    any other                              raise: the id has another owner, or the outcome is unknown
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import CompactString, Int16, Int32, Int64, Schema, TaggedFields

if TYPE_CHECKING:
    from adapters.kafka.aiokafka_internals import ProducerIdentity


class InitProducerIdResponseV3(Response):  # type: ignore[misc] # aiokafka has no types here
    """The answer: an error code, and the producer id with its new epoch."""

    API_KEY, API_VERSION = 22, 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class InitProducerIdRequestV3(RequestStruct):  # type: ignore[misc] # aiokafka has no types here
    """The request's fields."""

    FLEXIBLE_VERSION, API_KEY, API_VERSION = True, 22, 3
    RESPONSE_TYPE = InitProducerIdResponseV3
    SCHEMA = Schema(
        ("transactional_id", CompactString("utf-8")),
        ("transaction_timeout_ms", Int32),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("tags", TaggedFields),
    )


class NewEpochRequest(Request[InitProducerIdRequestV3]):  # type: ignore[misc] # aiokafka has no types here
    """Replace the epoch of this identity."""

    API_KEY = 22

    def __init__(self, identity: ProducerIdentity, transaction_timeout_ms: int) -> None:
        self._identity = identity
        self._timeout_ms = transaction_timeout_ms

    def build(self, request_struct_class: Any) -> Any:
        """Return the request for the broker's version."""
        own = self._identity
        return request_struct_class(own.transactional_id, self._timeout_ms, own.producer_id, own.producer_epoch, {})
