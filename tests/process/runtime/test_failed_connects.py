"""Every kind of connect that has a deadline closes its socket when it fails; the garbage collector is off.

Almost always at once. But a cancellation in the same step of the loop as the end of a TLS handshake makes the loop's
own `create_connection` close politely: asyncio and uvloop then wait up to 30 s for the peer's end of TLS.
The error is kept while the sockets are compared, so no reference count closes a socket by chance.
"""

import asyncio
import gc
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import pytest
import uvloop
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from adapters.collate.proxy import ProxyTunnel
from adapters.collate.transport import CollateTransport
from adapters.http_connection.connection import Limits
from adapters.kafka.clients import bounded_stop, connection
from adapters.kafka.cluster import open_cluster
from adapters.kafka.topic_reader import open_reader, partitions_of
from adapters.postgres.database import connected
from adapters.postgres.migrate import migrate
from adapters.postgres.reader import ReadModelReader
from adapters.webhooks.addresses import AddressPolicy
from adapters.webhooks.target import read_target
from adapters.webhooks.transport import WebhookTransport
from collate_gateway_client import AsyncGateway, Gateway, RetryPolicy
from collate_gateway_client.operations import read_me, stream_events
from console.api import Api
from console.person import SignedInPerson, SignInWay
from consumers.engine.kafka.clients import group_consumer
from consumers.engine.settings import EngineSettings
from gateway.ingress.commands.producers import Producers
from runtime.http_client import HttpClient, HttpProxy
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import ConsoleSettings, KafkaSettings, ReadModelSettings
from runtime.tracing.otlp import Sender

POLITE_SECONDS = 35
CERTIFICATE = Path(__file__).parents[1] / "collate" / "localhost.pem"
LIMITS = Limits(0.2, 0.2, 0.2, 0.2, 1_000)
PERSON = SignedInPerson("jo", frozenset(), SecretStr("token"), SignInWay.oidc)
ONE_TRY = RetryPolicy(attempt_seconds=0.2, deadline_seconds=0.2)

# What each peer sends after the first bytes. Then it is silent.
ANSWERS = {
    "silent": b"",
    "versions": bytes.fromhex("0000001c 00000001 0000 00000003 0003 0000 0001 0012 0000 0001 0000 0000 0001"),
    "login": b"R\0\0\0\x08\0\0\0\0" + b"S\0\0\0\x19client_encoding\0UTF8\0" + b"Z\0\0\0\x05I",
    "tunnel": b"HTTP/1.1 200 OK\r\n\r\n",
    "head": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
}
# A process of its own, because this process counts its sockets.
PEER = """
import socket, ssl, sys, threading

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
held = []

def serve(connection, is_tls, answer):
    held.append(connection)
    try:
        if is_tls:
            held.append(connection := context.wrap_socket(connection, server_side=True))
        if connection.recv(65536) and answer:
            connection.sendall(answer)
    except OSError:
        pass

def listen(is_tls, answer):
    server = socket.create_server(("127.0.0.1", 0))
    held.append(server)
    def accept():
        while True:
            threading.Thread(target=serve, args=(server.accept()[0], is_tls, answer), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
    return server.getsockname()[1]

print(*(listen(bool(int(one[0])), bytes.fromhex(one[1:])) for one in sys.argv[2:]), flush=True)
sys.stdin.read()
"""


class Peer(NamedTuple):
    port: int
    tls: bool
    folder: Path

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"http{'s' * self.tls}://{self.host}"

    @property
    def ca(self) -> Path | None:
        return CERTIFICATE if self.tls else None

    @property
    def readmodel(self) -> ReadModelSettings:
        dsn = self.folder / "dsn"
        # Two hosts: a failed attempt is also one before the last.
        dsn.write_text(
            f"host=127.0.0.1,127.0.0.1 port={self.port} dbname=x user=x connect_timeout=2 "
            f"sslmode={'require' if self.tls else 'disable'} gssencmode=disable"
        )
        return ReadModelSettings(dsn_file=dsn)

    @property
    def kafka(self) -> KafkaSettings:
        return KafkaSettings(
            bootstrap=[self.host],
            security="SSL" if self.tls else "PLAINTEXT",
            ca_file=self.ca,
        )


