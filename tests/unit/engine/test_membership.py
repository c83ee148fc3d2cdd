import asyncio
import time
from dataclasses import dataclass

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from consumers.engine.kafka.membership import GroupMembership
from tests.unit.engine.partitions import suspended


@dataclass
class Response:
    error_code: int


class Coordinator:
    generation = 3
    member_id = "me"

    def __init__(self):
        self.requests = []
        self.response = Response(0)
        self.on_request = lambda: None
        self.is_dead = False

    def coordinator_dead(self):
        self.is_dead = True

    async def _send_req(self, request):
        self.requests.append(request)
        self.on_request()
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


class Consumer:
    def __init__(self):
        self._coordinator = Coordinator()


@pytest.fixture
def consumer():
    return Consumer()


@pytest.fixture
def coordinator(consumer):
    return consumer._coordinator


@pytest.fixture
def membership(consumer):
    return GroupMembership(consumer, "group", session_seconds=10.0)


async def test_without_an_assignment_nothing_is_confirmed(membership, coordinator):
    assert not await membership.confirm()
    assert not membership.is_trusted
    assert coordinator.requests == []


async def test_an_assignment_alone_is_not_trusted(membership):
    """A process that was frozen between the group's response and the callback may have lost its partitions."""
    membership.assigned()
    assert not membership.is_trusted
    assert await membership.confirm()
    assert membership.is_trusted


CLOSED_UNDER_AIOKAFKA = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize(
    "response",
    [
        Response(25),
        Response(27),
        Response(22),
        GroupCoordinatorNotAvailableError(),
        ConnectionResetError(),
        CLOSED_UNDER_AIOKAFKA,
    ],
)
async def test_an_assignment_without_a_confirmation_is_not_trusted(membership, coordinator, response):
    membership.assigned()
    coordinator.response = response
    assert not await membership.confirm()
    assert not membership.is_trusted


async def test_a_coordinator_that_does_not_answer_in_time_is_looked_up_again(coordinator, consumer):
    membership = GroupMembership(consumer, "group", session_seconds=0.1)
    membership.assigned()

    async def never(_):
        await asyncio.Event().wait()

    coordinator._send_req = never
    async with asyncio.timeout(10):
        assert not await membership.confirm()
    assert coordinator.is_dead
    assert not membership.is_confirming


async def test_the_heartbeat_names_the_generation_of_the_assignment(membership, coordinator):
    membership.assigned()
    coordinator.generation, coordinator.member_id = 4, "me again"
    await membership.confirm()
    (request,) = coordinator.requests
    assert (request._generation_id, request._member_id) == (3, "me")


async def test_a_response_after_the_begin_of_a_rebalance_confirms_nothing(membership, coordinator):
    membership.assigned()
    coordinator.on_request = membership.revoked
    assert not await membership.confirm()
    membership.assigned()
    coordinator.on_request = membership.assigned
    assert not await membership.confirm()


async def test_trust_ends_before_the_session_timeout_counted_from_the_request(membership, coordinator, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("consumers.engine.kafka.membership.steady", lambda: clock[0])
    membership.assigned()

    def respond_late():
        clock[0] = 107.9

    coordinator.on_request = respond_late
    assert await membership.confirm()
    assert membership.is_trusted
    clock[0] = 108.1
    assert not membership.is_trusted


async def test_trust_does_not_survive_a_suspended_machine(membership, monkeypatch):
    membership.assigned()
    assert await membership.confirm()
    suspended(monkeypatch, 9.0)
    assert not membership.is_trusted


@pytest.mark.parametrize("denial", [22, 25, 27, 82])
async def test_a_denial_ends_the_trust_immediately(membership, coordinator, denial):
    membership.assigned()
    assert await membership.confirm()
    coordinator.response = Response(denial)
    assert not await membership.confirm()
    assert not membership.is_trusted
    coordinator.response = Response(0)
    assert await membership.confirm()
    assert membership.is_trusted


@pytest.mark.parametrize("response", [Response(14), Response(15), Response(16), CLOSED_UNDER_AIOKAFKA])
async def test_an_error_of_the_coordinator_ends_no_trust(membership, coordinator, response):
    membership.assigned()
    assert await membership.confirm()
    coordinator.response = response
    assert not await membership.confirm()
    assert membership.is_trusted


async def test_a_denial_of_an_earlier_generation_does_not_concern_the_current_one(membership, coordinator):
    membership.assigned()

    def join_again():
        coordinator.on_request = lambda: None
        membership.assigned()
        membership._confirmed_at = time.monotonic()

    coordinator.on_request, coordinator.response = join_again, Response(22)
    assert not await membership.confirm()
    assert membership.is_trusted


async def test_a_heartbeat_that_was_sent_before_a_denial_does_not_count(membership, coordinator):
    membership.assigned()

    def deny_meanwhile():
        membership._denied_at = time.monotonic()

    coordinator.on_request = deny_meanwhile
    assert not await membership.confirm()
    assert not membership.is_trusted


async def test_a_rebalance_is_known_from_the_heartbeat_until_the_next_assignment(membership, coordinator):
    assert membership.is_rebalancing
    membership.assigned()
    assert not membership.is_rebalancing
    coordinator.response = Response(25)
    await membership.confirm()
    assert not membership.is_rebalancing
    coordinator.response = Response(27)
    await membership.confirm()
    assert membership.is_rebalancing
    membership.assigned()
    assert not membership.is_rebalancing
