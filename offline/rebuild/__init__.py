"""Rebuilds the worker's states from the other topics after `state` was lost (docs/decisions/0016)."""
