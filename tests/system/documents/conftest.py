"""A reader with an empty directory, a cluster, administration of a secured Kafka, a Collate and a PostgreSQL."""

import subprocess

import pytest

from local.kafka.broker import java
from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory
from local.processes.run import Run
from tests.system.documents.kubernetes import Kubernetes
from tests.system.documents.reader import Reader

# The jars that Kafka's tool needs. With only these, and a class cache for its nine runs, it takes half the time.
JARS = ("kafka-tools", "kafka-clients", "kafka-server", "kafka-server-common", "jopt-simple", "slf4j-api")
PROCESSES = ("ingress", "worker", "projector", "topics")
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
ADMINISTRATOR = """security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config={scram} required username="gateway" password="{password}";
ssl.truststore.type=PEM
ssl.truststore.location={authorities}
"""


@pytest.fixture
def run():
    """A run that starts the installed program, as a reader does."""
    with Run("test") as run:
        yield run


@pytest.fixture
def kafka_acls_tool(to_secured, tmp_path):
    """Create kafka-acls.sh and the properties file of an administrator."""
    jars = fetch([jar for jar in read_lock() if jar.artifact in JARS], cache_directory() / "jars")
    tool = tmp_path / "kafka-acls.sh"
    kept = f"-XX:+AutoCreateSharedArchive -XX:SharedArchiveFile={tmp_path / 'classes.jsa'}"
    options = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:-UsePerfData -Xlog:disable -Xlog:all=off {kept}"
    tool.write_text(
        f'#!/bin/sh\nexec {java()} {options} -cp "{":".join(map(str, jars))}" org.apache.kafka.tools.AclCommand "$@"\n'
    )
    tool.chmod(0o755)
    own = to_secured("SASL_SSL")
    (tmp_path / "admin.properties").write_text(
        ADMINISTRATOR.format(scram=SCRAM, password=own.password_file.read_text().strip(), authorities=own.ca_file)
    )
    return tool


@pytest.fixture
def kafka_secrets(to_secured):
    """The Secrets that the administrator of Kafka creates."""
    users = {process: to_secured("SASL_SSL", user=f"gateway-{process}") for process in PROCESSES}
    return {
        f"kafka-gateway-{process}": {"password": settings.password_file.read_bytes()}
        for process, settings in users.items()
    } | {"kafka-cluster-ca": {"ca.crt": users["worker"].ca_file.read_bytes()}}


@pytest.fixture
def overrides(to_secured, collate):
    """The settings of this machine that differ from the guide's values."""
    return {
        "GATEWAY_KAFKA__BOOTSTRAP": ",".join(to_secured("SASL_SSL").bootstrap),
        "GATEWAY_TOPICS__REPLICATION": "1",
        "GATEWAY_TOPICS__MIN_INSYNC": "1",
        "GATEWAY_COLLATE__BASE_URL": collate.url,
        "GATEWAY_COLLATE__ALLOW_PLAIN_HTTP": "true",
        "GATEWAY_INGRESS__HOST": "127.0.0.1",
        "GATEWAY_ADMIN__HOST": "127.0.0.1",
    }


@pytest.fixture
def reader(tmp_path, run, overrides, kafka_secrets, kafka_acls_tool):
    assert kafka_acls_tool.parent == tmp_path, "the reader finds the tool in its directory"
    reader = Reader(tmp_path, Kubernetes(tmp_path, run, overrides, kafka_secrets))
    reader.replacements = {
        "kafka-0.example.com:9093,kafka-1.example.com:9093": overrides["GATEWAY_KAFKA__BOOTSTRAP"],
    }
    reader.write_values()
    return reader


@pytest.fixture
def acls(reader):
    """Return a function that runs the output of `gateway topics acls`, as an administrator does."""

    def run(script):
        done = subprocess.run(
            ["sh", "-ec", script],
            env=reader.environ,
            cwd=reader.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
