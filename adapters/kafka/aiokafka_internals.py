"""The only module that uses private members of aiokafka, which has no public way to do what these functions do.

Every function is checked against aiokafka 0.14.0. `tests/unit/kafka/test_aiokafka_internals.py` runs them on aiokafka's
own objects and fails for another minor version.
"""

from __future__ import annotations

import asyncio
import time
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiokafka.client
from aiokafka import AIOKafkaProducer
from aiokafka.client import CoordinationType
from aiokafka.conn import AIOKafkaConnection, CloseReason
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.transaction_manager import PidAndEpoch, TransactionState

if TYPE_CHECKING:
    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient
    from aiokafka.producer.message_accumulator import BatchBuilder

CHECKED_MINOR_VERSION: Final = "0.14"


class _Connection(AIOKafkaConnection):  # type: ignore[misc] # aiokafka has no types
    """A connection that a failed start closes at once (aiokafka 0.14).

    A client's `bootstrap` keeps its connection in a local variable until the metadata has arrived. After a cancellation
    the socket would stay open until the garbage collector runs. And `close()` of a failed login waits for the end of
    TLS, up to 30 s with a silent broker.

    Relies on `_on_close_cb`, None for a connection of `bootstrap` alone, and on `_writer`. `close()` without a reason
    is that of a failed login, and of a `bootstrap` that needs the connection no more.
    """

    def send(self, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 - aiokafka's signature
        response = super().send(request, expect_response)
        return self._closing(response) if self._on_close_cb is None else response

    def close(self, reason: CloseReason | None = None, exc: BaseException | None = None) -> Any:
        if reason is None and self._writer is not None:
            self._writer.transport.abort()
        return super().close(reason, exc)

    async def _closing(self, response: Any) -> Any:
        try:
            return await response
        except asyncio.CancelledError:
            self.close()
            raise


async def _create_conn(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    connection = _Connection(host, port, **options)
    await connection.connect()
    return connection


def close_failed_connections() -> None:
    """Let every client of this process close a failed connection at once (aiokafka 0.14).

    Relies on `aiokafka.client.create_conn`: a client calls it by this name, and no option of a client replaces it.
    """
    aiokafka.client.create_conn = _create_conn


def group_membership(consumer: AIOKafkaConsumer) -> tuple[int, str]:
    """Return the generation and the member id of a started consumer with a group (aiokafka 0.14).

    Relies on `_coordinator.generation` and `.member_id`. Without a membership the generation is -1.
    """
    coordinator = consumer._coordinator  # noqa: SLF001 - see the module
    return coordinator.generation, coordinator.member_id


async def send_to_coordinator(consumer: AIOKafkaConsumer, request: Any) -> Any:
    """Send a request once to the coordinator of the consumer's group and return the response (aiokafka 0.14).

    Relies on `_coordinator._send_req(request)`, which uses the coordinator's own connection.

    Raises KafkaError if the coordinator is unknown, or the connection failed.
    """
    return await consumer._coordinator._send_req(request)  # noqa: SLF001 - see the module


async def send_to_a_broker(owner: AIOKafkaConsumer | AIOKafkaProducer, request: Any) -> Any:
    """Send a request once to one of the brokers and return the response; a consumer needs no group (aiokafka 0.14).

    Relies on `client.send(node, request)`. A consumer's answer waits behind a running fetch from that broker.

    Raises KafkaError if no broker is known, or the connection failed.
    """
    client = owner.client if isinstance(owner, AIOKafkaProducer) else owner._client  # noqa: SLF001 - see the module
    return await client.send(client.get_random_node(), request)


async def find_coordinator(consumer: AIOKafkaConsumer) -> None:
    """Wait until the coordinator of the consumer's group is known (aiokafka 0.14).

    Relies on `_coordinator.ensure_coordinator_known()`, which retries without a limit: set a deadline.
    """
    await consumer._coordinator.ensure_coordinator_known()  # noqa: SLF001 - see the module


def forget_coordinator(consumer: AIOKafkaConsumer) -> None:
    """Make the consumer find the coordinator again, without leaving the group (aiokafka 0.14).

    Relies on `_coordinator.coordinator_dead()`.
    """
    consumer._coordinator.coordinator_dead()  # noqa: SLF001 - see the module


def known_brokers(consumer: AIOKafkaConsumer) -> list[str]:
    """Return the addresses of the brokers in the consumer's metadata, none before the start (aiokafka 0.14).

    Relies on `_client.cluster.brokers()`.
    """
    brokers = consumer._client.cluster.brokers()  # noqa: SLF001 - see the module
    hosts = ((f"[{broker.host}]" if ":" in broker.host else broker.host, broker.port) for broker in brokers)
    return [f"{host}:{port}" for host, port in hosts]


def metadata_age_seconds(consumer: AIOKafkaConsumer) -> float | None:
    """Return the seconds since a broker last answered a request for metadata, None if none has (aiokafka 0.14).

    Relies on `_client.cluster._last_successful_refresh_ms`, Unix milliseconds, 0 before the first answer.
    """
    refreshed = consumer._client.cluster._last_successful_refresh_ms  # noqa: SLF001 - see the module
    return max(0.0, time.time() - refreshed / 1_000) if refreshed else None


def has_fetching_ended(consumer: AIOKafkaConsumer) -> bool:
    """Return whether the consumer's fetch task has ended: `getmany` would return {} without an error (aiokafka 0.14).

    Relies on `_fetcher`, None before the start, and `_fetcher.error_future`, the fetch task.
    """
    fetcher = consumer._fetcher  # noqa: SLF001 - see the module
    return fetcher is not None and bool(fetcher.error_future.done())


def connections_of(client: AIOKafkaProducer | AIOKafkaConsumer) -> Any:
    """Return the client's connections, an object with `async close()` (aiokafka 0.14).

    Relies on `AIOKafkaConsumer._client`, which is the public `client` of a producer.
    """
    return client.client if hasattr(client, "client") else client._client  # noqa: SLF001 - see the module


def abort_connections(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """Close the client's connections at once, without the end of TLS; then close the client (aiokafka 0.14).

    Relies on `_conns` of the client's connections, and on `_writer` of each.
    """
    for connection in connections_of(client)._conns.values():  # noqa: SLF001 - see the module
        if (writer := connection._writer) is not None:  # noqa: SLF001 - see the module
            writer.transport.abort()


async def stop_consumer(consumer: AIOKafkaConsumer) -> None:
    """Stop a consumer: leave the group, then close the connections at once (aiokafka 0.14).

    `stop()` alone waits for the end of TLS. If the broker answers a fetch after the client has begun to close, that
    end never comes, and the client waits for 30 s.

    Relies on `_coordinator`, None before the start; its `close()` must be called once.
    """
    coordinator, consumer._coordinator = consumer._coordinator, None  # noqa: SLF001 - see the module
    try:
        if coordinator is not None:
            await coordinator.close()
    finally:
        abort_connections(consumer)
        await consumer.stop()


def sender_task(producer: AIOKafkaProducer) -> asyncio.Task[None] | None:
    """Return the task that sends the producer's batches, None before the start (aiokafka 0.14).

    Relies on `_sender.sender_task`. The first cancellation ends its loop, the second the requests that it waits for.
    """
    task: asyncio.Task[None] | None = producer._sender.sender_task  # noqa: SLF001 - see the module
    return task


def fail_undelivered(producer: AIOKafkaProducer) -> None:
    """Fail every record that the producer holds; otherwise its `stop()` can wait without end (aiokafka 0.14).

    Relies on `_message_accumulator.fail_all(error)`.
    """
    error = KafkaTimeoutError("the producer was closed before delivery: the record may or may not be written")
    producer._message_accumulator.fail_all(error)  # noqa: SLF001 - see the module


def retrieve_exceptions(producer: AIOKafkaProducer) -> None:
    """Retrieve the exceptions of the producer's futures: asyncio logs each that nothing awaits (aiokafka 0.14).

    Relies on `_message_accumulator._batches` and `._pending_batches`, on `future` and `_drain_waiter` of a batch, and
    on `_txn_manager.wait_for_transaction_end()`.
    """
    accumulator = producer._message_accumulator  # noqa: SLF001 - see the module
    batches = chain(accumulator._pending_batches, *accumulator._batches.values())  # noqa: SLF001 - see the module
    futures = [future for batch in batches for future in (batch.future, batch._drain_waiter)]  # noqa: SLF001 - same
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    transaction = manager.wait_for_transaction_end() if manager is not None else None
    for future in (*futures, transaction):
        if future is not None:
            future.add_done_callback(_retrieve)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()


def accept_fatal_error(producer: AIOKafkaProducer) -> AIOKafkaProducer:
    """Let a new producer end its sender with an error before any transaction; return the producer (aiokafka 0.14).

    `Sender._fail_all` calls `_txn_manager.fatal_error`, which fails the future `_transaction_waiter`. That is None
    until the first transaction, and always for an idempotent producer. So the callback would raise AttributeError, and
    asyncio would log it. `begin_transaction` replaces the future. Call this function in the running event loop.
    """
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    if manager is not None and manager._transaction_waiter is None:  # noqa: SLF001 - see the module
        manager._transaction_waiter = waiter = asyncio.get_running_loop().create_future()  # noqa: SLF001 - see the module
        waiter.add_done_callback(_retrieve)
    return producer


class ProducerIdentity(NamedTuple):
    """What each request of a transactional producer carries; another producer of the id has another epoch."""

    transactional_id: str
    producer_id: int
    producer_epoch: int


def begin_transaction(producer: AIOKafkaProducer) -> ProducerIdentity:
    """Begin a transaction whose requests the caller sends; the sender does nothing meanwhile (aiokafka 0.14).

    Relies on `_txn_manager`: its `begin_transaction()`, ids and epoch. `Sender` acts only on records, offsets and a
    state that end a transaction, and this one has none of them.

    Raises AssertionError if another transaction is open, an earlier one has failed, or the producer has not started.
    """
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    manager.begin_transaction()
    return ProducerIdentity(manager.transactional_id, manager.producer_id, manager.producer_epoch)


def end_transaction(producer: AIOKafkaProducer) -> None:
    """Note that the caller has committed the transaction that it began: another may begin (aiokafka 0.14).

    Relies on `_txn_manager._transition_to(state)` and `.complete_transaction()`. Nothing runs between the two, so the
    sender never sees the state in which it would send an EndTxnRequest.

    Raises AssertionError if the producer has failed meanwhile.
    """
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    manager._transition_to(TransactionState.COMMITTING_TRANSACTION)  # noqa: SLF001 - see the module
    manager.complete_transaction()


def transaction_timeout_ms(producer: AIOKafkaProducer) -> int:
    """Return the transaction timeout of a transactional producer (aiokafka 0.14). Relies on `_txn_manager`."""
    timeout: int = producer._txn_manager.transaction_timeout_ms  # noqa: SLF001 - see the module
    return timeout


def replace_epoch(producer: AIOKafkaProducer, producer_id: int, producer_epoch: int) -> None:
    """Continue with another epoch, whose sequence numbers begin at 0, between two transactions (aiokafka 0.14).

    Relies on `_pid_and_epoch` and `_sequence_numbers` of `_txn_manager`; `set_pid_and_epoch` is for the first one only.
    """
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    manager._pid_and_epoch = PidAndEpoch(producer_id, producer_epoch)  # noqa: SLF001 - see the module
    manager._sequence_numbers.clear()  # noqa: SLF001 - see the module


def build_batch(producer: AIOKafkaProducer, builder: BatchBuilder, target: TopicPartition) -> bytes:
    """Return the batch's bytes with the partition's next sequence numbers, which it takes (aiokafka 0.14).

    The producer's sender counts with the same numbers. Call it once per batch: a repeat must have the same bytes.

    Relies on `_txn_manager.sequence_number`, `.increment_sequence_number`, and `_set_producer_state` and `_build` of a
    builder.
    """
    manager = producer._txn_manager  # noqa: SLF001 - see the module
    sequence = manager.sequence_number(target)
    manager.increment_sequence_number(target, builder.record_count())
    builder._set_producer_state(manager.producer_id, manager.producer_epoch, sequence)  # noqa: SLF001 - see the module
    return bytes(builder._build())  # noqa: SLF001 - see the module


async def transaction_coordinator(producer: AIOKafkaProducer) -> int:
    """Return the node that coordinates the producer's transactions; find it if it is unknown (aiokafka 0.14).

    Relies on `_sender._find_coordinator(type, id)`, which keeps the node, connects to it, and retries without a limit:
    set a deadline.

    Raises KafkaError if the search failed.
    """
    transactional_id = producer._txn_manager.transactional_id  # noqa: SLF001 - see the module
    node: int = await producer._sender._find_coordinator(CoordinationType.TRANSACTION, transactional_id)  # noqa: SLF001 - see the module
    return node


def forget_transaction_coordinator(producer: AIOKafkaProducer) -> None:
    """Make `transaction_coordinator`, and the producer's sender, find the coordinator again (aiokafka 0.14).

    Relies on `_sender._coordinator_dead(type)`.
    """
    producer._sender._coordinator_dead(CoordinationType.TRANSACTION)  # noqa: SLF001 - see the module


def knows_brokers(admin: AIOKafkaAdminClient) -> bool:
    """Return whether a started admin client has received the list of brokers (aiokafka 0.14).

    Relies on `_client.cluster.brokers()`. The client starts without an error even if the list is empty.
    """
    return bool(admin._client.cluster.brokers())  # noqa: SLF001 - see the module


async def send_to_any_broker(admin: AIOKafkaAdminClient, request: Any) -> Any:
    """Send a request to one of the brokers and return the response (aiokafka 0.14).

    Relies on `_send_request(request)`.
    """
    return await admin._send_request(request)  # noqa: SLF001 - see the module
