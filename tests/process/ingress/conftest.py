"""The ingress in this process, on a real socket. Kafka is a list, and Collate is simulated."""

import asyncio
import io
import json
import logging
import re
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import httpx
import pytest
import structlog
import uvicorn.server
from prometheus_client import CollectorRegistry

from adapters.collate.open_client import open_client
from console.api import Api
from console.app import create_app
from console.middleware import page_recorder
from gateway.ingress.api_http.port import api_port
from gateway.ingress.auth.callers import new_key
from gateway.ingress.auth.callers_file import CallersFile
from gateway.ingress.components import Components, KafkaSources
from local.collate.simulation import DEFAULT_KEY
from local.installation import PERMISSIONS
from local.issuer import LocalIssuer
from local.processes.patience import within
from runtime.health import Health
from runtime.http_server.connections import ConnectionLimits, Connections
from runtime.http_server.server import limited_protocol
from runtime.logs import configure_logs, get_log
from runtime.metrics import Metrics
from runtime.process import Process
from runtime.serving import serving
from runtime.settings import LogSettings, load_settings
from schemas.cloudevents import from_kafka
from schemas.records import read_command, write_dead_letter, write_dead_letter_ended, write_event
from tests.process.phi_keys import PHI_KEYS
from tests.unit.console.app import ORIGIN, console_settings

PARTITIONS = 12
HERE = "/collate-gateway/test"


@dataclass
class Written:
    offset: int


@dataclass
class Kafka:
    """Topics in memory, behind the protocols of the ingress."""

    commands: list = field(default_factory=list)
    events: dict = field(default_factory=lambda: {partition: [] for partition in range(PARTITIONS)})
    dead_letters: dict = field(default_factory=lambda: {partition: [] for partition in range(PARTITIONS)})
    dead_letters_unavailable: bool = False
    opened: list = field(default_factory=list)  # the partitions of each reader of dead letters
    is_away: bool = False
    is_silent: bool = False
    unconfirmed: list = field(default_factory=list)

    async def connect(self):
        await self.probe(self)
        return self

    async def probe(self, producer):
        if self.is_away:
            raise ConnectionError

    async def topic_id(self, producer):
        return "commands"

    async def drop(self, producer):
        pass

    async def send(self, topic, value, *, key, partition, headers):
        future = asyncio.get_running_loop().create_future()
        self.commands.append((partition, key, tuple(headers), value))
        if self.is_silent:
            self.unconfirmed.append(future)
        else:
            future.set_result(Written(len(self.commands) - 1))
        return future

    def confirm(self):
        for future in self.unconfirmed:
            if not future.done():
                future.set_result(Written(0))

    def read(self):
        """Return every command in the topic, as the worker reads it."""
        return [read_command(headers, value, PHI_KEYS) for _, _, headers, value in self.commands]

    def envelopes(self):
        return [from_kafka(headers, value) for _, _, headers, value in self.commands]

    def publish(self, event, partition=0):
        command_id = getattr(event.data, "command_id", None)
        event = replace(event, causation_id=event.causation_id or command_id)  # as the worker writes it
        headers, value = write_event(event, HERE)
        records = self.events[partition]
        records.append(Event(len(records), headers, value, partition, event.authorization_id.encode()))

    def add_dead_letter(self, dead_letter, partition=0):
        """Append a dead letter."""
        self._append(partition, write_dead_letter(dead_letter, HERE))

    def end(self, ended, partition=0):
        self._append(partition, write_dead_letter_ended("auth_1", ended, HERE))

    def _append(self, partition, record):
        records = self.dead_letters[partition]
        records.append(Event(len(records), *record))

    @asynccontextmanager
    async def open(self):
        yield Reader(self.events)

    @asynccontextmanager
    async def open_dead_letters(self, partitions):
        self.opened.append(list(partitions))
        topic = {partition: self.dead_letters[partition] for partition in partitions}
        yield Reader(topic, fails=lambda: self.dead_letters_unavailable)


@dataclass
class Event:
    offset: int
    headers: tuple
    value: bytes
    partition: int = 0
    key: bytes = b"auth_1"


