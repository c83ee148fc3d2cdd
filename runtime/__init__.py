"""The parts of every process: settings, logs, metrics, traces, health, the admin port, start and stop."""
