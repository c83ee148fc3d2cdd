"""The synchronous client. `make docs` makes it from the asynchronous one, except `authorize`."""
