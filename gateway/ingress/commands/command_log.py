"""The record of every link handed out: an internal command, which the worker publishes when it arrives."""

from datetime import UTC, datetime

from gateway.ingress.commands.publisher import Appended, Appends
from gateway.ingress.live.outcomes import Access
from schemas.commands import RecordAccess
from schemas.records import RecordedCommand, write_command
from schemas.topics import partition_for


class AccessRecord:
    """Appends accesses to `commands`."""

    def __init__(self, publisher: Appends, *, source: str, partitions: int) -> None:
        self._publisher = publisher
        self._source = source
        self._partitions = partitions

    @property
    def is_open(self) -> bool:
        """Whether Kafka is there."""
        return self._publisher.is_up

    async def put(self, access: Access) -> float | None:
        """Append the fact; None once it is on all in-sync copies, else the seconds after which to try again."""
        headers, value = write_command(
            RecordedCommand(
                id=access.record_id,
                caller=access.caller,
                authorization_id=access.authorization_id,
                accepted_at=datetime.now(UTC),
                data=RecordAccess(
                    handoff_id=access.handoff_id, operator=access.operator, grant_expires_at=access.expires_at
                ),
            ),
            self._source,
        )
        key = access.authorization_id.encode()
        written = await self._publisher.append(partition_for(key, self._partitions), key, value, headers)
        return None if isinstance(written, Appended) else written.retry_after_seconds
