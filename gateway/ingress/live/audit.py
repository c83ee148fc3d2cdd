"""The audit records of returned links and of reads of PHI: internal commands, which the worker publishes as events."""

import uuid

from gateway.ingress.api_http.api_problems import AuditUnavailable
from gateway.ingress.commands.appending import Appended
from gateway.ingress.commands.command_log import CommandLog, acceptance_time
from schemas.commands import RecordAccess, RecordRead, ReleaseHandoff
from schemas.records import RecordedCommand


class AccessRecord:
    """Appends accesses to `commands`. Invariant: the record is on all in-sync replicas before the response leaves."""

    def __init__(self, commands: CommandLog) -> None:
        self._commands = commands

    @property
    def is_open(self) -> bool:
        """Whether Kafka accepts records now."""
        return self._commands.is_up

    def require_open(self) -> None:
        """Raise AuditUnavailable while Kafka accepts no records."""
        if not self.is_open:
            raise _unavailable(2.0)

    async def put(self, authorization_id: str, caller: str, data: RecordRead | ReleaseHandoff) -> None:
        """Append the record of a read or a release. Raises AuditUnavailable unless all in-sync replicas have it."""
        retry_after = await self.append(authorization_id, caller, data)
        if retry_after is not None:
            raise _unavailable(retry_after)

    async def append(
        self, authorization_id: str, caller: str, data: RecordAccess | RecordRead | ReleaseHandoff
    ) -> float | None:
        """Append a record. Return None once it is on all in-sync replicas, else the seconds before a retry.

        Each record has an id of its own: a link that is returned again is another access.
        """
        record = RecordedCommand(str(uuid.uuid4()), caller, authorization_id, acceptance_time(), data)
        result = await self._commands.append(self._commands.serialize(record))
        return None if isinstance(result, Appended) else result.retry_after_seconds


def _unavailable(retry_after_seconds: float) -> AuditUnavailable:
    return AuditUnavailable(
        "Nothing was returned, because the access could not be recorded. Please try again in a few seconds.",
        retry_after_seconds=retry_after_seconds,
    )
