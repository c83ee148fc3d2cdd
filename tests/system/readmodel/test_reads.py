"""Real processes: the read routes and the CLI's read verbs, with a caller's key."""

import asyncio
import json
import os
import uuid
from contextlib import AsyncExitStack

import httpx
import pytest

from local.installation import CALLER, GATEWAY
from local.postgres import Postgres
from tests.preloaded import run_gateway
from tests.system.readmodel.terminal import Terminal

AUTHORIZATION = "auth_read"
LEFT = "\x1b[?1049l"


class Gateway:
    """An ingress with a read model; the test starts the other processes."""

    def __init__(self, installed, ingress, http, start):
        self.ingress, self.http = ingress, http
        self._installed, self._start = installed, start

    async def start(self, verb):
        return await self._start(self._installed, verb)

    def environ(self, key=None):
        return {
            "PATH": os.environ["PATH"],
            "COLLATE_GATEWAY_URL": self.ingress.url,
            "COLLATE_GATEWAY_KEY": key or self._installed.caller_key,
        }

    def terminal(self, *verb, columns=140, key=None):
        """Run `gateway VERB …` in a terminal."""
        return Terminal([GATEWAY, *verb], self.environ(key), columns)

    async def cli(self, *verb, key=None):
        """Run `gateway VERB …` with a caller's key; return the completed process."""
        return await asyncio.to_thread(run_gateway, *verb, environ=self.environ(key))


@pytest.fixture
async def gateway_on(install, kafka, start):
    """Return a function that starts a gateway with a read model in this database."""
    async with AsyncExitStack() as exits:

        async def gateway_on(database):
            installed = await install(kafka, database=database)
            ingress = await start(installed, "ingress")
            headers = {"Authorization": f"Bearer {installed.caller_key}"}
            http = httpx.AsyncClient(base_url=ingress.url, headers=headers, trust_env=False, timeout=120)
            return Gateway(installed, ingress, await exits.enter_async_context(http), start)

        yield gateway_on


@pytest.fixture
async def gateway(gateway_on, postgres):
    return await gateway_on(postgres)


@pytest.fixture
def database():
    """A PostgreSQL that the test may kill."""
    with Postgres() as server:
        yield server


async def send(http, path, body=None, **headers):
    headers = {"Idempotency-Key": uuid.uuid4().hex, **headers}
    return await http.post(f"/v1/authorizations/{AUTHORIZATION}/{path}", json=body or {}, headers=headers)


async def status_of(http, location):
    answer = await http.get(location)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_command_is_readable_from_its_202_on(gateway, collate, eventually):
    http = gateway.http
    collate.create(ids=[AUTHORIZATION])
    accepted = await send(http, "watch", {"metadata": {"case": "c-7"}})
    assert accepted.status_code == 202, accepted.text
    location = accepted.headers["location"]
    command = accepted.json()["commandId"]

    assert location.startswith(f"/v1/commands/{command}?at=")
    assert await status_of(http, location) == {"commandId": command, "status": "accepted"}
    unknown = await http.get(f"/v1/commands/{command}")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:collate-gateway:problem:not-found")
    assert "has not reported yet" in unknown.json()["detail"]

    await gateway.start("projector")
    await eventually(lambda: _is(http, location, "accepted", caller="scheduling"), within=30)
    await gateway.start("worker")
    await eventually(lambda: _is(http, location, "finished", outcome="applied", metadata={"case": "c-7"}), within=30)
    missing = await http.get(f"/v1/commands/{uuid.uuid4()}?{location.partition('?')[2]}")
    assert missing.status_code == 404
    assert missing.json()["behind"] >= 0
    assert missing.json()["agoSeconds"] >= 0.0


async def _is(http, location, status, **facts):
    found = await status_of(http, location)
    return found["status"] == status and facts.items() <= found.items()


