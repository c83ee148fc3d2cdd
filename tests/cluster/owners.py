"""Who owns the partitions: how long each had no worker that runs it, and the names of the group's members."""

import asyncio
import contextlib
import time

import httpx

from local.kafka.admin import admin_of
from local.kubernetes.deployment import PARTITIONS
from local.kubernetes.servers import WORKER_GROUP

ADMIN_PORT = 9090
POLL_SECONDS = 0.25
UNIQUE_LENGTH = 37  # of what a broker adds to a member's static id: a hyphen and a UUID


class Owners:
    """Polls `/partitions` of each worker. `longest` has the longest time without an owner, by partition."""

    def __init__(self, tools):
        self._tools = tools
        self._last = {}
        self.longest = dict.fromkeys(range(PARTITIONS), 0.0)

    async def watch(self):
        """Poll until cancelled."""
        async with httpx.AsyncClient(timeout=2, trust_env=False) as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    pods = await asyncio.to_thread(self._tools.pods)
                    addresses = [
                        pod["status"]["podIP"]
                        for pod in pods
                        if "-worker-" in pod["metadata"]["name"] and "podIP" in pod["status"]
                    ]
                    seen = await asyncio.gather(*(running(http, address) for address in addresses))
                    self.note(set().union(*seen), time.monotonic())
                await asyncio.sleep(POLL_SECONDS)

    def note(self, running_now, at):
        """Record which partitions run at a time."""
        for partition in self.longest:
            since = self._last.setdefault(partition, at)
            self.longest[partition] = max(self.longest[partition], at - since)
            if partition in running_now:
                self._last[partition] = at


async def running(http, address):
    """Return the partitions that a worker runs; none if it does not answer."""
    try:
        response = await http.get(f"http://{address}:{ADMIN_PORT}/partitions")
        response.raise_for_status()
    except httpx.HTTPError:
        return set()
    return {one["partition"] for one in response.json()["partitions"] if one["phase"] == "running"}


async def static_ids(bootstrap):
    """Return the static ids of the workers in the group. A broker derives a static member's id from its static id."""
    async with admin_of(bootstrap) as admin:
        (described,) = await admin.describe_consumer_groups([WORKER_GROUP])
        (group,) = described.groups
        return {member[0][:-UNIQUE_LENGTH] for member in group[5]}
