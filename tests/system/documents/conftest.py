"""A reader with an empty directory, a cluster, a secured Kafka whose administrator he is, a Collate, a PostgreSQL."""

import subprocess

import pytest

from local.kafka.broker import java
from local.kafka.jars import fetch, read_lock
from local.processes.cache import cache_directory
from tests.system.documents.kubernetes import Kubernetes
from tests.system.documents.reader import Reader

# What Kafka's tool needs of Kafka; without the rest, and with its classes kept between its nine runs, it costs half.
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
def administrator_s_tool(to_secured, tmp_path):
    """Kafka's own kafka-acls.sh, and the properties with which an administrator runs it."""
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
def handed_over(to_secured):
    """The Secrets that whoever runs Kafka makes."""
    users = {process: to_secured("SASL_SSL", user=f"gateway-{process}") for process in PROCESSES}
    return {
        f"kafka-gateway-{process}": {"password": settings.password_file.read_bytes()}
        for process, settings in users.items()
    } | {"kafka-cluster-ca": {"ca.crt": users["worker"].ca_file.read_bytes()}}


@pytest.fixture
def here(to_secured, collate):
    """What differs on this machine from what the guide's values say."""
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
def reader(tmp_path, run, here, handed_over, administrator_s_tool):
    assert administrator_s_tool.parent == tmp_path, "he finds it in his directory"
    reader = Reader(tmp_path, Kubernetes(tmp_path, run, here, handed_over))
    reader.stands_for = {
        "kafka-0.example.com:9093,kafka-1.example.com:9093": here["GATEWAY_KAFKA__BOOTSTRAP"],
    }
    reader.keep_values()
    return reader


@pytest.fixture
def acls(reader):
    """Run what `gateway topics acls` has printed, as an administrator would."""

    def run(script):
        done = subprocess.run(
            ["sh", "-ec", script],
            env=reader.environ,
            cwd=reader.directory,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run
