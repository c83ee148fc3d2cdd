"""A broker with every kind of listener, which also creates any topic that is asked for, as badly run clusters do."""

import asyncio
import contextlib
import subprocess

import pytest

from gateway.runtime.settings import KafkaSettings

PASSWORD = "right-password"
STORE = "store-password"
_MECHANISM = "scram-sha-512"
_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule required;"


@pytest.fixture(scope="session")
def secured(tmp_path_factory):
    from local.broker import java  # noqa: PLC0415 - unit tests must not pay for it
    from local.kafka import Cluster, StartFailed  # noqa: PLC0415 - as above
    from local.ports import free_ports  # noqa: PLC0415 - as above

    keys = tmp_path_factory.mktemp("keys")
    keytool = [java().with_name("keytool"), "-keystore", keys / "store.p12", "-storepass", STORE, "-alias", "broker"]
    make = ["-genkeypair", "-keyalg", "RSA", "-dname", "CN=broker", "-ext", "san=ip:127.0.0.1", "-storetype", "PKCS12"]
    subprocess.run([*keytool, *make], check=True, capture_output=True)
    subprocess.run([*keytool, "-exportcert", "-rfc", "-file", keys / "ca.pem"], check=True, capture_output=True)

    class Secured(Cluster):
        """One broker, with a user `gateway`."""

        ca_file = keys / "ca.pem"

        def _lay_out(self, directory):
            (node,) = nodes = super()._lay_out(directory)
            names = ("SSL", "SASL_SSL", "SASL_PLAINTEXT")
            self.ports = {"PLAINTEXT": node.port, **dict(zip(names, free_ports(3), strict=True))}
            clients = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
            self._properties |= {
                "auto.create.topics.enable": "true",
                "listeners": f"{clients},CONTROLLER://127.0.0.1:{node.controller_port}",
                "advertised.listeners": clients,
                "listener.security.protocol.map": ",".join(f"{name}:{name}" for name in self.ports)
                + ",CONTROLLER:PLAINTEXT",
                "ssl.keystore.location": str(keys / "store.p12"),
                "ssl.keystore.type": "PKCS12",
                "ssl.keystore.password": STORE,
                "sasl.enabled.mechanisms": "SCRAM-SHA-512",
                f"listener.name.sasl_ssl.{_MECHANISM}.sasl.jaas.config": _LOGIN,
                f"listener.name.sasl_plaintext.{_MECHANISM}.sasl.jaas.config": _LOGIN,
            }
            return nodes

        def _format(self, run):
            user = f"SCRAM-SHA-512=[name=gateway,password={PASSWORD}]"
            for node in self._nodes:
                command = [*node.format_command(self._jars, self._cluster_id), "--add-scram", user]
                if run.spawn(command, log=node.output).wait(60):
                    raise StartFailed(node.tail())

    with Secured(brokers=1) as cluster:
        yield cluster


@pytest.fixture
def to_secured(secured, tmp_path):
    """Make the settings that reach the secured broker over one kind of listener, with changes."""

    def settings(security, *, password=PASSWORD, **changes):
        written = tmp_path / "password"
        written.write_text(f"{password}\n")
        options = {"bootstrap": (f"127.0.0.1:{secured.ports[security]}",), "security": security}
        if security.startswith("SASL"):
            options |= {"username": "gateway", "password_file": written}
        if security.endswith("SSL"):
            options["ca_file"] = secured.ca_file
        return KafkaSettings(**{**options, **changes})

    return settings


@pytest.fixture
async def late_port(kafka):
    """A port where nothing listens until the function beside it is called; then it leads to Kafka."""
    from local.ports import free_ports  # noqa: PLC0415 - as above

    (port,) = free_ports(1)
    host, _, broker = kafka.split(",")[0].rpartition(":")
    servers = []

    async def pipe(reader, writer):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def lead(reader, writer):
        there_reader, there_writer = await asyncio.open_connection(host, int(broker))
        await asyncio.gather(pipe(reader, there_writer), pipe(there_reader, writer))

    async def arrive():
        servers.append(await asyncio.start_server(lead, "127.0.0.1", port))

    yield port, arrive
    for server in servers:
        server.close()
