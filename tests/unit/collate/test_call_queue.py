"""Waiting for a turn: short waits here, long ones handed back; live first; nothing leaks."""

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from adapters.collate.answers import Deferred
from adapters.collate.call_policy.budget import Bounds, Budget, Ticket
from adapters.collate.call_policy.calls import Call, CallSignal, Priority
from adapters.collate.call_queue import CallQueue
from runtime.metrics import Metrics
from schemas.events.wait_reasons import HoldReason

pytestmark = pytest.mark.virtual_time

LIVE, URGENT, COMMAND, OBSERVATION, IDLE = Priority


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
async def make(registry):
    loop = asyncio.get_running_loop()

    def build(*, concurrency=1, per_second=1e6, live_wait=1.0, most_waiting=100, seconds=0.001):
        bounds = Bounds(per_second, concurrency, 0.0, 3, 5.0, 30.0, live_wait, most_waiting)
        budget = Budget(bounds, loop.time(), lambda: 0.5)
        for _ in range(200):  # the mean duration of a call follows what calls take
            budget.in_flight[LIVE] += 1
            budget.release(loop.time(), Ticket(Call(LIVE, writes=False, subject="")), CallSignal.ANSWERED, seconds)
        return CallQueue(budget, Metrics(registry).collate, monotonic=loop.time)

    return build


async def take(queue, priority=COMMAND, subject="a", caller=""):
    return await queue.take(Call(priority, writes=True, subject=subject, caller=caller))


async def test_a_short_wait_ends_when_a_call_does(make):
    queue = make()
    first = await take(queue)
    second = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    assert not second.done()
    queue.done(first, CallSignal.ANSWERED, 0.001)
    assert isinstance(await second, Ticket)


async def test_a_long_wait_is_deferred_immediately(make):
    queue = make(per_second=0.1)
    assert isinstance(await take(queue), Ticket)
    began = asyncio.get_running_loop().time()
    held = await take(queue)
    assert isinstance(held, Deferred)
    assert held.reason is HoldReason.BUDGET
    assert asyncio.get_running_loop().time() - began < 0.02
    assert asyncio.get_running_loop().time() + held.wait_seconds > began + 0.5


async def test_a_wait_that_becomes_long_is_deferred_after_the_longest_wait(make):
    queue = make(live_wait=0.2)
    await take(queue)
    began = asyncio.get_running_loop().time()
    assert isinstance(await take(queue, IDLE), Deferred)
    assert 0.04 < asyncio.get_running_loop().time() - began < 0.15
    assert isinstance(await take(queue, LIVE), Deferred)
    assert asyncio.get_running_loop().time() - began > 0.18, "a caller waits for a live call"


async def test_live_calls_go_before_commands_and_these_before_observations(make):
    queue = make()
    first = await take(queue)
    order = []

    async def one(priority):
        ticket = await take(queue, priority)
        order.append(priority)
        queue.done(ticket, CallSignal.ANSWERED, 0.001)

    tasks = []
    for priority in (OBSERVATION, COMMAND, COMMAND, LIVE):
        tasks.append(asyncio.create_task(one(priority)))
        await asyncio.sleep(0)
    queue.done(first, CallSignal.ANSWERED, 0.001)
    await asyncio.gather(*tasks)
    assert order == [LIVE, COMMAND, COMMAND, OBSERVATION]


async def test_no_call_overtakes_waiting_calls_of_its_priority(make):
    queue = make()
    first = await take(queue)
    waiting = asyncio.create_task(take(queue, COMMAND, "waits"))
    await asyncio.sleep(0)
    queue.budget.abandon(first)
    late = asyncio.create_task(take(queue, COMMAND, "late"))
    await asyncio.sleep(0)
    ticket = await waiting
    assert ticket.call.subject == "waits"
    queue.abandon(ticket)
    assert isinstance(await late, Ticket)


