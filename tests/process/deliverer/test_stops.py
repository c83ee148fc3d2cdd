"""The stop of a subscription by 410, in two processes that crash, start and share one log of stops.

A model decides what a start may do: after a stored stop no request, after a stored resume no stop without a new 410.
"""

import asyncio
from dataclasses import dataclass, field, replace

from aiokafka.errors import KafkaConnectionError
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from adapters.webhooks.target import read_target
from consumers.deliverer import stored_stop, subscription_engine
from consumers.deliverer.delivery import ReceiverGone
from consumers.deliverer.gate import DeliveryWait
from consumers.deliverer.stored_stop import StoredStop, url_digest
from consumers.engine import Record
from runtime.logs import get_log
from runtime.metrics import Metrics
from runtime.settings import load_deliverer_settings
from tests.process.deliverer.conftest import event_record
from tests.process.deliverer.test_handler import DeliveryQueue, QueueInvocation, subscription

URLS = [f"https://hooks.example/{name}" for name in "ab"]
HEADERS, VALUE = event_record()
SETTLED = 0.02


def digest(url):
    return url_digest(read_target(url, allow_plain_http=False))


@dataclass
class Model:
    """Two processes, the log of stops, and what a start must find. `may_be`: the digests that it may find."""

    log: list = field(default_factory=lambda: [None])
    failure: str = ""
    url: str = URLS[0]
    processes: dict = field(default_factory=dict)
    tasks: dict = field(default_factory=dict)
    may_be: set = field(default_factory=lambda: {None})

    async def read(self, kafka, topic):
        return self.log[-1]

    async def write(self, kafka, topic, wanted):
        await asyncio.sleep(0)
        if self.failure != "lost":
            self.log.append(wanted)
        if self.failure:
            raise KafkaConnectionError

    def wrote(self, wanted, *, is_stored):
        self.may_be = {wanted} if is_stored else self.may_be | {wanted}

    async def start(self, name):
        self.crash(name)
        one = make(self.url)
        await one._read_stop()
        gate = one.handler.gate
        assert gate.is_stopped in {found == digest(self.url) for found in self.may_be}
        assert gate.is_stopped == (self.log[-1] == digest(self.url))
        self.processes[name] = one
        self.tasks[name] = asyncio.create_task(one._stored_stop.keep())
        if self.log[-1] not in {None, digest(self.url)}:
            await self.settle(name)

    async def settle(self, name):
        """Let the process store that nothing stops it."""
        try:
            async with asyncio.timeout(SETTLED if self.failure else 5.0):
                await self.processes[name]._stored_stop._is_stored.wait()
        except TimeoutError:
            assert self.failure
            self.wrote(None, is_stored=False)
        else:
            self.wrote(None, is_stored=True)

    def crash(self, name):
        if name in self.processes:
            self.tasks.pop(name).cancel()
            del self.processes[name]

    async def gone(self, name):
        """Send an event of the process, which gets 410 if the process sends at all."""
        if name not in self.processes:
            return
        one, before = self.processes[name], len(self.log)
        was_stopped = one.handler.gate.is_stopped
        record = Record(0, 0, b"auth_1", VALUE, HEADERS, 1_800_000_000.0)
        result = await one.handler.on_record(QueueInvocation(DeliveryQueue()), record)
        assert result.reason is DeliveryWait.STOPPED
        assert one.handler.gate.is_stopped
        if was_stopped:
            assert len(self.log) == before
        else:
            self.wrote(digest(self.url), is_stored=not self.failure)

    async def resume(self, name):
        if name in self.processes:
            is_stored = await self.processes[name].resume()
            assert is_stored == (not self.failure)
            assert not self.processes[name].handler.gate.is_stopped
            self.wrote(None, is_stored=is_stored)

    async def change(self, url):
        if url == self.url:
            return
        self.url = url
        for name, one in self.processes.items():
            one.change(replace(one.subscription, target=read_target(url, allow_plain_http=False)))
            assert not one.handler.gate.is_stopped
            await self.settle(name)

    async def down(self, url):
        """Change the file while no process runs."""
        for name in list(self.processes):
            self.crash(name)
        self.url = url

    async def rest(self, _):
        """Give every process the time to store what it has to store."""
        for one in self.processes.values():
            if not self.failure and one._stored_stop._is_requested.is_set():
                wanted = one._stored_stop._digest
                assert await one._stored_stop.store(wanted, 1.0)
                self.wrote(wanted, is_stored=True)


