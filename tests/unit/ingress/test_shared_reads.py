import asyncio
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from adapters.collate.answers import Answered, Deferred
from gateway.ingress.live.openings import MOST, Openings
from gateway.ingress.live.outcomes import UpstreamError
from gateway.ingress.live.situations import OlderThanOpening, SharedSituations, Situations
from gateway.ingress.shared_reads import SHARED_SECONDS, SharedReads
from schemas.events import HandoffOpened
from schemas.events.wait_reasons import HoldReason
from schemas.records import PublishedEvent, write_event

pytestmark = pytest.mark.virtual_time


class Reads:
    def __init__(self):
        self.count = 0

    async def __call__(self):
        self.count += 1
        number = self.count
        await asyncio.sleep(1)
        return number


def shared_situations(collate, now):
    situations = Situations(collate, now=now)
    return SharedSituations(situations, Openings(situations.now))


def shared(**own):
    return SharedReads(lambda value: value != "not kept", **own)


async def test_viewers_wait_for_the_read_in_progress_and_then_share_its_value_for_five_seconds():
    reads, values = Reads(), shared()
    assert await asyncio.gather(*(values.get("a", reads) for _ in range(3))) == [1, 1, 1]
    await asyncio.sleep(SHARED_SECONDS - 0.1)
    assert await values.get("a", reads) == 1
    await asyncio.sleep(0.2)
    assert len(values) == 0, "the timer removes a value that no request asks for"
    assert await values.get("a", reads) == 2


async def test_a_viewer_who_leaves_does_not_end_the_read_of_the_others():
    reads, values = Reads(), shared()
    first = asyncio.create_task(values.get("a", reads))
    await asyncio.sleep(0.5)
    first.cancel()
    assert await values.get("a", reads) == 1


async def test_a_value_that_is_not_kept_is_only_for_those_who_wait_for_it():
    values = shared()

    async def read():
        return "not kept"

    await values.get("a", read)
    await asyncio.sleep(0)
    assert len(values) == 0


