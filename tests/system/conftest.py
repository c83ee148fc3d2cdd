"""Fixtures for tests with real processes of the gateway."""

import asyncio

import pytest

from local.installation import Installation
from runtime.settings import KafkaSettings
from tests.preloaded import PreloadedRun


@pytest.fixture
def run(prefix):
    """A temporary directory and processes that are killed at the end of the test, before their topics are deleted."""
    with PreloadedRun("test") as run:
        yield run
        run.close(0)


@pytest.fixture
def install(run, prefix, collate):
    """Make a gateway over this Kafka and a simulated Collate: its topics exist, and its tables if it has a database.

    `installed = await install(kafka, settings=…)`; `installed.caller_key` may do everything.
    """

    async def install(bootstrap, **options):
        options = {"collate_url": collate.url, "prefix": prefix} | options
        installed = Installation(run, bootstrap=bootstrap, **options)
        await asyncio.to_thread(installed.apply_topics)
        if options.get("database") is not None:
            await asyncio.to_thread(installed.migrate)
        return installed

    return install


@pytest.fixture
async def installation(install, kafka):
    """An installation whose processes are for the test to start: `ingress = await start(installation, "ingress")`."""
    return await install(kafka)


@pytest.fixture
def start():
    """Start a process of an installation and wait until it is ready, without holding up the loop Collate runs on."""

    async def start(installation, verb, name=None):
        program = installation.start(verb, name)
        await asyncio.to_thread(program.await_ready)
        return program

    return start


@pytest.fixture(scope="session")
def proxied_brokers():
    """Three brokers behind proxies that know frames. A consumer with a zone reads from the replica in it."""
    from local.kafka.frame_proxy import FrameProxies  # noqa: PLC0415 - unit tests must not pay for it
    from local.kafka.proxied import ProxiedCluster  # noqa: PLC0415 - as above

    selector = {"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}
    with ProxiedCluster(FrameProxies(), heap="384m", properties=selector) as cluster:
        yield cluster


@pytest.fixture
def proxied(proxied_brokers, killed_clients_are_collected):
    """`proxied_brokers`, whose proxies pass everything on before and after each test."""
    from local.kafka.frame_rules import FrameRules, LateCommits  # noqa: PLC0415 - as above

    yield proxied_brokers
    proxies = proxied_brokers.proxies
    proxies.rules, proxies.late_commits = FrameRules(), LateCommits(0.0)


PASSWORD = "right-password"
USERS = ("gateway", "ingress", "worker", "projector", "deliverer", "topics", "promises", "stranger")
IN_THE_DOCUMENTS = ("gateway-ingress", "gateway-worker", "gateway-projector", "gateway-topics")


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    """A broker with every kind of listener and an authorizer; `gateway` may do everything there, others nothing.

    It creates any topic that is asked for by somebody who may, as badly run clusters do.
    """
    from local.kafka.secured import SecuredCluster  # noqa: PLC0415 - unit tests must not pay for it

    with SecuredCluster(
        tmp_path_factory.mktemp("secured"),
        dict.fromkeys(USERS + IN_THE_DOCUMENTS, PASSWORD),
        super_users=["gateway"],
        # Clients can't renew a login, so the broker drops them every few seconds, as clusters with such a limit do.
        properties={"auto.create.topics.enable": "true", "listener.name.sasl_ssl.connections.max.reauth.ms": "4000"},
    ) as cluster:
        yield cluster


@pytest.fixture
def to_secured(secured, tmp_path):
    """Make the settings that reach the secured broker over one kind of listener, with changes.

    `to_secured("SASL_SSL", user="worker")`; SASL_SSL with `mechanism="OAUTHBEARER"` finds a token in `token_file`.
    """

    def settings(security, *, user="gateway", password=PASSWORD, **changes):
        options = {"bootstrap": (f"127.0.0.1:{secured.ports[security]}",), "security": security}
        if changes.get("mechanism") == "OAUTHBEARER":
            options["token_file"] = tmp_path / f"{user}.token"
            options["token_file"].write_text(secured.tokens.token(user))
        elif security.startswith("SASL"):
            options |= {"username": user, "password_file": tmp_path / f"{user}.password"}
            options["password_file"].write_text(f"{password}\n")
        if security.endswith("SSL"):
            options["ca_file"] = secured.ca_file
        if security == "SSL":
            options |= {"certificate_file": tmp_path / f"{user}.crt", "key_file": tmp_path / f"{user}.key"}
            secured.authority.issue(user, options["certificate_file"], options["key_file"])
        return KafkaSettings(**{**options, **changes})

    return settings