def make(url):
    one = subscription_engine.SubscriptionEngine(subscription(url=url), SETTINGS, METRICS, get_log())

    async def gone(message, now):
        return ReceiverGone()

    one.handler.deliver = gone
    return one


SETTINGS = load_deliverer_settings(
    {
        "GATEWAY_ENVIRONMENT": "test",
        "GATEWAY_KAFKA__BOOTSTRAP": "127.0.0.1:9092",
        "GATEWAY_DELIVERER__SUBSCRIPTIONS_FILE": __file__,
    }
)
METRICS = Metrics(CollectorRegistry()).deliverer
NAMES = st.sampled_from(["one", "two"])
STEPS = st.one_of(
    st.tuples(st.sampled_from(["start", "crash", "gone", "resume"]), NAMES),
    st.tuples(st.sampled_from(["change", "down"]), st.sampled_from(URLS)),
    st.tuples(st.just("rest"), st.just(0)),
    st.tuples(st.just("failure"), st.sampled_from(["", "", "lost", "unanswered"])),
)


def test_no_crash_stops_a_resumed_subscription_or_forgets_a_stop(monkeypatch):
    monkeypatch.setattr(subscription_engine, "_STORE_SECONDS", SETTLED)
    monkeypatch.setattr(stored_stop, "_RETRY_SECONDS", 0.001)

    @given(st.lists(STEPS, max_size=12))
    @example([("gone", "one"), ("start", "one"), ("gone", "one")])
    @example([("gone", "one"), ("resume", "one"), ("start", "two"), ("gone", "two"), ("start", "one")])
    @example([("gone", "one"), ("change", URLS[1]), ("start", "two")])
    @example([("gone", "one"), ("change", URLS[1]), ("change", URLS[0]), ("start", "two")])
    @example([("gone", "one"), ("down", URLS[1]), ("start", "two"), ("down", URLS[0]), ("start", "two")])
    @example([("failure", "lost"), ("gone", "one"), ("failure", ""), ("rest", 0), ("start", "two")])
    @example([("gone", "one"), ("failure", "lost"), ("resume", "one"), ("failure", ""), ("rest", 0), ("start", "two")])
    def check(steps):
        model = Model()
        monkeypatch.setattr(subscription_engine, "read_stop", model.read)
        monkeypatch.setattr(subscription_engine, "write_stop", model.write)
        asyncio.run(run(model, steps))

    check()


async def run(model, steps):
    await model.start("one")
    await model.start("two")
    for verb, argument in steps:
        match verb:
            case "failure":
                model.failure = argument
            case "crash":
                model.crash(argument)
            case _:
                await getattr(model, verb)(argument)
    model.failure = ""
    await model.start("three")
    for name in list(model.processes):
        model.crash(name)


async def test_a_write_that_a_newer_request_overtakes_does_not_count():
    written, may_write = [], asyncio.Event()

    async def write(wanted):
        await may_write.wait()
        written.append(wanted)

    stop = StoredStop(write, get_log())
    keeping = asyncio.create_task(stop.keep())
    stop.request("a")
    await asyncio.sleep(0)
    resuming = asyncio.create_task(stop.store(None, 5.0))
    await asyncio.sleep(0)
    may_write.set()
    assert await resuming
    assert written == ["a", None]
    keeping.cancel()
