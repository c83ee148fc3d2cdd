"""A frame of Kafka's protocol, as far as a proxy must know it: its length and the request's header."""

import asyncio
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

_LENGTH: Final = struct.Struct(">i")
_HEADER: Final = struct.Struct(">hhi")
_STRING: Final = struct.Struct(">h")
# A frame of a fetch is at most some MiB here. A longer one is no frame.
_MOST_BYTES: Final = 64 << 20


class Api(IntEnum):
    """The requests that rules name."""

    PRODUCE = 0
    FETCH = 1
    LIST_OFFSETS = 2
    METADATA = 3
    OFFSET_COMMIT = 8
    OFFSET_FETCH = 9
    FIND_COORDINATOR = 10
    JOIN_GROUP = 11
    HEARTBEAT = 12
    LEAVE_GROUP = 13
    SYNC_GROUP = 14
    API_VERSIONS = 18
    INIT_PRODUCER_ID = 22
    ADD_PARTITIONS_TO_TXN = 24
    END_TXN = 26


_NAMES: Final = {int(api): api.name.lower() for api in Api}
TRANSACTION: Final = frozenset({Api.PRODUCE, Api.INIT_PRODUCER_ID, Api.ADD_PARTITIONS_TO_TXN, Api.END_TXN})
"""The requests of transactional producers. In the versions of our client each begins with the transactional id."""


@dataclass(frozen=True, slots=True)
class RequestFrame:
    """A request. `data` has the length in front; `transactional_id` is None for other requests than TRANSACTION's."""

    data: bytes
    api: int
    correlation: int
    client: str
    transactional_id: str | None

    @property
    def name(self) -> str:
        """The name of the request, or the number of its API key."""
        return _NAMES.get(self.api, f"api_{self.api}")


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """Read one frame with its length. Return None at the end of the connection."""
    try:
        head = await reader.readexactly(_LENGTH.size)
        (length,) = _LENGTH.unpack(head)
        return head + await reader.readexactly(length) if 0 <= length <= _MOST_BYTES else None
    except (asyncio.IncompleteReadError, OSError):
        return None


def request_frame(data: bytes) -> RequestFrame:
    """Read a request's header."""
    api, version, correlation = _HEADER.unpack_from(data, _LENGTH.size)
    client, end = _string(data, _LENGTH.size + _HEADER.size)
    transactional_id = None
    if api in TRANSACTION:
        # From this version on InitProducerId is flexible: a tagged field in the header and a compact string.
        is_flexible = api == Api.INIT_PRODUCER_ID and version >= 2
        transactional_id = _compact_string(data, end + 1) if is_flexible else _string(data, end)[0]
    return RequestFrame(data, api, correlation, client or "", transactional_id)


def answered_correlation(data: bytes) -> int:
    """Return the correlation id of a response."""
    number: int = _LENGTH.unpack_from(data, _LENGTH.size)[0]
    return number


def _string(data: bytes, at: int) -> tuple[str | None, int]:
    (length,) = _STRING.unpack_from(data, at)
    at += _STRING.size
    return (None, at) if length < 0 else (data[at : at + length].decode(), at + length)


def _compact_string(data: bytes, at: int) -> str | None:
    length = data[at] - 1  # ids are shorter than 127 bytes
    return None if length < 0 else data[at + 1 : at + 1 + length].decode()
