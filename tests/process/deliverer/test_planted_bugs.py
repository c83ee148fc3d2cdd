"""Each planted bug breaks a promise, and the checks of the other tests notice it."""

import json
from dataclasses import replace

from consumers.deliverer import delivery
from consumers.deliverer.delivery import NotDelivered
from consumers.deliverer.handler import DeliveryHandler
from consumers.engine import Done
from local.judge.deliveries import compare
from tests.process.deliverer.test_handler import FAILED, DeliveryQueue


class GivesUpAtOnce(DeliveryHandler):
    """A failure finishes the event."""

    async def _failed(self, invocation, record, outcome):
        return Done()


class FinishesFirst(DeliveryHandler):
    """The event is finished before its request: a crash in between drops it."""

    async def on_record(self, invocation, record):
        queue = self.deliver.__self__
        queue.finished += 1
        result = await super().on_record(invocation, record)
        queue.finished -= 1
        return result


class SendsLater(DeliveryHandler):
    """A failed event is sent after the next one."""

    late = ()

    async def on_record(self, invocation, record):
        result = await super().on_record(invocation, record)
        if not isinstance(result, Done):
            self.late = (record,)
            return Done()
        for failed in self.late:
            await super().on_record(invocation, failed)
        self.late = ()
        return result


async def run(handler, answers, crash_at=None):
    queue = DeliveryQueue(list(answers))
    own = queue.restart

    def restart():
        own()
        parts = {
            name: getattr(queue.handler, name) for name in DeliveryHandler.__slots__ if hasattr(queue.handler, name)
        }
        queue.handler = handler(**{name: parts[name] for name in list(parts)[:7]})

    queue.restart = restart
    restart()
    queue.append(3)
    queue.fuse.arm(crash_at)
    await queue.drain()
    return queue


def verdict(queue):
    sequence_of = {event_id: number for number, event_id in enumerate(queue.ids, 1)}
    accepted = [("auth_1", sequence_of[one]) for one in queue.delivered]
    return compare(accepted, [("auth_1", number) for number in sequence_of.values()])


async def test_the_checks_accept_the_real_handler():
    assert verdict(await run(DeliveryHandler, [FAILED])).is_good
    assert verdict(await run(DeliveryHandler, [FAILED], crash_at=2)).is_good


async def test_an_event_that_is_given_up_is_lost():
    assert verdict(await run(GivesUpAtOnce, [FAILED])).lost == [("auth_1", 1)]


async def test_an_event_that_is_finished_before_its_request_is_lost_by_a_crash():
    lost = [verdict(await run(FinishesFirst, [], crash_at=point)).lost for point in range(2)]
    assert any(lost)


async def test_an_event_that_is_sent_later_is_out_of_order():
    found = verdict(await run(SendsLater, [FAILED]))
    assert found.out_of_order == [("auth_1", 2, 1)]


async def test_a_signature_of_another_body_is_noticed(receiver, connect, send, monkeypatch):
    """JSON that was parsed and written again has other bytes."""
    signed = delivery.signed_headers

    def sign_other_bytes(message, secrets, now):
        return signed(replace(message, body=json.dumps(json.loads(message.body)).encode()), secrets, now)

    monkeypatch.setattr(delivery, "signed_headers", sign_other_bytes)
    assert await send(connect(receiver.url)) == NotDelivered("status_4xx", 400)
    assert receiver.bad == ["WebhookVerificationError: No matching signature found"]
    assert not receiver.accepted
