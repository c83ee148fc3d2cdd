"""Routes × {greedy, hostile, dead caller} on one unfinished authorization: their records are bounded, nobody waits.

One partition, whose worker reads ahead 2,400 records. Collate answers the close of the authorization with 500, so the
command waits for hours. BURST sets the number of requests of each cell.
"""

import asyncio
import os
import time
from collections import Counter

import httpx
import pytest

from gateway.ingress.commands.unfinished import RECORD_PART
from local.event_listener import listening
from local.installation import PERMISSIONS, new_caller
from local.judge.whole_topic import read_topic
from runtime.settings.processes import PARTS_OF_READ_AHEAD
from runtime.settings.worker import WorkerSettings
from schemas.topics import catalogue
from tests.system.gateway.services import Service

BURST = int(os.environ.get("BURST", "120"))
AT_ONCE = 30
MOST_WAIT_SECONDS = 10.0
# Of one caller in one partition: of requests, and of closes, an eighth of the read-ahead; of records a quarter of that.
IN_PARTITION = WorkerSettings.model_fields["read_ahead"].default // PARTS_OF_READ_AHEAD
MOST_UNFINISHED = 2 * IN_PARTITION + IN_PARTITION // RECORD_PART
MESSAGE = {"message": "Use the group login (PHI)."}

# Method, path and body of each route that appends a record.
ROUTES = {
    "read of a handoff": ("GET", "{a}/handoffs/active?operator=op-{n}", None),
    "access grant": ("POST", "{a}/handoffs/active/access-grants", {"operator": "op-7"}),
    "review snapshot": ("GET", "{a}/review-snapshot?operator=op-{n}", None),
    "watch": ("POST", "{a}/watch", {}),
    "request": ("POST", "{a}/handoffs", {}),
    "close": ("POST", "{a}/handoffs/mhand_none/close", {"result": {"type": "revoked", "reason": "r"}}),
    "empty recent commands": ("POST", "{a}/recent-commands/empty", {"operator": "op-7", "reason": "fix_deployed"}),
    "version floor": (
        "POST", "{a}/version-floor/lower", {"operator": "op-7", "reason": "collate_recovered", "toVersion": 1},
    ),
}  # fmt: skip


async def send(http, ingress, key, route, number, *, is_dead=False):
    """Send one request with a new key; a dead caller leaves before the answer. Return the status."""
    method, path, body = route
    headers = {"Authorization": f"Bearer {key}"} | ({"Idempotency-Key": f"k-{number}"} if method == "POST" else {})
    url = f"{ingress.url}/v1/authorizations/{path}"
    try:
        reply = await http.request(method, url, json=body, headers=headers, timeout=0.003 if is_dead else 30)
    except httpx.TransportError:
        return "left"
    return reply.status_code


async def burst(http, ingress, key, route, *, is_dead=False):
    """Send BURST requests, AT_ONCE at a time; return the statuses."""
    method, path, body = route
    statuses = Counter()

    def one(number):
        numbered = method, path.replace("{n}", str(number)), body
        return send(http, ingress, key, numbered, f"{path}{number}{is_dead}", is_dead=is_dead)

    for start in range(0, BURST, AT_ONCE):
        statuses.update(await asyncio.gather(*map(one, range(start, start + AT_ONCE))))
    return statuses


@pytest.fixture
async def stage(install, run, *, kafka, prefix, collate, start):
    """An authorization whose command waits, a caller that is greedy, hostile and dead, and a kind one."""
    settings = {"GATEWAY_TOPICS__PARTITIONS": "1", "GATEWAY_COLLATE__CALLS_PER_SECOND": "200"}
    installed = await install(kafka, settings=settings)
    callers = {name: new_caller(name, PERMISSIONS) for name in ("greedy", "kind")}
    with (run.directory / "callers.toml").open("a") as file:
        file.writelines(entry for _, entry in callers.values())
    ingress, _ = await start(installed, "ingress"), await start(installed, "worker")
    async with httpx.AsyncClient(timeout=60) as http, listening(kafka, prefix) as listener:
        (authorization,) = collate.create("handoff_active", handoff_overlay=MESSAGE)
        kind = Service(http, ingress, callers["kind"][0])
        watched = await kind.watch(authorization)
        await listener.wait_for("command.finished", 30, commandId=watched)
        failing = f"{authorization}.*/revoke"
        collate.fault("answer", status=500, code="internal_error", method="POST", path=failing)
        active = await http.get(
            f"{ingress.url}/v1/authorizations/{authorization}/handoffs/active?message=omit",
            headers={"Authorization": f"Bearer {callers['kind'][0]}"},
        )
        stuck = f"{authorization}/handoffs/{active.json()['handoff']['id']}/close"
        body = {"result": {"type": "revoked", "reason": "r"}}
        assert (await kind.post(stuck, body, "stuck")).status_code == 202
        await listener.wait_for("command.waiting", 60)
        yield http, ingress, callers["greedy"][0], kind, listener, authorization


async def commands_of(kafka, prefix, caller):
    records = await read_topic(kafka, catalogue(prefix).commands.name, 1)
    return sum(dict(record.headers).get("ce_caller") == caller for record in records)


async def test_what_each_route_records_is_bounded_and_no_kind_caller_waits(stage, kafka, prefix, collate):
    http, ingress, greedy, kind, listener, authorization = stage
    rows, slow = [], []
    before = 0
    for name, (method, path, body) in ROUTES.items():
        for behaviour in ("greedy", "hostile", "dead"):
            # A hostile caller names an authorization that is none, which a state cannot be read of.
            target = "made-up" if behaviour == "hostile" else authorization
            route = method, path.replace("{a}", target), body
            statuses = await burst(http, ingress, greedy, route, is_dead=behaviour == "dead")
            after = await commands_of(kafka, prefix, b"greedy")
            (other,) = collate.create()
            began = time.monotonic()
            command = await kind.request(other)
            await listener.wait_for("command.finished", 60, commandId=command)
            wait = time.monotonic() - began
            cell = f"{name:22} {behaviour:8} {after - before:4} records"
            rows.append(f"{cell}, kind waits {wait:5.2f} s, {dict(statuses)}")
            if wait > MOST_WAIT_SECONDS:
                slow.append(rows[-1])
            before = after
    print("\n".join(rows))
    assert not slow, "\n".join(slow)
    finished = len([one for one in listener.events if one.kind in ENDS and one.data.get("caller") == "greedy"])
    unfinished = await commands_of(kafka, prefix, b"greedy") - finished
    assert unfinished <= MOST_UNFINISHED, f"{unfinished} unfinished records of one caller in one partition"


ENDS = {
    "command.finished",
    "command.dead_lettered",
    "handoff.access_granted",
    "authorization.content_read",
    "authorization.recent_commands_emptied",
    "authorization.version_floor_lowered",
}
