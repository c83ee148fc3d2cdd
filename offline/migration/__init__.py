"""Moves an installation's records to new topics with another number of partitions (docs/decisions/0015).

plan        what is moved: the begin and the end of every source partition
merge       the order of the records: each source partition's own, and across partitions by time
progress    which commands of the new partitions are finished
copying     copies one topic, from where an earlier run stopped, and counts what it wrote
migrate     the steps, in an order in which a crash between any two is safe
"""
