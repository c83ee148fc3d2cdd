"""One caller's many commands do not reject those of another, and an operator can make room."""

import asyncio

WATCHES = 320


async def test_watches_of_one_caller_leave_room_for_the_close_of_another_and_an_operator_makes_more(services, collate):
    callers, _, listener, _, run_verb = services
    (authorization,) = collate.create()
    command = await callers["billing"].request(authorization)
    opened = await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")

    limit = asyncio.Semaphore(16)

    async def watch():
        async with limit:
            return await callers["portal"].watch(authorization)

    commands = await asyncio.gather(*(watch() for _ in range(WATCHES)))
    assert len(set(commands)) == WATCHES
    command = await callers["billing"].close(authorization, opened.data["handoffId"])
    await listener.wait_for("command.finished", 120, commandId=command, outcome="applied")
    finished = [event.data for event in listener.events if event.kind == "command.finished"]
    rejected = [data for data in finished if data.get("reason") == "too_many_commands"]
    assert (len(rejected), {data["caller"] for data in rejected}) == (WATCHES - 192, {"portal"})

    arguments = ("--caller", "portal", "--reason", "fix_deployed", "--yes")
    await asyncio.to_thread(run_verb, "recent-commands", "empty", authorization, *arguments)
    emptied = await listener.wait_for("authorization.recent_commands_emptied", 20, ofCaller="portal", emptied=256)
    assert emptied.data["decision"]["requestedBy"] == "op-7"
    command = await callers["portal"].watch(authorization)
    await listener.wait_for("command.finished", 20, commandId=command, outcome="applied")
