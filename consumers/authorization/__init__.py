"""One authorization: its stored state, its events and its observations. The applier and the watcher both use it."""
