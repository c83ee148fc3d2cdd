"""The wire: sockets, messages, JSON and error bodies."""
