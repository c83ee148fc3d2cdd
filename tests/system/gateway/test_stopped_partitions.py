"""What stops a partition: a bad deployment does, one caller among several does not."""

import itertools

from tests.system.gateway.services import CALLERS

REFUSED = {"status": 400, "code": "bad_request"}


async def test_closes_of_one_caller_that_collate_refuses_do_not_stop_the_partition_of_another(services, collate):
    callers, worker, listener, http, _ = services
    (first,) = collate.create()
    command = await callers["billing"].request(first)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")

    collate.fault("answer", method="POST", path="/unable-to-complete$", when="before", **REFUSED)
    for authorization in collate.create("handoff_active", count=15):
        handoff = collate.state.authorizations[authorization].handoffs[-1].id
        refused = await callers["portal"].close(authorization, handoff)
        await listener.wait_for("command.dead_lettered", 20, commandId=refused, cause="request_refused")

    (second,) = collate.create()
    command = await callers["billing"].request(second)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")
    assert (await http.get(f"{worker.admin_url}/readyz")).status_code == 200


async def test_a_bad_deployment_stops_the_partition_and_names_its_causes_and_callers(services, collate, eventually):
    callers, worker, _, http, _ = services
    collate.fault("answer", method="POST", path="/manual-handoffs$", when="before", **REFUSED)
    for authorization, name in zip(collate.create(count=15), itertools.cycle(CALLERS), strict=False):
        await callers[name].request(authorization)

    async def stopped():
        answer = await http.get(f"{worker.admin_url}/readyz")
        return answer.text if answer.status_code == 503 else None

    text = await eventually(stopped)
    assert "request_refused 11" in text
    assert all(name in text for name in CALLERS)
