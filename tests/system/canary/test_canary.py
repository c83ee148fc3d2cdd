"""The whole gateway, searched: what callers, operators and Collate entrust to it stands nowhere in clear.

Planted: an operator's notes, a reference number, reasons in free text, what Collate says of the patient, and the link
and id of access grants. Searched: every byte of every topic, every row, log line, metric, span and refusal.
"""

import asyncio
import base64
import json
import re
from types import SimpleNamespace

import httpx
import psycopg
import pytest

from local.event_listener import listening
from tests.process.authorization.test_canary import CANARY, OVERLAY, PLANTED, REFERENCE
from tests.system.collector import collecting
from tests.system.records import everything_in

SEALED = re.compile(rb'"sealed":"[\w.-]+"')
BASE64 = re.compile(rb'"(remembered|sealed|value)":"[\w.+/=-]+"')
PROCESSES = ("ingress", "worker", "projector")
NOTES = {"operatorNotes": CANARY}
CLOSE = {"result": {"type": "completed", "reportedOutcome": "submitted", "observedReferenceNumber": REFERENCE} | NOTES}
ABOUT_THE_COMMAND = (
    *("ingress log", "worker log", "traces", "table commands", "table timeline"),
    *("topic commands", "topic events", "topic state", "topic dead_letters"),
)
# Nothing of this is a command: each is refused, and the refusal must not repeat it.
BROKEN = (
    json.dumps(CLOSE | {CANARY: CANARY}),
    json.dumps({"result": {"type": CANARY} | NOTES}),
    json.dumps({"result": CLOSE["result"], "metadata": {"patient": CANARY}}),
    CANARY,
)


@pytest.fixture
def collector():
    with collecting() as collector:
        yield collector


@pytest.fixture
def servers(kafka, collate, postgres, collector):
    """What the gateway talks to."""
    return SimpleNamespace(kafka=kafka, collate=collate, postgres=postgres, collector=collector)


@pytest.fixture
async def installed(install, servers):
    settings = {"GATEWAY_TRACES__ENDPOINT": servers.collector.url, "GATEWAY_LOG__LEVEL": "debug"}
    return await install(servers.kafka, database=servers.postgres, settings=settings)


@pytest.fixture
async def processes(installed, start):
    return dict(zip(PROCESSES, await asyncio.gather(*(start(installed, one) for one in PROCESSES)), strict=True))


