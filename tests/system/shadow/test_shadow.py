"""A shadow beside another way of working: real Kafka, an ingress, a worker, and the two verbs of `gateway shadow`."""

import asyncio
import json

from local.event_listener import listening
from tests.preloaded import run_gateway

SETTINGS = {
    "GATEWAY_COLLATE__WRITES": "off",
    "GATEWAY_ENVIRONMENT": "local-shadow",
    "GATEWAY_TOPICS__PARTITIONS": "1",
    "GATEWAY_WATCH__ACTION": "1s",
}


async def test_a_shadow_says_what_it_would_have_done_and_collate_gets_no_write(
    install, kafka, prefix, *, collate, start, tmp_path
):
    prefix = f"shadow-{prefix}"
    installed = await install(kafka, prefix=prefix, settings=SETTINGS)
    ingress, _ = await start(installed, "ingress"), await start(installed, "worker")
    same, other, done = collate.create(count=3)
    collate.act(done, do="open_handoff")

    async def gateway(*words):
        ended = await asyncio.to_thread(run_gateway, "shadow", *words, environ=installed.caller_environ(ingress))
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    mirror = tmp_path / "mirror.jsonl"
    command = {"time": "2026-06-02T14:06:00Z", "caller": "intake", "type": "handoff.request"}
    mirror.write_text("".join(json.dumps(command | {"authorizationId": one}) + "\n" for one in (same, other, done)))
    async with listening(kafka, prefix) as listener:
        assert "3 commands were accepted" in await gateway("feed", str(mirror))
        while sum(event.kind == "command.finished" for event in listener.events) < 3:
            assert await listener.take(60)
        collate.act(same, do="open_handoff")
        while ("handoff.opened", same) not in {(event.kind, event.authorization_id) for event in listener.events}:
            assert await listener.take(60)

    page = tmp_path / "shadow.html"
    report = json.loads(await gateway("report", "--within", "86400", "--json", "--html", str(page)))
    verdicts = {one["authorizationId"]: (one["caller"], one["verdict"]) for one in report["commands"]}
    assert verdicts == {
        same: ("intake", "same"),
        other: ("intake", "undecided"),
        done: ("intake", "already_done"),
    }
    assert "intake" in page.read_text()
    assert {call.method for call in collate.ledger.calls} == {"GET"}