async def database(peer: Peer) -> None:
    async with connected(peer.readmodel, "public", "check database", statement_seconds=1):
        pass


async def reader(peer: Peer) -> None:
    await ReadModelReader(peer.readmodel, Metrics(CollectorRegistry()).readmodel, get_log()).run()


async def migration(peer: Peer) -> None:
    migrate(peer.readmodel)


async def collate(peer: Peer) -> None:
    async with aclosing(CollateTransport(peer.url, LIMITS, ca_file=peer.ca)) as transport:
        await transport.call("GET", "/")


async def collate_through_a_proxy(peer: Peer) -> None:
    proxy = ProxyTunnel(f"http://{peer.host}")
    async with aclosing(CollateTransport("https://collate.example", LIMITS, proxy=proxy)) as transport:
        await transport.call("GET", "/")


async def receiver(peer: Peer) -> None:
    policy = AddressPolicy((ip_network("127.0.0.0/8"), ip_network("::1")))
    target = read_target(peer.url, allow_plain_http=True)
    async with aclosing(WebhookTransport(target, LIMITS, policy, ca_file=peer.ca)) as transport:
        await transport.post([], b"{}")


async def http(peer: Peer) -> None:
    HttpClient(peer.url, seconds=0.2, max_bytes=1_000).send("GET", peer.url)


async def http_through_a_proxy(peer: Peer) -> None:
    proxy = HttpProxy(f"http://{peer.host}")
    url = "https://issuer.example/keys"
    HttpClient(url, seconds=0.2, max_bytes=1_000, proxy=proxy).send("GET", url)


async def console(peer: Peer) -> None:
    settings = ConsoleSettings(api_url=peer.url, api_ca_file=peer.ca)
    async with Api(settings, seconds=0.2) as api:
        raise AssertionError(await api.send(PERSON, read_me()))


async def consoles_stream(peer: Peer) -> None:
    settings = ConsoleSettings(api_url=peer.url, api_ca_file=peer.ca)
    async with Api(settings, seconds=0.2) as api, api.stream(PERSON, stream_events()) as opened:
        raise AssertionError(opened)


async def client(peer: Peer) -> None:
    async with AsyncGateway(peer.url, "key", retries=ONE_TRY, ca_file=peer.ca) as gateway:
        await gateway.overview()


async def clients_raw_stream(peer: Peer) -> None:
    async with (
        AsyncGateway(peer.url, "key", retries=ONE_TRY, ca_file=peer.ca) as gateway,
        gateway.stream(stream_events(), silence=0.2),
    ):
        raise AssertionError


async def clients_stream(peer: Peer) -> None:
    async with (
        AsyncGateway(peer.url, "key", retries=ONE_TRY) as gateway,
        gateway.events(give_up_after=0, silence=0.2) as events,
    ):
        await anext(aiter(events))


async def synchronous_clients_stream(peer: Peer) -> None:
    with (
        Gateway(peer.url, "key", retries=ONE_TRY) as gateway,
        gateway.events(give_up_after=0, silence=0.2) as events,
    ):
        next(iter(events))


async def traces(peer: Peer) -> None:
    if Sender(peer.url, 0.2, Metrics(CollectorRegistry()).process).export(()).name == "FAILURE":
        raise ConnectionError


async def kafka_cluster(peer: Peer) -> None:
    async with open_cluster(peer.kafka, 0.3):
        pass


async def kafka_reader(peer: Peer) -> None:
    async with open_reader(peer.kafka, partitions_of("t", 1)):
        pass


async def kafka_producer(peer: Peer) -> None:
    await Producers(peer.kafka, "t", linger_seconds=0).connect()


async def kafka_engine(peer: Peer) -> None:
    consumer = group_consumer(EngineSettings("t", "s", 1, "g", lambda: connection(peer.kafka)))
    try:
        await consumer.start()
    finally:
        await bounded_stop(consumer)


