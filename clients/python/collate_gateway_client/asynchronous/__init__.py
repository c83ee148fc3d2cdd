"""The asynchronous client. `make docs` makes the synchronous one from these files."""
