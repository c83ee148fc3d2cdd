"""Settings of the worker."""

import socket
from datetime import timedelta
from pathlib import Path
from typing import Annotated

from pydantic import Field

from runtime.environ import Section
from runtime.units import Duration, Size


class WorkerSettings(Section):
    """The worker: its consumer group, its limits, and the time limits of commands."""

    group: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        "collate-gateway-worker", description="Consumer group, and prefix of all transactional ids."
    )
    instance: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,128}$")] = Field(
        default_factory=socket.gethostname,
        description="Stable name of this worker, unique in the group; two workers with the same name fence each other.",
        json_schema_extra={"shown_default": "the host's name"},
    )
    digest_key_file: Path | None = Field(
        None, description="File with the secret for digests of bodies; the same for all workers, at least 16 bytes."
    )
    session_timeout: Duration = Field(
        timedelta(seconds=10), description="Time without a heartbeat after which a worker loses its partitions."
    )
    max_invocations: Annotated[int, Field(ge=1)] = Field(
        512, description="Maximum number of authorizations that one worker processes at the same time."
    )
    read_ahead: Annotated[int, Field(ge=1, le=10_000)] = Field(
        2_400, description="Maximum number of unfinished records of a partition; reading pauses at this number."
    )
    memory_limit: Size = Field(
        1 << 30,
        ge=256 << 20,
        description="Memory of one worker, as its platform limits it. The states of authorizations may need half of "
        "it, those that Collate has never shown a quarter.",
    )
    command_max_age: Duration = Field(
        timedelta(hours=24), description="How long a command may wait for Collate before it becomes a dead letter."
    )
    waiting_after: Duration = Field(
        timedelta(seconds=10), description="How long a command waits before `command.waiting` reports the reason."
    )
    watch_max_age: Duration = Field(timedelta(days=90), description="How long the watcher follows an authorization.")
    dead_letter_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.2,
        description=(
            "Share of dead letters among its last 50 records above which a partition stops until an operator resumes "
            "it. An authorization counts once, `record_lost` and `too_old` do not count, and one of several callers "
            "of the last day contributes at most half."
        ),
    )
    stop_deadline: Duration = Field(timedelta(seconds=20), description="Time for running invocations after SIGTERM.")

    @property
    def state_memory(self) -> int:
        """The bytes that the states of one worker may need."""
        return self.memory_limit // 2
