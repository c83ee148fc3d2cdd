"""One authorization: its stored state, its events and its observations. The applier and the watcher both use it.

state          the stored state               unit_of_work   the changes of one invocation, with their events
facts          changes of a state             reducer        (state, fact) -> (state, events)
observation    the reads of Collate           event_writer   events and states as Kafka records
wait_reasons, retry_policy: why a command waits, and for how long
"""
