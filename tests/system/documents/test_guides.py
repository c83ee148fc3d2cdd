"""docs/deploy.md, docs/operations.md and docs/upgrade.md, run line by line on real servers.

Kafka has an authorizer. Each process is the user of the guide, with the permissions that Kafka's own tool granted.
"""

import asyncio
import shlex
import subprocess

import httpx

from local.event_listener import listening
from tests.contract.documents.pages import LINES, ROOT
from tests.system.documents.reader import run_elsewhere

CREATE = "/manual-handoffs$"
UPGRADE = next(line for line in LINES if line.page == "docs/upgrade.md" and line.words[:2] == ("helm", "upgrade"))


async def test_every_command_line_of_the_guides_runs(  # noqa: PLR0917 - the reader needs all of them
    reader, acls, collate, secured, to_secured, postgres, eventually
):
    (authorization,) = collate.create()
    reader.environ |= {"COLLATE_API_KEY": "local-collate-key", "AUTHORIZATION": authorization}
    for line in reader.lines_of("docs/deploy.md"):
        output = await reader.follow(line)
        match line.words:
            case ("gateway", "topics", "acls"):
                assert await asyncio.to_thread(acls, output)
            case ("gateway", "callers", "new", *_):
                reader.environ["CALLER_KEY"] = reader.stderr.strip()
            case ("helm", "upgrade", *_):
                await begin(reader, to_secured)
            case ("curl", *_):
                # curl retries a refused request; the last response counts.
                assert '"commandId"' in output.rpartition("}{")[2], output

    await add_read_model(reader, postgres)
    dead_letters = await create_dead_letters(reader, collate, secured)
    await eventually(lambda: are_shown(reader, dead_letters), within=60)
    reader.environ["COMMAND"] = dead_letters.pop()
    for line in reader.lines_of("docs/operations.md"):
        output = await reader.follow(line)
        decided = {"redrive": "applied", "discard": "discarded"}.get(line.words[2] if len(line.words) > 2 else "")
        if decided and "$COMMAND" in line.words and "--dry-run" not in line.words:
            assert f"{reader.environ['COMMAND']}  {decided}" in output
            # The next decision is about another dead letter; later lines may show a decided one.
            reader.environ["COMMAND"] = dead_letters.pop() if dead_letters else reader.environ["COMMAND"]

    for page in ("docs/capacity.md", "docs/upgrade.md"):
        for line in reader.lines_of(page):
            await reader.follow(line)
    assert lines_not_run(reader) == []


async def begin(reader, to_secured):
    """Start the pods. From then on the reader has the settings of a process and is Kafka's administrator."""
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
    """Create the database and user of docs/deploy.md, \"Optional: status and timelines\", and an operator's key."""
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
    reader.add_read_model_values()
    await reader.follow(UPGRADE)
    for workload in ("gateway-projector", "gateway-ingress"):
        await asyncio.to_thread(reader.kubernetes.start, workload)
    programs = reader.kubernetes.programs
    reader.replacements |= {
        "https://gateway.example": programs["gateway-ingress"].url,
        "http://127.0.0.1:9090": programs["gateway-worker"].admin_url,
    }


async def create_dead_letters(reader, collate, secured):
    """Let Collate refuse two handoffs with an unexpected code; return their commands."""
    url, commands = reader.kubernetes.programs["gateway-ingress"].url, []
    collate.fault("answer", method="POST", path=CREATE, when="before", status=400, code="bad_request")
    async with (
        httpx.AsyncClient(timeout=120) as http,
        listening(f"127.0.0.1:{secured.ports['PLAINTEXT']}", "collate-gateway.") as listener,
    ):
        for authorization in collate.create(count=2):
            post = http.build_request(
                "POST",
                f"{url}/v1/authorizations/{authorization}/handoffs",
                json={},
                headers={"Authorization": f"Bearer {reader.environ['CALLER_KEY']}", "Idempotency-Key": authorization},
            )
            while (answer := await http.send(post)).status_code == httpx.codes.SERVICE_UNAVAILABLE:  # noqa: ASYNC110 - obeys Retry-After
                await asyncio.sleep(float(answer.headers["retry-after"]))
            assert answer.status_code == httpx.codes.ACCEPTED, answer.text
            commands.append(answer.json()["commandId"])
        for command in commands:
            await listener.wait_for("command.dead_lettered", 60, commandId=command)
    collate.faults.clear()
    return commands


async def are_shown(reader, commands):
    """Whether the ingress lists these dead letters, and the read model has them: both read their topics later."""
    url, key = reader.kubernetes.programs["gateway-ingress"].url, (reader.directory / "oncall.key").read_text().strip()
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120) as http:
        listed = (await http.get("/v1/dead-letters")).json()["deadLetters"]
        statuses = {(await http.get(f"/v1/commands/{command}")).json().get("status") for command in commands}
    return {one["commandId"] for one in listed} >= set(commands) and statuses == {"dead_lettered"}


def lines_not_run(reader):
    """Return the lines of all documents that neither the reader nor another named test has run."""
    pods = {tuple(pod) for pod in reader.kubernetes.ran}
    return [
        f"{line.page}: {line.text}"
        for line in LINES
        if line.words not in reader.lines_run | pods
        and not ((place := run_elsewhere(line)) and (ROOT / place).exists())
    ]
