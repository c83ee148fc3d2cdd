"""Real Apache Kafka on this machine, without Docker and without a system Java: one or three combined nodes.

    with Cluster(brokers=1) as cluster:
        connect_to(cluster.bootstrap)

The class is synchronous, for fixtures, the CLI and chaos tests. It owns the nodes' processes. `local.processes.run`
removes all of them however this process ends.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from local.failures import StartFailed
from local.kafka import readiness, storage
from local.kafka.broker import Node
from local.kafka.class_archive import class_archive
from local.kafka.jars import fetch, read_lock, require_space
from local.processes.cache import cache_directory
from local.processes.logs import failure
from local.processes.memory import data_directory
from local.processes.patience import Patience, slowness
from local.processes.ports import free_ports
from local.processes.run import Run, stop

if TYPE_CHECKING:
    import subprocess

READY_WITHIN_SECONDS = 90.0
STOPPED_WITHIN_SECONDS = 15.0
POLL_SECONDS = 0.05
TRIES = 3
SPACE_PER_NODE = 200 << 20


class Cluster:
    """A cluster whose nodes start together and can be stopped and started one by one. `close` removes all of them.

    `properties` replace the defaults of each broker, e.g. `{"broker.session.timeout.ms": "3000"}`. `port` is the first
    broker's port; the others have the next ports. `long_lived` brokers start more slowly and, after some minutes, are
    as fast as in production: use them for measurements.
    """

    def __init__(
        self,
        brokers: int = 1,
        *,
        properties: Mapping[str, str] | None = None,
        heap: str = "512m",
        port: int | None = None,
        long_lived: bool = False,
    ) -> None:
        self.brokers = range(brokers)
        self._properties = dict(properties or {})
        self._heap = heap
        self._long_lived = long_lived
        self._port = port
        self._cluster_id = storage.random_id()
        self._jars: list[Path] = []
        self._archive: Path | None = None
        self._nodes: list[Node] = []
        self._processes: dict[int, subprocess.Popen[bytes]] = {}
        self._run: Run | None = None

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers, comma-separated."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self._nodes)

    def open(self) -> Self:
        """Start all nodes and return when they are ready.

        Raises LocalError if a node could not start. The message has the ends of its logs.
        """
        self._jars = fetch(read_lock(), cache_directory() / "jars")
        # The archive belongs to the options of a short-lived node.
        self._archive = None if self._long_lived else class_archive(self._jars)
        for tries_left in reversed(range(TRIES)):
            try:
                self._open()
            except BaseException as error:
                # A free port can be taken by another process before the broker listens on it.
                may_retry = isinstance(error, StartFailed) and any(node.lost_its_port() for node in self._nodes)
                self.close()
                if not (may_retry and tries_left and self._port is None):
                    raise
            else:
                break
        return self

    def start(self, index: int, *, wait: bool = True) -> None:
        """Start a killed or stopped node with its existing data."""
        self._launch(index)
        if wait:
            self._await_ready([index])

    def revive(self, index: int) -> None:
        """Start a killed node as soon as the others have removed it, and return when it is ready.

        A node that starts earlier acts on its last metadata: as a transaction coordinator it can commit a part of a
        transaction that its successor aborts (docs/kafka-notes.md).
        """
        patience = Patience(READY_WITHIN_SECONDS)
        others = [node for node in self._nodes if self.is_running(node.number - 1)]
        while any(readiness.lists(node.port, self._nodes[index].number) for node in others):
            if patience.is_over:
                raise self._failure(index, f"after {READY_WITHIN_SECONDS:.0f} s the others still list it")
            time.sleep(POLL_SECONDS)
        self.start(index)

    def kill(self, index: int, sig: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal. If the signal ends or stops the process, return when it has ended or stopped."""
        process = self._processes[index]
        process.send_signal(sig)
        if sig in {signal.SIGKILL, signal.SIGTERM}:
            process.wait(STOPPED_WITHIN_SECONDS * slowness())
        elif sig is signal.SIGSTOP and process.poll() is None:
            # On a busy machine the threads of a broker run on for a moment, and could answer a request.
            os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def stop(self, index: int) -> None:
        """Stop a node in order; kill it if that takes too long."""
        stop([self._processes[index]], STOPPED_WITHIN_SECONDS * slowness())

    def volume(self, index: int) -> Path:
        """Return the directory of a node's storage."""
        return self._nodes[index].data

    def is_running(self, index: int) -> bool:
        """Whether a node's process exists."""
        return self._processes[index].poll() is None

    def pid(self, index: int) -> int:
        """Return the id of a node's process."""
        return self._processes[index].pid

    def await_ready(self) -> None:
        """Return when every running node is ready."""
        self._await_ready([index for index in self.brokers if self.is_running(index)])

    def topic_bytes(self) -> dict[str, int]:
        """Return the size of each topic's files on all nodes."""
        sizes: dict[str, int] = {}
        for node in self._nodes:
            for directory in node.data.glob("*-[0-9]*"):
                topic = directory.name.rpartition("-")[0]
                for file in directory.glob("*.log"):
                    # Kafka may remove a file meanwhile.
                    with contextlib.suppress(OSError):
                        sizes[topic] = sizes.get(topic, 0) + file.stat().st_size
        return sizes

    def save_logs(self, directory: Path) -> None:
        """Copy the log and the topics of all nodes, as they are on disk, below a directory.

        kafka-dump-log.sh reads the topics.
        """
        ignored = shutil.ignore_patterns("*.index", "*.timeindex", "*.snapshot")
        for node in self._nodes:
            for topic in node.data.glob("*-[0-9]*"):
                # Kafka may remove a file meanwhile. The others are copied.
                with contextlib.suppress(shutil.Error):
                    shutil.copytree(topic, directory / node.directory.name / topic.name, ignore=ignored)
            shutil.copy(node.log, directory / node.directory.name)

    def close(self) -> None:
        """Kill all nodes and remove their data, for which no orderly stop is needed."""
        if self._run is not None:
            self._run.close(0)
            self._run = None

    def _open(self) -> None:
        self._run = Run("kafka", data_directory())
        require_space(self._run.directory, SPACE_PER_NODE * len(self.brokers))
        self._nodes = self._plan_nodes(self._run.directory)
        for node in self._nodes:
            node.write(self._nodes, self._jars, self._properties, self._archive)
        self._format(self._run)
        for index in self.brokers:
            self._launch(index)
        self._await_ready(self.brokers)

    def _plan_nodes(self, directory: Path) -> list[Node]:
        ports = free_ports(2 * len(self.brokers))
        clients, controllers = ports[::2], ports[1::2]
        if self._port is not None:
            clients = [self._port + index for index in self.brokers]
        return [
            Node(index + 1, directory / f"node{index + 1}", clients[index], controllers[index])
            for index in self.brokers
        ]

    def _format(self, run: Run) -> None:
        template = storage.template_of(self._jars)
        if template.exists():
            for node in self._nodes:
                storage.copy(template, node, self._cluster_id)
            return
        tools = [run.spawn(node.format_command(self._cluster_id), log=node.output) for node in self._nodes]
        for index, tool in enumerate(tools):
            if tool.wait(READY_WITHIN_SECONDS * slowness()):
                raise self._failure(index, "its storage could not be formatted")
        storage.keep(template, self._nodes[0])

    def _launch(self, index: int) -> None:
        if self._run is None:
            raise StartFailed("The cluster is closed.")
        node = self._nodes[index]
        self._processes[index] = self._run.spawn(
            node.start_command(self._heap, long_lived=self._long_lived), log=node.output
        )

    def _await_ready(self, indices: Iterable[int]) -> None:
        patience = Patience(READY_WITHIN_SECONDS)
        running = sum(self.is_running(index) for index in self._processes)
        for index in indices:
            node = self._nodes[index]
            while (missing := readiness.check(node.port, node.number, running)) is not None:
                if (code := self._processes[index].poll()) is not None:
                    raise self._failure(index, f"it ended with exit code {code}")
                if patience.is_over:
                    raise self._failure(index, f"after {READY_WITHIN_SECONDS:.0f} s {missing}")
                time.sleep(POLL_SECONDS)

    def _failure(self, index: int, why: str) -> StartFailed:
        node = self._nodes[index]
        return failure(f"kafka-{node.number}", why, node.logs)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *_: object) -> None:
        self.close()
