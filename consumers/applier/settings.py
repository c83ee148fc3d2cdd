"""The settings of the applier, in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from runtime.settings import CollateSettings, WorkerSettings


@dataclass(frozen=True, slots=True)
class ApplierSettings:
    """The settings of the same names. `waiting_again_seconds` and `clock_skew_seconds` are fixed by decision 0002."""

    digest_key: bytes
    request_expiry_seconds: float = 3600.0
    command_max_age_seconds: float = 24 * 3600.0
    waiting_after_seconds: float = 10.0
    waiting_again_seconds: float = 300.0
    key_retention_seconds: float = 24 * 3600.0
    watch_seconds: float = 90 * 24 * 3600.0
    clock_skew_seconds: float = 60.0
    if_match_on_close: Literal["authorization", "handoff"] = "authorization"
    if_match_is_honoured: bool = True
    handoffs_raise_version: bool = False

    @classmethod
    def of(cls, worker: WorkerSettings, collate: CollateSettings, digest_key: bytes) -> ApplierSettings:
        """Convert the process's settings."""
        return cls(
            digest_key=digest_key,
            request_expiry_seconds=worker.request_expiry.total_seconds(),
            command_max_age_seconds=worker.command_max_age.total_seconds(),
            waiting_after_seconds=worker.waiting_after.total_seconds(),
            key_retention_seconds=collate.key_retention.total_seconds(),
            watch_seconds=worker.watch_max_age.total_seconds(),
            if_match_on_close=collate.if_match_on_close,
            if_match_is_honoured=collate.if_match_is_honoured,
            handoffs_raise_version=collate.handoffs_raise_version,
        )
