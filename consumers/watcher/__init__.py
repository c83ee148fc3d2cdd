"""Watches authorizations: `watcher` observes, `cadence` has the intervals, `slowdown` lengthens them."""
