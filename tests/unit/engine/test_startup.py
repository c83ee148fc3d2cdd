import pytest

from consumers.engine import startup
from consumers.engine.core.offset_tracker import Committed
from consumers.engine.core.progress import ProgressRecord, encode
from consumers.engine.startup import StartupContext, _log_end, start_partition
from consumers.engine.state_store import StateStore
from tests.unit.engine.partitions import SOURCE, STATE, settings_of


class Consumer:
    def __init__(self, *ends):
        self.ends = list(ends)

    async def end_offsets(self, sources):
        return {sources[0]: self.ends.pop(0)}


@pytest.mark.parametrize(
    ("progress", "ends", "end"),
    [(None, [3], 3), (Committed(3, ""), [3], 3), (Committed(5, ""), [3, 3, 8], 8), (Committed(5, ""), [3] * 4, 3)],
)
async def test_a_log_end_before_the_progress_is_read_again(monkeypatch, progress, ends, end):
    monkeypatch.setattr(startup, "_LOG_END_RETRY_SECONDS", (0.0, 0.0, 0.0))
    consumer = Consumer(*ends)
    assert await _log_end(consumer, SOURCE, progress) == end
    assert consumer.ends == []


class Cluster:
    """Kafka as a start sees it: `commands` is created again before the request with this number."""

    def __init__(self, before):
        self.topic_id, self.begin, self.left = "old", 50, before
        self.written, self.committed = [], []

    def request(self):
        if self.left == 0:
            self.topic_id, self.begin = "new", 0
        self.left -= 1

    async def beginning_offsets(self, sources):
        self.request()
        return {sources[0]: self.begin}

    async def end_offsets(self, sources):
        self.request()
        return {sources[0]: self.begin + 10}

    async def start(self):
        self.request()

    async def confirm(self):
        self.request()
        return True

    async def fetch_committed(self, _, __, sources):
        self.request()
        return {sources[0]: None}

    async def fetch_topic_id(self, *_):
        self.request()
        return self.topic_id

    async def write_marker(self, *, everywhere):
        self.request()
        return 0, None

    async def restore(self, *_):
        self.request()
        return StateStore()

    async def mend(self, _tails, _state, _transactions, _states, recorded):
        self.written.append(recorded)
        return recorded, None

    async def read_tail(self, *_):
        pass

    async def commit(self, batch, progress, _second_source_at):
        self.committed.append((batch, progress))


@pytest.fixture
def start(monkeypatch):
    """Start a partition with this cluster instead of Kafka; return it, and the ids of its transactions' topics."""

    async def start(cluster, restore=None):
        ids = []

        def transactions(_producer, _source, _settings, topic_id, _on_epoch_replaced):
            ids.append(topic_id)
            return cluster

        for name in ("fetch_committed", "fetch_topic_id", "mend", "read_tail"):
            monkeypatch.setattr(startup, name, getattr(cluster, name))
        monkeypatch.setattr(startup, "Transactions", transactions)
        monkeypatch.setattr(startup, "_restore", restore or cluster.restore)
        context = StartupContext(SOURCE, STATE, cluster, cluster, settings_of(), lambda _: None)
        return await start_partition(context, cluster, accept_lost_offset=True), ids

    return start


@pytest.mark.parametrize("before", range(9))
async def test_no_offset_of_an_older_topic_gets_a_newer_id(start, before):
    cluster = Cluster(before)
    started, ids = await start(cluster)
    assert ids == [started.topic_id]
    assert (started.topic_id, started.committed.offset) in {("old", 50), ("old", 0), ("new", 0)}
    assert cluster.written == [ProgressRecord(started.committed, started.topic_id)]
    assert cluster.committed == [((), started.committed)]
    assert cluster.left == before - 9  # every request may be the first to the new topic


async def test_a_resume_after_a_lost_place_still_looks_for_a_torn_transaction(start):
    cluster = Cluster(99)
    states = StateStore()
    states.progress = encode(Committed(5, ""), "old", number=7, parts={"state": (0, 1, 1)})

    async def restore(*_):
        return states

    started, _ = await start(cluster, restore)
    (found,) = cluster.written
    assert (found.number, found.parts, started.committed.offset) == (7, {"state": [0, 1, 1]}, 50)
    assert cluster.committed == [((), started.committed)], "the next start asks no operator again"
