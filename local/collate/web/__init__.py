"""HTTP: sockets, messages, JSON and error bodies."""
