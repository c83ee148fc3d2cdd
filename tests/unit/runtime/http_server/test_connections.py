"""Every state of a connection has a clock, and a full server closes the connections that wait longest."""

import math
import re
from dataclasses import dataclass, field, replace

import pytest
from prometheus_client import CollectorRegistry

from runtime.health import Health
from runtime.http_server import server
from runtime.http_server.connections import ConnectionLimits, Connections, ConnectionState, network_of
from runtime.metrics import Metrics
from tests.measured import value_of

LIMITS = ConnectionLimits(
    head_seconds=1, idle_seconds=2, drain_seconds=3, write_seconds=4, connections=4, connections_per_peer=0
)
# The table at the top of the server's module: the state and its clock.
ROW = re.compile(r"^    (\w+)\s.*\s(\w+_seconds|RequestDeadline)\s+(close|abort|408 or 504)$", re.MULTILINE)


@dataclass(eq=False)
class Connection:
    state: ConnectionState = ConnectionState.IDLE
    entered_at: float = 0.0
    write_paused_at: float = math.inf
    is_known: bool = False
    was_spared: bool = False
    is_receiving: bool = False
    peer: str = "10.0.0.1"
    ends: list = field(default_factory=list)

    def close(self):
        self.ends.append("close")

    def abort(self):
        self.ends.append("abort")


@pytest.fixture
def metrics():
    return Metrics(CollectorRegistry())


@pytest.fixture
def health():
    return Health()


@pytest.fixture
def connections(metrics, health):
    return Connections("api", LIMITS, metrics, health)


def rows():
    return {ConnectionState(state): (clock, end) for state, clock, end in ROW.findall(server.__doc__)}


@pytest.mark.parametrize("state", ConnectionState)
def test_a_connection_ends_by_the_clock_of_the_table(connections, state):
    clock, end = rows()[state]
    connection = Connection(state, entered_at=100.0)
    connections.add(connection, 100.0)
    seconds = getattr(LIMITS, clock, math.inf)
    connections.sweep(100.0 + min(seconds, 1e6) - 0.1)
    assert connection.ends == []
    connections.sweep(100.0 + min(seconds, 1e6) + 0.1)
    assert connection.ends == ([] if seconds == math.inf else [end])


CLOCKED = [state for state in ConnectionState if rows()[state][0] != "RequestDeadline"]


@pytest.mark.parametrize("state", CLOCKED)
def test_after_a_standstill_a_client_has_time_to_be_heard(connections, state):
    connection = Connection(state, entered_at=100.0)
    connections.add(connection, 100.0)
    connections.sweep(100.2)
    connections.sweep(160.2)  # the process stood still: the client's bytes have arrived, but nothing has read them
    assert connection.ends == []
    seconds = min(getattr(LIMITS, rows()[state][0]), 2.0)
    connections.sweep(160.2 + seconds / 2)
    assert connection.ends == []
    for tick in range(1, int(seconds / 0.25) + 1):
        connections.sweep(160.2 + 0.25 * tick)
    assert set(connection.ends) == {rows()[state][1]}


@pytest.mark.parametrize("state", CLOCKED)
def test_a_process_that_is_always_late_closes_a_connection_at_its_clock(connections, state):
    connection = Connection(state, entered_at=100.0)
    connections.add(connection, 100.0)
    now, ended_at = 100.0, None
    while ended_at is None:
        now += 1.0  # each sweep is late
        connections.sweep(now)
        ended_at = now if connection.ends else None
    seconds = getattr(LIMITS, rows()[state][0])
    assert seconds <= ended_at - 100.0 <= seconds + 2.0 + 1.0


def test_a_standstill_does_not_begin_a_clock_in_the_future(connections):
    connection = Connection(ConnectionState.NEW)
    connections.add(connection, 100.0)
    connections.sweep(100.2)
    connection.entered_at = 129.9
    connections.sweep(130.0)
    assert connection.entered_at == 130.0


def test_a_standstill_takes_no_time_from_a_client_that_reads_slowly(connections):
    connection = Connection(ConnectionState.SERVING, write_paused_at=100.0)
    connections.add(connection, 100.0)
    connections.sweep(100.2)
    connections.sweep(130.0)
    assert connection.ends == []
    for tick in range(1, 6):
        connections.sweep(130.0 + tick)
    assert connection.ends[0] == "abort"


@pytest.mark.parametrize("state", ConnectionState)
def test_a_client_that_does_not_read_is_disconnected_in_every_state(connections, state):
    connection = Connection(state, entered_at=100.0, write_paused_at=99.0)
    connections.add(connection, 100.0)
    connections.sweep(103.1)
    assert "abort" in connection.ends


def test_the_longest_waiting_connection_without_a_credential_makes_room(connections):
    known, busy = Connection(is_known=True), Connection(ConnectionState.SERVING)
    old, recent = Connection(entered_at=1.0), Connection(entered_at=2.0)
    for connection in (known, busy, recent, old):
        connections.add(connection, 3.0)
    assert connections.add(Connection(), 3.0) is None
    assert [one.ends for one in (known, busy, recent, old)] == [[], [], [], ["abort"]]


def test_without_a_waiting_connection_the_slowest_unfinished_body_makes_room(connections):
    busy, slow = Connection(ConnectionState.SERVING), Connection(ConnectionState.SERVING, 1.0, is_receiving=True)
    slower, quick = replace(slow, entered_at=0.5, ends=[]), replace(slow, entered_at=2.0, ends=[])
    for connection in (busy, slow, slower, quick):
        connections.add(connection, 3.0)
    assert connections.add(Connection(ConnectionState.SERVING), 3.0) is None
    assert [one.ends for one in (busy, slow, slower, quick)] == [[], [], ["abort"], []]


def test_the_admin_port_refuses_no_connection(metrics, health):
    connections = Connections("admin", replace(LIMITS, refuses_none=True), metrics)
    busy = [Connection(ConnectionState.SERVING, entered_at=float(second)) for second in range(4)]
    for connection in busy:
        connections.add(connection, 4.0)
    assert connections.add(Connection(), 4.0) is None
    assert [one.ends for one in busy] == [["abort"], [], [], []]
    connections.sweep(4.1)
    assert health.component("connections") is None


def test_a_server_whose_connections_are_all_busy_refuses_and_is_not_ready(connections, health, metrics):
    for _ in range(4):
        connections.add(Connection(ConnectionState.SERVING), 1.0)
    connections.sweep(1.0)
    assert health.ready().good
    refused = Connection()
    assert connections.add(refused, 1.0).slug == "overloaded"
    connections.remove(refused)
    connections.sweep(1.1)
    assert health.ready().parts["connections"]["detail"] == "4 of 4 connections are open, all busy"
    assert not health.ready().good
    connections.sweep(7.0)
    assert health.ready().good
    assert value_of(metrics.ingress.shed.labels("connections")) == 1


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_the_addresses_of_one_machine_are_one_peer(one, other, is_same):
    assert (network_of(one) == network_of(other)) == is_same


def test_a_peer_has_its_share(metrics, health):
    connections = Connections("api", replace(LIMITS, connections=100, connections_per_peer=2), metrics, health)
    first, second, third = Connection(), Connection(), Connection()
    assert [connections.add(one, 1.0) is None for one in (first, second, third)] == [True, True, False]
    assert connections.add(Connection(peer="10.0.0.2"), 1.0) is None
    for one in (third, first, first):
        connections.remove(one)
    assert connections.add(Connection(), 1.0) is None
