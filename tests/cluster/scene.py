"""The installation that a case disturbs: the cluster, callers at the Service, the judge, and a record of the pods."""

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx

from local.chaos.callers import Callers
from local.judge.verdict import Judge
from local.kubernetes.deployment import PARTITIONS
from local.kubernetes.servers import PREFIX

CASES_PER_SECOND = 1.0
DRAIN_SECONDS = 150.0
POLL_SECONDS = 1.0


class CaseFailed(Exception):
    """A case saw something that must not be."""


class CountingCallers(Callers):
    """Callers that count the responses that they retry."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.responses = Counter()
        self._numbers = itertools.count()

    async def _case(self, number):
        # Each case of the run starts to count again, but no name may be used twice.
        await super()._case(next(self._numbers))

    async def _send(self, caller, path, body, headers):
        try:
            response = await super()._send(caller, path, body, headers)
        except httpx.TransportError as error:
            self.responses[type(error).__name__] += 1
            raise
        self.responses[response.status_code] += 1
        return response


@dataclass
class Scene:
    """`log` has the lines of the transcript: what was done, and each change of the pods."""

    cluster: object
    callers: CountingCallers
    judge: Judge
    log: list = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    _seen: dict = field(default_factory=dict)

    @property
    def tools(self):
        return self.cluster.tools

    @property
    def deployment(self):
        return self.cluster.deployment

    @property
    def url(self):
        return self.callers._urls[0]

    def note(self, line):
        at = f"{time.monotonic() - self.began:6.1f} s  {line}"
        self.log.append(at)
        print(at, flush=True)

    async def kubectl(self, *arguments, show=True):
        if show:
            self.note(f"$ kubectl {' '.join(arguments)}")
        return await asyncio.to_thread(self.tools.kubectl, *arguments)

    async def upgrade(self, values=None):
        self.note(
            f"$ helm upgrade gateway helm/gateway --wait --values values.yaml  # with {values or 'no other values'}"
        )
        await asyncio.to_thread(self.deployment.install, values)

    async def pods(self):
        """Return the pods by name, without those of Jobs."""
        listed = await asyncio.to_thread(self.tools.pods)
        return {one["metadata"]["name"]: one for one in listed if not is_of_a_job(one)}

    async def restarts(self):
        return sum(row[3] for row in map(row_of, (await self.pods()).values()))

    async def until(self, check, within, what):
        """Wait until a check is true; return the seconds."""
        began = time.monotonic()
        while not await check():
            if time.monotonic() - began > within:
                raise CaseFailed(f"after {within:.0f} s this is still missing: {what}")
            await asyncio.sleep(0.5)
        return time.monotonic() - began

    async def until_ready(self, within=180, count=None):
        async def are_ready():
            rows = [row_of(pod) for pod in (await self.pods()).values()]
            return all(row[1] == "1/1" for row in rows) and (count is None or len(rows) == count)

        return await self.until(are_ready, within, "every pod is ready")

    async def get(self, path, caller="scheduling"):
        async with httpx.AsyncClient(timeout=12, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {self.cluster.keys[caller]}"}
            return await http.get(f"{self.url}{path}", headers=headers)

    async def execute(self, pod, *command):
        return await asyncio.to_thread(self.tools.kubectl, "exec", pod, "--", *command)

    async def watch_pods(self):
        """Note each change of what `kubectl get pods` shows, until cancelled."""
        while True:
            with contextlib.suppress(Exception):
                self._note_changes({name: row_of(pod) for name, pod in (await self.pods()).items()})
            await asyncio.sleep(POLL_SECONDS)

    def _note_changes(self, rows):
        for name, row in rows.items():
            if self._seen.get(name) != row:
                self.note("{:<38} {:<6} {:<24} restarts {}".format(*row))
        for name in self._seen.keys() - rows.keys():
            self.note(f"{name:<38} gone")
        self._seen = rows

    async def verdict(self):
        """Let the load end, and return the broken promises."""
        _, broken = await self.judge.judge(DRAIN_SECONDS)
        broken = [f"{one.rule}: {one.where}" for one in broken]
        return broken + [f"unexpected response: {one}" for one in self.callers.unexpected]

    @contextlib.asynccontextmanager
    async def load(self):
        """Callers send commands while the block runs; the block ends when their cases have ended."""
        before, self.callers._is_stopped = Counter(self.callers.responses), False
        sending = asyncio.create_task(self.callers.run_until(float("inf"), CASES_PER_SECOND))
        try:
            yield
        finally:
            self.callers.stop()
            await sending
        seen = self.callers.responses - before
        self.note(f"responses during the case: {dict(seen)}")


def is_of_a_job(pod):
    return any(owner["kind"] == "Job" for owner in pod["metadata"].get("ownerReferences", []))


def row_of(pod):
    """Return what `kubectl get pods` shows: name, ready, status, restarts."""
    statuses = pod["status"].get("containerStatuses", [])
    ready = sum(one["ready"] for one in statuses)
    shown = pod["status"]["phase"]
    for one in statuses:
        for state in ("waiting", "terminated"):
            shown = one["state"].get(state, {}).get("reason", shown)
    if "deletionTimestamp" in pod["metadata"]:
        shown = "Terminating"
    restarts = sum(one["restartCount"] for one in statuses)
    return pod["metadata"]["name"], f"{ready}/{len(pod['spec']['containers'])}", shown, restarts


def make(cluster, past):
    """Return a scene for an installed release."""
    address = cluster.tools.service_address("gateway-ingress")
    callers = CountingCallers(cluster.servers.collate, [f"http://{address}"], cluster.keys, 7)
    judge = Judge(cluster.servers.bootstrap, PREFIX, PARTITIONS, cluster.servers.collate, past, callers)
    return Scene(cluster, callers, judge)
