"""The consumers of our topics: the worker and the projector."""
