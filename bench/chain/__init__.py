"""The benchmark of the whole chain, from the POST of a command to its event."""
