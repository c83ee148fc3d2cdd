"""Two installations share a Kafka cluster, a database and an OIDC issuer, and see nothing of each other.

Both have the same ids of authorizations at their own Collate, a caller of the same name, and the same idempotency keys.
So a leak would fit anywhere: an event, a row, a dead letter, an outcome.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from adapters.kafka.cluster import open_cluster
from adapters.postgres.migrate import _MIGRATION_LOCK, migrate
from local.collate.model.effect import Kind
from local.collate.web.server import SimulatedCollate
from local.event_listener import listening
from local.installation import PARTITIONS, Installation, Program
from local.issuer import LocalIssuer
from local.processes.patience import within
from local.processes.ports import free_ports
from local.sign_in_link import one_time_link
from runtime.exits import Exit
from runtime.settings import KafkaSettings, ReadModelSettings
from schemas.topics import catalogue, partition_for
from tests.preloaded import PreloadedRun, run_gateway

NAMES = ("north", "south")
STAFF = {"staff": ("authorization:read", "handoff:request", "operate")}


@dataclass
class Site:
    """One installation and its processes."""

    name: str
    installation: Installation
    collate: SimulatedCollate
    ingress: Program
    worker: Program
    projector: Program
    console: Program

    async def call(self, http, method, path, *, key=None, token=None, **sent):
        """Call the API as the installation's caller, or with another credential."""
        credential = token or key or self.installation.caller_key
        headers = {"Authorization": f"Bearer {credential}"} | sent.pop("headers", {})
        return await http.request(method, f"{self.ingress.url}{path}", headers=headers, **sent)

    async def command(self, http, authorization, path):
        """Send a command with a key that both installations use, and wait for its end."""
        answer = await self.call(
            http,
            "POST",
            f"/v1/authorizations/{authorization}/{path}",
            json={},
            headers={"Idempotency-Key": f"same-{path}", "Prefer": "wait=20"},
        )
        assert answer.status_code == 200, answer.text
        return answer.json()

    def gateway(self, *verb):
        """Run a verb of the command line with the installation's settings, beside others that use the default port."""
        port = str(free_ports(1)[0])
        return run_gateway(*verb, environ=self.installation.environ | {"GATEWAY_ADMIN__PORT": port})


@pytest.fixture
def issuer():
    with LocalIssuer(tuple(STAFF)) as issuer:
        yield issuer


@pytest.fixture
async def sites(kafka, prefix, postgres, issuer):
    """Both installations, with every process. The database is one; the schemas are two."""
    async with contextlib.AsyncExitStack() as exits:
        found = []
        for name in NAMES:
            run = exits.enter_context(PreloadedRun(name))
            collate = await exits.enter_async_context(SimulatedCollate())
            people = issuer.callers_file_entry(STAFF).replace('audience = "collate-gateway"', f'audience = "{name}"')
            installation = Installation(
                run,
                bootstrap=kafka,
                collate_url=collate.url,
                prefix=f"{prefix}{name}.",
                database=postgres,
                people=people,
                settings={"GATEWAY_ENVIRONMENT": name, "GATEWAY_READMODEL__SCHEMA_NAME": f"gateway_{name}"},
            )
            await asyncio.to_thread(installation.apply_topics)
            await asyncio.to_thread(installation.migrate)
            ingress, worker, projector = (installation.start(verb) for verb in ("ingress", "worker", "projector"))
            console = installation.start_console(ingress)
            for program in (ingress, worker, projector, console):
                await asyncio.to_thread(program.await_ready)
            found.append(Site(name, installation, collate, ingress, worker, projector, console))
        yield found


async def events_of(kafka, site, count):
    async with listening(kafka, site.installation.prefix) as listener:
        async with within(60):
            while len(listener.events) < count:
                await listener.take(5)
        return listener.events


async def append_broken(kafka, site, authorization):
    """Append a record that is no command: it becomes a dead letter."""
    key, topic = authorization.encode(), catalogue(site.installation.prefix).commands.name
    async with AIOKafkaProducer(bootstrap_servers=kafka) as producer:
        await producer.send_and_wait(topic, b"not a command", key=key, partition=partition_for(key, PARTITIONS))


async def metric(http, program, name):
    """Return the sum of a metric's samples."""
    lines = (await http.get(f"{program.admin_url}/metrics")).text.splitlines()
    samples = [line for line in lines if line.startswith((f"{name}{{", f"{name} "))]
    return sum(float(line.rpartition(" ")[2]) for line in samples)


def rows(postgres, site, table):
    with psycopg.connect(postgres) as connection:
        return connection.execute(f"SELECT count(*) FROM gateway_{site.name}.{table}").fetchone()[0]


