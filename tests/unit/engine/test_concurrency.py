from consumers.engine.core.concurrency import ConcurrencyLimiter


class Partition:
    """Starts turns as long as it has work, as `Turns.start` does."""

    def __init__(self, slots, work):
        self.slots = slots
        self.work = work
        self.started = 0

    def start(self):
        while self.work and self.slots.take(self):
            if not self.start_one():
                self.slots.give_back()
                return

    def start_one(self):
        if not self.work:
            return False
        self.work -= 1
        self.started += 1
        return True


def test_no_more_run_than_there_are_slots():
    slots = ConcurrencyLimiter(3)
    partition = Partition(slots, 10)
    partition.start()
    assert (partition.started, slots.used) == (3, 3)
    slots.give_back()
    assert (partition.started, slots.used) == (4, 3)


def test_a_busy_partition_does_not_starve_another():
    slots = ConcurrencyLimiter(4)
    greedy, modest = Partition(slots, 1_000), Partition(slots, 3)
    greedy.start()
    modest.start()
    assert slots.has_waiters
    for _ in range(8):
        slots.give_back()
    assert modest.started == 3
    assert greedy.started == 4 + 5


def test_who_has_nothing_left_leaves_the_queue_and_the_slot_stays_free():
    slots = ConcurrencyLimiter(1)
    first, second = Partition(slots, 1), Partition(slots, 1)
    first.start()
    second.start()
    second.work = 0
    slots.give_back()
    assert slots.used == 0
    assert not slots.has_waiters
    assert slots.take(first)


def test_a_partition_queues_once():
    slots = ConcurrencyLimiter(1)
    first, second = Partition(slots, 1), Partition(slots, 5)
    first.start()
    for _ in range(3):
        second.start()
    slots.give_back()
    assert (second.started, slots.used) == (1, 1)
