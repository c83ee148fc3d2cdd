"""Rebuilds the worker's states from the other topics after `state` was lost (docs/decisions/0016).

logged      the commands of one authorization, and which of them have ended. Pure
history     the events of one authorization, folded. Pure
state       the state from the history, the public record and the commands. Pure
partition   reads one partition of each topic, and makes its states and its progress
rebuild     the steps for all partitions, in an order in which a crash between any two is safe
"""
