"""Kafka partly broken: the responses for each partition."""

import asyncio


async def test_a_partition_without_a_leader_does_not_affect_others(
    kafka3, install, start, *, caller_of, off_loop, eventually
):
    installation = await install(kafka3.bootstrap)
    program = await start(installation, "ingress")
    caller = caller_of(program, installation)

    async def statuses(key):
        replies = await asyncio.gather(*(caller.request(f"{key}-{number}", f"auth_{number}") for number in range(24)))
        return [reply.status_code for reply in replies]

    assert set(await statuses("before")) == {202}
    await off_loop(kafka3.kill, 2)

    async def some_are_served():
        found = await statuses("during")
        return found.count(202) >= 10 and 503 in found

    await eventually(some_are_served, within=60)
    served = await statuses("still")
    assert served.count(202) >= 10
    await off_loop(kafka3.start, 2)

    async def all_are_served():
        return set(await statuses("after")) == {202}

    await eventually(all_are_served, within=60)
