"""A batch knows what is written while it is not."""

from consumers.projector.batch import Batch


def test_what_a_batch_holds_is_not_written_and_all_before_it_is():
    batch = Batch(moved={("events", 0): (5, 9)})
    assert batch.written({("events", 0): 10, ("events", 1): 7}) == {("events", 0): 5, ("events", 1): 7}
