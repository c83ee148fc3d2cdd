"""The decision on a command, as pure functions: the table, the values that it reads, and the effect of a lost write."""
