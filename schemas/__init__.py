"""What we say (commands, events, records, topics) and what Collate says to us; no I/O."""
