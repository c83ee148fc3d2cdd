"""`gateway status`, `timeline` and `watch`: the state of a command, and the history of an authorization."""
