"""The audit records of returned links and of reads of PHI: internal commands, which the worker publishes as events."""

import uuid

from gateway.ingress.commands.command_log import CommandLog, acceptance_time
from gateway.ingress.commands.publisher import Appended
from gateway.ingress.http.problems import AuditUnavailable
from gateway.ingress.live.outcomes import Access
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

    async def put(self, access: Access) -> float | None:
        """Append the record. Return None once it is on all in-sync replicas, else the seconds before a retry."""
        data = RecordAccess(
            handoff_id=access.handoff_id,
            operator=access.operator,
            grant_expires_at=access.expires_at,
            take_over=access.take_over or None,
            claim_check=access.claim_check,
        )
        return await self._append(access.record_id, access.caller, access.authorization_id, data)

    def require_open(self) -> None:
        """Raise AuditUnavailable while Kafka accepts no records."""
        if not self.is_open:
            raise _unavailable(2.0)

    async def put_read(self, authorization_id: str, caller: str, read: RecordRead) -> None:
        """Append the record of a read. Raises AuditUnavailable unless it is on all in-sync replicas."""
        retry_after = await self._append(str(uuid.uuid4()), caller, authorization_id, read)
        if retry_after is not None:
            raise _unavailable(retry_after)

    async def put_release(self, authorization_id: str, caller: str, release: ReleaseHandoff) -> None:
        """Append the record of a release. Raises AuditUnavailable unless it is on all in-sync replicas."""
        retry_after = await self._append(str(uuid.uuid4()), caller, authorization_id, release)
        if retry_after is not None:
            raise _unavailable(retry_after)

    async def _append(
        self, record_id: str, caller: str, authorization_id: str, data: RecordAccess | RecordRead | ReleaseHandoff
    ) -> float | None:
        record = RecordedCommand(record_id, caller, authorization_id, acceptance_time(), data)
        result = await self._commands.append(self._commands.serialize(record))
        return None if isinstance(result, Appended) else result.retry_after_seconds


def _unavailable(retry_after_seconds: float) -> AuditUnavailable:
    return AuditUnavailable(
        "Nothing was returned, because the access could not be recorded. Please try again in a few seconds.",
        retry_after_seconds=retry_after_seconds,
    )
