"""Benchmarks and their floors: speed as a ratio to what the bare parts do in the same run on the same machine."""
