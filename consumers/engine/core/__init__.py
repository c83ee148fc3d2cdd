"""The engine's synchronous parts: the caller passes the time in, and they do no I/O."""
