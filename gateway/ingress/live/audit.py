"""The audit record of every returned link: an internal command, which the worker publishes as an event."""

from datetime import UTC, datetime

from gateway.ingress.commands.command_log import CommandLog
from gateway.ingress.commands.publisher import Appended
from gateway.ingress.live.outcomes import Access
from schemas.commands import RecordAccess
from schemas.records import RecordedCommand


class AccessRecord:
    """Appends accesses to `commands`."""

    def __init__(self, commands: CommandLog) -> None:
        self._commands = commands

    @property
    def is_open(self) -> bool:
        """Whether Kafka accepts records now."""
        return self._commands.is_up

    async def put(self, access: Access) -> float | None:
        """Append the record. Return None once it is on all in-sync replicas, else the seconds before a retry."""
        record = self._commands.serialize(
            RecordedCommand(
                id=access.record_id,
                caller=access.caller,
                authorization_id=access.authorization_id,
                accepted_at=datetime.now(UTC),
                data=RecordAccess(
                    handoff_id=access.handoff_id, operator=access.operator, grant_expires_at=access.expires_at
                ),
            )
        )
        result = await self._commands.append(record)
        return None if isinstance(result, Appended) else result.retry_after_seconds