async def test_the_number_of_waiting_calls_is_bounded(make):
    queue = make(most_waiting=3, seconds=1e-6)
    await take(queue)
    tasks = [asyncio.create_task(take(queue, OBSERVATION)) for _ in range(10)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sum(task.done() for task in tasks) == 7
    assert all(isinstance(result, Deferred) for result in await asyncio.gather(*tasks))


@pytest.mark.parametrize("given", [False, True])
async def test_a_cancelled_wait_leaves_nothing_behind(make, registry, given):
    queue = make()
    first = await take(queue)
    task = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    if given:
        queue.done(first, CallSignal.ANSWERED, 0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert registry.get_sample_value("collate_gateway_collate_waiting", {"priority": "command"}) == 0
    if not given:
        queue.done(first, CallSignal.ANSWERED, 0.001)
    assert sum(queue.budget.in_flight.values()) == 0
    assert isinstance(await take(queue), Ticket)


async def test_a_breaker_that_opens_sends_away_those_who_wait(make):
    queue = make()
    first = await take(queue)
    waiting = asyncio.create_task(take(queue))
    await asyncio.sleep(0)
    queue.done(first, CallSignal.KEY_REFUSED, 0.001)
    held = await waiting
    assert isinstance(held, Deferred)
    assert held.reason is HoldReason.CREDENTIALS


async def test_closing_sends_everybody_away(make):
    queue = make()
    await take(queue)
    waiting = asyncio.create_task(take(queue, LIVE))
    await asyncio.sleep(0)
    queue.close()
    assert isinstance(await waiting, Deferred)


async def test_metrics_and_log_show_what_the_budget_does(make, registry, capsys):
    queue = make(concurrency=8)
    ticket = await take(queue)

    def value(name, **labels):
        return registry.get_sample_value(f"collate_gateway_{name}", labels)

    assert value("collate_in_flight", priority="command") == 1
    assert value("collate_limit") == 8
    assert value("collate_credentials_refused") == 0
    queue.done(ticket, CallSignal.KEY_REFUSED, 0.001)
    assert value("collate_in_flight", priority="command") == 0
    assert value("collate_credentials_refused") == 1
    assert value("collate_breaker_changes_total", state="open") == 1
    for subject in "abc":
        queue.key_changed()
        ticket = await take(queue, COMMAND, subject)
        queue.done(ticket, CallSignal.FAILED, 0.001)
    assert value("collate_breaker") == 2
    out = capsys.readouterr()
    assert "collate.breaker_changed" in out.out + out.err


async def waiting(queue, *callers):
    tasks = [asyncio.create_task(take(queue, LIVE, caller=caller)) for caller in callers]
    await asyncio.sleep(0)
    return tasks


async def test_the_callers_of_live_calls_take_turns(make):
    queue = make(live_wait=10.0)
    first = await take(queue, LIVE, caller="greedy")
    tasks = await waiting(queue, *["greedy"] * 20, "other", "third", "other")
    served = []
    ticket = first
    for _ in range(6):
        queue.done(ticket, CallSignal.ANSWERED, 0.001)
        await asyncio.sleep(0)
        (done,) = [task for task in tasks if task.done()]
        ticket = done.result()
        served.append(ticket.call.caller)
        tasks.remove(done)
    assert served == ["other", "third", "greedy", "other", "greedy", "greedy"]
    queue.done(ticket, CallSignal.ANSWERED, 0.001)
    queue.close()
    await asyncio.gather(*tasks)


async def test_a_live_call_waits_although_another_caller_has_many_calls_waiting(make):
    queue = make(live_wait=1.0, seconds=0.2)
    ticket = await take(queue, LIVE, caller="greedy")
    (*own, deferred) = await waiting(queue, *["greedy"] * 6)
    assert isinstance(await deferred, Deferred), "six calls of a fifth of a second are longer than a second"
    (other,) = await waiting(queue, "other")
    assert not other.done()
    queue.done(ticket, CallSignal.ANSWERED, 0.2)
    assert (await other).call.caller == "other"
    queue.close()
    await asyncio.gather(*own)


async def test_one_caller_has_at_most_half_of_the_slots(make):
    queue = make(concurrency=4)
    tasks = await waiting(queue, *["greedy"] * 3)
    assert [task.done() for task in tasks] == [True, True, False]
    assert isinstance(await take(queue, LIVE, caller="other"), Ticket)
    queue.abandon(tasks[0].result())
    assert isinstance(await tasks[2], Ticket)
