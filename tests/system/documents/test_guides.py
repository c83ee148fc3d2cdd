"""docs/deploy.md, operations.md and upgrade.md, followed line by line on real servers.

Kafka has an authorizer on, and each process is the user that the guide gives it, with what Kafka's own tool gave it.
"""

import asyncio
import shlex
import subprocess

import httpx
import pytest

from local.event_listener import listening
from tests.contract.documents.pages import LINES, ROOT
from tests.system.documents.reader import ELSEWHERE

pytestmark = pytest.mark.timeout(600)
CREATE = "/manual-handoffs$"
UPGRADE = next(line for line in LINES if line.page == "docs/upgrade.md" and line.words[:2] == ("helm", "upgrade"))


async def test_every_line_of_the_guides_does_what_it_says(reader, acls, collate, secured, to_secured, postgres):  # noqa: PLR0917 - all that he has
    (authorization,) = collate.create()
    reader.environ |= {"COLLATE_API_KEY": "local-collate-key", "AUTHORIZATION": authorization}
    for line in reader.lines_of("docs/deploy.md"):
        told = await reader.follow(line)
        match line.words:
            case ("gateway", "topics", "acls"):
                assert await asyncio.to_thread(acls, told)
            case ("gateway", "callers", "new", *_):
                reader.environ["CALLER_KEY"] = reader.stderr.strip()
            case ("helm", "upgrade", *_):
                await begin(reader, to_secured)
            case ("curl", *_):
                # What was refused for a moment was asked again: the last answer counts.
                assert '"commandId"' in told.rpartition("}{")[2], told

    await add_read_model(reader, postgres)
    letters = await make_dead_letters(reader, collate, secured)
    reader.environ["COMMAND"] = letters.pop()
    for line in reader.lines_of("docs/operations.md"):
        told = await reader.follow(line)
        decided = {"redrive": "applied", "discard": "discarded"}.get(line.words[2] if len(line.words) > 2 else "")
        if decided and "$COMMAND" in line.words and "--dry-run" not in line.words:
            assert f"{reader.environ['COMMAND']}  {decided}" in told
            # The next decision is another letter's; what is looked at later may have been decided.
            reader.environ["COMMAND"] = letters.pop() if letters else reader.environ["COMMAND"]

    for line in reader.lines_of("docs/upgrade.md"):
        await reader.follow(line)
    assert not_done(reader) == []


async def begin(reader, to_secured):
    """Let Kubernetes start the pods; from here on the reader has a process's settings, and is Kafka's administrator."""
    kubernetes, own = reader.kubernetes, to_secured("SASL_SSL")
    await asyncio.to_thread(kubernetes.start, "gateway-worker")
    await asyncio.to_thread(kubernetes.start, "gateway-ingress")
    settings = kubernetes.environ(kubernetes.pod("gateway-worker-0"))
    reader.environ |= {name: value for name, value in settings.items() if name.startswith("GATEWAY_")} | {
        "GATEWAY_KAFKA__USERNAME": own.username,
        "GATEWAY_KAFKA__PASSWORD_FILE": str(own.password_file),
        "GATEWAY_INGRESS__CALLERS_FILE": str(reader.directory / "callers.toml"),
    }


async def add_read_model(reader, postgres):
    """What section 7 asks for, and an operator's key."""
    made = await asyncio.to_thread(
        subprocess.run,
        shlex.split("gateway callers new oncall --may operate --may authorization:read"),
        env=reader.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    (reader.directory / "oncall.key").write_text(made.stderr)
    with (reader.directory / "callers.toml").open("a") as callers:
        callers.write(made.stdout)
    (reader.directory / "dsn").write_text(postgres)
    secrets = reader.kubernetes.secrets["gateway-secrets"]
    secrets |= {"database-dsn": postgres.encode(), "callers.toml": (reader.directory / "callers.toml").read_bytes()}
    reader.environ["GATEWAY_READMODEL__DSN_FILE"] = str(reader.directory / "dsn")
    reader.add_values()
    await reader.follow(UPGRADE)
    for workload in ("gateway-projector", "gateway-ingress"):
        await asyncio.to_thread(reader.kubernetes.start, workload)
    programs = reader.kubernetes.programs
    reader.stands_for |= {
        "https://gateway.example": programs["gateway-ingress"].url,
        "http://127.0.0.1:9090": programs["gateway-worker"].admin_url,
    }


async def make_dead_letters(reader, collate, secured):
    """Let Collate refuse two handoffs as nobody expects it to; return the commands."""
    url, commands = reader.kubernetes.programs["gateway-ingress"].url, []
    collate.fault("answer", method="POST", path=CREATE, when="before", status=400, code="bad_request")
    async with (
        httpx.AsyncClient(timeout=20) as http,
        listening(f"127.0.0.1:{secured.ports['PLAINTEXT']}", "collate-gateway.") as listener,
    ):
        for authorization in collate.create(count=2):
            post = http.build_request(
                "POST",
                f"{url}/v1/authorizations/{authorization}/handoffs",
                json={},
                headers={"Authorization": f"Bearer {reader.environ['CALLER_KEY']}", "Idempotency-Key": authorization},
            )
            while (answer := await http.send(post)).status_code == httpx.codes.SERVICE_UNAVAILABLE:  # noqa: ASYNC110 - as it says
                await asyncio.sleep(float(answer.headers["retry-after"]))
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            commands.append(answer.json()["commandId"])
        for command in commands:
            await listener.wait_for("command.dead_lettered", 60, commandId=command)
    collate.faults.clear()
    # Lists and looks ask the read model, which follows.
    return commands


def not_done(reader):
    """Which lines of any document neither the reader nor a test that is named has done."""
    pods = {tuple(pod) for pod in reader.kubernetes.ran}
    return [
        f"{line.page}: {line.text}"
        for line in LINES
        if line.words not in reader.did | pods
        and not (line.words[:2] in ELSEWHERE and (ROOT / ELSEWHERE[line.words[:2]]).exists())
    ]
