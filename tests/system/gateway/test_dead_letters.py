"""Dead letters from end to end: given up, looked at and decided by the real command line, and ended once."""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from local.event_listener import listening
from local.installation import CALLER
from tests.preloaded import run_gateway
from tests.system.gateway.services import Service

# Each look is a run of the command line, which takes seconds on a busy machine.
DECIDED = {
    "requestedBy": "op-7",
    "assertedBy": "caller",
    "caller": CALLER,
    "reason": "checked_by_hand",
    "ticket": "OPS-1204",
}
CREATE = "/manual-handoffs$"
NOTE = "Looked at it in Collate: nothing was opened."
WHY = ("--reason", "checked_by_hand", "--ticket", "OPS-1204", "--why", NOTE)


@pytest.fixture
async def alone(install, kafka):
    """An installation with one partition, which three dead letters stop."""
    settings = {"GATEWAY_TOPICS__PARTITIONS": "1", "GATEWAY_WORKER__DEAD_LETTER_SHARE": "0.04"}
    return await install(kafka, settings=settings)


class Gateway:
    """An installation's processes, a service that asks, an operator at a terminal, and a subscriber."""

    def __init__(self, installation, ingress, worker, http, listener):
        self.installation, self.ingress, self.worker = installation, ingress, worker
        self.http, self.listener = http, listener
        self.service = Service(http, ingress, installation.caller_key)

    async def ask(self, authorization):
        return await self.service.request(authorization)

    async def run(self, *arguments, expect=0):
        environ = self.installation.caller_environ(self.ingress)
        environ |= {"COLLATE_GATEWAY_OPERATOR": "op-7", "COLUMNS": "250"}
        done = await asyncio.to_thread(run_gateway, *arguments, environ=environ)
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout if expect == 0 else done.stderr

    async def read(self, *arguments, expect=0):
        """What it prints for programs."""
        return [json.loads(line) for line in (await self.run(*arguments, "--json", expect=expect)).splitlines()]

    async def outcomes_of(self, command):
        """Every command.finished of a command, once all that is written has been read."""
        while await self.listener.take(2):
            pass
        found = [event.data for event in self.listener.events if event.kind == "command.finished"]
        return [(one["outcome"], one["effect"], one.get("redrive")) for one in found if one["commandId"] == command]

    async def listed(self, eventually, count):
        """The list, once it holds that many."""

        async def as_many():
            letters = await self.read("dead-letters", "list")
            return [letters] if len(letters) == count else None

        (letters,) = await eventually(as_many, within=60)
        return letters


@pytest.fixture
async def gateway_of(start, kafka, prefix):
    async with httpx.AsyncClient(timeout=120) as http, listening(kafka, prefix) as listener:

        async def gateway_of(installed):
            ingress, worker = await start(installed, "ingress"), await start(installed, "worker")
            return Gateway(installed, ingress, worker, http, listener)

        yield gateway_of


async def lose_a_create(gateway, collate, eventually):
    """Open a handoff of which nobody hears, and which somebody else ends before anybody can see it."""
    collate.use("forgets_keys")
    (authorization,) = collate.create()
    collate.fault("reset", method="POST", path=CREATE, when="after", count=1)
    # The same request does not arrive again before somebody else has acted.
    holding = collate.fault("hold", method="POST", path=CREATE, when="before", skip=1, count=1)
    command = await gateway.ask(authorization)
    await eventually(lambda: opened(collate))
    collate.act(authorization, "revoke", reason="somebody else")
    collate.act(authorization, "reconcile", truth="nothing")
    holding.release()
    await gateway.listener.wait_for("command.dead_lettered", 60, commandId=command, cause="outcome_unknown")
    return command


def opened(collate):
    return [effect for _, effect in collate.ledger.effects if effect.kind == "handoff_opened"]