@dataclass
class Reader:
    topic: dict
    at: dict = field(default_factory=dict)
    fails: Callable = bool

    def seek(self, positions):
        self.at = dict(positions)

    async def ends(self):
        return {partition: len(records) for partition, records in self.topic.items()}

    async def positions(self):
        return dict(self.at)

    async def read(self):
        await asyncio.sleep(0.002)
        if self.fails():
            raise ConnectionError
        batches = {partition: records[self.at[partition] :] for partition, records in self.topic.items()}
        self.at = await self.ends()
        return {partition: records for partition, records in batches.items() if records}


@dataclass
class Reply:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Door:
    """A server on this machine."""

    async def open(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def raw(self, data, *, half_close=False):
        """Send bytes and return the first reply."""
        reader, writer = await self.open()
        writer.write(data)
        if half_close:
            writer.write_eof()
        try:
            return await read_reply(reader)
        finally:
            writer.close()


@dataclass
class Ingress(Door):
    port: int
    key: str
    kafka: Kafka
    components: object
    process: Process
    settings: object
    callers_file: object
    stop: Callable
    limits: ConnectionLimits

    def lose_kafka(self):
        """From now on no broker responds, and the publisher knows it."""
        self.kafka.is_away = True
        self.components.publisher._set_unreachable("test")

    def use_callers(self, text):
        self.callers_file.write_text(text)
        assert self.components.callers.reread_if_changed()

    def add_callers(self, text):
        self.use_callers(f"{self.callers_file.read_text()}\n{text}")

    def metric(self, name, **labels):
        return self.process.registry.get_sample_value(f"collate_gateway_{name}", labels)

    def head(self, method, path, headers):
        known = {"host": "gateway", "authorization": f"Bearer {self.key}"}
        known |= {name.lower(): value for name, value in headers.items()}
        lines = [
            f"{method} {path} HTTP/1.1",
            *(f"{name}: {value}" for name, value in known.items() if value is not None),
        ]
        return ("\r\n".join(lines) + "\r\n").encode("latin-1")

    async def call(self, method, path, body=b"", headers=None):
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        given = {"content-type": "application/json", "content-length": str(len(body))} if body else {}
        own = {name.lower(): value for name, value in (headers or {}).items()}
        return await self.raw(self.head(method, path, given | own) + b"\r\n" + body)

    async def post(self, path, body=b"", key="k-1", **headers):
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call("POST", path, body, {"Idempotency-Key": key} | own)

    async def get(self, path, **headers):
        return await self.call("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def read_reply(reader):
    async with within(20):
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        headers = dict(re.findall(r"(?m)^([^:\r\n]+): (.*?)\r$", head.decode("latin-1")))
        body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(status, headers, body)


@pytest.fixture
def kafka():
    return Kafka()


@pytest.fixture
def settings_of():
    """Extra settings of a test, as environment variables."""
    return {}


@pytest.fixture
def stop_seconds():
    """The time that requests have after the stop, before the server cancels them."""
    return 5


@pytest.fixture
def body_seconds():
    """The time that a request has for its body: longer than a busy machine needs."""
    return 60.0


@pytest.fixture
def silent_kafka(ingress, kafka):
    """A Kafka that confirms nothing; the deadline of a publish is short. With `kafka.is_silent` alone it is long."""
    ingress.components.publisher._deadline_seconds, kafka.is_silent = 0.2, True


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer(["staff"]) as issuer:
        yield issuer


@asynccontextmanager
async def console_of(ingress, issuer, tmp_path, *routes, **own):
    """A browser at a console whose API is the ingress, and whose people sign in at the issuer."""
    (key_file := tmp_path / "cookie-key").write_text(secrets.token_urlsafe(32))
    settings = console_settings(
        api_url=f"http://127.0.0.1:{ingress.port}",
        trust_bearer=False,
        cookie_key_file=key_file,
        oidc_issuer=issuer.url,
        oidc_client_id="console",
        **own,
    )
    opened = {"sec-fetch-mode": "navigate", "sec-fetch-site": "same-origin", "accept": "text/html"}
    async with Api(settings.console) as api:
        app = create_app(settings, api, page_recorder(Metrics(CollectorRegistry()).console))
        app.router.routes.extend(routes)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ORIGIN, headers=opened) as browser:
            yield browser


@pytest.fixture
def lines():
    """The lines of the JSON log. Request this fixture before `ingress`."""
    out = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    configure_logs(LogSettings(), "ingress", out)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    structlog.reset_defaults()
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)


