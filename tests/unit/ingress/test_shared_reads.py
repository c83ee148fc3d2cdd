import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from adapters.collate.answers import Answered, Deferred
from gateway.ingress.live.outcomes import UpstreamError
from gateway.ingress.live.situations import SharedSituations, Situations
from gateway.ingress.shared_reads import SHARED_SECONDS, SharedReads
from schemas.events.wait_reasons import HoldReason

pytestmark = pytest.mark.virtual_time


class Reads:
    def __init__(self):
        self.count = 0

    async def __call__(self):
        self.count += 1
        number = self.count
        await asyncio.sleep(1)
        return number


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


async def test_neither_part_of_a_situation_with_an_earlier_handoff_is_older_than_five_seconds():
    clock = asyncio.get_running_loop().time

    class Collate:
        async def get_authorization(self, authorization_id, **_):
            return answered(id=authorization_id, active_handoff_id=None)

        async def get_handoff(self, _authorization_id, handoff_id, **_):
            return answered(id=handoff_id)

    def answered(**facts):
        return Answered(200, SimpleNamespace(**facts), b"")

    situations = SharedSituations(Situations(Collate(), now=clock))
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
            return Answered(200, SimpleNamespace(id=authorization_id, active_handoff_id=None), b"")

    async def read_all(collate):
        situations = SharedSituations(Situations(collate))
        viewers = ["greedy", "people:ann", "people:ann", "people:bob"]
        found = await asyncio.gather(*(situations.read("auth_1", None, viewer) for viewer in viewers))
        return [isinstance(one, UpstreamError) for one in found]

    of_turn, of_all = Collate(HoldReason.BUDGET), Collate(HoldReason.BREAKER)
    assert await read_all(of_turn) == [True, False, False, False]
    assert of_turn.callers == ["greedy", "people:ann", "people:bob"]
    assert await read_all(of_all) == [True] * 4
    assert of_all.callers == ["greedy"], "an open breaker defers the calls of all"
