"""Events over HTTP: one reader of the events topic, for streams and for waiting requests."""