# "refuses": no process listens there. "silent-tls" never answers the handshake; "tls-…" answers after the handshake.
HTTP = ("refuses", "silent", "silent-tls", "head", "tls-silent")
POSTGRES = ("refuses", "silent", "silent-tls", "login")
KAFKA = ("refuses", "silent", "silent-tls", "versions", "tls-silent", "tls-versions")
PROXY = ("refuses", "silent", "tunnel")
OWN, CANCELLED = "own deadline", "cancelled"
KINDS = [
    (database, POSTGRES[:3], (OWN,)),
    (database, POSTGRES, (CANCELLED,)),
    (reader, POSTGRES, (CANCELLED,)),
    (migration, POSTGRES[:2], (OWN,)),
    (collate, HTTP, (OWN, CANCELLED)),
    (collate_through_a_proxy, PROXY, (OWN, CANCELLED)),
    (receiver, HTTP, (OWN, CANCELLED)),
    (http, HTTP[:4], (OWN,)),
    (http_through_a_proxy, PROXY, (OWN,)),
    (console, HTTP, (OWN, CANCELLED)),
    (consoles_stream, ("refuses", "silent", "silent-tls", "tls-silent"), (OWN, CANCELLED)),
    (client, HTTP, (OWN, CANCELLED)),
    (clients_raw_stream, ("refuses", "silent", "silent-tls", "tls-silent"), (OWN, CANCELLED)),
    (clients_stream, HTTP[:4], (OWN, CANCELLED)),
    (synchronous_clients_stream, HTTP[:4], (OWN,)),
    (traces, HTTP[:3], (OWN,)),
    (kafka_cluster, KAFKA, (OWN, CANCELLED)),
    (kafka_reader, KAFKA, (CANCELLED,)),
    (kafka_producer, KAFKA, (CANCELLED,)),
    (kafka_engine, KAFKA, (CANCELLED,)),
]


@pytest.fixture(scope="module")
def ports():
    """The port of each peer."""
    names = [f"{tls}{answer}" for answer in ANSWERS for tls in ("", "tls-")]
    peers = [f"{int(name.startswith('tls-'))}{ANSWERS[name.removeprefix('tls-')].hex()}" for name in names]
    with (
        socket.socket() as refusing,
        subprocess.Popen(
            [sys.executable, "-c", PEER, CERTIFICATE, *peers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
    ):
        refusing.bind(("127.0.0.1", 0))
        found = dict(zip(names, map(int, process.stdout.readline().split()), strict=True))
        yield found | {"silent-tls": found["silent"], "refuses": refusing.getsockname()[1]}
        process.communicate()


@pytest.fixture
def _short_requests(monkeypatch):
    monkeypatch.setattr("adapters.kafka.clients.REQUEST_SECONDS", 1.0)


def open_sockets() -> set[str]:
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory itself
            found.add(str(entry.readlink()))
    return {name for name in found if name.startswith("socket:")}


async def fail(connect: Callable[[Peer], Awaitable[None]], peer: Peer, end: str) -> BaseException:
    try:
        async with asyncio.timeout(0.1 if end == CANCELLED else None):
            await connect(peer)
    except Exception as error:  # noqa: BLE001 - each kind has errors of its own
        return error
    raise AssertionError("the connect did not fail")


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
@pytest.mark.parametrize(
    "failure",
    [
        pytest.param((connect, peer, end), id=f"{connect.__name__}-{peer}-{end}")
        for connect, peers, ends in KINDS
        for peer in peers
        for end in ends
        if end == OWN or peer != "refuses"
    ],
)
@pytest.mark.usefixtures("_short_requests")
def test_a_failed_connect_closes_its_socket(ports, tmp_path, eventually, loop, failure):
    connect, peer, end = failure

    async def fails() -> None:
        before = open_sockets()
        kept = await fail(connect, Peer(ports[peer], "tls" in peer, tmp_path), end)
        # An earlier test's socket may end now, so the names are compared, not their number.
        await eventually(lambda: open_sockets() <= before, within=POLITE_SECONDS)
        assert kept is not None

    gc.disable()
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(fails())
    finally:
        gc.enable()