IMPATIENT = ConnectionLimits(head_seconds=0.5, idle_seconds=1.0, keepalive_seconds=0.0, drain_seconds=0.5)


@pytest.fixture
def limits():
    """The limits of a connection. Only tests that wait for a clock are `IMPATIENT`: a busy machine needs a minute."""
    return ConnectionLimits(head_seconds=60.0, keepalive_seconds=0.0)


class QuickAsyncio:
    """asyncio for uvicorn's server. A stop waits for two polls of 0.1 s, six hundred times in these tests."""

    def __getattr__(self, name):
        return getattr(asyncio, name)

    async def sleep(self, seconds):
        await asyncio.sleep(min(seconds, 0.01))


@pytest.fixture
async def ingress(
    kafka, collate, tmp_path, settings_of, *, stop_seconds, limits, body_seconds, eventually, monkeypatch
):
    monkeypatch.setattr(uvicorn.server, "asyncio", QuickAsyncio())
    monkeypatch.setattr("gateway.ingress.app.BODY_SECONDS", body_seconds)
    key = new_key()
    callers_file = tmp_path / "callers.toml"
    callers_file.write_text(f'[[caller]]\nname = "desk"\npermissions = {json.dumps(PERMISSIONS)}\n{key.entry}')
    (tmp_path / "collate.key").write_text(DEFAULT_KEY)
    settings = load_settings(
        {
            "GATEWAY_ENVIRONMENT": "test",
            "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:1",
            "GATEWAY_COLLATE__BASE_URL": collate.url,
            "GATEWAY_COLLATE__ALLOW_PLAIN_HTTP": "true",
            "GATEWAY_COLLATE__API_KEY_FILE": str(tmp_path / "collate.key"),
            "GATEWAY_INGRESS__CALLERS_FILE": str(callers_file),
            "GATEWAY_INGRESS__PUBLISH_DEADLINE": "60s",  # a test holds a publish as long as a busy machine needs
            "GATEWAY_TOPICS__PHI_KEY_FILE": str(callers_file),  # PHI_KEYS are in force
        }
        | settings_of,
        "ingress",
    )
    registry = CollectorRegistry()
    process = Process("ingress", Health(), Metrics(registry), registry, get_log())
    sources = KafkaSources(kafka, kafka.open, kafka.open, kafka.open_dead_letters)
    async with open_client(settings.collate, process.metrics.collate) as client:
        components = Components(settings, process, CallersFile(callers_file), client, sources, keys=PHI_KEYS)
        own = settings.ingress
        limits = replace(limits, connections=own.max_connections, connections_per_peer=own.max_connections_per_peer)
        connections = Connections("api", limits, process.metrics, process.health)
        runs = (
            components.deadlines.run(),
            connections.run(),
            components.publisher.run(),
            components.tail.run(),
            components.dead_letters.run(),
        )
        tasks = [asyncio.create_task(run) for run in runs]
        protocol = limited_protocol(api_port(connections, components.recorder))
        async with AsyncExitStack() as until_stop:
            server = serving(components.app, "127.0.0.1", 0, stop_seconds=stop_seconds, http=protocol)
            listening = await until_stop.enter_async_context(server)
            await eventually(
                lambda: (
                    components.publisher.is_up and components.tail.is_caught_up and components.dead_letters.is_caught_up
                )
            )
            until_stop.callback(components.streams.stop)
            until_stop.callback(components.waiters.release)
            until_stop.callback(kafka.confirm)
            stop = until_stop.aclose
            yield Ingress(listening.port, key.key, kafka, components, process, settings, callers_file, stop, limits)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await components.publisher.close()