async def test_a_failure_reaches_each_viewer_and_is_not_kept():
    values = shared()

    async def read():
        await asyncio.sleep(1)
        raise OSError

    failures = await asyncio.gather(*(values.get("a", read) for _ in range(2)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [OSError, OSError]
    assert len(values) == 0


async def test_a_full_memory_forgets_its_oldest_read():
    reads, values = Reads(), shared(capacity=2)
    for key in "abc":
        await values.get(key, reads)
    assert len(values) == 2
    assert await values.get("a", reads) == 4
    assert await values.get("c", reads) == 3


def authorization_with(authorization_id, handoff_id, version=2):
    pointer = None if handoff_id is None else SimpleNamespace(id=handoff_id)
    facts = SimpleNamespace(
        id=authorization_id, active_handoff_id=handoff_id, active_manual_handoff=pointer, version=version
    )
    return Answered(200, facts, b"")


def handoff_in(handoff_id, state):
    return Answered(200, SimpleNamespace(id=handoff_id, state=state), b"")


class OpeningCollate:
    """Collate with one authorization, whose handoff is opened and closed while people read."""

    def __init__(self):
        self.open_id, self.calls, self.version = None, 0, 2

    async def get_authorization(self, authorization_id, **_):
        self.calls += 1
        return authorization_with(authorization_id, self.open_id, self.version)

    async def get_handoff(self, _authorization_id, handoff_id, **_):
        self.calls += 1
        return handoff_in(handoff_id, "active" if handoff_id == self.open_id else "closed")


@pytest.fixture
async def opening():
    collate = OpeningCollate()
    return collate, shared_situations(collate, asyncio.get_running_loop().time)


async def test_a_named_handoff_that_was_opened_after_the_kept_read_is_read_with_its_authorization(opening):
    collate, situations = opening
    await situations.read("auth_1", None, "intake")
    collate.open_id = "mhand_1"
    found = await situations.read("auth_1", "mhand_1", "intake")
    assert (found.handoff.state, found.authorization.active_handoff_id) == ("active", "mhand_1")
    calls = collate.calls
    assert await situations.read("auth_1", "mhand_1", "people:ann") is found
    assert collate.calls == calls, "the viewers share it"


async def test_a_handoff_that_opens_or_closes_between_the_two_reads_is_of_one_time(opening):
    collate, situations = opening
    collate.open_id = "mhand_1"

    async def close_after(authorization_id, **_):
        found = authorization_with(authorization_id, collate.open_id)
        collate.open_id = None
        return found

    collate.get_authorization = close_after
    found = await situations.read("auth_1", None, "intake")
    assert (found.handoff, found.authorization.active_handoff_id) == (None, None)


async def test_a_viewer_who_names_a_time_gets_no_read_that_began_before_it(opening):
    collate, situations = opening
    before = await situations.read("auth_1", None, "intake")
    await asyncio.sleep(1)
    since = datetime.fromtimestamp(asyncio.get_running_loop().time(), UTC)
    collate.open_id = "mhand_1"
    assert await situations.read("auth_1", None, "intake") is before
    found = await asyncio.gather(*(situations.read("auth_1", None, "intake", since) for _ in range(3)))
    assert [one.handoff_id for one in found] == ["mhand_1"] * 3
    assert collate.calls == 3, "three viewers share the new read too"
    late = datetime.fromtimestamp(asyncio.get_running_loop().time() + 3_600, UTC)
    assert (await asyncio.wait_for(situations.read("auth_1", None, "intake", late), 1)).handoff_id == "mhand_1"


def opened(version):
    opening = HandoffOpened(handoff_id="mhand_1", version=version, access_available=True, final_submit_capable=False)
    event = PublishedEvent(
        f"{1:08}-0000-5000-8000-000000000000", "auth_1", 1, datetime(2026, 6, 2, tzinfo=UTC), opening
    )
    headers, value = write_event(event, "/here")
    return SimpleNamespace(key=b"auth_1", headers=headers, value=value)


@pytest.mark.parametrize("version", [None, 3])
async def test_no_read_says_that_none_is_open_after_an_opening_is_known(version):
    """The caller of the request has its outcome. A read of before, or an older answer of Collate, would deny it."""
    collate, now = OpeningCollate(), asyncio.get_running_loop().time
    situations = Situations(collate, now=now)
    openings = Openings(situations.now)
    shared = SharedSituations(situations, openings)
    await shared.read("auth_1", None, "intake")
    await asyncio.sleep(1)
    openings.on_record(opened(version))
    if version is not None:
        with pytest.raises(OlderThanOpening):
            await shared.read("auth_1", None, "intake")
    collate.open_id, collate.version = "mhand_1", 3
    await asyncio.sleep(6 if version else 0)
    assert (await shared.read("auth_1", None, "intake")).handoff_id == "mhand_1"
    await asyncio.sleep(61)
    assert openings.last("auth_1") is None


def test_openings_are_bounded():
    now = datetime(2026, 6, 2, tzinfo=UTC)
    openings = Openings(lambda: now)
    record = opened(1)
    for number in range(MOST + 5):
        openings.on_record(SimpleNamespace(**{**vars(record), "key": f"auth_{number}".encode()}))
    assert len(openings._last) == MOST
    now += timedelta(minutes=2)
    openings.on_record(record)
    assert list(openings._last) == ["auth_1"]


async def test_neither_part_of_a_situation_with_an_earlier_handoff_is_older_than_five_seconds():
    clock = asyncio.get_running_loop().time

    class Collate:
        async def get_authorization(self, authorization_id, **_):
            return authorization_with(authorization_id, None)

        async def get_handoff(self, _authorization_id, handoff_id, **_):
            return handoff_in(handoff_id, "closed")

    situations = shared_situations(Collate(), clock)
    await situations.read("auth_1", None, "intake")
    for _ in range(4):
        await asyncio.sleep(SHARED_SECONDS - 1)
        found = await situations.read("auth_1", "mhand_1", "intake")
        assert datetime.fromtimestamp(clock(), UTC) - found.at <= timedelta(seconds=SHARED_SECONDS)


async def test_the_deferral_of_one_callers_call_is_no_answer_to_the_other_viewers():
    class Collate:
        def __init__(self, reason):
            self.reason, self.callers = reason, []

        async def get_authorization(self, authorization_id, *, caller, **_):
            self.callers.append(caller)
            await asyncio.sleep(1)
            if caller == "greedy":
                return Deferred(5.0, self.reason)
            return authorization_with(authorization_id, None)

    async def read_all(collate):
        situations = shared_situations(collate, time.time)
        viewers = ["greedy", "people:ann", "people:ann", "people:bob"]
        found = await asyncio.gather(*(situations.read("auth_1", None, viewer) for viewer in viewers))
        return [isinstance(one, UpstreamError) for one in found]

    of_turn, of_all = Collate(HoldReason.BUDGET), Collate(HoldReason.BREAKER)
    assert await read_all(of_turn) == [True, False, False, False]
    assert of_turn.callers == ["greedy", "people:ann", "people:bob"]
    assert await read_all(of_all) == [True] * 4
    assert of_all.callers == ["greedy"], "an open breaker defers the calls of all"
