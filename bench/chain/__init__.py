"""The whole chain, from the POST of a command to its visible outcome."""
