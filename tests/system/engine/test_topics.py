"""Topics that are missing, have grown, or hold records of another program; and the restore of states."""

import asyncio
import time

import pytest
from aiokafka.admin import NewPartitions

from consumers.engine.core.partition_lifecycle import PartitionStatus
from consumers.engine.core.progress import MARKER_KEY
from consumers.engine.engine import PartitionCountChanged
from consumers.engine.interface import HandlerFailure
from consumers.engine.state_store import state_record
from consumers.engine.status import key_queues_report, readiness
from local.processes.patience import within
from tests.chaos.laboratory import until
from tests.chaos.tally import Tally, Task

KEYS = 100_000


async def test_the_engine_waits_for_a_missing_input_topic(laboratory):
    await laboratory.delete(laboratory.orders.commands)
    async with laboratory.engine() as running:
        await until(lambda: laboratory.orders.commands in readiness(running.engine)[1])
        assert not readiness(running.engine)[0]
        await laboratory.create(laboratory.orders.commands)
        await until(lambda: running.owns(4), within=30)
        await laboratory.append("key", Task("0"))
        await laboratory.all_finished()


async def test_an_input_topic_that_is_deleted_and_created_again_is_assigned_again(laboratory):
    commands = laboratory.orders.commands
    async with laboratory.owner() as running:
        consumer = next(iter(running.engine.partitions.values()))._consumer
        await laboratory.delete(commands)
        await until(lambda: not consumer.partitions_for_topic(commands) or consumer._client.force_metadata_update())
        await until(lambda: readiness(running.engine)[1] == f"topic {commands} does not exist")
        await laboratory.create(commands)
        stopped = dict.fromkeys(range(4), PartitionStatus.STOPPED)
        await until(lambda: consumer._client.force_metadata_update() and running.statuses() == stopped)
        running.resume()
        await until(lambda: running.owns(4))


async def test_the_engine_waits_for_a_missing_state_topic(laboratory):
    state = laboratory.orders.state
    await laboratory.delete(state)
    async with laboratory.engine(transaction_seconds=1.0) as running:
        await until(lambda: PartitionStatus.RETRYING in running.statuses().values())
        assert not readiness(running.engine)[0]
        await laboratory.create(state)
        await laboratory.append("key", Task("0"))
        await laboratory.all_finished(within=30)
        await until(lambda: readiness(running.engine)[0])
    assert await laboratory.violations() == []


async def test_a_partition_count_that_differs_from_the_settings_is_rejected(laboratory):
    async with laboratory.engine(fails=True, partitions=5) as running:
        with pytest.raises(PartitionCountChanged, match="has 4 partitions, the settings say 5"):
            async with within(10):
                await running.task


async def test_a_topic_that_grows_is_used_in_its_first_partitions(laboratory):
    async with laboratory.engine() as running:
        await laboratory.append("key", Task("0"))
        await laboratory.all_finished()
        await laboratory.admin.create_partitions({laboratory.orders.commands: NewPartitions(6)})
        (partition, *_) = running.engine.partitions.values()
        await partition._consumer._client.force_metadata_update()
        await until(lambda: running.engine.surplus_partitions == 2, within=30)
        await until(lambda: running.owns(4))
        for number in range(1, 9):
            await laboratory.append(f"key-{number}", Task(f"{number}"), partition=number % 4)
        await laboratory.all_finished()
    async with laboratory.owner() as again:
        assert again.engine.surplus_partitions == 2
        await laboratory.append("key-4", Task("9"), partition=0)
        await laboratory.all_finished()
    assert await laboratory.violations() == []


async def have_offsets(laboratory):
    async with laboratory.owner():
        pass


async def test_a_state_of_another_program_delays_its_own_key_only(laboratory):
    await have_offsets(laboratory)
    state = laboratory.orders.state
    for key, value, headers in [
        (b"poisoned", b"no state of a tally", []),
        (b"timed", Tally(sequence=0).encode(), [("timer", b"soon")]),
        (b"timed too", Tally(sequence=0).encode(), [("timer", None)]),
        (None, b"without a key", []),
        (MARKER_KEY, b"not a state either", []),
    ]:
        await laboratory.producer.send_and_wait(state, value, key=key, headers=headers, partition=0)
    async with laboratory.owner() as running:
        partition = running.engine.partitions[0]
        assert (len(partition.session.dispatcher.states), partition.session.dispatcher.states.unreadable) == (3, 3)
        await laboratory.append("poisoned", Task("p"), partition=0)
        await laboratory.append("timed", Task("a"), partition=0)
        await laboratory.append("fresh", Task("f"), partition=0)
        await until(lambda: laboratory.finished == {"a", "f"})

        def waiting():
            (report,) = [row for row in key_queues_report(running.engine)["partitions"] if row["partition"] == 0]
            return {queue["key"]: queue["reason"] for queue in report["keyQueues"] if queue["state"] == "waiting"}

        await until(lambda: waiting() == {"poisoned": HandlerFailure.RAISED})
        # An unreadable timer is due immediately, but spread like every overdue timer: perhaps after the records above.
        await until(lambda: laboratory.timers == {"timed": 1, "timed too": 1})


async def test_a_hundred_thousand_states_are_restored(laboratory):
    await have_offsets(laboratory)
    orders = laboratory.orders
    sends = []
    batch = laboratory.producer.create_batch()
    for number in range(KEYS):
        tally = Tally(sequence=1).encode()
        record = state_record(orders.state, b"key-%d" % number, tally, time.time() + 1e6 if number % 2 else None)
        added = {"key": record.key, "value": record.value, "headers": list(record.headers), "timestamp": None}
        if batch.append(**added) is None:
            sends.append(await laboratory.producer.send_batch(batch, orders.state, partition=0))
            batch = laboratory.producer.create_batch()
            batch.append(**added)
    sends.append(await laboratory.producer.send_batch(batch, orders.state, partition=0))
    await asyncio.gather(*sends)
    details = []
    # The session timeout of production: on a busy machine the restore takes more than two seconds.
    async with laboratory.engine(session_seconds=10.0) as running:
        await until(
            lambda: details.append(readiness(running.engine)[1]) or running.owns(4),
            within=30,
        )
        dispatcher = running.engine.partitions[0].session.dispatcher
        assert (len(dispatcher.states), dispatcher.key_queues.timers) == (KEYS, KEYS // 2)
        await laboratory.append("key-77", Task("0"), partition=0)
        await laboratory.all_finished()
    assert any("records of the state topic read" in detail for detail in details), set(details)
    outputs = [output for output in (await laboratory.history()).outputs if output.key == "key-77"]
    assert [output.sequence for output in outputs] == [2]


async def test_timers_survive_a_restart_and_expire_once(laboratory):
    async with laboratory.engine():
        for number in range(8):
            await laboratory.append(f"key-{number}", Task(f"{number}", timer_seconds=1.5 if number < 6 else 1e6))
        await laboratory.all_finished()
    async with laboratory.engine():
        await until(lambda: laboratory.timers == {f"key-{number}": 1 for number in range(6)})
    async with laboratory.owner() as running:
        assert sum(one.key_queues.timers for one in running.dispatchers().values()) == 2
    assert laboratory.timers == {f"key-{number}": 1 for number in range(6)}
    assert await laboratory.violations() == []