async def test_the_timeline_of_a_handoff_is_readable(gateway, collate, eventually):
    http = gateway.http
    collate.create(ids=[AUTHORIZATION])
    for verb in ("worker", "projector"):
        await gateway.start(verb)
    with gateway.terminal("watch", AUTHORIZATION) as watched:
        await eventually(lambda: f"{AUTHORIZATION} has no entries yet; waiting" in watched.text, within=30)
        opened = await send(http, "handoffs", Prefer="wait=20")
        assert opened.status_code == 200, opened.text
        handoff = opened.json()["handoffId"]
        await eventually(lambda: f"Handoff {handoff} is open" in watched.text, within=20)
        assert await asyncio.to_thread(watched.ctrl_c) == 0
        assert watched.text.count("scheduling sent the handoff request.") == 1
        assert "Traceback" not in watched.text

    at = f"/v1/authorizations/{AUTHORIZATION}"
    page = await eventually(lambda: _whole(http, at))
    kinds = [entry["kind"] for entry in page["entries"]]
    assert kinds[0] == "command.accepted"
    assert kinds.index("attempt") < kinds.index("handoff.opened") < kinds.index("command.finished")
    assert [entry["sequence"] for entry in page["entries"] if "sequence" in entry] == sorted(
        entry["sequence"] for entry in page["entries"] if "sequence" in entry
    )

    pieces, cursor = [], ""
    while cursor is not None:
        piece = (await http.get(f"{at}/timeline?limit=2{cursor and '&cursor='}{cursor}")).json()
        pieces += piece["entries"]
        cursor = piece.get("next")
    assert pieces == page["entries"]

    first = await http.get(at)
    assert first.json()["activeHandoff"]["id"] == handoff
    again = await http.get(at, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    assert "content-length" not in again.headers
    other = await http.get(at, headers={"If-None-Match": '"another"'})
    assert other.status_code == 200

    (active,) = (await http.get("/v1/handoffs?state=active")).json()["handoffs"]
    assert (active["handoffId"], active["authorizationId"]) == (handoff, AUTHORIZATION)
    assert active["accessAvailable"] is True
    assert (await http.get("/v1/handoffs?state=closed")).json() == {"handoffs": []}

    shown = await gateway.cli("timeline", AUTHORIZATION)
    assert shown.returncode == 0, shown.stderr
    assert "scheduling sent the handoff request." in shown.stdout
    assert f"Handoff {handoff} is open" in shown.stdout
    as_json = await gateway.cli("timeline", AUTHORIZATION, "--json")
    assert [json.loads(line) for line in as_json.stdout.splitlines()] == page["entries"]
    status = await gateway.cli("status", opened.json()["commandId"])
    assert "finished" in status.stdout
    assert "applied" in status.stdout
    listed = await gateway.cli("commands", "--authorization", AUTHORIZATION, "--status", "finished", "--json")
    assert opened.json()["commandId"] in [json.loads(line)["commandId"] for line in listed.stdout.splitlines()]


async def test_each_response_with_a_link_names_operator_and_caller(gateway, collate, eventually):
    http = gateway.http
    (authorization,) = collate.create("handoff_active")
    for verb in ("worker", "projector"):
        await gateway.start(verb)
    at = f"/v1/authorizations/{authorization}"
    assert (await http.post(f"{at}/watch", headers={"Idempotency-Key": "w"})).status_code == 202
    for _ in range(2):
        granted = await http.post(
            f"{at}/handoffs/active/access-grants", json={"operator": "op-7"}, headers={"Idempotency-Key": "k"}
        )
        assert granted.status_code == 201, granted.text
    await eventually(lambda: _grants(http, 2), within=20)
    (active,) = (await http.get("/v1/handoffs?state=active")).json()["handoffs"]
    grant = {"operator": "op-7", "assertedBy": "caller", "caller": CALLER, "expiresAt": granted.json()["expiresAt"]}
    assert active["lastGrant"] == grant
    shown = await gateway.cli("timeline", authorization)
    assert shown.stdout.count(f"op-7 received access to handoff {active['handoffId']} through {CALLER}") == 2


async def _grants(http, count):
    handoffs = (await http.get("/v1/handoffs?state=active")).json()["handoffs"]
    return [handoff["grants"] for handoff in handoffs] == [count]


async def _whole(http, at):
    """Return the timeline when it has the end of the command, and the authorization its open handoff."""
    page = (await http.get(f"{at}/timeline")).json()
    is_open = "activeHandoff" in (await http.get(at)).json()
    return page if is_open and "command.finished" in [entry["kind"] for entry in page["entries"]] else None


async def test_top_shows_a_stuck_authorization_within_a_minute(gateway, collate, eventually):
    http = gateway.http
    collate.create(ids=[AUTHORIZATION, "auth_well"])
    collate.fault("answer", path=AUTHORIZATION, status=503)
    worker = await gateway.start("worker")
    await gateway.start("projector")
    stuck = (await send(http, "handoffs")).json()["commandId"]

    async def named():
        top = await gateway.cli("top", "--once", "--json", "--worker", worker.admin_url)
        assert top.returncode == 0, top.stderr
        found = json.loads(top.stdout)
        return found if found["waiting"] else None

    found = await eventually(named, within=60)
    (oldest,) = found["oldest"]
    assert (oldest["commandId"], oldest["authorizationId"], oldest["status"]) == (stuck, AUTHORIZATION, "waiting")
    assert found["workers"][0]["waiting"]
    assert found["workers"][0]["breaker"] == "closed"
    assert f"\n{AUTHORIZATION} " not in (await gateway.cli("top", "--once")).stdout, "columns are not narrow in a pipe"
    with gateway.terminal("top", "--worker", worker.admin_url, columns=72) as live:
        await eventually(
            lambda: f"{AUTHORIZATION}  " in live.text and "keys waiting: backoff: 1" in live.text, within=30
        )
        assert LEFT not in live.raw
        assert await asyncio.to_thread(live.ctrl_c) == 0
        assert LEFT in live.raw, "the screen is restored"
        assert "Traceback" not in live.text


async def test_without_its_database_the_gateway_accepts_commands(gateway_on, database, eventually):
    gateway = await gateway_on(database.conninfo)
    http = gateway.http
    await gateway.start("projector")

    with gateway.terminal("top") as live, gateway.terminal("watch", AUTHORIZATION) as watched:
        # The command is one of the last minute when `top` shows its first page.
        await eventually(lambda: "last minute" in live.text and "waiting" in watched.text)
        location = (await send(http, "watch")).headers["location"]
        await eventually(
            lambda: "last minute  1 accepted" in live.text and "scheduling sent" in watched.text, within=30
        )
        await asyncio.to_thread(database.kill)
        await eventually(lambda: "503" in live.text and "retrying" in watched.text, within=30)
        assert "last minute  1 accepted" in live.text.rpartition("last update at")[2], "the last page is still visible"
        await _reads_fail_and_commands_are_accepted(gateway, location, eventually)
        await asyncio.to_thread(database.start)
        await eventually(lambda: _is(http, location, "accepted", caller="scheduling"), within=30)
        await eventually(lambda: watched.text.count("scheduling sent") == 2, within=30)
        for terminal in (live, watched):
            assert await asyncio.to_thread(terminal.ctrl_c) == 0


async def _reads_fail_and_commands_are_accepted(gateway, location, eventually):
    http = gateway.http
    answer = await eventually(lambda: _unavailable(http, location))
    assert answer.json()["type"] == "urn:collate-gateway:problem:read-model-unavailable"
    assert answer.headers["retry-after"] == "2"
    assert (await send(http, "watch")).status_code == 202
    assert (await http.get(f"{gateway.ingress.admin_url}/readyz")).status_code == 200
    shown = await gateway.cli("status", location.removeprefix("/v1/commands/").partition("?")[0])
    assert shown.returncode == 69
    assert "Commands do not need it" in shown.stderr


async def _unavailable(http, location):
    answer = await http.get(location)
    return answer if answer.status_code == 503 else None


async def test_invalid_queries_get_400_and_unknown_callers_get_401(gateway, eventually):
    http = gateway.http

    wrong = await http.get("/v1/handoffs?cursor=bm90aGluZw")
    assert (wrong.status_code, wrong.json()["errors"][0]["parameter"]) == (400, "cursor")
    unknown = await eventually(lambda: _answered(http, "/v1/authorizations/auth_unknown"))
    assert unknown.status_code == 404

    stranger = await http.get("/v1/overview", headers={"Authorization": "Bearer cgk_none_none"})
    assert stranger.status_code == 401
    refused = await gateway.cli("top", "--once", key="cgk_none_none")
    assert refused.returncode == 1
    assert "401" in refused.stderr
    with gateway.terminal("top", key="cgk_none_none") as live:
        assert await asyncio.to_thread(live.ended) == 1
        assert "401" in live.raw.rpartition(LEFT)[2], "the error is printed after the full screen ends"
    nothing = await gateway.cli("timeline", "auth_unknown")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "auth_unknown is unknown" in nothing.stderr


async def _answered(http, path):
    answer = await http.get(path)
    return answer if answer.status_code != 503 else None
