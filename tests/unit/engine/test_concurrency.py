from consumers.engine.core.concurrency import ConcurrencyLimiter


class Partition:
    """Starts dispatcher as long as it has session, as `Turns.start` does."""

    def __init__(self, concurrency, session):
        self.concurrency = concurrency
        self.session = session
        self.started = 0

    def start(self):
        while self.session and self.concurrency.acquire(self):
            if not self.start_one():
                self.concurrency.release()
                return

    def start_one(self):
        if not self.session:
            return False
        self.session -= 1
        self.started += 1
        return True


def test_no_more_invocations_run_than_there_are_slots():
    concurrency = ConcurrencyLimiter(3)
    partition = Partition(concurrency, 10)
    partition.start()
    assert (partition.started, concurrency.used) == (3, 3)
    concurrency.release()
    assert (partition.started, concurrency.used) == (4, 3)


def test_a_busy_partition_does_not_starve_another():
    concurrency = ConcurrencyLimiter(4)
    greedy, modest = Partition(concurrency, 1_000), Partition(concurrency, 3)
    greedy.start()
    modest.start()
    assert concurrency.has_waiters
    for _ in range(8):
        concurrency.release()
    assert modest.started == 3
    assert greedy.started == 4 + 5


def test_a_partition_without_work_leaves_the_queue_and_the_slot_stays_free():
    concurrency = ConcurrencyLimiter(1)
    first, second = Partition(concurrency, 1), Partition(concurrency, 1)
    first.start()
    second.start()
    second.session = 0
    concurrency.release()
    assert concurrency.used == 0
    assert not concurrency.has_waiters
    assert concurrency.acquire(first)


def test_a_partition_queues_once():
    concurrency = ConcurrencyLimiter(1)
    first, second = Partition(concurrency, 1), Partition(concurrency, 5)
    first.start()
    for _ in range(3):
        second.start()
    concurrency.release()
    assert (second.started, concurrency.used) == (1, 1)
