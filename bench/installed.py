"""Shared parts of the benchmarks of the whole gateway: settings, Collate's control API, command records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx

from local.installation import CALLER
from schemas.identity import command_id_from_key
from schemas.records import RecordedCommand, source, write_command
from schemas.topics import partition_for

if TYPE_CHECKING:
    from schemas.commands import Command

PARTITIONS = 12


def unlimited(partitions: int = PARTITIONS) -> dict[str, str]:
    """Return settings without limits on rates."""
    return {
        "GATEWAY_TOPICS__PARTITIONS": str(partitions),
        "GATEWAY_COLLATE__CALLS_PER_SECOND": "100000",
        "GATEWAY_COLLATE__CONCURRENCY": "512",
        "GATEWAY_COLLATE__MAX_REPLICAS": "1",
        "GATEWAY_INGRESS__CALLER_RATE": "100000",
        "GATEWAY_INGRESS__CALLER_BURST": "100000",
    }


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
