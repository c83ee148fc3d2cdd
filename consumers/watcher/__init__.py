"""Watches authorizations: `watcher` observes, `cadence` says when, `slowdown` stretches the steps."""
