"""The engine's synchronous parts. They take the time as an argument and do no I/O."""
