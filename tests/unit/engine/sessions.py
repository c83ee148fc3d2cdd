"""Sessions of a partition without its task."""

from consumers.engine.core.partition_lifecycle import PartitionEvent


def begin_session(partition, started):
    """Begin a session as `Partition.run` does; an earlier session counts as failed."""
    if partition.session is not None:
        partition._apply(PartitionEvent.FAILED)
        partition.session = None
        partition._apply(PartitionEvent.DISCARDED)
    partition._apply(PartitionEvent.START_BEGAN)
    return partition._begin_session(started)
