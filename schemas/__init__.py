"""The gateway's messages (commands, events, records), its topics, and Collate's wire models. No I/O."""