@pytest.mark.promise(5, 9)
async def test_what_nobody_knows_is_looked_at_redriven_and_ends_once(installation, gateway_of, collate, eventually):
    gateway = await gateway_of(installation)
    assert "There are no dead letters" in await gateway.run("dead-letters", "list")
    command = await lose_a_create(gateway, collate, eventually)

    (letter,) = await gateway.listed(eventually, 1)
    assert (letter["commandId"], letter["cause"], letter["writes"]) == (command, "outcome_unknown", 1)
    assert command in await gateway.run("dead-letters", "list", "--cause", "outcome_unknown", "--since", "1h")
    assert "No dead letter matches" in await gateway.run("dead-letters", "list", "--cause", "too_old")
    shown = await gateway.run("dead-letters", "show", command)
    assert "create" in shown
    assert "dead-letters redrive" in shown

    (forecast,) = await gateway.read("dead-letters", "redrive", command, "--dry-run")
    assert (forecast["verdict"], forecast["atCollate"]["status"]) == ("write", "requires_action")
    assert "although the first may have had an effect" in forecast["says"]
    assert len(opened(collate)) == 1, "a dry run does nothing"
    assert "--reason is required: one of collate_recovered" in await gateway.run(
        "dead-letters", "redrive", command, expect=2
    )

    (told,) = await gateway.read("dead-letters", "redrive", command, *WHY)
    assert (told["result"], told["outcome"], told["effect"]) == ("finished", "applied", "ours")
    assert len(opened(collate)) == 2
    assert await gateway.outcomes_of(command) == [("applied", "ours", 1)]
    assert DECIDED in [event.data.get("decision") for event in gateway.listener.events]
    await gateway.listed(eventually, 0)
    assert "not a dead letter" in (await gateway.run("dead-letters", "show", command, expect=1)).replace(
        "no ", "not a "
    )
    log = gateway.ingress.log.read_text() + gateway.worker.log.read_text()
    assert "op-7" in log
    assert NOTE not in log


async def test_what_a_caller_wrote_is_shown_on_request_alone_and_that_is_logged(
    installation, gateway_of, collate, eventually
):
    gateway = await gateway_of(installation)
    (authorization,) = collate.create("handoff_active")
    collate.fault("answer", method="POST", path="/complete$", when="before", status=400, code="bad_request")
    (handoff,) = [effect.handoff_id for effect in opened(collate)] or [None]
    answer = await gateway.http.post(
        f"{gateway.ingress.url}/v1/authorizations/{authorization}/handoffs/{handoff}/close",
        json={"result": {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": "Ms Doe called."}},
        headers={"Authorization": f"Bearer {installation.caller_key}", "Idempotency-Key": "close"},
    )
    command = answer.json()["commandId"]
    await gateway.listed(eventually, 1)
    assert "Doe" not in await gateway.run("dead-letters", "show", command)
    assert "Ms Doe called." in await gateway.run("dead-letters", "show", command, "--reveal")
    log = gateway.ingress.log.read_text()
    assert "ingress.original_revealed" in log
    assert "Doe" not in log


async def test_a_bad_deploy_stops_a_partition_until_it_is_resumed_and_all_is_redriven(
    alone, gateway_of, collate, eventually
):
    gateway = await gateway_of(alone)
    nothing = await gateway.run("worker", "resume", "--why", NOTE, "--admin", gateway.worker.admin_url, expect=1)
    assert "Nothing was resumed" in nothing
    *dying, waiting = collate.create(count=4)
    collate.fault("answer", method="POST", path=CREATE, when="before", status=400, code="bad_request")
    commands = [await gateway.ask(authorization) for authorization in dying]

    async def stopped():
        answer = await gateway.http.get(f"{gateway.worker.admin_url}/readyz")
        return answer.text if answer.status_code == 503 and "more than 4% of 50 records" in answer.text else None

    assert f"causes: request_refused 3; sent by: {CALLER} 3" in await eventually(stopped)
    last = await gateway.ask(waiting)
    assert await gateway.outcomes_of(last) == [], "it stands"
    collate.faults.clear()

    resumed = await gateway.run("worker", "resume", "--why", NOTE, "--admin", gateway.worker.admin_url)
    assert resumed == "Resumed: partition 0.\n"
    await gateway.listener.wait_for("command.finished", 20, commandId=last, outcome="applied")
    await asyncio.to_thread(gateway.worker.await_ready)

    await gateway.listed(eventually, 3)
    refused = await gateway.run("dead-letters", "redrive", "--all", *WHY, expect=2)
    assert "3 request_refused" in refused
    told = await gateway.read("dead-letters", "redrive", "--all", *WHY, "--yes", "--rate", "20")
    assert Counter(one["result"] for one in told) == {"accepted": 3}
    for command in commands:
        await gateway.listener.wait_for("command.finished", 20, commandId=command)
    assert [await gateway.outcomes_of(command) for command in commands] == [[("applied", "ours", 1)]] * 3
    await gateway.listed(eventually, 0)
