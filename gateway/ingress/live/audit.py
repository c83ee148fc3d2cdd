"""The audit records of returned links, of reads of PHI and of releases: internal commands, published as events.

Each record takes a place of its caller before what it records happens, so a caller fills no partition with them
(decision 0023). Reads of one handoff's message by the same caller and operator within SHARED_SECONDS have one record,
because they share one read of Collate.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.ingress.api_http.api_problems import AuditUnavailable
from gateway.ingress.commands.appending import Appended
from gateway.ingress.commands.command_log import CommandLog, acceptance_time
from gateway.ingress.commands.places import CallerPlaces
from gateway.ingress.commands.unfinished import PlaceKind
from gateway.ingress.shared_reads import SharedReads
from schemas.commands import RecordAccess, RecordRead, ReleaseHandoff
from schemas.records import RecordedCommand


class AccessPlace:
    """A place for one record, under the id of the record: a link that is returned again is another access."""

    def __init__(self, commands: CommandLog, authorization_id: str, caller: str) -> None:
        self.id = str(uuid.uuid4())
        self.is_used = False
        self._commands = commands
        self._authorization_id = authorization_id
        self._caller = caller

    async def append(self, data: RecordAccess | RecordRead | ReleaseHandoff) -> float | None:
        """Append the record. Return None once it is on all in-sync replicas, else the seconds before a retry."""
        record = RecordedCommand(self.id, self._caller, self._authorization_id, acceptance_time(), data)
        self.is_used = True  # also if the request ends before the confirmation
        result = await self._commands.append(self._commands.serialize(record))
        self.is_used = isinstance(result, Appended)
        return None if isinstance(result, Appended) else result.retry_after_seconds


class AccessRecord:
    """Appends accesses to `commands`. Invariant: the record is on all in-sync replicas before the response leaves."""

    def __init__(self, commands: CommandLog, places: CallerPlaces) -> None:
        self._commands = commands
        self._places = places
        self._recorded = SharedReads[str](lambda _: True)

    @property
    def is_open(self) -> bool:
        """Whether Kafka accepts records now."""
        return self._commands.is_up

    def require_open(self) -> None:
        """Raise AuditUnavailable while Kafka accepts no records."""
        if not self.is_open:
            raise _unavailable(2.0)

    @contextmanager
    def place(self, authorization_id: str, caller: str) -> Iterator[AccessPlace]:
        """Provide a place for a record. An unused place is given back. Raises TooManyUnfinished."""
        place = AccessPlace(self._commands, authorization_id, caller)
        self._places.take(place.id, caller, self._commands.partition_of(authorization_id), PlaceKind.RECORD)
        try:
            yield place
        finally:
            if not place.is_used:
                self._places.give_back(place.id)

    async def put(
        self, authorization_id: str, caller: str, data: RecordRead | ReleaseHandoff, handoff_id: str | None = None
    ) -> str:
        """Append the record of a read or a release. Return the id of the record.

        With `handoff_id` it may be an equal record of the last SHARED_SECONDS. Raises TooManyUnfinished, and
        AuditUnavailable unless all in-sync replicas have the record.
        """

        async def append() -> str:
            with self.place(authorization_id, caller) as place:
                retry_after = await place.append(data)
                if retry_after is not None:
                    raise _unavailable(retry_after)
                return place.id

        if handoff_id is None:
            return await append()
        return await self._recorded.get((authorization_id, caller, handoff_id, data.to_json()), append)


def _unavailable(retry_after_seconds: float) -> AuditUnavailable:
    return AuditUnavailable(
        "Nothing was returned, because the access could not be recorded. Please try again in a few seconds.",
        retry_after_seconds=retry_after_seconds,
    )
