"""Benchmarks and their floors. A floor is a minimal program without our promises, measured in the same run."""
