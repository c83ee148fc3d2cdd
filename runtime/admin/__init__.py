"""The admin port of a process: probes, metrics, partition status and /resume."""
