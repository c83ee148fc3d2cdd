"""The installation that a case disturbs: the cluster, callers at the Service, the judge, and a record of the pods."""

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
from helm_python import HelmError

from local.judge.verdict import Judge
from local.kubernetes.deployment import PARTITIONS
from local.kubernetes.paths import Artifacts
from local.kubernetes.servers import PREFIX
from local.phi_keys import keys_of
from tests.cluster.callers import CountingCallers
from tests.cluster.owners import Owners, static_ids

CASES_PER_SECOND = 1.0
DRAIN_SECONDS = 150.0
POLL_SECONDS = 1.0
EVENT_WITHIN_SECONDS = 60.0
PROCESSES = ("ingress", "worker", "projector", "console", "deliverer")


class CaseFailed(Exception):
    """A case saw something that must not be."""


def require(is_true, what):
    if not is_true:
        raise CaseFailed(what)


@dataclass
class Scene:
    """`log` has the lines of the transcript: what was done, and each change of the pods.

    `later` are the artifacts of the build to which a case upgrades.
    """

    cluster: object
    later: Artifacts
    callers: CountingCallers
    judge: Judge
    log: list = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    least_ready: dict = field(default_factory=dict)
    least_kept: dict = field(default_factory=dict)
    _seen: dict = field(default_factory=dict)

    def begin(self):
        """Start the record of a case."""
        self.log, self.began, self._seen = [], time.monotonic(), {}
        self.least_ready, self.least_kept = {}, {}

    @property
    def servers(self):
        return self.cluster.servers

    @property
    def tools(self):
        return self.cluster.tools

    @property
    def deployment(self):
        return self.cluster.deployment

    @property
    def first(self):
        """The artifacts that are installed when a case begins and ends."""
        return self.deployment.artifacts

    @property
    def url(self):
        return self.callers._urls[0]

    def note(self, line):
        at = f"{time.monotonic() - self.began:6.1f} s  {line}"
        self.log.append(at)
        print(at, flush=True)

    async def kubectl(self, *arguments, show=True, stdin=None):
        if show:
            self.note(f"$ kubectl {' '.join(arguments)}")
        return await asyncio.to_thread(self.tools.kubectl, *arguments, stdin=stdin)

    async def upgrade(self, values=None, **options):
        self.note(
            f"$ helm upgrade gateway helm/gateway --wait --values values.yaml  # with {values or 'no other values'}"
        )
        await asyncio.to_thread(lambda: self.deployment.install(values, **options))

    async def fails_to_upgrade(self, values=None, **options):
        """Return Helm's error of an upgrade that must fail."""
        try:
            await self.upgrade(values, **options)
        except HelmError as failed:
            self.note(f"Helm: {str(failed)[:300]}")
            return str(failed)
        raise CaseFailed("the upgrade did not fail")

    async def meets_changed_replicas(self):
        """Upgrade: Helm 4 must not take back what others have changed, unless it is forced (docs/upgrade.md)."""
        require(".spec.replicas" in await self.fails_to_upgrade(), "the conflict is about the replicas")

    async def upgrade_to_later(self, values=None):
        await self.upgrade({"image": {"tag": self.later.tag}} | (values or {}), chart=self.later.chart)

    async def revisions(self):
        """Return what `helm history` shows: each revision with its status, oldest first."""
        found = await asyncio.to_thread(self.deployment.history)
        self.note(f"$ helm history gateway  # {', '.join(f'{number} {status}' for number, status in found)}")
        return found

    async def roll_back(self, revision):
        self.note(f"$ helm rollback gateway {revision} --wait")
        await asyncio.to_thread(self.deployment.roll_back, revision)

    async def pods(self):
        """Return the pods of Deployments and StatefulSets by name."""
        listed = await asyncio.to_thread(self.tools.pods)
        return {one["metadata"]["name"]: one for one in listed if is_lasting(one)}

    async def charts(self):
        """Return the charts of the pods, each with its version."""
        return {pod["metadata"]["labels"]["helm.sh/chart"] for pod in (await self.pods()).values()}

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

    async def until_ready(self, within=240):
        """Wait until every pod that Deployments and StatefulSets want is there and ready, and no other one."""

        async def are_ready():
            pods = (await self.pods()).values()
            wanted = await asyncio.to_thread(self.tools.wanted_pods)
            return len(pods) == wanted and all(map(is_ready, pods))

        return await self.until(are_ready, within, "every pod is ready")

    async def is_published(self, kind, **data):
        """Wait for an event of a kind with these data; return it."""

        async def found():
            return self._published(kind, data)

        await self.until(found, EVENT_WITHIN_SECONDS, f"the event {kind} with {data}")
        return self._published(kind, data)

    def _published(self, kind, data):
        events = (one for one in self.callers.events if one.kind == kind and data.items() <= one.data.items())
        return next(events, None)

    @contextlib.asynccontextmanager
    async def undisturbed(self, *, but_for=lambda disturbance: False):
        """Require that all responses of the block are 2xx or a 503 that a retry got over."""
        first, given_up = len(self.callers.disturbances), len(self.callers.given_up)
        yield
        seen = self.callers.disturbances[first:]
        for one in seen[:5]:
            self.note(f"at {one.at - self.began:.1f} s: {one.what}")
        worse = [one for one in seen if not but_for(one)]
        require(not worse, f"no response but 2xx and a retried 503: {len(worse)} others, such as {worse[:1]}")
        require(len(self.callers.given_up) == given_up, "each request got its response within a minute")

    @contextlib.asynccontextmanager
    async def owned(self, within):
        """Require that each partition has a worker again within a time, and the group the same static ids after."""
        owners = Owners(self.tools)
        watching = asyncio.create_task(owners.watch())
        try:
            yield
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        longest = max(owners.longest.values())
        times = ", ".join(f"{number}: {seconds:.1f}" for number, seconds in owners.longest.items())
        self.note(f"the longest time without a worker that runs it, by partition, in seconds: {times}")
        require(longest <= within, f"each partition runs again within {within:.0f} s, not {longest:.1f} s")

    async def members(self):
        return await static_ids(self.servers.bootstrap)

    async def get(self, path, caller="scheduling"):
        async with httpx.AsyncClient(timeout=12, trust_env=False) as http:
            headers = {"Authorization": f"Bearer {self.cluster.keys[caller]}"}
            return await http.get(f"{self.url}{path}", headers=headers)

    async def commands_go_on(self):
        """Require that commands end within the next seconds."""
        ended = len(self.callers.ended)
        await asyncio.sleep(10)
        require(len(self.callers.ended) > ended, "commands go on")

    def find_service(self):
        """Let the callers use the Service's address, which a new installation changes."""
        self.callers._urls[:] = [f"http://{self.tools.service_address('gateway-ingress')}"]

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
        for process in PROCESSES:
            ready = sum(row[1:3] == ("1/1", "Running") for name, row in rows.items() if f"-{process}-" in name)
            self.least_ready[process] = min(ready, self.least_ready.get(process, ready))
            kept = sum(row[2] != "Terminating" for name, row in rows.items() if f"-{process}-" in name)
            self.least_kept[process] = min(kept, self.least_kept.get(process, kept))
        for name in self._seen.keys() - rows.keys():
            self.note(f"{name:<38} gone")
        self._seen = rows

    async def verdict(self):
        """Let the load end, and return the broken promises."""
        evidence, broken = await self.judge.judge(DRAIN_SECONDS)
        sent = [(event.authorization_id, event.sequence) for event in evidence.events]

        async def are_delivered():
            return not self.servers.receiver.broken(sent)

        with contextlib.suppress(CaseFailed):
            await self.until(are_delivered, DRAIN_SECONDS, "every webhook")
        return [
            *(f"{one.rule}: {one.where}" for one in broken),
            *(f"unexpected response: {one}" for one in self.callers.unexpected),
            *self.servers.receiver.broken(sent),
        ]

    @contextlib.asynccontextmanager
    async def load(self):
        """Callers send commands while the block runs; the block ends when their cases have ended."""
        before, self.callers._is_stopped = Counter(self.callers.responses), False
        began, self.callers.longest_wait = time.monotonic(), 0.0
        sending = asyncio.create_task(self.callers.run_until(float("inf"), CASES_PER_SECOND))
        try:
            yield
        finally:
            self.callers.stop()
            await sending
        seen = self.callers.responses - before
        self.note(f"responses during the case: {dict(seen)}")
        self.note(f"the longest wait for a response, with retries: {self.callers.longest_wait:.1f} s")
        ended = self.callers.ended
        lasted = [ended[one] - at for one, at in self.callers.accepted.items() if at >= began and one in ended]
        self.note(f"the longest time from a 202 to the outcome: {max(lasted, default=0.0):.1f} s")


def is_lasting(pod):
    """Whether the pod is none of a Job, of `helm test` or of a case."""
    return any(owner["kind"] in {"ReplicaSet", "StatefulSet"} for owner in pod["metadata"].get("ownerReferences", []))


def is_ready(pod):
    """Whether the pod is ready, and its node answers."""
    # Only the condition knows of the node.
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return row_of(pod)[1:3] == ("1/1", "Running") and conditions.get("Ready") == "True"


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


def make(cluster, later, past):
    """Return a scene for an installed release."""
    address = cluster.tools.service_address("gateway-ingress")
    callers = CountingCallers(cluster.servers.collate, [f"http://{address}"], cluster.keys, 7)
    phi_keys = keys_of(cluster.deployment.phi_keys)
    servers = cluster.servers
    judge = Judge(servers.bootstrap, PREFIX, PARTITIONS, servers.collate, past, callers, phi_keys)
    return Scene(cluster, later, callers, judge)
