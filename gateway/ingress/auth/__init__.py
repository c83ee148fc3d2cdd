"""Authentication (who is the caller?) and permissions (may the caller do this?)."""
