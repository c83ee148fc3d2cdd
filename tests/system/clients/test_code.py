"""The console's code of each operation: curl and Python of the reads run, TypeScript has the right types."""

import asyncio
import json
import os
import sys

import pytest

from collate_gateway_client import Gateway, NotFinished
from gateway.console.views.code import code_of
from gateway.console.views.documents import examples_of, operation_page, operations_of
from schemas.published import read

pytestmark = pytest.mark.timeout(500)
OPENAPI = json.loads(read("openapi.json"))


def code(line, base):
    return code_of(operation_page(OPENAPI, line.id), base, examples_of(OPENAPI, line.id).request)


@pytest.fixture
async def variables(ingress, installation, collate, eventually):
    """The environment of a reader: an open handoff, its command, and for some operations another subject."""
    (opened,) = collate.create()
    (reviewed,) = collate.create(review_backed=True)
    (ended,) = collate.create("completed")
    (dead,) = collate.create()

    def commands():
        with Gateway(ingress.url, installation.caller_key) as gateway:
            command = gateway.request_handoff(opened, wait=60)["commandId"]
            collate.fault(
                "answer", method="POST", path="manual-handoffs$", when="before", status=400, code="bad_request"
            )
            with pytest.raises(NotFinished) as found:
                gateway.request_handoff(dead, wait=60)
            assert found.value.status == "dead_lettered"
            return command, found.value.command_id

    command, letter = await asyncio.to_thread(commands)

    def is_read():
        with Gateway(ingress.url, installation.caller_key) as gateway:
            return gateway.command(letter)["status"] == "dead_lettered" and gateway.authorization(opened)

    await eventually(lambda: asyncio.to_thread(is_read), 60)
    common = {"AUTHORIZATION_ID": opened, "HANDOFF_ID": "active", "COMMAND_ID": command, "PREFIX": opened}
    own = {
        "readReviewSnapshot": {"AUTHORIZATION_ID": reviewed},
        "readPayerEvidence": {"AUTHORIZATION_ID": ended},
        **{f"readDeadLetter{name}": {"COMMAND_ID": letter} for name in ("", "Original", "Situation")},
    }
    return lambda id_: {"OPERATOR": "op-7", "COLLATE_GATEWAY_KEY": installation.caller_key} | common | own.get(id_, {})


async def start(command, environ):
    return await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"} | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def test_curl_and_python_of_each_read_run(ingress, variables):
    for line in operations_of(OPENAPI):
        if line.method != "GET" or line.id == "streamEvents":
            continue
        codes = code(line, ingress.url)
        for command in (["bash", "-c", codes["curl"]], [sys.executable, "-c", codes["Python"]]):
            program = await start(command, variables(line.id))
            output = (await asyncio.wait_for(program.communicate(), 120))[0].decode()
            assert program.returncode == 0, f"{line.id}: {output}"
            assert output.startswith("{"), f"{line.id}: {output}"
            assert "urn:collate-gateway:problem:" not in output.partition(",")[0], f"{line.id}: {output}"


@pytest.mark.parametrize("language", ["curl", "Python"])
async def test_the_code_of_the_stream_shows_events(ingress, installation, variables, collate, language):
    (line,) = [line for line in operations_of(OPENAPI) if line.id == "streamEvents"]
    text = code(line, ingress.url)[language]
    program = await start(
        ["bash", "-c", text] if language == "curl" else [sys.executable, "-c", text], variables(line.id)
    )

    def watch():
        with Gateway(ingress.url, installation.caller_key) as gateway:
            gateway.watch(collate.create()[0], wait=60)

    found = b""
    async with asyncio.timeout(240):
        while b"command.finished" not in found:
            watching = asyncio.create_task(asyncio.to_thread(watch))
            try:
                # The program may have started after the event: then the next one is shown.
                async with asyncio.timeout(10):
                    while b"command.finished" not in found:
                        line = await program.stdout.readline()
                        assert line, found
                        found += line
            except TimeoutError:
                pass
            await watching
    program.kill()
    await program.wait()


async def test_typescript_of_each_operation_has_the_right_types(packed):
    programs = []
    for line in operations_of(OPENAPI):
        programs.append(packed.directory / f"{line.id}.ts")
        programs[-1].write_text(code(line, "https://gateway.example")["TypeScript"])
    packed.check_types(*programs)
