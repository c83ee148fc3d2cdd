"""The consumers of our topics: the worker, the projector and the deliverer."""
