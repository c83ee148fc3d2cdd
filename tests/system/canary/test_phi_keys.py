"""The keys of PHI rotate while callers work, and a command whose key is missing waits for it (decision 0025)."""

import asyncio
import re
import secrets

import httpx

from local.event_listener import listening
from local.processes.patience import Patience
from runtime.credentials.key_ring import key_id_of
from tests.system.records import everything_in

NOTES = "Ms Doe called 555-0199"


class Service:
    """A service that closes handoffs with notes until it is told to stop."""

    def __init__(self, http, url, collate):
        self._http, self._url, self._collate = http, url, collate
        self.commands, self.accepted = [], 0
        self.is_stopping = False

    async def post(self, path, body, **headers):
        own = {"Idempotency-Key": secrets.token_hex(8)} | headers
        answer = await self._http.post(f"{self._url}/v1{path}", json=body, headers=own)
        assert answer.status_code in {200, 202}, answer.text
        return answer.json()

    async def close_one(self):
        (authorization,) = self._collate.create()
        at = f"/authorizations/{authorization}/handoffs"
        opened = await self.post(at, {}, Prefer="wait=30")
        result = {"type": "completed", "reportedOutcome": "submitted", "operatorNotes": NOTES}
        command = await self.post(f"{at}/{opened['handoffId']}/close", {"result": result})
        self.commands.append(command["commandId"])
        return self.commands[-1]

    async def run(self):
        while not self.is_stopping:
            await self.close_one()


async def end_of(listener, command):
    """Return the outcome or the dead letter of a command."""
    patience = Patience(60)
    while not patience.is_over:
        for event in listener.events:
            if event.kind in {"command.finished", "command.dead_lettered"} and event.data["commandId"] == command:
                return event
        await listener.take(0.2)
    raise AssertionError("the command has no end")


async def test_keys_rotate_under_load_and_a_missing_key_loses_nothing(installation, start, collate, kafka, eventually):
    old, new = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    installation.write_secret("phi-keys", old)
    installation.write_secret("worker-phi-keys", old)
    ingress = await start(installation, "ingress")
    installation.change({"GATEWAY_TOPICS__PHI_KEY_FILE": str(installation.directory / "worker-phi-keys")})
    worker = await start(installation, "worker")
    key = {"Authorization": f"Bearer {installation.caller_key}"}

    async def give(name, program, content):
        """Replace a key file, and wait until the process has read it for its work."""
        before = program.log.read_text().count("process.key_file_reloaded")
        installation.write_secret(name, content)
        await eventually(lambda: program.log.read_text().count("process.key_file_reloaded") > before, within=60)

    async with httpx.AsyncClient(timeout=120, headers=key) as http, listening(kafka, installation.prefix) as listener:
        service = Service(http, ingress.url, collate)
        load = [asyncio.create_task(service.run()) for _ in range(3)]
        await eventually(lambda: len(service.commands) > 3, within=60)
        await give("worker-phi-keys", worker, f"{old}\n{new}\n")
        await give("phi-keys", ingress, f"{new}\n{old}\n")
        so_far = len(service.commands)
        await eventually(lambda: len(service.commands) > so_far + 3, within=60)
        service.is_stopping = True
        await asyncio.gather(*load)
        for command in service.commands:
            ended = await listener.wait_for("command.finished", 60, commandId=command)
            assert ended.data["outcome"] == "applied"

        installation.write_secret("worker-phi-keys", old)
        while (end := await end_of(listener, lost := await service.close_one())).kind == "command.finished":
            pass  # the worker still knows the key
        assert end.data["cause"] == "undecryptable"
        installation.write_secret("worker-phi-keys", new)
        asked = {"operator": "op-7", "reason": "fix_deployed", "redrive": 0}
        redriven = await service.post(f"/dead-letters/{lost}/redrive", asked, Prefer="wait=30")
        assert (redriven["outcome"], redriven["effect"]) == ("applied", "ours")

    topics = await everything_in(kafka, installation.prefix)
    values = b"\n".join(record.value or b"" for records in topics.values() for record in records)
    assert NOTES.encode() not in values
    used = {key_id_of(found.decode()) for found in re.findall(rb'"sealed":"([\w.-]+)"', values)}
    assert len(used) == 2, "both keys encrypted commands during the rotation"
