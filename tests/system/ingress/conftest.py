"""The ingress as a process, on a real broker that a test may stop and start."""

import asyncio
from dataclasses import dataclass, field

import httpx
import pytest

from local.installation import PARTITIONS
from local.judge.whole_topic import read_topic
from schemas.records import read_command


@dataclass
class Caller:
    """A calling service. It records the statuses of its responses by request number."""

    client: httpx.AsyncClient
    url: str
    key: str
    statuses: dict = field(default_factory=dict)

    async def post(self, path, body=None, key="k-1", **headers):
        own = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": key} | headers
        return await self.client.post(f"{self.url}{path}", json={} if body is None else body, headers=own)

    async def request(self, number, authorization=None, **headers):
        """Request handoff `number`, with a separate key and, by default, a separate authorization."""
        reply = await self.post(
            f"/v1/authorizations/{authorization or f'auth_{number}'}/handoffs", key=f"key-{number}", **headers
        )
        self.statuses.setdefault(number, []).append(reply.status_code)
        return reply


@pytest.fixture
async def caller_of():
    clients = []

    def caller_of(program, installation):
        client = httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=64))
        clients.append(client)
        return Caller(client, program.url, installation.caller_key)

    yield caller_of
    for client in clients:
        await client.aclose()


async def read_commands(bootstrap, prefix):
    """Return every command in the topic, in the order of its partition."""
    records = await read_topic(bootstrap, f"{prefix}commands", PARTITIONS, isolation="read_uncommitted")
    return [read_command(record.headers, record.value, None) for record in records]


@pytest.fixture
def commands_in(prefix):
    async def commands_in(bootstrap):
        return await read_commands(bootstrap, prefix)

    return commands_in


@pytest.fixture
def off_loop():
    """Run a blocking function in a thread."""
    return asyncio.to_thread
