"""Kafka 4.4 can tear a transaction: a coordinator that starts too soon commits a part of what its successor aborts.

    python -m tests.chaos.stale_coordinator twice|late

1. A transaction has written `te` (led by its coordinator C) and `ts` (led by another broker). Its EndTxn(commit)
   reaches C, which appends PrepareCommit to its own log and is killed before a follower has fetched it. The next
   coordinator finds the transaction open.
2. C starts again within its session. Its first metadata still calls it the coordinator, of the old epoch. It loads its
   own log to the end, not to the high watermark, finds PrepareCommit and sends commit markers. The leader of `ts`
   accepts its marker.
3. The next owner of the id calls InitProducerId: the next coordinator aborts the transaction. `te` is aborted, `ts`
   stays committed.

twice: C is killed once more before it hears of its successor. Without this the marker of `te` is a race.
late:  C starts after its session has ended: nothing is torn.
If `te 2` is visible too, a follower had fetched the commit: run it again.
"""

import asyncio
import logging
import signal
import sys
import time
from contextlib import suppress

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaError

from adapters.kafka.aiokafka_internals import sender_task, transaction_coordinator
from consumers.engine.kafka import transaction_requests
from consumers.engine.kafka.direct_transaction import DirectTransaction
from local.judge.whole_topic import read_topic
from local.kafka.nodes import Cluster

SESSION_SECONDS = 45.0
TOPICS = ("te", "ts")
# Longer than a follower's fetch waits at the coordinator: none takes the commit along.
NO_FETCH_SECONDS = 4.0


async def create_topics(cluster, coordinator, others):
    first, second = others
    admin = AIOKafkaAdminClient(bootstrap_servers=cluster.bootstrap)
    await admin.start()
    replicas = {"te": [coordinator, first, second], "ts": [first, second, coordinator]}
    await admin.create_topics(
        [
            NewTopic(name, -1, -1, replica_assignments={0: nodes}, topic_configs={"min.insync.replicas": "2"})
            for name, nodes in replicas.items()
        ]
    )
    await admin.close()
    await asyncio.sleep(1)


async def write(producer, transaction, number):
    batches = {}
    for topic in TOPICS:
        batch = producer.create_batch()
        value = f"{topic} {number}".encode()
        batch.append(timestamp=int(time.time() * 1_000), key=b"k", value=value)
        batches[topic] = [batch]
    await transaction.write(batches, 0)


async def lose_the_commit(cluster, producer, transaction, coordinator, others):
    """Kill the coordinator after it has appended the commit, and before a follower has it."""
    for node in others:
        cluster.kill(node - 1, signal.SIGSTOP)
    await asyncio.sleep(NO_FETCH_SECONDS)
    request = transaction_requests.commit(transaction.identity)
    commit = asyncio.ensure_future(producer.client.send(coordinator, request, group=ConnectionGroup.COORDINATION))
    await asyncio.sleep(0.5)
    cluster.kill(coordinator - 1)
    for node in others:
        cluster.kill(node - 1, signal.SIGCONT)
    with suppress(KafkaError):
        print("EndTxn was answered:", await commit)
    sender_task(producer).cancel()


async def main(when):
    properties = {
        "broker.session.timeout.ms": f"{SESSION_SECONDS * 1_000:.0f}",
        "broker.heartbeat.interval.ms": "500",
    }
    cluster = Cluster(3, properties=properties, heap="384m")
    await asyncio.to_thread(cluster.open)
    try:
        producer = AIOKafkaProducer(
            bootstrap_servers=cluster.bootstrap,
            transactional_id="owner",
            acks="all",
            transaction_timeout_ms=600_000,
        )
        await producer.start()
        coordinator = await transaction_coordinator(producer)
        others = [node for node in (1, 2, 3) if node != coordinator]
        await create_topics(cluster, coordinator, others)
        transaction = DirectTransaction(producer)
        await write(producer, transaction, 1)
        await transaction.commit()
        await write(producer, transaction, 2)
        await lose_the_commit(cluster, producer, transaction, coordinator, others)
        print(f"broker {coordinator} has died with a commit that no other replica has", flush=True)
        if when == "late":
            await asyncio.sleep(SESSION_SECONDS + 8)
        await asyncio.to_thread(cluster.start, coordinator - 1, wait=when == "late")
        if when == "twice":
            addresses = ",".join(f"127.0.0.1:{cluster._nodes[node - 1].port}" for node in others)
            await read_topic(addresses, "ts", 1, within=150)
            print(f"ts 2 is visible; broker {coordinator} dies again, before it hears of its successor", flush=True)
            cluster.kill(coordinator - 1)
            await asyncio.sleep(SESSION_SECONDS + 8)
            await asyncio.to_thread(cluster.start, coordinator - 1, wait=False)
        await asyncio.to_thread(cluster.await_ready)
        await asyncio.sleep(5)
        heir = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, transactional_id="owner", acks="all")
        await heir.start()  # the transaction ends
        await asyncio.sleep(1)
        for topic in TOPICS:
            found = await read_topic(cluster.bootstrap, topic, 1, within=60)
            print(topic, [record.value.decode() for record in found], flush=True)
        await heir.stop()
    finally:
        await asyncio.to_thread(cluster.close)


if __name__ == "__main__":
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asyncio.run(main(sys.argv[1]))
