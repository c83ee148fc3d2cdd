"""Shared parts of the benchmarks of the whole gateway: settings, Collate's control API, command records."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from local.installation import CALLER, Installation, start_collate
from schemas.identity import command_id_from_key
from schemas.records import RecordedCommand, source, write_command
from schemas.topics import partition_for

if TYPE_CHECKING:
    from local.processes.run import Run
    from schemas.commands import Command

PARTITIONS = 12
COLLATE_MILLISECONDS = 5  # the latency of the simulated Collate


def unlimited(partitions: int = PARTITIONS) -> dict[str, str]:
    """Return settings without limits on rates."""
    return {
        "GATEWAY_TOPICS__PARTITIONS": str(partitions),
        "GATEWAY_COLLATE__CALLS_PER_SECOND": "100000",
        "GATEWAY_COLLATE__CONCURRENCY": "512",
        "GATEWAY_COLLATE__MAX_REPLICAS": "1",
        "GATEWAY_INGRESS__CALLER_RATE": "100000",
        "GATEWAY_INGRESS__CALLER_BURST": "100000",
        "GATEWAY_INGRESS__MAX_UNFINISHED_PER_CALLER": "100000",
    }


def fresh_installation(run: Run, bootstrap: str, partitions: int) -> tuple[Installation, str]:
    """Start a simulated Collate, and create an installation with topics of its own; return it and Collate's URL."""
    collate = start_collate(run, "--latency-ms", str(COLLATE_MILLISECONDS))
    prefix, settings = f"bench-{uuid.uuid4().hex[:8]}.", unlimited(partitions)
    installed = Installation(run, bootstrap=bootstrap, collate_url=collate, prefix=prefix, settings=settings)
    installed.apply_topics()
    return installed, collate


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call the simulated Collate's control API."""
    result: dict[str, Any] = httpx.post(url, json=body, trust_env=False).raise_for_status().json()
    return result


def get(url: str) -> httpx.Response:
    """Read an address of this machine. Raises httpx.HTTPError for a status that is no success."""
    return httpx.get(url, trust_env=False).raise_for_status()


def make_authorizations(collate: str, count: int) -> list[str]:
    """Create authorizations that need a handoff at the simulated Collate; return their ids."""
    ids: list[str] = post(f"{collate}/_sim/authorizations", {"count": count})["ids"]
    return ids


def command_record(
    authorization: str, data: Command, partitions: int = PARTITIONS, *, key: str = "bench"
) -> dict[str, Any]:
    """Return a command as the ingress writes it: the arguments of a producer's `send` without the topic."""
    command = RecordedCommand(
        id=command_id_from_key(CALLER, authorization, key),
        caller=CALLER,
        authorization_id=authorization,
        accepted_at=datetime.now(UTC),
        data=data,
    )
    headers, value = write_command(command, source("local"))
    return {
        "value": value,
        "key": authorization.encode(),
        "partition": partition_for(authorization.encode(), partitions),
        "headers": list(headers),
    }
