import time
from dataclasses import dataclass

import pytest
from aiokafka.errors import GroupCoordinatorNotAvailableError

from consumers.engine.kafka.membership import GroupMembership


@dataclass
class Answer:
    error_code: int


class Coordinator:
    generation = 3
    member_id = "me"

    def __init__(self):
        self.asked = []
        self.answer = Answer(0)
        self.on_ask = lambda: None

    async def _send_req(self, request):
        self.asked.append(request)
        self.on_ask()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


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
def standing(consumer):
    return GroupMembership(consumer, "group", session_seconds=10.0)


async def test_who_has_not_joined_is_no_member(standing, coordinator):
    assert not await standing.confirm()
    assert not standing.is_trusted
    assert coordinator.asked == []


async def test_an_assignment_alone_is_no_proof(standing):
    """A process that was stopped between the group's answer and the callback has lost its partitions since."""
    standing.joined()
    assert not standing.is_trusted
    assert await standing.confirm()
    assert standing.is_trusted


CLOSED_UNDER_US = RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed")


@pytest.mark.parametrize(
    "answer",
    [Answer(25), Answer(27), Answer(22), GroupCoordinatorNotAvailableError(), ConnectionResetError(), CLOSED_UNDER_US],
)
async def test_what_the_coordinator_does_not_confirm_is_not_trusted(standing, coordinator, answer):
    standing.joined()
    coordinator.answer = answer
    assert not await standing.confirm()
    assert not standing.is_trusted


async def test_it_asks_about_the_assignment_that_it_noted_whatever_the_consumer_is_now(standing, coordinator):
    standing.joined()
    coordinator.generation, coordinator.member_id = 4, "me again"
    await standing.confirm()
    (request,) = coordinator.asked
    assert (request._generation_id, request._member_id) == (3, "me")


async def test_an_answer_that_comes_after_a_rebalance_has_begun_confirms_nothing(standing, coordinator):
    standing.joined()
    coordinator.on_ask = standing.left
    assert not await standing.confirm()
    standing.joined()
    coordinator.on_ask = standing.joined
    assert not await standing.confirm()


async def test_trust_ends_before_the_session_does_counted_from_the_question(standing, coordinator, monkeypatch):
    clock = [100.0]
    monkeypatch.setattr("consumers.engine.kafka.membership.time.monotonic", lambda: clock[0])
    standing.joined()

    def answer_late():
        clock[0] = 107.9

    coordinator.on_ask = answer_late
    assert await standing.confirm()
    assert standing.is_trusted
    clock[0] = 108.1
    assert not standing.is_trusted


@pytest.mark.parametrize("denial", [22, 25, 27, 82])
async def test_a_denial_ends_the_trust_at_once(standing, coordinator, denial):
    standing.joined()
    assert await standing.confirm()
    coordinator.answer = Answer(denial)
    assert not await standing.confirm()
    assert not standing.is_trusted
    coordinator.answer = Answer(0)
    assert await standing.confirm()
    assert standing.is_trusted


@pytest.mark.parametrize("answer", [Answer(14), Answer(15), Answer(16), CLOSED_UNDER_US])
async def test_a_coordinator_that_can_not_say_ends_no_trust(standing, coordinator, answer):
    standing.joined()
    assert await standing.confirm()
    coordinator.answer = answer
    assert not await standing.confirm()
    assert standing.is_trusted


async def test_a_denial_of_an_earlier_membership_says_nothing_of_this_one(standing, coordinator):
    standing.joined()

    def join_anew():
        coordinator.on_ask = lambda: None
        standing.joined()
        standing._confirmed_at = time.monotonic()

    coordinator.on_ask, coordinator.answer = join_anew, Answer(22)
    assert not await standing.confirm()
    assert standing.is_trusted


async def test_a_confirmation_that_was_asked_for_before_a_denial_came_does_not_count(standing, coordinator):
    standing.joined()

    def deny_meanwhile():
        standing._denied_at = time.monotonic()

    coordinator.on_ask = deny_meanwhile
    assert not await standing.confirm()
    assert not standing.is_trusted


async def test_it_knows_that_its_generation_ends_until_the_next_begins(standing, coordinator):
    assert standing.is_rebalancing
    standing.joined()
    assert not standing.is_rebalancing
    coordinator.answer = Answer(25)
    await standing.confirm()
    assert not standing.is_rebalancing
    coordinator.answer = Answer(27)
    await standing.confirm()
    assert standing.is_rebalancing
    standing.joined()
    assert not standing.is_rebalancing
