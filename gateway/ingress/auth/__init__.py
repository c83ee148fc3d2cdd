"""Authentication (who is the caller) and authorization (what may the caller do)."""
