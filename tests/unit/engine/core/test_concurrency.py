from consumers.engine.core.concurrency import ConcurrencyLimiter


class Partition:
    """Starts invocations as long as it has work, as `Dispatcher.start` does."""

    def __init__(self, limiter, work):
        self.limiter = limiter
        self.work = work
        self.started = 0

    def start(self):
        while self.work and self.limiter.acquire(self):
            if not self.start_one():
                self.limiter.release()
                return

    def start_one(self):
        if not self.work:
            return False
        self.work -= 1
        self.started += 1
        return True


def test_no_more_invocations_run_than_there_are_slots():
    limiter = ConcurrencyLimiter(3)
    partition = Partition(limiter, 10)
    partition.start()
    assert (partition.started, limiter.used) == (3, 3)
    limiter.release()
    assert (partition.started, limiter.used) == (4, 3)


def test_a_busy_partition_does_not_starve_another():
    limiter = ConcurrencyLimiter(4)
    greedy, modest = Partition(limiter, 1_000), Partition(limiter, 3)
    greedy.start()
    modest.start()
    assert limiter.has_waiters
    for _ in range(8):
        limiter.release()
    assert modest.started == 3
    assert greedy.started == 4 + 5


def test_a_partition_without_work_leaves_the_queue_and_the_slot_stays_free():
    limiter = ConcurrencyLimiter(1)
    first, second = Partition(limiter, 1), Partition(limiter, 1)
    first.start()
    second.start()
    second.work = 0
    limiter.release()
    assert limiter.used == 0
    assert not limiter.has_waiters
    assert limiter.acquire(first)


def test_a_partition_queues_once():
    limiter = ConcurrencyLimiter(1)
    first, second = Partition(limiter, 1), Partition(limiter, 5)
    first.start()
    for _ in range(3):
        second.start()
    limiter.release()
    assert (second.started, limiter.used) == (1, 1)
