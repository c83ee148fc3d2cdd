"""Collate always fails for one authorization: the commands of the others in its partition do not wait for it."""

import re

import pytest

BURST, OTHERS = 5, 60


@pytest.mark.promise(4)
async def test_an_authorization_that_always_fails_delays_no_other(services, collate):
    callers, worker, listener, http, _ = services
    (failing,) = collate.create()
    fault = collate.fault("answer", status=500, code="internal_error", path=failing)
    stuck = [await callers["portal"].request(failing) for _ in range(BURST)]
    others = [await callers["billing"].request(authorization) for authorization in collate.create(count=OTHERS)]
    for command in others:
        await listener.wait_for("command.finished", 60, commandId=command, outcome="applied")
    assert fault.struck
    assert {event.data["commandId"] for event in listener.events if event.kind == "command.finished"} == set(others)
    metrics = (await http.get(f"{worker.admin_url}/metrics")).text
    breakers = re.findall(r"^collate_gateway_collate_breakers\{.+\} (.+)$", metrics, re.MULTILINE)
    assert breakers
    assert set(breakers) == {"0.0"}
    collate.faults.clear()
    await listener.wait_for("command.finished", 60, commandId=stuck[0], outcome="applied")