async def test_two_installations_on_one_kafka_database_and_issuer_do_not_see_each_other(  # noqa: PLR0915 - one story
    sites, kafka, postgres, issuer, eventually
):
    north, south = sites
    (authorization,), (same,) = (site.collate.create(ids=("auth_shared",)) for site in sites)
    assert authorization == same
    async with httpx.AsyncClient(timeout=120) as http:
        # Commands, effects and events
        watched = await north.command(http, authorization, "watch")
        await north.command(http, authorization, "handoffs")
        opened = [[one for _, one in site.collate.ledger.effects if one.kind is Kind.HANDOFF_OPENED] for site in sites]
        assert [len(found) for found in opened] == [1, 0]
        assert await metric(http, south.worker, "collate_gateway_commands_finished_total") == 0
        ours = await events_of(kafka, north, 4)
        assert {event.authorization_id for event in ours} == {authorization}
        async with listening(kafka, south.installation.prefix) as listener:
            assert await listener.take(2) == []

        # Reads
        command = f"/v1/commands/{watched['commandId']}"

        async def status(site, path):
            return (await site.call(http, "GET", path)).status_code

        paths = (command, f"/v1/authorizations/{authorization}")

        async def statuses():
            return [await status(north, path) for path in paths] == [200, 200]

        await eventually(statuses)
        assert [await status(south, path) for path in paths] == [404, 404]
        timeline = await south.call(http, "GET", f"/v1/authorizations/{authorization}/timeline")
        assert timeline.json()["entries"] == []
        assert rows(postgres, north, "timeline") > 0
        assert [rows(postgres, south, table) for table in ("commands", "handoffs", "authorizations", "timeline")] == [
            0
        ] * 4

        # The same key and caller there are another command: nothing was done yet.
        twin = await south.command(http, authorization, "watch")
        assert twin["commandId"] == watched["commandId"]
        theirs = await events_of(kafka, south, 3)
        assert {event.kind for event in theirs} == {event.kind for event in ours[:3]}

        # Callers and people
        north_token, south_token = (issuer.token("jo", ["staff"], aud=name) for name in NAMES)
        assert (await north.call(http, "GET", "/v1/me", token=north_token)).status_code == 200
        assert (await south.call(http, "GET", "/v1/me", token=south_token)).status_code == 200
        assert (await south.call(http, "GET", "/v1/me", token=north_token)).status_code == 401
        assert (await north.call(http, "GET", "/v1/me", token=south_token)).status_code == 401
        assert (await south.call(http, "GET", "/v1/me", key=north.installation.caller_key)).status_code == 401
        # A gateway that people of the other installation may use gives them its own permissions alone.
        nobody = issuer.token("jo", ["other"], aud="south")
        assert (await south.call(http, "GET", "/v1/me", token=nobody)).json()["permissions"] == []

        # Dead letters
        await append_broken(kafka, north, authorization)

        async def dead_letters(site):
            return (await site.call(http, "GET", "/v1/dead-letters")).json()["deadLetters"]

        await eventually(lambda: dead_letters(north))
        assert await dead_letters(south) == []
        assert await metric(http, south.worker, "collate_gateway_dead_letters_total") == 0

        # Topics
        async with open_cluster(KafkaSettings(bootstrap=tuple(kafka.split(",")))) as cluster:
            assert await cluster.topics_of(f"{north.installation.prefix}worker") == {
                catalogue(north.installation.prefix).commands.name
            }
            before = await cluster.find_topics(topic.name for topic in catalogue(north.installation.prefix))
            planned = await asyncio.to_thread(south.gateway, "topics", "plan")
            assert planned.returncode == 0, planned.stderr
            assert north.installation.prefix not in planned.stdout
            await asyncio.to_thread(south.installation.apply_topics)
            assert before == await cluster.find_topics(topic.name for topic in catalogue(north.installation.prefix))
        acls = await asyncio.to_thread(south.gateway, "topics", "acls")
        assert south.installation.prefix in acls.stdout
        assert north.installation.prefix not in acls.stdout

        # A worker that goes and comes back moves nothing there.
        assigned = await metric(http, north.worker, "collate_gateway_partitions")
        assert await asyncio.to_thread(south.worker.stop) == 0
        south.worker = south.installation.start("worker")
        await asyncio.to_thread(south.worker.await_ready)
        assert await metric(http, north.worker, "collate_gateway_partitions") == assigned > 0
        assert await metric(http, north.worker, "collate_gateway_fenced_total") == 0

        # Tables
        kept = rows(postgres, north, "timeline")
        rebuilt = await asyncio.to_thread(south.gateway, "projector", "--rebuild")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert rows(postgres, north, "timeline") == kept

        # Sessions: a browser sends a cookie to each port of a host.
        link = one_time_link(north.installation.directory, north.console.url, north_token, datetime.now(UTC))
        async with httpx.AsyncClient(trust_env=False, timeout=120) as browser:
            await browser.get(link)
            assert (await browser.get(f"{north.console.url}/work")).status_code == 200
            elsewhere = await browser.get(f"{south.console.url}/work")
            assert (elsewhere.status_code, elsewhere.headers["location"]) == (303, "/sign-in?return=%2Fwork")


async def test_a_worker_refuses_a_group_that_another_installation_uses(installation, start, collate, kafka, prefix):
    worker = await start(installation, "worker")
    with PreloadedRun("second") as run:
        second = Installation(run, bootstrap=kafka, collate_url=collate.url, prefix=f"{prefix}second.")
        await asyncio.to_thread(second.apply_topics)
        second.change({"GATEWAY_WORKER__GROUP": f"{prefix}worker"})
        refused = second.start("worker")
        assert await asyncio.to_thread(refused.process.wait, 30) == Exit.CONFIG
        assert (
            f"members of {prefix}worker read {prefix}commands, not {prefix}second.commands" in refused.log.read_text()
        )
        checked = await asyncio.to_thread(run_gateway, "check", "--for", "worker", environ=second.environ)
        assert checked.returncode == Exit.CONFIG
        assert "another installation uses this group" in checked.stdout
    worker.require_running()


async def test_a_migration_waits_for_one_of_its_schema_alone(postgres, tmp_path):
    (tmp_path / "dsn").write_text(postgres)
    north, south = (ReadModelSettings(dsn_file=tmp_path / "dsn", schema_name=f"gateway_{name}") for name in NAMES)
    with psycopg.connect(postgres, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", (_MIGRATION_LOCK, north.schema_name))
        waiting = asyncio.create_task(asyncio.to_thread(migrate, north))
        await asyncio.to_thread(migrate, south)
        assert not waiting.done()
        other.execute("SELECT pg_advisory_unlock_all()")
        await waiting
