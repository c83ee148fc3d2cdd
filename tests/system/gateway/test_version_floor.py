"""An operator lets the gateway accept the lower versions of a restored Collate, and a waiting command continues."""

import asyncio


async def test_a_waiting_command_continues_as_soon_as_an_operator_lowers_the_floor(services, collate):
    callers, _, listener, _, run_verb = services
    (authorization,) = collate.create(version=20)
    command = await callers["billing"].watch(authorization)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")
    collate.fault("rewrite", method="GET", path=f"{authorization}$", overlay={"version": 12})
    waiting = await callers["portal"].watch(authorization)
    await listener.wait_for("command.waiting", 60, commandId=waiting, reason="stale_read")

    arguments = ("--to", "12", "--reason", "collate_recovered", "--yes")
    await asyncio.to_thread(run_verb, "version-floor", "lower", authorization, *arguments)
    lowered = await listener.wait_for("authorization.version_floor_lowered", 20, fromVersion=20, toVersion=12)
    assert lowered.data["decision"]["requestedBy"] == "op-7"
    await listener.wait_for("command.finished", 20, commandId=waiting, outcome="applied")
