"""Two replicas of ingress, of which one has lost Kafka: it stays ready, reads go on, commands may try the other."""

import json

import httpx
import pytest

from local.processes.patience import within

from .two_doors import TwoDoors

# Measured 2 to 20 ms on an idle machine. A wait for Kafka takes the 5 s of the publish deadline.
IMMEDIATE_SECONDS = 3.0
HANDOFFS = "/v1/authorizations/auth_1/handoffs"
EVENT = {
    "specversion": "1.0",
    "id": "event-1",
    "source": "/x",
    "type": "collate-gateway.authorization.watch.v1",
    "subject": "auth_1",
    "data": {},
}
STRUCTURED, BATCH = "application/cloudevents+json", "application/cloudevents-batch+json"
COMMANDS = {
    "request": (HANDOFFS, {}, {}),
    "close": (f"{HANDOFFS}/mhand_1/close", {"result": {"type": "completed", "reportedOutcome": "submitted"}}, {}),
    "watch": ("/v1/authorizations/auth_1/watch", {}, {}),
    "event": ("/v1/commands", EVENT, {"content-type": STRUCTURED}),
    "batch": ("/v1/commands", [EVENT], {"content-type": BATCH}),
    "grant": (f"{HANDOFFS}/mhand_1/access-grants", {"operator": "jo.miller"}, {}),
}
READS = ["/v1/me", "/v1/overview", "/v1/authorizations", "/v1/commands", "/openapi.json"]


@pytest.fixture(scope="module")
def two_doors():
    with TwoDoors() as two_doors:
        yield two_doors


@pytest.fixture
async def proxy(two_doors):
    async with two_doors.proxy() as proxy:
        yield proxy


@pytest.fixture
async def replicas(install, two_doors, proxy, postgres, off_loop):
    """The installation, a replica behind the proxy, and one that reaches Kafka directly."""
    installed = await install(two_doors.bootstrap, database=postgres)
    cut = installed.start("ingress", "cut", settings={"GATEWAY_KAFKA__BOOTSTRAP": two_doors.second_bootstrap})
    other = installed.start("ingress", "other")
    for program in (cut, other):
        await off_loop(program.await_ready)
    return installed, cut, other


class Replica:
    def __init__(self, http, program, key):
        self._http, self._program, self._key = http, program, key

    async def admin(self, path):
        return await self._http.get(f"{self._program.admin_url}{path}")

    async def summary(self):
        return (await self.admin("/readyz")).json()["summary"]

    async def gauges(self):
        lines = (await self.admin("/metrics")).text.splitlines()
        found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        parts = [f'degraded{{part="{part}"}}' for part in ("kafka", "events", "dead_letters")]
        return {name: float(found[f"collate_gateway_{name}"]) for name in ("ready", "kafka_away", *parts)}

    async def read(self, path):
        return await self._http.get(f"{self._program.url}{path}", headers={"authorization": f"Bearer {self._key}"})

    async def send(self, name, key):
        """Send a command; return its response and the problem that it has, in a batch that of its event."""
        path, body, headers = COMMANDS[name]
        own = {"authorization": f"Bearer {self._key}", "content-type": "application/json", "idempotency-key": key}
        content = json.dumps(body).replace("event-1", f"event-{key}")
        response = await self._http.post(f"{self._program.url}{path}", content=content, headers=own | headers)
        problem = response.json()["results"][0].get("problem") if name == "batch" else response.json()
        return response, problem


@pytest.mark.parametrize("fault", ["refuse", "silence"])
async def test_an_ingress_without_kafka_stays_ready_and_sends_commands_elsewhere(replicas, proxy, fault, eventually):
    installed, cut, other = replicas
    async with httpx.AsyncClient(timeout=120, trust_env=False) as http:
        replica, healthy = (Replica(http, program, installed.caller_key) for program in (cut, other))
        assert await replica.summary() == "ready"
        assert set((await replica.gauges()).values()) == {0.0, 1.0}
        await getattr(proxy, fault)()

        async def all_degraded():
            summary = await replica.summary()
            return all(f"{part} degraded" in summary for part in ("kafka", "events", "dead_letters"))

        await eventually(all_degraded, within=120)
        readiness = await replica.admin("/readyz")
        assert (readiness.status_code, readiness.json()["good"]) == (200, True)
        assert readiness.json()["parts"]["kafka"]["state"] == "degraded"
        assert (await replica.admin("/livez")).status_code == 200
        gauges = await replica.gauges()
        assert (gauges.pop("ready"), set(gauges.values())) == (0.0, {1.0})
        for name in COMMANDS:
            async with within(IMMEDIATE_SECONDS):
                response, problem = await replica.send(name, f"{fault}-{name}")
            assert (name, response.status_code) == (name, 207 if name == "batch" else 503)
            assert problem["status"] == 503
            assert problem.get("kept") == (None if name == "grant" else "no"), name
            assert response.headers["connection"] == "close", name
            assert response.headers["retry-after"], name
        for path in READS:
            reply = await replica.read(path)
            assert (path, reply.status_code) == (path, 200)
            assert "connection" not in reply.headers, "a read keeps its connection"
        assert await healthy.summary() == "ready"
        assert (await healthy.send("watch", f"{fault}-elsewhere"))[0].status_code == 202
        await proxy.mend()

        async def is_ready():
            return await replica.summary() == "ready"

        await eventually(is_ready, within=120)
        assert (await replica.gauges())["ready"] == 1.0
        response, _ = await replica.send("watch", f"{fault}-afterwards")
        assert (response.status_code, "connection" in response.headers) == (202, False)


async def test_the_console_goes_on_in_front_of_an_ingress_without_kafka(replicas, proxy, eventually, off_loop):
    installed, cut, _ = replicas
    console = installed.start_console(cut)
    await off_loop(console.await_ready)
    origin = {"origin": console.url, "sec-fetch-site": "same-origin"}
    async with httpx.AsyncClient(timeout=120, trust_env=False, base_url=console.url, follow_redirects=True) as browser:
        form = {"name": "jo.miller", "key": installed.caller_key, "return": "/"}
        assert (await browser.post("/sign-in/key", data=form, headers=origin)).status_code == 200
        await proxy.refuse()
        replica = Replica(browser, cut, installed.caller_key)

        async def is_degraded():
            return "kafka degraded" in await replica.summary()

        await eventually(is_degraded, within=120)
        for path in ("/", "/work", "/developers"):
            page = await browser.get(path)
            assert (path, page.status_code) == (path, 200)
