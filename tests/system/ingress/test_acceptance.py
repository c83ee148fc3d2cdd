"""On a real broker: an accepted request is one command at every replica, and after a stop."""

import asyncio
import json

import httpx
import pytest


@pytest.fixture
async def ingress(installation, start, caller_of):
    program = await start(installation, "ingress")
    return program, caller_of(program, installation)


@pytest.mark.promise(1)
async def test_one_key_is_one_command_at_two_replicas_and_after_a_restart(
    installation, start, caller_of, kafka, commands_in
):
    programs = [await start(installation, "ingress", name) for name in ("first", "second")]
    replies = [await caller_of(program, installation).request(1) for program in programs]
    await asyncio.to_thread(programs[0].stop)
    again = await start(installation, "ingress", "third")
    replies.append(await caller_of(again, installation).request(1))
    assert {reply.status_code for reply in replies} == {202}
    (command_id,) = {reply.json()["commandId"] for reply in replies}
    assert {command.id for command in await commands_in(kafka)} == {command_id}


async def test_stopping_finishes_requests_in_flight_and_exits_with_0(ingress, kafka, commands_in, eventually):
    program, caller = ingress
    requests = [asyncio.create_task(caller.request(number)) for number in range(200)]
    await eventually(lambda: sum(task.done() for task in requests) > 20)
    code = await asyncio.to_thread(program.stop)
    replies = await asyncio.gather(*requests, return_exceptions=True)
    accepted = {
        reply.json()["authorizationId"]
        for reply in replies
        if isinstance(reply, httpx.Response) and reply.status_code == 202
    }
    assert code == 0
    assert len(accepted) > 20
    assert accepted <= {command.authorization_id for command in await commands_in(kafka)}


async def test_a_changed_callers_file_needs_no_restart(ingress, run, eventually):
    program, caller = ingress
    path = run.directory / "callers.toml"
    before = path.read_text()
    path.write_text(before.replace('"handoff:request", ', ""))

    async def status(expected):
        return (await caller.request(1)).status_code == expected

    await eventually(lambda: status(403))
    path.write_text("nonsense")
    await eventually(lambda: "ingress.callers_file_rejected" in program.log.read_text())
    assert await status(403)
    path.write_text(before)
    await eventually(lambda: status(202))


def watch_event(number, subject):
    event_type = "collate-gateway.authorization.watch.v1"
    return {"specversion": "1.0", "id": f"e-{number}", "source": "/desk", "type": event_type, "subject": subject}


async def test_a_batch_is_one_command_for_each_event_at_two_replicas(
    installation, start, caller_of, kafka, commands_in
):
    events = [watch_event(number, f"auth_{number}") for number in range(70)]
    events += [watch_event(number, "auth_ordered") for number in range(70, 100)]
    batch = json.dumps(events).encode()
    accepted = []
    for name in ("first", "second"):
        program = await start(installation, "ingress", name)
        caller = caller_of(program, installation)
        headers = {"Authorization": f"Bearer {caller.key}", "Content-Type": "application/cloudevents-batch+json"}
        reply = await caller.client.post(f"{program.url}/v1/commands", content=batch, headers=headers)
        assert reply.status_code == 207, reply.text
        assert {result["status"] for result in reply.json()["results"]} == {202}
        accepted.append([result["command"]["commandId"] for result in reply.json()["results"]])
    assert accepted[0] == accepted[1]
    commands = await commands_in(kafka)
    assert {command.id for command in commands} == set(accepted[0])
    ordered = [command.id for command in commands if command.authorization_id == "auth_ordered"]
    assert ordered[:30] == ordered[30:] == accepted[0][70:]
