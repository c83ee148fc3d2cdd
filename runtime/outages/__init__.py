"""Outages of other systems in the log: what is written about them, and what is not."""