class Service:
    """Asks, and keeps every refusal that it hears."""

    def __init__(self, http, url):
        self._http, self._url, self._number = http, url, 0
        self.refusals = []

    async def post(self, path, body, status, **headers):
        self._number += 1
        content = body if isinstance(body, str) else json.dumps(body)
        own = {"Idempotency-Key": f"k-{self._number}", "Content-Type": "application/json"} | headers
        answer = await self._http.post(f"{self._url}/v1{path}", content=content, headers=own)
        while answer.status_code in {404, 409} and path.startswith("/dead-letters"):  # it has not come by here yet
            answer = await self._http.post(f"{self._url}/v1{path}", content=content, headers=own)
        assert answer.status_code == status, answer.text
        if status >= 400:
            self.refusals.append(answer.content)
        return answer.json()

    async def get(self, path):
        answer = await self._http.get(f"{self._url}/v1{path}")
        while answer.status_code == 404:  # it has not come by here yet
            answer = await self._http.get(f"{self._url}/v1{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()


async def work(service, collate, listener):
    """A handoff with a person in it and a report; one that fails, is redriven, fails again and is given up."""
    grants = []
    for is_refused in (False, True):
        (authorization,) = collate.create()
        collate.act(authorization, "overlay", **OVERLAY)
        at = f"/authorizations/{authorization}/handoffs"
        opened = await service.post(at, {}, 200, Prefer="wait=30")
        handoff = f"{at}/{opened['handoffId']}"
        grants.append(await service.post(f"{handoff}/access-grants", {"operator": "op-7"}, 201))
        for broken in BROKEN:
            await service.post(f"{handoff}/close", broken, 400 if broken is CANARY else 422)
        if is_refused:
            error = {"code": "bad_request", "message": CANARY, "retryable": False, "details": {"reason": REFERENCE}}
            body = {"error": error, "requestId": CANARY}
            collate.fault("answer", method="POST", when="before", status=400, shape="json", body=body)
        command = (await service.post(f"{handoff}/close", CLOSE, 202))["commandId"]
        if not is_refused:
            ended = await listener.wait_for("command.finished", 30, commandId=command)
            assert ended.data["outcome"] == "applied", ended.data
            continue
        await listener.wait_for("command.dead_lettered", 60, commandId=command)
        letter = f"/dead-letters/{command}"
        asked = {"operator": "op-7", "reason": "caller_asked", "why": CANARY}
        original = await service.get(f"{letter}/original?operator=op-7")
        assert original["data"]["result"] == CLOSE["result"], "an operator can read it"
        await service.post(f"{letter}/redrive", asked | {"redrive": 0}, 202)
        await listener.wait_for("command.dead_lettered", 60, commandId=command, redrive=1)
        await service.post(f"{letter}/discard", asked | {"redrive": 1}, 200, Prefer="wait=30")
    return grants, command


async def everything_said(installed, processes, servers):
    """Every place by its name."""
    places = {}
    async with httpx.AsyncClient(timeout=120) as http:
        for name, program in processes.items():
            for page in ("metrics", "partitions", "readyz"):
                places[f"{name} /{page}"] = (await http.get(f"{program.admin_url}/{page}")).content
    for program in processes.values():
        assert await asyncio.to_thread(program.stop) == 0
        places[f"{program.name} log"] = program.log.read_bytes()
    for topic, records in (await everything_in(servers.kafka, installed.prefix)).items():
        lines = [b"\n".join([one.key, one.value or b"", *(value for _, value in one.headers)]) for one in records]
        places[f"topic {topic}"] = b"\n".join(lines)
    letters = [json.loads(line) for line in places["topic dead_letters"].splitlines() if line.startswith(b"{")]
    originals = [base64.b64decode(one["record"]["value"]) for one in letters if "record" in one]
    places["topic dead_letters, decoded"] = b"\n".join(originals)
    places["traces"] = b"".join(servers.collector.raw)
    places |= {f"table {name}": rows for name, rows in tables(servers.postgres)}
    return places


def tables(postgres):
    with psycopg.connect(postgres) as connection:
        named = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in named:
            rows = connection.execute(f'SELECT to_jsonb(t)::text FROM "{schema}"."{table}" AS t').fetchall()
            yield table, "\n".join(row for (row,) in rows).encode()


def leaks(places, planted):
    return {(place, word) for place, said in places.items() for word in planted if word.encode() in said}


@pytest.mark.promise(7)
async def test_what_was_entrusted_stands_nowhere_in_clear(installed, processes, servers, eventually):
    key = {"Authorization": f"Bearer {installed.caller_key}"}
    async with (
        httpx.AsyncClient(timeout=120, headers=key) as http,
        listening(servers.kafka, installed.prefix) as listener,
    ):
        service = Service(http, processes["ingress"].url)
        grants, command = await work(service, servers.collate, listener)

        async def is_projected():
            status = (await http.get(f"{processes['ingress'].url}/v1/commands/{command}")).json()
            return status.get("outcome") == "discarded"

        await eventually(is_projected, within=60)
    places = await everything_said(installed, processes, servers)
    places["refusals"] = b"\n".join(service.refusals)

    secret = [value for grant in grants for value in (grant["id"], grant["url"])]
    assert leaks(places, secret) == set(), "a grant stands nowhere"
    # A word of three letters may occur by chance in a ciphertext or in remembered hashes. The base64 of dead letters is
    # searched decoded.
    readable = {place: BASE64.sub(b"", said) for place, said in places.items()}
    assert leaks(readable, PLANTED) == set(), "free text stands nowhere in clear, in no topic either"
    sealed = [SEALED.findall(places[place]) for place in ("topic commands", "topic dead_letters, decoded")]
    assert [len(found) > 1 for found in sealed] == [True, True], "it is in both, encrypted"

    # The search can find: every place was read, and a word planted there is found there.
    about = dict.fromkeys(ABOUT_THE_COMMAND, command) | {f"{name} /metrics": "collate_gateway_" for name in PROCESSES}
    for place, word in (about | {"refusals": "urn:collate-gateway:problem:"}).items():
        assert word.encode() in places[place], f"nothing was read of {place}"
    for place, said in places.items():
        assert leaks({place: said + CANARY.encode()}, [CANARY]) == {(place, CANARY)}
