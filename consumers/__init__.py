"""The consumers: what the worker and the projector do with the records of our topics."""
